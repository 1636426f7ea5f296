//! Matrices small enough to be written down: an operator as a matrix, all eigenvalues of a matrix, and an orthonormal
//! basis of its columns, in f64 on the host.
//!
//! faer divides a decomposition into as many parts as it is told, and results depend on how many: here that is a
//! function of the matrix alone, so that results do not depend on the number of threads.

use burn::tensor::{Tensor, TensorData};
use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::householder::{
    apply_block_householder_sequence_on_the_left_in_place_scratch,
    apply_block_householder_sequence_on_the_left_in_place_with_conj,
};
use faer::linalg::qr::no_pivoting::factor::{qr_in_place, qr_in_place_scratch, recommended_block_size};
use faer::{Conj, Mat, MatMut, MatRef, Par, Spec};

use crate::basis::host;
use crate::error::KrylovError;
use crate::operator::SymmetricOperator;

/// Rows of the identity that are multiplied at a time.
const BLOCK: usize = 64;

/// Rows from which a decomposition is divided, and into how many parts.
const DIVIDED: usize = 512;
const PARTS: usize = 8;

/// The operator as a matrix `[dim, dim]`: its products with the rows of the identity.
#[must_use]
pub fn materialize(operator: &(impl SymmetricOperator + ?Sized)) -> Tensor<2> {
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

/// All eigenvalues of a symmetric matrix in ascending order; its lower triangle is read. Memory: two copies of the
/// matrix in f64.
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
    decompose(dim, values, None)
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

/// [`eigenpairs`] of a matrix of host values, row by row.
///
/// # Errors
///
/// [`KrylovError::Dense`] when the iteration does not converge.
pub fn eigenpairs_of(dim: usize, values: &[f64]) -> Result<(Vec<f64>, Vec<Vec<f64>>), KrylovError> {
    let mut vectors = Mat::zeros(dim, dim);
    let values = decompose(dim, values, Some(vectors.as_mut()))?;
    Ok((values, vectors.col_iter().map(|column| column.iter().copied().collect()).collect()))
}

/// The Q of a square matrix's QR decomposition, by Householder reflections: orthogonal to rounding, also where columns
/// depend on each other. In the type and on the device of the matrix.
///
/// # Errors
///
/// [`KrylovError::NotFinite`] when an entry is not.
pub fn orthonormal(matrix: Tensor<2>) -> Result<Tensor<2>, KrylovError> {
    let [dim, _] = matrix.dims();
    let place = (&matrix.device(), matrix.dtype());
    let values = finite(host(matrix))?;
    let mut factors = MatRef::from_row_major_slice(&values, dim, dim).to_owned();
    let block = recommended_block_size::<f64>(dim, dim);
    let parallel = parts(dim);
    let mut coefficients = Mat::zeros(block, dim);
    let mut memory = MemBuffer::new(qr_in_place_scratch::<f64>(dim, dim, block, parallel, Spec::default()));
    let stack = MemStack::new(&mut memory);
    qr_in_place(factors.as_mut(), coefficients.as_mut(), parallel, stack, Spec::default());
    let scratch = apply_block_householder_sequence_on_the_left_in_place_scratch::<f64>(dim, block, dim);
    let mut basis = Mat::identity(dim, dim);
    apply_block_householder_sequence_on_the_left_in_place_with_conj(
        factors.as_ref(),
        coefficients.as_ref(),
        Conj::No,
        basis.as_mut(),
        parallel,
        MemStack::new(&mut MemBuffer::new(scratch)),
    );
    let rows: Vec<f64> = basis.row_iter().flat_map(|row| row.iter().copied().collect::<Vec<_>>()).collect();
    Ok(Tensor::from_data(TensorData::new(rows, [dim, dim]).convert_dtype(place.1), place))
}

/// How a decomposition is divided.
fn parts(dim: usize) -> Par {
    if dim < DIVIDED { Par::Seq } else { Par::rayon(PARTS) }
}

/// Eigenvalues in ascending order, and eigenvectors into the columns of `vectors`.
fn decompose(dim: usize, values: &[f64], vectors: Option<MatMut<f64>>) -> Result<Vec<f64>, KrylovError> {
    if dim == 0 {
        return Ok(Vec::new());
    }
    let parallel = parts(dim);
    let wanted = if vectors.is_some() { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No };
    let scratch = self_adjoint_evd_scratch::<f64>(dim, wanted, parallel, Spec::default());
    let mut memory = MemBuffer::new(scratch);
    let mut found = Diag::zeros(dim);
    let matrix = MatRef::from_row_major_slice(values, dim, dim);
    self_adjoint_evd(matrix, found.as_mut(), vectors, parallel, MemStack::new(&mut memory), Spec::default())
        .map_err(|_| KrylovError::Dense { dim })?;
    Ok(found.column_vector().iter().copied().collect())
}

fn finite(values: Vec<f64>) -> Result<Vec<f64>, KrylovError> {
    if values.iter().all(|value| value.is_finite()) { Ok(values) } else { Err(KrylovError::NotFinite { product: 1 }) }
}
