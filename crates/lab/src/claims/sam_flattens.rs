//! What SAM does to the minima that SGD finds.

use losscape_optim::SamConfig;
use rayon::prelude::*;

use super::problem::gradient_descent;
use super::{Claim, ClaimSettings, Effect, Evidence, Expectation, Family, Plot, Series};
use crate::LabError;

pub const CLAIM: Claim = Claim {
    id: "sam-flattens",
    family: Family::Flatness,
    printed: r"the largest eigenvalue, added to the loss, gives SAM",
    exact: r"SAM minimizes $\max_{\|e\|\le\rho}L(w+e)$ by a first-order ascent and never sees an eigenvalue; at equal training loss $\lambda_{\max}(H)$ is lower than after SGD",
    source: "lecture notes, Basin Sizes; Foret et al. 2021",
    expected: Expectation::Supported,
    measure,
};

fn measure(settings: &ClaimSettings) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let seeds = settings.effort.of(3, 8);
    let methods = [
        ("SGD", None),
        ("SAM, ρ = 0.05", Some(SamConfig::new(0.05))),
        ("SAM, ρ = 0.1", Some(SamConfig::new(0.1))),
        ("ASAM, ρ = 0.5", Some(SamConfig::adaptive(0.5))),
    ];
    let jobs: Vec<(u64, usize)> = (0..seeds).flat_map(|seed| (0..methods.len()).map(move |at| (seed, at))).collect();
    let runs = jobs.into_par_iter().map(|(seed, at)| -> Result<Option<[f64; 2]>, LabError> {
        let own = settings.seed_of(seed);
        let data = settings.digits_split(usize::MAX, own)?;
        let mut optimizer = gradient_descent(0.1);
        optimizer.sam = methods[at].1;
        let Some(found) = settings.minimum(&data, &optimizer, 32, 0.02, 40_000, own)? else { return Ok(None) };
        let sharpest = found.sharpest(&found.objective.here()?, own)?;
        Ok(Some([sharpest.largest, sharpest.largest / sharpest.fifth]))
    });
    let runs: Vec<Option<[f64; 2]>> = runs.collect::<Result<_, _>>()?;
    let of = |at: usize| {
        runs.iter().skip(at).step_by(methods.len()).map(|run| run.map_or(f64::NAN, |run| run[0])).collect::<Vec<_>>()
    };
    let plain = of(0);
    let mut series = Vec::new();
    for (at, (name, sam)) in methods.iter().enumerate() {
        let sharpness = of(at);
        if sam.is_some() {
            let ratios = sharpness.iter().zip(&plain).map(|(with, without)| -(with / without).ln());
            evidence.effect(Effect::above(format!("{name}: −log of λ_max over that of SGD"), 0.0, ratios));
        }
        evidence.figure(format!("mean λ_max, {name}"), sharpness.iter().sum::<f64>() / sharpness.len() as f64);
        series
            .push(Series::measured(*name, sharpness.into_iter().enumerate().map(|(seed, value)| (seed as f64, value))));
    }
    evidence.plot(Plot {
        title: "Sharpness at equal training loss".to_owned(),
        reading: "Tanh 64-64-64-10 on digits, learning rate 0.1, batches of 32, cross-entropy to 0.02; one point for each seed.".to_owned(),
        x: "seed".to_owned(),
        y: "λ_max(H)".to_owned(),
        log_x: false,
        log_y: true,
        series,
    });
    Ok(evidence)
}
