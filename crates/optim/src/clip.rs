//! Norm of the whole gradient, and clipping by it (Pascanu, Mikolov & Bengio 2013, Algorithm 1).
//!
//! Burn's own norm clipping looks at one parameter at a time, which changes the gradient's direction.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::shared::visit_once;

/// `‖g‖₂` over all parameters of the module, each once; 0 without gradients.
#[must_use]
pub fn global_norm<M: Module>(module: &M, gradients: &GradientsParams) -> f64 {
    struct Squares<'a>(&'a GradientsParams, Option<Tensor<1>>);
    impl ModuleVisitor for Squares<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(g) = self.0.get::<D>(param.id) {
                // By rows first: flex adds up more than four million numbers at once in whatever order its threads
                // come.
                let square = g.square().sum_dim(D - 1).sum();
                self.1 = Some(match self.1.take() {
                    Some(sum) => sum + square,
                    None => square,
                });
            }
        }
    }
    let mut visitor = Squares(gradients, None);
    visit_once(module, &mut visitor);
    visitor.1.map_or(0.0, |square| square.into_scalar::<f64>().sqrt())
}

/// The gradients times `min(1, limit/‖g‖)`. (PyTorch's `clip_grad_norm_` adds 1e-6 to the norm, and so clips a little
/// harder.)
#[must_use]
pub fn clip_global_norm<M: Module>(module: &M, gradients: GradientsParams, limit: f64) -> GradientsParams {
    struct Scale {
        gradients: GradientsParams,
        factor: f64,
        scaled: GradientsParams,
    }
    impl ModuleVisitor for Scale {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(g) = self.gradients.remove::<D>(param.id) {
                self.scaled.register(param.id, g.mul_scalar(self.factor));
            }
        }
    }
    let norm = global_norm(module, &gradients);
    // A norm that is not finite is left to show in the loss.
    if norm <= limit || !norm.is_finite() {
        return gradients;
    }
    let mut visitor = Scale { gradients, factor: limit / norm, scaled: GradientsParams::new() };
    module.visit(&mut visitor);
    visitor.scaled
}
