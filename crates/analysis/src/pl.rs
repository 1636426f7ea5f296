//! The Polyak-Łojasiewicz inequality, and PL* through the tangent kernel.
//!
//! PL with constant μ: `½‖g‖² ≥ μ (L − L*)`; PL* is the same with `L* = 0`. For squared error `‖g‖² = c² rᵀKr ≥ 2
//! λ_min(K_c) L` with the residual `r = F − y`, at every w: so PL* holds locally with `μ = λ_min(K_c)` (Liu, Zhu &
//! Belkin 2020, Theorem 1). The ratio `‖g‖²/(2L)` is the constant that the point itself shows, and the slack is what is
//! between them. For cross-entropy the kernel bounds nothing of the kind, and no number is given.

use losscape_krylov::Eigenvalue;
use losscape_model::{Loss, LossKind, Network};
use serde::{Deserialize, Serialize};

use crate::ntk::KernelSpectrum;
use crate::objective::Point;

/// PL* at a point: the constant that it shows, and the one that the kernel proves there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlStar {
    /// Whether the kernel bounds the ratio: only for squared error, and where its spectrum is known.
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
    /// `β = λ_max(H)` at this point, with its error.
    pub beta: Eigenvalue,
    /// The radius of the convergence theorem's ball as usually stated, `R = 2 √(2βL)/μ`, with β and μ of this point;
    /// the theorem needs constants that hold in the whole ball. Absent when μ is not positive, and where `β < μ`, for
    /// which this ball is too small.
    pub radius: Option<f64>,
    /// `2 √(2L/μ)`: the path of gradient descent at `η ≤ 1/β` is shorter, and its ball large enough for the theorem,
    /// whatever β. Absent when μ is not positive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<f64>,
}

impl PlStar {
    /// PL* at a point, from the kernel's spectrum there, which only squared error needs, and the sharpness β.
    #[must_use]
    pub fn at<N>(point: &Point<'_, N>, kernel: Option<&KernelSpectrum>, beta: Eigenvalue) -> Self
    where
        N: Network,
    {
        let loss = point.loss();
        let ratio = (loss > 0.0).then(|| point.gradient_norm().powi(2) / (2.0 * loss));
        let not = |reason: &str| {
            let reason = Some(reason.to_owned());
            Self { applicable: false, reason, ratio, mu: None, slack: None, beta, radius: None, path: None }
        };
        if !applicable(point.objective().loss()) {
            return not("λ_min(K) bounds the gradient of squared error only");
        }
        let Some(kernel) = kernel else { return not("the kernel's spectrum is not known") };
        let mu = kernel.trusted_min();
        let radius = (mu > 0.0 && beta.value >= mu).then(|| 2.0 * (2.0 * beta.value * loss).sqrt() / mu);
        let path = (mu > 0.0).then(|| 2.0 * (2.0 * loss / mu).sqrt());
        let slack = ratio.map(|ratio| ratio - mu);
        Self { applicable: true, reason: None, ratio, mu: Some(mu), slack, beta, radius, path }
    }
}

/// Whether the tangent kernel bounds the gradient of this loss.
#[must_use]
pub fn applicable(loss: Loss) -> bool {
    loss.kind == LossKind::SquaredError
}
