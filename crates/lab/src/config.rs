//! What a run is made of: the types behind a training configuration.
//!
//! ```toml
//! seed = 0                     # initial weights and order of samples
//! precision = "f32"            # or "f64"
//!
//! [data]                       # losscape data list
//! name = "digits"
//! [model]                      # losscape list models
//! name = "mlp"
//! hidden = [512, 512]
//! [loss]                       # losscape list losses
//! name = "cross-entropy"
//! [optimizer]                  # losscape list optimizers
//! name = "momentum"
//! learning_rate = 0.05
//! [training]
//! batch_size = 64
//! epochs = 20
//! [track]                      # optional: curvature along the way
//! every = 100
//! measures = ["sharpness", "ntk", "pl"]
//! samples = 200
//! [flow]                       # optional: flows beside full-batch training
//! every = 20
//! [average]                    # optional: an average of the weights; losscape list averages
//! name = "ema"
//! decay = 0.99
//! ```

use burn::tensor::DType;
pub use losscape_analysis::Mode;
pub use losscape_flow::Kind;
use losscape_model::data::DataConfig;
use losscape_model::{Augment, Loss, ModelConfig};
use losscape_optim::{AverageConfig, OptimizerConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::SettingError;

/// A training configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// First part of the run folder's name. Default: the name of the configuration file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Seed of the initial weights and of the order of samples. Default: 0.
    #[serde(default)]
    pub seed: u64,
    /// The type that training calculates in. Default: f32.
    #[serde(default)]
    pub precision: Precision,
    /// Where data comes from, and how it is split and scaled.
    pub data: DataConfig,
    /// The network, with everything but its numbers of inputs and outputs, which the data says.
    pub model: ModelConfig,
    /// The loss, and whether it is a mean or a sum over samples.
    pub loss: Loss,
    /// The update rule, its rate and schedule, and what goes around it.
    pub optimizer: OptimizerConfig,
    /// How long to train and what to write down.
    pub training: TrainingConfig,
    /// Curvature to be measured on the way; by default none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track: Option<TrackConfig>,
    /// Differential equations that model the method, followed beside it; by default none are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<FlowConfig>,
    /// An average of the weights that training passes through, evaluated and kept beside the last ones; by default none
    /// is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<AverageConfig>,
}

/// Flows beside full-batch training: what [`losscape_flow`] has, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlowConfig {
    /// The flows. Default: all that model the method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flows: Option<Vec<Kind>>,
    /// The step of the training at which they begin, in its first half; a value above 0 is possible for methods
    /// without momentum only. Default: 0.
    #[serde(default, skip_serializing_if = "is_default")]
    pub start: usize,
    /// Steps between looks at sharpness and distance, at least 1.
    pub every: usize,
    /// The largest eigenvalues that are looked at, at least 1. Default: 1.
    #[serde(default = "one")]
    pub top: usize,
    /// The type calculated in. Default: f64.
    #[serde(default = "double")]
    pub precision: Precision,
}

fn one() -> usize {
    1
}

/// Curvature measured along training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrackConfig {
    /// Steps between measurements, at least 1; the first is at step 0.
    pub every: usize,
    /// Names of the [measures](crate::measure) to make, of those that are cheap enough. Default: sharpness.
    #[serde(default = "sharpness")]
    pub measures: Vec<String>,
    /// The kernel and PL* are measured on so many of the first training samples, everything else on all of them.
    /// Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// The largest eigenvalues that `sharpness` looks for, at least 1. Default: 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub top: usize,
    /// The type measured in. Default: f64.
    #[serde(default = "double")]
    pub precision: Precision,
    /// What batch norm goes by: running statistics (`evaluation`), or those of all samples as one batch (`batch`), as
    /// full-batch training sees them. Default: evaluation.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mode: Mode,
}

/// Keys that came later are not written unless they are set, so that the identities of runs before them stay.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives references")]
fn is_one(number: &usize) -> bool {
    *number == one()
}

fn sharpness() -> Vec<String> {
    vec!["sharpness".to_owned()]
}

fn double() -> Precision {
    Precision::F64
}

/// Floating-point type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 64 bits.
    F64,
}

impl From<Precision> for DType {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::F64 => Self::F64,
        }
    }
}

impl std::fmt::Display for Precision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
        })
    }
}

/// Samples that a step sees: a number, or `"full"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchSize {
    /// So many, in an order drawn anew each epoch; the last batch of an epoch may be smaller.
    Samples(usize),
    /// All of them, in their own order.
    Full,
}

impl JsonSchema for BatchSize {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "BatchSize".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [{ "type": "integer", "minimum": 1 }, { "const": "full" }] })
    }
}

impl Serialize for BatchSize {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Samples(samples) => samples.serialize(serializer),
            Self::Full => "full".serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for BatchSize {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = BatchSize;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number of samples or \"full\"")
            }

            fn visit_i64<E: serde::de::Error>(self, samples: i64) -> Result<BatchSize, E> {
                let unexpected = || E::invalid_value(serde::de::Unexpected::Signed(samples), &self);
                usize::try_from(samples).map(BatchSize::Samples).map_err(|_| unexpected())
            }

            fn visit_u64<E: serde::de::Error>(self, samples: u64) -> Result<BatchSize, E> {
                let unexpected = || E::invalid_value(serde::de::Unexpected::Unsigned(samples), &self);
                usize::try_from(samples).map(BatchSize::Samples).map_err(|_| unexpected())
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<BatchSize, E> {
                match word {
                    "full" => Ok(BatchSize::Full),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(word), &self)),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// How long to train and what to write down; everything is counted in optimizer steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainingConfig {
    /// Samples a step: a number, or `"full"`.
    pub batch_size: BatchSize,
    /// Passes over the training part. One of `epochs` and `steps` is needed; with both, the shorter one ends the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// Optimizer steps; with epochs too, what is shorter ends the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
    /// What is done to the images of a batch, each step anew; evaluations see them as they are. Default: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub augment: Option<Augment>,
    /// Noise in the targets of a batch, each step anew: of labels the share that is drawn anew from all classes, of
    /// numbers the standard deviation of what is added; evaluations see them as they are. Default: 0.
    #[serde(default, skip_serializing_if = "is_default")]
    pub label_noise: f64,
    /// Stop when the loss over the whole training part is at most this; looked at with each evaluation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_loss: Option<f64>,
    /// Stop when the norm of the gradient over the whole training part is at most this; looked at with each
    /// evaluation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_gradient_norm: Option<f64>,
    /// Steps between records of the batch loss. Default: 10.
    #[serde(default = "ten")]
    pub log_every: usize,
    /// Steps between evaluations on the whole training and test part. Default: an epoch; or, without a target to look
    /// for, a hundredth of the run if that is longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluate_every: Option<usize>,
    /// Steps between checkpoints. Default: as for evaluations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_every: Option<usize>,
}

fn ten() -> usize {
    10
}

/// The most steps a run may have: a limit against slips of the pen.
const MAX_STEPS: usize = 1_000_000_000_000;

impl TrainingConfig {
    /// Samples that a step sees, of so many.
    ///
    /// # Errors
    ///
    /// When there are none, or fewer than a batch.
    pub fn samples_a_step(&self, samples: usize) -> Result<usize, SettingError> {
        match self.batch_size {
            BatchSize::Full => Ok(samples),
            BatchSize::Samples(0) => Err(SettingError::new("batch_size", "batches need at least one sample")),
            BatchSize::Samples(size) if size > samples => {
                let message = format!("batches of {size} samples, but the training part has only {samples}");
                Err(SettingError::new("batch_size", message))
            }
            BatchSize::Samples(size) => Ok(size),
        }
    }

    /// Whether targets, labels or numbers, can be given such noise.
    ///
    /// # Errors
    ///
    /// When they cannot.
    pub(crate) fn check_noise(&self, labels: bool) -> Result<(), SettingError> {
        let noise = self.label_noise;
        let (possible, must) = if labels {
            ((0.0..=1.0).contains(&noise), "a share of the labels, from 0 to 1")
        } else {
            (noise.is_finite() && noise >= 0.0, "a standard deviation, finite and not negative")
        };
        let message = || format!("label_noise = {noise} is not possible: it must be {must}");
        if possible { Ok(()) } else { Err(SettingError::new("label_noise", message())) }
    }

    /// Steps of the whole run on so many samples.
    ///
    /// # Errors
    ///
    /// When nothing says how long to train, or a number is not possible.
    pub fn total_steps(&self, samples: usize) -> Result<usize, SettingError> {
        for (name, value) in [
            ("log_every", Some(self.log_every)),
            ("evaluate_every", self.evaluate_every),
            ("checkpoint_every", self.checkpoint_every),
        ] {
            if value == Some(0) {
                return Err(SettingError::new(name, format!("{name} must be at least 1")));
            }
        }
        let epoch = samples.div_ceil(self.samples_a_step(samples)?);
        let by_epochs = self.epochs.map(|epochs| ("epochs", epochs.saturating_mul(epoch)));
        let by_steps = self.steps.map(|steps| ("steps", steps));
        match by_epochs.into_iter().chain(by_steps).min_by_key(|(_, steps)| *steps) {
            None => Err(SettingError::new("batch_size", "how long to train? Set epochs or steps")),
            Some((name, 0)) => Err(SettingError::new(name, format!("{name} must be at least 1"))),
            Some((name, steps)) if steps > MAX_STEPS => {
                Err(SettingError::new(name, format!("{name} would take more than {MAX_STEPS} steps")))
            }
            Some((_, steps)) => Ok(steps),
        }
    }

    /// So many steps with batches of the given size.
    #[must_use]
    pub fn steps(steps: usize, batch_size: BatchSize) -> Self {
        Self { steps: Some(steps), epochs: None, ..Self::epochs(0, batch_size) }
    }

    /// So many epochs with batches of the given size.
    #[must_use]
    pub fn epochs(epochs: usize, batch_size: BatchSize) -> Self {
        Self {
            batch_size,
            epochs: Some(epochs),
            steps: None,
            augment: None,
            label_noise: 0.0,
            target_loss: None,
            target_gradient_norm: None,
            log_every: ten(),
            evaluate_every: None,
            checkpoint_every: None,
        }
    }
}
