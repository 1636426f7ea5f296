//! Booleans.

use burn_ir::BoolOperationIr::{self as Bool};

use super::entries;
use super::numeric_integer::arithmetic;

entries! {
    b, Bool;
    "Bool.IntoFloat" Discrete "1 where true": Bool::IntoFloat(op) => b.one(&op.input, &op.out, |b, x| {
        let dtype = op.out.dtype;
        b.discrete_one("into_float", x, dtype, move |x| x.bool_into_float(dtype))
    });
    "Bool.IntoInt" Discrete "1 where true": Bool::IntoInt(op) => b.one(&op.input, &op.out, |b, x| {
        let dtype = op.out.dtype;
        b.discrete_one("into_int", x, dtype, move |x| x.bool_into_int(dtype))
    });
    "Bool.Not" Discrete "not x": Bool::Not(op) => arithmetic!(b, op, not, one);
    "Bool.And" Discrete "a and b": Bool::And(op) => arithmetic!(b, op, and);
    "Bool.Or" Discrete "a or b": Bool::Or(op) => arithmetic!(b, op, or);
    "Bool.Xor" Discrete "either a or b": Bool::Xor(op) => arithmetic!(b, op, xor);
}
