//! Functions of every element.

use burn::tensor::DType;
use burn_backend::ops::{ActivationOps, FloatTensorOps, IntTensorOps};
use burn_backend::{BoolDType, Scalar};
use burn_dispatch::{Dispatch, DispatchTensor};

use super::condition::select;
use super::{Call, Operation, Results, one, unread};
use crate::array::Kind;

/// A function of floats that Burn has.
macro_rules! float {
    ($name:literal, $formula:literal, $function:path) => {
        Operation::new($name, &["self"], $formula, |call| one(call.float("self")?.map($function)))
    };
    ($name:literal, $formula:literal, |$x:ident| $body:expr) => {
        Operation::new($name, &["self"], $formula, |call| one(call.float("self")?.map(|$x: DispatchTensor| $body)))
    };
}

pub const OPERATIONS: &[Operation] = &[
    float!("exp", "eˣ", Dispatch::float_exp),
    float!("exp2", "2ˣ", |x| Dispatch::float_exp(times(x, std::f64::consts::LN_2))),
    float!("expm1", "eˣ − 1", |x| plus(Dispatch::float_exp(x), -1.0)),
    float!("log", "ln x", Dispatch::float_log),
    float!("log2", "ln x/ln 2", |x| times(Dispatch::float_log(x), std::f64::consts::LN_2.recip())),
    float!("log10", "ln x/ln 10", |x| times(Dispatch::float_log(x), std::f64::consts::LN_10.recip())),
    float!("log1p", "ln(1 + x)", Dispatch::float_log1p),
    float!("sqrt", "√x", Dispatch::float_sqrt),
    float!("rsqrt", "1/√x", |x| Dispatch::float_recip(Dispatch::float_sqrt(x))),
    float!("reciprocal", "1/x", Dispatch::float_recip),
    float!("square", "x²", |x| Dispatch::float_mul(x.clone(), x)),
    float!("erf", "erf x", Dispatch::float_erf),
    float!("sin", "sin x", Dispatch::float_sin),
    float!("cos", "cos x", Dispatch::float_cos),
    float!("tan", "tan x", Dispatch::float_tan),
    float!("sinh", "sinh x", Dispatch::float_sinh),
    float!("cosh", "cosh x", Dispatch::float_cosh),
    float!("tanh", "tanh x", Dispatch::float_tanh),
    float!("asin", "arcsin x", Dispatch::float_asin),
    float!("acos", "arccos x", Dispatch::float_acos),
    float!("atan", "arctan x", Dispatch::float_atan),
    float!("asinh", "arsinh x", Dispatch::float_asinh),
    float!("acosh", "arcosh x", Dispatch::float_acosh),
    float!("atanh", "artanh x", Dispatch::float_atanh),
    float!("floor", "⌊x⌋", Dispatch::float_floor),
    float!("ceil", "⌈x⌉", Dispatch::float_ceil),
    float!("trunc", "integer part", Dispatch::float_trunc),
    float!("round", "nearest integer, the even one of two", Dispatch::float_round),
    Operation::new("abs", &["self"], "|x|", |call| unary(call, Dispatch::float_abs, Dispatch::int_abs)),
    Operation::new("neg", &["self"], "−x", |call| unary(call, Dispatch::float_neg, Dispatch::int_neg)),
    Operation::new("sign", &["self"], "sign x", |call| unary(call, Dispatch::float_sign, Dispatch::int_sign)),
    Operation::new("sgn", &["self"], "sign x", |call| unary(call, Dispatch::float_sign, Dispatch::int_sign)),
    float!("relu", "max(x, 0)", Dispatch::relu),
    float!("sigmoid", "1/(1 + e⁻ˣ)", Dispatch::sigmoid),
    float!("log_sigmoid", "−ln(1 + e⁻ˣ)", Dispatch::log_sigmoid),
    Operation::new("log_sigmoid_forward", &["self"], "−ln(1 + e⁻ˣ)", |call| {
        one(call.float("self")?.map(Dispatch::log_sigmoid)).map(|results| unread(results, 1))
    }),
    float!("silu", "x/(1 + e⁻ˣ)", |x| Dispatch::float_mul(x.clone(), Dispatch::sigmoid(x))),
    float!("mish", "x tanh ln(1 + eˣ)", |x| {
        let softplus = softplus(x.clone(), 1.0, 20.0);
        Dispatch::float_mul(x, Dispatch::float_tanh(softplus))
    }),
    Operation::new("gelu", &["self", "approximate"], "x Φ(x), or its approximation by tanh", gelu),
    Operation::new(
        "elu",
        &["self", "alpha", "scale", "input_scale"],
        "s x; s α (e^{t x} − 1) where x ≤ 0",
        |call| {
            let numbers = [call.number("alpha", 1.0)?, call.number("scale", 1.0)?, call.number("input_scale", 1.0)?];
            one(call.float("self")?.map(|x| elu(x, numbers)))
        },
    ),
    Operation::new("celu", &["self", "alpha"], "x; α (e^{x/α} − 1) where x ≤ 0", |call| {
        let alpha = call.number("alpha", 1.0)?;
        one(call.float("self")?.map(|x| elu(x, [alpha, 1.0, alpha.recip()])))
    }),
    float!("selu", "s x; s α (eˣ − 1) where x ≤ 0 (Klambauer et al. 2017)", |x| elu(
        x,
        [SELU_ALPHA, SELU_SCALE, 1.0]
    )),
    Operation::new("leaky_relu", &["self", "negative_slope"], "x; c x where x ≤ 0", |call| {
        let slope = call.number("negative_slope", 0.01)?;
        one(call.float("self")?.map(|x| {
            let positive = Dispatch::float_greater_elem(x.clone(), Scalar::Float(0.0), BoolDType::Native);
            Dispatch::float_mask_where(times(x.clone(), slope), positive, x)
        }))
    }),
    Operation::new("prelu", &["self", "weight"], "x; α x where x ≤ 0, with an α for each channel or all", prelu),
    Operation::new(
        "softplus",
        &["self", "beta", "threshold"],
        "ln(1 + e^{β x})/β; x where β x is above a threshold",
        |call| {
            let (beta, threshold) = (call.number("beta", 1.0)?, call.number("threshold", 20.0)?);
            one(call.float("self")?.map(|x| softplus(x, beta, threshold)))
        },
    ),
    Operation::new("hardtanh", &["self", "min_val", "max_val"], "min(max(x, a), b), slope 0 at the bounds", |call| {
        let (low, high) = (call.number("min_val", -1.0)?, call.number("max_val", 1.0)?);
        one(call.float("self")?.map(|x| bounded(x, low, high)))
    }),
    float!("relu6", "min(max(x, 0), 6), slope 0 at the bounds", |x| bounded(x, 0.0, 6.0)),
    float!("hardsigmoid", "min(max(x + 3, 0), 6)/6", |x| times(bounded(plus(x, 3.0), 0.0, 6.0), 1.0 / 6.0)),
    float!("hardswish", "x min(max(x + 3, 0), 6)/6", |x| {
        let gate = times(bounded(plus(x.clone(), 3.0), 0.0, 6.0), 1.0 / 6.0);
        Dispatch::float_mul(x, gate)
    }),
    Operation::new(
        "threshold",
        &["self", "threshold", "value"],
        "x; a number where x is not above a threshold",
        |call| {
            let (threshold, value) = (call.number("threshold", 0.0)?, call.number("value", 0.0)?);
            one(call.float("self")?.map(|x| {
                let below = Dispatch::float_lower_equal_elem(x.clone(), Scalar::Float(threshold), BoolDType::Native);
                Dispatch::float_mask_fill(x, below, Scalar::Float(value))
            }))
        },
    ),
    Operation::new("glu", &["self", "dim"], "a/(1 + e⁻ᵇ) of two halves", |call| {
        let x = call.float("self")?;
        let (axis, shape) = (x.axis(call.int("dim", -1)?)?, x.shape());
        let length = shape.get(axis).copied().filter(|length| length % 2 == 0);
        let length = length.ok_or_else(|| format!("{shape:?} has no two halves along axis {axis}"))?;
        let gate = x.clone().slice(axis, length / 2, length, 1)?.map(Dispatch::sigmoid);
        one(x.slice(axis, 0, length / 2, 1)?.zip(gate, Dispatch::float_mul)?)
    }),
    Operation::new("softmax", &["self", "dim", "dtype"], "eˣ/Σ eˣ", |call| normalized(call, Dispatch::softmax)),
    Operation::new("_softmax", &["self", "dim"], "eˣ/Σ eˣ", |call| normalized(call, Dispatch::softmax))
        .ignoring(&["half_to_float"]),
    Operation::new("_safe_softmax", &["self", "dim", "dtype"], "eˣ/Σ eˣ; 0 where all x are −∞", |call| {
        normalized(call, safe_softmax)
    }),
    Operation::new("log_softmax", &["self", "dim", "dtype"], "x − ln Σ eˣ", |call| {
        normalized(call, Dispatch::log_softmax)
    }),
    Operation::new("_log_softmax", &["self", "dim"], "x − ln Σ eˣ", |call| normalized(call, Dispatch::log_softmax))
        .ignoring(&["half_to_float"]),
    Operation::new(
        "nan_to_num",
        &["self", "nan", "posinf", "neginf"],
        "numbers where a is none, or infinite",
        |call| {
            let largest = if DType::from(call.dtype()) == DType::F64 { f64::MAX } else { f64::from(f32::MAX) };
            let (nan, above) = (call.number("nan", 0.0)?, call.number("posinf", largest)?);
            let below = call.number("neginf", -largest)?;
            one(call.float("self")?.map(|x| {
                let mask = Dispatch::float_not_equal(x.clone(), x.clone(), BoolDType::Native);
                let mut found = Dispatch::float_mask_fill(x.clone(), mask, Scalar::Float(nan));
                for (infinity, number) in [(f64::INFINITY, above), (f64::NEG_INFINITY, below)] {
                    let mask = Dispatch::float_equal_elem(x.clone(), Scalar::Float(infinity), BoolDType::Native);
                    found = Dispatch::float_mask_fill(found, mask, Scalar::Float(number));
                }
                found
            }))
        },
    ),
];

/// Klambauer et al. 2017, "Self-Normalizing Neural Networks", equation 14.
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

pub fn times(x: DispatchTensor, factor: f64) -> DispatchTensor {
    Dispatch::float_mul_scalar(x, Scalar::Float(factor))
}

pub fn plus(x: DispatchTensor, number: f64) -> DispatchTensor {
    Dispatch::float_add_scalar(x, Scalar::Float(number))
}

fn unary(
    call: &Call,
    float: fn(DispatchTensor) -> DispatchTensor,
    int: fn(DispatchTensor) -> DispatchTensor,
) -> Results {
    let x = call.array("self")?;
    match x.kind() {
        Kind::Float => one(x.map(float)),
        Kind::Int => one(x.map(int)),
        Kind::Bool => Err("it is of numbers, not conditions".to_owned()),
    }
}

fn gelu(call: &Call) -> Results {
    let x = call.float("self")?;
    match call.word("approximate").unwrap_or("none") {
        "none" => one(x.map(Dispatch::gelu)),
        // Hendrycks and Gimpel 2016, section 2.
        "tanh" => one(x.map(|x| {
            let cube = Dispatch::float_mul(Dispatch::float_mul(x.clone(), x.clone()), x.clone());
            let inner = Dispatch::float_add(x.clone(), times(cube, 0.044_715));
            let tanh = Dispatch::float_tanh(times(inner, (2.0 / std::f64::consts::PI).sqrt()));
            Dispatch::float_mul(times(x, 0.5), plus(tanh, 1.0))
        })),
        other => Err(format!("there is no approximation `{other}`")),
    }
}

/// `s x`, and `s α (e^{t x} − 1)` where x is not positive.
fn elu(x: DispatchTensor, [alpha, scale, input_scale]: [f64; 3]) -> DispatchTensor {
    // Of positive numbers nothing is exponentiated: it could be infinite, and its product with no slope no number.
    let below = Dispatch::float_clamp_max(x.clone(), Scalar::Float(0.0));
    let curve = times(plus(Dispatch::float_exp(times(below, input_scale)), -1.0), alpha * scale);
    let positive = Dispatch::float_greater_elem(x.clone(), Scalar::Float(0.0), BoolDType::Native);
    Dispatch::float_mask_where(curve, positive, times(x, scale))
}

fn softplus(x: DispatchTensor, beta: f64, threshold: f64) -> DispatchTensor {
    let scaled = times(x.clone(), beta);
    let above = Dispatch::float_greater_elem(scaled.clone(), Scalar::Float(threshold), BoolDType::Native);
    let below = Dispatch::float_clamp_max(scaled, Scalar::Float(threshold));
    let curve = times(Dispatch::float_log1p(Dispatch::float_exp(below)), beta.recip());
    Dispatch::float_mask_where(curve, above, x)
}

/// At a bound it has no slope, as in PyTorch.
pub fn bounded(x: DispatchTensor, low: f64, high: f64) -> DispatchTensor {
    let below = Dispatch::float_lower_equal_elem(x.clone(), Scalar::Float(low), BoolDType::Native);
    let above = Dispatch::float_greater_equal_elem(x.clone(), Scalar::Float(high), BoolDType::Native);
    let x = Dispatch::float_mask_fill(x, below, Scalar::Float(low));
    Dispatch::float_mask_fill(x, above, Scalar::Float(high))
}

fn prelu(call: &Call) -> Results {
    let (x, weight) = (call.float("self")?, call.float("weight")?);
    let channels = weight.elements();
    let mut shape = vec![1; x.rank()];
    if let Some(axis) = shape.get_mut(1) {
        *axis = channels;
    }
    let weight = if channels == 1 { weight.reshape(&vec![1; x.rank()])? } else { weight.reshape(&shape)? };
    let negative = x.clone().map(|x| Dispatch::float_lower_equal_elem(x, Scalar::Float(0.0), BoolDType::Native));
    let scaled = x.clone().zip(weight, Dispatch::float_mul)?;
    one(select(negative, scaled, x)?)
}

/// Zeros where all are −∞.
pub fn safe_softmax(x: DispatchTensor, axis: usize) -> DispatchTensor {
    let masked = Dispatch::float_equal_elem(x.clone(), Scalar::Float(f64::NEG_INFINITY), BoolDType::Native);
    let lowest = Dispatch::float_mask_fill(x, masked.clone(), Scalar::Float(f64::from(f32::MIN)));
    Dispatch::float_mask_fill(Dispatch::softmax(lowest, axis), masked, Scalar::Float(0.0))
}

fn normalized(call: &Call, function: fn(DispatchTensor, usize) -> DispatchTensor) -> Results {
    call.kind("dtype")?;
    let x = call.float("self")?;
    let axis = x.axis(call.int("dim", -1)?)?;
    one(x.map(|x| function(x, axis)))
}
