//! What was measured for a claim, in numbers that a verdict can be read from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use losscape_lab::records::null_is_nan;
use losscape_lab::statistics::student;

/// Which of its two forms of a claim something speaks for or against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// The exact one: a violation is one of the claim.
    Exact,
    /// The one in print: a violation says that it needs correcting.
    Printed,
    /// Neither: what has to be so for the others to say anything. Where it is not, they are inconclusive.
    Condition,
}

/// How the left of a pair has to stand to its right. Tolerances are relative to the larger of the two.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// `|left − right| ≤ tolerance · max(|left|, |right|)`.
    Equal,
    /// `left ≤ right + tolerance · max(|left|, |right|)`.
    AtMost,
}

/// Two numbers that a relation compares; NaN where one could not be measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// Left of the relation.
    #[serde(deserialize_with = "null_is_nan")]
    pub left: f64,
    /// Right of it.
    #[serde(deserialize_with = "null_is_nan")]
    pub right: f64,
}

/// A relation that should hold for every pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What is compared, in words.
    pub name: String,
    /// Which form of the claim it speaks about.
    pub form: Form,
    /// How the left of each pair has to stand to its right.
    pub relation: Relation,
    /// What rounding may do to it, relative; far below what would matter.
    pub tolerance: f64,
    /// The pairs; a check without any shows nothing.
    pub pairs: Vec<Pair>,
}

impl Check {
    /// `left = right` for all pairs, up to a relative tolerance.
    pub fn equal(name: impl Into<String>, tolerance: f64, pairs: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self::new(name.into(), Relation::Equal, tolerance, pairs)
    }

    /// `left ≤ right` for all pairs, up to a relative tolerance.
    pub fn at_most(name: impl Into<String>, tolerance: f64, pairs: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self::new(name.into(), Relation::AtMost, tolerance, pairs)
    }

    fn new(name: String, relation: Relation, tolerance: f64, pairs: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let pairs = pairs.into_iter().map(|(left, right)| Pair { left, right }).collect();
        Self { name, form: Form::Exact, relation, tolerance, pairs }
    }

    /// The same for the printed form.
    #[must_use]
    pub fn printed(self) -> Self {
        Self { form: Form::Printed, ..self }
    }

    /// The same as a condition of the others.
    #[must_use]
    pub fn condition(self) -> Self {
        Self { form: Form::Condition, ..self }
    }

    /// The room that a pair leaves, relative to the larger of its numbers; negative where the relation fails. NaN where
    /// one of them is.
    fn slack(&self, pair: &Pair) -> f64 {
        if pair.left.is_nan() || pair.right.is_nan() {
            return f64::NAN;
        }
        let scale = pair.left.abs().max(pair.right.abs());
        if scale == 0.0 {
            return 0.0;
        }
        if scale.is_infinite() {
            // Beyond all numbers: far off, or far below.
            let holds = match self.relation {
                Relation::Equal => pair.left == pair.right,
                Relation::AtMost => pair.left <= pair.right,
            };
            return if holds { 1.0 } else { -1.0 };
        }
        match self.relation {
            Relation::Equal => self.tolerance - (pair.left - pair.right).abs() / scale,
            Relation::AtMost => (pair.right - pair.left) / scale,
        }
    }

    fn holds(&self, pair: &Pair) -> bool {
        match self.relation {
            Relation::Equal => self.slack(pair) >= 0.0,
            Relation::AtMost => self.slack(pair) >= -self.tolerance,
        }
    }

    /// The pair with the least room, and that room; NaN is the least of all. None without pairs.
    #[must_use]
    pub fn tightest(&self) -> Option<(Pair, f64)> {
        let rank = |slack: f64| if slack.is_nan() { f64::NEG_INFINITY } else { slack };
        let slacks = self.pairs.iter().map(|pair| (*pair, self.slack(pair)));
        slacks.min_by(|a, b| rank(a.1).total_cmp(&rank(b.1)))
    }

    /// Whether every pair holds; none where that cannot be said: without pairs, or where one of them is no number and
    /// the others hold.
    #[must_use]
    pub fn outcome(&self) -> Option<bool> {
        let numbers = || self.pairs.iter().filter(|pair| !self.slack(pair).is_nan());
        if numbers().any(|pair| !self.holds(pair)) {
            Some(false)
        } else if self.pairs.is_empty() || numbers().count() < self.pairs.len() {
            None
        } else {
            Some(true)
        }
    }

    /// Whether something was checked, and every pair holds.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.outcome() == Some(true)
    }
}

/// A quantity that varies from seed to seed, and where its mean should lie.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// What it is, in words.
    pub name: String,
    /// One value for each seed.
    #[serde(deserialize_with = "nulls_are_nan")]
    pub samples: Vec<f64>,
    /// The mean should be above this.
    pub above: f64,
    /// And below this, where a value is foretold and not only a sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
}

fn nulls_are_nan<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let values = Vec::<Option<f64>>::deserialize(deserializer)?;
    Ok(values.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect())
}

/// Where the mean of an effect lies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Mean over seeds.
    pub mean: f64,
    /// Lower end of the 95 % confidence interval (Student).
    pub low: f64,
    /// Upper end of the same.
    pub high: f64,
}

impl Effect {
    /// An effect whose mean over seeds should be above a threshold.
    pub fn above(name: impl Into<String>, above: f64, samples: impl IntoIterator<Item = f64>) -> Self {
        Self { name: name.into(), samples: samples.into_iter().collect(), above, below: None }
    }

    /// An effect whose mean over seeds should be in a band.
    pub fn within(name: impl Into<String>, [low, high]: [f64; 2], samples: impl IntoIterator<Item = f64>) -> Self {
        Self { below: Some(high), ..Self::above(name, low, samples) }
    }

    /// Whether every seed gave a number, of two at least.
    #[must_use]
    pub fn is_measured(&self) -> bool {
        self.samples.len() > 1 && self.samples.iter().all(|sample| sample.is_finite())
    }

    /// Mean and confidence interval; none with fewer than two seeds, or where one gave no number.
    #[must_use]
    pub fn interval(&self) -> Option<Interval> {
        let count = self.samples.len();
        if !self.is_measured() {
            return None;
        }
        let mean = self.samples.iter().sum::<f64>() / count as f64;
        let squares: f64 = self.samples.iter().map(|sample| (sample - mean).powi(2)).sum();
        let error = (squares / (count * (count - 1)) as f64).sqrt();
        let reach = student((count - 1) as f64) * error;
        Some(Interval { mean, low: mean - reach, high: mean + reach })
    }

    /// Whether the interval lies where the mean should, outside, or across an end.
    #[must_use]
    pub fn supported(&self) -> Option<bool> {
        let interval = self.interval()?;
        let below = self.below.unwrap_or(f64::INFINITY);
        if interval.low > self.above && interval.high < below {
            Some(true)
        } else if interval.high < self.above || interval.low > below {
            Some(false)
        } else {
            None
        }
    }
}

/// A line of a plot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Its name, in the legend.
    pub name: String,
    /// Points (x, y), all finite.
    pub points: Vec<(f64, f64)>,
    /// Whether it is a bound or another line to compare with.
    pub dashed: bool,
}

impl Series {
    /// A measured line, drawn through; points that are not finite are left out.
    pub fn measured(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let points = points.into_iter().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
        Self { name: name.into(), points, dashed: false }
    }

    /// A bound, or another line to compare with, drawn dashed.
    pub fn bound(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self { dashed: true, ..Self::measured(name, points) }
    }
}

/// A function of two variables on a grid, drawn as lines of equal height.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heights {
    /// Coordinates of the columns along x, ascending.
    pub columns: Vec<f64>,
    /// Coordinates of the rows along y, ascending.
    pub rows: Vec<f64>,
    /// The values, row by row.
    pub values: Vec<Vec<f64>>,
    /// Heights at which lines are drawn.
    pub levels: Vec<f64>,
}

/// A figure of a claim's page, and a table of its points.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Plot {
    /// Its heading.
    pub title: String,
    /// One sentence on what to read from it.
    pub reading: String,
    /// Name of the horizontal axis.
    pub x: String,
    /// Name of the vertical axis.
    pub y: String,
    /// Whether the horizontal axis is logarithmic.
    pub log_x: bool,
    /// Whether the vertical axis is logarithmic.
    pub log_y: bool,
    /// The lines, in the order of the legend.
    pub series: Vec<Series>,
    /// What they are drawn over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heights: Option<Heights>,
}

/// Everything measured for a claim.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// How data, networks and functions were prepared.
    #[serde(default)]
    pub preparation: Vec<String>,
    /// Relations that hold or do not.
    pub checks: Vec<Check>,
    /// Quantities that are judged over seeds.
    pub effects: Vec<Effect>,
    /// Key figures by name; the first is shown in the table.
    pub figures: Vec<Figure>,
    /// Figures for the page.
    pub plots: Vec<Plot>,
}

/// A number worth knowing that no verdict depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What it is, in words, with its unit where it has one.
    pub name: String,
    /// Its value; NaN where it could not be measured.
    #[serde(deserialize_with = "null_is_nan")]
    pub value: f64,
}

impl Evidence {
    /// Adds a check.
    pub fn check(&mut self, check: Check) {
        self.checks.push(check);
    }

    /// Adds an effect.
    pub fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Adds a key figure.
    pub fn figure(&mut self, name: impl Into<String>, value: f64) {
        self.figures.push(Figure { name: name.into(), value });
    }

    /// Adds a plot.
    pub fn plot(&mut self, plot: Plot) {
        self.plots.push(plot);
    }

    /// Pairs compared for the exact form.
    #[must_use]
    pub fn compared(&self) -> usize {
        self.exact().map(|check| check.pairs.len()).sum()
    }

    /// The least room that an inequality of the exact form was found to leave, relative to the larger side.
    #[must_use]
    pub fn slack(&self) -> Option<f64> {
        let inequalities = self.exact().filter(|check| check.relation == Relation::AtMost);
        let least = |a: f64, b: f64| if a.is_nan() || a < b { a } else { b };
        inequalities.filter_map(|check| Some(check.tightest()?.1)).reduce(least)
    }

    /// Checks of the exact form.
    pub fn exact(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.form == Form::Exact)
    }

    /// Checks of the printed form.
    pub fn printed(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.form == Form::Printed)
    }

    /// Conditions of the others.
    pub fn conditions(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.form == Form::Condition)
    }

    /// The figures by name.
    #[must_use]
    pub fn by_name(&self) -> BTreeMap<String, f64> {
        self.figures.iter().map(|figure| (figure.name.clone(), figure.value)).collect()
    }
}
