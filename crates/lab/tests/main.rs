//! Training and what it keeps.
//!
//! One program for all files: each would be linked with Burn on its own.

mod averages;
mod checkpoints;
mod devices;
mod networks;
mod overrides;
mod rank_correlations;
mod shared;
mod trainer;
