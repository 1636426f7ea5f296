//! Normalization by groups: less the mean, times a factor; moments and adjoint, in one pass over memory each.

use rayon::prelude::*;

use super::parallel::{TASK, divides, vectorized};
use super::real::Real;
use super::reduce::fold;

/// An array as `[outer, count, inner]`, of which number `g` of the middle axis is a group: all channels of batch norm
/// in `[n, channels, pixels]`, all rows of layer norm in `[1, rows, features]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Groups {
    pub outer: usize,
    pub count: usize,
    pub inner: usize,
}

impl Groups {
    /// Numbers of a group.
    pub fn size(self) -> usize {
        self.outer * self.inner
    }

    /// Calls `f(group, out)` for every group, in parallel where it pays; groups are whole, so threads change no bit.
    fn each<A: Send>(self, out: Vec<A>, f: impl Fn(usize, A) + Sync) {
        if divides(self.count * self.size(), 2) {
            let least = TASK.div_ceil(self.size().max(1));
            out.into_par_iter().with_min_len(least).enumerate().for_each(|(group, out)| f(group, out));
        } else {
            out.into_iter().enumerate().for_each(|(group, out)| f(group, out));
        }
    }

    /// The rows of a group.
    fn rows<T>(self, x: &[T], group: usize) -> impl Iterator<Item = &[T]> + Clone {
        let Self { outer, count, inner } = self;
        (0..outer).map(move |row| &x[(row * count + group) * inner..][..inner])
    }

    /// Calls `f(group, start, row)` for the rows of `out`, in parallel where it pays.
    fn rows_of<T: Send>(self, out: &mut [T], f: impl Fn(usize, usize, &mut [T]) + Sync) {
        let Self { count, inner, .. } = self;
        if inner == 0 {
            return;
        }
        let part = |from: usize, out: &mut [T]| {
            for (row, out) in out.chunks_mut(inner).enumerate() {
                f((from + row) % count, (from + row) * inner, out);
            }
        };
        if divides(out.len(), 2) {
            let rows = TASK.div_ceil(inner);
            out.par_chunks_mut(rows * inner).enumerate().for_each(|(at, out)| part(at * rows, out));
        } else {
            part(0, out);
        }
    }
}

/// Mean and `Σ (x − mean)²` of every group.
pub fn moments<T: Real>(mean: &mut [T], squares: &mut [T], x: &[T], groups: Groups) {
    groups.each(mean.iter_mut().zip(squares).collect(), |group, (mean, squares)| {
        vectorized(
            #[inline(always)]
            || {
                let rows = groups.rows(x, group);
                let sum: f64 = rows.clone().map(|row| fold(row, T::ZERO, |x| x, |a, b| a + b).to_f64()).sum();
                *mean = T::of(sum / groups.size() as f64);
                let square = |x: T| (x - *mean) * (x - *mean);
                let sum: f64 = rows.map(|row| fold(row, T::ZERO, square, |a, b| a + b).to_f64()).sum();
                *squares = T::of(sum);
            },
        );
    });
}

/// `out = (x − mean) factor`; without x, of what stands in `out`.
pub fn normalize<T: Real>(out: &mut [T], x: Option<&[T]>, groups: Groups, mean: &[T], factor: &[T]) {
    groups.rows_of(out, |group, start, out| {
        let (mean, factor) = (mean[group], factor[group]);
        vectorized(
            #[inline(always)]
            || match x {
                Some(x) => {
                    for (out, &x) in out.iter_mut().zip(&x[start..]) {
                        *out = (x - mean) * factor;
                    }
                }
                None => out.iter_mut().for_each(|out| *out = (*out - mean) * factor),
            },
        );
    });
}

/// The adjoint of normalization at `x̂ = (x − mean) f(S)`, `S = Σ (x − mean)²`, of a cotangent c:
/// `f (c − mean(c)) + 2 f′/f² Σ(x̂ c) x̂`. `sums` holds two numbers a group on the way.
pub fn normalize_adjoint<T: Real>(
    out: &mut [T],
    c: Option<&[T]>,
    normalized: &[T],
    groups: Groups,
    [factor, slope]: [&[T]; 2],
    sums: &mut [T],
) {
    let from = c.unwrap_or(out);
    let (sum, along) = sums.split_at_mut(groups.count);
    groups.each(sum.iter_mut().zip(&mut *along).collect(), |group, (sum, along)| {
        vectorized(
            #[inline(always)]
            || {
                let (mut all, mut both) = (0.0, 0.0);
                for (c, x) in groups.rows(from, group).zip(groups.rows(normalized, group)) {
                    let [own, product] = fold_both(c, x);
                    all += own.to_f64();
                    both += product.to_f64();
                }
                let (factor, slope) = (factor[group].to_f64(), slope[group].to_f64());
                *sum = T::of(-factor * all / groups.size() as f64);
                *along = T::of(2.0 * slope / (factor * factor) * both);
            },
        );
    });
    groups.rows_of(out, |group, start, out| {
        let (factor, shift, along) = (factor[group], sum[group], along[group]);
        let x = &normalized[start..start + out.len()];
        vectorized(
            #[inline(always)]
            || match c {
                Some(c) => {
                    for ((out, &c), &x) in out.iter_mut().zip(&c[start..]).zip(x) {
                        *out = c * factor + (x * along + shift);
                    }
                }
                None => {
                    for (out, &x) in out.iter_mut().zip(x) {
                        *out = *out * factor + (x * along + shift);
                    }
                }
            },
        );
    });
}

/// `Σ c` and `Σ c x`.
#[inline(always)]
fn fold_both<T: Real>(c: &[T], x: &[T]) -> [T; 2] {
    const STRANDS: usize = 16;
    let mut sums = [[T::ZERO; STRANDS]; 2];
    let (whole, rest) = (c.chunks_exact(STRANDS), c.len() / STRANDS * STRANDS);
    for (c, x) in whole.zip(x.chunks_exact(STRANDS)) {
        for lane in 0..STRANDS {
            sums[0][lane] += c[lane];
            sums[1][lane] += c[lane] * x[lane];
        }
    }
    for (lane, (&c, &x)) in c[rest..].iter().zip(&x[rest..]).enumerate() {
        sums[0][lane] += c;
        sums[1][lane] += c * x;
    }
    sums.map(|strands| strands.into_iter().fold(T::ZERO, |a, b| a + b))
}
