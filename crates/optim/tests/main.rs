//! Optimizers.
//!
//! One program for all files: each would be linked with Burn on its own.

mod optimizers;
mod registries;
