//! Models that cannot be built.

use std::path::PathBuf;

use losscape_exchange::ExchangeError;

/// A model that cannot be built, or values that do not fit it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A width, or the number of inputs or outputs, is zero.
    #[error("{layer} has width 0; every layer needs at least one unit")]
    ZeroWidth {
        /// The layer, in words: "the input", "hidden layer 2", "the output".
        layer: String,
    },
    /// A feature map without features, or with more than memory can hold.
    #[error("{map} features of {inputs} inputs give {features} features; between 1 and {max} are possible")]
    Features {
        /// The feature map's name.
        map: &'static str,
        /// Number of inputs.
        inputs: usize,
        /// Number of features asked for (saturating).
        features: usize,
        /// The largest number accepted.
        max: usize,
    },
    /// A scale that must be positive and finite is not.
    #[error("{name} must be positive and finite, got {value}")]
    NotPositive {
        /// The parameter's name.
        name: &'static str,
        /// The value given.
        value: f64,
    },
    /// A layer that does not fit what it is applied to.
    #[error("{layer}: {problem}")]
    Layer {
        /// The layer, in words: "convolution 2".
        layer: String,
        /// The key of `[model]` that it is about.
        key: &'static str,
        /// What does not fit.
        problem: String,
    },
    /// Samples of another kind than the network takes.
    #[error("the network takes {takes}, and the samples are {found}{help}")]
    Samples {
        /// What it takes: "numbers", "images", "tokens".
        takes: &'static str,
        /// What the samples are, in words.
        found: String,
        /// What to do, in words; may be empty.
        help: &'static str,
    },
    /// An archive that is no network, or not one for such samples and targets.
    #[error("{}: {problem}", path.display())]
    Exported {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        problem: ExchangeError,
    },
    /// A loss that cannot be taken on the targets, or a number of it that is not possible.
    #[error("{problem}")]
    Loss {
        /// The key of `[loss]` that it is about.
        key: &'static str,
        /// What does not fit.
        problem: String,
    },
    /// More hidden layers than can be trained.
    #[error("the network would have {layers} hidden layers; at most {max} are possible")]
    TooDeep {
        /// Hidden layers asked for.
        layers: usize,
        /// The largest number accepted.
        max: usize,
    },
    /// More parameters than memory can be expected to hold.
    #[error("the network would have {parameters} parameters; at most {max} are possible")]
    TooLarge {
        /// Parameters asked for (saturating).
        parameters: usize,
        /// The largest number accepted.
        max: usize,
    },
}
