//! What may have been missed, and how large it can be.
//!
//! Let V be the basis, A restricted to its complement be B, and B have n dimensions. After j steps of a probe its
//! largest eigenvalue is, with probability `1 − p`,
//!
//! ```text
//! λ_max(B) ≤ θ⁺ + ε s,   ε = (ln(1.648 √n / p) / (2j − 1))²      (Kuczyński & Woźniakowski 1992, §4)
//! ```
//!
//! where θ⁻ and θ⁺ are the probe's extreme Ritz values and `s ≤ (θ⁺ − θ⁻)/(1 − 2ε)` bounds the width of B's spectrum. A
//! probe that breaks down with a remainder of length β has met all eigenvectors, unless its start had next to nothing
//! of one: with a component c along the eigenvector of λ_max(B), `|c| (λ_max(B) − θ⁺) ≤ β`, and `|c| ≥ p √(π/2n)` with
//! probability `1 − p`, so that
//!
//! ```text
//! λ_max(B) ≤ θ⁺ + β √(2n/π) / p.
//! ```
//!
//! A breakdown is no proof that nothing is left: a random vector meets an eigenvector with a weight of about `1/√n`,
//! which in single precision and a million dimensions is near a threshold of `ϵ √n`. Therefore the bound above stands
//! in its place.
//!
//! The i-th look at a probe may fail with probability `failure / (i (i + 1))`, which add up to
//! [`Eigensolver::failure`](super::Eigensolver::failure); p is a quarter of that, for two bounds at two ends.
//!
//! Let `H = V A Vᵀ` and let C couple V to its complement, `C = W − H V`. By the inertia of the Schur complement, for
//! any `u > λ_max(B)`,
//!
//! ```text
//! #{eigenvalues of A above u} ≤ #{eigenvalues of H + C Cᵀ / (u − λ_max(B)) above u}.
//! ```
//!
//! The smallest u found for which that count is no more than the number asked for is reported as [`Unseen::above`];
//! likewise below. Probing ends when u is at most the last value asked for plus the tolerance, or when
//! [`Eigensolver::probes`](super::Eigensolver::probes) products have changed no value asked for by more than that: a
//! cluster at the end asked for, as that of a network's Hessian at zero, takes probe after probe to fill.

use crate::dense::eigenvalues_of;
use crate::error::KrylovError;

/// What can still hide: with probability `1 − p`, no more eigenvalues than were asked for lie above `above`, and below
/// `below`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Unseen {
    /// Upper bound on those not reported; absent without a bound.
    pub above: Option<f64>,
    /// Lower bound on those not reported; absent without a bound.
    pub below: Option<f64>,
    /// The probability p that a bound fails.
    pub failure: f64,
}

impl Unseen {
    /// The bounds of an operator that was divided by a unit.
    pub(super) fn in_units_of(self, unit: f64) -> Self {
        let times = |bound: Option<f64>| bound.map(|bound| bound * unit);
        Self { above: times(self.above), below: times(self.below), ..self }
    }

    /// Takes a bound where it is better than what is known; that of the lower end is given for −A.
    pub(super) fn lower(&mut self, end: End, bound: Option<f64>) {
        let better = |known: Option<f64>, bound: f64| Some(known.map_or(bound, |known| known.min(bound)));
        match (end, bound) {
            (End::Top, Some(bound)) => self.above = better(self.above, bound),
            (End::Bottom, Some(bound)) => {
                let below = better(self.below.map(|below| -below), bound);
                self.below = below.map(|below| -below);
            }
            (_, None) => {}
        }
    }
}

/// The two ends of the spectrum; the lower one is looked at as the upper one of −A.
#[derive(Clone, Copy)]
pub(super) enum End {
    Top,
    Bottom,
}

impl End {
    fn sign(self) -> f64 {
        match self {
            Self::Top => 1.0,
            Self::Bottom => -1.0,
        }
    }
}

/// What a probe tells of the complement B of the basis before it.
pub(super) struct Look<'a> {
    /// Ritz values of the probe, ascending: one at least.
    pub values: Vec<f64>,
    /// The length β that was left when it broke down, no smaller than rounding.
    pub remainder: Option<f64>,
    /// H, row by row.
    pub projection: Vec<f64>,
    /// `C Cᵀ`, row by row.
    pub coupling: &'a [f64],
    /// Dimensions of B.
    pub left: usize,
    /// The probability p that one bound at one end fails.
    pub failure: f64,
    /// The rounding of a product.
    pub floor: f64,
}

/// Kuczyński and Woźniakowski's ε after so many steps in so many dimensions.
pub(super) fn epsilon(failure: f64, steps: usize, dim: usize) -> f64 {
    ((1.648 * (dim as f64).sqrt() / failure).ln() / (2 * steps - 1) as f64).powi(2)
}

impl Look<'_> {
    /// A bound on the spectrum of B at one end (for the lower one, of −B).
    fn complement(&self, end: End) -> Option<f64> {
        let steps = self.values.len();
        let (low, high) = (self.values[0], self.values[steps - 1]);
        let epsilon = if steps >= self.left { 0.0 } else { epsilon(self.failure, steps, self.left) };
        let by_steps = (epsilon < 0.5).then(|| epsilon * (high - low) / (1.0 - 2.0 * epsilon));
        let by_remainder = self
            .remainder
            .map(|remainder| remainder * (2.0 * self.left as f64 / std::f64::consts::PI).sqrt() / self.failure);
        let edge = match end {
            End::Top => high,
            End::Bottom => -low,
        };
        let beyond = by_steps.into_iter().chain(by_remainder).reduce(f64::min);
        beyond.map(|beyond| edge + beyond + self.floor)
    }

    /// Whether at one end no more eigenvalues than asked for lie beyond u.
    pub fn none_beyond(&self, end: End, asked: usize, u: f64) -> Result<bool, KrylovError> {
        let Some(complement) = self.complement(end) else { return Ok(false) };
        // An operator that is zero leaves nothing between them.
        let uncoupled = u == complement && self.coupling.iter().all(|&c| c == 0.0);
        if u <= complement && !uncoupled {
            return Ok(false);
        }
        let scale = if uncoupled { 0.0 } else { 1.0 / (u - complement) };
        let entries = self.projection.iter().zip(self.coupling);
        let matrix: Vec<f64> = entries.map(|(h, c)| end.sign() * h + c * scale).collect();
        Ok(eigenvalues_of(matrix.len().isqrt(), &matrix)?.iter().filter(|&&value| value > u).count() <= asked)
    }

    /// The smallest u from `low` to `high`, to an accuracy, beyond which there is room for no more than what was asked
    /// for; none where there is more beyond `high`.
    pub fn bound(
        &self,
        end: End,
        asked: usize,
        mut low: f64,
        mut high: f64,
        accuracy: f64,
    ) -> Result<Option<f64>, KrylovError> {
        if self.none_beyond(end, asked, low)? {
            return Ok(Some(low));
        }
        if !self.none_beyond(end, asked, high)? {
            return Ok(None);
        }
        while high - low > accuracy {
            let middle = f64::midpoint(low, high);
            if self.none_beyond(end, asked, middle)? { high = middle } else { low = middle }
        }
        Ok(Some(high))
    }
}
