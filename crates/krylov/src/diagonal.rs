//! The diagonal of an operator from few products (Bekas, Kokiopoulou & Saad 2007, eq. 2, with signs for probes).
//!
//! For a vector ω of independent signs `E[ω ⊙ Aω] = diag A`: the entry i of a sample is `A_ii + Σ_{j≠i} ω_i ω_j A_ij`,
//! with the variance `Σ_{j≠i} A_ij²`. The mean over m probes has the standard error that their spread says.

use burn::tensor::Tensor;
use rand::Rng;

use crate::basis::{Products, inner};
use crate::error::KrylovError;
use crate::operator::SymmetricOperator;

/// A diagonal and its errors.
#[derive(Debug, Clone)]
pub struct DiagonalEstimate {
    /// The entries `[n]`, or their estimates.
    pub values: Tensor<1>,
    /// The standard error of each entry `[n]`; zero where the diagonal is exact.
    pub sem: Tensor<1>,
    /// Independent probes; zero when the diagonal is exact.
    pub probes: usize,
    /// Products used.
    pub products: usize,
}

/// The diagonal from so many products: exact, by unit vectors, where there are no more entries than that.
///
/// # Errors
///
/// With fewer than two products, of which no error can be told, and when one is not finite.
pub fn diagonal(
    operator: &(impl SymmetricOperator + ?Sized),
    products: usize,
    random: &mut impl Rng,
) -> Result<DiagonalEstimate, KrylovError> {
    if products < 2 {
        let must = "at least two";
        return Err(KrylovError::Setting { name: "products", value: products as f64, must });
    }
    let space = operator.space();
    let mut applied = Products { operator, done: 0 };
    let zeros = || space.vector(vec![0.0; space.dim]);
    if space.dim <= products {
        let mut values = Vec::new();
        for at in 0..space.dim {
            let unit = space.vector((0..space.dim).map(|other| if other == at { 1.0 } else { 0.0 }).collect());
            values.push(inner(&applied.apply(unit.clone())?, &unit));
        }
        return Ok(DiagonalEstimate { values: space.vector(values), sem: zeros(), probes: 0, products: applied.done });
    }
    // Means and sums of squared differences as samples come (Welford 1962).
    let (mut mean, mut spread) = (zeros(), zeros());
    for count in 1..=products {
        let probe = space.signs(random);
        let sample = applied.apply(probe.clone())? * probe;
        let before = sample.clone() - mean.clone();
        mean = mean + before.clone() / count as f64;
        spread = spread + before * (sample - mean.clone());
    }
    let count = products as f64;
    let sem = (spread / (count * (count - 1.0))).sqrt();
    Ok(DiagonalEstimate { values: mean, sem, probes: products, products: applied.done })
}
