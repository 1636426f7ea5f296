//! The empirical Fisher matrix, `c Σ_n g_n (g_nᵀ v)` with the gradients g_n of the samples.

use burn::tensor::Tensor;
use losscape_krylov::{Space, SymmetricOperator};
use losscape_tangent::Linearized;

/// The empirical Fisher matrix; see the [module](self).
#[derive(Debug)]
pub struct EmpiricalFisher<'a> {
    pub(crate) at: &'a Linearized,
    /// `c ∂ℓ_n/∂F_n` for each sample n, `[n, C]`.
    pub(crate) slope: Tensor<2>,
    pub(crate) scale: f64,
    pub(crate) space: Space,
}

impl SymmetricOperator for EmpiricalFisher<'_> {
    fn space(&self) -> Space {
        self.space.clone()
    }

    fn apply(&self, v: Tensor<1>) -> Tensor<1> {
        self.apply_block(v.unsqueeze()).squeeze_dim(0)
    }

    fn apply_block(&self, v: Tensor<2>) -> Tensor<2> {
        let [samples, classes] = self.slope.dims();
        let directions = v.dims()[0];
        // The slope carries c once; c g_n (g_nᵀ v) with the unscaled g_n has it once too.
        let tangents = self.at.push(v).reshape([directions, samples, classes]);
        let slope: Tensor<3> = self.slope.clone().unsqueeze_dim(0);
        let along = (tangents * slope.clone()).sum_dim(2);
        self.at.pull((slope * along).reshape([directions, samples * classes])) / self.scale
    }
}
