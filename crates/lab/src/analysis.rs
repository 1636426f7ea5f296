//! What was measured of a network, as a record.
//!
//! An [`Analysis`] is one object with sections, which the [measures](crate::measure) fill. In a run folder each section
//! is a file of its own in `analysis/` (`analysis-batch/` in batch mode), so that a later measurement of one thing
//! replaces that alone. `point.json` says at which precision and seed each was measured, how network and data were
//! made, and the digest of parameters, network, loss and data that the sections belong to. It is written last; where
//! the digest is another, the folder is emptied first.
//!
//! Numbers follow the conventions of [`losscape_analysis`]: the kernel is `K_c = c J Jᵀ` in the loss's own scale. JSON
//! has no number for a loss that is not finite; a field that can meet one is optional, and then absent.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use losscape_analysis::AnalysisError;
use losscape_model::{LossKind, Reduction};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{Mode, Precision, is_default};
use crate::subject::Subject;

/// Everything measured of a network; a section that was not measured is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// Version of the files: [`SCHEMA`](crate::records::SCHEMA).
    pub schema: u32,
    /// What was measured, in words.
    pub source: String,
    /// SHA-256 of the parameters measured at.
    pub parameters_digest: String,
    /// SHA-256 of parameters, network, loss and data: sections of one analysis are of one such.
    #[serde(default)]
    pub subject_digest: String,
    /// What batch norm went by; absent in a file for evaluation.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mode: Mode,
    /// How the network and its data were made, in words, by topic: what was done to the inputs, the split, the
    /// initialization.
    #[serde(default)]
    pub setup: BTreeMap<String, String>,
    /// How each section was measured.
    pub measured: BTreeMap<String, How>,
    /// Samples n that it was measured on.
    pub samples: usize,
    /// Outputs C.
    pub outputs: usize,
    /// Parameters P.
    pub parameters: usize,
    /// Which loss, its scale, and its value at the parameters.
    pub loss: LossRecord,
    /// `‖∇L‖` over all samples, at the parameters.
    pub gradient_norm: f64,
    /// What the measures found, by section.
    #[serde(flatten)]
    pub(crate) sections: serde_json::Map<String, Value>,
    /// Lists of numbers that go with sections; in a run folder each is an `.npy` file.
    #[serde(skip)]
    pub(crate) arrays: BTreeMap<&'static str, Vec<f64>>,
}

/// How something was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct How {
    /// The float type measured in.
    pub precision: Precision,
    /// Seed of probes and directions.
    pub seed: u64,
}

/// Which loss was measured, and its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LossRecord {
    /// Which loss.
    pub name: LossKind,
    /// Mean or sum over samples.
    pub reduction: Reduction,
    /// The share of a target that is spread over all classes, where it was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_smoothing: Option<f64>,
    /// Huber's δ, where it was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<f64>,
    /// Positions of a sample that have a target each, where they are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positions: Option<usize>,
    /// The factor c: 1/n for a mean over samples and positions, 1 for a sum.
    pub scale: f64,
    /// `L(w)` over all samples.
    pub value: f64,
}

/// A section of an [`Analysis`]: a key there, and the file `analysis/NAME.json` in a run folder.
pub struct Section<T> {
    /// Its name: the key, and the name of the file.
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

impl<T> Section<T> {
    /// The section of this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, of: PhantomData }
    }
}

impl Analysis {
    /// What a section holds, if it was measured.
    #[must_use]
    pub fn get<T: DeserializeOwned>(&self, section: Section<T>) -> Option<T> {
        // What is put or read fits its section.
        self.sections.get(section.name).and_then(|value| T::deserialize(value).ok())
    }

    /// A list of numbers that goes with a section; empty if there is none.
    #[must_use]
    pub fn array(&self, name: &str) -> &[f64] {
        self.arrays.get(name).map_or(&[], Vec::as_slice)
    }

    /// The names of the lists of numbers that there are.
    pub fn arrays(&self) -> impl Iterator<Item = &'static str> {
        self.arrays.keys().copied()
    }

    /// Fills a section.
    ///
    /// # Errors
    ///
    /// [`AnalysisError::NotFinite`] where the value has a NaN or an infinity in a place for a number, which no record
    /// holds.
    pub(crate) fn put<T: Serialize + DeserializeOwned>(
        &mut self,
        section: Section<T>,
        value: &T,
    ) -> Result<(), AnalysisError> {
        let value = serde_json::to_value(value).expect("records have only string keys");
        if T::deserialize(&value).is_err() {
            return Err(AnalysisError::NotFinite { what: section.name, value: f64::NAN });
        }
        self.sections.insert(section.name.to_owned(), value);
        Ok(())
    }

    /// Adds a list of numbers to a section.
    pub(crate) fn put_array(&mut self, name: &'static str, values: Vec<f64>) {
        self.arrays.insert(name, values);
    }

    /// An analysis of which nothing is measured yet but loss and gradient.
    pub(crate) fn of_point(subject: &Subject, point: &losscape_analysis::Point<'_, losscape_model::Model>) -> Self {
        let objective = point.objective();
        Self {
            schema: crate::records::SCHEMA,
            source: subject.source.clone(),
            parameters_digest: subject.parameters_digest(),
            subject_digest: subject.digest(),
            mode: subject.mode,
            setup: subject.setup.clone(),
            measured: BTreeMap::new(),
            samples: objective.samples(),
            outputs: objective.outputs(),
            parameters: point.space().dim,
            loss: LossRecord {
                name: subject.loss.kind,
                reduction: subject.loss.reduction,
                label_smoothing: subject.loss.label_smoothing,
                delta: subject.loss.delta,
                positions: Some(subject.data.target().positions()).filter(|&positions| positions > 1),
                scale: objective.scale(),
                value: point.loss(),
            },
            gradient_norm: point.gradient_norm(),
            sections: serde_json::Map::new(),
            arrays: BTreeMap::new(),
        }
    }

    /// Whether a section was measured.
    pub(crate) fn has(&self, section: &str) -> bool {
        self.sections.contains_key(section)
    }

    /// The sections that were measured.
    pub(crate) fn sections(&self) -> Vec<String> {
        self.sections.keys().cloned().collect()
    }

    /// The JSON object, indented.
    ///
    /// # Panics
    ///
    /// Never: records have only string keys.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("records have only string keys")
    }
}
