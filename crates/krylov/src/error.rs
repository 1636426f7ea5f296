//! What cannot be done with an operator.

/// What an algorithm cannot work with.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KrylovError {
    /// A product has entries that are NaN or infinite.
    #[error("product {product} with the operator is not finite")]
    NotFinite {
        /// Which product, counted from 1.
        product: usize,
    },
    /// More eigenpairs than the operator has.
    #[error("{asked} eigenvalues were asked for, but the operator has dimension {dim}")]
    TooMany {
        /// Eigenpairs asked for, both ends together.
        asked: usize,
        /// Dimension of the operator.
        dim: usize,
    },
    /// A vector has not the operator's dimension.
    #[error("a vector of {given} entries for an operator of dimension {dim}")]
    Dimension {
        /// Length of the vector.
        given: usize,
        /// Dimension of the operator.
        dim: usize,
    },
    /// A setting outside its range.
    #[error("{name} = {value} is not possible: {must}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        must: &'static str,
    },
    /// The dense eigensolver did not converge.
    #[error("the dense eigensolver did not converge on a matrix of dimension {dim}")]
    Dense {
        /// Dimension of the matrix.
        dim: usize,
    },
}
