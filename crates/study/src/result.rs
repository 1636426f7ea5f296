//! What one run leaves for the table of its study.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use losscape_lab::folder::read_json;
use losscape_lab::records::{SCHEMA, State};
use losscape_lab::{LabError, RunFolder};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::design::Measuring;

/// `result.json`: a run as a row. Written when the run is trained, and again, last of all, when its network is
/// measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// Version of the files: [`SCHEMA`].
    pub schema: u32,
    /// The run's identity.
    pub run_id: String,
    /// Done or diverged.
    pub outcome: State,
    /// Why it ended, in words.
    pub reason: String,
    /// The resolved configuration: a value for every dotted key.
    pub config: BTreeMap<String, Value>,
    /// Numbers of training; see [`Summary`](losscape_lab::records::Summary). `batch_size` is in samples. Derived are
    /// `test_error = 1 − test_accuracy`, `loss_gap = test_loss − train_loss` and `error_gap = train_accuracy −
    /// test_accuracy`.
    pub training: BTreeMap<String, f64>,
    /// How the network was measured; absent until it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measuring>,
    /// What was measured of the trained network, see [`Analysis::scalars`](losscape_lab::Analysis::scalars); of a
    /// diverged run nothing.
    pub measures: BTreeMap<String, f64>,
}

impl RunResult {
    /// The result in the folder of the run of this identity, if there is one.
    ///
    /// # Errors
    ///
    /// When it is damaged, of another schema, or that of another run.
    pub fn of(folder: &RunFolder, run_id: &str) -> Result<Option<Self>, LabError> {
        let path = folder.path().join("result.json");
        let result: Self = match read_json(&path) {
            Ok(result) => result,
            Err(LabError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if result.schema != SCHEMA {
            let problem = format!("it has schema version {}, this program reads {SCHEMA}", result.schema);
            return Err(LabError::Damaged { path, problem });
        }
        if result.run_id != run_id {
            let path = folder.path().to_owned();
            return Err(LabError::OtherRun { path, expected: run_id.to_owned(), found: result.run_id });
        }
        Ok(Some(result))
    }
}
