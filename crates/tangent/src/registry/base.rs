//! Shapes, parts and joins: operations that move elements.

use burn::tensor::DType;
use burn_backend::tensor::IndexingUpdateOp;
use burn_ir::BaseOperationIr::{self as Base};
use burn_ir::TensorIr;

use super::entries;
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
    "BaseFloat.SelectAssign" Linear "rows added by index": Base::SelectAssign(op)
        if op.update == IndexingUpdateOp::Add && op.tensor.dtype.is_float() =>
    {
        let indices = b.get(&op.indices);
        b.two(&op.tensor, &op.value, &op.out, |b, x, value| {
            b.linear(Linear::SelectAdd(op.dim), vec![x, value, indices], &op.out.shape.to_vec())
        });
    };
    "BaseFloat.Gather" Linear "elements along an axis by index": Base::Gather(op) =>
        b.two(&op.tensor, &op.indices, &op.out, |b, x, indices| b.gather(x, op.dim, indices));
    "BaseFloat.Scatter" Linear "elements added along an axis by index": Base::Scatter(op)
        if op.update == IndexingUpdateOp::Add && op.tensor.dtype.is_float() =>
    {
        let indices = b.get(&op.indices);
        b.two(&op.tensor, &op.value, &op.out, |b, x, value| {
            b.linear(Linear::ScatterAdd(op.dim), vec![x, value, indices], &op.out.shape.to_vec())
        });
    };
    "BaseInt.Scatter" Discrete "elements updated along an axis by index":
        Base::Scatter(op) if is_integer(&op.tensor) => {
        let operands = [&op.tensor, &op.indices, &op.value].map(|tensor| b.get(tensor)).to_vec();
        let (shape, dtype) = (op.out.shape.to_vec(), op.out.dtype);
        let (axis, update) = (op.dim, op.update);
        let y = b.discrete(format!("scatter[{axis}, {update:?}]"), operands, &shape, dtype, move |operands, lead| {
            let [data, indices, values] = &operands[..] else { unreachable!("it was built with three operands") };
            data.clone().int_scatter(axis + lead, indices.clone(), values.clone(), update)
        });
        b.set(&op.out, y);
    };
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
    "BaseFloat.EqualElem" Discrete "x = c":
        Base::EqualElem(op) if !op.lhs.dtype.is_bool() => b.one(&op.lhs, &op.out, |b, x| {
        let (number, dtype) = (op.rhs.into(), op.out.dtype);
        b.discrete_one(format!("equal[{number:?}]"), x, dtype, move |x| x.equal_elem(number, dtype.into()))
    });
    "BaseFloat.NotEqualElem" Discrete "x ≠ c":
        Base::NotEqualElem(op) if !op.lhs.dtype.is_bool() => b.one(&op.lhs, &op.out, |b, x| {
        let (number, dtype) = (op.rhs.into(), op.out.dtype);
        b.discrete_one(format!("not_equal[{number:?}]"), x, dtype, move |x| x.not_equal_elem(number, dtype.into()))
    });
}

fn is_integer(tensor: &TensorIr) -> bool {
    !tensor.dtype.is_float() && !tensor.dtype.is_bool()
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
