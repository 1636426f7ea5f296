//! A module's trainable parameters as one flat vector `w ∈ R^P`, and back.
//!
//! The order is the module's own: parameters in the order Burn visits them, each flattened row by row. Frozen parameters
//! (`require_grad` off), integer and boolean ones are left out. On a device without autodiff every parameter counts as frozen.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::ModelError;

/// Number of trainable parameters P.
#[must_use]
pub fn count<M: Module>(module: &M) -> usize {
    struct Count(usize);
    impl ModuleVisitor for Count {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.is_require_grad() {
                self.0 += param.lazy_shape().num_elements();
            }
        }
    }
    let mut visitor = Count(0);
    module.visit(&mut visitor);
    visitor.0
}

/// The parameters as one vector `[P]` outside the autodiff graph; `None` for a module without trainable parameters.
#[must_use]
pub fn ravel<M: Module>(module: &M) -> Option<Tensor<1>> {
    struct Ravel(Vec<Tensor<1>>);
    impl ModuleVisitor for Ravel {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.is_require_grad() {
                self.0.push(param.val().inner().flatten(0, D - 1));
            }
        }
    }
    let mut visitor = Ravel(Vec::new());
    module.visit(&mut visitor);
    (!visitor.0.is_empty()).then(|| Tensor::cat(visitor.0, 0))
}

/// The gradient as one vector in the order of [`ravel`]; a parameter without a gradient contributes zeros.
#[must_use]
pub fn ravel_gradient<M: Module>(module: &M, gradients: &GradientsParams) -> Option<Tensor<1>> {
    struct Ravel<'a>(&'a GradientsParams, Vec<Tensor<1>>);
    impl ModuleVisitor for Ravel<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.is_require_grad() {
                let gradient = self.0.get::<D>(param.id).unwrap_or_else(|| param.val().inner().zeros_like());
                self.1.push(gradient.flatten(0, D - 1));
            }
        }
    }
    let mut visitor = Ravel(gradients, Vec::new());
    module.visit(&mut visitor);
    (!visitor.1.is_empty()).then(|| Tensor::cat(visitor.1, 0))
}

/// The module with its trainable parameters replaced by the entries of `vector` `[P]`, in the order of [`ravel`].
///
/// # Errors
///
/// [`ModelError::ParameterCount`] when the length of `vector` is not P.
pub fn unravel<M: Module>(module: M, vector: &Tensor<1>) -> Result<M, ModelError> {
    struct Unravel<'a> {
        vector: &'a Tensor<1>,
        at: usize,
    }
    impl ModuleMapper for Unravel<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if !param.is_require_grad() {
                return param;
            }
            let (id, tensor, mapper) = param.consume();
            let shape = tensor.shape();
            let length = shape.num_elements();
            let values = self.vector.clone().narrow(0, self.at, length).reshape(shape);
            self.at += length;
            let values = if tensor.is_autodiff() { Tensor::from_inner(values) } else { values };
            Param::from_mapped_value(id, values.require_grad(), mapper)
        }
    }
    let (expected, given) = (count(&module), vector.dims()[0]);
    if expected != given {
        return Err(ModelError::ParameterCount { expected, given });
    }
    Ok(module.map(&mut Unravel { vector, at: 0 }))
}
