//! Which of Burn's operations have derivatives here, and how: the one table.
//!
//! Each entry names an operation of Burn's captured graphs, the kind of operation it becomes, and its formula; the code
//! beside it writes it in the vocabulary of [`Lowering`]. The table in the documentation is printed from these entries.

mod activation;
mod base;
mod discrete;
mod float;
mod module;
mod numeric;

use burn_ir::{OperationIr, TensorIr};

use crate::lowering::Lowering;

/// An operation of Burn that a program can contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name in Burn's captured graphs.
    pub name: &'static str,
    /// What it becomes.
    pub kind: Kind,
    /// What it calculates.
    pub formula: &'static str,
}

/// The kinds of operation, each with its rules once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A function of every element.
    Elementwise,
    /// Linear in each of two operands.
    Bilinear,
    /// Linear.
    Linear,
    /// A composition of the other three.
    Lowered,
    /// Integers and booleans, without derivative.
    Discrete,
    /// A value known when the program is captured.
    Constant,
}

macro_rules! entries {
    ($lowering:ident, $type:ty;
     $($name:literal $kind:ident $formula:literal: $pattern:pat $(if $guard:expr)? => $body:expr;)+) => {
        pub const ENTRIES: &[$crate::registry::Entry] = &[$(
            $crate::registry::Entry { name: $name, kind: $crate::registry::Kind::$kind, formula: $formula },
        )+];

        /// Writes the operation and gives the name of its entry; `None` where there is none.
        pub fn lower($lowering: &mut $crate::lowering::Lowering, operation: &$type) -> Option<&'static str> {
            match operation {
                $($pattern $(if $guard)? => {
                    $body;
                    Some($name)
                })+
                _ => None,
            }
        }
    };
}
pub(crate) use entries;

/// Every entry, in the order of Burn's operation kinds.
pub fn operations() -> impl Iterator<Item = &'static Entry> {
    [base::ENTRIES, numeric::ENTRIES, float::ENTRIES, activation::ENTRIES, module::ENTRIES, discrete::ENTRIES]
        .into_iter()
        .flatten()
}

/// Writes one captured operation into the program and gives the name of its entry; `None` where there is none.
pub fn lower(lowering: &mut Lowering, operation: &OperationIr) -> Option<&'static str> {
    match operation {
        OperationIr::BaseFloat(base) | OperationIr::BaseInt(base) | OperationIr::BaseBool(base) => {
            base::lower(lowering, base)
        }
        OperationIr::NumericFloat(_, numeric) => numeric::lower(lowering, numeric),
        OperationIr::Float(_, float) => float::lower(lowering, float),
        OperationIr::Activation(activation) => activation::lower(lowering, activation),
        OperationIr::Module(module) => module::lower(lowering, module),
        OperationIr::NumericInt(..) | OperationIr::Int(_) | OperationIr::Bool(_) => {
            discrete::lower(lowering, operation)
        }
        _ => None,
    }
}

/// The operation's name as the entries have it, with its shapes.
pub fn name(operation: &OperationIr) -> String {
    let text = format!("{operation:?}");
    let words: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty() && !["F64", "F32", "F16", "BF16", "Flex32", "I64", "I32", "Box"].contains(word))
        .take(2)
        .collect();
    let shapes = |word: &str, tensors: &mut dyn Iterator<Item = &TensorIr>| {
        let shapes: Vec<String> = tensors.map(|tensor| format!("{:?}", tensor.shape.to_vec())).collect();
        if shapes.is_empty() { String::new() } else { format!(" {word} {}", shapes.join(", ")) }
    };
    let (from, to) = (shapes("of", &mut operation.inputs()), shapes("to", &mut operation.outputs()));
    format!("{}{from}{to}", words.join("."))
}
