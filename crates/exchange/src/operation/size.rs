//! Numbers made of sizes: they depend on shapes alone.

use super::call::Operand;
use super::{Call, Operation, Results, Value};
use crate::array::axis_of;

pub const OPERATIONS: &[Operation] = &[
    Operation::new("sym_size", &["self", "dim"], "the length of an axis", |call| {
        let shape = call.array("self")?.shape();
        Ok(vec![Value::Int(
            shape[axis_of(call.int("dim", 0)?, shape.len())
                .and_then(|axis| if shape.is_empty() { Err("it has no axis".to_owned()) } else { Ok(axis) })?]
                as i64,
        )])
    }),
    Operation::new("sym_numel", &["self"], "the number of elements", |call| {
        Ok(vec![Value::Int(call.array("self")?.elements() as i64)])
    }),
    Operation::new("_operator.add", &["a", "b"], "a + b", |call| whole(call, i64::checked_add)),
    Operation::new("_operator.sub", &["a", "b"], "a − b", |call| whole(call, i64::checked_sub)),
    Operation::new("_operator.mul", &["a", "b"], "a b", |call| whole(call, i64::checked_mul)),
    Operation::new("_operator.floordiv", &["a", "b"], "⌊a/b⌋", |call| {
        whole(call, |a, b| a.checked_div_euclid(b).filter(|_| b > 0))
    }),
    Operation::new("_operator.mod", &["a", "b"], "a mod b", |call| {
        whole(call, |a, b| a.checked_rem_euclid(b).filter(|_| b > 0))
    }),
    Operation::new("_operator.neg", &["a"], "−a", |call| {
        let a = call.int("a", 0)?;
        Ok(vec![Value::Int(a.checked_neg().ok_or("too large")?)])
    }),
    Operation::new("_operator.pow", &["a", "b"], "aᵇ", |call| {
        let (a, b) = (call.number("a", 0.0)?, call.number("b", 1.0)?);
        Ok(vec![Value::Float(a.powf(b))])
    }),
    Operation::new("_operator.truediv", &["a", "b"], "a/b", |call| {
        Ok(vec![Value::Float(call.number("a", 0.0)? / call.number("b", 1.0)?)])
    }),
    Operation::new("_operator.eq", &["a", "b"], "a = b", |call| compared(call, |a, b| a == b)),
    Operation::new("_operator.ne", &["a", "b"], "a ≠ b", |call| compared(call, |a, b| a != b)),
    Operation::new("_operator.ge", &["a", "b"], "a ≥ b", |call| compared(call, |a, b| a >= b)),
    Operation::new("_operator.le", &["a", "b"], "a ≤ b", |call| compared(call, |a, b| a <= b)),
    Operation::new("_operator.gt", &["a", "b"], "a > b", |call| compared(call, |a, b| a > b)),
    Operation::new("_operator.lt", &["a", "b"], "a < b", |call| compared(call, |a, b| a < b)),
    Operation::new("torch.sym_max", &["a", "b"], "max(a, b)", |call| whole(call, |a, b| Some(a.max(b)))),
    Operation::new("torch.sym_min", &["a", "b"], "min(a, b)", |call| whole(call, |a, b| Some(a.min(b)))),
    Operation::new("math.trunc", &["x"], "integer part", |call| Ok(vec![Value::Int(call.number("x", 0.0)? as i64)])),
    Operation::new("math.ceil", &["x"], "⌈x⌉", |call| Ok(vec![Value::Int(call.number("x", 0.0)?.ceil() as i64)])),
    Operation::new("math.floor", &["x"], "⌊x⌋", |call| Ok(vec![Value::Int(call.number("x", 0.0)?.floor() as i64)])),
    Operation::new("torch._sym_sqrt", &["a"], "√a", |call| Ok(vec![Value::Float(call.number("a", 0.0)?.sqrt())])),
    Operation::new("torch.sym_float", &["a"], "a as a float", |call| Ok(vec![Value::Float(call.number("a", 0.0)?)])),
];

/// A function of whole numbers.
fn whole(call: &Call, function: fn(i64, i64) -> Option<i64>) -> Results {
    match (call.operand("a")?, call.operand("b")?) {
        (Operand::Int(a), Operand::Int(b)) => {
            let found = function(a, b).ok_or_else(|| format!("of {a} and {b}"))?;
            Ok(vec![Value::Int(found)])
        }
        _ => Err("it is of whole numbers".to_owned()),
    }
}

fn compared(call: &Call, function: fn(f64, f64) -> bool) -> Results {
    Ok(vec![Value::Bool(function(call.number("a", 0.0)?, call.number("b", 0.0)?))])
}
