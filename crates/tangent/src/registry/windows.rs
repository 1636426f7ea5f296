//! Windows along an axis: what unfolding and three-dimensional convolutions are made of.

use burn_backend::Slice;

use crate::lowering::Lowering;
use crate::operation::Linear;

/// Windows of `kernel` entries, `dilation` apart, each `stride` after the one before; `padding` zeros stand on both
/// sides of the axis.
pub struct Windows {
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
    pub dilation: usize,
}

impl Windows {
    /// The axis as two, `[kernel, count]`: the k-th entries of all windows, for each k.
    pub fn split(&self, b: &mut Lowering, x: usize, axis: usize, count: usize) -> usize {
        let mut shape = b.shape(x);
        let length = shape[axis];
        let mut padded = x;
        if self.padding > 0 {
            let (start, end) = (self.padding as isize, (self.padding + length) as isize);
            shape[axis] = length + 2 * self.padding;
            let mut ranges = vec![Slice::full(); shape.len()];
            ranges[axis] = Slice::new(start, Some(end), 1);
            let zeros = b.constant(0.0, &shape, b.dtype(x));
            padded = b.linear(Linear::SliceAssign(ranges), vec![zeros, x], &shape);
        }
        let positions = self.positions(b, count);
        let entries = b.select(padded, axis, positions);
        shape.splice(axis..=axis, [self.kernel, count]);
        b.reshape(entries, &shape)
    }

    /// How many there are along an axis.
    pub fn count(&self, length: usize) -> usize {
        (length + 2 * self.padding - self.dilation * (self.kernel - 1) - 1) / self.stride + 1
    }

    /// The adjoint: two axes `[kernel, count]` as one of this length, the entries of all windows added where they come
    /// from.
    pub fn merge(&self, b: &mut Lowering, x: usize, axis: usize, length: usize) -> usize {
        let mut shape = b.shape(x);
        let count = shape.remove(axis + 1);
        shape[axis] *= count;
        let entries = b.reshape(x, &shape);
        let positions = self.positions(b, count);
        shape[axis] = length + 2 * self.padding;
        let zeros = b.constant(0.0, &shape, b.dtype(x));
        let sums = b.linear(Linear::SelectAdd(axis), vec![zeros, entries, positions], &shape);
        b.narrow(sums, axis, self.padding, self.padding + length, 1)
    }

    /// Where the entries stand along the padded axis.
    fn positions(&self, b: &mut Lowering, count: usize) -> usize {
        let windows = |entry: usize| (0..count).map(move |window| window * self.stride + entry * self.dilation);
        let positions = (0..self.kernel).flat_map(windows).map(|position| position as i64).collect();
        b.positions(positions, b.index_dtype())
    }
}
