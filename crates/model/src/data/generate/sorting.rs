//! Sequences of digits to be continued in sorted order: the demonstration task of minGPT (Karpathy 2020), on which the
//! central flows of sequence models were tried (Cohen et al. 2025).

use std::collections::HashSet;
use std::path::PathBuf;

use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::{SAMPLES, fits, samples};
use crate::data::dataset::{Dataset, Matrix, Parts, Targets};
use crate::data::error::DataError;
use crate::data::origin::{Key, Origin, USUAL_SHARE};
use crate::data::standardize::Standardize;
use crate::random::{Purpose, stream};

/// Sequences of digits, each followed by its own digits in order without the last: `2 0 1 1 | 0 1 1`. At each of the
/// last positions, from the last digit of the sequence on, the target is the next digit in order: `0 1 1 2`.
///
/// No sequence occurs twice, so that none is trained and tested on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sorting {
    /// Number of samples.
    #[serde(default = "samples")]
    pub samples: usize,
    /// Digits of a sequence. Default: 6, as in minGPT.
    #[serde(default = "length")]
    pub length: usize,
    /// Different digits. Default: 4; the 3 of minGPT make fewer than 1,000 sequences.
    #[serde(default = "digits")]
    pub digits: usize,
}

fn length() -> usize {
    6
}

fn digits() -> usize {
    4
}

impl Sorting {
    /// Keys of the source.
    pub const KEYS: &'static [Key] =
        &[SAMPLES, ("length", "6", "digits of a sequence"), ("digits", "4", "different digits")];

    /// Draws the sequences.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] for no samples, sequences of fewer than two digits, or more samples than half of the
    /// sequences that there are.
    pub fn generate(&self, seed: u64) -> Result<Dataset, DataError> {
        let Self { samples, length, digits } = *self;
        for (name, value) in [("length", length), ("digits", digits)] {
            if value < 2 {
                let must = "it must be at least 2";
                return Err(DataError::Setting { name, value: value.to_string(), must });
            }
        }
        fits(samples, 2usize.saturating_mul(length).saturating_mul(digits))?;
        // Half of them are drawn without much looking.
        let sequences = (digits as f64).powf(length as f64);
        if samples as f64 > sequences / 2.0 {
            let must = "no sequence occurs twice, and there are fewer than twice as many; set more digits or length";
            return Err(DataError::Setting { name: "samples", value: samples.to_string(), must });
        }
        let mut random = stream(seed, Purpose::Data, 0);
        let mut known = HashSet::with_capacity(samples);
        let (mut tokens, mut labels) = (Vec::with_capacity(samples * (2 * length - 1)), Vec::new());
        while known.len() < samples {
            let sequence: Vec<usize> = (0..length).map(|_| random.random_range(0..digits)).collect();
            if !known.insert(sequence.clone()) {
                continue;
            }
            let mut sorted = sequence.clone();
            sorted.sort_unstable();
            tokens.extend(sequence.iter().chain(&sorted[..length - 1]).map(|&digit| digit as f64));
            labels.extend(sorted);
        }
        let tokens = Matrix { values: tokens, columns: 2 * length - 1 };
        Dataset::of_sequences(tokens, digits, Targets::labels(labels, digits), length)
    }
}

impl Origin for Sorting {
    fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        Vec::new()
    }

    fn load(&self, seed: u64) -> Result<Parts, DataError> {
        self.generate(seed).map(Parts::from)
    }

    fn test_share(&self) -> f64 {
        USUAL_SHARE
    }

    fn standardization(&self) -> Standardize {
        Standardize::None
    }
}
