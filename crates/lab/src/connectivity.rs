//! Two trained networks, and what lies between them: the line, the line after the units of one are put in the order of
//! the other's, and a curve that is trained to stay low (Garipov et al. 2018).

use burn::optim::LearningRate;
use burn::tensor::{DType, Tensor};
use losscape_analysis::Objective;
pub use losscape_analysis::connectivity::Barrier;
use losscape_analysis::connectivity::{Way, barrier};
use losscape_krylov::norm;
use losscape_model::Model;
use losscape_model::random::{Purpose, stream};
use losscape_optim::adam::AdamConfig;
use losscape_optim::schedule::{DecayConfig, ScheduleConfig};
use losscape_optim::shared::in_training;
use losscape_optim::{OptimizerConfig, Vector};
use losscape_tangent::parameters;
use rand::RngExt;
use rand::rngs::ChaCha12Rng;
use serde::{Deserialize, Serialize};

use crate::config::{Mode, Precision};
use crate::error::LabError;
use crate::matching::matched;
use crate::subject::Subject;

/// How two networks are connected.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionSettings {
    /// Equal steps on a way, at least 2; more are looked at around the highest point. Default: 20.
    pub steps: usize,
    /// Steps of Adam that the curve is trained for, each with the gradients of four points on it; 0 for no curve.
    /// Default: 500.
    pub curve: usize,
    /// The rate that they begin at; it falls to 0 in a line. Default: 0.01.
    pub rate: LearningRate,
    /// The type calculated in. Default: f64.
    pub precision: Precision,
    /// Seed of the order in which layers are matched, and of the points on the curve. Default: 0.
    pub seed: u64,
}

impl Default for ConnectionSettings {
    fn default() -> Self {
        Self { steps: 20, curve: 500, rate: 0.01, precision: Precision::F64, seed: 0 }
    }
}

/// What lies between two networks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// Where they come from, in words.
    pub between: [String; 2],
    /// What batch norm goes by.
    pub mode: Mode,
    /// Samples that the loss is over.
    pub samples: usize,
    /// `‖w_b − w_a‖`.
    pub distance: f64,
    /// On the line.
    pub line: Barrier,
    /// On the line to the second network with its units in the order of the first one's; absent where they are not
    /// multilayer perceptrons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<Barrier>,
    /// On the trained Bézier curve between the networks as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub curve: Option<Barrier>,
}

impl Connection {
    /// What lies between two networks on the data of the first.
    ///
    /// # Errors
    ///
    /// When they are not two weights of one network under one loss on one data set, or have running statistics, which
    /// are known at the ends alone, in evaluation mode.
    ///
    /// # Panics
    ///
    /// With less than two steps.
    pub fn between(a: &Subject, b: &Subject, settings: &ConnectionSettings) -> Result<Self, LabError> {
        let apart = |what: &'static str| {
            let [a, b] = [&a.source, &b.source].map(Clone::clone);
            LabError::Apart { what, a, b }
        };
        let shapes = |subject: &Subject| {
            let segments = parameters::segments(&subject.network);
            segments.into_iter().map(|segment| (segment.path, segment.shape)).collect::<Vec<_>>()
        };
        if shapes(a) != shapes(b) || a.setup.get("network") != b.setup.get("network") {
            return Err(apart("network"));
        }
        if a.data != b.data {
            return Err(apart("data"));
        }
        if a.loss != b.loss {
            return Err(apart("loss"));
        }
        if a.mode == Mode::Evaluation && in_training(&a.network).iter().any(|layer| layer == "BatchNorm") {
            return Err(LabError::EndsAlone);
        }
        let objective = Objective::on(a.network.clone(), &a.data, a.loss)?;
        let objective = objective.precision(settings.precision.into()).in_mode(a.mode);
        let weights = |network: &Model| parameters::ravel(network).map(|w| w.cast(DType::from(settings.precision)));
        let (Some(from), Some(to)) = (weights(&a.network), weights(&b.network)) else { return Err(apart("network")) };
        let distance = norm(&(to.clone() - from.clone()));
        let on = |way: &Way| Ok::<_, LabError>(barrier(&objective, way, settings.steps)?);
        let line = on(&Way::of([from.clone(), to.clone()]))?;
        // What is neither parameter nor configuration, as random features, is that of the first network on all of the
        // way: at its end the second one has to be found.
        let own = Objective::on(b.network.clone(), &b.data, b.loss)?;
        let own = own.precision(settings.precision.into()).in_mode(b.mode).value(&to)?;
        let arrived = |way: &Barrier| {
            let last = way.losses.last().copied().flatten();
            last.is_none_or(|last| (last - own).abs() <= 1e-4 * own.abs().max(1e-4))
        };
        if !arrived(&line) {
            return Err(apart("network"));
        }
        let mut order = stream(settings.seed, Purpose::Probes, MATCHING);
        let matched = match (&a.network, &b.network) {
            (Model::Mlp(a), Model::Mlp(b)) => matched(a, b, &mut order).map(Model::Mlp),
            _ => None,
        };
        let matched = matched.and_then(|network| weights(&network));
        let matched = matched.map(|to| on(&Way::of([from.clone(), to]))).transpose()?;
        assert!(matched.as_ref().is_none_or(arrived), "the order of units changed the function");
        let curve = if settings.curve > 0 {
            let random = &mut stream(settings.seed, Purpose::Probes, CURVE);
            Some(on(&curve(&objective, [from, to], settings, random)?)?)
        } else {
            None
        };
        let between = [a.source.clone(), b.source.clone()];
        Ok(Self { between, mode: a.mode, samples: a.data.len(), distance, line, matched, curve })
    }
}

/// Indices of random streams, beside those of the [measures](crate::measure).
const MATCHING: u64 = 1 << 40;
const CURVE: u64 = MATCHING + 1;

/// Points on the curve at a step, one in each of as many equal parts of it.
const POINTS: usize = 4;

/// A Bézier curve whose bend lowers `E_s[L(w(s))]` with s drawn uniformly (Garipov et al. 2018), from the middle
/// of the line. `∂/∂θ L(w(s)) = 2 s (1 − s) ∇L(w(s))`.
fn curve(
    objective: &Objective<Model>,
    [from, to]: [Tensor<1>; 2],
    settings: &ConnectionSettings,
    random: &mut ChaCha12Rng,
) -> Result<Way, LabError> {
    let schedule = ScheduleConfig::Linear(DecayConfig::default());
    let optimizer = OptimizerConfig { schedule, ..OptimizerConfig::new(AdamConfig::default(), settings.rate) };
    let (mut method, mut schedule) = (optimizer.init()?, schedule.init(settings.curve)?);
    let mut bend = Vector::new((from.clone() + to.clone()) * 0.5);
    let way = |bend: &Vector| Way::of([from.clone(), bend.values(), to.clone()]);
    for _ in 0..settings.curve {
        let here = way(&bend);
        let (mut mean, mut slope) = (0.0, from.zeros_like());
        for part in 0..POINTS {
            let s = (part as f64 + random.random::<f64>()) / POINTS as f64;
            let (loss, gradient) = objective.gradient(&here.at(s))?;
            mean += loss / POINTS as f64;
            slope = slope + gradient * (here.shares(s)[1] / POINTS as f64);
        }
        let rate = settings.rate * schedule.next_factor();
        let mut slope = Some(slope);
        let step = method.step(rate, bend, |bend: &Vector| {
            (mean, bend.gradients(slope.take().expect("Adam asks for one gradient")))
        });
        bend = step.0;
    }
    Ok(way(&bend))
}
