//! Sums and maxima along an axis, and copies into memory order.

use rayon::prelude::*;

use super::parallel::{divides, vectorized};
use super::real::Real;

/// An array as `[outer, middle, inner]`, reduced along the middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    pub outer: usize,
    pub middle: usize,
    pub inner: usize,
}

/// `out_(o, i) = Σ_m x_(o, m, i)`, or `out + Σ` if it is to be added.
pub fn sum<T: Real>(out: &mut [T], x: &[T], axis: Axis, add: bool) {
    reduce(out, x, axis, add, T::ZERO, |a, b| a + b);
}

/// `out_(o, i) = Σ_m a_(o, m, i) b_(o, m, i)`, or `out + Σ` if it is to be added.
pub fn sum_of_products<T: Real>(out: &mut [T], a: &[T], b: &[T], axis: Axis, add: bool) {
    let Axis { middle, inner, .. } = axis;
    in_shares(
        out,
        divides(a.len(), 2),
        #[inline(always)]
        |from, out| {
            if !add {
                out.fill(T::ZERO);
            }
            let (mut rest, mut at) = (out, from);
            while !rest.is_empty() {
                let (outer, offset) = (at / inner, at % inner);
                let length = rest.len().min(inner - offset);
                let (part, others) = std::mem::take(&mut rest).split_at_mut(length);
                if inner == 1 {
                    let range = outer * middle..(outer + 1) * middle;
                    part[0] += dot(&a[range.clone()], &b[range]);
                } else {
                    for m in 0..middle {
                        let start = (outer * middle + m) * inner + offset;
                        for ((out, &a), &b) in part.iter_mut().zip(&a[start..]).zip(&b[start..]) {
                            *out += a * b;
                        }
                    }
                }
                (rest, at) = (others, at + length);
            }
        },
    );
}

/// `Σ a b`, in strands.
#[inline(always)]
fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    const STRANDS: usize = 32;
    let mut strands = [T::ZERO; STRANDS];
    let whole = a.len() / STRANDS * STRANDS;
    for (a, b) in a.chunks_exact(STRANDS).zip(b.chunks_exact(STRANDS)) {
        for lane in 0..STRANDS {
            strands[lane] += a[lane] * b[lane];
        }
    }
    for (strand, (&a, &b)) in strands.iter_mut().zip(a[whole..].iter().zip(&b[whole..])) {
        *strand += a * b;
    }
    strands.into_iter().fold(T::ZERO, |a, b| a + b)
}

/// `out_(o, i) = max_m x_(o, m, i)`, not below the lowest number: rows of −∞ give a finite one. NaN is passed over.
pub fn max<T: Real>(out: &mut [T], x: &[T], axis: Axis) {
    reduce(out, x, axis, false, T::LOWEST, |a, b| if b > a { b } else { a });
}

/// Folds along the middle from `start`; with `keep`, what stands in `out` takes part. Every result is folded in an
/// order of its own, so that it does not depend on how the results are divided among threads.
fn reduce<T: Real>(out: &mut [T], x: &[T], axis: Axis, keep: bool, start: T, f: impl Fn(T, T) -> T + Copy + Sync) {
    in_shares(
        out,
        divides(x.len(), 1),
        #[inline(always)]
        |from, out| reduce_part(from, out, x, axis, keep, start, f),
    );
}

/// Calls `f(from, share)` with the widest vectors for the results of each thread, or for all at once.
fn in_shares<T: Real>(out: &mut [T], divided: bool, f: impl Fn(usize, &mut [T]) + Sync) {
    let share = |from: usize, out: &mut [T]| {
        vectorized(
            #[inline(always)]
            || f(from, out),
        );
    };
    if divided && out.len() > 1 {
        let size = out.len().div_ceil(rayon::current_num_threads());
        out.par_chunks_mut(size).enumerate().for_each(|(index, out)| share(index * size, out));
    } else {
        share(0, out);
    }
}

/// The results from number `from` on.
#[inline(always)]
fn reduce_part<T: Real>(
    from: usize,
    out: &mut [T],
    x: &[T],
    Axis { middle, inner, .. }: Axis,
    keep: bool,
    start: T,
    f: impl Fn(T, T) -> T,
) {
    if inner == 1 {
        for (row, out) in out.iter_mut().enumerate() {
            let row = &x[(from + row) * middle..][..middle];
            let folded = fold(row, start, |x| x, &f);
            *out = if keep { f(*out, folded) } else { folded };
        }
        return;
    }
    if !keep {
        out.fill(start);
    }
    let (mut rest, mut at) = (out, from);
    while !rest.is_empty() {
        let (outer, offset) = (at / inner, at % inner);
        let length = rest.len().min(inner - offset);
        let (part, others) = std::mem::take(&mut rest).split_at_mut(length);
        for m in 0..middle {
            let row = &x[(outer * middle + m) * inner + offset..][..length];
            for (out, &x) in part.iter_mut().zip(row) {
                *out = f(*out, x);
            }
        }
        (rest, at) = (others, at + length);
    }
}

/// Folds what `of` makes of a row in as many strands as fill the widest vectors, then the strands.
#[inline(always)]
pub(super) fn fold<T: Real>(row: &[T], start: T, of: impl Fn(T) -> T, f: impl Fn(T, T) -> T) -> T {
    const STRANDS: usize = 32;
    let mut strands = [start; STRANDS];
    let chunks = row.chunks_exact(STRANDS);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (strand, &x) in strands.iter_mut().zip(chunk) {
            *strand = f(*strand, of(x));
        }
    }
    for (strand, &x) in strands.iter_mut().zip(rest) {
        *strand = f(*strand, of(x));
    }
    let mut width = STRANDS;
    while width > 1 {
        width /= 2;
        for strand in 0..width {
            strands[strand] = f(strands[strand], strands[strand + width]);
        }
    }
    strands[0]
}
