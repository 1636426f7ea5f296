//! The Hessian: `H v = Jᵀ (∂²L/∂F²) J v + Σ_i (∂L/∂F_i) ∇²F_i v` on `R^P`.
//!
//! Blocks of one layer are [`Restricted`](losscape_krylov::Restricted) to its range, the curvature that a
//! preconditioned method sees is a [`Congruence`]: both are operators made of operators.

use burn::tensor::Tensor;
use losscape_krylov::{Congruence, Shifted, Space, SymmetricOperator};
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

/// What a method with the preconditioner `P = diag(diagonal)` and weight decay δ sees of H: `P^{−½} (H + δI) P^{−½}`.
#[must_use]
pub fn preconditioned<A: SymmetricOperator>(
    hessian: A,
    diagonal: Tensor<1>,
    weight_decay: Option<f64>,
) -> Congruence<Shifted<A>> {
    let diagonal = diagonal.cast(hessian.space().dtype).powf_scalar(-0.5);
    Congruence { operator: Shifted { operator: hessian, shift: weight_decay.unwrap_or(0.0) }, diagonal }
}
