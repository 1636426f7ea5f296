//! Kernels on the memory of the CPU: matrix products, convolutions, normalization, elementwise functions with their
//! derivatives, sums, copies.
//!
//! Burn's own are right everywhere, and stay the way on every other device and in every other type. What is here was
//! measured to be slower by a factor on flex (docs/scaling.md), which does it on one thread or in several passes.
//! Products are faer's, divided into as many blocks as there are threads, and added where their sum already stands.
//! Loops are written so that the compiler vectorizes them, and run with the widest vectors of the machine
//! ([`vectorized`](parallel::vectorized)). However work is divided among the threads of the current rayon pool, it does
//! not change a bit of the result.
//!
//! A kernel is tested against the composed form: the tables that test the operations run on flex, where it works, and
//! on ndarray, where it does not.

mod convolution;
mod copy;
mod direct;
mod elementwise;
mod form;
mod index;
mod layout;
mod matmul;
mod normalize;
mod parallel;
mod pool;
mod real;
mod reduce;
mod space;
mod vector;
mod zip;

pub use convolution::{convolve, convolve_input_adjoint, convolve_weight_adjoint};
pub use copy::{assign, copy};
pub use elementwise::{Argument, Jets, jets, times_slope};
pub use form::Convolution;
pub use index::{add_gathered, add_rows, gather, max_positions, rows};
pub use layout::Layout;
pub use matmul::{MatrixView, matmul, matmul_stack};
pub use normalize::{Groups, moments, normalize, normalize_adjoint};
pub use pool::{Pool, average_pool, average_pool_adjoint};
pub use real::Real;
pub(crate) use real::by_type;
pub use reduce::{Axis, max, sum, sum_of_products};
pub use zip::{Repeated, times_plus, update};
