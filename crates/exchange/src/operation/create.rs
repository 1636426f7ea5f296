//! Tensors that are made of nothing but a shape.

use burn_backend::ops::IntTensorOps;
use burn_backend::{BoolDType, IntDType, Scalar};
use burn_dispatch::Dispatch;

use super::condition::select;
use super::{Call, Operation, Results, one};
use crate::array::{Array, Kind, Problem};

pub const OPERATIONS: &[Operation] = &[
    Operation::new("arange", &["start", "end", "step", "dtype"], "start, start + step, … below end", arange)
        .ignoring(PLACES),
    Operation::new("zeros", &["size", "dtype"], "0", |call| shaped(call, 0.0)).ignoring(PLACES),
    Operation::new("ones", &["size", "dtype"], "1", |call| shaped(call, 1.0)).ignoring(PLACES),
    Operation::new("full", &["size", "fill_value", "dtype"], "c", |call| {
        let default = number_kind(call)?;
        let kind = call.kind("dtype")?.unwrap_or(default);
        one(call.full(&call.shape("size")?, call.number("fill_value", 0.0)?, kind)?)
    })
    .ignoring(PLACES),
    Operation::new("zeros_like", &["self", "dtype"], "0 in the shape of another", |call| like(call, 0.0))
        .ignoring(PLACES),
    Operation::new("ones_like", &["self", "dtype"], "1 in the shape of another", |call| like(call, 1.0))
        .ignoring(PLACES),
    Operation::new("full_like", &["self", "fill_value", "dtype"], "c in the shape of another", |call| {
        like(call, call.number("fill_value", 0.0)?)
    })
    .ignoring(PLACES),
    Operation::new("new_zeros", &["self", "size", "dtype"], "0 of the type of another", |call| typed(call, 0.0))
        .ignoring(PLACES),
    Operation::new("new_ones", &["self", "size", "dtype"], "1 of the type of another", |call| typed(call, 1.0))
        .ignoring(PLACES),
    Operation::new("new_full", &["self", "size", "fill_value", "dtype"], "c of the type of another", |call| {
        typed(call, call.number("fill_value", 0.0)?)
    })
    .ignoring(PLACES),
    Operation::new("scalar_tensor", &["s", "dtype"], "c", |call| {
        let kind = call.kind("dtype")?.unwrap_or(Kind::Float);
        one(call.full(&[], call.number("s", 0.0)?, kind)?)
    })
    .ignoring(PLACES),
    Operation::new("eye", &["n", "m", "dtype"], "the identity matrix", |call| {
        let n = call.length("n", 0)?;
        let m = call.length("m", n)?;
        let (row, column) = (along(call, n, true)?, along(call, m, false)?);
        let mask = row.zip(column, |a, b| Dispatch::int_equal(a, b, BoolDType::Native))?;
        one(call.cast(mask, call.kind("dtype")?.unwrap_or(Kind::Float)))
    })
    .ignoring(PLACES),
    Operation::new("tril", &["self", "diagonal"], "0 above a diagonal", |call| triangle(call, true)),
    Operation::new("triu", &["self", "diagonal"], "0 below a diagonal", |call| triangle(call, false)),
];

/// Where a result lies, and how.
const PLACES: &[&str] = &["device", "layout", "pin_memory", "memory_format", "requires_grad"];

/// The most numbers that are counted: they are made one by one, also where nothing is calculated.
const MOST_COUNTED: usize = 1 << 20;

/// 0, 1, … below `length`.
pub fn counted(call: &Call, length: usize) -> Result<Array, Problem> {
    if length == 0 || length > MOST_COUNTED {
        return Err(format!("{length} numbers in a row; between 1 and {MOST_COUNTED} are possible"));
    }
    Ok(Dispatch::int_arange(0..length as i64, call.device(), IntDType::I64).into())
}

/// The same along the rows of a matrix, or along its columns.
fn along(call: &Call, length: usize, rows: bool) -> Result<Array, Problem> {
    counted(call, length)?.reshape(&if rows { [length, 1] } else { [1, length] })
}

fn arange(call: &Call) -> Results {
    let whole = |name: &str, default: f64| {
        let number = call.number(name, default)?;
        Ok::<_, Problem>((number, number.fract() == 0.0))
    };
    let ((start, a), (end, b), (step, c)) = (whole("start", 0.0)?, whole("end", 0.0)?, whole("step", 1.0)?);
    let count = ((end - start) / step).ceil();
    if !count.is_finite() {
        return Err(format!("from {start} to {end} by {step}"));
    }
    let line = counted(call, count.max(0.0) as usize)?;
    let are_floats = !matches!(
        (call.operand("start"), call.operand("end"), call.operand("step")),
        (
            Ok(super::call::Operand::Int(_)) | Err(_),
            Ok(super::call::Operand::Int(_)),
            Ok(super::call::Operand::Int(_)) | Err(_)
        )
    );
    let kind = call.kind("dtype")?.unwrap_or(if are_floats { Kind::Float } else { Kind::Int });
    if kind == Kind::Float {
        let line = line.float(call.dtype());
        one(line.map(|x| super::elementwise::plus(super::elementwise::times(x, step), start)))
    } else if a && b && c {
        one(line.map(|x| {
            let x = Dispatch::int_mul_scalar(x, Scalar::Int(step as i64));
            Dispatch::int_add_scalar(x, Scalar::Int(start as i64))
        }))
    } else {
        Err(format!("whole numbers from {start} to {end} by {step}"))
    }
}

/// What a number of this kind fills.
fn number_kind(call: &Call) -> Result<Kind, Problem> {
    Ok(match call.argument("fill_value") {
        Some(crate::argument::Argument::Bool(_)) => Kind::Bool,
        Some(crate::argument::Argument::Int(_)) => Kind::Int,
        _ => Kind::Float,
    })
}

fn shaped(call: &Call, number: f64) -> Results {
    one(call.full(&call.shape("size")?, number, call.kind("dtype")?.unwrap_or(Kind::Float))?)
}

fn like(call: &Call, number: f64) -> Results {
    let other = call.array("self")?;
    one(call.full(&other.shape(), number, call.kind("dtype")?.unwrap_or(other.kind()))?)
}

fn typed(call: &Call, number: f64) -> Results {
    let kind = call.array("self")?.kind();
    one(call.full(&call.shape("size")?, number, call.kind("dtype")?.unwrap_or(kind))?)
}

fn triangle(call: &Call, lower: bool) -> Results {
    let x = call.array("self")?;
    let (shape, diagonal) = (x.shape(), call.int("diagonal", 0)?);
    let &[.., rows, columns] = shape.as_slice() else { return Err(format!("{shape:?} is no matrix")) };
    let row = along(call, rows, true)?.map(|x| Dispatch::int_add_scalar(x, Scalar::Int(diagonal)));
    let column = along(call, columns, false)?;
    let inside = row.zip(column, |row, column| {
        if lower {
            Dispatch::int_lower_equal(column, row, BoolDType::Native)
        } else {
            Dispatch::int_greater_equal(column, row, BoolDType::Native)
        }
    })?;
    let kind = x.kind();
    one(select(inside, x, call.full(&shape, 0.0, kind)?)?)
}
