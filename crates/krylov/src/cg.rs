//! Conjugate gradients for `A x = b` with a positive definite A, plain and preconditioned.

use burn::tensor::Tensor;

use crate::basis::{Products, inner, norm};
use crate::ended::Ended;
use crate::error::KrylovError;
use crate::operator::SymmetricOperator;

/// The method of Hestenes & Stiefel (1952); Golub & Van Loan 2013, Algorithms 11.3.3 and 11.5.1, from `x = 0`.
///
/// For an A with eigenvalues of both signs there is [`MinRes`](crate::MinRes). A direction of curvature `pᵀAp ≤ 0` ends
/// it with the solution so far, as Newton methods want it (Steihaug 1983). On a singular A with b in its range the
/// solution is the one of least norm, without a preconditioner.
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
/// // Three eigenvalues take three products, and what is left is calculated with one more.
/// assert_eq!(solution.products, 4);
/// # Ok::<(), losscape_krylov::KrylovError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ConjugateGradient {
    /// Residual norm at most this, relative to `‖b‖`. Default: 1e-5.
    pub tolerance: f64,
    /// Products with A that may be spent. Default: 1,000.
    pub max_products: usize,
}

impl Default for ConjugateGradient {
    fn default() -> Self {
        Self { tolerance: 1e-5, max_products: 1000 }
    }
}

/// A solution and how good it is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Solution {
    /// The approximate solution x, `[dim]`.
    pub x: Tensor<1>,
    /// `‖b − A x‖`: calculated, but for conjugate gradients that end before they converge, whose recurrence has it.
    pub residual: f64,
    /// Products used.
    pub products: usize,
    /// [`Ended::Converged`], [`Ended::Stagnated`] or [`Ended::Budget`]; [`Ended::NegativeCurvature`] of conjugate
    /// gradients, [`Ended::LeastSquares`] of [`MinRes`](crate::MinRes).
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
    pub fn solve(&self, operator: &(impl SymmetricOperator + ?Sized), b: &Tensor<1>) -> Result<Solution, KrylovError> {
        self.run(operator, |r| Ok(r.clone()), b)
    }

    /// Solves `A x = b` with a preconditioner `M ≈ A`, given by what multiplies with `M⁻¹`: `1/diag A` as a
    /// [`Diagonal`](crate::Diagonal), for example. Its products are not counted. The tolerance is that of `b − A x`, as
    /// without one.
    ///
    /// # Errors
    ///
    /// As [`solve`](Self::solve); when the preconditioner takes other vectors, or turns out not to be positive
    /// definite.
    pub fn solve_preconditioned(
        &self,
        operator: &(impl SymmetricOperator + ?Sized),
        inverse: &(impl SymmetricOperator + ?Sized),
        b: &Tensor<1>,
    ) -> Result<Solution, KrylovError> {
        fits(inverse, b, self.tolerance)?;
        let mut products = Products { operator: inverse, done: 0 };
        self.run(operator, |r| products.apply(r.clone()), b)
    }

    fn run(
        &self,
        operator: &(impl SymmetricOperator + ?Sized),
        mut precondition: impl FnMut(&Tensor<1>) -> Result<Tensor<1>, KrylovError>,
        b: &Tensor<1>,
    ) -> Result<Solution, KrylovError> {
        fits(operator, b, self.tolerance)?;
        let mut products = Products { operator, done: 0 };
        let (mut x, mut r) = (b.zeros_like(), b.clone());
        let goal = self.tolerance * norm(b);
        // The residual when it was last calculated.
        let mut calculated = f64::INFINITY;
        // The last direction, and `rᵀ M⁻¹ r` where it was made.
        let mut last: Option<(Tensor<1>, f64)> = None;
        loop {
            let mut residual = norm(&r);
            // What the recurrence has forgets the rounding of products.
            let look = residual <= goal && products.done > 0 && products.done < self.max_products;
            if look {
                r = b.clone() - products.apply(x.clone())?;
                (residual, last) = (norm(&r), None);
            }
            let solution = |x: Tensor<1>, done: usize, ended: Ended, negative: Option<Tensor<1>>| Solution {
                x,
                residual,
                products: done,
                ended,
                negative,
            };
            if residual <= goal && (look || products.done == 0) {
                return Ok(solution(x, products.done, Ended::Converged, None));
            }
            if look && residual > 0.5 * calculated {
                return Ok(solution(x, products.done, Ended::Stagnated, None));
            }
            if look {
                calculated = residual;
            }
            if products.done == self.max_products {
                return Ok(solution(x, products.done, Ended::Budget, None));
            }
            let z = precondition(&r)?;
            let squared = inner(&r, &z);
            if squared <= 0.0 {
                let (name, must) = ("rᵀM⁻¹r of the preconditioner", "positive: M⁻¹ has to be positive definite");
                return Err(KrylovError::Setting { name, value: squared, must });
            }
            let p = match last {
                Some((p, before)) => z + p * (squared / before),
                None => z,
            };
            let image = products.apply(p.clone())?;
            let curvature = inner(&p, &image);
            if curvature <= 0.0 {
                return Ok(solution(x, products.done, Ended::NegativeCurvature, Some(p)));
            }
            let step = squared / curvature;
            x = x + p.clone() * step;
            r = r - image * step;
            last = Some((p, squared));
        }
    }
}

/// Whether b is a vector of the operator's that a system can be solved for, to this tolerance.
pub(crate) fn fits(
    operator: &(impl SymmetricOperator + ?Sized),
    b: &Tensor<1>,
    tolerance: f64,
) -> Result<(), KrylovError> {
    let (given, dim, length) = (b.dims()[0], operator.dim(), norm(b));
    if given != dim {
        return Err(KrylovError::Dimension { given, dim });
    }
    if !length.is_finite() {
        return Err(KrylovError::Setting { name: "the right side's norm", value: length, must: "finite" });
    }
    if !(tolerance > 0.0 && tolerance.is_finite()) {
        return Err(KrylovError::Setting { name: "tolerance", value: tolerance, must: "positive and finite" });
    }
    Ok(())
}
