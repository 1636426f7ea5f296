//! Entries moved from one order to another.

use super::layout::Layout;
use super::parallel::{TASK, divides};
use super::real::Real;
use rayon::prelude::*;

/// Where a row of a layout begins, in the order of its entries.
fn beginning(layout: &Layout, row: usize) -> usize {
    let outer = layout.shape.len().saturating_sub(1);
    let mut left = row;
    let mut start = layout.start;
    for axis in (0..outer).rev() {
        start += left % layout.shape[axis] * layout.strides[axis];
        left /= layout.shape[axis];
    }
    start
}

/// Length of a row, and the distance of its entries.
fn row(layout: &Layout) -> (usize, usize) {
    layout.shape.last().copied().zip(layout.strides.last().copied()).unwrap_or((1, 1))
}

/// The entries of an array, row after row.
pub fn copy<T: Real>(out: &mut [T], x: &[T], layout: &Layout) {
    let (length, step) = row(layout);
    if out.is_empty() {
        return;
    }
    let rows = |first: usize, out: &mut [T]| {
        for (at, out) in out.chunks_mut(length).enumerate() {
            let start = beginning(layout, first + at);
            match step {
                1 => out.copy_from_slice(&x[start..start + length]),
                0 => out.fill(x[start]),
                step => out.iter_mut().zip(x[start..].iter().step_by(step)).for_each(|(out, x)| *out = *x),
            }
        }
    };
    if divides(out.len(), 8) {
        let together = (TASK / length).max(1);
        out.par_chunks_mut(together * length).enumerate().for_each(|(part, out)| rows(part * together, out));
    } else {
        rows(0, out);
    }
}

/// The entries of an array written into the places of a layout, or added to what stands there.
pub fn assign<T: Real>(out: &mut [T], to: &Layout, x: &[T], add: bool) {
    let (length, step) = row(to);
    for (at, x) in x.chunks(length.max(1)).enumerate() {
        let start = beginning(to, at);
        match (step, add) {
            (1, false) => out[start..start + length].copy_from_slice(x),
            (1, true) => out[start..start + length].iter_mut().zip(x).for_each(|(out, x)| *out += *x),
            (step, add) => {
                for (out, x) in out[start..].iter_mut().step_by(step).zip(x) {
                    *out = if add { *out + *x } else { *x };
                }
            }
        }
    }
}
