//! Conjugate gradients for `A x = b` with a positive definite A.

use burn::tensor::Tensor;

use crate::basis::{Products, inner, norm};
use crate::operator::SymmetricOperator;
use crate::{Ended, KrylovError};

/// The method of Hestenes & Stiefel (1952); Golub & Van Loan 2013, Algorithm 11.3.3, from `x = 0`.
///
/// A direction of curvature `pᵀAp ≤ 0` ends it with the solution so far, as Newton methods want it (Steihaug 1983). On
/// a singular A with b in its range the solution is the one of least norm.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use losscape_krylov::{ConjugateGradient, Diagonal};
///
/// let operator = Diagonal(Tensor::from_data([1.0, 2.0, 4.0], &Device::flex()));
/// let b = Tensor::from_data([1.0, 1.0, 1.0], &Device::flex());
/// let solution = ConjugateGradient::default().solve(&operator, &b)?;
/// let expected = Tensor::<1>::from_data([1.0, 0.5, 0.25], &Device::flex());
/// assert!((solution.x - expected).abs().max().into_scalar::<f64>() < 1e-5);
/// assert_eq!(solution.products, 3);
/// # Ok::<(), losscape_krylov::KrylovError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ConjugateGradient {
    /// Residual norm at most this, relative to `‖b‖`. Default: 1e-5.
    pub tolerance: f64,
    /// Products allowed. Default: 1,000.
    pub max_products: usize,
}

impl Default for ConjugateGradient {
    fn default() -> Self {
        Self { tolerance: 1e-5, max_products: 1000 }
    }
}

/// A solution and how good it is.
#[derive(Debug, Clone)]
pub struct Solution {
    /// x.
    pub x: Tensor<1>,
    /// `‖b − A x‖`, as the recurrence has it.
    pub residual: f64,
    /// Products used.
    pub products: usize,
    /// [`Ended::Converged`], [`Ended::NegativeCurvature`] or [`Ended::Budget`].
    pub ended: Ended,
    /// The last direction, when it is one of curvature `pᵀAp ≤ 0`.
    pub negative: Option<Tensor<1>>,
}

impl ConjugateGradient {
    /// Solves `A x = b`.
    ///
    /// # Errors
    ///
    /// When b has another length than the operator's vectors, or a product is not finite.
    pub fn solve(&self, operator: &impl SymmetricOperator, b: &Tensor<1>) -> Result<Solution, KrylovError> {
        let (given, dim) = (b.dims()[0], operator.dim());
        if given != dim {
            return Err(KrylovError::Dimension { given, dim });
        }
        let mut products = Products { operator, done: 0 };
        let (mut x, mut r, mut p) = (b.zeros_like(), b.clone(), b.clone());
        let mut squared = inner(&r, &r);
        let goal = self.tolerance * norm(b);
        loop {
            let residual = squared.sqrt();
            let solution = |x: Tensor<1>, done: usize, ended: Ended, negative: Option<Tensor<1>>| Solution {
                x,
                residual,
                products: done,
                ended,
                negative,
            };
            if residual <= goal {
                return Ok(solution(x, products.done, Ended::Converged, None));
            }
            if products.done == self.max_products {
                return Ok(solution(x, products.done, Ended::Budget, None));
            }
            let image = products.apply(p.clone())?;
            let curvature = inner(&p, &image);
            if curvature <= 0.0 {
                return Ok(solution(x, products.done, Ended::NegativeCurvature, Some(p)));
            }
            let step = squared / curvature;
            x = x + p.clone() * step;
            r = r - image * step;
            let next = inner(&r, &r);
            p = r.clone() + p * (next / squared);
            squared = next;
        }
    }
}
