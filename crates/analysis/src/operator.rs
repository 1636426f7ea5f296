//! The matrices at a point, as operators: compositions of push, pull and bend of the network's outputs with the
//! derivatives of the loss in them.
//!
//! | operator | product | on |
//! |---|---|---|
//! | Hessian H | `Jᵀ (∂²L/∂F²) J v + Σ_i (∂L/∂F_i) ∇²F_i v` | `R^P` |
//! | Gauss-Newton G | `Jᵀ (∂²L/∂F²) J v` | `R^P` |
//! | residual part R | `Σ_i (∂L/∂F_i) ∇²F_i v` | `R^P` |
//! | tangent kernel K_c | `c J Jᵀ u` | `R^{nC}` |
//! | empirical Fisher | `c Σ_n g_n (g_nᵀ v)` | `R^P` |
//!
//! Blocks of one layer are [`Restricted`](losscape_krylov::Restricted) to its range, the curvature that a
//! preconditioned method sees is a [`Congruence`](losscape_krylov::Congruence): both are operators made of operators.

use std::ops::Range;

use burn::tensor::Tensor;
use losscape_krylov::{Space, SymmetricOperator};
use losscape_model::Loss;
use losscape_tangent::{Curve, Linearized};

/// `∂²L/∂F²`, block-diagonal by samples.
#[derive(Debug, Clone)]
pub(crate) struct OutputCurvature {
    pub outputs: Tensor<2>,
    pub targets: Tensor<2>,
    /// As a sum over samples.
    pub loss: Loss,
    pub scale: f64,
}

impl OutputCurvature {
    /// Its product with tangents `[k, entries]` of some entries of the outputs, whole samples.
    fn product(&self, entries: &Range<usize>, tangents: Tensor<2>) -> Tensor<2> {
        let classes = self.outputs.dims()[1];
        let [directions, length] = tangents.dims();
        let (start, samples) = (entries.start / classes, length / classes);
        let rows = |all: &Tensor<2>| all.clone().narrow(0, start, samples).repeat_dim(0, directions);
        let tangents = tangents.reshape([directions * samples, classes]);
        let product = self.loss.hessian_product(rows(&self.outputs), rows(&self.targets), tangents);
        (product * self.scale).reshape([directions, length])
    }
}

/// `H = ∇²L`; see the [module](self).
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

/// `G = Jᵀ (∂²L/∂F²) J`; see the [module](self).
pub struct GaussNewton<'a> {
    pub(crate) at: &'a Linearized,
    pub(crate) curvature: OutputCurvature,
    pub(crate) space: Space,
}

/// `R = H − G`; see the [module](self).
pub struct Residual<'a> {
    pub(crate) curve: Curve<'a>,
    pub(crate) space: Space,
}

/// `K_c = c J Jᵀ`; see the [module](self).
pub struct TangentKernel<'a> {
    pub(crate) at: &'a Linearized,
    pub(crate) scale: f64,
    pub(crate) space: Space,
}

/// The empirical Fisher matrix; see the [module](self).
pub struct EmpiricalFisher<'a> {
    pub(crate) at: &'a Linearized,
    /// `c ∂ℓ_n/∂F_n` for each sample n, `[n, C]`.
    pub(crate) slope: Tensor<2>,
    pub(crate) scale: f64,
    pub(crate) space: Space,
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

impl SymmetricOperator for TangentKernel<'_> {
    fn space(&self) -> Space {
        self.space.clone()
    }

    fn apply(&self, u: Tensor<1>) -> Tensor<1> {
        self.at.push(self.at.pull(u)) * self.scale
    }

    fn apply_block(&self, u: Tensor<2>) -> Tensor<2> {
        self.at.push(self.at.pull(u)) * self.scale
    }
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
