//! Gradient descent on a convex function never moves away from a minimizer.

use burn::tensor::Tensor;

use super::problem::{geometric, gradient_descent, norm};
use super::{
    Check, Claim, ClaimSettings, Evidence, Expectation, Family, Plot, Series,
    descent::{Function, descend},
};
use crate::LabError;

pub const CLAIM: Claim = Claim {
    id: "initialization-distance",
    family: Family::Convergence,
    printed: r"the distance to the optimum is largest at the initialization",
    exact: r"$\|w_{t+1}-w^*\|\le\|w_t-w^*\|$ for convex $L$-smooth $f$ and $\alpha\le\frac2L$",
    source: "lecture notes, Effects from Initialization; Nesterov 2018, Theorem 2.1.14",
    expected: Expectation::Holds,
    measure,
};

fn measure(settings: &ClaimSettings) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let steps = settings.effort.of(300, 3000);
    let mut series = Vec::new();
    let mut follow = |name: String, rate: f64, [start, solution]: [Tensor<1>; 2], f: Function| {
        let mut distances = Vec::new();
        descend(&gradient_descent(rate), start, steps, f, |at| {
            distances.push((at.step as f64, norm(&(at.w - solution.clone()))));
            Ok(true)
        })?;
        let first = distances[0].1;
        // Near the solution distances are rounding.
        let pairs = distances.windows(2).filter(|pair| pair[0].1 > 1e-10 * first).map(|pair| (pair[1].1, pair[0].1));
        evidence.check(Check::at_most(format!("{name}: ‖w⁺ − w*‖ ≤ ‖w − w*‖"), 1e-12, pairs.collect::<Vec<_>>()));
        series.push(Series::measured(name, distances));
        Ok::<(), LabError>(())
    };
    let (objective, _, solution) = settings.least_squares(&geometric(0.01, 4.0, 10), [30, 10], 0.0, settings.seed)?;
    let logistic = settings.logistic(200, 10)?;
    for factor in [1.0, 2.0] {
        let points = [settings.vector(&[1.0; 10]), solution.clone()];
        follow(format!("least squares, {factor}/L"), factor / 4.0, points, &|w| Ok(objective.gradient(w)?))?;
        let points = [settings.vector(&[1.0; 10]), logistic.solution.clone()];
        let rate = factor / logistic.smoothness;
        follow(format!("logistic regression, {factor}/L"), rate, points, &|w| Ok(logistic.value(w)))?;
    }
    // A network: to where its own training ends.
    let objective = settings.student(&[16], 20, settings.seed)?;
    let mut path = Vec::new();
    descend(
        &gradient_descent(0.3),
        objective.parameters(),
        steps,
        |w| Ok(objective.gradient(w)?),
        |at| {
            path.push(at.w);
            Ok(true)
        },
    )?;
    let last = path[path.len() - 1].clone();
    let distances: Vec<f64> = path.iter().map(|w| norm(&(w.clone() - last.clone()))).collect();
    let nearer = distances.windows(2).filter(|pair| pair[1] <= pair[0]).count();
    evidence
        .figure("share of an MLP's steps that come nearer to its end", nearer as f64 / (distances.len() - 1) as f64);
    evidence.plot(Plot {
        title: "Distance to the minimizer".to_owned(),
        reading: "It never grows, up to the largest step that convexity allows.".to_owned(),
        x: "step".to_owned(),
        y: "‖w − w*‖".to_owned(),
        log_y: true,
        series,
        ..Plot::default()
    });
    Ok(evidence)
}
