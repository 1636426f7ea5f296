//! What is shared inside a network or between its clones: tied weights are one parameter whatever the method and the
//! way to the gradient, and measuring moves neither statistics nor masks.

use burn::module::{Module, Param};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::{DType, Device, Tensor, TensorData};
use losscape_analysis::Objective;
use losscape_lab::Trainer;
use losscape_lab::config::{BatchSize, TrainingConfig};
use losscape_model::data::{Dataset, Matrix, Prepared, Targets};
use losscape_model::{Loss, Network};
use losscape_optim::{OptimizerConfig, RuleConfig, SamConfig, SharpnessPenaltyConfig};
use losscape_tangent::parameters;

/// Entries without a pattern that matters here.
fn entries(count: usize, scale: f64) -> Vec<f64> {
    (0..count).map(|i| scale * (i as f64 * 1.7 + 0.3).sin()).collect()
}

/// Seven samples of three inputs, and targets of so many outputs.
fn data(outputs: usize) -> Prepared {
    let inputs = Matrix { values: entries(21, 1.0), columns: 3 };
    let values = entries(7 * outputs, 0.7).iter().map(|y| y * y).collect();
    let targets = Targets::Values(Matrix { values, columns: outputs });
    Dataset::new(inputs, targets).expect("as many targets as inputs").into()
}

fn trainer<N: Network<Input = Tensor<2>>>(network: N, data: &Prepared, method: &OptimizerConfig) -> Trainer<N> {
    let training = TrainingConfig { evaluate_every: Some(100), ..TrainingConfig::steps(100, BatchSize::Full) };
    Trainer::new(network, data, Loss::squared_error(), method, &training, 0).expect("the settings are valid")
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

fn method(rule: &str, settings: &str, rate: f64) -> OptimizerConfig {
    let rule: RuleConfig = serde_json::from_str(&format!("{{\"{rule}\": {settings}}}")).expect("the name is known");
    OptimizerConfig::new(rule, rate)
}

/// A rule alone and with everything that can go around it.
fn surrounded(method: &OptimizerConfig) -> Vec<(&'static str, OptimizerConfig)> {
    let method = || method.clone();
    let all = [
        ("plain", method()),
        ("sam", method().with_sam(SamConfig::new(0.1))),
        ("asam", method().with_sam(SamConfig::adaptive(0.1))),
        ("penalty", method().with_sharpness_penalty(SharpnessPenaltyConfig::new(0.1))),
        ("clipped", OptimizerConfig { clip_norm: Some(0.05), ..method() }),
        ("decay", OptimizerConfig { weight_decay: Some(0.1), ..method() }),
    ];
    all.into_iter().filter(|(_, method)| method.init().is_ok()).collect()
}

/// Every rule of the registry, and the form that takes its gradient elsewhere.
fn rules() -> Vec<(String, OptimizerConfig)> {
    let named = RuleConfig::ALL.iter().map(|(name, _)| ((*name).to_owned(), method(name, "{}", 0.02)));
    let ahead = method("nesterov", r#"{"form": "look-ahead"}"#, 0.02);
    named.chain([("look-ahead".to_owned(), ahead)]).collect()
}

mod tied {
    use super::*;

    const DIM: usize = 3;

    fn autodiff() -> Device {
        Device::flex().autodiff()
    }

    fn matrix() -> Param<Tensor<2>> {
        let data = TensorData::new(entries(DIM * DIM, 0.8), [DIM, DIM]);
        Param::from_tensor(Tensor::from_data(data, (&autodiff(), DType::F64)).require_grad())
    }

    /// A frozen factor of one, with which Burn's autodiff is the only way.
    fn frozen() -> Option<Param<Tensor<1>>> {
        let one = Tensor::from_data(TensorData::new(vec![1.0], [1]), (&autodiff(), DType::F64));
        Some(Param::from_tensor(one).set_require_grad(false))
    }

    /// `x ↦ tanh(x Aᵀ) Aᵀ` with A in two places.
    #[derive(Module, Debug)]
    struct Two {
        a: Param<Tensor<2>>,
        b: Param<Tensor<2>>,
        frozen: Option<Param<Tensor<1>>>,
    }

    /// The same with A in one place.
    #[derive(Module, Debug)]
    struct One {
        a: Param<Tensor<2>>,
        frozen: Option<Param<Tensor<1>>>,
    }

    fn forward(x: Tensor<2>, [a, b]: [&Param<Tensor<2>>; 2], frozen: Option<&Param<Tensor<1>>>) -> Tensor<2> {
        let h = x.matmul(a.val().transpose()).tanh().matmul(b.val().transpose());
        match frozen {
            Some(factor) => h * factor.val().unsqueeze::<2>(),
            None => h,
        }
    }

    impl Network for Two {
        type Input = Tensor<2>;

        fn forward(&self, x: Tensor<2>) -> Tensor<2> {
            forward(x, [&self.a, &self.b], self.frozen.as_ref())
        }
    }

    impl Network for One {
        type Input = Tensor<2>;

        fn forward(&self, x: Tensor<2>) -> Tensor<2> {
            forward(x, [&self.a, &self.a], self.frozen.as_ref())
        }
    }

    fn two(frozen: Option<Param<Tensor<1>>>) -> Two {
        let a = matrix();
        Two { b: a.clone(), a, frozen }
    }

    fn apart(a: &[f64], b: &[f64]) -> f64 {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    /// A at both places after some steps, and whether the gradient was compiled.
    fn trained(network: Two, method: &OptimizerConfig) -> ([Vec<f64>; 2], bool) {
        let mut trainer = trainer(network, &data(DIM), method);
        for _ in 0..4 {
            trainer.advance();
        }
        let network = trainer.network();
        ([host(network.a.val()), host(network.b.val())], trainer.moment().is_compiled())
    }

    /// Norm, weights and loss against JAX's, for one A that stands in the forward twice (f64, to 5e-14 there).
    #[test]
    fn weights_are_those_of_jax() {
        for (frozen, compiled) in [(frozen(), false), (None, true)] {
            let mut trainer = trainer(two(frozen), &data(DIM), &method("gd", "{}", 0.1));
            assert_eq!(trainer.moment().is_compiled(), compiled);
            assert!((trainer.gradient_norm() - 1.541057808).abs() < 1e-9, "{}", trainer.gradient_norm());
            let norms: Vec<Option<f64>> = (0..3).map(|_| trainer.advance().grad_norm).collect();
            assert!(norms[0].is_none_or(|norm| (norm - 1.541057808).abs() < 1e-9), "{norms:?}");
            let network = trainer.network();
            for place in [&network.a, &network.b] {
                let error = apart(&host(place.val())[..3], &[0.10985969, 0.63202686, -0.31506491]);
                assert!(error < 1e-8, "compiled {compiled}: {error:e}");
            }
            assert!((trainer.evaluate().train.loss - 0.465373995).abs() < 1e-9);
        }
    }

    #[test]
    fn all_methods_step_all_places_as_if_there_were_one() {
        for (name, rule) in rules() {
            for (around, method) in surrounded(&rule) {
                let mut single = trainer(One { a: matrix(), frozen: frozen() }, &data(DIM), &method);
                for _ in 0..4 {
                    single.advance();
                }
                let expected = host(single.network().a.val());
                let start = entries(DIM * DIM, 0.8);
                assert!(apart(&expected, &start) > 1e-4, "{name}, {around}: nothing moved");
                for frozen in [frozen(), None] {
                    let compiles = frozen.is_none() && method.rule.is_elementwise();
                    let ([a, b], compiled) = trained(two(frozen), &method);
                    assert_eq!(compiled, compiles, "{name}, {around}");
                    assert_eq!(a, b, "{name}, {around}: the places come apart");
                    let error = apart(&a, &expected);
                    assert!(error < 1e-11, "{name}, {around}, compiled {compiled}: {error:e}");
                }
            }
        }
    }

    /// `train`, `load_record` and any mapper leave two tensors under one identity.
    #[test]
    fn places_that_were_copied_become_one_again() {
        let method = method("adam", "{}", 0.02);
        let expected = trained(two(frozen()), &method);
        let copies = [two(frozen()).valid().train(), two(frozen()).load_record(two(frozen()).into_record())];
        for copy in copies {
            assert_eq!(trained(copy, &method), expected);
        }
        let gradient = |network: &Two| {
            let loss = network.forward(Tensor::ones([1, DIM], (&autodiff(), DType::F64))).sum();
            let gradients = losscape_optim::shared::gradients(loss.backward(), network);
            host(parameters::ravel_gradient(network, &gradients).expect("there are parameters"))
        };
        let network = two(frozen());
        assert_eq!(gradient(&network.clone().valid().train()), gradient(&network));
        let w = parameters::ravel(&network).expect("there are parameters");
        let unraveled = parameters::unravel(network.clone(), &w).expect("as many entries as parameters");
        let loss = unraveled.forward(Tensor::ones([1, DIM], (&autodiff(), DType::F64))).sum();
        let of_burn = burn::optim::GradientsParams::from_grads(loss.backward(), &unraveled);
        let of_burn = parameters::ravel_gradient(&unraveled, &of_burn).expect("there are parameters");
        assert_eq!(host(of_burn), gradient(&network));
    }

    #[test]
    fn preconditioners_stand_in_all_places() {
        for frozen in [frozen(), None] {
            let mut trainer = trainer(two(frozen), &data(DIM), &method("adam", "{}", 0.02));
            trainer.advance();
            let preconditioner = trainer.moment().preconditioner().expect("Adam has one");
            assert_eq!(host(preconditioner.a.val()), host(preconditioner.b.val()));
        }
    }
}

mod measuring {
    use super::*;

    #[derive(Module, Debug)]
    struct Layers {
        first: Linear,
        norm: Option<BatchNorm>,
        dropout: Option<Dropout>,
        last: Linear,
    }

    impl Network for Layers {
        type Input = Tensor<2>;

        fn forward(&self, x: Tensor<2>) -> Tensor<2> {
            let mut h = self.first.forward(x);
            if let Some(norm) = &self.norm {
                h = norm.forward(h);
            }
            h = h.tanh();
            if let Some(dropout) = &self.dropout {
                h = dropout.forward(h);
            }
            self.last.forward(h)
        }
    }

    const WIDTH: usize = 8;

    fn layers(norm: bool, dropout: Option<f64>) -> Layers {
        let device = Device::flex().autodiff();
        Layers {
            first: LinearConfig::new(3, WIDTH).init(&device),
            norm: norm.then(|| BatchNormConfig::new(WIDTH).init(&device)),
            dropout: dropout.map(|probability| DropoutConfig::new(probability).init()),
            last: LinearConfig::new(WIDTH, 1).init(&device),
        }
    }

    /// The running mean and variance that inference would use.
    fn statistics(network: &Layers) -> Vec<f64> {
        let norm = network.valid().norm.expect("the network has a batch norm");
        [host(norm.running_mean.value()), host(norm.running_var.value())].concat()
    }

    /// After a step the running mean is a tenth of the batch's at the point of the step's first gradient: that before
    /// the step, which for look-ahead at its first step is the extended point too.
    #[test]
    fn statistics_move_once_a_step() {
        for (name, rule) in rules() {
            for (around, method) in surrounded(&rule) {
                let network = layers(true, None);
                let inputs = data(1).train.input_tensor(&Device::flex(), DType::F32);
                let mean = host(network.valid().first.forward(inputs).mean_dim(0));
                let mut trainer = trainer(network, &data(1), &method);
                let fresh = [vec![0.0; WIDTH], vec![1.0; WIDTH]].concat();
                assert_eq!(statistics(trainer.network()), fresh, "{name}, {around}: nothing was trained yet");
                trainer.advance();
                let after = statistics(trainer.network());
                for (after, mean) in after.iter().zip(&mean) {
                    assert!((after - 0.1 * mean).abs() < 1e-6, "{name}, {around}: {after} for 0.1 × {mean}");
                }
            }
        }
    }

    #[test]
    fn a_network_stays_as_it_is() {
        for (norm, dropout) in [(true, None), (false, Some(0.5)), (true, Some(0.3))] {
            let data = data(1);
            let mut trainer = trainer(layers(norm, dropout), &data, &method("gd", "{}", 0.1));
            for _ in 0..3 {
                trainer.advance();
            }
            let measured = |trainer: &Trainer<Layers>| {
                let moved = if norm { statistics(trainer.network()) } else { Vec::new() };
                (trainer.evaluate().train.loss, trainer.gradient_norm(), moved)
            };
            let first = measured(&trainer);
            for _ in 0..3 {
                assert_eq!(measured(&trainer), first, "norm {norm}, dropout {dropout:?}");
            }
            // The same network as an objective of its own, whose derivatives are exact.
            let objective = Objective::on(trainer.network().clone(), &data.train, Loss::squared_error());
            let objective = objective.expect("everything has a rule").precision(DType::F64);
            let point = objective.here().expect("the loss is finite");
            assert!((point.loss() - first.0).abs() < 1e-5 * first.0);
            assert!((point.gradient_norm() - first.1).abs() < 1e-5 * first.1, "{} {}", point.gradient_norm(), first.1);
            assert_eq!(measured(&trainer), first, "after an objective");
        }
    }

    /// A mask that hides nothing in the first batch would agree with no mask at all.
    #[test]
    fn rare_dropout_is_not_taken_for_none() {
        let gd = method("gd", "{}", 0.1);
        assert!(trainer(layers(false, None), &data(1), &gd).moment().is_compiled());
        assert!(!trainer(layers(false, Some(1e-6)), &data(1), &gd).moment().is_compiled());
    }

    /// A target for the gradient's norm is looked at after every evaluation, and must not move what is trained.
    #[test]
    fn a_target_changes_nothing() {
        let run = |target_gradient_norm: Option<f64>, start: Layers| {
            let steps = TrainingConfig::steps(5, BatchSize::Full);
            let training = TrainingConfig { target_gradient_norm, evaluate_every: Some(1), ..steps };
            let method = method("gd", "{}", 0.1);
            let loss = Loss::squared_error();
            let mut trainer =
                Trainer::new(start, &data(1), loss, &method, &training, 0).expect("the settings are valid");
            trainer.run();
            (host(parameters::ravel(trainer.network()).expect("there are parameters")), statistics(trainer.network()))
        };
        let start = layers(true, None);
        // Clones share their statistics: each run has its own.
        let copy = || start.valid().train();
        assert_eq!(run(Some(1e-30), copy()), run(None, copy()));
    }
}

/// Broadcasting would make a loss of it.
#[test]
fn a_network_that_does_not_fit_the_data_is_refused() {
    let network = |inputs, outputs| LinearConfig::new(inputs, outputs).init(&Device::flex().autodiff());
    let gd = method("gd", "{}", 0.1);
    let training = TrainingConfig::steps(1, BatchSize::Full);
    for (inputs, outputs, word) in [(3, 1, "1 outputs"), (3, 3, "3 outputs"), (2, 2, "rows of 3 numbers")] {
        let made =
            Trainer::new(Bare { layer: network(inputs, outputs) }, &data(2), Loss::squared_error(), &gd, &training, 0);
        let message = made.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains(word), "`{message}` should name {word}");
    }
}

#[derive(Module, Debug)]
struct Bare {
    layer: Linear,
}

impl Network for Bare {
    type Input = Tensor<2>;

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.layer.forward(x)
    }
}
