//! Steps below 2/β are below Cauchy's bound everywhere; at 2/β itself gradient descent does not converge.

use losscape_analysis::steps::StepBounds;
use losscape_krylov::Eigensolver;

use super::false_statement::{doubled, tighter};
use super::problem::{draws, gradient_descent, inner};
use super::{
    Check, Claim, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench, descent::descend,
};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "smoothness-bound",
    family: Family::StepSize,
    printed: r"$\frac2\beta\le\frac{2\,g^Tg}{g^THg}$, hence $\epsilon\le\frac2\beta$ with $\beta=\lambda_{\max}(H)$",
    exact: concat!(
        r"the inequality holds where $g^THg>0$; convergence needs $\epsilon<\frac2\beta$: at equality the component ",
        r"along the top eigenvector swings for ever",
    ),
    source: "lecture notes, Beta-Smoothness",
    expected: Expectation::HoldsAsCorrected,
    false_statements: &[
        FalseStatement::pairs("Cauchy's bound is never below 2/0.9β", "an MLP's training", tighter),
        FalseStatement::pairs("the bound is 4/β", "along the top eigenvector", doubled),
        FalseStatement::pairs("convergence needs ε below 1/β", "0.99 · 2/β", |pair| Pair { left: 1e6, ..pair }),
        FalseStatement::pairs("2/β converges", "2/β: the loss stays", |pair| Pair { left: 0.0, ..pair }),
        FalseStatement::pairs("above 2/β the loss stays where it is", "1.01 · 2/β", |pair| Pair {
            right: 1e-3 * pair.left,
            ..pair
        }),
    ],
    measure,
};

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let objective = bench.student(&[16], 30, bench.seed)?;
    let mut bounds = Vec::new();
    let steps = bench.effort.of(40, 400);
    descend(
        &gradient_descent(0.2),
        objective.parameters(),
        steps,
        |w| Ok(objective.gradient(w)?),
        |at| {
            let point = objective.at(&at.w)?;
            let top =
                Eigensolver::top(1).with_tolerance(1e-10).solve(&point.hessian(), None, &mut draws(bench.seed, 4));
            let beta = top.map_err(losscape_analysis::AnalysisError::from)?.top[0];
            let found = StepBounds::at(&point, beta, None);
            if let (Some(smooth), Some(cauchy)) = (found.two_over_beta, found.cauchy) {
                bounds.push((smooth, cauchy));
            }
            Ok(true)
        },
    )?;
    // The two bounds are one where the gradient is along the top eigenvector.
    let round = bench.bowl(&[4.0, 1.0])(&bench.vector(&[3.0, 0.0]))?.1;
    let bend = inner(&round, &(round.clone() * bench.vector(&[4.0, 1.0])));
    let both = [(2.0 / 4.0, 2.0 * inner(&round, &round) / bend)];
    bounds.extend(both);
    let name = "an MLP's training, a quadratic: 2/β ≤ 2gᵀg/gᵀHg";
    evidence.check(Check::at_most(name, 1e-9, bounds));
    evidence.check(Check::equal("a quadratic, g along the top eigenvector: 2/β = 2gᵀg/gᵀHg", 1e-12, both));
    // A quadratic with β = 4, below, at and above 2/β.
    let eigenvalues = [4.0, 1.0, 0.5];
    let start = || bench.vector(&[1.0; 3]);
    let steps = bench.effort.of(1000, 5000);
    let mut lasts = Vec::new();
    let mut series = Vec::new();
    for factor in [0.99, 1.0, 1.01] {
        let mut values = Vec::new();
        descend(&gradient_descent(factor * 0.5), start(), steps, bench.bowl(&eigenvalues), |at| {
            values.push((at.step as f64, at.value));
            Ok(at.value < 1e12)
        })?;
        lasts.push((values[0].1, values[values.len() - 1].1));
        let name = format!("ε = {factor} · 2/β");
        series.push(Series::measured(name, values.into_iter().filter(|(step, _)| *step <= 400.0)));
    }
    let [below, at, above] = [lasts[0], lasts[1], lasts[2]];
    evidence.check(Check::at_most("0.99 · 2/β: last loss ≤ 1e-6 of the first", 0.0, [(below.1, 1e-6 * below.0)]));
    // What is left at the edge is the loss along the top eigenvector, ½ · 4 · 1².
    evidence.check(Check::equal("2/β: the loss stays at that of the top component", 1e-9, [(at.1, 2.0)]));
    evidence.check(Check::at_most(
        "1.01 · 2/β: a thousand times the first loss ≤ the last",
        0.0,
        [(1e3 * above.0, above.1)],
    ));
    evidence.check(Check::at_most("ε ≤ 2/β converges, at equality too", 0.0, [(at.1, 1e-6 * at.0)]).printed());
    evidence.figure("loss left at ε = 2/β, of 2.75 at the start", at.1);
    evidence.plot(Plot {
        title: "Below, at and above 2/β".to_owned(),
        reading: "A hundredth below 2/β the loss vanishes, a hundredth above it explodes; at 2/β the top component \
                  swings for ever."
            .to_owned(),
        x: "step".to_owned(),
        y: "loss".to_owned(),
        log_y: true,
        series,
        ..Plot::default()
    });
    Ok(evidence)
}
