//! Convolutions of stride one without patch matrices.
//!
//! In an image with its padding, row after row, the pixel that a place of the kernel sees lies at the same distance
//! from every result: the convolution is a product of matrices, of which the second is read from the image at an offset
//! for each place. Results at the ends of padded rows belong to no pixel and are dropped; where they would be many,
//! patch matrices are better.

use std::marker::PhantomData;
use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::form::Convolution;
use super::real::Real;
use super::space::Space;

/// Channels of a result, or rows of a gradient, that are calculated together.
const ROWS: usize = 4;

/// Vectors of neighbouring results, or columns of a gradient, that are calculated together: with [`ROWS`] they and what
/// they are made of fill sixteen registers. Of more of them, as AVX-512 has, the compiler makes nothing faster.
const COLUMNS: usize = 3;

/// Bytes of images and cotangents that a gradient is taken of together: they stay in a core's own cache, and sums over
/// a vector are taken once for all.
const TOGETHER: usize = 1 << 19;

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
        let lanes = Arch::new().dispatch(Lanes::<T>(PhantomData));
        let flat = ((output[1].max(1) - 1) * row + output[2]).next_multiple_of(COLUMNS * lanes);
        let few_dropped = 5 * output[1] * output[2] >= 4 * flat;
        let is_plain = form.stride == [1, 1] && form.groups == 1 && input[0] > 0 && output[0] >= ROWS;
        if !is_plain || !few_dropped || !is_faster(lanes * size_of::<T>()) {
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
        padded.clear();
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

    /// Images that a gradient is taken of together.
    pub fn together<T>(&self) -> usize {
        let bytes = (self.input[0] * self.channel + self.output[0] * self.flat) * size_of::<T>();
        (TOGETHER / bytes.max(1)).max(1)
    }

    /// Adds to the gradient of the weights `[out, places]` what some images with their cotangents give.
    pub fn add_gradient<T: Real>(&self, space: &mut Space<T>, gradient: &mut [T], images: &[T], cotangents: &[T]) {
        let Space { patches: padded, results } = space;
        let (image, pixels) = (self.input.iter().product(), self.output[1] * self.output[2]);
        padded.clear();
        images.chunks(image).for_each(|image| self.pad(padded, image));
        // Zeros between rows: nothing comes from there.
        results.clear();
        results.resize(cotangents.len() / pixels * self.flat, T::ZERO);
        for (flat, cotangent) in results.chunks_mut(self.flat).zip(cotangents.chunks(pixels)) {
            for (pixels, at) in self.rows() {
                flat[at].copy_from_slice(&cotangent[pixels]);
            }
        }
        Arch::new().dispatch(Blocks { direct: self, gradient, padded, cotangents: results });
    }

    /// Appends an image with its padding.
    fn pad<T: Real>(&self, padded: &mut Vec<T>, image: &[T]) {
        let [channels, height, width] = self.input;
        let [above, left] = self.before;
        let start = padded.len();
        padded.resize(start + channels * self.channel, T::ZERO);
        for (pixels, padded) in image.chunks(height * width).zip(padded[start..].chunks_mut(self.channel)) {
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

/// Adds the products of all rows of the cotangents with the pixels that all places see, over all images.
struct Blocks<'a, T> {
    direct: &'a Direct,
    gradient: &'a mut [T],
    padded: &'a [T],
    cotangents: &'a [T],
}

impl<T: Real> WithSimd for Blocks<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { direct, gradient, padded, cotangents } = self;
        let Direct { input, output, flat, channel, offsets, .. } = direct;
        let (lanes, flat, places, last) = (T::lanes::<S>(), *flat, offsets.len(), output[0] - 1);
        for first in (0..output[0]).step_by(ROWS) {
            for place in (0..places).step_by(COLUMNS) {
                let mut sums = [[T::splat(simd, T::ZERO); COLUMNS]; ROWS];
                let images = padded.chunks_exact(input[0] * channel);
                for (padded, cotangent) in images.zip(cotangents.chunks_exact(output[0] * flat)) {
                    // Beyond the last row or place it is that one again, which is not added.
                    let rows: [&[T]; ROWS] =
                        std::array::from_fn(|row| &cotangent[(first + row).min(last) * flat..][..flat]);
                    let seen: [&[T]; COLUMNS] =
                        std::array::from_fn(|column| &padded[offsets[(place + column).min(places - 1)]..][..flat]);
                    for at in (0..flat).step_by(lanes) {
                        let seen: [_; COLUMNS] = std::array::from_fn(|column| T::load::<S>(&seen[column][at..]));
                        for row in 0..ROWS {
                            let cotangent = T::load::<S>(&rows[row][at..]);
                            for column in 0..COLUMNS {
                                sums[row][column] = T::fused(simd, cotangent, seen[column], sums[row][column]);
                            }
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

/// Numbers in a vector of the instruction set of [`Arch`].
struct Lanes<T>(PhantomData<T>);

impl<T: Real> WithSimd for Lanes<T> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        T::lanes::<S>()
    }
}

/// Whether patch matrices are slower here, by the bytes of a vector: as of AVX2 with fused products, or NEON.
fn is_faster(bytes: usize) -> bool {
    bytes >= 32 || cfg!(target_arch = "aarch64")
}
