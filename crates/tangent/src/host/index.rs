//! Entries picked by positions, and added there. Positions are whole numbers in the type of the entries.

use rayon::prelude::*;

use super::parallel::divides;
use super::pool::Pool;
use super::real::Real;

fn position<T: Real>(at: T) -> usize {
    at.to_f64() as usize
}

/// Rows of so many entries by their positions.
pub fn rows<T: Real>(out: &mut [T], x: &[T], at: &[T], width: usize) {
    for (out, &at) in out.chunks_mut(width.max(1)).zip(at) {
        out.copy_from_slice(&x[position(at) * width..][..width]);
    }
}

/// Rows of so many entries added at their positions.
pub fn add_rows<T: Real>(out: &mut [T], x: &[T], at: &[T], width: usize) {
    for (x, &at) in x.chunks(width.max(1)).zip(at) {
        out[position(at) * width..][..width].iter_mut().zip(x).for_each(|(out, x)| *out += *x);
    }
}

/// Of each row of `from` entries those at the row's own `to` positions.
pub fn gather<T: Real>(out: &mut [T], x: &[T], at: &[T], [from, to]: [usize; 2]) {
    let row = |((out, x), at): ((&mut [T], &[T]), &[T])| {
        out.iter_mut().zip(at).for_each(|(out, &at)| *out = x[position(at)]);
    };
    if divides(out.len(), 8) {
        out.par_chunks_mut(to).zip(x.par_chunks(from)).zip(at.par_chunks(to)).with_min_len(16).for_each(row);
    } else {
        out.chunks_mut(to.max(1)).zip(x.chunks(from.max(1))).zip(at.chunks(to.max(1))).for_each(row);
    }
}

/// Entries added to each row of `from` entries at the row's own `to` positions.
pub fn add_gathered<T: Real>(out: &mut [T], x: &[T], at: &[T], [from, to]: [usize; 2]) {
    let row = |((out, x), at): ((&mut [T], &[T]), &[T])| {
        x.iter().zip(at).for_each(|(&x, &at)| out[position(at)] += x);
    };
    if divides(x.len(), 8) {
        out.par_chunks_mut(from).zip(x.par_chunks(to)).zip(at.par_chunks(to)).with_min_len(16).for_each(row);
    } else {
        out.chunks_mut(from.max(1)).zip(x.chunks(to.max(1))).zip(at.chunks(to.max(1))).for_each(row);
    }
}

/// The position of the maximum of each window in its plane: the first of equal ones, the last NaN.
pub fn max_positions<T: Real>(out: &mut [T], x: &[T], pool: Pool) {
    let Pool { input: [height, width], output: [rows, columns], kernel, stride } = pool;
    let (plane, result) = (height * width, rows * columns);
    if plane == 0 || result == 0 {
        return;
    }
    let one = |(out, x): (&mut [T], &[T])| {
        for (at, out) in out.iter_mut().enumerate() {
            let corner = at / columns * stride[0] * width + at % columns * stride[1];
            let mut best = corner;
            for i in 0..kernel[0] {
                for place in corner + i * width..corner + i * width + kernel[1] {
                    // Nothing is larger than a NaN, and a NaN is no less than anything.
                    if x[place] > x[best] || x[place].partial_cmp(&x[place]).is_none() {
                        best = place;
                    }
                }
            }
            *out = T::of(best as f64);
        }
    };
    if divides(x.len(), 8) {
        out.par_chunks_mut(result).zip(x.par_chunks(plane)).with_min_len(4).for_each(one);
    } else {
        out.chunks_mut(result).zip(x.chunks(plane)).for_each(one);
    }
}
