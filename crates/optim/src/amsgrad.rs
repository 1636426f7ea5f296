//! AMSGrad (Reddi, Kale & Kumar 2018, Algorithm 2): Adam whose steps are divided by the largest second moment so far,
//! so that a rate never grows again.
//!
//! At step `k = 1, 2, …`:
//!
//! ```text
//! m ← β₁ m + (1 − β₁) g      m̂ = m/(1 − β₁ᵏ)
//! v ← β₂ v + (1 − β₂) g²     u ← max(u, v), element by element     û = u/(1 − β₂ᵏ)
//! w ← w − ε m̂/(√û + ϵ)
//! ```
//!
//! The corrections by `1 − βᵏ` and ϵ are not in the paper; they are those of PyTorch's `Adam(amsgrad=True)`, which
//! corrects the largest moment, not each before it is compared.

use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::adam::{beta_1, beta_2};
use crate::error::{OptimError, check_factor, check_not_negative};
use crate::preconditioner::{Reveal, root};
use crate::rmsprop::epsilon;
use crate::rule::{Facts, Rule, Settings};
use crate::state::{put, take};

/// Configuration of [`AmsGrad`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmsGradConfig {
    /// The factor β₁ of the first moment, from 0 to below 1. Default: 0.9 (Reddi et al. 2018, §5, as Adam's).
    #[serde(default = "beta_1")]
    pub beta_1: f64,
    /// The factor β₂ of the second moment, from 0 to below 1. Default: 0.999 (PyTorch; Reddi et al. take 0.99 and
    /// 0.999).
    #[serde(default = "beta_2")]
    pub beta_2: f64,
    /// ϵ, not negative. Default: 1e-8 (PyTorch).
    #[serde(default = "epsilon")]
    pub epsilon: f64,
}

impl Default for AmsGradConfig {
    fn default() -> Self {
        Self { beta_1: beta_1(), beta_2: beta_2(), epsilon: epsilon() }
    }
}

impl AmsGradConfig {
    /// The rule.
    ///
    /// # Errors
    ///
    /// When a factor is not in [0, 1) or ϵ is negative or not finite.
    pub fn build(&self) -> Result<AmsGrad, OptimError> {
        check_factor("beta_1", self.beta_1)?;
        check_factor("beta_2", self.beta_2)?;
        check_not_negative("epsilon", self.epsilon)?;
        Ok(AmsGrad { config: *self })
    }
}

impl Settings for AmsGradConfig {
    fn rule(&self, decay: Option<f64>) -> Result<Rule, OptimError> {
        Ok(Rule::coupled(self.build()?, decay))
    }

    fn facts(&self) -> Facts {
        Facts { elementwise: true, restores: true, states: 3 }
    }

    /// Not known: what it divides by never falls, so that the sharpness at the edge moves with the past.
    fn edge(&self, _: f64, _: f64) -> Option<f64> {
        None
    }

    fn preconditioner(&self) -> Option<Reveal> {
        None
    }
}

/// AMSGrad.
#[derive(Debug, Clone, Copy)]
pub struct AmsGrad {
    config: AmsGradConfig,
}

/// State of [`AmsGrad`].
#[derive(Debug, Clone)]
pub struct AmsGradState<const D: usize> {
    /// Steps done, k.
    pub steps: usize,
    /// First moment m.
    pub mean: Tensor<D>,
    /// Second moment v.
    pub mean_square: Tensor<D>,
    /// The largest second moment u.
    pub largest: Tensor<D>,
}

impl<const D: usize> RecordState for AmsGradState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_scalar(prefix, "steps", self.steps.into());
        put(&self.mean, prefix, "mean", out);
        put(&self.mean_square, prefix, "mean_square", out);
        put(&self.largest, prefix, "largest", out);
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        Some(Self {
            steps: source.take_scalar(prefix, "steps")?.try_into().ok()?,
            mean: take(prefix, "mean", source, device)?,
            mean_square: take(prefix, "mean_square", source, device)?,
            largest: take(prefix, "largest", source, device)?,
        })
    }
}

impl Optimizer for AmsGrad {
    type State<const D: usize> = AmsGradState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        w: Tensor<D>,
        g: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let AmsGradConfig { beta_1, beta_2, epsilon } = self.config;
        let fresh_mean = g.clone().mul_scalar(1.0 - beta_1);
        let fresh_square = g.square().mul_scalar(1.0 - beta_2);
        let state = match state {
            Some(AmsGradState { steps, mean, mean_square, largest }) => {
                let mean_square = mean_square.mul_scalar(beta_2) + fresh_square;
                AmsGradState {
                    steps: steps + 1,
                    mean: mean.mul_scalar(beta_1) + fresh_mean,
                    largest: largest.max_pair(mean_square.clone()),
                    mean_square,
                }
            }
            None => {
                AmsGradState { steps: 1, mean: fresh_mean, largest: fresh_square.clone(), mean_square: fresh_square }
            }
        };
        let k = state.steps as f64;
        let mean = state.mean.clone().mul_scalar(lr / (1.0 - beta_1.powf(k)));
        let largest = state.largest.clone().mul_scalar(1.0 / (1.0 - beta_2.powf(k)));
        (w - mean / root(largest, epsilon, false), Some(state))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        AmsGradState {
            steps: state.steps,
            mean: state.mean.to_device(device),
            mean_square: state.mean_square.to_device(device),
            largest: state.largest.to_device(device),
        }
    }
}
