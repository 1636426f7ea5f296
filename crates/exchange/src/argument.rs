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

impl Argument {
    /// The places that it names.
    pub fn values(&self) -> Vec<usize> {
        match self {
            Self::Value(place) | Self::Int(Number::Value(place)) => vec![*place],
            Self::Values(places) => places.iter().flatten().copied().collect(),
            Self::Ints(numbers) => {
                let values = |number: &Number| if let Number::Value(place) = number { Some(*place) } else { None };
                numbers.iter().filter_map(values).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// A whole number, known or in a place.
#[derive(Debug, Clone)]
pub enum Number {
    Known(i64),
    Value(usize),
}
