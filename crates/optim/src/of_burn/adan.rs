//! Burn's Adan: Nesterov's gradient in an adaptive rule (Xie et al. 2022, Algorithm 1), with Burn's defaults.

use burn::optim::AdanConfig as BurnConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::OptimError;
use crate::preconditioner::Reveal;
use crate::rule::{Facts, Rule, Settings};

/// Adan has no settings here. Weight decay is decoupled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdanConfig {}

impl Settings for AdanConfig {
    fn rule(&self, decay: Option<f64>) -> Result<Rule, OptimError> {
        let rule = BurnConfig::new().with_weight_decay(decay.unwrap_or(0.0) as f32);
        Ok(Rule::Module(rule.build().into()))
    }

    fn facts(&self) -> Facts {
        Facts { elementwise: false, restores: false, states: 4, squares: None }
    }

    fn edge(&self, _: f64, _: f64) -> Option<f64> {
        None
    }

    fn preconditioner(&self) -> Option<Reveal> {
        None
    }
}
