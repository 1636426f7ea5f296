//! Operators made of operators against dense matrices; traces, densities and linear systems against known spectra.

use std::sync::Arc;

use crate::common::{Prescribed, random};
use burn::tensor::{DType, Device, Tensor};
use losscape_krylov::trace::{frobenius, hutch_plus_plus, hutchinson, xtrace};
use losscape_krylov::{
    Congruence, ConjugateGradient, Counted, Deflated, Diagonal, Eigensolver, Ended, Estimate, Inverse, KrylovError,
    MinRes, Quadrature, Restricted, Scaled, Shifted, Space, SpectralDensity, Sum, SymmetricMatrix, SymmetricOperator,
    dense, diagonal,
};

fn difference(a: Tensor<2>, b: Tensor<2>) -> f64 {
    let largest: f64 = (a - b).abs().max().into_scalar();
    if largest.is_nan() { f64::INFINITY } else { largest }
}

#[test]
fn a_basis_of_columns_is_orthogonal_and_makes_them() {
    let space = |dim| Space { dim, device: Device::flex(), dtype: DType::F64 };
    for (dim, rank) in [(1, 1), (7, 7), (7, 3), (600, 600)] {
        let random = &mut random(dim as u64);
        let columns = space(dim * rank).normal(random).reshape([dim, rank]);
        let matrix = columns.matmul(space(rank * dim).normal(random).reshape([rank, dim]));
        let basis = dense::orthonormal(matrix.clone()).expect("it is finite");
        let rounding = 1e-13 * dim as f64;
        let identity = Tensor::<2>::eye(dim, &Device::flex()).cast(DType::F64);
        assert!(difference(basis.clone().transpose().matmul(basis.clone()), identity) < rounding, "{dim}, {rank}");
        // The first columns of the one make the first columns of the other.
        let factor = basis.transpose().matmul(matrix.clone());
        let size: f64 = matrix.abs().max().into_scalar();
        let below: f64 = factor.tril(-1).abs().max().into_scalar();
        assert!(below < rounding * size, "{dim}, {rank}: {below:e}");
    }
    let nan = Tensor::<2>::full([2, 2], f64::NAN, (&Device::flex(), DType::F64));
    assert!(dense::orthonormal(nan).is_err());
}

fn twice_inverted<A: SymmetricOperator>(operator: A) -> Inverse<Inverse<A>> {
    let solver = MinRes { tolerance: 1e-14, max_products: 100 };
    Inverse { operator: Inverse { operator, solver: solver.clone() }, solver: MinRes { tolerance: 1e-13, ..solver } }
}

#[test]
fn operators_made_of_operators() {
    let random = &mut random(0);
    let values: Vec<f64> = (0..30).map(|at| 3.1 - 0.2 * at as f64).collect();
    let operator = &Prescribed::new(&values, DType::F64, random);
    let space = operator.space();
    let a = dense::materialize(operator);
    let (entries, identity) = (space.normal(random), Tensor::<2>::eye(30, &a.device()).cast(DType::F64));
    let d: Tensor<2> = entries.clone().unsqueeze();
    let pairs = Eigensolver::top(2).with_tolerance(1e-12).solve(operator, None, random).expect("finite");
    let kept = space.vector(values.clone()).narrow(0, 0, 2);
    let along = pairs.vectors.clone().transpose().matmul(kept.clone().unsqueeze_dim(1) * pairs.vectors.clone());
    let cases: Vec<(&str, Box<dyn SymmetricOperator>, Tensor<2>)> = vec![
        ("matrix", Box::new(SymmetricMatrix(a.clone())), a.clone()),
        ("scaled", Box::new(Scaled { operator, factor: -2.5 }), a.clone() * -2.5),
        ("shifted", Box::new(Shifted { operator, shift: 0.7 }), a.clone() + identity.clone() * 0.7),
        ("sum", Box::new(Sum(operator, Diagonal(entries.clone()))), a.clone() + identity * d.clone()),
        ("deflated", Box::new(Deflated { operator, vectors: pairs.vectors, values: kept }), a.clone() - along),
        ("congruence", Box::new(Congruence { operator, diagonal: entries }), a.clone() * d.clone() * d.transpose()),
        ("restricted", Box::new(Restricted { operator, range: 5..12 }), a.clone().slice([5..12, 5..12])),
        ("counted", Box::new(Counted::new(operator)), a.clone()),
        ("boxed", Box::new(Box::new(operator)), a.clone()),
        ("shared", Box::new(Arc::new(operator)), a.clone()),
        ("inverse of the inverse", Box::new(twice_inverted(operator)), a),
    ];
    for (name, operator, expected) in cases {
        let rows = dense::materialize(operator.as_ref());
        assert!(difference(rows.clone(), expected.clone()) < 1e-12, "{name}");
        // One vector at a time as well as in a block.
        let ones: Tensor<1> = operator.space().vector(vec![1.0; operator.dim()]);
        let one = operator.apply(ones).unsqueeze();
        assert!(difference(one, expected.sum_dim(0)) < 1e-11, "{name}");
    }
}

/// Over repetitions: the share whose error is within two standard errors, and the root mean square of errors over that
/// of standard errors.
fn calibration(exact: f64, mut estimate: impl FnMut(u64) -> Estimate) -> (f64, f64) {
    const REPETITIONS: u64 = 200;
    let (mut hits, mut errors, mut sems) = (0, 0.0, 0.0);
    for seed in 0..REPETITIONS {
        let estimate = estimate(seed);
        let (error, sem) = ((estimate.mean - exact).abs(), estimate.sem.expect("several probes"));
        hits += u32::from(error <= 2.0 * sem + 1e-10 * exact.abs());
        (errors, sems) = (errors + error * error, sems + sem * sem);
    }
    (f64::from(hits) / REPETITIONS as f64, (errors / sems).sqrt())
}

#[test]
fn traces_within_their_standard_errors() {
    for (name, values) in [
        ("flat", (0..100).map(|at| 1.0 + 0.01 * f64::from(at)).collect::<Vec<_>>()),
        ("decaying", (0..100).map(|at| 0.6f64.powi(at)).collect()),
        ("indefinite", (0..100).map(|at| f64::from(at).cos()).collect()),
    ] {
        let operator = Prescribed::new(&values, DType::F64, &mut random(1));
        let (trace, squares): (f64, f64) = (values.iter().sum(), values.iter().map(|value| value * value).sum());
        // With a few probes the error follows Student's distribution: two standard errors hold 90 to 95 of a hundred.
        let calibrations = [
            ("hutchinson", calibration(trace, |seed| hutchinson(&operator, 30, &mut random(seed)).expect("finite").0)),
            ("squares", calibration(squares, |seed| hutchinson(&operator, 30, &mut random(seed)).expect("finite").1)),
            ("hutch++", calibration(trace, |seed| hutch_plus_plus(&operator, 30, &mut random(seed)).expect("finite"))),
            ("xtrace", calibration(trace, |seed| xtrace(&operator, 30, &mut random(seed)).expect("finite"))),
        ];
        for (estimator, (share, ratio)) in calibrations {
            println!("{name}: {estimator} {share}, errors {ratio:.2} of standard errors");
            assert!(share > 0.85, "{name}, {estimator}: {share}");
            assert!((0.7..1.3).contains(&ratio), "{name}, {estimator}: {ratio}");
        }
        let spread = |estimate: &dyn Fn(u64) -> Estimate| {
            (0..50).map(|seed| (estimate(seed).mean - trace).powi(2)).sum::<f64>().sqrt()
        };
        if name == "decaying" {
            let plain = spread(&|seed| hutchinson(&operator, 30, &mut random(seed)).expect("finite").0);
            for (better, factor) in [
                (spread(&|seed| hutch_plus_plus(&operator, 30, &mut random(seed)).expect("finite")), 5.0),
                (spread(&|seed| xtrace(&operator, 30, &mut random(seed)).expect("finite")), 20.0),
            ] {
                assert!(better * factor < plain, "{better} against {plain}");
            }
        }
    }
}

#[test]
fn diagonals_within_their_standard_errors() {
    let values: Vec<f64> = (0..100).map(|at| f64::from(at).cos()).collect();
    let operator = Prescribed::new(&values, DType::F64, &mut random(1));
    let numbers = |of: Tensor<1>| of.into_data().iter::<f64>().collect::<Vec<f64>>();
    let exact = diagonal(&operator, 100, &mut random(2)).expect("finite");
    assert_eq!((exact.probes, exact.products), (0, 100));
    let exact = numbers(exact.values);
    let matrix = dense::materialize(&operator).into_data().iter::<f64>().collect::<Vec<f64>>();
    assert!(exact.iter().enumerate().all(|(at, value)| (matrix[101 * at] - value).abs() < 1e-14));
    let (mut squares, mut variances, mut hits) = (0.0, 0.0, 0);
    for seed in 0..50 {
        let found = diagonal(&operator, 30, &mut random(seed)).expect("finite");
        assert_eq!((found.probes, found.products), (30, 30));
        for ((value, sem), exact) in numbers(found.values).iter().zip(numbers(found.sem)).zip(&exact) {
            squares += (value - exact).powi(2);
            variances += sem * sem;
            hits += u32::from((value - exact).abs() <= 2.0 * sem);
        }
    }
    // Of Student's distribution with 29 degrees of freedom two standard errors hold 94.5 of a hundred.
    let (ratio, share) = ((squares / variances).sqrt(), f64::from(hits) / 5000.0);
    assert!((0.95..1.05).contains(&ratio) && (0.93..0.96).contains(&share), "{ratio} {share}");
    assert!(diagonal(&operator, 1, &mut random(3)).is_err());
}

#[test]
fn the_trace_of_a_matrix_of_low_rank_is_exact() {
    let mut values = vec![0.0; 60];
    (values[0], values[1], values[2]) = (3.0, 2.0, -1.0);
    let operator = Counted::new(Prescribed::new(&values, DType::F64, &mut random(2)));
    let estimate = xtrace(&operator, 20, &mut random(3)).expect("finite");
    assert!((estimate.mean - 4.0).abs() < 1e-12 && estimate.sem.is_some_and(|sem| sem < 1e-12), "{estimate:?}");
    assert_eq!(estimate.products, operator.products());
    let squared = hutchinson(&operator, 400, &mut random(4)).expect("finite").1;
    let norm = frobenius(squared);
    assert!((norm.mean - 14f64.sqrt()).abs() < 4.0 * norm.sem.expect("probes"));
}

#[test]
fn a_density_is_right_at_its_resolution() {
    let values: Vec<f64> = (0..2000).map(|at| f64::from(at) / 1000.0 - 1.0).collect();
    let operator = Prescribed::new(&values, DType::F64, &mut random(5));
    let density = Quadrature { probes: 4, steps: 40 }.run(&operator, &mut random(6)).expect("finite");
    let exact = SpectralDensity::exact(&values, 0);
    let worst = |sigma: f64| {
        let off = |at| (density.at(at, sigma).mean - exact.at(at, sigma).mean).abs();
        (-80..=80).map(|at| off(f64::from(at) / 100.0)).fold(0.0, f64::max)
    };
    // The density is ½; what remains at the resolution is sampling.
    assert!(worst(density.resolution()) < 0.02 && worst(0.3 * density.resolution()) > 0.1);
    assert_eq!(exact.resolution(), 0.0);
}

#[test]
fn densities_integrate_what_the_spectrum_does() {
    let values: Vec<f64> = (0..300).map(|at| if at < 5 { 4.0 } else { (f64::from(at) / 300.0).powi(2) }).collect();
    let operator = Counted::new(Prescribed::new(&values, DType::F64, &mut random(5)));
    let density = Quadrature { probes: 8, steps: 40 }.run(&operator, &mut random(6)).expect("finite");
    assert_eq!((density.products, density.ended), (operator.products(), Ended::Budget));
    for nodes in &density.probes {
        assert!((nodes.iter().map(|node| node.weight).sum::<f64>() - 1.0).abs() < 1e-12);
    }
    type Function = fn(f64) -> f64;
    let functions: [(&str, Function); 3] =
        [("square", |x| x * x), ("exponential", f64::exp), ("root", |x| x.abs().sqrt())];
    for (name, f) in functions {
        let (exact, estimate) = (values.iter().copied().map(f).sum::<f64>(), density.trace(f));
        let error = (estimate.mean - exact).abs();
        assert!(error < 3.5 * estimate.sem.expect("eight probes"), "{name}: {error} {estimate:?}");
    }
    // The integral of the smoothed density is one, and the five outliers are five of three hundred.
    let integral = |low: f64, high: f64| {
        let steps = 2000;
        let width = (high - low) / f64::from(steps);
        (0..steps).map(|at| density.at(low + width * (f64::from(at) + 0.5), 0.05).mean * width).sum::<f64>()
    };
    assert!((integral(-1.0, 5.0) - 1.0).abs() < 1e-6);
    assert!((integral(3.0, 5.0) - 5.0 / 300.0).abs() < 0.01);
}

#[test]
fn conjugate_gradients_solve_and_notice_negative_curvature() {
    let random = &mut random(7);
    let values: Vec<f64> = (0..100).map(|at| 1.0 + f64::from(at % 10)).collect();
    let operator = Counted::new(Prescribed::new(&values, DType::F64, random));
    let x = operator.space().normal(random);
    let b = operator.apply(x.clone());
    let solution = ConjugateGradient { tolerance: 1e-12, max_products: 200 }.solve(&operator, &b).expect("finite");
    let error: f64 = (solution.x - x).abs().max().into_scalar();
    assert_eq!(solution.ended, Ended::Converged);
    // Ten distinct eigenvalues take ten products, and one or two more to repair rounding.
    assert!(error < 1e-10 && (10..=12).contains(&solution.products), "{error:e}, {}", solution.products);
    assert_eq!(solution.products + 1, operator.products());
    // In single precision the recurrence goes on to zero; what is said is calculated.
    let single = Prescribed::new(&values, DType::F32, random);
    let b = single.space().normal(random);
    let solution = ConjugateGradient { tolerance: 1e-12, max_products: 200 }.solve(&single, &b).expect("finite");
    let rest = losscape_krylov::norm(&(b - single.apply(solution.x)));
    assert_eq!(solution.ended, Ended::Stagnated);
    assert!((0.5..2.0).contains(&(solution.residual / rest)), "{:e} {rest:e}", solution.residual);
    let b = operator.apply(operator.space().normal(random));
    let shifted = Shifted { operator: &operator, shift: -5.5 };
    let stopped = ConjugateGradient::default().solve(&shifted, &b).expect("finite");
    assert_eq!(stopped.ended, Ended::NegativeCurvature);
    let direction = stopped.negative.expect("a direction");
    let curvature: f64 = (direction.clone() * shifted.apply(direction)).sum().into_scalar();
    assert!(curvature <= 0.0);
}

#[test]
fn a_preconditioner_saves_products() {
    let random = &mut random(8);
    // D (1 + small) D: a diagonal that spreads over six decades, and little beside it.
    let inner = Prescribed::new(&(0..200).map(|at| 1.0 + 0.01 * f64::from(at)).collect::<Vec<_>>(), DType::F64, random);
    let space = inner.space();
    let scale = space.vector((0..200).map(|at| 10f64.powf(3.0 * f64::from(at) / 199.0)).collect());
    let operator = Congruence { operator: inner, diagonal: scale.clone() };
    let x = space.normal(random);
    let b = operator.apply(x.clone());
    let solver = ConjugateGradient { tolerance: 1e-10, max_products: 5000 };
    let jacobi = Diagonal(scale.powf_scalar(-2.0));
    let plain = solver.solve(&operator, &b).expect("finite");
    let better = solver.solve_preconditioned(&operator, &jacobi, &b).expect("finite");
    assert_eq!((plain.ended, better.ended), (Ended::Converged, Ended::Converged));
    for solution in [&plain, &better] {
        let residual: f64 = (b.clone() - operator.apply(solution.x.clone())).square().sum().sqrt().into_scalar();
        assert!(residual <= 2e-10 * b.clone().square().sum().sqrt().into_scalar::<f64>(), "{residual:e}");
    }
    assert!(better.products * 10 < plain.products, "{} of {}", better.products, plain.products);
    let wrong = solver.solve_preconditioned(&operator, &Scaled { operator: jacobi, factor: -1.0 }, &b);
    assert!(matches!(wrong, Err(KrylovError::Setting { .. })));
}

#[test]
fn minres_solves_what_is_indefinite_and_says_what_has_no_solution() {
    for (dtype, tolerance) in [(DType::F64, 1e-10), (DType::F32, 1e-4)] {
        let random = &mut random(9);
        let values: Vec<f64> =
            (0..300).map(|at| if at % 3 == 0 { -1.0 } else { 1.0 } * f64::from(1 + at % 7)).collect();
        let operator = Prescribed::new(&values, dtype, random);
        let x = operator.space().normal(random);
        let b = operator.apply(x.clone());
        let solver = MinRes { tolerance, max_products: 300 };
        let solution = solver.solve(&operator, &b).expect("finite");
        let error: f64 = (solution.x - x).abs().max().into_scalar();
        assert_eq!(solution.ended, Ended::Converged);
        assert!(error < 10.0 * tolerance * 7.0 && solution.products <= 16, "{error:e}, {}", solution.products);
        // A third of the eigenvalues zero: what b has along them stays, and the rest is taken away.
        let singular: Vec<f64> = values.iter().map(|value| if *value == 3.0 { 0.0 } else { *value }).collect();
        let operator = Prescribed::new(&singular, dtype, random);
        let b = operator.space().normal(random);
        let solution = solver.solve(&operator, &b).expect("finite");
        let left = b - operator.apply(solution.x);
        let outside: f64 = operator.apply(left.clone()).square().sum().sqrt().into_scalar();
        let length: f64 = left.square().sum().sqrt().into_scalar();
        assert_eq!(solution.ended, Ended::LeastSquares, "{dtype:?}: {} products", solution.products);
        assert!(outside < 10.0 * tolerance * length, "{outside:e} of {length}");
        assert!((length - solution.residual).abs() < tolerance * length, "{length} and {}", solution.residual);
        // A hundred zeros, and two hundred eigenvalues over two decades with both signs, none twice.
        let spread =
            |at: i32| f64::from(at).rem_euclid(2.0).mul_add(-2.0, 1.0) * 10f64.powf(f64::from(at - 100) / 100.0);
        let operator = Prescribed::new(
            &(0..300).map(|at| if at < 100 { 0.0 } else { spread(at) }).collect::<Vec<_>>(),
            dtype,
            random,
        );
        let b = operator.space().normal(random);
        let solution = MinRes { tolerance, max_products: 2000 }.solve(&operator, &b).expect("finite");
        let left = b - operator.apply(solution.x);
        let length: f64 = left.clone().square().sum().sqrt().into_scalar();
        let outside: f64 = operator.apply(left).square().sum().sqrt().into_scalar();
        assert_eq!(solution.ended, Ended::LeastSquares, "{dtype:?}: {} products", solution.products);
        assert!((length - solution.residual).abs() < 1e-5 * length, "{length} and {}", solution.residual);
        // √ϵ ‖A‖, and rounding.
        let reached = 1.1 * operator.space().epsilon().sqrt() * 100.0;
        assert!(outside < reached * length, "{dtype:?}: {outside:e} of {length}");
        // No number is no right side.
        for wrong in [f64::NAN, f64::INFINITY] {
            let b = operator.space().vector(vec![wrong; 300]);
            assert!(matches!(solver.solve(&operator, &b), Err(KrylovError::Setting { .. })));
            let inverse = Inverse { operator: &operator, solver: solver.clone() };
            assert!(inverse.apply(b).is_nan().any().into_scalar::<bool>());
        }
        // With a part of b outside of its range, the inverse has no product, and that is no number.
        let inverse = Inverse { operator: &operator, solver };
        let found = Eigensolver::top(1).solve(&inverse, None, random);
        assert!(matches!(found, Err(KrylovError::NotFinite { .. })));
    }
}
