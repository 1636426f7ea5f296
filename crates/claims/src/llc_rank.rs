//! The local learning coefficient of deep linear networks is known, and estimated from chains.

use burn::tensor::{DType, Tensor, TensorData};
use losscape_analysis::Objective;
use losscape_analysis::learning_coefficient::{ChainSettings, LearningCoefficient};
use losscape_lab::LabError;
use losscape_model::{Activation, Loss, Mlp, MlpConfig};
use losscape_tangent::parameters;
use rayon::prelude::*;

use super::false_statement::{around, none};
use super::problem::draws;
use super::{Check, Claim, Effect, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench};

pub const CLAIM: Claim = Claim {
    id: "llc-rank",
    family: Family::Flatness,
    printed: r"not in the notes; overparameterization is counted in parameters P",
    exact: concat!(
        r"the local learning coefficient of a deep linear network at its most singular solution of rank r is known in ",
        r"closed form: below $\frac P2$, and higher for a higher rank; chains find it within their own error in nine ",
        r"cases of ten",
    ),
    source: "Aoyagi 2024; Lau et al. 2025",
    expected: Expectation::Supported,
    false_statements: &[
        FalseStatement::samples("it is P/2 whatever the rank", "estimate over the known", |samples| {
            around(samples, 1.6)
        }),
        FalseStatement::samples("it is half of what is known", "estimate over the known", |samples| {
            around(samples, 0.5)
        }),
        FalseStatement::samples("the rank does not matter", "of rank r + 1 less", none),
        FalseStatement::pairs(
            "errors are those of an exact normal interval of half the width",
            "within their error",
            |pair| Pair { right: 0.68, ..pair },
        ),
        FalseStatement::pairs("every chain is refused", "chains that mix", |pair| Pair { right: 0.0, ..pair }),
    ],
    measure,
};

/// A case: the widths of the layers, and the rank of the solution.
type Case = (Vec<usize>, usize);

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let shapes: Vec<Vec<usize>> = bench.effort.of(
        vec![vec![2, 2, 2], vec![3, 2, 2]],
        vec![
            vec![2, 2, 2],
            vec![3, 2, 2],
            vec![3, 2, 3],
            vec![3, 3, 3],
            vec![4, 2, 3],
            vec![4, 3, 3],
            vec![4, 3, 4],
            vec![5, 3, 4],
            vec![2, 2, 2, 2],
            vec![3, 2, 2, 3],
            vec![3, 3, 3, 3],
            vec![4, 3, 3, 4],
            vec![5, 4, 5],
            vec![6, 3, 5],
        ],
    );
    let cases: Vec<Case> = shapes
        .iter()
        .flat_map(|widths| (0..=widths.iter().copied().min().unwrap_or(0)).map(move |rank| (widths.clone(), rank)))
        .collect();
    let runs = cases.par_iter().enumerate().map(|(at, (widths, rank))| -> Result<LearningCoefficient, LabError> {
        let (objective, w) = deep_linear(bench, widths, *rank)?;
        let settings = ChainSettings {
            inverse_temperature: Some(3000.0),
            draws: bench.effort.of(4000, 10_000),
            ..ChainSettings::default()
        };
        let random = |chain: usize| draws(bench.seed_of(at as u64), 40 + chain as u64);
        Ok(LearningCoefficient::at(&objective, &w, &settings, random, |_| {})?)
    });
    let runs: Vec<LearningCoefficient> = runs.collect::<Result<_, _>>()?;
    let known: Vec<f64> = cases.iter().map(|(widths, rank)| aoyagi(widths, *rank)).collect();
    let found: Vec<f64> = runs.iter().map(|run| run.value.unwrap_or(f64::NAN)).collect();
    let mixed: Vec<usize> = (0..runs.len()).filter(|&at| runs[at].value.is_some()).collect();
    let all = runs.len() as f64;
    evidence.figure("cases", all);
    evidence.check(
        Check::at_most("chains that mix, at least nine of ten: 0.9 ≤ share", 0.0, [(0.9, mixed.len() as f64 / all)])
            .condition(),
    );
    let within = mixed.iter().filter(|&&at| runs[at].error.is_some_and(|error| (found[at] - known[at]).abs() <= error));
    let share = within.count() as f64 / mixed.len().max(1) as f64;
    evidence.check(Check::at_most("cases within their error: 0.9 ≤ share", 0.0, [(0.9, share)]));
    let errors = mixed.iter().filter_map(|&at| Some(runs[at].error? / known[at].max(0.5)));
    evidence.figure("mean error over the coefficient", errors.sum::<f64>() / mixed.len().max(1) as f64);
    let positive = mixed.iter().filter(|&&at| known[at] > 0.0);
    evidence.effect(Effect::within(
        "estimate over the known coefficient",
        [0.9, 1.1],
        positive.map(|&at| found[at] / known[at]).collect::<Vec<_>>(),
    ));
    let steps = mixed.windows(2).filter(|pair| pair[1] == pair[0] + 1 && cases[pair[0]].0 == cases[pair[1]].0);
    evidence.effect(Effect::above(
        "coefficient of rank r + 1 less that of rank r",
        0.0,
        steps.map(|pair| found[pair[1]] - found[pair[0]]).collect::<Vec<_>>(),
    ));
    let points = |of: &dyn Fn(usize) -> f64| {
        let mut points: Vec<(f64, f64)> = mixed.iter().map(|&at| (known[at], of(at))).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points
    };
    evidence.plot(Plot {
        title: "Learning coefficients of deep linear networks".to_owned(),
        reading:
            "Estimates from Metropolis-adjusted Langevin chains at t = 3000, against the known values; the line is \
                  where both are equal."
                .to_owned(),
        x: "known coefficient".to_owned(),
        y: "estimate".to_owned(),
        series: vec![
            Series::measured("estimate", points(&|at| found[at])),
            Series::bound("equal", points(&|at| known[at])),
        ],
        ..Plot::default()
    });
    Ok(evidence)
}

/// A deep linear network whose loss is `½‖W_L … W_1 − W*‖²_F`, at the most singular of its solutions: every layer has
/// ones on the first r places of its diagonal.
fn deep_linear(bench: &Workbench, widths: &[usize], rank: usize) -> Result<(Objective<Mlp>, Tensor<1>), LabError> {
    bench.note(
        "deep linear networks without biases, ½‖W_L … W_1 − W*‖²_F by n = d orthogonal samples, f64, widths",
        widths,
    );
    let (inputs, outputs) = (widths[0], widths[widths.len() - 1]);
    let config = MlpConfig::new(&widths[1..widths.len() - 1]).with_activation(Activation::Identity).with_bias(false);
    let network = config.init(inputs, outputs, bench.seed, &bench.device.clone().autodiff(), DType::F64)?;
    let diagonal = |rows: usize, columns: usize, value: f64, rank: usize| -> Tensor<2> {
        let entry = |at: usize| if at / columns == at % columns && at / columns < rank { value } else { 0.0 };
        let values: Vec<f64> = (0..rows * columns).map(entry).collect();
        Tensor::from_data(TensorData::new(values, [rows, columns]), (&bench.device, DType::F64))
    };
    let layers = widths.windows(2).map(|pair| diagonal(pair[1], pair[0], 1.0, rank).reshape([-1]));
    let w: Tensor<1> = Tensor::cat(layers.collect(), 0);
    let length = (inputs as f64).sqrt();
    let (x, y) = (diagonal(inputs, inputs, length, inputs), diagonal(inputs, outputs, length, rank));
    let network = parameters::unravel(network, &w).map_err(|error| LabError::Network { problem: error.to_string() })?;
    Ok((Objective::new(network, x, y, Loss::squared_error())?, w))
}

/// The learning coefficient of a deep linear network of these widths at a solution of rank r (Aoyagi 2024):
/// with `Δ_i = H_i − r`, and those ℓ + 1 of them, the smallest, whose sum is at least ℓ times the largest of them and
/// below ℓ times every other one, `S = ΣΔ`, `a = S − (⌈S/ℓ⌉ − 1) ℓ`:
///
/// `λ = ½(r (H_1 + H_{L+1}) − r²) + a (ℓ − a)/(4ℓ) − (ℓ − 1) S²/(4ℓ) + ½ Σ_{i<j} Δ_i Δ_j`.
fn aoyagi(widths: &[usize], rank: usize) -> f64 {
    let mut rest: Vec<f64> = widths.iter().map(|width| (width - rank) as f64).collect();
    rest.sort_by(f64::total_cmp);
    let chosen = (2..=rest.len()).rev().find(|&count| {
        let (sum, l) = (rest[..count].iter().sum::<f64>(), (count - 1) as f64);
        sum >= l * rest[count - 1] && rest.get(count).is_none_or(|next| sum < l * next)
    });
    let chosen = &rest[..chosen.unwrap_or(2)];
    let (sum, l) = (chosen.iter().sum::<f64>(), (chosen.len() - 1) as f64);
    let a = sum - ((sum / l).ceil() - 1.0) * l;
    let pairs = 0.5 * (sum * sum - chosen.iter().map(|value| value * value).sum::<f64>());
    let (r, ends) = (rank as f64, (widths[0] + widths[widths.len() - 1]) as f64);
    0.5 * (r * ends - r * r) + a * (l - a) / (4.0 * l) - (l - 1.0) / (4.0 * l) * sum * sum + 0.5 * pairs
}
