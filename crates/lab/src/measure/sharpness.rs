//! Sharpness: how much the loss can rise nearby, worst-case, average and adaptive, Keskar's box, and the PAC-Bayes σ;
//! along training the sharpness λ_max that decides about the method's steps, against its edge of stability.
//!
//! λ_max of a trained network is in the sections of [`hessian`](super::hessian) and [`bounds`](super::bounds).

use losscape_analysis::AnalysisError;
use losscape_analysis::hessian::preconditioned;
use losscape_analysis::sharpness::SharpnessSettings;
pub use losscape_analysis::sharpness::{Neighbourhood, Sharpness};
use losscape_krylov::{Eigensolver, Estimate, SymmetricOperator};
use losscape_optim::edge::{self, Curvature};

use super::along::Along;
use super::draw::{Draw, TrackedDraw};
use super::kind::{Measure, Tracking};
use super::needs::Needs;
use crate::analysis::{Analysis, Section};

/// `sharpness`: worst cases, averages, and the σ of a given rise.
pub const SHARPNESS: Section<Sharpness> = Section::new("sharpness");

/// See the [module](self).
pub const MEASURE: Measure = Measure {
    name: "sharpness",
    words: "worst-case, average and adaptive sharpness, Keskar's box, PAC-Bayes sigma",
    needs: |_| Needs::NOTHING,
    on_request: false,
    parts: &[SHARPNESS.part(|bench, into| {
        bench.begin("sharpness", 0);
        let found = Sharpness::at(&bench.point, &SharpnessSettings::default(), &mut bench.random(Draw::Sharpness))?;
        into.put(SHARPNESS, &found)
    })],
    scalars,
    tracking: Some(Tracking { of_part: false, kernel: false, before: 0, run: track }),
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

/// The largest eigenvalue of the Hessian, or of the preconditioned one for methods that see that (none before their
/// first step); and the edge.
fn track(along: &mut Along) -> Result<(), AnalysisError> {
    // Eigenvalues cross: one that overtakes the last is seen by the probe alone.
    let count = along.top.min(along.w.dims()[0]);
    let max_products = 250 + 50 * count;
    let solver = Eigensolver { probes: 12, max_products, ..Eigensolver::top(count) }.with_tolerance(1e-3);
    let (mut random, start) = (along.random(TrackedDraw::Sharpness), along.kept("sharpness"));
    let mut solve = |operator: &dyn SymmetricOperator| solver.solve(operator, start.as_ref(), &mut random);
    let pairs = match edge::seen_by(along.optimizer) {
        Curvature::Hessian => solve(&along.point.hessian())?,
        Curvature::Preconditioned if along.step == 0 => return Ok(()),
        Curvature::Preconditioned => {
            let Some(diagonal) = (along.preconditioner)() else { return Ok(()) };
            solve(&preconditioned(along.point.hessian(), diagonal, along.optimizer.weight_decay))?
        }
    };
    let edge = along.rate.and_then(|rate| edge::edge(along.optimizer, rate, along.point.gradient_norm()));
    along.put("sharpness", Some(pairs.top[0].value));
    along.put("sharpness_error", Some(pairs.top[0].error_bound));
    for (at, pair) in pairs.top.iter().enumerate().skip(1) {
        along.put(&format!("sharpness_{}", at + 1), Some(pair.value));
        along.put(&format!("sharpness_{}_error", at + 1), Some(pair.error_bound));
    }
    along.put("edge", edge.map(|edge| edge.value));
    along.keep("sharpness", pairs.vectors);
    Ok(())
}
