//! Scalar RMSProp: the whole gradient divided by the root of its mean squared length.
//!
//! `ν ← γ ν + (1 − γ) ‖g‖²`, `w ← w − ε g/(√ν + ϵ)`, with one ν for all parameters (Cohen et al. 2025, who call it
//! Scalar RMSProp): gradient descent whose rate `ε/√ν` adapts. It is at its edge where `λ_max(H)/√ν = 2/ε`, so that
//! besides the sharpness its rate can give way.
//!
//! It is [`RMSProp`](crate::rmsprop) of one number that moves by the gradient's length, and all parameters go with it.

use std::path::Path;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{GradientsParams, LearningRate, ModuleOptimizer};
use burn::store::RecordError;
use burn::tensor::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::clip::global_norm;
use crate::error::{OptimError, check_factor, check_not_negative};
use crate::gradient_descent::GradientDescent;
use crate::preconditioner::Reveal;
use crate::rmsprop::{RmsPropConfig, epsilon};
use crate::rule::{Facts, Rule, Settings};
use crate::shared::{self, combined, own, visit_once};
use crate::vector::Vector;

/// Configuration of [`ScalarRmsProp`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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

impl ScalarRmsPropConfig {
    /// The rule, with coupled weight decay.
    ///
    /// # Errors
    ///
    /// When γ is not in [0, 1), or ϵ or the decay is negative or not finite.
    pub fn build(&self, decay: f64) -> Result<ScalarRmsProp, OptimError> {
        check_factor("gamma", self.gamma)?;
        check_not_negative("epsilon", self.epsilon)?;
        check_not_negative("weight_decay", decay)?;
        let line = RmsPropConfig { gamma: self.gamma, epsilon: self.epsilon, epsilon_inside: false };
        Ok(ScalarRmsProp { decay, line: line.build()?.into() })
    }
}

impl Settings for ScalarRmsPropConfig {
    fn rule(&self, decay: Option<f64>) -> Result<Rule, OptimError> {
        Ok(Rule::Scalar(Box::new(self.build(decay.unwrap_or(0.0))?)))
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

/// The rule of the [module](self); built by [`ScalarRmsPropConfig::build`].
#[derive(Clone)]
pub struct ScalarRmsProp {
    decay: f64,
    /// RMSProp of one number, whose state is that of all.
    line: ModuleOptimizer,
}

impl std::fmt::Debug for ScalarRmsProp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScalarRmsProp").field("decay", &self.decay).finish_non_exhaustive()
    }
}

impl ScalarRmsProp {
    /// One step.
    #[must_use]
    pub fn step<M: Module>(&mut self, lr: LearningRate, module: M, gradients: GradientsParams) -> M {
        let gradients = match self.decay {
            0.0 => gradients,
            decay => combined(&module, [(&gradients, 1.0), (&own(&module), decay)]),
        };
        let length = global_norm(&module, &gradients);
        let zero = Vector::new(one(&module, 0.0));
        let along = zero.gradients(one(&module, length));
        let moved = shared::step(&mut self.line, lr, zero, along).values().into_scalar::<f64>();
        // Without a gradient there is nowhere to go, but ν is a step older.
        let rate = if length == 0.0 { 0.0 } else { -moved / length };
        shared::step(&mut GradientDescent.into(), rate, module, gradients)
    }

    pub(crate) fn save(&self, path: &Path) -> Result<(), RecordError> {
        self.line.save(path)
    }

    pub(crate) fn load(self, path: &Path) -> Result<Self, RecordError> {
        Ok(Self { line: self.line.load(path)?, ..self })
    }

    /// The module with `√ν + ϵ` in the place of every parameter.
    pub(crate) fn preconditioner<M: Module>(&self, reveal: &Reveal, module: &M) -> M {
        struct Fill(f64);
        impl ModuleMapper for Fill {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                param.map(|tensor| {
                    let trained = tensor.is_require_grad();
                    Tensor::from_inner(tensor.inner().full_like(self.0)).set_require_grad(trained)
                })
            }
        }
        let value = reveal.preconditioner(&self.line, &Vector::new(one(module, 0.0))).values().into_scalar();
        // What is written into statistics is written into those of every clone.
        shared::apart(module).map(&mut Fill(value))
    }
}

/// A number in the type and on the device of a module's parameters.
fn one<M: Module>(module: &M, value: f64) -> Tensor<1> {
    struct First(Option<(Device, DType)>);
    impl ModuleVisitor for First {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.get_or_insert_with(|| {
                let tensor = param.val().inner();
                (tensor.device(), tensor.dtype())
            });
        }
    }
    let mut first = First(None);
    visit_once(module, &mut first);
    let (device, dtype) = first.0.unwrap_or_else(|| (Device::default(), DType::F32));
    Tensor::full([1], value, (&device, dtype))
}
