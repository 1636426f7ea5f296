//! The threads that everything calculates with.

use crate::error::CliError;

/// Where their number comes from.
const VARIABLE: &str = "RAYON_NUM_THREADS";

/// The most of them: a limit against slips of the pen.
const MAX: usize = 1024;

/// Starts the threads, as many as `RAYON_NUM_THREADS` says, or one for each core.
pub fn start() -> Result<(), CliError> {
    let number = match std::env::var_os(VARIABLE) {
        None => 0,
        Some(value) => {
            let number = value.to_str().and_then(|value| if value.is_empty() { Some(0) } else { value.parse().ok() });
            number.filter(|number| *number <= MAX).ok_or_else(|| {
                let value = value.to_string_lossy();
                CliError::Message(format!("{VARIABLE}={value} is not possible: it is a number of threads up to {MAX}"))
            })?
        }
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(number).build_global();
    pool.map_err(|error| CliError::Message(format!("cannot start the threads: {error}; set {VARIABLE} to fewer")))
}
