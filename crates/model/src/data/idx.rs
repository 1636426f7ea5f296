//! IDX files (LeCun, Cortes & Burges: the format of MNIST and Fashion-MNIST), plain or gzipped.
//!
//! Two zero bytes, a type code, the number of dimensions, each size as a big-endian u32, then the values, big-endian, row by row.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{DataError, Dataset, Matrix, Parts, Targets, classes, read_bytes};

/// Which IDX files to read; inputs are the images' values, row by row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Idx {
    /// Images for training, for example `train-images-idx3-ubyte.gz`.
    pub images: PathBuf,
    /// Labels for training.
    pub labels: PathBuf,
    /// Images for testing; without them a share of the training data is split off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_images: Option<PathBuf>,
    /// Labels for testing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_labels: Option<PathBuf>,
    /// Number of classes; by default one more than the largest training label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<usize>,
}

impl Idx {
    pub(super) fn read(&self) -> Result<Parts, DataError> {
        let train = pair(&self.images, &self.labels, self.classes)?;
        let test = match (&self.test_images, &self.test_labels) {
            (None, None) => None,
            (Some(images), Some(labels)) => Some(pair(images, labels, Some(train.outputs()))?),
            (images, _) => {
                return Err(DataError::Setting {
                    name: if images.is_some() { "test_labels" } else { "test_images" },
                    value: "(missing)".to_owned(),
                    must: "test images and test labels come together",
                });
            }
        };
        Ok((train, test))
    }
}

fn pair(images: &Path, labels: &Path, given: Option<usize>) -> Result<Dataset, DataError> {
    let (shape, values) = read(images)?;
    let columns = shape[1..].iter().product();
    let (shape, numbers) = read(labels)?;
    let problem =
        |problem: &str| Err(DataError::Format { path: labels.to_owned(), line: None, problem: problem.to_owned() });
    if shape.len() != 1 {
        return problem("labels must have one dimension; is this the file of images?");
    }
    if numbers.iter().any(|&number| number < 0.0 || number.fract() != 0.0) {
        return problem("labels must be whole numbers from 0 on");
    }
    let labels: Vec<usize> = numbers.into_iter().map(|number| number as usize).collect();
    let classes = classes(&labels, given);
    Dataset::new(Matrix { values, columns }, Targets::Labels { labels, classes })
}

/// Shape and values of one IDX file.
///
/// # Errors
///
/// When the file cannot be read, is no IDX file, or ends too early.
pub fn read(path: &Path) -> Result<(Vec<usize>, Vec<f64>), DataError> {
    let bytes = read_bytes(path)?;
    let truncated = |expected| DataError::Truncated { path: path.to_owned(), expected, found: bytes.len() };
    let format = |problem: String| DataError::Format { path: path.to_owned(), line: None, problem };
    let &[a, b, code, dimensions, ..] = bytes.as_slice() else { return Err(truncated(4)) };
    if a != 0 || b != 0 || dimensions == 0 {
        return Err(format("no IDX file: it must begin with two zero bytes, a type and a number of dimensions".into()));
    }
    let width = match code {
        0x08 | 0x09 => 1,
        0x0B => 2,
        0x0C | 0x0D => 4,
        0x0E => 8,
        _ => return Err(format(format!("unknown IDX type 0x{code:02X}"))),
    };
    let header = 4 + 4 * usize::from(dimensions);
    let sizes = bytes.get(4..header).ok_or_else(|| truncated(header))?;
    let shape: Vec<usize> =
        sizes.chunks(4).map(|size| u32::from_be_bytes([size[0], size[1], size[2], size[3]]) as usize).collect();
    let expected = shape
        .iter()
        .try_fold(width, |total: usize, &size| total.checked_mul(size))
        .and_then(|total| total.checked_add(header))
        .ok_or_else(|| format("its dimensions are larger than memory".into()))?;
    let body = bytes.get(header..expected).ok_or_else(|| truncated(expected))?;
    let values = body
        .chunks(width)
        .map(|value| match (code, value) {
            (0x08, &[a]) => f64::from(a),
            (0x09, &[a]) => f64::from(a as i8),
            (0x0B, &[a, b]) => f64::from(i16::from_be_bytes([a, b])),
            (0x0C, &[a, b, c, d]) => f64::from(i32::from_be_bytes([a, b, c, d])),
            (0x0D, &[a, b, c, d]) => f64::from(f32::from_be_bytes([a, b, c, d])),
            (_, value) => f64::from_be_bytes(value.try_into().expect("the other type has eight bytes")),
        })
        .collect();
    Ok((shape, values))
}
