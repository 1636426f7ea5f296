//! What can be measured of a network: a file a measure.
//!
//! A [`Measure`] says what it needs, how its [`Part`]s are measured, and which numbers it gives to a table. What it
//! finds goes into the sections of an [`Analysis`], under keys that know their types ([`Section`]).
//!
//! To add one: its file, a `mod` line, a row of [`ALL`]; a section of the page in `losscape-report`, and a row in
//! `docs/measures.md`. A test asks every measure for them.

mod bench;
mod keep;
mod section;

pub mod basin;
pub mod blocks;
pub mod bounds;
pub mod diagonal;
pub mod hessian;
pub mod norms;
pub mod ntk;
pub mod pl;
pub mod sharpness;
pub mod slices;

use losscape_analysis::AnalysisError;
use losscape_model::Loss;

pub use bench::{AnalysisSettings, Bench, KernelPart, Progress};
pub use section::Section;

use crate::Analysis;

/// Every measure, in the order in which they are made.
pub const ALL: &[&Measure] = &[
    &hessian::MEASURE,
    &blocks::MEASURE,
    &diagonal::MEASURE,
    &ntk::MEASURE,
    &pl::MEASURE,
    &bounds::MEASURE,
    &sharpness::MEASURE,
    &basin::MEASURE,
    &norms::MEASURE,
    &slices::MEASURE,
];

/// Something that can be measured.
#[derive(Debug)]
pub struct Measure {
    /// Its name on the command line, in studies and in docs/measures.md.
    pub name: &'static str,
    /// What it is, in one line.
    pub words: &'static str,
    /// What has to be at hand, with this loss.
    pub needs: fn(Loss) -> Needs,
    /// What it consists of; each is kept as soon as it is measured.
    pub parts: &'static [Part],
    /// Numbers for a table of runs, by name: handed out one by one, those that there are.
    ///
    /// An eigenvalue is named after its operator (`hessian_max`), an estimate after its quantity, with its standard
    /// error behind it (`hessian_trace`, `hessian_trace_sem`).
    pub scalars: Scalars,
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

/// What has to be at hand for a measure; the memory that a measurement takes is that of what its measures need.
#[derive(Debug, Clone, Copy)]
pub struct Needs {
    /// Products with the Hessian, and a Krylov basis of them.
    pub hessian: bool,
    /// What of the tangent kernel.
    pub kernel: KernelPart,
}

impl Needs {
    /// Nothing but loss and gradient.
    pub const NOTHING: Self = Self { hessian: false, kernel: KernelPart::None };
    /// Products with the Hessian.
    pub const HESSIAN: Self = Self { hessian: true, kernel: KernelPart::None };
}

impl Measure {
    /// The measure of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().copied().find(|measure| measure.name == name)
    }

    /// The names of all, for a message.
    #[must_use]
    pub fn names() -> String {
        ALL.iter().map(|measure| measure.name).collect::<Vec<_>>().join(", ")
    }
}

impl PartialEq for Measure {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Measure {}
