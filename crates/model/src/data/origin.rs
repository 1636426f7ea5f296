//! What a source of data says of itself: each does so in its own file.
//!
//! Its keys stand there too, as `KEYS`; a test compares them with what serde reads. A key that is added later is not
//! written unless it is set (`skip_serializing_if`), so that the identities of runs before it stay.

use std::path::PathBuf;

use super::dataset::Parts;
use super::error::DataError;
use super::standardize::Standardize;

/// A key of a source's table: its name, its default in words (empty: it must be given), one line on it.
pub type Key = (&'static str, &'static str, &'static str);

/// The settings of a source, and what follows from them. Nothing has a default, so that no source is silent.
pub(crate) trait Origin {
    /// The files that it reads.
    fn paths_mut(&mut self) -> Vec<&mut PathBuf>;

    /// Reads or makes the data; what is random comes from `seed`.
    fn load(&self, seed: u64) -> Result<Parts, DataError>;

    /// The share that is split off for testing where nothing else is said.
    fn test_share(&self) -> f64;

    /// How inputs are standardized where nothing else is said.
    fn standardization(&self) -> Standardize;
}

/// The usual share of a test part.
pub(super) const USUAL_SHARE: f64 = 0.2;
