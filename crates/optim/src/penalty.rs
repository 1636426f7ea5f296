//! The largest eigenvalue of the Hessian as a penalty: `L(w) + α λ(w)`, for any rule.
//!
//! The notes name this and call it SAM; [SAM](crate::sam) is another method. With a unit eigenvector v of `λ_max`, held
//! fixed, `∇λ = ∂_w(vᵀHv)`. Both v and this derivative come from gradients alone, at two points a product:
//!
//! - `Hv ≈ (g(w + hv) − g(w − hv)) / 2h`, and power iteration from `v = g/‖g‖`, `v ← Hv/‖Hv‖`;
//! - `∂_w(vᵀHv) ≈ (g(w + hv) − 2 g(w) + g(w − hv)) / h²`, from the points of the last product.
//!
//! So a step asks for `1 + 2k` gradients with k iterations. There is no state: v begins anew at every step, at the
//! gradient, whose largest components late in training are those along the sharpest directions. After few iterations v
//! is between the two, and the penalty that of the curvature along it. Power iteration finds the eigenvalue of largest
//! magnitude; where that is negative, it is lowered further. Running statistics are moved by the forward at `w` alone.

use burn::module::Module;
use burn::optim::GradientsParams;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clip::global_norm;
use crate::error::{OptimError, check, check_not_negative, check_positive};
use crate::sam::Ascent;
use crate::shared::{self, combined, elsewhere};

/// The most iterations: a step cannot be stopped in the middle.
const MAX_ITERATIONS: usize = 1000;

/// Configuration of [`SharpnessPenalty`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SharpnessPenaltyConfig {
    /// α, not negative: the loss becomes `L + α λ`.
    pub weight: f64,
    /// Power iterations k, from 1 to 1000. Default: 2, five gradients a step.
    #[serde(default = "iterations")]
    pub iterations: usize,
    /// Distance h of the differences, positive. Default: 0.01, between the rounding of f32 gradients (`ϵ‖g‖/h²`) and
    /// their fourth derivative (`h²/12`).
    #[serde(default = "distance")]
    pub distance: f64,
}

fn iterations() -> usize {
    2
}

fn distance() -> f64 {
    0.01
}

impl SharpnessPenaltyConfig {
    /// The penalty with this weight.
    #[must_use]
    pub fn new(weight: f64) -> Self {
        Self { weight, iterations: iterations(), distance: distance() }
    }

    /// The method.
    ///
    /// # Errors
    ///
    /// When a setting is out of its range.
    pub fn build(&self) -> Result<SharpnessPenalty, OptimError> {
        check_not_negative("weight", self.weight)?;
        let possible = (1..=MAX_ITERATIONS).contains(&self.iterations);
        check("iterations", self.iterations as f64, possible, "from 1 to 1000")?;
        check_positive("distance", self.distance)?;
        Ok(SharpnessPenalty { config: *self })
    }
}

/// The penalty; it has no state.
#[derive(Debug, Clone, Copy)]
pub struct SharpnessPenalty {
    config: SharpnessPenaltyConfig,
}

impl SharpnessPenalty {
    /// Loss at `module`, without the penalty, and the gradients of both together.
    ///
    /// `closure` gives loss and gradients at the module it is handed; it is called `1 + 2k` times (once if α = 0 or the
    /// gradient is zero).
    pub fn gradients<M: Module>(
        &self,
        module: &M,
        closure: &mut impl FnMut(&M) -> (f64, GradientsParams),
    ) -> (f64, GradientsParams) {
        let SharpnessPenaltyConfig { weight, iterations, distance: h } = self.config;
        let (loss, gradients) = closure(module);
        if weight == 0.0 {
            return (loss, gradients);
        }
        let copy = elsewhere(module, &gradients);
        let mut direction = combined(module, [(&gradients, 1.0)]);
        for iteration in 1..=iterations {
            let norm = global_norm(module, &direction);
            if norm == 0.0 {
                break;
            }
            let [high, low] = [h, -h].map(|step| {
                let direction = combined(module, [(&direction, 1.0)]);
                let moved = shared::step(&mut Ascent.into(), step / norm, copy.clone(), direction);
                closure(&moved).1
            });
            if iteration == iterations {
                let second = weight / (h * h);
                let parts = [(&gradients, 1.0 - 2.0 * second), (&high, second), (&low, second)];
                return (loss, combined(module, parts));
            }
            direction = combined(module, [(&high, 0.5 / h), (&low, -0.5 / h)]);
        }
        (loss, gradients)
    }
}
