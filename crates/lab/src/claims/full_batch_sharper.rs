//! Full batches end in sharper basins than small ones.

use losscape_analysis::sharpness::{Neighbourhood, worst_case};
use rayon::prelude::*;

use super::problem::{draws, gradient_descent};
use super::{Claim, ClaimSettings, Effect, Evidence, Expectation, Family, Plot, Series};
use crate::LabError;

pub const CLAIM: Claim = Claim {
    id: "full-batch-sharper",
    family: Family::Flatness,
    printed: r"full batch descent prefers small widths (sharp basins); smaller batches prefer wider ones",
    exact: r"at equal learning rate and equal, small training loss, $\lambda_{\max}(H)$ and Keskar's $100\frac{\max_{\mathrm{box}}L-L}{1+L}$, box $|z_i|\le\epsilon(|w_i|+1)$, are larger after full-batch than after small-batch training",
    source: "lecture notes, Basin Sizes; Keskar et al. 2017",
    expected: Expectation::Supported,
    measure,
};

/// What a run came to: λ_max(H), Keskar's sharpness for both boxes, and the share of the rise in the smaller box that is slope, not curvature.
type Measures = [f64; 4];

/// To a loss of 0.001, and for comparison to 0.02, where most of the rise in the box is slope and small batches leave the larger one.
fn measure(settings: &ClaimSettings) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let early = pairs(settings, 0.02)?;
    let pairs = pairs(settings, 0.001)?;
    for (at, name) in
        ["λ_max(H)", "Keskar's sharpness, ε = 1e-3", "Keskar's sharpness, ε = 5e-4"].into_iter().enumerate()
    {
        let ratios = pairs.iter().map(|[small, full]| (full[at] / small[at]).ln());
        evidence.effect(Effect::above(format!("log of {name}, full over small batch"), 0.0, ratios));
    }
    let mean = |pick: &dyn Fn(&[Measures; 2]) -> f64| pairs.iter().map(pick).sum::<f64>() / pairs.len() as f64;
    let before = |pick: &dyn Fn(&[Measures; 2]) -> f64| early.iter().map(pick).sum::<f64>() / early.len() as f64;
    evidence.figure("mean λ_max, full batch", mean(&|pair| pair[1][0]));
    evidence.figure("mean λ_max, batches of 8", mean(&|pair| pair[0][0]));
    evidence.figure("share of the box's rise that is the slope's, full batch, ε = 5e-4", mean(&|pair| pair[1][3]));
    evidence.figure("the same, batches of 8", mean(&|pair| pair[0][3]));
    evidence.figure(
        "at a loss of 0.02: mean log of λ_max, full over small batch",
        before(&|pair| (pair[1][0] / pair[0][0]).ln()),
    );
    evidence.figure(
        "at a loss of 0.02: mean log of Keskar's sharpness, ε = 5e-4",
        before(&|pair| (pair[1][2] / pair[0][2]).ln()),
    );
    evidence
        .figure("at a loss of 0.02: share of the rise that is the slope's, batches of 8", before(&|pair| pair[0][3]));
    let numbered = |pick: &dyn Fn(&[Measures; 2]) -> f64| {
        pairs.iter().enumerate().map(|(seed, pair)| (seed as f64, pick(pair))).collect::<Vec<_>>()
    };
    evidence.plot(Plot {
        title: "Sharpness after small and full batches".to_owned(),
        reading:
            "Tanh 64-64-64-10 on 300 digits, learning rate 0.2, trained to a loss of 0.001; one pair for each seed."
                .to_owned(),
        x: "seed".to_owned(),
        y: "λ_max(H)".to_owned(),
        log_y: true,
        series: vec![
            Series::measured("full batch", numbered(&|pair| pair[1][0])),
            Series::measured("batches of 8", numbered(&|pair| pair[0][0])),
        ],
        ..Plot::default()
    });
    Ok(evidence)
}

/// Small and full batch for every seed.
fn pairs(settings: &ClaimSettings, target: f64) -> Result<Vec<[Measures; 2]>, LabError> {
    const RATE: f64 = 0.2;
    let seeds = settings.effort.of(10, 16);
    let jobs: Vec<(u64, usize)> = (0..seeds).flat_map(|seed| [8, usize::MAX].map(|batch| (seed, batch))).collect();
    let runs = jobs.into_par_iter().map(|(seed, batch)| -> Result<Measures, LabError> {
        let own = settings.seed_of(seed);
        let data = settings.digits_split(300, own)?;
        let Some(found) = settings.minimum(&data, &gradient_descent(RATE), batch, target, 400_000, own)? else {
            return Ok([f64::NAN; 4]);
        };
        let point = found.objective.here()?;
        let worst = |size: f64| worst_case(&point, Neighbourhood::Box { size }, 20, &mut draws(own, 21));
        let (large, small) = (worst(1e-3)?, worst(5e-4)?);
        let linear = small.first_order / small.rise.unwrap_or(f64::NAN);
        let keskar = [large, small].map(|worst| worst.keskar.unwrap_or(f64::NAN));
        Ok([found.sharpest(&point, own)?.largest, keskar[0], keskar[1], linear])
    });
    let runs: Vec<Measures> = runs.collect::<Result<_, _>>()?;
    Ok(runs.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect())
}
