//! The Hessian of least squares is the same everywhere; that of a network is not.

use losscape_krylov::dense;

use super::problem::{draws, gradient_descent, norm, numbers};
use super::{
    Check, Claim, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench, descent::descend,
};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "quadratic-hessian",
    family: Family::StepSize,
    printed: r"$H=\Phi^T\Phi$, which is not a function of the weights",
    exact: r"exact for the linear model; for a network $H$ moves with $w$",
    source: "lecture notes, Theoretical Upper Bound of ε",
    expected: Expectation::Holds,
    false_statements: &[
        FalseStatement::pairs("H is half of ΦᵀΦ", "H e_i at several w", |pair| Pair {
            left: SHIFT + 0.5 * (pair.left - SHIFT),
            ..pair
        }),
        FalseStatement::pairs("a network's H does not move either", "a network", |pair| Pair { right: 0.0, ..pair }),
    ],
    measure,
};

/// Added to the entries of H, its largest eigenvalue, so that an error is relative to the norm.
const SHIFT: f64 = 5.0;

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let mut entries = Vec::new();
    for problem in 0..bench.effort.of(3, 20) {
        let seed = bench.seed_of(problem);
        let (objective, data, _) = bench.least_squares(&[5.0, 2.0, 1.0, 0.3], [12, 7], 0.1, seed)?;
        let random = &mut draws(seed, 1);
        for _ in 0..3 {
            let w = bench.normal(7, random) * 10.0;
            let measured = numbers(&dense::materialize(&objective.at(&w)?.hessian()));
            for (at, &value) in measured.iter().enumerate() {
                let product = |row: usize| data.inputs.row(row)[at / 7] * data.inputs.row(row)[at % 7];
                entries.push((SHIFT + value, SHIFT + (0..12).map(product).sum::<f64>()));
            }
        }
    }
    evidence.check(Check::equal("H e_i at several w = ΦᵀΦ e_i", 1e-12, entries));

    let objective = bench.student(&[16], 20, bench.seed)?;
    let start = objective.parameters();
    let hessian = |w: &burn::tensor::Tensor<1>| -> Result<burn::tensor::Tensor<1>, LabError> {
        Ok(dense::materialize(&objective.at(w)?.hessian()).reshape([-1]))
    };
    let initial = hessian(&start)?;
    let mut drift = Vec::new();
    let steps = bench.effort.of(200, 2000);
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
    let moved = drift.last().map_or(f64::NAN, |last| last.1);
    evidence.check(Check::at_most("a network, trained: 0.05 ≤ ‖H − H₀‖/‖H₀‖", 0.0, [(0.05, moved)]));
    evidence.figure("relative change of an MLP's H along training", moved);
    evidence.plot(Plot {
        title: "A network's Hessian moves".to_owned(),
        reading: "The Hessian of a linear model stays where it is; that of a tanh network of 16 units leaves its \
                  start."
            .to_owned(),
        x: "step".to_owned(),
        y: "‖H − H₀‖ / ‖H₀‖".to_owned(),
        series: vec![Series::measured("MLP", drift)],
        ..Plot::default()
    });
    Ok(evidence)
}
