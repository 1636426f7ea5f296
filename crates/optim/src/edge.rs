//! The edge of stability of a method: the sharpness above which its steps on a quadratic grow.
//!
//! | method | stable while | source |
//! |---|---|---|
//! | gradient descent | `λ_max(H) < 2/ε` | Cohen et al. 2021, §2 |
//! | heavy ball, factor b | `λ_max(H) < (2 + 2b)/ε` | Cohen et al. 2021, eq. 1 |
//! | Nesterov, factor b | `λ_max(H) < (2 + 2b)/(ε (1 + 2b))` | Cohen et al. 2021, eq. 1 |
//! | RMSProp, `P = diag(√s + ϵ)` | `λ_max(P⁻¹H) < 2/ε` | Cohen et al. 2022, Appendix C |
//! | Adam, `P = (1 − β₁ᵏ) diag(√v̂ + ϵ)` after k steps | `λ_max(P⁻¹H) < (2 + 2β₁)/((1 − β₁) ε)` | Cohen et al. 2022, eq. 2 |
//! | gradient descent with SAM, radius ρ | `λ_max(H) < ‖g‖/(2ρ) · (√(1 + 8ρ/(ε‖g‖)) − 1)` | Long & Bartlett 2024, eq. 1 |
//! | Schedule-Free gradient descent, interpolation β | `λ_max(H) < 2/((1 − β) ε)` | derived in [`schedule_free`](crate::schedule_free) |
//!
//! The preconditioner of a method at work is [`Method::preconditioner`](crate::Method::preconditioner). Coupled weight
//! decay δ adds δ to every eigenvalue of H: it is taken off the right side of the first three and of Schedule-Free's,
//! and off `2/ε` in SAM's condition `λ + ρλ²/‖g‖ < 2/ε` (with a weight α of the perturbed gradient, αρ for ρ); with a
//! preconditioner H stands for `H + δI`. Steps are full batches, and are not clipped.

use crate::config::{OptimizerConfig, RuleConfig};

/// Which sharpness an edge is to be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Curvature {
    /// `λ_max(H)`.
    Hessian,
    /// `λ_max(P⁻¹(H + δI))` with the method's preconditioner and weight decay.
    Preconditioned,
}

/// The edge of a method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge {
    /// The sharpness at the edge.
    pub value: f64,
    /// Which sharpness is compared with it.
    pub of: Curvature,
}

/// Which sharpness decides about the steps of a configured method.
#[must_use]
pub fn seen_by(config: &OptimizerConfig) -> Curvature {
    if config.rule.settings().preconditioner().is_some() { Curvature::Preconditioned } else { Curvature::Hessian }
}

/// The edge of a configured method at learning rate ε, where the gradient has this norm. None for a rate of zero, at
/// which every sharpness is stable, for a weight decay so large that none is, for methods without a known edge (the
/// sharpness penalty among them), and for SAM around anything but gradient descent.
#[must_use]
pub fn edge(config: &OptimizerConfig, learning_rate: f64, gradient_norm: f64) -> Option<Edge> {
    let (rate, decay) = (learning_rate, config.weight_decay.unwrap_or(0.0));
    if rate <= 0.0 || config.sharpness_penalty.is_some_and(|penalty| penalty.weight > 0.0) {
        return None;
    }
    let plain = config.rule.settings().edge(rate, decay)?;
    let value = match (&config.rule, config.sam.filter(|sam| sam.rho > 0.0 && sam.weight > 0.0)) {
        (_, None) => plain,
        (RuleConfig::Gd(_), Some(sam)) => sam.edge(plain, gradient_norm)?,
        (_, Some(_)) => return None,
    };
    (value > 0.0).then(|| Edge { value, of: seen_by(config) })
}
