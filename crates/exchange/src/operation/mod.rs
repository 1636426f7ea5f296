//! PyTorch's operations, and what each becomes in Burn: one table, a file a family.
//!
//! An entry names the operation, what it calculates, the arguments that it looks at and those that no result depends
//! on.
//! A node with any other argument is refused, so that nothing is passed over in silence. Operations that end in `_` are
//! the same ones written over their first argument ([`graph`](crate::graph) sees to that); overloads, as `add.Tensor`
//! and `add.Scalar`, are one entry that looks at what it is given.

mod arithmetic;
mod attention;
mod call;
mod condition;
mod convolution;
mod copy;
mod create;
mod dropout;
mod elementwise;
mod index;
mod linear;
mod norm;
mod pool;
mod recurrent;
mod reduce;
mod shape;
mod size;

use std::collections::HashMap;
use std::sync::LazyLock;

pub use call::{Call, Context, Value};

use crate::array::{Array, Problem};

/// An operation of PyTorch that a network may contain.
#[derive(Debug)]
pub struct Operation {
    /// Its name, without overload and the `_` of those that write over their argument.
    pub name: &'static str,
    /// What it calculates.
    pub formula: &'static str,
    /// The arguments that are looked at.
    pub reads: &'static [&'static str],
    /// Those that no result depends on.
    pub ignores: &'static [&'static str],
    /// Whether its results may be its first argument's memory seen in another way.
    pub is_view: bool,
    /// Whether it stops the gradient.
    pub stops: bool,
    /// The argument whose whole numbers are places, or divisors: there are such for which it fails.
    pub places: Option<&'static str>,
    /// Whether its whole numbers are places by their making, whatever the weights are.
    pub(crate) ranks: bool,
    /// The arguments that say with which probability training drops numbers in it, and whether it is training.
    pub(crate) drops: Option<(&'static str, Option<&'static str>)>,
    /// What it becomes.
    pub(crate) apply: Apply,
}

/// The results of an operation, those of a list one after the other.
pub type Results = Result<Vec<Value>, Problem>;

type Apply = fn(&Call) -> Results;

impl Operation {
    const fn new(name: &'static str, reads: &'static [&'static str], formula: &'static str, apply: Apply) -> Self {
        Self {
            name,
            formula,
            reads,
            ignores: &[],
            is_view: false,
            stops: false,
            places: None,
            ranks: false,
            drops: None,
            apply,
        }
    }

    const fn ignoring(mut self, ignores: &'static [&'static str]) -> Self {
        self.ignores = ignores;
        self
    }

    const fn placing(mut self, places: &'static str) -> Self {
        self.places = Some(places);
        self
    }

    const fn ranking(mut self) -> Self {
        self.ranks = true;
        self
    }

    const fn stopping(mut self) -> Self {
        self.stops = true;
        self
    }

    const fn dropping(mut self, probability: &'static str, flag: Option<&'static str>) -> Self {
        self.drops = Some((probability, flag));
        self
    }

    const fn view(mut self) -> Self {
        self.is_view = true;
        self
    }
}

/// All entries, family by family.
pub const FAMILIES: &[&[Operation]] = &[
    elementwise::OPERATIONS,
    arithmetic::OPERATIONS,
    condition::OPERATIONS,
    copy::OPERATIONS,
    dropout::OPERATIONS,
    reduce::OPERATIONS,
    shape::OPERATIONS,
    index::OPERATIONS,
    create::OPERATIONS,
    linear::OPERATIONS,
    convolution::OPERATIONS,
    pool::OPERATIONS,
    norm::OPERATIONS,
    attention::OPERATIONS,
    recurrent::OPERATIONS,
    size::OPERATIONS,
];

/// The operation that a node's target names, and whether it is written over its first argument.
pub fn named(target: &str) -> Option<(&'static Operation, bool)> {
    static ALL: LazyLock<HashMap<&'static str, &'static Operation>> =
        LazyLock::new(|| FAMILIES.iter().flat_map(|family| family.iter()).map(|entry| (entry.name, entry)).collect());
    let name = match target.strip_prefix("torch.ops.aten.") {
        Some(name) => name.split('.').next().unwrap_or(name),
        None => target,
    };
    match (ALL.get(name), name.strip_suffix('_')) {
        (Some(operation), _) => Some((operation, false)),
        (None, Some(base)) if target.starts_with("torch.ops.aten.") => Some((ALL.get(base)?, true)),
        _ => None,
    }
}

/// What to do about an operation without an entry.
pub fn help(target: &str) -> &'static str {
    let is = |words: &[&str]| words.iter().any(|word| target.contains(word));
    if is(&["cond", "while_loop", "_local_scalar_dense", ".item", "nonzero", "masked_select", "unique"]) {
        "what is calculated there depends on the numbers, so that the network is no one function; write it with where"
    } else if is(&["set_grad_enabled", "detach"]) {
        "it stops the gradient: leave torch.no_grad and detach out of the forward, or freeze the parameters"
    } else if is(&["autocast"]) {
        "export it without autocast: all is calculated in the precision that is measured in"
    } else if is(&["rand", "bernoulli", "multinomial", "normal"]) {
        "a random number has no derivative at a point: pass it as an input"
    } else {
        "write it with others, those of docs/operations.md in crates/exchange"
    }
}

/// So many results more, which no node may read.
fn unread(mut results: Vec<Value>, more: usize) -> Vec<Value> {
    results.extend(std::iter::repeat_n(Value::Bool(false), more));
    results
}

/// One result.
fn one(array: impl Into<Array>) -> Results {
    Ok(vec![Value::Array(array.into())])
}
