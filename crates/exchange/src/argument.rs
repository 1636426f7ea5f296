//! [`Argument`]: what an operation of a program is given, names as places.

use crate::array::Kind;

/// What a node is given.
#[derive(Debug, Clone)]
pub enum Argument {
    None,
    /// What stands in a place.
    Value(usize),
    Values(Vec<Option<usize>>),
    Int(Number),
    Ints(Vec<Number>),
    Float(f64),
    Floats(Vec<f64>),
    Bool(bool),
    Word(String),
    Type(Kind),
    /// Where numbers lie in memory.
    Memory,
    /// A kind that no operation here takes.
    Other,
}

/// A whole number, known or in a place.
#[derive(Debug, Clone)]
pub enum Number {
    Known(i64),
    Value(usize),
}
