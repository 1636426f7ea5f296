//! What a forward is applied to.

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use burn_dispatch::DispatchTensor;

use crate::array::Array;

/// Inputs of a forward: a float, integer or boolean tensor, a tuple of up to four inputs, `()` for a forward without,
/// or a type of one's own made of them. Samples lie along the first axis of each tensor.
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use losscape_tangent::{Inputs, TensorMapper};
///
/// #[derive(Clone)]
/// struct Captioned { images: Tensor<4>, words: Tensor<2, Int> }
///
/// impl Inputs for Captioned {
///     fn map(self, mapper: &mut impl TensorMapper) -> Self {
///         Self { images: mapper.float(self.images), words: mapper.int(self.words) }
///     }
/// }
///
/// let device = Device::flex();
/// let both = Captioned { images: Tensor::zeros([5, 3, 8, 8], &device), words: Tensor::zeros([5, 7], &device) };
/// let two = both.select(&[4, 1]);
/// assert_eq!((two.samples(), two.words.dims()), (2, [2, 7]));
/// ```
pub trait Inputs: Clone + Send + Sync {
    /// Hands every tensor to the mapper, always in the same order, and puts what it gives in its place.
    #[must_use]
    fn map(self, mapper: &mut impl TensorMapper) -> Self;

    /// Samples: the length of the first axis; 0 where there is no tensor.
    fn samples(&self) -> usize {
        let mut samples = Lengths(Vec::new());
        let _ = self.clone().map(&mut samples);
        samples.0.first().copied().unwrap_or(0)
    }

    /// `length` samples from `start` on.
    ///
    /// # Panics
    ///
    /// When there are not so many.
    #[must_use]
    fn narrow(&self, start: usize, length: usize) -> Self {
        self.clone().map(&mut Narrow { start, length })
    }

    /// The samples `rows`, in that order.
    ///
    /// # Panics
    ///
    /// When there is no such sample.
    #[must_use]
    fn select(&self, rows: &[usize]) -> Self {
        self.clone().map(&mut Select(rows))
    }

    /// The same values where gradients can be taken: outside of any graph before, on a device with autodiff behind.
    #[must_use]
    fn autodiff(self) -> Self {
        self.map(&mut Autodiff)
    }
}

/// Sees the tensors of [`Inputs`], and may replace them.
pub trait TensorMapper {
    /// A tensor of floats.
    fn float<const D: usize>(&mut self, tensor: Tensor<D>) -> Tensor<D>;
    /// A tensor of integers.
    fn int<const D: usize>(&mut self, tensor: Tensor<D, Int>) -> Tensor<D, Int>;
    /// A tensor of booleans.
    fn bool<const D: usize>(&mut self, tensor: Tensor<D, Bool>) -> Tensor<D, Bool>;
}

impl<const D: usize> Inputs for Tensor<D> {
    fn map(self, mapper: &mut impl TensorMapper) -> Self {
        mapper.float(self)
    }
}

impl<const D: usize> Inputs for Tensor<D, Int> {
    fn map(self, mapper: &mut impl TensorMapper) -> Self {
        mapper.int(self)
    }
}

impl<const D: usize> Inputs for Tensor<D, Bool> {
    fn map(self, mapper: &mut impl TensorMapper) -> Self {
        mapper.bool(self)
    }
}

impl Inputs for () {
    fn map(self, _: &mut impl TensorMapper) -> Self {}
}

macro_rules! tuple {
    ($($name:ident $index:tt),+) => {
        impl<$($name: Inputs),+> Inputs for ($($name,)+) {
            fn map(self, mapper: &mut impl TensorMapper) -> Self {
                ($(self.$index.map(mapper),)+)
            }
        }
    };
}
tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);

/// The values of inputs.
pub fn arrays(inputs: &impl Inputs) -> Vec<Array> {
    let mut arrays = Arrays(Vec::new());
    let _ = inputs.clone().map(&mut arrays);
    arrays.0
}

/// Tensors to record a forward with, and their recorded identities: of the same types and shapes as `inputs` (the first
/// axis cut to `samples` if given), on the recorder `device`, where they have no values that could be read.
pub fn blanks<I: Inputs>(inputs: &I, samples: Option<usize>, device: &Device) -> (I, Vec<DispatchTensor>) {
    let mut blanks = Blanks { samples, device, handles: Vec::new() };
    let inputs = inputs.clone().map(&mut blanks);
    (inputs, blanks.handles)
}

struct Arrays(Vec<Array>);

impl TensorMapper for Arrays {
    fn float<const D: usize>(&mut self, tensor: Tensor<D>) -> Tensor<D> {
        self.0.push(Array::from_float(tensor.clone()));
        tensor
    }

    fn int<const D: usize>(&mut self, tensor: Tensor<D, Int>) -> Tensor<D, Int> {
        self.0.push(Array::from_int(tensor.clone()));
        tensor
    }

    fn bool<const D: usize>(&mut self, tensor: Tensor<D, Bool>) -> Tensor<D, Bool> {
        self.0.push(Array::from_bool(tensor.clone()));
        tensor
    }
}

struct Blanks<'a> {
    samples: Option<usize>,
    device: &'a Device,
    handles: Vec<DispatchTensor>,
}

impl Blanks<'_> {
    fn shape<const D: usize>(&self, mut shape: [usize; D]) -> [usize; D] {
        if let Some(samples) = self.samples {
            shape[0] = samples;
        }
        shape
    }
}

impl TensorMapper for Blanks<'_> {
    fn float<const D: usize>(&mut self, tensor: Tensor<D>) -> Tensor<D> {
        let blank = Tensor::zeros(self.shape(tensor.dims()), (self.device, tensor.dtype()));
        self.handles.push(blank.clone().into_dispatch());
        blank
    }

    fn int<const D: usize>(&mut self, tensor: Tensor<D, Int>) -> Tensor<D, Int> {
        let blank = Tensor::zeros(self.shape(tensor.dims()), (self.device, tensor.dtype()));
        self.handles.push(blank.clone().into_dispatch());
        blank
    }

    fn bool<const D: usize>(&mut self, tensor: Tensor<D, Bool>) -> Tensor<D, Bool> {
        let blank = Tensor::<D, Int>::zeros(self.shape(tensor.dims()), self.device).bool();
        self.handles.push(blank.clone().into_dispatch());
        blank
    }
}

/// A mapper that does the same to tensors of every kind.
macro_rules! alike {
    ($mapper:ty, $self:ident, $tensor:ident => $body:expr) => {
        impl TensorMapper for $mapper {
            fn float<const D: usize>(&mut $self, $tensor: Tensor<D>) -> Tensor<D> {
                $body
            }

            fn int<const D: usize>(&mut $self, $tensor: Tensor<D, Int>) -> Tensor<D, Int> {
                $body
            }

            fn bool<const D: usize>(&mut $self, $tensor: Tensor<D, Bool>) -> Tensor<D, Bool> {
                $body
            }
        }
    };
}

struct Lengths(Vec<usize>);
alike!(Lengths, self, tensor => {
    self.0.push(tensor.dims()[0]);
    tensor
});

struct Narrow {
    start: usize,
    length: usize,
}
alike!(Narrow, self, tensor => tensor.narrow(0, self.start, self.length));

struct Select<'a>(&'a [usize]);
alike!(Select<'_>, self, tensor => {
    let rows = TensorData::new(self.0.iter().map(|&row| row as i64).collect(), [self.0.len()]);
    let device = tensor.device();
    tensor.select(0, Tensor::<1, Int>::from_data(rows, (&device, burn::tensor::DType::I64)))
});

struct Autodiff;
alike!(Autodiff, self, tensor => tensor.autodiff());
