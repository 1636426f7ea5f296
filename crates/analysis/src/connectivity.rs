//! Barriers between two minima: how far the loss rises on a way from one to the other (Garipov et al. 2018; Frankle et
//! al. 2020).
//!
//! The barrier of a way `w(s)`, `s ∈ [0, 1]`, is the largest `L(w(s)) − ((1 − s) L(w(0)) + s L(w(1)))` (Frankle et al.
//! 2020, with the line between the losses of the ends in place of their mean, as Entezari et al. 2022).
//! It is zero where the way is nowhere above the straight line between the losses of its ends.

use burn::tensor::Tensor;
use losscape_model::Network;
use serde::{Deserialize, Serialize};

use crate::error::AnalysisError;
use crate::objective::Objective;

/// A Bézier curve through parameters: with two points the line, with three the quadratic curve
/// `(1 − s)² a + 2 s (1 − s) θ + s² b` with the bend θ (Garipov et al. 2018).
#[derive(Debug, Clone)]
pub struct Way {
    points: Vec<Tensor<1>>,
}

impl Way {
    /// The curve from the first of these points to the last.
    ///
    /// # Panics
    ///
    /// With less than two.
    #[must_use]
    pub fn of(points: impl Into<Vec<Tensor<1>>>) -> Self {
        let points = points.into();
        assert!(points.len() > 1, "a way has two ends");
        Self { points }
    }

    /// The shares of its points in `w(s)`: Bernstein's polynomials.
    #[must_use]
    pub fn shares(&self, s: f64) -> Vec<f64> {
        let degree = self.points.len() - 1;
        let mut binomial = 1.0;
        (0..=degree)
            .map(|at| {
                let share = binomial * s.powi(at as i32) * (1.0 - s).powi((degree - at) as i32);
                binomial *= (degree - at) as f64 / (at + 1) as f64;
                share
            })
            .collect()
    }

    /// `w(s)`.
    ///
    /// # Panics
    ///
    /// Never: a way has points.
    #[must_use]
    pub fn at(&self, s: f64) -> Tensor<1> {
        let parts = self.points.iter().zip(self.shares(s)).map(|(point, share)| point.clone() * share);
        parts.reduce(|sum, part| sum + part).expect("a way has two ends")
    }
}

/// The barrier of a way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Barrier {
    /// The largest rise above the straight line between the losses of the ends; absent where the loss is not finite on
    /// the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<f64>,
    /// How much higher it may be between the points looked at: by a parabola through each three of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<f64>,
    /// Where it is.
    pub at: f64,
    /// s of the points looked at, from 0 to 1.
    pub steps: Vec<f64>,
    /// `L(w(s))`; absent where it is not finite.
    pub losses: Vec<Option<f64>>,
}

/// The highest point is looked for until it is known to this share of the way.
const NEAR: f64 = 1e-3;

/// The barrier of a way, looked at in so many equal steps, then around the highest point by golden sections.
///
/// # Errors
///
/// When the points have not P entries, or samples see each other in evaluation mode.
///
/// # Panics
///
/// With less than two steps.
pub fn barrier<N: Network>(objective: &Objective<N>, way: &Way, steps: usize) -> Result<Barrier, AnalysisError> {
    assert!(steps > 1, "a way is looked at in two steps or more");
    let loss = |s: f64| objective.value(&way.at(s));
    let mut seen = Vec::new();
    for at in 0..=steps {
        let s = at as f64 / steps as f64;
        seen.push((s, loss(s)?));
    }
    let ends = [seen[0].1, seen[steps].1];
    let rise = |&(s, loss): &(f64, f64)| loss - ((1.0 - s) * ends[0] + s * ends[1]);
    let record = |seen: &[(f64, f64)], height, error, at| Barrier {
        height,
        error,
        at,
        steps: seen.iter().map(|(s, _)| *s).collect(),
        losses: seen.iter().map(|(_, loss)| Some(*loss).filter(|loss| loss.is_finite())).collect(),
    };
    if let Some((at, _)) = seen.iter().find(|(_, loss)| !loss.is_finite()) {
        return Ok(record(&seen, None, None, *at));
    }
    let error = overshoot(&seen.iter().map(rise).collect::<Vec<_>>());
    let highest = |seen: &[(f64, f64)]| {
        let top = seen.iter().copied().max_by(|a, b| rise(a).total_cmp(&rise(b)));
        top.expect("there are points")
    };
    let around = highest(&seen).0;
    let step = 1.0 / steps as f64;
    let (mut low, mut high) = ((around - step).max(0.0), (around + step).min(1.0));
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    let mut inner = [high - golden * (high - low), low + golden * (high - low)];
    let mut values = [loss(inner[0])?, loss(inner[1])?];
    while high - low > NEAR {
        seen.extend([(inner[0], values[0]), (inner[1], values[1])]);
        if rise(&(inner[0], values[0])) > rise(&(inner[1], values[1])) {
            high = inner[1];
            inner = [high - golden * (high - low), inner[0]];
            values = [loss(inner[0])?, values[0]];
        } else {
            low = inner[0];
            inner = [inner[1], low + golden * (high - low)];
            values = [values[1], loss(inner[1])?];
        }
    }
    seen.sort_by(|a, b| a.0.total_cmp(&b.0));
    seen.dedup_by(|a, b| a.0 == b.0);
    if let Some((at, _)) = seen.iter().find(|(_, loss)| !loss.is_finite()) {
        return Ok(record(&seen, None, None, *at));
    }
    let top = highest(&seen);
    let height = rise(&top).max(0.0);
    Ok(record(&seen, Some(height), Some((error - height).max(0.0)), top.0))
}

/// The highest value of parabolas through each three neighbours of equally distant values, between those.
fn overshoot(values: &[f64]) -> f64 {
    let parabola = |three: &[f64]| {
        let (slope, bend) = (0.5 * (three[2] - three[0]), three[2] - 2.0 * three[1] + three[0]);
        let at = -slope / bend;
        if bend < 0.0 && at.abs() <= 1.0 { three[1] - 0.5 * slope * slope / bend } else { f64::NEG_INFINITY }
    };
    values.windows(3).map(parabola).fold(f64::NEG_INFINITY, f64::max)
}
