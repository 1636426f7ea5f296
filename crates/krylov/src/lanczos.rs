//! The Lanczos process: an orthonormal basis V of the Krylov space of a start vector, in which the operator is
//! tridiagonal.
//!
//! ```text
//! β_{j+1} v_{j+1} = A v_j − α_j v_j − β_j v_{j−1},   α_j = v_jᵀ A v_j      (Golub & Van Loan 2013, Algorithm 10.1.1)
//! ```
//!
//! Every new vector is orthogonalized against all before it: without that, rounding brings back directions
//! that have converged, and eigenvalues appear in copies. The process ends when `β_{j+1}` is rounding: the
//! space is invariant then and its eigenvalues are eigenvalues of A.

use burn::tensor::Tensor;

use crate::basis::{Orthogonal, Products, Rows, norm};
use crate::dense::eigenpairs_of;
use crate::ended::Ended;
use crate::error::KrylovError;
use crate::operator::{Space, SymmetricOperator};

/// The tridiagonal matrix T after j steps, and the basis V in which A is T.
#[derive(Debug, Clone)]
pub struct Lanczos {
    /// Diagonal of the tridiagonal matrix T, `[j]`.
    pub diagonal: Vec<f64>,
    /// Its subdiagonal, `[j − 1]`.
    pub subdiagonal: Vec<f64>,
    /// Length `β_{j+1}` of what leads out of the space; rounding when it is invariant.
    pub remainder: f64,
    /// The basis V in rows, `[j, dim]`.
    pub basis: Tensor<2>,
    /// Products used: j.
    pub products: usize,
    /// [`Ended::InvariantSubspace`], or [`Ended::Budget`] after all steps.
    pub ended: Ended,
}

/// An eigenpair of T.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ritz {
    /// The Ritz value θ, an eigenvalue of T.
    pub value: f64,
    /// The square of its eigenvector's first entry: the share of the start vector in it.
    pub weight: f64,
    /// `‖A x − θ x‖ = β_{j+1} |s_j|` for the Ritz vector x; an eigenvalue of A lies so close to θ.
    pub residual: f64,
}

impl Lanczos {
    /// Eigenpairs of T in ascending order.
    ///
    /// # Errors
    ///
    /// [`KrylovError::Dense`] when the dense eigensolver does not converge.
    pub fn ritz(&self) -> Result<Vec<Ritz>, KrylovError> {
        let steps = self.diagonal.len();
        let mut matrix = vec![0.0; steps * steps];
        for (at, &value) in self.diagonal.iter().enumerate() {
            matrix[at * steps + at] = value;
        }
        for (at, &value) in self.subdiagonal.iter().enumerate() {
            matrix[at * steps + at + 1] = value;
            matrix[(at + 1) * steps + at] = value;
        }
        let (values, vectors) = eigenpairs_of(steps, &matrix)?;
        let pair = |(value, vector): (f64, Vec<f64>)| Ritz {
            value,
            weight: vector[0] * vector[0],
            residual: self.remainder * vector[steps - 1].abs(),
        };
        Ok(values.into_iter().zip(vectors).map(pair).collect())
    }
}

/// At most `steps` steps of the Lanczos process from `start`, which need not be normalized.
///
/// # Errors
///
/// When `start` is zero or has another length than the operator's vectors, `steps` is zero, or a product is not finite.
pub fn lanczos(
    operator: &(impl SymmetricOperator + ?Sized),
    start: &Tensor<1>,
    steps: usize,
) -> Result<Lanczos, KrylovError> {
    let space = operator.space();
    let length = checked(&space, start)?;
    if steps == 0 {
        return Err(KrylovError::Setting { name: "steps", value: 0.0, must: "at least one step" });
    }
    let mut products = Products { operator, done: 0 };
    let mut basis = Rows::new(space.clone());
    let (mut diagonal, mut subdiagonal): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    let mut next = start.clone() / length;
    let mut size = 0f64;
    loop {
        let product = products.apply(next.clone())?;
        basis.push(next);
        size = size.max(norm(&product));
        let Orthogonal { rest, length: remainder, along } = basis.orthogonalize(product);
        diagonal.push(along[diagonal.len()]);
        let invariant = remainder <= breakdown(&space, size);
        if invariant || diagonal.len() == steps.min(space.dim) {
            let ended = if invariant || diagonal.len() == space.dim { Ended::InvariantSubspace } else { Ended::Budget };
            let basis = basis.into_tensor();
            return Ok(Lanczos { diagonal, subdiagonal, remainder, basis, products: products.done, ended });
        }
        subdiagonal.push(remainder);
        next = rest / remainder;
    }
}

/// The length below which what is left of a vector of length `size` after orthogonalization is rounding.
///
/// There is no √n in it: a random vector meets a single eigenvector with a weight of 1/√n, and what such a meeting
/// leaves is no rounding.
pub(crate) fn breakdown(space: &Space, size: f64) -> f64 {
    10.0 * space.epsilon() * size
}

/// The norm of a start vector that can be used.
pub(crate) fn checked(space: &Space, start: &Tensor<1>) -> Result<f64, KrylovError> {
    let given = start.dims()[0];
    if given != space.dim {
        return Err(KrylovError::Dimension { given, dim: space.dim });
    }
    let length = norm(start);
    if length > 0.0 && length.is_finite() {
        Ok(length)
    } else {
        Err(KrylovError::Setting { name: "the start vector's norm", value: length, must: "positive and finite" })
    }
}
