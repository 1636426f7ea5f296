//! Nesterov's accelerated gradient in its two forms, which are one method seen from two points.
//!
//! **Look-ahead** (the notes: "extend the previous step, then calculate the gradient"; Nesterov 1983, in the words of
//! Sutskever et al. 2013, eq. 3–4): `v ← b v − ε ∇f(w + b v)`, `w ← w + v`. The gradient is taken at another point than
//! `w`, so this form takes a closure: [`LookAhead`].
//!
//! **Re-parameterised** (Bengio, Boulanger-Lewandowski & Pascanu 2013, eq. 7): keep `y = w + b v` as the parameters,
//! `v ← b v − ε ∇f(y)`, `y ← y + b v − ε ∇f(y)` with the new v. An ordinary rule: [`Nesterov`]. At every step its
//! parameters are `y_t = w_t + b v_t` of the look-ahead form; at a constant rate it is PyTorch's `SGD(nesterov=True)`.

use burn::optim::{LearningRate, Optimizer};
use burn::tensor::{Device, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{OptimError, check_factor};
use crate::look_ahead::LookAhead;
use crate::momentum::{MomentumConfig, MomentumState, momentum};
use crate::preconditioner::Reveal;
use crate::rule::{Facts, Rule, Settings};

/// Which of the two forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Gradient at the parameters kept; what PyTorch does.
    #[default]
    Reparameterised,
    /// Gradient at the extended point; the notes' form.
    LookAhead,
}

/// Configuration of [`Nesterov`] and [`LookAhead`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NesterovConfig {
    /// The factor b, from 0 to below 1. Default: 0.9, as of `momentum`.
    #[serde(default = "momentum")]
    pub momentum: f64,
    /// Default: re-parameterised.
    #[serde(default)]
    pub form: Form,
}

impl NesterovConfig {
    /// The re-parameterised rule.
    ///
    /// # Errors
    ///
    /// When the factor is not in [0, 1).
    pub fn build(&self) -> Result<Nesterov, OptimError> {
        check_factor("momentum", self.momentum)?;
        Ok(Nesterov { momentum: self.momentum })
    }

    /// The look-ahead method.
    ///
    /// # Errors
    ///
    /// When the factor is not in [0, 1).
    pub fn look_ahead(&self) -> Result<LookAhead, OptimError> {
        Ok(LookAhead::new(MomentumConfig { momentum: self.momentum }.build()?))
    }
}

impl Settings for NesterovConfig {
    fn rule(&self, decay: Option<f64>) -> Result<Rule, OptimError> {
        match self.form {
            Form::Reparameterised => Ok(Rule::coupled(self.build()?, decay)),
            Form::LookAhead if decay.is_some_and(|decay| decay > 0.0) => Err(OptimError::Combination(
                "look-ahead takes no weight decay; use the re-parameterised form of nesterov",
            )),
            Form::LookAhead => Ok(Rule::LookAhead(self.look_ahead()?)),
        }
    }

    fn facts(&self) -> Facts {
        Facts { elementwise: true, restores: true, states: 1, squares: None }
    }

    /// `(2 + 2b)/(ε (1 + 2b)) − δ` (Cohen et al. 2021, eq. 1).
    fn edge(&self, rate: f64, decay: f64) -> Option<f64> {
        Some((2.0 + 2.0 * self.momentum) / (rate * (1.0 + 2.0 * self.momentum)) - decay)
    }

    fn preconditioner(&self) -> Option<Reveal> {
        None
    }
}

/// The re-parameterised form.
#[derive(Debug, Clone, Copy)]
pub struct Nesterov {
    momentum: f64,
}

impl Optimizer for Nesterov {
    type State<const D: usize> = MomentumState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        y: Tensor<D>,
        g: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let velocity = MomentumState::advance(state, self.momentum, lr, g.clone());
        let step = velocity.clone().mul_scalar(self.momentum) - g.mul_scalar(lr);
        (y + step, Some(MomentumState { velocity }))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        state.moved_to(device)
    }
}
