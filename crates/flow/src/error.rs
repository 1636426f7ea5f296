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
    #[error(
        "no flow models {what}: take gd, momentum, nesterov (re-parameterised), rmsprop, scalar-rmsprop or adam at \
         their usual settings, with nothing around them"
    )]
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
    /// A method with momentum has a state that flows cannot begin with.
    #[error(
        "flows of methods with momentum begin where these do: leave start out, or take gd, rmsprop or scalar-rmsprop"
    )]
    Joined,
    /// More directions are at the edge than are followed.
    #[error("more than {most} eigenvalues are at the edge, and no more are followed")]
    TooMany {
        /// The most followed.
        most: usize,
    },
    /// The oscillation that keeps the curvature at the edge was not found.
    #[error("the oscillation that keeps the curvature at the edge was not found: {left:.0e} of it is left over")]
    Unsolved {
        /// What is left of the conditions, relative to what is asked of them.
        left: f64,
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

impl FlowError {
    /// Whether the loss, or what is made of it, is no finite number.
    #[must_use]
    pub fn is_not_finite(&self) -> bool {
        matches!(
            self,
            Self::NotFinite
                | Self::Analysis(
                    AnalysisError::NotFinite { .. } | AnalysisError::Krylov(KrylovError::NotFinite { .. })
                )
        )
    }
}

impl From<KrylovError> for FlowError {
    fn from(error: KrylovError) -> Self {
        Self::Analysis(error.into())
    }
}
