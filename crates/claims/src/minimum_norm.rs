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
        FalseStatement::pairs("it ends a thousandth of the way beside", "from the nearest solution", |pair| Pair {
            left: 1e3 * pair.right,
            ..pair
        }),
        FalseStatement::pairs("a thousand times as much of the loss is left", "loss left", |pair| Pair {
            left: 1e3 * pair.right,
            ..pair
        }),
        FalseStatement::samples("Adam ends there too", "Adam", none),
    ],
    measure,
};

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let (mut beside, mut left, mut of_adam) = (Vec::new(), Vec::new(), Vec::new());
    for problem in 0..bench.effort.of(12, 30) {
        let seed = bench.seed_of(problem);
        let (objective, ..) = bench.least_squares(&geometric(0.1, 1.0, 6), [6, 15], 0.5, seed)?;
        let mut shares = Vec::new();
        for start in [bench.vector(&[0.0; 15]), bench.normal(15, &mut draws(seed, 0))] {
            let nearest = nearest(&objective, &start)?;
            let least = norm(&(nearest.clone() - start.clone()));
            let heavy_ball = OptimizerConfig::new(MomentumConfig { momentum: 0.5 }, 1.0);
            for (config, steps) in [(gradient_descent(1.0), 400), (heavy_ball, 400)] {
                let (end, share) = follow(&objective, &config, &start, steps)?;
                beside.push((norm(&(end - nearest.clone())), 1e-6 * least));
                left.push((share, 1e-12));
            }
            let adam = OptimizerConfig::new(AdamConfig::default(), 0.01);
            let (end, share) = follow(&objective, &adam, &start, 4000)?;
            left.push((share, 1e-6));
            shares.push(norm(&(end - nearest)) / least);
        }
        // Two starts of one problem are no two problems.
        of_adam.push(shares.iter().sum::<f64>() / shares.len() as f64);
    }
    let name = "distance of gradient descent and the heavy ball from the nearest solution ≤ 10⁻⁶ of the way to it";
    evidence.check(Check::at_most(name, 1e-9, beside));
    evidence.check(Check::at_most("loss left of L₀: 10⁻¹² at most, Adam's 10⁻⁶", 1e-9, left).condition());
    evidence.effect(Effect::above("Adam: distance from the nearest solution over the way to it", 0.01, of_adam));
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

/// Where a method ends, and the share of the loss that is left there.
fn follow(
    objective: &Objective<LinearModel>,
    config: &OptimizerConfig,
    start: &Tensor<1>,
    steps: usize,
) -> Result<(Tensor<1>, f64), LabError> {
    let (mut first, mut end) = (0.0, (start.clone(), 0.0));
    descend(
        config,
        start.clone(),
        steps,
        |w| Ok(objective.gradient(w)?),
        |at| {
            if at.step == 0 {
                first = at.value;
            }
            end = (at.w, at.value / first);
            Ok(true)
        },
    )?;
    Ok(end)
}
