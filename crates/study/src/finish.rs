//! The end of a run of a study: its network is measured, and its result written.

use std::collections::BTreeMap;

use burn::tensor::Device;
use losscape_lab::document;
use losscape_lab::flows::{Errors, FlowSummary};
use losscape_lab::folder::{create, lock, read_json, write_json};
use losscape_lab::measure::AnalysisSettings;
use losscape_lab::plan::Plan;
use losscape_lab::records::{SCHEMA, State, Summary};
use losscape_lab::{Analysis, LabError, RunFolder, Subject};
use serde_json::Value;

use crate::folder::{PlannedRun, StudyFolder};
use crate::result::RunResult;

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
        training: training(&summary, plan).into_iter().chain(flows(&folder)?).collect(),
        measured: None,
        measures: BTreeMap::new(),
    };
    // Training may end before the first weights are averaged: then there is nothing to measure.
    let there = !config.average || summary.average_train_loss.is_some();
    if summary.outcome == State::Done && there && !wanted.is_empty() {
        // Whatever becomes of the measuring, what was trained has its row.
        write_json(&path, &result)?;
        let of = if config.average { Subject::of_average } else { Subject::of_run };
        let (mut subject, notes) = of(&folder, device)?;
        // A table must not take one checkpoint for another.
        if !notes.is_empty() {
            return Err(LabError::Damaged { path: folder.checkpoints(), problem: notes.join("; ") });
        }
        let folder = if config.average { folder.average() } else { folder };
        create(folder.path())?;
        if let Some(samples) = config.samples.filter(|samples| *samples < subject.data.len()) {
            subject.data = subject.data.select(&(0..samples).collect::<Vec<_>>());
        }
        let subject = subject.in_mode(config.mode)?;
        let (precision, top) = (config.precision, config.top);
        let settings = AnalysisSettings { memory, precision, top, kernel_size: None, ..AnalysisSettings::default() };
        let (analysis, failed) = Analysis::measure_in(&folder, &subject, &wanted, &settings, &|_| {})?;
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

/// How far off the flows beside the training were.
fn flows(folder: &RunFolder) -> Result<Vec<(String, f64)>, LabError> {
    if !folder.flow().exists() {
        return Ok(Vec::new());
    }
    let summary: FlowSummary = read_json(&folder.flow())?;
    let of = summary.flows.into_iter().filter_map(|(name, flow)| {
        let Errors { loss, sharpness, distance } = flow.errors?;
        let numbers = [("loss_error", loss), ("sharpness_error", sharpness), ("distance", distance)];
        Some(numbers.map(|(what, value)| (format!("{name}_{what}"), value)))
    });
    Ok(of.flatten().collect())
}

fn training(summary: &Summary, plan: &Plan) -> BTreeMap<String, f64> {
    let minus = |a: Option<f64>, b: Option<f64>| Some(a? - b?);
    let all = [
        ("parameters", Some(summary.parameters as f64)),
        ("batch_size", plan.config.training.samples_a_step(summary.samples).ok().map(|size| size as f64)),
        ("steps", Some(summary.steps as f64)),
        ("epochs", Some(summary.epochs)),
        ("train_loss", summary.train_loss),
        ("train_accuracy", summary.train_accuracy),
        ("train_grad_norm", summary.train_grad_norm),
        ("test_loss", summary.test_loss),
        ("test_accuracy", summary.test_accuracy),
        ("test_error", minus(Some(1.0), summary.test_accuracy)),
        ("average_train_loss", summary.average_train_loss),
        ("average_train_accuracy", summary.average_train_accuracy),
        ("average_test_loss", summary.average_test_loss),
        ("average_test_accuracy", summary.average_test_accuracy),
        ("average_test_error", minus(Some(1.0), summary.average_test_accuracy)),
        ("loss_gap", minus(summary.test_loss, summary.train_loss)),
        ("error_gap", minus(summary.train_accuracy, summary.test_accuracy)),
        ("wall_s", Some(summary.wall_s)),
        ("steps_per_s", Some(summary.steps_per_s)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
