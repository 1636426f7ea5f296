//! RMSProp (Tieleman & Hinton 2012, lecture 6e): each parameter's step is divided by the root of its mean squared
//! derivative.
//!
//! `s ← γ s + (1 − γ) g²`, `w ← w − ε g/(√s + ϵ)`, or with `epsilon_inside` the notes' `w − ε g/√(s + ϵ)`.
//!
//! The notes print the update without the learning rate and with `∂²` in place of the derivative; both are slips. There
//! is no momentum and no centring (Burn's own RMSProp has a momentum of 0.9 and ϵ = 1e-5 by default).

use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{OptimError, check_factor, check_not_negative};
use crate::preconditioner::{Reveal, root};
use crate::rule::{Facts, Rule, Settings};
use crate::state::{put, take};

/// Configuration of [`RmsProp`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RmsPropConfig {
    /// The averaging factor γ, from 0 to below 1. Default: 0.9 (the lecture's; PyTorch has 0.99).
    #[serde(default = "gamma")]
    pub gamma: f64,
    /// ϵ, not negative. Default: 1e-8 (PyTorch).
    #[serde(default = "epsilon")]
    pub epsilon: f64,
    /// Whether ϵ stands inside the root, as in the notes. Default: false.
    #[serde(default)]
    pub epsilon_inside: bool,
}

fn gamma() -> f64 {
    0.9
}

pub(crate) fn epsilon() -> f64 {
    1e-8
}

impl RmsPropConfig {
    /// The rule.
    ///
    /// # Errors
    ///
    /// When γ is not in [0, 1) or ϵ is negative or not finite.
    pub fn build(&self) -> Result<RmsProp, OptimError> {
        check_factor("gamma", self.gamma)?;
        check_not_negative("epsilon", self.epsilon)?;
        Ok(RmsProp { gamma: self.gamma, epsilon: self.epsilon, epsilon_inside: self.epsilon_inside })
    }
}

impl Settings for RmsPropConfig {
    fn rule(&self, decay: Option<f64>) -> Result<Rule, OptimError> {
        Ok(Rule::coupled(self.build()?, decay))
    }

    fn facts(&self) -> Facts {
        Facts { elementwise: true, restores: true, states: 1, squares: None }
    }

    /// `2/ε`, with `P = diag(√s + ϵ)` (Cohen et al. 2022, Appendix C).
    fn edge(&self, rate: f64, _: f64) -> Option<f64> {
        Some(2.0 / rate)
    }

    fn preconditioner(&self) -> Option<Reveal> {
        Some(Reveal { betas: [0.0; 2], epsilon: self.epsilon, epsilon_inside: self.epsilon_inside })
    }
}

/// The rule of the [module](self); built by [`RmsPropConfig::build`].
#[derive(Debug, Clone, Copy)]
pub struct RmsProp {
    gamma: f64,
    epsilon: f64,
    epsilon_inside: bool,
}

/// State of [`RmsProp`].
#[derive(Debug, Clone)]
pub struct RmsPropState<const D: usize> {
    /// Running mean s of the squared derivative; 0 before the first step.
    pub mean_square: Tensor<D>,
}

impl<const D: usize> RecordState for RmsPropState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        put(&self.mean_square, prefix, "mean_square", out);
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        Some(Self { mean_square: take(prefix, "mean_square", source, device)? })
    }
}

impl Optimizer for RmsProp {
    type State<const D: usize> = RmsPropState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        w: Tensor<D>,
        g: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let fresh = g.clone().square().mul_scalar(1.0 - self.gamma);
        let mean_square = match state {
            Some(RmsPropState { mean_square }) => mean_square.mul_scalar(self.gamma) + fresh,
            None => fresh,
        };
        let step = g.mul_scalar(lr) / root(mean_square.clone(), self.epsilon, self.epsilon_inside);
        (w - step, Some(RmsPropState { mean_square }))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        RmsPropState { mean_square: state.mean_square.to_device(device) }
    }
}
