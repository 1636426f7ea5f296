//! Comparisons, conditions, and what is chosen by them.

use burn_backend::BoolDType;
use burn_backend::ops::{BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn_dispatch::{Dispatch, DispatchTensor};

use super::call::Operand;
use super::{Call, Operation, Results, one};
use crate::array::{Array, Kind, Problem, broadcast};

pub const OPERATIONS: &[Operation] = &[
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
];

pub type Comparison = fn(DispatchTensor, DispatchTensor, BoolDType) -> DispatchTensor;

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
pub fn both(
    a: Array,
    b: Array,
    function: fn(DispatchTensor, DispatchTensor) -> DispatchTensor,
) -> Result<Array, Problem> {
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
