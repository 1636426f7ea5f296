//! How far above the minimum gradient descent at 1/L can still be.

use burn::tensor::Tensor;

use super::false_statement::tighter;
use super::problem::{geometric, gradient_descent, inner, norm};
use super::{
    Check, Claim, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench,
    descent::{Function, descend},
};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "optimality-gap",
    family: Family::Convergence,
    printed: r"$F(w_t)\le F_*+g_t^T(w_t-w^*)$; $\mathrm{gap}_t\le\frac{2L\|w_0-w^*\|}{t+1}$",
    exact: concat!(
        r"convex and $L$-smooth, $\alpha=1/L$: $\mathrm{gap}_t\le g_t^T(w_t-w^*)\le\|g_t\|\,\|w_t-w^*\|$ and ",
        r"$\mathrm{gap}_t\le\frac{2L\|w_0-w^*\|^2}{t+1}$, with the square; even ",
        r"$\mathrm{gap}_t\le\frac{L\|w_0-w^*\|^2}{4t+2}$, which Huber functions attain for every $t$",
    ),
    source: "lecture notes, Optimality Gap and Effects from Initialization; Nesterov 2018, Corollary 2.1.2; Drori & \
             Teboulle 2014, Theorems 1 and 2",
    expected: Expectation::HoldsAsCorrected,
    false_statements: &[
        FalseStatement::pairs("the gap is at most 0.9 gᵀ(w − w*)", "gap ≤ gᵀ", tighter),
        FalseStatement::pairs("the gap is at most ½gᵀ(w − w*), as on quadratics", "gap ≤ gᵀ", |pair| Pair {
            right: 0.5 * pair.right,
            ..pair
        }),
        FalseStatement::pairs("gᵀ(w − w*) is at most 0.9 ‖g‖‖w − w*‖", "≤ ‖g‖‖w − w*‖", tighter),
        FalseStatement::pairs("the gap is below 0.9 L‖w₀ − w*‖²/(4t+2)", "gap ≤ L‖w₀ − w*‖²/(4t+2)", tighter),
        // Its own constant is eight times too large for large t: nothing attains it.
        FalseStatement::pairs("the gap is below a ninth of 2L‖w₀ − w*‖²/(t+1)", "gap ≤ 2L", |pair| Pair {
            right: pair.right / 9.0,
            ..pair
        }),
        FalseStatement::pairs("the gap of Huber functions goes like 1/t²", "Huber functions, δ", |pair| Pair {
            right: pair.right * pair.right,
            ..pair
        }),
        FalseStatement::pairs("the gap of Huber functions is below 0.9 of that", "Huber functions, δ", tighter),
    ],
    measure,
};

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let steps = bench.effort.of(300, 3000);
    let (mut convex, mut schwarz, mut bounds, mut sharp) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut follow = |smoothness: f64, [start, solution]: [Tensor<1>; 2], minimum: f64, steps: usize, f: Function| {
        let first = start.clone() - solution.clone();
        let mut gaps = Vec::new();
        descend(&gradient_descent(1.0 / smoothness), start, steps, f, |at| {
            let away = at.w - solution.clone();
            let (gap, along) = (at.value - minimum, inner(&at.gradient, &away));
            // Once the gap is rounding of the loss, nothing can be said of it.
            if gap > 1e-9 * minimum.max(1e-6) {
                convex.push((gap, along));
                schwarz.push((along, norm(&at.gradient) * norm(&away)));
                let scale = smoothness * inner(&first, &first);
                gaps.push((gap, 2.0 * scale / (at.step + 1) as f64));
                sharp.push((gap, scale / (4 * at.step + 2) as f64));
            }
            Ok(true)
        })?;
        bounds.extend_from_slice(&gaps);
        Ok::<_, LabError>(gaps)
    };
    let (objective, _, solution) = bench.least_squares(&geometric(0.01, 4.0, 10), [30, 10], 0.0, bench.seed)?;
    follow(4.0, [bench.vector(&[1.0; 10]), solution], 0.0, steps, &|w| Ok(objective.gradient(w)?))?;
    let logistic = bench.logistic(200, 10, bench.seed)?;
    let points = [bench.vector(&[1.0; 10]), logistic.solution.clone()];
    let plotted = follow(logistic.smoothness, points, logistic.minimum, steps, &|w| Ok(logistic.value(w)))?;
    // Huber functions that t steps are not enough for: none that is convex has a larger gap after so many.
    let mut attained = Vec::new();
    for t in [1usize, 10, 100, 1000] {
        let points = [1.0, 0.0].map(|x| bench.vector(&[x]));
        let gaps = follow(1.0, points, 0.0, t, &bench.huber(1.0 / (2 * t + 1) as f64))?;
        attained.push((gaps[t].0, 1.0 / (4 * t + 2) as f64));
    }
    let on = "least squares, logistic regression, Huber functions";
    evidence.check(Check::at_most(format!("gap ≤ gᵀ(w − w*): {on}"), 1e-6, convex));
    evidence.check(Check::at_most(format!("gᵀ(w − w*) ≤ ‖g‖‖w − w*‖: {on}"), 1e-12, schwarz));
    evidence.check(Check::at_most(format!("gap ≤ 2L‖w₀ − w*‖²/(t+1): {on}"), 1e-12, bounds));
    evidence.check(Check::at_most(format!("gap ≤ L‖w₀ − w*‖²/(4t+2): {on}"), 1e-9, sharp));
    evidence.check(Check::equal("Huber functions, δ = 1/(2t+1): gap = L‖w₀ − w*‖²/(4t+2)", 1e-9, attained));

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
