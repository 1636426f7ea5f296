//! Adam (Kingma & Ba 2015, Algorithm 1): momentum and RMSProp together, both averages corrected for their start at
//! zero.
//!
//! At step `k = 1, 2, …`:
//!
//! ```text
//! m ← β₁ m + (1 − β₁) g      m̂ = m/(1 − β₁ᵏ)
//! v ← β₂ v + (1 − β₂) g²     v̂ = v/(1 − β₂ᵏ)
//! w ← w − ε m̂/(√v̂ + ϵ)       or with epsilon_inside, the notes' form: w − ε m̂/√(v̂ + ϵ)
//! ```
//!
//! The notes write `v = δ v + (1 − γ) g²`, mixing the factors of the two averages; v has one factor, γ = β₂. Burn's own
//! Adam rounds its factors to f32 and has ϵ = 1e-5 by default.

use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{OptimError, check_factor, check_not_negative};
use crate::preconditioner::{Reveal, root};
use crate::rmsprop::epsilon;
use crate::rule::{Facts, Rule, Settings};
use crate::state::{put, take};

/// Configuration of [`Adam`]; all defaults are those of Kingma & Ba.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdamConfig {
    /// The factor β₁ of the first moment (the notes' δ), from 0 to below 1. Default: 0.9.
    #[serde(default = "beta_1")]
    pub beta_1: f64,
    /// The factor β₂ of the second moment (the notes' γ), from 0 to below 1. Default: 0.999.
    #[serde(default = "beta_2")]
    pub beta_2: f64,
    /// ϵ, not negative. Default: 1e-8.
    #[serde(default = "epsilon")]
    pub epsilon: f64,
    /// Whether ϵ stands inside the root, as in the notes. Default: false.
    #[serde(default)]
    pub epsilon_inside: bool,
}

pub(crate) fn beta_1() -> f64 {
    0.9
}

pub(crate) fn beta_2() -> f64 {
    0.999
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self { beta_1: beta_1(), beta_2: beta_2(), epsilon: epsilon(), epsilon_inside: false }
    }
}

impl AdamConfig {
    /// The rule.
    ///
    /// # Errors
    ///
    /// When a factor is not in [0, 1) or ϵ is negative or not finite.
    pub fn build(&self) -> Result<Adam, OptimError> {
        check_factor("beta_1", self.beta_1)?;
        check_factor("beta_2", self.beta_2)?;
        check_not_negative("epsilon", self.epsilon)?;
        Ok(Adam { config: *self })
    }
}

impl Settings for AdamConfig {
    fn rule(&self, decay: Option<f64>) -> Result<Rule, OptimError> {
        Ok(Rule::coupled(self.build()?, decay))
    }

    fn facts(&self) -> Facts {
        Facts { elementwise: true, restores: true, states: 2, squares: None }
    }

    /// `(2 + 2β₁)/((1 − β₁) ε)`, with `P = (1 − β₁ᵏ) diag(√v̂ + ϵ)` after k steps (Cohen et al. 2022, eq. 2).
    fn edge(&self, rate: f64, _: f64) -> Option<f64> {
        Some((2.0 + 2.0 * self.beta_1) / ((1.0 - self.beta_1) * rate))
    }

    fn preconditioner(&self) -> Option<Reveal> {
        let AdamConfig { beta_1, beta_2, epsilon, epsilon_inside } = *self;
        Some(Reveal { betas: [beta_1, beta_2], epsilon, epsilon_inside })
    }
}

/// The rule of the [module](self); built by [`AdamConfig::build`].
#[derive(Debug, Clone, Copy)]
pub struct Adam {
    config: AdamConfig,
}

/// State of [`Adam`].
#[derive(Debug, Clone)]
pub struct AdamState<const D: usize> {
    /// Steps done, k.
    pub steps: usize,
    /// First moment m, not yet corrected for its start at zero.
    pub mean: Tensor<D>,
    /// Second moment v, likewise.
    pub mean_square: Tensor<D>,
}

impl<const D: usize> AdamState<D> {
    /// The state after another gradient.
    pub(crate) fn advance(state: Option<Self>, g: Tensor<D>, [beta_1, beta_2]: [f64; 2]) -> Self {
        let fresh_mean = g.clone().mul_scalar(1.0 - beta_1);
        let fresh_square = g.square().mul_scalar(1.0 - beta_2);
        match state {
            Some(Self { steps, mean, mean_square }) => Self {
                steps: steps + 1,
                mean: mean.mul_scalar(beta_1) + fresh_mean,
                mean_square: mean_square.mul_scalar(beta_2) + fresh_square,
            },
            None => Self { steps: 1, mean: fresh_mean, mean_square: fresh_square },
        }
    }

    pub(crate) fn moved(self, device: &Device) -> Self {
        Self { steps: self.steps, mean: self.mean.to_device(device), mean_square: self.mean_square.to_device(device) }
    }
}

impl<const D: usize> RecordState for AdamState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_scalar(prefix, "steps", self.steps.into());
        put(&self.mean, prefix, "mean", out);
        put(&self.mean_square, prefix, "mean_square", out);
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        Some(Self {
            steps: source.take_scalar(prefix, "steps")?.try_into().ok()?,
            mean: take(prefix, "mean", source, device)?,
            mean_square: take(prefix, "mean_square", source, device)?,
        })
    }
}

impl Optimizer for Adam {
    type State<const D: usize> = AdamState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        w: Tensor<D>,
        g: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let AdamConfig { beta_1, beta_2, epsilon, epsilon_inside } = self.config;
        let state = AdamState::advance(state, g, [beta_1, beta_2]);
        let k = state.steps as f64;
        let mean = state.mean.clone().mul_scalar(lr / (1.0 - beta_1.powf(k)));
        let mean_square = state.mean_square.clone().mul_scalar(1.0 / (1.0 - beta_2.powf(k)));
        (w - mean / root(mean_square, epsilon, epsilon_inside), Some(state))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        state.moved(device)
    }
}
