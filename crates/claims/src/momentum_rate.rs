//! How fast gradient descent and the heavy ball converge at their best on a quadratic.

use losscape_optim::momentum::MomentumConfig;
use losscape_optim::{OptimizerConfig, RuleConfig};

use super::false_statement::{doubled, swapped};
use super::problem::{gradient_descent, norm};
use super::{
    Check, Claim, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench, descent::descend,
};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "momentum-rate",
    family: Family::Convergence,
    printed: r"momentum allows faster convergence",
    exact: concat!(
        r"on a quadratic of condition $\kappa$ the best rates are $\frac{\kappa-1}{\kappa+1}$ for gradient descent ",
        r"and $\frac{\sqrt\kappa-1}{\sqrt\kappa+1}$ for the heavy ball",
    ),
    source: "lecture notes, Momentum; Polyak 1964",
    expected: Expectation::Holds,
    false_statements: &[
        FalseStatement::pairs(
            "the rate of gradient descent is 1 − 1/κ",
            "gradient descent: log of the rate",
            |pair| Pair { left: 0.5 * pair.left, ..pair },
        ),
        FalseStatement::pairs("the heavy ball's rate is the square of that", "heavy ball: log of the rate", doubled),
        FalseStatement::pairs("the heavy ball is no faster", "rate of the heavy ball ≤", swapped),
        FalseStatement::pairs("other rates or factors are faster", "no better", |pair| Pair {
            right: 1.1 * pair.left,
            ..pair
        }),
    ],
    measure,
};

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let (mut descent, mut ball, mut faster) = (Vec::new(), Vec::new(), Vec::new());
    let (mut slow, mut fast, mut best) = (Vec::new(), Vec::new(), Vec::new());
    for kappa in bench.effort.of(vec![10.0, 100.0, 1e4], vec![10.0, 30.0, 100.0, 1e3, 1e4]) {
        let root = f64::sqrt(kappa);
        let eigenvalues = [1.0, 0.5 * (1.0 + 1.0 / kappa), 1.0 / kappa];
        // Gradient descent at 2/(1 + 1/κ) shrinks both ends alike, from the first step on.
        let of = [(kappa - 1.0) / (kappa + 1.0), (root - 1.0) / (root + 1.0)];
        let found = rate(bench, &gradient_descent(2.0 / (1.0 + 1.0 / kappa)), &eigenvalues, 200)?;
        descent.push((found.ln(), of[0].ln()));
        // The heavy ball's factor is a double root: the distance falls as (1 + t) ρᵗ.
        let config = OptimizerConfig::new(
            RuleConfig::Momentum(MomentumConfig { momentum: of[1] * of[1] }),
            (2.0 / (1.0 + 1.0 / root)).powi(2),
        );
        let heavy = rate(bench, &config, &eigenvalues, (30.0 * root) as usize)?;
        ball.push((heavy.ln(), of[1].ln()));
        faster.push((heavy, found));
        if kappa <= 100.0 {
            for [rate, factor] in [[0.95, 1.0], [1.05, 1.0], [1.0, 0.8], [1.0, 1.2]] {
                let mut other = config.clone();
                other.learning_rate *= rate;
                other.rule = RuleConfig::Momentum(MomentumConfig { momentum: (factor * of[1] * of[1]).min(0.99) });
                best.push((of[1].ln(), shrinking(bench, &other, &eigenvalues, of[1])?));
            }
            for factor in [0.9, 1.02] {
                let other = gradient_descent(factor * 2.0 / (1.0 + 1.0 / kappa));
                best.push((of[0].ln(), shrinking(bench, &other, &eigenvalues, of[0])?));
            }
        }
        slow.push((kappa, -1.0 / found.ln()));
        fast.push((kappa, -1.0 / heavy.ln()));
    }
    evidence.check(Check::equal("gradient descent: log of the rate = log (κ−1)/(κ+1)", 0.02, descent));
    evidence.check(Check::equal("heavy ball: log of the rate = log (√κ−1)/(√κ+1)", 0.02, ball));
    evidence.check(Check::at_most("rate of the heavy ball ≤ that of gradient descent", 0.0, faster));
    evidence.check(Check::at_most(
        "other rates and factors are no better: log of the best rate ≤ log of theirs",
        0.0,
        best,
    ));
    evidence
        .figure("steps for a factor e at the largest κ, gradient descent", slow.last().map_or(f64::NAN, |last| last.1));
    evidence.figure("the same, heavy ball", fast.last().map_or(f64::NAN, |last| last.1));
    evidence.plot(Plot {
        title: "Steps for a factor e".to_owned(),
        reading: "Gradient descent needs about κ/2 steps, the heavy ball about √κ/2.".to_owned(),
        x: "condition κ".to_owned(),
        y: "steps".to_owned(),
        log_x: true,
        log_y: true,
        series: vec![Series::measured("gradient descent", slow), Series::measured("heavy ball", fast)],
        ..Plot::default()
    });
    Ok(evidence)
}

/// The mean log of the factor by which a step shrinks the distance, over a path on which the best rate leaves 1e-100.
fn shrinking(bench: &Workbench, config: &OptimizerConfig, eigenvalues: &[f64], best: f64) -> Result<f64, LabError> {
    let steps = (-230.0 / best.ln()) as usize;
    let (start, mut last) = (bench.vector(&vec![1.0; eigenvalues.len()]), 0.0);
    let first = norm(&start);
    descend(config, start, steps, bench.bowl(eigenvalues), |at| {
        last = norm(&at.w);
        Ok(true)
    })?;
    Ok((last / first).ln() / steps as f64)
}

/// The factor by which a step shrinks the distance to the minimum in the end, from the last two thirds of a path. A
/// double root's factor t is taken out by a second fit: `log ‖w_t‖ = a + t log ρ + p log t` through three points.
fn rate(bench: &Workbench, config: &OptimizerConfig, eigenvalues: &[f64], steps: usize) -> Result<f64, LabError> {
    let mut distances = Vec::new();
    let start = bench.vector(&vec![1.0; eigenvalues.len()]);
    descend(config, start, steps, bench.bowl(eigenvalues), |at| {
        distances.push(norm(&at.w));
        Ok(true)
    })?;
    let [a, b, c] = [steps / 3, 2 * steps / 3, steps];
    let log = |at: usize| distances[at].ln();
    let (t, u) = ((b - a) as f64, (c - b) as f64);
    let (p, q) = ((b as f64 / a as f64).ln(), (c as f64 / b as f64).ln());
    // Two differences, two unknowns: t x + p y = log b − log a, u x + q y = log c − log b.
    let (first, second) = (log(b) - log(a), log(c) - log(b));
    Ok(((first * q - second * p) / (t * q - u * p)).exp())
}
