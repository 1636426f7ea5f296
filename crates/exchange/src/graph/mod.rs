//! [`Graph`]: a program of which every name is a place, every operation an entry of the table, every use after its
//! making.

mod begin;
mod input;
mod names;
mod tensors;

use std::collections::{BTreeSet, HashMap};

use crate::archive::Archive;
use crate::argument::{Argument, Number};
use crate::array::Array;
use crate::error::ExchangeError;
use crate::operation::{Call, Context, Operation, Value};
use crate::schema;

use begin::Begin;
pub use input::{Axis, Input};
use names::Names;
pub use tensors::{Constant, Member, Parameter, Statistics, Tensors};

/// A program that can be calculated.
#[derive(Debug)]
pub struct Graph {
    pub nodes: Vec<Node>,
    /// What is known before the first node, and in which place.
    pub sources: HashMap<usize, Source>,
    /// Number of places.
    pub slots: usize,
    /// Where the output is in the end.
    pub output: usize,
    pub inputs: Vec<Input>,
    /// Whether it was decomposed, so that parts under `torch.no_grad` cannot be told from others.
    pub is_decomposed: bool,
    /// Rows of weights that are constants, as padding is.
    pub padding: Vec<(usize, usize)>,
}

/// What the values of a graph begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Parameter(usize),
    /// The running mean of a batch norm, or its variance.
    Statistic(usize),
    Constant(usize),
    Input(usize),
}

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
    target: String,
    place: String,
}

impl Node {
    /// An error that happened here.
    pub fn error(&self, problem: String) -> ExchangeError {
        ExchangeError::Node { operation: self.target.clone(), node: self.place.clone(), problem }
    }

    /// The places that it reads.
    fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.arguments.iter().flat_map(|(_, argument)| argument.values())
    }

    /// Whether it drops numbers in training.
    fn drops(&self) -> bool {
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

    fn argument(&self, name: &str) -> Option<&Argument> {
        self.arguments.iter().find(|(known, _)| known == name).map(|(_, argument)| argument)
    }
}

impl Graph {
    /// The graph of an archive, and its tensors.
    pub fn of(archive: Archive) -> Result<(Self, Tensors), ExchangeError> {
        let Archive { program, weights, constants, .. } = archive;
        let mut names = Names::default();
        let is_decomposed = !program.verifiers.iter().any(|verifier| verifier == "TRAINING");
        let schema::GraphModule { graph, signature } = program.graph_module;
        let mut begin = Begin { weights, constants, ranges: program.range_constraints, ..Begin::default() };
        if graph.nodes.len() > MOST_NODES || signature.input_specs.len() > MOST_NODES {
            return Err(ExchangeError::Graph(format!("it has more than {MOST_NODES} nodes")));
        }
        for spec in signature.input_specs {
            begin.input(spec, &graph.tensor_values, &mut names)?;
        }
        let mut nodes: Vec<Node> = Vec::with_capacity(graph.nodes.len());
        for node in graph.nodes {
            let read = names.node(node, &begin)?;
            nodes.extend(read);
        }
        let uses = Uses::of(&nodes, names.roots.len());
        let output = names.output(signature.output_specs, &graph.tensor_values, &begin, &nodes, &uses)?;
        if begin.inputs.is_empty() {
            return Err(ExchangeError::Graph("the program has no input".to_owned()));
        }
        begin.find_statistics(&nodes)?;
        begin.find_rows(&nodes, &uses);
        let padding = begin.padding(&nodes, &uses)?;
        let slots = names.roots.len();
        free(&mut nodes, slots, output);
        let Begin { sources, inputs, tensors, .. } = begin;
        Ok((Self { nodes, sources, slots, output, inputs, is_decomposed, padding }, tensors))
    }

    /// Whether training drops numbers at random.
    pub fn drops(&self) -> bool {
        self.nodes.iter().any(Node::drops)
    }

    /// The output, where sources have these values; shows every value to `see`.
    pub fn evaluate(
        &self,
        value: impl Fn(Source) -> Result<Value, ExchangeError>,
        context: &Context,
        see: &mut dyn FnMut(&Array),
    ) -> Result<Array, ExchangeError> {
        let mut values: Vec<Option<Value>> = vec![None; self.slots];
        for (&place, &source) in &self.sources {
            values[place] = Some(value(source)?);
        }
        for node in &self.nodes {
            let call = Call { arguments: &node.arguments, values: &values, context };
            let mut results = (node.operation.apply)(&call).map_err(|problem| node.error(problem))?;
            // Memory keeps its type.
            if node.in_place
                && let Some((_, Argument::Value(first))) = node.arguments.first()
                && let (Some(Value::Array(first)), Some(Value::Array(result))) = (&values[*first], results.first_mut())
            {
                *result = call.cast(result.clone(), first.kind());
            }
            if results.len() < node.results.len() {
                return Err(node.error(format!(
                    "{} results where {} are asked for",
                    results.len(),
                    node.results.len()
                )));
            }
            for (place, result) in node.results.iter().zip(results) {
                if let Value::Array(array) = &result {
                    see(array);
                }
                if let Some(place) = place {
                    values[*place] = Some(result);
                }
            }
            for &place in &node.frees {
                values[place] = None;
            }
        }
        match values[self.output].take() {
            Some(Value::Array(array)) => Ok(array),
            _ => Err(ExchangeError::Graph("its output has no value".to_owned())),
        }
    }
}

/// The most nodes and inputs of a program: a network of a thousand layers has a tenth of them.
const MOST_NODES: usize = 50_000;

/// For each place, the node that makes it, and how many nodes read it.
struct Uses {
    makers: Vec<Option<usize>>,
    readers: Vec<usize>,
}

impl Uses {
    fn of(nodes: &[Node], slots: usize) -> Self {
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

/// Every node frees what is read for the last time there.
fn free(nodes: &mut [Node], slots: usize, output: usize) {
    let mut last: Vec<Option<usize>> = vec![None; slots];
    for (number, node) in nodes.iter().enumerate() {
        for place in node.results.iter().flatten().copied().chain(node.places()) {
            last[place] = Some(number);
        }
    }
    for (place, number) in last.into_iter().enumerate() {
        if let Some(number) = number.filter(|_| place != output) {
            nodes[number].frees.push(place);
        }
    }
}
