//! Sharpness-aware minimization: the gradient of the loss at the worst point nearby, for any rule.
//!
//! **SAM** (Foret et al. 2021, eq. 2 and Algorithm 1): `min_w max_{‖e‖ ≤ ρ} L(w + e)`, the inner problem solved to
//! first order: `ê = ρ g/‖g‖`. The rule then steps from `w` with the gradient at `w + ê`.
//!
//! **ASAM** (Kwon et al. 2021, eq. 8, elementwise normalization): with `T = |w| + η`, `ê = ρ T² g/‖T g‖`, which does
//! not change when weights are rescaled. Biases are normalized like weights.
//!
//! **A weight** α mixes that gradient with the plain one, `(1 − α) g(w) + α g(w + ê)`. Between 0 and 1 this is the
//! gradient of the loss with its gradient's norm as a penalty, `L + α ρ ‖g‖` to first order (Zhao, Zhang & Hu 2022,
//! Algorithm 1, with their λ = α ρ); beyond 1 it is WSAM with γ = α/(1 + α) (Yue et al. 2023), given to the rule as one
//! gradient. Their Algorithm 2 takes the rule's step with g(w) alone and the rest as a step of gradient descent, which
//! is the same around gradient descent and nowhere else.
//!
//! **Friendly SAM** (Li et al. 2024): the gradient of a batch less what all batches have in common, `ê = ρ d/‖d‖` with
//! `d = g − σ m`, where m is the average of the gradients before, `m ← λ m + (1 − λ) g`. As in the authors' program m
//! begins with the first gradient, whose own direction is taken; the paper's m has g in it already, which at σ = 1
//! changes the length of d alone.
//!
//! The notes say that adding the largest eigenvalue to the loss "gives SAM". That is another method, an explicit
//! [penalty](crate::penalty): SAM never computes an eigenvalue, and its ascent direction is the gradient.
//!
//! A zero gradient has no direction: the point is then not moved. With `ρ = 0` SAM is the base rule, bit for bit.
//!
//! Running statistics are moved by the forward at `w` alone, as in Foret et al.'s own code.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsParams, LearningRate, ModuleOptimizer, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clip::global_norm;
use crate::error::{OptimError, check_factor, check_not_negative};
use crate::shared::{self, combined, elsewhere, own, visit_once};
use crate::state::{put, take};

/// Configuration of [`Sam`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SamConfig {
    /// Radius ρ, not negative. Default: 0.05 (Foret et al. 2021, §3.1); Kwon et al. take 0.5 for ASAM.
    #[serde(default = "rho")]
    pub rho: f64,
    /// Whether to normalize by weight: ASAM. Default: false.
    #[serde(default)]
    pub adaptive: bool,
    /// ASAM's η, not negative. Default: 0.01 (Kwon et al. 2021, §5).
    #[serde(default = "eta")]
    pub eta: f64,
    /// The weight α of the perturbed gradient, not negative. Default: 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: f64,
    /// What is taken off the gradient before it gives the direction: Friendly SAM. By default nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub friendly: Option<FriendlyConfig>,
}

/// What Friendly SAM takes off a gradient.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FriendlyConfig {
    /// How much of the average σ, not negative. Default: 1 (Li et al. 2024).
    #[serde(default = "one")]
    pub sigma: f64,
    /// The averaging factor λ, from 0 to below 1. Default: 0.9 (the authors' class; their programs set 0.6 and 0.95).
    #[serde(default = "lambda")]
    pub lambda: f64,
}

impl Default for FriendlyConfig {
    fn default() -> Self {
        Self { sigma: one(), lambda: lambda() }
    }
}

fn lambda() -> f64 {
    0.9
}

fn rho() -> f64 {
    0.05
}

fn eta() -> f64 {
    0.01
}

fn one() -> f64 {
    1.0
}

/// Keys that came later are not written unless they are set, so that the identities of runs before them stay.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives references")]
fn is_one(weight: &f64) -> bool {
    *weight == one()
}

impl SamConfig {
    /// SAM with radius `rho`.
    #[must_use]
    pub fn new(rho: f64) -> Self {
        Self { rho, adaptive: false, eta: eta(), weight: one(), friendly: None }
    }

    /// ASAM with radius `rho`.
    #[must_use]
    pub fn adaptive(rho: f64) -> Self {
        Self { rho, adaptive: true, eta: eta(), weight: one(), friendly: None }
    }

    /// The sharpness λ at the edge of gradient descent with SAM, whose own edge is a: the root of `λ + αρλ²/‖g‖ = a`
    /// (Long & Bartlett 2024, eq. 1, at α = 1; on a quadratic the mixed gradient is SAM's with α ρ). None for ASAM and
    /// Friendly SAM, and where the gradient is zero.
    pub(crate) fn edge(&self, a: f64, gradient_norm: f64) -> Option<f64> {
        if self.adaptive || self.friendly.is_some() || gradient_norm <= 0.0 {
            return None;
        }
        // Written so that nothing cancels where ρ is small.
        let slope = gradient_norm / (self.weight * self.rho);
        Some(2.0 * a / (1.0 + (1.0 + 4.0 * a.max(0.0) / slope).sqrt()))
    }

    /// The method.
    ///
    /// # Errors
    ///
    /// When ρ, η, α or σ is negative or not finite, or λ not in [0, 1).
    pub fn build(&self) -> Result<Sam, OptimError> {
        check_not_negative("rho", self.rho)?;
        check_not_negative("eta", self.eta)?;
        check_not_negative("weight", self.weight)?;
        if let Some(friendly) = self.friendly {
            check_not_negative("sigma", friendly.sigma)?;
            check_factor("lambda", friendly.lambda)?;
        }
        let mean = self.friendly.map(|FriendlyConfig { lambda, .. }| Mean { lambda }.into());
        Ok(Sam { config: *self, mean })
    }
}

/// SAM, ASAM or Friendly SAM.
#[derive(Clone)]
pub struct Sam {
    config: SamConfig,
    /// Friendly SAM's average of gradients.
    pub(crate) mean: Option<ModuleOptimizer>,
}

impl std::fmt::Debug for Sam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sam").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Sam {
    /// Loss at `module`, and gradients at the perturbed point `w + ê`, or those mixed with the ones at `module`.
    ///
    /// `closure` gives loss and gradients at the module it is handed; it is called twice (once if ρ or α is 0, or the
    /// gradient).
    pub fn gradients<M: Module>(
        &mut self,
        module: &M,
        closure: &mut impl FnMut(&M) -> (f64, GradientsParams),
    ) -> (f64, GradientsParams) {
        let (loss, gradients) = closure(module);
        let weight = self.config.weight;
        // Absent where the perturbed gradient is all.
        let plain = (weight != 1.0).then(|| combined(module, [(&gradients, 1.0 - weight)]));
        match (self.perturb(module, gradients), plain) {
            (Ok(perturbed), None) => (loss, closure(&perturbed).1),
            (Ok(perturbed), Some(plain)) => {
                let there = closure(&perturbed).1;
                (loss, combined(module, [(&plain, 1.0), (&there, weight)]))
            }
            (Err(gradients), _) => (loss, gradients),
        }
    }

    /// The module at `w + ê`, or the gradients back when there is nowhere to go.
    fn perturb<M: Module>(&mut self, module: &M, gradients: GradientsParams) -> Result<M, GradientsParams> {
        let SamConfig { rho, adaptive, eta, weight, .. } = self.config;
        if rho == 0.0 || weight == 0.0 {
            return Err(gradients);
        }
        let (direction, gradients) = match self.remainder(module, &gradients) {
            Some(remainder) => (remainder, Some(gradients)),
            None => (gradients, None),
        };
        let norm = if adaptive { adaptive_norm(module, &direction, eta) } else { global_norm(module, &direction) };
        if norm == 0.0 {
            return Err(gradients.unwrap_or(direction));
        }
        let mut ascent =
            if adaptive { ModuleOptimizer::from(AdaptiveAscent { eta }) } else { ModuleOptimizer::from(Ascent) };
        let copy = elsewhere(module, &direction);
        Ok(shared::step(&mut ascent, rho / norm, copy, direction))
    }

    /// `g − σ m`, for Friendly SAM.
    fn remainder<M: Module>(&mut self, module: &M, gradients: &GradientsParams) -> Option<GradientsParams> {
        let (mean, friendly) = self.mean.as_mut().zip(self.config.friendly)?;
        let mean = own(&shared::step(mean, 0.0, module.clone(), combined(module, [(gradients, 1.0)])));
        Some(combined(module, [(gradients, 1.0), (&mean, -friendly.sigma)]))
    }
}

/// The average of the gradients before, put in the place of the parameters: the way Burn offers to a state for each of
/// them. Zero before the first.
#[derive(Clone)]
struct Mean {
    lambda: f64,
}

/// State of [`Mean`].
#[derive(Debug, Clone)]
struct MeanState<const D: usize> {
    mean: Tensor<D>,
}

impl<const D: usize> RecordState for MeanState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        put(&self.mean, prefix, "mean", out);
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        Some(Self { mean: take(prefix, "mean", source, device)? })
    }
}

impl Optimizer for Mean {
    type State<const D: usize> = MeanState<D>;

    fn step<const D: usize>(
        &self,
        _: LearningRate,
        _: Tensor<D>,
        g: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        match state {
            Some(MeanState { mean }) => {
                let next = mean.clone().mul_scalar(self.lambda) + g.mul_scalar(1.0 - self.lambda);
                (mean, Some(MeanState { mean: next }))
            }
            None => (g.zeros_like(), Some(MeanState { mean: g })),
        }
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        MeanState { mean: state.mean.to_device(device) }
    }
}

/// `w + s g`: gradient ascent, as a rule so that Burn carries parameters and their flags over.
#[derive(Clone)]
pub(crate) struct Ascent;

impl Optimizer for Ascent {
    type State<const D: usize> = ();

    fn step<const D: usize>(
        &self,
        s: LearningRate,
        w: Tensor<D>,
        g: Tensor<D>,
        _: Option<()>,
    ) -> (Tensor<D>, Option<()>) {
        (w + g.mul_scalar(s), None)
    }

    fn to_device<const D: usize>((): (), _: &Device) {}
}

/// `w + s T² g` with `T = |w| + η`.
#[derive(Clone)]
struct AdaptiveAscent {
    eta: f64,
}

impl Optimizer for AdaptiveAscent {
    type State<const D: usize> = ();

    fn step<const D: usize>(
        &self,
        s: LearningRate,
        w: Tensor<D>,
        g: Tensor<D>,
        _: Option<()>,
    ) -> (Tensor<D>, Option<()>) {
        let t = w.clone().abs().add_scalar(self.eta);
        (w + t.square() * g.mul_scalar(s), None)
    }

    fn to_device<const D: usize>((): (), _: &Device) {}
}

/// `‖T g‖₂`.
fn adaptive_norm<M: Module>(module: &M, gradients: &GradientsParams, eta: f64) -> f64 {
    struct Scaled<'a> {
        gradients: &'a GradientsParams,
        eta: f64,
        scaled: GradientsParams,
    }
    impl ModuleVisitor for Scaled<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(g) = self.gradients.get::<D>(param.id) {
                let t = param.val().inner().abs().add_scalar(self.eta);
                self.scaled.register(param.id, t * g);
            }
        }
    }
    let mut visitor = Scaled { gradients, eta, scaled: GradientsParams::new() };
    visit_once(module, &mut visitor);
    global_norm(module, &visitor.scaled)
}
