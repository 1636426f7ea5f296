//! Elements chosen by whole numbers.

use burn_backend::ops::IntTensorOps;
use burn_backend::{BoolDType, Scalar};
use burn_dispatch::Dispatch;

use super::{Call, Operation, Results, one};
use crate::array::{Array, Kind, Problem, broadcast};

pub const OPERATIONS: &[Operation] = &[
    Operation::new(
        "embedding",
        &["weight", "indices", "padding_idx", "scale_grad_by_freq"],
        "rows of the weights; that of padding is a constant",
        |call| {
            if call.flag("scale_grad_by_freq", false)? {
                return Err("gradients divided by how often a row is chosen are those of no function".to_owned());
            }
            let (weight, indices) = (call.float("weight")?, call.array("indices")?);
            let (shape, rows) = (indices.shape(), weight.shape());
            let &[_, width] = rows.as_slice() else { return Err(format!("weights {rows:?} have no rows")) };
            let count = indices.elements();
            let weight = match usize::try_from(call.int("padding_idx", -1)?) {
                Ok(row) => with_padding(call, weight, row)?,
                Err(_) => weight,
            };
            let found = weight.rows(0, indices.reshape(&[count])?)?;
            one(found.reshape(&[shape.as_slice(), &[width]].concat())?)
        },
    )
    .placing("indices")
    .ignoring(&["sparse"]),
    Operation::new("index_select", &["self", "dim", "index"], "rows of an axis", |call| {
        let x = call.array("self")?;
        let axis = x.axis(call.int("dim", 0)?)?;
        one(x.rows(axis, call.array("index")?.lift(1)?)?)
    })
    .placing("index"),
    Operation::new("gather", &["self", "dim", "index"], "elements along an axis", |call| {
        let x = call.array("self")?;
        let axis = x.axis(call.int("dim", 0)?)?;
        one(x.gather(axis, call.array("index")?)?)
    })
    .placing("index")
    .ignoring(&["sparse_grad"]),
    Operation::new("take_along_dim", &["self", "indices", "dim"], "elements along an axis", |call| {
        let (x, indices) = (call.array("self")?, call.array("indices")?);
        let axis = x.axis(call.optional_int("dim")?.ok_or("the elements of all axes as one are not known here")?)?;
        let (own, other) = (x.shape(), indices.shape());
        if own.len() != other.len() || (0..own.len()).any(|at| at != axis && own[at] != other[at]) {
            return Err(format!("indices {other:?} into {own:?}, which broadcast"));
        }
        one(x.gather(axis, indices)?)
    })
    .placing("indices"),
    Operation::new("index", &["self", "indices"], "elements by their places along several axes", index)
        .placing("indices"),
    Operation::new("one_hot", &["self", "num_classes"], "1 at the place that a number says, 0 elsewhere", |call| {
        let (x, classes) = (call.array("self")?.int(), call.length("num_classes", 0)?);
        if classes == 0 {
            return Err("the number of classes is taken from the numbers themselves; give it".to_owned());
        }
        x.are_places(classes)?;
        let shape = [x.shape().as_slice(), &[1]].concat();
        let places = super::create::counted(call, classes)?;
        one(x.reshape(&shape)?.zip(places, |a, b| Dispatch::int_equal(a, b, BoolDType::Native))?.int())
    })
    .placing("self"),
];

/// `x[i, :, j]`: rows where one axis is indexed; elements by their number in the flattened axes where neighbours are.
fn index(call: &Call) -> Results {
    let x = call.array("self")?;
    let indices = call.arrays("indices")?;
    let indexed: Vec<usize> = indices.iter().enumerate().filter(|(_, i)| i.is_some()).map(|(axis, _)| axis).collect();
    let (Some(&first), Some(&last)) = (indexed.first(), indexed.last()) else { return one(x) };
    let shape = x.shape();
    if last - first + 1 != indexed.len() || last >= shape.len() {
        return Err("places along axes that are no neighbours are not known here".to_owned());
    }
    let mut to = Vec::new();
    for index in indices.iter().flatten() {
        if index.kind() == Kind::Bool {
            return Err("how many elements a condition chooses depends on the numbers; write it with where".to_owned());
        }
        to = broadcast(&to, &index.shape())?;
    }
    // The number of an element in the axes that are indexed, taken as one.
    let mut number: Option<Array> = None;
    for axis in first..=last {
        let Some(index) = indices[axis].clone() else { continue };
        let length = shape[axis] as i64;
        let index = from_front(index.int().expand(&to)?, length)?;
        index.are_places(shape[axis])?;
        number = Some(match number {
            None => index,
            Some(before) => {
                let before = before.map(|x| Dispatch::int_mul_scalar(x, Scalar::Int(length)));
                before.zip(index, Dispatch::int_add)?
            }
        });
    }
    let number = number.ok_or("nothing is indexed")?;
    let count = shape[first..=last].iter().product();
    let flat = x.reshape(&[&shape[..first], &[count], &shape[last + 1..]].concat())?;
    let places = number.elements();
    let rows = flat.rows(first, number.reshape(&[places])?)?;
    one(rows.reshape(&[&shape[..first], &to, &shape[last + 1..]].concat())?)
}

/// Places counted from the front, where negative ones are counted from the end.
fn from_front(index: Array, length: i64) -> Result<Array, Problem> {
    let negative = index.clone().map(|x| Dispatch::int_lower_elem(x, Scalar::Int(0), BoolDType::Native));
    let shifted = index.clone().map(|x| Dispatch::int_add_scalar(x, Scalar::Int(length)));
    super::condition::select(negative, shifted, index)
}

/// The weights with a row that PyTorch does not train: a constant, as the archive has it.
fn with_padding(call: &Call, weight: Array, row: usize) -> Result<Array, Problem> {
    let slot = call.slot("weight").ok_or("`weight` is no tensor")?;
    let stored = (call.context.stored)(slot).ok_or("weights with a row of padding that are no parameter")?;
    let shape = weight.shape();
    if row >= shape[0] {
        return Err(format!("a row of padding {row} among {}", shape[0]));
    }
    let rows = super::create::counted(call, shape[0])?;
    let is_padding = rows.map(|x| Dispatch::int_equal_elem(x, Scalar::Int(row as i64), BoolDType::Native));
    super::condition::select(is_padding.reshape(&[shape[0], 1])?, stored, weight)
}
