//! Iterations on operators with known spectra.
//!
//! One program for all files: each would be linked with Burn on its own.

mod common;
mod estimates;
mod spectra;
