//! The record of what was measured, on disk and as numbers for tables: what needs to know every measure.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::ALL;
use super::kind::Part;
use crate::analysis::Analysis;
use crate::config::Mode;
use crate::error::LabError;
use crate::folder::{RunFolder, create, read_json, write_json, write_whole};

fn parts() -> impl Iterator<Item = &'static Part> {
    ALL.iter().flat_map(|measure| measure.parts)
}

impl Analysis {
    /// The scalars of all sections by name, those that are finite; see [`Measure::scalars`](super::Measure::scalars).
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
        ALL.iter().for_each(|measure| (measure.scalars)(self, &mut put));
        found
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
        Self::read_in(folder, Mode::Evaluation)
    }

    /// As [`read`](Self::read), of what was measured in this mode.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn read_in(folder: &RunFolder, mode: Mode) -> Result<Option<Self>, LabError> {
        let root = folder.analysis_in(mode);
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

    /// Writes the sections that were measured into a run folder. Others that belong to the same subject stay, and so
    /// does a kernel's whole spectrum where now only its largest eigenvalue was found.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written.
    pub fn write(&self, folder: &RunFolder) -> Result<(), LabError> {
        let root = folder.analysis_in(self.mode);
        let earlier = Self::read_in(folder, self.mode).ok().flatten();
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
