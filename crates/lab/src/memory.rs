//! How much memory a training takes, before it is taken.

use burn::tensor::DType;
use losscape_model::ModelError;
use losscape_model::data::Dataset;

use crate::LabError;
use crate::config::RunConfig;
use crate::plan::Plan;
use crate::trainer::{EVALUATION_CHUNK, batch_size};

/// Bytes that a training takes, by what takes them. An estimate, right to a factor of about one and a half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainingMemory {
    /// Parameters P of the network.
    pub count: usize,
    /// Weights, gradient and the optimizer's state: a vector of P numbers each; and the widest layer while it is
    /// drawn, in f64.
    pub parameters: usize,
    /// Inputs and targets, as they were read and on the device.
    pub data: usize,
    /// Activations of a batch, or of what is evaluated at once.
    pub activations: usize,
}

/// The program itself.
const PROGRAM: usize = 30_000_000;

/// Vectors of P numbers beside the optimizer's state: weights before and after a step, in the network and as a vector,
/// and their gradient.
const VECTORS: usize = 5;

/// Numbers for each unit and sample: before and behind the activation, its slope, and their cotangents.
const NUMBERS: usize = 6;

impl TrainingMemory {
    /// The memory of a plan.
    ///
    /// # Errors
    ///
    /// When its network cannot be built.
    pub fn of(plan: &Plan) -> Result<Self, ModelError> {
        let RunConfig { model, optimizer, training, precision, .. } = &plan.config;
        let train = &plan.data.train;
        let size = model.size(train.inputs.columns, train.outputs())?;
        let bytes = DType::from(*precision).size();
        let around = 2 * usize::from(optimizer.sam.is_some()) + 4 * usize::from(optimizer.sharpness_penalty.is_some());
        let vectors = VECTORS + optimizer.rule.states() + around;
        let of = |part: &Dataset| {
            let (inputs, outputs) = (part.inputs.columns, part.outputs());
            part.len().saturating_mul(inputs * (8 + bytes) + outputs * (8 + bytes))
        };
        let batch = batch_size(training, train.len()).unwrap_or(train.len());
        let at_once = batch.max(EVALUATION_CHUNK.min(train.len()));
        Ok(Self {
            count: size.parameters,
            parameters: size.parameters.saturating_mul(vectors * bytes).saturating_add(8 * size.widest),
            data: of(train).saturating_add(plan.data.test.as_ref().map_or(0, of)),
            activations: at_once.saturating_mul(size.units).saturating_mul(NUMBERS * bytes),
        })
    }

    /// All of it, with what the program itself takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        [self.parameters, self.data, self.activations].into_iter().fold(PROGRAM, usize::saturating_add)
    }
}

impl std::fmt::Display for TrainingMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { count, parameters, data, activations } = *self;
        write!(
            f,
            "{} for {count} parameters with gradient and the optimizer's state, {} for the data, {} for the \
             activations of a batch",
            amount(parameters),
            amount(data),
            amount(activations)
        )
    }
}

/// Whether a training fits into the bytes that it may take, which are those that are free where nothing is said.
///
/// # Errors
///
/// [`LabError::Memory`] when it does not, and when its network cannot be built.
pub fn check(plan: &Plan, allowed: Option<usize>) -> Result<(), LabError> {
    let Some(allowed) = allowed.or_else(available) else { return Ok(()) };
    let needed = TrainingMemory::of(plan)?;
    if needed.bytes() <= allowed { Ok(()) } else { Err(LabError::Memory { needed, allowed }) }
}

/// Bytes that are free, by what Linux says of the machine and of the control group; `None` elsewhere.
#[must_use]
pub fn available() -> Option<usize> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let number = |text: &str| text.trim().parse::<usize>().ok();
    let meminfo = read("/proc/meminfo")?;
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let machine = 1024 * number(line.trim().strip_suffix("kB")?)?;
    let group = "/sys/fs/cgroup/memory";
    let limit = read(&format!("{group}.max")).and_then(|text| number(&text));
    let used = read(&format!("{group}.current")).and_then(|text| number(&text));
    let group = limit.zip(used).map(|(limit, used)| limit.saturating_sub(used));
    Some(group.map_or(machine, |group| group.min(machine)))
}

/// Bytes in words.
pub(crate) fn amount(bytes: usize) -> String {
    match bytes as f64 {
        some if some < 1e8 => format!("{:.1} MB", some / 1e6),
        many => format!("{:.2} GB", many / 1e9),
    }
}
