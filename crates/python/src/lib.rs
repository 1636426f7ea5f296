//! The part of the Python package `losscape` that is Rust, `losscape._losscape`.
//!
//! - `work`: how anything runs beside Python.
//! - `vector`, `error`: arrays and exceptions.
//! - `operator`, `algorithms`: operators, and what is learned by applying them.
//! - `objective`, `held`, `analysis`: a network on data, its matrices, measurements.
//! - `runs`, `studies`, `statements`, `command`: training, studies, claims, the command line.
//!
//! Names, defaults and documentation for users are in `losscape/`, in Python: what stands here takes every argument.
//! Records come as JSON, arrays as NumPy's.

mod algorithms;
mod analysis;
mod command;
mod error;
mod held;
mod objective;
mod operator;
mod runs;
mod statements;
mod studies;
mod vector;
mod work;

use pyo3::pymodule;

/// As that of the program: see `losscape-cli`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The module.
#[pymodule]
mod _losscape {
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }

    #[pymodule_export]
    use crate::algorithms::{density, diagonal, eigenpairs, solve, spectrum, trace};
    #[pymodule_export]
    use crate::analysis::Measured;
    #[pymodule_export]
    use crate::command::main;
    #[pymodule_export]
    use crate::error::{Error, InternalError};
    #[pymodule_export]
    use crate::objective::Objective;
    #[pymodule_export]
    use crate::operator::Operator;
    #[pymodule_export]
    use crate::runs::{run_figures, run_records, train};
    #[pymodule_export]
    use crate::statements::{list_claims, run_claims};
    #[pymodule_export]
    use crate::studies::{plan_study, study_findings, study_runs, study_table};
}
