//! The curvature that mini-batch gradients feel sits at 2/ε.

use burn::tensor::{DType, Int, Tensor, TensorData};
use losscape_analysis::Objective;
use losscape_krylov::SymmetricOperator;
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
    exact: r"under SGD with batches $B$ it is $E\left[\frac{g_B^TH_Bg_B}{\|g_B\|^2}\right]$ that hovers at $\frac2\epsilon$, while $\lambda_{\max}(H)$ stays below",
    source: "Andreyev & Beneventano 2024",
    expected: Expectation::Supported,
    measure,
};

/// Tanh 64-32-32-10 on 200 digits, squared error.
fn measure(settings: &ClaimSettings) -> Result<Evidence, LabError> {
    const RATE: f64 = 0.25;
    const SAMPLES: usize = 200;
    let mut evidence = Evidence::default();
    let steps = settings.effort.of(1500, 6000);
    let seeds = settings.effort.of(3, 6);
    let batches = [8usize, 32];
    let jobs: Vec<(usize, u64)> = batches.iter().flat_map(|&batch| (0..seeds).map(move |seed| (batch, seed))).collect();
    let runs = jobs.into_par_iter().map(|(batch, seed)| -> Result<(f64, f64, Vec<(f64, f64)>), LabError> {
        let config = MlpConfig::new([32, 32]);
        let objective = settings.digits(&config, SAMPLES, settings.seed + seed)?;
        let random = std::cell::RefCell::new(draws(settings.seed + seed, 23));
        let data = settings.digits_split(SAMPLES, 0)?.train;
        let network =
            config.init(data.inputs.columns, data.outputs(), settings.seed + seed, &settings.device, DType::F64)?;
        let (x, y) =
            (data.input_tensor(&settings.device, DType::F64), data.target_tensor(&settings.device, DType::F64));
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
                if at.step % 50 > 0 || at.step == 0 {
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
        Ok((felt / count, full / count, series))
    });
    let runs: Vec<(f64, f64, Vec<(f64, f64)>)> = runs.collect::<Result<_, _>>()?;
    let mut series = Vec::new();
    for (at, batch) in batches.into_iter().enumerate() {
        let of = &runs[at * seeds as usize..(at + 1) * seeds as usize];
        let ratios: Vec<f64> = of.iter().map(|run| run.0 * RATE / 2.0).collect();
        evidence
            .figure(format!("B = {batch}: batch sharpness over 2/ε"), ratios.iter().sum::<f64>() / ratios.len() as f64);
        evidence.effect(Effect::above(format!("B = {batch}: batch sharpness over 2/ε"), 0.7, ratios.iter().copied()));
        evidence.effect(Effect::above(
            format!("B = {batch}: 1.3 − batch sharpness over 2/ε"),
            0.0,
            ratios.iter().map(|ratio| 1.3 - ratio),
        ));
        evidence.effect(Effect::above(
            format!("B = {batch}: 1 − λ_max(H) over 2/ε"),
            0.0,
            of.iter().map(|run| 1.0 - run.1 * RATE / 2.0),
        ));
        series.push(Series::measured(format!("B = {batch}"), of[0].2.iter().copied()));
    }
    series.push(Series::bound("2/ε", [(0.0, 2.0 / RATE), (steps as f64, 2.0 / RATE)]));
    evidence.plot(Plot {
        title: "Batch sharpness".to_owned(),
        reading: "The curvature along mini-batch gradients, of the batch's own loss, rises to 2/ε; that of the whole loss stays below.".to_owned(),
        x: "step".to_owned(),
        y: "E[gᵀHg / ‖g‖²] over batches".to_owned(),
        log_x: false,
        log_y: false,
        series,
    });
    Ok(evidence)
}
