//! Studies: many runs that differ in chosen settings, measured alike, in one table.
//!
//! A study is a training configuration with one table more:
//!
//! ```toml
//! [study]
//! design = "grid"              # every combination; or "list", or "random"
//! measures = ["bounds", "norms"]
//! [study.axes]                 # any key of the configuration
//! "optimizer.learning_rate" = [0.05, 0.1, 0.2]
//! "training.batch_size" = [16, 64]
//! seed = [0, 1, 2]
//! ```
//!
//! - [`design`]: from axes to settings.
//! - [`folder`]: the plan of a study on disk, and how far its runs are.
//! - [`result`]: what one run leaves for the table; [`finish`]: how it is measured for that; [`table`]: the rows of all
//!   runs, as CSV and Parquet.
//! - [`findings`]: which measure goes with which outcome.
//!
//! - [`launch`]: who does the runs: processes, Slurm, Kubernetes.

pub mod design;
pub mod findings;
pub mod finish;
pub mod folder;
pub mod launch;
pub mod result;
pub mod table;

pub use design::{Measuring, StudyConfig};
pub use findings::{Association, Comparable, Findings};
pub use folder::{PlannedRun, RunState, StudyFolder};
pub use result::RunResult;
pub use table::{Column, Merged, Table};

/// The README's examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
