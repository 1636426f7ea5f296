//! MINRES for `A x = b` with any symmetric A: eigenvalues of both signs, zeros too.

use burn::tensor::Tensor;

use crate::basis::{Products, inner, norm};
use crate::cg::{Solution, fits};
use crate::ended::Ended;
use crate::error::KrylovError;
use crate::operator::SymmetricOperator;

/// The method of Paige & Saunders (1975, §6), from `x = 0`: the x of the Krylov space with the least `‖b − A x‖`.
///
/// Where A is singular and b has a part outside of its range, no x solves the system: then `‖A r‖` comes down before
/// the residual r does, and the x found has the least residual of all (Choi, Paige & Saunders 2011, §2.2). The
/// iteration ends there when `‖A r‖ ≤ √ϵ ‖A‖ ‖r‖`, which is as far down as the process goes without reorthogonalization
/// ([`Ended::LeastSquares`]). Eigenvalues below `√ϵ ‖A‖` look the same.
///
/// The residual reported is not the recurrence's: it takes one product more.
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
        fits(operator, b, self.tolerance)?;
        let mut products = Products { operator, done: 0 };
        let (length, smallest) = (norm(b), operator.space().epsilon().sqrt());
        let (mut x, mut residual) = (b.zeros_like(), length);
        // The Lanczos process: v_j with what is left for the next, and T's subdiagonal entry β_j.
        let (mut v_before, mut rest, mut beta) = (b.zeros_like(), b.clone(), 0.0);
        let mut next = length;
        // The rotation that makes T upper triangular, and what it leaves of the next column.
        let (mut cosine, mut sine, mut over, mut far) = (-1.0, 0.0, 0.0, 0.0);
        let (mut w_before, mut w) = (b.zeros_like(), b.zeros_like());
        // ‖A‖, by the longest column of T.
        let mut size = 0f64;
        let mut ended = Ended::Converged;
        while residual > self.tolerance * length {
            if products.done == self.max_products {
                ended = Ended::Budget;
                break;
            }
            let v = rest / next;
            let image = products.apply(v.clone())? - v_before * beta;
            let alpha = inner(&v, &image);
            rest = image - v.clone() * alpha;
            let before = far;
            let after = norm(&rest);
            size = size.max((beta * beta + alpha * alpha + after * after).sqrt());
            let delta = cosine * over + sine * alpha;
            let diagonal = sine * over - cosine * alpha;
            (far, over) = (sine * after, -cosine * after);
            // `‖A r‖ / ‖r‖` of the residual before this step.
            if diagonal.hypot(over) <= smallest * size {
                ended = Ended::LeastSquares;
                break;
            }
            let gamma = diagonal.hypot(after);
            (cosine, sine) = (diagonal / gamma, after / gamma);
            let direction = (v.clone() - w_before * before - w.clone() * delta) / gamma;
            x = x + direction.clone() * (cosine * residual);
            residual *= sine;
            (w_before, w) = (w, direction);
            (v_before, beta, next) = (v, after, after);
        }
        let residual = norm(&(b.clone() - products.apply(x.clone())?));
        if ended == Ended::Converged && residual > 2.0 * self.tolerance * length {
            ended = Ended::Stagnated;
        }
        Ok(Solution { x, residual, products: products.done, ended, negative: None })
    }
}
