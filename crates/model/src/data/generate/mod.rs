//! Data made to order, a file a source. Everything random comes from stream `(seed, Data)`.

mod least_squares;
mod moons;
mod spirals;
mod teacher_student;

pub use least_squares::{LeastSquares, LeastSquaresProblem};
pub use moons::Moons;
pub use spirals::Spirals;
pub use teacher_student::TeacherStudent;

use rand::rngs::ChaCha12Rng;
use rand_distr::{Distribution, StandardNormal};

use super::dataset::MAX_VALUES;
use super::error::DataError;
use super::origin::Key;

const SAMPLES: Key = ("samples", "1000", "number of samples n");

fn samples() -> usize {
    1000
}

fn normal(random: &mut ChaCha12Rng) -> f64 {
    StandardNormal.sample(random)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
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
