//! How far above the minimum gradient descent at 1/L can still be.

use burn::tensor::Tensor;

use super::problem::{geometric, gradient_descent, inner, norm};
use super::{
    Check, Claim, ClaimSettings, Evidence, Expectation, Family, Plot, Series,
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
    measure,
};

fn measure(settings: &ClaimSettings) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let steps = settings.effort.of(300, 3000);
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
    let (objective, _, solution) = settings.least_squares(&geometric(0.01, 4.0, 10), [30, 10], 0.0, settings.seed)?;
    follow("least squares", 4.0, [settings.vector(&[1.0; 10]), solution], 0.0, &|w| Ok(objective.gradient(w)?))?;
    let logistic = settings.logistic(200, 10)?;
    let points = [settings.vector(&[1.0; 10]), logistic.solution.clone()];
    follow("logistic regression", logistic.smoothness, points, logistic.minimum, &|w| Ok(logistic.value(w)))?;

    // ½w² from further away than 4: at t = 0 the gap is ½‖w₀‖² and the printed bound 2‖w₀‖.
    let mut printed = Vec::new();
    for distance in [1.0, 3.0, 5.0, 10.0] {
        let value = settings.bowl(&[1.0])(&settings.vector(&[distance]))?.0;
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
