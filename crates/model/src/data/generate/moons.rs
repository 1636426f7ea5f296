//! Two interleaved half circles.

use std::f64::consts::PI;
use std::path::PathBuf;

use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::{SAMPLES, fits, normal, not_negative, samples};
use crate::data::dataset::{Dataset, Matrix, Parts, Targets};
use crate::data::error::DataError;
use crate::data::origin::{Key, Origin, USUAL_SHARE};
use crate::data::standardize::Standardize;
use crate::random::{Purpose, stream};

/// Two interleaved half circles of radius 1, the second shifted by (1, ½), with normal noise on both coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Moons {
    /// Number of samples; the classes alternate.
    #[serde(default = "samples")]
    pub samples: usize,
    /// Standard deviation of the noise.
    #[serde(default = "noise")]
    pub noise: f64,
}

fn noise() -> f64 {
    0.1
}

impl Moons {
    /// Keys of the source.
    pub const KEYS: &'static [Key] = &[SAMPLES, ("noise", "0.1", "standard deviation of the noise")];

    /// Draws the samples.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] for no samples or a noise that is negative or not finite.
    pub fn generate(&self, seed: u64) -> Result<Dataset, DataError> {
        fits(self.samples, 2)?;
        not_negative("noise", self.noise)?;
        let mut random = stream(seed, Purpose::Data, 0);
        let mut values = Vec::with_capacity(2 * self.samples);
        for sample in 0..self.samples {
            let angle = random.random_range(0.0..PI);
            let (x, y) =
                if sample % 2 == 0 { (angle.cos(), angle.sin()) } else { (1.0 - angle.cos(), 0.5 - angle.sin()) };
            values.push(x + self.noise * normal(&mut random));
            values.push(y + self.noise * normal(&mut random));
        }
        let labels = (0..self.samples).map(|sample| sample % 2).collect();
        Dataset::new(Matrix { values, columns: 2 }, Targets::labels(labels, 2))
    }
}

impl Origin for Moons {
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
        Standardize::Features
    }
}
