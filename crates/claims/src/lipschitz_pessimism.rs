//! A global smoothness constant is above the curvature that a path meets, and its inverse below the best step.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::false_statement::{around, none, tighter};
use super::problem::{draws, geometric, gradient_descent, inner, largest};
use super::{
    Check, Claim, Effect, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench,
    descent::{Function, descend},
};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "lipschitz-pessimism",
    family: Family::StepSize,
    printed: r"one should not set the step to $1/L$: the bound is pessimistic, a supremum over all possible inputs",
    exact: concat!(
        r"$\lambda_{\max}(H(w_t))\le L=\sup_w\|\nabla^2f(w)\|$ along the path; on logistic regression it is below ",
        r"$\frac L{1.2}$ there, and the best constant step above $\frac2L$, which no quadratic of constant $L$ allows",
    ),
    source: "lecture notes, Effects from Initialization",
    expected: Expectation::Supported,
    false_statements: &[
        FalseStatement::pairs("the curvature is below 0.9 L everywhere", "λ_max(H) along the path", tighter),
        FalseStatement::samples("the path meets L itself, as on a quadratic", "log of L over", none),
        FalseStatement::samples("the best step is below 2/L, as on every quadratic", "best step over 1/L", |samples| {
            around(samples, 1.9)
        }),
        FalseStatement::samples("the best step saves no more than on a quadratic", "log of steps", |samples| {
            around(samples, 0.67)
        }),
        FalseStatement::pairs("quadratics have steps above 2/L too", "quadratics: best step", |pair| Pair {
            left: 2.1,
            ..pair
        }),
    ],
    measure,
};

/// A function with its smoothness constant and its minimum.
struct Problem<'a> {
    start: Tensor<1>,
    smoothness: f64,
    minimum: f64,
    function: Function<'a>,
}

/// The best of the constant steps, in units of 1/L; the steps that one of 1/L takes over those of the best; and the
/// steps of each.
struct Search {
    best: f64,
    saved: f64,
    counts: Vec<(f64, f64)>,
}

impl Problem<'_> {
    /// Steps until the gap is a millionth of that at the start, for steps from 1/(4L) to 64/L.
    fn search(&self, bench: &Workbench) -> Result<Search, LabError> {
        const MOST: usize = 2000;
        let mut counts = Vec::new();
        for factor in geometric(0.25, 64.0, bench.effort.of(33, 65)) {
            let (mut first, mut reached) = (None, None);
            descend(&gradient_descent(factor / self.smoothness), self.start.clone(), MOST, self.function, |at| {
                let gap = at.value - self.minimum;
                if gap <= 1e-6 * *first.get_or_insert(gap) {
                    reached = Some(at.step as f64);
                }
                Ok(reached.is_none() && gap.is_finite())
            })?;
            counts.push((factor, reached.unwrap_or(f64::INFINITY)));
        }
        let best = counts.iter().copied().fold((0.0, f64::INFINITY), |best, at| if at.1 < best.1 { at } else { best });
        let plain = counts.iter().find(|at| (at.0 - 1.0).abs() < 1e-9).map_or(f64::NAN, |at| at.1);
        Ok(Search { best: best.0, saved: plain / best.1, counts })
    }
}

/// What a seed came to: of logistic regression the largest curvature along the path over L, the search, and the
/// curvature that attains L; of a quadratic the search.
struct Trial {
    met: Vec<f64>,
    attained: f64,
    logistic: Search,
    quadratic: Search,
}

fn run(bench: &Workbench, seed: u64) -> Result<Trial, LabError> {
    let logistic = bench.logistic(200, 10, seed)?;
    let curvature = |w: &Tensor<1>| -> Result<f64, LabError> {
        Ok(largest(&losscape_krylov::SymmetricMatrix(logistic.hessian(w)), seed)? / logistic.smoothness)
    };
    let value = |w: &Tensor<1>| Ok(logistic.value(w));
    let start = bench.vector(&[1.0; 10]);
    let (smoothness, minimum) = (logistic.smoothness, logistic.minimum);
    let problem = Problem { start, smoothness, minimum, function: &value };
    let mut met = Vec::new();
    descend(&gradient_descent(1.0 / smoothness), problem.start.clone(), bench.effort.of(100, 1000), value, |at| {
        met.push(curvature(&at.w)?);
        Ok(inner(&at.gradient, &at.gradient) > 1e-20)
    })?;
    // The control: as many parameters, the same smoothness, and a path that meets it.
    let bowl = bench.bowl(&geometric(0.05 * smoothness, smoothness, 10));
    let start = bench.normal(10, &mut draws(seed, 27));
    let control = Problem { start, smoothness, minimum: 0.0, function: &bowl };
    let attained = curvature(&bench.vector(&[0.0; 10]))?;
    Ok(Trial { met, attained, logistic: problem.search(bench)?, quadratic: control.search(bench)? })
}

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let runs = (0..bench.effort.of(6u64, 12)).into_par_iter().map(|seed| run(bench, bench.seed_of(seed)));
    let mut runs: Vec<Trial> = runs.collect::<Result<_, _>>()?;
    // At zero every σ is ½, and the curvature is L.
    let met = runs.iter().flat_map(|run| run.met.iter().copied().chain([run.attained])).map(|share| (share, 1.0));
    let name = "logistic regression: λ_max(H) along the path and at zero ≤ L, over L";
    evidence.check(Check::at_most(name, 1e-6, met.collect::<Vec<_>>()));
    let top = |run: &Trial| run.met.iter().copied().fold(0.0, f64::max);
    let of = |pick: &dyn Fn(&Trial) -> f64| runs.iter().map(pick).collect::<Vec<_>>();
    evidence.effect(Effect::above("best step over 1/L", 2.0, of(&|run| run.logistic.best)));
    evidence.effect(Effect::above(
        "log of steps with 1/L over those with the best",
        2f64.ln(),
        of(&|run| run.logistic.saved.ln()),
    ));
    let name = "log of L over the largest λ_max(H) along the path";
    evidence.effect(Effect::above(name, 1.2f64.ln(), of(&|run| -top(run).ln())));
    // On a quadratic a step is stable below 2/L, and the best one is 2/(L + μ), which takes half of the steps at least.
    let steps = of(&|run| run.quadratic.best);
    evidence.check(Check::at_most("quadratics: best step over 1/L ≤ 2", 0.0, steps.iter().map(|best| (*best, 2.0))));
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    evidence.figure("best step over 1/L", mean(&of(&|run| run.logistic.best)));
    evidence.figure("over 1/β, β the largest curvature along the path", mean(&of(&|run| run.logistic.best * top(run))));
    evidence.figure("steps with 1/L over those with the best", mean(&of(&|run| run.logistic.saved)));
    evidence.figure("quadratics: best step over 1/L", mean(&steps));
    evidence.figure("quadratics: steps with 1/L over those with the best", mean(&of(&|run| run.quadratic.saved)));
    let Trial { logistic, quadratic, .. } = runs.swap_remove(0);
    evidence.plot(Plot {
        title: "Steps to a millionth of the gap".to_owned(),
        reading: "Logistic regression: the best constant step is above 2/L, because the curvature met on the way is \
                  below L. On a quadratic that meets L everywhere none is."
            .to_owned(),
        x: "step size, in units of 1/L".to_owned(),
        y: "steps".to_owned(),
        log_x: true,
        log_y: true,
        series: vec![
            Series::measured("logistic regression", logistic.counts),
            Series::measured("quadratic", quadratic.counts),
        ],
        ..Plot::default()
    });
    Ok(evidence)
}
