//! IDX files (LeCun, Cortes & Burges: the format of MNIST and Fashion-MNIST), plain or gzipped.
//!
//! Two zero bytes, a type code, the number of dimensions, each size as a big-endian u32, then the values, big-endian,
//! row by row.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset::{Matrix, Parts};
use super::error::DataError;
use super::files::open;
use super::labels::{Asked, Labels, Raw, Target};
use super::origin::{Key, Origin, USUAL_SHARE};
use super::standardize::Standardize;
use crate::sample::Sample;

/// Which IDX files to read; inputs are the images' values, row by row.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
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
    /// Number of classes C: labels are then the numbers 0 to C−1. By default the distinct training labels are the
    /// classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<usize>,
}

impl Origin for Idx {
    fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        let tests = self.test_images.as_mut().into_iter().chain(self.test_labels.as_mut());
        [&mut self.images, &mut self.labels].into_iter().chain(tests).collect()
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

impl Idx {
    /// Keys of the source.
    pub const KEYS: &'static [Key] = &[
        ("images", "", "images for training, plain or gzipped"),
        ("labels", "", "labels for training"),
        ("test_images", "none", "images for testing"),
        ("test_labels", "none", "labels for testing"),
        ("classes", "the labels", "number of classes C; labels are then 0 to C−1"),
    ];

    fn read(&self) -> Result<Parts, DataError> {
        let train = pair(&self.images, &self.labels)?;
        let test = match (&self.test_images, &self.test_labels) {
            (None, None) => None,
            (Some(images), Some(labels)) => Some(pair(images, labels)?),
            (images, _) => {
                return Err(DataError::Setting {
                    name: if images.is_some() { "test_labels" } else { "test_images" },
                    value: "(missing)".to_owned(),
                    must: "test images and test labels come together",
                });
            }
        };
        let asked = Asked { classes: self.classes, names: None, explicit: true };
        Raw::assemble(train, test, &asked, Vec::new())
    }
}

fn pair(images: &Path, labels: &Path) -> Result<Raw, DataError> {
    let problem = |path: &Path, problem: &str| {
        Err(DataError::Format { path: path.to_owned(), line: None, problem: problem.to_owned() })
    };
    let (shape, values) = read(images)?;
    if shape.len() == 1 {
        return problem(images, "images must have two dimensions or more; is this the file of labels?");
    }
    let sample = match shape[1..] {
        [height, width] => Sample::gray(height, width),
        _ => Sample::Numbers(shape[1..].to_vec()),
    };
    let columns = sample.size();
    let (shape, numbers) = read(labels)?;
    if shape.len() != 1 {
        return problem(labels, "labels must have one dimension; is this the file of images?");
    }
    let mut column = Labels::new(labels, "the labels", false);
    for (number, sample) in numbers.into_iter().zip(0..) {
        column.float(number, sample)?;
    }
    let place = format!("{} and {}", images.display(), labels.display());
    Ok(Raw { place, inputs: Matrix { values, columns }, sample, target: Target::Labels(column), positions: 1 })
}

/// Shape and values of one IDX file.
///
/// # Errors
///
/// When the file cannot be read, is no IDX file, ends too early, or goes on behind its end.
pub fn read(path: &Path) -> Result<(Vec<usize>, Vec<f64>), DataError> {
    let mut bytes = open(path)?;
    let truncated = |expected, found| DataError::Truncated { path: path.to_owned(), expected, found };
    let format = |problem: String| DataError::Format { path: path.to_owned(), line: None, problem };
    let mut start = [0; 4];
    let found = bytes.fill(&mut start)?;
    if found < 4 {
        return Err(truncated(4, found));
    }
    let [a, b, code, dimensions] = start;
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
    let mut sizes = vec![0; 4 * usize::from(dimensions)];
    let header = 4 + sizes.len();
    let found = bytes.fill(&mut sizes)?;
    if found < sizes.len() {
        return Err(truncated(header, 4 + found));
    }
    let shape: Vec<usize> =
        sizes.chunks(4).map(|size| u32::from_be_bytes([size[0], size[1], size[2], size[3]]) as usize).collect();
    let count = shape.iter().try_fold(1, |total: usize, &size| total.checked_mul(size));
    let (count, expected) = count
        .and_then(|count| Some((count, count.checked_mul(width)?.checked_add(header)?)))
        .ok_or_else(|| format("its dimensions are larger than memory".into()))?;
    let mut values = Vec::new();
    let mut piece = vec![0; width << 16];
    while values.len() < count {
        let wanted = (width * (count - values.len())).min(piece.len());
        let found = bytes.fill(&mut piece[..wanted])?;
        bytes.allow(values.len() + found / width)?;
        values.extend(piece[..found].chunks_exact(width).map(|value| match (code, value) {
            (0x08, &[a]) => f64::from(a),
            (0x09, &[a]) => f64::from(a as i8),
            (0x0B, &[a, b]) => f64::from(i16::from_be_bytes([a, b])),
            (0x0C, &[a, b, c, d]) => f64::from(i32::from_be_bytes([a, b, c, d])),
            (0x0D, &[a, b, c, d]) => f64::from(f32::from_be_bytes([a, b, c, d])),
            (_, value) => f64::from_be_bytes(value.try_into().expect("the other type has eight bytes")),
        }));
        if found < wanted {
            return Err(truncated(expected, header + width * (values.len() - found / width) + found));
        }
    }
    if bytes.fill(&mut [0])? > 0 {
        return Err(format(format!("it goes on behind the {expected} bytes of its shape {shape:?}")));
    }
    if is_reversed(code, &values) {
        return Err(format("its numbers make sense with their bytes in the other order: IDX is big-endian".into()));
    }
    Ok((shape, values))
}

/// Whether numbers are such as come of small whole ones, or of any floats, when their bytes are read in the wrong
/// order.
fn is_reversed(code: u8, values: &[f64]) -> bool {
    const TOP_BYTE: f64 = 16_777_216.0;
    const DENORMAL: f64 = 1e-37;
    let mut some = values.iter().filter(|value| **value != 0.0).peekable();
    some.peek().is_some()
        && match code {
            0x0C => some.all(|value| value % TOP_BYTE == 0.0),
            0x0D => some.all(|value| value.abs() < DENORMAL),
            0x0E => some.all(|value| value.abs() < 1e-300),
            _ => false,
        }
}
