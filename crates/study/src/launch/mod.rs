//! Who does the runs of a study: [`processes`] of this machine, a job array of [`slurm`], an indexed Job of
//! [`kubernetes`].
//!
//! Each run is a [`worker`]'s, in a process of its own. From Rust, without processes:
//!
//! ```no_run
//! use losscape_study::launch::worker::Worker;
//! use losscape_study::StudyFolder;
//!
//! # fn main() -> Result<(), losscape_lab::LabError> {
//! let (study, ..) = StudyFolder::plan_file("sam.toml".as_ref(), "studies".as_ref())?;
//! let worker = Worker::new(&study, burn::tensor::Device::default(), "flex");
//! for run in study.planned()? {
//!     worker.run(&run, &mut |_| {})?;
//! }
//! # Ok(())
//! # }
//! ```

mod error;
pub mod kubernetes;
pub mod processes;
mod program;
mod script;
pub mod slurm;
pub mod worker;

pub use error::LaunchError;
pub use program::Program;
pub use script::{Array, Job};

/// Exit code of something interrupted, as of sysexits' EX_TEMPFAIL: try again later.
pub const INTERRUPTED: u8 = 75;
