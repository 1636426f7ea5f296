#![doc = include_str!("../README.md")]
//!
//! # Map
//!
//! - [`objective`]: the loss over a data set as a function of the parameters, and a point on it.
//! - [`hessian`], [`gauss_newton`], [`residual`], [`fisher`], [`ntk`]: the matrices at a point as operators.
//! - [`spectrum`]: what is measured of any of them: both ends, trace, norm, density.
//! - [`ntk`]: the tangent kernel's spectrum too; [`pl`]: the Polyak-Łojasiewicz inequality through it; [`certificate`]:
//!   a proof that it holds in a ball.
//! - [`steps`]: step-size bounds; [`sharpness`]: how much the loss can rise nearby; [`basin`]: how far it takes to
//!   rise.
//! - [`critical`], [`batch_sharpness`](mod@batch_sharpness): the curvature that steps and batches feel;
//!   [`covariance`]: gradient noise.
//! - [`learning_coefficient`]: how the volume around a minimum shrinks with the loss.
//! - [`connectivity`]: barriers on the way between two minima.
//! - [`norms`]: norms of the parameters for studies of generalization.
//! - [`slice`](mod@slice): the loss along lines and planes.
//!
//! # Conventions
//!
//! n samples, C outputs, `F(w) ∈ R^{nC}`, loss `L` with the factor c (1 for a sum over samples, 1/n for a mean),
//! Jacobian `J = ∂F/∂w`, tangent kernel `K_c = c J Jᵀ`, Gauss-Newton `G = Jᵀ (∂²L/∂F²) J`, Hessian `H = G + R`.

pub mod basin;
pub mod batch_sharpness;
pub mod certificate;
mod chains;
pub mod connectivity;
pub mod covariance;
pub mod critical;
mod error;
pub mod fisher;
pub mod gauss_newton;
mod gradient;
pub mod hessian;
pub mod learning_coefficient;
pub mod norms;
pub mod ntk;
pub mod objective;
mod output;
pub mod pl;
pub mod residual;
pub mod sharpness;
pub mod slice;
pub mod spectrum;
pub mod steps;

pub use error::AnalysisError;
pub use objective::{Mode, Objective, Point, coupling};
