//! What a claim leaves behind: one file of evidence for each, and its plots as tables.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::{Claim, ClaimSettings, Effort, Evidence, Expectation, Family, Verdict};
use crate::LabError;
use crate::folder::{create, read_json, write_json, write_whole};
use crate::records::SCHEMA;

/// `<id>.json`: a claim with what was measured and what follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClaimRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Its name.
    pub id: String,
    /// Where it belongs.
    pub family: Family,
    /// As printed.
    pub printed: String,
    /// What is exactly true.
    pub exact: String,
    /// Where it comes from.
    pub source: String,
    /// Version of this program.
    pub version: String,
    /// Seed of everything random.
    pub seed: u64,
    /// How much was spent.
    pub effort: Effort,
    /// What theory expects.
    pub expected: Expectation,
    /// What the evidence says.
    pub verdict: Verdict,
    /// The evidence.
    pub evidence: Evidence,
    /// Seconds it took.
    pub seconds: f64,
}

impl ClaimRecord {
    /// Measures a claim.
    ///
    /// # Errors
    ///
    /// When a measurement cannot be made.
    pub fn measure(claim: &Claim, settings: &ClaimSettings) -> Result<Self, LabError> {
        let start = Instant::now();
        // Inside the thread pool, as training is.
        let evidence = rayon::scope(|_| (claim.measure)(settings))?;
        Ok(Self {
            schema: SCHEMA,
            id: claim.id.to_owned(),
            family: claim.family,
            printed: claim.printed.to_owned(),
            exact: claim.exact.to_owned(),
            source: claim.source.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seed: settings.seed,
            effort: settings.effort,
            expected: claim.expected,
            verdict: Verdict::of(&evidence),
            evidence,
            seconds: start.elapsed().as_secs_f64(),
        })
    }

    /// Whether the verdict is what theory expects.
    #[must_use]
    pub fn is_as_expected(&self) -> bool {
        self.expected.is_met_by(self.verdict)
    }
}

/// The folder of evidence.
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

    fn record(&self, id: &str) -> PathBuf {
        self.path.join(format!("{id}.json"))
    }

    /// The evidence of a claim, if it is there.
    ///
    /// # Errors
    ///
    /// When the file is damaged.
    pub fn read(&self, id: &str) -> Result<Option<ClaimRecord>, LabError> {
        let path = self.record(id);
        if path.exists() { read_json(&path).map(Some) } else { Ok(None) }
    }

    /// The evidence of a claim measured with these settings by this version.
    ///
    /// # Errors
    ///
    /// When the file is damaged.
    pub fn of(&self, id: &str, settings: &ClaimSettings) -> Result<Option<ClaimRecord>, LabError> {
        let same = |record: &ClaimRecord| {
            record.schema == SCHEMA
                && record.version == env!("CARGO_PKG_VERSION")
                && (record.seed, record.effort) == (settings.seed, settings.effort)
        };
        Ok(self.read(id)?.filter(same))
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
