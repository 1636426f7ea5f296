//! How work is divided, among vectors and threads.

use rayon::prelude::*;

/// Elements that one task works on: small enough to divide, large enough that the pool's overhead of a microsecond does
/// not show.
pub const TASK: usize = 1 << 13;

/// Runs `f` with the widest vectors that the machine has: code inlined into it is compiled for them.
#[inline(always)]
pub fn vectorized<R>(f: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(f)
}

/// Whether it pays to divide `elements` of `cost` operations each.
pub fn divides(elements: usize, cost: usize) -> bool {
    elements.saturating_mul(cost) >= 1 << 16 && elements > TASK && rayon::current_num_threads() > 1
}

/// Calls `f(start, part)` for parts of `out`, in parallel where it pays.
pub fn in_parts<T: Send>(out: &mut [T], cost: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    if divides(out.len(), cost) {
        out.par_chunks_mut(TASK).enumerate().for_each(|(part, out)| f(part * TASK, out));
    } else {
        f(0, out);
    }
}
