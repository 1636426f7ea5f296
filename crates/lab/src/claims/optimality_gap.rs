//! How far above the minimum gradient descent at 1/L can still be.

use burn::tensor::Tensor;

use super::false_statement::beyond;
use super::problem::{geometric, gradient_descent, inner, norm};
use super::{
    Check, Claim, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench,
    descent::{Function, descend},
};
use crate::LabError;

pub const CLAIM: Claim = Claim {
    id: "optimality-gap",
    family: Family::Convergence,
    printed: r"$F(w_t)\le F_*+g_t^T(w_t-w^*)$; $\mathrm{gap}_t\le\frac{2L\|w_0-w^*\|}{t+1}$",
    exact: r"convex and $L$-smooth, $\alpha=1/L$: $\mathrm{gap}_t\le g_t^T(w_t-w^*)\le\|g_t\|\,\|w_t-w^*\|$ and $\mathrm{gap}_t\le\frac{2L\|w_0-w^*\|^2}{t+1}$, with the square",
    source: "lecture notes, Optimality Gap and Effects from Initialization; Nesterov 2018, Corollary 2.1.2",
    expected: Expectation::HoldsAsCorrected,
    false_statements: &[
        FalseStatement::pairs("the gap is above gᵀ(w − w*), as for a function that is not convex", "gap ≤ gᵀ", beyond),
        FalseStatement::pairs("Cauchy's inequality the other way round", "≤ ‖g‖‖w − w*‖", beyond),
        FalseStatement::pairs("the gap stays above its bound", "gap ≤ 2L‖w₀ − w*‖²/(t+1)", beyond),
        FalseStatement::pairs("the gap goes like 1/(t+1)²", "attained", |pair| Pair {
            right: pair.right / 1000.0,
            ..pair
        }),
    ],
    measure,
};

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let steps = bench.effort.of(300, 3000);
    let mut plotted = Vec::new();
    let mut follow = |name: &str, smoothness: f64, [start, solution]: [Tensor<1>; 2], minimum: f64, f: Function| {
        let first = start.clone() - solution.clone();
        let (mut convex, mut schwarz, mut bounds) = (Vec::new(), Vec::new(), Vec::new());
        descend(&gradient_descent(1.0 / smoothness), start, steps, f, |at| {
            let away = at.w - solution.clone();
            let (gap, along) = (at.value - minimum, inner(&at.gradient, &away));
            // Once the gap is rounding of the loss, nothing can be said of it.
            if gap > 1e-9 * minimum.max(1e-6) {
                convex.push((gap, along));
                schwarz.push((along, norm(&at.gradient) * norm(&away)));
                bounds.push((gap, 2.0 * smoothness * inner(&first, &first) / (at.step + 1) as f64));
            }
            Ok(true)
        })?;
        if name == "logistic regression" {
            plotted.clone_from(&bounds);
        }
        evidence.check(Check::at_most(format!("{name}: gap ≤ gᵀ(w − w*)"), 1e-6, convex));
        evidence.check(Check::at_most(format!("{name}: gᵀ(w − w*) ≤ ‖g‖‖w − w*‖"), 1e-12, schwarz));
        evidence.check(Check::at_most(format!("{name}: gap ≤ 2L‖w₀ − w*‖²/(t+1)"), 1e-12, bounds));
        Ok::<(), LabError>(())
    };
    let (objective, _, solution) = bench.least_squares(&geometric(0.01, 4.0, 10), [30, 10], 0.0, bench.seed)?;
    follow("least squares", 4.0, [bench.vector(&[1.0; 10]), solution], 0.0, &|w| Ok(objective.gradient(w)?))?;
    let logistic = bench.logistic(200, 10)?;
    let points = [bench.vector(&[1.0; 10]), logistic.solution.clone()];
    follow("logistic regression", logistic.smoothness, points, logistic.minimum, &|w| Ok(logistic.value(w)))?;

    // The bound's order is attained: Huber functions from where t steps are not enough.
    let mut attained = Vec::new();
    for t in [10usize, 100, 1000] {
        let slope = 1.0 / t as f64;
        let mut gap = 0.0;
        descend(&gradient_descent(1.0), bench.vector(&[1.0]), t / 2, bench.huber(slope), |at| {
            gap = at.value;
            Ok(true)
        })?;
        attained.push((0.1 * 2.0 / (t / 2 + 1) as f64, gap));
    }
    evidence.check(Check::at_most(
        "the order is attained: a tenth of 2L‖w₀ − w*‖²/(t+1) ≤ gap, Huber functions",
        0.0,
        attained,
    ));

    // ½w² from further away than 4: at t = 0 the gap is ½‖w₀‖² and the printed bound 2‖w₀‖.
    let mut printed = Vec::new();
    for distance in [1.0, 3.0, 5.0, 10.0] {
        let value = bench.bowl(&[1.0])(&bench.vector(&[distance]))?.0;
        printed.push((value, 2.0 * distance));
    }
    evidence.check(Check::at_most("½w² at t = 0: gap ≤ 2L‖w₀ − w*‖/(t+1)", 0.0, printed).printed());
    let room = plotted.iter().map(|(gap, bound)| bound / gap).fold(f64::INFINITY, f64::min);
    evidence.figure("smallest bound over gap, logistic regression", room);
    let at = |pick: fn(&(f64, f64)) -> f64| {
        plotted.iter().enumerate().map(move |(t, pair)| ((t + 1) as f64, pick(pair))).collect::<Vec<_>>()
    };
    evidence.plot(Plot {
        title: "Gap against its bound".to_owned(),
        reading: "Logistic regression under gradient descent at 1/L: the bound is pessimistic, and ever more so."
            .to_owned(),
        x: "t + 1".to_owned(),
        y: "gap".to_owned(),
        log_x: true,
        log_y: true,
        series: vec![
            Series::measured("gap", at(|pair| pair.0)),
            Series::bound("2L‖w₀ − w*‖²/(t+1)", at(|pair| pair.1)),
        ],
        ..Plot::default()
    });
    Ok(evidence)
}
