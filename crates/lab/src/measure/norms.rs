//! Norms of the parameters: length, distance travelled, Fisher-Rao, products of spectral and Frobenius norms; along
//! training how long a step is, and whether it goes on as the one before or back.

use losscape_analysis::AnalysisError;
use losscape_analysis::norms::Norms;
use losscape_krylov::{inner, norm};

use super::along::Along;
use super::kind::{Measure, Tracking};
use super::needs::Needs;
use crate::analysis::Section;

/// `norms`: of the parameters, and of the weight matrices.
pub const NORMS: Section<Norms> = Section::new("norms");

/// See the [module](self).
pub const MEASURE: Measure = Measure {
    name: "norms",
    words: "norms of the parameters: length, distance travelled, Fisher-Rao, spectral",
    needs: |_| Needs::NOTHING,
    on_request: false,
    parts: &[NORMS.part(|bench, into| {
        bench.begin("norms", 0);
        into.put(NORMS, &Norms::at(&bench.point, bench.initial().as_ref())?)
    })],
    scalars: |analysis, put| {
        let Some(norms) = analysis.get(NORMS) else { return };
        put("parameter_norm", Some(norms.l2));
        put("distance", norms.distance);
        put("fisher_rao", Some(norms.fisher_rao));
        put("spectral_product", Some(norms.spectral_product));
        put("frobenius_product", Some(norms.frobenius_product));
    },
    tracking: Some(Tracking { of_part: false, kernel: false, before: 2, run: track }),
};

/// Length and distance; of the last two steps, where the weights before them are known, which a checkpoint forgets, the
/// length of the last one and its cosine with the one before.
fn track(along: &mut Along) -> Result<(), AnalysisError> {
    let w = along.w.clone();
    along.put("parameter_norm", Some(norm(&w)));
    along.put("distance", Some(norm(&(w.clone() - along.initial.clone()))));
    let [.., before] = along.before else { return Ok(()) };
    let last = w - before.clone();
    let length = norm(&last);
    let cosine = match along.before {
        [first, second] => {
            let previous = second.clone() - first.clone();
            let lengths = length * norm(&previous);
            (lengths > 0.0).then(|| inner(&last, &previous) / lengths)
        }
        _ => None,
    };
    along.put("step_length", Some(length));
    along.put("step_cosine", cosine);
    Ok(())
}
