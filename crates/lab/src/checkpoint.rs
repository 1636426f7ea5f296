//! Checkpoints: everything a run needs to go on as if it had never stopped.
//!
//! A checkpoint is written into a folder of another name, brought to the disk and renamed; only then does `latest` name
//! it. A kill at any moment leaves the one before it whole. Its state holds digests of its files, of the records before
//! it, and of itself: what was changed since, by as little as a bit, is found and passed over. An older checkpoint
//! takes its place, and the user is told.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use losscape_model::Model;
use sha2::{Digest, Sha256};

use burn::module::Module;

use crate::average;
use crate::digest::{digest, hex};
use crate::error::LabError;
use crate::folder::{RunFolder, create, read_json, sync_folder, write_json, write_whole};
use crate::observe::Moment;
use crate::records::{CheckpointState, SCHEMA};

const MODEL: &str = "model.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const MEAN: &str = "optimizer.mean.bpk";
const FLOWS: &str = "flows.safetensors";
const AVERAGE: &str = "average.safetensors";
const STATE: &str = "state.json";

/// The files of a checkpoint, and whether there may be a checkpoint without.
const FILES: [(&str, bool); 5] = [(MODEL, false), (OPTIMIZER, false), (MEAN, true), (FLOWS, true), (AVERAGE, true)];

/// Checkpoints kept: the newest, and one before it in case the newest turns out damaged.
const KEPT: usize = 2;

/// A checkpoint on disk that has been found whole.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    path: PathBuf,
    /// The step it was taken at, and the digests of its files.
    pub state: CheckpointState,
}

impl Checkpoint {
    /// `model.bpk`: the network's parameters and running statistics, as Burn records them.
    #[must_use]
    pub fn model(&self) -> PathBuf {
        self.path.join(MODEL)
    }

    /// `optimizer.bpk`: the state of the method; that of Friendly SAM lies beside it, in `optimizer.mean.bpk`.
    #[must_use]
    pub fn optimizer(&self) -> PathBuf {
        self.path.join(OPTIMIZER)
    }

    /// `flows.safetensors`: the flows beside the training, where there are some.
    pub(crate) fn flows(&self) -> PathBuf {
        self.path.join(FLOWS)
    }

    /// `average.safetensors`: what the average of the weights goes on from, where there is one.
    pub(crate) fn average(&self) -> PathBuf {
        self.path.join(AVERAGE)
    }

    /// Writes a checkpoint of this moment, with the file of flows where there are some, and removes those no longer
    /// kept.
    pub(crate) fn write(
        folder: &RunFolder,
        moment: &Moment<Model>,
        run_id: &str,
        records: &Records,
        flows: Option<&[u8]>,
    ) -> Result<(), LabError> {
        let root = folder.checkpoints();
        let name = name(moment.step());
        let path = root.join(&name);
        if Self::open(folder, path.clone(), run_id).is_ok_and(|there| there.state.metrics_bytes == records.bytes) {
            return Ok(());
        }
        let draft = root.join(format!("{name}.draft"));
        remove(&draft)?;
        create(&draft)?;
        let record = moment.network().clone().into_record();
        record
            .save(draft.join(MODEL))
            .map_err(|error| LabError::Damaged { path: draft.join(MODEL), problem: error.to_string() })?;
        moment
            .save_method(&draft.join(OPTIMIZER))
            .map_err(|error| LabError::Damaged { path: draft.join(OPTIMIZER), problem: error.to_string() })?;
        if let Some(flows) = flows {
            write_whole(&draft.join(FLOWS), flows)?;
        }
        if let Some(average) = moment.average() {
            write_whole(&draft.join(AVERAGE), &average::bytes(average))?;
        }
        let mut digests = BTreeMap::new();
        for (file, optional) in FILES {
            let path = draft.join(file);
            if optional && !path.exists() {
                continue;
            }
            File::open(&path).and_then(|file| file.sync_all()).map_err(LabError::io("write", &path))?;
            digests.insert(file.to_owned(), digest(&path)?);
        }
        let state = CheckpointState {
            schema: SCHEMA,
            run_id: run_id.to_owned(),
            step: moment.step(),
            metrics_bytes: records.bytes,
            wall_s: moment.wall_s(),
            compiled: moment.is_compiled(),
            digests,
            metrics_digest: Some(records.digest()),
            seal: None,
        };
        write_json(&draft.join(STATE), &sealed(state))?;
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

    /// The newest checkpoint of a run that is whole, with what was wrong with newer ones; `None` when no checkpoint was
    /// ever finished.
    ///
    /// # Errors
    ///
    /// When there are checkpoints and none is whole.
    pub fn newest(folder: &RunFolder, run_id: &str) -> Result<Option<(Self, Vec<LabError>)>, LabError> {
        let root = folder.checkpoints();
        if !root.exists() {
            return Ok(None);
        }
        let (mut problems, found) = (Vec::new(), list(&root)?);
        if found.is_empty() {
            return Ok(None);
        }
        for path in found {
            match Self::open(folder, path, run_id) {
                Ok(checkpoint) => return Ok(Some((checkpoint, problems))),
                Err(problem) => problems.push(problem),
            }
        }
        let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Err(LabError::NoCheckpoint { path: root, problems: words.join("; ") })
    }

    fn open(folder: &RunFolder, path: PathBuf, run_id: &str) -> Result<Self, LabError> {
        let file = path.join(STATE);
        let state: CheckpointState = read_json(&file)?;
        let damaged = |problem: &str| Err(LabError::Damaged { path: file.clone(), problem: problem.to_owned() });
        let unsealed = CheckpointState { seal: None, ..state.clone() };
        if state.seal.is_some() && state != sealed(unsealed) {
            return damaged("its content is not what was written");
        }
        if state.schema != SCHEMA {
            return damaged(&format!("it has schema version {}, this program reads {SCHEMA}", state.schema));
        }
        if state.run_id != run_id {
            return damaged(&format!("it belongs to run {}", state.run_id));
        }
        if path.file_name().is_none_or(|there| there != name(state.step).as_str()) {
            return damaged(&format!("it is of step {}, which is not what its folder is called", state.step));
        }
        for (name, optional) in FILES {
            let path = path.join(name);
            if optional && !state.digests.contains_key(name) {
                continue;
            }
            if state.digests.get(name) != Some(&digest(&path)?) {
                let problem = "its content is not what was written; it is truncated or was changed".to_owned();
                return Err(LabError::Damaged { path, problem });
            }
        }
        Records::before(folder, &state)?;
        Ok(Self { path, state })
    }

    /// Makes the checkpoint one of another run that goes on from it, with the records before it.
    pub(crate) fn hand_over(&self, from: &RunFolder, to: &RunFolder, run_id: &str) -> Result<(), LabError> {
        let records = Records::before(from, &self.state)?;
        let metrics = std::fs::read(from.metrics()).map_err(LabError::io("read", from.metrics()))?;
        let metrics = metrics.get(..records.bytes as usize).unwrap_or_default();
        write_whole(&to.metrics(), metrics)?;
        let (root, name) = (to.checkpoints(), name(self.state.step));
        let draft = root.join(format!("{name}.draft"));
        remove(&draft)?;
        create(&draft)?;
        for file in self.state.digests.keys().filter(|name| FILES.iter().any(|(file, _)| file == name)) {
            let from = self.path.join(file);
            let bytes = std::fs::read(&from).map_err(LabError::io("read", &from))?;
            write_whole(&draft.join(file), &bytes)?;
        }
        let metrics_digest = Some(records.digest());
        let state = CheckpointState { run_id: run_id.to_owned(), metrics_digest, seal: None, ..self.state.clone() };
        write_json(&draft.join(STATE), &sealed(state))?;
        let path = root.join(&name);
        std::fs::rename(&draft, &path).map_err(LabError::io("write", &path))?;
        sync_folder(&root).map_err(LabError::io("write", &root))?;
        write_whole(&root.join("latest"), format!("{name}\n").as_bytes())
    }
}

/// The records that have been written, as a checkpoint knows them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Records {
    /// Their length.
    pub bytes: u64,
    hash: Sha256,
}

impl Records {
    /// Adds what was written.
    pub fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.hash.update(bytes);
    }

    /// SHA-256, in hex.
    pub fn digest(&self) -> String {
        hex(&self.hash.clone().finalize())
    }

    /// Those before a checkpoint.
    ///
    /// # Errors
    ///
    /// When they are not what was written.
    pub fn before(folder: &RunFolder, state: &CheckpointState) -> Result<Self, LabError> {
        let path = folder.metrics();
        let bytes = std::fs::read(&path).map_err(LabError::io("read", &path))?;
        let (expected, found) = (state.metrics_bytes, bytes.len());
        let there = usize::try_from(expected).ok().and_then(|length| bytes.get(..length));
        let Some(there) = there else {
            let problem = format!("{expected} bytes expected, {found} found");
            return Err(LabError::Damaged { path, problem });
        };
        let mut records = Self::default();
        records.add(there);
        if state.metrics_digest.as_ref().is_some_and(|digest| *digest != records.digest()) {
            let problem = format!("its first {expected} bytes are not what was written");
            return Err(LabError::Damaged { path, problem });
        }
        Ok(records)
    }
}

/// Name of the folder of a checkpoint.
fn name(step: usize) -> String {
    format!("step-{step:08}")
}

/// The state with a seal on all the rest of it.
fn sealed(state: CheckpointState) -> CheckpointState {
    let text = serde_json::to_vec(&state).expect("a state has only string keys");
    CheckpointState { seal: Some(hex(&Sha256::digest(text))), ..state }
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
