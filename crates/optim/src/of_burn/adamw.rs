//! Burn's AdamW: Adam with decoupled weight decay (Loshchilov & Hutter 2019, Algorithm 2).

use burn::optim::AdamWConfig as BurnConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::adam::{beta_1, beta_2};
use crate::error::{OptimError, check_factor, check_not_negative, rounded};
use crate::preconditioner::Reveal;
use crate::rmsprop::epsilon;
use crate::rule::{Facts, Rule, Settings};

/// Settings of AdamW. Burn rounds them to f32. Weight decay is 0.01 where none is given (as in PyTorch).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdamWConfig {
    /// The factor of the first moment. Default: 0.9, as of `adam`.
    #[serde(default = "beta_1")]
    pub beta_1: f64,
    /// The factor of the second moment. Default: 0.999, likewise.
    #[serde(default = "beta_2")]
    pub beta_2: f64,
    /// ϵ. Default: 1e-8, likewise; Burn's is 1e-5.
    #[serde(default = "epsilon")]
    pub epsilon: f64,
}

impl Settings for AdamWConfig {
    fn rule(&self, decay: Option<f64>) -> Result<Rule, OptimError> {
        check_factor("beta_1", rounded(self.beta_1))?;
        check_factor("beta_2", rounded(self.beta_2))?;
        check_not_negative("epsilon", rounded(self.epsilon))?;
        let rule = BurnConfig::new()
            .with_beta_1(self.beta_1 as f32)
            .with_beta_2(self.beta_2 as f32)
            .with_epsilon(self.epsilon as f32)
            .with_weight_decay(decay.unwrap_or(0.01) as f32);
        Ok(Rule::Module(rule.build().into()))
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
