//! When every target can be met.

use losscape_analysis::AnalysisError;
use losscape_analysis::ntk::KernelSpectrum;
use losscape_krylov::dense;
use losscape_model::{Loss, MlpConfig, Parameterization};
use rayon::prelude::*;

use super::false_statement::around;
use super::problem::{inner, norm, solve, spectrum};
use super::{Check, Claim, Effect, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "overparameterization",
    family: Family::PolyakLojasiewicz,
    printed: r"non-convex losses contain many local optima; overparameterization allows for basins of global minima",
    exact: concat!(
        r"with $P<nC$ different starts end in strict local minima of different losses; zero loss needs $P\ge nC$ ",
        r"generically, and is reached with $P\gg nC$; there $\lambda_{\min}(K_c)>0$, while $\mathrm{rank}\,K\le P$",
    ),
    source: "lecture notes, Role of Overparameterization; Liu, Zhu & Belkin 2020, §2",
    expected: Expectation::Supported,
    false_statements: &[
        FalseStatement::pairs("K has full rank with fewer parameters than targets", "rank of K", |pair| Pair {
            left: pair.right + 1.0,
            ..pair
        }),
        FalseStatement::pairs("K stays singular with many parameters", "λ_min(K_c) > 0", |pair| Pair {
            right: 0.0,
            ..pair
        }),
        FalseStatement::pairs("one in four narrow networks meets all targets", "P < nC: share", |pair| Pair {
            left: 0.25,
            ..pair
        }),
        FalseStatement::samples("half of the wide networks meet them", "P ≥ 4nC: share", |samples| {
            around(samples, 0.5)
        }),
        FalseStatement::pairs("all starts end in one minimum", "many local optima", |pair| Pair { right: 1.0, ..pair }),
    ],
    measure,
};

const SAMPLES: usize = 40;

/// What one network came to.
struct Trial {
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

/// "There contain many local optima": where a narrow network ends from different starts on the same data.
fn local_optima(bench: &Workbench, evidence: &mut Evidence) -> Result<(), LabError> {
    let data = bench.teacher([SAMPLES, 4], 1.0, bench.seed)?;
    let config = MlpConfig::new([2]).with_parameterization(Parameterization::Ntk);
    let starts = bench.effort.of(40u64, 100);
    let ends = (0..starts).into_par_iter().map(|start| -> Result<_, LabError> {
        let network = bench.network(&config, 4, 1, bench.seed_of(1000 + start))?;
        let objective = bench.on(network, &data, Loss::squared_error())?;
        let mut w = solve(&objective, objective.parameters(), 0.0, 400)?.0;
        // Newton's steps from there, turned downhill and shortened until they lead down, until the gradient is
        // rounding.
        for _ in 0..200 {
            let point = objective.at(&w)?;
            if point.gradient_norm() < 1e-13 {
                break;
            }
            let pairs = dense::eigenpairs(dense::materialize(&point.hessian())).map_err(AnalysisError::from)?;
            let least = 1e-8 * pairs.0[pairs.0.len() - 1];
            let mut step = w.zeros_like();
            for (value, vector) in pairs.0.iter().zip(&pairs.1) {
                let vector = bench.vector(vector);
                step = step + vector.clone() * (inner(point.gradient(), &vector) / value.abs().max(least));
            }
            step = step.clone() * norm(&step).recip().min(1.0);
            let mut halvings = 0;
            while objective.value(&(w.clone() - step.clone()))? > point.loss() && halvings < 30 {
                (step, halvings) = (step * 0.5, halvings + 1);
            }
            w = w - step;
        }
        let point = objective.at(&w)?;
        let values = spectrum(&point.hessian())?;
        let [low, high] = [values[0], values[values.len() - 1]];
        // Others creep along a valley without end, with a unit that saturates.
        Ok((low > 1e-6 * high && point.gradient_norm() < 1e-10).then_some(point.loss()))
    });
    let mut losses: Vec<f64> = ends.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    let arrived = losses.len() as f64;
    losses.sort_by(f64::total_cmp);
    losses.dedup_by(|a, b| (*a - *b).abs() <= 1e-3 * *b);
    evidence.figure("strict local minima of different losses, width 2", losses.len() as f64);
    evidence
        .figure("share of starts that end in one, ‖g‖ < 1e-10 and λ_min(H) > 1e-6 λ_max(H)", arrived / starts as f64);
    evidence.figure("of so many starts", starts as f64);
    evidence.check(Check::at_most(
        "width 2, \"many local optima\": 2 ≤ strict minima of different losses",
        0.0,
        [(2.0, losses.len() as f64)],
    ));
    Ok(())
}

/// Noise as targets: nothing but parameters can meet them.
fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let widths = bench.effort.of(vec![2, 4, 8, 16, 32, 64], vec![2, 3, 4, 6, 8, 11, 16, 32, 64, 128, 256]);
    let seeds = bench.effort.of(4, 20);
    let jobs: Vec<(usize, usize)> =
        widths.iter().flat_map(|&width| (0..seeds).map(move |seed| (width, seed))).collect();
    let runs = jobs.into_par_iter().map(|(width, seed)| -> Result<Trial, LabError> {
        let own = bench.seed_of(seed as u64);
        let config = MlpConfig::new([width]).with_parameterization(Parameterization::Ntk);
        let network = bench.network(&config, 4, 1, own)?;
        let objective = bench.on(network, &bench.teacher([SAMPLES, 4], 1.0, own)?, Loss::squared_error())?;
        let kernel = KernelSpectrum::of(objective.kernel(&objective.parameters())?, objective.targets())?;
        let loss = solve(&objective, objective.parameters(), 1e-8, bench.effort.of(100, 400))?.1;
        let reached = loss < 1e-8;
        Ok(Trial { width, seed, rank: kernel.rank, min: kernel.trusted_min(), max: kernel.max, reached })
    });
    let runs: Vec<Trial> = runs.collect::<Result<_, _>>()?;
    let (mut reached, mut smallest, mut largest) = (Vec::new(), Vec::new(), Vec::new());
    for &width in &widths {
        let of = || runs.iter().filter(|run| run.width == width);
        let hits = of().filter(|run| run.reached).count();
        reached.push((parameters(width) / SAMPLES as f64, hits as f64 / seeds as f64));
        smallest.push((width as f64, of().map(|run| run.min).fold(f64::INFINITY, f64::min)));
        largest.push((width as f64, of().map(|run| run.max).fold(0.0, f64::max)));
    }
    let ranks: Vec<(f64, f64)> = runs.iter().map(|run| (run.rank as f64, parameters(run.width))).collect();
    let shares = |chosen: &dyn Fn(&Trial) -> bool| -> Vec<f64> {
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
    local_optima(bench, &mut evidence)?;
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
        reading: "λ max hardly changes; λ min leaves rounding when there are more parameters than targets, and \
                  settles."
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
