//! Learning rate over batch size, and the width of the minima that SGD finds.

use burn::tensor::Tensor;
use losscape_analysis::AnalysisError;
use losscape_analysis::basin::width;
use losscape_analysis::slice::{grid, line};
use losscape_krylov::trace::hutchinson;
use rayon::prelude::*;

use super::false_statement::{doubled, negated, none};
use super::networks::Architecture;
use super::problem::{draws, gradient_descent, log_slope, norm};
use super::training::Training;
use super::{Check, Claim, Effect, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench};
use losscape_lab::LabError;
use losscape_lab::statistics::kendall::tau_b;

pub const CLAIM: Claim = Claim {
    id: "basin-width-ratio",
    family: Family::Flatness,
    printed: r"SGD converges to minima with a basin width $w=\frac\epsilon B$",
    exact: concat!(
        r"the width grows with $\frac\epsilon B$, and minima are alike at equal $\frac\epsilon B$; ",
        "it is no equality",
    ),
    source: "lecture notes, Basin Sizes; Jastrzębski et al. 2017",
    expected: Expectation::HoldsAsCorrected,
    false_statements: &[
        FalseStatement::pairs("some runs do not arrive", "runs at the training loss", |pair| Pair {
            left: pair.right - 1.0,
            ..pair
        }),
        FalseStatement::pairs("minima of twice the loss are compared", "their losses", doubled),
        FalseStatement::samples("the width has nothing to do with ε/B", "Kendall's τ", none),
        FalseStatement::samples("the width shrinks with ε/B", "Kendall's τ", negated),
        FalseStatement::samples("the width does not grow with ε/B", "log-log slope", none),
        FalseStatement::samples("minima at equal ε/B differ as much as others", "|Δ log λ_max|", none),
    ],
    measure,
};

/// What one run came to.
struct Trial {
    seed: usize,
    ratio: f64,
    loss: f64,
    sharpness: f64,
    trace: f64,
    top_width: f64,
    random_width: f64,
    /// The loss along both directions.
    profiles: [Vec<(f64, f64)>; 2],
}

/// Rates and batch sizes.
const CELLS: [(f64, usize); 7] = [(0.2, 16), (0.1, 16), (0.2, 32), (0.1, 32), (0.05, 16), (0.1, 64), (0.05, 32)];

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let cells = bench.effort.of(
        CELLS.to_vec(),
        vec![
            (0.2, 8),
            (0.2, 16),
            (0.1, 8),
            (0.2, 32),
            (0.1, 16),
            (0.05, 8),
            (0.2, 64),
            (0.1, 32),
            (0.05, 16),
            (0.1, 64),
            (0.05, 32),
            (0.025, 16),
        ],
    );
    on(bench, &Architecture::mlp([64, 64]), &cells, (usize::MAX, bench.effort.of(4, 8)), &mut evidence)?;
    for network in Architecture::others(bench.effort) {
        on(bench, &network, &CELLS, (300, 4), &mut evidence)?;
    }
    Ok(evidence)
}

/// A network trained at these rates and batch sizes on so many digits, with so many seeds.
fn on(
    bench: &Workbench,
    network: &Architecture,
    cells: &[(f64, usize)],
    (samples, seeds): (usize, usize),
    evidence: &mut Evidence,
) -> Result<(), LabError> {
    let by_ratio = |a: &&(f64, usize), b: &&(f64, usize)| (a.0 / a.1 as f64).total_cmp(&(b.0 / b.1 as f64));
    let ends = [cells.iter().min_by(by_ratio), cells.iter().max_by(by_ratio)];
    let jobs: Vec<(usize, (f64, usize))> =
        (0..seeds).flat_map(|seed| cells.iter().map(move |&cell| (seed, cell))).collect();
    let runs = jobs.into_par_iter().map(|(seed, (rate, batch))| -> Result<Option<Trial>, LabError> {
        let own = bench.seed_of(seed as u64);
        let data = bench.digits_split(samples, own)?;
        let training =
            Training { optimizer: &gradient_descent(rate), average: None, look: 1, batch, target: 0.02, most: 40_000 };
        let Some(found) = bench.minimum(network, &data, training, own)? else { return Ok(None) };
        let point = found.objective.here()?;
        let sharpest = found.sharpest(&point, own)?;
        let random = point.space().normal(&mut draws(own, 20));
        let side = |direction, name: &str| -> Result<f64, LabError> {
            let found = width(&point, direction, name, 0.1)?;
            Ok(f64::midpoint(found.forward.unwrap_or(f64::NAN), found.backward.unwrap_or(f64::NAN)))
        };
        let profile = |direction: &Tensor<1>, reach: f64| -> Result<Vec<(f64, f64)>, LabError> {
            let unit = direction.clone() / norm(direction);
            let line = line(&found.objective, point.parameters(), ("", &unit), grid(reach, 61))?;
            Ok(line.steps.into_iter().zip(line.losses.into_iter().map(|loss| loss.unwrap_or(f64::NAN))).collect())
        };
        let profiles = if seed == 0 && ends.contains(&Some(&(rate, batch))) {
            [profile(&sharpest.direction, 2.0)?, profile(&random, 20.0)?]
        } else {
            Default::default()
        };
        Ok(Some(Trial {
            seed,
            ratio: rate / batch as f64,
            loss: found.loss,
            sharpness: sharpest.largest,
            trace: hutchinson(&point.hessian(), 10, &mut draws(own, 22)).map_err(AnalysisError::from)?.0.mean,
            top_width: side(&sharpest.direction, "top")?,
            random_width: side(&random, "random")?,
            profiles,
        }))
    });
    let runs: Vec<Trial> = runs.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    let asked = (seeds * cells.len()) as f64;
    let name = |what: &str| network.of(what);
    evidence.check(Check::equal(name("runs at the training loss, of all"), 0.0, [(runs.len() as f64, asked)]));
    evidence.check(Check::equal(name("their losses = 0.02"), 0.1, runs.iter().map(|run| (run.loss, 0.02))));
    let of = |seed: usize| runs.iter().filter(move |run| run.seed == seed);
    let per_seed = |pick: &dyn Fn(&Trial) -> f64| -> Vec<f64> {
        (0..seeds).map(|seed| tau_b(&of(seed).map(|run| (run.ratio, pick(run))).collect::<Vec<_>>())).collect()
    };
    type Measure = fn(&Trial) -> f64;
    let measures: [(&str, Measure); 4] = [
        ("width along the top eigenvector", |run| run.top_width),
        ("width along a random direction", |run| run.random_width),
        ("−λ_max(H)", |run| -run.sharpness),
        ("−tr H", |run| -run.trace),
    ];
    for (measure, pick) in measures {
        evidence.effect(Effect::above(name(&format!("Kendall's τ of {measure} and ε/B")), 0.0, per_seed(&pick)));
    }
    let slopes = (0..seeds).map(|seed| log_slope(&of(seed).map(|run| (run.ratio, run.top_width)).collect::<Vec<_>>()));
    evidence.effect(Effect::above(name("log-log slope of the width against ε/B"), 0.0, slopes.collect::<Vec<_>>()));
    // Pairs of runs of one seed: those of equal ratio differ less in sharpness than the others.
    let alike = (0..seeds).map(|seed| {
        let runs: Vec<&Trial> = of(seed).collect();
        let (mut same, mut different) = ((0.0, 0), (0.0, 0));
        for (at, a) in runs.iter().enumerate() {
            for b in &runs[at + 1..] {
                let sum = if a.ratio == b.ratio { &mut same } else { &mut different };
                *sum = (sum.0 + (a.sharpness / b.sharpness).ln().abs(), sum.1 + 1);
            }
        }
        different.0 / f64::from(different.1) - same.0 / f64::from(same.1)
    });
    let differ = name("|Δ log λ_max| at unequal ε/B less that at equal");
    evidence.effect(Effect::above(differ, 0.0, alike.collect::<Vec<_>>()));
    let widths = runs.iter().map(|run| (run.top_width, run.ratio));
    evidence.check(Check::equal(name("width along the top eigenvector = ε/B"), 0.1, widths).printed());
    let mean = |rate: f64, batch: usize| -> f64 {
        let ratio = rate / batch as f64;
        let of: Vec<f64> = runs.iter().filter(|run| run.ratio == ratio).map(|run| run.sharpness).collect();
        of.iter().sum::<f64>() / of.len() as f64
    };
    let points = |pick: &dyn Fn(&Trial) -> f64| runs.iter().map(|run| (run.ratio, pick(run))).collect::<Vec<_>>();
    evidence.figure(name("log-log slope of the width against ε/B"), log_slope(&points(&|run| run.top_width)));
    evidence.figure(name("mean λ_max at ε/B = 0.1/32"), mean(0.1, 32));
    evidence.figure(name("mean λ_max at ε/B = 0.2/16"), mean(0.2, 16));
    let averaged = |pick: &dyn Fn(&Trial) -> f64| {
        let mut ratios: Vec<f64> = runs.iter().map(|run| run.ratio).collect();
        ratios.sort_by(f64::total_cmp);
        ratios.dedup();
        let at = |ratio: f64| {
            let of: Vec<f64> = runs.iter().filter(|run| run.ratio == ratio).map(pick).collect();
            (ratio, of.iter().sum::<f64>() / of.len() as f64)
        };
        ratios.into_iter().map(at).collect::<Vec<_>>()
    };
    evidence.plot(Plot {
        title: name("Width of the basin against ε/B"),
        reading: format!(
            "{} on digits: distance to a rise of the loss by 0.1 from minima of equal training loss; means over seeds \
             and equal ratios.",
            network.words()
        ),
        x: "ε / B".to_owned(),
        y: "width".to_owned(),
        log_x: true,
        log_y: true,
        series: vec![
            Series::measured("along the top eigenvector", averaged(&|run| run.top_width)),
            Series::measured("along a random direction", averaged(&|run| run.random_width)),
            Series::bound("w = ε/B", averaged(&|run| run.ratio)),
        ],
        ..Plot::default()
    });
    evidence.plot(Plot {
        title: name("Sharpness against ε/B"),
        reading: "The larger the learning rate over the batch size, the flatter the minimum; where ε/B is small, \
                  differences vanish."
            .to_owned(),
        x: "ε / B".to_owned(),
        y: "λ_max(H)".to_owned(),
        log_x: true,
        log_y: true,
        series: vec![Series::measured("mean over seeds", averaged(&|run| run.sharpness))],
        ..Plot::default()
    });
    for (at, direction) in ["the top eigenvector", "a random direction"].into_iter().enumerate() {
        let shown = || runs.iter().filter(|run| !run.profiles[at].is_empty());
        evidence.plot(Plot {
            title: name(&format!("Basins along {direction}")),
            reading: "The loss around minima of equal training loss, one seed: the larger the learning rate over the \
                      batch size, the wider the basin."
                .to_owned(),
            x: "distance".to_owned(),
            y: "loss".to_owned(),
            series: shown()
                .map(|run| Series::measured(format!("ε/B = {:.2e}", run.ratio), run.profiles[at].clone()))
                .collect(),
            ..Plot::default()
        });
    }
    Ok(())
}
