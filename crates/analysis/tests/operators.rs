//! Every operator against a dense matrix by an independent route, and the identities between them.

use crate::common::{self, Problem, difference, numbers, random, tensor};
use burn::tensor::{DType, Device, Tensor, TensorData};
use losscape_analysis::Objective;
use losscape_analysis::ntk::KernelSpectrum;
use losscape_analysis::pl::PlStar;
use losscape_analysis::steps::StepBounds;
use losscape_krylov::{Eigenvalue, Restricted, SymmetricOperator, dense};
use losscape_model::{LinearModelConfig, Loss, LossKind, MlpConfig, Reduction};

#[test]
fn against_dense_matrices_of_burns_gradients() {
    let mut worst = [0f64; 7];
    for seed in 0..40 {
        let problem = Problem::draw(seed);
        let name = &problem.name;
        let objective = problem.objective();
        let point = objective.here().expect("it is finite");
        let (h, j) = (problem.hessian(), problem.jacobian());
        let samples = problem.y.dims()[0];
        let c = problem.loss.scale(samples);
        let g = j.clone().transpose().matmul(problem.output_curvature()).matmul(j.clone());
        // Per-sample gradients of the unscaled loss.
        let rows = (0..samples).map(|at| {
            let y = Tensor::from_inner(problem.y.clone().narrow(0, at, 1));
            let sum = problem.loss.with_reduction(Reduction::Sum);
            let w = objective.parameters();
            problem.burn_gradient(&w, |outputs| sum.value(outputs.narrow(0, at, 1), y.clone())).unsqueeze()
        });
        let each: Tensor<2> = Tensor::cat(rows.collect(), 0);
        let fisher = each.clone().transpose().matmul(each.clone()) * c;
        let centred = each.clone() - each.clone().mean_dim(0);
        let covariance = centred.clone().transpose().matmul(centred) / samples as f64;
        let k = j.clone().matmul(j.transpose()) * c;
        let second: f64 = fisher.clone().abs().max().into_scalar();
        let size: f64 = h.clone().abs().max().into_scalar::<f64>().max(g.clone().abs().max().into_scalar());
        let first = objective.segments()[0].range.clone();
        let block = h.clone().slice([first.clone(), first.clone()]);
        let hessian = point.hessian();
        // Central differences of fourth order leave about 1e-10 of the largest entry.
        let cases = [
            ("hessian", dense::materialize(&hessian), h.clone(), 1e-7),
            ("gauss-newton", dense::materialize(&point.gauss_newton()), g.clone(), 1e-12),
            ("residual", dense::materialize(&point.residual()), h - g, 1e-7),
            ("kernel", dense::materialize(&point.kernel()), k.clone(), 1e-12),
            ("fisher", dense::materialize(&point.fisher().expect("samples are on their own")), fisher, 1e-12),
            (
                "covariance",
                dense::materialize(&point.covariance().expect("samples are on their own")),
                covariance,
                1e-12,
            ),
            ("block", dense::materialize(&Restricted { operator: &hessian, range: first }), block, 1e-7),
        ];
        for (at, (operator, found, expected, allowed)) in cases.into_iter().enumerate() {
            // A covariance is a second moment less the mean's.
            let least = if operator == "covariance" { second / c } else { 0.0 };
            let least = if allowed > 1e-10 { size } else { least };
            let scale: f64 = expected.clone().abs().max().into_scalar::<f64>().max(least);
            let error: f64 = (found - expected).abs().max().into_scalar();
            let error = if error.is_nan() { f64::INFINITY } else { error / scale.max(1e-300) };
            worst[at] = worst[at].max(error);
            assert!(error <= allowed, "{name}: {operator} differs by {error:e}");
        }
        let formed = objective.kernel(point.parameters()).expect("it can be formed");
        assert!(difference(formed, &k) < 1e-12, "{name}: dense kernel");
        let gradient = problem.loss_gradient(point.parameters());
        assert!(difference(point.gradient().clone(), &gradient) < 1e-12 || point.gradient_norm() < 1e-14, "{name}");
    }
    println!(
        "largest relative errors: hessian, gauss-newton, residual, kernel, fisher, covariance, block: {}",
        worst.map(|error| format!("{error:.1e}")).join(", ")
    );
}

/// In chunks of unequal sizes, asked by several threads at a time, by the mean and the sum over samples: the gradient
/// of the point.
#[test]
fn the_compiled_gradient_is_that_of_the_point() {
    let device = Device::flex();
    let numbers = |columns: usize, seed: usize| {
        let values: Vec<f64> = (0..601 * columns).map(|at| ((at * at + seed) as f64 * 0.7).sin()).collect();
        Tensor::<2>::from_data(TensorData::new(values, [601, columns]), (&device, DType::F64))
    };
    for loss in [Loss::squared_error(), Loss::squared_error().with_reduction(Reduction::Sum)] {
        let network = MlpConfig::new([8]).init(4, 3, 0, &device, DType::F64).expect("widths are valid");
        let objective = Objective::new(network, numbers(4, 1), numbers(3, 2), loss).expect("shapes agree");
        let point = objective.here().expect("it is finite");
        let w = objective.parameters();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let (value, gradient) = objective.gradient(&w).expect("as many parameters");
                    assert!((value - point.loss()).abs() < 1e-13 * value);
                    assert!(difference(gradient, point.gradient()) < 1e-13);
                });
            }
        });
    }
}

#[test]
fn the_linear_model_in_closed_form() {
    let random = &mut random(1);
    for reduction in [Reduction::Sum, Reduction::Mean] {
        let (n, d) = (7, 4);
        let mut draw = || rand::RngExt::random_range(random, -1.0..1.0);
        let x: Tensor<2> = tensor([n, d], &mut draw);
        let y: Tensor<2> = tensor([n, 1], &mut draw);
        let network =
            LinearModelConfig::default().init(d, 1, 0, &common::device(), DType::F64).expect("it can be built");
        let loss = Loss::squared_error().with_reduction(reduction);
        let objective = Objective::new(network, x.clone(), y.clone(), loss).expect("it can be measured");
        let w: Tensor<1> = tensor([d], &mut draw);
        let point = objective.at(&w).expect("it is finite");
        let c = loss.scale(n);
        let h = x.clone().transpose().matmul(x.clone()) * c;
        for found in [dense::materialize(&point.hessian()), dense::materialize(&point.gauss_newton())] {
            assert!(difference(found, &h) < 1e-14);
        }
        assert!(numbers(dense::materialize(&point.residual())).iter().all(|entry| entry.abs() < 1e-15));
        assert!(
            difference(objective.kernel(&w).expect("it can be formed"), &(x.clone().matmul(x.clone().transpose()) * c))
                < 1e-14
        );
        let residual = x.clone().matmul(w.clone().unsqueeze_dim(1)) - y;
        let gradient = x.transpose().matmul(residual.clone()) * c;
        assert!(difference(point.gradient().clone(), &gradient.squeeze_dim(1)) < 1e-14);
        assert!((point.loss() - c / 2.0 * residual.square().sum().into_scalar::<f64>()).abs() < 1e-14);
    }
}

#[test]
fn identities() {
    for seed in 100..260 {
        let problem = Problem::draw(seed);
        let name = &problem.name;
        let objective = problem.objective();
        let point = objective.here().expect("it is finite");
        let random = &mut random(seed);
        let (p, m) = (point.space(), point.kernel().space());
        let (h, g, r, k) = (
            dense::materialize(&point.hessian()),
            dense::materialize(&point.gauss_newton()),
            dense::materialize(&point.residual()),
            dense::materialize(&point.kernel()),
        );
        let size: f64 = h.clone().abs().max().into_scalar::<f64>().max(g.clone().abs().max().into_scalar()).max(1e-300);
        let close = |a: Tensor<2>, b: Tensor<2>| (a - b).abs().max().into_scalar::<f64>() <= 1e-12 * size;
        assert!(close(h.clone(), h.clone().transpose()), "{name}: H is symmetric");
        assert!(close(h.clone(), g.clone() + r), "{name}: H = G + R");
        // One vector and a block give the same.
        let (hessian, gauss_newton, residual) = (point.hessian(), point.gauss_newton(), point.residual());
        let (kernel_product, fisher) = (point.kernel(), point.fisher().expect("samples are on their own"));
        let operators: [&dyn SymmetricOperator; 5] = [&hessian, &gauss_newton, &residual, &kernel_product, &fisher];
        for (at, operator) in operators.into_iter().enumerate() {
            let v = operator.space().normal(random);
            let (one, block) = (operator.apply(v.clone()), operator.apply_block(v.unsqueeze()));
            assert!(difference(one, &block.squeeze_dim(0)) < 1e-12, "{name}, operator {at}");
        }
        // ⟨u, K u⟩ = c ‖Jᵀu‖² ≥ 0.
        let u = m.normal(random);
        let along: f64 = (u.clone() * point.kernel().apply(u)).sum().into_scalar();
        assert!(along >= 0.0, "{name}");
        let (eigen_h, eigen_g) = (dense::eigenvalues(h).expect("finite"), dense::eigenvalues(g).expect("finite"));
        let trace: f64 = numbers(dense::materialize(&point.hessian())).iter().step_by(p.dim + 1).sum();
        assert!((trace - eigen_h.iter().sum::<f64>()).abs() <= 1e-12 * size * p.dim as f64, "{name}: trace");
        let kernel = KernelSpectrum::of(k, objective.targets()).expect("finite");
        let squared = problem.loss.kind == LossKind::SquaredError;
        if squared {
            // The nonzero spectrum of K_c is that of G.
            let (short, long) =
                if m.dim < p.dim { (&kernel.eigenvalues, &eigen_g) } else { (&eigen_g, &kernel.eigenvalues) };
            for (a, b) in short.iter().rev().zip(long.iter().rev()) {
                assert!((a - b).abs() <= 1e-12 * kernel.max, "{name}: {a} {b}");
            }
        }
        let beta = Eigenvalue { value: eigen_h[p.dim - 1], residual: 0.0, error_bound: 0.0 };
        let pl = PlStar::at(&point, Some(&kernel), beta);
        assert_eq!(pl.applicable, squared);
        if squared && point.loss() > 1e-20 {
            let slack = pl.slack.expect("squared error has one");
            assert!(slack >= -1e-12 * kernel.max, "{name}: ‖g‖² ≥ 2 λ_min(K_c) L, slack {slack:e}");
            assert!(kernel.rank <= p.dim.min(m.dim), "{name}");
            // R is a ball for the theorem only where it holds the path, and that is where β ≥ μ.
            let mu = pl.mu.expect("squared error has one");
            let path = (mu > 0.0).then(|| 2.0 * (2.0 * point.loss() / mu).sqrt());
            assert_eq!(pl.path, path, "{name}");
            assert!(pl.radius.zip(path).is_none_or(|(radius, path)| radius >= path), "{name}: {pl:?}");
            let flat = PlStar::at(&point, Some(&kernel), Eigenvalue { value: 0.999 * mu, ..beta });
            assert_eq!((flat.radius, flat.path), (None, path), "{name}: β < μ");
        }
        let bounds = StepBounds::at(&point, beta, Some(kernel.max));
        if let (Some(smooth), Some(cauchy)) = (bounds.two_over_beta, bounds.cauchy) {
            assert!(smooth <= cauchy * (1.0 + 1e-12), "{name}: 2/β ≤ Cauchy's bound, {smooth} {cauchy}");
        }
    }
}
