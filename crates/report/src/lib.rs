//! Figures and pages from the records of run folders. No tensor enters here: what can be drawn was measured and written
//! down before.
//!
//! - [`figure`]: drawing as SVG and for the terminal; [`training`]: the curves of a run.
//! - [`flows`]: what flows say of a run, beside it.
//! - [`page`]: the report of a run, one HTML file that needs no network.
//! - [`landscape`]: measurements of the landscape in tables and figures.
//! - [`claims`]: the claims and their verdicts, as a table and as a page.
//! - [`study`]: the table of a study, weighed.
//! - [`compare`]: runs side by side; [`listing`]: the runs and studies of a folder.
//! - [`table`]: a table of text.

pub mod claims;
pub mod compare;
pub mod connection;
pub mod figure;
pub mod flows;
pub mod landscape;
pub mod listing;
pub mod page;
pub mod study;
pub mod table;
pub mod training;

use chrono::DateTime;
use losscape_lab::flows::FlowSummary;
use losscape_lab::folder::read_json;
use losscape_lab::measure::hessian::{Eigenvalue, HESSIAN};
use losscape_lab::records::{Manifest, Metric, Split, Status, Summary};
use losscape_lab::{Analysis, LabError, RunFolder};

pub use table::Table;

/// What a run folder tells about its run.
#[derive(Debug, Clone)]
pub struct RunRecords {
    /// Where they were read.
    pub folder: RunFolder,
    /// Where the run comes from.
    pub manifest: Manifest,
    /// How far it is, and why it ended.
    pub status: Status,
    /// Every record of `metrics.jsonl`, in the order written.
    pub metrics: Vec<Metric>,
    /// Its summary, once it ended or was interrupted.
    pub summary: Option<Summary>,
    /// How the flows beside it did, where there were some.
    pub flows: Option<FlowSummary>,
    /// What was measured of its newest checkpoint.
    pub analysis: Option<Analysis>,
    /// Its resolved configuration, as text.
    pub config: String,
}

impl RunRecords {
    /// Reads a run folder.
    ///
    /// # Errors
    ///
    /// When a file of it is missing or damaged; a missing summary is no error.
    pub fn read(folder: &RunFolder) -> Result<Self, LabError> {
        let config = folder.config();
        Ok(Self {
            folder: folder.clone(),
            manifest: folder.read_manifest()?,
            status: folder.read_status()?,
            metrics: folder.read_metrics()?,
            summary: if folder.summary().exists() { Some(folder.read_summary()?) } else { None },
            flows: if folder.flow().exists() { Some(read_json(&folder.flow())?) } else { None },
            analysis: Analysis::read(folder)?,
            config: std::fs::read_to_string(&config).map_err(LabError::io("read", &config))?,
        })
    }
}

impl RunRecords {
    /// The label with the first six digits of the identity.
    #[must_use]
    pub fn short_name(&self) -> String {
        let Manifest { label, run_id, .. } = &self.manifest;
        format!("{label}-{}", run_id.chars().take(6).collect::<String>())
    }

    /// Every leaf of its resolved configuration under its dotted key.
    ///
    /// # Errors
    ///
    /// When that is no TOML.
    pub fn settings(&self) -> Result<Vec<(String, toml::Value)>, LabError> {
        listing::settings(&self.folder.config(), &self.config)
    }

    /// Where its analysis was made, as `step 500`.
    #[must_use]
    pub fn analyzed_at(&self) -> Option<&str> {
        self.analysis.as_ref()?.source.rsplit_once(" at ").map(|(_, place)| place)
    }

    /// The largest eigenvalue of the Hessian that was measured.
    #[must_use]
    pub fn largest_eigenvalue(&self) -> Option<Eigenvalue> {
        self.analysis.as_ref()?.get(HESSIAN)?.top.first().copied()
    }

    /// The last record of a split.
    #[must_use]
    pub fn last(&self, split: Split) -> Option<&Metric> {
        self.metrics.iter().rev().find(|record| record.split == split)
    }

    /// The last value of what `[track]` measures under this name, and the step it was measured at.
    #[must_use]
    pub fn last_tracked(&self, name: &str) -> Option<(usize, f64)> {
        let tracked = self.metrics.iter().rev().filter(|record| record.split == Split::Track);
        tracked.filter_map(|record| Some((record.step, record.tracked.as_ref()?.get(name)?))).next()
    }
}

/// A number in four significant digits, with an exponent only where it is shorter.
#[must_use]
pub fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let magnitude = value.abs().log10().floor();
    if (-4.0..6.0).contains(&magnitude) {
        let decimals = (3.0 - magnitude).max(0.0) as usize;
        let text = format!("{value:.decimals$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    } else {
        format!("{value:.3e}")
    }
}

/// A share as a percentage with two decimals.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// A time in seconds since 1970 as date and time of day, like `2026-12-01 14:20 UTC`.
#[must_use]
pub fn utc(unix_s: f64) -> String {
    let time = DateTime::from_timestamp(unix_s.floor() as i64, 0);
    time.map_or_else(|| "unknown".to_owned(), |time| time.format("%Y-%m-%d %H:%M UTC").to_string())
}

/// The README's examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
