//! A step lowers a quadratic exactly when it is shorter than Cauchy's bound.

use burn::tensor::Tensor;
use losscape_analysis::Point;
use losscape_krylov::SymmetricOperator;
use losscape_model::Network;

use super::problem::{draws, gradient_descent, inner};
use super::{Check, Claim, ClaimSettings, Evidence, Expectation, Family, descent::descend};
use crate::LabError;

pub const CLAIM: Claim = Claim {
    id: "step-bound",
    family: Family::StepSize,
    printed: r"$\epsilon\le\frac{2\,g^Tg}{g^THg}$",
    exact: r"on a quadratic with $g^THg>0$ the loss falls exactly for $0<\epsilon<2g^Tg/g^THg$; elsewhere to second order; there is no bound where $g^THg\le0$",
    source: "lecture notes, Theoretical Upper Bound of ε",
    expected: Expectation::Holds,
    measure,
};

fn measure(settings: &ClaimSettings) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let (mut below, mut above) = (Vec::new(), Vec::new());
    for problem in 0..settings.effort.of(20, 200) {
        let seed = settings.seed_of(problem);
        let (objective, ..) = settings.least_squares(&[9.0, 4.0, 1.0, 0.1], [10, 6], 0.3, seed)?;
        let point = objective.at(&settings.normal(6, &mut draws(seed, 2)))?;
        let bound = bound(&point);
        let after =
            |factor: f64| objective.value(&(point.parameters().clone() - point.gradient().clone() * (factor * bound)));
        below.push((after(0.9)?, point.loss()));
        above.push((point.loss(), after(1.1)?));
    }
    evidence.check(Check::at_most("quadratics: loss after 0.9 of the bound ≤ before", 0.0, below));
    evidence.check(Check::at_most("quadratics: loss before ≤ after 1.1 of the bound", 0.0, above));

    // Along a direction of no positive curvature there is no bound: the longer the step, the lower.
    let saddle = settings.bowl(&[1.0, -2.0, 0.0]);
    let mut lower = Vec::new();
    for at in 0..20 {
        let w = settings.vector(&[0.1, 1.0 + f64::from(at), 1.0]);
        let (value, gradient) = saddle(&w)?;
        for rate in [0.1, 1.0, 10.0, 1000.0] {
            lower.push((saddle(&(w.clone() - gradient.clone() * rate))?.0, value));
        }
    }
    evidence.check(Check::at_most("saddles, gᵀHg < 0: loss after steps of 0.1 to 1000 ≤ before", 0.0, lower));

    // Along the training of a network the bound is that of its quadratic model.
    let objective = settings.student(&[16], 30, settings.seed)?;
    let (mut agreed, mut asked, mut concave) = (0, 0, 0);
    let steps = settings.effort.of(100, 1000);
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
