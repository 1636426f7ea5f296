//! Around a global minimum of an overparameterized network the loss is not convex, and PL* holds all the same.

use losscape_analysis::ntk::KernelSpectrum;
use losscape_analysis::{AnalysisError, Objective};
use losscape_krylov::{Eigensolver, dense};

use super::false_statement::{swapped, tighter};
use super::problem::{draws, norm, solve, spectrum};
use super::{Check, Claim, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "local-nonconvexity",
    family: Family::PolyakLojasiewicz,
    printed: r"overparameterization allows for basins of global minima even if not convex locally",
    exact: concat!(
        r"at zero residual $H=G\succeq0$ with nullity at least $P-nC$; points arbitrarily close have ",
        r"$\lambda_{\min}(H)<0$ while $\frac12\|g\|^2\ge\lambda_{\min}(K_c)\,L$ holds",
    ),
    source: "lecture notes, Role of Overparameterization; Liu, Zhu & Belkin 2020, Proposition 3",
    expected: Expectation::Holds,
    false_statements: &[
        FalseStatement::pairs("H differs from G at a solution, by a thousandth", "at a solution", |pair| Pair {
            left: 1e7 * pair.right,
            ..pair
        }),
        FalseStatement::pairs("H has full rank there", "nullity", |pair| Pair { right: 0.0, ..pair }),
        FalseStatement::pairs("the loss is convex around a solution", "lowest λ_min(H)", |pair| Pair {
            left: 0.0,
            ..pair
        }),
        FalseStatement::pairs("the kernel is singular to rounding", "floor of rounding", swapped),
        FalseStatement::pairs("PL* holds with λ_min(K_c)/0.9", "λ_min(K_c) L", tighter),
    ],
    measure,
};

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    const SAMPLES: usize = 10;
    let mut evidence = Evidence::default();
    let objective = bench.student(&[32], SAMPLES, bench.seed)?;
    let (solution, _) = solve(&objective, objective.parameters(), 1e-24, 200)?;
    let point = objective.at(&solution)?;
    let (hessian, gauss_newton) = (spectrum(&point.hessian())?, spectrum(&point.gauss_newton())?);
    let (parameters, norm_of_g) = (hessian.len(), gauss_newton[gauss_newton.len() - 1]);
    // At a loss of 1e-24 the residual part is 1e-12 of G.
    let differences = hessian.iter().zip(&gauss_newton).map(|(h, g)| ((h - g).abs(), 1e-10 * norm_of_g));
    evidence.check(Check::at_most(
        "at a solution: |λ_i(H) − λ_i(G)| ≤ 1e-10 λ_max",
        0.0,
        differences.collect::<Vec<_>>(),
    ));
    let null = hessian.iter().filter(|value| value.abs() <= 1e-10 * norm_of_g).count();
    evidence.check(Check::at_most("P − nC ≤ nullity of H", 0.0, [((parameters - SAMPLES) as f64, null as f64)]));

    let (mut lowest, mut shares, mut pl, mut floors) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let random = &mut draws(bench.seed, 13);
    let scale = norm(&solution);
    for radius in [1e-3, 1e-2, 1e-1, 1.0] {
        let (mut least, mut negative) = (0f64, 0);
        let samples = bench.effort.of(10, 50);
        for _ in 0..samples {
            let direction = point.space().normal(random);
            let near = objective.at(&(solution.clone() + direction.clone() * (radius * scale / norm(&direction))))?;
            let found = Eigensolver::bottom(1).with_tolerance(1e-8).solve(&near.hessian(), None, random);
            let bottom = found.map_err(AnalysisError::from)?.bottom[0];
            negative += usize::from(bottom.value + bottom.error_bound < 0.0);
            least = least.min(bottom.value + bottom.error_bound);
            let kernel = KernelSpectrum::of(objective.kernel(near.parameters())?, objective.targets())?;
            floors.push((kernel.floor, kernel.min));
            pl.push((kernel.trusted_min() * near.loss(), 0.5 * near.gradient_norm().powi(2)));
        }
        // Below zero by far more than rounding.
        lowest.push((least, -1e-9 * norm_of_g));
        shares.push((radius, negative as f64 / samples as f64));
    }
    // On shells the ratio is far from one: PL* is attained where F − y is along the kernel's bottom eigenvector, to
    // first order in how far one goes from the solution to get there.
    let (_, vectors) = dense::eigenpairs(objective.kernel(&solution)?).map_err(AnalysisError::from)?;
    let along = bench.vector(&vectors[0]).reshape([-1, 1]);
    let (network, inputs) = (objective.network().clone(), objective.inputs().clone());
    let turned = Objective::new(network, inputs, point.outputs() - along, objective.loss())?;
    let direction = turned.at(&solution)?.gradient().clone();
    let ratio = |pairs: &[(f64, f64)]| pairs.iter().map(|(bound, of)| of / bound).fold(f64::INFINITY, f64::min);
    let on_shells = ratio(&pl);
    let mut attained = Vec::new();
    for distance in [1e-6, 1e-5, 1e-4] {
        let near = objective.at(&(solution.clone() + direction.clone() * (distance * scale / norm(&direction))))?;
        let kernel = KernelSpectrum::of(objective.kernel(near.parameters())?, objective.targets())?;
        attained.push((kernel.trusted_min() * near.loss(), 0.5 * near.gradient_norm().powi(2)));
    }
    let along_bottom = ratio(&attained);
    pl.extend(attained);
    evidence.check(Check::at_most("on every shell: lowest λ_min(H) ≤ −1e-9 λ_max(G)", 0.0, lowest));
    evidence.check(Check::at_most("on every shell: floor of rounding ≤ λ_min(K_c)", 0.0, floors));
    evidence.check(Check::at_most(
        "on every shell, F − y along the bottom eigenvector too: λ_min(K_c) L ≤ ½‖g‖²",
        1e-9,
        pl,
    ));
    evidence.figure("share of points that are not convex, a thousandth of ‖w‖ away", shares[0].1);
    evidence.figure("smallest ½‖g‖²/λ_min(K_c)L on the shells", on_shells);
    evidence.figure("the same, F − y along the kernel's bottom eigenvector", along_bottom);
    evidence.plot(Plot {
        title: "Not convex, however close".to_owned(),
        reading: "The share of random points around a global minimum at which the Hessian has a negative eigenvalue."
            .to_owned(),
        x: "distance, relative to ‖w‖".to_owned(),
        y: "share of points".to_owned(),
        log_x: true,
        series: vec![Series::measured("λ_min(H) < 0", shares)],
        ..Plot::default()
    });
    Ok(evidence)
}
