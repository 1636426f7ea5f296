//! Burn's AdaGrad: steps over the root of the sum of squared derivatives (Duchi et al. 2011, §1.1).

use burn::optim::AdaGradConfig as BurnConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{OptimError, check_not_negative, rounded};
use crate::preconditioner::Reveal;
use crate::rule::{Facts, Rule, Settings};

/// Settings of AdaGrad. Burn rounds them to f32. Weight decay is coupled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdaGradConfig {
    /// ϵ. Default: 1e-10 (PyTorch).
    #[serde(default = "epsilon")]
    pub epsilon: f64,
}

fn epsilon() -> f64 {
    1e-10
}

impl Settings for AdaGradConfig {
    fn rule(&self, decay: Option<f64>) -> Result<Rule, OptimError> {
        check_not_negative("epsilon", rounded(self.epsilon))?;
        Ok(Rule::coupled(BurnConfig::new().with_epsilon(self.epsilon as f32).build(), decay))
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
