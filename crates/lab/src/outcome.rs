//! How training ends: an outcome is a value, and so is its reason.

use std::fmt;

/// How training ended.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// As configured.
    Finished(Reason),
    /// A number was not finite. A result, not a failure.
    Diverged(Divergence),
    /// Asked to stop from outside.
    Interrupted,
}

/// By which rule training was over.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// All steps are done.
    Steps {
        /// How many.
        step: usize,
    },
    /// The training loss reached its target.
    Loss {
        /// The target.
        target: f64,
        /// Steps done.
        step: usize,
    },
    /// The norm of the gradient of the training loss reached its target.
    GradientNorm {
        /// The target.
        target: f64,
        /// Steps done.
        step: usize,
    },
}

/// What was not finite.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Divergence {
    /// The loss of a batch.
    BatchLoss {
        /// Its value.
        value: f64,
        /// The step it was taken for.
        step: usize,
    },
    /// The loss over the training part.
    TrainingLoss {
        /// Its value.
        value: f64,
        /// Steps done.
        step: usize,
    },
    /// Some parameter.
    Parameters {
        /// Steps done.
        step: usize,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps { step } => write!(f, "{step} steps done"),
            Self::Loss { target, step } => write!(f, "the training loss reached {target} at step {step}"),
            Self::GradientNorm { target, step } => write!(f, "the gradient's norm reached {target} at step {step}"),
        }
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BatchLoss { value, step } => write!(f, "the loss was {value} at step {step}"),
            Self::TrainingLoss { value, step } => write!(f, "the training loss was {value} after step {step}"),
            Self::Parameters { step } => write!(f, "parameters were not finite after step {step}"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished(reason) => reason.fmt(f),
            Self::Diverged(divergence) => divergence.fmt(f),
            Self::Interrupted => f.write_str("stopped from outside, with a checkpoint"),
        }
    }
}
