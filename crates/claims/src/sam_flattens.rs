//! What SAM does to the minima that SGD finds.

use burn::tensor::Tensor;
use losscape_analysis::AnalysisError;
use losscape_krylov::Eigensolver;
use losscape_optim::{SamConfig, SharpnessPenaltyConfig};
use rayon::prelude::*;

use super::false_statement::{doubled, negated, none};
use super::flattens::{Contender, compared, mean};
use super::networks::Architecture;
use super::problem::{draws, geometric, gradient_descent, inner, log_slope, norm, solve};
use super::{Check, Claim, Evidence, Expectation, FalseStatement, Family, Pair, Workbench};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "sam-flattens",
    family: Family::Flatness,
    printed: r"the largest eigenvalue, added to the loss, gives SAM",
    exact: concat!(
        r"SAM minimizes $\max_{\|e\|\le\rho}L(w+e)$ by a first-order ascent and never sees an eigenvalue; what it ",
        r"aims at is, where $\nabla L=0$, $L+\frac{\rho^2}2\lambda_{\max}+O(\rho^3)$, but its step is not the ",
        r"gradient of that, and $L+\alpha\lambda_{\max}$ is another method; after both, at equal training loss, ",
        r"$\lambda_{\max}(H)$ is lower than after SGD",
    ),
    source: "lecture notes, Basin Sizes; Foret et al. 2021",
    expected: Expectation::HoldsAsCorrected,
    false_statements: &[
        FalseStatement::samples("the method leaves λ_max where SGD has it", "−log of λ_max", none),
        FalseStatement::samples("the method sharpens", "−log of λ_max", negated),
        FalseStatement::pairs("minima of twice the loss are compared", "their losses", doubled),
        FalseStatement::pairs("SAM aims at ρ² λ_max, or a quarter", "over ½ρ² λ_max", doubled),
        FalseStatement::pairs("the rest is of the same order", "the rest is O(ρ³)", |pair| Pair {
            right: 0.0,
            ..pair
        }),
    ],
    measure,
};

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let (sgd, rho) = (|| gradient_descent(0.1), SamConfig::new);
    let methods = || {
        [
            Contender::new("SGD", sgd()),
            Contender::new("SAM, ρ = 0.05", sgd().with_sam(rho(0.05))),
            Contender::new("SAM, ρ = 0.1", sgd().with_sam(rho(0.1))),
            Contender::new("ASAM, ρ = 0.5", sgd().with_sam(SamConfig::adaptive(0.5))),
            Contender::new("penalty, 0.01 λ_max", sgd().with_sharpness_penalty(SharpnessPenaltyConfig::new(0.01))),
        ]
    };
    let digits = (usize::MAX, bench.effort.of(3, 10));
    trained(bench, &Architecture::mlp([64, 64]), &methods(), digits, &mut evidence)?;
    for network in Architecture::others(bench.effort) {
        // A penalty takes Hessian products at every step, which on these networks are hours.
        trained(bench, &network, &methods()[..4], (300, 4), &mut evidence)?;
    }
    ideal(bench, &mut evidence)?;
    Ok(evidence)
}

/// A network trained by each method; and whether what SAM adds to the gradient at SGD's minima, and the gradient of the
/// largest eigenvalue, are the same direction.
fn trained(
    bench: &Workbench,
    network: &Architecture,
    methods: &[Contender],
    digits: (usize, u64),
    evidence: &mut Evidence,
) -> Result<(), LabError> {
    let runs = compared(bench, network, methods, digits, evidence)?;
    let of_sgd: Vec<_> = runs.iter().step_by(methods.len()).collect();
    let cosines = of_sgd.into_par_iter().map(|run| -> Result<f64, LabError> {
        let Some(found) = run else { return Ok(f64::NAN) };
        let objective = &found.minimum.objective;
        let gradient_at = |w: Tensor<1>| -> Result<Tensor<1>, LabError> { Ok(objective.gradient(&w)?.1) };
        let (w, v) = (objective.parameters(), found.sharpest.direction.clone());
        let g = gradient_at(w.clone())?;
        let added = gradient_at(w.clone() + g.clone() * (0.1 / norm(&g)))? - g.clone();
        let h = 1e-3;
        let [high, low] = [h, -h].map(|h| gradient_at(w.clone() + v.clone() * h));
        let eigenvalue = high? - g * 2.0 + low?;
        Ok(inner(&added, &eigenvalue) / (norm(&added) * norm(&eigenvalue)))
    });
    let cosines: Vec<f64> = cosines.collect::<Result<_, _>>()?;
    let name = |what: &str| network.of(what);
    let (cosine, _) = mean(&cosines);
    evidence.figure(name("mean cosine of what SAM adds to the gradient and ∇λ_max, at SGD's minima"), cosine);
    let cosine = name("SGD's minima: cosine of what SAM adds to the gradient and ∇λ_max = 1");
    evidence.check(Check::equal(cosine, 0.1, cosines.into_iter().map(|cosine| (cosine, 1.0))).printed());
    Ok(())
}

/// What SAM aims at where the gradient is zero: `max L(w + e) − L(w)` over `‖e‖ ≤ ρ` against `½ρ² λ_max`, at a global
/// minimum of a network.
fn ideal(bench: &Workbench, evidence: &mut Evidence) -> Result<(), LabError> {
    let objective = bench.student(&[16], 10, bench.seed)?;
    let (w, loss) = solve(&objective, objective.parameters(), 1e-26, 200)?;
    let solver = Eigensolver { max_products: 1000, ..Eigensolver::top(1) }.with_tolerance(1e-9);
    let found = solver.solve(&objective.at(&w)?.hessian(), None, &mut draws(bench.seed, 27));
    let found = found.map_err(AnalysisError::from)?;
    let (largest, top): (f64, Tensor<1>) = (found.top[0].value, found.vectors.squeeze_dim(0));
    let (mut ratios, mut errors) = (Vec::new(), Vec::new());
    for rho in geometric(1e-4, 1e-2, 5) {
        let mut highest = f64::NEG_INFINITY;
        for sign in [1.0, -1.0] {
            // The first-order ascent, repeated until it stands: its fixed point is the highest on the sphere.
            let mut e = top.clone() * (sign * rho);
            for _ in 0..50 {
                let g = objective.gradient(&(w.clone() + e))?.1;
                e = g.clone() * (rho / norm(&g));
            }
            highest = highest.max(objective.value(&(w.clone() + e))? - loss);
        }
        let ratio = highest / (0.5 * rho * rho * largest);
        ratios.push((ratio, 1.0));
        errors.push((rho, (ratio - 1.0).abs()));
    }
    let slope = log_slope(&errors[1..]);
    evidence.check(Check::equal("where ∇L = 0, ρ = 1e-4: max L(w + e) − L(w) over ½ρ² λ_max = 1", 1e-3, [ratios[0]]));
    evidence.check(Check::at_most("the rest is O(ρ³): 0.9 ≤ log-log slope of that ratio's error", 0.0, [(0.9, slope)]));
    Ok(())
}
