//! Arithmetic, reductions and order of integers.

use burn_ir::NumericOperationIr::{self as Numeric};

use super::entries;
use super::numeric::{compare, extreme, order, pad, position, running_extreme};
use crate::array::Array;

/// Binds arithmetic with a tensor, or with a number, or of one tensor.
macro_rules! arithmetic {
    ($b:ident, $op:ident, $method:ident) => {{
        let (l, r) = ($b.get(&$op.lhs), $b.get(&$op.rhs));
        let y = $b.discrete_two(stringify!($method), l, r, $op.out.dtype, |l, r| l.$method(r));
        $b.set(&$op.out, y);
    }};
    ($b:ident, $op:ident, $method:ident, elem) => {{
        let x = $b.get(&$op.lhs);
        let number = $op.rhs.into();
        let name = format!("{}[{number:?}]", stringify!($method));
        let y = $b.discrete_one(name, x, $op.out.dtype, move |x| x.$method(number));
        $b.set(&$op.out, y);
    }};
    ($b:ident, $op:ident, $method:ident, one) => {{
        let x = $b.get(&$op.input);
        let y = $b.discrete_one(stringify!($method), x, $op.out.dtype, |x| x.$method());
        $b.set(&$op.out, y);
    }};
}
pub(super) use arithmetic;

entries! {
    b, Numeric;
    "NumericInt.Add" Discrete "a + b": Numeric::Add(op) => arithmetic!(b, op, int_add);
    "NumericInt.AddScalar" Discrete "x + c": Numeric::AddScalar(op) => arithmetic!(b, op, int_add_scalar, elem);
    "NumericInt.Sub" Discrete "a − b": Numeric::Sub(op) => arithmetic!(b, op, int_sub);
    "NumericInt.SubScalar" Discrete "x − c": Numeric::SubScalar(op) => arithmetic!(b, op, int_sub_scalar, elem);
    "NumericInt.Mul" Discrete "a b": Numeric::Mul(op) => arithmetic!(b, op, int_mul);
    "NumericInt.MulScalar" Discrete "c x": Numeric::MulScalar(op) => arithmetic!(b, op, int_mul_scalar, elem);
    "NumericInt.Div" Discrete "a/b": Numeric::Div(op) => arithmetic!(b, op, int_div);
    "NumericInt.DivScalar" Discrete "x/c": Numeric::DivScalar(op) => arithmetic!(b, op, int_div_scalar, elem);
    "NumericInt.Rem" Discrete "a mod b": Numeric::Rem(op) => arithmetic!(b, op, int_remainder);
    "NumericInt.RemScalar" Discrete "x mod c": Numeric::RemScalar(op) =>
        arithmetic!(b, op, int_remainder_scalar, elem);
    "NumericInt.Powi" Discrete "aᵇ": Numeric::Powi(op) => arithmetic!(b, op, int_power);
    "NumericInt.PowiScalar" Discrete "xⁿ": Numeric::PowiScalar(op) => arithmetic!(b, op, int_power_scalar, elem);
    "NumericInt.Neg" Discrete "−x": Numeric::Neg(op) => arithmetic!(b, op, int_neg, one);
    "NumericInt.Abs" Discrete "|x|": Numeric::Abs(op) => arithmetic!(b, op, int_abs, one);
    "NumericInt.Sign" Discrete "sign x": Numeric::Sign(op) => arithmetic!(b, op, int_sign, one);
    "NumericInt.Clamp" Discrete "min(max(x, a), b)": Numeric::Clamp(op) => b.one(&op.tensor, &op.out, |b, x| {
        let (low, high) = (op.min.into(), op.max.into());
        b.discrete_one(format!("int_clamp[{low:?}, {high:?}]"), x, op.out.dtype, move |x| x.int_clamp(low, high))
    });
    "NumericInt.ClampMin" Discrete "max(x, a)": Numeric::ClampMin(op) => arithmetic!(b, op, int_clamp_min, elem);
    "NumericInt.ClampMax" Discrete "min(x, b)": Numeric::ClampMax(op) => arithmetic!(b, op, int_clamp_max, elem);
    "NumericInt.Sum" Discrete "Σ x": Numeric::Sum(op) => b.along(&op.input, None, &op.out, "int_sum", Array::int_sum);
    "NumericInt.SumDim" Discrete "Σ x along an axis": Numeric::SumDim(op) =>
        b.along(&op.input, Some(op.axis), &op.out, "int_sum", Array::int_sum);
    "NumericInt.Mean" Discrete "integer part of the mean of x": Numeric::Mean(op) =>
        b.along(&op.input, None, &op.out, "int_mean", Array::int_mean);
    "NumericInt.MeanDim" Discrete "integer part of the mean of x along an axis": Numeric::MeanDim(op) =>
        b.along(&op.input, Some(op.axis), &op.out, "int_mean", Array::int_mean);
    "NumericInt.Prod" Discrete "Π x": Numeric::Prod(op) =>
        b.along(&op.input, None, &op.out, "int_prod", Array::int_prod);
    "NumericInt.ProdDim" Discrete "Π x along an axis": Numeric::ProdDim(op) =>
        b.along(&op.input, Some(op.axis), &op.out, "int_prod", Array::int_prod);
    "NumericInt.CumSum" Discrete "running sums along an axis": Numeric::CumSum(op) =>
        b.along(&op.input, Some(op.axis), &op.out, "int_cumsum", Array::int_cumsum);
    "NumericInt.CumProd" Discrete "running products along an axis": Numeric::CumProd(op) =>
        b.along(&op.input, Some(op.axis), &op.out, "int_cumprod", Array::int_cumprod);
    "NumericInt.CumMax" Discrete "running maxima along an axis": Numeric::CumMax(op) =>
        b.one(&op.input, &op.out, |b, x| running_extreme(b, x, op.axis, true));
    "NumericInt.CumMin" Discrete "running minima along an axis": Numeric::CumMin(op) =>
        b.one(&op.input, &op.out, |b, x| running_extreme(b, x, op.axis, false));
    "NumericInt.Max" Discrete "max x": Numeric::Max(op) =>
        b.one(&op.input, &op.out, |b, x| extreme(b, x, None, true));
    "NumericInt.Min" Discrete "min x": Numeric::Min(op) =>
        b.one(&op.input, &op.out, |b, x| extreme(b, x, None, false));
    "NumericInt.MaxAbs" Discrete "max |x|": Numeric::MaxAbs(op) => b.one(&op.input, &op.out, |b, x| {
        let x = b.discrete_one("int_abs", x, op.out.dtype, Array::int_abs);
        extreme(b, x, None, true)
    });
    "NumericInt.MaxDim" Discrete "max x along an axis": Numeric::MaxDim(op) =>
        b.one(&op.input, &op.out, |b, x| extreme(b, x, Some(op.axis), true));
    "NumericInt.MinDim" Discrete "min x along an axis": Numeric::MinDim(op) =>
        b.one(&op.input, &op.out, |b, x| extreme(b, x, Some(op.axis), false));
    "NumericInt.MaxAbsDim" Discrete "max |x| along an axis": Numeric::MaxAbsDim(op) =>
        b.one(&op.input, &op.out, |b, x| {
            let x = b.discrete_one("int_abs", x, op.out.dtype, Array::int_abs);
            extreme(b, x, Some(op.axis), true)
        });
    "NumericInt.MaxDimWithIndices" Discrete "max x along an axis, and where": Numeric::MaxDimWithIndices(op) =>
        b.picked(&op.tensor, op.dim, [&op.out, &op.out_indices], |b, x| {
            position(b, x, op.dim, true, op.out_indices.dtype)
        });
    "NumericInt.MinDimWithIndices" Discrete "min x along an axis, and where": Numeric::MinDimWithIndices(op) =>
        b.picked(&op.tensor, op.dim, [&op.out, &op.out_indices], |b, x| {
            position(b, x, op.dim, false, op.out_indices.dtype)
        });
    "NumericInt.ArgMax" Discrete "where x is largest": Numeric::ArgMax(op) =>
        b.one(&op.input, &op.out, |b, x| position(b, x, op.axis, true, op.out.dtype));
    "NumericInt.ArgMin" Discrete "where x is smallest": Numeric::ArgMin(op) =>
        b.one(&op.input, &op.out, |b, x| position(b, x, op.axis, false, op.out.dtype));
    "NumericInt.TopK" Discrete "the k largest along an axis": Numeric::TopK(op) => b.one(&op.input, &op.out, |b, x| {
        let at = order(b, x, op.axis, true, b.index_dtype(), op.accumulator_len);
        b.gather(x, op.axis, at)
    });
    "NumericInt.TopKWithIndices" Discrete "the k largest along an axis, and where": Numeric::TopKWithIndices(op) =>
        b.picked(&op.tensor, op.dim, [&op.out, &op.out_indices], |b, x| {
            order(b, x, op.dim, true, op.out_indices.dtype, op.k)
        });
    "NumericInt.ArgTopK" Discrete "where the k largest are": Numeric::ArgTopK(op) =>
        b.one(&op.input, &op.out, |b, x| order(b, x, op.axis, true, op.out.dtype, op.accumulator_len));
    "NumericInt.Sort" Discrete "in order along an axis": Numeric::Sort(op) => b.one(&op.input, &op.out, |b, x| {
        let length = b.shape(x)[op.dim];
        let at = order(b, x, op.dim, op.descending, b.index_dtype(), length);
        b.gather(x, op.dim, at)
    });
    "NumericInt.SortWithIndices" Discrete "in order along an axis, and where from": Numeric::SortWithIndices(op) =>
        b.picked(&op.input, op.dim, [&op.out, &op.out_indices], |b, x| {
            let length = b.shape(x)[op.dim];
            order(b, x, op.dim, op.descending, op.out_indices.dtype, length)
        });
    "NumericInt.ArgSort" Discrete "the order along an axis": Numeric::ArgSort(op) =>
        b.one(&op.input, &op.out, |b, x| {
            let length = b.shape(x)[op.dim];
            order(b, x, op.dim, op.descending, op.out.dtype, length)
        });
    "NumericInt.Pad" Discrete "a margin of a number, or of the reflected or repeated edge": Numeric::Pad(op) => {
        let y = pad(b, op);
        b.set(&op.out, y);
    };
    "NumericInt.Full" Constant "c": Numeric::Full(op) => {
        let y = b.full(op.value.elem(), &op.out);
        b.set(&op.out, y);
    };
    "NumericInt.Greater" Discrete "a > b": Numeric::Greater(op) => compare!(b, op, greater);
    "NumericInt.GreaterElem" Discrete "x > c": Numeric::GreaterElem(op) => compare!(b, op, greater_elem, elem);
    "NumericInt.GreaterEqual" Discrete "a ≥ b": Numeric::GreaterEqual(op) => compare!(b, op, greater_equal);
    "NumericInt.GreaterEqualElem" Discrete "x ≥ c": Numeric::GreaterEqualElem(op) =>
        compare!(b, op, greater_equal_elem, elem);
    "NumericInt.Lower" Discrete "a < b": Numeric::Lower(op) => compare!(b, op, lower);
    "NumericInt.LowerElem" Discrete "x < c": Numeric::LowerElem(op) => compare!(b, op, lower_elem, elem);
    "NumericInt.LowerEqual" Discrete "a ≤ b": Numeric::LowerEqual(op) => compare!(b, op, lower_equal);
    "NumericInt.LowerEqualElem" Discrete "x ≤ c": Numeric::LowerEqualElem(op) =>
        compare!(b, op, lower_equal_elem, elem);
    refused "random numbers have no derivative at a point: pass them as an input": {
        "NumericInt.IntRandom" Numeric::IntRandom(_),
    }
    refused "of floats alone": { "NumericInt.SumDims" Numeric::SumDims(_) }
}
