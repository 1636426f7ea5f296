//! Interleaved spiral arms.

use std::f64::consts::TAU;
use std::path::PathBuf;

use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::{SAMPLES, at_least_one, fits, normal, not_negative, samples};
use crate::data::dataset::{Dataset, Matrix, Parts, Targets};
use crate::data::error::DataError;
use crate::data::origin::{Key, Origin, USUAL_SHARE};
use crate::data::standardize::Standardize;
use crate::random::{Purpose, stream};

/// Spiral arms that start at the centre, one class an arm, with normal noise on both coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spirals {
    /// Number of samples; the classes alternate.
    #[serde(default = "samples")]
    pub samples: usize,
    /// Number of arms.
    #[serde(default = "arms")]
    pub classes: usize,
    /// Turns that an arm makes around the centre while its radius grows from 0 to 1.
    #[serde(default = "turns")]
    pub turns: f64,
    /// Standard deviation of the noise.
    #[serde(default = "small_noise")]
    pub noise: f64,
}

fn small_noise() -> f64 {
    0.02
}

fn arms() -> usize {
    3
}

fn turns() -> f64 {
    1.0
}

impl Spirals {
    /// Keys of the source.
    pub const KEYS: &'static [Key] = &[
        SAMPLES,
        ("classes", "3", "number of arms"),
        ("turns", "1.0", "turns of an arm around the centre"),
        ("noise", "0.02", "standard deviation of the noise"),
    ];

    /// Draws the samples.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] for no samples or classes, more classes than samples, or a noise or number of turns that
    /// is negative or not finite.
    pub fn generate(&self, seed: u64) -> Result<Dataset, DataError> {
        fits(self.samples, 2)?;
        at_least_one("classes", self.classes)?;
        if self.classes > self.samples {
            let must = "there must be at least as many samples";
            return Err(DataError::Setting { name: "classes", value: self.classes.to_string(), must });
        }
        not_negative("turns", self.turns)?;
        not_negative("noise", self.noise)?;
        let mut random = stream(seed, Purpose::Data, 0);
        let mut values = Vec::with_capacity(2 * self.samples);
        for sample in 0..self.samples {
            let arm = (sample % self.classes) as f64 / self.classes as f64;
            let radius: f64 = random.random_range(0.0..1.0);
            let angle = TAU * (arm + self.turns * radius);
            values.push(radius * angle.cos() + self.noise * normal(&mut random));
            values.push(radius * angle.sin() + self.noise * normal(&mut random));
        }
        let labels = (0..self.samples).map(|sample| sample % self.classes).collect();
        Dataset::new(Matrix { values, columns: 2 }, Targets::labels(labels, self.classes))
    }
}

impl Origin for Spirals {
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
