//! Sharpness: how much the loss can rise nearby, worst-case, average and adaptive, Keskar's box, and the PAC-Bayes σ.

use losscape_analysis::sharpness::SharpnessSettings;
pub use losscape_analysis::sharpness::{Neighbourhood, Sharpness};
use losscape_krylov::Estimate;

use super::{Measure, Needs, Section};
use crate::Analysis;

/// Sharpness.
pub const SHARPNESS: Section<Sharpness> = Section::new("sharpness");

/// See the [module](self).
pub const MEASURE: Measure = Measure {
    name: "sharpness",
    words: "worst-case, average and adaptive sharpness, Keskar's box, PAC-Bayes sigma",
    needs: |_| Needs::NOTHING,
    parts: &[SHARPNESS.part(|bench, into| {
        bench.begin("sharpness", 0);
        let found = Sharpness::at(&bench.point, &SharpnessSettings::default(), &mut bench.random(6))?;
        into.put(SHARPNESS, &found)
    })],
    scalars,
};

fn scalars(analysis: &Analysis, put: &mut dyn FnMut(&str, Option<f64>)) {
    let Some(sharpness) = analysis.get(SHARPNESS) else { return };
    for worst in &sharpness.worst {
        match worst.neighbourhood {
            Neighbourhood::Ball { radius } => put(&format!("worst_case_{radius}"), worst.rise),
            Neighbourhood::AdaptiveBall { radius } => put(&format!("adaptive_worst_case_{radius}"), worst.rise),
            Neighbourhood::Box { size } => put(&format!("keskar_{size}"), worst.keskar),
        }
    }
    let mean = |rise: &Option<Estimate>| rise.as_ref().map(|rise| rise.mean);
    put(&format!("average_{}", sharpness.average.sigma), mean(&sharpness.average.rise));
    put(&format!("adaptive_average_{}", sharpness.adaptive_average.sigma), mean(&sharpness.adaptive_average.rise));
    put("pac_bayes_sigma", sharpness.pac_bayes_sigma);
    put("adaptive_pac_bayes_sigma", sharpness.adaptive_pac_bayes_sigma);
}
