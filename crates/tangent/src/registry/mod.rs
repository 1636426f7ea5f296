//! Which of Burn's operations have derivatives here, and how: the one table.
//!
//! Each entry names an operation of Burn's captured graphs, the kind of operation it becomes, and its formula; the code
//! beside it writes it in the vocabulary of [`Lowering`]. What has no entry stands below the entries with the reason.
//! Both tables in the documentation are printed from here, and the compiler asks for an answer for every operation.

mod activation;
mod base;
mod boolean;
mod float;
mod integer;
mod module;
mod numeric;
mod numeric_integer;
mod resample;
mod windows;

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

/// An operation of Burn that no program can contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its name in Burn's captured graphs, and the form of it in brackets where others have an entry.
    pub name: &'static str,
    /// Why.
    pub reason: &'static str,
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
     $($name:literal $kind:ident $formula:literal: $pattern:pat $(if $guard:expr)? => $body:expr;)+
     $(refused $reason:literal: { $($refused:literal $refused_pattern:pat),+ $(,)? })*) => {
        pub const ENTRIES: &[$crate::registry::Entry] = &[$(
            $crate::registry::Entry { name: $name, kind: $crate::registry::Kind::$kind, formula: $formula },
        )+];

        pub const REFUSALS: &[$crate::registry::Refusal] = &[$($(
            $crate::registry::Refusal { name: $refused, reason: $reason },
        )+)*];

        /// Writes the operation and gives the name of its entry, or the reason why it has none.
        pub fn lower(
            $lowering: &mut $crate::lowering::Lowering,
            operation: &$type,
        ) -> Result<&'static str, &'static str> {
            match operation {
                $($pattern $(if $guard)? => {
                    $body;
                    Ok($name)
                })+
                $($($refused_pattern => Err($reason),)+)*
            }
        }
    };
}
pub(crate) use entries;

/// What is refused as a whole kind.
const REFUSALS: &[Refusal] = &[CUSTOM, DISTRIBUTED];
const CUSTOM: Refusal = Refusal { name: "Custom", reason: "an operation of one's own has no rule here" };
const DISTRIBUTED: Refusal = Refusal { name: "Distributed", reason: "a recording is of one device" };

/// Every entry, in the order of Burn's operation kinds.
pub fn operations() -> impl Iterator<Item = &'static Entry> {
    [
        base::ENTRIES,
        numeric::ENTRIES,
        float::ENTRIES,
        activation::ENTRIES,
        module::ENTRIES,
        numeric_integer::ENTRIES,
        integer::ENTRIES,
        boolean::ENTRIES,
    ]
    .into_iter()
    .flatten()
}

/// Every operation without an entry, in the same order.
pub fn refusals() -> impl Iterator<Item = &'static Refusal> {
    [
        base::REFUSALS,
        numeric::REFUSALS,
        float::REFUSALS,
        activation::REFUSALS,
        module::REFUSALS,
        numeric_integer::REFUSALS,
        integer::REFUSALS,
        boolean::REFUSALS,
        REFUSALS,
    ]
    .into_iter()
    .flatten()
}

/// Writes one captured operation into the program and gives the name of its entry, or the reason why it has none.
pub fn lower(lowering: &mut Lowering, operation: &OperationIr) -> Result<&'static str, &'static str> {
    match operation {
        OperationIr::BaseFloat(base) | OperationIr::BaseInt(base) | OperationIr::BaseBool(base) => {
            base::lower(lowering, base)
        }
        OperationIr::NumericFloat(_, numeric) => numeric::lower(lowering, numeric),
        OperationIr::Float(_, float) => float::lower(lowering, float),
        OperationIr::Activation(activation) => activation::lower(lowering, activation),
        OperationIr::Module(module) => module::lower(lowering, module),
        OperationIr::NumericInt(_, numeric) => numeric_integer::lower(lowering, numeric),
        OperationIr::Int(integer) => integer::lower(lowering, integer),
        OperationIr::Bool(boolean) => boolean::lower(lowering, boolean),
        OperationIr::Custom(_) => Err(CUSTOM.reason),
        OperationIr::Distributed(_) => Err(DISTRIBUTED.reason),
        OperationIr::Init(_) | OperationIr::Drop(_) => unreachable!("capture takes values and their ends itself"),
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
