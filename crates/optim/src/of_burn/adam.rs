//! Burn's own Adam with its defaults, ϵ = 1e-5: to be compared with [`adam`](crate::adam).

use burn::optim::AdamConfig as BurnConfig;
use burn::optim::decay::WeightDecayConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::OptimError;
use crate::preconditioner::Reveal;
use crate::rule::{Facts, Rule, Settings};

/// Burn's Adam has no settings here. Weight decay is coupled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BurnAdamConfig {}

impl Settings for BurnAdamConfig {
    fn rule(&self, decay: Option<f64>) -> Result<Rule, OptimError> {
        let penalty = decay.filter(|decay| *decay > 0.0).map(|decay| WeightDecayConfig { penalty: decay as f32 });
        Ok(Rule::Module(BurnConfig::new().with_weight_decay(penalty).build().into()))
    }

    fn facts(&self) -> Facts {
        Facts { elementwise: true, restores: false, states: 2, squares: None }
    }

    fn edge(&self, _: f64, _: f64) -> Option<f64> {
        None
    }

    fn preconditioner(&self) -> Option<Reveal> {
        None
    }
}
