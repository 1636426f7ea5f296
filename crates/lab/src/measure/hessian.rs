//! Spectra of the Hessian `H = G + R`, of the Gauss-Newton matrix G, of the residual part R and of the empirical Fisher
//! matrix: both ends, trace, Frobenius norm, density.

pub use losscape_analysis::spectrum::Spectrum;
use losscape_analysis::spectrum::SpectrumSettings;
use losscape_analysis::{AnalysisError, Mode};
use losscape_krylov::trace::hutchinson;
pub use losscape_krylov::{Eigenvalue, Ended, Estimate};

use super::along::Along;
use super::bench::{Bench, spectrum_settings};
use super::draw::{Draw, TrackedDraw};
use super::kind::{Measure, Tracking};
use super::needs::Needs;
use crate::analysis::{Analysis, Section};

/// `hessian`: the spectrum of `H = G + R`.
pub const HESSIAN: Section<Spectrum> = Section::new("hessian");
/// `gauss_newton`: the spectrum of G.
pub const GAUSS_NEWTON: Section<Spectrum> = Section::new("gauss_newton");
/// `residual`: the spectrum of R.
pub const RESIDUAL: Section<Spectrum> = Section::new("residual");
/// The largest eigenvalues and the trace of the empirical Fisher matrix.
pub const FISHER: Section<Spectrum> = Section::new("fisher");

/// See the [module](self).
pub const MEASURE: Measure = Measure {
    name: "hessian",
    words: "both ends, trace, norm and density of Hessian, Gauss-Newton matrix and residual part",
    needs: |_| Needs::HESSIAN,
    on_request: false,
    parts: &[
        HESSIAN.part(|bench, into| {
            let spectrum = bench.spectrum("Hessian", &bench.point.hessian(), &both_ends(bench), (Draw::Hessian, 0))?;
            into.put(HESSIAN, &spectrum)
        }),
        GAUSS_NEWTON.part(|bench, into| {
            let spectrum = bench.spectrum(
                "Gauss-Newton matrix",
                &bench.point.gauss_newton(),
                &both_ends(bench),
                (Draw::GaussNewton, 0),
            )?;
            into.put(GAUSS_NEWTON, &spectrum)
        }),
        RESIDUAL.part(|bench, into| {
            let spectrum =
                bench.spectrum("residual part", &bench.point.residual(), &both_ends(bench), (Draw::Residual, 0))?;
            into.put(RESIDUAL, &spectrum)
        }),
        FISHER.part(|bench, into| {
            if bench.objective().mode() == Mode::Batch {
                // The subject's notices say so.
                return Ok(());
            }
            let settings = SpectrumSettings { bottom: 0, density: None, ..both_ends(bench) };
            let fisher = bench.point.fisher()?;
            let spectrum = bench.spectrum("empirical Fisher matrix", &fisher, &settings, (Draw::Fisher, 0))?;
            into.put(FISHER, &spectrum)
        }),
    ],
    scalars,
    tracking: Some(Tracking { of_part: false, kernel: false, before: 0, run: track }),
};

fn both_ends(bench: &Bench) -> SpectrumSettings {
    spectrum_settings(bench.settings, bench.point.space().dim)
}

fn scalars(analysis: &Analysis, put: &mut dyn FnMut(&str, Option<f64>)) {
    for section in [HESSIAN, GAUSS_NEWTON, RESIDUAL, FISHER] {
        let Some(spectrum) = analysis.get(section) else { continue };
        let name = section.name;
        put(&format!("{name}_max"), spectrum.top.first().map(|pair| pair.value));
        put(&format!("{name}_min"), spectrum.bottom.first().map(|pair| pair.value));
        for (quantity, estimate) in [("trace", &spectrum.trace), ("frobenius", &spectrum.frobenius)] {
            put(&format!("{name}_{quantity}"), estimate.as_ref().map(|estimate| estimate.mean));
            let sem = estimate.as_ref().and_then(|estimate: &Estimate| estimate.sem);
            put(&format!("{name}_{quantity}_sem"), sem);
        }
        put(&format!("{name}_outliers"), spectrum.outliers.map(|count| count as f64));
    }
}

/// The trace, from ten products.
fn track(along: &mut Along) -> Result<(), AnalysisError> {
    let (trace, _) = hutchinson(&along.point.hessian(), 10, &mut along.random(TrackedDraw::Trace))?;
    along.put("hessian_trace", Some(trace.mean));
    along.put("hessian_trace_sem", trace.sem);
    Ok(())
}
