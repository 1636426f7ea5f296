//! Functions of floats and the matrix product.

use burn_ir::FloatOperationIr::{self as Float};

use super::entries;
use crate::function::Elementwise;
use crate::lowering::Lowering;

entries! {
    b, Float;
    "Float.Exp" Elementwise "eˣ": Float::Exp(op) => b.function(op, Elementwise::Exp);
    "Float.Log" Elementwise "ln x": Float::Log(op) => b.function(op, Elementwise::Ln);
    "Float.Log1p" Elementwise "ln(1 + x)": Float::Log1p(op) => b.function(op, Elementwise::Ln1p);
    "Float.Sqrt" Elementwise "√x": Float::Sqrt(op) => b.function(op, Elementwise::Sqrt);
    "Float.Recip" Elementwise "1/x": Float::Recip(op) => b.function(op, Elementwise::Recip);
    "Float.Erf" Elementwise "erf x": Float::Erf(op) => b.function(op, Elementwise::Erf);
    "Float.Sin" Elementwise "sin x": Float::Sin(op) => b.function(op, Elementwise::Sin);
    "Float.Cos" Elementwise "cos x": Float::Cos(op) => b.function(op, Elementwise::Cos);
    "Float.Tan" Elementwise "tan x": Float::Tan(op) => b.function(op, Elementwise::Tan);
    "Float.Sinh" Elementwise "sinh x": Float::Sinh(op) => b.function(op, Elementwise::Sinh);
    "Float.Cosh" Elementwise "cosh x": Float::Cosh(op) => b.function(op, Elementwise::Cosh);
    "Float.Tanh" Elementwise "tanh x": Float::Tanh(op) => b.function(op, Elementwise::Tanh);
    "Float.ArcSin" Elementwise "arcsin x": Float::ArcSin(op) => b.function(op, Elementwise::Asin);
    "Float.ArcCos" Elementwise "arccos x": Float::ArcCos(op) => b.function(op, Elementwise::Acos);
    "Float.ArcTan" Elementwise "arctan x": Float::ArcTan(op) => b.function(op, Elementwise::Atan);
    "Float.ArcSinh" Elementwise "arsinh x": Float::ArcSinh(op) => b.function(op, Elementwise::Asinh);
    "Float.ArcCosh" Elementwise "arcosh x": Float::ArcCosh(op) => b.function(op, Elementwise::Acosh);
    "Float.ArcTanh" Elementwise "artanh x": Float::ArcTanh(op) => b.function(op, Elementwise::Atanh);
    "Float.Round" Elementwise "nearest integer, slope 0": Float::Round(op) => b.function(op, Elementwise::Round);
    "Float.Floor" Elementwise "⌊x⌋, slope 0": Float::Floor(op) => b.function(op, Elementwise::Floor);
    "Float.Ceil" Elementwise "⌈x⌉, slope 0": Float::Ceil(op) => b.function(op, Elementwise::Ceil);
    "Float.Trunc" Elementwise "integer part, slope 0": Float::Trunc(op) => b.function(op, Elementwise::Trunc);
    "Float.PowfScalar" Elementwise "xᵖ; p an integer, or x > 0": Float::PowfScalar(op) =>
        b.one(&op.lhs, &op.out, |b, x| b.map(power(op.rhs.elem()), x));
    "Float.Powf" Lowered "e^{b ln a}, a > 0": Float::Powf(op) => b.two(&op.lhs, &op.rhs, &op.out, |b, l, r| {
        let log = b.map(Elementwise::Ln, l);
        let exponent = b.mul(log, r);
        b.map(Elementwise::Exp, exponent)
    });
    "Float.Hypot" Lowered "√(a² + b²)": Float::Hypot(op) => b.two(&op.lhs, &op.rhs, &op.out, |b, l, r| {
        let (l, r) = (b.map(Elementwise::Powi(2), l), b.map(Elementwise::Powi(2), r));
        let sum = b.add(l, r);
        b.map(Elementwise::Sqrt, sum)
    });
    "Float.Matmul" Bilinear "A B": Float::Matmul(op) => b.two(&op.lhs, &op.rhs, &op.out, Lowering::matmul);
    "Float.IntoInt" Discrete "integer part": Float::IntoInt(op) => b.one(&op.input, &op.out, |b, x| {
        let dtype = op.out.dtype;
        b.discrete_one("into_int", x, dtype, move |x| x.float_into_int(dtype))
    });
}

/// A power; with an integer exponent it is defined for negative x too.
fn power(exponent: f64) -> Elementwise {
    if exponent.fract() == 0.0 && exponent.abs() < 1024.0 {
        Elementwise::Powi(exponent as i64)
    } else {
        Elementwise::Powf(exponent)
    }
}
