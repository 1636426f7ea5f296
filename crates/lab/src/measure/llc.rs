//! The local learning coefficient, from Markov chains around the point.

pub use losscape_analysis::learning_coefficient::{ChainSettings, Chains, LearningCoefficient};
use losscape_model::random::{Purpose, stream};

use super::kind::Measure;
use super::needs::Needs;
use crate::analysis::Section;

/// `learning_coefficient`: λ̂ with its error, and what its chains did.
pub const LLC: Section<LearningCoefficient> = Section::new("learning_coefficient");

/// See the [module](self).
pub const MEASURE: Measure = Measure {
    name: "llc",
    words: "local learning coefficient, by chains of thousands of gradients: made where it is named",
    needs: |_| Needs::NOTHING,
    on_request: true,
    parts: &[LLC.part(|bench, into| {
        let settings = bench.settings.chains;
        bench.begin("learning coefficient", settings.gradients());
        let random = |chain: usize| stream(bench.settings.seed, Purpose::Chain, chain as u64);
        let (objective, w) = (bench.objective(), bench.point.parameters());
        let found = LearningCoefficient::at(objective, w, &settings, random, |gradients| bench.done(gradients))?;
        into.put(LLC, &found)
    })],
    scalars: |analysis, put| {
        if let Some(found) = analysis.get(LLC) {
            put("learning_coefficient", found.value);
            put("learning_coefficient_error", found.error);
            put("learning_coefficient_rhat", found.chains.first().and_then(|chains| chains.rhat));
            put("learning_coefficient_effective", found.chains.first().map(|chains| chains.effective));
        }
    },
    tracking: None,
};
