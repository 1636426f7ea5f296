//! What was measured of a network, as a record.
//!
//! An [`Analysis`] is one object with sections, which the [measures](crate::measure) fill; in a run folder each section
//! is a file of its own in `analysis/`, so that a later measurement of one thing replaces that alone. Sections belong
//! to the parameters they were measured at, and to the data and the network: when one of them changes, the folder is
//! emptied first.
//!
//! Numbers follow the conventions of [`losscape_analysis`]: the kernel is `K_c = c J Jᵀ` in the loss's own scale.

use std::collections::BTreeMap;
use std::path::Path;

use losscape_analysis::AnalysisError;
use losscape_model::{LossKind, Reduction};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::Precision;
use crate::folder::{create, read_json, write_json, write_whole};
use crate::measure::{self, Part, Section};
use crate::{LabError, RunFolder};

/// Everything measured of a network; a section that was not measured is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// [`SCHEMA`](crate::records::SCHEMA).
    pub schema: u32,
    /// What was measured, in words.
    pub source: String,
    /// SHA-256 of the parameters measured at.
    pub parameters_digest: String,
    /// SHA-256 of parameters, network, loss and data: sections of one analysis are of one such.
    #[serde(default)]
    pub subject_digest: String,
    /// How the network and its data were made, in words, by topic: what was done to the inputs, the split, the
    /// initialization.
    #[serde(default)]
    pub setup: BTreeMap<String, String>,
    /// How each section was measured.
    pub measured: BTreeMap<String, How>,
    /// Samples n.
    pub samples: usize,
    /// Outputs C.
    pub outputs: usize,
    /// Parameters P.
    pub parameters: usize,
    /// The loss.
    pub loss: LossRecord,
    /// `‖∇L‖`.
    pub gradient_norm: f64,
    /// What the measures found, by section.
    #[serde(flatten)]
    sections: serde_json::Map<String, Value>,
    /// Lists of numbers that go with sections; in a run folder each is an `.npy` file.
    #[serde(skip)]
    arrays: BTreeMap<&'static str, Vec<f64>>,
}

/// How something was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct How {
    /// Float type.
    pub precision: Precision,
    /// Seed of probes and directions.
    pub seed: u64,
}

/// The loss measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LossRecord {
    /// Which loss.
    pub name: LossKind,
    /// Mean or sum over samples.
    pub reduction: Reduction,
    /// The factor c.
    pub scale: f64,
    /// Its value.
    pub value: f64,
}

fn parts() -> impl Iterator<Item = &'static Part> {
    measure::ALL.iter().flat_map(|measure| measure.parts)
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

    /// The scalars of all sections by name, those that are finite; see [`Measure::scalars`](measure::Measure::scalars).
    #[must_use]
    pub fn scalars(&self) -> BTreeMap<String, f64> {
        let mut found = BTreeMap::new();
        let mut put = |name: &str, value: Option<f64>| {
            if let Some(value) = value.filter(|value| value.is_finite()) {
                found.insert(name.to_owned(), value);
            }
        };
        put("gradient_norm", Some(self.gradient_norm));
        put("measured_loss", Some(self.loss.value));
        measure::ALL.iter().for_each(|measure| (measure.scalars)(self, &mut put));
        found
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
    pub(crate) fn of_point(
        subject: &crate::Subject,
        point: &losscape_analysis::Point<'_, losscape_model::Model>,
    ) -> Self {
        let objective = point.objective();
        Self {
            schema: crate::records::SCHEMA,
            source: subject.source.clone(),
            parameters_digest: subject.parameters_digest(),
            subject_digest: subject.digest(),
            setup: subject.setup.clone(),
            measured: BTreeMap::new(),
            samples: objective.samples(),
            outputs: objective.outputs(),
            parameters: point.space().dim,
            loss: LossRecord {
                name: subject.loss.kind,
                reduction: subject.loss.reduction,
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

    /// Forgets the sections for which `keep` is false.
    pub(crate) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        for part in parts().filter(|part| !keep(part.section)) {
            self.sections.remove(part.section);
            part.arrays.iter().for_each(|array| drop(self.arrays.remove(array)));
        }
    }

    /// Reads the sections that stand in a run folder; none if nothing was measured.
    ///
    /// # Errors
    ///
    /// When a file is damaged.
    pub fn read(folder: &RunFolder) -> Result<Option<Self>, LabError> {
        let root = folder.analysis();
        let path = root.join("point.json");
        if !path.exists() {
            return Ok(None);
        }
        let mut analysis: Self = read_json(&path)?;
        analysis.sections.clear();
        for part in parts() {
            let path = root.join(format!("{}.json", part.section));
            if !path.exists() {
                continue;
            }
            let value: Value = read_json(&path)?;
            (part.fits)(&value).map_err(|error| LabError::Damaged { path, problem: error.to_string() })?;
            analysis.sections.insert(part.section.to_owned(), value);
            for array in part.arrays {
                let path = array_path(&root, array);
                if path.exists() {
                    analysis.arrays.insert(array, read_array(&path)?);
                }
            }
        }
        Ok(Some(analysis))
    }

    /// Writes the sections that were measured into a run folder. Others that belong to the same parameters stay, and so
    /// does a kernel's whole spectrum where now only its largest eigenvalue was found.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written.
    pub fn write(&self, folder: &RunFolder) -> Result<(), LabError> {
        let root = folder.analysis();
        let earlier = Self::read(folder).ok().flatten();
        let earlier = earlier.filter(|earlier| earlier.subject_digest == self.subject_digest);
        if root.exists() && earlier.is_none() {
            std::fs::remove_dir_all(&root).map_err(LabError::io("remove", &root))?;
        }
        create(&root)?;
        let mut new = self.clone();
        if let Some(earlier) = earlier {
            let kept: Vec<&Part> = parts()
                .filter(|part| earlier.has(part.section) && new.has(part.section) && !(part.replaces)(&new, &earlier))
                .collect();
            new.retain(|section| kept.iter().all(|part| part.section != section));
            new.measured.retain(|section, _| kept.iter().all(|part| part.section != section));
            for (section, how) in earlier.measured {
                new.measured.entry(section).or_insert(how);
            }
        }
        for (array, values) in &new.arrays {
            write_whole(&array_path(&root, array), &npy(values))?;
        }
        for (section, value) in std::mem::take(&mut new.sections) {
            write_json(&root.join(format!("{section}.json")), &value)?;
        }
        // Last: without it the sections are those of unknown parameters.
        write_json(&path_of_point(&root), &new)
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

fn path_of_point(root: &Path) -> std::path::PathBuf {
    root.join("point.json")
}

fn array_path(root: &Path, name: &str) -> std::path::PathBuf {
    root.join(format!("{name}.npy"))
}

fn read_array(path: &Path) -> Result<Vec<f64>, LabError> {
    let bytes = std::fs::read(path).map_err(LabError::io("read", path))?;
    npyz::NpyFile::new(&bytes[..])
        .and_then(npyz::NpyFile::into_vec)
        .map_err(|problem| LabError::Damaged { path: path.to_owned(), problem: problem.to_string() })
}

/// Numbers as a NumPy array of one axis.
fn npy(values: &[f64]) -> Vec<u8> {
    use npyz::WriterBuilder;
    let mut bytes = Vec::new();
    let shape = [values.len() as u64];
    let writer = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut bytes).begin_nd();
    let written = writer.and_then(|mut writer| {
        writer.extend(values.iter().copied())?;
        writer.finish()
    });
    written.expect("writing to memory cannot fail");
    bytes
}
