//! The curvature that mini-batch gradients feel sits at 2/ε.

use burn::tensor::{DType, Int, Tensor, TensorData};
use losscape_analysis::Objective;
use losscape_krylov::SymmetricOperator;
use losscape_model::data::digits::Digits;
use losscape_model::data::{DataConfig, Source};
use losscape_model::{Loss, MlpConfig};
use rand::seq::index::sample;
use rayon::prelude::*;

use super::problem::{draws, gradient_descent, inner, largest};
use super::{Claim, ClaimSettings, Effect, Evidence, Expectation, Family, Plot, Series, descent::descend};
use crate::LabError;

pub const CLAIM: Claim = Claim {
    id: "batch-sharpness",
    family: Family::Edge,
    printed: r"not in the notes",
    exact: r"under SGD with small batches it is $E\left[\frac{g_B^TH_Bg_B}{\|g_B\|^2}\right]$ that comes near $\frac2\epsilon$, while $\lambda_{\max}(H)$ stays below it",
    source: "Andreyev & Beneventano 2024",
    expected: Expectation::Supported,
    measure,
};

/// What one run came to: over its last third, the curvature felt by batches and λ_max(H); and the former along training.
struct Run {
    felt: f64,
    largest: f64,
    series: Vec<(f64, f64)>,
}

/// Tanh 64-32-32-10 on 100 digits, half of them with random labels so that there is much to learn, squared error. The statement is about small batches;
/// what becomes of larger ones is reported.
fn measure(settings: &ClaimSettings) -> Result<Evidence, LabError> {
    const RATE: f64 = 0.1;
    const SAMPLES: usize = 100;
    let mut evidence = Evidence::default();
    let steps = settings.effort.of(24_000, 40_000);
    let seeds = settings.effort.of(6, 12);
    let batches = settings.effort.of(vec![4usize], vec![4, 8, 16]);
    let jobs: Vec<(usize, u64)> = batches.iter().flat_map(|&batch| (0..seeds).map(move |seed| (batch, seed))).collect();
    let runs = jobs.into_par_iter().map(|(batch, seed)| -> Result<Run, LabError> {
        let config = MlpConfig::new([32, 32]);
        let random = std::cell::RefCell::new(draws(settings.seed_of(seed), 23));
        let source = DataConfig {
            random_labels: 0.5,
            seed: settings.seed_of(seed),
            ..DataConfig::new(Source::Digits(Digits {}))
        };
        let data = source.load()?.train.select(&(0..SAMPLES).collect::<Vec<_>>());
        let network =
            config.init(data.inputs.columns, data.outputs(), settings.seed_of(seed), &settings.device, DType::F64)?;
        let (x, y) =
            (data.input_tensor(&settings.device, DType::F64), data.target_tensor(&settings.device, DType::F64));
        let objective = Objective::new(network.clone(), x.clone(), y.clone(), Loss::squared_error())?;
        let drawn = || -> Result<Objective<_>, LabError> {
            let rows: Vec<i64> =
                sample(&mut *random.borrow_mut(), SAMPLES, batch).into_iter().map(|row| row as i64).collect();
            let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [batch]), (&settings.device, DType::I64));
            Ok(Objective::new(
                network.clone(),
                x.clone().select(0, rows.clone()),
                y.clone().select(0, rows),
                Loss::squared_error(),
            )?)
        };
        let mut series = Vec::new();
        let (mut felt, mut full, mut count) = (0.0, 0.0, 0);
        descend(
            &gradient_descent(RATE),
            objective.parameters(),
            steps,
            |w| Ok(drawn()?.gradient(w)?),
            |at| {
                if at.step % 400 > 0 || at.step == 0 {
                    return Ok(at.value.is_finite());
                }
                let mut mean = 0.0;
                for _ in 0..16 {
                    let batch = drawn()?;
                    let point = batch.at(&at.w)?;
                    let g = point.gradient();
                    mean += inner(g, &point.hessian().apply(g.clone())) / inner(g, g) / 16.0;
                }
                series.push((at.step as f64, mean));
                if 3 * at.step >= 2 * steps {
                    felt += mean;
                    full += largest(&objective.at(&at.w)?.hessian(), settings.seed)?;
                    count += 1;
                }
                Ok(true)
            },
        )?;
        let count = f64::from(count);
        Ok(Run { felt: felt / count, largest: full / count, series })
    });
    let runs: Vec<Run> = runs.collect::<Result<_, _>>()?;
    let mut series = Vec::new();
    for (at, &batch) in batches.iter().enumerate() {
        let of = &runs[at * seeds as usize..(at + 1) * seeds as usize];
        let ratios: Vec<f64> = of.iter().map(|run| run.felt * RATE / 2.0).collect();
        evidence
            .figure(format!("B = {batch}: batch sharpness over 2/ε"), ratios.iter().sum::<f64>() / ratios.len() as f64);
        let largest: Vec<f64> = of.iter().map(|run| run.largest * RATE / 2.0).collect();
        evidence.figure(format!("B = {batch}: λ_max(H) over 2/ε"), largest.iter().sum::<f64>() / largest.len() as f64);
        if at == 0 {
            let name = format!("B = {batch}: batch sharpness over 2/ε");
            evidence.effect(Effect::above(name.clone(), 2.0 / 3.0, ratios.iter().copied()));
            evidence.effect(Effect::above(format!("4/3 − {name}"), 0.0, ratios.iter().map(|ratio| 4.0 / 3.0 - ratio)));
            let above = ratios.iter().zip(&largest).map(|(felt, largest)| felt - largest);
            evidence.effect(Effect::above(format!("B = {batch}: batch sharpness less λ_max(H), over 2/ε"), 0.0, above));
        }
        series.push(Series::measured(format!("B = {batch}"), of[0].series.iter().copied()));
    }
    series.push(Series::bound("2/ε", [(0.0, 2.0 / RATE), (steps as f64, 2.0 / RATE)]));
    evidence.plot(Plot {
        title: "Batch sharpness".to_owned(),
        reading: "The curvature along mini-batch gradients, of the batch's own loss, comes near 2/ε. For the smallest batches λ_max of the whole loss stays far below it; with larger ones it is at the edge itself.".to_owned(),
        x: "step".to_owned(),
        y: "E[gᵀHg / ‖g‖²] over batches".to_owned(),
        series, ..Plot::default() });
    Ok(evidence)
}
