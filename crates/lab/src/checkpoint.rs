//! Checkpoints: everything a run needs to go on as if it had never stopped.
//!
//! A checkpoint is written into a folder of another name, brought to the disk and renamed; only then does `latest` name it. A kill
//! at any moment leaves the one before it whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use losscape_model::Model;
use sha2::{Digest, Sha256};

use burn::module::Module;

use crate::LabError;
use crate::folder::{RunFolder, create, read_json, sync_folder, write_json, write_whole};
use crate::plan::hex;
use crate::records::{CheckpointState, SCHEMA};
use crate::trainer::Trainer;

const MODEL: &str = "model.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const STATE: &str = "state.json";

/// Checkpoints kept: the newest, and one before it in case the newest turns out damaged.
const KEPT: usize = 2;

/// A checkpoint on disk that has been found whole.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    path: PathBuf,
    /// Where it stands.
    pub state: CheckpointState,
}

impl Checkpoint {
    /// The network's record.
    #[must_use]
    pub fn model(&self) -> PathBuf {
        self.path.join(MODEL)
    }

    /// The optimizer's state.
    #[must_use]
    pub fn optimizer(&self) -> PathBuf {
        self.path.join(OPTIMIZER)
    }

    /// Writes a checkpoint of `trainer` and removes those no longer kept.
    pub(crate) fn write(
        folder: &RunFolder,
        trainer: &Trainer<Model>,
        run_id: &str,
        metrics_bytes: u64,
    ) -> Result<(), LabError> {
        let root = folder.checkpoints();
        let name = format!("step-{:08}", trainer.step());
        let path = root.join(&name);
        if Self::open(folder, path.clone()).is_ok_and(|there| there.state.metrics_bytes == metrics_bytes) {
            return Ok(());
        }
        let draft = root.join(format!("{name}.draft"));
        remove(&draft)?;
        create(&draft)?;
        let record = trainer.network().clone().into_record();
        record
            .save(draft.join(MODEL))
            .map_err(|error| LabError::Damaged { path: draft.join(MODEL), problem: error.to_string() })?;
        trainer.save_method(&draft.join(OPTIMIZER))?;
        let mut digests = BTreeMap::new();
        for file in [MODEL, OPTIMIZER] {
            let path = draft.join(file);
            File::open(&path).and_then(|file| file.sync_all()).map_err(LabError::io("write", &path))?;
            digests.insert(file.to_owned(), digest(&path)?);
        }
        let state = CheckpointState {
            schema: SCHEMA,
            run_id: run_id.to_owned(),
            step: trainer.step(),
            metrics_bytes,
            wall_s: trainer.wall_s(),
            compiled: trainer.is_compiled(),
            digests,
        };
        write_json(&draft.join(STATE), &state)?;
        // What is there is damaged, or it would have been good enough.
        remove(&path)?;
        std::fs::rename(&draft, &path).map_err(LabError::io("write", &path))?;
        sync_folder(&root).map_err(LabError::io("write", &root))?;
        write_whole(&root.join("latest"), format!("{name}\n").as_bytes())?;
        for old in list(&root)?.into_iter().skip(KEPT) {
            remove(&old)?;
        }
        Ok(())
    }

    /// The newest checkpoint that is whole, with what was wrong with newer ones; `None` when no checkpoint was ever finished.
    ///
    /// # Errors
    ///
    /// When there are checkpoints and none is whole.
    pub fn newest(folder: &RunFolder) -> Result<Option<(Self, Vec<LabError>)>, LabError> {
        let root = folder.checkpoints();
        if !root.join("latest").exists() {
            return Ok(None);
        }
        let mut problems = Vec::new();
        for path in list(&root)? {
            match Self::open(folder, path) {
                Ok(checkpoint) => return Ok(Some((checkpoint, problems))),
                Err(problem) => problems.push(problem),
            }
        }
        let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Err(LabError::NoCheckpoint { path: root, problems: words.join("; ") })
    }

    fn open(folder: &RunFolder, path: PathBuf) -> Result<Self, LabError> {
        let state: CheckpointState = read_json(&path.join(STATE))?;
        for (file, expected) in &state.digests {
            let file = path.join(file);
            if digest(&file)? != *expected {
                let problem = "its content is not what was written; it is truncated or was changed".to_owned();
                return Err(LabError::Damaged { path: file, problem });
            }
        }
        let metrics = folder.metrics();
        let length = std::fs::metadata(&metrics).map_err(LabError::io("read", &metrics))?.len();
        if length < state.metrics_bytes {
            let problem = format!("{} bytes expected, {length} found", state.metrics_bytes);
            return Err(LabError::Damaged { path: metrics, problem });
        }
        Ok(Self { path, state })
    }
}

/// Finished checkpoints, newest first.
fn list(root: &Path) -> Result<Vec<PathBuf>, LabError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root).map_err(LabError::io("read", root))? {
        let path = entry.map_err(LabError::io("read", root))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.strip_prefix("step-").is_some_and(|number| number.bytes().all(|digit| digit.is_ascii_digit())) {
            found.push(path);
        }
    }
    // Numbers of more than eight digits are longer, and larger, than those of eight.
    found.sort_by_key(|path| std::cmp::Reverse((path.as_os_str().len(), path.clone())));
    Ok(found)
}

fn remove(path: &Path) -> Result<(), LabError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(LabError::io("remove", path)(error)),
        _ => Ok(()),
    }
}

fn digest(path: &Path) -> Result<String, LabError> {
    let bytes = std::fs::read(path).map_err(LabError::io("read", path))?;
    Ok(hex(&Sha256::digest(bytes)))
}
