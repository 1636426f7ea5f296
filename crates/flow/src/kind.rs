//! The flows by name.

use burn::tensor::Tensor;
use losscape_analysis::Objective;
use losscape_model::Network;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::central::Central;
use crate::edge::Edge;
use crate::error::FlowError;
use crate::flow::Flow;
use crate::rod::Rod;
use crate::stable::Stable;
use crate::update::{Start, Update};

/// The table of flows: a variant with its name, what it models, and what it is.
macro_rules! flows {
    ($($variant:ident = $name:literal, of $models:literal: $words:literal;)+) => {
        /// A flow.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "lowercase")]
        pub enum Kind {
            $(#[doc = $words] $variant,)+
        }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The methods that it models.
            #[must_use]
            pub fn models(self) -> &'static str {
                match self {
                    $(Self::$variant => $models,)+
                }
            }

            /// What it is, in a line.
            #[must_use]
            pub fn words(self) -> &'static str {
                match self {
                    $(Self::$variant => $words,)+
                }
            }
        }
    };
}

flows! {
    Stable = "stable", of "gd, momentum, nesterov, rmsprop, scalar-rmsprop, adam":
        "the path at small steps; of gradient descent, gradient flow";
    Central = "central", of "gd, rmsprop, scalar-rmsprop":
        "the path averaged over the oscillation that keeps the curvature at the edge";
    Rod = "rod", of "gd, momentum, nesterov, rmsprop, scalar-rmsprop, adam with averages of up to 0.96":
        "two successive steps as the ends of a rod that moves and grows";
    Edge = "edge", of "gd":
        "a middle, the direction of the oscillation around it, and its extent";
}

impl Kind {
    /// Vectors as long as the parameters that it holds while it goes on, about, besides those of its searches for
    /// eigenvalues.
    pub(crate) fn vectors(self) -> usize {
        match self {
            // The stages of a Runge-Kutta step, of up to three blocks.
            Self::Stable => 30,
            // With six directions at the edge, the third derivatives along their pairs, and what these make of ν.
            Self::Central => 60,
            Self::Rod => 30,
            Self::Edge => 10,
        }
    }

    /// Whether it models a method.
    #[must_use]
    pub fn models_update(self, update: &Update) -> bool {
        match self {
            Self::Stable => true,
            // Its steps of a quarter are unstable beyond.
            Self::Rod => update.momentum.is_none_or(|b| b <= 0.96),
            Self::Central => update.momentum.is_none(),
            Self::Edge => update.momentum.is_none() && !update.is_preconditioned(),
        }
    }

    /// The flow of a method from `w`; what it draws depends on the seed alone.
    ///
    /// # Errors
    ///
    /// [`FlowError::Unmodelled`] for a method that it does not model; when loss or gradient are not finite at `w`.
    pub fn begin<N: Network>(
        self,
        update: &Update,
        objective: &Objective<N>,
        w: &Tensor<1>,
        seed: u64,
    ) -> Result<Box<dyn Flow<N>>, FlowError> {
        self.join(update, objective, &Start { w: w.clone(), nu: None }, seed)
    }

    /// The flow of a method that has been at work.
    pub(crate) fn join<N: Network>(
        self,
        update: &Update,
        objective: &Objective<N>,
        start: &Start,
        seed: u64,
    ) -> Result<Box<dyn Flow<N>>, FlowError> {
        if !self.models_update(update) {
            return Err(FlowError::Unmodelled { flow: self.name(), models: self.models() });
        }
        let own = update.clone();
        Ok(match self {
            Self::Stable => Box::new(Stable::begin(own, objective, start)?),
            Self::Central => Box::new(Central::begin(own, objective, start, seed)?),
            Self::Rod => Box::new(Rod::begin(own, objective, start, seed)?),
            Self::Edge => Box::new(Edge::begin(update, objective, start, seed)?),
        })
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
