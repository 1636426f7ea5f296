//! The files of a run folder, version 1: what they hold, for whoever reads them.
//!
//! Numbers that are not finite are written as `null` and read as NaN.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::{Mode, is_default};

/// Version of everything in a run folder.
pub const SCHEMA: u32 = 1;

/// `manifest.json`: where a run comes from. Times are in seconds since 1970 (UTC).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the files: [`SCHEMA`].
    pub schema: u32,
    /// The run's identity: see [`Plan::run_id`](crate::Plan::run_id).
    pub run_id: String,
    /// First part of the folder's name.
    pub label: String,
    /// The command line that started the run.
    pub argv: Vec<String>,
    /// Versions of this program and of Burn.
    pub versions: BTreeMap<String, String>,
    /// Name of the machine.
    pub host: String,
    /// Its processor, as the system names it.
    pub cpu: String,
    /// Device that the run calculates on.
    pub device: String,
    /// Type that it calculates in.
    pub dtype: String,
    /// Threads it may use.
    pub threads: usize,
    /// Seed of weights and order.
    pub seed: u64,
    /// SHA-256 of the prepared data.
    pub data_digest: String,
    /// The labels of the classes, where they are not the numbers of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// When the run was first started.
    pub started_unix_s: f64,
    /// The run that it goes on from, and the step it took up there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<Extends>,
}

/// The run that another goes on from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extends {
    /// Its identity; see [`Plan::run_id`](crate::Plan::run_id).
    pub run_id: String,
    /// Steps that it had done; records up to there are its own.
    pub step: usize,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Not started.
    Planned,
    /// Started, and not known to have ended: running, or killed.
    Running,
    /// Ended as configured.
    Done,
    /// Ended because loss or parameters were not finite. A result, not a failure.
    Diverged,
    /// Ended by an error.
    Failed,
    /// Stopped from outside, with a checkpoint.
    Interrupted,
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Done => "done",
            Self::Diverged => "diverged",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        })
    }
}

/// `status.json`: how far a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the files: [`SCHEMA`].
    pub schema: u32,
    /// How far the run is.
    pub state: State,
    /// Why it is in that state, in words.
    pub reason: String,
    /// Steps done.
    pub step: usize,
    /// When this was written, in seconds since 1970.
    pub updated_unix_s: f64,
}

/// What a line of `metrics.jsonl` was measured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// The batch of one step, before the step.
    Batch,
    /// The whole training part.
    Train,
    /// The whole test part.
    Test,
    /// The whole training part, at the average of the weights.
    #[serde(rename = "average-train")]
    AverageTrain,
    /// The whole test part, at the average of the weights.
    #[serde(rename = "average-test")]
    AverageTest,
    /// The whole training part, with curvature.
    Track,
    /// The whole training part, beside what flows say of it.
    Flow,
}

/// A line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Steps done when it was measured.
    pub step: usize,
    /// Epochs done, with fraction.
    pub epoch: f64,
    /// What it was measured on.
    pub split: Split,
    /// The loss over what it was measured on; NaN where it was not finite.
    #[serde(deserialize_with = "null_is_nan")]
    pub loss: f64,
    /// Share of samples whose largest output is that of their label; only with labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Learning rate of the step; only for batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Norm of the gradient; for batches before clipping, at the parameters (at the extended point for look-ahead).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grad_norm: Option<f64>,
    /// What `[track]` or `[flow]` measured; only in their own lines.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub tracked: Option<Tracked>,
    /// Seconds of training so far, interruptions left out.
    pub wall_s: f64,
}

/// What `[track]` measures along training: the quantities that the [measures](crate::measure) say, by name, those that
/// there are.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Tracked {
    /// The number of samples that kernel and PL ratio are taken of; 0 where neither is measured.
    pub kernel_samples: usize,
    /// What batch norm went by; absent in a file for evaluation.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mode: Mode,
    /// The quantities by name, as docs/measures.md lists them.
    #[serde(flatten, deserialize_with = "numbers")]
    pub quantities: BTreeMap<String, f64>,
}

impl Tracked {
    /// The quantity of this name, where it was measured.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        self.quantities.get(name).copied()
    }
}

/// Reads a map of numbers; what is `null` was not measured.
fn numbers<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, f64>, D::Error> {
    let known = BTreeMap::<String, Option<f64>>::deserialize(deserializer)?;
    Ok(known.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}

/// Reads `null`, which JSON has for a NaN, as one.
///
/// # Errors
///
/// When there is neither a number nor `null`.
pub fn null_is_nan<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// `summary.json`: the run in one flat object. A quantity that was not measured is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Version of the files: [`SCHEMA`].
    pub schema: u32,
    /// The run's identity; see [`Plan::run_id`](crate::Plan::run_id).
    pub run_id: String,
    /// How it ended: done, diverged or interrupted.
    pub outcome: State,
    /// Why it ended, in words.
    pub reason: String,
    /// Parameters P.
    pub parameters: usize,
    /// Training samples n.
    pub samples: usize,
    /// Outputs C.
    pub outputs: usize,
    /// Steps done.
    pub steps: usize,
    /// Epochs done, with fraction.
    pub epochs: f64,
    /// Loss over the training part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_loss: Option<f64>,
    /// Accuracy over the training part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_accuracy: Option<f64>,
    /// Norm of the gradient of the loss over the training part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_grad_norm: Option<f64>,
    /// Loss over the test part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_loss: Option<f64>,
    /// Accuracy over the test part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_accuracy: Option<f64>,
    /// Loss over the training part at the average of the weights, where `[average]` asks for one and weights were taken
    /// in; so for the three that follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_train_loss: Option<f64>,
    /// Accuracy over the training part there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_train_accuracy: Option<f64>,
    /// Loss over the test part there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_test_loss: Option<f64>,
    /// Accuracy over the test part there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_test_accuracy: Option<f64>,
    /// Seconds of training, interruptions left out.
    pub wall_s: f64,
    /// Optimizer steps a second, evaluations and checkpoints included.
    pub steps_per_s: f64,
    /// SHA-256 of `model.safetensors`, in hex; absent where training did not end as configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_digest: Option<String>,
}

/// `state.json` of a checkpoint: where training stands, and what its files must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointState {
    /// Version of the files: [`SCHEMA`].
    pub schema: u32,
    /// The run it belongs to.
    pub run_id: String,
    /// Steps done.
    pub step: usize,
    /// Bytes of `metrics.jsonl` when it was taken: what is behind them is cut off on resuming.
    pub metrics_bytes: u64,
    /// Seconds of training so far.
    pub wall_s: f64,
    /// Whether the optimizer's state is that of the parameters as one vector, stepped with the compiled gradient;
    /// otherwise it is that of the network's tensors. A run goes on the way it began, or it would not end in the
    /// same bits.
    #[serde(default)]
    pub compiled: bool,
    /// SHA-256 of the checkpoint's other files, by name.
    pub digests: BTreeMap<String, String>,
    /// SHA-256 of those bytes of `metrics.jsonl`; absent in the checkpoints of earlier versions, as the seal is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_digest: Option<String>,
    /// SHA-256 of this state as compact JSON without the seal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::Metric;

    #[test]
    fn a_quantity_that_is_null_takes_no_other_with_it() {
        let line = r#"{"step":0,"epoch":0.0,"split":"track","loss":1.5,"sharpness":2.0,"edge":null,"kernel_samples":0,
            "wall_s":0.1}"#;
        let record: Metric = serde_json::from_str(line).expect("it is a record");
        let tracked = record.tracked.expect("something is tracked");
        assert_eq!((tracked.get("sharpness"), tracked.get("edge")), (Some(2.0), None));
        let batch = r#"{"step":1,"epoch":0.1,"split":"batch","loss":null,"learning_rate":0.1,"wall_s":0.1}"#;
        assert_eq!(serde_json::from_str::<Metric>(batch).expect("it is a record").tracked, None);
    }
}
