//! Networks from PyTorch: as PyTorch calculates them, damaged, and as the documentation lists them.
//!
//! One program for all files: each would be linked with Burn on its own.

mod damaged;
mod documentation;
mod dropout;
mod places;
mod pytorch;
