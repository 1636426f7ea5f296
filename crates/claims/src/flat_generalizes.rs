//! Do flatter minima generalize better?

use losscape_analysis::AnalysisError;
use losscape_analysis::sharpness::{Neighbourhood, average, worst_case};
use losscape_krylov::trace::hutchinson;
use losscape_optim::SamConfig;
use rayon::prelude::*;

use super::false_statement::none;
use super::networks::Architecture;
use super::problem::{draws, gradient_descent, norm};
use super::training::Training;
use super::{Claim, Effect, Evidence, Expectation, FalseStatement, Family, Plot, Series, Workbench};
use losscape_lab::LabError;
use losscape_lab::statistics::kendall::tau_b;
use losscape_lab::statistics::{Place, Runs, Tau};

pub const CLAIM: Claim = Claim {
    id: "flat-generalizes",
    family: Family::Flatness,
    printed: r"wider basins allow for better generalization (theorized)",
    exact: r"contested: measured as the rank correlation of sharpness and test loss over runs of equal training loss",
    source: "lecture notes, Basin Sizes; for: Keskar et al. 2017, Foret et al. 2021, Jiang et al. 2020; against or \
             divided: Dinh et al. 2017, Andriushchenko et al. 2023",
    expected: Expectation::Any,
    false_statements: &[
        FalseStatement::samples("sharpness and test loss have nothing to do with each other", "Kendall's τ", none),
        FalseStatement::samples("sharper minima generalize better", "Kendall's τ", |samples| {
            samples.iter().map(|sample| -sample.abs()).collect()
        }),
    ],
    measure,
};

/// What is said to foretell generalization.
const MEASURES: [&str; 6] = [
    "λ_max(H)",
    "tr H",
    "average rise, σ = 0.01",
    "adaptive worst case, ρ = 0.05",
    "Keskar's sharpness, ε = 5e-4",
    "‖w‖",
];

/// A run: its seed and its place in the grid of rates, batch sizes and SAM or not; the measures; test loss and error.
struct Trial {
    seed: usize,
    cell: [usize; 3],
    measures: [f64; 6],
    test_loss: f64,
    test_error: f64,
}

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let seeds = bench.effort.of(4, 8);
    let rates = bench.effort.of(vec![0.05, 0.2], vec![0.05, 0.1, 0.2, 0.4]);
    let batches = bench.effort.of(vec![8usize, 32], vec![4, 8, 16, 32, 64]);
    let mut jobs = Vec::new();
    for seed in 0..seeds {
        for rate in 0..rates.len() {
            jobs.extend((0..batches.len()).flat_map(|batch| [0, 1].map(|sam| (seed, [rate, batch, sam]))));
        }
    }
    let asked = jobs.len();
    let runs = jobs.into_par_iter().map(|(seed, cell)| -> Result<Option<Trial>, LabError> {
        let own = bench.seed_of(seed as u64);
        let data = bench.digits_split(300, own)?;
        let mut optimizer = gradient_descent(rates[cell[0]]);
        optimizer.sam = (cell[2] == 1).then(|| SamConfig::new(0.1));
        let training = Training {
            optimizer: &optimizer,
            average: None,
            look: 1,
            batch: batches[cell[1]],
            target: 0.02,
            most: 40_000,
        };
        let found = bench.minimum(&Architecture::mlp([64, 64]), &data, training, own)?;
        let Some(found) = found else { return Ok(None) };
        let point = found.objective.here()?;
        let random = &mut draws(own, 22);
        let trace = hutchinson(&point.hessian(), 10, random).map_err(AnalysisError::from)?.0.mean;
        let rise = average(&point, 0.01, false, 10, random)?.map_or(f64::NAN, |rise| rise.mean);
        let adaptive = worst_case(&point, Neighbourhood::AdaptiveBall { radius: 0.05 }, 10, random)?.rise;
        let keskar = worst_case(&point, Neighbourhood::Box { size: 5e-4 }, 10, random)?.keskar;
        let [adaptive, keskar] = [adaptive, keskar].map(|rise| rise.unwrap_or(f64::NAN));
        let largest = found.sharpest(&point, own)?.largest;
        let measures = [largest, trace, rise, adaptive, keskar, norm(point.parameters())];
        Ok(Some(Trial { seed, cell, measures, test_loss: found.test_loss, test_error: found.test_error }))
    });
    let runs: Vec<Trial> = runs.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    evidence.figure("runs that reached the training loss", runs.len() as f64);
    evidence.figure("of", asked as f64);
    let of = |seed: usize| runs.iter().filter(move |run| run.seed == seed);
    let column = |of: fn(&Trial) -> f64| runs.iter().map(of).collect::<Vec<f64>>();
    let (losses, errors) = (column(|run| run.test_loss), column(|run| run.test_error));
    let places: Vec<Place> = runs.iter().map(|run| Place { seed: run.seed, configuration: number(run.cell) }).collect();
    let crossed = Runs::new(&places);
    let axes: Vec<Vec<usize>> = (0..3).map(|axis| groups(&runs, axis)).collect();
    for (at, name) in MEASURES.into_iter().enumerate() {
        let x: Vec<f64> = runs.iter().map(|run| run.measures[at]).collect();
        let pairs = |seed: usize| of(seed).map(|run| (run.measures[at], run.test_loss)).collect::<Vec<_>>();
        let correlations: Vec<f64> = (0..seeds).map(|seed| tau_b(&pairs(seed))).collect();
        let value = |tau: Option<Tau>| tau.map_or(f64::NAN, |tau| tau.value);
        let tau = crossed.tau(&x, &losses);
        evidence.figure(format!("mean τ of {name} and test loss"), value(tau));
        if let Some([low, high]) = tau.and_then(|tau| tau.interval) {
            evidence.figure(format!("{name}: lower end of the 95 % interval, seeds and settings shared"), low);
            evidence.figure(format!("{name}: upper end"), high);
        }
        evidence.figure(format!("{name}: granulated τ"), value(crossed.granulated(&axes, &x, &losses).1));
        evidence.figure(format!("{name}: mean τ with test error"), value(crossed.tau(&x, &errors)));
        // The length of the weights is no sharpness: it is for comparison.
        if at < 5 {
            evidence.effect(Effect::above(format!("Kendall's τ of {name} and test loss"), 0.0, correlations));
        }
    }
    let series = (0..seeds.min(4)).map(|seed| {
        let mut points: Vec<(f64, f64)> = of(seed).map(|run| (run.measures[0], run.test_loss)).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Series::measured(format!("seed {seed}"), points)
    });
    evidence.plot(Plot {
        title: "Sharpness against test loss".to_owned(),
        reading: "Tanh 64-64-64-10 on 300 digits: rates, batch sizes, with and without SAM, all at a training loss of \
                  0.02; a line joins the runs of a seed."
            .to_owned(),
        x: "λ_max(H)".to_owned(),
        y: "test loss".to_owned(),
        log_x: true,
        log_y: true,
        series: series.collect(),
        ..Plot::default()
    });
    Ok(evidence)
}

/// A number for a place in the grid.
fn number([rate, batch, sam]: [usize; 3]) -> usize {
    (rate * 100 + batch) * 2 + sam
}

/// The runs in groups that differ in one axis of the grid alone.
fn groups(runs: &[Trial], axis: usize) -> Vec<usize> {
    let without = |run: &Trial| {
        let mut rest = run.cell;
        rest[axis] = 0;
        number(rest)
    };
    runs.iter().map(without).collect()
}
