#![doc = include_str!("../README.md")]
//!
//! # Map
//!
//! - [`operator`]: the trait, and operators made of operators.
//! - [`eigen`]: eigenpairs at either end of the spectrum, with bounds on their errors.
//! - [`lanczos`](mod@lanczos): tridiagonalization; [`density`]: spectral densities and traces of functions from it.
//! - [`trace`]: Hutchinson, Hutch++ and XTrace; the Frobenius norm; [`diagonal`](mod@diagonal): the diagonal.
//! - [`cg`]: conjugate gradients; [`minres`]: MINRES; [`inverse`]: the inverse as an operator; [`power`]: power
//!   iteration.
//! - [`dense`]: small and middling matrices on the host, in f64.
//!
//! Functions that draw take a generator; nothing here reads a global one.
//!
//! # Which when
//!
//! | wanted | take | products |
//! |---|---|---|
//! | the largest or smallest few eigenvalues | [`Eigensolver`] | some ten to a hundred, by their gaps |
//! | the eigenvalue of largest magnitude, roughly | [`PowerIteration`], which has no word on what it missed | many |
//! | eigenvalues near a number s | [`Eigensolver`] of [`Inverse`] of [`Shifted`] by −s | a solve each |
//! | all eigenvalues of up to some thousand dimensions | [`dense::materialize`], [`dense::eigenvalues`] | dim |
//! | how eigenvalues are spread, `tr f(A)` | [`Quadrature`] | probes × steps |
//! | the trace | [`trace::xtrace`] where the spectrum decays, [`trace::hutchinson`] where it is flat | some ten |
//! | the diagonal | [`diagonal()`] | some ten to a hundred |
//! | `A x = b`, A positive definite | [`ConjugateGradient`] | some √κ |
//! | the same with `diag A` or another approximation known | [`ConjugateGradient::solve_preconditioned`] | fewer |
//! | `A x = b`, A indefinite or singular | [`MinRes`] | up to κ |

mod basis;
pub mod cg;
pub mod dense;
pub mod density;
pub mod diagonal;
pub mod eigen;
mod ended;
mod error;
pub mod inverse;
pub mod lanczos;
pub mod minres;
pub mod operator;
pub mod power;
pub mod trace;

pub use basis::{inner, norm, sum};
pub use cg::{ConjugateGradient, Solution};
pub use density::{Quadrature, SpectralDensity};
pub use diagonal::{DiagonalEstimate, diagonal};
pub use eigen::{Eigenpairs, Eigensolver, Eigenvalue, Unseen};
pub use ended::Ended;
pub use error::KrylovError;
pub use inverse::Inverse;
pub use lanczos::{Lanczos, lanczos};
pub use minres::MinRes;
pub use operator::{
    Congruence, Counted, Deflated, Diagonal, Restricted, Scaled, Shifted, Space, Sum, SymmetricMatrix,
    SymmetricOperator,
};
pub use power::{PowerIteration, PowerResult};
pub use trace::Estimate;
