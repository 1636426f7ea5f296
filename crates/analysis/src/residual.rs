//! The residual part of the Hessian, `R v = Σ_i (∂L/∂F_i) ∇²F_i v`: what the curvature of the outputs adds.

use burn::tensor::Tensor;
use losscape_krylov::{Space, SymmetricOperator};
use losscape_tangent::Curve;

/// `R = H − G`; see the [module](self).
#[derive(Debug)]
pub struct Residual<'a> {
    pub(crate) curve: Curve<'a>,
    pub(crate) space: Space,
}

impl SymmetricOperator for Residual<'_> {
    fn space(&self) -> Space {
        self.space.clone()
    }

    fn apply(&self, v: Tensor<1>) -> Tensor<1> {
        self.curve.bend(v)
    }

    fn apply_block(&self, v: Tensor<2>) -> Tensor<2> {
        self.curve.bend(v)
    }
}
