//! Convolutions and their transposes, in one to three dimensions.

use burn_backend::ops::{ConvOptions, ConvTransposeOptions, ModuleOps};
use burn_dispatch::Dispatch;

use super::{Call, Operation, Results, one};
use crate::array::{Array, Problem};

pub const OPERATIONS: &[Operation] = &[
    Operation::new("conv1d", READS, "one-dimensional convolution", |call| convolution(call, 1, false)),
    Operation::new("conv2d", READS, "two-dimensional convolution", |call| convolution(call, 2, false)),
    Operation::new("conv3d", READS, "three-dimensional convolution", |call| convolution(call, 3, false)),
    Operation::new("conv_transpose1d", READS, "the adjoint of a one-dimensional convolution", |call| {
        convolution(call, 1, true)
    }),
    Operation::new("conv_transpose2d", READS, "the adjoint of a two-dimensional convolution", |call| {
        convolution(call, 2, true)
    }),
    Operation::new("conv_transpose3d", READS, "the adjoint of a three-dimensional convolution", |call| {
        convolution(call, 3, true)
    }),
    Operation::new("convolution", READS, "a convolution or its adjoint", |call| {
        let axes = call.array("weight")?.rank().checked_sub(2).ok_or("weights without windows")?;
        convolution(call, axes, call.flag("transposed", false)?)
    }),
];

const READS: &[&str] =
    &["input", "weight", "bias", "stride", "padding", "dilation", "groups", "output_padding", "transposed"];

fn convolution(call: &Call, axes: usize, transposed: bool) -> Results {
    match axes {
        1 => of::<1>(call, transposed),
        2 => of::<2>(call, transposed),
        3 => of::<3>(call, transposed),
        axes => Err(format!("a convolution in {axes} dimensions")),
    }
}

fn of<const N: usize>(call: &Call, transposed: bool) -> Results {
    let (x, weight, bias) = (call.float("input")?, call.float("weight")?, call.optional_float("bias")?);
    // Samples may be left out.
    let alone = x.rank() == N + 1;
    let x = if alone { x.lift(N + 2)? } else { x };
    let (stride, dilation) = (call.lengths("stride", [1; N])?, call.lengths("dilation", [1; N])?);
    let groups = call.length("groups", 1)?;
    let (shape, window) = (x.shape(), weight.shape());
    let (channels, taken) = if transposed { (0, 0) } else { (1, 0) };
    let wrong = || format!("{shape:?} by the weights {window:?} in {groups} groups");
    if shape.len() != N + 2 || window.len() != N + 2 || groups == 0 || stride.contains(&0) || dilation.contains(&0) {
        return Err(wrong());
    }
    let fits = if transposed {
        window[channels] == shape[1] && shape[1] % groups == 0
    } else {
        window[channels] * groups == shape[1] && window[taken] % groups == 0
    };
    if !fits || window[2..].contains(&0) || bias.as_ref().is_some_and(|bias| bias.rank() != 1) {
        return Err(wrong());
    }
    let outputs = if transposed { window[1] * groups } else { window[0] };
    if bias.as_ref().is_some_and(|bias| bias.elements() != outputs) {
        return Err(wrong());
    }
    let reach: Vec<usize> = (0..N).map(|axis| dilation[axis].saturating_mul(window[axis + 2] - 1) + 1).collect();
    let (x, weight, bias) = (x.tensor(), weight.tensor(), bias.map(Array::tensor));
    let found = if transposed {
        let (padding, padding_out) = (call.lengths("padding", [0; N])?, call.lengths("output_padding", [0; N])?);
        for axis in 0..N {
            let whole = (shape[axis + 2] - 1).saturating_mul(stride[axis]) + reach[axis] + padding_out[axis];
            if whole <= 2 * padding[axis] {
                return Err(format!("a margin of {} leaves nothing", padding[axis]));
            }
        }
        let options = ConvTransposeOptions::new(stride, padding, padding_out, dilation, groups);
        match N {
            1 => Dispatch::conv_transpose1d(x, weight, bias, adjoint(&options)?),
            2 => Dispatch::conv_transpose2d(x, weight, bias, adjoint(&options)?),
            _ => Dispatch::conv_transpose3d(x, weight, bias, adjoint(&options)?),
        }
    } else {
        let padding = match call.word("padding") {
            Some("valid") => [(0, 0); N],
            Some("same") => std::array::from_fn(|axis| {
                let all = reach[axis] - 1;
                (all / 2, all - all / 2)
            }),
            Some(other) => return Err(format!("there is no margin `{other}`")),
            None => call.lengths("padding", [0; N])?.map(|margin| (margin, margin)),
        };
        for axis in 0..N {
            let (before, behind) = padding[axis];
            if shape[axis + 2].saturating_add(before).saturating_add(behind) < reach[axis] {
                return Err(format!("a window of {} on an axis of {}", reach[axis], shape[axis + 2]));
            }
        }
        let options = ConvOptions { stride, padding, dilation, groups };
        match N {
            1 => Dispatch::conv1d(x, weight, bias, plain(&options)?),
            2 => Dispatch::conv2d(x, weight, bias, plain(&options)?),
            _ => Dispatch::conv3d(x, weight, bias, plain(&options)?),
        }
    };
    let found = Array::from(found);
    if alone {
        let shape = found.shape();
        return one(found.reshape(&shape[1..])?);
    }
    one(found)
}

/// The same options, whose number of axes the compiler does not see to be the same.
fn plain<const N: usize, const M: usize>(options: &ConvOptions<N>) -> Result<ConvOptions<M>, Problem> {
    Ok(ConvOptions {
        stride: same(options.stride)?,
        padding: same(options.padding)?,
        dilation: same(options.dilation)?,
        groups: options.groups,
    })
}

fn adjoint<const N: usize, const M: usize>(
    options: &ConvTransposeOptions<N>,
) -> Result<ConvTransposeOptions<M>, Problem> {
    let ConvTransposeOptions { stride, padding, padding_out, dilation, groups } = *options;
    Ok(ConvTransposeOptions::new(same(stride)?, same(padding)?, same(padding_out)?, same(dilation)?, groups))
}

fn same<T: Copy, const N: usize, const M: usize>(values: [T; N]) -> Result<[T; M], Problem> {
    values.as_slice().try_into().map_err(|_| format!("{N} axes are not {M}"))
}
