//! Newton's step, and why it is not taken.

use losscape_krylov::{ConjugateGradient, Shifted, SymmetricOperator, dense};

use super::problem::{draws, geometric, gradient_descent, norm};
use super::{Check, Claim, ClaimSettings, Evidence, Expectation, Family, Plot, Series, descent::descend};
use crate::LabError;

pub const CLAIM: Claim = Claim {
    id: "newton-step",
    family: Family::StepSize,
    printed: r"$\delta=-H(x)^{-1}\nabla_x f(x)$, not practical: the inverse at every step, and $H$ is not always invertible",
    exact: r"one step solves a quadratic of full rank; with $d>n$ the rank of $H$ is at most $n$, and a pseudo-inverse or damping is needed",
    source: "lecture notes, Newton's method solver",
    expected: Expectation::Holds,
    measure,
};

fn measure(settings: &ClaimSettings) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let (mut solved, mut ranks, mut inverted, mut damped) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for problem in 0..settings.effort.of(5, 50) {
        let seed = settings.seed_of(problem);
        let (objective, ..) = settings.least_squares(&geometric(0.1, 10.0, 8), [20, 8], 0.5, seed)?;
        let point = objective.at(&settings.normal(8, &mut draws(seed, 3)))?;
        let step = newton(&point.hessian(), point.gradient(), 1e-12)?.0;
        let after = objective.at(&(point.parameters().clone() - step))?;
        solved.push((after.gradient_norm(), 1e-10 * point.gradient_norm()));
        // More parameters than samples.
        let (objective, ..) = settings.least_squares(&geometric(0.1, 10.0, 6), [6, 15], 0.5, seed)?;
        let values = dense::eigenvalues(dense::materialize(&objective.here()?.hessian())).map_err(analysis)?;
        let floor = 15.0 * f64::EPSILON * values[14];
        ranks.push((values.iter().filter(|&&value| value > floor).count() as f64, 6.0));
        // Conjugate gradients on a gradient in H's range give the pseudo-inverse's step, which solves it; a damped one leaves λ/(λ + λ_i).
        let point = objective.here()?;
        let hessian = point.hessian();
        let step = newton(&hessian, point.gradient(), 1e-12)?.0;
        let after = objective.at(&(point.parameters().clone() - step))?;
        inverted.push((after.loss(), 1e-16 * point.loss()));
        let (shift, least) = (0.01, values[9]);
        let step = newton(&Shifted { operator: &hessian, shift }, point.gradient(), 1e-12)?.0;
        let after = objective.at(&(point.parameters().clone() - step))?;
        damped.push((after.gradient_norm(), shift / (shift + least) * point.gradient_norm()));
    }
    evidence.check(Check::at_most("gradient after one step ≤ 1e-10 of the one before", 0.0, solved));
    evidence.check(Check::at_most("rank of H with 15 parameters and 6 samples ≤ 6", 0.0, ranks));

    evidence.check(Check::at_most("there, loss after −H⁺g ≤ 1e-16 of the one before", 0.0, inverted));
    let name = "there, gradient after −(H + λI)⁻¹g ≤ λ/(λ + λ_min⁺) of the one before";
    evidence.check(Check::at_most(name, 1e-9, damped));

    // Products with H, or gradients, until the gradient is a millionth.
    let (mut exact, mut conjugate, mut descent) = (Vec::new(), Vec::new(), Vec::new());
    for size in settings.effort.of(vec![8, 16, 32, 64], vec![8, 16, 32, 64, 128, 256]) {
        let (objective, ..) =
            settings.least_squares(&geometric(0.01, 1.0, size), [2 * size, size], 0.5, settings.seed)?;
        let point = objective.here()?;
        exact.push((size as f64, size as f64));
        conjugate.push((size as f64, newton(&point.hessian(), point.gradient(), 1e-6)?.1 as f64));
        let (mut gradients, least) = (0, 1e-6 * point.gradient_norm());
        descend(
            &gradient_descent(1.0),
            objective.parameters(),
            100_000,
            |w| Ok(objective.gradient(w)?),
            |at| {
                gradients = at.step + 1;
                Ok(norm(&at.gradient) > least)
            },
        )?;
        descent.push((size as f64, f64::from(u32::try_from(gradients).unwrap_or(u32::MAX))));
    }
    evidence.figure("products of Newton-CG at the largest size", conjugate.last().map_or(f64::NAN, |last| last.1));
    evidence.figure("gradients of gradient descent there", descent.last().map_or(f64::NAN, |last| last.1));
    evidence.plot(Plot {
        title: "What a solution costs".to_owned(),
        reading: "Products with H until the gradient has shrunk to a millionth, condition 100: writing H down costs one for each parameter, and \
                  P³ operations more to invert it; conjugate gradients take no more than that, and from some size on only what the condition asks for; so does gradient descent."
            .to_owned(),
        x: "parameters P".to_owned(),
        y: "products with H, or gradients".to_owned(),
        log_x: true,
        log_y: true,
        series: vec![
            Series::bound("Newton, dense: P", exact),
            Series::measured("Newton by CG", conjugate),
            Series::measured("gradient descent", descent),
        ], ..Plot::default() });
    Ok(evidence)
}

/// `H⁻¹ g` by conjugate gradients to a relative residual, and the products it took.
fn newton(
    hessian: &impl SymmetricOperator,
    gradient: &burn::tensor::Tensor<1>,
    tolerance: f64,
) -> Result<(burn::tensor::Tensor<1>, usize), LabError> {
    let solver = ConjugateGradient { tolerance, max_products: 10_000 };
    let solution = solver.solve(hessian, gradient).map_err(analysis)?;
    Ok((solution.x, solution.products))
}

fn analysis(error: losscape_krylov::KrylovError) -> LabError {
    losscape_analysis::AnalysisError::from(error).into()
}
