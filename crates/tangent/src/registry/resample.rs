//! Values between the pixels of an image.

use std::f64::consts::PI;

use burn_ir::{GridSampleOptionsIr, GridSamplePaddingModeIr, InterpolateModeIr, InterpolateOptionsIr};

use crate::array::Array;
use crate::function::Elementwise;
use crate::lowering::Lowering;

/// An axis resampled to another length: rows picked where the mode is "nearest", else a product with a matrix of
/// weights, the same for every line.
pub fn along(b: &mut Lowering, x: usize, axis: usize, length: usize, options: &InterpolateOptionsIr) -> usize {
    let (rank, from, dtype) = (b.rank(x), b.shape(x)[axis], b.dtype(x));
    let Some(filter) = Filter::of(&options.mode) else {
        let ratio = from as f64 / length as f64;
        let nearest = (0..length).map(|to| ((to as f64 * ratio) as i64).min(from as i64 - 1)).collect();
        let nearest = b.positions(nearest, b.index_dtype());
        return b.select(x, axis, nearest);
    };
    let weights = (0..length).map(|to| filter.weights(coordinate(to, from, length, options.align_corners), from));
    // [length, from], turned for a product from the right.
    let rows: Vec<Vec<f64>> = weights.collect();
    let columns = (0..from).flat_map(|column| rows.iter().map(move |row| row[column])).collect();
    let shape = [vec![1; rank - 2], vec![from, length]].concat();
    let weights = b.numbers(columns, &shape, dtype);
    let last = b.swap(x, axis, rank - 1);
    let resampled = b.matmul(last, weights);
    b.swap(resampled, axis, rank - 1)
}

/// Where the pixel `to` of `length` lies among `from`, counted in pixels.
fn coordinate(to: usize, from: usize, length: usize, align_corners: bool) -> f64 {
    if align_corners {
        to as f64 * ((from - 1) as f64 / (length - 1).max(1) as f64)
    } else {
        (to as f64 + 0.5) * (from as f64 / length as f64) - 0.5
    }
}

/// The weight of a pixel by its distance, up to `reach` pixels away on either side.
struct Filter {
    reach: i64,
    weight: fn(f64) -> f64,
    /// Whether there is nothing beyond the edge, and the rest is weighted to one; else the edge goes on.
    ends: bool,
}

impl Filter {
    /// None where the nearest pixel is taken.
    fn of(mode: &InterpolateModeIr) -> Option<Self> {
        match mode {
            InterpolateModeIr::Nearest | InterpolateModeIr::NearestExact => None,
            InterpolateModeIr::Bilinear => Some(Self { reach: 1, weight: |t| 1.0 - t, ends: false }),
            InterpolateModeIr::Bicubic => Some(Self { reach: 2, weight: cubic, ends: false }),
            InterpolateModeIr::Lanczos3 => Some(Self { reach: 3, weight: lanczos, ends: true }),
        }
    }

    /// The weights of all pixels of an axis for the value at a coordinate.
    fn weights(&self, coordinate: f64, from: usize) -> Vec<f64> {
        let (mut weights, last) = (vec![0.0; from], from as i64 - 1);
        let base = coordinate.floor();
        for offset in 1 - self.reach..=self.reach {
            let pixel = base as i64 + offset;
            let inside = pixel.clamp(0, last);
            if inside == pixel || !self.ends {
                weights[inside as usize] += (self.weight)((coordinate - base - offset as f64).abs());
            }
        }
        if self.ends {
            let sum: f64 = weights.iter().sum();
            weights.iter_mut().for_each(|weight| *weight /= sum);
        }
        weights
    }
}

/// Cubic convolution with a = −3/4, as Burn has it.
fn cubic(t: f64) -> f64 {
    let a = -0.75;
    if t < 1.0 { ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0 } else { ((a * t - 5.0 * a) * t + 8.0 * a) * t - 4.0 * a }
}

/// `sinc t sinc (t/3)`, with sinc t = sin πt/πt.
fn lanczos(t: f64) -> f64 {
    let sinc = |t: f64| if t == 0.0 { 1.0 } else { (PI * t).sin() / (PI * t) };
    sinc(t) * sinc(t / 3.0)
}

/// An image `[n, channels, height, width]` at a grid of points `[n, rows, columns, 2]`, x before y, from −1 to 1.
pub fn at_grid(b: &mut Lowering, image: usize, grid: usize, options: &GridSampleOptionsIr) -> usize {
    let (shape, grid_shape) = (b.shape(image), b.shape(grid));
    let [n, rows, columns] = [grid_shape[0], grid_shape[1], grid_shape[2]];
    let [y, x] = [(1, shape[2]), (0, shape[3])].map(|(at, length)| {
        let part = b.narrow(grid, 3, at, at + 1, 1);
        let part = b.reshape(part, &[n, rows * columns]);
        let size = length as f64;
        let (scale, shift) = if options.align_corners { ((size - 1.0) / 2.0, 0.0) } else { (size / 2.0, -0.5) };
        let from_left = b.map(Elementwise::Shift(1.0), part);
        let scaled = b.scale(from_left, scale);
        let pixels = b.map(Elementwise::Shift(shift), scaled);
        match options.padding_mode {
            GridSamplePaddingModeIr::Zeros => pixels,
            GridSamplePaddingModeIr::Border => b.map(Elementwise::Clamp(0.0, size - 1.0), pixels),
            GridSamplePaddingModeIr::Reflection if options.align_corners => reflected(b, pixels, 0.0, size - 1.0),
            GridSamplePaddingModeIr::Reflection => reflected(b, pixels, -0.5, size - 0.5),
        }
    });
    let zeros = matches!(options.padding_mode, GridSamplePaddingModeIr::Zeros);
    let values = match options.mode {
        InterpolateModeIr::Nearest => {
            let [y, x] = [y, x].map(|coordinate| b.map(Elementwise::Round, coordinate));
            pixels(b, image, [y, x], zeros)
        }
        _ => at_points(b, image, [y, x], zeros),
    };
    b.reshape(values, &[n, shape[1], rows, columns])
}

/// Coordinates thrown back at both ends of a range, as often as needed.
fn reflected(b: &mut Lowering, x: usize, low: f64, high: f64) -> usize {
    let span = high - low;
    if span <= 0.0 {
        let nothing = b.scale(x, 0.0);
        return b.map(Elementwise::Shift(low), nothing);
    }
    let from_low = b.map(Elementwise::Shift(-low), x);
    let distance = b.map(Elementwise::Abs, from_low);
    let periods = b.scale(distance, 0.5 / span);
    let whole = b.map(Elementwise::Floor, periods);
    let whole = b.scale(whole, 2.0 * span);
    let phase = b.sub(distance, whole);
    let from_high = b.map(Elementwise::Shift(-span), phase);
    let from_high = b.map(Elementwise::Abs, from_high);
    let turned = b.scale(from_high, -1.0);
    b.map(Elementwise::Shift(high), turned)
}

/// Bilinear values `[n, channels, points]` of an image at points `[n, points]`, y and x in pixels. Which four pixels
/// have weights is held fixed; the weights are linear in each coordinate.
pub fn at_points(b: &mut Lowering, image: usize, [y, x]: [usize; 2], zeros: bool) -> usize {
    let corners = |b: &mut Lowering, coordinate: usize| {
        let floor = b.map(Elementwise::Floor, coordinate);
        let above = b.sub(coordinate, floor);
        let minus = b.scale(above, -1.0);
        let below = b.map(Elementwise::Shift(1.0), minus);
        let next = b.map(Elementwise::Shift(1.0), floor);
        [(floor, below), (next, above)]
    };
    let (rows, columns) = (corners(b, y), corners(b, x));
    let mut sum = None;
    for (y, by_row) in rows {
        for (x, by_column) in columns {
            let values = pixels(b, image, [y, x], zeros);
            let weight = b.mul(by_row, by_column);
            let [n, points] = [b.shape(weight)[0], b.shape(weight)[1]];
            let weight = b.reshape(weight, &[n, 1, points]);
            let weighted = b.mul(values, weight);
            sum = Some(sum.map_or(weighted, |sum| b.add(sum, weighted)));
        }
    }
    let Some(sum) = sum else { unreachable!("there are four corners") };
    sum
}

/// The pixels `[n, channels, points]` at whole coordinates `[n, points]`; beyond the edge zeros, or the nearest.
fn pixels(b: &mut Lowering, image: usize, [y, x]: [usize; 2], zeros: bool) -> usize {
    let (shape, points) = (b.shape(image), b.shape(y));
    let [n, channels, height, width] = [shape[0], shape[1], shape[2], shape[3]];
    let target = [n, channels, points[1]];
    let inside = |x: Array, length: usize| x.clamp(0.0, length as f64 - 1.0);
    let dtype = b.index_dtype();
    let at = b.discrete("pixel", vec![y, x], &points, dtype, move |mut operands, _| {
        let x = inside(operands.remove(1), width).float_into_int(dtype);
        let y = inside(operands.remove(0), height).float_into_int(dtype);
        y.int_mul_scalar((width as i64).into()).int_add(x)
    });
    let at = b.reshape(at, &[n, 1, points[1]]);
    let at = b.expand(at, &target);
    let flat = b.reshape(image, &[n, channels, height * width]);
    let values = b.gather(flat, 2, at);
    if !zeros {
        return values;
    }
    let mask = b.mask_dtype();
    let outside = b.discrete("outside", vec![y, x], &points, mask, move |mut operands, _| {
        let off = |x: Array, length: usize| x.clone().not_equal(inside(x, length), mask.into());
        let x = off(operands.remove(1), width);
        off(operands.remove(0), height).or(x)
    });
    let outside = b.reshape(outside, &[n, 1, points[1]]);
    let nothing = b.constant(0.0, &[1, 1, 1], b.dtype(image));
    b.choose(outside, values, nothing, &target)
}
