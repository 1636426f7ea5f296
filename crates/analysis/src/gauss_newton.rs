//! The Gauss-Newton matrix, the part of the Hessian without the curvature of the outputs: `G v = Jᵀ (∂²L/∂F²) J v`.

use burn::tensor::Tensor;
use losscape_krylov::{Space, SymmetricOperator};
use losscape_tangent::Linearized;

use crate::output::OutputCurvature;

/// `G = Jᵀ (∂²L/∂F²) J`; see the [module](self).
#[derive(Debug)]
pub struct GaussNewton<'a> {
    pub(crate) at: &'a Linearized,
    pub(crate) curvature: OutputCurvature,
    pub(crate) space: Space,
}

impl SymmetricOperator for GaussNewton<'_> {
    fn space(&self) -> Space {
        self.space.clone()
    }

    fn apply(&self, v: Tensor<1>) -> Tensor<1> {
        let pushed = self.at.push(v).unsqueeze();
        self.at.pull(self.curvature.product(&(0..self.at.outputs()), pushed).squeeze_dim::<1>(0))
    }

    fn apply_block(&self, v: Tensor<2>) -> Tensor<2> {
        let pushed = self.at.push(v);
        self.at.pull(self.curvature.product(&(0..self.at.outputs()), pushed))
    }
}
