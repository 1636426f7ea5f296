//! Norms of the parameters that studies of generalization compare (Jiang et al. 2020, Appendix C).
//!
//! Path norms are not among them: they need to know which layer follows which, and no layer's mathematics stands in
//! this crate.

use burn::tensor::Tensor;
use losscape_krylov::{SymmetricOperator, dense, inner, norm};
use losscape_model::Network;
use serde::{Deserialize, Serialize};

use crate::error::AnalysisError;
use crate::objective::Point;

/// Norms of the parameters w at a point, and of its weight matrices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Norms {
    /// `‖w‖₂` over all P parameters.
    pub l2: f64,
    /// `‖w − w₀‖`, when the initial parameters are known.
    pub distance: Option<f64>,
    /// The Fisher-Rao norm squared `wᵀ G w` (Liang et al. 2019). For these losses G is the Fisher matrix times n c:
    /// that matrix itself for a mean over samples, n times it for a sum.
    pub fisher_rao: f64,
    /// Product of the spectral norms of the weight matrices; matrices are the parameters of two axes.
    pub spectral_product: f64,
    /// Product of their Frobenius norms.
    pub frobenius_product: f64,
}

impl Norms {
    /// The norms at a point, and the distance from `initial` parameters.
    ///
    /// # Errors
    ///
    /// When a weight is not finite.
    pub fn at<N>(point: &Point<'_, N>, initial: Option<&Tensor<1>>) -> Result<Self, AnalysisError>
    where
        N: Network,
    {
        let w = point.parameters();
        let (mut spectral_product, mut frobenius_product) = (1.0, 1.0);
        for segment in point.objective().segments() {
            let [rows, columns] = segment.shape[..] else { continue };
            let matrix: Tensor<2> =
                w.clone().narrow(0, segment.range.start, segment.range.len()).reshape([rows, columns]);
            // The smaller of the two Gram matrices has the same largest eigenvalue.
            let matrix = if rows <= columns { matrix } else { matrix.transpose() };
            let gram = dense::eigenvalues(matrix.clone().matmul(matrix.transpose()))?;
            spectral_product *= gram.last().map_or(0.0, |largest| largest.max(0.0).sqrt());
            frobenius_product *= gram.iter().sum::<f64>().max(0.0).sqrt();
        }
        Ok(Self {
            l2: norm(w),
            distance: initial.map(|initial| norm(&(w.clone() - initial.clone()))),
            fisher_rao: inner(w, &point.gauss_newton().apply(w.clone())),
            spectral_product,
            frobenius_product,
        })
    }
}
