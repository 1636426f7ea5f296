//! Sums, means, variances, extrema, norms, running sums.

use burn_backend::ops::{BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn_backend::{BoolDType, IntDType, Scalar};
use burn_dispatch::{Dispatch, DispatchTensor};

use super::elementwise::times;
use super::{Call, Operation, Results, Value, one};
use crate::array::{Array, Kind, Problem, axis_of};

pub const OPERATIONS: &[Operation] = &[
    Operation::new("sum", &["self", "dim", "keepdim", "dtype"], "Σ x", |call| {
        let x = summed(call)?;
        one(match x.kind() {
            Kind::Float => along(call, x, Dispatch::float_sum_dim)?,
            _ => along(call, x, Dispatch::int_sum_dim)?,
        })
    }),
    Operation::new("mean", &["self", "dim", "keepdim", "dtype"], "mean of x", |call| {
        one(along(call, floats(call)?, Dispatch::float_mean_dim)?)
    }),
    Operation::new(
        "var",
        &["self", "dim", "unbiased", "correction", "keepdim"],
        "Σ (x − mean)²/(n − correction)",
        |call| {
            let [_, variance] = moments(call)?;
            one(variance)
        },
    ),
    Operation::new("std", &["self", "dim", "unbiased", "correction", "keepdim"], "√var", |call| {
        let [_, variance] = moments(call)?;
        one(root(variance)?)
    }),
    Operation::new("var_mean", &["self", "dim", "unbiased", "correction", "keepdim"], "variance and mean", |call| {
        let [mean, variance] = moments(call)?;
        Ok(vec![Value::Array(variance), Value::Array(mean)])
    }),
    Operation::new("prod", &["self", "dim", "keepdim", "dtype"], "Π x", |call| {
        one(along(call, floats(call)?, Dispatch::float_prod_dim)?)
    }),
    Operation::new("amax", &["self", "dim", "keepdim"], "max x; of several the slope is shared", |call| {
        one(extremum(call, Dispatch::float_max_dim)?)
    }),
    Operation::new("amin", &["self", "dim", "keepdim"], "min x; of several the slope is shared", |call| {
        one(extremum(call, Dispatch::float_min_dim)?)
    }),
    Operation::new("max", &["self", "dim", "keepdim", "other"], "max x, along an axis with its place", |call| {
        with_place(call, Dispatch::float_max_dim_with_indices, Dispatch::float_max_dim)
    })
    .ranking(),
    Operation::new("min", &["self", "dim", "keepdim", "other"], "min x, along an axis with its place", |call| {
        with_place(call, Dispatch::float_min_dim_with_indices, Dispatch::float_min_dim)
    })
    .ranking(),
    Operation::new("argmax", &["self", "dim", "keepdim"], "where x is largest", |call| {
        place(call, Dispatch::float_argmax)
    })
    .ranking(),
    Operation::new("argmin", &["self", "dim", "keepdim"], "where x is smallest", |call| {
        place(call, Dispatch::float_argmin)
    })
    .ranking(),
    Operation::new("logsumexp", &["self", "dim", "keepdim"], "ln Σ eˣ", |call| {
        let x = call.float("self")?;
        let axes = call.axes("dim", &x)?;
        let mut largest = x.clone();
        for &axis in &axes {
            largest = largest.map(|x| Dispatch::float_max_dim(x, axis));
        }
        let mut sum = x.zip(largest.clone(), Dispatch::float_sub)?.map(Dispatch::float_exp);
        for &axis in &axes {
            sum = sum.map(|x| Dispatch::float_sum_dim(x, axis));
        }
        let found = sum.map(Dispatch::float_log).zip(largest, Dispatch::float_add)?;
        one(kept(call, found, &axes)?)
    }),
    Operation::new("linalg_vector_norm", &["self", "ord", "dim", "keepdim"], "(Σ |x|ᵖ)^{1/p}", |call| {
        norm(call, call.number("ord", 2.0)?)
    }),
    Operation::new("norm", &["self", "p", "dim", "keepdim"], "(Σ |x|ᵖ)^{1/p}", |call| {
        norm(call, call.number("p", 2.0)?)
    }),
    Operation::new("cumsum", &["self", "dim", "dtype"], "running sums along an axis", |call| {
        let x = summed(call)?;
        let axis = axis(call, &x)?;
        one(match x.kind() {
            Kind::Float => x.map(|x| Dispatch::float_cumsum(x, axis)),
            _ => x.map(|x| Dispatch::int_cumsum(x, axis)),
        })
    }),
    Operation::new("cumprod", &["self", "dim", "dtype"], "running products along an axis", |call| {
        let x = floats(call)?;
        let axis = axis(call, &x)?;
        one(x.map(|x| Dispatch::float_cumprod(x, axis)))
    }),
    Operation::new("any", &["self", "dim", "keepdim"], "whether any is true", |call| {
        let x = call.cast(call.array("self")?, Kind::Bool);
        if call.ints("dim")?.is_some_and(|axes| axes.is_empty()) {
            return Err("along no axis".to_owned());
        }
        one(along(call, x, Dispatch::bool_any_dim)?)
    }),
    Operation::new("all", &["self", "dim", "keepdim"], "whether all are true", |call| {
        let x = call.cast(call.array("self")?, Kind::Bool);
        if call.ints("dim")?.is_some_and(|axes| axes.is_empty()) {
            return Err("along no axis".to_owned());
        }
        one(along(call, x, Dispatch::bool_all_dim)?)
    }),
    Operation::new(
        "sort",
        &["self", "dim", "descending", "stable"],
        "in order along an axis, and where from",
        |call| {
            if call.flag("stable", false)? {
                return Err("an order that keeps equal ones as they were is not known here".to_owned());
            }
            let x = float_alone(call)?;
            let (axis, descending) = (axis(call, &x)?, call.flag("descending", false)?);
            let (values, places) = Dispatch::float_sort_with_indices(x.tensor(), axis, descending, IntDType::I64);
            Ok(vec![Value::Array(values.into()), Value::Array(places.into())])
        },
    )
    .ranking(),
    Operation::new("topk", &["self", "k", "dim", "largest"], "the k largest along an axis, and where", |call| {
        let x = float_alone(call)?;
        if !call.flag("largest", true)? {
            return Err("the smallest are not known here".to_owned());
        }
        let (axis, k) = (axis(call, &x)?, call.length("k", 1)?);
        if k == 0 || x.shape().get(axis).is_none_or(|&length| k > length) {
            return Err(format!("{k} of {:?}", x.shape()));
        }
        let (values, places) = Dispatch::float_topk_with_indices(x.tensor(), axis, k, IntDType::I64);
        Ok(vec![Value::Array(values.into()), Value::Array(places.into())])
    })
    .ranking()
    .ignoring(&["sorted"]),
];

/// What is added up, in the kind of the sum: floats, or whole numbers.
fn summed(call: &Call) -> Result<Array, Problem> {
    let x = call.array("self")?;
    match (x.kind(), call.kind("dtype")?) {
        (Kind::Float, None | Some(Kind::Float)) | (_, Some(Kind::Float)) => Ok(x.float(call.dtype())),
        (Kind::Int | Kind::Bool, None | Some(Kind::Int)) => Ok(x.int()),
        (_, dtype) => Err(format!("a sum of {:?} as {dtype:?}", x.kind())),
    }
}

/// Floats, whose result is one of floats.
fn floats(call: &Call) -> Result<Array, Problem> {
    let x = call.array("self")?;
    match (x.kind(), call.kind("dtype")?) {
        (Kind::Float, None | Some(Kind::Float)) | (_, Some(Kind::Float)) => Ok(x.float(call.dtype())),
        (kind, dtype) => Err(format!("of {kind:?} as {dtype:?}")),
    }
}

/// Floats alone: whole numbers keep their kind in PyTorch.
fn float_alone(call: &Call) -> Result<Array, Problem> {
    let x = call.array("self")?;
    if x.kind() == Kind::Float { Ok(x) } else { Err(format!("of {:?}, which are no floats", x.kind())) }
}

/// What one of Burn's reductions makes of the axes that are asked for, or of all.
fn along(call: &Call, x: Array, reduce: fn(DispatchTensor, usize) -> DispatchTensor) -> Result<Array, Problem> {
    let axes = call.axes("dim", &x)?;
    let x = axes.iter().fold(x, |x, &axis| x.map(|x| reduce(x, axis)));
    kept(call, x, &axes)
}

/// Without the axes that were reduced to length one, unless they are kept.
fn kept(call: &Call, x: Array, axes: &[usize]) -> Result<Array, Problem> {
    if call.flag("keepdim", false)? {
        return Ok(x);
    }
    let shape = x.shape();
    let left: Vec<usize> =
        shape.iter().enumerate().filter(|(axis, _)| !axes.contains(axis)).map(|(_, length)| *length).collect();
    x.reshape(&left)
}

/// Mean and variance.
fn moments(call: &Call) -> Result<[Array; 2], Problem> {
    let x = call.float("self")?;
    let axes = call.axes("dim", &x)?;
    let correction = match call.argument("correction") {
        Some(_) => call.number("correction", 1.0)?,
        None => f64::from(u8::from(call.flag("unbiased", true)?)),
    };
    let count: usize = axes.iter().map(|&axis| x.shape()[axis]).product();
    if count as f64 <= correction {
        return Err(format!("the variance of {count} numbers, {correction} of them taken off"));
    }
    let mean = |x: Array| axes.iter().fold(x, |x, &axis| x.map(|x| Dispatch::float_mean_dim(x, axis)));
    let average = mean(x.clone());
    let centered = x.zip(average.clone(), Dispatch::float_sub)?;
    let biased = mean(centered.map(|x| Dispatch::float_mul(x.clone(), x)));
    let variance = biased.map(|x| times(x, count as f64 / (count as f64 - correction)));
    Ok([kept(call, average, &axes)?, kept(call, variance, &axes)?])
}

/// The largest or smallest, where those that are equal to it share the slope, as PyTorch has it.
fn extremum(call: &Call, reduce: fn(DispatchTensor, usize) -> DispatchTensor) -> Result<Array, Problem> {
    let x = float_alone(call)?;
    let axes = call.axes("dim", &x)?;
    let found = shared(call, x, &axes, reduce)?;
    kept(call, found, &axes)
}

/// The same with the axes that were reduced.
fn shared(
    call: &Call,
    x: Array,
    axes: &[usize],
    reduce: fn(DispatchTensor, usize) -> DispatchTensor,
) -> Result<Array, Problem> {
    let found = axes.iter().fold(x.clone(), |x, &axis| x.map(|x| reduce(x, axis)));
    let equal = x.clone().zip(found, |a, b| Dispatch::float_equal(a, b, BoolDType::Native))?;
    let count = equal.clone().float(call.dtype());
    let count = axes.iter().fold(count, |x, &axis| x.map(|x| Dispatch::float_sum_dim(x, axis)));
    let others = equal.map(Dispatch::bool_not);
    let chosen = x.zip(others, |x, others| Dispatch::float_mask_fill(x, others, Scalar::Float(0.0)))?;
    let sum = axes.iter().fold(chosen, |x, &axis| x.map(|x| Dispatch::float_sum_dim(x, axis)));
    sum.zip(count, Dispatch::float_div)
}

/// √x, with no slope where x is zero, as PyTorch has it of a norm and a deviation.
fn root(x: Array) -> Result<Array, Problem> {
    let zero = x.clone().map(|x| Dispatch::float_equal_elem(x, Scalar::Float(0.0), BoolDType::Native));
    let above = x.zip(zero.clone(), |x, zero| Dispatch::float_mask_fill(x, zero, Scalar::Float(1.0)))?;
    let root = above.map(Dispatch::float_sqrt);
    root.zip(zero, |x, zero| Dispatch::float_mask_fill(x, zero, Scalar::Float(0.0)))
}

type WithPlace = fn(DispatchTensor, usize, IntDType) -> (DispatchTensor, DispatchTensor);

fn with_place(call: &Call, along: WithPlace, all: fn(DispatchTensor, usize) -> DispatchTensor) -> Results {
    if call.argument("other").is_some() {
        return Err("of two tensors it is maximum or minimum".to_owned());
    }
    if call.argument("dim").is_none() {
        return one(extremum(call, all)?);
    }
    let x = float_alone(call)?;
    let axis = axis(call, &x)?;
    let (values, places) = along(x.tensor(), axis, IntDType::I64);
    let of = |tensor: DispatchTensor| kept(call, tensor.into(), &[axis]).map(Value::Array);
    Ok(vec![of(values)?, of(places)?])
}

fn place(call: &Call, find: fn(DispatchTensor, usize, IntDType) -> DispatchTensor) -> Results {
    let x = call.float("self")?;
    let (x, axis) = match call.optional_int("dim")? {
        Some(axis) => (x.clone(), x.axis(axis)?),
        None => (x.clone().reshape(&[x.elements()])?, 0),
    };
    one(kept(call, Array::from(find(x.tensor(), axis, IntDType::I64)), &[axis])?)
}

fn norm(call: &Call, order: f64) -> Results {
    let x = call.float("self")?;
    let axes = call.axes("dim", &x)?;
    let sum = |x: Array| axes.iter().fold(x, |x, &axis| x.map(|x| Dispatch::float_sum_dim(x, axis)));
    let found = if order == 2.0 {
        root(sum(x.map(|x| Dispatch::float_mul(x.clone(), x))))?
    } else if order == 1.0 {
        sum(x.map(Dispatch::float_abs))
    } else if order == f64::INFINITY {
        shared(call, x.map(Dispatch::float_abs), &axes, Dispatch::float_max_dim)?
    } else if order > 0.0 {
        let powers = sum(x.map(|x| Dispatch::float_powf_scalar(Dispatch::float_abs(x), Scalar::Float(order))));
        powers.map(|x| Dispatch::float_powf_scalar(x, Scalar::Float(order.recip())))
    } else {
        return Err(format!("the norm of order {order}"));
    };
    one(kept(call, found, &axes)?)
}

/// The axis that an operation on one is along.
fn axis(call: &Call, array: &Array) -> Result<usize, Problem> {
    axis_of(call.int("dim", -1)?, array.rank())
}
