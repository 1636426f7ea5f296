//! Of all parameters that fit, gradient descent finds those nearest to its start.

use burn::tensor::Tensor;
use losscape_analysis::{AnalysisError, Objective};
use losscape_krylov::dense;
use losscape_model::LinearModel;
use losscape_optim::OptimizerConfig;
use losscape_optim::adam::AdamConfig;
use losscape_optim::momentum::MomentumConfig;

use super::false_statement::none;
use super::problem::{draws, geometric, gradient_descent, inner, norm};
use super::{Check, Claim, Effect, Evidence, Expectation, FalseStatement, Family, Pair, Workbench, descent::descend};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "minimum-norm",
    family: Family::Optimizers,
    printed: r"not in the notes; of all $w$ that fit, gradient descent finds the nearest to its start",
    exact: concat!(
        r"on $\frac12\|\Phi w-y\|^2$ with $P>n$ and $\Phi$ of rank $n$, gradient descent and the heavy ball end in ",
        r"$w_0+\Phi^+(y-\Phi w_0)$, from zero the solution of least norm; Adam leaves the rows' span, and ends farther",
    ),
    source: "Gunasekar, Lee, Soudry & Srebro 2018, §2; Wilson et al. 2017, §3",
    expected: Expectation::Supported,
    false_statements: &[
        FalseStatement::pairs("it ends a ten-thousandth farther than it has to", "distance from the start", |pair| {
            Pair { left: 1.0001 * pair.right, ..pair }
        }),
        FalseStatement::pairs("a thousandth of the loss is left", "loss left", |pair| Pair {
            left: 1e3 * pair.right,
            ..pair
        }),
        FalseStatement::samples("Adam ends as near", "Adam", none),
    ],
    measure,
};

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let (mut distances, mut left, mut farther) = (Vec::new(), Vec::new(), Vec::new());
    for problem in 0..bench.effort.of(12, 30) {
        let seed = bench.seed_of(problem);
        let (objective, ..) = bench.least_squares(&geometric(0.1, 1.0, 6), [6, 15], 0.5, seed)?;
        let mut of_adam = Vec::new();
        for start in [bench.vector(&[0.0; 15]), bench.normal(15, &mut draws(seed, 0))] {
            let least = norm(&(nearest(&objective, &start)? - start.clone()));
            let heavy_ball = OptimizerConfig::new(MomentumConfig { momentum: 0.5 }, 1.0);
            for (config, steps) in [(gradient_descent(1.0), 400), (heavy_ball, 400)] {
                let (distance, share) = follow(&objective, &config, &start, steps)?;
                distances.push((distance, least));
                left.push((share, 1e-12));
            }
            let adam = OptimizerConfig::new(AdamConfig::default(), 0.01);
            let (distance, share) = follow(&objective, &adam, &start, 4000)?;
            left.push((share, 1e-6));
            of_adam.push(distance / least - 1.0);
        }
        // Two starts of one problem are no two problems.
        farther.push(of_adam.iter().sum::<f64>() / of_adam.len() as f64);
    }
    let name = "distance from the start of gradient descent and the heavy ball = that of the nearest solution";
    evidence.check(Check::equal(name, 1e-6, distances));
    evidence.check(Check::at_most("loss left of L₀: 10⁻¹² at most, Adam's 10⁻⁶", 1e-9, left).condition());
    evidence.effect(Effect::above("Adam: distance over that of the nearest solution, less 1", 0.01, farther));
    Ok(evidence)
}

/// `w₀ + Φ⁺(y − Φw₀)`, by the eigenpairs of `ΦᵀΦ` that are not zero.
fn nearest(objective: &Objective<LinearModel>, start: &Tensor<1>) -> Result<Tensor<1>, LabError> {
    let point = objective.at(start)?;
    let (values, vectors) = dense::eigenpairs(dense::materialize(&point.hessian())).map_err(AnalysisError::from)?;
    let mut solution = start.clone();
    for (value, vector) in values.iter().zip(&vectors).filter(|(value, _)| **value > 1e-10) {
        let vector = point.space().vector(vector.clone());
        solution = solution - vector.clone() * (inner(&vector, point.gradient()) / value);
    }
    Ok(solution)
}

/// How far a method ends from its start, and the share of the loss that is left.
fn follow(
    objective: &Objective<LinearModel>,
    config: &OptimizerConfig,
    start: &Tensor<1>,
    steps: usize,
) -> Result<(f64, f64), LabError> {
    let (mut first, mut end) = (0.0, (0.0, 0.0));
    descend(
        config,
        start.clone(),
        steps,
        |w| Ok(objective.gradient(w)?),
        |at| {
            if at.step == 0 {
                first = at.value;
            }
            end = (norm(&(at.w - start.clone())), at.value / first);
            Ok(true)
        },
    )?;
    Ok(end)
}
