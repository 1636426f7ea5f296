//! From Burn's operations to ours: the vocabulary in which the registry's entries are written.

use std::collections::{HashMap, HashSet};

use burn::tensor::{DType, TensorData};
use burn_backend::{Slice, get_or_init_device_settings};
use burn_dispatch::{Dispatch, DispatchDevice};
use burn_ir::{ScalarOpIr, TensorId, TensorIr, UnaryOpIr};

use crate::array::Array;
use crate::function::Elementwise;
use crate::operation::{Bilinear, Discrete, Linear, Operation};
use crate::program::{Builder, Node};

/// A program being written, and which of its nodes each captured tensor is.
pub struct Lowering {
    pub builder: Builder,
    pub device: DispatchDevice,
    /// Running means in whose place the batch's are taken, and with them their variances.
    pub of_batch: HashSet<usize>,
    /// Running statistics, and what the batch has in their place.
    pub statistics: Vec<[usize; 2]>,
    nodes: HashMap<TensorId, usize>,
    shapes_agree: bool,
}

impl Lowering {
    pub fn new(device: DispatchDevice) -> Self {
        let builder = Builder { nodes: Vec::new() };
        Self {
            builder,
            device,
            of_batch: HashSet::new(),
            statistics: Vec::new(),
            nodes: HashMap::new(),
            shapes_agree: true,
        }
    }

    pub fn set(&mut self, tensor: &TensorIr, node: usize) {
        self.shapes_agree &= self.node(node).shape == tensor.shape.to_vec();
        self.nodes.insert(tensor.id, node);
    }

    /// Whether every result so far has the shape that Burn recorded.
    pub fn shapes_agree(&self) -> bool {
        self.shapes_agree
    }

    pub fn bind(&mut self, id: TensorId, node: usize) {
        self.nodes.insert(id, node);
    }

    /// Writes an operation of one operand.
    pub fn one(&mut self, x: &TensorIr, out: &TensorIr, write: impl FnOnce(&mut Self, usize) -> usize) {
        let x = self.get(x);
        let y = write(self, x);
        self.set(out, y);
    }

    /// Writes an operation of two operands.
    pub fn two(
        &mut self,
        a: &TensorIr,
        b: &TensorIr,
        out: &TensorIr,
        write: impl FnOnce(&mut Self, usize, usize) -> usize,
    ) {
        let (a, b) = (self.get(a), self.get(b));
        let y = write(self, a, b);
        self.set(out, y);
    }

    /// Writes an operation without derivative along an axis, or of all elements.
    pub fn along(
        &mut self,
        x: &TensorIr,
        axis: Option<usize>,
        out: &TensorIr,
        name: &str,
        evaluate: impl Fn(Array, usize) -> Array + Send + Sync + 'static,
    ) {
        let x = self.get(x);
        let (x, at) = self.axis(x, axis);
        let name = axis.map_or_else(|| name.to_owned(), |axis| format!("{name}[{axis}]"));
        let y = self.discrete(name, vec![x], &out.shape.to_vec(), out.dtype, move |mut x, lead| {
            evaluate(x.remove(0), at + lead)
        });
        self.set(out, y);
    }

    /// Writes elements picked along an axis, and where they are: `find` gives the positions.
    pub fn picked(
        &mut self,
        x: &TensorIr,
        axis: usize,
        [out, positions]: [&TensorIr; 2],
        find: impl FnOnce(&mut Self, usize) -> usize,
    ) {
        let x = self.get(x);
        let at = find(self, x);
        let y = self.gather(x, axis, at);
        self.set(out, y);
        self.set(positions, at);
    }

    /// Writes an elementwise function.
    pub fn function(&mut self, op: &UnaryOpIr, function: Elementwise) {
        self.one(&op.input, &op.out, |lowering, x| lowering.map(function, x));
    }

    /// Writes an elementwise function with a number in it.
    pub fn function_with(&mut self, op: &ScalarOpIr, function: impl FnOnce(f64) -> Elementwise) {
        self.one(&op.lhs, &op.out, |lowering, x| lowering.map(function(op.rhs.elem()), x));
    }

    pub fn find(&self, id: TensorId) -> Option<usize> {
        self.nodes.get(&id).copied()
    }

    pub fn get(&self, tensor: &TensorIr) -> usize {
        let Some(node) = self.find(tensor.id) else {
            unreachable!("capture checks that every tensor is an input, a value or a result")
        };
        node
    }

    pub fn node(&self, node: usize) -> &Node {
        &self.builder.nodes[node]
    }

    pub fn shape(&self, node: usize) -> Vec<usize> {
        self.node(node).shape.clone()
    }

    pub fn dtype(&self, node: usize) -> DType {
        self.node(node).dtype
    }

    pub fn rank(&self, node: usize) -> usize {
        self.node(node).shape.len()
    }

    // Elementwise.

    pub fn map(&mut self, function: Elementwise, x: usize) -> usize {
        let (shape, dtype) = (self.shape(x), self.dtype(x));
        self.builder.push(Operation::Elementwise(function), vec![x], shape, dtype)
    }

    pub fn scale(&mut self, x: usize, by: f64) -> usize {
        self.map(Elementwise::Scale(by), x)
    }

    // Of two operands, with broadcasting.

    fn broadcast(&mut self, a: usize, b: usize) -> (usize, usize) {
        let (left, right) = (self.shape(a), self.shape(b));
        let rank = left.len().max(right.len());
        let padded = |shape: &[usize]| [vec![1; rank - shape.len()], shape.to_vec()].concat();
        let (left, right) = (padded(&left), padded(&right));
        let shape: Vec<usize> = left.iter().zip(&right).map(|(&l, &r)| if l == 1 { r } else { l }).collect();
        (self.expand(a, &shape), self.expand(b, &shape))
    }

    fn broadcasting(&mut self, operation: Operation, a: usize, b: usize) -> usize {
        let (a, b) = self.broadcast(a, b);
        let (shape, dtype) = (self.shape(a), self.dtype(a));
        self.builder.push(operation, vec![a, b], shape, dtype)
    }

    pub fn add(&mut self, a: usize, b: usize) -> usize {
        self.broadcasting(Operation::Linear(Linear::Add), a, b)
    }

    pub fn sub(&mut self, a: usize, b: usize) -> usize {
        self.broadcasting(Operation::Linear(Linear::Subtract), a, b)
    }

    pub fn mul(&mut self, a: usize, b: usize) -> usize {
        self.broadcasting(Operation::Bilinear(Bilinear::Multiply), a, b)
    }

    pub fn div(&mut self, a: usize, b: usize) -> usize {
        let inverse = self.map(Elementwise::Recip, b);
        self.mul(a, inverse)
    }

    /// A product of matrices, or of stacks of them with broadcasting. One matrix on the right of a stack is one product
    /// with all rows.
    pub fn matmul(&mut self, a: usize, b: usize) -> usize {
        let (left, right) = (self.shape(a), self.shape(b));
        let rank = left.len();
        let (rows, inner, columns) = (left[rank - 2], left[rank - 1], right[rank - 1]);
        let dtype = self.dtype(a);
        let product = Operation::Bilinear(Bilinear::Matmul);
        if rank == 2 {
            return self.builder.push(product, vec![a, b], vec![rows, columns], dtype);
        }
        let stack: Vec<usize> = left[..rank - 2].iter().zip(&right[..rank - 2]).map(|(&l, &r)| l.max(r)).collect();
        let count: usize = stack.iter().product();
        let target = [stack.as_slice(), &[rows, columns]].concat();
        let result = if right[..rank - 2].iter().all(|&length| length == 1) {
            let a = self.reshape(a, &[count * rows, inner]);
            let b = self.reshape(b, &[inner, columns]);
            self.builder.push(product, vec![a, b], vec![count * rows, columns], dtype)
        } else {
            let a = self.expand(a, &[stack.as_slice(), &[rows, inner]].concat());
            let b = self.expand(b, &[stack.as_slice(), &[inner, columns]].concat());
            let a = self.reshape(a, &[count, rows, inner]);
            let b = self.reshape(b, &[count, inner, columns]);
            self.builder.push(product, vec![a, b], vec![count, rows, columns], dtype)
        };
        self.reshape(result, &target)
    }

    pub fn bilinear(&mut self, operation: Bilinear, a: usize, b: usize, shape: &[usize]) -> usize {
        let dtype = self.dtype(a);
        self.builder.push(Operation::Bilinear(operation), vec![a, b], shape.to_vec(), dtype)
    }

    // Linear.

    pub fn linear(&mut self, operation: Linear, operands: Vec<usize>, shape: &[usize]) -> usize {
        let dtype = self.dtype(operands[0]);
        self.builder.push(Operation::Linear(operation), operands, shape.to_vec(), dtype)
    }

    pub fn reshape(&mut self, x: usize, shape: &[usize]) -> usize {
        if self.node(x).shape == shape {
            return x;
        }
        if let Operation::Linear(Linear::Reshape) = self.node(x).operation {
            let origin = self.node(x).operands[0];
            return self.reshape(origin, shape);
        }
        self.linear(Linear::Reshape, vec![x], shape)
    }

    /// The value with an axis of it, or with all its elements along one.
    pub fn axis(&mut self, x: usize, axis: Option<usize>) -> (usize, usize) {
        axis.map_or_else(|| (self.flat(x), 0), |axis| (x, axis))
    }

    /// All elements along one axis.
    pub fn flat(&mut self, x: usize) -> usize {
        let count = self.shape(x).iter().product();
        self.reshape(x, &[count])
    }

    pub fn permute(&mut self, x: usize, axes: &[usize]) -> usize {
        if axes.is_sorted() {
            return x;
        }
        let shape = self.shape(x);
        let shape: Vec<usize> = axes.iter().map(|&axis| shape[axis]).collect();
        self.linear(Linear::Permute(axes.to_vec()), vec![x], &shape)
    }

    pub fn swap(&mut self, x: usize, first: usize, second: usize) -> usize {
        let mut axes: Vec<usize> = (0..self.rank(x)).collect();
        axes.swap(first, second);
        self.permute(x, &axes)
    }

    /// Repeats axes of length one; missing axes are added in front.
    pub fn expand(&mut self, x: usize, shape: &[usize]) -> usize {
        let own = self.shape(x);
        let padded = [vec![1; shape.len() - own.len()], own].concat();
        let x = self.reshape(x, &padded);
        if padded == shape { x } else { self.linear(Linear::Expand, vec![x], shape) }
    }

    /// Sums over axes, which stay with length one.
    pub fn sum(&mut self, x: usize, axes: &[usize]) -> usize {
        let mut shape = self.shape(x);
        for &axis in axes {
            shape[axis] = 1;
        }
        self.linear(Linear::Sum(axes.to_vec()), vec![x], &shape)
    }

    pub fn mean(&mut self, x: usize, axes: &[usize]) -> usize {
        let shape = self.shape(x);
        let count: usize = axes.iter().map(|&axis| shape[axis]).product();
        let sum = self.sum(x, axes);
        self.scale(sum, 1.0 / count as f64)
    }

    /// The sum of everything, of shape `[1]`.
    pub fn sum_all(&mut self, x: usize) -> usize {
        let axes: Vec<usize> = (0..self.rank(x)).collect();
        let sum = self.sum(x, &axes);
        self.reshape(sum, &[1])
    }

    /// The entries `start..end` of an axis, `step` apart.
    pub fn narrow(&mut self, x: usize, axis: usize, start: usize, end: usize, step: usize) -> usize {
        let mut shape = self.shape(x);
        let mut ranges = vec![Slice::full(); shape.len()];
        ranges[axis] = Slice::new(start as isize, Some(end as isize), step as isize);
        shape[axis] = (end - start).div_ceil(step);
        self.linear(Linear::Slice(ranges), vec![x], &shape)
    }

    pub fn concatenate(&mut self, operands: Vec<usize>, axis: usize) -> usize {
        let mut shape = self.shape(operands[0]);
        shape[axis] = operands.iter().map(|&operand| self.node(operand).shape[axis]).sum();
        self.linear(Linear::Concatenate(axis), operands, &shape)
    }

    pub fn select(&mut self, x: usize, axis: usize, indices: usize) -> usize {
        let mut shape = self.shape(x);
        shape[axis] = self.node(indices).shape[0];
        self.linear(Linear::Select(axis), vec![x, indices], &shape)
    }

    pub fn gather(&mut self, x: usize, axis: usize, indices: usize) -> usize {
        let shape = self.shape(indices);
        self.linear(Linear::Gather(axis), vec![x, indices], &shape)
    }

    /// `no` where the mask is false, `yes` where it is true, broadcast to a shape.
    pub fn choose(&mut self, mask: usize, no: usize, yes: usize, shape: &[usize]) -> usize {
        let operands = [no, yes, mask].map(|operand| self.expand(operand, shape));
        self.linear(Linear::Where, operands.to_vec(), shape)
    }

    // Without derivatives.

    pub fn discrete(
        &mut self,
        name: impl Into<String>,
        operands: Vec<usize>,
        shape: &[usize],
        dtype: DType,
        evaluate: impl Fn(Vec<Array>, usize) -> Array + Send + Sync + 'static,
    ) -> usize {
        let operation = Operation::Discrete(Discrete::new(name, evaluate));
        self.builder.push(operation, operands, shape.to_vec(), dtype)
    }

    /// A discrete operation of two operands, with broadcasting.
    pub fn discrete_two(
        &mut self,
        name: &str,
        a: usize,
        b: usize,
        dtype: DType,
        evaluate: impl Fn(Array, Array) -> Array + Send + Sync + 'static,
    ) -> usize {
        let (a, b) = self.broadcast(a, b);
        let shape = self.shape(a);
        self.discrete(name, vec![a, b], &shape, dtype, move |mut operands, _| {
            let b = operands.remove(1);
            evaluate(operands.remove(0), b)
        })
    }

    /// A discrete operation of one operand, element by element.
    pub fn discrete_one(
        &mut self,
        name: impl Into<String>,
        x: usize,
        dtype: DType,
        evaluate: impl Fn(Array) -> Array + Send + Sync + 'static,
    ) -> usize {
        let shape = self.shape(x);
        self.discrete(name, vec![x], &shape, dtype, move |mut operands, _| evaluate(operands.remove(0)))
    }

    /// One number in the shape and type of a captured tensor.
    pub fn full(&mut self, value: f64, like: &TensorIr) -> usize {
        self.constant(value, &like.shape.to_vec(), like.dtype)
    }

    /// One number in every place.
    pub fn constant(&mut self, value: f64, shape: &[usize], dtype: DType) -> usize {
        let array = match dtype {
            dtype if dtype.is_float() => Array::full_on(value, shape, &self.device, dtype),
            dtype if dtype.is_bool() => Array::full_bool(value != 0.0, shape, &self.device, dtype),
            dtype => Array::full_int(value as i64, shape, &self.device, dtype),
        };
        self.builder.constant(array)
    }

    /// Numbers known now.
    pub fn numbers(&mut self, numbers: Vec<f64>, shape: &[usize], dtype: DType) -> usize {
        let data = TensorData::new(numbers, shape.to_vec()).convert_dtype(dtype);
        self.builder.constant(Array::from_data(data, &self.device))
    }

    /// Positions known now, `[m]`.
    pub fn positions(&mut self, positions: Vec<i64>, dtype: DType) -> usize {
        let count = positions.len();
        let data = TensorData::new(positions, [count]).convert_dtype(dtype);
        self.builder.constant(Array::from_data(data, &self.device))
    }

    /// The integer type in which the device keeps positions.
    pub fn index_dtype(&self) -> DType {
        get_or_init_device_settings::<Dispatch>(&self.device).int_dtype.into()
    }

    /// The boolean type in which the device keeps masks.
    pub fn mask_dtype(&self) -> DType {
        get_or_init_device_settings::<Dispatch>(&self.device).bool_dtype.into()
    }

    /// The largest element along an axis, held fixed: a shift of softmax that changes neither value nor derivative.
    fn fixed_max(&mut self, x: usize, axis: usize) -> usize {
        let mut shape = self.shape(x);
        shape[axis] = 1;
        let dtype = self.dtype(x);
        self.builder.push(Operation::Discrete(Discrete::Max(axis)), vec![x], shape, dtype)
    }

    /// `eˣ / Σ eˣ` along an axis; zeros for a row of −∞, as in Burn's attention.
    pub fn softmax(&mut self, x: usize, axis: usize) -> usize {
        let max = self.fixed_max(x, axis);
        let shifted = self.sub(x, max);
        let exp = self.map(Elementwise::Exp, shifted);
        let sum = self.sum(exp, &[axis]);
        // The largest element contributes one, so only a row of −∞ has a smaller sum.
        let positive = self.map(Elementwise::Clamp(0.5, f64::INFINITY), sum);
        self.div(exp, positive)
    }

    /// `x − ln Σ eˣ` along an axis.
    pub fn log_softmax(&mut self, x: usize, axis: usize) -> usize {
        let max = self.fixed_max(x, axis);
        let shifted = self.sub(x, max);
        let exp = self.map(Elementwise::Exp, shifted);
        let sum = self.sum(exp, &[axis]);
        let log = self.map(Elementwise::Ln, sum);
        self.sub(shifted, log)
    }
}
