//! Newton's step, and why it is not taken.

use burn::tensor::Tensor;
use losscape_krylov::{ConjugateGradient, Shifted, SymmetricOperator, dense};

use super::problem::{draws, geometric, gradient_descent, norm};
use super::{
    Check, Claim, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench, descent::descend,
};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "newton-step",
    family: Family::StepSize,
    printed: concat!(
        r"$\delta=-H(x)^{-1}\nabla_x f(x)$, not practical: the inverse at every step, and $H$ is not always ",
        r"invertible and of full rank, because data lies on a lower dimensional manifold",
    ),
    exact: concat!(
        r"one step solves a quadratic of full rank; the rank of $H$ is that of the data, below $d$ with $d>n$ and ",
        r"with any number of samples that lie in a linear subspace (a curved manifold can span all dimensions); then ",
        r"a pseudo-inverse or damping is needed",
    ),
    source: "lecture notes, Newton's method solver",
    expected: Expectation::HoldsAsCorrected,
    false_statements: &[
        FalseStatement::pairs("a step leaves a thousandth of the gradient", "gradient after one step", |pair| Pair {
            left: 1e7 * pair.right,
            ..pair
        }),
        FalseStatement::pairs("H has full rank with fewer samples than parameters", "6 samples", |pair| Pair {
            left: 15.0,
            ..pair
        }),
        FalseStatement::pairs("H has full rank with enough samples", "on a plane", |pair| Pair { left: 8.0, ..pair }),
        FalseStatement::pairs("the pseudo-inverse's step leaves a millionth of the loss", "−H⁺g", |pair| Pair {
            left: 1e10 * pair.right,
            ..pair
        }),
        FalseStatement::pairs("a damped step leaves half of the gradient", "−(H + λI)⁻¹g", |pair| Pair {
            left: 10.0 * pair.right,
            ..pair
        }),
    ],
    measure,
};

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let (mut solved, mut ranks, mut flat) = (Vec::new(), Vec::new(), Vec::new());
    let (mut inverted, mut damped) = (Vec::new(), Vec::new());
    for problem in 0..bench.effort.of(5, 50) {
        let seed = bench.seed_of(problem);
        let (objective, ..) = bench.least_squares(&geometric(0.1, 10.0, 8), [20, 8], 0.5, seed)?;
        let point = objective.at(&bench.normal(8, &mut draws(seed, 3)))?;
        let step = newton(&point.hessian(), point.gradient(), 1e-12)?.0;
        let after = objective.at(&(point.parameters().clone() - step))?;
        solved.push((after.gradient_norm(), 1e-10 * point.gradient_norm()));
        // More parameters than samples.
        let (wide, ..) = bench.least_squares(&geometric(0.1, 10.0, 6), [6, 15], 0.5, seed)?;
        let values = dense::eigenvalues(dense::materialize(&wide.here()?.hessian())).map_err(analysis)?;
        let floor = 15.0 * f64::EPSILON * values[14];
        ranks.push((values.iter().filter(|&&value| value > floor).count() as f64, 6.0));
        // More samples than parameters, all of them in a subspace of three dimensions.
        let (objective, ..) = bench.least_squares(&[4.0, 2.0, 1.0], [30, 8], 0.5, seed)?;
        let all = dense::eigenvalues(dense::materialize(&objective.here()?.hessian())).map_err(analysis)?;
        let floor = 30.0 * f64::EPSILON * all[7];
        flat.push((all.iter().filter(|&&value| value > floor).count() as f64, 3.0));
        // Conjugate gradients on a gradient in H's range give the pseudo-inverse's step, which solves it; a damped one
        // leaves λ/(λ + λ_i).
        let point = wide.here()?;
        let hessian = point.hessian();
        let step = newton(&hessian, point.gradient(), 1e-12)?.0;
        let after = wide.at(&(point.parameters().clone() - step))?;
        inverted.push((after.loss(), 1e-16 * point.loss()));
        let (shift, least) = (0.01, values[9]);
        let step = newton(&Shifted { operator: &hessian, shift }, point.gradient(), 1e-12)?.0;
        let after = wide.at(&(point.parameters().clone() - step))?;
        damped.push((after.gradient_norm(), shift / (shift + least) * point.gradient_norm()));
    }
    evidence.check(Check::at_most("gradient after one step ≤ 1e-10 of the one before", 0.0, solved));
    evidence.check(Check::equal("rank of H with 15 parameters and 6 samples = 6", 0.0, ranks));
    evidence.check(Check::equal(
        "rank of H with 8 parameters and 30 samples on a plane of 3 dimensions = 3",
        0.0,
        flat,
    ));
    evidence.check(Check::at_most(
        "15 parameters, 6 samples: loss after −H⁺g ≤ 1e-16 of the one before",
        0.0,
        inverted,
    ));
    // A manifold of one dimension that is not flat.
    let curve = (0..30).flat_map(|at| {
        let t = std::f64::consts::TAU * f64::from(at) / 30.0;
        (1..=4).flat_map(move |k| [(f64::from(k) * t).cos(), (f64::from(k) * t).sin()])
    });
    bench.formula("the curve (cos kt, sin kt), k = 1 … 4, 30 points");
    let curve: Tensor<2> = bench.vector(&curve.collect::<Vec<_>>()).reshape([30, 8]);
    let values = dense::eigenvalues(curve.clone().transpose().matmul(curve)).map_err(analysis)?;
    let floor = 30.0 * f64::EPSILON * values[7];
    let rank = values.iter().filter(|&&value| value > floor).count() as f64;
    let name = "8 parameters, 30 samples on a curve: H is not of full rank, rank ≤ 7";
    evidence.check(Check::at_most(name, 0.0, [(rank, 7.0)]).printed());
    let name = "15 parameters, 6 samples: gradient after −(H + λI)⁻¹g ≤ λ/(λ + λ_min⁺) of the one before";
    evidence.check(Check::at_most(name, 1e-9, damped));

    // Products with H, or gradients, until the gradient is a millionth.
    let (mut exact, mut conjugate, mut descent) = (Vec::new(), Vec::new(), Vec::new());
    for size in bench.effort.of(vec![8, 16, 32, 64], vec![8, 16, 32, 64, 128, 256]) {
        let (objective, ..) = bench.least_squares(&geometric(0.01, 1.0, size), [2 * size, size], 0.5, bench.seed)?;
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
        reading: "Products with H until the gradient has shrunk to a millionth, condition 100: writing H down costs \
                  one for each parameter, and P³ operations more to invert it; conjugate gradients take no more than \
                  that, and from some size on only what the condition asks for; so does gradient descent."
            .to_owned(),
        x: "parameters P".to_owned(),
        y: "products with H, or gradients".to_owned(),
        log_x: true,
        log_y: true,
        series: vec![
            Series::bound("Newton, dense: P", exact),
            Series::measured("Newton by CG", conjugate),
            Series::measured("gradient descent", descent),
        ],
        ..Plot::default()
    });
    Ok(evidence)
}

/// `H⁻¹ g` by conjugate gradients to a relative residual, and the products it took.
fn newton(
    hessian: &impl SymmetricOperator,
    gradient: &Tensor<1>,
    tolerance: f64,
) -> Result<(Tensor<1>, usize), LabError> {
    let solver = ConjugateGradient { tolerance, max_products: 10_000 };
    let solution = solver.solve(hessian, gradient).map_err(analysis)?;
    Ok((solution.x, solution.products))
}

fn analysis(error: losscape_krylov::KrylovError) -> LabError {
    losscape_analysis::AnalysisError::from(error).into()
}
