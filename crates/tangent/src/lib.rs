//! Exact first and second derivatives of any Burn module.
//!
//! placeholder

mod array;
mod capture;
mod error;
mod inputs;
mod kernel;
mod linearized;
mod lowering;
mod map;
mod operation;
pub mod parameters;
mod point;
mod program;
mod registry;
mod value;

pub use error::TangentError;
pub use inputs::Inputs;
pub use linearized::{Curve, Linearized};
pub use map::{Map, Variables};
pub use program::{Parameter, Program};
pub use registry::{Entry, Kind, operations};
