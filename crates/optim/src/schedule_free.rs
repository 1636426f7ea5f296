//! Schedule-Free (Defazio et al. 2024): the gradient is taken between a fast sequence and its average, and the
//! average is the network.
//!
//! At step `k = 1, 2, …` at rate γ, with `z = x = w` at the start:
//!
//! ```text
//! y ← (1 − β) z + β x                     the gradient g is taken here
//! z ← z − γ (g + λ y)                     adaptive: z − γ (g/(√v̂ + ϵ) + λ y), v̂ as in Adam
//! x ← (1 − c) x + c z,  c = γ²/Σγ²        the average, with all squared rates until now in the sum
//! ```
//!
//! The network's parameters are x at every moment, so that nothing has to be switched for evaluation; the authors'
//! program keeps y in training. Running statistics are those of y, where the gradient is taken: they are to be taken
//! anew at x. `adaptive` is their AdamW (Algorithm 1). Weights c are those of that algorithm; their
//! program takes the largest rate so far in place of γ, which is the same at a constant or rising rate. At rate 0
//! nothing moves.
//!
//! On a quadratic of curvature λ with x held fixed, as it is late in training, `z − z*` is multiplied by `1 − γ λ (1 −
//! β)` at each step: the edge is `2/((1 − β) γ)`.

use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::adam::beta_2;
use crate::error::{OptimError, check_factor, check_not_negative};
use crate::look_ahead::LookAhead;
use crate::preconditioner::Reveal;
use crate::rmsprop::epsilon;
use crate::rule::{Facts, Rule, Settings};
use crate::state::{put, take};

/// Settings of Schedule-Free.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleFreeConfig {
    /// The interpolation β, from 0 to below 1. Default: 0.9 (Defazio et al. 2024).
    #[serde(default = "beta")]
    pub beta: f64,
    /// Whether z takes steps of Adam without momentum. Default: false.
    #[serde(default)]
    pub adaptive: bool,
    /// The factor of the second moment, where it is adaptive. Default: 0.999, as for Adam.
    #[serde(default = "beta_2")]
    pub beta_2: f64,
    /// ϵ, where it is adaptive. Default: 1e-8, as for Adam.
    #[serde(default = "epsilon")]
    pub epsilon: f64,
}

fn beta() -> f64 {
    0.9
}

impl Default for ScheduleFreeConfig {
    fn default() -> Self {
        Self { beta: beta(), adaptive: false, beta_2: beta_2(), epsilon: epsilon() }
    }
}

impl Settings for ScheduleFreeConfig {
    fn rule(&self, decay: Option<f64>) -> Result<Rule, OptimError> {
        check_factor("beta", self.beta)?;
        check_factor("beta_2", self.beta_2)?;
        check_not_negative("epsilon", self.epsilon)?;
        let rule = ScheduleFree { config: *self, decay: decay.unwrap_or(0.0) };
        Ok(Rule::LookAhead(LookAhead::resting(rule)))
    }

    fn facts(&self) -> Facts {
        Facts { elementwise: true, restores: true, states: 1 + usize::from(self.adaptive), squares: None }
    }

    fn edge(&self, rate: f64, decay: f64) -> Option<f64> {
        (!self.adaptive).then(|| 2.0 / ((1.0 - self.beta) * rate) - decay)
    }

    fn preconditioner(&self) -> Option<Reveal> {
        None
    }
}

/// The rule of the [module](self), whose step at rate 0 is y.
#[derive(Debug, Clone, Copy)]
struct ScheduleFree {
    config: ScheduleFreeConfig,
    decay: f64,
}

/// State of [`ScheduleFree`].
#[derive(Debug, Clone)]
struct ScheduleFreeState<const D: usize> {
    /// Steps done.
    steps: usize,
    /// `Σγ²`.
    sum: f64,
    /// The fast sequence z.
    fast: Tensor<D>,
    /// The second moment v, where it is adaptive.
    mean_square: Option<Tensor<D>>,
}

impl<const D: usize> RecordState for ScheduleFreeState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_scalar(prefix, "steps", self.steps.into());
        out.push_scalar(prefix, "sum", self.sum.into());
        put(&self.fast, prefix, "fast", out);
        if let Some(mean_square) = &self.mean_square {
            put(mean_square, prefix, "mean_square", out);
        }
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        Some(Self {
            steps: source.take_scalar(prefix, "steps")?.try_into().ok()?,
            sum: source.take_scalar(prefix, "sum")?.try_into().ok()?,
            fast: take(prefix, "fast", source, device)?,
            mean_square: take(prefix, "mean_square", source, device),
        })
    }
}

impl Optimizer for ScheduleFree {
    type State<const D: usize> = ScheduleFreeState<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        x: Tensor<D>,
        g: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let ScheduleFreeConfig { beta, adaptive, beta_2, epsilon } = self.config;
        let at = state.unwrap_or_else(|| ScheduleFreeState { steps: 0, sum: 0.0, fast: x.clone(), mean_square: None });
        let y = at.fast.clone().mul_scalar(1.0 - beta) + x.clone().mul_scalar(beta);
        if rate == 0.0 {
            return (y, Some(at));
        }
        let steps = at.steps + 1;
        let (push, mean_square) = if adaptive {
            let fresh = g.clone().square().mul_scalar(1.0 - beta_2);
            let mean_square = match at.mean_square {
                Some(mean_square) => mean_square.mul_scalar(beta_2) + fresh,
                None => fresh,
            };
            let corrected = mean_square.clone().div_scalar(1.0 - beta_2.powf(steps as f64));
            (g / corrected.sqrt().add_scalar(epsilon), Some(mean_square))
        } else {
            (g, None)
        };
        let push = if self.decay == 0.0 { push } else { push + y.mul_scalar(self.decay) };
        let fast = at.fast - push.mul_scalar(rate);
        let sum = at.sum + rate * rate;
        let share = rate * rate / sum;
        let x = x.mul_scalar(1.0 - share) + fast.clone().mul_scalar(share);
        (x, Some(ScheduleFreeState { steps, sum, fast, mean_square }))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        ScheduleFreeState {
            fast: state.fast.to_device(device),
            mean_square: state.mean_square.map(|mean_square| mean_square.to_device(device)),
            ..state
        }
    }
}
