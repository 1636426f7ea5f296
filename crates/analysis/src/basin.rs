//! Basin width: how far one can go along a direction until the loss has risen by Δ.
//!
//! On a quadratic with curvature λ along a unit direction d the width is `√(2Δ/λ)` to each side of the minimum.

use burn::tensor::Tensor;
use losscape_krylov::norm;
use losscape_model::Network;
use serde::{Deserialize, Serialize};

use crate::error::AnalysisError;
use crate::objective::Point;
use crate::sharpness::{crossing, seen};

/// How far to look, in units of length in parameter space.
const FARTHEST: f64 = 1e4;

/// The width along a direction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Width {
    /// What the direction is: "random 1", "gradient", "eigenvector 1", ….
    pub direction: String,
    /// Distance along d at which the loss has risen by Δ; absent when it has not at a distance of 10,000.
    pub forward: Option<f64>,
    /// The same along −d.
    pub backward: Option<f64>,
}

/// Width of the basin at a point along a direction of any length, to a relative accuracy of 1e-4 or to the rounding of
/// w. Where the loss is not finite, it has risen.
///
/// # Errors
///
/// When the direction is zero or has not P entries, or the loss plus `rise` rounds to the loss.
pub fn width<N>(
    point: &Point<'_, N>,
    direction: &Tensor<1>,
    name: impl Into<String>,
    rise: f64,
) -> Result<Width, AnalysisError>
where
    N: Network,
{
    let length = norm(direction);
    if length.is_nan() || length <= 0.0 {
        return Err(AnalysisError::Setting { name: "the direction's norm", value: length, must: "positive" });
    }
    seen(point.loss(), rise)?;
    let level = point.loss() + rise;
    let least = point.space().epsilon() * norm(point.parameters());
    let along = |sign: f64| {
        let unit = direction.clone() * (sign / length);
        crossing(1e-3, FARTHEST, 1e-4, least, |t| {
            let value = point.objective().value(&(point.parameters().clone() + unit.clone() * t))?;
            Ok(value.is_nan() || value >= level)
        })
    };
    Ok(Width { direction: name.into(), forward: along(1.0)?, backward: along(-1.0)? })
}
