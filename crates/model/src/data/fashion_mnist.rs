//! Images of clothes that come with this crate: 1,000 for training and 500 for testing, 28×28 pixels in 10 classes, of
//! Fashion-MNIST (Xiao, Rasul & Vollgraf 2017).
//!
//! Origin, licence (MIT) and checksum are in `assets/README.md`. All 70,000 are read from their files by
//! [`idx`](super::idx).

use std::io::Read;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset::{Dataset, Matrix, Parts, Targets};
use super::error::DataError;
use super::origin::{Key, Origin};
use super::standardize::Standardize;
use crate::sample::Sample;

/// The gzipped records: a label and 784 pixels, a byte each.
const ARCHIVE: &[u8] = include_bytes!("../../assets/fashion-mnist.gz");

const PIXELS: usize = 28 * 28;
const TRAIN: usize = 1000;
const CLASSES: [&str; 10] =
    ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"];

/// Settings of the source `fashion-mnist`: there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FashionMnist {}

impl FashionMnist {
    /// Keys of the source.
    pub const KEYS: &'static [Key] = &[];
}

impl Origin for FashionMnist {
    fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        Vec::new()
    }

    fn load(&self, _: u64) -> Result<Parts, DataError> {
        Ok(load())
    }

    fn test_share(&self) -> f64 {
        // It has a test part.
        0.0
    }

    fn standardization(&self) -> Standardize {
        Standardize::Global
    }
}

/// Both parts, pixels unscaled (0 to 255).
///
/// # Panics
///
/// Never: the archive is part of the program, and a test reads it.
#[must_use]
pub fn load() -> Parts {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(ARCHIVE).read_to_end(&mut bytes).expect("the archive is whole");
    let part = |records: &[u8]| {
        let records = records.chunks_exact(1 + PIXELS);
        let labels = records.clone().map(|record| usize::from(record[0])).collect();
        let values = records.flat_map(|record| &record[1..]).map(|&pixel| f64::from(pixel)).collect();
        let names = CLASSES.map(str::to_owned).to_vec();
        let targets = Targets::Labels { labels, classes: CLASSES.len(), names };
        Dataset::new(Matrix { values, columns: PIXELS }, targets)
            .and_then(|data| data.with_sample(Sample::gray(28, 28)))
            .expect("the archive is a dataset")
    };
    let (train, test) = bytes.split_at(TRAIN * (1 + PIXELS));
    Parts { train: part(train), test: Some(part(test)), notices: Vec::new() }
}
