//! Claims put to a measurement.

use std::path::PathBuf;

use burn::tensor::Device;
use losscape_claims::{ALL, Claim, ClaimFolder, ClaimRecord, ClaimSettings, Effort, find};
use losscape_report::claims::{table, write};
use pyo3::prelude::*;
use serde_json::{Value, json};

use crate::error::Error;
use crate::work::{Caller, run};

/// The claims: id, family, what theory expects, source, statement as printed and as it is exact.
#[pyfunction]
pub fn list_claims() -> String {
    let claims = ALL.iter().map(|claim| {
        json!({
            "id": claim.id, "family": claim.family.to_string(), "expected": claim.expected.to_string(),
            "source": claim.source, "printed": claim.printed, "exact": claim.exact,
        })
    });
    Value::from(claims.collect::<Vec<_>>()).to_string()
}

/// Measures claims, or all, and keeps what was found in a folder, with its page: the records, and a table as text.
#[pyfunction]
#[pyo3(signature = (ids, *, full, seed, out, fresh, progress))]
pub fn run_claims(
    py: Python<'_>,
    ids: Option<Vec<String>>,
    full: bool,
    seed: u64,
    out: PathBuf,
    fresh: bool,
    progress: Option<Bound<'_, PyAny>>,
) -> PyResult<(String, String)> {
    let unknown = |id: &str| Error::new_err(format!("unknown claim `{id}`; losscape.claims.list() has all"));
    let claims: Vec<&'static Claim> = match ids {
        None => ALL.iter().collect(),
        Some(ids) => ids.iter().map(|id| find(id).ok_or_else(|| unknown(id))).collect::<PyResult<_>>()?,
    };
    run(py, &Caller::told(progress), move |desk| {
        let effort = if full { Effort::Full } else { Effort::Quick };
        let settings = ClaimSettings { seed, effort, device: Device::flex() };
        let folder = ClaimFolder::new(out);
        let mut records = Vec::new();
        for (at, claim) in claims.iter().enumerate() {
            desk.progress(claim.id, at, claims.len());
            let known = if fresh { None } else { folder.of(claim.id, &settings) };
            let record = known.unwrap_or_else(|| ClaimRecord::measure(claim, &settings));
            // Whose caller has left has no folder any more.
            desk.check();
            folder.write(&record)?;
            records.push(record);
        }
        write(&folder, &records)?;
        let text = table(&records).to_string();
        let records = records.iter().map(|record| {
            let mut object = serde_json::to_value(record).expect("records have only string keys");
            object["verdict_words"] = record.verdict.to_string().into();
            object["as_expected"] = record.is_as_expected().into();
            object
        });
        Ok((Value::from(records.collect::<Vec<_>>()).to_string(), text))
    })
}
