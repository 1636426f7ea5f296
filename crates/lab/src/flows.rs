//! Flows beside training: what `[flow]` asks for.
//!
//! They begin at the initial weights, or at those of a step, and are followed a step at a time, as training goes on;
//! what was seen becomes a record of [`Split::Flow`] a step later, when the step behind it is known. A checkpoint holds
//! all that they go on from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use burn::tensor::DType;
use losscape_analysis::{Mode, Objective};
pub use losscape_flow::Errors;
use losscape_flow::{Comparison, FlowError, Kind, Settings, State, Update, errors};
use losscape_model::data::Dataset;
use losscape_model::{FromDataset, Loss, ModelConfig, Network};
use losscape_optim::OptimizerConfig;
use losscape_tangent::parameters;
use serde::{Deserialize, Serialize};

use crate::config::{FlowConfig, RunConfig};
use crate::error::{LabError, SettingError};
use crate::numbers;
use crate::observe::Moment;
use crate::records::{Metric, SCHEMA, Split, Tracked};

/// Flows beside a training.
pub struct Flows<N: Network> {
    config: FlowConfig,
    mode: Mode,
    comparison: Comparison<N>,
    /// Whether training is where flows can follow no more.
    lost: bool,
}

impl<N: Network> std::fmt::Debug for Flows<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flows").field("config", &self.config).finish_non_exhaustive()
    }
}

impl<N: Network> Flows<N>
where
    N::Input: FromDataset,
{
    /// The flows of a method that trains `network` on `data`, from where it is after so many steps, or waiting for the
    /// step at which they begin.
    ///
    /// # Errors
    ///
    /// When a flow does not model the method, or the network cannot be measured.
    pub fn begin(
        config: &FlowConfig,
        network: &N,
        (data, loss, mode): (&Dataset, Loss, Mode),
        optimizer: &OptimizerConfig,
        (step, seed): (usize, u64),
    ) -> Result<Self, LabError> {
        let objective = Objective::on(network.clone(), data, loss)?.precision(config.precision.into()).in_mode(mode);
        let settings = settings(config, &Update::of(optimizer)?, seed);
        let w = objective.parameters();
        let comparison = match config.start <= step {
            true => Comparison::begin(objective, optimizer, settings, &w)?,
            false => Comparison::waiting(objective, optimizer, settings)?,
        };
        Ok(Self { config: config.clone(), mode, comparison, lost: false })
    }

    /// Goes on beside training, which is at this moment; what was seen at the step before, where it was one to look at.
    ///
    /// # Errors
    ///
    /// When an eigenvalue cannot be found.
    pub fn see(&mut self, moment: &Moment<N>) -> Result<Option<Metric>, LabError> {
        let flat = |network: &N| parameters::ravel(network).map(|w| w.cast(DType::from(self.config.precision)));
        if moment.step() < self.config.start {
            return Ok(None);
        }
        let Some(w) = flat(moment.network()).filter(|_| !self.lost) else { return Ok(None) };
        let preconditioner = || moment.preconditioner().and_then(|diagonal| flat(&diagonal));
        let joined = match moment.step() {
            step if step > 0 && step == self.config.start => self.comparison.join(&w, preconditioner().as_ref()),
            _ => Ok(()),
        };
        let look = match joined.and_then(|()| self.comparison.see(moment.step(), &w, preconditioner)) {
            // Training goes on for as long as it can, and says itself where it diverges.
            Err(error) if error.is_not_finite() => {
                self.lost = true;
                return Ok(None);
            }
            look => look?,
        };
        Ok(look.map(|look| Metric {
            step: look.step,
            epoch: look.step as f64,
            split: Split::Flow,
            loss: look.quantities.get("averaged_loss").copied().unwrap_or(f64::NAN),
            accuracy: None,
            learning_rate: moment.rate(),
            grad_norm: None,
            tracked: Some(Tracked { kernel_samples: 0, mode: self.mode, quantities: look.quantities }),
            wall_s: moment.wall_s(),
        }))
    }

    /// How the flows did in so many steps, from the records.
    #[must_use]
    pub fn summary(&self, steps: usize, metrics: &[Metric]) -> FlowSummary {
        let looks = || {
            let of = metrics.iter().filter(|record| record.split == Split::Flow);
            of.filter_map(|record| Some((record.step, &record.tracked.as_ref()?.quantities)))
        };
        let flows = self.comparison.flows().map(|kind| {
            let ended = self.comparison.ended().find(|(of, ..)| *of == kind);
            let ended = ended.map(|(_, step, why)| FlowEnd { step, reason: why.to_owned() });
            let errors = if ended.is_none() { errors(kind, steps, looks()) } else { None };
            (kind.name().to_owned(), FlowResult { errors, ended })
        });
        FlowSummary { schema: SCHEMA, mode: self.mode, flows: flows.collect() }
    }

    /// All that they go on from, as a file.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        numbers::bytes(&self.comparison.state().0)
    }

    /// Goes on from such a file.
    ///
    /// # Errors
    ///
    /// [`LabError::Damaged`] when it is none of such flows.
    pub fn restore(mut self, path: &Path) -> Result<Self, LabError> {
        let state = State(numbers::read(path)?);
        if self.comparison.restore(&state) {
            Ok(self)
        } else {
            let problem = "it is not the state of these flows".to_owned();
            Err(LabError::Damaged { path: path.to_owned(), problem })
        }
    }
}

/// What is compared: the flows that are named, or all that model the method.
fn settings(config: &FlowConfig, update: &Update, seed: u64) -> Settings {
    let all = || Kind::ALL.iter().copied().filter(|kind| kind.models_update(update)).collect();
    Settings { flows: config.flows.clone().unwrap_or_else(all), every: config.every, top: config.top, seed }
}

/// Bytes that flows take beside a training of so many parameters.
pub(crate) fn memory(config: &FlowConfig, optimizer: &OptimizerConfig, parameters: usize) -> usize {
    let bytes = DType::from(config.precision).size();
    Update::of(optimizer).map_or(0, |update| settings(config, &update, 0).memory(parameters, bytes))
}

/// `flow.json`: how the flows beside a training did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlowSummary {
    /// Version of the files: [`SCHEMA`].
    pub schema: u32,
    /// What batch norm went by.
    pub mode: Mode,
    /// The flows by name.
    pub flows: BTreeMap<String, FlowResult>,
}

/// How a flow did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlowResult {
    /// How far off it was over the last half of the steps; absent where it did not come to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<Errors>,
    /// Where it ended before training did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<FlowEnd>,
}

/// The end of a flow before that of training.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowEnd {
    /// The step.
    pub step: usize,
    /// Why.
    pub reason: String,
}

/// What batch norm goes by where the loss that training lowers is meant.
pub(crate) fn mode(model: &ModelConfig) -> Mode {
    if model.sees_batch() { Mode::Batch } else { Mode::Evaluation }
}

/// The fewest looks that a run has: the first half of them says nothing of the end.
const LOOKS: usize = 8;

/// Whether the flows that a configuration asks for are those of its training on so many samples; the table that is
/// wrong beside what is.
pub(crate) fn check(config: &RunConfig, samples: usize) -> Result<(), (&'static str, SettingError)> {
    let Some(flow) = &config.flow else { return Ok(()) };
    let wrong = |table, key, message: &str| Err((table, SettingError::new(key, message)));
    if config.training.samples_a_step(samples).is_ok_and(|batch| batch < samples) {
        return wrong("training", "batch_size", "flows model full-batch training: set batch_size = \"full\"");
    }
    if config.training.augment.is_some() {
        return wrong("training", "augment", "flows model training on the same samples at every step: leave it out");
    }
    if config.training.label_noise > 0.0 {
        return wrong(
            "training",
            "label_noise",
            "flows model training on the same targets at every step: leave it out",
        );
    }
    if config.model.drops() {
        return wrong("model", "path", "flows model a loss that is one function, and this network drops at random");
    }
    for (key, value) in [("every", flow.every), ("top", flow.top)] {
        if value == 0 {
            return wrong("flow", key, &format!("{key} must be at least 1"));
        }
    }
    let steps = config.training.total_steps(samples).unwrap_or(usize::MAX);
    if flow.start > steps / 2 {
        let message =
            format!("flows are compared over the last half of {steps} steps: begin at {} or before", steps / 2);
        return wrong("flow", "start", &message);
    }
    if flow.every.saturating_mul(LOOKS) > steps {
        let message = format!("{steps} steps have no {LOOKS} looks {} steps apart: take a smaller every", flow.every);
        return wrong("flow", "every", &message);
    }
    let update =
        Update::of(&config.optimizer).map_err(|error| ("optimizer", SettingError::new("name", error.to_string())))?;
    if flow.start > 0 && !update.can_be_joined() {
        return wrong("flow", "start", &FlowError::Joined.to_string());
    }
    let asked = flow.flows.as_deref().unwrap_or_default();
    if flow.flows.is_some() && asked.is_empty() {
        return wrong("flow", "flows", "no flow is named; leave flows out for all that model the method");
    }
    if let Some(kind) = asked.iter().find(|kind| !kind.models_update(&update)) {
        let (flow, models) = (kind.name(), kind.models());
        return wrong("flow", "flows", &FlowError::Unmodelled { flow, models }.to_string());
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = asked.iter().find(|&kind| !seen.insert(kind)) {
        return wrong("flow", "flows", &format!("{twice} is named twice"));
    }
    Ok(())
}
