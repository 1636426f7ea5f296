//! The Hessian: `H v = Jᵀ (∂²L/∂F²) J v + Σ_i (∂L/∂F_i) ∇²F_i v` on `R^P`.
//!
//! Blocks of one layer are [`Restricted`](losscape_krylov::Restricted) to its range, the curvature that a
//! preconditioned method sees is a [`Congruence`](losscape_krylov::Congruence): both are operators made of operators.

use burn::tensor::Tensor;
use losscape_krylov::{Space, SymmetricOperator};
use losscape_tangent::Curve;

use crate::output::OutputCurvature;

/// `H = ∇²L`; see the [module](self).
#[derive(Debug)]
pub struct Hessian<'a> {
    pub(crate) curve: Curve<'a>,
    pub(crate) curvature: OutputCurvature,
    pub(crate) space: Space,
}

impl Hessian<'_> {
    fn product<const B: usize>(&self, v: Tensor<B>) -> Tensor<B> {
        self.curve.product(v, |entries, tangents| self.curvature.product(&entries, tangents))
    }
}

impl SymmetricOperator for Hessian<'_> {
    fn space(&self) -> Space {
        self.space.clone()
    }

    fn apply(&self, v: Tensor<1>) -> Tensor<1> {
        self.product(v)
    }

    fn apply_block(&self, v: Tensor<2>) -> Tensor<2> {
        self.product(v)
    }
}
