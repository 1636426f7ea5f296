//! What scripts for schedulers have in common.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use losscape_lab::LabError;
use losscape_lab::folder::{create, write_whole};

use super::error::LaunchError;
use super::program::Program;
use crate::StudyFolder;
use crate::folder::own;

/// Tasks of an array: Slurm's own limit, `MaxArraySize`, is 1001, of which the last index is one less.
const TASKS: usize = 1000;

/// How the runs of a study are cut into tasks.
#[derive(Debug, Clone)]
pub struct Array {
    /// Runs of a task. Default: so many that there are at most 1,000 tasks.
    pub chunk: Option<NonZeroUsize>,
    /// Tasks at a time. Default: no limit.
    pub limit: Option<NonZeroUsize>,
    /// Threads of each run.
    pub threads: u16,
    /// The device of each run, by its name on the command line.
    pub device: String,
}

/// An array of tasks for a study.
#[derive(Debug)]
pub struct Job {
    /// The program.
    pub(super) program: Program,
    /// The study's folder.
    pub(super) folder: PathBuf,
    /// Name of the study, as schedulers take it.
    pub(super) name: String,
    /// How many tasks there are.
    pub tasks: usize,
    /// Runs of a task, one after the other.
    pub chunk: usize,
    pub(super) array: Array,
}

impl Job {
    /// The job of a study's planned runs, done by `program`, which is `losscape` or takes its arguments.
    ///
    /// # Errors
    ///
    /// When no run is planned, or a path cannot stand in a script.
    pub fn new(study: &StudyFolder, program: &Program, array: Array) -> Result<Self, LaunchError> {
        let runs = study.planned()?.len();
        if runs == 0 {
            return Err(LaunchError::NoRuns { folder: study.path().to_owned() });
        }
        let chunk = array.chunk.map_or_else(|| runs.div_ceil(TASKS).max(1), NonZeroUsize::get);
        let folder = std::path::absolute(study.path()).map_err(LabError::io("find", study.path()))?;
        for path in [program.path(), &folder] {
            if path.to_str().is_none_or(|path| path.contains(char::is_control)) {
                return Err(LaunchError::Path { path: path.to_owned() });
            }
        }
        let name = label(&folder.file_name().unwrap_or_default().to_string_lossy());
        Ok(Self { program: program.clone(), folder, name, tasks: runs.div_ceil(chunk), chunk, array })
    }

    /// Writes a script into the study's folder `cluster`.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, LaunchError> {
        let folder = self.folder.join("cluster");
        own(&folder)?;
        create(&folder)?;
        let path = folder.join(name);
        write_whole(&path, text.as_bytes())?;
        Ok(path)
    }
}

/// A name of at most 40 lower-case letters, digits and dashes within, as a DNS label must be and sbatch takes without
/// quotes.
fn label(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = name.chars().map(plain).take(40).collect();
    match name.trim_matches('-') {
        "" => "study".to_owned(),
        name => name.to_owned(),
    }
}
