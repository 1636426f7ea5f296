//! Do flatter minima generalize better?

use losscape_analysis::sharpness::{Neighbourhood, average, worst_case};
use losscape_optim::SamConfig;
use rayon::prelude::*;

use super::problem::{draws, gradient_descent};
use super::training::kendall;
use super::{Claim, ClaimSettings, Effect, Evidence, Expectation, Family, Plot, Series};
use crate::LabError;

pub const CLAIM: Claim = Claim {
    id: "flat-generalizes",
    family: Family::Flatness,
    printed: r"wider basins allow for better generalization (theorized)",
    exact: r"contested: measured as the rank correlation of sharpness and test loss over runs of equal training loss",
    source: "lecture notes, Basin Sizes; for: Keskar et al. 2017, Foret et al. 2021, Jiang et al. 2020; against or divided: Dinh et al. 2017, Andriushchenko et al. 2023",
    expected: Expectation::Any,
    measure,
};

fn measure(settings: &ClaimSettings) -> Result<Evidence, LabError> {
    const NAMES: [&str; 4] = ["λ_max(H)", "average rise, σ = 0.01", "adaptive worst case, ρ = 0.05", "‖w‖"];
    let mut evidence = Evidence::default();
    let seeds = settings.effort.of(3, 8);
    let mut cells: Vec<(f64, usize, Option<SamConfig>)> = Vec::new();
    for rate in settings.effort.of(vec![0.05, 0.2], vec![0.05, 0.1, 0.2, 0.4]) {
        for batch in settings.effort.of(vec![8, 32], vec![4, 8, 16, 32, 64]) {
            cells.extend([(rate, batch, None), (rate, batch, Some(SamConfig::new(0.1)))]);
        }
    }
    let jobs: Vec<(usize, usize)> =
        (0..seeds).flat_map(|seed| (0..cells.len()).map(move |cell| (seed, cell))).collect();
    let runs = jobs.into_par_iter().map(|(seed, cell)| -> Result<Option<(usize, [f64; 4], f64)>, LabError> {
        let own = settings.seed_of(seed as u64);
        let (rate, batch, sam) = cells[cell];
        let data = settings.digits_split(300, own)?;
        let mut optimizer = gradient_descent(rate);
        optimizer.sam = sam;
        let Some(found) = settings.minimum(&data, &optimizer, batch, 0.02, 40_000, own)? else { return Ok(None) };
        let point = found.objective.here()?;
        let random = &mut draws(own, 22);
        let rise = average(&point, 0.01, false, 10, random)?.map_or(f64::NAN, |rise| rise.mean);
        let worst = worst_case(&point, Neighbourhood::AdaptiveBall { radius: 0.05 }, 10, random)?;
        let length: f64 = point.parameters().clone().square().sum().into_scalar();
        let measures = [found.sharpest(&point, own)?.largest, rise, worst.rise.unwrap_or(f64::NAN), length.sqrt()];
        Ok(Some((seed, measures, found.test_loss)))
    });
    let runs: Vec<(usize, [f64; 4], f64)> = runs.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    for (at, name) in NAMES.into_iter().enumerate() {
        let correlations = (0..seeds).map(|seed| {
            let of = runs.iter().filter(|run| run.0 == seed);
            kendall(&of.map(|(_, measures, loss)| (measures[at], *loss)).collect::<Vec<_>>())
        });
        let correlations: Vec<f64> = correlations.collect();
        evidence.figure(
            format!("mean τ of {name} and test loss"),
            correlations.iter().sum::<f64>() / correlations.len() as f64,
        );
        if at < 3 {
            evidence.effect(Effect::above(format!("Kendall's τ of {name} and test loss"), 0.0, correlations));
        }
    }
    let series = (0..seeds.min(4)).map(|seed| {
        let mut points: Vec<(f64, f64)> =
            runs.iter().filter(|run| run.0 == seed).map(|run| (run.1[0], run.2)).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Series::measured(format!("seed {seed}"), points)
    });
    evidence.plot(Plot {
        title: "Sharpness against test loss".to_owned(),
        reading: "Tanh 64-64-64-10 on 300 digits: rates, batch sizes, with and without SAM, all at a training loss of 0.02; a line joins the runs of a seed.".to_owned(),
        x: "λ_max(H)".to_owned(),
        y: "test loss".to_owned(),
        log_x: true,
        log_y: true,
        series: series.collect(), ..Plot::default() });
    Ok(evidence)
}
