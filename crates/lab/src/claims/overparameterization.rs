//! When every target can be met.

use burn::tensor::DType;
use losscape_analysis::kernel::KernelSpectrum;
use losscape_model::data::generate::TeacherStudent;
use losscape_model::{Loss, MlpConfig, Parameterization};
use rayon::prelude::*;

use super::problem::solve;
use super::{Check, Claim, ClaimSettings, Effect, Evidence, Expectation, Family, Plot, Series};
use crate::LabError;

pub const CLAIM: Claim = Claim {
    id: "overparameterization",
    family: Family::PolyakLojasiewicz,
    printed: r"overparameterization gives basins of global minima",
    exact: r"zero loss needs $P\ge nC$ generically, and is reached with $P\gg nC$; there $\lambda_{\min}(K_c)>0$, while $\mathrm{rank}\,K\le P$",
    source: "lecture notes, Role of Overparameterization; Liu, Zhu & Belkin 2020, §2",
    expected: Expectation::Supported,
    measure,
};

/// What one network came to.
struct Run {
    width: usize,
    seed: usize,
    rank: usize,
    min: f64,
    max: f64,
    reached: bool,
}

/// P of a network with four inputs, one hidden layer and one output.
fn parameters(width: usize) -> f64 {
    (6 * width + 1) as f64
}

/// Noise as targets: nothing but parameters can meet them.
fn measure(settings: &ClaimSettings) -> Result<Evidence, LabError> {
    const SAMPLES: usize = 40;
    let mut evidence = Evidence::default();
    let widths = settings.effort.of(vec![2, 4, 8, 16, 32, 64], vec![2, 3, 4, 6, 8, 11, 16, 32, 64, 128, 256]);
    let seeds = settings.effort.of(4, 20);
    let jobs: Vec<(usize, usize)> =
        widths.iter().flat_map(|&width| (0..seeds).map(move |seed| (width, seed))).collect();
    let runs = jobs.into_par_iter().map(|(width, seed)| -> Result<Run, LabError> {
        let own = settings.seed_of(seed as u64);
        let noise = TeacherStudent { samples: SAMPLES, inputs: 4, outputs: 1, teacher_width: 32, noise: 1.0 };
        let config = MlpConfig::new([width]).with_parameterization(Parameterization::Ntk);
        let network = config.init(4, 1, own, &settings.device, DType::F64)?;
        let objective = settings.on(network, &noise.generate(own)?, Loss::squared_error())?;
        let kernel = KernelSpectrum::of(objective.kernel(&objective.parameters())?, objective.targets())?;
        let loss = solve(&objective, objective.parameters(), 1e-8, settings.effort.of(100, 400))?.1;
        let reached = loss < 1e-8;
        Ok(Run { width, seed, rank: kernel.rank, min: kernel.trusted_min(), max: kernel.max, reached })
    });
    let runs: Vec<Run> = runs.collect::<Result<_, _>>()?;
    let (mut reached, mut smallest, mut largest) = (Vec::new(), Vec::new(), Vec::new());
    for &width in &widths {
        let of = || runs.iter().filter(|run| run.width == width);
        let hits = of().filter(|run| run.reached).count();
        reached.push((parameters(width) / SAMPLES as f64, hits as f64 / seeds as f64));
        smallest.push((width as f64, of().map(|run| run.min).fold(f64::INFINITY, f64::min)));
        largest.push((width as f64, of().map(|run| run.max).fold(0.0, f64::max)));
    }
    let ranks: Vec<(f64, f64)> = runs.iter().map(|run| (run.rank as f64, parameters(run.width))).collect();
    let shares = |chosen: &dyn Fn(&Run) -> bool| -> Vec<f64> {
        let of = |seed: usize| runs.iter().filter(move |run| run.seed == seed).filter(|run| chosen(run));
        (0..seeds).map(|seed| of(seed).filter(|run| run.reached).count() as f64 / of(seed).count() as f64).collect()
    };
    let (wide, narrow) = (
        shares(&|run| parameters(run.width) >= 4.0 * SAMPLES as f64),
        shares(&|run| parameters(run.width) < SAMPLES as f64),
    );
    let positive = smallest
        .iter()
        .filter(|at| parameters(at.0 as usize) >= 4.0 * SAMPLES as f64)
        .map(|at| (f64::MIN_POSITIVE, at.1));
    evidence.check(Check::at_most("rank of K ≤ P", 0.0, ranks));
    evidence.check(Check::at_most("P ≥ 4nC: λ_min(K_c) > 0, above rounding", 0.0, positive.collect::<Vec<_>>()));
    evidence.check(Check::equal(
        "P < nC: share of runs below 1e-8 = 0",
        0.0,
        narrow.into_iter().map(|share| (share, 0.0)),
    ));
    evidence.effect(Effect::above("P ≥ 4nC: share of runs below 1e-8", 0.9, wide));
    evidence.figure("share of the widest networks that reach 1e-8", reached[reached.len() - 1].1);
    evidence.plot(Plot {
        title: "Who reaches zero loss".to_owned(),
        reading: "Targets that are noise can be met only with more parameters than there are of them.".to_owned(),
        x: "P / nC".to_owned(),
        y: "share of seeds with L < 1e-8".to_owned(),
        log_x: true,
        series: vec![Series::measured("tanh networks, damped Gauss-Newton", reached)],
        ..Plot::default()
    });
    evidence.plot(Plot {
        title: "The kernel against the width".to_owned(),
        reading:
            "λ max hardly changes; λ min leaves rounding when there are more parameters than targets, and settles."
                .to_owned(),
        x: "width".to_owned(),
        y: "eigenvalue of K_c".to_owned(),
        log_x: true,
        log_y: true,
        series: vec![Series::measured("λ max", largest), Series::measured("λ min", smallest)],
        ..Plot::default()
    });
    Ok(evidence)
}
