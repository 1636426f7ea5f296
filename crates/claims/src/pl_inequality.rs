//! A singular quadratic is not strongly convex, but it has a Polyak-Łojasiewicz constant.

use losscape_krylov::{ConjugateGradient, dense};

use super::false_statement::{doubled, tighter};
use super::problem::{draws, gradient_descent, inner};
use super::{
    Check, Claim, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench, descent::descend,
};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "pl-inequality",
    family: Family::PolyakLojasiewicz,
    printed: r"$\|\nabla L(w)\|^2\ge\mu\left(L(w)-L(w^*)\right)$",
    exact: concat!(
        r"in the standard form $\frac12\|\nabla L\|^2\ge\mu(L-L^*)$; singular least squares has it with the smallest ",
        r"nonzero eigenvalue, though it is not strongly convex, and ",
        r"$\mathrm{gap}_t\le(1-\epsilon\mu)^t\,\mathrm{gap}_0$ for $\epsilon\le1/\beta$",
    ),
    source: "lecture notes, Polyak-Łojasiewicz Condition; Karimi, Nutini & Schmidt 2016",
    expected: Expectation::Holds,
    false_statements: &[
        FalseStatement::pairs(
            "μ is twice the smallest nonzero eigenvalue",
            "along the smallest nonzero eigenvalue: μ (L − L*) =",
            doubled,
        ),
        FalseStatement::pairs("μ is the smallest nonzero eigenvalue over 0.9", "μ (L − L*) ≤ ½‖g‖²", tighter),
        // On quadratics the exponent is attained but for a factor two.
        FalseStatement::pairs("the gap falls like (1 − εμ)^2.1t", "gap/gap₀ ≤ (1 − εμ)ᵗ", |pair| Pair {
            right: pair.right.powf(2.1),
            ..pair
        }),
        FalseStatement::pairs(
            "along the smallest it falls like (1 − εμ)³ᵗ",
            "gap/gap₀ = (1 − εμ)²ᵗ",
            |pair| Pair { right: pair.right.powf(1.5), ..pair },
        ),
        FalseStatement::pairs("the loss is strongly convex", "smallest eigenvalue", |pair| Pair { left: 0.05, ..pair }),
    ],
    measure,
};

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    const MU: f64 = 0.05;
    let mut evidence = Evidence::default();
    // Half of the directions are flat.
    let eigenvalues: Vec<f64> =
        (0..20).map(|at| if at < 10 { MU + (1.0 - MU) * f64::from(at) / 9.0 } else { 0.0 }).collect();
    let value = bench.bowl(&eigenvalues);
    let random = &mut draws(bench.seed, 12);
    let (mut inequality, mut printed, mut tight) = (Vec::new(), Vec::new(), f64::INFINITY);
    for _ in 0..bench.effort.of(500, 20_000) {
        let (loss, gradient) = value(&bench.normal(20, random))?;
        let squared = inner(&gradient, &gradient);
        inequality.push((MU * loss, 0.5 * squared));
        printed.push((MU * loss, squared));
        tight = tight.min(squared / (2.0 * loss));
    }
    let smallest = eigenvalues.iter().copied().fold(f64::INFINITY, f64::min);
    evidence.check(Check::equal("smallest eigenvalue = 0: not strongly convex", 0.0, [(smallest, 0.0)]));
    let along: Vec<f64> = (0..20).map(|at| if at == 0 { 1.0 } else { 0.0 }).collect();
    let (loss, gradient) = value(&bench.vector(&along))?;
    inequality.push((MU * loss, 0.5 * inner(&gradient, &gradient)));
    let name = "random points, along the smallest nonzero eigenvalue: μ (L − L*) ≤ ½‖g‖²";
    evidence.check(Check::at_most(name, 1e-12, inequality));
    evidence.check(Check::equal(
        "along the smallest nonzero eigenvalue: μ (L − L*) = ½‖g‖²",
        1e-12,
        [(MU * loss, 0.5 * inner(&gradient, &gradient))],
    ));
    evidence
        .check(Check::at_most("random points, the weaker printed form: μ (L − L*) ≤ ‖g‖²", 1e-12, printed).printed());
    // The same with a minimum above zero: least squares that cannot be met, of deficient rank.
    let mut shifted = Vec::new();
    let spectrum = [1.0, 0.4, MU];
    let (objective, ..) = bench.least_squares(&spectrum, [12, 5], 0.5, bench.seed)?;
    let solver = ConjugateGradient { tolerance: 1e-14, ..ConjugateGradient::default() };
    let here = objective.here()?;
    let step = solver.solve(&here.hessian(), here.gradient()).map_err(losscape_analysis::AnalysisError::from)?.x;
    let solution = here.parameters().clone() - step;
    let minimum = objective.value(&solution)?;
    let hessian = dense::materialize(&here.hessian());
    let (_, vectors) = dense::eigenpairs(hessian).map_err(losscape_analysis::AnalysisError::from)?;
    // Two of five eigenvalues are zero; along the third the inequality is attained.
    let mut points: Vec<_> = (0..100).map(|_| bench.normal(5, random)).collect();
    points.push(solution + bench.vector(&vectors[2]));
    for w in points {
        let (loss, gradient) = objective.gradient(&w)?;
        shifted.push((MU * (loss - minimum), 0.5 * inner(&gradient, &gradient)));
    }
    evidence.check(Check::at_most("least squares with L* > 0: μ (L − L*) ≤ ½‖g‖²", 1e-10, shifted));
    evidence.figure("its L*", minimum);
    let mut rates = Vec::new();
    let mut first = 0.0;
    let steps = bench.effort.of(200, 400);
    descend(&gradient_descent(1.0), bench.normal(20, random), steps, &value, |at| {
        if at.step == 0 {
            first = at.value;
        }
        rates.push((at.value, (1.0 - MU).powi(i32::try_from(at.step).unwrap_or(i32::MAX)) * first));
        Ok(true)
    })?;
    let points = |pick: fn(&(f64, f64)) -> f64| {
        rates.iter().enumerate().map(|(t, pair)| (t as f64, pick(pair))).collect::<Vec<_>>()
    };
    let series =
        vec![Series::measured("gap", points(|pair| pair.0)), Series::bound("(1 − εμ)ᵗ gap₀", points(|pair| pair.1))];
    let mut shares: Vec<(f64, f64)> = rates.iter().map(|(gap, bound)| (gap / first, bound / first)).collect();
    // Along the smallest nonzero eigenvalue the bound is attained but for a factor two in the exponent.
    let mut slowest = Vec::new();
    descend(&gradient_descent(1.0), bench.vector(&along), steps, &value, |at| {
        if at.step == 0 {
            first = at.value;
        }
        let bound = (1.0 - MU).powi(i32::try_from(at.step).unwrap_or(i32::MAX));
        slowest.push((at.value / first, bound * bound));
        shares.push((at.value / first, bound));
        Ok(true)
    })?;
    evidence.check(Check::at_most("gap/gap₀ ≤ (1 − εμ)ᵗ", 1e-12, shares));
    evidence.check(Check::equal("along the smallest nonzero eigenvalue: gap/gap₀ = (1 − εμ)²ᵗ", 1e-9, slowest));
    evidence.figure("smallest ratio ‖g‖²/2L at random points, μ = 0.05", tight);
    evidence.plot(Plot {
        title: "Linear convergence without strong convexity".to_owned(),
        reading: "Ten of twenty directions are flat; the gap falls at least as fast as the PL constant says."
            .to_owned(),
        x: "step".to_owned(),
        y: "gap".to_owned(),
        log_y: true,
        series,
        ..Plot::default()
    });
    Ok(evidence)
}
