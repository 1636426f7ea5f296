//! Arithmetic of two operands, the larger and the smaller of two, bounds.

use burn_backend::ops::{BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn_backend::{BoolDType, Scalar};
use burn_dispatch::{Dispatch, DispatchTensor};

use super::call::Operand;
use super::condition::{Comparison, both, select};
use super::elementwise::{bounded, times};
use super::{Call, Operation, Results, Value, one};
use crate::array::{Array, Kind, Problem, broadcast};

pub const OPERATIONS: &[Operation] = &[
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
];

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
