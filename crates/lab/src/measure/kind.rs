//! What a measure is.

use losscape_analysis::AnalysisError;
use losscape_model::Loss;

use super::along::Along;
use super::bench::Bench;
use super::needs::Needs;
use crate::analysis::Analysis;

/// Something that can be measured.
#[derive(Debug)]
pub struct Measure {
    /// Its name on the command line, in studies and in docs/measures.md.
    pub name: &'static str,
    /// What it is, in one line.
    pub words: &'static str,
    /// What has to be at hand, with this loss.
    pub needs: fn(Loss) -> Needs,
    /// Whether it is made only where it is named: it takes thousands of gradients.
    pub on_request: bool,
    /// What it consists of; each is kept as soon as it is measured.
    pub parts: &'static [Part],
    /// Numbers for a table of runs, by name: handed out one by one, those that there are.
    ///
    /// An eigenvalue is named after its operator (`hessian_max`), an estimate after its quantity, with its standard
    /// error behind it (`hessian_trace`, `hessian_trace_sem`).
    pub scalars: Scalars,
    /// How it is made along training, if it is cheap enough.
    pub tracking: Option<Tracking>,
}

/// A measure along training, for `[track]`.
#[derive(Debug)]
pub struct Tracking {
    /// Whether it is made of the first samples alone, as many as `[track]` says; otherwise of all.
    pub of_part: bool,
    /// Whether the tangent kernel is decomposed for it.
    pub kernel: bool,
    /// How many of the weights before a look it is made of.
    pub before: usize,
    /// Measures at a moment, and gives its quantities by [`Along::put`].
    pub run: fn(&mut Along) -> Result<(), AnalysisError>,
}

/// Hands out numbers of an analysis by name.
pub type Scalars = fn(&Analysis, &mut dyn FnMut(&str, Option<f64>));

/// What is found in one go, and kept in a file of its own.
#[derive(Debug)]
pub struct Part {
    /// The section that it fills.
    pub section: &'static str,
    /// Whether a value can be that of the section.
    pub(crate) fits: fn(&serde_json::Value) -> Result<(), serde_json::Error>,
    /// Fills the section.
    pub(crate) run: fn(&Bench, &mut Analysis) -> Result<(), AnalysisError>,
    /// Lists of numbers that go with it, each in an `.npy` file of its own.
    pub(crate) arrays: &'static [&'static str],
    /// Whether what was found now takes the place of what was found earlier, of the same network.
    pub(crate) replaces: fn(now: &Analysis, earlier: &Analysis) -> bool,
}

impl PartialEq for Measure {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Measure {}
