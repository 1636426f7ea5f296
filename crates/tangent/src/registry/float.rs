//! Functions of floats and the matrix product.

use burn_ir::FloatOperationIr::{self as Float};
use burn_ir::UnaryOpIr;

use super::entries;
use super::numeric::two;
use crate::lowering::Lowering;
use crate::operation::Elementwise;

entries! {
    b, Float;
    "Float.Exp" Elementwise "eˣ": Float::Exp(op) => map(b, op, Elementwise::Exp);
    "Float.Log" Elementwise "ln x": Float::Log(op) => map(b, op, Elementwise::Ln);
    "Float.Log1p" Elementwise "ln(1 + x)": Float::Log1p(op) => map(b, op, Elementwise::Ln1p);
    "Float.Sqrt" Elementwise "√x": Float::Sqrt(op) => map(b, op, Elementwise::Sqrt);
    "Float.Recip" Elementwise "1/x": Float::Recip(op) => map(b, op, Elementwise::Recip);
    "Float.Erf" Elementwise "erf x": Float::Erf(op) => map(b, op, Elementwise::Erf);
    "Float.Sin" Elementwise "sin x": Float::Sin(op) => map(b, op, Elementwise::Sin);
    "Float.Cos" Elementwise "cos x": Float::Cos(op) => map(b, op, Elementwise::Cos);
    "Float.Tan" Elementwise "tan x": Float::Tan(op) => map(b, op, Elementwise::Tan);
    "Float.Sinh" Elementwise "sinh x": Float::Sinh(op) => map(b, op, Elementwise::Sinh);
    "Float.Cosh" Elementwise "cosh x": Float::Cosh(op) => map(b, op, Elementwise::Cosh);
    "Float.Tanh" Elementwise "tanh x": Float::Tanh(op) => map(b, op, Elementwise::Tanh);
    "Float.ArcSin" Elementwise "arcsin x": Float::ArcSin(op) => map(b, op, Elementwise::Asin);
    "Float.ArcCos" Elementwise "arccos x": Float::ArcCos(op) => map(b, op, Elementwise::Acos);
    "Float.ArcTan" Elementwise "arctan x": Float::ArcTan(op) => map(b, op, Elementwise::Atan);
    "Float.ArcSinh" Elementwise "arsinh x": Float::ArcSinh(op) => map(b, op, Elementwise::Asinh);
    "Float.ArcCosh" Elementwise "arcosh x": Float::ArcCosh(op) => map(b, op, Elementwise::Acosh);
    "Float.ArcTanh" Elementwise "artanh x": Float::ArcTanh(op) => map(b, op, Elementwise::Atanh);
    "Float.Round" Elementwise "nearest integer, slope 0": Float::Round(op) => map(b, op, Elementwise::Round);
    "Float.Floor" Elementwise "⌊x⌋, slope 0": Float::Floor(op) => map(b, op, Elementwise::Floor);
    "Float.Ceil" Elementwise "⌈x⌉, slope 0": Float::Ceil(op) => map(b, op, Elementwise::Ceil);
    "Float.Trunc" Elementwise "integer part, slope 0": Float::Trunc(op) => map(b, op, Elementwise::Trunc);
    "Float.PowfScalar" Elementwise "xᵖ; p an integer, or x > 0": Float::PowfScalar(op) => {
        let x = b.get(&op.lhs);
        let y = b.map(power(op.rhs.elem()), x);
        b.set(&op.out, y);
    };
    "Float.Powf" Lowered "e^{b ln a}, a > 0": Float::Powf(op) => {
        let (l, r) = (b.get(&op.lhs), b.get(&op.rhs));
        let log = b.map(Elementwise::Ln, l);
        let exponent = b.mul(log, r);
        let y = b.map(Elementwise::Exp, exponent);
        b.set(&op.out, y);
    };
    "Float.Hypot" Lowered "√(a² + b²)": Float::Hypot(op) => {
        let (l, r) = (b.get(&op.lhs), b.get(&op.rhs));
        let (l, r) = (b.map(Elementwise::Powi(2), l), b.map(Elementwise::Powi(2), r));
        let sum = b.add(l, r);
        let y = b.map(Elementwise::Sqrt, sum);
        b.set(&op.out, y);
    };
    "Float.Matmul" Bilinear "A B": Float::Matmul(op) => two!(b, op, matmul);
    "Float.IntoInt" Discrete "integer part": Float::IntoInt(op) => {
        let x = b.get(&op.input);
        let dtype = op.out.dtype;
        let y = b.discrete_one("into_int", x, dtype, move |x| x.float_into_int(dtype));
        b.set(&op.out, y);
    };
}

fn map(b: &mut Lowering, op: &UnaryOpIr, function: Elementwise) {
    let x = b.get(&op.input);
    let y = b.map(function, x);
    b.set(&op.out, y);
}

/// A power; with an integer exponent it is defined for negative x too.
fn power(exponent: f64) -> Elementwise {
    if exponent.fract() == 0.0 && exponent.abs() < 1024.0 {
        Elementwise::Powi(exponent as i64)
    } else {
        Elementwise::Powf(exponent)
    }
}
