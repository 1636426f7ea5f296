//! PL*: the gradient against the tangent kernel's smallest eigenvalue, and the ball of the convergence theorem.

use losscape_analysis::pl::{PlStar, applicable};

use super::{KernelPart, Measure, Needs, Section};

/// PL*.
pub const PL_STAR: Section<PlStar> = Section::new("pl_star");

/// See the [module](self).
pub const MEASURE: Measure = Measure {
    name: "pl",
    words: "PL*: gradient against the kernel's smallest eigenvalue, and the ball of the convergence theorem",
    // For cross-entropy PL* does not come from the kernel.
    needs: |loss| Needs { hessian: true, kernel: if applicable(loss) { KernelPart::Whole } else { KernelPart::None } },
    parts: &[PL_STAR.part(|bench, into| {
        let spectrum = bench.kernel()?.and_then(|(_, spectrum)| spectrum.as_ref());
        let beta = bench.sharpest()?.top[0];
        into.put(PL_STAR, &PlStar::at(&bench.point, spectrum, beta))
    })],
    scalars: |analysis, put| {
        let Some(pl) = analysis.get(PL_STAR) else { return };
        put("pl_ratio", pl.ratio);
        put("pl_mu", pl.mu);
        put("pl_radius", pl.radius);
    },
};
