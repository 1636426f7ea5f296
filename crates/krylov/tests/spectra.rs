//! Eigenvalues of operators whose spectra are prescribed.

use crate::common::{self, Prescribed, random};
use burn::tensor::{DType, Device, Tensor};
use losscape_krylov::{
    Counted, Diagonal, Eigensolver, Ended, KrylovError, PowerIteration, Space, SymmetricMatrix, SymmetricOperator,
    lanczos, norm,
};
use rand::{Rng, RngExt};

/// A spectrum by the name of its difficulty.
fn spectrum(kind: usize, random: &mut impl Rng) -> (&'static str, Vec<f64>) {
    let n = random.random_range(20..120);
    let mut uniform = |low: f64, high: f64| random.random_range(low..high);
    let mut bulk: Vec<f64> = (0..n).map(|_| uniform(0.0, 1.0)).collect();
    let name = match kind % 8 {
        0 => {
            let spread = 10f64.powf(uniform(-10.0, -3.0));
            for (at, value) in bulk.iter_mut().enumerate().take(9) {
                *value = 2.0 + (at / 3) as f64 + spread * uniform(-1.0, 1.0);
            }
            "clusters"
        }
        1 => {
            bulk[..6].fill(3.0);
            bulk[6..10].fill(-1.0);
            "multiplicities"
        }
        2 => {
            bulk = vec![0.0; 500];
            bulk[0] = 5.0;
            bulk[1] = uniform(-5.0, 5.0);
            "rank two of 500"
        }
        3 => {
            for (at, value) in bulk.iter_mut().enumerate().take(8) {
                *value = 1.5 + 1e-6 * at as f64;
            }
            "gaps of a millionth"
        }
        4 => {
            bulk.iter_mut().for_each(|value| *value = 2.0 * *value - 1.0);
            "indefinite"
        }
        5 => {
            bulk = (0..n).map(|at| 0.7f64.powi(at)).collect();
            "geometric"
        }
        6 => {
            bulk.fill(uniform(-2.0, 2.0));
            "a multiple of the identity"
        }
        _ => {
            bulk[0] = 1e6;
            bulk[1] = -1e3;
            "six orders of magnitude"
        }
    };
    bulk.sort_by(|a, b| b.total_cmp(a));
    (name, bulk)
}

#[test]
fn a_thousand_prescribed_spectra_within_their_bounds_and_none_missed() {
    let (mut products, mut largest) = (0, 0f64);
    for case in 0..1000 {
        let random = &mut random(case);
        let (name, values) = spectrum(case as usize, random);
        let n = values.len();
        let operator = Counted::new(Prescribed::new(&values, DType::F64, random));
        let (top, bottom) = (random.random_range(1..9), random.random_range(0..5));
        let mut solver = Eigensolver::both(top, bottom).with_tolerance(1e-9);
        (solver.probes, solver.failure, solver.max_products) = (20 * n, 1e-3, 50 * n);
        // Where the spectrum crowds at the end that is asked for, a small basis is too small.
        if case % 2 == 1 && name != "geometric" {
            solver.max_vectors = 40;
        }
        let found = solver.solve(&operator, None, random).expect("every product is finite");
        assert_eq!(found.products, operator.products());
        products += found.products;
        assert_ne!(found.ended, Ended::Budget, "case {case}, {name}, n = {n}, {top} + {bottom}");
        assert_eq!((found.top.len(), found.bottom.len()), (top, bottom));
        // A small basis may leave no room for probes long enough to bound what is unseen; values must be right all the
        // same.
        let certain = found.unseen.above.is_some();
        assert!(certain || case % 2 == 1, "case {case}, {name}: certain");
        // What the tolerance lets hide.
        let hidden = 1e-9 * found.norm;
        let (above, below) = (found.unseen.above.unwrap_or(f64::MAX), found.unseen.below.unwrap_or(f64::MIN));
        assert!(values.iter().filter(|&&value| value > above).count() <= top, "case {case}, {name}: missed");
        assert!(
            values.iter().filter(|&&value| value < below).count() <= bottom || bottom == 0,
            "case {case}, {name}: missed"
        );
        let last = found.top[top - 1].value;
        assert!(
            !certain || above <= last + 2.0 * hidden || case % 2 == 1,
            "case {case}, {name}: {above} beyond {last}"
        );
        let exact = values.iter().take(top).chain(values.iter().rev().take(bottom));
        for (at, (pair, exact)) in found.top.iter().chain(&found.bottom).zip(exact).enumerate() {
            let error = (pair.value - exact).abs();
            largest = largest.max(error / found.norm);
            let allowed = pair.error_bound + hidden;
            assert!(error <= allowed, "case {case}, {name}, pair {at}: {error:e} > {allowed:e}");
            assert!(pair.error_bound <= 1e-8 * found.norm + 1e-11, "case {case}, {name}: the bound says something");
        }
    }
    println!("1,000 spectra: {products} products, largest error {largest:.1e} of the norm");
}

#[test]
fn in_single_precision_the_bounds_are_wider_and_true() {
    for case in 0..40 {
        let random = &mut random(case);
        let (name, values) = spectrum(case as usize, random);
        let operator = Prescribed::new(&values, DType::F32, random);
        let found = Eigensolver::both(4, 2).solve(&operator, None, random).expect("every product is finite");
        let exact = values.iter().take(4).chain(values.iter().rev().take(2));
        for (pair, exact) in found.top.iter().chain(&found.bottom).zip(exact) {
            let error = (pair.value - exact).abs();
            let beyond = 2e-4 * found.norm; // what the tolerance lets hide
            assert!(error <= pair.error_bound + beyond, "case {case}, {name}: {error:e} > {:e}", pair.error_bound);
            assert!(pair.error_bound < 1e-3 * found.norm, "case {case}, {name}: {:e}", pair.error_bound);
        }
    }
}

/// What is reported is what whoever calculates it again finds, also behind many restarts, and no more than was asked
/// for.
/// Squares of a product's entries leave the range of the type, those of residuals sooner.
#[test]
fn sizes_do_not_matter() {
    let random = &mut random(21);
    let shape: Vec<f64> = (0..120).map(|at| 1.0 + f64::from(at) / 119.0).collect();
    for (dtype, sizes) in [(DType::F32, [1e-25, 1e-12, 1e12, 1e25]), (DType::F64, [1e-200, 1e-90, 1e90, 1e200])] {
        for size in sizes {
            let values: Vec<f64> = shape.iter().map(|value| value * size).collect();
            let operator = Prescribed::new(&values, dtype, random);
            let found = Eigensolver::both(2, 1).solve(&operator, None, random).expect("finite");
            assert_eq!(found.ended, Ended::Converged, "{size:e}");
            let expected = [values[119], values[118], values[0]];
            for (pair, expected) in found.top.iter().chain(&found.bottom).zip(expected) {
                let off = (pair.value - expected).abs();
                assert!(off <= pair.error_bound && pair.error_bound < 1e-3 * values[119], "{size:e}: {pair:?}");
            }
            assert!(found.unseen.above.expect("a bound") >= values[117]);
        }
    }
}

#[test]
fn residuals_are_those_of_the_vectors_given() {
    for (dtype, tolerance) in [(DType::F64, 1e-3), (DType::F64, 1e-9), (DType::F32, 1e-3), (DType::F32, 1e-5)] {
        for case in 0..48 {
            let random = &mut random(case);
            let (name, values) = spectrum(case as usize, random);
            let operator = Prescribed::new(&values, dtype, random);
            let (top, bottom) = (random.random_range(1..6), random.random_range(0..3));
            let mut solver = Eigensolver::both(top, bottom).with_tolerance(tolerance);
            (solver.max_vectors, solver.max_products) = (top + bottom + 6, 40 * values.len());
            let found = solver.solve(&operator, None, random).expect("every product is finite");
            let [rounding, few] =
                [operator.space().rounding(), 30.0 * operator.space().epsilon()].map(|r| r * found.norm);
            for (row, pair) in found.top.iter().chain(&found.bottom).enumerate() {
                let x: Tensor<1> = found.vectors.clone().narrow(0, row, 1).squeeze_dim(0);
                let again = norm(&(operator.apply(x.clone()) - x.clone() * pair.value)) / norm(&x);
                let (case, residual) = (format!("case {case}, {name}, {dtype:?}, pair {row}"), pair.residual);
                assert!(again <= residual, "{case}: {again:e} > {residual:e}");
                assert!(residual <= 2.0 * again + rounding + 4.0 * few, "{case}: {residual:e} for {again:e}");
                let asked = (tolerance * found.norm).max(rounding + rounding.max(few) + 4.0 * few);
                let kept = found.ended != Ended::Converged || residual <= 1.000001 * asked;
                assert!(kept, "{case}: {residual:e} where {asked:e} was asked for");
            }
        }
    }
}

/// In 300,000 dimensions and single precision ϵ√n is 7e-5: a tolerance of 1e-3 is what is kept, not thirty times that.
#[test]
fn a_tolerance_that_single_precision_allows_is_kept() {
    let n = 300_000;
    let values: Vec<f64> =
        (0..n).map(|i| if i < 12 { 1.0 - 0.03 * i as f64 } else { 0.5 / (i as f64).sqrt() }).collect();
    let operator = Diagonal(Space { dim: n, device: Device::flex(), dtype: DType::F32 }.vector(values));
    for seed in 0..6 {
        let mut solver = Eigensolver::top(1).with_tolerance(1e-3);
        solver.probes = 0;
        let found = solver.solve(&operator, None, &mut random(seed)).expect("finite");
        let x: Tensor<1> = found.vectors.clone().squeeze_dim(0);
        let pair = &found.top[0];
        let again = norm(&(operator.apply(x.clone()) - x.clone() * pair.value)) / norm(&x);
        assert!(again <= pair.residual && pair.residual <= 1e-3 * pair.value, "{again:e}, {pair:?}");
    }
}

/// A random start has only 1/√n of an eigenvector: what is left of it is no rounding, not even in single precision.
#[test]
fn few_large_eigenvalues_among_millions_in_single_precision() {
    for (large, n) in [(&[1.0, 1.0][..], 4_000_000), (&[1.0, 1.0, 0.3, 0.1, 0.1, 0.1], 100_000)] {
        let values: Vec<f64> = large.iter().copied().chain(std::iter::repeat(0.0)).take(n).collect();
        let operator = Diagonal(Space { dim: n, device: Device::flex(), dtype: DType::F32 }.vector(values.clone()));
        let solver = Eigensolver { probes: 12, ..Eigensolver::top(large.len()) };
        let found = solver.solve(&operator, None, &mut random(7)).expect("finite");
        for (pair, exact) in found.top.iter().zip(large) {
            assert!((pair.value - exact).abs() <= pair.error_bound + 1e-3, "{:?}, {:?}", found.top, found.unseen);
        }
        if let Some(above) = found.unseen.above {
            assert!(values.iter().filter(|&&value| value > above).count() <= large.len(), "{above}");
        }
    }
}

/// With loose residuals much of a wanted eigenvector lies outside the basis: the bound on what is unseen has to reckon
/// with the coupling.
#[test]
fn what_is_unseen_is_bounded_where_residuals_are_large() {
    let mut bounded = 0;
    for case in 0..300 {
        let random = &mut random(case);
        let (name, values) = spectrum(case as usize, random);
        let n = values.len();
        let operator = Prescribed::new(&values, DType::F64, random);
        let solver = Eigensolver { probes: n, max_vectors: n, ..Eigensolver::both(2, 1) }.with_tolerance(0.3);
        let found = solver.solve(&operator, None, random).expect("every product is finite");
        let slack = 1e-12 * found.norm;
        if let Some(above) = found.unseen.above {
            bounded += 1;
            let beyond = values.iter().filter(|&&value| value > above + slack).count();
            assert!(beyond <= 2, "case {case}, {name}: {beyond} above {above}");
        }
        if let Some(below) = found.unseen.below {
            let beyond = values.iter().filter(|&&value| value < below - slack).count();
            assert!(beyond <= 1, "case {case}, {name}: {beyond} below {below}");
        }
    }
    assert!(bounded > 150, "{bounded}");
}

/// As the Hessian of a network has it: most eigenvalues near zero, where the smallest are asked for. One Krylov space
/// holds few of them.
#[test]
fn a_cluster_at_the_end_asked_for_is_filled() {
    let mut values: Vec<f64> = (0..160).map(|at| 15.0 * 0.963f64.powi(at)).collect();
    values.extend((0..640).map(|at| 3e-4 * (1.0 - f64::from(at) / 320.0)));
    for case in 0..5 {
        let random = &mut random(case);
        let operator = Prescribed::new(&values, DType::F64, random);
        let found = Eigensolver::both(10, 10).with_tolerance(1e-3).solve(&operator, None, random).expect("finite");
        assert_eq!(found.ended, Ended::Converged);
        for pair in &found.bottom {
            assert!(pair.value < 1e-3 * found.norm, "case {case}: {:?}", found.bottom);
        }
    }
}

#[test]
fn a_zero_operator_is_certain_at_once() {
    let operator = Prescribed::new(&[0.0; 300], DType::F64, &mut random(1));
    let found = Eigensolver::both(2, 1).solve(&operator, None, &mut random(2)).expect("finite");
    assert_eq!((found.unseen.above, found.unseen.below), (Some(0.0), Some(0.0)));
    assert!(found.products <= 5 && found.ended == Ended::Converged, "{found:?}");
}

/// Rounding of one product in a million, as of a product by differences: the residual falls no further, and that is
/// said.
#[test]
fn an_operator_that_is_not_quite_symmetric_ends() {
    let space = Space { dim: 200, device: Device::flex(), dtype: DType::F64 };
    let unit = |v: Tensor<1>| v.clone() / v.square().sum().into_scalar::<f64>().sqrt();
    let (g, off) = (unit(space.normal(&mut random(1))), unit(space.normal(&mut random(2))));
    let h = g.clone() + off * 1e-6;
    let product = SymmetricMatrix(h.unsqueeze_dim::<2>(1).matmul(g.clone().unsqueeze_dim(0)));
    let solver = Eigensolver::top(1).with_tolerance(1e-9);
    let found = solver.solve(&product, None, &mut random(3)).expect("finite");
    assert_eq!(found.ended, Ended::Stagnated);
    assert!(found.top[0].residual > 1e-9 && (found.top[0].value - 1.0).abs() < 1e-5, "{found:?}");
}

#[test]
fn a_start_near_the_eigenvectors_saves_products() {
    let random = &mut random(1);
    let values: Vec<f64> = (0..600).map(|at| 10.0 * 0.95f64.powi(at)).collect();
    let moved: Vec<f64> = values.iter().map(|value| value * 1.01).collect();
    let (before, after) = (
        Prescribed::new(&values, DType::F64, &mut common::random(2)),
        Prescribed::new(&moved, DType::F64, &mut common::random(2)),
    );
    let mut solver = Eigensolver::top(5).with_tolerance(1e-6);
    solver.probes = 0;
    let cold = solver.solve(&before, None, random).expect("every product is finite");
    let warm = solver.solve(&after, Some(&cold.vectors), random).expect("every product is finite");
    assert!(warm.products <= 10 && cold.products > 20, "{} against {}", warm.products, cold.products);
    for (pair, exact) in warm.top.iter().zip(&moved) {
        assert!((pair.value - exact).abs() <= pair.error_bound);
    }
}

/// Eigenvalues cross along training: the eigenvector of the one that was largest is no eigenvector of the one that is.
#[test]
fn a_start_that_was_overtaken_does_not_hide_the_largest() {
    for case in 0..100 {
        let mut values: Vec<f64> = (0..400).map(|at| 8.0 * 0.9f64.powi(at)).collect();
        (values[0], values[1]) = (10.0, 12.5);
        let operator = Diagonal(Space { dim: 400, device: Device::flex(), dtype: DType::F64 }.vector(values));
        let mut start = vec![0.0; 400];
        start[0] = 1.0;
        let start = operator.space().block(start);
        let solver = Eigensolver { probes: 12, ..Eigensolver::top(1) }.with_tolerance(1e-3);
        let found = solver.solve(&operator, Some(&start), &mut random(case)).expect("finite");
        assert!((found.top[0].value - 12.5).abs() <= found.top[0].error_bound, "case {case}: {:?}", found.top);
    }
}

#[test]
fn a_breakdown_is_a_success() {
    let random = &mut random(3);
    let mut values = vec![0.0; 50];
    (values[0], values[1]) = (2.0, -1.0);
    let operator = Prescribed::new(&values, DType::F64, random);
    let start = operator.space().normal(random);
    let process = lanczos(&operator, &start, 40).expect("every product is finite");
    assert_eq!((process.ended, process.products), (Ended::InvariantSubspace, 3));
    let ritz: Vec<f64> = process.ritz().expect("three by three").iter().map(|ritz| ritz.value).collect();
    for (found, exact) in ritz.iter().zip([-1.0, 0.0, 2.0]) {
        assert!((found - exact).abs() < 1e-12, "{ritz:?}");
    }
}

#[test]
fn power_iteration_agrees() {
    let random = &mut random(4);
    let mut values: Vec<f64> = (0..80).map(|at| at as f64 / 100.0).collect();
    values[7] = -1.5;
    let operator = Counted::new(Prescribed::new(&values, DType::F64, random));
    let found =
        PowerIteration { tolerance: 1e-6, ..Default::default() }.solve(&operator, None, random).expect("finite");
    assert!((found.value - -1.5).abs() <= found.error_bound && found.error_bound < 1e-5);
    assert_eq!((found.ended, found.products), (Ended::Converged, operator.products()));
    let cut = PowerIteration { tolerance: 1e-12, max_products: 3 }.solve(&operator, None, random).expect("finite");
    assert_eq!((cut.ended, cut.products), (Ended::Budget, 3));
}

#[test]
fn what_cannot_be_done_is_said() {
    let random = &mut random(5);
    let operator = Prescribed::new(&[1.0, 2.0, 3.0], DType::F64, random);
    let result = Eigensolver::both(3, 1).solve(&operator, None, random);
    assert_eq!(result.err(), Some(KrylovError::TooMany { asked: 4, dim: 3 }));
    let broken = Prescribed::new(&[1.0, f64::NAN, 3.0], DType::F64, random);
    assert_eq!(Eigensolver::top(1).solve(&broken, None, random).err(), Some(KrylovError::NotFinite { product: 1 }));
    let solver = Eigensolver::top(1).with_tolerance(-1.0);
    assert!(matches!(solver.solve(&operator, None, random), Err(KrylovError::Setting { name: "tolerance", .. })));
    let solver = Eigensolver { max_products: 1, ..Eigensolver::top(2) };
    assert!(matches!(solver.solve(&operator, None, random), Err(KrylovError::Setting { name: "max_products", .. })));
}
