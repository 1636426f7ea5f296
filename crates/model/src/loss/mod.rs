//! Losses as functions of the outputs, with gradient and Hessian product in them.
//!
//! With outputs `F ∈ R^{n×C}`, targets `Y ∈ R^{n×C}` (labels one-hot) and `c = 1` ([`Reduction::Sum`]) or `c = 1/n`
//! ([`Reduction::Mean`]):
//!
//! | loss | value | gradient ∂L/∂F | Hessian product `∂²L/∂F² · V` |
//! |---|---|---|---|
//! | squared error | `(c/2) ‖F − Y‖²` | `c (F − Y)` | `c V` |
//! | cross-entropy | `−c Σ Y ∘ log p` | `c (s ∘ p − Y)` | `c s ∘ p ∘ (V − (p·V))` |
//!
//! where `p = softmax(F)` by rows, `s_i = Σ_k Y_ik` (1 for labels) and `(p·V)_i = Σ_k p_ik V_ik`. The mean is over
//! samples and **never** over outputs (Burn's `MseLoss` divides by `n·C`). The notes use squared error with `c = 1`.

use burn::tensor::Tensor;
use burn::tensor::activation::{log_softmax, softmax};
use serde::{Deserialize, Serialize};

/// Which function of outputs and targets; the formulas are in the [module](self).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// `(c/2) ‖F − Y‖²`.
    SquaredError,
    /// `−c Σ Y ∘ log softmax(F)`.
    CrossEntropy,
}

/// The factor `c` in front of the sum over samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reduction {
    /// `c = 1/n`.
    #[default]
    Mean,
    /// `c = 1`: the notes' form.
    Sum,
}

/// A loss; the `[loss]` table of a training configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// Squared error or cross-entropy.
    #[serde(rename = "name")]
    pub kind: LossKind,
    /// Mean or sum over samples. Default: mean.
    #[serde(default)]
    pub reduction: Reduction,
}

impl Loss {
    /// Every name accepted in a configuration, with its formula.
    pub const ALL: &'static [(&'static str, &'static str)] = &[
        ("squared-error", "c/2 · ‖F − Y‖², c = 1/n (mean, default) or 1 (sum)"),
        ("cross-entropy", "−c · Σ Y log softmax(F), labels only, c = 1/n (mean, default) or 1 (sum)"),
    ];

    /// Squared error, mean over samples.
    #[must_use]
    pub const fn squared_error() -> Self {
        Self { kind: LossKind::SquaredError, reduction: Reduction::Mean }
    }

    /// Cross-entropy, mean over samples.
    #[must_use]
    pub const fn cross_entropy() -> Self {
        Self { kind: LossKind::CrossEntropy, reduction: Reduction::Mean }
    }

    /// Sets the reduction.
    #[must_use]
    pub const fn with_reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }

    /// The factor `c` for `samples` samples.
    #[must_use]
    pub fn scale(&self, samples: usize) -> f64 {
        match self.reduction {
            Reduction::Sum => 1.0,
            Reduction::Mean => 1.0 / samples as f64,
        }
    }

    /// `L(F)`, one element, for outputs and targets `[n, C]`.
    #[must_use]
    pub fn value(&self, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
        let c = self.scale(outputs.dims()[0]);
        match self.kind {
            LossKind::SquaredError => (outputs - targets).square().sum_dim(1).sum().mul_scalar(c / 2.0),
            LossKind::CrossEntropy => (targets * log_softmax(outputs, 1)).sum_dim(1).sum().mul_scalar(-c),
        }
    }

    /// `∂L/∂F`, `[n, C]`.
    #[must_use]
    pub fn gradient(&self, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<2> {
        let c = self.scale(outputs.dims()[0]);
        match self.kind {
            LossKind::SquaredError => (outputs - targets).mul_scalar(c),
            LossKind::CrossEntropy => {
                let mass = targets.clone().sum_dim(1);
                (softmax(outputs, 1) * mass - targets).mul_scalar(c)
            }
        }
    }

    /// `∂²L/∂F² · V` for a direction `V` `[n, C]` in the outputs.
    #[must_use]
    pub fn hessian_product(&self, outputs: Tensor<2>, targets: Tensor<2>, direction: Tensor<2>) -> Tensor<2> {
        let c = self.scale(outputs.dims()[0]);
        match self.kind {
            LossKind::SquaredError => direction.mul_scalar(c),
            LossKind::CrossEntropy => {
                let mass = targets.sum_dim(1);
                let p = softmax(outputs, 1);
                let centred = direction.clone() - (p.clone() * direction).sum_dim(1);
                (p * centred * mass).mul_scalar(c)
            }
        }
    }
}
