//! A value of a program at run time: one array, or a block of them along one more axis in front.
//!
//! The block axis carries k directions through one pass of `push`, `pull` or `bend`, or n samples through a program
//! captured for one sample. A program's shapes are those without the block.
//!
//! One axis serves both: each rule says once what it does with it, and the kernel gets every sample's own cotangents
//! without asking where the samples lie in a program.

use crate::array::Array;

/// An array of a node's shape `s`, or a block of k of them, `[k] + s`.
#[derive(Clone, Debug)]
pub struct Value {
    pub array: Array,
    pub block: bool,
}

impl Value {
    pub fn one(array: Array) -> Self {
        Self { array, block: false }
    }

    pub fn block(array: Array) -> Self {
        Self { array, block: true }
    }

    /// The shape without the block axis.
    pub fn shape(&self) -> Vec<usize> {
        self.array.shape()[usize::from(self.block)..].to_vec()
    }

    /// The length of the block axis.
    pub fn width(&self) -> Option<usize> {
        self.block.then(|| self.array.shape()[0])
    }

    pub fn map(self, f: impl FnOnce(Array) -> Array) -> Self {
        Self { array: f(self.array), block: self.block }
    }

    /// `f` of two values, elementwise with broadcasting: a single one meets every entry of a block.
    pub fn zip(self, other: Self, f: impl FnOnce(Array, Array) -> Array) -> Self {
        let block = self.block || other.block;
        Self { array: f(self.leading(block), other.leading(block)), block }
    }

    pub fn add(self, other: Self) -> Self {
        self.zip(other, Array::add)
    }

    /// The array with a block axis, of length one where it had none, if `block` asks for it.
    pub fn leading(self, block: bool) -> Array {
        if self.block || !block {
            return self.array;
        }
        let shape = prefixed(1, &self.array.shape());
        self.array.reshape(&shape)
    }

    /// The array repeated (without copying) along a block axis of length `width`; as it is where `width` is `None`.
    pub fn expanded(self, width: Option<usize>) -> Array {
        match width {
            Some(width) if !self.block => {
                let shape = prefixed(width, &self.array.shape());
                self.leading(true).expand(&shape)
            }
            _ => self.array,
        }
    }

    /// Merges the block axis into the first axis of the shape.
    pub fn folded(self) -> Array {
        if !self.block {
            return self.array;
        }
        let mut shape = self.array.shape();
        let width = shape.remove(0);
        shape[0] *= width;
        self.array.reshape(&shape)
    }
}

/// The common block width of some values: `None` when none of them is a block.
pub fn width<'a>(values: impl IntoIterator<Item = &'a Value>) -> Option<usize> {
    values.into_iter().find_map(Value::width)
}

/// `[length] + shape`.
pub fn prefixed(length: usize, shape: &[usize]) -> Vec<usize> {
    std::iter::once(length).chain(shape.iter().copied()).collect()
}

/// The shape a node's value has at run time.
pub fn runtime_shape(width: Option<usize>, shape: &[usize]) -> Vec<usize> {
    width.map_or_else(|| shape.to_vec(), |width| prefixed(width, shape))
}

/// `a + b`, where nothing stands for zero.
pub fn sum(a: Option<Value>, b: Option<Value>) -> Option<Value> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.add(b)),
        (a, b) => a.or(b),
    }
}
