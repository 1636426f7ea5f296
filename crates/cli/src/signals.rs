//! A word from outside that stops a run. Signals belong to the process, so the program takes them, and no library does.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use losscape_study::launch::INTERRUPTED;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag;

use crate::error::CliError;

/// What stops a run: Ctrl-C, a scheduler, a time limit, the end of the terminal or of the connection.
const STOPPING: [i32; 4] = [SIGINT, SIGTERM, SIGUSR1, SIGHUP];

/// A flag that the first of these signals sets; a second SIGINT ends the process at once.
pub fn listen() -> Result<Arc<AtomicBool>, CliError> {
    let stop = Arc::new(AtomicBool::new(false));
    // Before the flag is registered: the first Ctrl-C finds it unset, sets it and goes on; a second one finds it set.
    flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&stop)).map_err(deaf)?;
    for signal in STOPPING {
        flag::register(signal, Arc::clone(&stop)).map_err(deaf)?;
    }
    Ok(stop)
}

/// From when the flag is set on, a signal ends the process at once with [`INTERRUPTED`].
pub fn end_at_once(when: &Arc<AtomicBool>) -> Result<(), CliError> {
    for signal in STOPPING {
        flag::register_conditional_shutdown(signal, INTERRUPTED.into(), Arc::clone(when)).map_err(deaf)?;
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn deaf(error: std::io::Error) -> CliError {
    CliError::Message(format!("cannot listen for signals: {error}"))
}
