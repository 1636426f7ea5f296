//! Traces from few products, each with its standard error.
//!
//! | estimator | products m | error | source |
//! |---|---|---|---|
//! | [`hutchinson`] | one a probe | `O(m^{−1/2})` | Hutchinson 1990 |
//! | [`hutch_plus_plus`] | a third for a range, a third to project, a third for the rest | `O(m^{−1})` for positive semidefinite A | Meyer, Musco, Musco & Woodruff 2021, Algorithm 1 |
//! | [`xtrace`] | half for a range, half to project; every probe serves both | as Hutch++, smaller in practice | Epperly, Tropp & Webber 2024, §2.1 |
//!
//! Probes are vectors of independent signs. The samples of Hutchinson and of the rest in Hutch++ are independent. Those
//! of XTrace share their probes: each enters the mean twice, as a test vector and through the range of the others, so
//! that the spread of the samples (the error estimate of Epperly et al., §4.1) is up to half of the variance too small:
//! half for a flat spectrum, whose sample mean is a degenerate U-statistic of order two, a fifth for one that decays
//! fast. We multiply it by √2: without that, two standard errors held the truth in 79 of a hundred cases.

use burn::tensor::Tensor;
use rand::Rng;

use crate::basis::{Orthogonal, Products, Rows, inner, norm};
use crate::error::KrylovError;
use crate::lanczos::breakdown;
use crate::operator::SymmetricOperator;

/// An estimate and its error.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Estimate {
    /// The estimate: the mean over probes, or the exact value.
    pub mean: f64,
    /// Standard error of the mean; absent with a single probe. Zero when the value is exact.
    pub sem: Option<f64>,
    /// Independent probes; zero when the value is exact.
    pub probes: usize,
    /// Products used.
    pub products: usize,
}

impl Estimate {
    /// A value without error.
    #[must_use]
    pub fn exact(value: f64, products: usize) -> Self {
        Self { mean: value, sem: Some(0.0), probes: 0, products }
    }

    /// Mean and standard error of independent samples.
    #[must_use]
    pub fn of(samples: &[f64], products: usize) -> Self {
        let count = samples.len() as f64;
        let mean = samples.iter().sum::<f64>() / count;
        let spread = samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>();
        let sem = (samples.len() > 1).then(|| (spread / (count * (count - 1.0))).sqrt());
        Self { mean, sem, probes: samples.len(), products }
    }
}

fn at_least(name: &'static str, value: usize, least: usize, must: &'static str) -> Result<(), KrylovError> {
    if value >= least { Ok(()) } else { Err(KrylovError::Setting { name, value: value as f64, must }) }
}

/// `tr A` as the mean of `ωᵀ A ω`; with the same products `‖A‖_F²` as the mean of `‖A ω‖²`, the second value.
///
/// # Errors
///
/// Without probes, or when a product is not finite.
pub fn hutchinson(
    operator: &(impl SymmetricOperator + ?Sized),
    probes: usize,
    random: &mut impl Rng,
) -> Result<(Estimate, Estimate), KrylovError> {
    at_least("probes", probes, 1, "at least one")?;
    let space = operator.space();
    let mut products = Products { operator, done: 0 };
    let (mut traces, mut squares) = (Vec::new(), Vec::new());
    for _ in 0..probes {
        let probe = space.signs(random);
        let image = products.apply(probe.clone())?;
        traces.push(inner(&probe, &image));
        squares.push(norm(&image).powi(2));
    }
    Ok((Estimate::of(&traces, probes), Estimate::of(&squares, probes)))
}

/// An orthonormal basis of the span of rows.
fn orthonormal(rows: impl Iterator<Item = Tensor<1>>, operator: &(impl SymmetricOperator + ?Sized)) -> Rows {
    let space = operator.space();
    let mut basis = Rows::new(space.clone());
    for row in rows {
        let scale = norm(&row);
        let Orthogonal { rest, length, .. } = basis.orthogonalize(row);
        if length > breakdown(&space, scale) {
            basis.push(rest / length);
        }
    }
    basis
}

/// `tr A = tr(Q A Qᵀ) + tr((I − QᵀQ) A (I − QᵀQ))`: the first term exactly on the range Q of a third of the products,
/// the second by Hutchinson.
///
/// The standard error is that of the second term, for a fixed Q.
///
/// # Errors
///
/// With fewer than three products, or when one is not finite.
pub fn hutch_plus_plus(
    operator: &(impl SymmetricOperator + ?Sized),
    budget: usize,
    random: &mut impl Rng,
) -> Result<Estimate, KrylovError> {
    at_least("products", budget, 3, "at least three")?;
    let space = operator.space();
    let third = budget / 3;
    let mut products = Products { operator, done: 0 };
    let sketch = (0..third).map(|_| products.apply(space.signs(random))).collect::<Result<Vec<_>, _>>()?;
    let range = orthonormal(sketch.into_iter(), operator);
    let mut inside = 0.0;
    for vector in range.iter() {
        inside += inner(&vector, &products.apply(vector.clone())?);
    }
    let mut rest = Vec::new();
    for _ in 0..third {
        let probe = range.orthogonalize(space.signs(random)).rest;
        rest.push(inner(&probe, &products.apply(probe.clone())?));
    }
    let estimate = Estimate::of(&rest, products.done);
    Ok(Estimate { mean: inside + estimate.mean, ..estimate })
}

/// The exchangeable estimator: for each of m probes, the trace on the range of the others' images, and the probe's own
/// estimate of the rest; their mean. With `Y = AΩ = QR`, `H = QᵀAQ`, `W = QᵀΩ` and s_i the normalized i-th column of
/// `R^{−ᵀ}`, the range without probe i is that of Q without `Q s_i`, and with `x_i = w_i − s_i (s_iᵀ w_i)`
///
/// ```text
/// t_i = tr H − s_iᵀ H s_i + w_iᵀ r_i − 2 x_iᵀ r_i + x_iᵀ H x_i.
/// ```
///
/// When an image lies in the span of those before it, the rank is found, and `tr A = tr H` but for what the probe could
/// not see: the standard error is then `√n` times the length below which an image counts as dependent.
///
/// # Errors
///
/// With fewer than four products, or when one is not finite.
pub fn xtrace(
    operator: &(impl SymmetricOperator + ?Sized),
    budget: usize,
    random: &mut impl Rng,
) -> Result<Estimate, KrylovError> {
    at_least("products", budget, 4, "at least four")?;
    let space = operator.space();
    let mut products = Products { operator, done: 0 };
    let (mut basis, mut r) = (Rows::new(space.clone()), Vec::<Vec<f64>>::new());
    let mut probes = Vec::new();
    let mut dependent = None;
    for _ in 0..(budget / 2).min(space.dim) {
        let probe = space.signs(random);
        let image = products.apply(probe.clone())?;
        let scale = norm(&image);
        let Orthogonal { rest, length, along } = basis.orthogonalize(image);
        let least = breakdown(&space, scale);
        if length <= least {
            dependent = Some(least * (space.dim as f64).sqrt());
            break;
        }
        basis.push(rest / length);
        r.push(along.into_iter().chain([length]).collect());
        probes.push(probe);
    }
    let m = basis.len();
    let images = basis.iter().map(|q| products.apply(q)).collect::<Result<Vec<_>, _>>()?;
    let h: Vec<Vec<f64>> = images.iter().map(|image| basis.dot(image)).collect();
    let trace: f64 = (0..m).map(|i| h[i][i]).sum();
    if let Some(error) = dependent {
        return Ok(Estimate { mean: trace, sem: Some(error), probes: m + 1, products: products.done });
    }
    if m == space.dim {
        return Ok(Estimate::exact(trace, products.done));
    }
    let quadratic = |x: &[f64]| -> f64 {
        (0..m).map(|i| x[i] * (0..m).map(|j| f64::midpoint(h[i][j], h[j][i]) * x[j]).sum::<f64>()).sum()
    };
    let dot = |x: &[f64], y: &[f64]| -> f64 { x.iter().zip(y).map(|(a, b)| a * b).sum() };
    let samples: Vec<f64> = (0..m)
        .map(|i| {
            let s = left_out(&r, i);
            let w = basis.dot(&probes[i]);
            let mut column = r[i].clone();
            column.resize(m, 0.0);
            let along = dot(&s, &w);
            let x: Vec<f64> = w.iter().zip(&s).map(|(w, s)| w - s * along).collect();
            trace - quadratic(&s) + dot(&w, &column) - 2.0 * dot(&x, &column) + quadratic(&x)
        })
        .collect();
    let estimate = Estimate::of(&samples, products.done);
    Ok(Estimate { sem: estimate.sem.map(|sem| sem * std::f64::consts::SQRT_2), ..estimate })
}

/// The unit vector s with `sᵀ r_j = 0` for all columns `j ≠ i` of the upper triangular R: the solution of `Rᵀ s = e_i`,
/// normalized.
fn left_out(r: &[Vec<f64>], i: usize) -> Vec<f64> {
    let m = r.len();
    let mut s = vec![0.0; m];
    for row in i..m {
        let known: f64 = (i..row).map(|k| r[row][k] * s[k]).sum();
        s[row] = (f64::from(u8::from(row == i)) - known) / r[row][row];
    }
    let length = s.iter().map(|value| value * value).sum::<f64>().sqrt();
    s.iter().map(|value| value / length).collect()
}

/// `‖A‖_F` from [`hutchinson`]'s second estimate, with the error carried over: `σ(‖A‖_F) = σ(‖A‖_F²) / (2 ‖A‖_F)`.
#[must_use]
pub fn frobenius(squared: Estimate) -> Estimate {
    let mean = squared.mean.max(0.0).sqrt();
    Estimate { mean, sem: squared.sem.map(|sem| if mean > 0.0 { sem / (2.0 * mean) } else { 0.0 }), ..squared }
}
