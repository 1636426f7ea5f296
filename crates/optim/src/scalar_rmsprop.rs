//! Scalar RMSProp: the whole gradient divided by the root of its mean squared length.
//!
//! `ν ← γ ν + (1 − γ) ‖g‖²`, `w ← w − ε g/(√ν + ϵ)`, with one ν for all parameters (Cohen et al. 2025, who call it
//! Scalar RMSProp): gradient descent whose rate `ε/√ν` adapts. It is at its edge where `λ_max(H)/√ν = 2/ε`, so that
//! besides the sharpness its rate can give way.
//!
//! It is [`RMSProp`](crate::rmsprop) of one number that moves by the gradient's length, and all parameters go with it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::OptimError;
use crate::preconditioner::Reveal;
use crate::rmsprop::{RmsPropConfig, epsilon};
use crate::rule::{Facts, Rule, Settings};
use crate::scalar::Scalar;

/// Settings of scalar RMSProp.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScalarRmsPropConfig {
    /// The averaging factor γ, from 0 to below 1. Default: 0.99 (PyTorch, for its RMSProp).
    #[serde(default = "gamma")]
    pub gamma: f64,
    /// ϵ, not negative. Default: 1e-8, as for RMSProp.
    #[serde(default = "epsilon")]
    pub epsilon: f64,
}

fn gamma() -> f64 {
    0.99
}

impl Settings for ScalarRmsPropConfig {
    fn rule(&self, decay: Option<f64>) -> Result<Rule, OptimError> {
        let line = RmsPropConfig { gamma: self.gamma, epsilon: self.epsilon, epsilon_inside: false };
        Ok(Rule::Scalar(Box::new(Scalar::new(line.build()?, decay.unwrap_or(0.0)))))
    }

    fn facts(&self) -> Facts {
        Facts { elementwise: true, restores: true, states: 0, squares: None }
    }

    /// `2/ε`, with `P = (√ν + ϵ) I` (Cohen et al. 2025).
    fn edge(&self, rate: f64, _: f64) -> Option<f64> {
        Some(2.0 / rate)
    }

    fn preconditioner(&self) -> Option<Reveal> {
        Some(Reveal { betas: [0.0; 2], epsilon: self.epsilon, epsilon_inside: false })
    }
}
