//! Latest weight averaging (Kaddour 2022): the mean of the last k weights, each taken at the end of an epoch.

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::averaging::{Averaging, Taken};
use crate::error::{OptimError, check};

/// The most weights that are kept: a limit against slips of the pen.
const MAX: usize = 1000;

/// Settings of latest weight averaging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LawaConfig {
    /// The number k of weights, from 1 to 1000; fewer at first. Default: 6, our choice.
    #[serde(default = "last")]
    pub last: usize,
    /// Steps between them, at least 1. Default: an epoch (Kaddour 2022).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<usize>,
}

fn last() -> usize {
    6
}

impl Averaging for LawaConfig {
    fn taken(&self, _: usize, epoch_steps: usize) -> Result<Taken, OptimError> {
        let every = self.every.unwrap_or(epoch_steps);
        check("last", self.last as f64, (1..=MAX).contains(&self.last), "from 1 to 1000")?;
        check("every", every as f64, every > 0, "at least 1")?;
        Ok(Taken { from: every, every })
    }

    fn take(&self, kept: &mut Vec<Tensor<1>>, _: usize, weights: Tensor<1>) {
        if kept.len() == self.last {
            kept.remove(0);
        }
        kept.push(weights);
    }

    fn most(&self) -> usize {
        self.last
    }
}
