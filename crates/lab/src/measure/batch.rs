//! Batch sharpness: the curvature that the gradients of the method's batches feel.

use losscape_analysis::AnalysisError;
use losscape_analysis::batch_sharpness::batch_sharpness;
use losscape_krylov::Estimate;
use serde::{Deserialize, Serialize};

use super::along::Along;
use super::draw::{Draw, TrackedDraw};
use super::kind::{Measure, Tracking};
use super::needs::Needs;
use crate::analysis::Section;

/// The batch sharpness, and of which batches.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BatchSharpness {
    /// Samples of a batch; all where it is not known how the network was trained.
    pub size: usize,
    /// `E_B[g_BᵀH_Bg_B/‖g_B‖²]`; exact where all samples are a batch.
    pub sharpness: Estimate,
}

/// `batch`: the batch sharpness.
pub const BATCH: Section<BatchSharpness> = Section::new("batch");

/// Batches drawn: of a trained network.
const BATCHES: usize = 64;

/// Batches drawn at a look along training.
const TRACKED: usize = 16;

/// See the [module](self).
pub const MEASURE: Measure = Measure {
    name: "batch",
    words: "batch sharpness: the curvature that the gradients of batches feel",
    needs: |_| Needs::HESSIAN,
    on_request: false,
    parts: &[BATCH.part(|bench, into| {
        let samples = bench.objective().samples();
        let size = bench.subject.batch_size.unwrap_or(samples).min(samples);
        bench.begin("batch sharpness", 0);
        match batch_sharpness(&bench.point, size, BATCHES, &mut bench.random(Draw::Batch))? {
            Some(sharpness) => into.put(BATCH, &BatchSharpness { size, sharpness }),
            None => Ok(()),
        }
    })],
    scalars: |analysis, put| {
        if let Some(found) = analysis.get(BATCH) {
            put("batch_sharpness", Some(found.sharpness.mean));
            put("batch_sharpness_sem", found.sharpness.sem);
        }
    },
    tracking: Some(Tracking { of_part: false, kernel: false, before: 0, run: track }),
};

/// The same along training, of the batches that it takes.
fn track(along: &mut Along) -> Result<(), AnalysisError> {
    let mut random = along.random(TrackedDraw::Batch);
    let found = along.point.batch_sharpness(along.batch_size, TRACKED, &mut random)?;
    along.put("batch_sharpness", found.map(|found| found.mean));
    along.put("batch_sharpness_sem", found.and_then(|found| found.sem));
    Ok(())
}
