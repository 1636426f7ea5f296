//! Arrays in the memory of the CPU, worked on by the kernels of [`crate::host`].
//!
//! This file alone decides what a kernel does. What none is made for, and every other device, is Burn's.
#![allow(clippy::result_large_err, reason = "`Err` hands arrays back to where there is another way; it is no failure")]

use burn::tensor::TensorData;
use burn_backend::ops::ConvOptions;
use burn_backend::tensor::FloatTensor;
use burn_dispatch::backends::Flex;
use burn_dispatch::{BackendTensor, DispatchAutodiffContext, DispatchTensor, DispatchTensorKind};

use super::storage::Array;
use super::window::Window;
use crate::host::{self, Convolution, Layout, MatrixView, Real, Repeated, by_type};

/// Flex's tensor: bytes, with shape, strides and offset.
type Host = FloatTensor<Flex>;

/// What is done with two elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    Add,
    Subtract,
    Multiply,
}

/// A new array of this shape, calculated from one in host memory.
macro_rules! made_of_one {
    ($a:expr, $shape:expr, |$out:ident, $x:ident| $body:expr) => {{
        let a = $a.host().is_some().then(|| $a.clone().dense())?;
        by_type!(a.dtype(), T => {
            let $x = a.slice_on_host::<T>()?;
            let mut numbers = vec![T::ZERO; $shape.iter().product()];
            let $out = &mut numbers[..];
            $body;
            Some(Array::from_host(numbers, $shape))
        })
    }};
}

/// A new array of this shape, calculated from two of one type in host memory.
macro_rules! made_of_two {
    ($a:expr, $b:expr, $shape:expr, |$out:ident, $x:ident, $y:ident| $body:expr) => {{
        let b = ($b.host().is_some() && $a.dtype() == $b.dtype()).then(|| $b.clone().dense())?;
        made_of_one!($a, $shape, |$out, $x| {
            let $y = b.slice_on_host()?;
            $body
        })
    }};
}

/// What is calculated from two arrays of one type, added to another in its own memory, if nobody else reads that.
macro_rules! added_of_two {
    ($onto:expr, $a:expr, $b:expr, |$out:ident, $x:ident, $y:ident| $body:expr) => {{
        if $a.host().is_none() || $b.host().is_none() || $a.dtype() != $b.dtype() {
            return None;
        }
        let (a, b) = ($a.clone().dense(), $b.clone().dense());
        by_type!(a.dtype(), T => {
            let ($x, $y) = (a.slice_on_host::<T>()?, b.slice_on_host::<T>()?);
            let $out = $onto.slice_on_host_mut::<T>()?;
            $body;
            Some(())
        })
    }};
}

impl Array {
    fn host(&self) -> Option<&Host> {
        match &self.0.kind {
            DispatchTensorKind::Flex(BackendTensor::Float(tensor)) => Some(tensor),
            _ => None,
        }
    }

    /// The elements, if they lie in host memory one after the other.
    pub fn slice_on_host<T: Real>(&self) -> Option<&[T]> {
        self.host()?.as_slice()
    }

    /// The elements themselves, if nobody else reads them.
    pub fn slice_on_host_mut<T: Real>(&mut self) -> Option<&mut [T]> {
        let DispatchTensorKind::Flex(BackendTensor::Float(tensor)) = &mut self.0.kind else { return None };
        let (start, end) = tensor.layout().contiguous_offsets()?;
        Some(&mut tensor.try_storage_mut()?[start..end])
    }

    /// Whether it is a float array in host memory.
    pub fn is_on_host(&self) -> bool {
        self.host().is_some()
    }

    /// The array with its elements in memory one after the other.
    pub fn dense(self) -> Self {
        let shape = self.shape();
        let is_dense = self.host().is_none_or(|tensor| tensor.layout().contiguous_offsets().is_some());
        if is_dense { self } else { self.reshape(&[shape.iter().product()]).reshape(&shape) }
    }

    /// An array of these elements, row by row.
    pub fn from_host<T: Real>(values: Vec<T>, shape: &[usize]) -> Self {
        let tensor = Host::from_data(TensorData::new(values, shape.to_vec()));
        let kind = DispatchTensorKind::Flex(BackendTensor::Float(tensor));
        Self(DispatchTensor { kind, autodiff: DispatchAutodiffContext::Disabled })
    }

    /// The product of two matrices, added to `onto`; or that back.
    pub(super) fn product_on_host(&self, other: &Self, onto: Option<Self>) -> Result<Self, Option<Self>> {
        let (Some(a), Some(b)) = (self.host(), other.host()) else { return Err(onto) };
        if a.dtype() != b.dtype() || onto.as_ref().is_some_and(|onto| onto.dtype() != a.dtype()) {
            return Err(onto);
        }
        let mut onto = onto;
        let product = by_type!(a.dtype(), T => product::<T>(a, b, &mut onto));
        product.ok_or(onto)
    }

    /// `self ∘ factor + a ∘ b`; or the array back.
    pub(super) fn times_plus_on_host(mut self, factor: &Self, a: &Self, b: &Self) -> Result<Self, Self> {
        let alike = |other: &Self| other.dtype() == self.dtype() && other.shape() == self.shape();
        if !alike(factor) || !alike(a) || !alike(b) {
            return Err(self);
        }
        let done = by_type!(self.dtype(), T => {
            match (factor.slice_on_host::<T>(), a.slice_on_host(), b.slice_on_host(), self.slice_on_host_mut()) {
                (Some(factor), Some(a), Some(b), Some(out)) => {
                    host::times_plus(out, factor, a, b);
                    Some(())
                }
                _ => None,
            }
        });
        if done.is_some() { Ok(self) } else { Err(self) }
    }

    /// The mean of each window.
    pub(super) fn pooled_on_host(&self, window: Window) -> Option<Self> {
        let shape = self.shape();
        let (front, size) = planes(&shape)?;
        let pool = window.inside(size)?;
        let shape = [front, &pool.output].concat();
        made_of_one!(self, &shape, |out, x| host::average_pool(out, x, pool))
    }

    /// The adjoint of means of windows.
    pub(super) fn pool_adjoint_on_host(input: &[usize], output: &Self, window: Window) -> Option<Self> {
        let (_, size) = planes(input)?;
        let pool = window.inside(size)?;
        made_of_one!(output, input, |out, y| host::average_pool_adjoint(out, y, pool, false))
    }

    /// The convolution with a weight.
    pub(super) fn convolved_on_host(&self, weight: &Self, options: &ConvOptions<2>) -> Option<Self> {
        let form = Convolution::new(&self.shape(), &weight.shape(), options)?;
        made_of_two!(self, weight, &form.output_shape(), |out, x, w| host::convolve(out, x, w, &form, false))
    }

    /// The same, added to an array.
    pub(super) fn convolved_onto_host(&self, weight: &Self, options: &ConvOptions<2>, onto: &mut Self) -> Option<()> {
        let form = Convolution::new(&self.shape(), &weight.shape(), options)?;
        debug_assert_eq!(onto.shape(), form.output_shape());
        added_of_two!(onto, self, weight, |out, x, w| host::convolve(out, x, w, &form, true))
    }

    /// The adjoint of a convolution in its input.
    pub(super) fn input_adjoint_on_host(
        input: &[usize],
        weight: &Self,
        output: &Self,
        options: &ConvOptions<2>,
    ) -> Option<Self> {
        let form = Convolution::new(input, &weight.shape(), options)?;
        made_of_two!(weight, output, input, |out, w, y| host::convolve_input_adjoint(out, w, y, &form, false))
    }

    /// The same, added to an array.
    pub(super) fn input_adjoint_onto_host(
        weight: &Self,
        output: &Self,
        options: &ConvOptions<2>,
        onto: &mut Self,
    ) -> Option<()> {
        let form = Convolution::new(&onto.shape(), &weight.shape(), options)?;
        added_of_two!(onto, weight, output, |out, w, y| host::convolve_input_adjoint(out, w, y, &form, true))
    }

    /// The adjoint of a convolution in its weight.
    pub(super) fn weight_adjoint_on_host(
        input: &Self,
        weight: &[usize],
        output: &Self,
        options: &ConvOptions<2>,
    ) -> Option<Self> {
        let form = Convolution::new(&input.shape(), weight, options)?;
        made_of_two!(input, output, weight, |out, x, y| host::convolve_weight_adjoint(out, x, y, &form, false))
    }

    /// The same, added to an array.
    pub(super) fn weight_adjoint_onto_host(
        input: &Self,
        output: &Self,
        options: &ConvOptions<2>,
        onto: &mut Self,
    ) -> Option<()> {
        let form = Convolution::new(&input.shape(), &onto.shape(), options)?;
        added_of_two!(onto, input, output, |out, x, y| host::convolve_weight_adjoint(out, x, y, &form, true))
    }

    /// Sum, difference or product of the elements of two arrays with broadcasting; or both back.
    pub(super) fn combined_on_host(self, other: Self, arithmetic: Arithmetic) -> Result<Self, (Self, Self)> {
        let of_one_type = self.dtype() == other.dtype() && self.host().is_some() && other.host().is_some();
        if !of_one_type || self.shape().len() != other.shape().len() {
            return Err((self, other));
        }
        let commutes = arithmetic != Arithmetic::Subtract;
        let (mine, others) = (self.shape(), other.shape());
        let (mut whole, part) = if broadcasts(&others, &mine) {
            (self, other)
        } else if commutes && broadcasts(&mine, &others) {
            (other, self)
        } else {
            return Err((self, other));
        };
        let done = by_type!(whole.dtype(), T => combine::<T>(&mut whole, &part, arithmetic));
        match done {
            Some(None) => Ok(whole),
            Some(Some(result)) => Ok(result),
            None if commutes || mine == whole.shape() => Err((whole, part)),
            None => Err((part, whole)),
        }
    }
}

/// The product of two matrices: in the memory of `onto`, which is then taken, if nobody else reads that; otherwise in
/// new memory, if there is nothing to add it to.
fn product<T: Real>(a: &Host, b: &Host, onto: &mut Option<Array>) -> Option<Array> {
    let (a, b) = (matrix::<T>(a)?, matrix::<T>(b)?);
    match onto {
        None => {
            let mut out = vec![T::ZERO; a.rows * b.columns];
            host::matmul(&mut out, a, b, false);
            Some(Array::from_host(out, &[a.rows, b.columns]))
        }
        Some(sum) => {
            host::matmul(sum.slice_on_host_mut::<T>()?, a, b, true);
            onto.take()
        }
    }
}

/// A shape without its last two axes, and these.
fn planes(shape: &[usize]) -> Option<(&[usize], [usize; 2])> {
    shape.split_last_chunk().map(|(front, last)| (front, *last))
}

/// Whether an array of the first shape can be repeated to the second.
fn broadcasts(from: &[usize], to: &[usize]) -> bool {
    from.iter().zip(to).all(|(&from, &to)| from == to || from == 1)
}

/// `whole` with every element combined with its partner: in place if nobody else reads it (`Some(None)`), otherwise in
/// a new array.
fn combine<T: Real>(whole: &mut Array, part: &Array, arithmetic: Arithmetic) -> Option<Option<Array>> {
    let shape = whole.shape();
    let part = repeated::<T>(part.host()?, &shape)?;
    if let Some(out) = whole.slice_on_host_mut::<T>() {
        arithmetic.update(out, None, part);
        return Some(None);
    }
    let whole = whole.slice_on_host::<T>()?;
    let mut out = vec![T::ZERO; whole.len()];
    arithmetic.update(&mut out, Some(whole), part);
    Some(Some(Array::from_host(out, &shape)))
}

impl Arithmetic {
    /// `a ∘ b`; without `a`, `out ∘ b`.
    pub fn update<T: Real>(self, out: &mut [T], a: Option<&[T]>, b: Repeated<T>) {
        match self {
            Self::Add => host::update(out, a, b, |a, b| a + b),
            Self::Subtract => host::update(out, a, b, |a, b| a - b),
            Self::Multiply => host::update(out, a, b, |a, b| a * b),
        }
    }
}

/// How a tensor lies in memory; `None` if an axis runs backwards.
fn layout(tensor: &Host) -> Option<Layout> {
    let layout = tensor.layout();
    let strides = layout.strides().iter().map(|&stride| usize::try_from(stride).ok()).collect::<Option<_>>()?;
    Some(Layout { start: layout.start_offset(), shape: layout.shape().to_vec(), strides })
}

/// A tensor repeated to a shape, as [`Layout::repeated`] reads it.
fn repeated<'a, T: Real>(tensor: &'a Host, shape: &[usize]) -> Option<Repeated<'a, T>> {
    let layout = layout(tensor)?;
    let (length, stretch) = layout.expanded(shape).repeated()?;
    Some(Repeated { elements: tensor.storage::<T>().get(layout.start..layout.start + length)?, stretch })
}

/// A tensor of rank two as a matrix, if its rows or its columns lie in memory one after the other.
fn matrix<T: Real>(tensor: &Host) -> Option<MatrixView<'_, T>> {
    MatrixView::new(tensor.storage::<T>(), &layout(tensor)?)
}
