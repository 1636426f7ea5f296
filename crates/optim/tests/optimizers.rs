//! Every optimizer against trajectories from PyTorch and NumPy, against known minima, and against the identities it
//! must satisfy.
//!
//! `reference/optimizers.json` is made by the program beside it.

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Device, Tensor, TensorData};
use losscape_optim::adam::AdamConfig;
use losscape_optim::amsgrad::AmsGradConfig;
use losscape_optim::entropy_sgd::EntropySgdConfig;
use losscape_optim::gradient_descent::GradientDescentConfig;
use losscape_optim::momentum::MomentumConfig;
use losscape_optim::muon::MuonConfig;
use losscape_optim::nesterov::{Form, NesterovConfig};
use losscape_optim::rmsprop::RmsPropConfig;
use losscape_optim::scalar_rmsprop::ScalarRmsPropConfig;
use losscape_optim::schedule::{DecayConfig, ScheduleConfig};
use losscape_optim::schedule_free::ScheduleFreeConfig;
use losscape_optim::soap::SoapConfig;
use losscape_optim::{FriendlyConfig, Method, OptimizerConfig, RuleConfig, SamConfig, SharpnessPenaltyConfig};
use losscape_tangent::parameters::ravel;

fn tensor<const D: usize>(values: &[f64], shape: [usize; D], dtype: DType) -> Tensor<D> {
    let device = Device::flex().autodiff();
    Tensor::from_data(TensorData::new(values.to_vec(), shape).convert_dtype(dtype), (&device, dtype))
}

fn values<M: Module>(module: &M) -> Vec<f64> {
    ravel(module).expect("there are parameters").cast(DType::F64).into_data().try_to_vec().expect("the dtype is f64")
}

/// A matrix and a bias: what softmax regression, quadratics and Rosenbrock need.
#[derive(Module, Debug)]
struct Affine {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl Affine {
    fn new(weight: &[f64], bias: &[f64], dtype: DType) -> Self {
        let rows = weight.len() / bias.len();
        Self {
            weight: Param::from_tensor(tensor(weight, [rows, bias.len()], dtype)),
            bias: Param::from_tensor(tensor(bias, [bias.len()], dtype)),
        }
    }
}

/// Loss of a module, as the closure that methods take.
fn closure<'a, M: Module>(loss: &'a impl Fn(&M) -> Tensor<1>) -> impl FnMut(&M) -> (f64, GradientsParams) + 'a {
    move |module| {
        let value = loss(module);
        let gradients = GradientsParams::from_grads(value.backward(), module);
        (value.into_scalar(), gradients)
    }
}

mod trajectories {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Reference {
        x: Vec<f64>,
        labels: Vec<usize>,
        start: Vec<f64>,
        trajectories: BTreeMap<String, BTreeMap<usize, Vec<f64>>>,
        /// Of Burn's own rules, which keep their settings in f32.
        burn: BTreeMap<String, BTreeMap<usize, Vec<f64>>>,
    }

    fn configs() -> BTreeMap<&'static str, OptimizerConfig> {
        let gd = || RuleConfig::Gd(GradientDescentConfig {});
        let momentum = || RuleConfig::Momentum(MomentumConfig { momentum: 0.9 });
        let nesterov = |form| RuleConfig::Nesterov(NesterovConfig { momentum: 0.9, form });
        let rmsprop = |epsilon_inside| RuleConfig::Rmsprop(RmsPropConfig { gamma: 0.9, epsilon: 1e-3, epsilon_inside });
        let adam =
            |epsilon_inside| RuleConfig::Adam(AdamConfig { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-3, epsilon_inside });
        let with = OptimizerConfig::new;
        let scalar = || RuleConfig::ScalarRmsprop(ScalarRmsPropConfig { gamma: 0.9, epsilon: 1e-3 });
        let soap = SoapConfig { beta_1: 0.9, beta_2: 0.95, epsilon: 1e-3, frequency: 7, ..SoapConfig::default() };
        let friendly = Some(FriendlyConfig { sigma: 0.8, lambda: 0.7 });
        let entropy = EntropySgdConfig { inner: 7, scope: 0.5, growth: 0.1, share: 0.75, outer: 0.9 };
        let free = |adaptive| ScheduleFreeConfig { beta: 0.9, adaptive, beta_2: 0.99, epsilon: 1e-3 };
        BTreeMap::from([
            ("gd", with(gd(), 0.3)),
            ("gd, weight decay", OptimizerConfig { weight_decay: Some(0.05), ..with(gd(), 0.3) }),
            ("gd, clipped", OptimizerConfig { clip_norm: Some(0.2), ..with(gd(), 0.3) }),
            ("momentum", with(momentum(), 0.1)),
            ("nesterov", with(nesterov(Form::Reparameterised), 0.1)),
            ("nesterov, look-ahead", with(nesterov(Form::LookAhead), 0.1)),
            ("rmsprop", with(rmsprop(false), 0.01)),
            ("rmsprop, epsilon inside", with(rmsprop(true), 0.01)),
            ("scalar-rmsprop", with(scalar(), 0.01)),
            ("scalar-rmsprop, weight decay", OptimizerConfig { weight_decay: Some(0.05), ..with(scalar(), 0.01) }),
            ("adam", with(adam(false), 0.02)),
            ("adam, weight decay", OptimizerConfig { weight_decay: Some(0.05), ..with(adam(false), 0.02) }),
            ("adam, epsilon inside", with(adam(true), 0.02)),
            ("amsgrad", with(AmsGradConfig { beta_1: 0.9, beta_2: 0.9, epsilon: 1e-3 }.into(), 0.02)),
            ("soap", with(soap.into(), 0.02)),
            ("soap, weight decay", OptimizerConfig { weight_decay: Some(0.05), ..with(soap.into(), 0.02) }),
            ("entropy-sgd", with(entropy.into(), 0.3)),
            ("schedule-free", with(free(false).into(), 1.0)),
            (
                "schedule-free, weight decay",
                OptimizerConfig { weight_decay: Some(0.05), ..with(free(false).into(), 1.0) },
            ),
            ("schedule-free, adaptive", with(free(true).into(), 0.1)),
            (
                "schedule-free, adaptive, weight decay",
                OptimizerConfig { weight_decay: Some(0.05), ..with(free(true).into(), 0.1) },
            ),
            ("sam, gd, weight 0.5", with(gd(), 0.3).with_sam(SamConfig { weight: 0.5, ..SamConfig::new(0.1) })),
            ("sam, gd, weight 1.5", with(gd(), 0.3).with_sam(SamConfig { weight: 1.5, ..SamConfig::new(0.1) })),
            ("sam, gd", with(gd(), 0.3).with_sam(SamConfig::new(0.1))),
            ("sam, momentum", with(momentum(), 0.02).with_sam(SamConfig::new(0.1))),
            ("asam, gd", with(gd(), 0.3).with_sam(SamConfig::adaptive(0.5))),
            ("friendly sam, gd", with(gd(), 0.1).with_sam(SamConfig { friendly, ..SamConfig::new(0.05) })),
            ("friendly asam, gd", with(gd(), 0.1).with_sam(SamConfig { friendly, ..SamConfig::adaptive(0.2) })),
        ])
    }

    /// Burn's own rules by name, with the settings of the reference.
    fn burn_configs() -> BTreeMap<&'static str, OptimizerConfig> {
        let rows = [
            ("adamw", r#"{"epsilon": 1e-3}"#, 0.02, Some(0.05)),
            ("lamb", r#"{"epsilon": 1e-3}"#, 0.02, None),
            ("lion", "{}", 0.01, Some(0.05)),
            ("adagrad", r#"{"epsilon": 1e-3}"#, 0.1, None),
            ("lbfgs", r#"{"iterations": 2, "line_search": false}"#, 0.5, None),
            ("burn-sgd", "{}", 0.1, Some(0.05)),
            ("burn-rmsprop", "{}", 0.001, Some(0.05)),
            ("burn-adam", "{}", 0.02, Some(0.05)),
        ];
        rows.into_iter()
            .map(|(name, settings, rate, weight_decay)| {
                let rule: RuleConfig =
                    serde_json::from_str(&format!("{{\"{name}\": {settings}}}")).expect("the name is known");
                (name, OptimizerConfig { weight_decay, ..OptimizerConfig::new(rule, rate) })
            })
            .collect()
    }

    fn reference() -> Reference {
        serde_json::from_str(include_str!("reference/optimizers.json")).expect("the reference is JSON")
    }

    /// Follows each trajectory, and fails where one leaves it by more than `tolerance` times its largest parameter.
    fn follow(
        configs: &BTreeMap<&str, OptimizerConfig>,
        trajectories: &BTreeMap<String, BTreeMap<usize, Vec<f64>>>,
        dtype: DType,
        tolerance: f64,
    ) {
        let reference = reference();
        let names: Vec<&str> = trajectories.keys().map(String::as_str).collect();
        assert_eq!(names, configs.keys().copied().collect::<Vec<_>>(), "every reference has a configuration");
        let one_hot: Vec<f64> =
            reference.labels.iter().flat_map(|&label| (0..4).map(move |k| f64::from(u8::from(k == label)))).collect();
        let (x, y) = (tensor(&reference.x, [12, 3], dtype), tensor(&one_hot, [12, 4], dtype));
        let loss = |at: &Affine| {
            let z = x.clone().matmul(at.weight.val()) + at.bias.val().unsqueeze();
            (log_softmax(z, 1) * y.clone()).sum().mul_scalar(-1.0 / 12.0)
        };
        for (name, config) in configs {
            let mut method = config.init().expect("the settings are valid");
            let mut at = Affine::new(&reference.start[..12], &reference.start[12..], dtype);
            for step in 1..=120 {
                at = method.step(config.learning_rate, at, closure(&loss)).0;
                let Some(expected) = trajectories[*name].get(&step) else { continue };
                let error = values(&at).iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                let largest = expected.iter().fold(1.0_f64, |largest, value| largest.max(value.abs()));
                assert!(
                    error <= tolerance * largest,
                    "{name}, {dtype:?}: off by {error:.2e} at step {step}, {tolerance:.0e} allowed"
                );
            }
        }
    }

    #[test]
    fn of_our_rules_follow_the_references() {
        follow(&configs(), &reference().trajectories, DType::F64, 1e-10);
        follow(&configs(), &reference().trajectories, DType::F32, 1e-5);
    }

    #[test]
    fn of_burns_rules_follow_the_references() {
        // Settings rounded to f32 differ by up to 6e-8; over 120 steps that grows to 1e-6, which is small against steps
        // of 1e-3 to 1e-1.
        follow(&burn_configs(), &reference().burn, DType::F64, 1e-5);
    }
}

mod minima {
    use super::*;

    /// A problem: start, loss, and the loss at its minimum.
    struct Problem {
        name: &'static str,
        start: (&'static [f64], &'static [f64]),
        loss: fn(&Affine) -> Tensor<1>,
        minimum: f64,
    }

    /// `½(w₁² + 10 w₂² + 3 b²)`.
    fn quadratic(at: &Affine) -> Tensor<1> {
        let weight = at.weight.val().square() * tensor(&[1.0, 10.0], [2, 1], DType::F64);
        (weight.sum() + at.bias.val().square().sum().mul_scalar(3.0)).mul_scalar(0.5)
    }

    /// `(1 − w₁)² + 10 (w₂ − w₁²)² + b²`: Rosenbrock's valley, with the factor 10 instead of 100, and a bias to go with
    /// it.
    fn rosenbrock(at: &Affine) -> Tensor<1> {
        let w = at.weight.val();
        let (x, y) = (w.clone().narrow(0, 0, 1), w.narrow(0, 1, 1));
        let valley = x.clone().neg().add_scalar(1.0).square() + (y - x.square()).square().mul_scalar(10.0);
        valley.sum() + at.bias.val().square().sum()
    }

    /// Regularized logistic regression of four points, labels −1 and 1: `mean log(1 + e^{−y(x·w + b)}) + 0.05(‖w‖² +
    /// b²)`.
    fn logistic(at: &Affine) -> Tensor<1> {
        let x = tensor(&[1.0, 2.0, 2.0, 0.5, -1.0, -1.5, 0.5, -1.0], [4, 2], DType::F64);
        let y = tensor(&[1.0, 1.0, -1.0, -1.0], [4, 1], DType::F64);
        let margin = (x.matmul(at.weight.val()) + at.bias.val().unsqueeze()) * y;
        let fit = margin.neg().exp().log1p().mean();
        fit + (at.weight.val().square().sum() + at.bias.val().square().sum()).mul_scalar(0.05)
    }

    const PROBLEMS: [Problem; 3] = [
        Problem { name: "quadratic", start: (&[2.0, -1.5], &[1.0]), loss: quadratic, minimum: 0.0 },
        Problem { name: "rosenbrock", start: (&[-0.8, 1.2], &[0.5]), loss: rosenbrock, minimum: 0.0 },
        // The minimum is where Newton's method in NumPy leaves a gradient of 1.4e-17.
        Problem {
            name: "logistic regression",
            start: (&[0.0, 0.0], &[0.0]),
            loss: logistic,
            minimum: 0.240_815_038_456_741_68,
        },
    ];

    /// For each name of the registry, settings and a learning rate for each problem.
    fn rows() -> Vec<(&'static str, &'static str, [f64; 3])> {
        vec![
            ("gd", "{}", [0.1, 0.01, 0.5]),
            ("momentum", "{}", [0.02, 0.002, 0.1]),
            ("nesterov", "{}", [0.02, 0.002, 0.1]),
            ("rmsprop", "{}", [0.02, 0.01, 0.02]),
            ("scalar-rmsprop", "{}", [0.02, 0.01, 0.02]),
            ("adam", "{}", [0.1, 0.05, 0.1]),
            ("amsgrad", "{}", [0.1, 0.05, 0.1]),
            // Without a pull back to the centre the inner path is gradient descent.
            ("entropy-sgd", r#"{"inner": 5}"#, [0.1, 0.01, 0.5]),
            ("schedule-free", "{}", [0.5, 0.05, 2.0]),
            ("adamw", "{}", [0.1, 0.05, 0.1]),
            ("muon", "{}", [0.1, 0.05, 0.05]),
            ("soap", "{}", [0.1, 0.05, 0.1]),
            ("lion", "{}", [0.02, 0.01, 0.02]),
            ("adagrad", "{}", [0.5, 0.5, 0.5]),
            ("adafactor", "{}", [0.05, 0.02, 0.05]),
            ("adan", "{}", [0.05, 0.02, 0.05]),
            ("lamb", "{}", [0.02, 0.01, 0.02]),
            ("lbfgs", "{}", [1.0, 1.0, 1.0]),
            ("burn-sgd", "{}", [0.02, 0.002, 0.1]),
            ("burn-rmsprop", "{}", [0.005, 0.002, 0.005]),
            ("burn-adam", "{}", [0.1, 0.05, 0.1]),
        ]
    }

    #[test]
    fn are_reached_by_every_optimizer() {
        let names: Vec<&str> = RuleConfig::ALL.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, rows().iter().map(|row| row.0).collect::<Vec<_>>(), "every optimizer has a row");
        const STEPS: usize = 3000;
        for (name, settings, rates) in rows() {
            let rule: RuleConfig =
                serde_json::from_str(&format!("{{\"{name}\": {settings}}}")).expect("the name is known");
            for (problem, rate) in PROBLEMS.iter().zip(rates) {
                let mut config = OptimizerConfig::new(rule.clone(), rate);
                config.weight_decay = Some(0.0);
                config.schedule = ScheduleConfig::Linear(DecayConfig::default());
                let mut method = config.init().expect("the settings are valid");
                let mut schedule = config.schedule.init(STEPS).expect("the settings are valid");
                let mut at = Affine::new(problem.start.0, problem.start.1, DType::F64);
                let start: f64 = (problem.loss)(&at).into_scalar();
                for _ in 0..STEPS {
                    at = method.step(rate * schedule.next_factor(), at, closure(&problem.loss)).0;
                }
                let end: f64 = (problem.loss)(&at).into_scalar();
                let left = (end - problem.minimum) / (start - problem.minimum);
                assert!(left.abs() < 1e-4, "{name} on {}: {left:.1e} of the gap is left", problem.name);
            }
        }
    }
}

mod identities {
    use super::*;

    /// A loss whose gradient is whatever `direction` says: `w · direction`.
    fn linear(at: &Affine, direction: f64) -> Tensor<1> {
        (at.weight.val().sum() + at.bias.val().sum()).mul_scalar(direction)
    }

    fn origin() -> Affine {
        Affine::new(&[0.0, 0.0], &[0.0], DType::F64)
    }

    fn first(at: &Affine) -> f64 {
        values(at)[0]
    }

    /// A nonlinear loss with curvature everywhere.
    fn bowl(at: &Affine) -> Tensor<1> {
        let w = at.weight.val().add_scalar(-0.7);
        w.clone().square().sum() + w.square().square().sum() + at.bias.val().add_scalar(0.3).square().sum()
    }

    fn steps(method: &mut Method, rate: f64, mut at: Affine, count: usize) -> Affine {
        for _ in 0..count {
            at = method.step(rate, at, closure(&bowl)).0;
        }
        at
    }

    #[test]
    fn momentum_grows_where_the_sign_stays_and_shrinks_where_it_flips() {
        let (b, rate) = (0.8, 0.1);
        let config = OptimizerConfig::new(MomentumConfig { momentum: b }, rate);
        for (flip, limit) in [(1.0, rate / (1.0 - b)), (-1.0, rate / (1.0 + b))] {
            let mut method = config.init().expect("the settings are valid");
            let (mut at, mut sign, mut step) = (origin(), 1.0, 0.0);
            for _ in 0..400 {
                let before = first(&at);
                at = method.step(rate, at, closure(&|at: &Affine| linear(at, sign))).0;
                step = first(&at) - before;
                sign *= flip;
            }
            assert!((step.abs() - limit).abs() < 1e-12, "{step} against {limit}");
        }
    }

    #[test]
    fn nesterov_sees_the_same_path_from_two_points() {
        let rate = 0.03;
        let rule = |form| RuleConfig::Nesterov(NesterovConfig { momentum: 0.9, form });
        let mut shifted = OptimizerConfig::new(rule(Form::Reparameterised), rate).init().expect("valid");
        let mut ahead = NesterovConfig { momentum: 0.9, form: Form::LookAhead }.look_ahead().expect("valid");
        let (mut y, mut w) = (origin(), origin());
        for step in 0..200 {
            let extended = values(&ahead.extend(&w));
            for (a, b) in values(&y).iter().zip(&extended) {
                assert!((a - b).abs() < 1e-13, "step {step}: {a} against {b}");
            }
            y = steps(&mut shifted, rate, y, 1);
            w = ahead.step(rate, w, closure(&bowl)).0;
        }
    }

    #[test]
    fn adam_corrects_its_averages_from_the_first_step_on() {
        // With a constant gradient m̂ = g and v̂ = g² at every step, so each step is ε g/(|g| + ϵ), or ε g/√(g² + ϵ).
        let (rate, g, epsilon) = (0.01_f64, 0.3_f64, 1e-2_f64);
        for (epsilon_inside, step) in [(false, rate * g / (g + epsilon)), (true, rate * g / (g * g + epsilon).sqrt())] {
            let adam = AdamConfig { epsilon, epsilon_inside, ..AdamConfig::default() };
            let mut method = OptimizerConfig::new(RuleConfig::Adam(adam), rate).init().expect("valid");
            let mut at = origin();
            for k in 1..=1000 {
                at = method.step(rate, at, closure(&|at: &Affine| linear(at, g))).0;
                let expected = -step * f64::from(k);
                assert!((first(&at) - expected).abs() < 1e-12, "step {k}: {} against {expected}", first(&at));
            }
        }
    }

    #[test]
    fn rmsprop_steps_alike_in_steep_and_shallow_directions() {
        let rmsprop = RmsPropConfig { gamma: 0.9, epsilon: 1e-12, epsilon_inside: false };
        let mut method = OptimizerConfig::new(RuleConfig::Rmsprop(rmsprop), 1e-3).init().expect("valid");
        let slope = tensor(&[100.0, 0.01], [2, 1], DType::F64);
        let loss = |at: &Affine| (at.weight.val() * slope.clone()).sum() + at.bias.val().sum();
        let mut at = origin();
        for _ in 0..300 {
            at = method.step(1e-3, at, closure(&loss)).0;
        }
        let end = values(&at);
        assert!((end[0] / end[1] - 1.0).abs() < 1e-9, "ratio of the steps {}", end[0] / end[1]);
    }

    /// A tensor of three dimensions.
    #[derive(Module, Debug)]
    struct Cube {
        w: Param<Tensor<3>>,
    }

    /// Where the loss is seen in other coordinates, SOAP takes the same steps in these; Adam takes others.
    #[test]
    fn soap_steps_alike_in_rotated_coordinates() {
        let (sine, cosine) = 0.6_f64.sin_cos();
        let rotation: Tensor<3> =
            tensor(&[cosine, sine, 0.0, -sine, cosine, 0.0, 0.0, 0.0, 1.0], [1, 3, 3], DType::F64).inner();
        let rotated = |w: Tensor<3>, rotation: Tensor<3>| w.swap_dims(1, 2).matmul(rotation).swap_dims(1, 2);
        let scales: Vec<f64> = (0..24).map(|at| 1.0 + f64::from(at * 7 % 11)).collect();
        let scales: Tensor<3> = tensor(&scales, [2, 3, 4], DType::F64);
        let loss = |w: Tensor<3>| {
            let away = w - scales.clone().sin();
            (away.clone().square() * scales.clone() + away.square().square()).sum()
        };
        let back = Tensor::from_inner(rotation.clone().transpose());
        let train = |rule: RuleConfig, turned: bool| {
            let mut method = OptimizerConfig::new(rule, 0.02).init().expect("valid");
            let mut at = Cube { w: Param::from_tensor(tensor(&[0.0; 24], [2, 3, 4], DType::F64)) };
            for _ in 0..40 {
                let of = |at: &Cube| loss(if turned { rotated(at.w.val(), back.clone()) } else { at.w.val() });
                at = method.step(0.02, at, closure(&of)).0;
            }
            let end = at.w.val().inner();
            if turned { rotated(end, rotation.clone().transpose()) } else { end }
        };
        for (rule, alike) in
            [(RuleConfig::from(SoapConfig::default()), true), (RuleConfig::from(AdamConfig::default()), false)]
        {
            let apart: f64 = (train(rule.clone(), false) - train(rule, true)).abs().max().into_scalar();
            assert_eq!(apart < 1e-9, alike, "{apart}");
        }
    }

    #[test]
    fn soap_without_bases_is_adam() {
        let soap = SoapConfig { epsilon: 0.0, largest: 0, beta_1: 0.9, beta_2: 0.999, ..SoapConfig::default() };
        let adam = AdamConfig { epsilon: 0.0, ..AdamConfig::default() };
        // The first gradient makes the bases.
        let by_soap = steps(&mut OptimizerConfig::new(soap, 0.01).init().expect("valid"), 0.01, origin(), 31);
        let by_adam = steps(&mut OptimizerConfig::new(adam, 0.01).init().expect("valid"), 0.01, origin(), 30);
        for (a, b) in values(&by_soap).into_iter().zip(values(&by_adam)) {
            assert!((a - b).abs() < 1e-12, "{a} {b}");
        }
    }

    fn bases() -> [(&'static str, RuleConfig, f64); 6] {
        [
            ("scalar-rmsprop", RuleConfig::ScalarRmsprop(ScalarRmsPropConfig { gamma: 0.9, epsilon: 1e-8 }), 0.05),
            ("soap", RuleConfig::Soap(SoapConfig::default()), 0.05),
            ("gd", RuleConfig::Gd(GradientDescentConfig {}), 0.05),
            ("momentum", RuleConfig::Momentum(MomentumConfig { momentum: 0.9 }), 0.01),
            ("adam", RuleConfig::Adam(AdamConfig::default()), 0.01),
            ("muon", RuleConfig::Muon(MuonConfig { momentum: 0.95 }), 0.05),
        ]
    }

    fn friendly(rho: f64) -> SamConfig {
        // With σ = 1 nothing is left of a gradient that stays.
        SamConfig { friendly: Some(FriendlyConfig { sigma: 0.9, lambda: 0.9 }), ..SamConfig::new(rho) }
    }

    #[test]
    fn sam_without_radius_is_its_base_rule_to_the_bit() {
        for (name, rule, rate) in bases() {
            for sam in [SamConfig::new(0.0), SamConfig::adaptive(0.0), friendly(0.0)] {
                let base = OptimizerConfig::new(rule.clone(), rate);
                let plain = steps(&mut base.init().expect("valid"), rate, origin(), 20);
                let around = steps(&mut base.with_sam(sam).init().expect("valid"), rate, origin(), 20);
                assert_eq!(values(&plain), values(&around), "{name}");
            }
        }
    }

    #[test]
    fn sam_asks_twice_and_goes_down_around_every_base() {
        for (name, rule, rate) in bases() {
            for sam in [SamConfig::new(0.05), SamConfig::adaptive(0.05), friendly(0.05)] {
                let mut method = OptimizerConfig::new(rule.clone(), rate).with_sam(sam).init().expect("valid");
                let (mut calls, mut at) = (0, origin());
                let (mut first_loss, mut last_loss) = (f64::NAN, f64::NAN);
                for step in 0..50 {
                    let mut inner = closure(&bowl);
                    let (next, loss) = method.step(rate, at, |at: &Affine| {
                        calls += 1;
                        inner(at)
                    });
                    at = next;
                    last_loss = loss;
                    if step == 0 {
                        first_loss = loss;
                    }
                }
                assert_eq!(calls, 100, "{name}");
                assert_eq!(
                    first_loss,
                    bowl(&origin()).into_scalar::<f64>(),
                    "{name}: the loss is that before the step"
                );
                assert!(last_loss < 0.5 * first_loss, "{name}: {last_loss} after {first_loss}");
            }
        }
    }

    /// The Hessian of `x²(2 + y²)/2 + y² + 0.3 xy` has eigenvalues in closed form; their gradient by differences is
    /// what the penalty adds.
    #[test]
    fn the_penalty_adds_the_gradient_of_the_largest_eigenvalue() {
        let largest = |x: f64, y: f64| {
            let (a, b, c) = (2.0 + y * y, 2.0 * x * y + 0.3, 2.0 + x * x);
            f64::midpoint(a, c) + (0.25 * (a - c).powi(2) + b * b).sqrt()
        };
        let loss = |at: &Affine| {
            let w = at.weight.val();
            let (x, y): (Tensor<1>, Tensor<1>) =
                (w.clone().narrow(0, 0, 1).reshape([1]), w.narrow(0, 1, 1).reshape([1]));
            x.clone().square() * (y.clone().square() + 2.0) * 0.5
                + y.clone().square()
                + x * y * 0.3
                + at.bias.val() * 0.0
        };
        let (x, y) = (0.7, -1.3);
        let at = Affine::new(&[x, y], &[0.0], DType::F64);
        let moved = |penalty: SharpnessPenaltyConfig| {
            let config = OptimizerConfig::new(GradientDescentConfig {}, 1.0);
            let mut method = config.with_sharpness_penalty(penalty).init().expect("valid");
            let (mut calls, mut inner) = (0, closure(&loss));
            let (next, before) = method.step(1.0, at.clone(), |at: &Affine| {
                calls += 1;
                inner(at)
            });
            assert_eq!(before, loss(&at).into_scalar::<f64>(), "the loss is the plain one");
            (values(&next), calls)
        };
        let (plain, calls) = moved(SharpnessPenaltyConfig::new(0.0));
        assert_eq!(calls, 1);
        let penalty = SharpnessPenaltyConfig { weight: 0.1, iterations: 60, distance: 1e-3 };
        let (with, calls) = moved(penalty);
        assert_eq!(calls, 121);
        let h = 1e-5;
        let slopes =
            [(largest(x + h, y) - largest(x - h, y)) / (2.0 * h), (largest(x, y + h) - largest(x, y - h)) / (2.0 * h)];
        for (at, slope) in slopes.into_iter().enumerate() {
            let added = plain[at] - with[at];
            assert!((added - 0.1 * slope).abs() < 1e-6, "entry {at}: {added} against {}", 0.1 * slope);
        }
        let config = OptimizerConfig::new(GradientDescentConfig {}, 1.0).with_sharpness_penalty(penalty);
        assert!(config.with_sam(SamConfig::new(0.1)).init().is_err(), "one surrogate at a time");
    }

    #[test]
    fn a_zero_gradient_moves_nothing_and_gives_no_nan() {
        let flat = |at: &Affine| linear(at, 0.0);
        for (name, rule, rate) in bases() {
            for (sam, sharpness_penalty) in [
                (None, None),
                (Some(SamConfig::new(0.1)), None),
                (Some(SamConfig::adaptive(0.1)), None),
                (Some(friendly(0.1)), None),
                (None, Some(SharpnessPenaltyConfig::new(0.1))),
            ] {
                let plain = OptimizerConfig::new(rule.clone(), rate);
                let config = OptimizerConfig { sam, sharpness_penalty, clip_norm: Some(1.0), ..plain };
                let mut method = config.init().expect("valid");
                let mut at = Affine::new(&[0.5, -2.0], &[1.0], DType::F64);
                for _ in 0..3 {
                    at = method.step(rate, at, closure(&flat)).0;
                }
                assert_eq!(values(&at), [0.5, -2.0, 1.0], "{name} with {sam:?}, {sharpness_penalty:?}");
            }
        }
    }

    #[test]
    fn a_saved_state_goes_on_to_the_bit() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, _) in RuleConfig::ALL {
            let settings = match *name {
                "nesterov" => r#"{"form": "look-ahead"}"#,
                // One inner iteration a step, or the minimum is reached before the state is saved.
                "lbfgs" => r#"{"iterations": 1}"#,
                _ => "{}",
            };
            let rule: RuleConfig = serde_json::from_str(&format!("{{\"{name}\": {settings}}}")).expect("known");
            let plain = OptimizerConfig::new(rule, 0.01);
            let around = plain.clone().with_sam(friendly(0.05));
            let configs = [Some(plain), around.init().is_ok().then_some(around)].into_iter().flatten();
            let cases = configs.flat_map(|config| [DType::F64, DType::F32].map(|dtype| (config.clone(), dtype)));
            for (config, dtype) in cases.filter(|(config, dtype)| config.rule.restores(*dtype)) {
                let start = || Affine::new(&[0.1, 0.2], &[0.3], dtype);
                let whole = steps(&mut config.init().expect("valid"), 0.01, start(), 10);
                let mut method = config.init().expect("valid");
                let half = steps(&mut method, 0.01, start(), 5);
                let path = folder.path().join(format!("{name}.bpk"));
                method.save(&path).expect("the folder can be written");
                let mut method = config.init().expect("valid").load(&path).expect("the file was just written");
                assert_eq!(values(&steps(&mut method, 0.01, half, 5)), values(&whole), "{config:?}, {dtype:?}");
            }
        }
    }

    /// What the check of memory before training goes by.
    #[test]
    fn a_state_has_as_many_numbers_as_its_rule_says() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let start = || {
            let weight: Vec<f64> = (0..1800).map(|at| f64::from(at % 7) * 0.1).collect();
            Affine::new(&weight, &[0.3; 30], DType::F64)
        };
        for (name, _) in RuleConfig::ALL {
            let rule: RuleConfig = serde_json::from_str(&format!("{{\"{name}\": {{}}}}")).expect("known");
            if !rule.restores(DType::F64) {
                continue;
            }
            let numbers = 1830 * rule.states() + rule.squares(&start());
            let mut method = OptimizerConfig::new(rule, 0.01).init().expect("valid");
            steps(&mut method, 0.01, start(), 3);
            let path = folder.path().join(format!("{name}.bpk"));
            method.save(&path).expect("the folder can be written");
            let bytes = std::fs::metadata(&path).expect("it was written").len() as usize;
            // With names and alignment.
            assert!((8 * numbers..8 * numbers + 3000).contains(&bytes), "{name}: {bytes} for {numbers} numbers");
        }
        let squares = |settings: &str, module: &Affine| {
            let rule: RuleConfig = serde_json::from_str(&format!("{{\"soap\": {settings}}}")).expect("known");
            rule.squares(module)
        };
        assert_eq!(squares("{}", &start()), 2 * (60 * 60 + 30 * 30));
        assert_eq!(squares(r#"{"largest": 40}"#, &start()), 2 * 30 * 30);
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let gd = || OptimizerConfig::new(GradientDescentConfig {}, 0.1);
        let lambda = |lambda| Some(FriendlyConfig { lambda, ..FriendlyConfig::default() });
        let cases = [
            (OptimizerConfig { learning_rate: -0.1, ..gd() }, "learning_rate"),
            (OptimizerConfig { learning_rate: f64::NAN, ..gd() }, "learning_rate"),
            (OptimizerConfig { weight_decay: Some(-1.0), ..gd() }, "weight_decay"),
            (OptimizerConfig { clip_norm: Some(0.0), ..gd() }, "clip_norm"),
            (gd().with_sam(SamConfig::new(-0.1)), "rho"),
            (gd().with_sam(SamConfig { friendly: lambda(1.0), ..SamConfig::new(0.1) }), "lambda"),
            (OptimizerConfig::new(SoapConfig { frequency: 0, ..SoapConfig::default() }, 0.1), "frequency"),
            (OptimizerConfig::new(MomentumConfig { momentum: 1.0 }, 0.1), "momentum"),
            (OptimizerConfig::new(AdamConfig { beta_2: 1.5, ..AdamConfig::default() }, 0.1), "beta_2"),
        ];
        for (config, word) in cases {
            let error = config.init().err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(word), "`{error}` should name {word}");
        }
    }
}

mod edges {
    use super::*;
    use losscape_optim::edge::{Curvature, edge};

    /// `½ h w²`; the bias stays where it is.
    fn valley(curvature: f64) -> impl Fn(&Affine) -> Tensor<1> {
        move |at: &Affine| at.weight.val().square().sum().mul_scalar(0.5 * curvature)
    }

    fn config(rule: RuleConfig, rate: f64, weight_decay: Option<f64>) -> OptimizerConfig {
        OptimizerConfig { weight_decay, ..OptimizerConfig::new(rule, rate) }
    }

    /// Methods at work on a quadratic whose curvature is a hundredth off their edge: below it they shrink, above it
    /// they grow.
    #[test]
    fn separate_steps_that_shrink_from_steps_that_grow() {
        let gd = || RuleConfig::Gd(GradientDescentConfig {});
        let momentum = || RuleConfig::Momentum(MomentumConfig { momentum: 0.8 });
        let nesterov = |form| RuleConfig::Nesterov(NesterovConfig { momentum: 0.8, form });
        // With ϵ = 1 and gradients of 1e-100 and more the preconditioner is one.
        let rmsprop = || RuleConfig::Rmsprop(RmsPropConfig { gamma: 0.9, epsilon: 1.0, epsilon_inside: false });
        let scalar = || RuleConfig::ScalarRmsprop(ScalarRmsPropConfig { gamma: 0.9, epsilon: 1.0 });
        let adam = || RuleConfig::Adam(AdamConfig { beta_1: 0.8, epsilon: 1.0, ..AdamConfig::default() });
        let sam = SamConfig::new(3e-101);
        let free = ScheduleFreeConfig { beta: 0.8, adaptive: false, beta_2: 0.99, epsilon: 0.0 };
        // SAM's edge changes with the gradient: it is that of one step.
        let cases = [
            ("gd", config(gd(), 0.1, None), 400),
            ("gd, decay", config(gd(), 0.1, Some(3.0)), 400),
            ("momentum", config(momentum(), 0.1, None), 400),
            ("momentum, decay", config(momentum(), 0.1, Some(3.0)), 400),
            ("nesterov", config(nesterov(Form::Reparameterised), 0.1, None), 400),
            ("nesterov, look-ahead", config(nesterov(Form::LookAhead), 0.1, None), 400),
            ("nesterov, decay", config(nesterov(Form::Reparameterised), 0.1, Some(3.0)), 400),
            ("rmsprop", config(rmsprop(), 0.1, None), 400),
            ("rmsprop, decay", config(rmsprop(), 0.1, Some(3.0)), 400),
            ("scalar-rmsprop", config(scalar(), 0.1, None), 400),
            ("scalar-rmsprop, decay", config(scalar(), 0.1, Some(3.0)), 400),
            ("adam", config(adam(), 0.1, None), 400),
            ("adam, decay", config(adam(), 0.1, Some(3.0)), 400),
            ("schedule-free", config(free.into(), 0.1, None), 4000),
            ("schedule-free, decay", config(free.into(), 0.1, Some(3.0)), 4000),
            ("sam", config(gd(), 0.1, None).with_sam(sam), 1),
            ("sam, weight 3", config(gd(), 0.1, None).with_sam(SamConfig { weight: 3.0, ..sam }), 1),
            ("sam, decay", config(gd(), 0.1, Some(3.0)).with_sam(sam), 1),
        ];
        for (name, config, steps) in cases {
            let (rate, gradient) = (config.learning_rate, 1e-100);
            let edge = edge(&config, rate, gradient).expect("it has one");
            let start = gradient / edge.value;
            // What the edge is compared with is the curvature of the loss, or that of loss and decay together.
            let decay = match edge.of {
                Curvature::Hessian => 0.0,
                Curvature::Preconditioned => config.weight_decay.unwrap_or(0.0),
            };
            for (factor, grows) in [(0.99, false), (1.01, true)] {
                let loss = valley(factor * edge.value - decay);
                let mut method = config.init().expect("valid");
                let mut at = Affine::new(&[start], &[0.0], DType::F64);
                let mut last = 0.0;
                for _ in 0..steps {
                    at = method.step(rate, at, closure(&loss)).0;
                    last = values(&at)[0].abs();
                    if last > 1e80 * start {
                        break;
                    }
                }
                assert_eq!(last > start, grows, "{name} at {factor} of its edge: from {start:e} to {last:e}");
            }
        }
    }

    #[test]
    fn are_not_given_where_none_is_known() {
        let gd = |rate| OptimizerConfig::new(GradientDescentConfig {}, rate);
        let momentum = OptimizerConfig::new(MomentumConfig { momentum: 0.9 }, 0.1);
        let muon = OptimizerConfig::new(MuonConfig { momentum: 0.95 }, 0.1);
        let friendly = SamConfig { friendly: Some(FriendlyConfig::default()), ..SamConfig::new(0.1) };
        let cases = [
            ("a rate of zero", gd(0.1), 0.0, 1.0),
            ("a gradient of zero", gd(0.1).with_sam(SamConfig::new(0.1)), 0.1, 0.0),
            ("ASAM", gd(0.1).with_sam(SamConfig::adaptive(0.1)), 0.1, 1.0),
            ("Friendly SAM", gd(0.1).with_sam(friendly), 0.1, 1.0),
            ("soap", OptimizerConfig::new(SoapConfig::default(), 0.1), 0.1, 1.0),
            ("SAM around momentum", momentum.with_sam(SamConfig::new(0.1)), 0.1, 1.0),
            ("muon", muon, 0.1, 1.0),
            ("decay beyond 2/ε", OptimizerConfig { weight_decay: Some(30.0), ..gd(0.1) }, 0.1, 1.0),
        ];
        for (name, config, rate, gradient) in cases {
            assert_eq!(edge(&config, rate, gradient), None, "{name}");
        }
        // Without a weight SAM is not there.
        let momentum = || OptimizerConfig::new(MomentumConfig { momentum: 0.9 }, 0.1);
        let without = momentum().with_sam(SamConfig { weight: 0.0, ..SamConfig::new(0.1) });
        assert_eq!(edge(&without, 0.1, 1.0), edge(&momentum(), 0.1, 1.0));
        // SAM is gradient descent in the end.
        for (rho, gradient) in [(0.0, 0.0), (1e-20, 1.0)] {
            let still = edge(&gd(0.1).with_sam(SamConfig::new(rho)), 0.1, gradient).expect("there is one");
            assert!((still.value - 20.0).abs() < 1e-12, "{rho}");
        }
    }

    /// P against second moments written out from the gradients.
    #[test]
    fn preconditioners_are_the_denominators_of_the_steps() {
        let rmsprop = RuleConfig::Rmsprop(RmsPropConfig { gamma: 0.9, epsilon: 1e-8, epsilon_inside: false });
        let adam = RuleConfig::Adam(AdamConfig { beta_1: 0.8, beta_2: 0.9, ..AdamConfig::default() });
        let scalar = RuleConfig::ScalarRmsprop(ScalarRmsPropConfig { gamma: 0.9, epsilon: 1e-8 });
        let loss = valley(3.0);
        let cases = [("rmsprop", rmsprop, false), ("scalar-rmsprop", scalar, false), ("adam", adam, true)];
        for (name, rule, corrected) in cases {
            let config = OptimizerConfig::new(rule, 0.1);
            let mut method = config.init().expect("valid");
            let mut at = Affine::new(&[0.5], &[0.0], DType::F64);
            let (mut mean, mut weight) = (0.0_f64, 0.0);
            for step in 0..5 {
                let diagonal = values(&method.preconditioner(&at).expect("it has one"));
                let now = diagonal[0];
                // The bias has no gradient: alone the scalar form has all parameters under one ν.
                assert_eq!(diagonal[1] == now, name == "scalar-rmsprop" || step == 0, "{name}: {diagonal:?}");
                let expected = match step {
                    0 => 1.0,
                    _ if corrected => (1.0 - 0.8f64.powi(step)) * (mean / weight).sqrt(),
                    _ => mean.sqrt(),
                };
                assert!((now - expected).abs() < 1e-6 * expected, "{name}, step {step}: {now} {expected}");
                let gradient = 3.0 * values(&at)[0];
                mean = 0.9 * mean + 0.1 * gradient * gradient;
                weight = 0.9 * weight + 0.1;
                at = method.step(0.1, at, closure(&loss)).0;
            }
        }
        let gd = OptimizerConfig::new(GradientDescentConfig {}, 0.1);
        let none = gd.init().expect("valid").preconditioner(&Affine::new(&[0.5], &[0.0], DType::F64));
        assert!(none.is_none(), "gradient descent has no preconditioner");
    }
}

mod schedules {
    use super::*;
    use losscape_optim::schedule::{ExponentialConfig, NoamConfig, StepConfig, SwaScheduleConfig};

    #[test]
    fn give_the_factors_of_their_formulas() {
        let decay = DecayConfig { steps: Some(10), end: 0.2 };
        type Formula = fn(f64) -> f64;
        let cases: [(ScheduleConfig, Formula); 7] = [
            (ScheduleConfig::default(), |_| 1.0),
            (ScheduleConfig::Step(StepConfig { every: 4, factor: 0.5 }), |t| 0.5_f64.powf((t / 4.0).floor())),
            (ScheduleConfig::Exponential(ExponentialConfig { decay: 0.9 }), |t| 0.9_f64.powf(t)),
            (ScheduleConfig::Linear(decay), |t| 1.0 - 0.8 * t.min(10.0) / 10.0),
            (ScheduleConfig::Cosine(decay), |t| 0.2 + 0.4 * (1.0 + (std::f64::consts::PI * t.min(10.0) / 10.0).cos())),
            // From half of 20 to nine tenths of them.
            (ScheduleConfig::Swa(SwaScheduleConfig { steps: Some(20), end: 0.2 }), |t| {
                1.0 - 0.8 * ((t - 10.0) / 8.0).clamp(0.0, 1.0)
            }),
            (ScheduleConfig::Noam(NoamConfig { warmup: 5 }), |t| (5.0 / (t + 1.0)).sqrt().min((t + 1.0) / 5.0)),
        ];
        for (config, formula) in cases {
            let mut schedule = config.init(100).expect("the settings are valid");
            let mut later = config.init(100).expect("the settings are valid");
            later.skip_to(7);
            for t in 0..30 {
                let (factor, expected) = (schedule.next_factor(), formula(f64::from(t)));
                assert!((factor - expected).abs() < 1e-12, "{config:?} at {t}: {factor} against {expected}");
                if t >= 7 {
                    assert_eq!(later.next_factor(), factor, "{config:?} at {t} after a resume at 7");
                }
            }
        }
    }
}

mod averages {
    use super::*;
    use losscape_optim::AverageConfig;
    use losscape_optim::average::ema::EmaConfig;
    use losscape_optim::average::lawa::LawaConfig;
    use losscape_optim::average::swa::SwaConfig;

    /// Weights after step k of forty, in epochs of ten.
    fn after(step: usize) -> f64 {
        (step as f64).sin() + 0.1 * step as f64
    }

    fn seen(config: AverageConfig, steps: std::ops::RangeInclusive<usize>) -> losscape_optim::Average {
        let mut average = config.init(40, 10).expect("the settings are possible");
        for step in steps {
            average.see(step, || tensor(&[after(step), -after(step)], [2], DType::F32).inner());
        }
        average
    }

    /// The mean of the weights after these steps, each with its share.
    fn mean(shares: &[(usize, f64)]) -> f64 {
        // As f32 has them.
        let sum = shares.iter().map(|(step, share)| share * f64::from(after(*step) as f32)).sum::<f64>();
        sum / shares.iter().map(|(_, share)| share).sum::<f64>()
    }

    #[test]
    fn are_those_of_their_formulas() {
        let alike = |steps: &[usize]| mean(&steps.iter().map(|step| (*step, 1.0)).collect::<Vec<_>>());
        let exponential = |every: usize, beta: f64| {
            let steps = (1..=40 / every).map(|k| (k * every, beta.powi((40 / every - k) as i32)));
            mean(&steps.collect::<Vec<_>>())
        };
        let cases: [(AverageConfig, f64); 7] = [
            (EmaConfig { decay: 0.9, every: 1 }.into(), exponential(1, 0.9)),
            (EmaConfig { decay: 0.9, every: 4 }.into(), exponential(4, 0.9)),
            (EmaConfig { decay: 0.0, every: 1 }.into(), alike(&[40])),
            (SwaConfig::default().into(), alike(&[30, 40])),
            (SwaConfig { start: Some(3), every: Some(7) }.into(), alike(&[3, 10, 17, 24, 31, 38])),
            (LawaConfig { last: 3, every: None }.into(), alike(&[20, 30, 40])),
            (LawaConfig { last: 9, every: Some(11) }.into(), alike(&[11, 22, 33])),
        ];
        for (config, expected) in cases {
            let average = seen(config, 1..=40);
            let found: Vec<f64> = average.weights().expect("weights were taken in").into_data().iter().collect();
            assert!((found[0] - expected).abs() < 1e-14 && found[0] == -found[1], "{config:?}: {found:?}, {expected}");
            assert!(average.kept().len() <= config.most());
            // Put aside after half, to the bit.
            let half = seen(config, 1..=20);
            let fresh = config.init(40, 10).expect("as before");
            let mut going_on = fresh.restored(half.taken(), half.kept(), &Device::flex());
            for step in 21..=40 {
                going_on.see(step, || tensor(&[after(step), -after(step)], [2], DType::F32).inner());
            }
            assert_eq!((going_on.taken(), going_on.kept()), (average.taken(), average.kept()), "{config:?}");
        }
    }

    #[test]
    fn every_average_is_made_of_its_defaults_and_refuses_what_is_not_possible() {
        for (name, _) in AverageConfig::ALL {
            let config: AverageConfig = serde_json::from_str(&format!("{{\"{name}\": {{}}}}")).expect("it is listed");
            assert!(seen(config, 1..=40).weights().is_some(), "{name}");
            assert!(config.init(40, 10).expect("as before").weights().is_none(), "{name}: nothing was taken in");
        }
        let cases: [(AverageConfig, &str); 6] = [
            (EmaConfig { decay: 1.0, every: 1 }.into(), "decay"),
            (EmaConfig { decay: 0.9, every: 0 }.into(), "every"),
            (SwaConfig { start: Some(41), every: None }.into(), "start"),
            (SwaConfig { start: Some(0), every: None }.into(), "start"),
            (LawaConfig { last: 0, every: None }.into(), "last"),
            (LawaConfig { last: 3, every: Some(0) }.into(), "every"),
        ];
        for (config, word) in cases {
            let error = config.taken(40, 10).expect_err("it is not possible").to_string();
            assert!(error.contains(word), "`{error}` should name {word}");
        }
    }

    /// Under a constant gradient g at rates γ the fast sequence is `z_k = −g Σγ`, and the average weighs it by γ².
    #[test]
    fn schedule_free_weighs_by_the_square_of_the_rate() {
        let mut method = OptimizerConfig::new(ScheduleFreeConfig::default(), 0.1).init().expect("valid");
        let loss = |at: &Affine| (at.weight.val().sum() + at.bias.val().sum()).mul_scalar(0.3);
        let (mut at, mut fast, mut sum, mut weights) = (Affine::new(&[0.0, 0.0], &[0.0], DType::F64), 0.0, 0.0, 0.0);
        for rate in [0.1, 0.5, 0.2, 0.4] {
            at = method.step(rate, at, closure(&loss)).0;
            fast -= 0.3 * rate;
            sum += rate * rate * fast;
            weights += rate * rate;
            assert!((values(&at)[0] - sum / weights).abs() < 1e-14, "{} {}", values(&at)[0], sum / weights);
        }
    }

    /// A schedule that comes to rest at 0: nothing moves, and what is kept of earlier steps stays.
    #[test]
    fn schedule_free_rests_at_rate_zero() {
        let config =
            OptimizerConfig::new(ScheduleFreeConfig { beta: 0.9, adaptive: true, beta_2: 0.99, epsilon: 1e-8 }, 0.1);
        let loss = |at: &Affine| at.weight.val().square().sum() + at.bias.val().square().sum();
        let start = || Affine::new(&[1.0, -2.0], &[0.5], DType::F64);
        let path = |rates: &[f64]| {
            let mut method = config.init().expect("valid");
            rates.iter().fold(start(), |at, rate| method.step(*rate, at, closure(&loss)).0)
        };
        assert_eq!(values(&path(&[0.1, 0.1])), values(&path(&[0.1, 0.0, 0.1])));
    }
}
