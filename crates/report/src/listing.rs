//! The runs and studies in folders, a row each: as a table, as JSON, and as a page that leads to theirs.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use askama::Template;
use losscape_lab::records::{State, Summary};
use losscape_lab::{LabError, RunFolder};
use losscape_study::StudyFolder;
use serde_json::{Map, Value, json};

use crate::table::Table;
use crate::{number, percent, utc};

/// A run or a study.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its folder.
    pub folder: PathBuf,
    /// How far it is: a [`State`], `stopped` where no process is at work on what runs, or of a study how many of its
    /// runs have ended.
    pub state: String,
    /// When its state was written, in seconds since 1970; of a study, that of its newest run.
    pub updated_unix_s: Option<f64>,
    /// The run in numbers, once it ended or was interrupted.
    pub summary: Option<Summary>,
    /// Steps done; absent for a study.
    pub steps: Option<usize>,
    settings: Vec<(String, toml::Value)>,
}

/// What was found in some folders.
#[derive(Debug, Default)]
pub struct Listing {
    /// The runs and studies, by folder name.
    pub entries: Vec<Entry>,
    /// Folders of runs and studies that cannot be read, and why.
    pub damaged: Vec<(PathBuf, LabError)>,
}

#[derive(Template)]
#[template(path = "listing.html")]
struct Page {
    head: Vec<String>,
    rows: Vec<(Option<String>, Vec<String>)>,
    has_curves: bool,
}

impl Listing {
    /// The runs and studies that these folders are, or that stand in them.
    ///
    /// # Errors
    ///
    /// When one of them cannot be read.
    pub fn of(folders: &[PathBuf]) -> Result<Self, LabError> {
        let mut listing = Self::default();
        for folder in folders {
            if listing.take(folder) {
                continue;
            }
            let mut within: Vec<PathBuf> = std::fs::read_dir(folder)
                .map_err(LabError::io("read", folder))?
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| path.is_dir())
                .collect();
            within.sort();
            for path in within {
                listing.take(&path);
            }
        }
        Ok(listing)
    }

    /// Takes up a run or a study; says whether the folder is one.
    fn take(&mut self, path: &Path) -> bool {
        let (run, study) = (RunFolder::new(path), StudyFolder::new(path));
        let found = if run.manifest().exists() {
            of_run(&run)
        } else if study.file("plan.jsonl").exists() {
            of_study(&study)
        } else {
            return false;
        };
        match found {
            Ok(entry) => self.entries.push(entry),
            Err(error) => self.damaged.push((path.to_owned(), error)),
        }
        true
    }

    /// Keeps the entries that have this value under a key; see [`Entry::value`].
    pub fn keep(&mut self, key: &str, value: &str) {
        let wanted: Option<f64> = value.parse().ok();
        self.entries.retain(|entry| match entry.value(key) {
            Some(Value::String(text)) => text == value,
            Some(Value::Number(number)) => wanted.is_some() && number.as_f64() == wanted,
            Some(other) => serde_json::from_str::<Value>(value).is_ok_and(|wanted| wanted == other),
            None => false,
        });
    }

    /// Sorts the entries by the value under a key, those without one last.
    pub fn sort(&mut self, key: &str) {
        let order = |a: &Value, b: &Value| match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => a.to_string().cmp(&b.to_string()),
        };
        self.entries.sort_by(|a, b| match (a.value(key), b.value(key)) {
            (Some(a), Some(b)) => order(&a, &b),
            (a, b) => {
                if a.is_some() {
                    Ordering::Less
                } else if b.is_some() {
                    Ordering::Greater
                } else {
                    Ordering::Equal
                }
            }
        });
    }

    /// Every key under which some entry has a value.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.entries.iter().flat_map(Entry::keys).collect();
        keys.sort();
        keys.dedup();
        keys
    }

    /// A row an entry, with these keys as further columns.
    #[must_use]
    pub fn table(&self, shown: &[String]) -> Table {
        let head = ["", "state", "step", "train loss", "test acc.", "written"].map(str::to_owned);
        let row = |entry: &Entry| {
            let dash = || "–".to_owned();
            let of = |quantity: fn(&Summary) -> Option<f64>| entry.summary.as_ref().and_then(quantity);
            let mut row = vec![
                entry.folder.display().to_string(),
                entry.state.clone(),
                entry.steps.map_or_else(dash, |steps| steps.to_string()),
                of(|summary| summary.train_loss).map_or_else(dash, number),
                of(|summary| summary.test_accuracy).map_or_else(dash, percent),
                entry.updated_unix_s.map_or_else(dash, utc),
            ];
            row.extend(shown.iter().map(|key| match entry.value(key) {
                Some(Value::String(text)) => text,
                Some(Value::Number(value)) => value.as_f64().map_or_else(|| value.to_string(), number),
                Some(value) => value.to_string(),
                None => dash(),
            }));
            row
        };
        Table {
            head: head.into_iter().chain(shown.iter().cloned()).collect(),
            rows: self.entries.iter().map(row).collect(),
        }
    }

    /// An array with an object an entry.
    #[must_use]
    pub fn json(&self) -> Value {
        let object = |entry: &Entry| {
            let settings: Map<String, Value> =
                entry.settings.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
            json!({
                "folder": entry.folder,
                "state": entry.state,
                "steps": entry.steps,
                "updated_unix_s": entry.updated_unix_s,
                "summary": entry.summary,
                "settings": settings,
            })
        };
        self.entries.iter().map(object).collect()
    }

    /// The table as a page; `link` leads from the page to that of an entry, where there is one.
    ///
    /// # Panics
    ///
    /// Never: the template was checked when it was compiled.
    #[must_use]
    pub fn html(&self, shown: &[String], link: impl Fn(&Entry) -> Option<String>) -> String {
        let Table { head, rows } = self.table(shown);
        let rows = self.entries.iter().map(link).zip(rows).collect();
        Page { head, rows, has_curves: false }.render().expect("the template writes to a string")
    }
}

impl Entry {
    /// The value under a key: `folder`, `state`, `steps`, `updated_unix_s`, a quantity of `summary.json`, or a dotted
    /// key of the configuration.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<Value> {
        let value = match key {
            "folder" => json!(self.folder),
            "state" => json!(self.state),
            "steps" => json!(self.steps),
            "updated_unix_s" => json!(self.updated_unix_s),
            _ => match self.settings.iter().find(|(known, _)| known == key) {
                Some((_, value)) => json!(value),
                None => json!(self.summary).get(key)?.clone(),
            },
        };
        Some(value).filter(|value| !value.is_null())
    }

    fn keys(&self) -> Vec<String> {
        let summary = json!(self.summary);
        let quantities = summary.as_object().into_iter().flat_map(Map::keys).cloned();
        let own = ["folder", "state", "steps", "updated_unix_s"].map(str::to_owned);
        own.into_iter().chain(quantities).chain(self.settings.iter().map(|(key, _)| key.clone())).collect()
    }
}

fn of_run(folder: &RunFolder) -> Result<Entry, LabError> {
    let status = folder.read_status()?;
    let path = folder.config();
    let config = std::fs::read_to_string(&path).map_err(LabError::io("read", &path))?;
    let settings = settings(&path, &config)?;
    let is_left = status.state == State::Running && !folder.is_busy();
    Ok(Entry {
        folder: folder.path().to_owned(),
        state: if is_left { "stopped".to_owned() } else { status.state.to_string() },
        updated_unix_s: Some(status.updated_unix_s),
        summary: if folder.summary().exists() { Some(folder.read_summary()?) } else { None },
        steps: Some(status.step),
        settings,
    })
}

fn of_study(folder: &StudyFolder) -> Result<Entry, LabError> {
    let planned = folder.planned()?;
    let states = folder.states(&planned)?;
    let ended = states.iter().filter(|state| state.is_finished()).count();
    let newest = planned.iter().filter_map(|run| Some(folder.run_folder(run).read_status().ok()?.updated_unix_s));
    Ok(Entry {
        folder: folder.path().to_owned(),
        state: format!("{ended} of {} done", planned.len()),
        updated_unix_s: newest.reduce(f64::max),
        summary: None,
        steps: None,
        settings: Vec::new(),
    })
}

/// Every leaf of a configuration under its dotted key; `path` is where the text is from.
///
/// # Errors
///
/// When the text is no TOML.
pub(crate) fn settings(path: &Path, text: &str) -> Result<Vec<(String, toml::Value)>, LabError> {
    fn flatten(prefix: &str, value: toml::Value, leaves: &mut Vec<(String, toml::Value)>) {
        match value {
            toml::Value::Table(table) => {
                for (key, value) in table {
                    let key = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
                    flatten(&key, value, leaves);
                }
            }
            value => leaves.push((prefix.to_owned(), value)),
        }
    }
    let mut leaves = Vec::new();
    let damaged =
        |error: toml::de::Error| LabError::Damaged { path: path.to_owned(), problem: error.message().to_owned() };
    flatten("", toml::Value::Table(text.parse().map_err(damaged)?), &mut leaves);
    Ok(leaves)
}
