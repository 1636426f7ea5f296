#![doc = include_str!("../README.md")]
//!
//! # Map
//!
//! - [`operator`]: the trait, and operators made of operators.
//! - [`eigen`]: eigenpairs at either end of the spectrum, with bounds on their errors.
//! - [`lanczos`](mod@lanczos): tridiagonalization; [`density`]: spectral densities and traces of functions from it.
//! - [`trace`]: Hutchinson, Hutch++ and XTrace; the Frobenius norm; [`diagonal`](mod@diagonal): the diagonal.
//! - [`cg`]: conjugate gradients; [`power`]: power iteration.
//! - [`dense`]: small and middling matrices on the host, in f64.
//!
//! Functions that draw take a generator; nothing here reads a global one.

mod basis;
pub mod cg;
pub mod dense;
pub mod density;
pub mod diagonal;
pub mod eigen;
pub mod lanczos;
pub mod operator;
pub mod power;
pub mod trace;

pub use basis::{inner, norm, sum};
pub use cg::{ConjugateGradient, Solution};
pub use density::{Quadrature, SpectralDensity};
pub use diagonal::{DiagonalEstimate, diagonal};
pub use eigen::{Eigenpairs, Eigensolver, Eigenvalue, Unseen};
pub use lanczos::{Lanczos, lanczos};
pub use operator::{
    Congruence, Counted, Deflated, Diagonal, Matrix, Restricted, Scaled, Shifted, Space, Sum, SymmetricOperator,
};
pub use power::{PowerIteration, PowerResult};
pub use trace::Estimate;

use serde::{Deserialize, Serialize};

/// How an iteration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// Residuals are as small as was asked for.
    Converged,
    /// The Krylov space is invariant: what was found in it is exact up to rounding.
    InvariantSubspace,
    /// The products allowed were used up; results carry their residuals.
    Budget,
    /// Residuals above what was asked for can no longer be made smaller: what is left of them lies in the space that
    /// was searched, which it cannot for a symmetric operator. The products are not symmetric to that accuracy.
    Stagnated,
    /// Conjugate gradients met a direction v with `vᵀAv ≤ 0`: the operator is not positive definite.
    NegativeCurvature,
}

/// What an algorithm cannot work with.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KrylovError {
    /// A product has entries that are NaN or infinite.
    #[error("product {product} with the operator is not finite")]
    NotFinite {
        /// Which product, counted from 1.
        product: usize,
    },
    /// More eigenpairs than the operator has.
    #[error("{asked} eigenvalues were asked for, but the operator has dimension {dim}")]
    TooMany {
        /// Eigenpairs asked for, both ends together.
        asked: usize,
        /// Dimension of the operator.
        dim: usize,
    },
    /// A vector has not the operator's dimension.
    #[error("a vector of {given} entries for an operator of dimension {dim}")]
    Dimension {
        /// Length of the vector.
        given: usize,
        /// Dimension of the operator.
        dim: usize,
    },
    /// A setting outside its range.
    #[error("{name} = {value} is not possible: {must}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        must: &'static str,
    },
    /// The dense eigensolver did not converge.
    #[error("the dense eigensolver did not converge on a matrix of dimension {dim}")]
    Dense {
        /// Dimension of the matrix.
        dim: usize,
    },
}
