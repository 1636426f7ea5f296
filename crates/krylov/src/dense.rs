//! Matrices small enough to be written down: an operator as a matrix, and all eigenvalues of a matrix, in f64 on the host.

use burn::tensor::Tensor;
use faer::{MatRef, Side};

use crate::KrylovError;
use crate::basis::host;
use crate::operator::SymmetricOperator;

/// Rows of the identity that are multiplied at a time.
const BLOCK: usize = 64;

/// The operator as a matrix `[dim, dim]`: its products with the rows of the identity.
#[must_use]
pub fn materialize(operator: &impl SymmetricOperator) -> Tensor<2> {
    let space = operator.space();
    let blocks = (0..space.dim).step_by(BLOCK).map(|start| {
        let rows = BLOCK.min(space.dim - start);
        let mut identity = vec![0.0; rows * space.dim];
        for row in 0..rows {
            identity[row * space.dim + start + row] = 1.0;
        }
        operator.apply_block(space.block(identity))
    });
    Tensor::cat(blocks.collect(), 0)
}

/// All eigenvalues of a symmetric matrix in ascending order; its lower triangle is read. Memory: two copies of the matrix in f64.
///
/// # Errors
///
/// [`KrylovError::NotFinite`] when an entry is not, [`KrylovError::Dense`] when the iteration does not converge.
pub fn eigenvalues(matrix: Tensor<2>) -> Result<Vec<f64>, KrylovError> {
    let dim = matrix.dims()[0];
    eigenvalues_of(dim, &finite(host(matrix))?)
}

/// [`eigenvalues`] of host values, row by row.
pub(crate) fn eigenvalues_of(dim: usize, values: &[f64]) -> Result<Vec<f64>, KrylovError> {
    let matrix = MatRef::from_row_major_slice(values, dim, dim);
    matrix.self_adjoint_eigenvalues(Side::Lower).map_err(|_| KrylovError::Dense { dim })
}

/// Eigenvalues of a symmetric matrix in ascending order, and its eigenvectors, one after the other.
///
/// # Errors
///
/// As [`eigenvalues`].
pub fn eigenpairs(matrix: Tensor<2>) -> Result<(Vec<f64>, Vec<Vec<f64>>), KrylovError> {
    let dim = matrix.dims()[0];
    eigenpairs_of(dim, &finite(host(matrix))?)
}

/// [`eigenpairs`] of host values, row by row.
pub(crate) fn eigenpairs_of(dim: usize, values: &[f64]) -> Result<(Vec<f64>, Vec<Vec<f64>>), KrylovError> {
    let decomposition = MatRef::from_row_major_slice(values, dim, dim)
        .self_adjoint_eigen(Side::Lower)
        .map_err(|_| KrylovError::Dense { dim })?;
    let values = decomposition.S().column_vector().iter().copied().collect();
    let vectors = decomposition.U();
    Ok((values, (0..dim).map(|column| vectors.col(column).iter().copied().collect()).collect()))
}

fn finite(values: Vec<f64>) -> Result<Vec<f64>, KrylovError> {
    if values.iter().all(|value| value.is_finite()) { Ok(values) } else { Err(KrylovError::NotFinite { product: 1 }) }
}
