//! Every statement of the lecture notes, and some of the literature's, put to a measurement.
//!
//! A [`Claim`] has a statement as printed and one that is exact, and measures [`Evidence`]: checks of relations between numbers, effects over
//! seeds, key figures, plots. The [`Verdict`] is read from the evidence alone, by one rule for all claims, so that other evidence gives another
//! verdict. What theory expects of it stands in the registry, [`ALL`], from before the measurement.
//!
//! Losses, kernels and factors of two follow the conventions of [`losscape_analysis`].

mod descent;
mod evidence;
mod problem;
mod record;
mod verdict;

mod adam_moments;
mod descent_lemma;
mod gradient_formula;
mod gradient_norm_rate;
mod initialization_distance;
mod momentum_average;
mod momentum_rate;
mod momentum_variance;
mod nesterov_rate;
mod newton_step;
mod optimality_gap;
mod oscillation;
mod pl_inequality;
mod pl_star;
mod quadratic_hessian;
mod rmsprop_scaling;
mod smoothness_bound;
mod step_bound;
mod tangent_kernel;

pub use evidence::{Check, Effect, Evidence, Figure, Form, Interval, Pair, Plot, Relation, Series};
pub use record::{ClaimFolder, ClaimRecord};
pub use verdict::{Expectation, Verdict, counterexample};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::LabError;

/// How much is spent on a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// All claims in three minutes on two cores.
    Quick,
    /// More seeds, widths and steps: half an hour.
    Full,
}

impl Effort {
    /// The one or the other.
    fn of<T>(self, quick: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

/// How a claim is measured.
#[derive(Debug, Clone)]
pub struct ClaimSettings {
    /// Seed of everything random.
    pub seed: u64,
    /// How much is spent.
    pub effort: Effort,
    /// Where it is calculated, in f64 unless a claim says otherwise.
    pub device: Device,
}

/// Which part of the notes a claim belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Gradient descent and its step size.
    StepSize,
    /// How fast it converges.
    Convergence,
    /// Momentum, Nesterov, RMSProp, Adam.
    Optimizers,
    /// Polyak-Łojasiewicz conditions and the tangent kernel.
    PolyakLojasiewicz,
}

impl std::fmt::Display for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::StepSize => "step size",
            Self::Convergence => "convergence",
            Self::Optimizers => "optimizers",
            Self::PolyakLojasiewicz => "PL and the tangent kernel",
        })
    }
}

/// A statement and how it is put to a measurement.
pub struct Claim {
    /// Its name on the command line.
    pub id: &'static str,
    /// Where it belongs.
    pub family: Family,
    /// As printed in the notes, in words and LaTeX between dollar signs.
    pub printed: &'static str,
    /// What is exactly true, likewise.
    pub exact: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// What theory expects.
    pub expected: Expectation,
    /// Measures it.
    pub measure: fn(&ClaimSettings) -> Result<Evidence, LabError>,
}

/// Every claim, in the order of the notes.
pub const ALL: &[Claim] = &[
    gradient_formula::CLAIM,
    quadratic_hessian::CLAIM,
    step_bound::CLAIM,
    newton_step::CLAIM,
    smoothness_bound::CLAIM,
    gradient_norm_rate::CLAIM,
    oscillation::CLAIM,
    momentum_average::CLAIM,
    momentum_variance::CLAIM,
    momentum_rate::CLAIM,
    nesterov_rate::CLAIM,
    rmsprop_scaling::CLAIM,
    adam_moments::CLAIM,
    descent_lemma::CLAIM,
    optimality_gap::CLAIM,
    initialization_distance::CLAIM,
    pl_inequality::CLAIM,
    tangent_kernel::CLAIM,
    pl_star::CLAIM,
];

/// The claim of that name.
#[must_use]
pub fn find(id: &str) -> Option<&'static Claim> {
    ALL.iter().find(|claim| claim.id == id)
}
