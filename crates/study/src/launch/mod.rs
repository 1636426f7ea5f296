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

pub mod kubernetes;
pub mod processes;
mod script;
pub mod slurm;
pub mod worker;

use std::path::PathBuf;

use losscape_lab::LabError;

pub use script::{Array, Job};

/// Exit code of something interrupted, as of sysexits' EX_TEMPFAIL: try again later.
pub const INTERRUPTED: u8 = 75;

/// Why runs cannot be handed over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// From the laboratory.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// There is nothing to do.
    #[error("no run is planned in {}", folder.display())]
    NoRuns {
        /// The study's folder.
        folder: PathBuf,
    },
    /// A path that a script cannot hold.
    #[error("{} cannot stand in a script: it must be UTF-8, without control characters", path.display())]
    Path {
        /// The path.
        path: PathBuf,
    },
    /// A text that is no option of sbatch.
    #[error("--option {option:?} is none of sbatch's; write NAME or NAME=VALUE on one line")]
    Option {
        /// The text.
        option: String,
    },
    /// There is no sbatch.
    #[error("cannot start sbatch: {0}; with --dry-run the scripts are written only")]
    NoSbatch(std::io::Error),
    /// Slurm does not take the job.
    #[error("sbatch refused: {said}")]
    Refused {
        /// What it said.
        said: String,
    },
}
