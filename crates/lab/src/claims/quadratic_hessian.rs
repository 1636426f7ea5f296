//! The Hessian of least squares is the same everywhere; that of a network is not.

use losscape_krylov::dense;

use super::problem::{draws, gradient_descent, norm, numbers};
use super::{Check, Claim, ClaimSettings, Evidence, Expectation, Family, Plot, Series, descent::descend};
use crate::LabError;

pub const CLAIM: Claim = Claim {
    id: "quadratic-hessian",
    family: Family::StepSize,
    printed: r"$H=\Phi^T\Phi$, which is not a function of the weights",
    exact: r"exact for the linear model; for a network $H$ moves with $w$",
    source: "lecture notes, Theoretical Upper Bound of ε",
    expected: Expectation::Holds,
    measure,
};

fn measure(settings: &ClaimSettings) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let mut entries = Vec::new();
    for problem in 0..settings.effort.of(3, 20) {
        let seed = settings.seed_of(problem);
        let (objective, data, _) = settings.least_squares(&[5.0, 2.0, 1.0, 0.3], [12, 7], 0.1, seed)?;
        let random = &mut draws(seed, 1);
        for _ in 0..3 {
            let w = settings.normal(7, random) * 10.0;
            let measured = numbers(&dense::materialize(&objective.at(&w)?.hessian()));
            for (at, &value) in measured.iter().enumerate() {
                let product = |row: usize| data.inputs.row(row)[at / 7] * data.inputs.row(row)[at % 7];
                // Shifted by the largest eigenvalue, so that an error is relative to the norm.
                entries.push((5.0 + value, 5.0 + (0..12).map(product).sum::<f64>()));
            }
        }
    }
    evidence.check(Check::equal("H e_i at several w = ΦᵀΦ e_i", 1e-12, entries));

    let objective = settings.student(&[16], 20, settings.seed)?;
    let start = objective.parameters();
    let hessian = |w: &burn::tensor::Tensor<1>| -> Result<burn::tensor::Tensor<1>, LabError> {
        Ok(dense::materialize(&objective.at(w)?.hessian()).reshape([-1]))
    };
    let initial = hessian(&start)?;
    let mut drift = Vec::new();
    let steps = settings.effort.of(200, 2000);
    descend(
        &gradient_descent(0.2),
        start,
        steps,
        |w| Ok(objective.gradient(w)?),
        |at| {
            if at.step.is_multiple_of(steps / 20) {
                drift.push((at.step as f64, norm(&(hessian(&at.w)? - initial.clone())) / norm(&initial)));
            }
            Ok(true)
        },
    )?;
    evidence.figure("relative change of an MLP's H along training", drift.last().map_or(f64::NAN, |last| last.1));
    evidence.plot(Plot {
        title: "A network's Hessian moves".to_owned(),
        reading:
            "The Hessian of a linear model stays where it is; that of a tanh network of 16 units leaves its start."
                .to_owned(),
        x: "step".to_owned(),
        y: "‖H − H₀‖ / ‖H₀‖".to_owned(),
        series: vec![Series::measured("MLP", drift)],
        ..Plot::default()
    });
    Ok(evidence)
}
