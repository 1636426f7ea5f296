//! Functions of floats and the matrix product.

use burn_backend::Scalar;
use burn_ir::FloatOperationIr::{self as Float};
use burn_ir::InterpolateModeIr;

use super::{entries, resample};
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
    "Float.ArcTan2" Lowered "the angle of the point (b, a), slope 0 at the origin": Float::ArcTan2(op) =>
        b.two(&op.lhs, &op.rhs, &op.out, angle);
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
    "Float.Cross" Lowered "a × b along an axis of three": Float::Cross(op) =>
        b.two(&op.lhs, &op.rhs, &op.out, |b, l, r| {
            let dtype = b.index_dtype();
            let [next, last] = [[1, 2, 0], [2, 0, 1]].map(|turned| b.positions(turned.to_vec(), dtype));
            let [first, second] = [[next, last], [last, next]].map(|[left, right]| {
                let (l, r) = (b.select(l, op.dim, left), b.select(r, op.dim, right));
                b.mul(l, r)
            });
            b.sub(first, second)
        });
    "Float.GridSample2d" Lowered "values between pixels, bilinear or of the nearest, at given points":
        Float::GridSample2d(op)
        if matches!(op.options.mode, InterpolateModeIr::Bilinear | InterpolateModeIr::Nearest) =>
        b.two(&op.tensor, &op.grid, &op.out, |b, image, grid| resample::at_grid(b, image, grid, &op.options));
    "Float.IntoInt" Discrete "integer part": Float::IntoInt(op) => b.one(&op.input, &op.out, |b, x| {
        let dtype = op.out.dtype;
        b.discrete_one("into_int", x, dtype, move |x| x.float_into_int(dtype))
    });
    refused "random numbers have no derivative at a point: pass them as an input": { "Float.Random" Float::Random(_) }
    refused "quantized numbers are no floats, and what rounds to them is flat": {
        "Float.Quantize" Float::Quantize(_),
        "Float.Dequantize" Float::Dequantize(_),
    }
    refused "Burn records its parts in its place": {
        "Float.IsNan" Float::IsNan(_),
        "Float.IsInf" Float::IsInf(_),
    }
    refused "Burn executes it on no CPU": {
        "Float.GridSample2d (NearestExact, Bicubic, Lanczos3)" Float::GridSample2d(_),
    }
}

/// The angle of the point (x, y): the arctangent of the smaller coordinate over the larger, whose quotient is bounded,
/// and what is missing to Burn's own value, held fixed.
fn angle(b: &mut Lowering, y: usize, x: usize) -> usize {
    let (mask, dtype) = (b.mask_dtype(), b.dtype(y));
    let steep = b.discrete_two("steep", y, x, mask, move |y, x| y.abs().greater(x.abs(), mask.into()));
    let shape = b.shape(steep);
    let minus = b.scale(x, -1.0);
    let smaller = b.choose(steep, y, minus, &shape);
    let larger = b.choose(steep, x, y, &shape);
    // At the origin, nothing over infinity: neither value nor slope is NaN.
    let origin = b.discrete_one("origin", larger, mask, move |x| x.equal_elem(Scalar::Float(0.0), mask.into()));
    let infinity = b.constant(f64::INFINITY, &shape, dtype);
    let larger = b.choose(origin, larger, infinity, &shape);
    let quotient = b.div(smaller, larger);
    let near = b.map(Elementwise::Atan, quotient);
    let (y, x) = (b.expand(y, &shape), b.expand(x, &shape));
    let rest = b.discrete("half_axis", vec![y, x, near], &shape, dtype, |operands, _| {
        let [y, x, near] = &operands[..] else { unreachable!("it was built with three operands") };
        y.clone().atan2(x.clone()).sub(near.clone())
    });
    b.add(near, rest)
}

/// A power; with an integer exponent it is defined for negative x too.
fn power(exponent: f64) -> Elementwise {
    if exponent.fract() == 0.0 && exponent.abs() < 1024.0 {
        Elementwise::Powi(exponent as i64)
    } else {
        Elementwise::Powf(exponent)
    }
}
