//! Studies: their plan, how far they are, their table. Their runs are processes of the command.

use std::path::PathBuf;

use losscape_study::{Column, Findings, Merged, StudyFolder};
use pyo3::prelude::*;
use serde_json::{Value, json};

use crate::work::{Caller, run};

/// The folder of the study of a file, which is planned, or grown where the file has grown: its path and notices.
#[pyfunction]
pub fn plan_study(py: Python<'_>, file: PathBuf, out: PathBuf) -> PyResult<(PathBuf, Vec<String>)> {
    run(py, &Caller::default(), move |_| {
        let (folder, planned, _lock) = StudyFolder::plan_file(&file, &out)?;
        Ok((folder.path().to_owned(), planned.notices))
    })
}

/// The runs of a study: settings, folder, state.
#[pyfunction]
pub fn study_runs(py: Python<'_>, folder: PathBuf) -> PyResult<String> {
    run(py, &Caller::default(), move |_| {
        let folder = StudyFolder::new(folder);
        let planned = folder.planned()?;
        let states = folder.states(&planned)?;
        let runs = planned.iter().zip(&states).map(|(run, state)| {
            json!({
                "index": run.index, "set": run.set, "folder": folder.run_folder(run).path(), "state": state.state,
            })
        });
        Ok(Value::from(runs.collect::<Vec<_>>()).to_string())
    })
}

/// The table of a study as far as it is there, by columns.
#[pyfunction]
pub fn study_table(py: Python<'_>, folder: PathBuf) -> PyResult<String> {
    run(py, &Caller::default(), move |_| {
        let Merged { table, missing, unmeasured } = Merged::read(&StudyFolder::new(folder))?;
        let columns = table.columns.iter().map(|(name, column)| {
            let values = match column {
                Column::Integer(values) => json!(values),
                Column::Number(values) => json!(values),
                Column::Flag(values) => json!(values),
                Column::Text(values) => json!(values),
            };
            json!([name, values])
        });
        let record = json!({
            "columns": columns.collect::<Vec<_>>(), "settings": table.settings, "measures": table.measures,
            "missing": missing.len(), "unmeasured": unmeasured.len(),
        });
        Ok(record.to_string())
    })
}

/// What a study's table says, weighed with resamples of a seed.
#[pyfunction]
pub fn study_findings(py: Python<'_>, folder: PathBuf, seed: u64) -> PyResult<(String, String)> {
    run(py, &Caller::default(), move |_| {
        let Merged { table, .. } = Merged::read(&StudyFolder::new(folder))?;
        let findings = Findings::of(&table, seed);
        let record = serde_json::to_string(&findings).expect("records have only string keys");
        Ok((record, losscape_report::study::text(&findings)))
    })
}
