//! Runs side by side: the settings in which they differ and what came out, as a table, as JSON, and as a page with
//! their curves.

use std::collections::BTreeSet;

use askama::Template;
use losscape_lab::LabError;
use losscape_lab::records::{Metric, Split, Summary};
use serde_json::{Map, Value, json};

use crate::figure::{COLORS, Chart, Curve, Figure};
use crate::landscape::with_error;
use crate::table::Table;
use crate::training;
use crate::{RunRecords, number, percent};

/// Runs side by side.
#[derive(Debug)]
pub struct Comparison<'a> {
    runs: &'a [RunRecords],
    /// Every key that has not the same value in all runs, with the value of each.
    settings: Vec<(String, Vec<Option<toml::Value>>)>,
}

#[derive(Template)]
#[template(path = "compare.html")]
struct Page<'a> {
    names: Vec<(String, Option<String>)>,
    table: &'a Table,
    figures: Vec<Figure>,
    has_curves: bool,
}

impl<'a> Comparison<'a> {
    /// Puts runs side by side. Their labels are no setting.
    ///
    /// # Errors
    ///
    /// When a resolved configuration is no TOML.
    pub fn of(runs: &'a [RunRecords]) -> Result<Self, LabError> {
        let leaves = runs.iter().map(RunRecords::settings).collect::<Result<Vec<_>, _>>()?;
        let value = |run: &[(String, toml::Value)], key: &str| {
            run.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone())
        };
        let keys: BTreeSet<&String> = leaves.iter().flatten().map(|(key, _)| key).collect();
        let settings = keys.into_iter().map(|key| (key.clone(), leaves.iter().map(|run| value(run, key)).collect()));
        let differs = |(key, values): &(String, Vec<Option<toml::Value>>)| {
            key != "label" && values.iter().any(|value| *value != values[0])
        };
        Ok(Self { runs, settings: settings.filter(differs).collect() })
    }

    /// One column a run; rows for the settings in which the runs differ, then for the results.
    #[must_use]
    pub fn table(&self) -> Table {
        let dash = || "–".to_owned();
        let setting = |(key, values): &(String, Vec<Option<toml::Value>>)| {
            let cells = values.iter().map(|value| value.as_ref().map_or_else(dash, words));
            std::iter::once(key.clone()).chain(cells).collect::<Vec<String>>()
        };
        let mut rows: Vec<Vec<String>> = self.settings.iter().map(setting).collect();

        type Column = (&'static str, fn(&Summary) -> Option<String>);
        let results: [Column; 12] = [
            ("outcome", |summary| Some(summary.outcome.to_string())),
            ("steps", |summary| Some(summary.steps.to_string())),
            ("train loss", |summary| summary.train_loss.map(number)),
            ("test loss", |summary| summary.test_loss.map(number)),
            ("train accuracy", |summary| summary.train_accuracy.map(percent)),
            ("test accuracy", |summary| summary.test_accuracy.map(percent)),
            ("train gradient norm", |summary| summary.train_grad_norm.map(number)),
            ("train loss, average", |summary| summary.average_train_loss.map(number)),
            ("test loss, average", |summary| summary.average_test_loss.map(number)),
            ("test accuracy, average", |summary| summary.average_test_accuracy.map(percent)),
            ("parameters", |summary| Some(summary.parameters.to_string())),
            ("time (s)", |summary| Some(number(summary.wall_s))),
        ];
        let mut put = |name: &str, cells: Vec<Option<String>>| {
            if cells.iter().any(Option::is_some) {
                let cells = cells.into_iter().map(|cell| cell.unwrap_or_else(dash));
                rows.push(std::iter::once(name.to_owned()).chain(cells).collect());
            }
        };
        for (name, of) in results {
            put(name, self.runs.iter().map(|run| run.summary.as_ref().and_then(of)).collect());
        }
        type Measured = (&'static str, fn(&RunRecords) -> Option<String>);
        let measured: [Measured; 3] = [
            ("λ max, analyzed", |run| {
                let pair = run.largest_eigenvalue()?;
                Some(format!("{} at {}", with_error(pair.value, Some(pair.error_bound)), run.analyzed_at()?))
            }),
            ("sharpness, tracked", |run| {
                run.last_tracked("sharpness").map(|(step, value)| format!("{} at step {step}", number(value)))
            }),
            ("edge, tracked", |run| {
                run.last_tracked("edge").map(|(step, value)| format!("{} at step {step}", number(value)))
            }),
        ];
        for (name, of) in measured {
            put(name, self.runs.iter().map(of).collect());
        }
        let names = self.runs.iter().map(RunRecords::short_name);
        Table { head: std::iter::once(String::new()).chain(names).collect(), rows }
    }

    /// An array with an object a run: its folder, label, identity and state, the settings in which the runs differ
    /// under their dotted keys, its summary, what was tracked last, and the scalars of what was measured.
    #[must_use]
    pub fn json(&self) -> Value {
        let object = |(at, run): (usize, &RunRecords)| {
            let settings: Map<String, Value> =
                self.settings.iter().map(|(key, values)| (key.clone(), json!(values[at]))).collect();
            json!({
                "folder": run.folder.path(),
                "label": run.manifest.label,
                "run_id": run.manifest.run_id,
                "state": run.status.state,
                "settings": settings,
                "summary": run.summary,
                "tracked": run.last(Split::Track),
                "analysis": run.analysis.as_ref().map(|analysis| json!({
                    "source": analysis.source,
                    "mode": analysis.mode,
                    "scalars": analysis.scalars(),
                })),
            })
        };
        self.runs.iter().enumerate().map(object).collect()
    }

    /// A page with the table and the curves of all runs; `link` leads from it to the page of a run, where there is one.
    ///
    /// # Panics
    ///
    /// Never: the template was checked when it was compiled.
    #[must_use]
    pub fn html(&self, link: impl Fn(&RunRecords) -> Option<String>) -> String {
        let figures = self.figures();
        let page = Page {
            names: self.runs.iter().map(|run| (run.short_name(), link(run))).collect(),
            table: &self.table(),
            has_curves: figures.iter().any(|figure| figure.data.is_some()),
            figures,
        };
        page.render().expect("the template writes to a string")
    }

    /// Quantities against the step, a colour a run.
    fn figures(&self) -> Vec<Figure> {
        let curves = |split: Split, of: fn(&Metric) -> Option<f64>| {
            self.runs
                .iter()
                .zip(COLORS.iter().cycle())
                .map(move |(run, color)| training::curve(&run.metrics, &run.short_name(), color, split, of))
        };
        let tracked = |name: &'static str| {
            self.runs.iter().zip(COLORS.iter().cycle()).map(move |(run, color)| {
                let quantity = |record: &Metric| record.tracked.as_ref()?.get(name);
                training::curve(&run.metrics, &run.short_name(), color, Split::Track, quantity)
            })
        };
        let edges = tracked("edge").map(|curve| Curve { name: format!("{}: edge", curve.name), ..curve }.dashed());
        let chart = |y, log, curves: Vec<Curve>| Chart::new("step", y, log, curves);
        let charts = [
            (
                "train-loss",
                "Training loss",
                "Over the whole training part.",
                chart("loss", true, curves(Split::Train, |at| Some(at.loss)).collect()),
            ),
            (
                "test-loss",
                "Test loss",
                "Over the whole test part.",
                chart("loss", true, curves(Split::Test, |at| Some(at.loss)).collect()),
            ),
            (
                "test-accuracy",
                "Test accuracy",
                "Of the whole test part, the share whose largest output is that of their label.",
                chart("accuracy", false, curves(Split::Test, |at| at.accuracy).collect()),
            ),
            (
                "sharpness",
                "Sharpness and edge",
                "As each method sees it: of an adaptive one that of the preconditioned Hessian. Dashed: its edge.",
                chart("sharpness", false, tracked("sharpness").chain(edges).collect()).map(Chart::headroom),
            ),
        ];
        let drawn = charts.into_iter();
        drawn
            .filter_map(|(name, title, reading, chart)| Some(Figure::new(name, title, reading, chart?.draw())))
            .collect()
    }
}

/// A setting as it is shown.
fn words(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}
