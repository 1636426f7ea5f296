//! The handwritten digits that come with this crate: 1,797 images of 8×8 pixels in 10 classes.
//!
//! Origin, licence (CC BY 4.0) and checksum are in `assets/README.md`.

use std::io::Read;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset::{Dataset, Matrix, Parts, Targets};
use super::error::DataError;
use super::origin::{Key, Origin, USUAL_SHARE};
use super::standardize::Standardize;
use crate::sample::Sample;

/// The gzipped table: 64 pixel values from 0 to 16 and the label in each row.
pub const ARCHIVE: &[u8] = include_bytes!("../../assets/digits.csv.gz");

const PIXELS: usize = 64;
const CLASSES: usize = 10;

/// Settings of the source `digits`: there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Digits {}

impl Digits {
    /// Keys of the source.
    pub const KEYS: &'static [Key] = &[];
}

impl Origin for Digits {
    fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        Vec::new()
    }

    fn load(&self, _: u64) -> Result<Parts, DataError> {
        Ok(load().into())
    }

    fn test_share(&self) -> f64 {
        USUAL_SHARE
    }

    fn standardization(&self) -> Standardize {
        Standardize::Global
    }
}

/// All digits, pixels unscaled (0 to 16).
///
/// # Panics
///
/// Never: the archive is part of the program, and a test reads it.
#[must_use]
pub fn load() -> Dataset {
    let mut text = String::new();
    flate2::read::GzDecoder::new(ARCHIVE).read_to_string(&mut text).expect("the archive is whole");
    let mut values = Vec::new();
    let mut labels = Vec::new();
    for line in text.lines() {
        let mut numbers = line.split(',').map(|number| number.parse::<u8>().expect("the archive holds small integers"));
        values.extend(numbers.by_ref().take(PIXELS).map(f64::from));
        labels.push(usize::from(numbers.next().expect("the label is the last column")));
    }
    Dataset::new(Matrix { values, columns: PIXELS }, Targets::labels(labels, CLASSES))
        .and_then(|data| data.with_sample(Sample::gray(8, 8)))
        .expect("the archive is a dataset")
}
