//! A step lowers a quadratic exactly when it is shorter than Cauchy's bound.

use burn::tensor::Tensor;
use losscape_analysis::Point;
use losscape_krylov::SymmetricOperator;
use losscape_model::Network;

use super::false_statement::{swapped, tighter};
use super::problem::{draws, geometric, gradient_descent, inner, log_slope};
use super::{Check, Claim, Evidence, Expectation, FalseStatement, Family, Pair, Workbench, descent::descend};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "step-bound",
    family: Family::StepSize,
    printed: r"$\epsilon\le\frac{2\,g^Tg}{g^THg}$",
    exact: concat!(
        r"on a quadratic with $g^THg>0$ the loss falls exactly for $0<\epsilon<2g^Tg/g^THg$; elsewhere to second ",
        r"order; there is no bound where $g^THg\le0$",
    ),
    source: "lecture notes, Theoretical Upper Bound of ε",
    expected: Expectation::Holds,
    false_statements: &[
        FalseStatement::pairs("twice the bound is one: the loss is lower after 1.1 of it", "after 1.1", swapped),
        FalseStatement::pairs("half the bound is one: the loss is higher after 0.9 of it", "after 0.9", swapped),
        FalseStatement::pairs("the bound is a thousandth further", "just the bound", |pair| Pair {
            left: 0.999 * pair.left,
            ..pair
        }),
        FalseStatement::pairs("saddles have a bound too, with |gᵀHg|", "saddles", |pair| Pair {
            right: 2.0 * pair.left - pair.right,
            ..pair
        }),
        FalseStatement::pairs("on saddles the loss falls by ε‖g‖²/0.9 at least", "saddles", tighter),
        FalseStatement::pairs("a network's loss is foretold to first order alone", "a network", |pair| Pair {
            left: 2.0,
            ..pair
        }),
    ],
    measure,
};

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let (mut below, mut at, mut above) = (Vec::new(), Vec::new(), Vec::new());
    for problem in 0..bench.effort.of(20, 200) {
        let seed = bench.seed_of(problem);
        let (objective, ..) = bench.least_squares(&[9.0, 4.0, 1.0, 0.1], [10, 6], 0.3, seed)?;
        let point = objective.at(&bench.normal(6, &mut draws(seed, 2)))?;
        let bound = bound(&point);
        let after =
            |factor: f64| objective.value(&(point.parameters().clone() - point.gradient().clone() * (factor * bound)));
        below.push((after(0.9)?, point.loss()));
        at.push((after(1.0)?, point.loss()));
        above.push((point.loss(), after(1.1)?));
    }
    evidence.check(Check::at_most("quadratics: loss after 0.9 of the bound ≤ before", 0.0, below));
    evidence.check(Check::equal("quadratics: loss after just the bound = before", 1e-12, at));
    evidence.check(Check::at_most("quadratics: loss before ≤ after 1.1 of the bound", 0.0, above));

    // Along a direction of no positive curvature there is no bound: the longer the step, the lower.
    let saddle = bench.bowl(&[1.0, -2.0, 0.0]);
    // With gᵀHg = 0, the first of these points, it is just ε‖g‖² lower.
    let mut lower = Vec::new();
    for at in 0..20 {
        let w = bench.vector(&[f64::sqrt(8.0) * (1.0 + f64::from(at)).recip(), 1.0, 1.0]);
        let (value, gradient) = saddle(&w)?;
        for rate in [0.1, 1.0, 10.0, 1000.0] {
            let fall = value - saddle(&(w.clone() - gradient.clone() * rate))?.0;
            lower.push((rate * inner(&gradient, &gradient), fall));
        }
    }
    let name = "saddles, gᵀHg ≤ 0: ε‖g‖² ≤ fall of the loss after steps of 0.1 to 1000";
    evidence.check(Check::at_most(name, 1e-9, lower));

    // Along the training of a network the bound is that of its quadratic model, which leaves out what goes with ε³.
    let objective = bench.student(&[16], 30, bench.seed)?;
    let point = objective.here()?;
    let (g, w) = (point.gradient().clone(), point.parameters().clone());
    let (slope, bend) = (inner(&g, &g), inner(&g, &point.hessian().apply(g.clone())));
    let mut errors = Vec::new();
    for rate in geometric(1e-3, 1e-2, 6) {
        let after = objective.value(&(w.clone() - g.clone() * rate))?;
        errors.push((rate, (after - (point.loss() - rate * slope + 0.5 * rate * rate * bend)).abs()));
    }
    let third = [(log_slope(&errors), 3.0)];
    evidence.check(Check::equal("a network: log-log slope of what the second order leaves out = 3", 0.02, third));
    let (mut agreed, mut asked, mut concave) = (0, 0, 0);
    let steps = bench.effort.of(100, 1000);
    descend(
        &gradient_descent(0.2),
        objective.parameters(),
        steps,
        |w| Ok(objective.gradient(w)?),
        |at| {
            let point = objective.at(&at.w)?;
            let bound = bound(&point);
            if bound <= 0.0 {
                concave += 1;
                return Ok(true);
            }
            for factor in [0.9, 1.1] {
                let after = objective.value(&(at.w.clone() - at.gradient.clone() * (factor * bound)))?;
                agreed += usize::from((after < at.value) == (factor < 1.0));
                asked += 1;
            }
            Ok(true)
        },
    )?;
    evidence.figure("share of an MLP's steps that the bound foretells", agreed as f64 / asked as f64);
    evidence.figure("steps of the MLP without a bound", f64::from(concave));
    Ok(evidence)
}

/// `2 gᵀg / gᵀHg`; negative where the quadratic model falls without end.
fn bound<N: Network<Input = Tensor<2>>>(point: &Point<'_, N>) -> f64 {
    let g = point.gradient();
    2.0 * inner(g, g) / inner(g, &point.hessian().apply(g.clone()))
}
