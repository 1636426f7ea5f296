//! Training, and what runs left.

use std::path::PathBuf;

use burn::tensor::Device;
use losscape_lab::records::Metric;
use losscape_lab::{Document, LabError, Moment, Observe, Outcome, Plan, Run, RunFolder, RunOptions};
use losscape_model::Model;
use losscape_report::{RunRecords, page};
use pyo3::prelude::*;
use serde_json::json;

use crate::work::{Caller, Desk, Failure, run, run_until};

/// Says how far training is.
struct Steps(Desk);

impl Observe<Model> for Steps {
    fn batch(&mut self, moment: &Moment<Model>, record: &Metric) -> Result<(), LabError> {
        let loss = losscape_report::number(record.loss);
        self.0.progress(&format!("loss {loss}"), record.step, moment.total_steps());
        Ok(())
    }
}

/// Trains what a configuration says, and writes the page of the run: its folder, and how it ended. `text` is the
/// configuration; relative paths in it start at `folder`, and `name` is the first part of the run's name.
#[pyfunction]
#[pyo3(signature = (text, *, file, folder, name, set, out, memory, fresh, extend, progress))]
#[expect(clippy::too_many_arguments, reason = "they have names in Python")]
pub fn train(
    py: Python<'_>,
    text: String,
    file: String,
    folder: PathBuf,
    name: String,
    set: Vec<String>,
    out: PathBuf,
    memory: Option<usize>,
    fresh: bool,
    extend: Option<PathBuf>,
    progress: Option<Bound<'_, PyAny>>,
) -> PyResult<(PathBuf, Vec<String>)> {
    run_until(py, &Caller::told(progress), true, move |desk| {
        let document = Document::parse(file, &text, &set)?;
        let plan = Plan::of(&document, &folder, &name)?;
        plan.check_memory(memory)?;
        let mut notices = plan.notices.clone();
        let argv = [vec!["losscape.train".to_owned()], set].concat();
        let device = Device::flex();
        let options = RunOptions { out, device, device_name: "flex".to_owned(), fresh, extend, argv };
        let run = Run::open(plan, &options)?;
        notices.extend(run.warnings.iter().map(ToString::to_string));
        let folder = run.folder().clone();
        if run.ended().is_none() {
            let (_, outcome, _) = run.train(&mut Steps(desk.clone()), desk.stop())?;
            if matches!(outcome, Outcome::Interrupted) {
                return Err(Failure::new("training was interrupted; it goes on from its checkpoint when called again"));
            }
        }
        page::write(&folder)?;
        Ok((folder.path().to_owned(), notices))
    })
}

/// The records of a run: manifest, status, summary, configuration, metrics.
#[pyfunction]
pub fn run_records(py: Python<'_>, folder: PathBuf) -> PyResult<String> {
    run(py, &Caller::default(), move |_| {
        let RunRecords { manifest, status, metrics, summary, flows, analysis, config, .. } =
            RunRecords::read(&RunFolder::new(folder))?;
        let record = json!({
            "manifest": manifest, "status": status, "summary": summary, "config": config, "metrics": metrics,
            "flows": flows, "analysis": analysis,
        });
        Ok(record.to_string())
    })
}

/// Name, title, reading and SVG of the figures of a run.
#[pyfunction]
pub fn run_figures(py: Python<'_>, folder: PathBuf) -> PyResult<Vec<(String, String, String, String)>> {
    run(py, &Caller::default(), move |_| {
        let records = RunRecords::read(&RunFolder::new(folder))?;
        let figures = page::figures(&records);
        Ok(figures.into_iter().map(|figure| (figure.name, figure.title, figure.reading, figure.svg)).collect())
    })
}
