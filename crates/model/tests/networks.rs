//! Networks, losses and parameters: what must hold for all of them.

use burn::tensor::{DType, Device, Tensor, TensorData};
use losscape_model::data::Target;
use losscape_model::{
    Activation, FeatureMap, LinearModelConfig, Loss, LossKind, MlpConfig, ModelError, Network, Parameterization,
    Reduction,
};
use losscape_tangent::parameters::{count, ravel, unravel};

fn matrix(values: &[f64], shape: [usize; 2], device: &Device, dtype: DType) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape).convert_dtype(dtype), (device, dtype))
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.cast(DType::F64).into_data().try_to_vec().expect("the dtype is f64")
}

/// A few inputs without pattern.
fn inputs(shape: [usize; 2], device: &Device, dtype: DType) -> Tensor<2> {
    let values: Vec<f64> = (0..shape[0] * shape[1]).map(|k| ((k * k + 3) as f64 * 0.7).sin()).collect();
    matrix(&values, shape, device, dtype)
}

type Formula = fn(f64) -> f64;

fn activations() -> [(Activation, Formula); 6] {
    [
        (Activation::Tanh, f64::tanh),
        (Activation::Relu, |x| x.max(0.0)),
        (Activation::Softplus, |x| x.exp().ln_1p()),
        (Activation::Sigmoid, |x| 1.0 / (1.0 + (-x).exp())),
        (Activation::Silu, |x| x / (1.0 + (-x).exp())),
        (Activation::Identity, |x| x),
    ]
}

#[test]
fn activations_are_their_formulas() {
    // Gelu has its own check below, against a table.
    let checked = activations().map(|(activation, _)| activation);
    for (name, _) in Activation::ALL.iter().filter(|(name, _)| *name != "gelu") {
        let activation: Activation = serde_json::from_str(&format!("\"{name}\"")).expect("it is listed");
        assert!(checked.contains(&activation), "{name} has no formula here");
    }
    let points: Vec<f64> = vec![-100.0, -30.0, -2.0, -0.3, 0.0, 1e-9, 0.3, 2.0, 30.0, 100.0, 500.0];
    for (dtype, tolerance) in [(DType::F64, 2e-15), (DType::F32, 1e-6)] {
        let x = matrix(&points, [1, points.len()], &Device::flex(), dtype);
        for (activation, formula) in activations() {
            // Softplus by its printed formula overflows beyond 700; its value there is x.
            for (value, &point) in numbers(activation.forward(x.clone())).into_iter().zip(&points) {
                let expected = formula(point);
                let error = (value - expected).abs() / expected.abs().max(1.0);
                assert!(error <= tolerance, "{activation:?} at {point}, {dtype:?}: {value} against {expected}");
            }
        }
        // Gelu at ±1: x Φ(x) with Φ(1) = 0.841344746068543 (tables of the normal distribution).
        let gelu = numbers(Activation::Gelu.forward(matrix(&[-1.0, 1.0], [1, 2], &Device::flex(), dtype)));
        for (value, expected) in gelu.into_iter().zip([-0.158_655_253_931_457_05, 0.841_344_746_068_542_9]) {
            assert!((value - expected).abs() < tolerance, "gelu: {value} against {expected}");
        }
    }
}

#[test]
fn gradients_of_activations_are_those_of_their_values() {
    let points = [-3.0, -1.2, -0.4, 0.3, 0.9, 2.5];
    let device = Device::flex().autodiff();
    let all = activations().map(|(activation, _)| activation).into_iter().chain([Activation::Gelu]);
    for activation in all {
        let x = matrix(&points, [1, 6], &device, DType::F64).require_grad();
        let gradients = activation.forward(x.clone()).sum().backward();
        let slopes = numbers(x.grad(&gradients).expect("x is tracked"));
        // Central differences: error h² f‴/6 and rounding 1e-16/h, both below 1e-10 at h = 1e-5.
        let h = 1e-5;
        let at =
            |h: f64| numbers(activation.forward(matrix(&points, [1, 6], &Device::flex(), DType::F64).add_scalar(h)));
        for ((slope, high), low) in slopes.iter().zip(at(h)).zip(at(-h)) {
            let difference = (high - low) / (2.0 * h);
            assert!((slope - difference).abs() < 1e-9, "{activation:?}: {slope} against {difference}");
        }
    }
}

#[test]
fn bounds_of_slopes_are_suprema() {
    let h = 1e-4;
    let points: Vec<f64> = (-40_000..=40_000).map(|at| f64::from(at) * 1e-3).collect();
    let all = activations().map(|(activation, _)| activation).into_iter().chain([Activation::Gelu]);
    for activation in all {
        let Some(bounds) = activation.slope_bounds() else {
            assert_eq!(activation, Activation::Relu);
            continue;
        };
        let at = |h: f64| {
            let x = matrix(&points, [1, points.len()], &Device::flex(), DType::F64).add_scalar(h);
            numbers(activation.forward(x))
        };
        let (low, here, high) = (at(-h), at(0.0), at(h));
        let largest = |f: &dyn Fn(usize) -> f64| (0..points.len()).map(|at| f(at).abs()).fold(0.0, f64::max);
        let slope = largest(&|at| (high[at] - low[at]) / (2.0 * h));
        let curvature = largest(&|at| (high[at] - 2.0 * here[at] + low[at]) / (h * h));
        // Rounding of values up to 40, over h and h².
        for (found, bound, rounding) in [(slope, bounds[0], 1e-9), (curvature, bounds[1], 1e-5)] {
            assert!(found <= bound + rounding && found > bound * 0.9999 - rounding, "{activation:?}: {found}, {bound}");
        }
    }
}

#[test]
fn tanh_has_finite_gradients_everywhere() {
    let device = Device::flex().autodiff();
    for dtype in [DType::F32, DType::F64] {
        let points = [-1e4, -50.0, -1.0, 0.0, 1.0, 50.0, 1e4];
        let x = matrix(&points, [1, 7], &device, dtype).require_grad();
        let gradients = Activation::Tanh.forward(x.clone()).sum().backward();
        let slopes = numbers(x.grad(&gradients).expect("x is tracked"));
        for (slope, point) in slopes.into_iter().zip(points) {
            let expected = 1.0 - point.tanh().powi(2);
            assert!((slope - expected).abs() < 1e-6, "{slope} at {point}");
        }
    }
}

#[test]
fn initial_weights_are_the_same_in_f32_and_f64_up_to_rounding() {
    let device = Device::flex();
    let config = MlpConfig::new([7, 5]);
    let weights = |seed, dtype| {
        let mlp = config.init(3, 2, seed, &device.clone().autodiff(), dtype).expect("the widths are valid");
        numbers(ravel(&mlp).expect("there are parameters"))
    };
    for (a, b) in weights(1, DType::F64).into_iter().zip(weights(1, DType::F32)) {
        assert!((a - b).abs() <= f64::from(f32::EPSILON) * a.abs(), "{a} against {b}");
    }
    assert_eq!(weights(1, DType::F64), weights(1, DType::F64));
    assert_ne!(weights(1, DType::F64), weights(2, DType::F64));
}

#[test]
fn weights_have_the_variance_of_their_parameterization() {
    let device = Device::flex();
    let (inputs, width) = (200, 300);
    for (parameterization, scale) in
        [(Parameterization::Standard, 1.0 / 200.0), (Parameterization::Ntk, 1.0), (Parameterization::MeanField, 1.0)]
    {
        for (activation, gain) in [(Activation::Tanh, 1.0), (Activation::Relu, 2.0)] {
            let config = MlpConfig::new([width]).with_activation(activation).with_parameterization(parameterization);
            let mlp = config.init(inputs, 1, 0, &device, DType::F64).expect("the widths are valid");
            let weights = numbers(mlp.layers[0].weight.val());
            let variance = weights.iter().map(|w| w * w).sum::<f64>() / weights.len() as f64;
            // The relative error of a variance of 60,000 normal numbers is √(2/60000) = 0.006; five of these.
            assert!((variance / (gain * scale) - 1.0).abs() < 0.03, "{parameterization:?}, {activation:?}: {variance}");
        }
    }
}

#[test]
fn folding_multipliers_in_keeps_the_function() {
    let device = Device::flex();
    for parameterization in [Parameterization::Standard, Parameterization::Ntk, Parameterization::MeanField] {
        let config = MlpConfig::new([16, 8]).with_parameterization(parameterization);
        let mlp = config.init(4, 3, 5, &device, DType::F64).expect("the widths are valid");
        let x = inputs([6, 4], &device, DType::F64);
        let before = numbers(mlp.forward(x.clone()));
        for (a, b) in before.iter().zip(numbers(mlp.folded().forward(x))) {
            assert!((a - b).abs() < 1e-14, "{parameterization:?}: {a} against {b}");
        }
        assert!(before.iter().any(|value| value.abs() > 1e-3), "the outputs are not all zero");
    }
}

#[test]
fn output_scale_at_initialization_follows_width() {
    // With NTK outputs keep their size as width grows; in mean-field they shrink like 1/√m.
    let device = Device::flex();
    let size = |parameterization, width| {
        let config = MlpConfig::new([width]).with_parameterization(parameterization);
        let squares: Vec<f64> = (0..40)
            .flat_map(|seed| {
                let mlp = config.init(8, 1, seed, &device, DType::F64).expect("the widths are valid");
                numbers(mlp.forward(inputs([16, 8], &device, DType::F64)).square())
            })
            .collect();
        (squares.iter().sum::<f64>() / squares.len() as f64).sqrt()
    };
    let ratio = |parameterization| size(parameterization, 1024) / size(parameterization, 64);
    let (ntk, mean_field) = (ratio(Parameterization::Ntk), ratio(Parameterization::MeanField));
    assert!((ntk.log2() / 4.0).abs() < 0.1, "exponent of the width: {}", ntk.log2() / 4.0);
    assert!((mean_field.log2() / 4.0 + 0.5).abs() < 0.1, "exponent of the width: {}", mean_field.log2() / 4.0);
}

#[test]
fn zero_widths_are_refused_by_name() {
    let device = Device::flex();
    for (config, inputs, outputs, layer) in [
        (MlpConfig::new([4, 0]), 2, 1, "hidden layer 2"),
        (MlpConfig::new([4]), 0, 1, "the input"),
        (MlpConfig::new([4]), 2, 0, "the output"),
    ] {
        let error = config.init(inputs, outputs, 0, &device, DType::F32).err();
        assert_eq!(error, Some(ModelError::ZeroWidth { layer: layer.to_owned() }));
    }
    for map in [
        FeatureMap::Polynomial { degree: 60 },
        FeatureMap::RandomFourier { features: 0, length_scale: 1.0 },
        FeatureMap::RandomFourier { features: 4, length_scale: f64::NAN },
    ] {
        assert!(map.init(64, 0, &device, DType::F32).is_err(), "{map:?}");
    }
}

#[test]
fn polynomial_features_are_all_monomials() {
    let device = Device::flex();
    let map = FeatureMap::Polynomial { degree: 3 };
    assert_eq!(map.len(2), 10);
    let features = map.init(2, 0, &device, DType::F64).expect("the map is valid");
    let (x, y) = (2.0, 3.0);
    let values = numbers(features.forward(matrix(&[x, y], [1, 2], &device, DType::F64)));
    let expected = [1.0, x, y, x * x, x * y, y * y, x * x * x, x * x * y, x * y * y, y * y * y];
    assert_eq!(values, expected);
}

#[test]
fn random_fourier_features_approximate_the_gaussian_kernel() {
    let device = Device::flex();
    let map = FeatureMap::RandomFourier { features: 20_000, length_scale: 1.5 };
    let features = map.init(3, 1, &device, DType::F64).expect("the map is valid");
    let x = inputs([2, 3], &device, DType::F64);
    let phi = features.forward(x.clone());
    let kernel = numbers(phi.clone().matmul(phi.transpose()));
    let distance = numbers((x.clone().narrow(0, 0, 1) - x.narrow(0, 1, 1)).square().sum());
    let expected = (-distance[0] / (2.0 * 1.5 * 1.5)).exp();
    // The error of a mean of 20,000 terms of size up to 2; five standard errors.
    assert!((kernel[1] - expected).abs() < 0.05, "{} against {expected}", kernel[1]);
    assert!((kernel[0] - 1.0).abs() < 0.05, "{}", kernel[0]);
}

#[test]
fn a_linear_model_is_linear_in_its_weights() {
    let device = Device::flex().autodiff();
    let config = LinearModelConfig { features: FeatureMap::Polynomial { degree: 2 } };
    let model = config.init(3, 2, 0, &device, DType::F64).expect("the map is valid");
    let parameters = count(&model);
    assert_eq!(parameters, 20);
    let x = inputs([4, 3], &device, DType::F64);
    let at = |scale: f64| {
        let w: Vec<f64> = (0..parameters).map(|k| scale * (k as f64 + 0.5).cos()).collect();
        let w = Tensor::<1>::from_data(TensorData::new(w, [parameters]), (&Device::flex(), DType::F64));
        let model = unravel(model.clone(), &w).expect("the length fits");
        numbers(model.forward(x.clone()).inner())
    };
    for (one, three) in at(1.0).into_iter().zip(at(3.0)) {
        assert!((3.0 * one - three).abs() < 1e-12, "{three} against three times {one}");
    }
}

/// Every kind with its settings, and its outputs for a target.
fn losses() -> Vec<(Loss, usize)> {
    let kinds = LossKind::ALL.iter().map(|&kind| match kind {
        LossKind::BinaryCrossEntropy | LossKind::Exponential => (Loss::new(kind), 1),
        _ => (Loss::new(kind), 3),
    });
    let smoothed = Loss::cross_entropy().with_label_smoothing(0.2);
    let narrow = Loss::new(LossKind::Huber).with_delta(0.5);
    kinds.chain([(smoothed, 3), (narrow, 3)]).collect()
}

/// One-hot rows, or zeros and ones in a column.
fn labels(rows: usize, each: usize) -> Vec<f64> {
    let one = |row: usize, at: usize| if each == 1 { row.is_multiple_of(3) } else { at == row % each };
    (0..rows * each).map(|k| f64::from(u8::from(one(k / each, k % each)))).collect()
}

#[test]
fn losses_agree_with_their_derivatives() {
    let device = Device::flex().autodiff();
    for ((loss, each), positions) in losses().into_iter().flat_map(|case| [(case, 1), (case, 2)]) {
        let (n, c) = (5, each * positions);
        let f = inputs([n, c], &device, DType::F64).mul_scalar(2.0);
        let direction = inputs([n, c], &device, DType::F64).sin();
        for reduction in [Reduction::Mean, Reduction::Sum] {
            let loss = loss.with_reduction(reduction).at_positions(positions);
            let y = matrix(&labels(n * positions, each), [n, c], &device, DType::F64);
            let tracked = f.clone().require_grad();
            let gradients = loss.value(tracked.clone(), y.clone()).backward();
            let autodiff = numbers(tracked.grad(&gradients).expect("the outputs are tracked"));
            let gradient = |at: Tensor<2>| loss.gradient(at, y.clone()).inner();
            for (a, b) in autodiff.iter().zip(numbers(gradient(f.clone()))) {
                assert!((a - b).abs() < 1e-14, "{loss:?}: {a} against {b}");
            }
            // Central differences of the gradient: error h² f‴/6 and rounding 1e-16/h, both below 1e-9 at h = 1e-5.
            let h = 1e-5;
            let forward = gradient(f.clone() + direction.clone().mul_scalar(h));
            let backward = gradient(f.clone() - direction.clone().mul_scalar(h));
            let difference = numbers((forward - backward).div_scalar(2.0 * h));
            let product = numbers(loss.hessian_product(f.clone(), y.clone(), direction.clone()).inner());
            for (a, b) in difference.iter().zip(&product) {
                assert!((a - b).abs() < 1e-9, "{loss:?}: {a} against {b}");
            }
            assert!(product.iter().any(|value| value.abs() > 1e-2), "{loss:?}: the product is not zero");
        }
    }
}

#[test]
fn losses_are_those_of_their_formulas() {
    let device = Device::flex();
    let value = |loss: Loss, f: &[f64], y: &[f64], columns: usize| {
        let [f, y] = [f, y].map(|x| matrix(x, [x.len() / columns, columns], &device, DType::F64));
        loss.value(f, y).into_scalar::<f64>()
    };
    let (binary, exponential) = (Loss::new(LossKind::BinaryCrossEntropy), Loss::new(LossKind::Exponential));
    // An output for one of two classes is the difference of two outputs.
    let two = value(Loss::cross_entropy(), &[0.0, 0.7, 0.0, -3.0], &[0.0, 1.0, 1.0, 0.0], 2);
    let one = value(binary, &[0.7, -3.0], &[1.0, 0.0], 1);
    assert!((two - one).abs() < 1e-15, "{two} {one}");
    // Far on the right side nothing is rounded away, on the wrong one nothing overflows.
    assert!((value(binary, &[50.0], &[1.0], 1) / (-50f64).exp() - 1.0).abs() < 1e-12);
    assert_eq!(value(binary, &[800.0], &[0.0], 1), 800.0);
    assert!((value(exponential, &[0.5, 2.0], &[1.0, 0.0], 1) - 0.5 * ((-0.5f64).exp() + 2f64.exp())).abs() < 1e-15);
    // r²/2 up to δ, δ (|r| − δ/2) beyond.
    let huber = Loss::new(LossKind::Huber).with_delta(0.5);
    assert!((value(huber, &[0.4, -2.0], &[0.0, 0.0], 2) - (0.08 + 0.5 * 1.75)).abs() < 1e-15);
    assert_eq!(value(Loss::new(LossKind::Huber), &[0.4], &[0.0], 1), value(Loss::squared_error(), &[0.4], &[0.0], 1));
    // A share of the target is spread evenly.
    let smoothed = Loss::cross_entropy().with_label_smoothing(0.3);
    let (f, sharp, spread) = ([1.0, -0.5, 0.2], [0.0, 1.0, 0.0], [1.0 / 3.0; 3]);
    let of = |y: &[f64]| value(Loss::cross_entropy(), &f, y, 3);
    assert!((value(smoothed, &f, &sharp, 3) - (0.7 * of(&sharp) + 0.3 * of(&spread))).abs() < 1e-15);
}

#[test]
fn positions_are_samples_of_a_mean() {
    let device = Device::flex();
    for (loss, each) in losses() {
        let (f, y) = (inputs([6, each], &device, DType::F64), matrix(&labels(6, each), [6, each], &device, DType::F64));
        let of_positions = loss.at_positions(3);
        let rows = |x: &Tensor<2>| x.clone().reshape([2, 3 * each]);
        let [alone, together] = [
            loss.value(f.clone(), y.clone()).into_scalar::<f64>(),
            of_positions.value(rows(&f), rows(&y)).into_scalar::<f64>(),
        ];
        assert!((alone - together).abs() < 1e-15, "{loss:?}: {alone} {together}");
        let hits = |loss: Loss, f, y| loss.hits(f, y).sum().into_scalar::<i64>();
        assert_eq!(hits(loss, f.clone(), y.clone()), hits(of_positions, rows(&f), rows(&y)), "{loss:?}");
    }
}

#[test]
fn losses_refuse_targets_and_numbers_that_they_do_not_take() {
    let two = Target::Classes { classes: 2, positions: 1 };
    let outputs = |loss: Loss, target| loss.on(target).map(|(_, outputs)| outputs.total());
    let problem = |loss: Loss, target| loss.on(target).expect_err("it is refused").to_string();
    let binary = Loss::new(LossKind::BinaryCrossEntropy);
    assert_eq!(outputs(binary, two), Ok(1));
    assert_eq!(outputs(Loss::cross_entropy(), two), Ok(2));
    assert_eq!(outputs(Loss::cross_entropy(), Target::Classes { classes: 4, positions: 6 }), Ok(24));
    assert_eq!(outputs(Loss::new(LossKind::Huber), Target::Numbers(3)), Ok(3));
    for (loss, target, words) in [
        (binary, Target::Classes { classes: 3, positions: 1 }, "two classes, but this data has 3"),
        (binary, Target::Numbers(1), "needs labels"),
        (Loss::cross_entropy(), Target::Numbers(1), "needs labels"),
        (Loss::cross_entropy().with_label_smoothing(1.0), two, "label_smoothing = 1 is not possible"),
        (Loss::squared_error().with_label_smoothing(0.1), two, "no such setting"),
        (Loss::new(LossKind::Huber).with_delta(0.0), two, "delta = 0 is not possible"),
        (Loss::new(LossKind::Huber).with_delta(f64::NAN), two, "delta = NaN is not possible"),
    ] {
        let problem = problem(loss, target);
        assert!(problem.contains(words), "{problem}");
    }
}

#[test]
fn the_mean_is_over_samples_and_not_over_outputs() {
    let device = Device::flex();
    let f = matrix(&[1.0, 2.0, 3.0, 4.0], [2, 2], &device, DType::F64);
    let y = matrix(&[0.0; 4], [2, 2], &device, DType::F64);
    let value = |reduction| {
        let loss = Loss::squared_error().with_reduction(reduction);
        loss.value(f.clone(), y.clone()).into_scalar::<f64>()
    };
    assert_eq!((value(Reduction::Sum), value(Reduction::Mean)), (15.0, 7.5));
}
