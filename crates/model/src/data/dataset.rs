//! Inputs with their targets, on the host in f64, so that the same numbers reach f32 and f64 runs.

use burn::tensor::{DType, Device, Tensor, TensorData};

use super::error::DataError;
use crate::sample::Sample;

/// The most numbers that inputs or targets may have: a limit against slips of the pen, 8 GiB.
pub(super) const MAX_VALUES: usize = 1 << 30;

/// A matrix of numbers on the host, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// `rows · columns` values, row by row.
    pub values: Vec<f64>,
    /// Number of columns.
    pub columns: usize,
}

impl Matrix {
    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.values.len().checked_div(self.columns).unwrap_or(0)
    }

    /// Row `at`.
    #[must_use]
    pub fn row(&self, at: usize) -> &[f64] {
        &self.values[at * self.columns..(at + 1) * self.columns]
    }

    fn select(&self, rows: &[usize]) -> Self {
        Self { values: rows.iter().flat_map(|&at| self.row(at)).copied().collect(), columns: self.columns }
    }

    fn tensor(&self, device: &Device, dtype: DType) -> Tensor<2> {
        let data = TensorData::new(self.values.clone(), [self.rows(), self.columns]);
        Tensor::from_data(data.convert_dtype(dtype), (device, dtype))
    }

    pub(super) fn check_finite(&self, what: &'static str) -> Result<(), DataError> {
        match self.values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(DataError::NotFinite { sample: at / self.columns, column: at % self.columns, what }),
            None => Ok(()),
        }
    }
}

/// What a network should say about each sample.
#[derive(Debug, Clone, PartialEq)]
pub enum Targets {
    /// A class for each sample.
    Labels {
        /// The class of each sample, below `classes`.
        labels: Vec<usize>,
        /// Number of classes C.
        classes: usize,
        /// The label of each class in the data as it came; empty where it is the number of the class.
        names: Vec<String>,
    },
    /// C numbers for each sample.
    Values(Matrix),
}

impl Targets {
    /// Labels that are the numbers of their classes.
    #[must_use]
    pub fn labels(labels: Vec<usize>, classes: usize) -> Self {
        Self::Labels { labels, classes, names: Vec::new() }
    }
}

/// Inputs and targets of `n` samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Inputs `[n, d]`, a row a sample: its numbers, the last axis of its shape fastest.
    pub inputs: Matrix,
    /// Shape and kind of a sample's input.
    pub sample: Sample,
    /// A label or C values for each sample.
    pub targets: Targets,
}

impl Dataset {
    /// Puts inputs, each a row of numbers, and targets together.
    ///
    /// # Errors
    ///
    /// When there are no samples, sizes differ, a label is not below the number of classes, or a number is not finite.
    pub fn new(inputs: Matrix, targets: Targets) -> Result<Self, DataError> {
        let samples = inputs.rows();
        if samples == 0 {
            return Err(DataError::Empty("the dataset"));
        }
        let count = match &targets {
            Targets::Labels { labels, classes, .. } => {
                if let Some(sample) = labels.iter().position(|label| label >= classes) {
                    let label = labels[sample] as i128;
                    return Err(DataError::LabelOutOfRange { sample, label, classes: *classes });
                }
                if classes.saturating_mul(samples) > MAX_VALUES {
                    let must = "too many for so many samples; are the targets numbers (task = \"regression\")?";
                    return Err(DataError::Setting { name: "number of classes", value: classes.to_string(), must });
                }
                labels.len()
            }
            Targets::Values(values) => {
                values.check_finite("target")?;
                values.rows()
            }
        };
        if count != samples {
            return Err(DataError::Mismatch { what: "number of inputs and of targets", left: samples, right: count });
        }
        inputs.check_finite("input")?;
        Ok(Self { sample: inputs.columns.into(), inputs, targets })
    }

    /// Says what the inputs are.
    ///
    /// # Errors
    ///
    /// When they have not so many numbers, or a token is no whole number below the vocabulary's size.
    pub fn with_sample(self, sample: Sample) -> Result<Self, DataError> {
        if sample.size() != self.inputs.columns {
            let what = "numbers of an input's shape, and of a row";
            return Err(DataError::Mismatch { what, left: sample.size(), right: self.inputs.columns });
        }
        if let Sample::Tokens { vocabulary, .. } = sample {
            let is_token = |value: f64| value >= 0.0 && value < vocabulary as f64 && value.fract() == 0.0;
            if let Some(at) = self.inputs.values.iter().position(|&value| !is_token(value)) {
                let (sample, value) = (at / self.inputs.columns, self.inputs.values[at]);
                return Err(DataError::Token { sample, value, vocabulary });
            }
        }
        Ok(Self { sample, ..self })
    }

    /// Number of samples n.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inputs.rows()
    }

    /// Whether there are no samples (never, for a dataset built by [`Dataset::new`]).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of outputs C a network for it needs.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match &self.targets {
            Targets::Labels { classes, .. } => *classes,
            Targets::Values(values) => values.columns,
        }
    }

    /// Number of classes; `None` where targets are numbers.
    #[must_use]
    pub fn classes(&self) -> Option<usize> {
        match &self.targets {
            Targets::Labels { classes, .. } => Some(*classes),
            Targets::Values(_) => None,
        }
    }

    /// The labels of the classes in the data as it came; empty where these are the numbers of the classes, or there are
    /// none.
    #[must_use]
    pub fn class_names(&self) -> &[String] {
        match &self.targets {
            Targets::Labels { names, .. } => names,
            Targets::Values(_) => &[],
        }
    }

    /// The label of a class in the data as it came.
    #[must_use]
    pub fn class_name(&self, class: usize) -> String {
        self.class_names().get(class).cloned().unwrap_or_else(|| class.to_string())
    }

    /// The samples `rows`, in that order.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let targets = match &self.targets {
            Targets::Labels { labels, classes, names } => Targets::Labels {
                labels: rows.iter().map(|&at| labels[at]).collect(),
                classes: *classes,
                names: names.clone(),
            },
            Targets::Values(values) => Targets::Values(values.select(rows)),
        };
        Self { inputs: self.inputs.select(rows), sample: self.sample.clone(), targets }
    }

    /// Inputs as a tensor `[n, d]`, whatever shape a sample has.
    #[must_use]
    pub fn input_tensor(&self, device: &Device, dtype: DType) -> Tensor<2> {
        self.inputs.tensor(device, dtype)
    }

    /// Targets as a tensor `[n, C]`, labels one-hot.
    #[must_use]
    pub fn target_tensor(&self, device: &Device, dtype: DType) -> Tensor<2> {
        match &self.targets {
            Targets::Values(values) => values.tensor(device, dtype),
            Targets::Labels { labels, classes, .. } => {
                let mut values = vec![0.0; labels.len() * classes];
                for (sample, label) in labels.iter().enumerate() {
                    values[sample * classes + label] = 1.0;
                }
                Matrix { values, columns: *classes }.tensor(device, dtype)
            }
        }
    }
}

/// Data in its parts, with what is to be said of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    /// The training part; of a source, all where it has no other.
    pub train: Dataset,
    /// The test part, where the source has one of its own.
    pub test: Option<Dataset>,
    /// What was understood in a way that a user should know of, a sentence each.
    pub notices: Vec<String>,
}

impl From<Dataset> for Parts {
    fn from(train: Dataset) -> Self {
        Self { train, test: None, notices: Vec::new() }
    }
}
