//! [`Node`]: an operation that is applied; [`Uses`]: who makes and who reads what.

use std::collections::BTreeSet;

use crate::argument::{Argument, Number};
use crate::error::ExchangeError;
use crate::operation::Operation;

/// An operation that is applied.
#[derive(Debug)]
pub struct Node {
    pub operation: &'static Operation,
    pub arguments: Vec<(String, Argument)>,
    /// Places of its results; none where nobody asks for one.
    pub results: Vec<Option<usize>>,
    /// Whether it is written over its first argument.
    pub in_place: bool,
    /// Places that nobody reads after it.
    pub frees: Vec<usize>,
    /// Its name in PyTorch, and where it is: for words.
    pub target: String,
    pub place: String,
}

impl Node {
    /// An error that happened here.
    pub fn error(&self, problem: String) -> ExchangeError {
        ExchangeError::Node { operation: self.target.clone(), node: self.place.clone(), problem }
    }

    /// The places that it reads.
    pub fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.arguments.iter().flat_map(|(_, argument)| argument.values())
    }

    /// Whether it drops numbers in training.
    pub fn drops(&self) -> bool {
        let Some((probability, flag)) = self.operation.drops else { return false };
        let is_off = |flag| matches!(self.argument(flag), Some(Argument::Bool(false)));
        let never = match self.argument(probability) {
            Some(Argument::Float(probability)) => *probability == 0.0,
            Some(Argument::Int(Number::Known(probability))) => *probability == 0,
            other => other.is_none(),
        };
        // Recurrent networks drop between layers.
        let alone = matches!(self.argument("num_layers"), Some(Argument::Int(Number::Known(1))));
        !never && !alone && !flag.is_some_and(is_off)
    }

    pub fn argument(&self, name: &str) -> Option<&Argument> {
        self.arguments.iter().find(|(known, _)| known == name).map(|(_, argument)| argument)
    }
}

/// For each place, the node that makes it, and how many nodes read it.
pub struct Uses {
    pub makers: Vec<Option<usize>>,
    pub readers: Vec<usize>,
}

impl Uses {
    pub fn of(nodes: &[Node], slots: usize) -> Self {
        let mut uses = Self { makers: vec![None; slots], readers: vec![0; slots] };
        for (number, node) in nodes.iter().enumerate() {
            for &place in node.results.iter().flatten() {
                uses.makers[place] = Some(number);
            }
            for place in node.places().collect::<BTreeSet<_>>() {
                uses.readers[place] += 1;
            }
        }
        uses
    }
}
