//! What a forward is applied to.

use burn::tensor::{Bool, Device, Int, Tensor};

use crate::array::Array;

/// Inputs of a forward: a float, integer or boolean tensor, or a tuple of up to four of them; `()` for a forward
/// without. Samples lie along the first axis of each.
pub trait Inputs: Clone + sealed::Sealed {}

pub(crate) mod sealed {
    use burn::tensor::Device;

    use crate::array::Array;

    pub trait Sealed: Sized {
        /// The values.
        fn arrays(&self) -> Vec<Array>;

        /// Tensors to record a forward with: of the same types and shapes (the first axis cut to `samples` if given),
        /// on the recorder `device`, where they have no values that could be read.
        fn blanks(&self, samples: Option<usize>, device: &Device) -> Self;

        /// The recorded identities of blanks, as dispatch tensors.
        fn handles(&self) -> Vec<burn_dispatch::DispatchTensor>;
    }
}

/// The shape of a blank.
fn blank_shape<const D: usize>(mut shape: [usize; D], samples: Option<usize>) -> [usize; D] {
    if let Some(samples) = samples {
        shape[0] = samples;
    }
    shape
}

impl<const D: usize> sealed::Sealed for Tensor<D> {
    fn arrays(&self) -> Vec<Array> {
        vec![Array::from_float(self.clone())]
    }

    fn blanks(&self, samples: Option<usize>, device: &Device) -> Self {
        Tensor::zeros(blank_shape(self.dims(), samples), (device, self.dtype()))
    }

    fn handles(&self) -> Vec<burn_dispatch::DispatchTensor> {
        vec![self.clone().into_dispatch()]
    }
}

impl<const D: usize> sealed::Sealed for Tensor<D, Int> {
    fn arrays(&self) -> Vec<Array> {
        vec![Array::from_int(self.clone())]
    }

    fn blanks(&self, samples: Option<usize>, device: &Device) -> Self {
        Tensor::zeros(blank_shape(self.dims(), samples), (device, self.dtype()))
    }

    fn handles(&self) -> Vec<burn_dispatch::DispatchTensor> {
        vec![self.clone().into_dispatch()]
    }
}

impl<const D: usize> sealed::Sealed for Tensor<D, Bool> {
    fn arrays(&self) -> Vec<Array> {
        vec![Array::from_bool(self.clone())]
    }

    fn blanks(&self, samples: Option<usize>, device: &Device) -> Self {
        Tensor::<D, Int>::zeros(blank_shape(self.dims(), samples), device).bool()
    }

    fn handles(&self) -> Vec<burn_dispatch::DispatchTensor> {
        vec![self.clone().into_dispatch()]
    }
}

impl<const D: usize> Inputs for Tensor<D> {}
impl<const D: usize> Inputs for Tensor<D, Int> {}
impl<const D: usize> Inputs for Tensor<D, Bool> {}

impl sealed::Sealed for () {
    fn arrays(&self) -> Vec<Array> {
        Vec::new()
    }

    fn blanks(&self, _: Option<usize>, _: &Device) -> Self {}

    fn handles(&self) -> Vec<burn_dispatch::DispatchTensor> {
        Vec::new()
    }
}

impl Inputs for () {}

macro_rules! tuple {
    ($($name:ident $index:tt),+) => {
        impl<$($name: Inputs),+> sealed::Sealed for ($($name,)+) {
            fn arrays(&self) -> Vec<Array> {
                [$(self.$index.arrays()),+].concat()
            }

            fn blanks(&self, samples: Option<usize>, device: &Device) -> Self {
                ($(self.$index.blanks(samples, device),)+)
            }

            fn handles(&self) -> Vec<burn_dispatch::DispatchTensor> {
                [$(self.$index.handles()),+].concat()
            }
        }
        impl<$($name: Inputs),+> Inputs for ($($name,)+) {}
    };
}
tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
