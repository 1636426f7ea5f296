//! Sharpness, widths, norms and slices where the answer is known.

use crate::common::{Problem, device, difference, numbers, random, tensor};
use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{DType, Tensor};
use losscape_analysis::basin::width;
use losscape_analysis::critical::{critical, directional};
use losscape_analysis::norms::Norms;
use losscape_analysis::ntk::KernelSpectrum;
use losscape_analysis::sharpness::{Neighbourhood, average, pac_bayes_sigma, worst_case};
use losscape_analysis::slice::{filter_normalized, grid, line, plane};
use losscape_analysis::spectrum::{Spectrum, SpectrumSettings};
use losscape_analysis::{AnalysisError, Mode, Objective, Point};
use losscape_krylov::{KrylovError, dense};
use losscape_model::dense::Dense;
use losscape_model::{Activation, LinearModel, LinearModelConfig, Loss, Mlp, MlpConfig, Network, Reduction};
use rand::RngExt;

/// `½ Σ λ_i w_i²` as a linear model: x is diagonal, y zero.
fn quadratic(eigenvalues: &[f64]) -> Objective<LinearModel> {
    let d = eigenvalues.len();
    let mut at = 0;
    let x = tensor([d, d], || {
        at += 1;
        let (row, column) = ((at - 1) / d, (at - 1) % d);
        if row == column { eigenvalues[row].sqrt() } else { 0.0 }
    });
    let network = LinearModelConfig::default().init(d, 1, 0, &device(), DType::F64).expect("it can be built");
    let loss = Loss::squared_error().with_reduction(Reduction::Sum);
    Objective::new(network, x, tensor([d, 1], || 0.0), loss).expect("it can be measured")
}

fn vector(values: &[f64]) -> Tensor<1> {
    let mut values = values.iter();
    tensor([values.len()], || *values.next().expect("one for each"))
}

#[test]
fn worst_cases_of_a_quadratic() {
    let objective = quadratic(&[9.0, 1.0]);
    let worst_case = |point: &Point<_>, hood, steps| worst_case(point, hood, steps, &mut random(9));
    // At the minimum the gradient vanishes; a random start finds the steep axis, ½ 9 ρ².
    let minimum = objective.here().expect("finite");
    let hood = Neighbourhood::Ball { radius: 0.1 };
    let still = worst_case(&minimum, hood, 40).expect("possible");
    assert!((still.rise.expect("finite") - 0.045).abs() < 1e-6, "{still:?}");
    assert_eq!((still.first_order, still.gradients), (0.0, 40));
    assert!(matches!(worst_case(&minimum, hood, 0), Err(AnalysisError::Setting { name: "steps", .. })));
    // Along the axis of the steepest curvature the worst point lies outward: ½ 9 ((1 + ρ)² − 1).
    let point = objective.at(&vector(&[1.0, 0.0])).expect("finite");
    let ball = worst_case(&point, Neighbourhood::Ball { radius: 0.1 }, 40).expect("possible");
    assert!((ball.rise.expect("finite") - 4.5 * 0.21).abs() < 1e-12, "{ball:?}");
    assert!((ball.first_order - 0.9).abs() < 1e-12);
    let adaptive = worst_case(&point, Neighbourhood::AdaptiveBall { radius: 0.1 }, 40).expect("possible");
    assert!((adaptive.rise.expect("finite") - 4.5 * 0.21).abs() < 1e-12, "{adaptive:?}");
    // In the box |e_1| ≤ 2ε, |e_2| ≤ ε: the corner.
    let point = objective.at(&vector(&[1.0, 0.0])).expect("finite");
    let size = 0.01;
    let boxed = worst_case(&point, Neighbourhood::Box { size }, 40).expect("possible");
    let corner = 4.5 * (1.02f64.powi(2) - 1.0);
    let rise = boxed.rise.expect("finite");
    assert!(rise >= corner - 1e-12 && rise <= corner + 0.5 * size * size + 1e-12, "{boxed:?}");
    assert!((boxed.keskar.expect("finite") - 100.0 * rise / 5.5).abs() < 1e-12);
    // A point where the gradient leads astray at first: the worst direction is the steep axis.
    let point = objective.at(&vector(&[0.01, 0.5])).expect("finite");
    let found = worst_case(&point, Neighbourhood::Ball { radius: 1.0 }, 200).expect("possible");
    let best = (0..100_000).map(|at| f64::from(at) * std::f64::consts::TAU / 1e5).fold(0.0, |best: f64, angle| {
        best.max(4.5 * (0.01 + angle.cos()).powi(2) + 0.5 * (0.5 + angle.sin()).powi(2) - point.loss())
    });
    let rise = found.rise.expect("finite");
    assert!(rise <= best + 1e-7 && rise > 0.999 * best, "{rise} {best}");
    let refused = worst_case(&point, Neighbourhood::Ball { radius: 0.0 }, 5);
    assert!(matches!(refused, Err(AnalysisError::Setting { name: "size", .. })));
}

#[test]
fn critical_and_directional_sharpness_of_a_quadratic() {
    let objective = quadratic(&[4.0, 1.0, 0.25]);
    let point = objective.at(&vector(&[1.0, -2.0, 3.0])).expect("it is finite");
    // Σ λ³w² over Σ λ²w².
    let expected = (64.0 + 4.0 + 0.140625) / (16.0 + 4.0 + 0.5625);
    let found = directional(&point, point.gradient()).expect("it goes down");
    assert!((found / expected - 1.0).abs() <= 1e-12, "{found} {expected}");
    // Far above, far below and near: to a sixteenth of the rate.
    for near in [1e-4, 0.3, 1e3] {
        let critical = critical(&point, point.gradient(), near).expect("it is of P").expect("there is one");
        assert!((critical.sharpness / found - 1.0).abs() <= 1.0 / 16.0, "{critical:?} {found}");
        assert!(near != 0.3 || critical.losses <= 8, "{critical:?}");
    }
    // w² + 1 near its minimum: what a step lowers it by is rounding.
    let network = LinearModelConfig::default().init(1, 1, 0, &device(), DType::F64).expect("it can be built");
    let (mut signs, loss) = ([1.0, -1.0].into_iter(), Loss::squared_error().with_reduction(Reduction::Sum));
    let y = tensor([2, 1], || signs.next().expect("there are two"));
    let above = Objective::new(network, tensor([2, 1], || 1.0), y, loss).expect("it can be measured");
    let [far, near] = [0.1, 1e-10].map(|w| {
        let point = above.at(&vector(&[w])).expect("it is finite");
        critical(&point, point.gradient(), 1.0).expect("it is of P")
    });
    assert!(far.is_some_and(|far| (far.rate - 1.0).abs() <= 1.0 / 16.0), "{far:?}");
    assert_eq!(near, None);
    // Up the hill every step raises the loss.
    let uphill = -point.gradient().clone();
    assert_eq!(directional(&point, &uphill), None);
    assert_eq!(critical(&point, &uphill, 1.0).expect("it is of P"), None);
}

#[test]
fn averages_of_a_quadratic() {
    let objective = quadratic(&[9.0, 4.0, 1.0]);
    let point = objective.at(&vector(&[1.0, -2.0, 0.5])).expect("finite");
    let random = &mut random(1);
    // E ½ σ² uᵀHu = ½ σ² tr H, and with each parameter scaled by its size ½ σ² Σ λ_i w_i².
    for (adaptive, expected) in [(false, 7.0), (true, 0.5 * (9.0 + 16.0 + 0.25))] {
        let sigma = 0.3;
        let rise = average(&point, sigma, adaptive, 2000, random).expect("possible").expect("finite");
        let expected = expected * sigma * sigma;
        assert!((rise.mean - expected).abs() < 4.0 * rise.sem.expect("many"), "{rise:?} {expected}");
        let found = pac_bayes_sigma(&point, 0.1, adaptive, 2000, random).expect("finite").expect("it is reached");
        let exact = (0.1 * sigma * sigma / expected).sqrt();
        let error = found.sem.expect("many draws");
        assert!(error < 0.03 * exact && (found.mean - exact).abs() < 4.0 * error, "{found:?} {exact}");
    }
}

/// The average rise of a quadratic is a square of σ, so that σ's error is half of its own, relative to each; and two of
/// them hold the truth as often as they should.
#[test]
fn the_error_of_a_pac_bayes_sigma_is_one() {
    let objective = quadratic(&[8.0, 4.0, 2.0]);
    let point = objective.at(&vector(&[0.5, -1.0, 0.0])).expect("finite");
    let exact = (2.0 * 0.1 / 14.0f64).sqrt();
    let mut held = 0;
    for seed in 0..300 {
        let found =
            pac_bayes_sigma(&point, 0.1, false, 30, &mut random(seed)).expect("possible").expect("it is reached");
        let error = found.sem.expect("thirty draws");
        let rise = average(&point, found.mean, false, 30, &mut random(seed)).expect("possible").expect("finite");
        let half = 0.5 * rise.sem.expect("thirty draws") / rise.mean;
        assert!((error / found.mean / half - 1.0).abs() < 0.01, "{error} {half}");
        held += usize::from((found.mean - exact).abs() < 2.0 * error);
    }
    assert!((265..=295).contains(&held), "{held} of 300");
    let alone = pac_bayes_sigma(&point, 0.1, false, 1, &mut random(1)).expect("possible").expect("it is reached");
    assert_eq!(alone.sem, None, "a single draw has no error");
}

/// What overflows has no number; it counts as risen.
#[test]
fn a_loss_that_is_not_finite_nearby() {
    let objective = quadratic(&[1.0, 1e306]);
    let point = objective.at(&vector(&[1.0, 0.0])).expect("finite");
    let worst = worst_case(&point, Neighbourhood::Ball { radius: 1e10 }, 5, &mut random(1)).expect("possible");
    assert_eq!((worst.rise, worst.keskar), (None, None));
    assert_eq!(average(&point, 1e10, false, 3, &mut random(1)).expect("possible"), None);
    let sigma = pac_bayes_sigma(&point, 1e308, false, 3, &mut random(1)).expect("possible").expect("it overflows");
    assert!((1.0..100.0).contains(&sigma.mean) && sigma.sem.is_none(), "{sigma:?}");
    let slice =
        line(&objective, point.parameters(), ("steep", &vector(&[0.0, 1.0])), vec![0.0, 1e10]).expect("it fits");
    assert_eq!(slice.losses, [Some(0.5), None]);
}

#[test]
fn widths_of_a_quadratic() {
    let objective = quadratic(&[8.0, 0.5]);
    let minimum = objective.here().expect("finite");
    for (direction, lambda) in [([3.0, 0.0], 8.0), ([0.0, 0.1], 0.5f64)] {
        let found = width(&minimum, &vector(&direction), "axis", 0.01).expect("a direction");
        let exact = (2.0 * 0.01 / lambda).sqrt();
        for side in [found.forward, found.backward] {
            assert!((side.expect("it rises") / exact - 1.0).abs() < 2e-4, "{side:?} {exact}");
        }
    }
    assert!(width(&minimum, &vector(&[0.0, 0.0]), "none", 0.01).is_err());
    // A rise that the loss cannot show is refused, and so is a distance that its parameters cannot.
    let far = objective.at(&vector(&[1e9, 0.0])).expect("finite");
    let refused = width(&far, &vector(&[1.0, 0.0]), "axis", 0.1);
    assert!(matches!(refused, Err(AnalysisError::Setting { name: "rise", .. })), "{refused:?}");
    let refused = pac_bayes_sigma(&far, 0.1, false, 3, &mut random(1));
    assert!(matches!(refused, Err(AnalysisError::Setting { name: "rise", .. })), "{refused:?}");
    let refused = pac_bayes_sigma(&far, 1e18, false, 0, &mut random(1));
    assert!(matches!(refused, Err(AnalysisError::Setting { name: "samples", .. })), "{refused:?}");
    let flat = quadratic(&[1.0, 0.0]);
    let minimum = flat.here().expect("finite");
    let along = width(&minimum, &vector(&[0.0, 1.0]), "flat", 0.01).expect("a direction");
    assert_eq!((along.forward, along.backward), (None, None));
}

/// A network of relus without biases and the same function with `(a W₁, W₂ / a)`.
fn rescaled(a: f64) -> Objective<Mlp> {
    let config = MlpConfig::new([8]).with_activation(Activation::Relu).with_bias(false);
    let mut network = config.init(3, 2, 4, &device(), DType::F64).expect("widths are positive");
    for (layer, factor) in network.layers.iter_mut().zip([a, 1.0 / a]) {
        layer.weight = layer.weight.clone().map(|weight| Tensor::from_inner(weight.inner() * factor).require_grad());
    }
    let random = &mut random(5);
    let (x, y) = (tensor([12, 3], || random.random_range(-1.0..1.0)), tensor([12, 2], || 0.5));
    Objective::new(network, x, y, Loss::squared_error()).expect("it can be measured")
}

#[test]
fn adaptive_sharpness_does_not_see_a_rescaling() {
    let objectives = [1.0, 10.0].map(rescaled);
    let points = objectives.each_ref().map(|objective| objective.here().expect("finite"));
    assert!(difference(points[0].outputs(), &points[1].outputs()) < 1e-13);
    let measured = points.each_ref().map(|point| {
        let plain = Neighbourhood::Ball { radius: 0.05 };
        let adaptive = Neighbourhood::AdaptiveBall { radius: 0.05 };
        let worst = |hood| worst_case(point, hood, 20, &mut random(6)).expect("possible").rise.expect("finite");
        let average =
            |adaptive| average(point, 0.05, adaptive, 20, &mut random(6)).expect("possible").expect("finite").mean;
        let top = dense::eigenvalues(dense::materialize(&point.hessian())).expect("finite");
        [worst(plain), average(false), top[top.len() - 1], worst(adaptive), average(true)]
    });
    let ratio: Vec<f64> = (0..5).map(|at| measured[1][at] / measured[0][at]).collect();
    assert!(ratio[..3].iter().all(|ratio| *ratio > 2.0), "the plain ones change: {ratio:?}");
    assert!(ratio[3..].iter().all(|ratio| (ratio - 1.0).abs() < 1e-9), "the adaptive ones do not: {ratio:?}");
}

#[test]
fn directions_and_slices() {
    let problem = Problem::draw(3);
    let objective = problem.objective();
    let w = objective.parameters();
    let segments = objective.segments();
    let direction = filter_normalized(&w, &segments, &mut random(7));
    for segment in &segments {
        let part = |v: &Tensor<1>| v.clone().narrow(0, segment.range.start, segment.range.len());
        if segment.shape.len() == 1 {
            assert!(numbers(part(&direction)).iter().all(|entry| *entry == 0.0));
            continue;
        }
        let rows = [segment.shape[0], segment.shape[1]];
        let norms = |v: &Tensor<1>| part(v).reshape(rows).square().sum_dim(1);
        assert!(difference(norms(&direction), &norms(&w)) < 1e-12, "{}", segment.path);
    }
    let steps = grid(1.0, 5);
    assert_eq!(steps, [-1.0, -0.5, 0.0, 0.5, 1.0]);
    let slice = line(&objective, &w, ("random", &direction), steps.clone()).expect("lengths fit");
    let mut rows = 0;
    let surface =
        plane(&objective, &w, [("a", &direction), ("b", &(w.clone() * 0.1))], steps, grid(1.0, 3), |done| rows = done)
            .expect("lengths fit");
    assert_eq!((rows, surface.losses.len(), surface.losses[1].clone()), (3, 3, slice.losses.clone()));
    let middle = slice.losses[2].expect("finite");
    assert_eq!(middle.to_bits(), objective.value(&w).expect("it fits").to_bits());
    let y = Tensor::from_inner(problem.y.clone());
    let own: f64 = problem.loss.value(problem.network.forward(Tensor::from_inner(problem.x.clone())), y).into_scalar();
    assert!((middle - own).abs() < 1e-12 * own.abs().max(1.0));
}

/// A random direction has each filter's norm: the weights into an output, wherever the layer's type has them.
#[test]
fn filters_are_the_weights_into_an_output() {
    #[derive(Module, Debug)]
    struct Layers {
        linear: Linear,
        dense: Dense,
        convolution: Conv2d,
        transposed: ConvTranspose2d,
        own: Param<Tensor<2>>,
    }
    let device = device();
    let matrix = |seed| Param::from_tensor(Tensor::from_inner(tensor::<2>([2, 3], draws(seed)).cast(DType::F32)));
    let layers = Layers {
        linear: LinearConfig::new(3, 2).init(&device),
        dense: Dense { weight: matrix(1), bias: None },
        convolution: Conv2dConfig::new([3, 4], [2, 2]).init(&device),
        transposed: ConvTranspose2dConfig::new([3, 4], [2, 2]).init(&device),
        own: matrix(2),
    };
    let w = losscape_tangent::parameters::ravel(&layers).expect("there are parameters");
    let segments = losscape_tangent::parameters::segments(&layers);
    let direction = filter_normalized(&w, &segments, &mut random(5));
    let mut axes = Vec::new();
    for segment in segments.iter().filter(|segment| segment.shape.len() > 1) {
        // Squared norms of the slices along an axis.
        let slices = |v: &Tensor<1>, axis: usize| -> Vec<f64> {
            let own = numbers(v.clone().narrow(0, segment.range.start, segment.range.len()));
            let inner: usize = segment.shape[axis + 1..].iter().product();
            let mut sums = vec![0.0; segment.shape[axis]];
            for (at, value) in own.iter().enumerate() {
                sums[at / inner % segment.shape[axis]] += value * value;
            }
            sums
        };
        let same = |axis: usize| {
            slices(&w, axis).iter().zip(slices(&direction, axis)).all(|(own, other)| (own - other).abs() < 1e-5 * own)
        };
        axes.push((segment.path.as_str(), (0..2).filter(|&axis| same(axis)).collect::<Vec<_>>()));
    }
    let expected = [
        ("linear.weight", vec![1]),
        ("dense.weight", vec![0]),
        ("convolution.weight", vec![0]),
        ("transposed.weight", vec![1]),
        ("own", vec![0]),
    ];
    assert_eq!(axes, expected);
}

fn draws(seed: u64) -> impl FnMut() -> f64 {
    let mut random = random(seed);
    move || random.random_range(-1.0..1.0)
}

/// Types, shapes and lengths that do not go together are named where they come in, and nothing panics later.
#[test]
fn what_does_not_go_together_is_named() {
    let network = |dtype| MlpConfig::new([4]).init(3, 2, 0, &device(), dtype).expect("it can be built");
    let matrix = |shape: [usize; 2], dtype| tensor::<2>(shape, draws(3)).cast(dtype);
    let (single, double) = (DType::F32, DType::F64);
    let cases = [
        (single, [5, 3], single, [5, 2], double, vec!["F32", "F64", "targets"]),
        (double, [5, 3], double, [5, 2], single, vec!["F64", "F32", "targets"]),
        (single, [5, 3], double, [5, 2], double, vec!["F32", "F64"]),
        (single, [5, 3], double, [5, 2], single, vec!["F32", "F64"]),
        (double, [5, 3], single, [5, 2], double, vec!["F32", "F64"]),
        (single, [5, 3], single, [4, 2], single, vec!["[5, 2]", "[4, 2]"]),
        (single, [5, 3], single, [5, 1], single, vec!["[5, 2]", "[5, 1]"]),
    ];
    for (own, x_shape, x, y_shape, y, words) in cases {
        let made = Objective::new(network(own), matrix(x_shape, x), matrix(y_shape, y), Loss::squared_error());
        let message = made.err().map(|error| error.to_string()).unwrap_or_default();
        for word in words {
            assert!(message.contains(word), "{own:?} with {x:?} and {y:?}: `{message}` should name {word}");
        }
    }
    let objective =
        Objective::new(network(single), matrix([5, 3], single), matrix([5, 2], single), Loss::squared_error());
    let objective = objective.expect("types agree").precision(double);
    let w = objective.parameters();
    // A vector in another type is taken in the one measured in.
    assert!(objective.at(&w.clone().cast(single)).expect("it fits").gradient_norm().is_finite());
    let short = w.clone().narrow(0, 1, 5);
    for (w, direction) in [(&w, &short), (&short, &w)] {
        let error = line(&objective, w, ("short", direction), vec![0.1]).expect_err("lengths differ").to_string();
        assert!(error.contains("26 trainable parameters, the vector 5"), "{error}");
    }
    let kernel = objective.kernel(&w).expect("it fits");
    let error = KernelSpectrum::of(kernel, &matrix([4, 2], double)).expect_err("another size").to_string();
    assert!(error.contains("[10, 10]") && error.contains("[4, 2]"), "{error}");
}

#[test]
fn norms_of_a_linear_network() {
    let objective = quadratic(&[9.0, 4.0]);
    let w = vector(&[1.0, -2.0]);
    let point = objective.at(&w).expect("finite");
    let norms = Norms::at(&point, Some(&vector(&[1.0, 0.0]))).expect("finite");
    let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
    assert!(close(norms.l2, 5f64.sqrt()) && close(norms.distance.expect("given"), 2.0));
    assert!(close(norms.fisher_rao, 9.0 + 16.0) && close(norms.spectral_product, 5f64.sqrt()));
    assert!(close(norms.frobenius_product, 5f64.sqrt()));
}

#[test]
fn spectra_estimated_and_exact_agree() {
    let random = &mut random(8);
    let network = MlpConfig::new([24, 24]).init(6, 3, 1, &device(), DType::F64).expect("widths are positive");
    let (x, y) =
        (tensor([40, 6], || random.random_range(-1.0..1.0)), tensor([40, 3], || random.random_range(-1.0..1.0)));
    let objective = Objective::new(network, x, y, Loss::squared_error()).expect("it can be measured");
    let point = objective.here().expect("finite");
    let exact = Spectrum::measure(&point.hessian(), &SpectrumSettings::default(), random).expect("finite");
    let settings = SpectrumSettings { dense: 0, trace: 300, tolerance: 1e-6, ..SpectrumSettings::default() };
    let estimated = Spectrum::measure(&point.hessian(), &settings, random).expect("finite");
    for (a, b) in exact.top.iter().zip(&estimated.top).chain(exact.bottom.iter().zip(&estimated.bottom)) {
        assert!((a.value - b.value).abs() <= b.error_bound + a.error_bound, "{a:?} {b:?}");
    }
    for (exact, estimated) in [(exact.trace, estimated.trace), (exact.frobenius, estimated.frobenius)] {
        let (exact, estimated) = (exact.expect("measured"), estimated.expect("measured"));
        let sem = estimated.sem.expect("several probes");
        assert!((exact.mean - estimated.mean).abs() < 4.0 * sem && sem < 0.1 * exact.mean, "{exact:?} {estimated:?}");
    }
    // Written down where that is worth its time.
    let settings = SpectrumSettings::default();
    let dense = |entries| settings.clone().for_products_of(entries).dense;
    assert_eq!([dense(0), dense(1 << 22), dense(usize::MAX)], [2000, 1024, settings.products()]);
    assert!(dense(point.entries()) >= point.space().dim, "a small network");
    let too_many = SpectrumSettings::ends(10_000, 0);
    let refused = Spectrum::measure(&point.hessian(), &too_many, random);
    assert!(matches!(refused, Err(KrylovError::TooMany { asked: 10_000, .. })));
    // In single precision the same within its bounds.
    let single = Objective::new(
        objective.network().clone(),
        tensor([2, 6], || 0.5),
        tensor([2, 3], || 0.5),
        Loss::squared_error(),
    );
    let single = single.expect("it can be measured").precision(DType::F32);
    assert_eq!(single.here().expect("finite").space().dtype, DType::F32);
}

#[test]
fn what_does_not_fit_is_said() {
    let network = MlpConfig::new([4]).init(3, 2, 0, &device(), DType::F64).expect("widths are positive");
    let refused =
        Objective::new(network.clone(), tensor([5, 3], || 0.1), tensor([5, 3], || 0.1), Loss::squared_error());
    assert_eq!(refused.err(), Some(AnalysisError::Shape { outputs: vec![5, 2], targets: [5, 3] }));
    // As many entries, but not the same samples.
    for targets in [[2, 5], [10, 1], [1, 10]] {
        let refused =
            Objective::new(network.clone(), tensor([5, 3], || 0.1), tensor(targets, || 0.1), Loss::squared_error());
        assert_eq!(refused.err(), Some(AnalysisError::Shape { outputs: vec![5, 2], targets }));
    }
    let objective = Objective::new(network, tensor([5, 3], || f64::NAN), tensor([5, 2], || 0.1), Loss::squared_error());
    let refused = objective.expect("shapes fit").here().err();
    assert!(matches!(refused, Some(AnalysisError::NotFinite { what: "the loss", .. })), "{refused:?}");
}

/// How samples of a batch meet.
#[derive(Clone, Copy, Debug)]
enum Meeting {
    Never,
    InTheirMean,
    WithThoseBefore,
}

/// A layer before which samples meet.
#[derive(Module, Debug)]
struct Met {
    layer: Linear,
    #[module(skip)]
    meeting: Meeting,
}

impl Network for Met {
    type Input = Tensor<2>;

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.layer.forward(match self.meeting {
            Meeting::Never => x,
            Meeting::InTheirMean => x.clone() - x.mean_dim(0),
            Meeting::WithThoseBefore => x.cumsum(0),
        })
    }
}

/// Chunks would make another function of such networks; the first sample alone does not tell.
#[test]
fn samples_that_see_each_other_are_refused_in_evaluation() {
    let mut random = random(5);
    let mut draw = || random.random_range(-1.0..1.0);
    let (x, y) = (tensor::<2>([7, 3], &mut draw), tensor::<2>([7, 2], &mut draw));
    for (meeting, refused) in [(Meeting::Never, false), (Meeting::InTheirMean, true), (Meeting::WithThoseBefore, true)]
    {
        for zero in [false, true] {
            let mut layer = LinearConfig::new(3, 2).init(&device());
            let weight = tensor::<2>([3, 2], &mut draw) * if zero { 0.0 } else { 1.0 };
            layer.weight = Param::from_tensor(weight);
            layer.bias = Some(Param::from_tensor(vector(&[0.0, 0.0])));
            let network = Met { layer, meeting };
            let objective = Objective::new(network, x.clone(), y.clone(), Loss::squared_error()).expect("it fits");
            let w = objective.parameters();
            let errors = [
                objective.value(&w).err(),
                objective.gradient(&w).err(),
                objective.at(&w).err(),
                objective.kernel(&w).err(),
            ];
            for error in errors {
                let found = matches!(error, Some(AnalysisError::SeeEachOther { .. }));
                assert!(found == refused && (found || error.is_none()), "{meeting:?} {zero}: {error:?}");
            }
            assert!(objective.in_mode(Mode::Batch).value(&w).is_ok(), "{meeting:?}");
        }
    }
}
