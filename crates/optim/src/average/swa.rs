//! Stochastic weight averaging (Izmailov et al. 2018, Algorithm 1): the mean of weights that training passes through
//! late, at a rate that keeps it moving.
//!
//! Its schedule is [`swa`](crate::schedule::ScheduleConfig::Swa), a constant rate at the end; cyclical rates are not
//! here.

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::averaging::{Averaging, Taken, towards};
use crate::error::{OptimError, check};

/// Settings of stochastic weight averaging.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SwaConfig {
    /// The first step whose weights are in it, at least 1. Default: three quarters of the run (Izmailov et al. 2018:
    /// 75 % of the training budget).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<usize>,
    /// Steps between weights, at least 1. Default: an epoch (Izmailov et al. 2018, for a constant rate).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<usize>,
}

/// Where averaging begins in a run of so many steps, and the rate has come down.
pub(crate) fn three_quarters(run_steps: usize) -> usize {
    (run_steps * 3).div_ceil(4)
}

impl Averaging for SwaConfig {
    fn taken(&self, run_steps: usize, epoch_steps: usize) -> Result<Taken, OptimError> {
        let (from, every) = (self.start.unwrap_or(three_quarters(run_steps)), self.every.unwrap_or(epoch_steps));
        check("start", from as f64, (1..=run_steps).contains(&from), "from 1 to the steps of the run")?;
        check("every", every as f64, every > 0, "at least 1")?;
        Ok(Taken { from, every })
    }

    fn take(&self, kept: &mut Vec<Tensor<1>>, taken: usize, weights: Tensor<1>) {
        towards(kept, weights, 1.0 / (taken as f64 + 1.0));
    }

    fn most(&self) -> usize {
        1
    }
}
