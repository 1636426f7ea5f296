//! Means and maxima of windows, and planes of another size.

use burn_backend::IntDType;
use burn_backend::ops::{InterpolateMode, InterpolateOptions, ModuleOps};
use burn_dispatch::{Dispatch, DispatchTensor};

use super::{Call, Operation, Results, Value, one, unread};
use crate::array::{Array, Problem};

pub const OPERATIONS: &[Operation] = &[
    Operation::new("max_pool2d", MAXIMA, "maxima of windows", |call| maxima::<2>(call, false)),
    Operation::new("max_pool1d", MAXIMA, "maxima of windows", |call| maxima::<1>(call, false)),
    Operation::new("max_pool2d_with_indices", MAXIMA, "maxima of windows, and where", |call| maxima::<2>(call, true)),
    Operation::new("avg_pool2d", MEANS, "means of windows", means::<2>),
    Operation::new("avg_pool1d", MEANS, "means of windows", means::<1>),
    Operation::new(
        "adaptive_avg_pool2d",
        &["self", "output_size"],
        "means of l windows, from ⌊i L/l⌋ to ⌈(i + 1) L/l⌉",
        adaptive::<2>,
    ),
    Operation::new(
        "_adaptive_avg_pool2d",
        &["self", "output_size"],
        "means of l windows, from ⌊i L/l⌋ to ⌈(i + 1) L/l⌉",
        adaptive::<2>,
    ),
    Operation::new(
        "adaptive_avg_pool1d",
        &["self", "output_size"],
        "means of l windows, from ⌊i L/l⌋ to ⌈(i + 1) L/l⌉",
        adaptive::<1>,
    ),
    Operation::new("adaptive_max_pool2d", &["self", "output_size"], "maxima of such windows", |call| {
        let (x, lost) = planes::<2>(call.float("self")?)?;
        let size: [usize; 2] = call.lengths("output_size", [1; 2])?;
        let shape = x.shape();
        if size.contains(&0) || (0..2).any(|axis| shape[axis + 2] % size[axis] != 0) {
            return Err(format!("{size:?} windows do not divide {shape:?} evenly"));
        }
        let window = [shape[2] / size[0], shape[3] / size[1]];
        let found = Dispatch::max_pool2d(x.tensor(), window, window, [0; 2], [1; 2], false);
        one(lost.back(found.into())?).map(|results| unread(results, 1))
    }),
    Operation::new("upsample_nearest2d", SIZES, "pixels repeated", |call| plane(call, InterpolateMode::Nearest)),
    Operation::new("upsample_bilinear2d", SIZES, "a plane of another size, bilinear", |call| {
        plane(call, InterpolateMode::Bilinear)
    }),
    Operation::new("upsample_bicubic2d", SIZES, "a plane of another size, bicubic", |call| {
        plane(call, InterpolateMode::Bicubic)
    }),
];

const MAXIMA: &[&str] = &["self", "kernel_size", "stride", "padding", "dilation", "ceil_mode"];
const MEANS: &[&str] =
    &["self", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"];
const SIZES: &[&str] = &["input", "self", "output_size", "scale_factors", "scales_h", "scales_w", "align_corners"];

/// Whether samples were left out of an array, which Burn's windows need.
struct Lost(bool);

impl Lost {
    fn back(&self, x: Array) -> Result<Array, Problem> {
        let shape = x.shape();
        if self.0 { x.reshape(&shape[1..]) } else { Ok(x) }
    }
}

/// Samples and channels of planes in `N` dimensions.
fn planes<const N: usize>(x: Array) -> Result<(Array, Lost), Problem> {
    let shape = x.shape();
    if shape.len() == N + 1 {
        return Ok((x.lift(N + 2)?, Lost(true)));
    }
    if shape.len() != N + 2 || shape.contains(&0) {
        return Err(format!("{shape:?} is not made of samples, channels and {N} more axes"));
    }
    Ok((x, Lost(false)))
}

/// Window, stride and margin, which fit the axes.
fn window<const N: usize>(call: &Call, x: &Array) -> Result<[[usize; N]; 4], Problem> {
    let kernel: [usize; N] = call.lengths("kernel_size", [0; N])?;
    let stride = call.lengths("stride", kernel)?;
    let (padding, dilation) = (call.lengths("padding", [0; N])?, call.lengths("dilation", [1; N])?);
    for axis in 0..N {
        let length = x.shape()[axis + 2];
        let reach = kernel[axis].saturating_sub(1).saturating_mul(dilation[axis]).saturating_add(1);
        let wrong = kernel[axis] == 0 || stride[axis] == 0 || dilation[axis] == 0 || 2 * padding[axis] > kernel[axis];
        if wrong || length.saturating_add(2 * padding[axis]) < reach {
            let (kernel, margin) = (kernel[axis], padding[axis]);
            return Err(format!("a window of {kernel} with a margin of {margin} on an axis of {length}"));
        }
    }
    Ok([kernel, stride, padding, dilation])
}

fn two<const N: usize>(numbers: [usize; N]) -> [usize; 2] {
    std::array::from_fn(|axis| numbers[axis.min(N - 1)])
}

fn maxima<const N: usize>(call: &Call, places: bool) -> Results {
    let (x, lost) = planes::<N>(call.float("self")?)?;
    let [kernel, stride, padding, dilation] = window::<N>(call, &x)?;
    let ceil = call.flag("ceil_mode", false)?;
    let x = x.tensor();
    if places {
        let found = Dispatch::max_pool2d_with_indices(
            x,
            two(kernel),
            two(stride),
            two(padding),
            two(dilation),
            ceil,
            IntDType::I64,
        );
        let of = |tensor: DispatchTensor| lost.back(tensor.into()).map(Value::Array);
        return Ok(vec![of(found.output)?, of(found.indices)?]);
    }
    let found = match N {
        1 => Dispatch::max_pool1d(x, kernel[0], stride[0], padding[0], dilation[0], ceil),
        _ => Dispatch::max_pool2d(x, two(kernel), two(stride), two(padding), two(dilation), ceil),
    };
    one(lost.back(found.into())?)
}

fn means<const N: usize>(call: &Call) -> Results {
    let (x, lost) = planes::<N>(call.float("self")?)?;
    let [kernel, stride, padding, _] = window::<N>(call, &x)?;
    if call.argument("divisor_override").is_some() {
        return Err("a divisor of its own is not known here".to_owned());
    }
    let (ceil, include) = (call.flag("ceil_mode", false)?, call.flag("count_include_pad", true)?);
    let x = x.tensor();
    let found = match N {
        1 => Dispatch::avg_pool1d(x, kernel[0], stride[0], padding[0], include, ceil),
        _ => Dispatch::avg_pool2d(x, two(kernel), two(stride), two(padding), include, ceil),
    };
    one(lost.back(found.into())?)
}

fn adaptive<const N: usize>(call: &Call) -> Results {
    let (x, lost) = planes::<N>(call.float("self")?)?;
    let size: [usize; N] = call.lengths("output_size", [1; N])?;
    if size.contains(&0) {
        return Err(format!("an output of {size:?}"));
    }
    let x = x.tensor();
    let found = match N {
        1 => Dispatch::adaptive_avg_pool1d(x, size[0]),
        _ => Dispatch::adaptive_avg_pool2d(x, two(size)),
    };
    one(lost.back(found.into())?)
}

/// A plane of another size. Sizes that are no whole multiples depend on the factor itself, which Burn does not take.
fn plane(call: &Call, mode: InterpolateMode) -> Results {
    let x = match call.optional_float("input")? {
        Some(x) => x,
        None => call.float("self")?,
    };
    let (x, lost) = planes::<2>(x)?;
    let shape = x.shape();
    let factors: Option<Vec<f64>> = match call.argument("scale_factors") {
        Some(crate::argument::Argument::Floats(factors)) => Some(factors.clone()),
        Some(_) => return Err("its factors are no numbers".to_owned()),
        None => call.optional_number("scales_h")?.zip(call.optional_number("scales_w")?).map(|(h, w)| vec![h, w]),
    };
    let by_factors = factors
        .as_ref()
        .filter(|factors| factors.len() == 2)
        .map(|factors| [0, 1].map(|axis| (shape[axis + 2] as f64 * factors[axis]).floor() as usize));
    let size: [usize; 2] = match (call.ints("output_size")?, by_factors) {
        (Some(_), _) => call.lengths("output_size", [0; 2])?,
        (None, Some(size)) => size,
        _ => return Err("neither its size nor its factors are given".to_owned()),
    };
    // PyTorch goes by the factor where it is given, and not by that of the sizes.
    if factors.is_some_and(|factors| (0..2).any(|axis| shape[axis + 2] as f64 * factors[axis] != size[axis] as f64)) {
        return Err(format!("{:?} by a factor that is not that of {size:?}", &shape[2..]));
    }
    let even = (0..2).all(|axis| size[axis] > 0 && size[axis].is_multiple_of(shape[axis + 2]));
    if !even {
        return Err(format!("{:?} to {size:?}: only whole multiples are known here", &shape[2..]));
    }
    let options = InterpolateOptions::new(mode).with_align_corners(call.flag("align_corners", false)?);
    one(lost.back(Dispatch::interpolate(x.tensor(), size, options).into())?)
}
