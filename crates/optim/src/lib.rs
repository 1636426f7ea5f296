//! Update rules for any Burn module: gradient descent, momentum, Nesterov, RMSProp, Adam, and SAM around any of them.
//!
//! With parameters `w`, gradient `g` and learning rate `ε`, each rule is three types: `XConfig` (settings, each default
//! with its source) builds `X` (the rule, a [`burn::optim::Optimizer`]) which keeps an `XState` for each parameter. As
//! Burn optimizers they also run in Burn's own `Learner` and take Burn's parameter groups.
//!
//! | file | rule |
//! |---|---|
//! | [`gradient_descent`] | `w − ε g`; SGD when g is a mini-batch's |
//! | [`momentum`] | heavy ball |
//! | [`nesterov`], [`look_ahead`] | Nesterov's gradient, re-parameterised and at the extended point |
//! | [`rmsprop`], [`scalar_rmsprop`] | RMSProp; the same with one mean square for all parameters |
//! | [`adam`], [`amsgrad`] | Adam; AMSGrad |
//! | [`entropy_sgd`] | Entropy-SGD |
//! | [`schedule_free`] | Schedule-Free gradient descent and AdamW |
//! | [`soap`] | SOAP: Adam in the eigenbasis of Shampoo's preconditioner |
//! | [`sam`] | SAM, ASAM and Friendly SAM: the gradient at a perturbed point, for any rule |
//! | [`penalty`] | the Hessian's largest eigenvalue added to the loss, for any rule |
//! | [`weight_decay`] | `g + λ w` in front of any rule |
//! | [`clip`] | clipping by the global norm |
//! | [`muon`] | Burn's Muon for matrices, AdamW for the rest |
//! | [`lbfgs`] | Burn's L-BFGS over the parameters that have a gradient |
//! | [`of_burn`] | the other rules of Burn: AdamW, LAMB, Lion, AdaGrad, Adafactor, Adan; its SGD, RMSProp and Adam |
//! | [`average`] | averages of weights: exponential, SWA, the latest |
//! | [`schedule`] | Burn's learning-rate schedules as factors |
//! | [`config`] | all of this by name: the table of rules |
//! | [`method`] | one step of whatever a configuration names |
//! | [`shared`] | tied weights, running statistics: what stands in several places, or in several clones |
//! | [`edge`] | the edge of stability of each method |
//!
//! Methods that need more than one gradient a step (SAM, the penalty, look-ahead, L-BFGS) take a closure, in the way of
//! Burn's L-BFGS; see [`Method::step`].
//!
//! # Example
//!
//! One step of heavy ball on `½ w²` from `w = 1`:
//!
//! ```
//! use burn::module::{Module, Param};
//! use burn::optim::GradientsParams;
//! use burn::tensor::{Device, Tensor};
//! use losscape_optim::{OptimizerConfig, momentum::MomentumConfig};
//!
//! #[derive(Module, Debug)]
//! struct Point { w: Param<Tensor<1>> }
//!
//! let device = Device::flex().autodiff();
//! let point = Point { w: Param::from_data([1.0], &device) };
//! let mut method = OptimizerConfig::new(MomentumConfig { momentum: 0.9 }, 0.1).init()?;
//! let (point, loss) = method.step(0.1, point, |point: &Point| {
//!     let loss = point.w.val().square().sum().mul_scalar(0.5);
//!     let gradients = GradientsParams::from_grads(loss.backward(), point);
//!     (loss.into_scalar(), gradients)
//! });
//! assert_eq!(loss, 0.5);
//! assert!((point.w.val().into_scalar::<f64>() - 0.9).abs() < 1e-6);
//! # Ok::<(), losscape_optim::OptimError>(())
//! ```

pub mod adam;
pub mod amsgrad;
pub mod average;
pub mod clip;
pub mod config;
pub mod edge;
pub mod entropy_sgd;
mod error;
pub mod gradient_descent;
pub mod lbfgs;
pub mod look_ahead;
pub mod method;
pub mod momentum;
pub mod muon;
pub mod nesterov;
pub mod of_burn;
pub mod penalty;
mod preconditioner;
pub mod rmsprop;
mod rule;
pub mod sam;
mod scalar;
pub mod scalar_rmsprop;
pub mod schedule;
pub mod schedule_free;
pub mod shared;
pub mod soap;
mod state;
mod vector;
pub mod weight_decay;

pub use average::{Average, AverageConfig};
pub use config::{OptimizerConfig, RuleConfig};
pub use error::OptimError;
pub use method::Method;
pub use penalty::{SharpnessPenalty, SharpnessPenaltyConfig};
pub use sam::{FriendlyConfig, Sam, SamConfig};
pub use schedule::{Schedule, ScheduleConfig};
pub use vector::Vector;

// Burn's `derive(RecordState)` (used by `muon`) names these by their place in Burn's own crate: it expects them at the
// root, and `burn_pack` beside.
use burn::optim::{RecordState, StateSink, StateSource, join_path};

/// The README's examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
