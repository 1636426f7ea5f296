//! CIFAR-10 and CIFAR-100 in their binary versions (Krizhevsky 2009): records of one label byte, or of two (coarse,
//! fine), and 3,072 pixel bytes (red, green, blue planes).

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset::{Dataset, Matrix, Parts, Targets};
use super::error::DataError;
use super::files::open;
use super::origin::{Key, Origin, USUAL_SHARE};
use super::standardize::Standardize;
use crate::sample::Sample;

const PIXELS: usize = 3 * 32 * 32;
const IMAGE: Sample = Sample::Image { channels: 3, height: 32, width: 32 };

/// Which files to read; inputs are the 3,072 bytes of an image, 0 to 255.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cifar10 {
    /// Training files, for example `data_batch_1.bin` to `data_batch_5.bin`.
    pub files: Vec<PathBuf>,
    /// Test files, for example `test_batch.bin`; without them a share of the training data is split off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub test_files: Vec<PathBuf>,
}

impl Origin for Cifar10 {
    fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        self.files.iter_mut().chain(&mut self.test_files).collect()
    }

    fn load(&self, _: u64) -> Result<Parts, DataError> {
        self.read()
    }

    fn test_share(&self) -> f64 {
        USUAL_SHARE
    }

    fn standardization(&self) -> Standardize {
        Standardize::Global
    }
}

/// Which files to read; inputs are the 3,072 bytes of an image, 0 to 255.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cifar100 {
    /// Training files, for example `train.bin`.
    pub files: Vec<PathBuf>,
    /// Test files, for example `test.bin`; without them a share of the training data is split off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub test_files: Vec<PathBuf>,
    /// Which of its two labels an image has. Default: fine.
    #[serde(default)]
    pub labels: Granularity,
}

impl Origin for Cifar100 {
    fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        self.files.iter_mut().chain(&mut self.test_files).collect()
    }

    fn load(&self, _: u64) -> Result<Parts, DataError> {
        self.read()
    }

    fn test_share(&self) -> f64 {
        USUAL_SHARE
    }

    fn standardization(&self) -> Standardize {
        Standardize::Global
    }
}

/// The two labels of CIFAR-100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Granularity {
    /// 100 classes.
    #[default]
    Fine,
    /// 20 superclasses.
    Coarse,
}

const FILES: Key = ("files", "", "training files, plain or gzipped");
const TEST_FILES: Key = ("test_files", "[]", "test files");

impl Cifar10 {
    /// Keys of the source.
    pub const KEYS: &'static [Key] = &[FILES, TEST_FILES];

    fn read(&self) -> Result<Parts, DataError> {
        let layout = Layout { name: "CIFAR-10", label_bytes: 1, label: 0, classes: 10 };
        layout.parts(&self.files, &self.test_files)
    }
}

impl Cifar100 {
    /// Keys of the source.
    pub const KEYS: &'static [Key] =
        &[FILES, TEST_FILES, ("labels", "\"fine\"", "\"fine\": 100 classes; \"coarse\": 20 superclasses")];

    fn read(&self) -> Result<Parts, DataError> {
        let (label, classes) = match self.labels {
            Granularity::Coarse => (0, 20),
            Granularity::Fine => (1, 100),
        };
        let layout = Layout { name: "CIFAR-100", label_bytes: 2, label, classes };
        layout.parts(&self.files, &self.test_files)
    }
}

/// Where labels are in a record.
struct Layout {
    name: &'static str,
    label_bytes: usize,
    /// Which of the label bytes counts.
    label: usize,
    classes: usize,
}

impl Layout {
    fn parts(&self, files: &[PathBuf], test_files: &[PathBuf]) -> Result<Parts, DataError> {
        let test = if test_files.is_empty() { None } else { Some(self.read(test_files)?) };
        Ok(Parts { train: self.read(files)?, test, notices: Vec::new() })
    }

    fn read(&self, files: &[PathBuf]) -> Result<Dataset, DataError> {
        let mut values = Vec::new();
        let mut labels = Vec::new();
        for path in files {
            self.file(path, &mut values, &mut labels)?;
        }
        Dataset::new(Matrix { values, columns: PIXELS }, Targets::labels(labels, self.classes))?.with_sample(IMAGE)
    }

    fn file(&self, path: &Path, values: &mut Vec<f64>, labels: &mut Vec<usize>) -> Result<(), DataError> {
        let mut bytes = open(path)?;
        let mut record = vec![0; self.label_bytes + PIXELS];
        let (before, mut size) = (values.len(), 0);
        let mut out_of_range = None;
        let rest = loop {
            let filled = bytes.fill(&mut record)?;
            size += filled;
            if filled < record.len() {
                break filled;
            }
            let label = usize::from(record[self.label]);
            if label >= self.classes && out_of_range.is_none() {
                let sample = size / record.len() - 1;
                out_of_range = Some(DataError::LabelOutOfRange { sample, label: label as i128, classes: self.classes });
            }
            labels.push(label);
            values.extend(record[self.label_bytes..].iter().copied().map(f64::from));
            bytes.allow(values.len() - before)?;
        };
        let other = PIXELS + 3 - self.label_bytes;
        if (rest != 0 || out_of_range.is_some()) && size > 0 && size.is_multiple_of(other) {
            let [is, name] = if self.label_bytes == 1 { ["CIFAR-100", "cifar100"] } else { ["CIFAR-10", "cifar10"] };
            let problem = format!("it has records of {other} bytes, as {is} has: set name = \"{name}\"");
            return Err(DataError::Format { path: path.to_owned(), line: None, problem });
        }
        if size == 0 || rest != 0 {
            let expected = size - rest + record.len();
            return Err(DataError::Truncated { path: path.to_owned(), expected, found: size });
        }
        match out_of_range {
            Some(error) => Err(error.within(format!("{}, as {}", path.display(), self.name))),
            None => Ok(()),
        }
    }
}
