//! Regression on the outputs of a random network.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::{SAMPLES, at_least_one, dot, fits, normal, not_negative, samples};
use crate::data::dataset::{Dataset, Matrix, Parts, Targets};
use crate::data::error::DataError;
use crate::data::origin::{Key, Origin, USUAL_SHARE};
use crate::data::standardize::Standardize;
use crate::random::{Purpose, stream};

/// Regression on a random network: `x ~ N(0, I_d)`, `y = A tanh(W x/√d)/√m + noise`, entries of A and W standard
/// normal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TeacherStudent {
    /// Number of samples.
    #[serde(default = "samples")]
    pub samples: usize,
    /// Number of inputs d.
    #[serde(default = "inputs")]
    pub inputs: usize,
    /// Number of outputs.
    #[serde(default = "one")]
    pub outputs: usize,
    /// Hidden units m of the teacher.
    #[serde(default = "teacher_width")]
    pub teacher_width: usize,
    /// Standard deviation of the noise on the targets.
    #[serde(default)]
    pub noise: f64,
}

fn inputs() -> usize {
    10
}

fn teacher_width() -> usize {
    32
}

fn one() -> usize {
    1
}

impl TeacherStudent {
    /// Keys of the source.
    pub const KEYS: &'static [Key] = &[
        SAMPLES,
        ("inputs", "10", "number of inputs d"),
        ("outputs", "1", "number of outputs"),
        ("teacher_width", "32", "hidden units of the teacher"),
        ("noise", "0.0", "standard deviation of the noise on the targets"),
    ];

    /// Draws teacher and samples.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] for a size of zero or a noise that is negative or not finite.
    pub fn generate(&self, seed: u64) -> Result<Dataset, DataError> {
        at_least_one("inputs", self.inputs)?;
        at_least_one("outputs", self.outputs)?;
        at_least_one("teacher_width", self.teacher_width)?;
        let width = self.inputs.saturating_add(self.outputs);
        fits(self.samples, width)?;
        fits(self.teacher_width, width)?;
        not_negative("noise", self.noise)?;
        let (d, m) = (self.inputs, self.teacher_width);
        let mut random = stream(seed, Purpose::Data, 0);
        let mut draw = |count: usize| -> Vec<f64> { (0..count).map(|_| normal(&mut random)).collect() };
        let first = draw(m * d);
        let second = draw(self.outputs * m);
        let values = draw(self.samples * d);
        let noise = draw(self.samples * self.outputs);

        let inputs = Matrix { values, columns: d };
        let mut targets = Vec::with_capacity(noise.len());
        for sample in 0..self.samples {
            let hidden: Vec<f64> =
                first.chunks(d).map(|row| (dot(row, inputs.row(sample)) / (d as f64).sqrt()).tanh()).collect();
            targets.extend(second.chunks(m).map(|row| dot(row, &hidden) / (m as f64).sqrt()));
        }
        for (target, noise) in targets.iter_mut().zip(noise) {
            *target += self.noise * noise;
        }
        Dataset::new(inputs, Targets::Values(Matrix { values: targets, columns: self.outputs }))
    }
}

impl Origin for TeacherStudent {
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
        // They have the scale they should.
        Standardize::None
    }
}
