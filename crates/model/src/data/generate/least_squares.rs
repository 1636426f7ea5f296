//! Linear regression with a spectrum that is prescribed.

use std::path::PathBuf;

use rand::rngs::ChaCha12Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::{at_least_one, dot, fits, normal, not_negative};
use crate::data::dataset::{Dataset, Matrix, Parts, Targets};
use crate::data::error::DataError;
use crate::data::origin::{Key, Origin};
use crate::data::standardize::Standardize;
use crate::random::{Purpose, stream};

/// Least squares `½‖Φw − y‖²` whose Hessian `ΦᵀΦ` has the eigenvalues prescribed, the rest of the spectrum zero.
///
/// `Φ = U diag(√λ) Vᵀ` (n×d) with random orthonormal U and V, `y = Φ w* + noise` with `w*` standard normal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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

/// A least-squares problem and its known solution.
#[derive(Debug, Clone, PartialEq)]
pub struct LeastSquaresProblem {
    /// Rows of Φ and targets y.
    pub data: Dataset,
    /// The parameters `w*` that made the targets.
    pub solution: Vec<f64>,
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
