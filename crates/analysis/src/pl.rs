//! The Polyak-Łojasiewicz inequality, and PL* through the tangent kernel.
//!
//! PL with constant μ: `½‖g‖² ≥ μ (L − L*)`; PL* is the same with `L* = 0`. For squared error `‖g‖² = c² rᵀKr ≥ 2 λ_min(K_c) L` with the residual
//! `r = F − y`, at every w: so PL* holds locally with `μ = λ_min(K_c)` (Liu, Zhu & Belkin 2020, Theorem 1). The ratio `‖g‖²/(2L)` is the
//! constant that the point itself shows, and the slack is what is between them. For cross-entropy the kernel bounds nothing of the kind, and no
//! number is given.

use losscape_model::{LossKind, Network};
use losscape_tangent::Inputs;
use serde::{Deserialize, Serialize};

use crate::Point;
use crate::kernel::KernelSpectrum;

/// PL* at a point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlStar {
    /// Whether the kernel bounds the ratio: only for squared error.
    pub applicable: bool,
    /// In words, why it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `‖g‖²/(2L)`; absent where `L = 0`.
    pub ratio: Option<f64>,
    /// `μ = λ_min(K_c)`; zero when λ_min is rounding.
    pub mu: Option<f64>,
    /// `ratio − μ`, which is never negative but by rounding.
    pub slack: Option<f64>,
    /// `β = λ_max(H)`.
    pub beta: f64,
    /// The ball of the convergence theorem, `R = 2 √(2βL)/μ`; absent when μ or β are not positive.
    pub radius: Option<f64>,
}

impl PlStar {
    /// PL* at a point, from the kernel's spectrum there and the sharpness β.
    #[must_use]
    pub fn at<N>(point: &Point<'_, N>, kernel: &KernelSpectrum, beta: f64) -> Self
    where
        N: Network,
        N::Input: Inputs + Clone,
    {
        let loss = point.loss();
        let ratio = (loss > 0.0).then(|| point.gradient_norm().powi(2) / (2.0 * loss));
        if point.objective().loss().kind != LossKind::SquaredError {
            let reason = "λ_min(K) bounds the gradient of squared error only".to_owned();
            return Self { applicable: false, reason: Some(reason), ratio, mu: None, slack: None, beta, radius: None };
        }
        let mu = kernel.trusted_min();
        let radius = (mu > 0.0 && beta > 0.0).then(|| 2.0 * (2.0 * beta * loss).sqrt() / mu);
        let slack = ratio.map(|ratio| ratio - mu);
        Self { applicable: true, reason: None, ratio, mu: Some(mu), slack, beta, radius }
    }
}
