//! What an assembly does: passes over memory, and the places that they read and write.

use burn_backend::Slice;

use crate::array::Arithmetic;
use crate::function::Elementwise;
use crate::host::{Axis, Convolution, Groups, Layout, Pool};
use crate::operation::Face;

/// A piece of memory that exists while an assembly runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The trainable parameters, as one flat vector.
    Parameters,
    /// The gradient by them, anything at first.
    Gradient,
    /// An input.
    Input(usize),
    /// A value known beforehand.
    Constant(usize),
    /// Memory of the assembly's own.
    Buffer(usize),
}

/// Neighbouring numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub place: Place,
    pub start: usize,
    pub length: usize,
}

/// Numbers read as an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    pub place: Place,
    pub layout: Layout,
}

/// Numbers of which each is taken so many times, and all of them again and again.
#[derive(Clone, Copy, Debug)]
pub struct Stretched {
    pub span: Span,
    pub stretch: usize,
}

/// One pass over memory. Where the first operand is optional, it is what stands in `out`.
#[derive(Clone, Debug)]
pub enum Instruction {
    /// `out = a b`, or `out + a b`; `out` may be written by columns.
    Product { out: View, a: View, b: View, add: bool },
    /// A face of the trilinear form of a convolution, from its other two arguments in the order input, weight, result;
    /// or `out` and it, but for the result.
    Convolution { face: Face, form: Convolution, out: Span, left: Span, right: Span, add: bool },
    /// Means of windows.
    Pool { out: Span, x: Span, pool: Pool },
    /// Their adjoint, or `out` and it.
    PoolAdjoint { out: Span, x: Span, pool: Pool, add: bool },
    /// `value = f(scale ∘ x + shift)` and, if wanted, f′ there.
    Function {
        function: Elementwise,
        x: Option<Span>,
        scale: Option<Stretched>,
        shift: Option<Stretched>,
        value: Span,
        slope: Option<Span>,
    },
    /// `out = a ∘ b`.
    Combine { arithmetic: Arithmetic, out: Span, a: Option<Span>, b: Stretched },
    /// `out = c f′(x)`, by the value `y = f(x)`.
    Slope { function: Elementwise, out: Span, cotangents: Option<Span>, y: Span },
    /// `out = factor x`.
    Scale { factor: f64, out: Span, x: Option<Span> },
    /// The sum along an axis, or `out` and the sum.
    Sum { out: Span, x: Span, axis: Axis, add: bool },
    /// The sum of `a ∘ b` along an axis, or `out` and the sum.
    SumOfProducts { out: Span, a: Span, b: Span, axis: Axis, add: bool },
    /// Mean and `Σ (x − mean)²` of each group.
    Moments { mean: Span, squares: Span, x: Span, groups: Groups },
    /// `out = (x − mean) factor`, by groups.
    Normalize { out: Span, x: Option<Span>, groups: Groups, mean: Span, factor: Span },
    /// The adjoint of normalization with a factor f(S) of slope f′(S).
    NormalizeAdjoint {
        out: Span,
        c: Option<Span>,
        normalized: Span,
        groups: Groups,
        factor: Span,
        slope: Span,
        sums: Span,
    },
    /// The largest along an axis.
    Max { out: Span, x: Span, axis: Axis },
    /// `out_s = a_s b_s` for stacks of matrices, or `out_s + a_s b_s`.
    Products { out: Span, a: View, b: View, add: bool },
    /// Entries written into a part of memory, or added there.
    Assign { out: View, x: Span, add: bool },
    /// Positions of the maxima of windows.
    MaxPositions { out: Span, x: Span, pool: Pool },
    /// Rows of so many entries by their positions.
    Rows { out: Span, x: Span, at: Span, width: usize },
    /// Rows added at their positions.
    AddRows { out: Span, x: Span, at: Span, width: usize },
    /// Of each row of `sizes[0]` entries those at its own `sizes[1]` positions.
    Gather { out: Span, x: Span, at: Span, sizes: [usize; 2] },
    /// Entries added to each row at its own positions.
    AddGathered { out: Span, x: Span, at: Span, sizes: [usize; 2] },
    /// The entries of a view, row after row.
    Copy { out: Span, x: View },
}

impl View {
    pub fn dense(place: Place, start: usize, shape: &[usize]) -> Self {
        Self { place, layout: Layout::dense(start, shape) }
    }

    pub fn shape(&self) -> &[usize] {
        &self.layout.shape
    }

    pub fn span(&self) -> Option<Span> {
        let span = Span { place: self.place, start: self.layout.start, length: self.layout.len() };
        self.layout.is_dense().then_some(span)
    }

    pub fn reshaped(&self, shape: &[usize]) -> Option<Self> {
        self.span().map(|span| Self::dense(span.place, span.start, shape))
    }

    pub fn permuted(&self, axes: &[usize]) -> Self {
        Self { place: self.place, layout: self.layout.permuted(axes) }
    }

    pub fn expanded(&self, shape: &[usize]) -> Self {
        Self { place: self.place, layout: self.layout.expanded(shape) }
    }

    /// A part, unless entries are left out between or turned around.
    pub fn part(&self, ranges: &[Slice]) -> Option<Self> {
        let mut shape = self.shape().to_vec();
        let mut from = vec![0; shape.len()];
        for ((size, from), slice) in shape.iter_mut().zip(&mut from).zip(ranges) {
            let (range, step) = slice.to_range_and_step(*size);
            if step != 1 {
                return None;
            }
            (*from, *size) = (range.start, range.len());
        }
        Some(Self { place: self.place, layout: self.layout.part(&from, &shape) })
    }
}

impl Span {
    pub fn view(self, shape: &[usize]) -> View {
        View::dense(self.place, self.start, shape)
    }
}
