//! What a claim leaves behind: one file of evidence for each, and its plots as tables.
//!
//! What was stopped goes on: the command measures those claims whose file is missing, or is of another program or other
//! settings.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use losscape_lab::LabError;
use losscape_lab::folder::{create, read_json, write_json, write_whole};
use losscape_lab::records::SCHEMA;

use crate::claim::{Claim, Family};
use crate::evidence::Evidence;
use crate::settings::{ClaimSettings, Effort};
use crate::verdict::{Expectation, Verdict};
use crate::workbench::Workbench;

/// `<id>.json`: a claim with what was measured and what follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClaimRecord {
    /// Version of the files: [`SCHEMA`].
    pub schema: u32,
    /// Its name, [`Claim::id`].
    pub id: String,
    /// Which part of the notes it belongs to.
    pub family: Family,
    /// The statement as printed, in words and LaTeX between dollar signs.
    pub printed: String,
    /// What is exactly true, likewise.
    pub exact: String,
    /// Where it comes from.
    pub source: String,
    /// SHA-256 of the program that measured it.
    pub program: String,
    /// The device that it was measured on.
    pub device: String,
    /// Seed of everything random.
    pub seed: u64,
    /// How much was spent: quick or full.
    pub effort: Effort,
    /// What theory expects.
    pub expected: Expectation,
    /// What the evidence says.
    pub verdict: Verdict,
    /// What stopped the measurement, if something did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Everything measured; empty where an error stopped it.
    pub evidence: Evidence,
    /// Seconds that the measurement took, of wall-clock time.
    pub seconds: f64,
}

impl ClaimRecord {
    /// Measures a claim. What stops it is in the record, with the verdict [`Verdict::Unmeasured`].
    #[must_use]
    pub fn measure(claim: &Claim, settings: &ClaimSettings) -> Self {
        let start = Instant::now();
        let bench = Workbench::new(settings);
        // Inside the thread pool, as training is.
        let (mut evidence, error) = match rayon::scope(|_| (claim.measure)(&bench)) {
            Ok(evidence) => (evidence, None),
            Err(error) => (Evidence::default(), Some(error.to_string())),
        };
        evidence.preparation = bench.preparation();
        Self {
            schema: SCHEMA,
            id: claim.id.to_owned(),
            family: claim.family,
            printed: claim.printed.to_owned(),
            exact: claim.exact.to_owned(),
            source: claim.source.to_owned(),
            program: program().to_owned(),
            device: format!("{:?}", settings.device),
            seed: settings.seed,
            effort: settings.effort,
            expected: claim.expected,
            verdict: Verdict::of(&evidence),
            error,
            evidence,
            seconds: start.elapsed().as_secs_f64(),
        }
    }

    /// Whether the verdict is what theory expects.
    #[must_use]
    pub fn is_as_expected(&self) -> bool {
        self.expected.is_met_by(self.verdict)
    }
}

/// The folder of evidence: `<id>.json` and `<id>.csv` for each claim, `figures/`, `report.html`.
#[derive(Debug, Clone)]
pub struct ClaimFolder {
    path: PathBuf,
}

impl ClaimFolder {
    /// The folder at a path, whether or not it is there.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The page that shows all of it.
    #[must_use]
    pub fn report(&self) -> PathBuf {
        self.path.join("report.html")
    }

    /// Writes a figure on its own, `figures/<name>.svg`.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written.
    pub fn write_figure(&self, name: &str, svg: &str) -> Result<(), LabError> {
        let figures = self.path.join("figures");
        create(&figures)?;
        write_whole(&figures.join(format!("{name}.svg")), svg.as_bytes())
    }

    fn record(&self, id: &str) -> PathBuf {
        self.path.join(format!("{id}.json"))
    }

    /// The evidence of a claim that this very program measured with these settings, if it is there. Another one, and
    /// one that cannot be read, is as good as none.
    #[must_use]
    pub fn of(&self, id: &str, settings: &ClaimSettings) -> Option<ClaimRecord> {
        let record: ClaimRecord = read_json(&self.record(id)).ok()?;
        let same = record.schema == SCHEMA
            && record.error.is_none()
            && record.program == program()
            && record.device == format!("{:?}", settings.device)
            && (record.seed, record.effort) == (settings.seed, settings.effort);
        same.then_some(record)
    }

    /// Removes the evidence of a claim.
    ///
    /// # Errors
    ///
    /// When it cannot be removed.
    pub fn forget(&self, id: &str) -> Result<(), LabError> {
        let path = self.record(id);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(LabError::io("remove", path)(error)),
            _ => Ok(()),
        }
    }

    /// Writes the evidence of a claim: `<id>.json`, and `<id>.csv` with the points of its plots.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written.
    pub fn write(&self, record: &ClaimRecord) -> Result<(), LabError> {
        create(&self.path)?;
        let mut table = csv::Writer::from_writer(Vec::new());
        let mut rows = vec![["plot", "series", "x", "y"].map(str::to_owned)];
        for plot in &record.evidence.plots {
            for series in &plot.series {
                let row = |(x, y): &(f64, f64)| [plot.title.clone(), series.name.clone(), x.to_string(), y.to_string()];
                rows.extend(series.points.iter().map(row));
            }
        }
        for row in rows {
            table.write_record(row).expect("writing to memory cannot fail");
        }
        let table = table.into_inner().expect("writing to memory cannot fail");
        write_whole(&self.path.join(format!("{}.csv", record.id)), &table)?;
        write_json(&self.record(&record.id), record)
    }
}

/// SHA-256 of the running program: evidence is only as good as what measured it.
fn program() -> &'static str {
    static DIGEST: LazyLock<String> = LazyLock::new(|| {
        let bytes = std::env::current_exe().and_then(std::fs::read).unwrap_or_default();
        Sha256::digest(bytes).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    });
    &DIGEST
}
