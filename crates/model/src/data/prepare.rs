//! From a source to what training needs: split, random labels, standardization.
//!
//! In this order: the test part is split off (or is the source's own), labels of the training part are replaced where
//! asked, and inputs are standardized by the statistics of the training part alone.

use std::collections::HashSet;

use rand::RngExt;
use rand::seq::SliceRandom;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset::{Dataset, Parts, Targets};
use super::error::DataError;
use super::origin::Key;
use super::source::Source;
use super::standardize::{Scaling, Standardize};
use crate::random::{Purpose, stream};

/// Which data to use and how to prepare it; the `[data]` table of a training configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Where the data comes from.
    pub source: Source,
    /// Share of the samples split off for testing, from 0 to below 1; used when the source has no test part of its
    /// own. Default: 0.2, and 0 for least squares, whose spectrum belongs to all its rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_fraction: Option<f64>,
    /// How inputs are standardized. Default: globally for images (`digits`, `idx`, `cifar10`,
    /// `cifar100`), not at all for `teacher-student` and
    /// `least-squares`, whose inputs have the scale they should, by feature for everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standardize: Option<Standardize>,
    /// Share of the training labels replaced by uniformly drawn ones (Zhang et al. 2017, §2.1), from 0 to 1. Default:
    /// 0.
    #[serde(default)]
    pub random_labels: f64,
    /// Seed of everything random about the data; independent of the run's own seed. Default: 0.
    #[serde(default)]
    pub seed: u64,
}

/// Data ready for training.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// What is trained on.
    pub train: Dataset,
    /// What generalization is measured on; absent when `test_fraction` is 0.
    pub test: Option<Dataset>,
}

impl From<Dataset> for Prepared {
    fn from(train: Dataset) -> Self {
        Self { train, test: None }
    }
}

impl DataConfig {
    /// Keys of the `[data]` table that every source has.
    pub const KEYS: &'static [Key] = &[
        ("test_fraction", "0.2", "share of the samples split off for testing; 0 for least-squares"),
        (
            "standardize",
            "by source",
            "\"features\", \"global\" (images), \"channels\" or \"none\" (teacher-student, least-squares)",
        ),
        ("random_labels", "0.0", "share of the training labels drawn anew"),
        ("seed", "0", "seed of all that is random about the data"),
    ];

    /// All of `source`, with default preparation.
    #[must_use]
    pub fn new(source: impl Into<Source>) -> Self {
        Self { source: source.into(), test_fraction: None, standardize: None, random_labels: 0.0, seed: 0 }
    }

    /// The share split off for testing where the source has no test part of its own, as set or by default.
    fn test_share(&self) -> f64 {
        self.test_fraction.unwrap_or_else(|| self.source.origin().test_share())
    }

    /// How inputs are standardized, as set or by default.
    fn standardization(&self) -> Standardize {
        self.standardize.unwrap_or_else(|| self.source.origin().standardization())
    }

    /// What is done to the data, in words, by topic: the numbers of two measurements can be compared where these are
    /// alike.
    #[must_use]
    pub fn preparation(&self) -> Vec<(&'static str, String)> {
        let inputs = match self.standardization() {
            Standardize::Features => "each feature to mean 0 and variance 1 over the training part",
            Standardize::Global => "all features by one mean and one variance, those of the training part",
            Standardize::Channels => "each channel by one mean and one variance, those of the training part",
            Standardize::None => "as they are in the source",
        };
        let split = format!(
            "{} of the samples for testing, drawn with seed {}, unless the source has a test part",
            self.test_share(),
            self.seed
        );
        let mut words = vec![("inputs", inputs.to_owned()), ("split", split)];
        if self.random_labels > 0.0 {
            words.push(("labels", format!("a share of {} drawn anew", self.random_labels)));
        }
        words
    }

    /// Reads or makes the data and prepares it. What a file leaves to be said is in [`parts`](Self::parts).
    ///
    /// # Errors
    ///
    /// As [`parts`](Self::parts).
    pub fn load(&self) -> Result<Prepared, DataError> {
        let Parts { train, test, notices: _ } = self.parts()?;
        Ok(Prepared { train, test })
    }

    /// The prepared data, with notices on how it was understood.
    ///
    /// # Errors
    ///
    /// What the source reports, and [`DataError::Setting`] or [`DataError::Empty`] when a share is out of range or
    /// leaves a part without samples.
    pub fn parts(&self) -> Result<Parts, DataError> {
        let (test_fraction, standardize) = (self.test_share(), self.standardization());
        if !(0.0..1.0).contains(&test_fraction) {
            let value = test_fraction.to_string();
            return Err(DataError::Setting { name: "test_fraction", value, must: "it must be from 0 to below 1" });
        }
        if !(0.0..=1.0).contains(&self.random_labels) {
            let value = self.random_labels.to_string();
            return Err(DataError::Setting { name: "random_labels", value, must: "it must be from 0 to 1" });
        }
        let Parts { train: all, test: own_test, mut notices } = self.source.origin().load(self.seed)?;
        let mut known = HashSet::new();
        let paths = self.source.clone().paths_mut().into_iter().map(|path| path.clone()).collect::<Vec<_>>();
        let twice = paths.iter().find(|path| !known.insert(path.canonicalize().unwrap_or_else(|_| path.to_path_buf())));
        if let Some(path) = twice {
            notices.push(format!("{} is read twice: what is tested on must not be trained on", path.display()));
        }
        let (mut train, mut test) = match own_test {
            Some(test) => {
                if self.test_fraction.is_some() {
                    notices.push("test_fraction is not used: the data has a test part of its own".to_owned());
                }
                (all, Some(test))
            }
            None => self.split(all, test_fraction)?,
        };
        self.randomize_labels(&mut train)?;
        let scaling = Scaling::fit(&train, standardize)?;
        scaling.apply(&mut train, "training")?;
        if let Some(test) = &mut test {
            scaling.apply(test, "test")?;
        }
        Ok(Parts { train, test, notices })
    }

    /// The last `round(test_fraction · n)` samples of a permutation drawn from `(seed, Split)` are the test part.
    fn split(&self, all: Dataset, test_fraction: f64) -> Result<(Dataset, Option<Dataset>), DataError> {
        if test_fraction == 0.0 {
            return Ok((all, None));
        }
        let n = all.len();
        let test = (test_fraction * n as f64).round() as usize;
        if test == 0 {
            return Err(DataError::Empty("the test part of the split"));
        }
        if test >= n {
            return Err(DataError::Empty("the training part of the split"));
        }
        let mut order: Vec<usize> = (0..n).collect();
        order.shuffle(&mut stream(self.seed, Purpose::Split, 0));
        let (train, test) = order.split_at(n - test);
        Ok((all.select(train), Some(all.select(test))))
    }

    fn randomize_labels(&self, train: &mut Dataset) -> Result<(), DataError> {
        if self.random_labels == 0.0 {
            return Ok(());
        }
        let Targets::Labels { labels, classes, .. } = &mut train.targets else {
            let value = self.random_labels.to_string();
            return Err(DataError::Setting { name: "random_labels", value, must: "this dataset has no labels" });
        };
        let mut random = stream(self.seed, Purpose::Labels, 0);
        let n = labels.len();
        let mut order: Vec<usize> = (0..n).collect();
        order.shuffle(&mut random);
        for &at in &order[..(self.random_labels * n as f64).round() as usize] {
            labels[at] = random.random_range(0..*classes);
        }
        Ok(())
    }
}
