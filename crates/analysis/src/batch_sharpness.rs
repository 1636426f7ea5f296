//! Batch sharpness: the curvature that the gradients of batches feel (Andreyev & Beneventano 2024):
//! `E_B[g_BᵀH_Bg_B/‖g_B‖²]`, with loss, gradient and Hessian of the same batch B.
//!
//! With all samples in a batch it is `gᵀHg/‖g‖²`, at most λ_max(H). Under SGD it is this that comes to `2/ε`.

use losscape_krylov::{Estimate, SymmetricOperator, inner};
use losscape_model::Network;
use rand::Rng;
use rand::seq::index::sample;

use crate::error::AnalysisError;
use crate::objective::Point;

/// The batch sharpness over so many batches, each of `size` samples drawn without replacement; exact where all samples
/// are a batch. A batch whose gradient is zero has none and is left out; `None` where all are.
///
/// Each batch takes a gradient and a Hessian product of `size` samples. In batch mode the statistics are those of the
/// batch, as in training.
///
/// # Errors
///
/// When samples see each other in evaluation mode.
///
/// # Panics
///
/// When a batch has no samples.
pub fn batch_sharpness<N: Network>(
    point: &Point<'_, N>,
    size: usize,
    batches: usize,
    random: &mut impl Rng,
) -> Result<Option<Estimate>, AnalysisError> {
    assert!(size > 0, "a batch has at least one sample");
    let objective = point.objective();
    let ratio = |point: &Point<'_, N>| {
        let g = point.gradient();
        let square = inner(g, g);
        (square > 0.0).then(|| inner(g, &point.hessian().apply(g.clone())) / square)
    };
    if size >= objective.samples() {
        return Ok(ratio(point).map(|value| Estimate::exact(value, 1)));
    }
    let mut ratios = Vec::new();
    for _ in 0..batches {
        let rows = sample(random, objective.samples(), size).into_vec();
        let batch = objective.of_rows(&rows);
        match batch.at(point.parameters()) {
            Ok(at) => ratios.extend(ratio(&at)),
            Err(AnalysisError::NotFinite { .. }) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok((!ratios.is_empty()).then(|| Estimate::of(&ratios, batches)))
}
