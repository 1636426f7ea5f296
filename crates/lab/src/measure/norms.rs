//! Norms of the parameters: length, distance travelled, Fisher-Rao, products of spectral and Frobenius norms.

use losscape_analysis::norms::Norms;

use super::kind::Measure;
use super::needs::Needs;
use crate::analysis::Section;

/// `norms`: of the parameters, and of the weight matrices.
pub const NORMS: Section<Norms> = Section::new("norms");

/// See the [module](self).
pub const MEASURE: Measure = Measure {
    name: "norms",
    words: "norms of the parameters: length, distance travelled, Fisher-Rao, spectral",
    needs: |_| Needs::NOTHING,
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
    tracking: None,
};
