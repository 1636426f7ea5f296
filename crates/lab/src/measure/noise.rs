//! Gradient noise: how far the gradients of single samples are from their mean, and how the mean lies to the sharpest
//! direction.

use burn::tensor::Tensor;
use losscape_analysis::covariance::GradientCovariance;
use losscape_analysis::{AnalysisError, Mode};
use losscape_krylov::trace::hutchinson;
use losscape_krylov::{Eigensolver, Eigenvalue, Estimate, inner, norm};
use rand::rngs::ChaCha12Rng;
use serde::{Deserialize, Serialize};

use super::along::Along;
use super::draw::{Draw, TrackedDraw};
use super::kind::{Measure, Tracking};
use super::needs::Needs;
use crate::analysis::Section;

/// What was found of the covariance C of the samples' gradients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GradientNoise {
    /// `tr C`, from ten products.
    pub trace: Estimate,
    /// `λ_max(C)`.
    pub largest: Eigenvalue,
    /// The simple noise scale `tr C/‖ḡ‖²`: the batch size from which on a batch's gradient is more mean than noise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// `(ḡᵀv)²/‖ḡ‖²` with the eigenvector v of λ_max(H).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alignment: Option<f64>,
}

/// `noise`: the covariance of the samples' gradients.
pub const NOISE: Section<GradientNoise> = Section::new("noise");

/// See the [module](self).
pub const MEASURE: Measure = Measure {
    name: "noise",
    words: "covariance of the samples' gradients, the noise scale, gradient against sharpest direction",
    needs: |_| Needs::HESSIAN,
    on_request: false,
    parts: &[NOISE.part(|bench, into| {
        if bench.objective().mode() == Mode::Batch {
            // Samples that see each other have no gradients of their own; the subject's notices say so.
            return Ok(());
        }
        let sharpest = bench.sharpest()?.vectors.clone().narrow(0, 0, 1).squeeze_dim::<1>(0);
        bench.begin("gradient noise", 30);
        let covariance = bench.point.covariance()?;
        let noise = of(&covariance, Some(&sharpest), None, &mut bench.random(Draw::Noise))?.0;
        into.put(NOISE, &noise)
    })],
    scalars: |analysis, put| {
        if let Some(noise) = analysis.get(NOISE) {
            numbers(&noise, put);
        }
    },
    tracking: Some(Tracking { of_part: false, kernel: false, before: 0, run: track }),
};

/// The noise, and the direction in which it is largest.
fn of(
    covariance: &GradientCovariance<'_>,
    sharpest: Option<&Tensor<1>>,
    start: Option<&Tensor<2>>,
    random: &mut ChaCha12Rng,
) -> Result<(GradientNoise, Tensor<2>), AnalysisError> {
    let mean = covariance.mean();
    let (trace, _) = hutchinson(covariance, 10, random)?;
    let solver = Eigensolver { max_products: 300, ..Eigensolver::top(1) }.with_tolerance(1e-3);
    let found = solver.solve(covariance, start, random)?;
    let square = norm(mean).powi(2);
    let scale = (square > 0.0).then(|| trace.mean / square);
    let alignment = sharpest.filter(|_| square > 0.0).map(|v| inner(mean, v).powi(2) / square);
    Ok((GradientNoise { trace, largest: found.top[0], scale, alignment }, found.vectors))
}

fn numbers(noise: &GradientNoise, put: &mut dyn FnMut(&str, Option<f64>)) {
    put("noise_trace", Some(noise.trace.mean));
    put("noise_trace_sem", noise.trace.sem);
    put("noise_max", Some(noise.largest.value));
    put("noise_scale", noise.scale);
    put("gradient_alignment", noise.alignment);
}

/// The same along training; the alignment where the sharpness is tracked, too, and is that of the Hessian.
fn track(along: &mut Along) -> Result<(), AnalysisError> {
    if along.point.mode() == Mode::Batch {
        return Ok(());
    }
    let sharpest = along.kept("sharpness").map(|vectors| vectors.narrow(0, 0, 1).squeeze_dim::<1>(0));
    let sharpest = sharpest.filter(|_| (along.preconditioner)().is_none());
    let start = along.kept("noise");
    let (noise, vectors) =
        of(&along.point.covariance()?, sharpest.as_ref(), start.as_ref(), &mut along.random(TrackedDraw::Noise))?;
    numbers(&noise, &mut |name, value| along.put(name, value));
    along.keep("noise", vectors);
    Ok(())
}
