//! Copies, casts, and what is written over.

use super::call::Operand;
use super::{Call, Operation, Results, one};

/// What leaves its argument as it is.
const SAME: super::Apply = |call| one(call.array("self")?);

pub const OPERATIONS: &[Operation] = &[
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
];

/// Where a result lies, and how.
const PLACES: &[&str] = &["device", "layout", "pin_memory", "memory_format", "non_blocking", "copy"];

fn to(call: &Call) -> Results {
    let x = call.array("self")?;
    let kind = match (call.argument("other"), call.kind("dtype")?) {
        (Some(_), _) => call.array("other")?.kind(),
        (None, Some(kind)) => kind,
        (None, None) => x.kind(),
    };
    one(call.cast(x, kind))
}
