//! PL*: the gradient against the tangent kernel's smallest eigenvalue, and the ball of the convergence theorem.

use losscape_analysis::AnalysisError;
use losscape_analysis::pl::{PlStar, applicable};
use losscape_krylov::norm;

use super::along::Along;
use super::bench::Kernel;
use super::kind::{Measure, Tracking};
use super::needs::{KernelPart, Needs};
use super::ntk;
use crate::analysis::Section;

/// `pl_star`: the constant that the point shows, and what the kernel proves.
pub const PL_STAR: Section<PlStar> = Section::new("pl_star");

/// See the [module](self).
pub const MEASURE: Measure = Measure {
    name: "pl",
    words: "PL*: gradient against the kernel's smallest eigenvalue, and the ball of the convergence theorem",
    // For cross-entropy PL* does not come from the kernel.
    needs: |loss| Needs {
        kernel: if applicable(loss) { KernelPart::Whole } else { KernelPart::None },
        ..Needs::HESSIAN
    },
    on_request: false,
    parts: &[PL_STAR.part(|bench, into| {
        let spectrum = bench.kernel()?.and_then(Kernel::spectrum);
        let beta = bench.sharpest()?.top[0];
        into.put(PL_STAR, &PlStar::at(&bench.point, spectrum, beta))
    })],
    scalars: |analysis, put| {
        let Some(pl) = analysis.get(PL_STAR) else { return };
        put("pl_ratio", pl.ratio);
        put("pl_mu", pl.mu);
        put("pl_radius", pl.radius);
    },
    tracking: Some(Tracking { of_part: true, kernel: false, before: 0, run: track }),
};

/// The ratio `‖g‖²/(2L)`, and μ, which bounds it from below, where the kernel is measured with it.
fn track(along: &mut Along) -> Result<(), AnalysisError> {
    if along.tracks(ntk::MEASURE.name) && applicable(along.part.loss()) {
        let mu = along.kernel()?.0.trusted_min();
        along.put("pl_mu", (mu > 0.0).then_some(mu));
    }
    let (loss, gradient) = along.part.gradient(along.w)?;
    along.put("pl_ratio", (loss > 0.0).then(|| norm(&gradient).powi(2) / (2.0 * loss)));
    Ok(())
}
