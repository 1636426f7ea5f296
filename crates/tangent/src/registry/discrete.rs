//! Integers and booleans.

use burn_ir::BoolOperationIr as Bool;
use burn_ir::IntOperationIr as Int;
use burn_ir::NumericOperationIr as Numeric;
use burn_ir::OperationIr::{self, Bool as OfBool, Int as OfInt, NumericInt};

use super::entries;
use super::numeric::compare;

/// Binds integer arithmetic with a tensor, or with a number.
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
}

entries! {
    b, OperationIr;
    "NumericInt.Add" Discrete "a + b": NumericInt(_, Numeric::Add(op)) => arithmetic!(b, op, int_add);
    "NumericInt.AddScalar" Discrete "x + c": NumericInt(_, Numeric::AddScalar(op)) =>
        arithmetic!(b, op, int_add_scalar, elem);
    "NumericInt.Sub" Discrete "a − b": NumericInt(_, Numeric::Sub(op)) => arithmetic!(b, op, int_sub);
    "NumericInt.SubScalar" Discrete "x − c": NumericInt(_, Numeric::SubScalar(op)) =>
        arithmetic!(b, op, int_sub_scalar, elem);
    "NumericInt.Mul" Discrete "a b": NumericInt(_, Numeric::Mul(op)) => arithmetic!(b, op, int_mul);
    "NumericInt.MulScalar" Discrete "c x": NumericInt(_, Numeric::MulScalar(op)) =>
        arithmetic!(b, op, int_mul_scalar, elem);
    "NumericInt.Div" Discrete "a/b": NumericInt(_, Numeric::Div(op)) => arithmetic!(b, op, int_div);
    "NumericInt.DivScalar" Discrete "x/c": NumericInt(_, Numeric::DivScalar(op)) =>
        arithmetic!(b, op, int_div_scalar, elem);
    "NumericInt.Rem" Discrete "a mod b": NumericInt(_, Numeric::Rem(op)) => arithmetic!(b, op, int_remainder);
    "NumericInt.RemScalar" Discrete "x mod c": NumericInt(_, Numeric::RemScalar(op)) =>
        arithmetic!(b, op, int_remainder_scalar, elem);
    "NumericInt.Greater" Discrete "a > b": NumericInt(_, Numeric::Greater(op)) => compare!(b, op, greater);
    "NumericInt.GreaterElem" Discrete "x > c": NumericInt(_, Numeric::GreaterElem(op)) =>
        compare!(b, op, greater_elem, elem);
    "NumericInt.GreaterEqual" Discrete "a ≥ b": NumericInt(_, Numeric::GreaterEqual(op)) =>
        compare!(b, op, greater_equal);
    "NumericInt.GreaterEqualElem" Discrete "x ≥ c": NumericInt(_, Numeric::GreaterEqualElem(op)) =>
        compare!(b, op, greater_equal_elem, elem);
    "NumericInt.Lower" Discrete "a < b": NumericInt(_, Numeric::Lower(op)) => compare!(b, op, lower);
    "NumericInt.LowerElem" Discrete "x < c": NumericInt(_, Numeric::LowerElem(op)) => compare!(b, op, lower_elem, elem);
    "NumericInt.LowerEqual" Discrete "a ≤ b": NumericInt(_, Numeric::LowerEqual(op)) => compare!(b, op, lower_equal);
    "NumericInt.LowerEqualElem" Discrete "x ≤ c": NumericInt(_, Numeric::LowerEqualElem(op)) =>
        compare!(b, op, lower_equal_elem, elem);
    "NumericInt.Full" Constant "c": NumericInt(_, Numeric::Full(op)) => {
        let y = b.full(op.value.elem(), &op.out);
        b.set(&op.out, y);
    };
    "Int.IntoFloat" Discrete "the same number": OfInt(Int::IntoFloat(op)) => b.one(&op.input, &op.out, |b, x| {
        let dtype = op.out.dtype;
        b.discrete_one("into_float", x, dtype, move |x| x.int_into_float(dtype))
    });
    "Bool.IntoFloat" Discrete "1 where true": OfBool(Bool::IntoFloat(op)) => b.one(&op.input, &op.out, |b, x| {
        let dtype = op.out.dtype;
        b.discrete_one("into_float", x, dtype, move |x| x.bool_into_float(dtype))
    });
    "Bool.IntoInt" Discrete "1 where true": OfBool(Bool::IntoInt(op)) => b.one(&op.input, &op.out, |b, x| {
        let dtype = op.out.dtype;
        b.discrete_one("into_int", x, dtype, move |x| x.bool_into_int(dtype))
    });
    "Bool.Not" Discrete "not x": OfBool(Bool::Not(op)) =>
        b.one(&op.input, &op.out, |b, x| b.discrete_one("not", x, op.out.dtype, crate::array::Array::not));
    "Bool.And" Discrete "a and b": OfBool(Bool::And(op)) => arithmetic!(b, op, and);
    "Bool.Or" Discrete "a or b": OfBool(Bool::Or(op)) => arithmetic!(b, op, or);
    "Bool.Xor" Discrete "either a or b": OfBool(Bool::Xor(op)) => arithmetic!(b, op, xor);
}
