//! Activation functions that Burn captures as one operation; its others arrive as compositions.

use burn_ir::ActivationOperationIr::{self as Activation};

use super::entries;
use crate::operation::Elementwise;

/// Binds the result of a function of one operand.
macro_rules! map {
    ($b:ident, $op:ident, $function:expr) => {{
        let x = $b.get(&$op.input);
        let y = $b.map($function, x);
        $b.set(&$op.out, y);
    }};
}

entries! {
    b, Activation;
    "Activation.Relu" Elementwise "max(x, 0), slope 0 at 0": Activation::Relu(op) => map!(b, op, Elementwise::Relu);
    "Activation.Gelu" Elementwise "x Φ(x)": Activation::Gelu(op) => map!(b, op, Elementwise::Gelu);
    "Activation.Sigmoid" Elementwise "1/(1 + e⁻ˣ)": Activation::Sigmoid(op) => map!(b, op, Elementwise::Sigmoid);
    "Activation.LogSigmoid" Elementwise "−ln(1 + e⁻ˣ)": Activation::LogSigmoid(op) => map!(b, op, Elementwise::LogSigmoid);
    "Activation.LeakyRelu" Elementwise "x, c x where x < 0": Activation::LeakyRelu(op) => {
        let x = b.get(&op.lhs);
        let y = b.map(Elementwise::LeakyRelu(op.rhs.elem()), x);
        b.set(&op.out, y);
    };
    "Activation.HardSigmoid" Lowered "min(max(a x + b, 0), 1)": Activation::HardSigmoid(op) => {
        let x = b.get(&op.tensor);
        let scaled = b.map(Elementwise::Scale(op.alpha.elem()), x);
        let shifted = b.map(Elementwise::Shift(op.beta.elem()), scaled);
        let y = b.map(Elementwise::Clamp(0.0, 1.0), shifted);
        b.set(&op.out, y);
    };
    "Activation.PRelu" Lowered "max(x, 0) − α max(−x, 0)": Activation::PRelu(op) => {
        let (x, alpha) = (b.get(&op.lhs), b.get(&op.rhs));
        let positive = b.map(Elementwise::Relu, x);
        let negated = b.scale(x, -1.0);
        let negative = b.map(Elementwise::Relu, negated);
        let scaled = b.mul(negative, alpha);
        let y = b.sub(positive, scaled);
        b.set(&op.out, y);
    };
    "Activation.Softmax" Lowered "eˣ/Σ eˣ along an axis": Activation::Softmax(op) => {
        let x = b.get(&op.input);
        let y = b.softmax(x, op.axis);
        b.set(&op.out, y);
    };
    "Activation.LogSoftmax" Lowered "x − ln Σ eˣ along an axis": Activation::LogSoftmax(op) => {
        let x = b.get(&op.input);
        let y = b.log_softmax(x, op.axis);
        b.set(&op.out, y);
    };
    "Activation.Softmin" Lowered "e⁻ˣ/Σ e⁻ˣ along an axis": Activation::Softmin(op) => {
        let x = b.get(&op.input);
        let negated = b.scale(x, -1.0);
        let y = b.softmax(negated, op.axis);
        b.set(&op.out, y);
    };
}
