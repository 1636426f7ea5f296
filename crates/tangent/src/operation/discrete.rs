//! Integers and booleans: comparisons, index arithmetic, positions of maxima. They are calculated anew for every input
//! and have no derivative.

use std::fmt;
use std::sync::Arc;

use crate::array::Array;
use crate::value::{Value, width};

/// A function of arrays without a derivative.
#[derive(Clone)]
pub enum Discrete {
    /// The largest element along an axis (counted without the block axis), which stays with length one: not below the
    /// lowest finite number.
    Max(usize),
    /// Any other.
    Named {
        /// What it is called.
        name: String,
        /// Called with the operands, all with a block axis or none, and the number of axes before the first of the
        /// program (1 or 0).
        evaluate: Evaluate,
    },
}

type Evaluate = Arc<dyn Fn(Vec<Array>, usize) -> Array + Send + Sync>;

impl Discrete {
    pub fn new(name: impl Into<String>, evaluate: impl Fn(Vec<Array>, usize) -> Array + Send + Sync + 'static) -> Self {
        Self::Named { name: name.into(), evaluate: Arc::new(evaluate) }
    }

    pub fn apply(&self, operands: Vec<Value>) -> Value {
        let width = width(&operands);
        let lead = usize::from(width.is_some());
        let mut arrays: Vec<Array> = operands.into_iter().map(|operand| operand.expanded(width)).collect();
        let array = match self {
            Self::Max(axis) => arrays.remove(0).max_along(axis + lead),
            Self::Named { evaluate, .. } => evaluate(arrays, lead),
        };
        Value { array, block: width.is_some() }
    }
}

impl fmt::Display for Discrete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max(axis) => write!(f, "max[{axis}]"),
            Self::Named { name, .. } => f.write_str(name),
        }
    }
}

impl fmt::Debug for Discrete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
