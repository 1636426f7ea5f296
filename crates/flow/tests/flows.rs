//! Flows against problems with known answers, and against the methods that they model.

use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Tensor};
use losscape_analysis::Objective;
use losscape_flow::{Comparison, FlowError, Kind, Settings, State, Update, errors};
use losscape_krylov::norm;
use losscape_model::{LinearModelConfig, Loss, MlpConfig, Network};
use losscape_optim::adam::AdamConfig;
use losscape_optim::edge::edge;
use losscape_optim::gradient_descent::GradientDescentConfig;
use losscape_optim::momentum::MomentumConfig;
use losscape_optim::nesterov::{Form, NesterovConfig};
use losscape_optim::rmsprop::RmsPropConfig;
use losscape_optim::scalar_rmsprop::ScalarRmsPropConfig;
use losscape_optim::{OptimizerConfig, RuleConfig, Vector};

/// A function of a few parameters as half the sum of the squares of these outputs.
#[derive(Module, Debug)]
struct Function<R: Roots> {
    w: Param<Tensor<1>>,
    #[module(skip)]
    roots: R,
}

/// The outputs, given the parameters.
trait Roots: Clone + std::fmt::Debug + Send + Sync + 'static {
    fn roots(&self, w: Tensor<1>) -> Vec<Tensor<1>>;
}

impl<R: Roots> Network for Function<R> {
    type Input = Tensor<2>;

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let roots = Tensor::cat(self.roots.roots(self.w.val()), 0).unsqueeze::<2>();
        roots * input
    }
}

fn objective<R: Roots>(roots: R, start: &[f64]) -> Objective<Function<R>> {
    let device = Device::flex();
    let w: Tensor<1> = Tensor::from_data(start, (&device, DType::F64));
    let outputs = roots.roots(w.clone()).len();
    let network = Function { w: Param::from_tensor(w), roots };
    let ones = Tensor::<2>::ones([1, 1], (&device, DType::F64));
    let zeros = Tensor::<2>::zeros([1, outputs], (&device, DType::F64));
    Objective::new(network, ones, zeros, Loss::squared_error()).expect("it can be differentiated")
}

fn entry(w: &Tensor<1>, at: usize) -> Tensor<1> {
    w.clone().narrow(0, at, 1)
}

fn host(w: &Tensor<1>) -> Vec<f64> {
    w.clone().into_data().iter().collect()
}

/// `S/2 w² − Q/4 w⁴`: at a rate ε with εS between 2 and 3, gradient descent has the stable cycle ±√((S − 2/ε)/Q).
#[derive(Clone, Debug)]
struct Quartic {
    s: f64,
    q: f64,
}

impl Roots for Quartic {
    fn roots(&self, w: Tensor<1>) -> Vec<Tensor<1>> {
        let inside = w.clone().powi_scalar(2) * (-0.5 * self.q) + self.s;
        vec![w * inside.sqrt()]
    }
}

/// `½ y x² + m/2 (y − y₀)²` of (x, y): gradient descent drives y to 2/ε and then oscillates in x, with a mean square of
/// `2 m (y₀ − 2/ε)`, which self-stabilizes where εy₀ < 2.5.
#[derive(Clone, Debug)]
struct Valley {
    m: f64,
    y0: f64,
}

impl Roots for Valley {
    fn roots(&self, w: Tensor<1>) -> Vec<Tensor<1>> {
        let (x, y) = (entry(&w, 0), entry(&w, 1));
        vec![x * y.clone().sqrt(), (y - self.y0) * self.m.sqrt()]
    }
}

/// `½ xᵀ Y x + m/2 ‖Y − Y₀‖²` of x in R² and a symmetric Y in Frobenius coordinates: Σ is `2 m (Y₀ − 2/ε I)₊` where the
/// flow rests.
#[derive(Clone, Debug)]
struct Modes {
    m: f64,
    y0: [f64; 3],
}

impl Roots for Modes {
    fn roots(&self, w: Tensor<1>) -> Vec<Tensor<1>> {
        let [a, b, first, cross, second] = [0, 1, 2, 3, 4].map(|at| entry(&w, at));
        let across = cross.clone() / 2.0f64.sqrt();
        let along = (a + b.clone() * across.clone() / first.clone()) * first.clone().sqrt();
        let rest = b * (second.clone() - across.powi_scalar(2) / first.clone()).sqrt();
        let pulled = [first, cross, second].into_iter().zip(self.y0).map(|(y, to)| (y - to) * self.m.sqrt());
        [along, rest].into_iter().chain(pulled).collect()
    }
}

fn gd(rate: f64) -> OptimizerConfig {
    OptimizerConfig::new(GradientDescentConfig {}, rate)
}

/// The method itself from a point: its parameters after every step, with its preconditioner.
fn steps<N: Network>(
    objective: &Objective<N>,
    config: &OptimizerConfig,
    start: &Tensor<1>,
    steps: usize,
    mut see: impl FnMut(usize, &Tensor<1>, Option<&Tensor<1>>),
) {
    let mut method = config.init().expect("the settings are in range");
    let mut vector = Vector::new(start.clone());
    for step in 0..=steps {
        let preconditioner = method.preconditioner(&vector).map(|module| module.values());
        see(step, &vector.values(), preconditioner.as_ref());
        let closure = |at: &Vector| {
            let (value, gradient) = objective.gradient(&at.values()).expect("it is finite");
            (value, at.gradients(gradient))
        };
        vector = method.step(config.learning_rate, vector, closure).0;
    }
}

#[test]
fn central_flow_rests_where_gradient_descent_oscillates() {
    let problem = Valley { m: 0.02, y0: 23.0 };
    let objective = objective(problem, &[0.05, 19.0]);
    let (config, start) = (gd(0.1), objective.parameters());
    let (mut mean_x, mut mean_y, mut mean_loss, mut count) = (0.0, 0.0, 0.0, 0.0);
    steps(&objective, &config, &start, 8000, |step, w, _| {
        if step >= 6000 {
            let at = host(w);
            (mean_x, mean_y, count) = (mean_x + at[0] * at[0], mean_y + at[1], count + 1.0);
            mean_loss += objective.value(w).expect("it is finite");
        }
    });
    let update = Update::of(&config).expect("it is modelled");
    let mut flow = Kind::Central.begin(&update, &objective, &start, 0).expect("it begins");
    let mut last = None;
    for _ in 0..3000 {
        last = Some(flow.advance(&objective).expect("it goes on"));
    }
    let predicted = last.expect("it went on");
    let y = host(flow.parameters())[1];
    assert!((y - 20.0).abs() <= 1e-5, "{y}");
    assert!((predicted.oscillation - 0.12).abs() <= 1e-5, "{predicted:?}");
    assert!((predicted.loss - (0.01 * 9.0 + 1.2)).abs() <= 1e-4, "{predicted:?}");
    for (name, method, flow) in
        [("x²", mean_x, predicted.oscillation), ("y", mean_y, y), ("loss", mean_loss, predicted.loss)]
    {
        let method = method / count;
        assert!((flow / method - 1.0).abs() <= 5e-3, "{name}: {flow}, and the method has {method}");
    }
}

#[test]
fn central_flow_lowers_the_loss_by_the_square_of_its_speed() {
    // One mode is at the edge, and the other on its way.
    let objective = objective(Modes { m: 0.02, y0: [22.0, 2.0, 21.0] }, &[0.02, 0.02, 20.0, 0.3, 18.0]);
    let update = Update::of(&gd(0.1)).expect("it is modelled");
    let mut flow = Kind::Central.begin(&update, &objective, &objective.parameters(), 0).expect("it begins");
    for _ in 0..20 {
        flow.advance(&objective).expect("it goes on");
    }
    let before = (flow.parameters().clone(), objective.value(flow.parameters()).expect("it is finite"));
    let predicted = flow.advance(&objective).expect("it goes on");
    assert!(predicted.oscillation > 0.01, "{predicted:?}");
    let speed = norm(&(flow.parameters().clone() - before.0));
    let fall = before.1 - objective.value(flow.parameters()).expect("it is finite");
    assert!((fall - speed * speed / 0.1).abs() <= 0.02 * fall, "{fall} {speed}");
}

#[test]
fn central_flow_of_two_modes_rests_at_both() {
    let y0 = [22.0, 0.6 * 2.0f64.sqrt(), 21.0];
    let objective = objective(Modes { m: 0.02, y0 }, &[0.02, 0.02, 19.0, 0.0, 18.8]);
    let update = Update::of(&gd(0.1)).expect("it is modelled");
    let mut flow = Kind::Central.begin(&update, &objective, &objective.parameters(), 0).expect("it begins");
    let mut oscillation = 0.0;
    for _ in 0..3000 {
        oscillation = flow.advance(&objective).expect("it goes on").oscillation;
    }
    let at = host(flow.parameters());
    for (found, expected) in at.into_iter().zip([0.0, 0.0, 20.0, 0.0, 20.0]) {
        assert!((found - expected).abs() <= 1e-3, "{found} {expected}");
    }
    // tr 2 m (Y₀ − 20 I) = 0.04 · 3.
    assert!((oscillation - 0.12).abs() <= 1e-4, "{oscillation}");
}

#[test]
fn central_flow_of_rmsprop_rests_where_its_cycle_is() {
    let (rate, m, y0) = (0.003, 0.01, 3.0);
    let objective = objective(Valley { m, y0 }, &[0.003, 2.99]);
    let rule = RmsPropConfig { gamma: 0.99, epsilon: 0.0, epsilon_inside: false };
    let config = OptimizerConfig::new(RuleConfig::Rmsprop(rule), rate);
    let (mut last, mut mean) = (vec![0.0; 2], [0.0; 2]);
    steps(&objective, &config, &objective.parameters(), 6000, |step, w, _| {
        let now = host(w);
        if step > 5000 {
            (0..2).for_each(|at| mean[at] += (0.5 * (now[at] - last[at])).powi(2) / 1000.0);
        }
        last = now;
    });
    let update = Update::of(&config).expect("it is modelled");
    let mut flow = Kind::Central.begin(&update, &objective, &objective.parameters(), 0).expect("it begins");
    let mut oscillation = 0.0;
    for _ in 0..6000 {
        oscillation = flow.advance(&objective).expect("it goes on").oscillation;
    }
    // Both parameters come to their edge, and to the cycle ±ε/2 of a loss that is even along them.
    let y = host(flow.parameters())[1];
    assert!((oscillation / (0.5 * rate * rate) - 1.0).abs() <= 0.01, "{oscillation}");
    assert!((oscillation / (mean[0] + mean[1]) - 1.0).abs() <= 0.01, "{oscillation} {mean:?}");
    assert!((y - (y0 - rate * rate / (8.0 * m))).abs() <= 2e-4, "{y}");
}

/// At rest ν is the mean `y² ⟨x²⟩` of ‖g‖² and the sharpness y is `2√ν/ε`: so that `⟨x²⟩ = ε²/4`, and y where
/// `½ ⟨x²⟩ + m (y − y₀)` is zero.
#[test]
fn central_flow_of_scalar_rmsprop_rests_where_its_cycle_is() {
    let (rate, m, y0) = (0.02, 0.01, 3.0);
    let objective = objective(Valley { m, y0 }, &[0.003, 2.99]);
    let rule = RuleConfig::ScalarRmsprop(ScalarRmsPropConfig { gamma: 0.99, epsilon: 0.0 });
    let config = OptimizerConfig::new(rule, rate);
    let (mut last, mut mean) = (vec![0.0; 2], 0.0);
    steps(&objective, &config, &objective.parameters(), 6000, |step, w, _| {
        let now = host(w);
        if step > 5000 {
            mean += (0.5 * (now[0] - last[0])).powi(2) / 1000.0;
        }
        last = now;
    });
    let update = Update::of(&config).expect("it is modelled");
    let mut flow = Kind::Central.begin(&update, &objective, &objective.parameters(), 0).expect("it begins");
    let mut oscillation = 0.0;
    for _ in 0..6000 {
        oscillation = flow.advance(&objective).expect("it goes on").oscillation;
    }
    let y = host(flow.parameters())[1];
    assert!((oscillation / (0.25 * rate * rate) - 1.0).abs() <= 0.01, "{oscillation}");
    assert!((oscillation / mean - 1.0).abs() <= 0.01, "{oscillation} {mean}");
    assert!((y - (y0 - rate * rate / (8.0 * m))).abs() <= 2e-4, "{y}");
}

#[test]
fn central_flow_says_where_no_oscillation_can_lower_the_sharpness() {
    // At w = 0 the quartic has no third derivative.
    let objective = objective(Quartic { s: 2.5, q: 1.0 }, &[0.0]);
    let update = Update::of(&gd(1.0)).expect("it is modelled");
    let mut flow = Kind::Central.begin(&update, &objective, &objective.parameters(), 0).expect("it begins");
    let error = flow.advance(&objective).expect_err("it is beyond the edge").to_string();
    assert!(error.contains("third derivative"), "{error}");
    // Of least squares differences of gradients are rounding, and not zero.
    let (device, dtype) = (Device::flex(), DType::F64);
    let x: Vec<f64> = (0..40).map(|at| (1.3 * f64::from(at) + 0.1 * f64::from(at * at % 11)).sin()).collect();
    let x = Tensor::<1>::from_data(x.as_slice(), (&device, dtype)).reshape([10, 4]);
    let y = Tensor::<2>::ones([10, 1], (&device, dtype));
    let network = LinearModelConfig::default().init(4, 1, 0, &device, dtype).expect("it can be built");
    let objective = Objective::new(network, x, y, Loss::squared_error()).expect("it can be differentiated");
    let sharpest = 2.1;
    let point = objective.here().expect("it is finite");
    let matrix = losscape_krylov::dense::materialize(&point.hessian());
    let largest = losscape_krylov::dense::eigenvalues(matrix).expect("it is finite")[3];
    let update = Update::of(&gd(sharpest / largest)).expect("it is modelled");
    let mut flow = Kind::Central.begin(&update, &objective, &objective.parameters(), 0).expect("it begins");
    let error = flow.advance(&objective).expect_err("it is beyond the edge").to_string();
    assert!(error.contains("third derivative"), "{error}");
}

#[test]
fn rod_flow_of_momentum_has_the_cycle_of_a_quartic_at_its_own_edge() {
    let heavy = RuleConfig::Momentum(MomentumConfig { momentum: 0.5 });
    let nesterov = RuleConfig::Nesterov(NesterovConfig { momentum: 0.5, form: Form::Reparameterised });
    for rule in [heavy, nesterov] {
        let config = OptimizerConfig::new(rule, 0.5);
        let edge = edge(&config, 0.5, 1.0).expect("it has one").value;
        let objective = objective(Quartic { s: 1.1 * edge, q: edge }, &[1e-2]);
        let mut cycle = 0.0;
        steps(&objective, &config, &objective.parameters(), 400, |_, w, _| cycle = host(w)[0].powi(2));
        // (S − S_c)/Q.
        assert!((cycle - 0.1).abs() <= 1e-9, "{cycle}");
        let update = Update::of(&config).expect("it is modelled");
        let mut flow = Kind::Rod.begin(&update, &objective, &objective.parameters(), 0).expect("it begins");
        let mut oscillation = 0.0;
        for _ in 0..400 {
            oscillation = flow.advance(&objective).expect("it goes on").oscillation;
        }
        assert!((oscillation - 0.1).abs() <= 1e-6, "{:?}: {oscillation}", config.rule);
    }
}

#[test]
fn a_flow_begins_with_the_preconditioner_of_the_first_step() {
    let adam = RuleConfig::Adam(AdamConfig { beta_1: 0.8, beta_2: 0.9, epsilon: 0.1, epsilon_inside: false });
    let rmsprop = RuleConfig::Rmsprop(RmsPropConfig { gamma: 0.9, epsilon: 0.1, epsilon_inside: true });
    let scalar = RuleConfig::ScalarRmsprop(ScalarRmsPropConfig { gamma: 0.9, epsilon: 0.1 });
    for rule in [adam, rmsprop, scalar] {
        let config = OptimizerConfig::new(rule, 0.1);
        let objective = small();
        let update = Update::of(&config).expect("it is modelled");
        let flow = Kind::Stable.begin(&update, &objective, &objective.parameters(), 0).expect("it begins");
        let expected = host(&flow.preconditioner().expect("it has one"));
        steps(&objective, &config, &objective.parameters(), 1, |step, _, diagonal| {
            let found = host(diagonal.expect("it has one"));
            let near = |(a, b): (&f64, &f64)| (a / b - 1.0).abs() <= 1e-12;
            assert!(step == 0 || found.iter().zip(&expected).all(near), "{:?}", config.rule);
        });
    }
}

#[test]
fn stable_flows_are_what_methods_do_at_small_rates() {
    let problem = Valley { m: 0.5, y0: 2.0 };
    let adam = AdamConfig { beta_1: 0.5, beta_2: 0.99, ..AdamConfig::default() };
    let rmsprop = RmsPropConfig { gamma: 0.99, epsilon: 1e-8, epsilon_inside: false };
    let scalar = ScalarRmsPropConfig { gamma: 0.99, epsilon: 1e-8 };
    // Rates, and how far apart the paths may be: of the order of a few steps.
    let cases = [
        (gd(1e-3), 1e-3),
        (OptimizerConfig::new(RuleConfig::Momentum(MomentumConfig { momentum: 0.9 }), 1e-4), 1e-3),
        (
            OptimizerConfig::new(
                RuleConfig::Nesterov(NesterovConfig { momentum: 0.9, form: Form::Reparameterised }),
                1e-4,
            ),
            1e-3,
        ),
        // Its first step is ten times as long as the later ones.
        (OptimizerConfig::new(RuleConfig::Rmsprop(rmsprop), 1e-4), 1e-3),
        (OptimizerConfig::new(RuleConfig::ScalarRmsprop(scalar), 1e-4), 1e-3),
        (OptimizerConfig::new(RuleConfig::Adam(adam), 1e-4), 2e-4),
    ];
    for (config, apart) in cases {
        let objective = objective(problem.clone(), &[1.0, 1.5]);
        let update = Update::of(&config).expect("it is modelled");
        let mut flow = Kind::Stable.begin(&update, &objective, &objective.parameters(), 0).expect("it begins");
        let mut path = vec![host(flow.parameters())];
        for _ in 0..1500 {
            flow.advance(&objective).expect("it goes on");
            path.push(host(flow.parameters()));
        }
        let mut largest = 0.0f64;
        steps(&objective, &config, &objective.parameters(), 1500, |step, w, _| {
            let now = host(w);
            (0..2).for_each(|at| largest = largest.max((now[at] - path[step][at]).abs()));
        });
        println!("{:?}: {largest:.1e}", config.rule);
        assert!(largest <= apart, "{:?}: {largest}", config.rule);
    }
}

#[test]
fn rod_and_edge_flow_have_the_cycle_of_a_quartic() {
    let objective = objective(Quartic { s: 2.5, q: 1.0 }, &[1e-3]);
    let mut cycle = 0.0;
    steps(&objective, &gd(1.0), &objective.parameters(), 200, |_, w, _| cycle = host(w)[0].powi(2));
    assert!((cycle - 0.5).abs() <= 1e-12, "{cycle}");
    let update = Update::of(&gd(1.0)).expect("it is modelled");
    for kind in [Kind::Rod, Kind::Edge] {
        let mut flow = kind.begin(&update, &objective, &objective.parameters(), 0).expect("it begins");
        let mut predicted = flow.advance(&objective).expect("it goes on");
        for _ in 0..200 {
            predicted = flow.advance(&objective).expect("it goes on");
        }
        assert!((predicted.oscillation - 0.5).abs() <= 1e-6, "{kind}: {predicted:?}");
        // 2.5/2 · ½ − ¼ · ¼.
        assert!((predicted.loss - 0.5625).abs() <= 1e-6, "{kind}: {predicted:?}");
        assert!(host(flow.parameters())[0].abs() <= 1e-6, "{kind}");
    }
}

#[test]
fn an_extent_grows_from_the_edge_of_its_method_on() {
    let configs = [
        gd(0.1),
        OptimizerConfig::new(RuleConfig::Momentum(MomentumConfig { momentum: 0.9 }), 0.1),
        OptimizerConfig::new(RuleConfig::Nesterov(NesterovConfig { momentum: 0.8, form: Form::Reparameterised }), 0.1),
    ];
    for config in configs {
        let edge = edge(&config, config.learning_rate, 1.0).expect("it has one").value;
        for (factor, grows) in [(0.97, false), (1.03, true)] {
            // A quadratic but for 1e-6.
            let objective = objective(Quartic { s: factor * edge, q: 1e-6 * edge }, &[1e-4]);
            let update = Update::of(&config).expect("it is modelled");
            let kinds: &[Kind] =
                if update == Update::of(&gd(0.1)).expect("it is") { &[Kind::Rod, Kind::Edge] } else { &[Kind::Rod] };
            for kind in kinds {
                let mut flow = kind.begin(&update, &objective, &objective.parameters(), 0).expect("it begins");
                for _ in 0..5 {
                    flow.advance(&objective).expect("it goes on");
                }
                let early = flow.advance(&objective).expect("it goes on").oscillation;
                for _ in 0..20 {
                    flow.advance(&objective).expect("it goes on");
                }
                let late = flow.advance(&objective).expect("it goes on").oscillation;
                assert_eq!(late > early, grows, "{kind} of {:?} at {factor}: {early} {late}", config.rule);
            }
        }
    }
}

/// Tanh 4-16-2 on random data.
fn small() -> Objective<impl Network<Input = Tensor<2>>> {
    let (device, dtype) = (Device::flex(), DType::F64);
    let network = MlpConfig::new([16]).init(4, 2, 0, &device, dtype).expect("it can be built");
    let wave = |at: usize| (1.7 * at as f64 + 0.3 * (at * at % 7) as f64).sin();
    let x: Vec<f64> = (0..80).map(wave).collect();
    let y: Vec<f64> = (0..40).map(|at| 2.0 * wave(3 * at + 5)).collect();
    let x = Tensor::<1>::from_data(x.as_slice(), (&device, dtype)).reshape([20, 4]);
    let y = Tensor::<1>::from_data(y.as_slice(), (&device, dtype)).reshape([20, 2]);
    Objective::new(network, x, y, Loss::squared_error()).expect("it can be differentiated")
}

#[test]
fn flows_at_the_edge_predict_what_the_stable_flow_does_not() {
    let config = gd(0.5);
    let objective = small();
    let settings = Settings { flows: Kind::ALL.to_vec(), every: 20, top: 2, seed: 0 };
    let mut comparison = Comparison::begin(small(), &config, settings, &objective.parameters()).expect("it begins");
    let mut looks = Vec::new();
    steps(&objective, &config, &objective.parameters(), 1000, |step, w, diagonal| {
        looks.extend(comparison.see(step, w, || diagonal.cloned()).expect("it goes on"));
    });
    let found = |kind| {
        let looks = looks.iter().map(|look| (look.step, &look.quantities));
        errors(kind, 1000, looks).unwrap_or_else(|| panic!("{kind}: {:?}", comparison.ended().collect::<Vec<_>>()))
    };
    let [stable, central, rod, edge] = [Kind::Stable, Kind::Central, Kind::Rod, Kind::Edge].map(found);
    println!("{stable:?}\n{central:?}\n{rod:?}\n{edge:?}");
    for flow in [central, rod, edge] {
        assert!(flow.sharpness <= 0.2 * stable.sharpness, "{flow:?} {stable:?}");
        assert!(flow.loss <= 0.5 * stable.loss, "{flow:?} {stable:?}");
        assert!(flow.distance <= 0.5 * stable.distance, "{flow:?} {stable:?}");
    }
}

#[test]
fn a_comparison_goes_on_to_the_bit() {
    let adam = RuleConfig::Adam(AdamConfig::default());
    for config in [gd(0.5), OptimizerConfig::new(adam, 1e-3)] {
        let objective = small();
        let update = Update::of(&config).expect("it is modelled");
        let flows: Vec<Kind> = Kind::ALL.iter().copied().filter(|kind| kind.models_update(&update)).collect();
        let begin = || {
            let settings = Settings { flows: flows.clone(), every: 5, top: 2, seed: 0 };
            Comparison::begin(small(), &config, settings, &small().parameters()).expect("it begins")
        };
        let (mut whole, mut looks) = (begin(), Vec::new());
        let (mut half, mut others): (Option<Comparison<_>>, Vec<_>) = (None, Vec::new());
        let mut kept = State::default();
        steps(&objective, &config, &objective.parameters(), 40, |step, w, diagonal| {
            if let Some(half) = &mut half {
                others.extend(half.see(step, w, || diagonal.cloned()).expect("it goes on"));
            }
            looks.extend(whole.see(step, w, || diagonal.cloned()).expect("it goes on"));
            if step == 22 {
                kept = whole.state();
                let mut other = begin();
                assert!(other.restore(&kept));
                half = Some(other);
            }
        });
        let late: Vec<_> = looks.into_iter().filter(|look| look.step >= 22).collect();
        assert!(!late.is_empty());
        assert_eq!(late, others);
    }
}

#[test]
fn flows_join_a_method_at_work_with_its_preconditioner() {
    let rmsprop = RmsPropConfig { gamma: 0.9, epsilon: 1e-3, epsilon_inside: false };
    let scalar = ScalarRmsPropConfig { gamma: 0.9, epsilon: 1e-3 };
    let cases = [
        gd(0.1),
        OptimizerConfig::new(rmsprop, 2e-3),
        OptimizerConfig::new(RmsPropConfig { epsilon_inside: true, ..rmsprop }, 2e-3),
        OptimizerConfig::new(scalar, 2e-3),
    ];
    for config in cases {
        let settings = Settings { flows: vec![Kind::Stable], every: 30, top: 1, seed: 3 };
        let objective = small();
        let mut comparison = Comparison::begin(small(), &config, settings, &objective.parameters()).expect("it begins");
        let mut seen = None;
        steps(&objective, &config, &objective.parameters(), 31, |step, w, diagonal| {
            if step == 30 {
                comparison.join(w, diagonal).expect("it has no momentum");
            }
            if step >= 30 {
                seen = comparison.see(step, w, || diagonal.cloned()).expect("it goes on");
            }
        });
        // Where they begin they see what the method sees.
        let quantities = seen.expect("step 30 is looked at").quantities;
        let [there, here] = ["sharpness", "stable_sharpness"].map(|name| quantities[name]);
        assert!((here / there - 1.0).abs() <= 1e-9, "{:?}: {here} {there}", config.rule);
        assert!(quantities["stable_distance"] == 0.0, "{quantities:?}");
    }
    let momentum = OptimizerConfig::new(MomentumConfig { momentum: 0.5 }, 0.1);
    let settings = Settings { flows: vec![Kind::Stable], every: 30, top: 1, seed: 3 };
    let w = small().parameters();
    let mut comparison = Comparison::begin(small(), &momentum, settings, &w).expect("it begins");
    assert_eq!(comparison.join(&w, None), Err(FlowError::Joined));
}

#[test]
fn a_flow_that_ends_leaves_nothing_half_said() {
    // Beyond the edge of a quartic without a third derivative the central flow ends at once; the others go on.
    let objective = || objective(Quartic { s: 2.5, q: 1.0 }, &[0.0]);
    let settings = Settings { flows: vec![Kind::Central, Kind::Edge], every: 1, top: 1, seed: 0 };
    let (config, start) = (gd(1.0), objective().parameters());
    let mut comparison = Comparison::begin(objective(), &config, settings, &start).expect("it begins");
    let mut looks = Vec::new();
    steps(&objective(), &config, &start, 5, |step, w, _| {
        looks.extend(comparison.see(step, w, || None).expect("it goes on"));
    });
    let ended: Vec<_> = comparison.ended().map(|(kind, step, _)| (kind, step)).collect();
    assert_eq!(ended, [(Kind::Central, 0)]);
    assert_eq!(looks.len(), 5);
    for look in looks {
        let of = |flow: &str| look.quantities.keys().filter(|name| name.starts_with(flow)).count();
        assert!(of("central_") == 0 && of("edge_") >= 3, "{look:?}");
    }
}

#[test]
fn a_flow_refuses_what_it_does_not_model() {
    let objective = small();
    let momentum = OptimizerConfig::new(RuleConfig::Momentum(MomentumConfig { momentum: 0.9 }), 0.1);
    let update = Update::of(&momentum).expect("it is modelled");
    for kind in [Kind::Central, Kind::Edge] {
        assert!(!kind.models_update(&update));
        let error = kind.begin(&update, &objective, &objective.parameters(), 0).map(drop).expect_err("it has momentum");
        assert!(error.to_string().contains(kind.name()), "{error}");
    }
    let with = |change: fn(&mut OptimizerConfig)| {
        let mut config = gd(0.1);
        change(&mut config);
        Update::of(&config).expect_err("it is not plain").to_string()
    };
    assert!(with(|config| config.weight_decay = Some(0.1)).contains("weight decay"));
    assert!(with(|config| config.clip_norm = Some(1.0)).contains("clipping"));
}
