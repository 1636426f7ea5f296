//! Data made to order. Everything random comes from stream `(seed, Data)`.

use std::f64::consts::{PI, TAU};
use std::path::PathBuf;

use rand::RngExt;
use rand::rngs::ChaCha12Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::dataset::{Dataset, MAX_VALUES, Matrix, Parts, Targets};
use super::error::DataError;
use super::origin::{Key, Origin, USUAL_SHARE};
use super::standardize::Standardize;
use crate::random::{Purpose, stream};

fn normal(random: &mut ChaCha12Rng) -> f64 {
    StandardNormal.sample(random)
}

fn at_least_one(name: &'static str, value: usize) -> Result<(), DataError> {
    if value == 0 {
        return Err(DataError::Setting { name, value: "0".to_owned(), must: "it must be at least 1" });
    }
    Ok(())
}

/// Whether so many samples of so many numbers can be held.
fn fits(samples: usize, numbers: usize) -> Result<(), DataError> {
    at_least_one("samples", samples)?;
    if samples.saturating_mul(numbers) > MAX_VALUES {
        let must = "so many samples do not fit into memory";
        return Err(DataError::Setting { name: "samples", value: samples.to_string(), must });
    }
    Ok(())
}

fn not_negative(name: &'static str, value: f64) -> Result<(), DataError> {
    if !(value >= 0.0 && value.is_finite()) {
        return Err(DataError::Setting { name, value: value.to_string(), must: "it must be finite and not negative" });
    }
    Ok(())
}

/// Two interleaved half circles of radius 1, the second shifted by (1, ½), with normal noise on both coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moons {
    /// Number of samples; the classes alternate.
    #[serde(default = "samples")]
    pub samples: usize,
    /// Standard deviation of the noise.
    #[serde(default = "noise")]
    pub noise: f64,
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

/// Spiral arms that start at the centre, one class an arm, with normal noise on both coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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

/// Regression on a random network: `x ~ N(0, I_d)`, `y = A tanh(W x/√d)/√m + noise`, entries of A and W standard
/// normal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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

/// Least squares `½‖Φw − y‖²` whose Hessian `ΦᵀΦ` has the eigenvalues prescribed, the rest of the spectrum zero.
///
/// `Φ = U diag(√λ) Vᵀ` (n×d) with random orthonormal U and V, `y = Φ w* + noise` with `w*` standard normal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeastSquares {
    /// Number of samples n.
    pub samples: usize,
    /// Number of parameters d.
    pub inputs: usize,
    /// The nonzero eigenvalues of ΦᵀΦ; their number is the rank, at most min(n, d).
    pub eigenvalues: Vec<f64>,
    /// Standard deviation of the noise on the targets.
    #[serde(default)]
    pub noise: f64,
}

impl Origin for LeastSquares {
    fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        Vec::new()
    }

    fn load(&self, seed: u64) -> Result<Parts, DataError> {
        self.generate(seed).map(|problem| problem.data.into())
    }

    fn test_share(&self) -> f64 {
        // The spectrum belongs to all its rows.
        0.0
    }

    fn standardization(&self) -> Standardize {
        // They have the scale they should.
        Standardize::None
    }
}

/// A least-squares problem and its known solution.
#[derive(Debug, Clone, PartialEq)]
pub struct LeastSquaresProblem {
    /// Rows of Φ and targets y.
    pub data: Dataset,
    /// The parameters `w*` that made the targets.
    pub solution: Vec<f64>,
}

fn samples() -> usize {
    1000
}
fn noise() -> f64 {
    0.1
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
fn inputs() -> usize {
    10
}
fn teacher_width() -> usize {
    32
}
fn one() -> usize {
    1
}

const SAMPLES: Key = ("samples", "1000", "number of samples n");

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

impl LeastSquares {
    /// Keys of the source.
    pub const KEYS: &'static [Key] = &[
        ("samples", "", "number of samples n"),
        ("inputs", "", "number of parameters d"),
        ("eigenvalues", "", "the nonzero eigenvalues of ΦᵀΦ, at most min(n, d)"),
        ("noise", "0.0", "standard deviation of the noise on the targets"),
    ];

    /// Draws the problem.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] for no samples or inputs, more eigenvalues than min(n, d), none at all, one that is not
    /// positive and finite, or a noise that is negative or not finite.
    pub fn generate(&self, seed: u64) -> Result<LeastSquaresProblem, DataError> {
        at_least_one("inputs", self.inputs)?;
        fits(self.samples, self.inputs)?;
        not_negative("noise", self.noise)?;
        let (n, d, rank) = (self.samples, self.inputs, self.eigenvalues.len());
        if rank == 0 || rank > n.min(d) {
            let must = "there must be at least one and at most as many as samples and inputs";
            return Err(DataError::Setting { name: "number of eigenvalues", value: rank.to_string(), must });
        }
        if let Some(value) = self.eigenvalues.iter().find(|value| !(**value > 0.0 && value.is_finite())) {
            let must = "the nonzero eigenvalues of ΦᵀΦ are positive and finite";
            return Err(DataError::Setting { name: "eigenvalue", value: value.to_string(), must });
        }
        let mut random = stream(seed, Purpose::Data, 0);
        let left = orthonormal_columns(n, rank, &mut random);
        let right = orthonormal_columns(d, rank, &mut random);
        let mut values = vec![0.0; n * d];
        for ((u, v), eigenvalue) in left.iter().zip(&right).zip(&self.eigenvalues) {
            let scale = eigenvalue.sqrt();
            for (row, u) in values.chunks_mut(d).zip(u) {
                for (value, v) in row.iter_mut().zip(v) {
                    *value += scale * u * v;
                }
            }
        }
        let solution: Vec<f64> = (0..d).map(|_| normal(&mut random)).collect();
        let targets = values.chunks(d).map(|row| dot(row, &solution) + self.noise * normal(&mut random)).collect();
        let data =
            Dataset::new(Matrix { values, columns: d }, Targets::Values(Matrix { values: targets, columns: 1 }))?;
        Ok(LeastSquaresProblem { data, solution })
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The first `count` columns of a random orthogonal matrix of size `size`, as a product of Householder reflections
/// along normal vectors of decreasing dimension (Stewart 1980, §3): uniform up to the columns' signs, orthonormal to
/// rounding.
fn orthonormal_columns(size: usize, count: usize, random: &mut ChaCha12Rng) -> Vec<Vec<f64>> {
    let mut columns: Vec<Vec<f64>> =
        (0..count).map(|at| (0..size).map(|row| f64::from(u8::from(row == at))).collect()).collect();
    for start in (0..count).rev() {
        let mut direction: Vec<f64> = (start..size).map(|_| normal(random)).collect();
        let length = dot(&direction, &direction).sqrt();
        // The reflection that takes the normal vector to a multiple of the first axis.
        direction[0] += length.copysign(direction[0]);
        let square = dot(&direction, &direction);
        if square == 0.0 {
            continue;
        }
        for column in &mut columns {
            let tail = &mut column[start..];
            let scale = 2.0 * dot(&direction, tail) / square;
            for (value, direction) in tail.iter_mut().zip(&direction) {
                *value -= scale * direction;
            }
        }
    }
    columns
}
