//! Datasets: real ones, generated ones, and files.
//!
//! [`DataConfig`] names a source; [`DataConfig::load`] gives the standardized training and test parts ready for a
//! device. Values are held on the host in f64, so that the same numbers reach f32 and f64 runs.
//!
//! | source | file |
//! |---|---|
//! | the digits that come with this crate | [`digits`] |
//! | moons, spirals, teacher-student regression, least squares with a chosen spectrum | [`generate`] |
//! | IDX (MNIST and relatives, also gzipped) | [`idx`] |
//! | CIFAR-10 and CIFAR-100, binary | [`cifar`] |
//! | CSV | [`table`], over `records` |
//! | NumPy archives, read and written | [`npz`], over `npy` |
//! | labels of any kind as classes | `labels` |
//! | files, decompressed, and what they may grow to | `files` |
//! | splitting, standardization, random labels | [`prepare`] |
//!
//! Readers refuse what can be read in two ways, and say which setting decides.

pub mod cifar;
pub mod digits;
mod files;
pub mod generate;
pub mod idx;
mod labels;
mod npy;
pub mod npz;
pub mod prepare;
mod records;
pub mod table;

use std::path::PathBuf;

use burn::tensor::{DType, Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

pub use prepare::{DataConfig, Prepared, Standardize};

/// Data that cannot be read, or does not fit what is asked of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file cannot be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file ends before its header or records say it should.
    #[error("{} is truncated: {expected} bytes expected, {found} found", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes that the header promises.
        expected: usize,
        /// Bytes that are there.
        found: usize,
    },
    /// The file is not of the format it should be.
    #[error("{}{}: {problem}", path.display(), line.map(|line| format!(":{line}")).unwrap_or_default())]
    Format {
        /// The file.
        path: PathBuf,
        /// The line, in a text file.
        line: Option<u64>,
        /// What is wrong.
        problem: String,
    },
    /// The file would grow too much in memory.
    #[error(
        "{} has {on_disk} bytes and becomes {values} numbers or more, {:.1} GiB; if it is no mistake, decompress it \
         first (at most 2³⁰ numbers are read)",
        path.display(), *values as f64 / f64::from(1 << 27)
    )]
    Growth {
        /// The file.
        path: PathBuf,
        /// Its size.
        on_disk: u64,
        /// Numbers that it holds, as far as is known.
        values: usize,
    },
    /// A label is not below the number of classes.
    #[error("sample {sample} has label {label}, but there are {classes} classes, counted from 0")]
    LabelOutOfRange {
        /// The sample, counted from 0.
        sample: usize,
        /// Its label.
        label: i128,
        /// Number of classes.
        classes: usize,
    },
    /// An input or target is NaN or infinite.
    #[error("the {what} of sample {sample} is not finite (column {column})")]
    NotFinite {
        /// The sample, counted from 0.
        sample: usize,
        /// The column, counted from 0.
        column: usize,
        /// "input" or "target".
        what: &'static str,
    },
    /// Parts that should match do not.
    #[error("{what}: {left} against {right}")]
    Mismatch {
        /// What does not match.
        what: &'static str,
        /// Size of one.
        left: usize,
        /// Size of the other.
        right: usize,
    },
    /// No samples, or none left in a part of a split.
    #[error("{0} has no samples")]
    Empty(&'static str),
    /// A setting outside its range.
    #[error("{name} = {value} is not possible: {must}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// The value given.
        value: String,
        /// What it must be.
        must: &'static str,
    },
    /// Something is wrong in a file, or an array of it.
    #[error("{place}: {error}")]
    Within {
        /// The file, and what in it.
        place: String,
        /// What is wrong.
        error: Box<DataError>,
    },
}

impl DataError {
    /// The key of the `[data]` table that it is about, if it is about one.
    #[must_use]
    pub fn setting(&self) -> Option<&'static str> {
        match self {
            Self::Setting { name, .. } => Some(name),
            Self::LabelOutOfRange { .. } => Some("classes"),
            Self::Within { error, .. } => error.setting(),
            _ => None,
        }
    }

    /// The same error, with the place that it is in.
    pub(crate) fn within(self, place: impl Into<String>) -> Self {
        Self::Within { place: place.into(), error: Box::new(self) }
    }
}

/// A key of a source's table: its name, its default in words (empty: it must be given), one line on it.
pub type Key = (&'static str, &'static str, &'static str);

/// The most numbers that inputs or targets may have: a limit against slips of the pen, 8 GiB.
const MAX_VALUES: usize = 1 << 30;

/// A matrix of numbers on the host, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// `rows · columns` values.
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

    fn check_finite(&self, what: &'static str) -> Result<(), DataError> {
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

/// Inputs `[n, d]` and targets of `n` samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// `[n, d]`.
    pub inputs: Matrix,
    /// Labels or values.
    pub targets: Targets,
}

impl Dataset {
    /// Puts inputs and targets together.
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
        Ok(Self { inputs, targets })
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
        Self { inputs: self.inputs.select(rows), targets }
    }

    /// Inputs as a tensor `[n, d]`.
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

/// Where data comes from; the name and its settings in the `[data]` table of a training configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Handwritten digits, shipped with the crate.
    Digits(digits::Digits),
    /// Two interleaved half circles.
    Moons(generate::Moons),
    /// Interleaved spiral arms.
    Spirals(generate::Spirals),
    /// Regression on the outputs of a random network.
    TeacherStudent(generate::TeacherStudent),
    /// Linear regression whose Hessian has chosen eigenvalues.
    LeastSquares(generate::LeastSquares),
    /// IDX files.
    Idx(idx::Idx),
    /// CIFAR-10 binary files.
    Cifar10(cifar::Cifar10),
    /// CIFAR-100 binary files.
    Cifar100(cifar::Cifar100),
    /// A CSV file.
    Csv(table::Csv),
    /// A NumPy archive.
    Npz(npz::Npz),
}

impl Source {
    /// Every name accepted in a configuration, with one line on what it is.
    pub const ALL: &'static [(&'static str, &'static str)] = &[
        ("digits", "1,797 handwritten digits of 8×8 pixels in 10 classes (UCI); comes with the program"),
        ("moons", "two interleaved half circles, 2 classes"),
        ("spirals", "interleaved spiral arms, any number of classes"),
        ("teacher-student", "regression on the outputs of a random tanh network"),
        ("least-squares", "linear regression with the eigenvalues of ΦᵀΦ and its rank prescribed"),
        ("idx", "IDX files, plain or gzipped: MNIST, Fashion-MNIST, EMNIST"),
        ("cifar10", "CIFAR-10 in its binary version"),
        ("cifar100", "CIFAR-100 in its binary version, with fine or coarse labels"),
        ("csv", "a CSV file with one target column"),
        ("npz", "a NumPy archive with arrays x and y, or those of Keras and MedMNIST"),
    ];

    /// The keys of the source called `name`; none where there is no such source.
    #[must_use]
    pub fn keys(name: &str) -> Option<&'static [Key]> {
        Some(match name {
            "digits" => &[],
            "moons" => generate::Moons::KEYS,
            "spirals" => generate::Spirals::KEYS,
            "teacher-student" => generate::TeacherStudent::KEYS,
            "least-squares" => generate::LeastSquares::KEYS,
            "idx" => idx::Idx::KEYS,
            "cifar10" => cifar::Cifar10::KEYS,
            "cifar100" => cifar::Cifar100::KEYS,
            "csv" => table::Csv::KEYS,
            "npz" => npz::Npz::KEYS,
            _ => return None,
        })
    }

    /// The files that it reads.
    pub fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        match self {
            Self::Digits(_) | Self::Moons(_) | Self::Spirals(_) | Self::TeacherStudent(_) | Self::LeastSquares(_) => {
                Vec::new()
            }
            Self::Idx(files) => [&mut files.images, &mut files.labels]
                .into_iter()
                .chain(files.test_images.as_mut())
                .chain(files.test_labels.as_mut())
                .collect(),
            Self::Cifar10(files) => files.files.iter_mut().chain(&mut files.test_files).collect(),
            Self::Cifar100(files) => files.files.iter_mut().chain(&mut files.test_files).collect(),
            Self::Csv(file) => std::iter::once(&mut file.path).chain(file.test_path.as_mut()).collect(),
            Self::Npz(file) => vec![&mut file.path],
        }
    }

    /// Reads or makes the data; what is random comes from `seed`.
    pub(crate) fn load(&self, seed: u64) -> Result<Parts, DataError> {
        match self {
            Self::Digits(_) => Ok(digits::load().into()),
            Self::Moons(moons) => moons.generate(seed).map(Parts::from),
            Self::Spirals(spirals) => spirals.generate(seed).map(Parts::from),
            Self::TeacherStudent(teacher) => teacher.generate(seed).map(Parts::from),
            Self::LeastSquares(problem) => problem.generate(seed).map(|problem| problem.data.into()),
            Self::Idx(files) => files.read(),
            Self::Cifar10(files) => files.read(),
            Self::Cifar100(files) => files.read(),
            Self::Csv(file) => file.read(),
            Self::Npz(file) => file.read(),
        }
    }
}
