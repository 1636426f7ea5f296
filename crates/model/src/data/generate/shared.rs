//! What generators share: settings, their checks, draws.

use rand::rngs::ChaCha12Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::data::dataset::MAX_VALUES;
use crate::data::error::DataError;
use crate::data::origin::Key;

/// The key of the number of samples.
pub const SAMPLES: Key = ("samples", "1000", "number of samples n");

/// The default number of samples.
pub fn samples() -> usize {
    1000
}

/// A standard normal number.
pub fn normal(random: &mut ChaCha12Rng) -> f64 {
    StandardNormal.sample(random)
}

/// `a · b`.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Whether a setting is at least 1.
pub fn at_least_one(name: &'static str, value: usize) -> Result<(), DataError> {
    if value == 0 {
        return Err(DataError::Setting { name, value: "0".to_owned(), must: "it must be at least 1" });
    }
    Ok(())
}

/// Whether so many samples of so many numbers can be held.
pub fn fits(samples: usize, numbers: usize) -> Result<(), DataError> {
    at_least_one("samples", samples)?;
    if samples.saturating_mul(numbers) > MAX_VALUES {
        let must = "so many samples do not fit into memory";
        return Err(DataError::Setting { name: "samples", value: samples.to_string(), must });
    }
    Ok(())
}

/// Whether a setting is finite and not negative.
pub fn not_negative(name: &'static str, value: f64) -> Result<(), DataError> {
    if !(value >= 0.0 && value.is_finite()) {
        return Err(DataError::Setting { name, value: value.to_string(), must: "it must be finite and not negative" });
    }
    Ok(())
}
