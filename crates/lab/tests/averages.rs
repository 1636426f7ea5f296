//! Averages of weights beside training, and ways between networks: against what they are by definition.

use burn::module::{Module, Param};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::{DType, Device, Tensor, TensorData};
use losscape_analysis::{Mode, Objective};
use losscape_lab::config::{BatchSize, TrainingConfig};
use losscape_lab::connectivity::ConnectionSettings;
use losscape_lab::running::recomputed;
use losscape_lab::{Connection, LabError, Subject, Trainer};
use losscape_model::data::generate::Moons;
use losscape_model::data::{DataConfig, Prepared};
use losscape_model::{Activation, Loss, MlpConfig, Model, Network};
use losscape_optim::average::ema::EmaConfig;
use losscape_optim::average::lawa::LawaConfig;
use losscape_optim::gradient_descent::GradientDescentConfig;
use losscape_optim::muon::MuonConfig;
use losscape_optim::{AverageConfig, OptimizerConfig};
use losscape_tangent::parameters::ravel;

fn data() -> Prepared {
    DataConfig::new(Moons { samples: 100, noise: 0.1 }).load().expect("the settings are valid")
}

fn values<M: Module>(module: &M) -> Vec<f64> {
    ravel(module).expect("there are parameters").into_data().iter().collect()
}

/// With batch norm behind the first layer.
#[derive(Module, Debug)]
struct Normed {
    first: Linear,
    norm: BatchNorm,
    last: Linear,
}

impl Normed {
    fn new() -> Self {
        let device = Device::flex().autodiff();
        Self {
            first: LinearConfig::new(2, 6).init(&device),
            norm: BatchNormConfig::new(6).init(&device),
            last: LinearConfig::new(6, 2).init(&device),
        }
    }
}

impl Network for Normed {
    type Input = Tensor<2>;

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let h = self.first.forward(x);
        let [samples, features] = h.dims();
        let h = self.norm.forward(h.reshape([samples, features, 1]));
        self.last.forward(h.reshape([samples, features]).tanh())
    }
}

/// The mean of the last four of the weights that every third step leaves, by the vector and through the module; the
/// statistics of a network without batch norm are none.
#[test]
fn an_average_is_that_of_the_weights_on_the_way() {
    let muon: MuonConfig = serde_json::from_str("{}").expect("every setting has a default");
    for optimizer in [OptimizerConfig::new(GradientDescentConfig {}, 0.5), OptimizerConfig::new(muon, 0.01)] {
        let device = Device::flex().autodiff();
        let network = MlpConfig::new([8]).init(2, 2, 0, &device, DType::F32).expect("the widths are valid");
        let training = TrainingConfig { label_noise: 0.2, ..TrainingConfig::steps(40, BatchSize::Samples(16)) };
        let average = AverageConfig::from(LawaConfig { last: 4, every: Some(3) });
        let trainer = Trainer::new(network, &data(), Loss::cross_entropy(), &optimizer, &training, 0);
        let mut trainer = trainer.expect("the settings are valid").averaging(&average).expect("likewise");
        assert!(trainer.averaged().is_none());
        let mut way = Vec::new();
        for step in 1..=40 {
            trainer.advance();
            if step % 3 == 0 {
                way.push(values(trainer.network()));
            }
        }
        let last = &way[way.len() - 4..];
        let found = values(&trainer.averaged().expect("weights were taken in"));
        for (at, found) in found.iter().enumerate() {
            let mean = last.iter().map(|weights| weights[at]).sum::<f64>() / 4.0;
            assert!((found - mean).abs() <= f64::from(f32::EPSILON) * mean.abs(), "{at}: {found} {mean}");
        }
        let evaluation = trainer.evaluate_average().expect("there is an average");
        assert_ne!(evaluation.train.loss, trainer.evaluate().train.loss);
    }
}

/// With all samples as one batch, evaluation by the statistics taken anew is what training sees. With several batches
/// they are the means over them, and what was there before does not count.
#[test]
fn running_statistics_are_taken_anew() {
    let data = data();
    let x = data.train.input_tensor(&Device::flex(), DType::F32);
    let rows = x.dims()[0];
    let network = Normed::new();
    // Moved away, as training moves them.
    let _ = network.forward(x.clone().mul_scalar(7.0).autodiff());
    let whole = recomputed(network.clone(), || std::iter::once(x.clone()));
    let evaluated = whole.valid().forward(x.clone());
    let trained = network.forward(x.clone().autodiff()).inner();
    let apart: f64 = (evaluated - trained).abs().max().into_scalar();
    assert!(apart < 1e-5, "{apart}");

    let sizes = [40, rows - 40];
    let batches = || {
        sizes.iter().scan(0, |start, &size| {
            let batch = x.clone().narrow(0, *start, size);
            *start += size;
            Some(batch)
        })
    };
    let anew = recomputed(network.clone(), batches).valid();
    let hidden = network.valid().first.forward(x.clone());
    let moments = |start: usize, size: usize| {
        let part = hidden.clone().narrow(0, start, size);
        let mean = part.clone().mean_dim(0);
        let variance = (part - mean.clone()).square().mean_dim(0);
        [mean, variance].map(|moment| -> Vec<f64> { moment.into_data().iter().collect() })
    };
    let (first, second) = (moments(0, 40), moments(40, rows - 40));
    let found = [anew.norm.running_mean.value(), anew.norm.running_var.value()];
    for (at, found) in found.into_iter().enumerate() {
        for (feature, found) in found.into_data().iter::<f64>().enumerate() {
            let expected = 0.5 * (first[at][feature] + second[at][feature]);
            assert!((found - expected).abs() < 1e-5 * expected.abs().max(1.0), "{at}, {feature}: {found} {expected}");
        }
    }
    // What it was made of stays as it was.
    let before = network.valid().norm.running_mean.value();
    let after: Vec<f64> = before.into_data().iter().collect();
    assert!(after.iter().any(|value| value.abs() > 1e-3), "{after:?}");
}

/// Averaged weights of a network with batch norm are evaluated by statistics of their own, in the trainer too.
#[test]
fn an_average_with_batch_norm_has_statistics_of_its_own() {
    let data = data();
    let training = TrainingConfig::steps(30, BatchSize::Full);
    let optimizer = OptimizerConfig::new(GradientDescentConfig {}, 0.1);
    let trainer = Trainer::new(Normed::new(), &data, Loss::cross_entropy(), &optimizer, &training, 0);
    let average = AverageConfig::from(EmaConfig { decay: 0.9, every: 1 });
    let mut trainer = trainer.expect("the settings are valid").averaging(&average).expect("likewise");
    trainer.run();
    let averaged = trainer.averaged().expect("weights were taken in");
    let objective = Objective::on(averaged, &data.train, Loss::cross_entropy()).expect("it can be measured");
    let w = objective.parameters();
    let evaluated = trainer.evaluate_average().expect("there is an average").train.loss;
    let by_running = objective.value(&w).expect("possible");
    let by_batch = objective.in_mode(Mode::Batch).value(&w).expect("possible");
    assert!(
        (by_running - by_batch).abs() < 1e-5 && (evaluated - by_batch).abs() < 1e-5,
        "{evaluated} {by_running} {by_batch}"
    );
}

fn subject(network: Model, loss: Loss) -> Subject {
    Subject::new(network, data().train, loss)
}

fn network(seed: u64) -> losscape_model::Mlp {
    let config = MlpConfig::new([7, 5]).with_activation(Activation::Gelu);
    config.init(2, 2, seed, &Device::flex().autodiff(), DType::F64).expect("the widths are valid")
}

fn vector(values: &[f64]) -> Param<Tensor<1>> {
    let data = TensorData::new(values.to_vec(), [values.len()]);
    Param::from_tensor(Tensor::from_data(data, (&Device::flex().autodiff(), DType::F64)))
}

/// A network and itself with its units in another order: apart in weights, and at one point once they are matched.
#[test]
fn units_in_another_order_are_found_again() {
    let mut plain = network(1);
    for layer in &mut plain.layers {
        let values: Vec<f64> = (0..layer.weight.dims()[0]).map(|at| (at as f64 + 0.3).sin()).collect();
        layer.bias = Some(vector(&values));
    }
    let mut shuffled = plain.clone();
    let orders = [vec![3, 0, 6, 1, 5, 2, 4], vec![4, 2, 0, 1, 3], vec![0, 1]];
    let mut before = vec![0, 1];
    for (layer, order) in shuffled.layers.iter_mut().zip(&orders) {
        let weights: Vec<f64> = layer.weight.val().into_data().iter().collect();
        let columns = before.len();
        let moved: Vec<f64> = order
            .iter()
            .flat_map(|&row| before.iter().map(move |&column| (row, column)))
            .map(|(row, column)| weights[row * columns + column])
            .collect();
        let rows = order.len();
        let device = layer.weight.val().device();
        let tensor = Tensor::from_data(TensorData::new(moved, [rows, columns]), (&device, DType::F64));
        layer.weight = Param::from_tensor(tensor);
        let bias: Vec<f64> = layer.bias.as_ref().expect("it has one").val().into_data().iter().collect();
        layer.bias = Some(vector(&order.iter().map(|&unit| bias[unit]).collect::<Vec<_>>()));
        before.clone_from(order);
    }
    let loss = Loss::cross_entropy();
    let settings = ConnectionSettings { curve: 0, ..ConnectionSettings::default() };
    let found = Connection::between(&subject(Model::Mlp(plain), loss), &subject(Model::Mlp(shuffled), loss), &settings)
        .expect("they are of one network");
    let (line, matched) = (&found.line, found.matched.as_ref().expect("they are multilayer perceptrons"));
    let ends = [line.losses[0], line.losses[line.losses.len() - 1]].map(|loss| loss.expect("finite"));
    assert!(found.distance > 1.0 && (ends[0] - ends[1]).abs() < 1e-13, "{ends:?}");
    // The loss on the way to itself is the same everywhere.
    let flat = matched.losses.iter().all(|loss| (loss.expect("finite") - ends[0]).abs() < 1e-13);
    assert!(flat, "{matched:?}");
    assert!(line.losses.iter().any(|loss| (loss.expect("finite") - ends[0]).abs() > 1e-3));
}

/// A trained curve is no higher than the line that it begins at, and ends are as they are.
#[test]
fn a_trained_curve_goes_around() {
    let loss = Loss::cross_entropy();
    let trained = |seed: u64| {
        let training = TrainingConfig::steps(300, BatchSize::Full);
        let optimizer = OptimizerConfig::new(GradientDescentConfig {}, 1.0);
        let mut trainer = Trainer::new(network(seed), &data(), loss, &optimizer, &training, 0).expect("valid");
        trainer.run();
        subject(Model::Mlp(trainer.network().clone()), loss)
    };
    let (a, b) = (trained(1), trained(2));
    let found = Connection::between(&a, &b, &ConnectionSettings::default()).expect("they are of one network");
    let (line, curve) = (found.line.height.expect("finite"), found.curve.clone().expect("asked for"));
    let around = curve.height.expect("finite");
    assert!(line > 0.01 && around < 0.2 * line, "{line} {around}");
    assert_eq!((curve.losses[0], curve.losses.last()), (found.line.losses[0], found.line.losses.last()));
    let again = Connection::between(&a, &b, &ConnectionSettings::default()).expect("likewise");
    assert_eq!(again, found, "the same bits");
    let other = subject(b.network.clone(), Loss::squared_error());
    let error = Connection::between(&a, &other, &ConnectionSettings::default()).expect_err("losses differ");
    assert!(matches!(error, LabError::Apart { what: "loss", .. }), "{error}");
}
