//! The examples, and what the README says.
//!
//! One program for all files: each would be linked with Burn on its own.

mod examples;
mod readme;
