//! The program `losscape`.

use std::process::ExitCode;

use losscape_cli::Call;
use losscape_study::launch::Program;

/// Keeps freed memory: training and measuring give back and take arrays of the same sizes all the time, and the
/// system's allocator on Linux returns the large ones to the kernel in between, which cost a fifth of a full-batch
/// gradient in page faults. It is version 2: with version 3 a training step took a tenth longer. Libraries choose none;
/// a program of your own does well to.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let program = std::env::current_exe().unwrap_or_else(|_| arguments.first().cloned().unwrap_or_default().into());
    ExitCode::from(losscape_cli::main(&Call { arguments, program: Program::new(program) }))
}
