//! Networks that others made.
//!
//! [`Program`] is what `torch.export.save` of PyTorch wrote (a `.pt2` archive), read and checked; [`Exported`] is the
//! network of it, a Burn module whose parameters have their names and their order in PyTorch. What is differentiated,
//! trained and measured of other modules is of this one.
//!
//! The rooms: `archive` reads the zip file, `schema` its JSON, `graph` makes places of names, frees what is no longer
//! needed and calculates, `operation` is the table of PyTorch's operations, `array` a tensor of any rank, `program` and
//! `exported` what is seen from outside.
//!
//! # What a network may contain
//!
//! Every operation of [`FAMILIES`], which `docs/operations.md` lists. Another one, or one with an argument that is not
//! known here, is refused by name, with the module of the network that it stands in. So is what depends on the numbers
//! (conditions, `item`), and what stops the gradient (`detach`, `no_grad`). All floats are of the one type that is
//! measured in: casts between float types change nothing.
//!
//! # Dropout
//!
//! Where a network was exported in training mode, forwards on an autodiff device drop numbers, by masks of the seed
//! that [`Exported::reseed`] takes; PyTorch's masks are others. At inference nothing is dropped.
//!
//! # Batch norm
//!
//! A program says for each layer whether it was in training mode when it was exported. Such a layer takes the batch's
//! statistics in training, and moves its running ones as PyTorch does (by the unbiased variance); in evaluation it goes
//! by the running ones. A layer that was in evaluation mode always does.

mod archive;
mod argument;
mod array;
mod error;
mod exported;
mod graph;
mod operation;
mod program;
mod schema;

pub use array::Kind;
pub use error::ExchangeError;
pub use exported::Exported;
pub use graph::{Axis, Input};
pub use operation::{FAMILIES, Operation};
pub use program::{Extent, Further, Program};

/// The README's examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
