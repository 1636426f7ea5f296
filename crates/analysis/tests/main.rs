//! Derivatives, measures and their certificates against dense matrices and known answers.
//!
//! One program for all files: each would be linked with Burn on its own.

mod certificate;
mod common;
mod landscape;
mod measures;
mod operators;
