//! Nesterov's accelerated gradient in its two forms, which are one method seen from two points.
//!
//! **Look-ahead** (the notes: "extend the previous step, then calculate the gradient"; Nesterov 1983, in the words of
//! Sutskever et al. 2013, eq. 3–4): `v ← b v − ε ∇f(w + b v)`, `w ← w + v`. The gradient is taken at another point than
//! `w`, so this form takes a closure: [`LookAhead`].
//!
//! **Re-parameterised** (Bengio, Boulanger-Lewandowski & Pascanu 2013, eq. 7): keep `y = w + b v` as the parameters,
//! `v ← b v − ε ∇f(y)`, `y ← y + b v − ε ∇f(y)` with the new v. An ordinary rule: [`Nesterov`]. At every step its
//! parameters are `y_t = w_t + b v_t` of the look-ahead form; at a constant rate it is PyTorch's `SGD(nesterov=True)`.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsParams, LearningRate, ModuleOptimizer, Optimizer};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::momentum::{Momentum, MomentumConfig, MomentumState, momentum};
use crate::shared::{self, visit_once};
use crate::{OptimError, check_factor};

/// Which of the two forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Gradient at the parameters kept; what PyTorch does.
    #[default]
    Reparameterised,
    /// Gradient at the extended point; the notes' form.
    LookAhead,
}

/// Configuration of [`Nesterov`] and [`LookAhead`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NesterovConfig {
    /// The factor b, from 0 to below 1. Default: 0.9, as for [`MomentumConfig`].
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

/// The look-ahead form: heavy ball with the gradient taken where the previous step, repeated, would lead.
#[derive(Clone)]
pub struct LookAhead {
    /// Heavy ball. Its step at rate 0 is exactly the extension `w + b v`.
    pub(crate) momentum: ModuleOptimizer,
}

impl LookAhead {
    /// Look-ahead around a heavy ball.
    #[must_use]
    pub fn new(momentum: Momentum) -> Self {
        Self { momentum: momentum.into() }
    }

    /// The extended point `w + b v`.
    #[must_use]
    pub fn extend<M: Module>(&self, module: &M) -> M {
        shared::step(&mut self.momentum.clone(), 0.0, module.clone(), zero_gradients(module))
    }

    /// One step; `closure` gives loss and gradients at the module it is handed. The loss returned is that of the
    /// extended point.
    pub fn step<M: Module>(
        &mut self,
        lr: LearningRate,
        module: M,
        mut closure: impl FnMut(&M) -> (f64, GradientsParams),
    ) -> (M, f64) {
        let (loss, gradients) = closure(&self.extend(&module));
        (shared::step(&mut self.momentum, lr, module, gradients), loss)
    }
}

fn zero_gradients<M: Module>(module: &M) -> GradientsParams {
    struct Zeros(GradientsParams);
    impl ModuleVisitor for Zeros {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.register(param.id, param.val().inner().zeros_like());
        }
    }
    let mut visitor = Zeros(GradientsParams::new());
    visit_once(module, &mut visitor);
    visitor.0
}
