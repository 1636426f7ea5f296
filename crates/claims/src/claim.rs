//! What a claim is.

use losscape_lab::LabError;
use serde::{Deserialize, Serialize};

use crate::evidence::Evidence;
use crate::false_statement::FalseStatement;
use crate::verdict::Expectation;
use crate::workbench::Workbench;

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
    /// The edge of stability.
    Edge,
    /// Wide networks.
    Width,
    /// Flat minima.
    Flatness,
}

impl std::fmt::Display for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::StepSize => "step size",
            Self::Convergence => "convergence",
            Self::Optimizers => "optimizers",
            Self::PolyakLojasiewicz => "PL and the tangent kernel",
            Self::Edge => "edge of stability",
            Self::Width => "width",
            Self::Flatness => "flatness",
        })
    }
}

/// A statement and how it is put to a measurement.
#[derive(Debug)]
pub struct Claim {
    /// Its name on the command line, in files and in the documentation.
    pub id: &'static str,
    /// Which part of the notes it belongs to.
    pub family: Family,
    /// As printed in the notes, in words and LaTeX between dollar signs.
    pub printed: &'static str,
    /// What is exactly true, likewise.
    pub exact: &'static str,
    /// Where it comes from: a section of the notes, and papers with their theorem or equation.
    pub source: &'static str,
    /// The verdict that theory expects, set before anything is measured.
    pub expected: Expectation,
    /// Statements near it that are false, at least one for each check of the exact form and each effect.
    pub false_statements: &'static [FalseStatement],
    /// Measures it; what it prepares is noted by the workbench.
    pub measure: fn(&Workbench) -> Result<Evidence, LabError>,
}
