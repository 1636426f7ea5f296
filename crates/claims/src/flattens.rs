//! What a method does to the minima that SGD finds: both at the same training loss.

use losscape_analysis::AnalysisError;
use losscape_analysis::basin::width;
use losscape_krylov::trace::hutchinson;
use losscape_lab::LabError;
use losscape_lab::statistics::student;
use losscape_optim::{AverageConfig, OptimizerConfig};
use rayon::prelude::*;

use super::networks::Architecture;
use super::problem::draws;
use super::training::{Minimum, Sharpest, Training};
use super::{Check, Effect, Evidence, Plot, Series, Workbench};

/// Training loss at which minima are compared.
pub const TARGET: f64 = 0.02;

/// A method, and the average of its weights that is looked at in their place.
pub struct Contender {
    pub name: &'static str,
    pub optimizer: OptimizerConfig,
    pub average: Option<AverageConfig>,
    /// Steps between looks at the loss.
    pub look: usize,
}

impl Contender {
    pub fn new(name: &'static str, optimizer: OptimizerConfig) -> Self {
        Self { name, optimizer, average: None, look: 1 }
    }

    pub fn averaged(name: &'static str, optimizer: OptimizerConfig, average: impl Into<AverageConfig>) -> Self {
        Self { name, optimizer, average: Some(average.into()), look: 1 }
    }
}

/// A minimum and its largest curvatures.
pub struct Found {
    pub minimum: Minimum,
    pub sharpest: Sharpest,
    trace: f64,
    width: f64,
}

/// A network trained by each method on so many digits, with so many seeds; SGD is the first. Every other one's λ_max
/// over SGD's is an effect. What was found stands seed by seed, the methods of a seed behind each other.
pub fn compared(
    bench: &Workbench,
    network: &Architecture,
    contenders: &[Contender],
    (samples, seeds): (usize, u64),
    evidence: &mut Evidence,
) -> Result<Vec<Option<Found>>, LabError> {
    let count = contenders.len();
    let jobs: Vec<(u64, usize)> = (0..seeds).flat_map(|seed| (0..count).map(move |at| (seed, at))).collect();
    let runs = jobs.into_par_iter().map(|(seed, at)| -> Result<Option<Found>, LabError> {
        let own = bench.seed_of(seed);
        let data = bench.digits_split(samples, own)?;
        let Contender { optimizer, average, look, .. } = &contenders[at];
        let training = Training { optimizer, average: *average, look: *look, batch: 32, target: TARGET, most: 40_000 };
        let Some(minimum) = bench.minimum(network, &data, training, own)? else { return Ok(None) };
        let point = minimum.objective.here()?;
        let sharpest = minimum.sharpest(&point, own)?;
        let (trace, _) = hutchinson(&point.hessian(), 10, &mut draws(own, 22)).map_err(AnalysisError::from)?;
        let along = width(&point, &point.space().normal(&mut draws(own, 20)), "random", 0.1)?;
        let width = f64::midpoint(along.forward.unwrap_or(f64::NAN), along.backward.unwrap_or(f64::NAN));
        drop(point);
        Ok(Some(Found { minimum, sharpest, trace: trace.mean, width }))
    });
    let runs: Vec<Option<Found>> = runs.collect::<Result<_, _>>()?;
    let of = |at: usize, measure: &dyn Fn(&Found) -> f64| -> Vec<f64> {
        runs.iter().skip(at).step_by(count).map(|run| run.as_ref().map_or(f64::NAN, measure)).collect()
    };
    let name = |what: &str| network.of(what);
    let losses = runs.iter().map(|run| (run.as_ref().map_or(f64::NAN, |run| run.minimum.loss), TARGET));
    evidence.check(Check::equal(name("their losses = 0.02"), 0.1, losses.collect::<Vec<_>>()).condition());
    type Measure = fn(&Found) -> f64;
    let measures: [(&str, Measure); 5] = [
        ("λ_max", |run| run.sharpest.largest),
        ("λ₁/λ₅", |run| run.sharpest.largest / run.sharpest.fifth),
        ("tr H", |run| run.trace),
        ("width along a random direction", |run| run.width),
        ("test error", |run| run.minimum.test_error),
    ];
    let plain = of(0, &measures[0].1);
    let mut series = Vec::new();
    for (at, contender) in contenders.iter().enumerate() {
        let method = contender.name;
        let sharpness = of(at, &measures[0].1);
        if at > 0 {
            let ratios = sharpness.iter().zip(&plain).map(|(with, without)| -(with / without).ln());
            evidence.effect(Effect::above(name(&format!("{method}: −log of λ_max over that of SGD")), 0.0, ratios));
        }
        for (what, measure) in measures {
            let values = of(at, &measure);
            let (mean, half) = mean(&values);
            evidence.figure(name(&format!("mean {what}, {method}")), mean);
            evidence.figure(name(&format!("mean {what}, {method}: ±, 95 %")), half);
        }
        series.push(Series::measured(
            method,
            sharpness.into_iter().enumerate().map(|(seed, value)| (seed as f64, value)),
        ));
    }
    evidence.plot(Plot {
        title: name("Sharpness at equal training loss"),
        reading: format!(
            "{} on digits, learning rate 0.1, batches of 32, cross-entropy to 0.02; one point for each seed.",
            network.words()
        ),
        x: "seed".to_owned(),
        y: "λ_max(H)".to_owned(),
        log_y: true,
        series,
        ..Plot::default()
    });
    Ok(runs)
}

/// The mean and half of its 95 % interval by Student's distribution.
pub fn mean(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, student(count - 1.0) * (variance / count).sqrt())
}
