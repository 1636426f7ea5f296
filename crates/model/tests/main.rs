//! Networks, and readers of data and weights.
//!
//! One program for all files: each would be linked with Burn on its own.

mod cnn;
mod common;
mod data;
mod fuzz_readers;
mod named;
mod networks;
mod registries;
mod resnet;
