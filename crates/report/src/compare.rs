//! Runs side by side: a table of what differs and what came out.

use std::collections::BTreeSet;

use losscape_lab::records::Summary;

use crate::{RunRecords, number, percent};

/// A table of text: a head and rows, all of one length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Names of the columns; the first may be empty.
    pub head: Vec<String>,
    /// Rows of as many cells.
    pub rows: Vec<Vec<String>>,
}

impl std::fmt::Display for Table {
    /// Columns padded to their widest cell, the first aligned left, the others right.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cells = || std::iter::once(&self.head).chain(&self.rows);
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| cells().map(|row| row[column].chars().count()).max().unwrap_or(0))
            .collect();
        for row in cells() {
            let line: Vec<String> = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, &width))| match column {
                    0 => format!("{cell:<width$}"),
                    _ => format!("{cell:>width$}"),
                })
                .collect();
            writeln!(f, "{}", line.join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// One column a run; rows for the settings in which the runs differ, then for the results.
///
/// # Errors
///
/// When a resolved configuration is no TOML.
pub fn table(runs: &[RunRecords]) -> Result<Table, toml::de::Error> {
    let settings: Vec<Vec<(String, String)>> = runs
        .iter()
        .map(|run| {
            let mut settings = Vec::new();
            flatten("", &toml::Value::Table(run.config.parse()?), &mut settings);
            Ok(settings)
        })
        .collect::<Result<_, toml::de::Error>>()?;
    let value = |run: &[(String, String)], key: &str| {
        run.iter().find(|(name, _)| name == key).map_or_else(|| "–".to_owned(), |(_, value)| value.clone())
    };
    let keys: BTreeSet<&String> = settings.iter().flatten().map(|(key, _)| key).collect();
    let mut rows: Vec<Vec<String>> = keys
        .into_iter()
        .map(|key| (key, settings.iter().map(|run| value(run, key)).collect::<Vec<_>>()))
        .filter(|(key, values)| *key != "label" && values.iter().any(|value| *value != values[0]))
        .map(|(key, values)| [vec![key.clone()], values].concat())
        .collect();

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
    for (name, of) in results {
        let cell = |run: &RunRecords| run.summary.as_ref().and_then(of).unwrap_or_else(|| "–".to_owned());
        rows.push([vec![name.to_owned()], runs.iter().map(cell).collect()].concat());
    }
    let names = runs
        .iter()
        .map(|run| format!("{}-{}", run.manifest.label, run.manifest.run_id.chars().take(6).collect::<String>()));
    Ok(Table { head: std::iter::once(String::new()).chain(names).collect(), rows })
}

/// Every leaf of a table under its dotted key.
fn flatten(prefix: &str, value: &toml::Value, leaves: &mut Vec<(String, String)>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&key, value, leaves);
            }
        }
        toml::Value::String(text) => leaves.push((prefix.to_owned(), text.clone())),
        value => leaves.push((prefix.to_owned(), value.to_string())),
    }
}
