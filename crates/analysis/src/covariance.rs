//! The covariance of the gradients of single samples, `C = 1/n Σ_i (g_i − ḡ)(g_i − ḡ)ᵀ` with the mean ḡ.
//!
//! The gradient of B samples drawn independently is off the mean by `tr C/B` in square. Where that is as much as
//! `‖ḡ‖²`, at `B = tr C/‖ḡ‖²`, is the simple noise scale (McCandlish et al. 2018).

use burn::tensor::Tensor;
use losscape_krylov::{Space, SymmetricOperator};

use crate::fisher::EmpiricalFisher;

/// The covariance; see the [module](self).
#[derive(Debug)]
pub struct GradientCovariance<'a> {
    pub(crate) fisher: EmpiricalFisher<'a>,
    /// `c n`: what makes means of the sums in a loss.
    pub(crate) weight: f64,
    pub(crate) mean: Tensor<1>,
}

impl GradientCovariance<'_> {
    /// ḡ.
    #[must_use]
    pub fn mean(&self) -> &Tensor<1> {
        &self.mean
    }
}

impl SymmetricOperator for GradientCovariance<'_> {
    fn space(&self) -> Space {
        self.fisher.space()
    }

    fn apply(&self, v: Tensor<1>) -> Tensor<1> {
        self.apply_block(v.unsqueeze()).squeeze_dim(0)
    }

    fn apply_block(&self, v: Tensor<2>) -> Tensor<2> {
        let along = v.clone().matmul(self.mean.clone().unsqueeze_dim(1));
        self.fisher.apply_block(v) / self.weight - along.matmul(self.mean.clone().unsqueeze())
    }
}
