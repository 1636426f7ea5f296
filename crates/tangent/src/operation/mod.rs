//! The operations of a program: three kinds with derivatives, each with its rules once, and one kind without.

mod bilinear;
mod discrete;
mod elementwise;
mod linear;
mod shapes;

pub use bilinear::{Bilinear, Face};
pub use discrete::{Discrete, MaxWindow};
pub use elementwise::{Coefficient, jet};
pub use linear::{Adjoint, Linear};
pub use shapes::Shapes;

use std::fmt;

use crate::array::Array;
use crate::function::Elementwise;

/// What a node of a program calculates from its operands.
#[derive(Clone, Debug)]
pub enum Operation {
    /// The parameter with this number.
    Parameter(usize),
    /// The input with this number.
    Input(usize),
    /// A value known when the program was captured.
    Constant(Array),
    /// One function of every element.
    Elementwise(Elementwise),
    /// Linear in each of two operands.
    Bilinear(Bilinear),
    /// Linear in all its float operands together; the last operand may be a mask or an index, which is held fixed.
    Linear(Linear),
    /// Integers or booleans: no derivative.
    Discrete(Discrete),
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter(index) => write!(f, "parameter {index}"),
            Self::Input(index) => write!(f, "input {index}"),
            Self::Constant(_) => write!(f, "constant"),
            Self::Elementwise(operation) => write!(f, "{operation}"),
            Self::Bilinear(operation) => write!(f, "{operation}"),
            Self::Linear(operation) => write!(f, "{operation}"),
            Self::Discrete(operation) => write!(f, "{operation}"),
        }
    }
}
