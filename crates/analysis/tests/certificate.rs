//! What is certified holds wherever it is looked at, and is attained where it can be.

use crate::common::{Problem, device, random, tensor};
use burn::tensor::{DType, Tensor};
use losscape_analysis::certificate::Certificate;
use losscape_analysis::{AnalysisError, Objective};
use losscape_krylov::dense;
use losscape_model::{Activation, Loss, LossKind, Mlp, MlpConfig, Network, Parameterization};
use losscape_tangent::Map;
use rand::RngExt;

fn norm(v: &Tensor<1>) -> f64 {
    v.clone().square().sum().into_scalar::<f64>().sqrt()
}

fn spectrum(matrix: Tensor<2>) -> (f64, f64) {
    let values = dense::eigenvalues(matrix).expect("finite");
    (values[0], values[values.len() - 1])
}

/// The direction in which λ_min of the kernel falls fastest: `−Σ_i u_i ∇²f_i Jᵀu` with its eigenvector u.
fn downwards(objective: &Objective<Mlp>) -> Tensor<1> {
    let map = Map::new(|network: &Mlp, x: Tensor<2>| network.forward(x));
    let at = map.linearize(objective.network(), objective.inputs()).expect("it can be differentiated");
    let kernel = objective.kernel(&objective.parameters()).expect("P entries");
    let (_, vectors) = dense::eigenpairs(kernel).expect("finite");
    let mut entries = vectors[0].iter();
    let u: Tensor<1> = tensor([at.outputs()], || *entries.next().expect("one for each output"));
    at.bend(u.clone(), at.pull(u)).neg()
}

#[test]
fn no_sample_is_beyond_the_bounds() {
    let (mut problems, mut tightest) = (0, [f64::INFINITY; 2]);
    for seed in 0.. {
        let problem = Problem::draw(seed);
        if problem.network.layers.len() != 2 || problem.loss.kind != LossKind::SquaredError {
            continue;
        }
        let objective = problem.objective();
        let certificate = Certificate::of(&objective).expect("one hidden layer, smooth, squared error");
        let centre = objective.parameters();
        let (lowest, _) = spectrum(objective.kernel(&centre).expect("P entries"));
        assert!((certificate.mu(0.0) - lowest.max(0.0)).abs() < 1e-12, "{}", problem.name);
        let random = &mut random(1000 + seed);
        for radius in [0.0, 1e-3, 0.1, 1.0, 10.0] {
            for attempt in 0..4 {
                let direction = match attempt {
                    0 => downwards(&objective),
                    1 => objective.here().expect("finite").gradient().clone(),
                    _ => tensor(centre.dims(), || random.random_range(-1.0..1.0)),
                };
                let w = centre.clone() + direction.clone() * (radius / norm(&direction).max(1e-12));
                let (lowest, _) = spectrum(objective.kernel(&w).expect("P entries"));
                let hessian = dense::materialize(&objective.at(&w).expect("finite").hessian());
                let (low, high) = spectrum(hessian);
                let (mu, beta) = (certificate.mu(radius), certificate.beta(radius));
                let name = &problem.name;
                assert!(lowest >= mu - 1e-12, "{name}: λ_min {lowest} at {radius}, certified {mu}");
                assert!(
                    high.max(-low) <= beta * (1.0 + 1e-12),
                    "{name}: ‖H‖ {high}, {low} at {radius}, certified {beta}"
                );
                if radius == 0.1 && mu > 0.0 {
                    tightest[0] = tightest[0].min((certificate.mu(0.0) - mu) / (certificate.mu(0.0) - lowest).max(0.0));
                    tightest[1] = tightest[1].min(beta / high.max(-low));
                }
            }
        }
        problems += 1;
        if problems == 60 {
            break;
        }
    }
    // Bounds that were many times what they bound would prove little, and hide a factor forgotten.
    println!("certified change of λ_min over the change found: {:.2}; β over ‖H‖: {:.2}", tightest[0], tightest[1]);
    assert!(tightest[0] < 3.0 && tightest[1] < 3.0, "{tightest:?}");
}

fn place(param: &mut burn::module::Param<Tensor<2>>, value: f64) {
    *param = param.clone().map(|w| w.full_like(value).require_grad());
}

/// One unit in NTK parameterization, its input and output weight given, at the same input n times with the same target.
fn unit(activation: Activation, bias: bool, [w, a]: [f64; 2], (n, x, y): (usize, f64, f64)) -> Objective<Mlp> {
    let config = MlpConfig::new([1]).with_activation(activation).with_bias(bias);
    let config = config.with_parameterization(Parameterization::Ntk);
    let mut network = config.init(1, 1, 1, &device(), DType::F64).expect("it can be built");
    place(&mut network.layers[0].weight, w);
    place(&mut network.layers[1].weight, a);
    Objective::new(network, tensor([n, 1], || x), tensor([n, 1], || y), Loss::squared_error())
        .expect("it can be measured")
}

/// The Jacobian of `a σ(w x)` changes by `ℓρ` to first order, along the steepest direction; equal samples change
/// nothing of a mean.
#[test]
fn the_jacobians_bound_is_attained() {
    for (activation, x, steepest) in [
        // |σ″| is largest at artanh(1/√3) for tanh, at 0 for softplus; a is large, so that σ″ dominates.
        (Activation::Tanh, 0.7, (1.0 / 3f64.sqrt()).atanh()),
        (Activation::Softplus, 2.0, 0.0),
    ] {
        for (bias, samples) in [(false, 1), (true, 1), (true, 3)] {
            let objective = unit(activation, bias, [steepest / x, 100.0], (samples, x, 0.0));
            let certificate = Certificate::of(&objective).expect("certifiable");
            let here = objective.parameters();
            let map = Map::new(|network: &Mlp, x: Tensor<2>| network.forward(x));
            let jacobian = |w: &Tensor<1>| {
                map.linearize_at(objective.network(), w, objective.inputs()).expect("P entries").jacobian()
            };
            // ∇²f, whose norm is the largest change of J = ∇f over a small distance.
            let radius = 1e-6;
            let parameters = here.dims()[0];
            let (mut seen, random) = (0f64, &mut random(3));
            for attempt in 0..200 {
                let direction: Tensor<1> = match attempt {
                    // Along the input weight, and the bias where there is one.
                    0 => {
                        let along = if bias { vec![x, 1.0, 0.0, 0.0] } else { vec![x, 0.0] };
                        let mut along = along.into_iter();
                        tensor([parameters], || along.next().expect("one for each"))
                    }
                    _ => tensor([parameters], || random.random_range(-1.0..1.0)),
                };
                let w = here.clone() + direction.clone() * (radius / norm(&direction));
                // Equal rows: Frobenius and spectral norm agree.
                let change = (jacobian(&w) - jacobian(&here)).reshape([-1]);
                seen = seen.max(objective.scale().sqrt() * norm(&change) / radius);
            }
            let bound = certificate.lipschitz;
            assert!(seen <= bound * (1.0 + 1e-4) && seen > 0.99 * bound, "{activation:?}: {seen}, bounded by {bound}");
        }
    }
}

/// Where the residual is large and the output weight has moved from 0 to ρ, the Hessian is `r ρ σ″ x²` and what the
/// bound says beside it is small.
#[test]
fn the_hessians_bound_is_nearly_attained() {
    let (x, radius) = (10.0, 1.0);
    let steepest = (1.0 / 3f64.sqrt()).atanh() / x;
    let centre =
        Certificate::of(&unit(Activation::Tanh, false, [steepest, 0.0], (1, x, -1000.0))).expect("certifiable");
    let moved = unit(Activation::Tanh, false, [steepest, radius], (1, x, -1000.0));
    let (low, high) = spectrum(dense::materialize(&moved.here().expect("finite").hessian()));
    let (seen, bound) = (high.max(-low), centre.beta(radius));
    assert!(seen <= bound && seen > 0.8 * bound, "{seen}, bounded by {bound}");
}

#[test]
fn a_ball_is_certified_where_the_network_is_wide_enough() {
    let random = &mut random(5);
    let x = tensor([2, 8], || random.random_range(-1.7..1.7));
    let y = tensor([2, 1], || random.random_range(-0.5..0.5));
    let certificate = |width: usize| {
        let config = MlpConfig::new([width]).with_parameterization(Parameterization::Ntk);
        let network = config.init(8, 1, 2, &device(), DType::F64).expect("it can be built");
        let objective =
            Objective::new(network, x.clone(), y.clone(), Loss::squared_error()).expect("it can be measured");
        Certificate::of(&objective).expect("certifiable")
    };
    let narrow = certificate(64);
    assert_eq!((narrow.theorem(), narrow.path()), (None, None));
    let wide = certificate(1 << 19);
    let (theorem, path) = (wide.theorem().expect("certified"), wide.path().expect("certified"));
    for (ball, needed) in [
        (theorem, 2.0 * (2.0 * theorem.beta * wide.loss).sqrt() / theorem.mu),
        (path, 2.0 * (2.0 * wide.loss / path.mu).sqrt()),
    ] {
        assert!(needed <= ball.radius && needed > 0.999 * ball.radius, "{ball:?} needs {needed}");
        assert_eq!((ball.mu, ball.beta), (wide.mu(ball.radius), wide.beta(ball.radius)));
    }
    assert!(path.radius < theorem.radius);
}

#[test]
fn what_has_no_bounds_is_refused() {
    let refused = |hidden: &[usize], activation: Activation, loss: Loss| {
        let config = MlpConfig::new(hidden).with_activation(activation);
        let network = config.init(2, 2, 1, &device(), DType::F64).expect("it can be built");
        let x = tensor([2, 2], || 0.5);
        let mut entries = [1.0, 0.0, 0.0, 1.0].into_iter();
        let y = tensor([2, 2], || entries.next().expect("four"));
        let objective = Objective::new(network, x, y, loss).expect("it can be measured");
        match Certificate::of(&objective) {
            Err(AnalysisError::NotCertifiable { reason }) => reason,
            other => panic!("{other:?}"),
        }
    };
    assert!(refused(&[], Activation::Tanh, Loss::squared_error()).contains("one hidden layer"));
    assert!(refused(&[3, 3], Activation::Tanh, Loss::squared_error()).contains("one hidden layer"));
    assert!(refused(&[3], Activation::Relu, Loss::squared_error()).contains("activation"));
    assert!(refused(&[3], Activation::Tanh, Loss::cross_entropy()).contains("squared error"));
}
