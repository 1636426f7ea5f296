//! Burn's Lion: the sign of an average of gradients (Chen et al. 2023, Algorithm 2).

use burn::optim::LionConfig as BurnConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::adam::beta_1;
use crate::error::{OptimError, check_factor, rounded};
use crate::preconditioner::Reveal;
use crate::rule::{Facts, Rule, Settings};

/// Settings of Lion. Burn rounds them to f32. Weight decay is decoupled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LionConfig {
    /// Interpolation of the step. Default: 0.9 (Chen et al. 2023, Algorithm 2).
    #[serde(default = "beta_1")]
    pub beta_1: f64,
    /// Interpolation of the momentum. Default: 0.99 (likewise).
    #[serde(default = "beta_2")]
    pub beta_2: f64,
}

fn beta_2() -> f64 {
    0.99
}

impl Settings for LionConfig {
    fn rule(&self, decay: Option<f64>) -> Result<Rule, OptimError> {
        check_factor("beta_1", rounded(self.beta_1))?;
        check_factor("beta_2", rounded(self.beta_2))?;
        let rule = BurnConfig::new()
            .with_beta_1(self.beta_1 as f32)
            .with_beta_2(self.beta_2 as f32)
            .with_weight_decay(decay.unwrap_or(0.0) as f32);
        Ok(Rule::Module(rule.build().into()))
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
