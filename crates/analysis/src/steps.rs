//! Bounds on the step size of gradient descent at a point.

use losscape_krylov::{Eigenvalue, SymmetricOperator, inner};
use losscape_model::Network;
use serde::{Deserialize, Serialize};

use crate::objective::Point;
use crate::pl::applicable;

/// Step sizes that the theory speaks of; absent where a bound does not exist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepBounds {
    /// `β = λ_max(H)` at this point, with its error.
    pub beta: Eigenvalue,
    /// `2/β`: the edge of gradient descent. Absent when β is not positive.
    pub two_over_beta: Option<f64>,
    /// `2 gᵀg / (gᵀHg)`: up to it a step along −g lowers the quadratic model (Cauchy's bound). Never below `2/β`.
    /// Absent when `gᵀHg ≤ 0`: the model falls without end along −g.
    pub cauchy: Option<f64>,
    /// `2/λ_max(K_c)`: the edge with the kernel held fixed, squared error only.
    pub kernel: Option<f64>,
    /// `gᵀHg / gᵀg`, the curvature along the gradient.
    pub gradient_curvature: Option<f64>,
}

impl StepBounds {
    /// The bounds at a point with sharpness β, and λ_max of the kernel where it is known.
    #[must_use]
    pub fn at<N>(point: &Point<'_, N>, beta: Eigenvalue, kernel: Option<f64>) -> Self
    where
        N: Network,
    {
        let g = point.gradient();
        let squared = inner(g, g);
        let along = inner(g, &point.hessian().apply(g.clone()));
        let linear = applicable(point.objective().loss());
        Self {
            beta,
            two_over_beta: (beta.value > 0.0).then(|| 2.0 / beta.value),
            cauchy: (along > 0.0).then(|| 2.0 * squared / along),
            kernel: kernel.filter(|&max| linear && max > 0.0).map(|max| 2.0 / max),
            gradient_curvature: (squared > 0.0).then(|| along / squared),
        }
    }
}
