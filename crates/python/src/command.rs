//! The `losscape` command.

use losscape_cli::Call;
use losscape_study::launch::Program;
use pyo3::prelude::*;

/// Does what a command line says, its name first, and returns the exit code. Further processes are started as
/// `interpreter -m losscape`.
#[pyfunction]
pub fn main(py: Python<'_>, arguments: Vec<std::ffi::OsString>, interpreter: std::path::PathBuf) -> u8 {
    let program = Program::new(interpreter).with(["-m", "losscape"]);
    py.detach(|| losscape_cli::main(&Call { arguments, program }))
}
