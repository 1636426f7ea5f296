//! Spectral densities by stochastic Lanczos quadrature (Ubaru, Chen & Saad 2017; Ghorbani, Krishnan & Xiao 2019).
//!
//! A Lanczos process from a random unit vector gives nodes θ_k and weights τ_k² with `vᵀ f(A) v ≈ Σ τ_k² f(θ_k)`,
//! exactly for polynomials of degree below twice the steps. The mean over vectors estimates `tr f(A) / dim`, and their
//! spread gives the error of sampling. That of the quadrature is not in it: for functions that change within the
//! distance of two nodes, [`SpectralDensity::resolution`], it is larger.

use rand::Rng;

use crate::ended::Ended;
use crate::error::KrylovError;
use crate::lanczos::{Ritz, lanczos};
use crate::operator::SymmetricOperator;
use crate::trace::Estimate;

/// How to estimate.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use losscape_krylov::{Diagonal, Quadrature};
/// use rand::{SeedableRng, rngs::ChaCha12Rng};
///
/// let diagonal: Vec<f32> = (0..100).map(|i| if i % 2 == 0 { 1.0 } else { 3.0 }).collect();
/// let operator = Diagonal(Tensor::from_data(diagonal.as_slice(), &Device::flex()));
/// let density = Quadrature { probes: 4, steps: 10 }.run(&operator, &mut ChaCha12Rng::seed_from_u64(0))?;
/// // tr A² = 50 · 1 + 50 · 9; vectors of signs see the trace of a diagonal matrix without error.
/// let squares = density.trace(|x| x * x);
/// assert!((squares.mean - 500.0).abs() < 1e-2);
/// # Ok::<(), losscape_krylov::KrylovError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quadrature {
    /// Random vectors, each with a Lanczos process of its own. Default: 4.
    pub probes: usize,
    /// Lanczos steps for each. Default: 64.
    pub steps: usize,
}

impl Default for Quadrature {
    fn default() -> Self {
        Self { probes: 4, steps: 64 }
    }
}

/// A node of the quadrature.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Node {
    /// The Ritz value θ, where an eigenvalue is taken to be.
    pub value: f64,
    /// Its share of the spectrum; the weights of a probe sum to one.
    pub weight: f64,
    /// How far from θ the nearest eigenvalue can be, with the rounding of j products in random directions.
    pub residual: f64,
}

/// The spectrum of an operator as its probes saw it.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SpectralDensity {
    /// Nodes of each probe, ascending.
    pub probes: Vec<Vec<Node>>,
    /// Dimension of the operator.
    pub dim: usize,
    /// Products used.
    pub products: usize,
    /// [`Ended::InvariantSubspace`] when every probe's Krylov space was exhausted, otherwise [`Ended::Budget`].
    pub ended: Ended,
}

impl Quadrature {
    /// Runs a Lanczos process from each of the probes, unit vectors of signs.
    ///
    /// # Errors
    ///
    /// Without probes or steps, or when a product is not finite.
    pub fn run(
        &self,
        operator: &(impl SymmetricOperator + ?Sized),
        random: &mut impl Rng,
    ) -> Result<SpectralDensity, KrylovError> {
        if self.probes == 0 {
            return Err(KrylovError::Setting { name: "probes", value: 0.0, must: "at least one" });
        }
        let space = operator.space();
        let (mut probes, mut products, mut ended) = (Vec::new(), 0, Ended::InvariantSubspace);
        for _ in 0..self.probes {
            let process = lanczos(operator, &space.signs(random), self.steps)?;
            let nodes = process.ritz()?;
            let norm = nodes.iter().fold(0.0, |norm: f64, node| norm.max(node.value.abs()));
            let rounding = space.rounding() * (nodes.len() as f64).sqrt() * norm;
            let node = |r: Ritz| Node { value: r.value, weight: r.weight, residual: r.residual + rounding };
            probes.push(nodes.into_iter().map(node).collect());
            products += process.products;
            if process.ended == Ended::Budget {
                ended = Ended::Budget;
            }
        }
        Ok(SpectralDensity { probes, dim: space.dim, products, ended })
    }
}

impl SpectralDensity {
    /// Eigenvalues that are all known, as one probe of equal weights.
    #[must_use]
    pub fn exact(eigenvalues: &[f64], products: usize) -> Self {
        let weight = 1.0 / eigenvalues.len() as f64;
        let nodes = eigenvalues.iter().map(|&value| Node { value, weight, residual: 0.0 }).collect();
        Self { probes: vec![nodes], dim: eigenvalues.len(), products, ended: Ended::InvariantSubspace }
    }

    /// `tr f(A)`.
    pub fn trace(&self, f: impl Fn(f64) -> f64) -> Estimate {
        let of =
            |nodes: &Vec<Node>| nodes.iter().map(|node| node.weight * f(node.value)).sum::<f64>() * self.dim as f64;
        let samples: Vec<f64> = self.probes.iter().map(of).collect();
        Estimate::of(&samples, self.products)
    }

    /// The smallest deviation that the density may be smoothed with: the distance of m nodes in the middle of their
    /// range, `π (θ_max − θ_min)/(2m)`, as of the zeros of a Chebyshev polynomial. A uniform spectrum then comes
    /// out flat to 1e-8; with a third of it, it ripples by a quarter. Zero where all eigenvalues are known.
    #[must_use]
    pub fn resolution(&self) -> f64 {
        let (low, high) = self.range();
        let steps = self.probes.iter().map(Vec::len).min().unwrap_or(1).max(1);
        if self.ended == Ended::InvariantSubspace {
            0.0
        } else {
            std::f64::consts::PI * (high - low) / (2 * steps) as f64
        }
    }

    /// The density at a point, smoothed with a normal distribution of deviation `sigma`, at least the
    /// [`resolution`](Self::resolution); its integral over the line is one.
    #[must_use]
    pub fn at(&self, point: f64, sigma: f64) -> Estimate {
        let scale = 1.0 / (sigma * (2.0 * std::f64::consts::PI).sqrt() * self.dim as f64);
        self.trace(|value| scale * (-0.5 * ((point - value) / sigma).powi(2)).exp())
    }

    /// The smallest and the largest node.
    #[must_use]
    pub fn range(&self) -> (f64, f64) {
        let values = || self.probes.iter().flatten().map(|node| node.value);
        (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
    }
}
