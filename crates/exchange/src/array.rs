//! [`Array`]: a tensor as PyTorch has it, of any rank and kind, and what is done with its shape.
//!
//! Every method checks what it is given: shapes come from a file, and Burn would panic.

use burn::tensor::{DType, Int, Tensor};
use burn_backend::ops::{BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn_backend::{FloatDType, IntDType, Shape, Slice, TensorMetadata};
use burn_dispatch::{Dispatch, DispatchTensor, DispatchTensorKind};

/// What does not fit, in words: the node it happened at is added by who calls.
pub type Problem = String;

/// The largest number of elements that a value may have: more is a damaged file, not a network.
const MOST: usize = 1 << 34;

/// A tensor of any rank. Burn's have at least one axis; a number alone is kept as an array of one.
#[derive(Clone, Debug)]
pub struct Array {
    tensor: DispatchTensor,
    scalar: bool,
}

/// What an array's elements are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Floats, all of one type.
    Float,
    /// Whole numbers.
    Int,
    /// Conditions.
    Bool,
}

/// The same method of Burn for each kind of element.
macro_rules! by_kind {
    ($array:expr, $float:ident, $int:ident, $bool:ident $(, $argument:expr)*) => {
        match $array.kind() {
            Kind::Float => Dispatch::$float($array.tensor $(, $argument)*),
            Kind::Int => Dispatch::$int($array.tensor $(, $argument)*),
            Kind::Bool => Dispatch::$bool($array.tensor $(, $argument)*),
        }
    };
}

impl From<DispatchTensor> for Array {
    fn from(tensor: DispatchTensor) -> Self {
        Self { tensor, scalar: false }
    }
}

impl Array {
    /// A tensor with this shape, which may have no axis.
    pub fn with_shape(tensor: DispatchTensor, shape: &[usize]) -> Self {
        Self { tensor, scalar: shape.is_empty() }
    }

    pub fn tensor(self) -> DispatchTensor {
        self.tensor
    }

    pub fn kind(&self) -> Kind {
        let dtype = self.tensor.dtype();
        if dtype.is_float() {
            Kind::Float
        } else if dtype.is_bool() {
            Kind::Bool
        } else {
            Kind::Int
        }
    }

    pub fn shape(&self) -> Vec<usize> {
        if self.scalar { Vec::new() } else { self.tensor.shape().to_vec() }
    }

    pub fn rank(&self) -> usize {
        self.shape().len()
    }

    pub fn elements(&self) -> usize {
        self.shape().iter().product()
    }

    /// Which axis this is, where negative ones count from the last.
    pub fn axis(&self, axis: i64) -> Result<usize, Problem> {
        axis_of(axis, self.rank())
    }

    /// The elements in the same order under another shape.
    pub fn reshape(self, shape: &[usize]) -> Result<Self, Problem> {
        if elements(shape)? != self.elements() {
            return Err(format!("{:?} cannot have the shape {shape:?}", self.shape()));
        }
        if self.shape() == shape {
            return Ok(self);
        }
        let to = Shape::from(if shape.is_empty() { vec![1] } else { shape.to_vec() });
        Ok(Self::with_shape(by_kind!(self, float_reshape, int_reshape, bool_reshape, to), shape))
    }

    /// The elements repeated along axes of length one, and along new axes in front.
    pub fn expand(self, shape: &[usize]) -> Result<Self, Problem> {
        if self.shape() == shape {
            return Ok(self);
        }
        elements(shape)?;
        let own = self.shape();
        let fits = own.len() <= shape.len()
            && own.iter().rev().zip(shape.iter().rev()).all(|(own, to)| own == to || *own == 1);
        if !fits {
            return Err(format!("{own:?} does not broadcast to {shape:?}"));
        }
        let lifted = self.lift(shape.len())?;
        Ok(by_kind!(lifted, float_expand, int_expand, bool_expand, Shape::from(shape.to_vec())).into())
    }

    /// At least `rank` axes, new ones in front.
    pub fn lift(self, rank: usize) -> Result<Self, Problem> {
        let own = self.shape();
        let shape = [vec![1; rank.saturating_sub(own.len())], own].concat();
        self.reshape(&shape)
    }

    pub fn permute(self, axes: &[usize]) -> Result<Self, Problem> {
        let mut sorted = axes.to_vec();
        sorted.sort_unstable();
        if sorted != (0..self.rank()).collect::<Vec<_>>() {
            return Err(format!("{axes:?} are not the axes of {:?}", self.shape()));
        }
        if sorted == axes {
            return Ok(self);
        }
        Ok(by_kind!(self, float_permute, int_permute, bool_permute, axes).into())
    }

    pub fn swap(self, a: usize, b: usize) -> Result<Self, Problem> {
        let mut axes: Vec<usize> = (0..self.rank()).collect();
        axes.swap(a, b);
        self.permute(&axes)
    }

    /// Every `step`-th element from `start` to before `end` along an axis.
    pub fn slice(self, axis: usize, start: usize, end: usize, step: usize) -> Result<Self, Problem> {
        let shape = self.shape();
        let length = shape.get(axis).copied().ok_or_else(|| format!("{shape:?} has no axis {axis}"))?;
        if start > end || end > length || step == 0 {
            return Err(format!("{start}..{end} by {step} does not lie in an axis of {length}"));
        }
        if (start, end, step) == (0, length, 1) {
            return Ok(self);
        }
        if start == end {
            return Err(format!("{start}..{end} is empty"));
        }
        let mut slices = vec![Slice::full(); shape.len()];
        slices[axis] = Slice::new(start as isize, Some(end as isize), step as isize);
        Ok(by_kind!(self, float_slice, int_slice, bool_slice, &slices).into())
    }

    /// What stands at one place of an axis, without that axis.
    pub fn select(self, axis: usize, index: usize) -> Result<Self, Problem> {
        let mut shape = self.shape();
        let one = self.slice(axis, index, index.saturating_add(1), 1)?;
        shape.remove(axis);
        one.reshape(&shape)
    }

    /// Arrays one after the other along an axis.
    pub fn cat(arrays: Vec<Self>, axis: i64) -> Result<Self, Problem> {
        // PyTorch passes over empty rows, as caches begin with.
        let arrays: Vec<Self> = arrays.into_iter().filter(|array| array.shape() != [0]).collect();
        let first = arrays.first().ok_or("nothing is joined")?;
        let (shape, kind, axis) = (first.shape(), first.kind(), first.axis(axis)?);
        for array in &arrays {
            let other = array.shape();
            let alike = other.len() == shape.len()
                && (0..shape.len()).all(|at| at == axis || other[at] == shape[at])
                && array.kind() == kind;
            if !alike {
                return Err(format!("{shape:?} and {other:?} cannot be joined along axis {axis}"));
            }
        }
        let tensors = arrays.into_iter().map(Self::tensor).collect();
        let tensor = match kind {
            Kind::Float => Dispatch::float_cat(tensors, axis),
            Kind::Int => Dispatch::int_cat(tensors, axis),
            Kind::Bool => Dispatch::bool_cat(tensors, axis),
        };
        Ok(tensor.into())
    }

    pub fn flip(self, axes: &[usize]) -> Self {
        by_kind!(self, float_flip, int_flip, bool_flip, axes).into()
    }

    /// The first whole number of which something holds. What is only recorded has no numbers.
    fn find(&self, is_one: impl Fn(i64) -> bool) -> Option<i64> {
        fn is_recorded(kind: &DispatchTensorKind) -> bool {
            match kind {
                DispatchTensorKind::Capture(_) => true,
                DispatchTensorKind::Autodiff(inner) => is_recorded(inner),
                _ => false,
            }
        }
        if is_recorded(&self.tensor.kind) {
            return None;
        }
        let flat = self.clone().int().reshape(&[self.elements()]).ok()?.tensor;
        Tensor::<1, Int>::from_dispatch(flat).into_data().iter::<i64>().find(|number| is_one(*number))
    }

    /// Whether whole numbers are those of places among so many, as far as there are numbers.
    pub fn are_places(&self, length: usize) -> Result<(), Problem> {
        match self.find(|place| usize::try_from(place).map_or(true, |place| place >= length)) {
            Some(place) => Err(format!("place {place} is asked for, of {length}")),
            None => Ok(()),
        }
    }

    /// Whether a whole number is zero, as far as there are numbers.
    pub fn has_zero(&self) -> bool {
        self.find(|number| number == 0).is_some()
    }

    /// Rows along an axis, by their numbers `[k]`.
    pub fn rows(self, axis: usize, indices: Self) -> Result<Self, Problem> {
        if indices.kind() != Kind::Int || indices.rank() != 1 || axis >= self.rank() {
            return Err("rows are chosen by a row of whole numbers".to_owned());
        }
        indices.are_places(self.shape()[axis])?;
        let indices = indices.tensor;
        Ok(by_kind!(self, float_select, int_select, bool_select, axis, indices).into())
    }

    /// Of every place of `indices` along an axis, the element with that number there.
    pub fn gather(self, axis: usize, indices: Self) -> Result<Self, Problem> {
        let (own, other) = (self.shape(), indices.shape());
        let fits = own.len() == other.len() && (0..own.len()).all(|at| at == axis || other[at] <= own[at]);
        if indices.kind() != Kind::Int || !fits {
            return Err(format!("indices {other:?} into {own:?} along axis {axis}"));
        }
        indices.are_places(own.get(axis).copied().unwrap_or(1))?;
        // Burn gathers from an array that is as long as the indices in all other axes.
        let mut narrowed = self;
        for (at, &length) in other.iter().enumerate().filter(|(at, _)| *at != axis) {
            narrowed = narrowed.slice(at, 0, length, 1)?;
        }
        Ok(match narrowed.kind() {
            Kind::Float => Dispatch::float_gather(axis, narrowed.tensor, indices.tensor),
            Kind::Int => Dispatch::int_gather(axis, narrowed.tensor, indices.tensor),
            Kind::Bool => Dispatch::bool_gather(axis, narrowed.tensor, indices.tensor),
        }
        .into())
    }

    /// As floats of this type.
    pub fn float(self, dtype: FloatDType) -> Self {
        let shape = self.shape();
        let tensor = match self.kind() {
            Kind::Float if self.tensor.dtype() == DType::from(dtype) => return self,
            Kind::Float => Dispatch::float_cast(self.tensor, dtype),
            Kind::Int => Dispatch::int_into_float(self.tensor, dtype),
            Kind::Bool => Dispatch::bool_into_float(self.tensor, dtype),
        };
        Self::with_shape(tensor, &shape)
    }

    /// As whole numbers, cut towards zero.
    pub fn int(self) -> Self {
        let shape = self.shape();
        let tensor = match self.kind() {
            Kind::Float => Dispatch::float_into_int(self.tensor, IntDType::I64),
            Kind::Int => return self,
            Kind::Bool => Dispatch::bool_into_int(self.tensor, IntDType::I64),
        };
        Self::with_shape(tensor, &shape)
    }

    /// What Burn's function makes of the tensor, which keeps its shape.
    pub fn map(self, function: impl FnOnce(DispatchTensor) -> DispatchTensor) -> Self {
        let scalar = self.scalar;
        Self { tensor: function(self.tensor), scalar }
    }

    /// What Burn's function makes of two tensors that broadcast.
    pub fn zip(
        self,
        other: Self,
        function: impl FnOnce(DispatchTensor, DispatchTensor) -> DispatchTensor,
    ) -> Result<Self, Problem> {
        let shape = broadcast(&self.shape(), &other.shape())?;
        let rank = shape.len();
        let tensor = function(self.lift(rank)?.tensor, other.lift(rank)?.tensor);
        Ok(Self::with_shape(tensor, &shape))
    }
}

/// Number of elements of a shape that is not out of all measure.
pub fn elements(shape: &[usize]) -> Result<usize, Problem> {
    let count = shape.iter().try_fold(1usize, |count, &length| count.checked_mul(length));
    count.filter(|&count| count <= MOST).ok_or_else(|| format!("an array of {shape:?} elements"))
}

/// Which of `rank` axes this is, where negative ones count from the last.
pub fn axis_of(axis: i64, rank: usize) -> Result<usize, Problem> {
    let found = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
    let found = found.and_then(|axis| usize::try_from(axis).ok()).filter(|&axis| axis < rank.max(1));
    found.ok_or_else(|| format!("there is no axis {axis} among {rank}"))
}

/// The shape that two broadcast to.
pub fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, Problem> {
    let rank = a.len().max(b.len());
    let at = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    let shape = (0..rank).map(|axis| match (at(a, axis), at(b, axis)) {
        (a, b) if a == b || b == 1 => Some(a),
        (1, b) => Some(b),
        _ => None,
    });
    let shape: Option<Vec<usize>> = shape.collect();
    let shape = shape.ok_or_else(|| format!("{a:?} and {b:?} do not broadcast"))?;
    elements(&shape).map(|_| shape)
}
