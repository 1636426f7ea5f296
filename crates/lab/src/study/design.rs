//! From axes to the settings of every run.

use losscape_model::random::{Purpose, stream};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use toml::Value;

use crate::analysis::Measure;
use crate::config::Precision;
use crate::document::{Document, SourceError};

/// The `[study]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyConfig {
    /// How axes become runs. Default: every combination.
    #[serde(default)]
    pub design: Design,
    /// Number of runs of a random design.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<usize>,
    /// Seed of a random design. Default: 0.
    #[serde(default)]
    pub seed: u64,
    /// What to measure at the end of every run: names of `losscape list measures`. Default: nothing but the results of training.
    #[serde(default)]
    pub measures: Vec<String>,
    /// Measure on so many of the first training samples. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// The type measured in. Default: f64.
    #[serde(default = "double")]
    pub precision: Precision,
    /// Largest and smallest eigenvalues to find of each operator. Default: as `losscape analyze`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<usize>,
    /// Keys of the configuration with the values they take, first axis slowest. A value may be a table, which sets all its keys.
    pub axes: toml::Table,
}

fn double() -> Precision {
    Precision::F64
}

/// How axes become runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Design {
    /// Every combination of values.
    #[default]
    Grid,
    /// The first value of every axis, then the second, and so on: axes have equally many.
    List,
    /// Values drawn independently, for a given number of runs.
    Random,
}

/// An axis of numbers between two ends.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    low: f64,
    high: f64,
    /// Equal steps of the value, or of its logarithm.
    #[serde(default)]
    scale: Scale,
    /// Points, ends included, where the design is not random.
    count: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Scale {
    #[default]
    Linear,
    Log,
}

impl Range {
    /// The value a share of the way from the lower to the upper end.
    fn at(self, share: f64) -> f64 {
        let between = |low: f64, high: f64| low + share * (high - low);
        match self.scale {
            // The ends themselves, not what the logarithm leaves of them.
            _ if share == 0.0 => self.low,
            _ if share == 1.0 => self.high,
            Scale::Linear => between(self.low, self.high),
            Scale::Log => between(self.low.ln(), self.high.ln()).exp(),
        }
    }
}

/// The values of one axis.
enum Values {
    Listed(Vec<Value>),
    Drawn(Range),
}

/// The most runs of a study: a limit against slips of the pen.
const MAX_RUNS: usize = 1_000_000;

/// The setting of one axis, `key=value` in TOML.
pub(crate) fn setting(key: &str, value: &Value) -> String {
    format!("{key}={value}")
}

impl StudyConfig {
    /// What to measure.
    ///
    /// # Errors
    ///
    /// At the measure that is not known.
    pub(crate) fn check_measures(&self, document: &Document) -> Result<Vec<Measure>, Box<SourceError>> {
        let find = |name: &String| {
            let found = Measure::ALL.iter().find(|(_, known, _)| known == name).map(|(measure, ..)| *measure);
            found.ok_or_else(|| {
                let names: Vec<&str> = Measure::ALL.iter().map(|(_, known, _)| *known).collect();
                let message = format!("unknown measure `{name}`; known are {}", names.join(", "));
                document.error_at(&["study", "measures"], message)
            })
        };
        if self.samples == Some(0) || self.top == Some(0) {
            let key = if self.samples == Some(0) { "samples" } else { "top" };
            return Err(document.error_at(&["study", key], format!("{key} = 0 is not possible: it must be at least 1")));
        }
        self.measures.iter().map(find).collect()
    }

    /// The settings of every run, a list of `key=value` each, in the order of the axes.
    ///
    /// # Errors
    ///
    /// At the axis that cannot be used.
    pub(crate) fn points(&self, document: &Document) -> Result<Vec<Vec<String>>, Box<SourceError>> {
        let wrong = |key: &str, message: String| Err(document.error_at(&["study", "axes", key], message));
        let mut axes = Vec::new();
        for (key, value) in &self.axes {
            let values = match value {
                Value::Array(values) if values.is_empty() => return wrong(key, "an axis needs values".to_owned()),
                Value::Array(values) => Values::Listed(values.clone()),
                Value::Table(_) => match self.range(value.clone()) {
                    Ok(values) => values,
                    Err(message) => return wrong(key, message),
                },
                _ => {
                    let message = "an axis is a list of values, or a range { low, high, scale, count }".to_owned();
                    return wrong(key, message);
                }
            };
            axes.push((key.as_str(), values));
        }
        match (self.design, self.runs) {
            (Design::Random, None) => {
                let message = "a random design needs a number of runs: runs = 100";
                Err(document.error_at(&["study", "design"], message))
            }
            (Design::Random, Some(runs)) if runs > MAX_RUNS => {
                Err(document.error_at(&["study", "runs"], format!("{runs} runs are more than {MAX_RUNS}")))
            }
            (Design::Random, Some(runs)) => Ok((0..runs).map(|run| self.draw(&axes, run)).collect()),
            (_, Some(_)) => {
                Err(document.error_at(&["study", "runs"], "the axes tell how many runs there are; leave the key out"))
            }
            (Design::Grid, None) => {
                let sizes = listed(&axes).map(|(_, values)| values.len());
                let runs = sizes.fold(1usize, usize::saturating_mul);
                if runs > MAX_RUNS {
                    let message = format!("{runs} combinations are more than {MAX_RUNS}");
                    return Err(document.error_at(&["study", "axes"], message));
                }
                let mut points = vec![Vec::new()];
                for (key, values) in listed(&axes) {
                    let with = |point: &Vec<String>| {
                        let point = point.clone();
                        values.iter().map(move |value| [point.clone(), vec![setting(key, value)]].concat())
                    };
                    points = points.iter().flat_map(with).collect();
                }
                Ok(points)
            }
            (Design::List, None) => {
                let length = listed(&axes).map(|(_, values)| values.len()).max().unwrap_or(0);
                if let Some((key, values)) = listed(&axes).find(|(_, values)| values.len() != length) {
                    return wrong(key, format!("{} values here, {length} at another axis of the list", values.len()));
                }
                Ok((0..length)
                    .map(|at| listed(&axes).map(|(key, values)| setting(key, &values[at])).collect())
                    .collect())
            }
        }
    }

    /// The values of a range, checked.
    fn range(&self, value: Value) -> Result<Values, String> {
        let range: Range = value.try_into().map_err(|error: toml::de::Error| error.message().trim_end().to_owned())?;
        let Range { low, high, scale, count } = range;
        if !(low.is_finite() && high.is_finite() && low < high) {
            return Err(format!("a range needs low < high, both finite; {low} and {high} are given"));
        }
        if scale == Scale::Log && low <= 0.0 {
            return Err(format!("a logarithmic range must be positive; it begins at {low}"));
        }
        match (self.design, count) {
            (Design::Random, None) => Ok(Values::Drawn(range)),
            (Design::Random, Some(_)) => Err("a random design draws from the range; leave count out".to_owned()),
            (_, Some(count)) if (2..=MAX_RUNS).contains(&count) => {
                let at = |point: usize| Value::Float(range.at(point as f64 / (count - 1) as f64));
                Ok(Values::Listed((0..count).map(at).collect()))
            }
            (_, Some(count)) => Err(format!("count = {count} is not possible: a range has at least its two ends")),
            (_, None) => Err("a range needs a count, unless the design is random".to_owned()),
        }
    }

    /// The settings of one run of a random design: a stream of its own, so that more runs leave those before as they are.
    fn draw(&self, axes: &[(&str, Values)], run: usize) -> Vec<String> {
        let mut random = stream(self.seed, Purpose::Design, run as u64);
        let mut draw = |(key, values): &(&str, Values)| match values {
            Values::Listed(values) => setting(key, &values[random.random_range(0..values.len())]),
            Values::Drawn(range) => setting(key, &Value::Float(range.at(random.random::<f64>()))),
        };
        axes.iter().map(&mut draw).collect()
    }
}

/// The axes with their values where none is drawn.
fn listed<'a>(axes: &'a [(&'a str, Values)]) -> impl Iterator<Item = (&'a str, &'a [Value])> {
    axes.iter().filter_map(|(key, values)| match values {
        Values::Listed(values) => Some((*key, values.as_slice())),
        Values::Drawn(_) => None,
    })
}
