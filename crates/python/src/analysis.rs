//! Measurements as Python sees them.

use losscape_lab::Analysis;
use losscape_report::{landscape, page};
use pyo3::prelude::*;

use crate::vector::Numbers;

/// What was measured of an objective. Made by `Objective.measure`.
#[pyclass(frozen, module = "losscape._losscape")]
pub struct Measured {
    pub analysis: Analysis,
}

#[pymethods]
impl Measured {
    /// Everything, as a record.
    fn json(&self) -> String {
        self.analysis.json()
    }

    /// As text, in tables.
    fn text(&self) -> String {
        landscape::text(&self.analysis, None)
    }

    /// As a part of a page.
    fn html(&self) -> String {
        page::fragment(&self.analysis)
    }

    /// The list of numbers of a name that goes with a section; empty if there is none.
    fn array<'py>(&self, py: Python<'py>, name: &str) -> Bound<'py, PyAny> {
        Numbers::F64(self.analysis.array(name).to_vec()).into_array(py)
    }

    /// The names of such lists.
    fn arrays(&self) -> Vec<&'static str> {
        self.analysis.arrays().collect()
    }

    /// Name, title, reading and SVG of its figures.
    fn figures(&self) -> Vec<(String, String, String, String)> {
        let figures = landscape::figures(&self.analysis).into_iter();
        figures.map(|figure| (figure.name, figure.title, figure.reading, figure.svg)).collect()
    }
}

impl std::fmt::Debug for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Measured").finish_non_exhaustive()
    }
}
