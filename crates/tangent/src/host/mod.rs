//! Kernels on the memory of the CPU: matrix products, elementwise functions with their derivatives, sums.
//!
//! Flex's own are correct everywhere and stay the way for all other devices and types; what is here was measured to be
//! slower there by a factor (docs/scaling.md). Products are faer's. Loops are written so that the compiler vectorizes
//! them, and run with the widest vectors of the machine ([`vectorized`]). Work is divided among the threads of the
//! current rayon pool in a way that does not change a bit of the result.

mod function;
mod layout;
mod matmul;
mod real;
mod reduce;
mod zip;

pub use function::{Argument, Jets, has_slope_of_value, jets, times_slope};
pub use layout::Layout;
pub use matmul::{Matrix, matmul};
pub use real::Real;
pub use reduce::{Axis, copy, max, sum};
pub use zip::{Repeated, times_plus, update};

use rayon::prelude::*;

/// Elements that one task works on: small enough to divide, large enough that the pool's overhead of a microsecond does
/// not show.
const TASK: usize = 1 << 13;

/// Runs `f` with the widest vectors that the machine has: code inlined into it is compiled for them.
#[inline(always)]
pub fn vectorized<R>(f: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(f)
}

/// Whether it pays to divide `elements` of `cost` operations each.
fn divides(elements: usize, cost: usize) -> bool {
    elements.saturating_mul(cost) >= 1 << 16 && elements > TASK && rayon::current_num_threads() > 1
}

/// Calls `f(start, part)` for parts of `out`, in parallel where it pays.
fn in_parts<T: Send>(out: &mut [T], cost: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    if divides(out.len(), cost) {
        out.par_chunks_mut(TASK).enumerate().for_each(|(part, out)| f(part * TASK, out));
    } else {
        f(0, out);
    }
}
