//! Momentum, the heavy ball (Polyak 1964): `v ← b v − ε g`, `w ← w + v`.
//!
//! This is the notes' form `ΔW⁽ᵏ⁾ = β ΔW⁽ᵏ⁻¹⁾ − η ∇`. PyTorch keeps `u ← b u + g` and steps `w − ε u`: the same path at
//! a constant rate, while under a schedule ours rescales only new gradients (Sutskever et al. 2013, eq. 1–2), PyTorch's
//! the whole average. Burn's own momentum adds a dampening of 0.1 by default; there is none here.
//!
//! A constant gradient drives the step to `ε g/(1 − b)`, an alternating one to `ε g/(1 + b)`.

use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{OptimError, check_factor};
use crate::preconditioner::Reveal;
use crate::rule::{Facts, Rule, Settings};
use crate::state::{put, take};

/// Configuration of [`Momentum`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MomentumConfig {
    /// The factor b, from 0 to below 1. Default: 0.9 (Sutskever et al. 2013, §3, and general practice).
    #[serde(default = "momentum")]
    pub momentum: f64,
}

pub(crate) fn momentum() -> f64 {
    0.9
}

impl MomentumConfig {
    /// The rule.
    ///
    /// # Errors
    ///
    /// When the factor is not in [0, 1).
    pub fn build(&self) -> Result<Momentum, OptimError> {
        check_factor("momentum", self.momentum)?;
        Ok(Momentum { momentum: self.momentum })
    }
}

impl Settings for MomentumConfig {
    fn rule(&self, decay: Option<f64>) -> Result<Rule, OptimError> {
        Ok(Rule::coupled(self.build()?, decay))
    }

    fn facts(&self) -> Facts {
        Facts { elementwise: true, restores: true, states: 1, squares: None }
    }

    /// `(2 + 2b)/ε − δ` (Cohen et al. 2021, eq. 1).
    fn edge(&self, rate: f64, decay: f64) -> Option<f64> {
        Some((2.0 + 2.0 * self.momentum) / rate - decay)
    }

    fn preconditioner(&self) -> Option<Reveal> {
        None
    }
}

/// The rule of the [module](self); built by [`MomentumConfig::build`].
#[derive(Debug, Clone, Copy)]
pub struct Momentum {
    momentum: f64,
}

/// State of momentum rules.
#[derive(Debug, Clone)]
pub struct MomentumState<const D: usize> {
    /// The previous step v, of the parameter's shape.
    pub velocity: Tensor<D>,
}

impl<const D: usize> MomentumState<D> {
    /// `b v − ε g`, with v = 0 before the first step.
    pub(crate) fn advance(state: Option<Self>, momentum: f64, lr: LearningRate, g: Tensor<D>) -> Tensor<D> {
        let push = g.mul_scalar(-lr);
        match state {
            Some(Self { velocity }) => velocity.mul_scalar(momentum) + push,
            None => push,
        }
    }

    pub(crate) fn moved_to(self, device: &Device) -> Self {
        Self { velocity: self.velocity.to_device(device) }
    }
}

impl<const D: usize> RecordState for MomentumState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        put(&self.velocity, prefix, "velocity", out);
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        Some(Self { velocity: take(prefix, "velocity", source, device)? })
    }
}

impl Optimizer for Momentum {
    type State<const D: usize> = MomentumState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        w: Tensor<D>,
        g: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let velocity = MomentumState::advance(state, self.momentum, lr, g);
        (w + velocity.clone(), Some(MomentumState { velocity }))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        state.moved_to(device)
    }
}
