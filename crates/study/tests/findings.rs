//! The evidence in tables with numbers made up.

use std::collections::BTreeMap;

use losscape_lab::records::{SCHEMA, State};
use losscape_study::{Association, Findings, PlannedRun, RunResult, Table};
use serde_json::{Value, json};

/// A run of a study of rate, batch size and seed, trained on 3 samples.
struct Row {
    rate: f64,
    batch: Value,
    seed: u64,
    outcome: State,
    train_loss: f64,
    numbers: Vec<(&'static str, f64)>,
    measures: Vec<(&'static str, f64)>,
}

impl Row {
    fn batch_size(&self) -> f64 {
        self.batch.as_f64().unwrap_or(3.0)
    }

    fn result(&self, index: usize) -> (PlannedRun, RunResult) {
        let named = |(name, value): &(&str, f64)| ((*name).to_owned(), *value);
        let run_id = format!("{index:016}");
        let mut set =
            vec![format!("optimizer.learning_rate={}", self.rate), format!("training.batch_size={}", self.batch)];
        // As in a study whose axes changed places before it grew.
        set.insert(index % 3, format!("seed={}", self.seed));
        let config: BTreeMap<String, Value> = [
            ("optimizer.learning_rate", json!(self.rate)),
            ("training.batch_size", self.batch.clone()),
            ("training.target_loss", json!(0.1)),
            ("seed", json!(self.seed)),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
        let training = [("train_loss", self.train_loss), ("batch_size", self.batch_size())];
        let result = RunResult {
            schema: SCHEMA,
            run_id: run_id.clone(),
            outcome: self.outcome,
            reason: String::new(),
            config,
            training: training.iter().chain(&self.numbers).map(named).collect(),
            measured: None,
            measures: self.measures.iter().map(named).collect(),
        };
        (PlannedRun { index, run_id, folder: String::new(), set }, result)
    }
}

/// Three rates, batches of 1, 2 and all samples, five seeds; `numbers` and `measures` of rate, batch size and seed.
fn rows(
    numbers: impl Fn(f64, f64, f64) -> Vec<(&'static str, f64)>,
    measures: impl Fn(f64, f64, f64) -> Vec<(&'static str, f64)>,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for rate in [1.0, 2.0, 3.0] {
        for batch in [json!(1), json!(2), json!("full")] {
            for seed in 0..5 {
                let mut row = Row {
                    rate,
                    batch: batch.clone(),
                    seed,
                    outcome: State::Done,
                    train_loss: 0.09,
                    numbers: Vec::new(),
                    measures: Vec::new(),
                };
                row.numbers = numbers(rate, row.batch_size(), seed as f64);
                row.measures = measures(rate, row.batch_size(), seed as f64);
                rows.push(row);
            }
        }
    }
    rows
}

fn findings(rows: &[Row]) -> Findings {
    let results: Vec<_> = rows.iter().enumerate().map(|(index, row)| row.result(index)).collect();
    Findings::of(&Table::of(&results), 0)
}

fn of<'a>(findings: &'a Findings, measure: &str) -> &'a Association {
    let found = findings.associations.iter().find(|known| known.measure == measure && known.outcome == "loss_gap");
    found.unwrap_or_else(|| panic!("{measure} varies"))
}

#[test]
fn runs_are_compared_by_axis_and_those_that_cannot_be_are_left_out() {
    // With the rate both rise, with the batch one rises and one falls; seeds move both far.
    let mut rows = rows(
        |rate, batch, seed| vec![("loss_gap", 10.0 * rate - batch + 100.0 * seed)],
        |rate, batch, seed| {
            let sharpness = 10.0 * rate + batch + 200.0 * seed;
            vec![("hessian_max", sharpness), ("twin", sharpness), ("hessian_trace_sem", sharpness * sharpness)]
        },
    );
    let aside = |rate, outcome, train_loss| Row {
        rate,
        batch: json!(1),
        seed: 0,
        outcome,
        train_loss,
        numbers: vec![("loss_gap", 0.0)],
        measures: vec![("hessian_max", 1e6)],
    };
    rows.push(aside(4.0, State::Diverged, f64::NAN));
    rows.push(aside(4.0, State::Done, 0.11));
    let found = findings(&rows);
    let Findings { runs, seeds, configurations, diverged, off_target, .. } = found;
    assert_eq!((runs, seeds, configurations, diverged, off_target), (45, 5, 9, 1, 1));
    assert_eq!(found.axes, ["optimizer.learning_rate", "training.batch_size"]);
    assert_eq!(found.given, found.axes, "a batch of all samples is a number too");
    for absent in ["twin", "hessian_trace_sem"] {
        assert!(found.associations.iter().all(|known| known.measure != absent), "{absent} is no evidence more");
    }
    let sharpness = of(&found, "hessian_max");
    let expected = [("optimizer.learning_rate", 1.0), ("training.batch_size", -1.0)];
    let expected: BTreeMap<String, f64> = expected.into_iter().map(|(axis, tau)| (axis.to_owned(), tau)).collect();
    assert_eq!(sharpness.granulated, expected);
    assert_eq!(sharpness.granulated_mean.expect("two axes").value, 0.0);
    // Of the 36 pairs of a seed, the 9 that differ in the batch alone go down and the others up.
    assert_eq!(sharpness.tau.value, 18.0 / 36.0);
    let [low, high] = sharpness.tau.interval.expect("five seeds, nine configurations");
    assert!(low <= sharpness.tau.value && sharpness.tau.value <= high && high - low > 0.1);
    // The settings and the seed explain all of it; τ of three levels with the nine values they make.
    assert_eq!(sharpness.partial, None);
    let to_rate = 27.0 / (27.0f64 * 36.0).sqrt();
    // A setting varies along its own axis alone.
    let rate = of(&found, "optimizer.learning_rate");
    assert!(rate.baseline && of(&found, "noise").baseline && !sharpness.baseline);
    assert_eq!(rate.granulated.keys().collect::<Vec<_>>(), ["optimizer.learning_rate"]);
    assert_eq!(rate.granulated_mean.expect("its own").value, 1.0);
    assert_eq!(rate.partial, None, "a setting is given");
    // What follows the rate is there for a figure.
    let follower = found.followers.iter().find(|known| known.setting == "optimizer.learning_rate").expect("one does");
    assert_eq!((follower.measure.as_str(), follower.tau), ("hessian_max", to_rate));
    assert_eq!(found, findings(&rows), "the same seed, the same evidence");
}

#[test]
fn the_clearest_comes_first_and_what_a_setting_explains_is_not_left() {
    // Both follow the rate, each with an error of its own that the other does not know.
    let error = |rate: f64, batch: f64, seed: f64, times: f64| (times * (rate + 7.0 * batch + 3.0 * seed)).sin();
    let found = findings(&rows(
        |rate, batch, seed| vec![("loss_gap", rate + 0.4 * error(rate, batch, seed, 12.9))],
        |rate, batch, seed| {
            vec![
                ("led", rate + 0.4 * error(rate, batch, seed, 78.2)),
                ("own", error(rate, batch, seed, 12.9)),
                ("none", error(rate, batch, seed, 37.7)),
            ]
        },
    ));
    let (led, own) = (of(&found, "led"), of(&found, "own"));
    assert!(led.tau.is_clear() && led.tau.value > 0.5);
    let partial = |of: &Association| of.partial.expect("two settings");
    assert!(partial(led).value.abs() < 0.5 * led.tau.value, "{:?}", led.partial);
    assert!(partial(own).value > own.tau.value && partial(own).is_clear(), "{own:?}");
    let strengths: Vec<f64> = found.associations.iter().map(|known| known.tau.strength().expect("enough")).collect();
    assert!(strengths.is_sorted_by(|a, b| a >= b), "{strengths:?}");
    assert!(!of(&found, "none").tau.is_clear());
}

#[test]
fn four_seeds_have_no_interval() {
    let mut rows = rows(|rate, _, seed| vec![("loss_gap", rate + seed)], |rate, batch, _| vec![("own", rate * batch)]);
    rows.retain(|row| row.seed < 4);
    let found = findings(&rows);
    assert!(found.associations.iter().all(|known| known.tau.interval.is_none() && !known.tau.is_clear()));
    assert!(of(&found, "own").tau.value > 0.0);
}
