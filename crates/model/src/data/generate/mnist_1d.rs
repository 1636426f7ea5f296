//! MNIST-1D: signals of 40 numbers in 10 classes (Greydanus 2020, "Scaling down deep learning", §2).
//!
//! The templates and the numbers of the recipe are those of the author's code (Copyright 2020 Sam Greydanus, Apache
//! License 2.0, <https://github.com/greydanus/mnist1d>). The samples are of the same distribution, drawn from our own
//! streams: they are not those of his file.

use std::path::PathBuf;

use rand::RngExt;
use rand::rngs::ChaCha12Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::{fits, normal};
use crate::data::dataset::{Dataset, Matrix, Parts, Targets};
use crate::data::error::DataError;
use crate::data::origin::{Key, Origin, USUAL_SHARE};
use crate::data::standardize::Standardize;
use crate::random::{Purpose, stream};

/// What a digit's outline looks like from the side.
const TEMPLATES: [[f64; 12]; 10] = [
    [5.0, 6.0, 6.5, 6.75, 7.0, 7.0, 7.0, 7.0, 6.75, 6.5, 6.0, 5.0],
    [5.0, 3.0, 3.0, 3.4, 3.8, 4.2, 4.6, 5.0, 5.4, 5.8, 5.0, 5.0],
    [5.0, 6.0, 6.5, 6.5, 6.0, 5.25, 4.75, 4.0, 3.5, 3.5, 4.0, 5.0],
    [5.0, 6.0, 6.5, 6.5, 6.0, 5.0, 5.0, 6.0, 6.5, 6.5, 6.0, 5.0],
    [5.0, 4.4, 3.8, 3.2, 2.6, 2.6, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0],
    [5.0, 3.0, 3.0, 3.0, 3.0, 5.0, 6.0, 6.5, 6.5, 6.0, 4.5, 5.0],
    [5.0, 4.0, 3.5, 3.25, 3.0, 3.0, 3.0, 3.0, 3.25, 3.5, 4.0, 5.0],
    [5.0, 7.0, 7.0, 6.6, 6.2, 5.8, 5.4, 5.0, 4.6, 4.2, 5.0, 5.0],
    [5.0, 4.0, 3.5, 3.5, 4.0, 5.0, 5.0, 4.0, 3.5, 3.5, 4.0, 5.0],
    [5.0, 4.0, 3.5, 3.5, 4.0, 5.0, 5.0, 5.0, 5.0, 4.7, 4.3, 5.0],
];

/// Zeros behind a template, at least and at most.
const PADDING: [usize; 2] = [36, 60];
/// Numbers of the signal before it is made smaller.
const LONG: usize = 12 + PADDING[1];
/// Numbers of a sample.
const SHORT: usize = 40;
/// Most places that a signal is moved by, plus one.
const TRANSLATION: usize = 48;
/// How much amplitudes differ.
const SCALE: f64 = 0.4;
/// Size of the smooth noise beside the signal, before smoothing, and of the noise everywhere.
const NOISE: [f64; 2] = [0.25, 0.02];
/// Standard deviation of the smoothing, in places.
const SMOOTH: f64 = 2.0;
/// How steep the line can be that is taken away.
const SHEAR: f64 = 0.75;

/// Settings of MNIST-1D.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mnist1d {
    /// Number of samples; the classes alternate. Default: 5,000, as in the paper.
    #[serde(default = "samples")]
    pub samples: usize,
}

fn samples() -> usize {
    5000
}

impl Mnist1d {
    /// Keys of the source.
    pub const KEYS: &'static [Key] = &[("samples", "5000", "number of samples n")];

    /// Draws the samples.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] for fewer samples than classes.
    pub fn generate(&self, seed: u64) -> Result<Dataset, DataError> {
        let classes = TEMPLATES.len();
        fits(self.samples, SHORT)?;
        if self.samples < classes {
            let must = "there must be at least one of each of the 10 classes";
            return Err(DataError::Setting { name: "samples", value: self.samples.to_string(), must });
        }
        let mut random = stream(seed, Purpose::Data, 0);
        let values = (0..self.samples).flat_map(|sample| signal(&TEMPLATES[sample % classes], &mut random)).collect();
        let labels = (0..self.samples).map(|sample| sample % classes).collect();
        Dataset::new(Matrix { values, columns: SHORT }, Targets::labels(labels, classes))
    }
}

/// A sample of a class: its template padded, stretched, scaled and moved; noise; a line taken away; fewer numbers.
fn signal(template: &[f64; 12], random: &mut ChaCha12Rng) -> Vec<f64> {
    let mean = template.iter().sum::<f64>() / 12.0;
    let deviation = (template.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 12.0).sqrt();
    // It starts at zero; what tells it from the padding is not quite zero.
    let mut x: Vec<f64> = template.iter().map(|x| (x - template[0]) / deviation / 6.0 + 1e-8).collect();
    x.resize(12 + random.random_range(PADDING[0]..=PADDING[1]), 0.0);
    let mut x = interpolated(&x, LONG);
    let scale = 1.0 + SCALE * (random.random::<f64>() - 0.5);
    x.iter_mut().for_each(|x| *x *= scale);
    x.rotate_right(random.random_range(0..TRANSLATION));
    let noise: Vec<f64> = (0..LONG).map(|_| NOISE[0] * normal(random)).collect();
    for (x, noise) in x.iter_mut().zip(smoothed(&noise)) {
        if *x == 0.0 {
            *x = noise;
        }
        *x += NOISE[1] * normal(random);
    }
    let steepness = SHEAR * (random.random::<f64>() - 0.5);
    for (at, x) in x.iter_mut().enumerate() {
        *x -= steepness * (at as f64 / (LONG - 1) as f64 - 0.5);
    }
    interpolated(&x, SHORT)
}

/// So many numbers on the polygon through `x`, both ends included.
fn interpolated(x: &[f64], length: usize) -> Vec<f64> {
    let stretch = (x.len() - 1) as f64 / (length - 1) as f64;
    let value = |at: usize| {
        let place = at as f64 * stretch;
        let left = (place as usize).min(x.len() - 2);
        let share = place - left as f64;
        // Zeros stay zeros.
        x[left] * (1.0 - share) + x[left + 1] * share
    };
    (0..length).map(value).collect()
}

/// The convolution with a normal density up to four standard deviations, `x` mirrored at its ends.
fn smoothed(x: &[f64]) -> Vec<f64> {
    let radius = (4.0 * SMOOTH + 0.5) as isize;
    let weight = |at: isize| (-0.5 * (at as f64 / SMOOTH).powi(2)).exp();
    let total: f64 = (-radius..=radius).map(weight).sum();
    let length = x.len() as isize;
    let mirrored = |at: isize| {
        let at = at.rem_euclid(2 * length);
        x[at.min(2 * length - 1 - at) as usize]
    };
    let value = |at: isize| (-radius..=radius).map(|by| weight(by) * mirrored(at + by)).sum::<f64>() / total;
    (0..length).map(value).collect()
}

impl Origin for Mnist1d {
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
        Standardize::Global
    }
}
