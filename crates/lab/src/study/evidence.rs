//! Which measure goes with which outcome, over the runs of a study.
//!
//! For each measure and each outcome (`loss_gap`, `test_error`):
//!
//! - Kendall's τ-b over all runs, with a 95 % percentile interval of a bootstrap over configurations: runs that differ in their seed alone are drawn together,
//!   since they are no independent evidence about settings.
//! - Granulated τ (Jiang et al. 2020, eq. 6 to 8): for each axis the mean τ-a over groups of runs that differ in that axis alone; and the mean over axes, the
//!   seed left out. A measure that foretells an outcome only because a setting moves both has a large τ and a small granulated τ.
//! - The partial rank correlation given learning rate and batch size, where they vary.
//!
//! Runs that diverged, or did not reach the target loss that the configuration names, are left out and counted: at different training losses gaps cannot be
//! compared. Baselines stand among the measures: the settings themselves, the length of the training, the norm of the parameters, and noise.

use std::collections::{BTreeMap, BTreeSet};

use losscape_model::random::{Purpose, stream};
use rand::{Rng, RngExt};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::folder::StudyFolder;
use super::kendall::{partial, tau_a, tau_b};
use super::table::Table;
use crate::LabError;
use crate::folder::{read_json, write_json};
use crate::records::{SCHEMA, State};

/// What a measure is asked to foretell.
pub const OUTCOMES: [&str; 2] = ["loss_gap", "test_error"];

/// Resamples of the bootstrap: the ends of a 95 % interval are then known to about a tenth of its width (Efron & Tibshirani 1993, §13.3 advise as many).
const RESAMPLES: usize = 1000;

/// Settings that partial correlations are given.
const CONTROLS: [&str; 2] = ["optimizer.learning_rate", "training.batch_size"];

/// Numbers of training and settings that a measure must do better than.
const BASELINES: [&str; 7] =
    ["optimizer.learning_rate", "training.batch_size", "steps", "edge", "parameter_norm", "train_loss", NOISE];

/// A random number for every run.
const NOISE: &str = "noise";

/// `evidence.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Runs used.
    pub runs: usize,
    /// Configurations among them: runs that differ in their seed alone are one.
    pub configurations: usize,
    /// Runs left out because they diverged.
    pub diverged: usize,
    /// Runs left out because they did not reach the target loss.
    pub off_target: usize,
    /// The axes of the study.
    pub axes: Vec<String>,
    /// Settings that partial correlations are given.
    pub given: Vec<String>,
    /// Every measure with every outcome, the strongest evidence first.
    pub associations: Vec<Association>,
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
    /// Kendall's τ-b.
    pub tau: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Granulated τ of every axis; absent where no two runs differ in it alone.
    pub granulated: BTreeMap<String, f64>,
    /// Their mean, the seed left out.
    pub granulated_mean: Option<f64>,
    /// τ given [`Evidence::given`]; absent where nothing is given, or the measure is one of them.
    pub partial: Option<f64>,
}

impl Association {
    /// How far the interval is from zero, in τ: negative when zero is in it.
    #[must_use]
    pub fn strength(&self) -> f64 {
        self.low.max(-self.high)
    }
}

/// A run as the statistics see it.
struct Point {
    /// Its configuration: settings but the seed.
    configuration: usize,
    /// For each axis the group of runs that differ from it in that axis alone.
    groups: Vec<usize>,
}

impl Evidence {
    /// Weighs the table of a study; `seed` chooses resamples and noise.
    #[must_use]
    pub fn weigh(table: &Table, seed: u64) -> Self {
        let axes = axes(table);
        let target = table.numbers("training.target_loss");
        let loss = table.numbers("train_loss");
        let (mut used, mut diverged, mut off_target) = (Vec::new(), 0, 0);
        for (row, outcome) in table.outcomes().into_iter().enumerate() {
            let at = |column: &Option<Vec<f64>>| column.as_ref().map(|values| values[row]);
            if outcome == State::Diverged {
                diverged += 1;
            } else if let (Some(target), Some(loss)) = (at(&target).filter(|target| !target.is_nan()), at(&loss))
                && (loss.is_nan() || loss > target)
            {
                off_target += 1;
            } else {
                used.push(row);
            }
        }
        let points = points(table, &used, &axes);
        let pick = |values: Vec<f64>| used.iter().map(|&row| values[row]).collect::<Vec<f64>>();
        let varied = |name: &str| table.numbers(name).map(pick).filter(|values| varies(values));
        let controls: Vec<(&str, Vec<f64>)> = CONTROLS.iter().filter_map(|name| Some((*name, varied(name)?))).collect();
        let mut measures: Vec<(String, Vec<f64>)> = Vec::new();
        for name in names(table) {
            // The same numbers under another name, as a method's sharpness where it has no preconditioner, are no evidence more.
            if let Some(values) = varied(name).filter(|values| measures.iter().all(|(_, known)| known != values)) {
                measures.push((name.to_owned(), values));
            }
        }
        let noise = (0..used.len()).map(|at| stream(seed, Purpose::Bootstrap, at as u64).random::<f64>());
        measures.push((NOISE.to_owned(), noise.collect()));
        let outcomes: Vec<(&str, Vec<f64>)> = OUTCOMES.iter().filter_map(|name| Some((*name, varied(name)?))).collect();
        let pairs: Vec<_> = measures.iter().flat_map(|measure| outcomes.iter().map(move |of| (measure, of))).collect();
        let mut associations: Vec<Association> = pairs
            .into_par_iter()
            .enumerate()
            .filter_map(|(at, ((measure, x), (outcome, y)))| {
                // Beyond the streams of the noise.
                let mut random = stream(seed, Purpose::Bootstrap, (1 << 40) + at as u64);
                associate(measure, x, outcome, y, &points, &axes, &controls, &mut random)
            })
            .collect();
        let order = |a: &Association, b: &Association| {
            b.strength().total_cmp(&a.strength()).then_with(|| a.measure.cmp(&b.measure))
        };
        associations.sort_by(order);
        Self {
            schema: SCHEMA,
            runs: used.len(),
            configurations: points.iter().map(|point| point.configuration).collect::<BTreeSet<_>>().len(),
            diverged,
            off_target,
            axes,
            given: controls.iter().map(|(name, _)| (*name).to_owned()).collect(),
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

/// The key of a setting `key=value`.
fn key(setting: &str) -> &str {
    setting.split_once('=').map_or(setting, |(key, _)| key)
}

/// The axes that the table's runs differ in.
fn axes(table: &Table) -> Vec<String> {
    let mut axes: Vec<String> = Vec::new();
    for run in &table.runs {
        for setting in &run.set {
            let key = key(setting);
            if !axes.iter().any(|known| known == key) {
                axes.push(key.to_owned());
            }
        }
    }
    axes
}

fn points(table: &Table, used: &[usize], axes: &[String]) -> Vec<Point> {
    // The settings of a run but for one axis, and that axis: equal ones have equal numbers.
    let mut known: BTreeMap<Vec<&str>, usize> = BTreeMap::new();
    let mut points = Vec::new();
    for &row in used {
        let set = &table.runs[row].set;
        let mut number = |axis| {
            let others = set.iter().map(String::as_str).filter(|setting| key(setting) != axis);
            let next = known.len();
            *known.entry(std::iter::once(axis).chain(others).collect()).or_insert(next)
        };
        let configuration = number("seed");
        let groups = axes.iter().map(|axis| number(axis)).collect();
        points.push(Point { configuration, groups });
    }
    points
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

#[expect(clippy::too_many_arguments, reason = "two named columns and what is known of the runs")]
fn associate(
    measure: &str,
    x: &[f64],
    outcome: &str,
    y: &[f64],
    points: &[Point],
    axes: &[String],
    controls: &[(&str, Vec<f64>)],
    random: &mut impl Rng,
) -> Option<Association> {
    let there: Vec<usize> = (0..points.len()).filter(|&at| !x[at].is_nan() && !y[at].is_nan()).collect();
    let pairs: Vec<(f64, f64)> = there.iter().map(|&at| (x[at], y[at])).collect();
    let tau = tau_b(&pairs);
    if tau.is_nan() {
        return None;
    }
    let mut clusters: BTreeMap<usize, Vec<(f64, f64)>> = BTreeMap::new();
    for (&at, pair) in there.iter().zip(&pairs) {
        clusters.entry(points[at].configuration).or_default().push(*pair);
    }
    let [low, high] = bootstrap(&clusters.into_values().collect::<Vec<_>>(), random);
    let granulated: BTreeMap<String, f64> = axes
        .iter()
        .enumerate()
        .filter_map(|(axis, name)| {
            let mut groups: BTreeMap<usize, Vec<(f64, f64)>> = BTreeMap::new();
            for (&at, pair) in there.iter().zip(&pairs) {
                groups.entry(points[at].groups[axis]).or_default().push(*pair);
            }
            let taus: Vec<f64> = groups.values().filter(|group| group.len() > 1).map(|group| tau_a(group)).collect();
            (!taus.is_empty()).then(|| (name.clone(), mean(&taus)))
        })
        .collect();
    let settings: Vec<f64> = granulated.iter().filter(|(axis, _)| *axis != "seed").map(|(_, tau)| *tau).collect();
    let partial = (!controls.is_empty() && controls.iter().all(|(name, _)| *name != measure)).then(|| {
        let pick = |values: &[f64]| there.iter().map(|&at| values[at]).collect::<Vec<f64>>();
        let all: Vec<Vec<f64>> =
            [pick(x), pick(y)].into_iter().chain(controls.iter().map(|(_, values)| pick(values))).collect();
        let tau = |a: &[f64], b: &[f64]| tau_b(&a.iter().copied().zip(b.iter().copied()).collect::<Vec<_>>());
        partial(all.iter().map(|a| all.iter().map(|b| tau(a, b)).collect()).collect())
    });
    Some(Association {
        measure: measure.to_owned(),
        baseline: BASELINES.contains(&measure),
        outcome: outcome.to_owned(),
        runs: there.len(),
        tau,
        low,
        high,
        granulated,
        granulated_mean: (!settings.is_empty()).then(|| mean(&settings)),
        partial: partial.filter(|tau| tau.is_finite()),
    })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The 95 % percentile interval of τ-b when as many clusters are drawn with replacement; a resample without order counts as τ = 0.
#[must_use]
pub fn bootstrap(clusters: &[Vec<(f64, f64)>], random: &mut impl Rng) -> [f64; 2] {
    let mut drawn = Vec::new();
    let mut taus: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            drawn.clear();
            for _ in clusters {
                drawn.extend_from_slice(&clusters[random.random_range(0..clusters.len())]);
            }
            let tau = tau_b(&drawn);
            if tau.is_nan() { 0.0 } else { tau }
        })
        .collect();
    taus.sort_by(f64::total_cmp);
    [0.025, 0.975].map(|share| quantile(&taus, share))
}

/// A quantile of sorted values, linear between them (type 7 of Hyndman & Fan 1996, NumPy's default).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + at.fract() * (above - below)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Evidence;
    use crate::records::{SCHEMA, State};
    use crate::study::{PlannedRun, RunResult, Table};

    /// A run of a study of rate, batch and seed, with numbers made up.
    fn row(index: usize, [rate, batch, seed]: [f64; 3], outcome: State, train_loss: f64) -> (PlannedRun, RunResult) {
        let set = vec![
            format!("optimizer.learning_rate={rate}"),
            format!("training.batch_size={batch}"),
            format!("seed={seed}"),
        ];
        let numbers = |pairs: &[(&str, f64)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let run_id = format!("{index:016}");
        let config: BTreeMap<String, serde_json::Value> =
            [("optimizer.learning_rate", rate), ("training.batch_size", batch), ("training.target_loss", 0.1)]
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.into()))
                .collect();
        let result = RunResult {
            schema: SCHEMA,
            run_id: run_id.clone(),
            outcome,
            reason: String::new(),
            config,
            training: numbers(&[("train_loss", train_loss), ("loss_gap", 10.0 * rate - batch + 0.1 * seed)]),
            measures: numbers(&[
                ("hessian_max", 10.0 * rate + batch + 0.2 * seed),
                ("twin", 10.0 * rate + batch + 0.2 * seed),
            ]),
        };
        (PlannedRun { index, run_id, folder: String::new(), set }, result)
    }

    #[test]
    fn rows_are_weighed_by_axis_and_those_that_cannot_be_compared_are_left_out() {
        let mut rows = Vec::new();
        for rate in [1.0, 2.0, 3.0] {
            for batch in [1.0, 2.0] {
                rows.extend([0.0, 1.0, 2.0].map(|seed| row(0, [rate, batch, seed], State::Done, 0.09)));
            }
        }
        rows.push(row(0, [4.0, 1.0, 0.0], State::Diverged, f64::NAN));
        rows.push(row(0, [4.0, 2.0, 0.0], State::Done, 0.11));
        let evidence = Evidence::weigh(&Table::of(&rows), 0);
        assert_eq!((evidence.runs, evidence.configurations, evidence.diverged, evidence.off_target), (18, 6, 1, 1));
        let of = |measure: &str| evidence.associations.iter().find(|known| known.measure == measure);
        let sharpness = of("hessian_max").expect("it varies");
        assert!(of("twin").is_none(), "the same numbers are no evidence more");
        // With the rate both rise, with the batch one rises and one falls, with the seed both rise.
        let expected = [("optimizer.learning_rate", 1.0), ("seed", 1.0), ("training.batch_size", -1.0)];
        let expected: BTreeMap<String, f64> = expected.into_iter().map(|(axis, tau)| (axis.to_owned(), tau)).collect();
        assert_eq!(sharpness.granulated, expected);
        assert_eq!(sharpness.granulated_mean, Some(0.0), "the seed is left out");
        assert!(sharpness.tau > 0.5 && sharpness.low <= sharpness.tau && sharpness.tau <= sharpness.high);
        assert!(
            of("noise").expect("it is always there").baseline
                && of("optimizer.learning_rate").expect("it varies").partial.is_none()
        );
        assert_eq!(evidence, Evidence::weigh(&Table::of(&rows), 0), "the same seed, the same evidence");
    }
}
