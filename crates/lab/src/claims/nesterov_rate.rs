//! Nesterov's acceleration: its bounds, and that its two forms are one.

use losscape_optim::nesterov::{Form, NesterovConfig};
use losscape_optim::{OptimizerConfig, RuleConfig};

use super::false_statement::{beyond, swapped};
use super::problem::{draws, geometric, gradient_descent, inner, norm, numbers};
use super::{
    Check, Claim, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench, descent::descend,
};
use crate::LabError;

pub const CLAIM: Claim = Claim {
    id: "nesterov-rate",
    family: Family::Convergence,
    printed: r"extend the previous step, then calculate the gradient: converges much faster",
    exact: r"convex: $\mathrm{gap}_t\le\frac{2L\|w_0-w^*\|^2}{(t+1)^2}$; strongly convex with $b=\frac{\sqrt\kappa-1}{\sqrt\kappa+1}$: $\mathrm{gap}_t\le(1-\frac1{\sqrt\kappa})^t\left(\mathrm{gap}_0+\frac\mu2\|w_0-w^*\|^2\right)$",
    source: "lecture notes, Nesterov's Accelerated Gradient; Nesterov 1983; Nesterov 2018, Theorems 2.2.1 and 2.2.3",
    expected: Expectation::Holds,
    false_statements: &[
        FalseStatement::pairs("the gap stays above its bound", "strongly convex: gap ≤", beyond),
        FalseStatement::pairs("gradient descent keeps to these bounds too", "gradient descent does not keep", swapped),
        FalseStatement::pairs("Nesterov's method is no faster", "gap of Nesterov ≤", swapped),
        FalseStatement::pairs("the gap stays above the convex bound", "convex: gap ≤", beyond),
        FalseStatement::pairs("the two forms differ by a thousandth", "form", |pair| Pair {
            left: 1e9 * pair.right,
            ..pair
        }),
    ],
    measure,
};

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let steps = bench.effort.of(300, 3000);
    // Strongly convex.
    let (mut strong, mut faster, mut slower, mut series) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for kappa in [10.0, 100.0, 1000.0] {
        let root = f64::sqrt(kappa);
        let eigenvalues = geometric(1.0 / kappa, 1.0, 20);
        let start = bench.normal(20, &mut draws(bench.seed, 8));
        let momentum = (root - 1.0) / (root + 1.0);
        let gaps = path(bench, &nesterov(momentum, Form::LookAhead), &eigenvalues, &start, steps)?;
        let plain = path(bench, &gradient_descent(1.0), &eigenvalues, &start, steps)?;
        let first = gaps[0] + 0.5 / kappa * inner(&start, &start);
        let bounded = gaps.iter().enumerate().map(|(t, gap)| (*gap, (1.0 - 1.0 / root).powi(t as i32) * first));
        let last = steps.min(300);
        if kappa > 10.0 {
            slower.push(((1.0 - 1.0 / root).powi(last as i32) * first, plain[last]));
        }
        strong.extend(bounded.filter(|(_, bound)| *bound > 1e-25));
        faster.push((gaps[100], plain[100]));
        if kappa == 1000.0 {
            let points = |gaps: &[f64]| gaps.iter().enumerate().map(|(t, gap)| (t as f64, *gap)).collect::<Vec<_>>();
            let bound: Vec<(f64, f64)> =
                (0..gaps.len()).map(|t| (t as f64, (1.0 - 1.0 / root).powi(t as i32) * first)).collect();
            series = vec![
                Series::measured("gradient descent", points(&plain)),
                Series::measured("Nesterov", points(&gaps)),
                Series::bound("bound", bound),
            ];
        }
    }
    evidence.check(Check::at_most("strongly convex: gap ≤ (1 − 1/√κ)ᵗ (gap₀ + μ/2 ‖w₀ − w*‖²)", 1e-9, strong));
    evidence.check(Check::at_most("gap of Nesterov ≤ gap of gradient descent after 100 steps", 0.0, faster));

    // Convex: eigenvalues down to nothing, and the weights t/(t + 3), written out since no configuration has them.
    let eigenvalues: Vec<f64> = (0..100).map(|at| (f64::from(at + 1) / 100.0).powi(4)).collect();
    let start = bench.normal(100, &mut draws(bench.seed, 9));
    let curvature = bench.vector(&eigenvalues);
    let gap = |w: &burn::tensor::Tensor<1>| 0.5 * inner(w, &(w.clone() * curvature.clone()));
    let (mut w, mut before) = (start.clone(), start.clone());
    let steps = bench.effort.of(1000, 3000);
    let mut convex = Vec::new();
    for t in 0..steps {
        convex.push((gap(&w), 2.0 * inner(&start, &start) / ((t + 1) as f64).powi(2)));
        let ahead = w.clone() + (w.clone() - before) * (t as f64 / (t + 3) as f64);
        before = w;
        w = ahead.clone() - ahead * curvature.clone();
    }
    let plain = path(bench, &gradient_descent(1.0), &eigenvalues, &start, steps)?;
    slower.push((2.0 * inner(&start, &start) / ((steps + 1) as f64).powi(2), plain[steps]));
    evidence.check(Check::at_most("convex: gap ≤ 2L‖w₀ − w*‖²/(t+1)²", 1e-9, convex));
    evidence.check(Check::at_most("gradient descent does not keep to these bounds: bound ≤ its gap", 0.0, slower));

    // One step later, the re-parameterised form stands at the extended point of the look-ahead form.
    let (momentum, eigenvalues) = (0.8, geometric(0.01, 1.0, 10));
    let start = bench.normal(10, &mut draws(bench.seed, 10));
    let points = |form: Form| -> Result<Vec<Vec<f64>>, LabError> {
        let mut points = Vec::new();
        descend(&nesterov(momentum, form), start.clone(), 50, bench.bowl(&eigenvalues), |at| {
            points.push(numbers(&at.w));
            Ok(true)
        })?;
        Ok(points)
    };
    let (ahead, other) = (points(Form::LookAhead)?, points(Form::Reparameterised)?);
    let away = (1..50).map(|t| {
        let extended = ahead[t].iter().zip(&ahead[t - 1]).map(|(now, before)| now + momentum * (now - before));
        let squares: f64 = extended.zip(&other[t]).map(|(extended, other)| (extended - other).powi(2)).sum();
        (squares.sqrt(), 1e-12 * norm(&start))
    });
    let name = "‖extended point of one form − point of the other‖ ≤ 1e-12 ‖w₀‖";
    evidence.check(Check::at_most(name, 0.0, away.collect::<Vec<_>>()));
    let last = &series[1].points;
    evidence.figure("gap after 100 steps at κ = 1000", last[100].1);
    evidence.figure("the same for gradient descent", series[0].points[100].1);
    evidence.plot(Plot {
        title: "Nesterov against gradient descent".to_owned(),
        reading:
            "A quadratic of condition 1000: the bound falls by a factor e every √κ steps, gradient descent every κ/2."
                .to_owned(),
        x: "step".to_owned(),
        y: "gap".to_owned(),
        log_y: true,
        series,
        ..Plot::default()
    });
    Ok(evidence)
}

fn nesterov(momentum: f64, form: Form) -> OptimizerConfig {
    OptimizerConfig::new(RuleConfig::Nesterov(NesterovConfig { momentum, form }), 1.0)
}

fn path(
    bench: &Workbench,
    config: &OptimizerConfig,
    eigenvalues: &[f64],
    start: &burn::tensor::Tensor<1>,
    steps: usize,
) -> Result<Vec<f64>, LabError> {
    let mut gaps = Vec::new();
    descend(config, start.clone(), steps, bench.bowl(eigenvalues), |at| {
        gaps.push(at.value);
        Ok(true)
    })?;
    Ok(gaps)
}
