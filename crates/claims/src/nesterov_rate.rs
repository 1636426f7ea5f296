//! Nesterov's acceleration: its bounds, and that its two forms are one.

use burn::tensor::Tensor;
use losscape_optim::OptimizerConfig;
use losscape_optim::nesterov::{Form, NesterovConfig};

use super::false_statement::{swapped, tighter};
use super::problem::{draws, geometric, gradient_descent, inner, norm, numbers};
use super::{
    Check, Claim, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench,
    descent::{Function, descend},
};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "nesterov-rate",
    family: Family::Convergence,
    printed: r"extend the previous step, then calculate the gradient: converges much faster",
    exact: concat!(
        r"convex: $\mathrm{gap}_t\le\frac{2L\|w_0-w^*\|^2}{(t+1)^2}$; strongly convex with ",
        r"$b=\frac{\sqrt\kappa-1}{\sqrt\kappa+1}$: ",
        r"$\mathrm{gap}_t\le(1-\frac1{\sqrt\kappa})^t\left(\mathrm{gap}_0+\frac\mu2\|w_0-w^*\|^2\right)$; Huber ",
        r"functions attain the first for large $t$, the smallest curvature the second to about $\frac2e$ at ",
        r"$t=\sqrt\kappa$",
    ),
    source: "lecture notes, Nesterov's Accelerated Gradient; Nesterov 1983; Nesterov 2018, Theorems 2.2.1 and 2.2.3",
    expected: Expectation::Holds,
    false_statements: &[
        // Its exponent is not attained: along the smallest curvature the gap is half the bracket times (1 + t/√κ)²(1 −
        // 1/√κ)²ᵗ.
        FalseStatement::pairs("the gap is below 0.7 of the bound", "strongly convex: gap", |pair| Pair {
            right: 0.7 * pair.right,
            ..pair
        }),
        FalseStatement::pairs("the factor is (1 − 1/√κ)² per step", "strongly convex: gap", |pair| Pair {
            right: pair.right * pair.right,
            ..pair
        }),
        FalseStatement::pairs("along the smallest curvature the gap falls like the bound", "curvature: gap", |pair| {
            Pair { right: pair.right.sqrt(), ..pair }
        }),
        FalseStatement::pairs("gradient descent keeps to these bounds too", "gradient descent does not keep", swapped),
        FalseStatement::pairs("Nesterov's method is no faster", "gap of Nesterov ≤", swapped),
        FalseStatement::pairs("the gap is below 1.8L‖w₀ − w*‖²/(t+1)²", "2L‖w₀ − w*‖²/(t+1)²", tighter),
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
    let mut slowest = Vec::new();
    for kappa in [10.0, 100.0, 1000.0] {
        let root = f64::sqrt(kappa);
        let eigenvalues = geometric(1.0 / kappa, 1.0, 20);
        let start = bench.normal(20, &mut draws(bench.seed, 8));
        let momentum = (root - 1.0) / (root + 1.0);
        let gaps = path(bench, &nesterov(momentum, Form::LookAhead), &eigenvalues, &start, steps)?;
        let plain = path(bench, &gradient_descent(1.0), &eigenvalues, &start, steps)?;
        let first = gaps[0] + 0.5 / kappa * inner(&start, &start);
        let bounded = gaps.iter().enumerate().map(|(t, gap)| (*gap / first, (1.0 - 1.0 / root).powi(t as i32)));
        let last = steps.min(300);
        if kappa > 10.0 {
            slower.push(((1.0 - 1.0 / root).powi(last as i32) * first, plain[last]));
        }
        strong.extend(bounded.filter(|(_, bound)| *bound > 1e-25));
        let alone = path(bench, &nesterov(momentum, Form::LookAhead), &[1.0 / kappa], &bench.vector(&[1.0]), steps)?;
        for (t, gap) in alone.iter().enumerate().take_while(|(_, gap)| **gap > 1e-25) {
            let factor = (1.0 - 1.0 / root).powi(t as i32);
            strong.push((gap / (2.0 * alone[0]), factor));
            slowest.push((gap / alone[0], ((1.0 + t as f64 / root) * factor).powi(2)));
        }
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
    let name = "strongly convex: gap/(gap₀ + μ/2 ‖w₀ − w*‖²) ≤ (1 − 1/√κ)ᵗ";
    evidence.check(Check::at_most(name, 1e-9, strong));
    let name = "along the smallest curvature: gap/gap₀ = (1 + t/√κ)²(1 − 1/√κ)²ᵗ";
    evidence.check(Check::equal(name, 1e-6, slowest));
    evidence.check(Check::at_most("gap of Nesterov ≤ gap of gradient descent after 100 steps", 0.0, faster));

    // Convex: eigenvalues down to nothing, and the weights t/(t + 3), written out since no configuration has them.
    let eigenvalues: Vec<f64> = (0..100).map(|at| (f64::from(at + 1) / 100.0).powi(4)).collect();
    let start = bench.normal(100, &mut draws(bench.seed, 9));
    let curvature = bench.vector(&eigenvalues);
    let gap = |w: &Tensor<1>| 0.5 * inner(w, &(w.clone() * curvature.clone()));
    let steps = bench.effort.of(1000, 3000);
    let mut convex = Vec::new();
    let quadratic = |w: &Tensor<1>| Ok((gap(w), w.clone() * curvature.clone()));
    convex.extend(accelerated(&start, steps, &quadratic)?);
    // On a line of slope δ it has gone (t² + 7t)δ/8 after t steps; Huber functions end there where the gap is largest.
    for t in [10usize, 100, 1000] {
        let gone = (t * t + 7 * t) as f64 / 8.0;
        convex.extend(accelerated(&bench.vector(&[1.0]), t, &bench.huber(1.0 / (2.0 * gone + 1.0)))?);
    }
    let plain = path(bench, &gradient_descent(1.0), &eigenvalues, &start, steps)?;
    slower.push((2.0 * inner(&start, &start) / ((steps + 1) as f64).powi(2), plain[steps]));
    let name = "a quadratic, Huber functions: gap ≤ 2L‖w₀ − w*‖²/(t+1)²";
    evidence.check(Check::at_most(name, 1e-9, convex));
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
        reading: "A quadratic of condition 1000: the bound falls by a factor e every √κ steps, gradient descent every \
                  κ/2."
            .to_owned(),
        x: "step".to_owned(),
        y: "gap".to_owned(),
        log_y: true,
        series,
        ..Plot::default()
    });
    Ok(evidence)
}

/// The convex form on a function with smoothness one and its minimum, zero, at zero: gaps and their bounds.
fn accelerated(start: &Tensor<1>, steps: usize, function: Function) -> Result<Vec<(f64, f64)>, LabError> {
    let (mut w, mut before, mut pairs) = (start.clone(), start.clone(), Vec::new());
    for t in 0..=steps {
        pairs.push((function(&w)?.0, 2.0 * inner(start, start) / ((t + 1) as f64).powi(2)));
        let ahead = w.clone() + (w.clone() - before) * (t as f64 / (t + 3) as f64);
        before = w;
        w = ahead.clone() - function(&ahead)?.1;
    }
    Ok(pairs)
}

fn nesterov(momentum: f64, form: Form) -> OptimizerConfig {
    OptimizerConfig::new(NesterovConfig { momentum, form }, 1.0)
}

fn path(
    bench: &Workbench,
    config: &OptimizerConfig,
    eigenvalues: &[f64],
    start: &Tensor<1>,
    steps: usize,
) -> Result<Vec<f64>, LabError> {
    let mut gaps = Vec::new();
    descend(config, start.clone(), steps, bench.bowl(eigenvalues), |at| {
        gaps.push(at.value);
        Ok(true)
    })?;
    Ok(gaps)
}
