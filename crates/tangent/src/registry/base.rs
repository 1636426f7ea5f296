//! Shapes, parts and joins: operations that move elements.

use burn::tensor::DType;
use burn_backend::Scalar;
use burn_backend::tensor::IndexingUpdateOp;
use burn_ir::BaseOperationIr::{self as Base};
use burn_ir::ScatterNdOpIr;

use super::entries;
use crate::array::Array;
use crate::lowering::Lowering;
use crate::operation::Linear;

entries! {
    b, Base;
    "BaseFloat.Reshape" Linear "the same elements in another shape": Base::Reshape(op) =>
        b.one(&op.input, &op.out, |b, x| b.reshape(x, &op.out.shape.to_vec()));
    "BaseFloat.SwapDims" Linear "two axes exchanged": Base::SwapDims(op) =>
        b.one(&op.input, &op.out, |b, x| b.swap(x, op.dim1, op.dim2));
    "BaseFloat.Permute" Linear "axes in another order": Base::Permute(op) =>
        b.one(&op.input, &op.out, |b, x| b.permute(x, &op.axes));
    "BaseFloat.Flip" Linear "axes reversed": Base::Flip(op) =>
        b.one(&op.input, &op.out, |b, x| b.linear(Linear::Flip(op.axes.clone()), vec![x], &op.out.shape.to_vec()));
    "BaseFloat.Expand" Linear "axes of length one repeated": Base::Expand(op) =>
        b.one(&op.input, &op.out, |b, x| b.expand(x, &op.out.shape.to_vec()));
    "BaseFloat.RepeatDim" Linear "copies along an axis": Base::RepeatDim(op) =>
        b.one(&op.tensor, &op.out, |b, x| repeat(b, x, op.dim, op.times));
    "BaseFloat.Unfold" Linear "sliding windows of an axis": Base::Unfold(op) =>
        b.one(&op.input, &op.out, |b, x| unfold(b, x, op.dim, op.size, op.step));
    "BaseFloat.Slice" Linear "a part": Base::Slice(op) =>
        b.one(&op.tensor, &op.out, |b, x| b.linear(Linear::Slice(op.ranges.clone()), vec![x], &op.out.shape.to_vec()));
    "BaseFloat.SliceAssign" Linear "a part replaced": Base::SliceAssign(op) =>
        b.two(&op.tensor, &op.value, &op.out, |b, x, value| {
            b.linear(Linear::SliceAssign(op.ranges.clone()), vec![x, value], &op.out.shape.to_vec())
        });
    "BaseFloat.Select" Linear "rows of an axis by index": Base::Select(op) =>
        b.two(&op.tensor, &op.indices, &op.out, |b, x, indices| b.select(x, op.dim, indices));
    "BaseFloat.SelectAssign" Linear "rows added or replaced by index": Base::SelectAssign(op)
        if op.tensor.dtype.is_float() && is_linear(op.update) =>
    {
        let indices = b.get(&op.indices);
        b.two(&op.tensor, &op.value, &op.out, |b, x, value| select_update(b, x, op.dim, indices, value, op.update));
    };
    "BaseInt.SelectAssign" Discrete "rows updated by index": Base::SelectAssign(op) if !op.tensor.dtype.is_float() => {
        let indices = b.get(&op.indices);
        b.two(&op.tensor, &op.value, &op.out, |b, x, value| select_update(b, x, op.dim, indices, value, op.update));
    };
    "BaseFloat.Gather" Linear "elements along an axis by index": Base::Gather(op) =>
        b.two(&op.tensor, &op.indices, &op.out, |b, x, indices| b.gather(x, op.dim, indices));
    "BaseFloat.Scatter" Linear "elements added or replaced along an axis by index": Base::Scatter(op)
        if op.tensor.dtype.is_float() && is_linear(op.update) =>
    {
        let indices = b.get(&op.indices);
        b.two(&op.tensor, &op.value, &op.out, |b, x, value| scatter(b, x, op.dim, indices, value, op.update));
    };
    "BaseInt.Scatter" Discrete "elements updated along an axis by index":
        Base::Scatter(op) if !op.tensor.dtype.is_float() => {
        let indices = b.get(&op.indices);
        b.two(&op.tensor, &op.value, &op.out, |b, x, value| scatter(b, x, op.dim, indices, value, op.update));
    };
    "BaseFloat.GatherNd" Linear "parts by their positions in the first axes": Base::GatherNd(op) =>
        b.two(&op.data, &op.indices, &op.out, |b, x, indices| {
            let (rows, at) = rows(b, x, indices);
            let picked = b.select(rows, 0, at);
            b.reshape(picked, &op.out.shape.to_vec())
        });
    "BaseFloat.ScatterNd" Linear "parts added or replaced by their positions in the first axes": Base::ScatterNd(op)
        if op.data.dtype.is_float() && is_linear(op.reduction) =>
        scatter_parts(b, op);
    "BaseInt.ScatterNd" Discrete "parts updated by their positions in the first axes":
        Base::ScatterNd(op) if !op.data.dtype.is_float() => scatter_parts(b, op);
    "BaseFloat.MaskWhere" Linear "the one or the other by a mask": Base::MaskWhere(op) => {
        let (x, mask, value) = (b.get(&op.tensor), b.get(&op.mask), b.get(&op.value));
        let y = b.choose(mask, x, value, &op.out.shape.to_vec());
        b.set(&op.out, y);
    };
    "BaseFloat.MaskFill" Linear "a number where the mask is true":
        Base::MaskFill(op) => b.two(&op.tensor, &op.mask, &op.out, |b, x, mask| {
        let value = b.full(op.value.elem(), &op.out);
        b.choose(mask, x, value, &op.out.shape.to_vec())
    });
    "BaseFloat.Cat" Linear "joined along an axis": Base::Cat(op) => {
        let operands = op.tensors.iter().map(|tensor| b.get(tensor)).collect();
        let y = b.concatenate(operands, op.dim);
        b.set(&op.out, y);
    };
    "BaseFloat.Cast" Linear "another float type": Base::Cast(op) => b.one(&op.input, &op.out, |b, x| {
        let (from, to) = (b.dtype(x), op.out.dtype);
        cast(b, x, from, to)
    });
    "BaseFloat.Zeros" Constant "0": Base::Zeros(op) | Base::Empty(op) => {
        let y = b.full(0.0, &op.out);
        b.set(&op.out, y);
    };
    "BaseFloat.Ones" Constant "1": Base::Ones(op) => {
        let y = b.full(1.0, &op.out);
        b.set(&op.out, y);
    };
    "BaseFloat.Equal" Discrete "a = b": Base::Equal(op) => b.two(&op.lhs, &op.rhs, &op.out, |b, l, r| {
        let bools = b.dtype(l).is_bool();
        let dtype = op.out.dtype;
        b.discrete_two("equal", l, r, dtype, move |l, r| if bools { l.xor(r).not() } else { l.equal(r, dtype.into()) })
    });
    "BaseFloat.NotEqual" Discrete "a ≠ b": Base::NotEqual(op) => b.two(&op.lhs, &op.rhs, &op.out, |b, l, r| {
        let bools = b.dtype(l).is_bool();
        let dtype = op.out.dtype;
        b.discrete_two("not_equal", l, r, dtype, move |l, r| {
            if bools { l.xor(r) } else { l.not_equal(r, dtype.into()) }
        })
    });
    "BaseFloat.EqualElem" Discrete "x = c": Base::EqualElem(op) => b.one(&op.lhs, &op.out, |b, x| {
        let (number, dtype) = (op.rhs.into(), op.out.dtype);
        let truth = b.dtype(x).is_bool().then(|| op.rhs.elem());
        b.discrete_one(format!("equal[{number:?}]"), x, dtype, move |x| match truth {
            Some(true) => x,
            Some(false) => x.not(),
            None => x.equal_elem(number, dtype.into()),
        })
    });
    "BaseFloat.NotEqualElem" Discrete "x ≠ c": Base::NotEqualElem(op) => b.one(&op.lhs, &op.out, |b, x| {
        let (number, dtype) = (op.rhs.into(), op.out.dtype);
        let truth = b.dtype(x).is_bool().then(|| op.rhs.elem());
        b.discrete_one(format!("not_equal[{number:?}]"), x, dtype, move |x| match truth {
            Some(true) => x.not(),
            Some(false) => x,
            None => x.not_equal_elem(number, dtype.into()),
        })
    });
    "BaseFloat.All" Discrete "whether all are true": Base::All(op) => {
        let dtype = op.out.dtype;
        b.along(&op.input, None, &op.out, "all", move |x, axis| x.all(axis, dtype.into()));
    };
    "BaseFloat.Any" Discrete "whether any is true": Base::Any(op) => {
        let dtype = op.out.dtype;
        b.along(&op.input, None, &op.out, "any", move |x, axis| x.any(axis, dtype.into()));
    };
    "BaseFloat.AllDim" Discrete "whether all are true along an axis": Base::AllDim(op) => {
        let dtype = op.out.dtype;
        b.along(&op.input, Some(op.axis), &op.out, "all", move |x, axis| x.all(axis, dtype.into()));
    };
    "BaseFloat.AnyDim" Discrete "whether any is true along an axis": Base::AnyDim(op) => {
        let dtype = op.out.dtype;
        b.along(&op.input, Some(op.axis), &op.out, "any", move |x, axis| x.any(axis, dtype.into()));
    };
    refused "where indices are equal, a product or an extreme of as many numbers as there happen to be": {
        "BaseFloat.SelectAssign (Mul, Min, Max)" Base::SelectAssign(_),
        "BaseFloat.Scatter (Mul, Min, Max)" Base::Scatter(_),
        "BaseFloat.ScatterNd (Mul, Min, Max)" Base::ScatterNd(_),
    }
}

/// Whether an update by index is linear in what was there and what is written.
fn is_linear(update: IndexingUpdateOp) -> bool {
    matches!(update, IndexingUpdateOp::Add | IndexingUpdateOp::Assign)
}

/// Rows of an axis updated by index `[m]`.
fn select_update(
    b: &mut Lowering,
    x: usize,
    axis: usize,
    indices: usize,
    values: usize,
    update: IndexingUpdateOp,
) -> usize {
    let (shape, moved) = (b.shape(x), b.shape(values));
    if b.dtype(x).is_float() && update == IndexingUpdateOp::Add {
        return b.linear(Linear::SelectAdd(axis), vec![x, values, indices], &shape);
    }
    let mut thin = vec![1; moved.len()];
    thin[axis] = moved[axis];
    let indices = b.reshape(indices, &thin);
    let indices = b.expand(indices, &moved);
    scatter(b, x, axis, indices, values, update)
}

/// Elements updated where `gather` with the same indices would read.
fn scatter(b: &mut Lowering, x: usize, axis: usize, indices: usize, values: usize, update: IndexingUpdateOp) -> usize {
    let (shape, dtype) = (b.shape(x), b.dtype(x));
    if !dtype.is_float() {
        let name = format!("scatter[{axis}, {update:?}]");
        return b.discrete(name, vec![x, indices, values], &shape, dtype, move |operands, lead| {
            let [x, indices, values] = &operands[..] else { unreachable!("it was built with three operands") };
            x.clone().discrete_scatter(axis + lead, indices.clone(), values.clone(), update)
        });
    }
    if update == IndexingUpdateOp::Add {
        return b.linear(Linear::ScatterAdd(axis), vec![x, values, indices], &shape);
    }
    // Which value comes where is found by writing their numbers, from one on; what is not written keeps its zero.
    let (moved, numbered) = (b.shape(values), b.dtype(indices));
    let count: usize = moved.iter().product();
    let numbers = b.positions((1..=count as i64).collect(), numbered);
    let numbers = b.reshape(numbers, &moved);
    let nothing = b.constant(0.0, &shape, numbered);
    let origin = scatter(b, nothing, axis, indices, numbers, update);
    let mask = b.mask_dtype();
    let written = b.discrete_one("written", origin, mask, move |at| at.greater_elem(Scalar::Int(0), mask.into()));
    let at = b
        .discrete_one("origin", origin, numbered, |at| at.int_sub_scalar(Scalar::Int(1)).int_clamp_min(Scalar::Int(0)));
    let (values, at) = (b.flat(values), b.flat(at));
    let picked = b.select(values, 0, at);
    let picked = b.reshape(picked, &shape);
    b.choose(written, x, picked, &shape)
}

/// The first axes of an array as one, and where along it the positions `[…, k]` in k axes point.
fn rows(b: &mut Lowering, x: usize, positions: usize) -> (usize, usize) {
    let (shape, dtype) = (b.shape(x), b.dtype(positions));
    let axes = b.shape(positions)[b.rank(positions) - 1];
    let count = b.shape(positions).iter().product::<usize>() / axes;
    let (first, rest) = shape.split_at(axes);
    let strides = (1..=axes).map(|axis| first[axis..].iter().product::<usize>() as i64).collect();
    let strides = b.positions(strides, dtype);
    let positions = b.reshape(positions, &[count, axes]);
    let scaled = b.discrete_two("int_mul", positions, strides, dtype, Array::int_mul);
    let at = b.discrete("int_sum[1]", vec![scaled], &[count, 1], dtype, |mut x, lead| x.remove(0).int_sum(1 + lead));
    let at = b.reshape(at, &[count]);
    let rows = b.reshape(x, &[&[first.iter().product()], rest].concat());
    (rows, at)
}

fn scatter_parts(b: &mut Lowering, op: &ScatterNdOpIr) {
    let indices = b.get(&op.indices);
    b.two(&op.data, &op.values, &op.out, |b, x, values| {
        let (rows, at) = rows(b, x, indices);
        let (mut moved, count) = (b.shape(rows), b.shape(at)[0]);
        moved[0] = count;
        let values = b.reshape(values, &moved);
        let updated = select_update(b, rows, 0, at, values, op.reduction);
        b.reshape(updated, &op.out.shape.to_vec())
    });
}

/// `times` copies along an axis: a new axis, repeated and merged.
fn repeat(b: &mut Lowering, x: usize, axis: usize, times: usize) -> usize {
    let mut shape = b.shape(x);
    let mut with_axis = shape.clone();
    with_axis.insert(axis, 1);
    let x = b.reshape(x, &with_axis);
    with_axis[axis] = times;
    let x = b.expand(x, &with_axis);
    shape[axis] *= times;
    b.reshape(x, &shape)
}

/// Windows of length `size`, `step` apart, as a new last axis: the s-th entries of all windows are a strided part.
fn unfold(b: &mut Lowering, x: usize, axis: usize, size: usize, step: usize) -> usize {
    let mut shape = b.shape(x);
    let windows = (shape[axis] - size) / step + 1;
    shape[axis] = windows;
    shape.push(1);
    let parts = (0..size)
        .map(|start| {
            let part = b.narrow(x, axis, start, start + (windows - 1) * step + 1, step);
            b.reshape(part, &shape)
        })
        .collect();
    b.concatenate(parts, shape.len() - 1)
}

fn cast(b: &mut Lowering, x: usize, from: DType, to: DType) -> usize {
    let shape = b.shape(x);
    if from.is_float() {
        let node = b.linear(Linear::Cast { from, to }, vec![x], &shape);
        b.builder.nodes[node].dtype = to;
        return node;
    }
    b.discrete_one(format!("cast[{to:?}]"), x, to, move |x| x.cast(to))
}
