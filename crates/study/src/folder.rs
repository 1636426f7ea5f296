//! A study on disk: its plan, and how far its runs are.
//!
//! Files are all that the parts of a study share, so any process on any machine may have made them. A run is finished
//! when its `result.json` says that it was measured as the study asks. That file is written when the run is trained,
//! and again, last of all, when it is measured: asked for other measures, a study measures again and trains nothing.
//! Merging reads these files and nothing else. A failure is a file too: the run is left alone until
//! [`StudyFolder::retry`] removes it.
//!
//! Plans only grow: a file whose runs are not all in it any more is refused, since indices would come to mean other
//! runs. Only what plans or starts runs reads the file, under the study's lock.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::design::{Measuring, StudyConfig};
use crate::result::RunResult;
use losscape_lab::document::{self, Document, relocate};
use losscape_lab::folder::{Lock, create, lock, read_json, write_json, write_whole};
use losscape_lab::plan::{KnownData, Plan, identity};
use losscape_lab::records::{SCHEMA, State};
use losscape_lab::{LabError, RunFolder};

/// The folder of a study.
///
/// ```text
/// <name>/
///   study.toml        the file it was planned from
///   study.json        where relative paths in it start
///   plan.jsonl        one planned run a line
///   runs/             a run folder each, with result.json once it is measured, or failure.json
///   results.csv       one row a run
///   results.parquet   the same
///   evidence.json     rank correlations of measures and outcomes
///   report.html       all of it to read, its drawings in figures/
///   cluster/          scripts that hand the study to a cluster
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudyFolder {
    path: PathBuf,
}

/// A run of a study: a line of `plan.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedRun {
    /// Its place in the plan, counted from 0.
    pub index: usize,
    /// Its identity; see [`Plan::run_id`].
    pub run_id: String,
    /// Name of its folder in `runs/`.
    pub folder: String,
    /// What it sets in the study's configuration, a `key=value` for each axis.
    pub set: Vec<String>,
}

/// `study.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Origin {
    schema: u32,
    /// The file.
    file: PathBuf,
    /// The folder that relative paths in it start from.
    base: PathBuf,
}

/// `failure.json`: why a run came to no end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Failure {
    schema: u32,
    reason: String,
}

/// How a plan was made or grew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Runs in the plan.
    pub runs: usize,
    /// Runs that were not in it before.
    pub added: usize,
    /// Points of the design that are the same run as one before them.
    pub repeated: usize,
    /// What a user should know of the data that are read, in words.
    pub notices: Vec<String>,
}

/// How far a run of a study is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunState {
    /// Done and diverged runs are measured and need nothing more.
    pub state: State,
    /// Why, in words.
    pub reason: String,
}

impl RunState {
    /// Whether the run has its row in the table.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.state, State::Done | State::Diverged)
    }
}

impl StudyFolder {
    /// The study folder at `path`, which need not exist yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The path that it was made with.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// `runs/`: the folders of the runs.
    #[must_use]
    pub fn runs(&self) -> PathBuf {
        self.path.join("runs")
    }

    /// The folder of a run.
    #[must_use]
    pub fn run_folder(&self, run: &PlannedRun) -> RunFolder {
        RunFolder::new(self.runs().join(&run.folder))
    }

    /// The folder, in `out`, of the study of a file: it has the file's name.
    #[must_use]
    pub fn of_file(file: &Path, out: &Path) -> Self {
        Self::new(out.join(stem(file)))
    }

    /// Whether it was planned from this text.
    #[must_use]
    pub fn is_planned_from(&self, text: &str) -> bool {
        std::fs::read_to_string(self.file("study.toml")).is_ok_and(|planned| planned == text)
    }

    /// Plans the study of a file into a folder of its name in `out`. A study planned before may grow: runs keep their
    /// places, new ones come behind them. Returns the folder, what was planned, and the [`lock`](Self::lock).
    ///
    /// # Errors
    ///
    /// [`LabError::Config`], pointing at what is wrong in the file; when runs that were planned are no longer in it;
    /// and [`LabError::Busy`].
    pub fn plan_file(file: &Path, out: &Path) -> Result<(Self, Planned, Lock), LabError> {
        let text = document::text(file)?;
        let name = file.display().to_string();
        let document = Document::parse(name.as_str(), &text, &[])?;
        let Some(config) = document.section::<StudyConfig>("study")? else {
            let message = "there is no [study] table, which says what its runs differ in";
            return Err(document.error_at(&[], message).into());
        };
        config.check_measures(&document)?;
        let absolute = std::path::absolute(file).map_err(LabError::io("find", file))?;
        // The path goes into the study's JSON, the name into scripts.
        if absolute.to_str().is_none_or(|path| path.contains(char::is_control)) {
            let problem = "a study's path must be UTF-8 without control characters; rename it".to_owned();
            return Err(LabError::Damaged { path: absolute, problem });
        }
        let base = absolute.parent().unwrap_or(Path::new("/")).to_owned();
        let stem = stem(file);
        let folder = Self::of_file(file, out);
        let points = config.points(&document)?;
        create(folder.path())?;
        let lock = folder.lock()?;
        let earlier = if folder.file("plan.jsonl").exists() { folder.planned()? } else { Vec::new() };
        let mut data = KnownData::default();
        let mut known: HashSet<String> = HashSet::new();
        let mut found = Vec::new();
        let asked = points.len();
        for set in points {
            let planned = Document::parse(name.as_str(), &text, &set).map_err(LabError::from).and_then(|document| {
                identity(&document.without("study"), &base, &stem, (config.mode, config.average), &mut data)
            });
            let (run_id, folder) = planned.map_err(|error| match error {
                LabError::Config(error) => LabError::Config(relocate(error, &document, |key| config.place(key))),
                error => error,
            })?;
            if known.insert(run_id.clone()) {
                found.push(PlannedRun { index: 0, run_id, folder, set });
            }
        }
        let repeated = asked - found.len();
        let gone = earlier.iter().filter(|run| !known.contains(&run.run_id)).count();
        if gone > 0 {
            let problem = format!(
                "{gone} of its {} planned runs are no longer in {name}; use another --out, or remove the folder",
                earlier.len()
            );
            return Err(LabError::Damaged { path: folder.path, problem });
        }
        let before: HashSet<&String> = earlier.iter().map(|run| &run.run_id).collect();
        let new: Vec<PlannedRun> = found.into_iter().filter(|run| !before.contains(&run.run_id)).collect();
        let (runs, added) = (earlier.len() + new.len(), new.len());
        let planned = Planned { runs, added, repeated, notices: data.notices() };
        let runs = earlier.iter().chain(&new).enumerate().map(|(index, run)| PlannedRun { index, ..run.clone() });
        let lines: String =
            runs.map(|run| serde_json::to_string(&run).expect("a record has only string keys") + "\n").collect();
        create(&folder.runs())?;
        write_whole(&folder.file("study.toml"), text.as_bytes())?;
        write_json(&folder.file("study.json"), &Origin { schema: SCHEMA, file: file.to_owned(), base })?;
        write_whole(&folder.file("plan.jsonl"), lines.as_bytes())?;
        Ok((folder, planned, lock))
    }

    /// The planned runs, in order.
    ///
    /// # Errors
    ///
    /// When the study was not planned, or its plan is damaged or of another schema.
    pub fn planned(&self) -> Result<Vec<PlannedRun>, LabError> {
        let path = self.file("plan.jsonl");
        let origin: Origin = read_json(&self.file("study.json"))?;
        if origin.schema != SCHEMA {
            let problem = format!("it has schema version {}, this program reads {SCHEMA}", origin.schema);
            return Err(LabError::Damaged { path: self.file("study.json"), problem });
        }
        let text = std::fs::read_to_string(&path).map_err(LabError::io("read", &path))?;
        let line = |(at, line): (usize, &str)| {
            let damaged = |problem: String| LabError::Damaged { path: path.clone(), problem };
            let run: PlannedRun = serde_json::from_str(line)
                .map_err(|error| damaged(format!("line {} is no planned run: {error}", at + 1)))?;
            if run.index != at {
                return Err(damaged(format!("line {} has index {}", at + 1, run.index)));
            }
            if !is_plain(&run.folder) {
                return Err(damaged(format!("line {} has folder {:?}, which is no plain name", at + 1, run.folder)));
            }
            Ok(run)
        };
        text.lines().enumerate().map(line).collect()
    }

    /// The `[study]` table.
    ///
    /// # Errors
    ///
    /// When the study was not planned, or its file is damaged.
    pub fn config(&self) -> Result<StudyConfig, LabError> {
        let document = self.document(&[])?;
        let section = document.section("study")?;
        Ok(section.ok_or_else(|| document.error_at(&[], "there is no [study] table"))?)
    }

    /// A planned run with its data.
    ///
    /// # Errors
    ///
    /// When its data are not those that it was planned with, or can no longer be read.
    pub fn plan(&self, run: &PlannedRun) -> Result<Plan, LabError> {
        let origin: Origin = read_json(&self.file("study.json"))?;
        let stem = run.folder.strip_suffix(&format!("-{}", run.run_id)).unwrap_or(&run.folder).to_owned();
        let document = self.document(&run.set)?.without("study");
        let plan = Plan::of(&document, &origin.base, &stem)?;
        if plan.run_id != run.run_id {
            let problem = "the data, or this program, changed since the study was planned; plan it anew".to_owned();
            return Err(LabError::Damaged { path: self.run_folder(run).path().to_owned(), problem });
        }
        Ok(plan)
    }

    /// The study's file with settings of a run.
    pub(crate) fn document(&self, set: &[String]) -> Result<Document, LabError> {
        let path = self.file("study.toml");
        let text = document::text(&path)?;
        Ok(Document::parse(path.display().to_string(), &text, set)?)
    }

    /// How far runs are.
    ///
    /// # Errors
    ///
    /// When the study's file is damaged.
    pub fn states(&self, runs: &[PlannedRun]) -> Result<Vec<RunState>, LabError> {
        let measuring = self.config()?.measuring();
        Ok(runs.iter().map(|run| self.state(run, &measuring)).collect())
    }

    /// How far a run is whose network is to be measured so.
    fn state(&self, run: &PlannedRun, measuring: &Measuring) -> RunState {
        let folder = self.run_folder(run);
        let of = |state, reason: &str| RunState { state, reason: reason.to_owned() };
        let result = RunResult::of(&folder, &run.run_id);
        if let Ok(Some(result)) = &result
            && result.measured.as_ref() == Some(measuring)
        {
            return of(result.outcome, &result.reason);
        }
        if let Ok(failure) = read_json::<Failure>(&failure(&folder)) {
            return RunState { state: State::Failed, reason: failure.reason };
        }
        match folder.read_status() {
            Err(_) => of(State::Planned, "not started"),
            Ok(_) if folder.is_busy() => of(State::Running, "at work"),
            Ok(status) => {
                let reason = match (result, status.state) {
                    (Err(error), _) => error.to_string(),
                    (Ok(Some(RunResult { measured: Some(_), .. })), _) => "measured with other settings".to_owned(),
                    (_, State::Done | State::Diverged) => "trained, not measured".to_owned(),
                    _ => format!("stopped at step {} or later", status.step),
                };
                RunState { state: State::Interrupted, reason }
            }
        }
    }

    /// Writes down that a run came to no end; it is then left alone until [`retry`](Self::retry).
    ///
    /// # Errors
    ///
    /// When that cannot be written.
    pub fn fail(&self, run: &PlannedRun, reason: &str) -> Result<(), LabError> {
        let folder = self.run_folder(run);
        create(folder.path())?;
        write_json(&failure(&folder), &Failure { schema: SCHEMA, reason: reason.to_owned() })
    }

    /// Takes a failure back: the run is to be done again. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// When the file cannot be removed.
    pub fn retry(&self, run: &PlannedRun) -> Result<bool, LabError> {
        let path = failure(&self.run_folder(run));
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(LabError::io("remove", &path)(error)),
        }
    }

    /// Keeps other processes from running the study as long as the file is open.
    ///
    /// # Errors
    ///
    /// [`LabError::Busy`] when another process runs it.
    pub fn lock(&self) -> Result<Lock, LabError> {
        lock(&self.file("study.lock"), &self.path)
    }
}

/// Whether something in a study's folder is its own: what is behind a link is not written.
///
/// # Errors
///
/// When it is a link.
pub fn own(path: &Path) -> Result<(), LabError> {
    match path.symlink_metadata() {
        Ok(found) if found.is_symlink() => {
            let problem = "it is a link, and what it points to is not the study's; remove it".to_owned();
            Err(LabError::Damaged { path: path.to_owned(), problem })
        }
        _ => Ok(()),
    }
}

/// Whether a name is that of one folder in another.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let alone = matches!((parts.next(), parts.next()), (Some(Component::Normal(only)), None) if only == name);
    alone && !name.contains(char::is_control)
}

/// The name of a study by its file.
fn stem(file: &Path) -> String {
    file.file_stem().map_or_else(|| "study".into(), |stem| stem.to_string_lossy().into_owned())
}

fn failure(folder: &RunFolder) -> PathBuf {
    folder.path().join("failure.json")
}
