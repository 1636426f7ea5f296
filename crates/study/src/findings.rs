//! Which measure goes with which outcome, over the runs of a study.
//!
//! For each measure and each outcome (`loss_gap`, `test_error`), with intervals by
//! [`statistics::interval`](losscape_lab::statistics::interval):
//!
//! - Kendall's τ-b among the runs of one seed, the mean over seeds.
//! - Granulated τ (Jiang et al. 2020, eq. 6 to 8): for each axis the mean over groups of runs that differ in that axis
//!   alone; and the mean over the axes in whose groups the measure varies. A measure that foretells an outcome only
//!   because a setting moves both has a large τ and a small granulated τ of the other axes.
//! - The partial τ given all settings ([`statistics::partial`](losscape_lab::statistics::partial)): zero for quantities
//!   that depend on the settings alone. Settings have none themselves.
//!
//! Runs that diverged, or did not reach the target loss that the configuration names, are left out and counted: at
//! different training losses gaps cannot be compared. Baselines stand among the measures: the settings themselves, the
//! length of the training, the norm of the parameters, and noise.

use std::collections::{BTreeMap, BTreeSet};

use losscape_model::random::{Purpose, stream};
use rand::RngExt;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::folder::StudyFolder;
use crate::table::Table;
use losscape_lab::LabError;
use losscape_lab::folder::{read_json, write_json};
use losscape_lab::records::{SCHEMA, State};
use losscape_lab::statistics::kendall::tau_b;
use losscape_lab::statistics::{Place, Runs, Settings, Tau};

/// What a measure is asked to foretell.
pub const OUTCOMES: [&str; 2] = ["loss_gap", "test_error"];

/// Settings that say which random numbers a run drew.
const SEEDS: [&str; 2] = ["seed", "data.seed"];

/// Numbers of training that a measure must do better than, beside the settings.
const BASELINES: [&str; 5] = ["steps", "edge", "parameter_norm", "train_loss", NOISE];

/// A random number for every run.
const NOISE: &str = "noise";

/// `evidence.json`: which measure goes with which outcome, over the runs that can be compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// Version of the files: [`SCHEMA`].
    pub schema: u32,
    /// Runs compared.
    pub runs: usize,
    /// Seeds among them.
    pub seeds: usize,
    /// Configurations among them: runs that differ in their seed alone are one.
    pub configurations: usize,
    /// Runs left out because they diverged.
    pub diverged: usize,
    /// Runs left out because they did not reach the target loss.
    pub off_target: usize,
    /// The axes of the study but for the seed.
    pub axes: Vec<String>,
    /// Settings that are numbers and vary.
    pub given: Vec<String>,
    /// Every measure with every outcome, the strongest evidence first.
    pub associations: Vec<Association>,
    /// How closely measures follow settings, the closest first.
    pub followers: Vec<Follower>,
}

/// A measure and an outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Association {
    /// The measure, a column of the table.
    pub measure: String,
    /// Whether it is something that measures must do better than.
    pub baseline: bool,
    /// The outcome, a column of the table.
    pub outcome: String,
    /// Runs that have both.
    pub runs: usize,
    /// Kendall's τ-b, mean over seeds.
    pub tau: Tau,
    /// Granulated τ of every axis; absent where no two runs differ in it alone, or the measure does not change with
    /// it.
    pub granulated: BTreeMap<String, f64>,
    /// Their mean over axes; absent where there are none.
    pub granulated_mean: Option<Tau>,
    /// τ given the settings; absent for settings, and where these leave nothing.
    pub partial: Option<Tau>,
}

/// A measure that follows a setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Follower {
    /// The setting, a column of numbers.
    pub setting: String,
    /// The measure, a column of the table.
    pub measure: String,
    /// Kendall's τ-b, mean over seeds.
    pub tau: f64,
}

/// The rows of a table that can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparable {
    /// Their numbers in the table, ascending.
    pub rows: Vec<usize>,
    /// Runs left out because they diverged.
    pub diverged: usize,
    /// Runs left out because they did not reach the target loss.
    pub off_target: usize,
}

impl Comparable {
    /// The rows that neither diverged nor missed their target loss.
    #[must_use]
    pub fn of(table: &Table) -> Self {
        let (target, loss) = (table.numbers("training.target_loss"), table.numbers("train_loss"));
        let mut found = Self { rows: Vec::new(), diverged: 0, off_target: 0 };
        for (row, outcome) in table.outcomes().into_iter().enumerate() {
            let at = |column: &Option<Vec<f64>>| column.as_ref().map(|values| values[row]);
            if outcome == State::Diverged {
                found.diverged += 1;
            } else if let (Some(target), Some(loss)) = (at(&target).filter(|target| !target.is_nan()), at(&loss))
                && (loss.is_nan() || loss > target)
            {
                found.off_target += 1;
            } else {
                found.rows.push(row);
            }
        }
        found
    }
}

/// A quantity of the runs used.
struct Quantity {
    name: String,
    values: Vec<f64>,
    /// Whether it is a setting.
    set: bool,
}

impl Quantity {
    fn is_baseline(&self) -> bool {
        self.set || BASELINES.contains(&self.name.as_str())
    }
}

impl Findings {
    /// The evidence in the table of a study; `seed` chooses the noise.
    #[must_use]
    pub fn of(table: &Table, seed: u64) -> Self {
        let Comparable { rows, diverged, off_target } = Comparable::of(table);
        let axes = axes(table);
        let places = places(table, &rows);
        let groups: Vec<Vec<usize>> =
            axes.iter().map(|axis| grouped(table, &rows, |key| belongs(key, axis, &axes))).collect();
        let runs = Runs::new(&places);
        let pick = |name: &str| {
            let values = table.numbers(name)?;
            Some(rows.iter().map(|&row| values[row]).collect::<Vec<f64>>()).filter(|values| varies(values))
        };
        let settings = settings(table, &rows);
        let given: Vec<String> = settings.iter().map(|setting| setting.name.clone()).collect();
        let mut measures = settings;
        for name in names(table) {
            // The same numbers under another name, as a method's sharpness where it has no preconditioner, are no
            // evidence more.
            if let Some(values) = pick(name).filter(|values| measures.iter().all(|known| known.values != *values)) {
                measures.push(Quantity { name: name.to_owned(), values, set: false });
            }
        }
        let noise = (0..rows.len()).map(|at| stream(seed, Purpose::Bootstrap, at as u64).random::<f64>());
        measures.push(Quantity { name: NOISE.to_owned(), values: noise.collect(), set: false });
        let outcomes: Vec<(&str, Vec<f64>)> = OUTCOMES.iter().filter_map(|name| Some((*name, pick(name)?))).collect();

        let fixed = fixed(table, &rows);
        let pairs: Vec<(&Quantity, &(&str, Vec<f64>))> =
            measures.iter().flat_map(|measure| outcomes.iter().map(move |outcome| (measure, outcome))).collect();
        let associate = |(measure, (outcome, y)): (&Quantity, &(&str, Vec<f64>))| {
            let x = &measure.values;
            let tau = runs.tau(x, y)?;
            let (granulated, granulated_mean) = runs.granulated(&groups, x, y);
            let named = axes.iter().cloned().zip(granulated);
            Some(Association {
                measure: measure.name.clone(),
                baseline: measure.is_baseline(),
                outcome: (*outcome).to_owned(),
                runs: x.iter().zip(y).filter(|(x, y)| !x.is_nan() && !y.is_nan()).count(),
                tau,
                granulated: named.filter(|(_, tau)| !tau.is_nan()).collect(),
                granulated_mean,
                partial: if measure.set { None } else { runs.partial(&fixed, x, y) },
            })
        };
        let mut associations: Vec<Association> = pairs.into_par_iter().filter_map(associate).collect();
        let strength = |of: &Association| of.tau.strength().unwrap_or(f64::NEG_INFINITY);
        associations.sort_by(|a, b| {
            let by_size = b.tau.value.abs().total_cmp(&a.tau.value.abs());
            strength(b).total_cmp(&strength(a)).then(by_size).then_with(|| a.measure.cmp(&b.measure))
        });
        let distinct = |of: fn(&Place) -> usize| places.iter().map(of).collect::<BTreeSet<_>>().len();
        Self {
            schema: SCHEMA,
            runs: rows.len(),
            seeds: distinct(|place| place.seed),
            configurations: distinct(|place| place.configuration),
            diverged,
            off_target,
            axes,
            followers: followers(&measures, &runs),
            given,
            associations,
        }
    }

    /// Writes `evidence.json`.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written.
    pub fn write(&self, study: &StudyFolder) -> Result<(), LabError> {
        write_json(&study.file("evidence.json"), self)
    }

    /// Reads `evidence.json`.
    ///
    /// # Errors
    ///
    /// When it is missing or damaged.
    pub fn read(study: &StudyFolder) -> Result<Self, LabError> {
        read_json(&study.file("evidence.json"))
    }
}

/// How closely each measure that is no baseline follows each setting.
fn followers(measures: &[Quantity], runs: &Runs) -> Vec<Follower> {
    let settings = measures.iter().filter(|setting| setting.set);
    let mut followers: Vec<Follower> = settings
        .flat_map(|setting| {
            measures.iter().filter(|measure| !measure.is_baseline()).map(move |measure| (setting, measure))
        })
        .filter_map(|(setting, measure)| {
            let tau = runs.tau(&setting.values, &measure.values)?.value;
            Some(Follower { setting: setting.name.clone(), measure: measure.name.clone(), tau })
        })
        .collect();
    followers.sort_by(|a, b| b.tau.abs().total_cmp(&a.tau.abs()).then_with(|| a.measure.cmp(&b.measure)));
    followers
}

/// The axes that the table's runs differ in, but for seeds.
fn axes(table: &Table) -> Vec<String> {
    let mut axes: Vec<String> = Vec::new();
    for run in &table.runs {
        for setting in &run.set {
            let key = setting.split_once('=').map_or(setting.as_str(), |(key, _)| key);
            if !SEEDS.contains(&key) && !axes.iter().any(|known| known == key) {
                axes.push(key.to_owned());
            }
        }
    }
    axes
}

/// Whether a key of the configuration changes with an axis: it is the axis or in its table, which for a name is the
/// table that the name chooses; and no axis of its own.
fn belongs(key: &str, axis: &str, axes: &[String]) -> bool {
    let within =
        |key: &str, table: &str| key.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let table = axis.strip_suffix(".name").unwrap_or(axis);
    within(key, table) && !axes.iter().any(|other| other != axis && within(other, table) && within(key, other))
}

/// Rows numbered so that those are alike whose resolved configurations are, but for the keys left `out`.
fn grouped(table: &Table, rows: &[usize], out: impl Fn(&str) -> bool) -> Vec<usize> {
    let columns: Vec<_> = table.settings.iter().filter(|key| !out(key)).filter_map(|key| table.column(key)).collect();
    let mut known: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    rows.iter()
        .map(|&row| {
            let next = known.len();
            *known.entry(columns.iter().map(|column| column.cell(row)).collect()).or_insert(next)
        })
        .collect()
}

fn places(table: &Table, rows: &[usize]) -> Vec<Place> {
    let seeds = grouped(table, rows, |key| !SEEDS.contains(&key));
    let configurations = grouped(table, rows, |key| SEEDS.contains(&key));
    seeds.into_iter().zip(configurations).map(|(seed, configuration)| Place { seed, configuration }).collect()
}

/// The settings that are numbers and vary, but for those that order the runs as one before them does; the size of the
/// network is one.
fn settings(table: &Table, rows: &[usize]) -> Vec<Quantity> {
    let names = table.settings.iter().map(String::as_str).chain(["parameters"]).filter(|name| !SEEDS.contains(name));
    let mut settings: Vec<Quantity> = Vec::new();
    for name in names {
        let Some(values) = table.setting(name) else { continue };
        let values: Vec<f64> = rows.iter().map(|&row| values[row]).collect();
        let same = |known: &Quantity| {
            let pairs: Vec<(f64, f64)> = known.values.iter().copied().zip(values.iter().copied()).collect();
            tau_b(&pairs).abs() > 1.0 - 1e-12
        };
        if values.iter().all(|value| value.is_finite()) && varies(&values) && !settings.iter().any(same) {
            settings.push(Quantity { name: name.to_owned(), values, set: true });
        }
    }
    settings
}

/// Everything that was set but seeds. A number that some runs have not is the mean of the others' there, and a kind of
/// its own.
fn fixed(table: &Table, rows: &[usize]) -> Settings {
    let (mut numbers, mut words) = (Vec::new(), vec![String::new(); rows.len()]);
    for key in table.settings.iter().filter(|key| !SEEDS.contains(&key.as_str())) {
        let of = table.setting(key).map(|values| rows.iter().map(|&row| values[row]).collect::<Vec<f64>>());
        match (of, table.column(key)) {
            (Some(values), _) => {
                let there: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
                let mean = there.iter().sum::<f64>() / there.len().max(1) as f64;
                let has = |value: &f64| if value.is_finite() { '+' } else { '-' };
                words.iter_mut().zip(&values).for_each(|(words, value)| words.push(has(value)));
                if varies(&there) {
                    numbers.push(values.iter().map(|value| if value.is_finite() { *value } else { mean }).collect());
                }
            }
            (None, Some(column)) => {
                words.iter_mut().zip(rows).for_each(|(words, &row)| *words += &format!("{:?}", column.cell(row)));
            }
            (None, None) => {}
        }
    }
    let mut known: BTreeMap<&String, usize> = BTreeMap::new();
    let number = |words| {
        let next = known.len();
        *known.entry(words).or_insert(next)
    };
    let kinds = words.iter().map(number).collect();
    Settings { numbers, kinds }
}

/// The baselines in the table, and its measures but for errors and thresholds.
fn names(table: &Table) -> Vec<&str> {
    let baselines = BASELINES.into_iter().filter(|name| table.column(name).is_some());
    let told = |name: &&str| {
        !BASELINES.contains(name) && !["_sem", "_floor", "measured_loss"].iter().any(|end| name.ends_with(end))
    };
    baselines.chain(table.measures.iter().map(String::as_str).filter(told)).collect()
}

fn varies(values: &[f64]) -> bool {
    let mut finite = values.iter().filter(|value| !value.is_nan());
    finite.next().is_some_and(|first| finite.any(|value| value != first))
}
