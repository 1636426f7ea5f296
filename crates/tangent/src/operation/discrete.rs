//! Integers and booleans: comparisons, index arithmetic, positions of maxima. They are calculated anew for every input and have no derivative.

use std::fmt;
use std::sync::Arc;

use crate::array::Array;
use crate::value::{Value, width};

/// A named function of arrays.
#[derive(Clone)]
pub struct Discrete {
    name: String,
    /// Called with the operands, all with a block axis or none, and the number of axes before the first of the program (1 or 0).
    evaluate: Evaluate,
}

type Evaluate = Arc<dyn Fn(Vec<Array>, usize) -> Array + Send + Sync>;

impl Discrete {
    pub fn new(name: impl Into<String>, evaluate: impl Fn(Vec<Array>, usize) -> Array + Send + Sync + 'static) -> Self {
        Self { name: name.into(), evaluate: Arc::new(evaluate) }
    }

    pub fn apply(&self, operands: Vec<Value>) -> Value {
        let width = width(&operands);
        let arrays = operands.into_iter().map(|operand| operand.expanded(width)).collect();
        Value { array: (self.evaluate)(arrays, usize::from(width.is_some())), block: width.is_some() }
    }
}

impl fmt::Display for Discrete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Discrete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
