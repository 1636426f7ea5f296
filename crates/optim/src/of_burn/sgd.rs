//! Burn's own SGD with its momentum, dampened by 0.1: to be compared with [`momentum`](crate::momentum).

use burn::optim::SgdConfig as BurnConfig;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{OptimError, check_factor, rounded};
use crate::momentum::momentum;
use crate::preconditioner::Reveal;
use crate::rule::{Facts, Rule, Settings};

/// Settings of Burn's SGD. Burn rounds them to f32. Weight decay is coupled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BurnSgdConfig {
    /// The factor of its momentum, from 0 to below 1. Default: 0.9, as for
    /// [`MomentumConfig`](crate::momentum::MomentumConfig).
    #[serde(default = "momentum")]
    pub momentum: f64,
}

impl Settings for BurnSgdConfig {
    fn rule(&self, decay: Option<f64>) -> Result<Rule, OptimError> {
        check_factor("momentum", rounded(self.momentum))?;
        let penalty = decay.filter(|decay| *decay > 0.0).map(|decay| WeightDecayConfig { penalty: decay as f32 });
        let momentum = MomentumConfig::new().with_momentum(self.momentum);
        Ok(Rule::Module(BurnConfig::new().with_momentum(Some(momentum)).with_weight_decay(penalty).build().into()))
    }

    fn facts(&self) -> Facts {
        Facts { elementwise: true, restores: false, states: 1, squares: None }
    }

    fn edge(&self, _: f64, _: f64) -> Option<f64> {
        None
    }

    fn preconditioner(&self) -> Option<Reveal> {
        None
    }
}
