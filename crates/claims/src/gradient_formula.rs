//! The gradient of least squares, and the step along it.

use losscape_krylov::SymmetricOperator;

use super::false_statement::doubled;
use super::problem::{draws, gradient_descent, numbers};
use super::{Check, Claim, Evidence, Expectation, FalseStatement, Family, Workbench, descent::descend};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "gradient-formula",
    family: Family::StepSize,
    printed: concat!(
        r"$\frac12\|\Phi^T w-y\|^2$ has the gradient $g=\Phi^T\Phi w-\Phi^T y$; the update is ",
        r"$w-\epsilon\,\nabla_w(\Phi^T\Phi w-\Phi^T y)$",
    ),
    exact: concat!(
        r"$\frac12\|\Phi w-y\|^2$ with $\Phi\in\mathbb R^{n\times d}$ has that gradient; the update is ",
        r"$w-\epsilon\,g$",
    ),
    source: "lecture notes, Gradient Descent Update Formula",
    expected: Expectation::HoldsAsCorrected,
    false_statements: &[
        FalseStatement::pairs("without the ½ in the loss", "gradient by autodiff", doubled),
        FalseStatement::pairs("the step is twice as long", "step of the optimizer = εg", doubled),
    ],
    measure,
};

/// A square Φ, so that the printed forms mean something at all.
fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    const RATE: f64 = 0.05;
    let mut evidence = Evidence::default();
    let (mut gradient, mut step, mut printed_loss, mut printed_step) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for problem in 0..bench.effort.of(5, 50) {
        let seed = bench.seed_of(problem);
        let (objective, data, _) = bench.least_squares(&[4.0, 3.0, 2.0, 1.0, 0.5, 0.1], [6, 6], 0.5, seed)?;
        let w = bench.normal(6, &mut draws(seed, 0));
        let phi = |v: &[f64]| -> Vec<f64> { (0..6).map(|row| dot(data.inputs.row(row), v)).collect() };
        let column = |at: usize| -> Vec<f64> { (0..6).map(|row| data.inputs.row(row)[at]).collect() };
        let transposed = |v: &[f64]| -> Vec<f64> { (0..6).map(|at| dot(&column(at), v)).collect() };
        let y = numbers(&objective.targets().clone());
        let less = |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a - b).collect() };
        let host = numbers(&w);
        // Φᵀ(Φw − y), and with Φ and Φᵀ exchanged, as the gradient of the printed loss has it.
        let formula = transposed(&less(&phi(&host), &y));
        let of_printed_loss = phi(&less(&transposed(&host), &y));
        let measured = objective.gradient(&w)?.1;
        gradient.extend(numbers(&measured).into_iter().zip(formula.iter().copied()));
        printed_loss.extend(of_printed_loss.into_iter().zip(formula.iter().copied()));

        let mut path = Vec::new();
        descend(
            &gradient_descent(RATE),
            w.clone(),
            1,
            |w| Ok(objective.gradient(w)?),
            |at| {
                path.push(numbers(&at.w));
                Ok(true)
            },
        )?;
        step.extend(path[1].iter().zip(host.iter().zip(&formula)).map(|(&new, (w, g))| (w - new, RATE * g)));
        // ∇g is the matrix ΦᵀΦ; the nearest that it comes to a step is its row sums.
        let point = objective.at(&w)?;
        let sums = numbers(&point.hessian().apply(bench.vector(&[1.0; 6])));
        printed_step.extend(path[1].iter().zip(host.iter().zip(&sums)).map(|(&new, (w, sum))| (w - new, RATE * sum)));
    }
    evidence.check(Check::equal("gradient by autodiff = Φᵀ(Φw − y)", 1e-10, gradient));
    evidence.check(Check::equal("step of the optimizer = εg", 1e-9, step));
    evidence.check(Check::equal("gradient of the printed loss = Φᵀ(Φw − y)", 1e-10, printed_loss).printed());
    evidence.check(Check::equal("step of the optimizer = ε∇g, by row sums", 1e-9, printed_step).printed());
    let room = evidence.checks[0].tightest().map_or(f64::NAN, |(_, room)| room);
    evidence.figure("largest relative error of the gradient", 1e-10 - room);
    Ok(evidence)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
