//! How a section of an analysis is filled.

use losscape_analysis::AnalysisError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::bench::Bench;
use super::kind::Part;
use crate::analysis::{Analysis, Section};

impl<T: Serialize + DeserializeOwned> Section<T> {
    /// The part of a measure that fills this section.
    pub(super) const fn part(self, run: fn(&Bench, &mut Analysis) -> Result<(), AnalysisError>) -> Part {
        Part { section: self.name, fits: fits::<T>, run, arrays: &[], replaces: |_, _| true }
    }
}

fn fits<T: DeserializeOwned>(value: &Value) -> Result<(), serde_json::Error> {
    T::deserialize(value).map(drop)
}
