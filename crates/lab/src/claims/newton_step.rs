//! Newton's step, and why it is not taken.

use losscape_krylov::{ConjugateGradient, SymmetricOperator, dense};

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
    let (mut solved, mut ranks) = (Vec::new(), Vec::new());
    for problem in 0..settings.effort.of(5, 50) {
        let seed = settings.seed_of(problem);
        let (objective, ..) = settings.least_squares(&geometric(0.1, 10.0, 8), [20, 8], 0.5, seed)?;
        let point = objective.at(&settings.normal(8, &mut draws(seed, 3)))?;
        let step = newton(&point.hessian(), point.gradient())?.0;
        let after = objective.at(&(point.parameters().clone() - step))?;
        solved.push((after.gradient_norm(), 1e-10 * point.gradient_norm()));
        // More parameters than samples.
        let (objective, ..) = settings.least_squares(&geometric(0.1, 10.0, 6), [6, 15], 0.5, seed)?;
        let values = dense::eigenvalues(dense::materialize(&objective.here()?.hessian())).map_err(analysis)?;
        let floor = 15.0 * f64::EPSILON * values[14];
        ranks.push((values.iter().filter(|&&value| value > floor).count() as f64, 6.0));
    }
    evidence.check(Check::at_most("gradient after one step ≤ 1e-10 of the one before", 0.0, solved));
    evidence.check(Check::at_most("rank of H with 15 parameters and 6 samples ≤ 6", 0.0, ranks));

    // Products with H, or gradients, until the gradient is a millionth.
    let (mut exact, mut conjugate, mut descent) = (Vec::new(), Vec::new(), Vec::new());
    for size in settings.effort.of(vec![8, 16, 32, 64], vec![8, 16, 32, 64, 128, 256]) {
        let (objective, ..) =
            settings.least_squares(&geometric(0.01, 1.0, size), [2 * size, size], 0.5, settings.seed)?;
        let point = objective.here()?;
        exact.push((size as f64, size as f64));
        conjugate.push((size as f64, newton(&point.hessian(), point.gradient())?.1 as f64));
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
                  P³ operations more to invert it; conjugate gradients and gradient descent see the condition alone."
            .to_owned(),
        x: "parameters P".to_owned(),
        y: "products with H, or gradients".to_owned(),
        log_x: true,
        log_y: true,
        series: vec![
            Series::measured("Newton, dense", exact),
            Series::measured("Newton by CG", conjugate),
            Series::measured("gradient descent", descent),
        ], ..Plot::default() });
    Ok(evidence)
}

/// `H⁻¹ g` by conjugate gradients to 1e-12, and the products it took.
fn newton(
    hessian: &impl SymmetricOperator,
    gradient: &burn::tensor::Tensor<1>,
) -> Result<(burn::tensor::Tensor<1>, usize), LabError> {
    let solver = ConjugateGradient { tolerance: 1e-12, max_products: 10_000 };
    let solution = solver.solve(hessian, gradient).map_err(analysis)?;
    Ok((solution.x, solution.products))
}

fn analysis(error: losscape_krylov::KrylovError) -> LabError {
    losscape_analysis::AnalysisError::from(error).into()
}
