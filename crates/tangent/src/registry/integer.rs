//! Bits and matrices of integers.

use burn_ir::IntOperationIr::{self as Int};

use super::entries;
use super::numeric_integer::arithmetic;

entries! {
    b, Int;
    "Int.IntoFloat" Discrete "the same number": Int::IntoFloat(op) => b.one(&op.input, &op.out, |b, x| {
        let dtype = op.out.dtype;
        b.discrete_one("into_float", x, dtype, move |x| x.int_into_float(dtype))
    });
    "Int.BitwiseAnd" Discrete "a and b, bit by bit": Int::BitwiseAnd(op) => arithmetic!(b, op, bits_and);
    "Int.BitwiseAndScalar" Discrete "x and c, bit by bit": Int::BitwiseAndScalar(op) =>
        arithmetic!(b, op, bits_and_scalar, elem);
    "Int.BitwiseOr" Discrete "a or b, bit by bit": Int::BitwiseOr(op) => arithmetic!(b, op, bits_or);
    "Int.BitwiseOrScalar" Discrete "x or c, bit by bit": Int::BitwiseOrScalar(op) =>
        arithmetic!(b, op, bits_or_scalar, elem);
    "Int.BitwiseXor" Discrete "either a or b, bit by bit": Int::BitwiseXor(op) => arithmetic!(b, op, bits_xor);
    "Int.BitwiseXorScalar" Discrete "either x or c, bit by bit": Int::BitwiseXorScalar(op) =>
        arithmetic!(b, op, bits_xor_scalar, elem);
    "Int.BitwiseNot" Discrete "not x, bit by bit": Int::BitwiseNot(op) => arithmetic!(b, op, bits_not, one);
    "Int.BitwiseLeftShift" Discrete "a 2ᵇ": Int::BitwiseLeftShift(op) => arithmetic!(b, op, bits_left);
    "Int.BitwiseLeftShiftScalar" Discrete "x 2ᶜ": Int::BitwiseLeftShiftScalar(op) =>
        arithmetic!(b, op, bits_left_scalar, elem);
    "Int.BitwiseRightShift" Discrete "a 2⁻ᵇ": Int::BitwiseRightShift(op) => arithmetic!(b, op, bits_right);
    "Int.BitwiseRightShiftScalar" Discrete "x 2⁻ᶜ": Int::BitwiseRightShiftScalar(op) =>
        arithmetic!(b, op, bits_right_scalar, elem);
    "Int.Matmul" Discrete "A B": Int::Matmul(op) => {
        let operands = vec![b.get(&op.lhs), b.get(&op.rhs)];
        let y = b.discrete("int_matmul", operands, &op.out.shape.to_vec(), op.out.dtype, |mut operands, _| {
            let right = operands.remove(1);
            operands.remove(0).int_matmul(right)
        });
        b.set(&op.out, y);
    };
}
