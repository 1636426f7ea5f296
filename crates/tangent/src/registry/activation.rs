//! Activation functions that Burn captures as one operation; its others arrive as compositions.

use burn_ir::ActivationOperationIr::{self as Activation};

use super::entries;
use crate::function::Elementwise;

entries! {
    b, Activation;
    "Activation.Relu" Elementwise "max(x, 0), slope 0 at 0": Activation::Relu(op) => b.function(op, Elementwise::Relu);
    "Activation.Gelu" Elementwise "x Φ(x)": Activation::Gelu(op) => b.function(op, Elementwise::Gelu);
    "Activation.Sigmoid" Elementwise "1/(1 + e⁻ˣ)": Activation::Sigmoid(op) => b.function(op, Elementwise::Sigmoid);
    "Activation.LogSigmoid" Elementwise "−ln(1 + e⁻ˣ)": Activation::LogSigmoid(op) =>
        b.function(op, Elementwise::LogSigmoid);
    "Activation.LeakyRelu" Elementwise "x, c x where x < 0": Activation::LeakyRelu(op) =>
        b.one(&op.lhs, &op.out, |b, x| b.map(Elementwise::LeakyRelu(op.rhs.elem()), x));
    "Activation.HardSigmoid" Lowered "min(max(a x + b, 0), 1)":
        Activation::HardSigmoid(op) => b.one(&op.tensor, &op.out, |b, x| {
        let scaled = b.map(Elementwise::Scale(op.alpha.elem()), x);
        let shifted = b.map(Elementwise::Shift(op.beta.elem()), scaled);
        b.map(Elementwise::Clamp(0.0, 1.0), shifted)
    });
    "Activation.PRelu" Lowered "max(x, 0) − α max(−x, 0)":
        Activation::PRelu(op) => b.two(&op.lhs, &op.rhs, &op.out, |b, x, alpha| {
        let positive = b.map(Elementwise::Relu, x);
        let negated = b.scale(x, -1.0);
        let negative = b.map(Elementwise::Relu, negated);
        let scaled = b.mul(negative, alpha);
        b.sub(positive, scaled)
    });
    "Activation.Softmax" Lowered "eˣ/Σ eˣ along an axis": Activation::Softmax(op) =>
        b.one(&op.input, &op.out, |b, x| b.softmax(x, op.axis));
    "Activation.LogSoftmax" Lowered "x − ln Σ eˣ along an axis": Activation::LogSoftmax(op) =>
        b.one(&op.input, &op.out, |b, x| b.log_softmax(x, op.axis));
    "Activation.Softmin" Lowered "e⁻ˣ/Σ e⁻ˣ along an axis":
        Activation::Softmin(op) => b.one(&op.input, &op.out, |b, x| {
        let negated = b.scale(x, -1.0);
        b.softmax(negated, op.axis)
    });
    refused "a backward pass: a recording is of the forward alone": {
        "Activation.ReluBackward" Activation::ReluBackward(_),
        "Activation.GeluBackward" Activation::GeluBackward(_),
        "Activation.SigmoidBackward" Activation::SigmoidBackward(_),
        "Activation.LogSigmoidBackward" Activation::LogSigmoidBackward(_),
    }
}
