//! A global smoothness constant is above the curvature that a path meets, and its inverse below the best step.

use super::problem::{geometric, gradient_descent, inner, largest};
use super::{Check, Claim, ClaimSettings, Evidence, Expectation, Family, Plot, Series, descent::descend};
use crate::LabError;

pub const CLAIM: Claim = Claim {
    id: "lipschitz-pessimism",
    family: Family::StepSize,
    printed: r"one should not set the step to $1/L$: the bound is pessimistic, a supremum over all possible inputs",
    exact: r"$\lambda_{\max}(H(w_t))\le L=\sup_w\|\nabla^2f(w)\|$ along the path, and the best constant step is above $\frac1L$",
    source: "lecture notes, Effects from Initialization",
    expected: Expectation::Holds,
    measure,
};

fn measure(settings: &ClaimSettings) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let logistic = settings.logistic(200, 10)?;
    let smoothness = logistic.smoothness;
    let start = || settings.vector(&[1.0; 10]);
    // Curvature along the gradient, from two gradients: what a step feels.
    let mut curvatures = Vec::new();
    let mut top = 0f64;
    descend(
        &gradient_descent(1.0 / smoothness),
        start(),
        settings.effort.of(100, 1000),
        |w| Ok(logistic.value(w)),
        |at| {
            let curvature = largest(&losscape_krylov::Matrix(logistic.hessian(&at.w)), settings.seed)?;
            top = top.max(curvature);
            curvatures.push((at.step as f64, curvature));
            Ok(inner(&at.gradient, &at.gradient) > 1e-20)
        },
    )?;
    evidence.check(Check::at_most(
        "logistic regression: λ_max(H) along the path ≤ L",
        1e-9,
        curvatures.iter().map(|at| (at.1, smoothness)),
    ));
    // The gap after 100 steps for steps from 1/L to 64/L.
    let mut gaps = Vec::new();
    for factor in geometric(0.25, 64.0, settings.effort.of(17, 65)) {
        let mut last = f64::INFINITY;
        descend(
            &gradient_descent(factor / smoothness),
            start(),
            100,
            |w| Ok(logistic.value(w)),
            |at| {
                last = at.value - logistic.minimum;
                Ok(last.is_finite())
            },
        )?;
        gaps.push((factor, last));
    }
    let best = gaps.iter().copied().fold((0.0, f64::INFINITY), |best, at| if at.1 < best.1 { at } else { best });
    evidence.check(Check::at_most("1/L ≤ best of the constant steps", 0.0, [(1.0 / smoothness, best.0 / smoothness)]));
    evidence.figure("best step over 1/L", best.0);
    evidence.figure("L over the largest curvature met", smoothness / top);
    evidence.plot(Plot {
        title: "The gap after 100 steps".to_owned(),
        reading:
            "Logistic regression: the best constant step is several times 1/L, because the curvature met is below L."
                .to_owned(),
        x: "step, in units of 1/L".to_owned(),
        y: "gap".to_owned(),
        log_x: true,
        log_y: true,
        series: vec![Series::measured("gradient descent", gaps)],
        ..Plot::default()
    });
    Ok(evidence)
}
