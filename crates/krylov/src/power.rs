//! Power iteration: the eigenvalue of largest magnitude, by multiplying again and again. The simple sibling of
//! [`Eigensolver`](crate::Eigensolver).

use burn::tensor::Tensor;
use rand::Rng;

use crate::basis::{Products, inner, norm};
use crate::ended::Ended;
use crate::error::KrylovError;
use crate::lanczos::checked;
use crate::operator::SymmetricOperator;

/// `v ← A v / ‖A v‖` with the Rayleigh quotient `θ = vᵀ A v` (Golub & Van Loan 2013, §8.2.1).
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use losscape_krylov::{Diagonal, PowerIteration};
/// use rand::{SeedableRng, rngs::ChaCha12Rng};
///
/// let operator = Diagonal(Tensor::from_data([1.0, -3.0, 2.0], &Device::flex()));
/// let found = PowerIteration::default().solve(&operator, None, &mut ChaCha12Rng::seed_from_u64(0))?;
/// assert!((found.value - -3.0).abs() <= found.error_bound);
/// # Ok::<(), losscape_krylov::KrylovError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PowerIteration {
    /// Residual norm at most this, relative to |θ|. Default: 1e-3.
    pub tolerance: f64,
    /// Products with A that may be spent. Default: 1,000.
    pub max_products: usize,
}

impl Default for PowerIteration {
    fn default() -> Self {
        Self { tolerance: 1e-3, max_products: 1000 }
    }
}

/// An eigenvalue of large magnitude with its vector, and how far off it can be.
#[derive(Debug, Clone)]
pub struct PowerResult {
    /// The Rayleigh quotient `θ = vᵀAv`.
    pub value: f64,
    /// The unit vector v, `[dim]`.
    pub vector: Tensor<1>,
    /// `‖A v − θ v‖`.
    pub residual: f64,
    /// An eigenvalue lies within this of θ: the residual and the rounding of a product. Nothing tells that it is the
    /// largest.
    pub error_bound: f64,
    /// Products used.
    pub products: usize,
    /// [`Ended::Converged`], [`Ended::InvariantSubspace`] when a product vanished, or [`Ended::Budget`].
    pub ended: Ended,
}

impl PowerIteration {
    /// Iterates from `start`, or from a random vector.
    ///
    /// # Errors
    ///
    /// When `start` is zero or of another length, no product is allowed, or a product is not finite.
    pub fn solve(
        &self,
        operator: &(impl SymmetricOperator + ?Sized),
        start: Option<&Tensor<1>>,
        random: &mut impl Rng,
    ) -> Result<PowerResult, KrylovError> {
        let space = operator.space();
        if self.max_products == 0 {
            return Err(KrylovError::Setting { name: "max_products", value: 0.0, must: "at least one product" });
        }
        let start = start.map_or_else(|| space.normal(random), Clone::clone);
        let mut vector = start.clone() / checked(&space, &start)?;
        let mut products = Products { operator, done: 0 };
        loop {
            let image = products.apply(vector.clone())?;
            let value = inner(&vector, &image);
            let residual = norm(&(image.clone() - vector.clone() * value));
            let size = norm(&image);
            let ended = if size == 0.0 {
                Some(Ended::InvariantSubspace)
            } else if residual <= self.tolerance * value.abs() {
                Some(Ended::Converged)
            } else {
                (products.done == self.max_products).then_some(Ended::Budget)
            };
            if let Some(ended) = ended {
                let error_bound = residual + space.rounding() * size;
                return Ok(PowerResult { value, vector, residual, error_bound, products: products.done, ended });
            }
            vector = image / size;
        }
    }
}
