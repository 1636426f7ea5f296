#![doc = include_str!("../README.md")]
//!
//! # Map
//!
//! - [`Kind`]: the flows by name; each has its file: [`stable`], [`central`], [`rod`], [`edge`].
//! - [`Flow`]: what they have in common; [`update`]: what they are flows of.
//! - [`Comparison`]: flows beside a method at work; [`errors()`]: how far off they are.
//! - `complementarity`: the problem whose solution keeps a central flow at the edge; `symmetric`: its small matrices;
//!   `third`: third derivatives; `runge_kutta`: an integrator with error control.
//!
//! Time is counted in steps of the method; everything is drawn from a seed.

pub mod central;
mod comparison;
mod complementarity;
pub mod edge;
mod error;
mod errors;
mod flow;
mod kind;
pub mod rod;
mod runge_kutta;
pub mod stable;
mod state;
mod symmetric;
mod third;
pub mod update;

pub use comparison::{Comparison, Look, Settings};
pub use error::FlowError;
pub use errors::{Errors, errors};
pub use flow::{Flow, Prediction};
pub use kind::Kind;
pub use state::State;
pub use update::Update;
