//! From axes to the settings of every run.

use losscape_model::random::{Purpose, stream};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Value;

use losscape_lab::config::{Mode, Precision};
use losscape_lab::measure::Measure;
use losscape_lab::{Document, SourceError};

/// The `[study]` table of a study file: which runs, and what is measured of each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// What to measure at the end of every run: names of `losscape list measures`. Default: nothing but the results of
    /// training.
    #[serde(default)]
    pub measures: Vec<String>,
    /// Measure on so many of the first training samples. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// The type measured in. Default: f64.
    #[serde(default = "double")]
    pub precision: Precision,
    /// What batch norm goes by. Default: evaluation.
    #[serde(default, skip_serializing_if = "is_evaluation")]
    pub mode: Mode,
    /// Measure the averages of weights that `[average]` asks for, in place of the last ones. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub average: bool,
    /// Largest and smallest eigenvalues to find of each operator. Default: as `losscape analyze`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<usize>,
    /// Keys of the configuration with the values they take, first axis slowest. A value may be a table, which
    /// takes the place of the file's, or `false`, which takes it away.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub axes: toml::Table,
}

/// How the networks of a study are measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Measuring {
    /// Names of measures, in the order of the file.
    pub measures: Vec<String>,
    /// On how many samples, where not on all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// The float type measured in.
    pub precision: Precision,
    /// What batch norm goes by. Default: evaluation.
    #[serde(default, skip_serializing_if = "is_evaluation")]
    pub mode: Mode,
    /// Whether averages of weights are measured.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub average: bool,
    /// How many eigenvalues, where not as many as `losscape analyze` finds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<usize>,
}

fn is_evaluation(mode: &Mode) -> bool {
    *mode == Mode::Evaluation
}

fn double() -> Precision {
    Precision::F64
}

/// How axes become runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
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

/// An axis of numbers between two ends. Where both ends are whole numbers, so are the values between them.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    low: End,
    high: End,
    /// Equal steps of the value, or of its logarithm.
    #[serde(default)]
    scale: Scale,
    /// Points, ends included, where the design is not random.
    count: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(untagged, expecting = "the ends of a range are numbers")]
enum End {
    Whole(i64),
    Number(f64),
}

impl End {
    fn number(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Number(number) => number,
        }
    }
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
    fn at(self, share: f64) -> Value {
        let (low, high) = (self.low.number(), self.high.number());
        let between = |low: f64, high: f64| match high - low {
            width if width.is_finite() => low + share * width,
            _ => (1.0 - share) * low + share * high,
        };
        let value = match (self.scale, self.low, self.high) {
            // The ends themselves, not what a logarithm or a float leaves of them.
            (_, End::Whole(low), End::Whole(_)) if share == 0.0 => return Value::Integer(low),
            (_, End::Whole(_), End::Whole(high)) if share == 1.0 => return Value::Integer(high),
            _ if share == 0.0 => low,
            _ if share == 1.0 => high,
            (Scale::Linear, ..) => between(low, high),
            (Scale::Log, ..) => between(low.ln(), high.ln()).exp(),
        };
        if self.is_whole() { Value::Integer(value.round() as i64) } else { Value::Float(value) }
    }

    /// A value at random; `share` is uniform in [0, 1). Whole numbers on a linear scale are all equally likely.
    fn draw(self, share: f64) -> Value {
        match (self.low, self.high, self.scale) {
            (End::Whole(low), End::Whole(high), Scale::Linear) => {
                // In i128, since the ends may be as far apart as they can.
                let values = (i128::from(high) - i128::from(low) + 1) as f64;
                let drawn = i128::from(low) + (share * values) as i128;
                Value::Integer(drawn.min(i128::from(high)) as i64)
            }
            _ => self.at(share),
        }
    }

    fn is_whole(self) -> bool {
        matches!((self.low, self.high), (End::Whole(_), End::Whole(_)))
    }
}

/// The values of one axis.
enum Values {
    Listed(Vec<Value>),
    Drawn(Range),
}

/// A key of the configuration with its values.
struct Axis {
    /// Where it stands in `[study.axes]`: one dotted key, or a table for each dot.
    path: Vec<String>,
    values: Values,
}

impl Axis {
    /// The dotted key.
    fn key(&self) -> String {
        self.path.join(".")
    }

    /// Where it stands in the file.
    fn place(&self) -> Vec<&str> {
        ["study", "axes"].into_iter().chain(self.path.iter().map(String::as_str)).collect()
    }

    /// The setting of a value, `key=value` in TOML.
    fn setting(&self, value: &Value) -> String {
        format!("{}={value}", self.key())
    }

    /// Whether one of the values sets a dotted key.
    fn sets(&self, key: &str) -> bool {
        let own = self.key();
        let Some(rest) = key.strip_prefix(&own) else { return false };
        let inside = |value: &Value| {
            let found = rest.split('.').skip(1).try_fold(value, |value, part| value.as_table()?.get(part));
            found.is_some()
        };
        match &self.values {
            _ if rest.is_empty() => true,
            Values::Listed(values) => rest.starts_with('.') && values.iter().any(inside),
            Values::Drawn(_) => false,
        }
    }
}

/// The most runs of a study: a limit against slips of the pen.
const MAX_RUNS: usize = 1_000_000;

impl StudyConfig {
    /// How its networks are measured.
    #[must_use]
    pub fn measuring(&self) -> Measuring {
        let Self { measures, samples, precision, mode, average, top, .. } = self.clone();
        Measuring { measures, samples, precision, mode, average, top }
    }

    /// What to measure.
    ///
    /// # Errors
    ///
    /// At the measure that is not known.
    pub(crate) fn check_measures(&self, document: &Document) -> Result<Vec<&'static Measure>, Box<SourceError>> {
        let find = |name: &String| {
            Measure::named(name).ok_or_else(|| document.error_at(&["study", "measures"], Measure::unknown(name)))
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
        let mut axes = Vec::new();
        self.collect(&self.axes, &[], document, &mut axes)?;
        for (at, other) in axes.iter().enumerate() {
            let key = other.key();
            let rival = axes.iter().enumerate().find(|(rival, axis)| *rival != at && axis.sets(&key));
            if let Some((_, rival)) = rival {
                let message = format!("axis `{}` sets `{key}` too; leave it out of one of them", rival.key());
                return Err(document.error_at(&other.place(), message));
            }
        }
        let points = self.combine(&axes, document)?;
        if points.is_empty() {
            let message = "the design has no runs; give it axes with values";
            return Err(document.error_at(&["study"], message));
        }
        Ok(points)
    }

    /// Where in the file the axis of a dotted key stands.
    pub(crate) fn place(&self, key: &str) -> Vec<String> {
        fn find(table: &toml::Table, key: &str) -> Option<Vec<String>> {
            table.iter().find_map(|(name, value)| match key.strip_prefix(name.as_str())? {
                "" => Some(vec![name.clone()]),
                rest => {
                    let inner = find(value.as_table()?, rest.strip_prefix('.')?)?;
                    Some([vec![name.clone()], inner].concat())
                }
            })
        }
        let axes = ["study", "axes"].map(str::to_owned).to_vec();
        [axes, find(&self.axes, key).unwrap_or_default()].concat()
    }

    /// The axes of a table, those of tables in it under their dotted names.
    fn collect(
        &self,
        table: &toml::Table,
        above: &[String],
        document: &Document,
        axes: &mut Vec<Axis>,
    ) -> Result<(), Box<SourceError>> {
        for (key, value) in table {
            let path = [above, std::slice::from_ref(key)].concat();
            let mut axis = Axis { path, values: Values::Listed(Vec::new()) };
            let values = match value {
                _ if axis.key() == "study" || axis.key().starts_with("study.") => {
                    Err("an axis is a key of the configuration; the study itself is the same for all runs".to_owned())
                }
                Value::Array(values) if values.is_empty() => Err("an axis needs values".to_owned()),
                Value::Array(values) => Ok(Values::Listed(values.clone())),
                Value::Table(table) if table.contains_key("low") || table.contains_key("high") => {
                    self.range(value.clone())
                }
                Value::Table(table) => {
                    self.collect(table, &axis.path, document, axes)?;
                    continue;
                }
                _ => Err("an axis is a list of values, or a range { low, high, scale, count }".to_owned()),
            };
            axis.values = values.map_err(|message| document.error_at(&axis.place(), message))?;
            axes.push(axis);
        }
        Ok(())
    }

    /// The settings of every run.
    fn combine(&self, axes: &[Axis], document: &Document) -> Result<Vec<Vec<String>>, Box<SourceError>> {
        match (self.design, self.runs) {
            (Design::Random, None) => {
                let message = "a random design needs a number of runs: runs = 100";
                Err(document.error_at(&["study", "design"], message))
            }
            (Design::Random, Some(runs)) if runs > MAX_RUNS => {
                Err(document.error_at(&["study", "runs"], format!("{runs} runs are more than {MAX_RUNS}")))
            }
            (Design::Random, Some(runs)) => Ok((0..runs).map(|run| self.draw(axes, run)).collect()),
            (_, Some(_)) => {
                Err(document.error_at(&["study", "runs"], "the axes tell how many runs there are; leave the key out"))
            }
            (Design::Grid, None) => {
                let sizes = listed(axes).map(|(_, values)| values.len());
                let runs = sizes.fold(1usize, usize::saturating_mul);
                if runs > MAX_RUNS {
                    let message = format!("{runs} combinations are more than {MAX_RUNS}");
                    return Err(document.error_at(&["study", "axes"], message));
                }
                let mut points = vec![Vec::new()];
                for (axis, values) in listed(axes) {
                    let with = |point: &Vec<String>| {
                        let point = point.clone();
                        values.iter().map(move |value| [point.clone(), vec![axis.setting(value)]].concat())
                    };
                    points = points.iter().flat_map(with).collect();
                }
                Ok(points)
            }
            (Design::List, None) => {
                let length = listed(axes).map(|(_, values)| values.len()).max().unwrap_or(0);
                if let Some((axis, values)) = listed(axes).find(|(_, values)| values.len() != length) {
                    let message = format!("{} values here, {length} at another axis of the list", values.len());
                    return Err(document.error_at(&axis.place(), message));
                }
                Ok((0..length)
                    .map(|at| listed(axes).map(|(axis, values)| axis.setting(&values[at])).collect())
                    .collect())
            }
        }
    }

    /// The values of a range, checked.
    fn range(&self, value: Value) -> Result<Values, String> {
        let range: Range = value.try_into().map_err(|error: toml::de::Error| error.message().trim_end().to_owned())?;
        let (low, high) = (range.low.number(), range.high.number());
        if !(low.is_finite() && high.is_finite() && low < high) {
            return Err(format!("a range needs low < high, both finite; {low} and {high} are given"));
        }
        if range.scale == Scale::Log && low <= 0.0 {
            return Err(format!("a logarithmic range must be positive; it begins at {low}"));
        }
        match (self.design, range.count) {
            (Design::Random, None) => Ok(Values::Drawn(range)),
            (Design::Random, Some(_)) => Err("a random design draws from the range; leave count out".to_owned()),
            (_, Some(count)) if (2..=MAX_RUNS).contains(&count) => {
                let at = |point: usize| range.at(point as f64 / (count - 1) as f64);
                let mut values: Vec<Value> = (0..count).map(at).collect();
                // Whole numbers may lie closer than the points.
                values.dedup();
                Ok(Values::Listed(values))
            }
            (_, Some(count)) => {
                Err(format!("count = {count} is not possible: a range has from 2, its two ends, to {MAX_RUNS} points"))
            }
            (_, None) => Err("a range needs a count, unless the design is random".to_owned()),
        }
    }

    /// The settings of one run of a random design: a stream of its own, so that more runs leave those before as they
    /// are.
    fn draw(&self, axes: &[Axis], run: usize) -> Vec<String> {
        let mut random = stream(self.seed, Purpose::Design, run as u64);
        let mut draw = |axis: &Axis| match &axis.values {
            Values::Listed(values) => axis.setting(&values[random.random_range(0..values.len())]),
            Values::Drawn(range) => axis.setting(&range.draw(random.random::<f64>())),
        };
        axes.iter().map(&mut draw).collect()
    }
}

/// The axes with their values where none is drawn.
fn listed(axes: &[Axis]) -> impl Iterator<Item = (&Axis, &[Value])> {
    axes.iter().filter_map(|axis| match &axis.values {
        Values::Listed(values) => Some((axis, values.as_slice())),
        Values::Drawn(_) => None,
    })
}
