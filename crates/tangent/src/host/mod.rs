//! Kernels on the memory of the CPU: matrix products, elementwise functions with their derivatives, sums.
//!
//! Flex's own are correct everywhere and stay the way for all other devices and types; what is here was measured to be
//! slower there by a factor (docs/scaling.md). Products are faer's. Loops are written so that the compiler vectorizes
//! them, and run with the widest vectors of the machine ([`vectorized`]). Work is divided among the threads of the
//! current rayon pool in a way that does not change a bit of the result.

mod function;
mod layout;
mod matmul;
mod parallel;
mod real;
mod reduce;
mod zip;

pub use function::{Argument, Jets, jets, times_slope};
pub use layout::Layout;
pub use matmul::{MatrixView, matmul};
pub use real::Real;
pub(crate) use real::by_type;
pub use reduce::{Axis, copy, max, sum};
pub use zip::{Repeated, times_plus, update};
