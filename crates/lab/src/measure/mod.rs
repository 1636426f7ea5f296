//! What can be measured of a network: a file a measure.
//!
//! A [`Measure`] says what it needs, and so how much memory it takes; how its [`Part`]s are measured, each of which is
//! kept as soon as it is there; and which numbers it gives to a table. What it finds goes into the sections of an
//! [`Analysis`](crate::Analysis), under keys that know their types ([`Section`]).
//!
//! [`ALL`] is the registry. A test asks each of its rows for sections, a part of the page (`losscape-report`) and a row
//! in docs/measures.md. CONTRIBUTING.md says how to add one.

mod along;
mod bench;
mod keep;
mod kind;
mod needs;
mod record;
mod section;
mod settings;

pub mod basin;
pub mod batch;
pub mod blocks;
pub mod bounds;
pub mod critical;
pub mod diagonal;
mod draw;
pub mod hessian;
pub mod llc;
pub mod noise;
pub mod norms;
pub mod ntk;
pub mod pl;
pub mod sharpness;
pub mod slices;

pub use crate::analysis::Section;
use crate::nearest::meant;
pub use along::{Along, AnyObjective, AnyPoint};
pub use bench::{Bench, Progress};
pub use draw::{Draw, TrackedDraw};
pub use kind::{Measure, Part, Scalars, Tracking};
pub use needs::{KernelPart, Needs};
pub use settings::AnalysisSettings;

/// Every measure, in the order in which they are made.
pub const ALL: &[&Measure] = &[
    &hessian::MEASURE,
    &blocks::MEASURE,
    &diagonal::MEASURE,
    &ntk::MEASURE,
    &pl::MEASURE,
    &bounds::MEASURE,
    &sharpness::MEASURE,
    &critical::MEASURE,
    &batch::MEASURE,
    &noise::MEASURE,
    &basin::MEASURE,
    &norms::MEASURE,
    &slices::MEASURE,
    &llc::MEASURE,
];

impl Measure {
    /// The measure of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().copied().find(|measure| measure.name == name)
    }

    /// Those that are made where none is named.
    pub fn usual() -> impl Iterator<Item = &'static Self> {
        ALL.iter().copied().filter(|measure| !measure.on_request)
    }

    /// Those that `[track]` takes.
    pub fn tracked() -> impl Iterator<Item = &'static Self> {
        ALL.iter().copied().filter(|measure| measure.tracking.is_some())
    }

    /// A message about a name that no measure has.
    #[must_use]
    pub fn unknown(name: &str) -> String {
        let names = || ALL.iter().map(|measure| measure.name);
        let known = names().collect::<Vec<_>>().join(", ");
        format!("unknown measure `{name}`; known are {known}{}", meant(name, names()))
    }
}
