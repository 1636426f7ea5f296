//! What is measured of a symmetric operator: both ends of its spectrum, trace, Frobenius norm, density.
//!
//! Small operators are written down and decomposed, so that nothing is estimated; large ones are seen through products,
//! and every number comes with its error.

use losscape_krylov::trace::{frobenius, hutch_plus_plus, hutchinson};
use losscape_krylov::{
    Eigensolver, Eigenvalue, Ended, Estimate, KrylovError, Quadrature, SpectralDensity, SymmetricOperator, Unseen,
    dense,
};
use rand::Rng;
use serde::{Deserialize, Serialize};

/// What to measure, and how closely.
#[derive(Debug, Clone, PartialEq)]
pub struct SpectrumSettings {
    /// Largest eigenvalues. Default: 10.
    pub top: usize,
    /// Smallest eigenvalues. Default: 5.
    pub bottom: usize,
    /// Residuals relative to the norm. Default: 1e-3.
    pub tolerance: f64,
    /// Products that may be spent on eigenvalues that were missed. Default: 24.
    pub probes: usize,
    /// Products for the trace, at least three; none for no trace. Default: 60.
    pub trace: usize,
    /// The density's quadrature, if it is wanted. Default: 2 probes of 50 steps.
    pub density: Option<Quadrature>,
    /// Operators up to this dimension are written down, which takes as many products. Default: 2,000.
    pub dense: usize,
}

impl Default for SpectrumSettings {
    fn default() -> Self {
        Self {
            top: 10,
            bottom: 5,
            tolerance: 1e-3,
            probes: 24,
            trace: 60,
            density: Some(Quadrature { probes: 2, steps: 50 }),
            dense: 2000,
        }
    }
}

impl SpectrumSettings {
    /// Only so many of the largest and of the smallest eigenvalues.
    #[must_use]
    pub fn ends(top: usize, bottom: usize) -> Self {
        Self { top, bottom, trace: 0, density: None, ..Self::default() }
    }

    /// Written down only where that is worth its time: a product that computes many numbers
    /// ([`Point::entries`](crate::Point::entries)) lowers [`dense`](Self::dense), so that all products together compute
    /// no more than 2³² of them, some ten seconds of a core, or are as few as [`products`](Self::products).
    #[must_use]
    pub fn for_products_of(self, entries: usize) -> Self {
        const ENTRIES: usize = 1 << 32;
        let worth = (ENTRIES / entries.max(1)).max(self.products());
        Self { dense: self.dense.min(worth), ..self }
    }

    /// About how many products are taken where the operator is not written down.
    #[must_use]
    pub fn products(&self) -> usize {
        let density = self.density.map_or(0, |Quadrature { probes, steps }| probes * steps);
        4 * (self.top + self.bottom) + self.probes + self.trace + density
    }
}

/// The spectrum of an operator, as far as it was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spectrum {
    /// Dimension of the operator: P, or nC for the kernel.
    pub dim: usize,
    /// The largest eigenvalues, descending.
    pub top: Vec<Eigenvalue>,
    /// The smallest eigenvalues, ascending.
    pub bottom: Vec<Eigenvalue>,
    /// What can hide beyond them.
    pub unseen: Unseen,
    /// The largest |θ| met: what tolerances are relative to. Absent in records of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub norm: Option<f64>,
    /// The trace; absent where no products were to be spent on it and the operator was not written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Estimate>,
    /// The Frobenius norm, from a few probes of its own; absent with the trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frobenius: Option<Estimate>,
    /// How many of the largest eigenvalues stand above the widest gap (in ratio) between neighbours among them: a rule
    /// of thumb for outliers. Absent with fewer than two positive ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outliers: Option<usize>,
    /// The spectral density; absent where it was not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub density: Option<SpectralDensity>,
    /// Products with the operator, of everything together.
    pub products: usize,
    /// How the search for eigenvalues ended.
    pub ended: Ended,
}

impl Spectrum {
    /// Measures an operator.
    ///
    /// # Errors
    ///
    /// When more eigenvalues are asked for than there are, or a product is not finite.
    pub fn measure(
        operator: &impl SymmetricOperator,
        settings: &SpectrumSettings,
        random: &mut impl Rng,
    ) -> Result<Self, KrylovError> {
        let (dim, asked) = (operator.dim(), settings.top.max(settings.bottom));
        if asked > dim {
            return Err(KrylovError::TooMany { asked, dim });
        }
        if dim <= settings.dense {
            Self::exact(operator, settings)
        } else {
            Self::estimated(operator, settings, random)
        }
    }

    fn exact(operator: &impl SymmetricOperator, settings: &SpectrumSettings) -> Result<Self, KrylovError> {
        let (space, dim) = (operator.space(), operator.dim());
        let values = dense::eigenvalues(dense::materialize(operator))?;
        let norm = values.iter().fold(0.0, |norm: f64, value| norm.max(value.abs()));
        let error_bound = space.rounding() * norm;
        let known = |&value: &f64| Eigenvalue { value, residual: 0.0, error_bound };
        let top: Vec<Eigenvalue> = values.iter().rev().take(settings.top).map(known).collect();
        let bottom: Vec<Eigenvalue> = values.iter().take(settings.bottom).map(known).collect();
        let unseen = Unseen {
            above: top.last().map(|last| last.value),
            below: bottom.last().map(|last| last.value),
            failure: 0.0,
        };
        let squares: f64 = values.iter().map(|value| value * value).sum();
        Ok(Self {
            dim,
            outliers: outliers(&top),
            top,
            bottom,
            unseen,
            norm: Some(norm),
            trace: Some(Estimate::exact(values.iter().sum(), dim)),
            frobenius: Some(Estimate::exact(squares.sqrt(), dim)),
            density: settings.density.map(|_| SpectralDensity::exact(&values, dim)),
            products: dim,
            ended: Ended::InvariantSubspace,
        })
    }

    fn estimated(
        operator: &impl SymmetricOperator,
        settings: &SpectrumSettings,
        random: &mut impl Rng,
    ) -> Result<Self, KrylovError> {
        let solver = Eigensolver {
            probes: settings.probes,
            tolerance: settings.tolerance,
            ..Eigensolver::both(settings.top, settings.bottom)
        };
        let pairs = solver.solve(operator, None, random)?;
        let mut products = pairs.products;
        let (mut trace, mut squares) = (None, None);
        if settings.trace > 0 {
            // The norm needs only a digit or two: its probes are few, the trace has the rest.
            let probes = (settings.trace / 6).max(2);
            squares = Some(frobenius(hutchinson(operator, probes, random)?.1));
            let estimate = hutch_plus_plus(operator, (settings.trace - probes.min(settings.trace)).max(3), random)?;
            products += probes + estimate.products;
            trace = Some(estimate);
        }
        let density = settings.density.map(|quadrature| quadrature.run(operator, random)).transpose()?;
        products += density.as_ref().map_or(0, |density| density.products);
        Ok(Self {
            dim: operator.dim(),
            outliers: outliers(&pairs.top),
            top: pairs.top,
            bottom: pairs.bottom,
            unseen: pairs.unseen,
            norm: Some(pairs.norm),
            trace,
            frobenius: squares,
            density,
            products,
            ended: pairs.ended,
        })
    }
}

fn outliers(top: &[Eigenvalue]) -> Option<usize> {
    let positive: Vec<f64> = top.iter().map(|pair| pair.value).filter(|value| *value > 0.0).collect();
    let ratios = positive.windows(2).map(|pair| pair[0] / pair[1]);
    ratios.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(at, _)| at + 1)
}
