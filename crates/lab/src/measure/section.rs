//! Keys of an analysis that know the types of what they stand for.

use std::marker::PhantomData;

use losscape_analysis::AnalysisError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Bench, Part};
use crate::Analysis;

/// A section of an [`Analysis`]: a key there, and the file `analysis/NAME.json` in a run folder.
pub struct Section<T> {
    /// Its name.
    pub name: &'static str,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Section<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Section<T> {}

impl<T> std::fmt::Debug for Section<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Section").field(&self.name).finish()
    }
}

impl<T: Serialize + DeserializeOwned> Section<T> {
    /// The section of this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, of: PhantomData }
    }

    /// The part of a measure that fills this section.
    pub(super) const fn part(self, run: fn(&Bench, &mut Analysis) -> Result<(), AnalysisError>) -> Part {
        Part { section: self.name, fits: fits::<T>, run, arrays: &[], replaces: |_, _| true }
    }
}

fn fits<T: DeserializeOwned>(value: &Value) -> Result<(), serde_json::Error> {
    T::deserialize(value).map(drop)
}
