//! How fast gradients shrink: it is the squared norm that goes like 1/t.

use losscape_krylov::Eigensolver;

use super::problem::{draws, gradient_descent, norm};
use super::{Check, Claim, ClaimSettings, Evidence, Expectation, Family, Plot, Series, descent::descend};
use crate::LabError;

pub const CLAIM: Claim = Claim {
    id: "gradient-norm-rate",
    family: Family::Convergence,
    printed: r"the gradient norm goes to $0$ at a rate of $1/t$; $t\ge\frac{2\beta(L(w_0)-L(w^*))}{\delta}$ iterations bring it to $\delta$",
    exact: r"with $\epsilon=1/\beta$: $\min_{s<t}\|g_s\|^2\le\frac{2\beta(L(w_0)-L^*)}{t}$; it is the squared norm that $t\ge\frac{2\beta(L(w_0)-L^*)}{\delta}$ brings to $\delta$",
    source: "lecture notes, Theoretical Bounds of Convergence Rate",
    expected: Expectation::HoldsAsCorrected,
    measure,
};

fn measure(settings: &ClaimSettings) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let steps = settings.effort.of(1000, 10_000);

    let logistic = settings.logistic(200, 10)?;
    let start = settings.vector(&[1.0; 10]);
    let gap = logistic.value(&start).0 - logistic.minimum;
    let mut norms = Vec::new();
    descend(
        &gradient_descent(1.0 / logistic.smoothness),
        start,
        steps,
        |w| Ok(logistic.value(w)),
        |at| {
            norms.push(norm(&at.gradient));
            Ok(true)
        },
    )?;
    evidence.check(running("logistic regression: min ‖g‖² ≤ 2β(L₀ − L*)/t", &norms, 2.0 * logistic.smoothness * gap));
    let times = [1e-2, 1e-4, 1e-6].into_iter().filter_map(|delta| {
        let first = norms.iter().position(|norm| norm * norm <= delta)?;
        Some((first as f64, (2.0 * logistic.smoothness * gap / delta).ceil()))
    });
    evidence.check(Check::at_most(
        "logistic regression: steps to ‖g‖² ≤ δ ≤ 2β(L₀ − L*)/δ",
        0.0,
        times.collect::<Vec<_>>(),
    ));

    // A network: its β is the largest along the path, which depends on the step; it is raised until it is none too small.
    let objective = settings.student(&[16], 30, settings.seed)?;
    let (mut beta, mut norms) = (0.0, Vec::new());
    let mut guess = 1.0;
    while beta < guess {
        guess = if beta > 0.0 { 1.05 * beta } else { guess };
        (beta, norms) = (0.0, Vec::new());
        let every = (steps / 100).max(1);
        descend(
            &gradient_descent(1.0 / guess),
            objective.parameters(),
            steps,
            |w| Ok(objective.gradient(w)?),
            |at| {
                norms.push(norm(&at.gradient));
                if at.step.is_multiple_of(every) {
                    let point = objective.at(&at.w)?;
                    let found = Eigensolver::top(1).solve(&point.hessian(), None, &mut draws(settings.seed, 5));
                    beta = found.map_err(losscape_analysis::AnalysisError::from)?.top[0].value.max(beta);
                }
                Ok(true)
            },
        )?;
        if beta <= guess {
            break;
        }
        guess = beta;
    }
    let initial = objective.here()?.loss();
    evidence.check(running("an MLP: min ‖g‖² ≤ 2βL₀/t", &norms, 2.0 * guess * initial));
    evidence.figure("room between bound and smallest ‖g‖² of the MLP, a factor", {
        let least = norms.iter().copied().fold(f64::INFINITY, f64::min);
        2.0 * guess * initial / (norms.len() as f64 * least * least)
    });

    // The printed bound, for the norm itself: quadratics whose gradient is still large at step t, λ = 1/t, started near the minimum.
    let mut printed = Vec::new();
    for t in [10.0, 100.0, 1000.0] {
        let lambda = 1.0 / t;
        let mut least = f64::INFINITY;
        descend(&gradient_descent(1.0), settings.vector(&[1.0]), t as usize - 1, settings.bowl(&[lambda]), |at| {
            least = least.min(norm(&at.gradient));
            Ok(true)
        })?;
        printed.push((least, 2.0 * 0.5 * lambda / t));
    }
    evidence.check(Check::at_most("slow quadratics: min ‖g‖ ≤ 2β(L₀ − L*)/t", 0.0, printed).printed());

    let bound = |t: f64| 2.0 * guess * initial / t;
    let mut least = f64::INFINITY;
    let measured: Vec<(f64, f64)> = norms
        .iter()
        .enumerate()
        .map(|(step, norm)| {
            least = least.min(norm * norm);
            ((step + 1) as f64, least)
        })
        .collect();
    evidence.plot(Plot {
        title: "Squared gradient norm against its bound".to_owned(),
        reading: "The smallest squared norm so far of an MLP under gradient descent at 1/β, and what the descent lemma allows.".to_owned(),
        x: "steps t".to_owned(),
        y: "min ‖g‖²".to_owned(),
        log_x: true,
        log_y: true,
        series: vec![
            Series::measured("measured", measured.iter().copied()),
            Series::bound("2βL₀/t", measured.iter().map(|(t, _)| (*t, bound(*t)))),
        ], ..Plot::default() });
    Ok(evidence)
}

/// The smallest squared norm of the first t gradients against `scale/t`, for every t.
fn running(name: &str, norms: &[f64], scale: f64) -> Check {
    let mut least = f64::INFINITY;
    let pairs = norms.iter().enumerate().map(|(step, norm)| {
        least = least.min(norm * norm);
        (least, scale / (step + 1) as f64)
    });
    Check::at_most(name, 1e-12, pairs.collect::<Vec<_>>())
}
