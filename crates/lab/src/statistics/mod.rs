//! Rank correlations over training runs, and how certain they are.
//!
//! Runs that share a seed share initial weights and data, and with them most of what makes their outcomes differ. Every
//! statistic is therefore taken among the runs of one seed and averaged over the seeds, and its interval knows that
//! seeds and configurations are shared. Tests simulate coverage, false alarms and power over several structures of
//! dependence.
//!
//! - [`kendall`]: Kendall's τ-b of two lists.
//! - [`runs`]: runs as they are crossed by seeds and configurations, and the three statistics of them: τ, granulated τ,
//!   and the partial τ given the settings.
//! - [`interval`]: the variance of a mean of compared pairs, and the interval made of it.
//! - [`partial`]: what is left of two quantities once the settings are taken out.

pub mod interval;
pub mod kendall;
pub mod partial;
pub mod runs;
mod student;

pub use interval::Tau;
pub use partial::Settings;
pub use runs::{FEWEST, Place, Runs};
pub use student::student;
