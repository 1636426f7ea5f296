//! What one run leaves for the table of its study.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::design::Measuring;
use crate::folder::{PlannedRun, StudyFolder};
use losscape_lab::document;
use losscape_lab::folder::{lock, read_json, write_json};
use losscape_lab::measure::AnalysisSettings;
use losscape_lab::plan::Plan;
use losscape_lab::records::{SCHEMA, State, Summary};
use losscape_lab::trainer::batch_size;
use losscape_lab::{Analysis, LabError, RunFolder, Subject};

/// `result.json`: a run as a row. Written when the run is trained, and again, last of all, when its network is
/// measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The run's identity.
    pub run_id: String,
    /// Done or diverged.
    pub outcome: State,
    /// Why it ended.
    pub reason: String,
    /// The resolved configuration: a value for every dotted key.
    pub config: BTreeMap<String, Value>,
    /// Numbers of training; see [`Summary`]. `batch_size` is in samples. Derived are `test_error = 1 − test_accuracy`,
    /// `loss_gap = test_loss − train_loss` and `error_gap = train_accuracy − test_accuracy`.
    pub training: BTreeMap<String, f64>,
    /// How the network was measured; absent until it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measuring>,
    /// What was measured of the trained network, see [`Analysis::scalars`]; of a diverged run nothing.
    pub measures: BTreeMap<String, f64>,
}

impl RunResult {
    /// The result of a planned run in its folder, if there is one.
    ///
    /// # Errors
    ///
    /// When it is damaged, of another schema, or that of another run.
    pub fn of(folder: &RunFolder, run: &PlannedRun) -> Result<Option<Self>, LabError> {
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
        if result.run_id != run.run_id {
            let path = folder.path().to_owned();
            return Err(LabError::OtherRun { path, expected: run.run_id.clone(), found: result.run_id });
        }
        Ok(Some(result))
    }
}

/// Measures a run that has been trained, within so many bytes of memory, and writes its result.
///
/// # Errors
///
/// When something cannot be measured, or the folder cannot be written.
pub fn finish(
    study: &StudyFolder,
    run: &PlannedRun,
    plan: &Plan,
    device: &Device,
    memory: Option<usize>,
) -> Result<RunResult, LabError> {
    let folder = study.run_folder(run);
    // Training has let go of it.
    let _lock = lock(&folder.lock(), folder.path())?;
    let summary = folder.read_summary()?;
    let config = study.config()?;
    let wanted = config.check_measures(&study.document(&[])?)?;
    let path = folder.path().join("result.json");
    let mut result = RunResult {
        schema: SCHEMA,
        run_id: run.run_id.clone(),
        outcome: summary.outcome,
        reason: summary.reason.clone(),
        config: flattened(plan),
        training: training(&summary, plan),
        measured: None,
        measures: BTreeMap::new(),
    };
    if summary.outcome == State::Done && !wanted.is_empty() {
        // Whatever becomes of the measuring, what was trained has its row.
        write_json(&path, &result)?;
        let (mut subject, notes) = Subject::of_run(&folder, device)?;
        // A table must not take one checkpoint for another.
        if !notes.is_empty() {
            return Err(LabError::Damaged { path: folder.checkpoints(), problem: notes.join("; ") });
        }
        if let Some(samples) = config.samples.filter(|samples| *samples < subject.data.len()) {
            subject.data = subject.data.select(&(0..samples).collect::<Vec<_>>());
        }
        let (precision, top) = (config.precision, config.top);
        let settings = AnalysisSettings { memory, precision, top, ..AnalysisSettings::only(wanted) };
        let (analysis, failed) = Analysis::measure_in(&folder, &subject, &settings, &|_| {})?;
        failed.map_or(Ok(()), Err)?;
        result.measures = analysis.scalars();
    }
    result.measured = Some(config.measuring());
    write_json(&path, &result)?;
    Ok(result)
}

/// The resolved configuration as it stands in a file, each value under its dotted key.
fn flattened(plan: &Plan) -> BTreeMap<String, Value> {
    fn collect(prefix: &str, table: &toml::Table, into: &mut BTreeMap<String, Value>) {
        for (key, value) in table {
            let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            match value {
                toml::Value::Table(table) => collect(&key, table, into),
                toml::Value::String(text) => drop(into.insert(key, Value::from(text.as_str()))),
                toml::Value::Integer(number) => drop(into.insert(key, Value::from(*number))),
                toml::Value::Float(number) => drop(into.insert(key, Value::from(*number))),
                toml::Value::Boolean(flag) => drop(into.insert(key, Value::from(*flag))),
                other => drop(into.insert(key, Value::from(other.to_string()))),
            }
        }
    }
    let mut flat = BTreeMap::new();
    let table: toml::Table = toml::from_str(&document::write(&plan.config)).expect("what was written can be read");
    collect("", &table, &mut flat);
    flat
}

fn training(summary: &Summary, plan: &Plan) -> BTreeMap<String, f64> {
    let minus = |a: Option<f64>, b: Option<f64>| Some(a? - b?);
    let all = [
        ("parameters", Some(summary.parameters as f64)),
        ("batch_size", batch_size(&plan.config.training, summary.samples).ok().map(|size| size as f64)),
        ("steps", Some(summary.steps as f64)),
        ("epochs", Some(summary.epochs)),
        ("train_loss", summary.train_loss),
        ("train_accuracy", summary.train_accuracy),
        ("train_grad_norm", summary.train_grad_norm),
        ("test_loss", summary.test_loss),
        ("test_accuracy", summary.test_accuracy),
        ("test_error", minus(Some(1.0), summary.test_accuracy)),
        ("loss_gap", minus(summary.test_loss, summary.train_loss)),
        ("error_gap", minus(summary.train_accuracy, summary.test_accuracy)),
        ("wall_s", Some(summary.wall_s)),
        ("steps_per_s", Some(summary.steps_per_s)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
