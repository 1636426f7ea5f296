//! The folder that a run leaves behind, and how files get into it whole.
//!
//! A process may be killed at any moment. A file is therefore written beside its place, brought to the disk, and
//! renamed ([`write_whole`]); what a killed process left of that is swept away at the next start. Locks are held by the
//! process, so that the system releases those of one that died.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::Mode;
use crate::error::LabError;
use crate::records::{Manifest, Metric, Status, Summary};

/// A run folder; see the crate's documentation for what the files mean.
///
/// ```text
/// <label>-<run_id>/
///   manifest.json     where the run comes from
///   config.toml       its configuration, defaults filled in: feeding it back repeats the run
///   status.json       how far it is; "done" is written last
///   metrics.jsonl     one record a line
///   summary.json      the run in one flat object
///   checkpoints/      step-<number>/{model.bpk, optimizer.bpk, state.json} and `latest`, the name of the newest
///   model.safetensors the trained weights under PyTorch's names
///   average/          the average of the weights: its model.safetensors, and what was measured of it
///   analysis/         measurements of the newest checkpoint, a file a section, arrays as .npy
///   plots/            figures
///   report.html       all of it to read
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// The run folder at `path`, which need not exist yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The path that it was made with.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `manifest.json`: a [`Manifest`].
    #[must_use]
    pub fn manifest(&self) -> PathBuf {
        self.path.join("manifest.json")
    }

    /// `config.toml`: the configuration with its defaults.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// `status.json`: a [`Status`].
    #[must_use]
    pub fn status(&self) -> PathBuf {
        self.path.join("status.json")
    }

    /// `metrics.jsonl`: a [`Metric`] a line.
    #[must_use]
    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// `summary.json`: a [`Summary`], once training ended or was interrupted.
    #[must_use]
    pub fn summary(&self) -> PathBuf {
        self.path.join("summary.json")
    }

    /// `flow.json`: how the flows beside the training did.
    #[must_use]
    pub fn flow(&self) -> PathBuf {
        self.path.join("flow.json")
    }

    /// `checkpoints/`: a folder each, and `latest`.
    #[must_use]
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// `model.safetensors`: the trained weights, once training ended as configured.
    #[must_use]
    pub fn weights(&self) -> PathBuf {
        self.path.join("model.safetensors")
    }

    /// `average/`: the average of the weights, where `[average]` asks for one, under the names that weights, analysis,
    /// figures and page of a run have.
    #[must_use]
    pub fn average(&self) -> Self {
        Self::new(self.path.join("average"))
    }

    /// `analysis/`: what was measured, a file a section.
    #[must_use]
    pub fn analysis(&self) -> PathBuf {
        self.path.join("analysis")
    }

    /// Where measurements in this mode stand: `analysis/`, or `analysis-batch/`.
    #[must_use]
    pub fn analysis_in(&self, mode: Mode) -> PathBuf {
        match mode {
            Mode::Evaluation => self.analysis(),
            Mode::Batch => self.path.join("analysis-batch"),
        }
    }

    /// `run.lock`, held by the process that trains.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.path.join("run.lock")
    }

    /// `plots/`: figures as SVG.
    #[must_use]
    pub fn plots(&self) -> PathBuf {
        self.path.join("plots")
    }

    /// `report.html`: one page that needs no network.
    #[must_use]
    pub fn report(&self) -> PathBuf {
        self.path.join("report.html")
    }

    /// Whether a process trains in it now; where the file system has no locks, that is not known.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        let Ok(file) = File::open(self.lock()) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    /// Makes the folder for measurements in this mode, with a look whether it can be written.
    ///
    /// # Errors
    ///
    /// When it cannot.
    pub fn begin_analysis(&self, mode: Mode) -> Result<(), LabError> {
        let path = self.analysis_in(mode);
        no_link(&path)?;
        create(&path)?;
        temporary(&path).map(drop).map_err(LabError::io("write", path))
    }

    /// Reads `manifest.json`.
    ///
    /// # Errors
    ///
    /// When it is missing or damaged.
    pub fn read_manifest(&self) -> Result<Manifest, LabError> {
        read_json(&self.manifest())
    }

    /// Reads `status.json`.
    ///
    /// # Errors
    ///
    /// When it is missing or damaged.
    pub fn read_status(&self) -> Result<Status, LabError> {
        read_json(&self.status())
    }

    /// Reads `summary.json`.
    ///
    /// # Errors
    ///
    /// When it is missing or damaged.
    pub fn read_summary(&self) -> Result<Summary, LabError> {
        read_json(&self.summary())
    }

    /// Reads every record of `metrics.jsonl`; a last line that was cut short by a kill is left out.
    ///
    /// # Errors
    ///
    /// When the file is missing, or a line before the last is no record.
    pub fn read_metrics(&self) -> Result<Vec<Metric>, LabError> {
        let path = self.metrics();
        let text = std::fs::read_to_string(&path).map_err(LabError::io("read", &path))?;
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .enumerate()
            .map(|(at, line)| {
                serde_json::from_str(line).map_err(|error| LabError::Damaged {
                    path: path.clone(),
                    problem: format!("line {} is no record: {error}", at + 1),
                })
            })
            .collect()
    }
}

/// A file that is locked as long as this lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    /// Why nothing is guarded, where the file system has no locks.
    pub unguarded: Option<LabError>,
}

/// Opens and locks a file, which is made if it does not exist; `what` is named when another process holds it. A file
/// system without locks (Lustre and NFS as they are often mounted) is no reason not to work.
///
/// # Errors
///
/// [`LabError::Busy`] when another process holds it, and when the file cannot be made.
pub fn lock(path: &Path, what: &Path) -> Result<Lock, LabError> {
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(LabError::io("write", path))?;
    // Who only looks whether the file is locked holds it for a moment.
    for attempt in 1.. {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if attempt < 5 => std::thread::sleep(Duration::from_millis(10)),
            Err(TryLockError::WouldBlock) => return Err(LabError::Busy { path: what.to_owned() }),
            Err(TryLockError::Error(source)) if has_no_locks(&source) => {
                return Ok(Lock {
                    _file: file,
                    unguarded: Some(LabError::Unguarded { path: what.to_owned(), source }),
                });
            }
            Err(TryLockError::Error(error)) => return Err(LabError::io("lock", path)(error)),
        }
    }
    Ok(Lock { _file: file, unguarded: None })
}

/// ENOSYS and EOPNOTSUPP, or ENOLCK, which has no kind of its own.
fn has_no_locks(error: &std::io::Error) -> bool {
    const ENOLCK: i32 = 37;
    error.kind() == ErrorKind::Unsupported || cfg!(target_os = "linux") && error.raw_os_error() == Some(ENOLCK)
}

/// Creates a folder and those above it.
///
/// # Errors
///
/// When one of them cannot be created.
pub fn create(path: &Path) -> Result<(), LabError> {
    std::fs::create_dir_all(path).map_err(LabError::io("create", path))
}

/// Writes a file whole or not at all: into a temporary file beside it, to the disk, and renamed.
///
/// # Errors
///
/// When the folder cannot be written or the disk is full; a file already there is then untouched.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), LabError> {
    let write = || -> std::io::Result<()> {
        // A bare file name has the empty path as its parent.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = temporary(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        sync_folder(folder)
    };
    write().map_err(LabError::io("write", path))
}

/// A temporary file that, once in its place, may be read by whom the user's umask allows.
fn temporary(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// How the names of temporary files begin.
const TEMPORARY: &str = ".losscape-";

/// Removes temporary files that killed processes left in a folder. Nobody else may be at work in it.
pub(crate) fn sweep(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // Those of earlier versions had the names that the `tempfile` crate gives.
        let ours = name.starts_with(TEMPORARY)
            || name.strip_prefix(".tmp").is_some_and(|rest| rest.len() == 6 && rest.chars().all(char::is_alphanumeric));
        if ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Brings a folder's entries (renames, new files) to the disk, where the file system can (CIFS cannot).
pub(crate) fn sync_folder(path: &Path) -> std::io::Result<()> {
    match File::open(path)?.sync_all() {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}

/// Refuses a link where a run has a file or folder of its own: writing or removing would touch what it points to.
///
/// # Errors
///
/// When there is a link.
pub fn no_link(path: &Path) -> Result<(), LabError> {
    if std::fs::symlink_metadata(path).is_ok_and(|there| there.file_type().is_symlink()) {
        let problem = "it is a link, and what it points to is not this run's; remove the link".to_owned();
        return Err(LabError::Damaged { path: path.to_owned(), problem });
    }
    Ok(())
}

/// Writes a value as indented JSON, whole or not at all.
///
/// # Errors
///
/// As [`write_whole`].
///
/// # Panics
///
/// For a value whose maps have keys that are no strings.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), LabError> {
    let mut text = serde_json::to_vec_pretty(value).expect("records have only string keys");
    text.push(b'\n');
    write_whole(path, &text)
}

/// Reads a value from JSON.
///
/// # Errors
///
/// When the file cannot be read, or is none of such a value.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, LabError> {
    let text = std::fs::read(path).map_err(LabError::io("read", path))?;
    serde_json::from_slice(&text)
        .map_err(|error| LabError::Damaged { path: path.to_owned(), problem: error.to_string() })
}
