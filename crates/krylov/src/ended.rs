//! How iterations end: a value with a name, never a guess.

/// How an iteration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
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
    /// MINRES found the least residual there is, and it is not zero: the right side has a part outside of the
    /// operator's range, or along eigenvalues that are next to nothing (`√ϵ ‖A‖`).
    LeastSquares,
}
