//! PL* and smoothness in a whole ball, from bounds instead of samples.
//!
//! For a network of one hidden layer with a smooth activation, `f(x) = s₂ Σ_r a_r σ(u_r·x̃) + b₂` with
//! `u_r = (w_r, b_r)` and `x̃ = (s₁ x, 1)` (without biases `x̃ = s₁ x`), everything that changes with the parameters is
//! bounded by `S₁ = sup|σ′|` and `S₂ = sup|σ″|`. Write `s = ‖X̃‖₂`, `A = max_r ‖a_r‖` at the centre, and
//! `h(p, q) = p/2 + √(p²/4 + q²)`, the norm of the matrix `((p, q), (q, 0))`. At a distance ρ from the centre
//!
//! - `‖J − J₀‖₂ ≤ ℓρ` with `ℓ = s₂ h(A S₂ s max_i‖x̃_i‖, S₁ s)`: `a σ′(z) − a₀ σ′(z₀) = (a − a₀) σ′(z) + a₀ (σ′(z) −
//!   σ′(z₀))`;
//! - hence `λ_min(K_c) ≥ μ(ρ) = (√λ_min(K_c⁰) − √c ℓρ)₊²`, by Weyl's inequality for singular values;
//! - `‖r‖ ≤ ‖r₀‖ + ‖J₀‖ρ + ℓρ²/2` for the residual `r = F − y`, and `‖Σ r_i ∇²f_i‖ ≤ s₂ h((A + ρ) S₂ s² ‖r‖, S₁ s
//!   ‖r‖)`, block by block of the hidden units;
//! - hence `‖H‖ ≤ β(ρ) = (√λ_max(K_c⁰) + √c ℓρ)² + c ‖Σ r_i ∇²f_i‖`.
//!
//! The convergence theorem of Liu, Zhu & Belkin 2020 (Theorem 6) asks for both in a ball of radius `R = 2√(2βL₀)/μ`; a
//! radius ρ with `R(μ(ρ), β(ρ)) ≤ ρ` is therefore a proof that gradient descent with `η ≤ 1/β` converges to zero loss
//! from here, linearly and inside the ball: R is at least the length of the path since `β(ρ) ≥ μ(ρ)`. The path itself
//! is shorter than `2√(2L₀/μ)`, without β (`√L_t − √L_{t+1} ≥ η‖g‖√(2μ)/4`, summed over the steps), so that a smaller
//! ball suffices.
//!
//! The bounds have matrix norms where one could sum over hidden units: `‖X̃‖₂` does not grow with the number of units,
//! so that they prove something at widths that can be built. Where a bound can be attained, a test attains it.
//!
//! The kernel's eigenvalues are taken with their rounding, `size · ϵ · λ_max`, off; other rounding, of some ϵ, is not
//! accounted for.

use burn::tensor::Tensor;
use losscape_krylov::dense;
use losscape_model::Mlp;
use serde::{Deserialize, Serialize};

use crate::error::AnalysisError;
use crate::ntk::KernelSpectrum;
use crate::objective::Objective;
use crate::pl;

/// What is known of a network of one hidden layer in balls around its parameters; see the [module documentation](self).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// `L₀`, the loss at the centre.
    pub loss: f64,
    /// `√λ_min(K_c)` at the centre, rounding taken off; zero when nothing is left.
    pub smallest: f64,
    /// `√λ_max(K_c)` at the centre, rounding added.
    pub largest: f64,
    /// `√c ℓ`: how fast `√c J` can change with the distance.
    pub lipschitz: f64,
    /// `√c s₂`.
    scale: f64,
    /// A.
    output_weight: f64,
    /// s.
    input_norm: f64,
    /// `[S₁, S₂]`.
    slopes: [f64; 2],
}

/// A ball in which the convergence theorem's conditions are proved to hold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CertifiedBall {
    /// Its radius ρ, in units of length in parameter space.
    pub radius: f64,
    /// PL* with this constant holds in it.
    pub mu: f64,
    /// The loss is smooth with this constant in it.
    pub beta: f64,
}

/// `‖((p, q), (q, 0))‖₂`.
fn block_norm(p: f64, q: f64) -> f64 {
    0.5 * p + (0.25 * p * p + q * q).sqrt()
}

impl Certificate {
    /// The bounds around the network's own parameters.
    ///
    /// # Errors
    ///
    /// [`AnalysisError::NotCertifiable`] for another depth than one hidden layer, an activation without bounded second
    /// derivative, and losses other than squared error; what [`KernelSpectrum::of`] reports.
    pub fn of(objective: &Objective<Mlp>) -> Result<Self, AnalysisError> {
        let not = |reason| Err(AnalysisError::NotCertifiable { reason });
        let network = objective.network();
        let ([hidden, output], [first, last]) = (network.layers.as_slice(), network.multipliers()) else {
            return not("the bounds are for networks of one hidden layer");
        };
        let Some(slopes) = network.activation().slope_bounds() else {
            return not("the activation has no bounded second derivative");
        };
        if !pl::applicable(objective.loss()) {
            return not("λ_min(K) bounds the gradient of squared error only");
        }
        let dtype = objective.targets().dtype();
        let mut inputs = objective.inputs().clone().cast(dtype).mul_scalar(*first);
        if hidden.bias.is_some() {
            inputs = Tensor::cat(vec![inputs.clone(), inputs.zeros_like().narrow(1, 0, 1).add_scalar(1.0)], 1);
        }
        let longest = |rows: Tensor<2>| rows.square().sum_dim(1).max().into_scalar::<f64>().sqrt();
        let squares = dense::eigenvalues(inputs.clone().transpose().matmul(inputs.clone()))?;
        let input_norm = squares.last().map_or(0.0, |largest| largest.sqrt());
        let output_weight = longest(output.weight.val().cast(dtype).transpose());
        let parameters = objective.parameters();
        let kernel = KernelSpectrum::of(objective.kernel(&parameters)?, objective.targets())?;
        let scale = objective.scale().sqrt() * last;
        let [slope, curvature] = slopes;
        let change = block_norm(output_weight * curvature * input_norm * longest(inputs), slope * input_norm);
        Ok(Self {
            loss: objective.value(&parameters)?,
            smallest: (kernel.min - kernel.floor).max(0.0).sqrt(),
            largest: (kernel.max + kernel.floor).sqrt(),
            lipschitz: scale * change,
            scale,
            output_weight,
            input_norm,
            slopes,
        })
    }

    /// `μ(ρ)`: PL* holds with it at all distances up to `radius`.
    #[must_use]
    pub fn mu(&self, radius: f64) -> f64 {
        (self.smallest - self.lipschitz * radius).max(0.0).powi(2)
    }

    /// `β(ρ)`: no Hessian at a distance up to `radius` has a larger norm.
    #[must_use]
    pub fn beta(&self, radius: f64) -> f64 {
        let [slope, curvature] = self.slopes;
        // All residuals carry √c.
        let residual = (2.0 * self.loss).sqrt() + self.largest * radius + 0.5 * self.lipschitz * radius * radius;
        let bent =
            block_norm((self.output_weight + radius) * curvature * self.input_norm.powi(2), slope * self.input_norm);
        (self.largest + self.lipschitz * radius).powi(2) + self.scale * residual * bent
    }

    /// The smallest ball that holds the theorem's, of radius `2√(2βL₀)/μ`; none when every ball is too large for its
    /// constants.
    #[must_use]
    pub fn theorem(&self) -> Option<CertifiedBall> {
        self.smallest_ball(|mu, beta| 2.0 * (2.0 * beta * self.loss).sqrt() / mu)
    }

    /// The smallest ball that holds every path of gradient descent at `η ≤ 1/β`, which are shorter than `2√(2L₀/μ)`.
    #[must_use]
    pub fn path(&self) -> Option<CertifiedBall> {
        self.smallest_ball(|mu, _| 2.0 * (2.0 * self.loss / mu).sqrt())
    }

    /// The smallest ρ with `needed(μ(ρ), β(ρ)) ≤ ρ`. What is needed grows with ρ, so repeating `ρ ← needed` from 0
    /// climbs to it and never beyond.
    fn smallest_ball(&self, needed: impl Fn(f64, f64) -> f64) -> Option<CertifiedBall> {
        let needed = |radius: f64| needed(self.mu(radius), self.beta(radius));
        let mut radius = 0.0;
        // A climb that slow ends at a ball that only just is one.
        for _ in 0..10_000 {
            let next = needed(radius);
            if self.mu(next) == 0.0 {
                return None;
            }
            // A little beyond the fixed point, where the inequality itself is looked at.
            let beyond = next * (1.0 + 1e-6);
            if needed(beyond) <= beyond {
                return Some(CertifiedBall { radius: beyond, mu: self.mu(beyond), beta: self.beta(beyond) });
            }
            radius = next;
        }
        None
    }
}
