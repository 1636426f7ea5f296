//! CIFAR-10 in its binary version (Krizhevsky 2009): records of one label byte and 3,072 pixel bytes (red, green, blue planes).

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{DataError, Dataset, Matrix, Parts, Targets, read_bytes};

const PIXELS: usize = 3 * 32 * 32;
const CLASSES: usize = 10;

/// Which files to read; inputs are the 3,072 bytes of an image, 0 to 255.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cifar10 {
    /// Training files, for example `data_batch_1.bin` to `data_batch_5.bin`.
    pub files: Vec<PathBuf>,
    /// Test files, for example `test_batch.bin`; without them a share of the training data is split off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub test_files: Vec<PathBuf>,
}

impl Cifar10 {
    pub(super) fn read(&self) -> Result<Parts, DataError> {
        let test = if self.test_files.is_empty() { None } else { Some(read(&self.test_files)?) };
        Ok((read(&self.files)?, test))
    }
}

fn read(files: &[PathBuf]) -> Result<Dataset, DataError> {
    let mut values = Vec::new();
    let mut labels = Vec::new();
    for path in files {
        let bytes = read_bytes(path)?;
        let records = bytes.chunks_exact(1 + PIXELS);
        let rest = records.remainder().len();
        if bytes.is_empty() || rest != 0 {
            let expected = bytes.len() - rest + 1 + PIXELS;
            return Err(DataError::Truncated { path: path.clone(), expected, found: bytes.len() });
        }
        for record in records {
            labels.push(usize::from(record[0]));
            values.extend(record[1..].iter().copied().map(f64::from));
        }
    }
    Dataset::new(Matrix { values, columns: PIXELS }, Targets::Labels { labels, classes: CLASSES })
}
