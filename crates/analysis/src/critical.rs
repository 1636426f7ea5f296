//! Critical sharpness: the curvature along a step, from losses alone (arXiv 2601.16979; its text was read in part).
//!
//! `λ_c = 2/η_c`, η_c being the smallest rate at which a step along −d raises the loss, `L(w − η d) > L(w)`. On a
//! quadratic it is the [`directional`] sharpness `dᵀHd/(dᵀg)`, at most λ_max(H) for the gradient; along the
//! way of a network it takes five or six losses where a Hessian product takes the work of three.

use burn::tensor::Tensor;
use losscape_krylov::{Space, SymmetricOperator, inner};
use losscape_model::Network;
use serde::{Deserialize, Serialize};

use crate::error::AnalysisError;
use crate::objective::Point;

/// A rate is looked for until both sides of it are nearer than this share of it (as the authors do).
const NEAR: f64 = 1.0 / 16.0;

/// The most doublings or halvings (likewise).
const MOST: usize = 40;

/// A fall of the loss of so many of its roundings is seen.
const ROUNDING: f64 = 64.0;

/// The rate at which a step begins to raise the loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Critical {
    /// η_c, to a sixteenth.
    pub rate: f64,
    /// `2/η_c`.
    pub sharpness: f64,
    /// Losses calculated.
    pub losses: usize,
}

/// The critical rate along −`direction`, looked for from a rate `near` it: doubled or halved until the loss is on the
/// other side, then bisected. A loss that is not finite has risen. None where it rises, or falls, at all rates looked
/// at, and where what it falls by on the way, a quarter of `η_c dᵀg` on a quadratic, is rounding of the loss.
///
/// # Errors
///
/// When the direction has not P entries.
pub fn critical<N: Network>(
    point: &Point<'_, N>,
    direction: &Tensor<1>,
    near: f64,
) -> Result<Option<Critical>, AnalysisError> {
    let (w, loss, mut losses) = (point.parameters(), point.loss(), 0);
    let mut rises = |rate: f64| -> Result<bool, AnalysisError> {
        losses += 1;
        let there = point.objective().value(&(w.clone() - direction.clone() * rate))?;
        Ok(!there.is_finite() || there > loss)
    };
    let mut rate = near;
    let beyond = rises(rate)?;
    let (mut low, mut high) = (None, None);
    for _ in 0..MOST {
        rate *= if beyond { 0.5 } else { 2.0 };
        if rises(rate)? != beyond {
            (low, high) = if beyond { (Some(rate), Some(2.0 * rate)) } else { (Some(0.5 * rate), Some(rate)) };
            break;
        }
    }
    let Some((mut low, mut high)) = low.zip(high) else { return Ok(None) };
    while 1.0 - low / high > NEAR {
        let middle = f64::midpoint(low, high);
        if rises(middle)? { high = middle } else { low = middle }
    }
    let rate = f64::midpoint(low, high);
    let fall = 0.25 * rate * inner(direction, point.gradient());
    let seen = fall > ROUNDING * Space::of(w).epsilon() * loss.abs();
    Ok(seen.then_some(Critical { rate, sharpness: 2.0 / rate, losses }))
}

/// `dᵀHd/(dᵀg)`: with the loss to second order, steps along −d raise it from the rate 2 over this on. None where d is
/// no direction of descent.
#[must_use]
pub fn directional<N: Network>(point: &Point<'_, N>, direction: &Tensor<1>) -> Option<f64> {
    let down = inner(direction, point.gradient());
    (down > 0.0).then(|| inner(direction, &point.hessian().apply(direction.clone())) / down)
}
