//! What can go wrong, as data.

use std::path::PathBuf;

use crate::memory::{TrainingMemory, amount};
use crate::source_error::SourceError;

/// A setting that does not fit, by its key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SettingError {
    /// The key that it is about, in its table.
    pub key: &'static str,
    /// What is wrong with it, and what to do.
    pub message: String,
}

impl SettingError {
    pub(crate) fn new(key: &'static str, message: impl Into<String>) -> Self {
        Self { key, message: message.into() }
    }
}

/// What can stop a run, other than its own end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// The configuration cannot be used; it says where.
    #[error(transparent)]
    Config(#[from] Box<SourceError>),
    /// A file or folder cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// "read", "write", "create", ….
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is there but not what it should be.
    #[error("{}: {problem}", path.display())]
    Damaged {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The folder belongs to another run.
    #[error("{} holds run {found}, not {expected}: its config.toml or its name was changed", path.display())]
    OtherRun {
        /// The run folder.
        path: PathBuf,
        /// The run that was asked for.
        expected: String,
        /// The run found there.
        found: String,
    },
    /// The data are no longer those that the run was trained on.
    #[error(
        "the data of {} changed since it was trained: their SHA-256 was {trained_on}, and is {found}; bring the old \
         file back, or train again",
        path.display()
    )]
    OtherData {
        /// The run folder.
        path: PathBuf,
        /// SHA-256 of the data trained on.
        trained_on: String,
        /// SHA-256 of the data there are now.
        found: String,
    },
    /// A run left nothing to measure.
    #[error(
        "{}: the run {state} ({reason}) before its first checkpoint, and left nothing to measure; {help}",
        path.display()
    )]
    NothingToMeasure {
        /// The run folder.
        path: PathBuf,
        /// What happened to it: "diverged", "failed", "was stopped".
        state: &'static str,
        /// Why, as its status says.
        reason: String,
        /// What to do.
        help: &'static str,
    },
    /// A run cannot go on from another.
    #[error("cannot go on from {}: {problem}", path.display())]
    Extension {
        /// The folder of the other run.
        path: PathBuf,
        /// Why not.
        problem: String,
    },
    /// The file system has no locks.
    #[error(
        "{}: the file system has no locks ({source}), so that nothing keeps a second process away from it",
        path.display()
    )]
    Unguarded {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The run was started on another device, where the same steps round differently.
    #[error(
        "{} was started on device {started}, not {asked}: resume with --device {started}, or start over with --fresh",
        path.display()
    )]
    OtherDevice {
        /// The run folder.
        path: PathBuf,
        /// Device of the first start.
        started: String,
        /// Device asked for now.
        asked: String,
    },
    /// There are checkpoints, and none is whole.
    #[error("{}: no checkpoint is whole ({problems}); start over with --fresh", path.display())]
    NoCheckpoint {
        /// Their folder.
        path: PathBuf,
        /// What is wrong with each.
        problems: String,
    },
    /// A training does not fit into the memory.
    #[error(
        "training needs about {} and {} are free: {needed}; take fewer parameters, samples or samples a \
         batch, or allow more with --memory",
        amount(needed.bytes()),
        amount(*allowed)
    )]
    Memory {
        /// What it needs.
        needed: TrainingMemory,
        /// Bytes allowed, or free.
        allowed: usize,
    },
    /// Another process is at work on the run or study.
    #[error("another process is at work on {}", path.display())]
    Busy {
        /// Its folder.
        path: PathBuf,
    },
    /// Data cannot be read, or do not fit.
    #[error(transparent)]
    Data(#[from] losscape_model::data::DataError),
    /// A measurement cannot be made.
    #[error(transparent)]
    Analysis(#[from] losscape_analysis::AnalysisError),
    /// A flow cannot be followed.
    #[error(transparent)]
    Flow(#[from] losscape_flow::FlowError),
    /// A network cannot be built.
    #[error(transparent)]
    Model(#[from] losscape_model::ModelError),
    /// Settings of an optimizer do not fit.
    #[error(transparent)]
    Optim(#[from] losscape_optim::OptimError),
    /// Settings that a library caller passed do not fit.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The network cannot be trained, or not be applied to the data.
    #[error("the network cannot be used: {problem}")]
    Network {
        /// Why not.
        problem: String,
    },
    /// Two networks have no ways between them.
    #[error(
        "{a} and {b} differ in their {what}: ways are between weights of one network, under one loss on one data set"
    )]
    Apart {
        /// What they differ in.
        what: &'static str,
        /// Where the first is from.
        a: String,
        /// Where the second is from.
        b: String,
    },
    /// Running statistics are those of the ends.
    #[error(
        "running statistics are known at the ends alone, and on the way are those of another network: use batch mode, \
         which takes them of the samples at every point"
    )]
    EndsAlone,
    /// The loss of training mode is no function of the parameters.
    #[error(
        "in training mode numbers are dropped at random ({layer}), so that the loss is no one function of the \
         parameters; measure in evaluation mode"
    )]
    Random {
        /// The type of the layer.
        layer: String,
    },
    /// An observer ended the run.
    #[error("{0}")]
    Observer(Box<dyn std::error::Error + Send + Sync>),
    /// A run keeps what it was started with.
    #[error(
        "{}: records are every {kept} steps, as it was started, not every {asked}; --fresh starts it over",
        path.display()
    )]
    RecordsKept {
        /// The run folder.
        path: PathBuf,
        /// Steps between records.
        kept: usize,
        /// Those asked for.
        asked: usize,
    },
}

impl LabError {
    /// The error of a file operation, from what the system said.
    pub fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
