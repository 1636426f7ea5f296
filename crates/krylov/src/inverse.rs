//! The inverse of an operator as an operator.

use burn::tensor::Tensor;

use crate::ended::Ended;
use crate::minres::MinRes;
use crate::operator::{Space, SymmetricOperator};

/// `A⁻¹`, each product of which solves `A x = v`: its largest eigenvalues are those of A that are nearest to zero.
///
/// With [`Shifted`](crate::Shifted), `(A − sI)⁻¹` has the eigenvalues next to s in front (shift and invert). Of a
/// singular A, vectors in its range have a product. A product that is not found to the solver's tolerance consists of
/// NaN, which every algorithm here reports ([`KrylovError::NotFinite`](crate::KrylovError::NotFinite)).
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use losscape_krylov::{Diagonal, Eigensolver, Inverse, MinRes};
/// use rand::{SeedableRng, rngs::ChaCha12Rng};
///
/// let operator = Diagonal(Tensor::from_data([4.0, 0.5, 8.0, 3.0], &Device::flex()));
/// let inverse = Inverse { operator, solver: MinRes::default() };
/// let found = Eigensolver::top(1).solve(&inverse, None, &mut ChaCha12Rng::seed_from_u64(0))?;
/// assert!((1.0 / found.top[0].value - 0.5).abs() < 1e-3);
/// # Ok::<(), losscape_krylov::KrylovError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Inverse<A> {
    /// A, which may be indefinite.
    pub operator: A,
    /// What solves `A x = v` for each product; where it does not converge, the product is NaN.
    pub solver: MinRes,
}

impl<A: SymmetricOperator> SymmetricOperator for Inverse<A> {
    fn space(&self) -> Space {
        self.operator.space()
    }

    fn apply(&self, v: Tensor<1>) -> Tensor<1> {
        match self.solver.solve(&self.operator, &v) {
            Ok(solution) if solution.ended == Ended::Converged => solution.x,
            _ => v.full_like(f64::NAN),
        }
    }
}
