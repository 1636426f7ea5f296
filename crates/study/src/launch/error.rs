//! Why runs cannot be handed over.

use std::path::PathBuf;

use losscape_lab::LabError;

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
