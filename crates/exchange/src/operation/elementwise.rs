//! Functions of every element, arithmetic of two operands, comparisons, conditions.

use burn::tensor::DType;
use burn_backend::ops::{ActivationOps, BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn_backend::{BoolDType, Scalar};
use burn_dispatch::{Dispatch, DispatchTensor};

use super::call::Operand;
use super::{Call, Operation, Results, Value, one, unread};
use crate::array::{Array, Kind, Problem, axis_of, broadcast};

/// A function of floats that Burn has.
macro_rules! float {
    ($name:literal, $formula:literal, $function:path) => {
        Operation::new($name, &["self"], $formula, |call| one(call.float("self")?.map($function)))
    };
    ($name:literal, $formula:literal, |$x:ident| $body:expr) => {
        Operation::new($name, &["self"], $formula, |call| one(call.float("self")?.map(|$x: DispatchTensor| $body)))
    };
}

/// What leaves its argument as it is.
const SAME: super::Apply = |call| one(call.array("self")?);

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
    Operation::new("add", &["self", "other", "alpha"], "a + α b", |call| sum(call, 1.0)),
    Operation::new("sub", &["self", "other", "alpha"], "a − α b", |call| sum(call, -1.0)),
    Operation::new("rsub", &["self", "other", "alpha"], "b − α a", |call| {
        let alpha = call.number("alpha", 1.0)?;
        let scaled = arithmetic(call, call.operand("self")?, whole(alpha), Arithmetic::Mul)?;
        result(call, call.operand("other")?, Operand::Array(scaled), Arithmetic::Sub, &["self", "other"])
    }),
    Operation::new("mul", &["self", "other"], "a b", |call| binary(call, Arithmetic::Mul)),
    Operation::new("div", &["self", "other", "rounding_mode"], "a/b, or rounded", div),
    Operation::new("floor_divide", &["self", "other"], "⌊a/b⌋", |call| rounded(call, Dispatch::float_floor))
        .placing("other"),
    Operation::new("remainder", &["self", "other"], "a mod b of whole numbers, of the sign of b", |call| {
        let [a, b] = [call.operand("self")?, call.operand("other")?];
        if !(is_whole(&a) && is_whole(&b)) {
            return Err(ROUNDED.to_owned());
        }
        divides(&b)?;
        binary(call, Arithmetic::Rem)
    })
    .placing("other"),
    Operation::new("fmod", &["self", "other"], "a − b · integer part of a/b, of the sign of a", |call| {
        let quotient = rounded(call, Dispatch::float_trunc)?.remove(0);
        let Value::Array(quotient) = quotient else { return Err("it has no quotient".to_owned()) };
        let whole = arithmetic(call, Operand::Array(quotient), call.operand("other")?, Arithmetic::Mul)?;
        one(arithmetic(call, call.operand("self")?, Operand::Array(whole), Arithmetic::Sub)?)
    })
    .placing("other"),
    Operation::new("pow", &["self", "exponent"], "aᵇ", pow),
    Operation::new("atan2", &["self", "other"], "the angle of the point (b, a)", |call| {
        one(call.float("self")?.zip(call.float("other")?, Dispatch::float_atan2)?)
    }),
    Operation::new("hypot", &["self", "other"], "√(a² + b²)", |call| {
        one(call.float("self")?.zip(call.float("other")?, Dispatch::float_hypot)?)
    }),
    Operation::new("maximum", &["self", "other"], "max(a, b)", |call| extremum(call, Dispatch::float_greater)),
    Operation::new("minimum", &["self", "other"], "min(a, b)", |call| extremum(call, Dispatch::float_lower)),
    Operation::new("addcmul", &["self", "tensor1", "tensor2", "value"], "a + c b₁ b₂", |call| {
        let product = call.float("tensor1")?.zip(call.float("tensor2")?, Dispatch::float_mul)?;
        let value = call.number("value", 1.0)?;
        one(call.float("self")?.zip(product.map(|x| times(x, value)), Dispatch::float_add)?)
    }),
    Operation::new("addcdiv", &["self", "tensor1", "tensor2", "value"], "a + c b₁/b₂", |call| {
        let quotient = call.float("tensor1")?.zip(call.float("tensor2")?, Dispatch::float_div)?;
        let value = call.number("value", 1.0)?;
        one(call.float("self")?.zip(quotient.map(|x| times(x, value)), Dispatch::float_add)?)
    }),
    Operation::new("lerp", &["self", "end", "weight"], "a + w (b − a)", |call| {
        let (start, end) = (call.float("self")?, call.float("end")?);
        let step = end.zip(start.clone(), Dispatch::float_sub)?;
        let step = match call.operand("weight")? {
            Operand::Array(weight) => step.zip(weight.float(call.dtype()), Dispatch::float_mul)?,
            _ => {
                let weight = call.number("weight", 0.0)?;
                step.map(|x| times(x, weight))
            }
        };
        one(start.zip(step, Dispatch::float_add)?)
    }),
    Operation::new("clamp", &["self", "min", "max"], "min(max(x, a), b), slope 0 at numbers, ½ at tensors", clamp),
    Operation::new("clamp_min", &["self", "min"], "max(x, a), slope as clamp", clamp),
    Operation::new("clamp_max", &["self", "max"], "min(x, b), slope as clamp", clamp),
    Operation::new("eq", &["self", "other"], "a = b", |call| {
        compare(call, [Dispatch::float_equal, Dispatch::int_equal])
    }),
    Operation::new("ne", &["self", "other"], "a ≠ b", |call| {
        compare(call, [Dispatch::float_not_equal, Dispatch::int_not_equal])
    }),
    Operation::new("gt", &["self", "other"], "a > b", |call| {
        compare(call, [Dispatch::float_greater, Dispatch::int_greater])
    }),
    Operation::new("ge", &["self", "other"], "a ≥ b", |call| {
        compare(call, [Dispatch::float_greater_equal, Dispatch::int_greater_equal])
    }),
    Operation::new("lt", &["self", "other"], "a < b", |call| {
        compare(call, [Dispatch::float_lower, Dispatch::int_lower])
    }),
    Operation::new("le", &["self", "other"], "a ≤ b", |call| {
        compare(call, [Dispatch::float_lower_equal, Dispatch::int_lower_equal])
    }),
    Operation::new("logical_not", &["self"], "not a", |call| {
        one(call.cast(call.array("self")?, Kind::Bool).map(Dispatch::bool_not))
    }),
    Operation::new("logical_and", &["self", "other"], "a and b", |call| logical(call, Dispatch::bool_and)),
    Operation::new("logical_or", &["self", "other"], "a or b", |call| logical(call, Dispatch::bool_or)),
    Operation::new("logical_xor", &["self", "other"], "either a or b", |call| logical(call, Dispatch::bool_xor)),
    Operation::new("bitwise_not", &["self"], "not a, of conditions", |call| {
        one(condition(call, "self")?.map(Dispatch::bool_not))
    }),
    Operation::new("bitwise_and", &["self", "other"], "a and b, of conditions", |call| {
        bitwise(call, Dispatch::bool_and)
    }),
    Operation::new("bitwise_or", &["self", "other"], "a or b, of conditions", |call| bitwise(call, Dispatch::bool_or)),
    Operation::new("__and__", &["self", "other"], "a and b, of conditions", |call| bitwise(call, Dispatch::bool_and)),
    Operation::new("__or__", &["self", "other"], "a or b, of conditions", |call| bitwise(call, Dispatch::bool_or)),
    Operation::new("where", &["condition", "self", "other"], "a where the condition is true, else b", |call| {
        let mask = call.cast(call.array("condition")?, Kind::Bool);
        let [a, b] = ["self", "other"].map(|name| call.operand(name));
        let (a, b) = alike(call, a?, b?, &mask)?;
        one(select(mask, a, b)?)
    }),
    Operation::new("masked_fill", &["self", "mask", "value"], "a number where the mask is true", |call| {
        let (x, mask) = (call.array("self")?, condition(call, "mask")?);
        let value = call.filled(call.operand("value")?)?;
        one(select(mask, call.cast(value, x.kind()), x)?)
    }),
    Operation::new("isnan", &["self"], "whether a is no number", |call| {
        one(call.float("self")?.map(|x| Dispatch::float_not_equal(x.clone(), x, BoolDType::Native)))
    }),
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
    Operation::new("to", &["self", "dtype", "other"], "as another type; all floats are of the one measured in", to)
        .ignoring(PLACES)
        .view(),
    Operation::new("_to_copy", &["self", "dtype"], "as another type; all floats are of the one measured in", to)
        .ignoring(PLACES),
    Operation::new("type_as", &["self", "other"], "as the type of another", to).view(),
    Operation::new("clone", &["self"], "a copy", SAME).ignoring(PLACES),
    Operation::new("contiguous", &["self"], "the same", SAME).ignoring(PLACES).view(),
    Operation::new("lift_fresh_copy", &["self"], "the same", SAME),
    // Which `detach` becomes where a program is decomposed.
    Operation::new("alias", &["self"], "the same; of what no parameter is in", SAME).stopping().view(),
    Operation::new("detach", &["self"], "the same; of what no parameter is in", SAME).stopping().view(),
    Operation::new("fill", &["self", "value"], "c in the shape of a", |call| {
        let x = call.array("self")?;
        one(match call.operand("value")? {
            Operand::Array(value) => call.cast(value, x.kind()).expand(&x.shape())?,
            _ => call.full(&x.shape(), call.number("value", 0.0)?, x.kind())?,
        })
    }),
    Operation::new("zero", &["self"], "0 in the shape of a", |call| {
        let x = call.array("self")?;
        one(call.full(&x.shape(), 0.0, x.kind())?)
    }),
    Operation::new("copy", &["self", "src"], "b, in the shape of a", |call| {
        let (own, from) = (call.array("self")?, call.array("src")?);
        one(call.cast(from, own.kind()).expand(&own.shape())?)
    })
    .ignoring(&["non_blocking"]),
    Operation::new("dropout", DROPPED, "x m / (1 − p), m = 0 with probability p in training, else x", |call| {
        dropout(call, false)
    })
    .dropping("p", Some("train"))
    .view(),
    Operation::new("feature_dropout", DROPPED, "the same with one m for each channel of a sample", |call| {
        dropout(call, true)
    })
    .dropping("p", Some("train"))
    .view(),
    Operation::new("native_dropout", DROPPED, "as dropout", |call| Ok(unread(dropout(call, false)?, 1)))
        .dropping("p", Some("train")),
    Operation::new("alpha_dropout", DROPPED, "x; refused in training", alpha_dropout).view(),
    Operation::new("feature_alpha_dropout", DROPPED, "x; refused in training", alpha_dropout).view(),
];

const DROPPED: &[&str] = &["input", "self", "p", "train"];

/// Where a result lies, and how.
const PLACES: &[&str] = &["device", "layout", "pin_memory", "memory_format", "non_blocking", "copy"];

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
fn bounded(x: DispatchTensor, low: f64, high: f64) -> DispatchTensor {
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

/// Arithmetic of two operands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
}

fn sum(call: &Call, sign: f64) -> Results {
    let other = call.operand("other")?;
    let other = match (call.number("alpha", 1.0)?, other) {
        (1.0, other) => other,
        (_, Operand::Bool(_)) => return Err("a condition times a number".to_owned()),
        (alpha, Operand::Int(other)) => whole(alpha * other as f64),
        (alpha, Operand::Float(other)) => Operand::Float(alpha * other),
        (alpha, array) => Operand::Array(arithmetic(call, array, whole(alpha), Arithmetic::Mul)?),
    };
    let which = if sign > 0.0 { Arithmetic::Add } else { Arithmetic::Sub };
    result(call, call.operand("self")?, other, which, &["self", "other"])
}

/// A number as a whole one, where it is.
fn whole(number: f64) -> Operand {
    if number.fract() == 0.0 && number.abs() < 2f64.powi(53) {
        Operand::Int(number as i64)
    } else {
        Operand::Float(number)
    }
}

fn binary(call: &Call, which: Arithmetic) -> Results {
    result(call, call.operand("self")?, call.operand("other")?, which, &["self", "other"])
}

/// Arithmetic, of which the result of conditions alone is a condition again, as in PyTorch.
fn result(call: &Call, a: Operand, b: Operand, which: Arithmetic, names: &[&str]) -> Results {
    let of_bools = names.iter().all(|name| matches!(call.array(name), Ok(array) if array.kind() == Kind::Bool));
    let array = arithmetic(call, a, b, which)?;
    one(if of_bools { call.cast(array, Kind::Bool) } else { array })
}

/// a + b, a − b, a b, a/b, a mod b: of floats where one of them is, or where a quotient is asked for; else of whole
/// numbers.
pub fn arithmetic(call: &Call, a: Operand, b: Operand, which: Arithmetic) -> Result<Array, Problem> {
    let float = |operand: &Operand| match operand {
        Operand::Array(array) => array.kind() == Kind::Float,
        Operand::Float(_) => true,
        Operand::Int(_) | Operand::Bool(_) => false,
    };
    let floats = float(&a) || float(&b) || which == Arithmetic::Div;
    let as_kind = |array: Array| if floats { array.float(call.dtype()) } else { array.int() };
    let scalar = |operand: &Operand| match operand {
        Operand::Bool(flag) if floats => Some(Scalar::Float(f64::from(u8::from(*flag)))),
        Operand::Bool(flag) => Some(Scalar::Int(i64::from(*flag))),
        Operand::Int(number) if floats => Some(Scalar::Float(*number as f64)),
        Operand::Int(number) => Some(Scalar::Int(*number)),
        Operand::Float(number) => Some(Scalar::Float(*number)),
        Operand::Array(_) => None,
    };
    let by_scalar = |array: Array, number: Scalar| {
        as_kind(array).map(|x| match (floats, which) {
            (true, Arithmetic::Add) => Dispatch::float_add_scalar(x, number),
            (true, Arithmetic::Sub) => Dispatch::float_sub_scalar(x, number),
            (true, Arithmetic::Mul) => Dispatch::float_mul_scalar(x, number),
            (true, Arithmetic::Div) => Dispatch::float_div_scalar(x, number),
            (true, Arithmetic::Rem) => Dispatch::float_remainder_scalar(x, number),
            (false, Arithmetic::Add) => Dispatch::int_add_scalar(x, number),
            (false, Arithmetic::Sub) => Dispatch::int_sub_scalar(x, number),
            (false, Arithmetic::Mul) => Dispatch::int_mul_scalar(x, number),
            (false, Arithmetic::Div | Arithmetic::Rem) => Dispatch::int_remainder_scalar(x, number),
        })
    };
    match (scalar(&a), scalar(&b), a, b) {
        (None, Some(number), Operand::Array(a), _) => Ok(by_scalar(a, number)),
        (Some(number), None, _, Operand::Array(b)) => match which {
            Arithmetic::Add | Arithmetic::Mul => Ok(by_scalar(b, number)),
            _ => {
                let kind = if floats { Kind::Float } else { Kind::Int };
                let number = match number {
                    Scalar::Float(number) => number,
                    Scalar::Int(number) => number as f64,
                    _ => return Err("a number is none".to_owned()),
                };
                let a = call.full(&[], number, kind)?;
                arithmetic(call, Operand::Array(a), Operand::Array(b), which)
            }
        },
        (_, _, Operand::Array(a), Operand::Array(b)) => as_kind(a).zip(as_kind(b), |a, b| match (floats, which) {
            (true, Arithmetic::Add) => Dispatch::float_add(a, b),
            (true, Arithmetic::Sub) => Dispatch::float_sub(a, b),
            (true, Arithmetic::Mul) => Dispatch::float_mul(a, b),
            (true, Arithmetic::Div) => Dispatch::float_div(a, b),
            (true, Arithmetic::Rem) => Dispatch::float_remainder(a, b),
            (false, Arithmetic::Add) => Dispatch::int_add(a, b),
            (false, Arithmetic::Sub) => Dispatch::int_sub(a, b),
            (false, Arithmetic::Mul) => Dispatch::int_mul(a, b),
            (false, Arithmetic::Div | Arithmetic::Rem) => Dispatch::int_remainder(a, b),
        }),
        _ => Err("both operands are numbers".to_owned()),
    }
}

fn div(call: &Call) -> Results {
    match call.word("rounding_mode") {
        None => one(arithmetic(call, call.operand("self")?, call.operand("other")?, Arithmetic::Div)?),
        Some("floor") => rounded(call, Dispatch::float_floor),
        Some("trunc") => rounded(call, Dispatch::float_trunc),
        Some(other) => Err(format!("there is no rounding mode `{other}`")),
    }
}

/// Why quotients of floats are not rounded here.
const ROUNDED: &str = "a rounded quotient of floats, which PyTorch corrects by the remainder, is not known here";

fn is_whole(operand: &Operand) -> bool {
    match operand {
        Operand::Array(array) => array.kind() != Kind::Float,
        Operand::Int(_) | Operand::Bool(_) => true,
        Operand::Float(_) => false,
    }
}

/// Whether whole numbers are divisors: none of them zero.
fn divides(divisor: &Operand) -> Result<(), Problem> {
    match divisor {
        Operand::Array(divisor) if divisor.has_zero() => Err("whole numbers are divided by 0".to_owned()),
        Operand::Int(0) | Operand::Bool(false) => Err("whole numbers are divided by 0".to_owned()),
        _ => Ok(()),
    }
}

fn rounded(call: &Call, round: fn(DispatchTensor) -> DispatchTensor) -> Results {
    let [a, b] = [call.operand("self")?, call.operand("other")?];
    if !(is_whole(&a) && is_whole(&b)) {
        return Err(ROUNDED.to_owned());
    }
    divides(&b)?;
    let exact = |operand: Operand| Ok::<_, Problem>(call.filled(operand)?.float(call.exact(true)));
    one(exact(a)?.zip(exact(b)?, Dispatch::float_div)?.map(round).int())
}

fn pow(call: &Call) -> Results {
    let exponent = call.operand("exponent")?;
    let base = call.operand("self")?;
    match (base, exponent) {
        (Operand::Array(base), Operand::Array(exponent)) => {
            if base.kind() != Kind::Float {
                return Err("whole numbers to the power of a tensor".to_owned());
            }
            one(base.zip(exponent.float(call.dtype()), Dispatch::float_powf)?)
        }
        (Operand::Array(base), _) => {
            let exponent = call.number("exponent", 1.0)?;
            let is_float = base.kind() == Kind::Float;
            if !is_float && matches!(call.operand("exponent")?, Operand::Float(_)) {
                return Err(format!("whole numbers to the power of {exponent:?}, which are floats"));
            }
            let is_counted = exponent.fract() == 0.0 && exponent >= 0.0;
            if !(is_float || is_counted) {
                return Err(format!("whole numbers to the power of {exponent}"));
            }
            let power = base.float(call.exact(!is_float)).map(|x| {
                if exponent == 2.0 {
                    Dispatch::float_mul(x.clone(), x)
                } else if exponent == 0.5 {
                    Dispatch::float_sqrt(x)
                } else if exponent.fract() == 0.0 && exponent.abs() <= 64.0 {
                    Dispatch::float_powi_scalar(x, Scalar::Int(exponent as i64))
                } else {
                    Dispatch::float_powf_scalar(x, Scalar::Float(exponent))
                }
            });
            one(if is_float { power } else { power.int() })
        }
        // cᵇ = e^{b ln c}.
        (_, Operand::Array(exponent)) => {
            let base = call.number("self", 1.0)?;
            if exponent.kind() != Kind::Float {
                return Err("a number to the power of whole numbers".to_owned());
            }
            if base <= 0.0 {
                return Err(format!("{base} to the power of a tensor"));
            }
            one(exponent.float(call.dtype()).map(|x| Dispatch::float_exp(times(x, base.ln()))))
        }
        _ => Err("both operands are numbers".to_owned()),
    }
}

/// Of two, the one that a comparison chooses.
fn extremum(call: &Call, chosen: Comparison) -> Results {
    let (a, b) = (call.array("self")?, call.array("other")?);
    let whole = a.kind() != Kind::Float && b.kind() != Kind::Float;
    let dtype = call.exact(whole);
    let found = larger(a.float(dtype), b.float(dtype), chosen)?;
    one(if whole { found.int() } else { found })
}

/// The one that a comparison chooses; where they are equal half of the slope goes to each. What is no number is chosen:
/// no comparison holds of it.
fn larger(a: Array, b: Array, chosen: Comparison) -> Result<Array, Problem> {
    let nan = a.clone().map(|a| Dispatch::float_not_equal(a.clone(), a, BoolDType::Native));
    let first = a.clone().zip(b.clone(), |a, b| chosen(a, b, BoolDType::Native))?;
    let first = both(first, nan, Dispatch::bool_or)?;
    let equal = a.clone().zip(b.clone(), |a, b| Dispatch::float_equal(a, b, BoolDType::Native))?;
    // Each halved first: the sum of the largest two numbers is infinite.
    let mean = a.clone().map(|x| times(x, 0.5)).zip(b.clone().map(|x| times(x, 0.5)), Dispatch::float_add)?;
    let shape = broadcast(&a.shape(), &b.shape())?;
    select(equal, mean, select(first, a.expand(&shape)?, b.expand(&shape)?)?)
}

fn clamp(call: &Call) -> Results {
    let x = call.array("self")?;
    let bounds = ["min", "max"].map(|name| call.argument(name).map(|_| call.operand(name)).transpose());
    let [low, high] = bounds;
    let (low, high) = (low?, high?);
    let whole = x.kind() != Kind::Float && [&low, &high].into_iter().flatten().all(is_whole);
    let dtype = call.exact(whole);
    let mut x = x.float(dtype);
    for (name, bound, chosen) in
        [("min", low, Dispatch::float_greater as Comparison), ("max", high, Dispatch::float_lower)]
    {
        x = match bound {
            None => x,
            Some(Operand::Array(bound)) => larger(x, bound.float(dtype), chosen)?,
            Some(_) => {
                let bound = call.number(name, 0.0)?;
                let [low, high] = if name == "min" { [bound, f64::INFINITY] } else { [f64::NEG_INFINITY, bound] };
                x.map(|x| bounded(x, low, high))
            }
        };
    }
    one(if whole { x.int() } else { x })
}

type Comparison = fn(DispatchTensor, DispatchTensor, BoolDType) -> DispatchTensor;

fn compare(call: &Call, [float, int]: [Comparison; 2]) -> Results {
    let (a, b) = (call.filled(call.operand("self")?)?, call.filled(call.operand("other")?)?);
    if a.kind() == Kind::Float || b.kind() == Kind::Float {
        let (a, b) = (a.float(call.dtype()), b.float(call.dtype()));
        one(a.zip(b, |a, b| float(a, b, BoolDType::Native))?)
    } else {
        one(a.int().zip(b.int(), |a, b| int(a, b, BoolDType::Native))?)
    }
}

fn logical(call: &Call, function: fn(DispatchTensor, DispatchTensor) -> DispatchTensor) -> Results {
    let of = |name| Ok::<_, Problem>(call.cast(call.array(name)?, Kind::Bool));
    conditions(of("self")?, of("other")?, function)
}

fn bitwise(call: &Call, function: fn(DispatchTensor, DispatchTensor) -> DispatchTensor) -> Results {
    conditions(condition(call, "self")?, condition(call, "other")?, function)
}

fn conditions(a: Array, b: Array, function: fn(DispatchTensor, DispatchTensor) -> DispatchTensor) -> Results {
    both(a, b, function).and_then(one)
}

/// Of conditions that broadcast.
fn both(a: Array, b: Array, function: fn(DispatchTensor, DispatchTensor) -> DispatchTensor) -> Result<Array, Problem> {
    let shape = broadcast(&a.shape(), &b.shape())?;
    a.expand(&shape)?.zip(b.expand(&shape)?, function)
}

/// A tensor of conditions.
pub fn condition(call: &Call, name: &str) -> Result<Array, Problem> {
    let array = call.array(name)?;
    if array.kind() == Kind::Bool { Ok(array) } else { Err(format!("`{name}` is not made of conditions")) }
}

/// Two operands of one kind, numbers as tensors; one of them has a shape, or the mask does.
fn alike(call: &Call, a: Operand, b: Operand, mask: &Array) -> Result<(Array, Array), Problem> {
    let (a, b) = (call.filled(a)?, call.filled(b)?);
    let kind = match (a.kind(), b.kind()) {
        (Kind::Float, _) | (_, Kind::Float) => Kind::Float,
        (Kind::Bool, Kind::Bool) => Kind::Bool,
        _ => Kind::Int,
    };
    let shape = broadcast(&broadcast(&a.shape(), &b.shape())?, &mask.shape())?;
    Ok((call.cast(a, kind).expand(&shape)?, call.cast(b, kind).expand(&shape)?))
}

/// a where the mask is true, else b.
pub fn select(mask: Array, a: Array, b: Array) -> Result<Array, Problem> {
    let shape = broadcast(&broadcast(&a.shape(), &b.shape())?, &mask.shape())?;
    let (mask, a, b) = (mask.expand(&shape)?, a.expand(&shape)?, b.expand(&shape)?);
    if a.kind() != b.kind() {
        return Err("what is chosen from is of two kinds".to_owned());
    }
    let kind = a.kind();
    let (mask, a, b) = (mask.tensor(), a.tensor(), b.tensor());
    let tensor = match kind {
        Kind::Float => Dispatch::float_mask_where(b, mask, a),
        Kind::Int => Dispatch::int_mask_where(b, mask, a),
        Kind::Bool => Dispatch::bool_mask_where(b, mask, a),
    };
    Ok(Array::with_shape(tensor, &shape))
}

fn to(call: &Call) -> Results {
    let x = call.array("self")?;
    let kind = match (call.argument("other"), call.kind("dtype")?) {
        (Some(_), _) => call.array("other")?.kind(),
        (None, Some(kind)) => kind,
        (None, None) => x.kind(),
    };
    one(call.cast(x, kind))
}

/// The mask has a number for each, or one for each channel of a sample.
fn dropout(call: &Call, by_channel: bool) -> Results {
    // The one that writes over its argument calls it otherwise.
    let x = call.array(if call.argument("self").is_some() { "self" } else { "input" })?;
    if !call.flag("train", true)? {
        return one(x);
    }
    let mut mask = x.shape();
    if by_channel {
        if mask.len() < 2 {
            return Err(format!("{mask:?} has no channels"));
        }
        mask[2..].fill(1);
    }
    one(call.dropped(x, call.number("p", 0.5)?, &mask)?)
}

/// Only what it is at inference: its mask has other moments than zeros give.
fn alpha_dropout(call: &Call) -> Results {
    let p = call.number("p", 0.5)?;
    if call.flag("train", true)? && p != 0.0 {
        return Err("alpha dropout is not drawn here; export after model.eval()".to_owned());
    }
    one(call.array(if call.argument("self").is_some() { "self" } else { "input" })?)
}

/// The axis that an operation on one is along.
pub fn axis(call: &Call, array: &Array) -> Result<usize, Problem> {
    axis_of(call.int("dim", -1)?, array.rank())
}
