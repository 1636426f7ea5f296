//! Convolutions of stride one without patch matrices.
//!
//! In an image with its padding, row after row, the pixel that a place of the kernel sees lies at the same distance
//! from every result: the convolution is a product of matrices, of which the second is read from the image at an offset
//! for each place. Results at the ends of padded rows belong to no pixel and are dropped; where they would be many,
//! patch matrices are better.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::form::Convolution;
use super::real::Real;
use super::space::Space;

/// Channels of a result, or rows of a gradient, that are calculated together.
const ROWS: usize = 4;

/// Vectors of neighbouring results, or columns of a gradient, that are calculated together: with [`ROWS`] they and what
/// they are made of fill the registers of AVX2.
const COLUMNS: usize = 3;

/// Bytes of [`COLUMNS`] of the widest vectors.
const WIDTH: usize = 96;

/// A convolution of stride one in padded images.
pub struct Direct {
    /// `[channels, height, width]` of an image.
    input: [usize; 3],
    /// Of a result.
    output: [usize; 3],
    /// Zeros above and to the left.
    before: [usize; 2],
    /// Numbers of a row with its padding.
    row: usize,
    /// Numbers of a channel of a result as it is calculated: in padded rows, a whole number of blocks.
    flat: usize,
    /// Numbers of a channel of an image with its padding, and as many as the last block reads beyond.
    channel: usize,
    /// How far the pixel that each place `[channel, i, j]` of the kernel sees lies from a result.
    offsets: Vec<usize>,
}

impl Direct {
    /// The convolution, if it has this form, most of what would be calculated is wanted, and it is faster on this
    /// machine.
    pub fn of<T: Real>(form: &Convolution) -> Option<Self> {
        let Convolution { input, output, kernel, before, .. } = *form;
        let reach = [0, 1].map(|axis| (kernel[axis] - 1) * form.dilation[axis]);
        let row = output[2] + reach[1];
        let flat = ((output[1].max(1) - 1) * row + output[2]).next_multiple_of(WIDTH / size_of::<T>());
        let few_dropped = 5 * output[1] * output[2] >= 4 * flat;
        let is_plain = form.stride == [1, 1] && form.groups == 1 && input[0] > 0 && output[0] >= ROWS;
        if !is_plain || !few_dropped || !is_faster() {
            return None;
        }
        let channel = flat + reach[0] * row + reach[1];
        let places = kernel[0] * kernel[1];
        let seen = |place: usize| place / kernel[1] * form.dilation[0] * row + place % kernel[1] * form.dilation[1];
        let offsets = (0..input[0] * places).map(|at| at / places * channel + seen(at % places)).collect();
        Some(Self { input, output, before, row, flat, channel, offsets })
    }

    /// The weights `[out, places]` in blocks of channels, place after place.
    pub fn packed<T: Real>(&self, weight: &[T]) -> Vec<T> {
        let places = self.offsets.len();
        let mut packed = Vec::with_capacity(self.output[0].next_multiple_of(ROWS) * places);
        for block in weight.chunks(ROWS * places) {
            for place in 0..places {
                packed.extend((0..ROWS).map(|row| block.get(row * places + place).copied().unwrap_or(T::ZERO)));
            }
        }
        packed
    }

    /// `out = input ∗ weight` for one image, or `out` and it.
    pub fn convolve<T: Real>(&self, space: &mut Space<T>, out: &mut [T], image: &[T], packed: &[T], add: bool) {
        let Space { patches: padded, results } = space;
        self.pad(padded, image);
        results.resize(packed.len() / self.offsets.len() * self.flat, T::ZERO);
        Arch::new().dispatch(Channels { direct: self, results, padded, packed });
        let pixels = self.output[1] * self.output[2];
        for (out, flat) in out.chunks_mut(pixels).zip(results.chunks(self.flat)) {
            for (pixels, at) in self.rows() {
                let (out, row) = (&mut out[pixels], &flat[at]);
                if add {
                    out.iter_mut().zip(row).for_each(|(out, &x)| *out += x);
                } else {
                    out.copy_from_slice(row);
                }
            }
        }
    }

    /// Adds to the gradient of the weights `[out, places]` what one image with its cotangent gives.
    pub fn add_gradient<T: Real>(&self, space: &mut Space<T>, gradient: &mut [T], image: &[T], cotangent: &[T]) {
        let Space { patches: padded, results } = space;
        self.pad(padded, image);
        // Zeros between rows: nothing comes from there.
        results.clear();
        results.resize(self.output[0] * self.flat, T::ZERO);
        let pixels = self.output[1] * self.output[2];
        for (flat, cotangent) in results.chunks_mut(self.flat).zip(cotangent.chunks(pixels)) {
            for (pixels, at) in self.rows() {
                flat[at].copy_from_slice(&cotangent[pixels]);
            }
        }
        Arch::new().dispatch(Blocks { direct: self, gradient, padded, cotangent: results });
    }

    /// An image with its padding.
    fn pad<T: Real>(&self, padded: &mut Vec<T>, image: &[T]) {
        let [channels, height, width] = self.input;
        let [above, left] = self.before;
        padded.clear();
        padded.resize(channels * self.channel, T::ZERO);
        for (pixels, padded) in image.chunks(height * width).zip(padded.chunks_mut(self.channel)) {
            for (pixels, padded) in pixels.chunks(width).zip(padded[above * self.row..].chunks_mut(self.row)) {
                padded[left..left + width].copy_from_slice(pixels);
            }
        }
    }

    /// For each row of a result: its pixels, and where they are as it is calculated.
    fn rows(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let ([_, rows, columns], row) = (self.output, self.row);
        (0..rows).map(move |at| (at * columns..(at + 1) * columns, at * row..at * row + columns))
    }
}

/// Calculates a result in padded rows: all channels of some neighbours, then those of the next, so that the pixels they
/// are made of stay in the nearest cache.
struct Channels<'a, T> {
    direct: &'a Direct,
    results: &'a mut [T],
    padded: &'a [T],
    packed: &'a [T],
}

impl<T: Real> WithSimd for Channels<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { direct: Direct { flat, offsets, .. }, results, padded, packed } = self;
        let (lanes, flat) = (T::lanes::<S>(), *flat);
        for start in (0..flat).step_by(COLUMNS * lanes) {
            let padded = &padded[start..];
            for (weights, results) in
                packed.chunks_exact(ROWS * offsets.len()).zip(results.chunks_exact_mut(ROWS * flat))
            {
                let mut sums = [[T::splat(simd, T::ZERO); COLUMNS]; ROWS];
                for (&offset, weights) in offsets.iter().zip(weights.chunks_exact(ROWS)) {
                    let seen = &padded[offset..][..COLUMNS * lanes];
                    let seen: [_; COLUMNS] = std::array::from_fn(|column| T::load::<S>(&seen[column * lanes..]));
                    for row in 0..ROWS {
                        let weight = T::splat(simd, weights[row]);
                        for column in 0..COLUMNS {
                            sums[row][column] = T::fused(simd, weight, seen[column], sums[row][column]);
                        }
                    }
                }
                for (sums, results) in sums.iter().zip(results.chunks_exact_mut(flat)) {
                    for (column, &sum) in sums.iter().enumerate() {
                        T::store::<S>(sum, &mut results[start + column * lanes..]);
                    }
                }
            }
        }
    }
}

/// Adds the products of all rows of a cotangent with the pixels that all places see.
struct Blocks<'a, T> {
    direct: &'a Direct,
    gradient: &'a mut [T],
    padded: &'a [T],
    cotangent: &'a [T],
}

impl<T: Real> WithSimd for Blocks<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { direct: Direct { output, flat, offsets, .. }, gradient, padded, cotangent } = self;
        let (lanes, flat, places, last) = (T::lanes::<S>(), *flat, offsets.len(), output[0] - 1);
        for first in (0..output[0]).step_by(ROWS) {
            // Beyond the last row or place it is that one again, which is not added.
            let rows: [&[T]; ROWS] = std::array::from_fn(|row| &cotangent[(first + row).min(last) * flat..][..flat]);
            for place in (0..places).step_by(COLUMNS) {
                let seen: [&[T]; COLUMNS] =
                    std::array::from_fn(|column| &padded[offsets[(place + column).min(places - 1)]..][..flat]);
                let mut sums = [[T::splat(simd, T::ZERO); COLUMNS]; ROWS];
                let [a, b, c] = seen.map(|seen| seen.chunks_exact(lanes));
                let [d, e, f, g] = rows.map(|row| row.chunks_exact(lanes));
                for (((a, b), c), (((d, e), f), g)) in a.zip(b).zip(c).zip(d.zip(e).zip(f).zip(g)) {
                    let seen = [a, b, c].map(T::load::<S>);
                    for (sums, row) in sums.iter_mut().zip([d, e, f, g]) {
                        let row = T::load::<S>(row);
                        for (sum, seen) in sums.iter_mut().zip(seen) {
                            *sum = T::fused(simd, row, seen, *sum);
                        }
                    }
                }
                for (sums, gradient) in sums.iter().zip(gradient.chunks_mut(places).skip(first)) {
                    for (&sum, gradient) in sums.iter().zip(&mut gradient[place..]) {
                        *gradient += T::sum(simd, sum);
                    }
                }
            }
        }
    }
}

/// Whether patch matrices are slower here: the instruction set of [`Arch`] is the widest that the machine has, and
/// multiplies and adds at once.
fn is_faster() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("fma") && !std::arch::is_x86_feature_detected!("avx512f");
    #[cfg(not(target_arch = "x86_64"))]
    return cfg!(target_arch = "aarch64");
}
