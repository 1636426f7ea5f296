//! Full batches end in sharper basins than small ones.

use losscape_analysis::sharpness::{Neighbourhood, worst_case};
use rayon::prelude::*;

use super::false_statement::{around, doubled, negated, none};
use super::networks::Architecture;
use super::problem::{draws, gradient_descent};
use super::training::Training;
use super::{Check, Claim, Effect, Evidence, Expectation, FalseStatement, Family, Plot, Series, Workbench};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "full-batch-sharper",
    family: Family::Flatness,
    printed: concat!(
        r"full batch descent prefers small widths (sharp basins); smaller batches prefer wider ones: by Keskar's ",
        r"$100\frac{\max_{\mathrm{box}}L-L}{1+L}$, box $|z_i|\le\epsilon(|w_i|+1)$, at any training loss",
    ),
    exact: concat!(
        r"at equal learning rate and training loss, 0.02 as well as 0.001, $\lambda_{\max}(H)$ is larger after ",
        r"full-batch than after small-batch training; Keskar's sharpness is larger at 0.001, with and without the ",
        r"first-order share of the slope, but smaller at 0.02, where four fifths of it are slope and small batches ",
        r"end on the steeper one",
    ),
    source: "lecture notes, Basin Sizes; Keskar et al. 2017",
    expected: Expectation::HoldsAsCorrected,
    false_statements: &[
        FalseStatement::samples("full batches and small ones end in equally sharp basins", "full over small", none),
        FalseStatement::samples("small batches end in sharper ones", "full over small", negated),
        FalseStatement::samples("Keskar's sharpness of full batches is no smaller at 0.02", "small over full", none),
        FalseStatement::samples(
            "half of Keskar's sharpness is slope at 0.02",
            "slope's share of the rise",
            |samples| around(samples, 0.5),
        ),
        FalseStatement::samples("all of it is", "slope's share of the rise", |samples| around(samples, 1.0)),
        FalseStatement::samples("full batches end on the steeper one at 0.02", "first-order rise", negated),
        FalseStatement::pairs("minima of twice the loss are compared", "their losses", doubled),
    ],
    measure,
};

/// What a run came to: λ_max(H), Keskar's sharpness for both boxes, and of the smaller one what is left without the
/// slope's first-order share, the share itself, and the loss.
type Measures = [f64; 6];

/// The training losses that are compared at: early, where most of the rise in the box is slope, and late.
const LOSSES: [f64; 2] = [0.02, 0.001];

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let [early, late] = LOSSES.map(|loss| pairs(bench, loss));
    let (early, late) = (early?, late?);
    let ratios = |pairs: &[[Measures; 2]], at: usize, sign: f64| -> Vec<f64> {
        pairs.iter().map(|[small, full]| sign * (full[at] / small[at]).ln()).collect()
    };
    for (loss, pairs) in LOSSES.into_iter().zip([&early, &late]) {
        let name = format!("at a loss of {loss}: log of λ_max(H), full over small batch");
        evidence.effect(Effect::above(name, 0.0, ratios(pairs, 0, 1.0)));
        let reached = pairs.iter().flatten().map(|run| (run[5], loss));
        evidence.check(Check::equal(format!("their losses = {loss}"), 0.1, reached.collect::<Vec<_>>()));
    }
    for (at, name) in [(1, "ε = 1e-3"), (2, "ε = 5e-4"), (3, "ε = 5e-4, less the slope's share")] {
        let name = format!("log of Keskar's sharpness, {name}");
        let after = ratios(&late, at, 1.0);
        evidence.effect(Effect::above(format!("at a loss of 0.001: {name}, full over small batch"), 0.0, after));
        // Early, what the slope leaves differs too much from seed to seed to say anything: it is among the figures.
        if at < 3 {
            let before = ratios(&early, at, -1.0);
            evidence.effect(Effect::above(format!("at a loss of 0.02: {name}, small over full batch"), 0.0, before));
        }
    }
    for (at, name) in [(1, "full batch"), (0, "batches of 8")] {
        let name = format!("at a loss of 0.02, {name}: the slope's share of the rise in the box, ε = 5e-4");
        evidence.effect(Effect::within(name, [0.7, 0.9], early.iter().map(|pair| pair[at][4])));
    }
    let steeper = early.iter().map(|[small, full]| (small[2] * small[4] / (full[2] * full[4])).ln());
    let name = "at a loss of 0.02: log of the slope's first-order rise, small over full batch";
    evidence.effect(Effect::above(name, 0.0, steeper));
    let mean = |pairs: &[[Measures; 2]], pick: &dyn Fn(&[Measures; 2]) -> f64| {
        pairs.iter().map(pick).sum::<f64>() / pairs.len() as f64
    };
    evidence.figure("mean λ_max at 0.001, full batch", mean(&late, &|pair| pair[1][0]));
    evidence.figure("the same, batches of 8", mean(&late, &|pair| pair[0][0]));
    for (loss, pairs) in LOSSES.into_iter().zip([&early, &late]) {
        for (at, name) in [(1, "full batch"), (0, "batches of 8")] {
            let of = format!("at a loss of {loss}, {name}");
            evidence.figure(format!("{of}: Keskar's sharpness, ε = 5e-4"), mean(pairs, &|pair| pair[at][2]));
            evidence.figure(format!("{of}: without its slope"), mean(pairs, &|pair| pair[at][3]));
            evidence.figure(format!("{of}: the slope's share"), mean(pairs, &|pair| pair[at][4]));
        }
    }
    // As printed, at the earlier loss.
    let printed = mean(&early, &|pair| pair[0][2]) - mean(&early, &|pair| pair[1][2]);
    let name = "at a loss of 0.02: mean Keskar's sharpness of small batches less that of full ones ≤ 0";
    evidence.check(Check::at_most(name, 0.0, [(printed, 0.0)]).printed());
    let numbered =
        |at: usize| late.iter().enumerate().map(|(seed, pair)| (seed as f64, pair[at][0])).collect::<Vec<_>>();
    evidence.plot(Plot {
        title: "Sharpness after small and full batches".to_owned(),
        reading: "Tanh 64-64-64-10 on 300 digits, learning rate 0.2, trained to a loss of 0.001; one pair for each \
                  seed."
            .to_owned(),
        x: "seed".to_owned(),
        y: "λ_max(H)".to_owned(),
        log_y: true,
        series: vec![Series::measured("full batch", numbered(1)), Series::measured("batches of 8", numbered(0))],
        ..Plot::default()
    });
    Ok(evidence)
}

/// Small and full batch for every seed.
fn pairs(bench: &Workbench, target: f64) -> Result<Vec<[Measures; 2]>, LabError> {
    const RATE: f64 = 0.2;
    let seeds = bench.effort.of(10, 16);
    let jobs: Vec<(u64, usize)> = (0..seeds).flat_map(|seed| [8, usize::MAX].map(|batch| (seed, batch))).collect();
    let runs = jobs.into_par_iter().map(|(seed, batch)| -> Result<Measures, LabError> {
        let own = bench.seed_of(seed);
        let data = bench.digits_split(300, own)?;
        let training =
            Training { optimizer: &gradient_descent(RATE), average: None, look: 1, batch, target, most: 400_000 };
        let Some(found) = bench.minimum(&Architecture::mlp([64, 64]), &data, training, own)? else {
            return Ok([f64::NAN; 6]);
        };
        let point = found.objective.here()?;
        let worst = |size: f64| worst_case(&point, Neighbourhood::Box { size }, 20, &mut draws(own, 21));
        let (large, small) = (worst(1e-3)?, worst(5e-4)?);
        let rise = small.rise.unwrap_or(f64::NAN);
        let keskar = [large, small].map(|worst| worst.keskar.unwrap_or(f64::NAN));
        let bent = 100.0 * (rise - small.first_order) / (1.0 + point.loss());
        let largest = found.sharpest(&point, own)?.largest;
        Ok([largest, keskar[0], keskar[1], bent, small.first_order / rise, found.loss])
    });
    let runs: Vec<Measures> = runs.collect::<Result<_, _>>()?;
    Ok(runs.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect())
}
