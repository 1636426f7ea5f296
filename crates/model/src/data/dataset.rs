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
    /// A class for each sample, or for each of its positions.
    Labels {
        /// The class of each sample, below `classes`; with several positions those of the first sample, then those of
        /// the second, and so on.
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

/// Kind and number of what a network should say about each sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// One of so many classes, at each of so many positions.
    Classes {
        /// Number of classes.
        classes: usize,
        /// Positions of a sample that have a label each: 1, or the tokens of a sequence.
        positions: usize,
    },
    /// So many numbers.
    Numbers(usize),
}

impl Target {
    /// Positions that have a target each.
    #[must_use]
    pub fn positions(self) -> usize {
        match self {
            Self::Classes { positions, .. } => positions,
            Self::Numbers(_) => 1,
        }
    }

    /// Number of classes; `None` where targets are numbers.
    #[must_use]
    pub fn classes(self) -> Option<usize> {
        match self {
            Self::Classes { classes, .. } => Some(classes),
            Self::Numbers(_) => None,
        }
    }

    /// Numbers in a row of targets, labels one-hot; saturating.
    #[must_use]
    pub fn columns(self) -> usize {
        match self {
            Self::Classes { classes, positions } => classes.saturating_mul(positions),
            Self::Numbers(columns) => columns,
        }
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
        Self::at_positions(inputs, targets, 1)
    }

    /// As [`new`](Self::new), with so many labels for each sample.
    fn at_positions(inputs: Matrix, targets: Targets, positions: usize) -> Result<Self, DataError> {
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
                if classes.saturating_mul(labels.len()) > MAX_VALUES {
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
        if count != samples.saturating_mul(positions) {
            let samples = samples.saturating_mul(positions);
            return Err(DataError::Mismatch { what: "number of inputs and of targets", left: samples, right: count });
        }
        inputs.check_finite("input")?;
        Ok(Self { sample: inputs.columns.into(), inputs, targets })
    }

    /// Sequences of tokens with a class for each of the last `positions` tokens, `labels` sequence after sequence.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and when a token is no whole number below the vocabulary's size, or there are more
    /// positions than tokens, or none.
    pub fn of_sequences(
        tokens: Matrix,
        vocabulary: usize,
        targets: Targets,
        positions: usize,
    ) -> Result<Self, DataError> {
        let length = tokens.columns;
        if !(1..=length).contains(&positions) {
            let what = "tokens of a sequence, and labels for them";
            return Err(DataError::Mismatch { what, left: length, right: positions });
        }
        Self::at_positions(tokens, targets, positions)?.with_sample(Sample::Tokens { length, vocabulary })
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

    /// Kind and number of what a network should say about each sample.
    #[must_use]
    pub fn target(&self) -> Target {
        match &self.targets {
            Targets::Labels { labels, classes, .. } => {
                Target::Classes { classes: *classes, positions: labels.len() / self.len().max(1) }
            }
            Targets::Values(values) => Target::Numbers(values.columns),
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
        let positions = self.target().positions();
        let targets = match &self.targets {
            Targets::Labels { labels, classes, names } => Targets::Labels {
                labels: rows.iter().flat_map(|&at| &labels[at * positions..(at + 1) * positions]).copied().collect(),
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

    /// Targets as a tensor `[n, C]`, labels one-hot, position after position.
    #[must_use]
    pub fn target_tensor(&self, device: &Device, dtype: DType) -> Tensor<2> {
        match &self.targets {
            Targets::Values(values) => values.tensor(device, dtype),
            Targets::Labels { labels, classes, .. } => {
                let mut values = vec![0.0; labels.len() * classes];
                for (sample, label) in labels.iter().enumerate() {
                    values[sample * classes + label] = 1.0;
                }
                Matrix { values, columns: self.target().columns() }.tensor(device, dtype)
            }
        }
    }

    /// Labels of two classes as a tensor of zeros and ones, `[n, positions]`.
    pub(crate) fn column_of_labels(&self, labels: &[usize], device: &Device, dtype: DType) -> Tensor<2> {
        let values = labels.iter().map(|&label| label as f64).collect();
        Matrix { values, columns: self.target().positions() }.tensor(device, dtype)
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
