//! Gradient descent: `w ← w − ε g`. With the gradient of a mini-batch it is SGD.
//!
//! The notes print `w − ε ∇(ΦᵀΦw − Φᵀy)`: the parenthesis already *is* the gradient, and the step is `ε g`, not `ε ∇g`.

use burn::optim::{LearningRate, Optimizer};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// Configuration of [`GradientDescent`]; it has no settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GradientDescentConfig {}

impl GradientDescentConfig {
    /// The rule.
    #[must_use]
    pub fn build(&self) -> GradientDescent {
        GradientDescent
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
