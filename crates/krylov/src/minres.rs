//! MINRES for `A x = b` with any symmetric A: eigenvalues of both signs, zeros too.

use burn::tensor::Tensor;

use crate::basis::{Products, inner, norm};
use crate::cg::{Solution, fits};
use crate::ended::Ended;
use crate::error::KrylovError;
use crate::operator::SymmetricOperator;

/// The method of Paige & Saunders (1975, §6), from `x = 0`: the x of the Krylov space with the least `‖b − A x‖`.
///
/// Where A is singular and b has a part outside of its range, no x solves the system: then `‖A r‖` comes down to
/// rounding (`100 ϵ √n ‖A‖ ‖r‖`) before the residual r does, and the x found has the least residual of all
/// ([`Ended::LeastSquares`]; Choi, Paige & Saunders 2011, §2.2).
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use losscape_krylov::{Diagonal, MinRes};
///
/// let operator = Diagonal(Tensor::from_data([1.0, -2.0, 4.0], &Device::flex()));
/// let b = Tensor::from_data([1.0, 1.0, 1.0], &Device::flex());
/// let solution = MinRes::default().solve(&operator, &b)?;
/// let expected = Tensor::<1>::from_data([1.0, -0.5, 0.25], &Device::flex());
/// assert!((solution.x - expected).abs().max().into_scalar::<f64>() < 1e-5);
/// # Ok::<(), losscape_krylov::KrylovError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MinRes {
    /// Residual norm at most this, relative to `‖b‖`. Default: 1e-5.
    pub tolerance: f64,
    /// Products with A that may be spent. Default: 1,000.
    pub max_products: usize,
}

impl Default for MinRes {
    fn default() -> Self {
        Self { tolerance: 1e-5, max_products: 1000 }
    }
}

impl MinRes {
    /// Solves `A x = b`.
    ///
    /// # Errors
    ///
    /// When b has another length than the operator's vectors, or a product is not finite.
    pub fn solve(&self, operator: &(impl SymmetricOperator + ?Sized), b: &Tensor<1>) -> Result<Solution, KrylovError> {
        fits(operator, b)?;
        let mut products = Products { operator, done: 0 };
        let (length, rounding) = (norm(b), operator.space().rounding());
        let (mut x, mut residual) = (b.zeros_like(), length);
        // The Lanczos process: v_j with what is left for the next, and T's subdiagonal entry β_j.
        let (mut v_before, mut rest, mut beta) = (b.zeros_like(), b.clone(), length);
        // The rotation that makes T upper triangular, and what it leaves of the next column.
        let (mut cosine, mut sine, mut over, mut far) = (-1.0, 0.0, 0.0, 0.0);
        let (mut w_before, mut w) = (b.zeros_like(), b.zeros_like());
        let mut squares = 0.0;
        let end = |x: Tensor<1>, residual: f64, done: usize, ended: Ended| {
            Ok(Solution { x, residual, products: done, ended, negative: None })
        };
        while residual > self.tolerance * length {
            if products.done == self.max_products {
                return end(x, residual, products.done, Ended::Budget);
            }
            let v = rest / beta;
            let image = products.apply(v.clone())? - v_before * beta;
            let alpha = inner(&v, &image);
            rest = image - v.clone() * alpha;
            let next = norm(&rest);
            squares += alpha * alpha + beta * beta * f64::from(u8::from(products.done > 1)) + next * next;
            let (before, delta) = (far, cosine * over + sine * alpha);
            let diagonal = sine * over - cosine * alpha;
            (far, over) = (sine * next, -cosine * next);
            // `‖A r‖ / ‖r‖` of the residual before this step: rounding, where r is what no x can take away.
            if diagonal.hypot(over) <= 100.0 * rounding * f64::sqrt(squares) {
                return end(x, residual, products.done, Ended::LeastSquares);
            }
            let gamma = diagonal.hypot(next);
            (cosine, sine) = (diagonal / gamma, next / gamma);
            let direction = (v.clone() - w_before * before - w.clone() * delta) / gamma;
            x = x + direction.clone() * (cosine * residual);
            residual *= sine;
            (w_before, w) = (w, direction);
            (v_before, beta) = (v, next);
        }
        end(x, residual, products.done, Ended::Converged)
    }
}
