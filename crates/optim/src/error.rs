//! Settings that no optimizer can work with, and the checks that find them.

/// A setting that no optimizer can work with.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OptimError {
    /// A number outside its range.
    #[error("{name} = {value} is not possible: it must be {must}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// The value given.
        value: f64,
        /// What it must be.
        must: &'static str,
    },
    /// Two settings that do not go together.
    #[error("{0}")]
    Combination(&'static str),
}

/// Checks that a setting lies in its range.
pub(crate) fn check(name: &'static str, value: f64, valid: bool, must: &'static str) -> Result<(), OptimError> {
    if valid { Ok(()) } else { Err(OptimError::Setting { name, value, must }) }
}

pub(crate) fn check_positive(name: &'static str, value: f64) -> Result<(), OptimError> {
    check(name, value, value > 0.0 && value.is_finite(), "positive and finite")
}

pub(crate) fn check_not_negative(name: &'static str, value: f64) -> Result<(), OptimError> {
    check(name, value, value >= 0.0 && value.is_finite(), "finite and not negative")
}

/// What becomes of a setting in Burn's own rules, which keep theirs in f32.
pub(crate) fn rounded(value: f64) -> f64 {
    f64::from(value as f32)
}

/// Averaging factors: below 1, or the average never forgets.
pub(crate) fn check_factor(name: &'static str, value: f64) -> Result<(), OptimError> {
    check(name, value, (0.0..1.0).contains(&value), "from 0 to below 1")
}
