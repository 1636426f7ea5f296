//! What a rule says of itself: each does so in its own file.
//!
//! A rule is up to three types: `XConfig`, its settings, builds `X`, a [`burn::optim::Optimizer`], which keeps an
//! `XState` for each parameter. The settings answer the questions of [`Settings`], none of which has a default, so that
//! a new rule cannot pass over one.

use burn::optim::{LBFGS, ModuleOptimizer, Optimizer};

use crate::error::OptimError;
use crate::look_ahead::LookAhead;
use crate::preconditioner::Reveal;
use crate::scalar::Scalar;
use crate::weight_decay::WithWeightDecay;

/// How a step is made from gradients.
#[derive(Clone)]
pub(crate) enum Rule {
    /// A rule that takes one gradient, at the parameters.
    Module(ModuleOptimizer),
    /// A rule of one number that moves by the gradient's length.
    Scalar(Box<Scalar>),
    /// Nesterov's look-ahead.
    LookAhead(LookAhead),
    /// L-BFGS.
    Lbfgs(Box<LBFGS>),
}

impl Rule {
    /// A rule with coupled weight decay in front of it.
    pub fn coupled<R: Optimizer>(rule: R, decay: Option<f64>) -> Self {
        Self::Module(match decay.unwrap_or(0.0) {
            0.0 => rule.into(),
            decay => WithWeightDecay::new(rule, decay).into(),
        })
    }
}

/// What a rule is like.
pub(crate) struct Facts {
    /// Whether the step of a number does not depend on the tensor that it stands in.
    pub elementwise: bool,
    /// Whether a saved state comes back as it was in every float type, not in f32 alone: see [`state`](crate::state).
    pub restores: bool,
    /// Numbers in the state for each parameter.
    pub states: usize,
    /// For rules that keep two matrices of each dimension of a tensor, with as many rows: the longest that has them.
    pub squares: Option<usize>,
}

/// The settings of a rule, and what follows from them. Nothing has a default, so that no rule is silent.
pub(crate) trait Settings {
    /// The rule, with weight decay in its own way.
    ///
    /// # Errors
    ///
    /// When a setting is out of its range.
    fn rule(&self, decay: Option<f64>) -> Result<Rule, OptimError>;

    /// What else is to be known of it.
    fn facts(&self) -> Facts;

    /// The sharpness above which full-batch steps on a quadratic grow, at this rate and weight decay; that of
    /// `P⁻¹(H + δI)` where there is a preconditioner P. None where it is not known.
    fn edge(&self, rate: f64, decay: f64) -> Option<f64>;

    /// What makes the preconditioner's diagonal of the state, for rules that have one.
    fn preconditioner(&self) -> Option<Reveal>;
}
