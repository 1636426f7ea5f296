//! Linear operations: the map and its adjoint, with indices and masks held fixed.

use std::fmt;

use burn::tensor::DType;
use burn_backend::Slice;

use super::shapes::Shapes;
use crate::array::{Array, Window};
use crate::value::{Value, prefixed, runtime_shape, sum, width};

/// An operation linear in its float operands. Axes count without the block axis.
#[derive(Clone, Debug)]
pub enum Linear {
    /// `a + b`, of one shape.
    Add,
    /// `a − b`, of one shape.
    Subtract,
    /// The same elements in another shape.
    Reshape,
    /// Axes in another order.
    Permute(Vec<usize>),
    /// Axes of length one repeated.
    Expand,
    /// Sums over axes, which stay with length one.
    Sum(Vec<usize>),
    /// A part.
    Slice(Vec<Slice>),
    /// The first operand with a part replaced by the second.
    SliceAssign(Vec<Slice>),
    /// Axes reversed.
    Flip(Vec<usize>),
    /// Operands joined along an axis.
    Concatenate(usize),
    /// Rows of an axis by index `[m]`.
    Select(usize),
    /// Elements along an axis by index of the result's shape.
    Gather(usize),
    /// The first operand with the second added at rows by index `[m]`.
    SelectAdd(usize),
    /// The first operand with the second added at elements by index of the second's shape.
    ScatterAdd(usize),
    /// The first operand where the mask is false, the second where it is true.
    Where,
    /// Running sums along an axis.
    CumulativeSum(usize),
    /// Two-dimensional average pooling.
    AveragePool(Window),
    /// Two-dimensional average pooling to a given size.
    AdaptiveAveragePool([usize; 2]),
    /// Another float type.
    Cast {
        /// The operand's type.
        from: DType,
        /// The result's type.
        to: DType,
    },
}

impl Linear {
    /// Whether the last operand is an index or a mask.
    pub fn has_auxiliary(&self) -> bool {
        matches!(self, Self::Select(_) | Self::Gather(_) | Self::SelectAdd(_) | Self::ScatterAdd(_) | Self::Where)
    }

    /// The map applied to operands (or their tangents), where nothing stands for zero.
    pub fn apply(&self, operands: Vec<Option<Value>>, auxiliary: Option<&Value>, shapes: &Shapes) -> Option<Value> {
        let present = operands.iter().flatten().next()?.clone();
        if let [Some(operand)] = operands.as_slice() {
            return Some(self.apply_one(operand.clone(), auxiliary, shapes));
        }
        if let Self::Add | Self::Subtract = self {
            let mut operands = operands.into_iter();
            let (first, second) = (operands.next().flatten(), operands.next().flatten());
            let second = match self {
                Self::Subtract => match (first, second) {
                    (Some(first), Some(second)) => return Some(first.zip(second, Array::sub)),
                    (first, None) => return first,
                    (None, Some(second)) => return Some(second.map(Array::neg)),
                },
                _ => second,
            };
            return sum(first, second);
        }
        // The others need all their operands, written out and with the same block.
        let width = width(operands.iter().flatten().chain(auxiliary));
        let arrays: Vec<Array> = operands
            .into_iter()
            .zip(&shapes.operands)
            .map(|(operand, shape)| match operand {
                Some(operand) => operand.expanded(width),
                None => Array::zeros(&runtime_shape(width, shape), &present.array),
            })
            .collect();
        let lead = usize::from(width.is_some());
        let array = match (self, arrays.as_slice()) {
            (Self::Concatenate(axis), _) => Array::cat(arrays, axis + lead),
            (Self::SliceAssign(ranges), [base, value]) => {
                base.clone().slice_assign(&with_lead(ranges, lead), value.clone())
            }
            (Self::Where, [no, yes]) => {
                let mask = auxiliary_of(auxiliary).clone().expanded(width);
                no.clone().mask_where(mask, yes.clone())
            }
            (Self::ScatterAdd(axis), [base, values]) => {
                let indices = auxiliary_of(auxiliary).clone().expanded(width);
                base.clone().scatter_add(axis + lead, indices, values.clone())
            }
            (Self::SelectAdd(axis), [base, values]) => {
                let values = Value { array: values.clone(), block: width.is_some() };
                let added = select_adjoint(values, auxiliary_of(auxiliary), *axis, shapes.operands[0]);
                base.clone().add(added.expanded(width))
            }
            _ => unreachable!("{self} has one operand"),
        };
        Some(Value { array, block: width.is_some() })
    }

    fn apply_one(&self, x: Value, auxiliary: Option<&Value>, shapes: &Shapes) -> Value {
        let lead = usize::from(x.block);
        let shape = runtime_shape(x.width(), shapes.output);
        match self {
            Self::Reshape => x.map(|array| array.reshape(&shape)),
            Self::Expand => x.map(|array| array.expand(&shape)),
            Self::Permute(axes) => x.map(|array| array.permute(&axes_with_lead(axes, lead))),
            Self::Sum(axes) => x.map(|array| array.sum(&shifted(axes, lead))),
            Self::Slice(ranges) => x.map(|array| array.slice(&with_lead(ranges, lead))),
            Self::Flip(axes) => x.map(|array| array.flip(&shifted(axes, lead))),
            Self::Select(axis) => select(x, auxiliary_of(auxiliary), *axis),
            Self::Gather(axis) => {
                let indices = auxiliary_of(auxiliary);
                let width = width([&x, indices]);
                let lead = usize::from(width.is_some());
                let array = x.expanded(width).gather(axis + lead, indices.clone().expanded(width));
                Value { array, block: width.is_some() }
            }
            Self::CumulativeSum(axis) => x.map(|array| array.cumsum(axis + lead)),
            Self::AveragePool(window) => folded(x, |array| array.average_pool(*window)),
            Self::AdaptiveAveragePool(size) => folded(x, |array| array.adaptive_average_pool(*size)),
            Self::Cast { to, .. } => x.map(|array| array.cast(*to)),
            Self::Concatenate(_) => x,
            Self::Add
            | Self::Subtract
            | Self::SliceAssign(_)
            | Self::SelectAdd(_)
            | Self::ScatterAdd(_)
            | Self::Where => unreachable!("{self} has two operands"),
        }
    }

    /// The adjoint in the operand at `position`, where it is an operation of this kind too, without zeros around it.
    pub fn adjoint(&self, position: usize, shapes: &Shapes) -> Adjoint {
        let target = shapes.operands[position];
        match self {
            Self::Add => Adjoint::Identity,
            Self::Subtract if position == 0 => Adjoint::Identity,
            Self::Subtract => Adjoint::Negative,
            Self::Reshape => Adjoint::Linear(Self::Reshape),
            Self::Permute(axes) => {
                let mut inverse = vec![0; axes.len()];
                for (to, &from) in axes.iter().enumerate() {
                    inverse[from] = to;
                }
                Adjoint::Linear(Self::Permute(inverse))
            }
            Self::Expand => {
                let repeated = |axis: &usize| target[*axis] != shapes.output[*axis];
                Adjoint::Linear(Self::Sum((0..target.len()).filter(repeated).collect()))
            }
            Self::Sum(_) => Adjoint::Linear(Self::Expand),
            Self::SliceAssign(ranges) if position == 1 => Adjoint::Linear(Self::Slice(ranges.clone())),
            Self::Flip(axes) => Adjoint::Linear(Self::Flip(axes.clone())),
            Self::SelectAdd(_) | Self::ScatterAdd(_) if position == 0 => Adjoint::Identity,
            Self::SelectAdd(axis) => Adjoint::Linear(Self::Select(*axis)),
            Self::ScatterAdd(axis) => Adjoint::Linear(Self::Gather(*axis)),
            Self::Concatenate(axis) => {
                let start: usize = shapes.operands[..position].iter().map(|shape| shape[*axis]).sum();
                let mut ranges = vec![Slice::full(); *axis];
                ranges.push(Slice::new(start as isize, Some((start + target[*axis]) as isize), 1));
                Adjoint::Linear(Self::Slice(ranges))
            }
            Self::Cast { from, to } => Adjoint::Linear(Self::Cast { from: *to, to: *from }),
            Self::Slice(_)
            | Self::SliceAssign(_)
            | Self::Select(_)
            | Self::Gather(_)
            | Self::Where
            | Self::CumulativeSum(_)
            | Self::AveragePool(_)
            | Self::AdaptiveAveragePool(_) => Adjoint::Other,
        }
    }

    /// The adjoint in the operand at `position`, applied to a cotangent of the result.
    pub fn pull(&self, position: usize, output: Value, auxiliary: Option<&Value>, shapes: &Shapes) -> Value {
        let lead = usize::from(output.block);
        let target = shapes.operands[position];
        let shape = runtime_shape(output.width(), target);
        let exchanged = Shapes { operands: vec![shapes.output], output: target };
        match (self.adjoint(position, shapes), self) {
            (Adjoint::Identity, _) => output,
            (Adjoint::Negative, _) => output.map(Array::neg),
            (Adjoint::Linear(linear), _) => linear.apply_one(output, auxiliary, &exchanged),
            (Adjoint::Other, Self::Slice(ranges)) => output.map(|array| {
                let zeros = Array::zeros(&shape, &array);
                zeros.slice_assign(&with_lead(ranges, lead), array)
            }),
            (Adjoint::Other, Self::SliceAssign(ranges)) => output.map(|array| {
                let zeros = Array::zeros(&runtime_shape(None, &sliced(&array, ranges, lead)), &array);
                array.slice_assign(&with_lead(ranges, lead), zeros)
            }),
            (Adjoint::Other, Self::Select(axis)) => select_adjoint(output, auxiliary_of(auxiliary), *axis, target),
            (Adjoint::Other, Self::Gather(axis)) => {
                let indices = auxiliary_of(auxiliary);
                let width = width([&output, indices]);
                let zeros = Array::zeros(&runtime_shape(width, target), &output.array);
                let axis = axis + usize::from(width.is_some());
                let array = zeros.scatter_add(axis, indices.clone().expanded(width), output.expanded(width));
                Value { array, block: width.is_some() }
            }
            (Adjoint::Other, Self::Where) => {
                let mask = auxiliary_of(auxiliary);
                let width = width([&output, mask]);
                let mask = mask.clone().expanded(width);
                let output = output.expanded(width);
                let zeros = Array::zeros(&output.shape(), &output);
                let array = if position == 0 { output.mask_where(mask, zeros) } else { zeros.mask_where(mask, output) };
                Value { array, block: width.is_some() }
            }
            (Adjoint::Other, Self::CumulativeSum(axis)) => {
                let axis = axis + lead;
                output.map(|array| array.flip(&[axis]).cumsum(axis).flip(&[axis]))
            }
            (Adjoint::Other, Self::AveragePool(window)) => folded(output, |array| {
                let input = with_samples(target, &array);
                Array::average_pool_adjoint(&input, array, *window)
            }),
            (Adjoint::Other, Self::AdaptiveAveragePool(_)) => folded(output, |array| {
                let input = Array::full(0.0, &with_samples(target, &array), &array);
                Array::adaptive_average_pool_adjoint(input, array)
            }),
            (Adjoint::Other, _) => unreachable!("the adjoint of {self} is an operation of this kind"),
        }
    }
}

/// The adjoint of a linear operation.
#[derive(Clone, Debug)]
pub enum Adjoint {
    /// The cotangent itself.
    Identity,
    /// The cotangent times −1.
    Negative,
    /// Another linear operation, from the result's shape to the operand's.
    Linear(Linear),
    /// None of these: what [`Linear::pull`] alone can do.
    Other,
}

fn auxiliary_of(auxiliary: Option<&Value>) -> &Value {
    let Some(auxiliary) = auxiliary else { unreachable!("the operation was built with an index or a mask") };
    auxiliary
}

fn shifted(axes: &[usize], lead: usize) -> Vec<usize> {
    axes.iter().map(|axis| axis + lead).collect()
}

fn axes_with_lead(axes: &[usize], lead: usize) -> Vec<usize> {
    (0..lead).chain(axes.iter().map(|axis| axis + lead)).collect()
}

fn with_lead(ranges: &[Slice], lead: usize) -> Vec<Slice> {
    std::iter::repeat_n(Slice::full(), lead).chain(ranges.iter().copied()).collect()
}

/// The shape of the part of `array` that `ranges` select.
fn sliced(array: &Array, ranges: &[Slice], lead: usize) -> Vec<usize> {
    array.clone().slice(&with_lead(ranges, lead)).shape()
}

/// `shape` with as many samples as `array` has.
fn with_samples(shape: &[usize], array: &Array) -> Vec<usize> {
    prefixed(array.shape()[0], &shape[1..])
}

/// `f` of the samples of a block as one batch.
fn folded(x: Value, f: impl FnOnce(Array) -> Array) -> Value {
    let width = x.width();
    let result = f(x.folded());
    match width {
        None => Value::one(result),
        Some(width) => {
            let mut shape = result.shape();
            shape[0] /= width;
            Value::block(result.reshape(&prefixed(width, &shape)))
        }
    }
}

/// Rows of `axis` by `indices`. Where every entry of a block has indices of its own, they are spread to pick single
/// elements.
fn select(x: Value, indices: &Value, axis: usize) -> Value {
    if !indices.block {
        let lead = usize::from(x.block);
        return x.map(|array| array.select(axis + lead, indices.array.clone()));
    }
    let width = indices.width();
    let mut shape = x.shape();
    shape[axis] = indices.shape()[0];
    Value::block(x.expanded(width).gather(axis + 1, spread(indices, axis, &shape)))
}

/// The adjoint of `select`: rows added where they came from, in zeros of shape `target`.
fn select_adjoint(output: Value, indices: &Value, axis: usize, target: &[usize]) -> Value {
    if !indices.block {
        let lead = usize::from(output.block);
        let zeros = Array::zeros(&runtime_shape(output.width(), target), &output.array);
        return output.map(|array| zeros.select_add(axis + lead, indices.array.clone(), array));
    }
    let width = indices.width();
    let shape = output.shape();
    let zeros = Array::zeros(&runtime_shape(width, target), &output.array);
    Value::block(zeros.scatter_add(axis + 1, spread(indices, axis, &shape), output.expanded(width)))
}

/// A block of row indices `[k, m]` as element indices `[k] + shape`, where `shape[axis] = m`.
fn spread(indices: &Value, axis: usize, shape: &[usize]) -> Array {
    let mut thin = vec![1; shape.len()];
    thin[axis] = shape[axis];
    let width = indices.array.shape()[0];
    indices.array.clone().reshape(&prefixed(width, &thin)).expand(&prefixed(width, shape))
}

impl fmt::Display for Linear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges = |ranges: &[Slice]| {
            let range = |slice: &Slice| {
                let end = slice.end.map_or_else(String::new, |end| end.to_string());
                let step = if slice.step == 1 { String::new() } else { format!(":{}", slice.step) };
                format!("{}..{end}{step}", slice.start)
            };
            ranges.iter().map(range).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Add => write!(f, "add"),
            Self::Subtract => write!(f, "subtract"),
            Self::Reshape => write!(f, "reshape"),
            Self::Permute(axes) => write!(f, "permute{axes:?}"),
            Self::Expand => write!(f, "expand"),
            Self::Sum(axes) => write!(f, "sum{axes:?}"),
            Self::Slice(parts) => write!(f, "slice[{}]", ranges(parts)),
            Self::SliceAssign(parts) => write!(f, "slice_assign[{}]", ranges(parts)),
            Self::Flip(axes) => write!(f, "flip{axes:?}"),
            Self::Concatenate(axis) => write!(f, "concatenate[{axis}]"),
            Self::Select(axis) => write!(f, "select[{axis}]"),
            Self::Gather(axis) => write!(f, "gather[{axis}]"),
            Self::SelectAdd(axis) => write!(f, "select_add[{axis}]"),
            Self::ScatterAdd(axis) => write!(f, "scatter_add[{axis}]"),
            Self::Where => write!(f, "where"),
            Self::CumulativeSum(axis) => write!(f, "cumulative_sum[{axis}]"),
            Self::AveragePool(Window { kernel, stride, padding, .. }) => {
                write!(f, "average_pool[kernel {kernel:?}, stride {stride:?}, padding {padding:?}]")
            }
            Self::AdaptiveAveragePool(size) => write!(f, "adaptive_average_pool{size:?}"),
            Self::Cast { to, .. } => write!(f, "cast[{to:?}]"),
        }
    }
}
