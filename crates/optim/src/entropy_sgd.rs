//! Entropy-SGD (Chaudhari et al. 2017, Algorithm 1): gradient descent on the loss averaged around a point, which wide
//! valleys make low.
//!
//! From a point x, L inner steps at rate ε with gradients at w, from `w = μ = x`:
//!
//! ```text
//! w ← w − ε (g + γ (w − x))       drawn back to x, the more the larger the scope γ
//! μ ← (1 − α) μ + α w             the average of the inner path
//! ```
//!
//! and after them `x ← x − η (x − μ)`, `w ← x`. The gradient of the local entropy is `γ (x − μ)`: η stands for the
//! authors' outer rate times γ. The scope of outer step t is `γ (1 + growth)ᵗ`.
//!
//! An inner step is a step here, with a batch of its own, as in the authors' program, so that methods are compared at
//! equal numbers of gradients: L steps make an outer one. Between them the network is at the inner point w; it is at x
//! after every L-th step.
//!
//! Departure: the noise `√ε ϵ N(0, I)` of the inner steps is left out. With the authors' ϵ = 1e-4 and rate 0.1 it moves
//! a weight by 3e-5 a step; that of the batches stays.

use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{OptimError, check, check_not_negative};
use crate::preconditioner::Reveal;
use crate::rule::{Facts, Rule, Settings};
use crate::state::{put, take};

/// Settings of Entropy-SGD.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EntropySgdConfig {
    /// Inner steps L, at least 1. Default: 20 (Chaudhari et al. 2017).
    #[serde(default = "inner")]
    pub inner: usize,
    /// The scope γ at the start, not negative. Default: 0.01 (the authors' program, `g0`).
    #[serde(default = "scope")]
    pub scope: f64,
    /// How much the scope grows with every outer step, as a share, not negative. Default: 0 (likewise, `g1`).
    #[serde(default)]
    pub growth: f64,
    /// The share α of the newest point in the average, above 0 and at most 1. Default: 0.25, as in the authors'
    /// program, whose `beta1 = 0.75` is the share of the average; their paper's α of 0.75, read in its recursion, is
    /// the other one, with which the average hardly lags behind the path.
    #[serde(default = "share")]
    pub share: f64,
    /// The outer rate η, above 0. Default: 1, which goes to the average.
    #[serde(default = "outer")]
    pub outer: f64,
}

fn inner() -> usize {
    20
}

fn scope() -> f64 {
    0.01
}

fn share() -> f64 {
    0.25
}

fn outer() -> f64 {
    1.0
}

impl Default for EntropySgdConfig {
    fn default() -> Self {
        Self { inner: inner(), scope: scope(), growth: 0.0, share: share(), outer: outer() }
    }
}

impl Settings for EntropySgdConfig {
    fn rule(&self, decay: Option<f64>) -> Result<Rule, OptimError> {
        check("inner", self.inner as f64, self.inner > 0, "at least 1")?;
        check_not_negative("scope", self.scope)?;
        check_not_negative("growth", self.growth)?;
        check("share", self.share, self.share > 0.0 && self.share <= 1.0, "above 0 and at most 1")?;
        check("outer", self.outer, self.outer > 0.0 && self.outer.is_finite(), "positive and finite")?;
        Ok(Rule::coupled(EntropySgd { config: *self }, decay))
    }

    fn facts(&self) -> Facts {
        Facts { elementwise: true, restores: true, states: 2, squares: None }
    }

    fn edge(&self, _: f64, _: f64) -> Option<f64> {
        None
    }

    fn preconditioner(&self) -> Option<Reveal> {
        None
    }
}

/// The rule of the [module](self).
#[derive(Debug, Clone, Copy)]
struct EntropySgd {
    config: EntropySgdConfig,
}

/// State of [`EntropySgd`].
#[derive(Debug, Clone)]
struct EntropySgdState<const D: usize> {
    /// Steps done, inner ones.
    steps: usize,
    /// The point x that the inner path began at.
    centre: Tensor<D>,
    /// The average μ of the inner path.
    mean: Tensor<D>,
}

impl<const D: usize> RecordState for EntropySgdState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_scalar(prefix, "steps", self.steps.into());
        put(&self.centre, prefix, "centre", out);
        put(&self.mean, prefix, "mean", out);
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        Some(Self {
            steps: source.take_scalar(prefix, "steps")?.try_into().ok()?,
            centre: take(prefix, "centre", source, device)?,
            mean: take(prefix, "mean", source, device)?,
        })
    }
}

impl Optimizer for EntropySgd {
    type State<const D: usize> = EntropySgdState<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        w: Tensor<D>,
        g: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let EntropySgdConfig { inner, scope, growth, share, outer } = self.config;
        let EntropySgdState { steps, centre, mean } =
            state.unwrap_or_else(|| EntropySgdState { steps: 0, centre: w.clone(), mean: w.clone() });
        let scope = scope * (1.0 + growth).powf((steps / inner) as f64);
        let away = (w.clone() - centre.clone()).mul_scalar(scope);
        let w = w - (g + away).mul_scalar(rate);
        let mean = mean.mul_scalar(1.0 - share) + w.clone().mul_scalar(share);
        let steps = steps + 1;
        if !steps.is_multiple_of(inner) {
            return (w, Some(EntropySgdState { steps, centre, mean }));
        }
        let centre = centre.clone() - (centre - mean).mul_scalar(outer);
        (centre.clone(), Some(EntropySgdState { steps, mean: centre.clone(), centre }))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        EntropySgdState { centre: state.centre.to_device(device), mean: state.mean.to_device(device), ..state }
    }
}
