//! What can stop a flow.

use losscape_analysis::AnalysisError;
use losscape_krylov::KrylovError;

/// What can stop a flow.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FlowError {
    /// The loss cannot be measured.
    #[error(transparent)]
    Analysis(#[from] AnalysisError),
    /// The method is one that no flow models.
    #[error("no flow models {what}: take gd, momentum, nesterov (re-parameterised), rmsprop or adam with nothing else")]
    Method {
        /// What is in the way.
        what: &'static str,
    },
    /// This flow models other methods.
    #[error("the {flow} flow models {models}; leave it out of flows, or train with one of these")]
    Unmodelled {
        /// The flow.
        flow: &'static str,
        /// What it models.
        models: &'static str,
    },
    /// The equation is so stiff that a step of the method takes too many of its own.
    #[error("stiff: one step of the method takes more than {limit} of the flow")]
    Stiff {
        /// The most allowed.
        limit: usize,
    },
    /// The flow is no longer a finite number.
    #[error("its parameters or its loss are not finite")]
    NotFinite,
    /// No oscillation along the directions at the edge lowers their curvature.
    #[error(
        "no oscillation along the directions at the edge would lower their curvature: the loss has no third \
         derivative there that it could act through"
    )]
    NoOscillation,
}

impl From<KrylovError> for FlowError {
    fn from(error: KrylovError) -> Self {
        Self::Analysis(error.into())
    }
}
