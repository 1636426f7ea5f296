//! Gradient descent: `w ← w − ε g`. With the gradient of a mini-batch it is SGD.
//!
//! The notes print `w − ε ∇(ΦᵀΦw − Φᵀy)`: the parenthesis already *is* the gradient, and the step is `ε g`, not `ε ∇g`.

use burn::optim::{LearningRate, Optimizer};
use burn::tensor::{Device, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::OptimError;
use crate::preconditioner::Reveal;
use crate::rule::{Facts, Rule, Settings};

/// Configuration of [`GradientDescent`]; it has no settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GradientDescentConfig {}

impl GradientDescentConfig {
    /// The rule.
    #[must_use]
    pub fn build(&self) -> GradientDescent {
        GradientDescent
    }
}

impl Settings for GradientDescentConfig {
    fn rule(&self, decay: Option<f64>) -> Result<Rule, OptimError> {
        Ok(Rule::coupled(self.build(), decay))
    }

    fn facts(&self) -> Facts {
        Facts { elementwise: true, restores: true, states: 0, squares: None }
    }

    /// `2/ε − δ` (Cohen et al. 2021, §2).
    fn edge(&self, rate: f64, decay: f64) -> Option<f64> {
        Some(2.0 / rate - decay)
    }

    fn preconditioner(&self) -> Option<Reveal> {
        None
    }
}

/// `w − ε g`.
#[derive(Debug, Clone, Copy)]
pub struct GradientDescent;

impl Optimizer for GradientDescent {
    type State<const D: usize> = ();

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        w: Tensor<D>,
        g: Tensor<D>,
        _: Option<()>,
    ) -> (Tensor<D>, Option<()>) {
        (w - g.mul_scalar(lr), None)
    }

    fn to_device<const D: usize>((): (), _: &Device) {}
}
