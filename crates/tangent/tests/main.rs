//! Derivatives of everything that can be recorded.
//!
//! One program for all files: each would be linked with Burn on its own.

mod common;
mod compiled;
mod documentation;
mod kernel;
mod layers;
mod map;
mod modules;
mod operations;
mod programs;
mod reference;
