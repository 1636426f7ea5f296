//! The examples, what the README says, and that all tests are run.
//!
//! One program for all files: each would be linked with Burn on its own.

mod examples;
mod programs;
mod readme;
