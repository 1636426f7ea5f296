//! Integers and booleans: comparisons, index arithmetic, positions of maxima. They are calculated anew for every input
//! and have no derivative.

use std::fmt;
use std::sync::Arc;

use burn::tensor::DType;

use crate::array::{Array, Window};
use crate::host::Pool;
use crate::value::{Value, width};

/// A function of arrays without a derivative.
#[derive(Clone)]
pub enum Discrete {
    /// The largest element along an axis (counted without the block axis), which stays with length one: not below the
    /// lowest finite number.
    Max(usize),
    /// Positions of the maxima of windows of `[n, channels, height, width]`, in the flattened plane.
    MaxPositions(MaxWindow),
    /// Any other.
    Named {
        /// What it is called.
        name: String,
        /// Called with the operands, all with a block axis or none, and the number of axes before the first of the
        /// program (1 or 0).
        evaluate: Evaluate,
    },
}

/// The two-dimensional window of a max-pooling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxWindow {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
    pub ceil_mode: bool,
    /// The type of positions.
    pub dtype: DType,
}

impl MaxWindow {
    fn positions(self, x: Array, lead: usize) -> Array {
        let Self { kernel, stride, padding, dilation, ceil_mode, dtype } = self;
        let whole = x.shape();
        let (front, plane) = whole.split_at(lead + 2);
        let samples = front[..=lead].iter().product();
        let x = x.reshape(&[samples, front[lead + 1], plane[0], plane[1]]);
        let at: Array = x.max_pool_indices(kernel, stride, padding, dilation, ceil_mode, dtype);
        let pooled = at.shape();
        at.reshape(&[front, &pooled[2..]].concat())
    }

    /// As windows on images of this size, if they do not reach beyond them.
    pub fn inside(self, image: [usize; 2]) -> Option<Pool> {
        let Self { kernel, stride, padding, dilation, ceil_mode, .. } = self;
        if dilation != [1, 1] {
            return None;
        }
        Window { kernel, stride, padding, count_include_pad: true, ceil_mode }.inside(image)
    }
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
            Self::MaxPositions(window) => window.positions(arrays.remove(0), lead),
            Self::Named { evaluate, .. } => evaluate(arrays, lead),
        };
        Value { array, block: width.is_some() }
    }
}

impl fmt::Display for Discrete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max(axis) => write!(f, "max[{axis}]"),
            Self::MaxPositions(MaxWindow { kernel, stride, padding, .. }) => {
                write!(f, "max_pool_positions[kernel {kernel:?}, stride {stride:?}, padding {padding:?}]")
            }
            Self::Named { name, .. } => f.write_str(name),
        }
    }
}

impl fmt::Debug for Discrete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
