//! The tool as a user runs it.
//!
//! One program for all files: each would be linked with Burn on its own.

mod analyze;
mod averages;
mod bad_input;
mod claims;
mod common;
mod folders;
mod fuzz;
mod hostile;
mod landscapes;
mod measures;
mod study;
mod train;
