//! The `losscape` command.

use std::ffi::OsString;
use std::path::PathBuf;

use losscape_cli::Call;
use losscape_study::launch::Program;
use pyo3::prelude::*;

/// Does what a command line says, its name first, and returns the exit code. Further processes are started by the
/// interpreter with the words `start`.
#[pyfunction]
pub fn main(py: Python<'_>, arguments: Vec<OsString>, interpreter: PathBuf, start: Vec<String>) -> u8 {
    let program = Program::new(interpreter).with(start);
    py.detach(|| losscape_cli::main(&Call { arguments, program }))
}
