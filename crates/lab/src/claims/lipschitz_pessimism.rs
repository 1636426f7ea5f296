//! A global smoothness constant is above the curvature that a path meets, and its inverse below the best step.

use super::false_statement::beyond;
use super::problem::{geometric, gradient_descent, inner, largest};
use super::{
    Check, Claim, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench, descent::descend,
};
use crate::LabError;

pub const CLAIM: Claim = Claim {
    id: "lipschitz-pessimism",
    family: Family::StepSize,
    printed: r"one should not set the step to $1/L$: the bound is pessimistic, a supremum over all possible inputs",
    exact: r"$\lambda_{\max}(H(w_t))\le L=\sup_w\|\nabla^2f(w)\|$ along the path; on logistic regression it is below $\frac L{1.2}$ there, and the best constant step above $\frac2L$, which no quadratic of constant $L$ allows",
    source: "lecture notes, Effects from Initialization",
    expected: Expectation::Holds,
    false_statements: &[
        FalseStatement::pairs("the path meets a curvature above L", "λ_max(H) along the path", beyond),
        FalseStatement::pairs("the path meets L itself, as on a quadratic", "1.2 λ_max(H)", |pair| Pair {
            left: 1.2 * pair.right,
            ..pair
        }),
        FalseStatement::pairs("the best step is below 2/L, as on every quadratic", "2.1/L ≤", |pair| Pair {
            right: 2.0,
            ..pair
        }),
        FalseStatement::pairs("the best step saves nothing", "steps that the best one takes", |pair| Pair {
            left: 1.25 * pair.right,
            ..pair
        }),
    ],
    measure,
};

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let logistic = bench.logistic(200, 10, bench.seed)?;
    let smoothness = logistic.smoothness;
    let start = || bench.vector(&[1.0; 10]);
    // Curvature along the gradient, from two gradients: what a step feels.
    let mut curvatures = Vec::new();
    let mut top = 0f64;
    descend(
        &gradient_descent(1.0 / smoothness),
        start(),
        bench.effort.of(100, 1000),
        |w| Ok(logistic.value(w)),
        |at| {
            let curvature = largest(&losscape_krylov::Matrix(logistic.hessian(&at.w)), bench.seed)?;
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
    // Steps until the gap is a millionth of that at the start, for steps from 1/(4L) to 64/L.
    const MOST: usize = 2000;
    let mut counts = Vec::new();
    for factor in geometric(0.25, 64.0, bench.effort.of(33, 65)) {
        let (mut first, mut reached) = (None, None);
        descend(
            &gradient_descent(factor / smoothness),
            start(),
            MOST,
            |w| Ok(logistic.value(w)),
            |at| {
                let gap = at.value - logistic.minimum;
                if gap <= 1e-6 * *first.get_or_insert(gap) {
                    reached = Some(at.step as f64);
                }
                Ok(reached.is_none() && gap.is_finite())
            },
        )?;
        counts.push((factor, reached.unwrap_or(f64::INFINITY)));
    }
    let best = counts.iter().copied().fold((0.0, f64::INFINITY), |best, at| if at.1 < best.1 { at } else { best });
    let plain = counts.iter().find(|at| (at.0 - 1.0).abs() < 1e-9).map_or(f64::NAN, |at| at.1);
    // On a quadratic a step is stable below 2/L, and the best one at 2/(L + μ).
    evidence.check(Check::at_most("2.1/L ≤ the best of the constant steps", 0.0, [(2.1, best.0)]));
    let steps = (best.1, 0.5 * plain);
    evidence.check(Check::at_most("steps that the best one takes ≤ half of those with 1/L", 0.0, [steps]));
    evidence.check(Check::at_most("1.2 λ_max(H), the largest along the path, ≤ L", 0.0, [(1.2 * top, smoothness)]));
    evidence.figure("best step over 1/L", best.0);
    evidence.figure("over 1/β, β the largest curvature along the path", best.0 * top / smoothness);
    evidence.figure("over 2/β", 0.5 * best.0 * top / smoothness);
    evidence.figure("L over β", smoothness / top);
    evidence.plot(Plot {
        title: "Steps to a millionth of the gap".to_owned(),
        reading:
            "Logistic regression: the best constant step is above 2/L, because the curvature met on the way is below L."
                .to_owned(),
        x: "step size, in units of 1/L".to_owned(),
        y: "steps".to_owned(),
        log_x: true,
        log_y: true,
        series: vec![Series::measured("gradient descent", counts)],
        ..Plot::default()
    });
    Ok(evidence)
}
