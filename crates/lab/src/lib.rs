//! The laboratory: from a configuration file to a trained network and everything worth keeping of the way there.
//!
//! The only crate that sees model, optimizer and analysis together.
//!
//! - [`config`]: what a run is made of; [`document`]: the TOML it comes from, with errors that point at their source;
//!   [`schema`]: what it can say, made from the types; [`nearest`]: what a misspelt word was meant to be.
//! - [`plan`]: a configuration with its data, checked, and its identity.
//! - [`trainer`]: one step-level loop for every network and method; [`outcome`]: how it ends; [`observe`]: how to
//!   measure along it; [`track`]: curvature along it; [`flows`]: differential equations beside it.
//! - [`run`]: a run in its folder, with [`checkpoint`]s and step-exact resume; [`folder`]: the folder's layout.
//! - [`records`]: the types of the files in it, for whoever reads them.
//! - [`subject`]: a network to be measured, from a run or from files; [`measure`]: what can be measured of it, a file a
//!   measure; [`analysis`]: the measurements, as a record.
//! - [`statistics`]: rank correlations over runs, for studies and claims.
//! - [`pytorch`]: weights for PyTorch, and from it.
//! - `learner` (feature `learner`): the same networks and methods under Burn's own `Learner`.
//!
//! # The same bits
//!
//! The same configuration on the same kind of machine gives the same weights and the same measurements to the bit, with
//! any number of threads and after any interruption. The exceptions:
//!
//! - [L-BFGS](losscape_optim::lbfgs) on more than 4,194,304 parameters in f32;
//! - measuring within a memory budget so small that chunks shrink, as they shrink more with more threads
//!   ([`Map::within`](losscape_tangent::Map::within));
//! - what [`track`] measures between a checkpoint that a signal asked for and the next one;
//! - another device, or a processor with other instructions, by which flex chooses its kernels: they agree to rounding.

pub mod analysis;
mod applied;
mod average;
pub mod checkpoint;
pub mod config;
pub mod connectivity;
mod digest;
pub mod document;
mod error;
pub mod flows;
pub mod folder;
mod gradient;
#[cfg(feature = "learner")]
pub mod learner;
mod matching;
pub mod measure;
pub mod memory;
pub mod nearest;
mod numbers;
pub mod observe;
pub mod open;
pub mod outcome;
mod overrides;
pub mod plan;
pub mod pytorch;
pub mod records;
pub mod run;
pub mod running;
pub mod schema;
mod source_error;
pub mod statistics;
pub mod subject;
pub mod track;
pub mod trainer;

pub use analysis::Analysis;
pub use config::RunConfig;
pub use connectivity::Connection;
pub use document::Document;
pub use error::{LabError, SettingError};
pub use flows::Flows;
pub use folder::RunFolder;
pub use observe::{Moment, Observe};
pub use outcome::{Divergence, Outcome, Reason};
pub use plan::Plan;
pub use run::{Run, RunOptions};
pub use source_error::SourceError;
pub use subject::Subject;
pub use trainer::{Evaluation, Position, Trainer};

/// The README's examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
