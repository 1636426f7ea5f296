//! Exponential moving average: `a ← β a + (1 − β) w`, from `a = 0` and divided by the weight `1 − βᵏ` that k weights
//! have together, as in Adam (Kingma & Ba 2015, §3). The initial weights of the network are not in it.
//!
//! PyTorch's `get_ema_multi_avg_fn` and timm's `ModelEmaV3` begin at the first weights instead, which then keep the
//! share `βᵏ`.

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::averaging::{Averaging, Taken, towards};
use crate::error::{OptimError, check, check_factor};

/// Settings of the exponential moving average.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmaConfig {
    /// The factor β, from 0 to below 1. Default: 0.999 (Tarvainen & Valpola 2017; also PyTorch's).
    #[serde(default = "decay")]
    pub decay: f64,
    /// Steps between weights, at least 1. Default: 1.
    #[serde(default = "every")]
    pub every: usize,
}

fn decay() -> f64 {
    0.999
}

fn every() -> usize {
    1
}

impl Averaging for EmaConfig {
    fn taken(&self, _: usize, _: usize) -> Result<Taken, OptimError> {
        check_factor("decay", self.decay)?;
        check("every", self.every as f64, self.every > 0, "at least 1")?;
        Ok(Taken { from: self.every, every: self.every })
    }

    fn take(&self, kept: &mut Vec<Tensor<1>>, taken: usize, weights: Tensor<1>) {
        // a + (1 − β)/(1 − βᵏ) (w − a).
        let share = (1.0 - self.decay) / (1.0 - self.decay.powf(taken as f64 + 1.0));
        towards(kept, weights, share);
    }

    fn most(&self) -> usize {
        1
    }
}
