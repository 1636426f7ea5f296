//! How fast gradients shrink: it is the squared norm that goes like 1/t.

use super::false_statement::tighter;
use super::problem::{gradient_descent, largest, norm};
use super::{
    Check, Claim, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench, descent::descend,
};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "gradient-norm-rate",
    family: Family::Convergence,
    printed: concat!(
        r"the gradient norm goes to $0$ at a rate of $1/t$; $t\ge\frac{2\beta(L(w_0)-L(w^*))}{\delta}$ iterations ",
        r"bring it to $\delta$",
    ),
    exact: concat!(
        r"with $\epsilon=1/\beta$: $\min_{s<t}\|g_s\|^2\le\frac{2\beta(L(w_0)-L^*)}{t}$; it is the squared norm that ",
        r"$t\ge\frac{2\beta(L(w_0)-L^*)}{\delta}$ brings to $\delta$; the norm itself can stay at $1/\sqrt t$ for ",
        r"$\beta=L(w_0)-L^*=1$; the bound is attained at $t=1$, and to a factor $\frac{2t}{3t-1}$ at every $t$",
    ),
    source: "lecture notes, Theoretical Bounds of Convergence Rate",
    expected: Expectation::HoldsAsCorrected,
    false_statements: &[
        FalseStatement::pairs("the squared norm is below 1.8β(L₀ − L*)/t", "min ‖g‖² ≤", tighter),
        FalseStatement::pairs("the squared norm falls like 1/t²", "min ‖g‖²/(L₀ − L*) =", |pair| Pair {
            right: pair.right * pair.right,
            ..pair
        }),
        FalseStatement::pairs(
            "none is slower than Huber functions, at 2β/(2t − 1)",
            "min ‖g‖²/(L₀ − L*) =",
            |pair| Pair { right: 6.0 / (8.0 / pair.right - 1.0), ..pair },
        ),
        FalseStatement::pairs("half as many steps are enough", "steps to ‖g‖² ≤ δ", |pair| Pair {
            right: 0.5 * pair.right,
            ..pair
        }),
        FalseStatement::pairs("as many steps are enough as for the norm itself", "steps to ‖g‖² ≤ δ", |pair| {
            Pair { right: (2.0 * pair.right).sqrt(), ..pair }
        }),
        FalseStatement::pairs("the path meets twice the β assumed", "λ_max(H) along the path", |pair| Pair {
            left: 2.0 * pair.right,
            ..pair
        }),
    ],
    measure,
};

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let steps = bench.effort.of(1000, 10_000);

    let logistic = bench.logistic(200, 10, bench.seed)?;
    let start = bench.vector(&[1.0; 10]);
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
    let mut bounded = running(&norms, 2.0 * logistic.smoothness * gap);
    let times = [1e-2, 1e-4, 1e-6].into_iter().filter_map(|delta| {
        let bound = (2.0 * logistic.smoothness * gap / delta).ceil();
        let first = norms.iter().position(|norm| norm * norm <= delta).map(|first| first as f64);
        // What was not reached within its bound is a violation; what was not reached before the bound came, nothing.
        match first {
            None if bound > steps as f64 => None,
            first => Some((first.unwrap_or(f64::INFINITY), bound)),
        }
    });
    let mut times: Vec<(f64, f64)> = times.collect();

    // A network: its β is the largest along the path, which depends on the step; it is raised until it is none too
    // small.
    let objective = bench.student(&[16], 30, bench.seed)?;
    let every = (steps / 100).max(1);
    let largest_along = |guess: f64| -> Result<(f64, Vec<f64>), LabError> {
        let (mut beta, mut norms) = (0f64, Vec::new());
        descend(
            &gradient_descent(1.0 / guess),
            objective.parameters(),
            steps,
            |w| Ok(objective.gradient(w)?),
            |at| {
                norms.push(norm(&at.gradient));
                if at.step.is_multiple_of(every) {
                    beta = beta.max(largest(&objective.at(&at.w)?.hessian(), bench.seed)?);
                }
                Ok(true)
            },
        )?;
        Ok((beta, norms))
    };
    let mut guess = 1.05 * largest(&objective.here()?.hessian(), bench.seed)?;
    let (mut beta, mut norms) = largest_along(guess)?;
    for _ in 0..10 {
        if beta <= guess {
            break;
        }
        guess = 1.05 * beta;
        (beta, norms) = largest_along(guess)?;
    }
    evidence.check(Check::at_most("an MLP: λ_max(H) along the path ≤ β", 0.0, [(beta, guess)]));
    let initial = objective.here()?.loss();
    bounded.extend(running(&norms, 2.0 * guess * initial));
    evidence.figure("room between bound and smallest ‖g‖² of the MLP, a factor", {
        let least = norms.iter().copied().fold(f64::INFINITY, f64::min);
        2.0 * guess * initial / (norms.len() as f64 * least * least)
    });

    // The printed bound, for the norm itself: the Huber function, ½x² up to |x| = δ and a line beyond, has β = 1 and,
    // started at 1/δ + δ/2, L₀ − L* = 1. Its gradient is δ for 1/δ² steps.
    let mut printed = Vec::new();
    for t in [10usize, 100, 1000] {
        let slope = 1.0 / (t as f64).sqrt();
        let mut least = f64::INFINITY;
        descend(&gradient_descent(1.0), bench.vector(&[1.0 / slope + 0.5 * slope]), t - 1, bench.huber(slope), |at| {
            least = least.min(norm(&at.gradient));
            Ok(true)
        })?;
        printed.push((least, 2.0 / t as f64));
        bounded.push((least * least, 2.0 / t as f64));
    }
    // Between two steps a gradient that is δ at both can go down to ½δ: ¾δ² a step, and ½δ² the last one. Slopes are
    // powers of two, so that steps end between two teeth exactly: they would not come back there.
    let mut attained = Vec::new();
    for (t, slope) in [(1usize, 1.0), (10, 0.25), (100, 0.125), (1000, 0.03125)] {
        let (mut norms, mut gap) = (Vec::new(), 0.0);
        descend(&gradient_descent(1.0), bench.vector(&[t as f64 * slope]), t, bench.sawtooth(slope), |at| {
            gap = if at.step == 0 { at.value } else { gap };
            norms.push(norm(&at.gradient));
            Ok(true)
        })?;
        bounded.extend(running(&norms, 2.0 * gap));
        let least = norms[..t].iter().copied().fold(f64::INFINITY, f64::min);
        attained.push((least * least / gap, 4.0 / (3 * t - 1) as f64));
        let delta = 0.999 * least * least;
        let first = norms.iter().position(|norm| norm * norm <= delta).map_or(f64::INFINITY, |first| first as f64);
        times.push((first, (2.0 * gap / delta).ceil()));
    }
    let name = "min ‖g‖² ≤ 2β(L₀ − L*)/t: logistic regression, an MLP with 0 for L*, Huber and sawtooth functions";
    evidence.check(Check::at_most(name, 1e-12, bounded));
    let name = "sawtooth functions with β = 1: min ‖g‖²/(L₀ − L*) = 4β/(3t − 1)";
    evidence.check(Check::equal(name, 1e-9, attained));
    let name = "steps to ‖g‖² ≤ δ ≤ 2β(L₀ − L*)/δ: logistic regression, sawtooth functions";
    evidence.check(Check::at_most(name, 0.0, times));
    evidence
        .check(Check::at_most("Huber functions with β = L₀ − L* = 1: min ‖g‖ ≤ 2β(L₀ − L*)/t", 0.0, printed).printed());

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
        reading: "The smallest squared norm so far of an MLP under gradient descent at 1/β, and what the descent \
                  lemma allows."
            .to_owned(),
        x: "steps t".to_owned(),
        y: "min ‖g‖²".to_owned(),
        log_x: true,
        log_y: true,
        series: vec![
            Series::measured("measured", measured.iter().copied()),
            Series::bound("2βL₀/t", measured.iter().map(|(t, _)| (*t, bound(*t)))),
        ],
        ..Plot::default()
    });
    Ok(evidence)
}

/// The smallest squared norm of the first t gradients against `scale/t`, for every t.
fn running(norms: &[f64], scale: f64) -> Vec<(f64, f64)> {
    let mut least = f64::INFINITY;
    let pairs = norms.iter().enumerate().map(|(step, norm)| {
        least = least.min(norm * norm);
        (least, scale / (step + 1) as f64)
    });
    pairs.collect()
}
