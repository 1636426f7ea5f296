//! Two-dimensional convolutions and their adjoints, as products of matrices: the patches that the kernel sees lie side
//! by side as columns (Chellapilla, Puri & Simard 2006, §3), or are read where they are ([`Direct`]).
//!
//! Images are worked on one by one, on all threads, small ones together until a product has some hundred columns. A
//! patch matrix is that of one image, so that for small ones it stays in a core's own cache. The gradient of the
//! weights is summed in parts whose number depends on shapes alone, so that threads do not change a bit of it.

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;

use super::direct::Direct;
use super::form::Convolution;
use super::matmul::{MatrixView, matmul, matmul_alone};
use super::parallel::vectorized;
use super::real::Real;
use super::space::Space;
use super::zip::{Repeated, update};

/// Columns from which a product is efficient: images with fewer pixels are taken together.
const COLUMNS: usize = 256;

/// Numbers that all parts of a weight's gradient may have together.
const IN_PARTS: usize = 1 << 21;

/// The most bytes that a thread keeps.
const KEPT: usize = 1 << 26;

impl Convolution {
    /// Images taken together.
    fn together(&self) -> usize {
        (COLUMNS / self.pixels().max(1)).clamp(1, self.samples.max(1))
    }

    /// The weights of a group as a matrix `[channels, patch]`.
    fn weights<'a, T: Real>(&self, weight: &'a [T], group: usize) -> MatrixView<'a, T> {
        let (rows, columns) = (self.channels(), self.patch());
        let data = &weight[group * rows * columns..(group + 1) * rows * columns];
        MatrixView { data, rows, columns, stride: columns, transposed: false }
    }

    /// Visits the lines of a patch matrix, of one place `[channel, i, j]` of the kernel after the other, and for each
    /// of one image after the other.
    ///
    /// Where lines of results are as long as those of images and neighbours come from neighbours, all lines of a
    /// channel that see the image are one.
    #[inline(always)]
    fn lines(&self, samples: usize, group: usize, mut f: impl FnMut(Lines)) {
        let ([all, height, width], [_, rows, columns]) = (self.input, self.output);
        let [down, right] = self.stride;
        let whole = down == 1 && right == 1 && columns == width;
        let channels = all / self.groups;
        let mut start = 0;
        for channel in group * channels..(group + 1) * channels {
            for place in 0..self.kernel[0] * self.kernel[1] {
                let above = place / self.kernel[1] * self.dilation[0];
                let left = place % self.kernel[1] * self.dilation[1];
                // Results whose patch has this pixel inside the image.
                let inside = |axis: usize, offset: usize, size: usize, results: usize| {
                    let first = self.before[axis].saturating_sub(offset).div_ceil(self.stride[axis]).min(results);
                    let end = (size + self.before[axis]).saturating_sub(offset).div_ceil(self.stride[axis]);
                    first..end.clamp(first, results)
                };
                let (lines, line) = (inside(0, above, height, rows), inside(1, left, width, columns));
                for sample in 0..samples {
                    let image = (sample * all + channel) * height * width;
                    let pixel = |row: usize, column: usize| {
                        image + (row * down + above - self.before[0]) * width + column * right + left - self.before[1]
                    };
                    let results = start..start + rows * columns;
                    start = results.end;
                    if lines.is_empty() || line.is_empty() {
                        f(Lines { results: results.clone(), seen: results.start..results.start, pixel: 0, line: 0..0 });
                    } else if whole {
                        let seen = results.start + lines.start * columns..results.start + lines.end * columns;
                        // Its first and last entries may be beyond the image; they are not those of `line`.
                        let seen = seen.start + line.start..seen.end - (columns - line.end);
                        f(Lines { results, seen, pixel: pixel(lines.start, line.start), line: line.clone() });
                    } else {
                        for row in 0..rows {
                            let results = results.start + row * columns..results.start + (row + 1) * columns;
                            let seen = if lines.contains(&row) { line.clone() } else { 0..0 };
                            let pixel = if lines.contains(&row) { pixel(row, line.start) } else { 0 };
                            let seen = results.start + seen.start..results.start + seen.end;
                            f(Lines { results, seen, pixel, line: 0..columns });
                        }
                    }
                }
            }
        }
    }

    /// The patches of a group of some images, `[patch, samples · pixels]`.
    fn patches<T: Real>(&self, out: &mut Vec<T>, images: &[T], samples: usize, group: usize) {
        out.resize(self.patch() * samples * self.pixels(), T::ZERO);
        let (step, columns) = (self.stride[1], self.output[2]);
        vectorized(
            #[inline(always)]
            || {
                self.lines(
                    samples,
                    group,
                    #[inline(always)]
                    |Lines { results, seen, pixel, line }| {
                        out[results.start..seen.start].fill(T::ZERO);
                        out[seen.end..results.end].fill(T::ZERO);
                        let part = &mut out[seen.clone()];
                        if step == 1 {
                            part.copy_from_slice(&images[pixel..pixel + part.len()]);
                        } else {
                            for (out, &x) in part.iter_mut().zip(images[pixel..].iter().step_by(step)) {
                                *out = x;
                            }
                        }
                        clear_between(&mut out[seen], &line, columns);
                    },
                );
            },
        );
    }

    /// Adds the entries of a patch matrix to the pixels that they were taken of. Those of no pixel are lost.
    fn add_patches<T: Real>(&self, images: &mut [T], patches: &mut [T], samples: usize, group: usize) {
        let (step, columns) = (self.stride[1], self.output[2]);
        vectorized(
            #[inline(always)]
            || {
                self.lines(
                    samples,
                    group,
                    #[inline(always)]
                    |Lines { seen, pixel, line, .. }| {
                        let part = &mut patches[seen];
                        clear_between(part, &line, columns);
                        if step == 1 {
                            for (out, &x) in images[pixel..pixel + part.len()].iter_mut().zip(&*part) {
                                *out += x;
                            }
                        } else {
                            for (out, &x) in images[pixel..].iter_mut().step_by(step).zip(&*part) {
                                *out += x;
                            }
                        }
                    },
                );
            },
        );
    }

    /// The results of a group of some images as a matrix `[channels, samples · pixels]`.
    fn gathered<'a, T: Real>(
        &self,
        space: &'a mut Vec<T>,
        results: &'a [T],
        samples: usize,
        group: usize,
    ) -> MatrixView<'a, T> {
        let (rows, columns) = (self.channels(), samples * self.pixels());
        let data = if samples == 1 {
            &results[group * rows * columns..(group + 1) * rows * columns]
        } else {
            space.clear();
            for channel in group * rows..(group + 1) * rows {
                for result in results.chunks(self.result()) {
                    space.extend_from_slice(&result[channel * self.pixels()..(channel + 1) * self.pixels()]);
                }
            }
            space
        };
        MatrixView { data, rows, columns, stride: columns, transposed: false }
    }

    fn patch_matrix<'a, T>(&self, data: &'a [T], samples: usize) -> MatrixView<'a, T> {
        let columns = samples * self.pixels();
        MatrixView { data, rows: self.patch(), columns, stride: columns, transposed: false }
    }
}

/// Neighbouring entries of a patch matrix that belong to neighbouring pixels.
struct Lines {
    /// The entries.
    results: Range<usize>,
    /// Those of them that see the image; the others see zeros.
    seen: Range<usize>,
    /// The pixel that the first of them sees.
    pixel: usize,
    /// Which entries of each line see it, where there are several.
    line: Range<usize>,
}

/// Zeros where neighbours in a patch matrix belong to no pixel: between the parts of its lines that see the image, of
/// which the first starts at the first entry.
#[inline(always)]
fn clear_between<T: Real>(seen: &mut [T], line: &Range<usize>, columns: usize) {
    if line.len() < columns {
        for gap in seen.chunks_mut(columns) {
            let end = gap.len();
            gap[line.len().min(end)..].fill(T::ZERO);
        }
    }
}

/// A space in use; a convolution inside another on one thread has one of its own.
struct Borrowed<T: Real>(Space<T>);

impl<T: Real> Borrowed<T> {
    fn new() -> Self {
        Self(T::space().with(Cell::take))
    }
}

impl<T: Real> Drop for Borrowed<T> {
    fn drop(&mut self) {
        let kept = std::mem::take(&mut self.0);
        if kept.bytes() <= KEPT {
            T::space().with(|space| space.set(kept));
        }
    }
}

/// A product, divided among threads if it is the only one.
fn product<T: Real>(alone: bool, out: &mut [T], a: MatrixView<T>, b: MatrixView<T>, add: bool) {
    if alone { matmul(out, a, b, add) } else { matmul_alone(out, a, b, add) }
}

/// `out = input ∗ weight`, `[n, out, height, width]`, or `out` and it.
pub fn convolve<T: Real>(out: &mut [T], input: &[T], weight: &[T], form: &Convolution, add: bool) {
    let (together, image, result) = (form.together(), form.image(), form.result());
    if image == 0 && !add {
        out.fill(T::ZERO);
    }
    if image == 0 || result == 0 {
        return;
    }
    // One image is divided among threads.
    if form.samples > 1
        && let Some(direct) = Direct::of::<T>(form)
    {
        let packed = direct.packed(weight);
        out.par_chunks_mut(result).zip(input.par_chunks(image)).for_each_init(Borrowed::new, |space, (out, image)| {
            direct.convolve(&mut space.0, out, image, &packed, add);
        });
        return;
    }
    let only = form.samples <= together;
    out.par_chunks_mut(together * result).zip(input.par_chunks(together * image)).for_each_init(
        Borrowed::new,
        |Borrowed(Space { patches, results }), (out, images)| {
            let samples = out.len() / result;
            for group in 0..form.groups {
                form.patches(patches, images, samples, group);
                let (weights, patches) = (form.weights(weight, group), form.patch_matrix(patches, samples));
                let (rows, columns) = (weights.rows, patches.columns);
                if samples == 1 {
                    product(
                        only,
                        &mut out[group * rows * columns..(group + 1) * rows * columns],
                        weights,
                        patches,
                        add,
                    );
                    continue;
                }
                results.resize(rows * columns, T::ZERO);
                product(only, results, weights, patches, false);
                let pixels = form.pixels();
                for (row, line) in results.chunks(columns).enumerate() {
                    for (sample, line) in line.chunks(pixels).enumerate() {
                        let start = sample * result + (group * rows + row) * pixels;
                        let out = &mut out[start..start + pixels];
                        if add {
                            out.iter_mut().zip(line).for_each(|(out, &x)| *out += x);
                        } else {
                            out.copy_from_slice(line);
                        }
                    }
                }
            }
        },
    );
}

/// The adjoint in the input: `out`, or `out` and it, from the cotangent of the result.
pub fn convolve_input_adjoint<T: Real>(out: &mut [T], weight: &[T], output: &[T], form: &Convolution, add: bool) {
    let (together, image, result) = (form.together(), form.image(), form.result());
    if form.samples > 1
        && image > 0
        && result > 0
        && let Some(direct) = form.turned().and_then(|turned| Direct::of::<T>(&turned))
    {
        let packed = direct.packed(&turned_weights(weight, form));
        out.par_chunks_mut(image).zip(output.par_chunks(result)).for_each_init(
            Borrowed::new,
            |space, (image, output)| {
                direct.convolve(&mut space.0, image, output, &packed, add);
            },
        );
        return;
    }
    if !add {
        out.fill(T::ZERO);
    }
    if image == 0 || result == 0 {
        return;
    }
    let only = form.samples <= together;
    out.par_chunks_mut(together * image).zip(output.par_chunks(together * result)).for_each_init(
        Borrowed::new,
        |Borrowed(Space { patches, results }), (images, output)| {
            let samples = images.len() / image;
            for group in 0..form.groups {
                let weights = form.weights(weight, group).transpose();
                let output = form.gathered(results, output, samples, group);
                patches.resize(weights.rows * output.columns, T::ZERO);
                product(only, patches, weights, output, false);
                form.add_patches(images, patches, samples, group);
            }
        },
    );
}

/// Weights `[in, out, places]` of weights `[out, in, places]`, the last place first.
fn turned_weights<T: Real>(weight: &[T], form: &Convolution) -> Vec<T> {
    let (places, to, from) = (form.kernel[0] * form.kernel[1], form.output[0], form.input[0]);
    let channels = (0..from).flat_map(|from| (0..to).map(move |to| (from, to)));
    channels.flat_map(|(at, to)| weight[(to * from + at) * places..][..places].iter().rev().copied()).collect()
}

/// The adjoint in the weight: `out`, or `out` and it, from the cotangent of the result.
pub fn convolve_weight_adjoint<T: Real>(out: &mut [T], input: &[T], output: &[T], form: &Convolution, add: bool) {
    let (together, image, result) = (form.together(), form.image(), form.result());
    if !add {
        out.fill(T::ZERO);
    }
    if image == 0 || result == 0 || form.samples == 0 || out.is_empty() {
        return;
    }
    let batches = form.samples.div_ceil(together);
    let parts = (IN_PARTS / out.len()).clamp(1, 16).min(batches);
    let each = batches.div_ceil(parts) * together;
    // One part is divided among threads.
    let direct = Direct::of::<T>(form).filter(|_| parts > 1);
    let of_part = |out: &mut [T], input: &[T], output: &[T]| {
        let mut space = Borrowed::new();
        if let Some(direct) = &direct {
            let together = direct.together::<T>();
            for (images, output) in input.chunks(together * image).zip(output.chunks(together * result)) {
                direct.add_gradient(&mut space.0, out, images, output);
            }
            return;
        }
        let Space { patches, results } = &mut space.0;
        for (images, output) in input.chunks(together * image).zip(output.chunks(together * result)) {
            let samples = images.len() / image;
            for (group, out) in out.chunks_mut(form.channels() * form.patch()).enumerate() {
                form.patches(patches, images, samples, group);
                let output = form.gathered(results, output, samples, group);
                product(parts == 1, out, output, form.patch_matrix(patches, samples).transpose(), true);
            }
        }
    };
    if parts == 1 {
        of_part(out, input, output);
        return;
    }
    let sums: Vec<Vec<T>> = input
        .par_chunks(each * image)
        .zip(output.par_chunks(each * result))
        .map(|(input, output)| {
            let mut sum = vec![T::ZERO; out.len()];
            of_part(&mut sum, input, output);
            sum
        })
        .collect();
    for sum in &sums {
        update(out, None, Repeated { elements: sum, stretch: 1 }, |a, b| a + b);
    }
}

#[cfg(test)]
mod tests {
    use burn_backend::ops::ConvOptions;

    use super::*;

    /// Numbers without a pattern.
    fn numbers(count: usize, seed: usize) -> Vec<f64> {
        (0..count).map(|at| ((at * at + 3 * at + seed) as f64 * 0.7).sin()).collect()
    }

    /// The form `Σ input · weight · result`, visited number by number: `f(input, weight, result)` with their places.
    fn terms(form: &Convolution, mut f: impl FnMut(usize, usize, usize)) {
        let ([channels, height, width], [out, rows, columns]) = (form.input, form.output);
        let (per_group, to) = (channels / form.groups, out / form.groups);
        for (sample, o, c) in
            (0..form.samples * out * per_group).map(|at| (at / (out * per_group), at / per_group % out, at % per_group))
        {
            for (y, x) in (0..rows * columns).map(|at| (at / columns, at % columns)) {
                for (i, j) in (0..form.kernel[0] * form.kernel[1]).map(|at| (at / form.kernel[1], at % form.kernel[1]))
                {
                    let row = (y * form.stride[0] + i * form.dilation[0]).wrapping_sub(form.before[0]);
                    let column = (x * form.stride[1] + j * form.dilation[1]).wrapping_sub(form.before[1]);
                    if row < height && column < width {
                        let channel = o / to * per_group + c;
                        f(
                            ((sample * channels + channel) * height + row) * width + column,
                            ((o * per_group + c) * form.kernel[0] + i) * form.kernel[1] + j,
                            ((sample * out + o) * rows + y) * columns + x,
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn convolutions_are_their_sums() {
        let plain = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
        // Input, channels out and kernel, options.
        let cases = [
            ([3, 2, 5, 4], [3, 3, 3], ConvOptions { padding: [(1, 1), (1, 1)], ..plain.clone() }),
            // Many small images together, the last of them fewer; one large image alone.
            ([70, 1, 3, 3], [2, 2, 2], plain.clone()),
            ([1, 1, 20, 21], [2, 3, 2], plain.clone()),
            ([5, 4, 7, 6], [6, 3, 2], ConvOptions { groups: 2, stride: [2, 3], ..plain.clone() }),
            ([2, 3, 9, 8], [1, 2, 3], ConvOptions { dilation: [3, 2], padding: [(0, 2), (3, 0)], ..plain.clone() }),
            ([40, 2, 4, 4], [2, 1, 1], ConvOptions { groups: 2, ..plain.clone() }),
            // A kernel that at its sides sees zeros alone.
            ([2, 1, 2, 2], [1, 5, 5], ConvOptions { padding: [(2, 2), (4, 4)], ..plain.clone() }),
            ([2, 1, 1, 1], [2, 3, 3], ConvOptions { padding: [(3, 3), (3, 3)], stride: [2, 2], ..plain.clone() }),
            // Read where they are: blocks that are not whole, other zeros on each side, places apart from each other.
            ([3, 5, 24, 23], [6, 3, 3], ConvOptions { padding: [(1, 1), (1, 1)], ..plain.clone() }),
            ([2, 4, 25, 30], [5, 2, 3], ConvOptions { padding: [(0, 1), (2, 0)], ..plain.clone() }),
            ([2, 4, 22, 31], [4, 3, 2], ConvOptions { dilation: [2, 3], padding: [(2, 1), (0, 3)], ..plain.clone() }),
            ([3, 7, 16, 16], [9, 1, 1], plain.clone()),
            // Several images a part, the last of them fewer.
            ([45, 3, 16, 16], [5, 3, 3], ConvOptions { padding: [(1, 1), (1, 1)], ..plain }),
        ];
        for (input, [out, rows, columns], options) in cases {
            let weight = [out, input[1] / options.groups, rows, columns];
            let form = Convolution::new(&input, &weight, &options).expect("the kernel fits");
            let sizes = [input, weight, form.output_shape()].map(|shape| shape.iter().product::<usize>());
            let [x, w, y] = [0, 1, 2].map(|at| numbers(sizes[at], at));
            let mut expected = sizes.map(|size| vec![0.0; size]);
            terms(&form, |at, weight, result| {
                expected[0][at] += w[weight] * y[result];
                expected[1][weight] += x[at] * y[result];
                expected[2][result] += x[at] * w[weight];
            });
            for add in [false, true] {
                let mut found = sizes.map(|size| vec![if add { 1.0 } else { f64::NAN }; size]);
                convolve_input_adjoint(&mut found[0], &w, &y, &form, add);
                convolve_weight_adjoint(&mut found[1], &x, &y, &form, add);
                convolve(&mut found[2], &x, &w, &form, add);
                for (face, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    let sums =
                        found.iter().zip(expected).map(|(found, sum)| (found - sum - f64::from(u8::from(add))).abs());
                    let worst = sums.fold(0.0, |worst: f64, error| if error <= worst { worst } else { error });
                    assert!(worst < 1e-12, "{input:?}, {options:?}, argument {face}: off by {worst:e}");
                }
            }
        }
        let none = |input: [usize; 4], weight: [usize; 4], groups| {
            let options = ConvOptions { groups, ..ConvOptions::new([1, 1], [0, 0], [1, 1], 1) };
            Convolution::new(&input, &weight, &options).is_none()
        };
        assert!(none([1, 1, 2, 2], [1, 1, 3, 3], 1), "a kernel larger than the image");
        assert!(none([1, 4, 2, 2], [3, 2, 1, 1], 2), "three channels out of two groups");
        assert!(none([1, 4, 2, 2], [4, 4, 1, 1], 0) && none([1, 4, 2, 2], [4, 3, 1, 1], 1), "other channels");
        let empty = Convolution::new(&[0, 1, 2, 2], &[1, 1, 1, 1], &ConvOptions::new([1, 1], [0, 0], [1, 1], 1));
        let mut gradient = [f64::NAN];
        convolve_weight_adjoint(&mut gradient, &[], &[], &empty.expect("no samples are few"), false);
        assert_eq!(gradient, [0.0]);
    }
}
