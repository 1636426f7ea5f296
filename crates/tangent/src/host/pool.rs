//! Means of windows of pixels, and the adjoint.

use rayon::prelude::*;

use super::parallel::vectorized;
use super::real::Real;

/// Windows on `[…, height, width]` without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    pub input: [usize; 2],
    pub output: [usize; 2],
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
}

/// Planes that one task works on.
fn together(plane: usize) -> usize {
    ((1 << 14) / plane.max(1)).max(1)
}

/// The mean of each window.
pub fn average_pool<T: Real>(out: &mut [T], x: &[T], pool: Pool) {
    let Pool { input: [height, width], output: [rows, columns], kernel, stride } = pool;
    let (plane, result) = (height * width, rows * columns);
    if result == 0 || plane == 0 {
        return;
    }
    let share = T::ONE / T::of((kernel[0] * kernel[1]) as f64);
    let planes = together(plane);
    out.par_chunks_mut(planes * result).zip(x.par_chunks(planes * plane)).for_each(|(out, x)| {
        for (out, x) in out.chunks_mut(result).zip(x.chunks(plane)) {
            for (row, out) in out.chunks_mut(columns).enumerate() {
                out.fill(T::ZERO);
                for i in 0..kernel[0] {
                    let line = &x[(row * stride[0] + i) * width..][..width];
                    if kernel[1] == 2 && stride[1] == 2 {
                        vectorized(|| {
                            for (out, window) in out.iter_mut().zip(line.as_chunks::<2>().0) {
                                *out += window[0] + window[1];
                            }
                        });
                        continue;
                    }
                    for (out, window) in out.iter_mut().zip((0..).step_by(stride[1])) {
                        for &x in &line[window..window + kernel[1]] {
                            *out += x;
                        }
                    }
                }
                out.iter_mut().for_each(|out| *out *= share);
            }
        }
    });
}

/// The adjoint of [`average_pool`]: `out`, or `out` and it.
pub fn average_pool_adjoint<T: Real>(out: &mut [T], cotangent: &[T], pool: Pool, add: bool) {
    let Pool { input: [height, width], output: [rows, columns], kernel, stride } = pool;
    let (plane, result) = (height * width, rows * columns);
    if !add {
        out.fill(T::ZERO);
    }
    if result == 0 || plane == 0 {
        return;
    }
    let share = T::ONE / T::of((kernel[0] * kernel[1]) as f64);
    let planes = together(plane);
    out.par_chunks_mut(planes * plane).zip(cotangent.par_chunks(planes * result)).for_each(|(out, cotangent)| {
        for (out, cotangent) in out.chunks_mut(plane).zip(cotangent.chunks(result)) {
            for (row, cotangent) in cotangent.chunks(columns).enumerate() {
                for i in 0..kernel[0] {
                    let line = &mut out[(row * stride[0] + i) * width..][..width];
                    if kernel[1] == 2 && stride[1] == 2 {
                        vectorized(|| {
                            for (window, &c) in line.as_chunks_mut::<2>().0.iter_mut().zip(cotangent) {
                                let c = c * share;
                                *window = [window[0] + c, window[1] + c];
                            }
                        });
                        continue;
                    }
                    for (&c, window) in cotangent.iter().zip((0..).step_by(stride[1])) {
                        for out in &mut line[window..window + kernel[1]] {
                            *out += c * share;
                        }
                    }
                }
            }
        }
    });
}
