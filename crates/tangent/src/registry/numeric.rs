//! Arithmetic, reductions and order of floats.

use burn::tensor::DType;
use burn_backend::Slice;
use burn_ir::NumericOperationIr::{self as Numeric};
use burn_ir::{PadModeIr, PadOpIr};

use super::entries;
use crate::function::Elementwise;
use crate::lowering::Lowering;
use crate::operation::Linear;

/// Binds a comparison of two tensors, or of a tensor and a number.
macro_rules! compare {
    ($b:ident, $op:ident, $method:ident) => {{
        let (l, r) = ($b.get(&$op.lhs), $b.get(&$op.rhs));
        let dtype = $op.out.dtype;
        let y = $b.discrete_two(stringify!($method), l, r, dtype, move |l, r| l.$method(r, dtype.into()));
        $b.set(&$op.out, y);
    }};
    ($b:ident, $op:ident, $method:ident, elem) => {{
        let x = $b.get(&$op.lhs);
        let (number, dtype) = ($op.rhs.into(), $op.out.dtype);
        let name = format!("{}[{number:?}]", stringify!($method));
        let y = $b.discrete_one(name, x, dtype, move |x| x.$method(number, dtype.into()));
        $b.set(&$op.out, y);
    }};
}
pub(super) use compare;

entries! {
    b, Numeric;
    "NumericFloat.Add" Linear "a + b": Numeric::Add(op) => b.two(&op.lhs, &op.rhs, &op.out, Lowering::add);
    "NumericFloat.AddScalar" Elementwise "x + c": Numeric::AddScalar(op) => b.function_with(op, Elementwise::Shift);
    "NumericFloat.Sub" Linear "a − b": Numeric::Sub(op) => b.two(&op.lhs, &op.rhs, &op.out, Lowering::sub);
    "NumericFloat.SubScalar" Elementwise "x − c": Numeric::SubScalar(op) =>
        b.function_with(op, |c| Elementwise::Shift(-c));
    "NumericFloat.Mul" Bilinear "a b": Numeric::Mul(op) => b.two(&op.lhs, &op.rhs, &op.out, Lowering::mul);
    "NumericFloat.MulScalar" Elementwise "c x": Numeric::MulScalar(op) => b.function_with(op, Elementwise::Scale);
    "NumericFloat.Div" Lowered "a · 1/b": Numeric::Div(op) => b.two(&op.lhs, &op.rhs, &op.out, Lowering::div);
    "NumericFloat.DivScalar" Elementwise "x/c": Numeric::DivScalar(op) =>
        b.function_with(op, |c| Elementwise::Scale(1.0 / c));
    "NumericFloat.Rem" Lowered "a mod b, of the sign of b": Numeric::Rem(op) =>
        b.two(&op.lhs, &op.rhs, &op.out, |b, l, r| {
            // How often b is taken away is held fixed, by Burn's own remainder: ⌊a/b⌋ is off where a/b was rounded.
            let times = b.discrete_two("times", l, r, op.out.dtype, |l, r| {
                l.clone().remainder(r.clone()).sub(l).mul(r.recip()).round()
            });
            let shift = b.mul(times, r);
            b.add(l, shift)
        });
    "NumericFloat.RemScalar" Lowered "x mod c, of the sign of c": Numeric::RemScalar(op) =>
        b.one(&op.lhs, &op.out, |b, x| {
            let number = op.rhs.into();
            let name = format!("shift[mod {number:?}]");
            let shift = b.discrete_one(name, x, op.out.dtype, move |x| x.clone().remainder_scalar(number).sub(x));
            b.add(x, shift)
        });
    "NumericFloat.Neg" Elementwise "−x": Numeric::Neg(op) => b.function(op, Elementwise::Scale(-1.0));
    "NumericFloat.Abs" Elementwise "|x|, slope 0 at 0": Numeric::Abs(op) => b.function(op, Elementwise::Abs);
    "NumericFloat.Sign" Elementwise "sign x, slope 0": Numeric::Sign(op) => b.function(op, Elementwise::Sign);
    "NumericFloat.PowiScalar" Elementwise "xⁿ": Numeric::PowiScalar(op) =>
        b.function_with(op, |n| Elementwise::Powi(n as i64));
    "NumericFloat.Clamp" Elementwise "min(max(x, a), b), slope 1 at the bounds": Numeric::Clamp(op) =>
        b.one(&op.tensor, &op.out, |b, x| b.map(Elementwise::Clamp(op.min.elem(), op.max.elem()), x));
    "NumericFloat.ClampMin" Elementwise "max(x, a), slope 1 at a": Numeric::ClampMin(op) =>
        b.function_with(op, |c| Elementwise::Clamp(c, f64::INFINITY));
    "NumericFloat.ClampMax" Elementwise "min(x, b), slope 1 at b": Numeric::ClampMax(op) =>
        b.function_with(op, |c| Elementwise::Clamp(f64::NEG_INFINITY, c));
    "NumericFloat.Sum" Linear "Σ x": Numeric::Sum(op) => b.one(&op.input, &op.out, Lowering::sum_all);
    "NumericFloat.SumDim" Linear "Σ x along an axis": Numeric::SumDim(op) =>
        b.one(&op.input, &op.out, |b, x| b.sum(x, &[op.axis]));
    "NumericFloat.SumDims" Linear "Σ x along axes": Numeric::SumDims(op) =>
        b.one(&op.input, &op.out, |b, x| b.sum(x, &op.axes));
    "NumericFloat.Mean" Linear "mean of x": Numeric::Mean(op) => b.one(&op.input, &op.out, |b, x| {
        let count: usize = b.shape(x).iter().product();
        let sum = b.sum_all(x);
        b.scale(sum, 1.0 / count as f64)
    });
    "NumericFloat.MeanDim" Linear "mean of x along an axis": Numeric::MeanDim(op) =>
        b.one(&op.input, &op.out, |b, x| b.mean(x, &[op.axis]));
    "NumericFloat.Prod" Lowered "Π x": Numeric::Prod(op) => b.one(&op.input, &op.out, |b, x| {
        let flat = b.flat(x);
        product(b, flat, 0)
    });
    "NumericFloat.ProdDim" Lowered "Π x along an axis": Numeric::ProdDim(op) =>
        b.one(&op.input, &op.out, |b, x| product(b, x, op.axis));
    "NumericFloat.CumSum" Linear "running sums along an axis": Numeric::CumSum(op) =>
        b.one(&op.input, &op.out, |b, x| b.linear(Linear::CumulativeSum(op.axis), vec![x], &op.out.shape.to_vec()));
    "NumericFloat.CumProd" Lowered "running products along an axis": Numeric::CumProd(op) =>
        b.one(&op.input, &op.out, |b, x| running_product(b, x, op.axis));
    "NumericFloat.CumMax" Lowered "running maxima along an axis, the last where several are": Numeric::CumMax(op) =>
        b.one(&op.input, &op.out, |b, x| running_extreme(b, x, op.axis, true));
    "NumericFloat.CumMin" Lowered "running minima along an axis, the last where several are": Numeric::CumMin(op) =>
        b.one(&op.input, &op.out, |b, x| running_extreme(b, x, op.axis, false));
    "NumericFloat.Max" Lowered "max x, the first where several are": Numeric::Max(op) =>
        b.one(&op.input, &op.out, |b, x| extreme(b, x, None, true));
    "NumericFloat.Min" Lowered "min x, the first where several are": Numeric::Min(op) =>
        b.one(&op.input, &op.out, |b, x| extreme(b, x, None, false));
    "NumericFloat.MaxAbs" Lowered "max |x|": Numeric::MaxAbs(op) => b.one(&op.input, &op.out, |b, x| {
        let x = b.map(Elementwise::Abs, x);
        extreme(b, x, None, true)
    });
    "NumericFloat.MaxDim" Lowered "max x along an axis": Numeric::MaxDim(op) =>
        b.one(&op.input, &op.out, |b, x| extreme(b, x, Some(op.axis), true));
    "NumericFloat.MinDim" Lowered "min x along an axis": Numeric::MinDim(op) =>
        b.one(&op.input, &op.out, |b, x| extreme(b, x, Some(op.axis), false));
    "NumericFloat.MaxAbsDim" Lowered "max |x| along an axis":
        Numeric::MaxAbsDim(op) => b.one(&op.input, &op.out, |b, x| {
        let x = b.map(Elementwise::Abs, x);
        extreme(b, x, Some(op.axis), true)
    });
    "NumericFloat.MaxDimWithIndices" Lowered "max x along an axis, and where": Numeric::MaxDimWithIndices(op) =>
        b.picked(&op.tensor, op.dim, [&op.out, &op.out_indices], |b, x| {
            position(b, x, op.dim, true, op.out_indices.dtype)
        });
    "NumericFloat.MinDimWithIndices" Lowered "min x along an axis, and where": Numeric::MinDimWithIndices(op) =>
        b.picked(&op.tensor, op.dim, [&op.out, &op.out_indices], |b, x| {
            position(b, x, op.dim, false, op.out_indices.dtype)
        });
    "NumericFloat.ArgMax" Discrete "where x is largest": Numeric::ArgMax(op) =>
        b.one(&op.input, &op.out, |b, x| position(b, x, op.axis, true, op.out.dtype));
    "NumericFloat.ArgMin" Discrete "where x is smallest": Numeric::ArgMin(op) =>
        b.one(&op.input, &op.out, |b, x| position(b, x, op.axis, false, op.out.dtype));
    "NumericFloat.TopK" Lowered "the k largest along an axis": Numeric::TopK(op) => b.one(&op.input, &op.out, |b, x| {
        let at = order(b, x, op.axis, true, b.index_dtype(), op.accumulator_len);
        b.gather(x, op.axis, at)
    });
    "NumericFloat.TopKWithIndices" Lowered "the k largest along an axis, and where": Numeric::TopKWithIndices(op) =>
        b.picked(&op.tensor, op.dim, [&op.out, &op.out_indices], |b, x| {
            order(b, x, op.dim, true, op.out_indices.dtype, op.k)
        });
    "NumericFloat.ArgTopK" Discrete "where the k largest are": Numeric::ArgTopK(op) =>
        b.one(&op.input, &op.out, |b, x| order(b, x, op.axis, true, op.out.dtype, op.accumulator_len));
    "NumericFloat.Sort" Lowered "in order along an axis": Numeric::Sort(op) => b.one(&op.input, &op.out, |b, x| {
        let length = b.shape(x)[op.dim];
        let at = order(b, x, op.dim, op.descending, b.index_dtype(), length);
        b.gather(x, op.dim, at)
    });
    "NumericFloat.SortWithIndices" Lowered "in order along an axis, and where from": Numeric::SortWithIndices(op) =>
        b.picked(&op.input, op.dim, [&op.out, &op.out_indices], |b, x| {
            let length = b.shape(x)[op.dim];
            order(b, x, op.dim, op.descending, op.out_indices.dtype, length)
        });
    "NumericFloat.ArgSort" Discrete "the order along an axis":
        Numeric::ArgSort(op) => b.one(&op.input, &op.out, |b, x| {
        let length = b.shape(x)[op.dim];
        order(b, x, op.dim, op.descending, op.out.dtype, length)
    });
    "NumericFloat.Pad" Linear "a margin of a number, or of the reflected or repeated edge": Numeric::Pad(op) => {
        let y = pad(b, op);
        b.set(&op.out, y);
    };
    "NumericFloat.Full" Constant "c": Numeric::Full(op) => {
        let y = b.full(op.value.elem(), &op.out);
        b.set(&op.out, y);
    };
    "NumericFloat.Greater" Discrete "a > b": Numeric::Greater(op) => compare!(b, op, greater);
    "NumericFloat.GreaterElem" Discrete "x > c": Numeric::GreaterElem(op) => compare!(b, op, greater_elem, elem);
    "NumericFloat.GreaterEqual" Discrete "a ≥ b": Numeric::GreaterEqual(op) => compare!(b, op, greater_equal);
    "NumericFloat.GreaterEqualElem" Discrete "x ≥ c": Numeric::GreaterEqualElem(op) =>
        compare!(b, op, greater_equal_elem, elem);
    "NumericFloat.Lower" Discrete "a < b": Numeric::Lower(op) => compare!(b, op, lower);
    "NumericFloat.LowerElem" Discrete "x < c": Numeric::LowerElem(op) => compare!(b, op, lower_elem, elem);
    "NumericFloat.LowerEqual" Discrete "a ≤ b": Numeric::LowerEqual(op) => compare!(b, op, lower_equal);
    "NumericFloat.LowerEqualElem" Discrete "x ≤ c": Numeric::LowerEqualElem(op) =>
        compare!(b, op, lower_equal_elem, elem);
    refused "Burn records `Float.Powf` in its place": { "NumericFloat.Powi" Numeric::Powi(_) }
    refused "of integers alone": { "NumericFloat.IntRandom" Numeric::IntRandom(_) }
}

/// The product along an axis, in halves: as deep as the logarithm of its length.
fn product(b: &mut Lowering, x: usize, axis: usize) -> usize {
    let length = b.shape(x)[axis];
    if length <= 1 {
        return x;
    }
    let half = length / 2;
    let (first, second) = (b.narrow(x, axis, 0, half, 1), b.narrow(x, axis, half, 2 * half, 1));
    let paired = b.mul(first, second);
    let result = product(b, paired, axis);
    if length.is_multiple_of(2) {
        return result;
    }
    let last = b.narrow(x, axis, length - 1, length, 1);
    b.mul(result, last)
}

/// Products of all elements up to each along an axis: of the last two, of the last four, and so on. Nothing is divided,
/// so zeros do no harm.
fn running_product(b: &mut Lowering, x: usize, axis: usize) -> usize {
    let (shape, dtype) = (b.shape(x), b.dtype(x));
    let (mut y, mut reach) = (x, 1);
    while reach < shape[axis] {
        let mut head = shape.clone();
        head[axis] = reach;
        let ones = b.constant(1.0, &head, dtype);
        let before = b.narrow(y, axis, 0, shape[axis] - reach, 1);
        let before = b.concatenate(vec![ones, before], axis);
        y = b.mul(y, before);
        reach *= 2;
    }
    y
}

/// The largest or smallest element up to each along an axis.
pub(super) fn running_extreme(b: &mut Lowering, x: usize, axis: usize, largest: bool) -> usize {
    let (shape, dtype) = (b.shape(x), b.index_dtype());
    let name = if largest { "running_argmax" } else { "running_argmin" };
    let at = b.discrete(format!("{name}[{axis}]"), vec![x], &shape, dtype, move |mut x, lead| {
        x.remove(0).running_position(axis + lead, largest, dtype)
    });
    b.gather(x, axis, at)
}

/// Where the largest or smallest element of an axis is.
pub(super) fn position(b: &mut Lowering, x: usize, axis: usize, largest: bool, dtype: DType) -> usize {
    let mut shape = b.shape(x);
    shape[axis] = 1;
    let name = if largest { "argmax" } else { "argmin" };
    b.discrete(format!("{name}[{axis}]"), vec![x], &shape, dtype, move |mut x, lead| {
        let x = x.remove(0);
        if largest { x.argmax(axis + lead, dtype) } else { x.argmin(axis + lead, dtype) }
    })
}

/// The largest or smallest element along an axis, or of all.
pub(super) fn extreme(b: &mut Lowering, x: usize, axis: Option<usize>, largest: bool) -> usize {
    let (x, axis) = b.axis(x, axis);
    let at = position(b, x, axis, largest, b.index_dtype());
    b.gather(x, axis, at)
}

/// Positions of the first `count` elements of an axis in order.
pub(super) fn order(b: &mut Lowering, x: usize, axis: usize, descending: bool, dtype: DType, count: usize) -> usize {
    let mut shape = b.shape(x);
    shape[axis] = count;
    b.discrete(format!("argsort[{axis}]"), vec![x], &shape, dtype, move |mut x, lead| {
        let mut ranges = vec![Slice::full(); axis + lead];
        ranges.push(Slice::new(0, Some(count as isize), 1));
        x.remove(0).argsort(axis + lead, descending, dtype).slice(&ranges)
    })
}

pub(super) fn pad(b: &mut Lowering, op: &PadOpIr) -> usize {
    let x = b.get(&op.input);
    let shape = b.shape(x);
    // Burn gives the margins of all axes, or of the last ones.
    let padding = [vec![(0, 0); shape.len() - op.padding.len()], op.padding.clone()].concat();
    if let PadModeIr::Constant(number) = &op.mode {
        let ranges = padding
            .iter()
            .zip(&shape)
            .map(|(&(before, _), &length)| Slice::new(before as isize, Some((before + length) as isize), 1))
            .collect();
        let base = b.full(number.elem(), &op.out);
        return b.linear(Linear::SliceAssign(ranges), vec![base, x], &op.out.shape.to_vec());
    }
    let reflect = matches!(op.mode, PadModeIr::Reflect);
    padding.iter().enumerate().fold(x, |x, (axis, &(before, after))| {
        if before + after == 0 {
            return x;
        }
        let length = shape[axis] as i64;
        let inside = |position: i64| match position {
            p if p < 0 => {
                if reflect {
                    -p
                } else {
                    0
                }
            }
            p if p >= length => {
                if reflect {
                    2 * (length - 1) - p
                } else {
                    length - 1
                }
            }
            p => p,
        };
        let indices = (-(before as i64)..length + after as i64).map(inside).collect();
        let indices = b.positions(indices, b.index_dtype());
        b.select(x, axis, indices)
    })
}
