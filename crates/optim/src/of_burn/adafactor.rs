//! Burn's Adafactor: second moments of matrices by their rows and columns (Shazeer & Stern 2018, Algorithm 4), at the
//! configured rate instead of a relative one.

use burn::optim::AdafactorConfig as BurnConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::OptimError;
use crate::preconditioner::Reveal;
use crate::rule::{Facts, Rule, Settings};

/// Adafactor has no settings here. Weight decay is decoupled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdafactorConfig {}

impl Settings for AdafactorConfig {
    fn rule(&self, decay: Option<f64>) -> Result<Rule, OptimError> {
        let rule = BurnConfig::new()
            .with_relative_step(false)
            .with_scale_parameter(false)
            .with_weight_decay(decay.unwrap_or(0.0) as f32);
        Ok(Rule::Module(rule.build().into()))
    }

    fn facts(&self) -> Facts {
        Facts { elementwise: false, restores: false, states: 1, squares: None }
    }

    fn edge(&self, _: f64, _: f64) -> Option<f64> {
        None
    }

    fn preconditioner(&self) -> Option<Reveal> {
        None
    }
}
