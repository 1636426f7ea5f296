//! Layers that Burn captures as one operation.

use burn_backend::ops::ConvOptions;
use burn_ir::ModuleOperationIr::{self as Module};
use burn_ir::{AttentionOpIr, Conv3dOpIr, ConvTranspose2dOptionsIr, ConvTranspose3dOpIr, DeformConv2dOpIr};
use burn_ir::{InterpolateModeIr, TensorIr};

use super::windows::Windows;
use super::{entries, resample};
use crate::array::{Array, Window};
use crate::function::Elementwise;
use crate::lowering::Lowering;
use crate::operation::{Bilinear, Discrete, Linear, MaxWindow, Operation};

/// The window of a two-dimensional max-pooling.
macro_rules! window {
    ($op:ident, $dtype:expr) => {
        MaxWindow {
            kernel: $op.kernel_size,
            stride: $op.stride,
            padding: $op.padding,
            dilation: $op.dilation,
            ceil_mode: $op.ceil_mode,
            dtype: $dtype,
        }
    };
}

/// The window of a one-dimensional max-pooling, along the last axis of a plane of height one.
macro_rules! tall_window {
    ($op:ident, $dtype:expr) => {
        MaxWindow {
            kernel: [1, $op.kernel_size],
            stride: [1, $op.stride],
            padding: [0, $op.padding],
            dilation: [1, $op.dilation],
            ceil_mode: $op.ceil_mode,
            dtype: $dtype,
        }
    };
}

entries! {
    b, Module;
    "Module.Embedding" Linear "rows of the weights by index": Module::Embedding(op) =>
        b.two(&op.weights, &op.indices, &op.out, |b, weights, indices| {
            let count = b.shape(indices).iter().product();
            let indices = b.reshape(indices, &[count]);
            let rows = b.select(weights, 0, indices);
            b.reshape(rows, &op.out.shape.to_vec())
        });
    "Module.Conv1d" Bilinear "one-dimensional convolution":
        Module::Conv1d(op) if in_groups(&op.weight, op.options.groups) =>
        b.two(&op.x, &op.weight, &op.out, |b, x, weight| {
        let (x, weight) = (with_height(b, x), with_height(b, weight));
        let o = &op.options;
        let options = ConvOptions {
            stride: [1, o.stride[0]],
            padding: [(0, 0), o.padding[0]],
            dilation: [1, o.dilation[0]],
            groups: o.groups,
        };
        let y = b.bilinear(Bilinear::Convolution(options), x, weight, &tall(&op.out));
        let y = b.reshape(y, &op.out.shape.to_vec());
        with_bias(b, y, op.bias.as_ref())
    });
    "Module.Conv2d" Bilinear "two-dimensional convolution":
        Module::Conv2d(op) if in_groups(&op.weight, op.options.groups) =>
        b.two(&op.x, &op.weight, &op.out, |b, x, weight| {
        let o = &op.options;
        let options = ConvOptions { stride: o.stride, padding: o.padding, dilation: o.dilation, groups: o.groups };
        let y = b.bilinear(Bilinear::Convolution(options), x, weight, &op.out.shape.to_vec());
        with_bias(b, y, op.bias.as_ref())
    });
    "Module.Conv3d" Lowered "three-dimensional convolution": Module::Conv3d(op)
        if in_groups(&op.weight, op.options.groups) =>
    {
        let y = convolution_3d(b, op);
        b.set(&op.out, y);
    };
    "Module.DeformableConv2d" Lowered "two-dimensional convolution of bilinear values at points moved by offsets":
        Module::DeformableConv2d(op)
        if in_groups(&op.weight, op.options.weight_groups)
            && op.x.shape.to_vec()[1].is_multiple_of(op.options.offset_groups) =>
    {
        let y = deformable_convolution(b, op);
        b.set(&op.out, y);
    };
    "Module.ConvTranspose1d" Bilinear "the adjoint of a one-dimensional convolution": Module::ConvTranspose1d(op)
        if has_input(&op.options.stride, &op.options.padding_out) =>
        b.two(&op.x, &op.weight, &op.out, |b, x, weight| {
        let (x, weight) = (with_height(b, x), with_height(b, weight));
        let o = &op.options;
        let options = adjoint_of(&ConvTranspose2dOptionsIr {
            stride: [1, o.stride[0]],
            padding: [0, o.padding[0]],
            padding_out: [0, o.padding_out[0]],
            dilation: [1, o.dilation[0]],
            groups: o.groups,
        });
        let y = b.bilinear(Bilinear::TransposedConvolution(options), x, weight, &tall(&op.out));
        let y = b.reshape(y, &op.out.shape.to_vec());
        with_bias(b, y, op.bias.as_ref())
    });
    "Module.ConvTranspose2d" Bilinear "the adjoint of a two-dimensional convolution": Module::ConvTranspose2d(op)
        if has_input(&op.options.stride, &op.options.padding_out) =>
        b.two(&op.x, &op.weight, &op.out, |b, x, weight| {
        let options = adjoint_of(&op.options);
        let y = b.bilinear(Bilinear::TransposedConvolution(options), x, weight, &op.out.shape.to_vec());
        with_bias(b, y, op.bias.as_ref())
    });
    "Module.ConvTranspose3d" Lowered "the adjoint of a three-dimensional convolution": Module::ConvTranspose3d(op)
        if has_input(&op.options.stride, &op.options.padding_out) =>
    {
        let y = transposed_convolution_3d(b, op);
        b.set(&op.out, y);
    };
    "Module.Unfold4d" Linear "windows of a plane, one after the other": Module::Unfold4d(op) =>
        b.one(&op.x, &op.out, |b, x| {
            let o = &op.options;
            let [rows, columns] = [0, 1].map(|axis| Windows {
                kernel: op.kernel_size[axis],
                stride: o.stride[axis],
                padding: o.padding[axis],
                dilation: o.dilation[axis],
            });
            let shape = b.shape(x);
            let planes = b.reshape(x, &[shape[0] * shape[1], shape[2], shape[3]]);
            let x = rows.split(b, planes, 1, rows.count(shape[2]));
            let x = columns.split(b, x, 3, columns.count(shape[3]));
            let x = b.permute(x, &[0, 1, 3, 2, 4]);
            b.reshape(x, &op.out.shape.to_vec())
        });
    "Module.AvgPool1d" Linear "means of windows": Module::AvgPool1d(op) => b.one(&op.x, &op.out, |b, x| {
        let window = Window {
            kernel: [1, op.kernel_size],
            stride: [1, op.stride],
            padding: [0, op.padding],
            count_include_pad: op.count_include_pad,
            ceil_mode: op.ceil_mode,
        };
        let x = with_height(b, x);
        let y = b.linear(Linear::AveragePool(window), vec![x], &tall(&op.out));
        b.reshape(y, &op.out.shape.to_vec())
    });
    "Module.AvgPool2d" Linear "means of windows": Module::AvgPool2d(op) => b.one(&op.x, &op.out, |b, x| {
        let window = Window {
            kernel: op.kernel_size,
            stride: op.stride,
            padding: op.padding,
            count_include_pad: op.count_include_pad,
            ceil_mode: op.ceil_mode,
        };
        b.linear(Linear::AveragePool(window), vec![x], &op.out.shape.to_vec())
    });
    "Module.AdaptiveAvgPool1d" Linear "means of windows that divide the axis":
        Module::AdaptiveAvgPool1d(op) => b.one(&op.x, &op.out, |b, x| {
        let x = with_height(b, x);
        let y = b.linear(Linear::AdaptiveAveragePool([1, op.output_size]), vec![x], &tall(&op.out));
        b.reshape(y, &op.out.shape.to_vec())
    });
    "Module.AdaptiveAvgPool2d" Linear "means of windows that divide the axes": Module::AdaptiveAvgPool2d(op) =>
        b.one(&op.x, &op.out, |b, x| {
            b.linear(Linear::AdaptiveAveragePool(op.output_size), vec![x], &op.out.shape.to_vec())
        });
    "Module.AdaptiveAvgPool3d" Linear "means of windows that divide the axes": Module::AdaptiveAvgPool3d(op) =>
        b.one(&op.x, &op.out, |b, x| {
            // Of every plane, then of the depth, beside which a plane is one axis that stays.
            let (shape, [depth, height, width]) = (b.shape(x), op.output_size);
            let planes = b.reshape(x, &[shape[0], shape[1] * shape[2], shape[3], shape[4]]);
            let pooled = [shape[0], shape[1] * shape[2], height, width];
            let planes = b.linear(Linear::AdaptiveAveragePool([height, width]), vec![planes], &pooled);
            let lines = b.reshape(planes, &[shape[0], shape[1], shape[2], height * width]);
            let pooled = [shape[0], shape[1], depth, height * width];
            let lines = b.linear(Linear::AdaptiveAveragePool([depth, height * width]), vec![lines], &pooled);
            b.reshape(lines, &op.out.shape.to_vec())
        });
    "Module.Interpolate" Linear "a plane of another size: nearest, bilinear, bicubic, Lanczos": Module::Interpolate(op)
        if !matches!(op.options.mode, InterpolateModeIr::NearestExact) =>
        b.one(&op.x, &op.out, |b, x| {
            let [height, width] = op.output_size;
            let x = resample::along(b, x, 3, width, &op.options);
            resample::along(b, x, 2, height, &op.options)
        });
    "Module.MaxPool1d" Lowered "maxima of windows": Module::MaxPool1d(op) => b.one(&op.x, &op.out, |b, x| {
        let x = with_height(b, x);
        let (y, _) = max_pool(b, x, tall_window!(op, b.index_dtype()), &tall(&op.out));
        b.reshape(y, &op.out.shape.to_vec())
    });
    "Module.MaxPool1dWithIndices" Lowered "maxima of windows, and where": Module::MaxPool1dWithIndices(op) => {
        let x = b.get(&op.x);
        let x = with_height(b, x);
        let (y, at) = max_pool(b, x, tall_window!(op, op.out_indices.dtype), &tall(&op.out));
        let shape = op.out.shape.to_vec();
        let (y, at) = (b.reshape(y, &shape), b.reshape(at, &shape));
        b.set(&op.out, y);
        b.set(&op.out_indices, at);
    };
    "Module.MaxPool2d" Lowered "maxima of windows": Module::MaxPool2d(op) => {
        let x = b.get(&op.x);
        let (y, _) = max_pool(b, x, window!(op, b.index_dtype()), &op.out.shape.to_vec());
        b.set(&op.out, y);
    };
    "Module.MaxPool2dWithIndices" Lowered "maxima of windows, and where": Module::MaxPool2dWithIndices(op) => {
        let x = b.get(&op.x);
        let (y, at) = max_pool(b, x, window!(op, op.out_indices.dtype), &op.out.shape.to_vec());
        b.set(&op.out, y);
        b.set(&op.out_indices, at);
    };
    "Module.LayerNorm" Lowered "γ (x − mean)/√(var + ϵ) + β along the last axis": Module::LayerNorm(op) => {
        let (x, gamma, beta) = (b.get(&op.input), b.get(&op.gamma), op.beta.as_ref().map(|beta| b.get(beta)));
        let (_, centered, variance) = moments(b, x, &[b.rank(x) - 1]);
        let y = normalized(b, centered, variance, op.epsilon.elem(), gamma, beta);
        b.set(&op.out, y);
    };
    "Module.BatchNorm" Lowered
        "γ (x − mean)/√(var + ϵ) + β with the given mean and variance, or the batch's (`Map::batch_statistics`)":
        Module::BatchNorm(op) => {
        let x = b.get(&op.x);
        let mut channels = vec![1; b.rank(x)];
        channels[1] = b.shape(x)[1];
        let running = b.get(&op.mean);
        let [gamma, beta, mean, variance] = [&op.gamma, &op.beta, &op.mean, &op.variance].map(|tensor| {
            let node = b.get(tensor);
            b.reshape(node, &channels)
        });
        let y = if b.of_batch.contains(&running) {
            let axes: Vec<usize> = (0..b.rank(x)).filter(|&axis| axis != 1).collect();
            let [of_mean, of_variance] = [running, b.get(&op.variance)];
            let (mean, centered, variance) = moments(b, x, &axes);
            b.statistics.extend([[of_mean, mean], [of_variance, variance]]);
            normalized(b, centered, variance, op.epsilon.elem(), gamma, Some(beta))
        } else {
            // One factor a channel: every operation fewer on all pixels counts.
            let centered = b.sub(x, mean);
            let deviation = deviation(b, variance, op.epsilon.elem());
            let factor = b.div(gamma, deviation);
            let scaled = b.mul(centered, factor);
            b.add(scaled, beta)
        };
        b.set(&op.out, y);
    };
    "Module.Attention" Lowered "softmax(Q Kᵀ/√d) V, with mask, bias and soft cap": Module::Attention(op) => {
        let y = attention(b, op);
        b.set(&op.out, y);
    };
    refused "Burn rounds where the channels do not fall into equal groups": {
        "Module.Conv1d (unequal groups)" Module::Conv1d(_),
        "Module.Conv2d (unequal groups)" Module::Conv2d(_),
        "Module.Conv3d (unequal groups)" Module::Conv3d(_),
        "Module.DeformableConv2d (unequal groups)" Module::DeformableConv2d(_),
    }
    refused "no convolution has it for an adjoint": {
        "Module.ConvTranspose1d (output padding from the stride on)" Module::ConvTranspose1d(_),
        "Module.ConvTranspose2d (output padding from the stride on)" Module::ConvTranspose2d(_),
        "Module.ConvTranspose3d (output padding from the stride on)" Module::ConvTranspose3d(_),
    }
    refused "Burn executes it on no CPU": { "Module.Interpolate (NearestExact)" Module::Interpolate(_) }
    refused "Burn records its parts in its place": {
        "Module.Linear" Module::Linear(_),
        "Module.CtcLoss" Module::CtcLoss(_),
    }
    refused "a backward pass: a recording is of the forward alone": {
        "Module.EmbeddingBackward" Module::EmbeddingBackward(_),
        "Module.LinearXBackward" Module::LinearXBackward(_),
        "Module.LinearWeightBackward" Module::LinearWeightBackward(_),
        "Module.LinearBiasBackward" Module::LinearBiasBackward(_),
        "Module.Conv1dXBackward" Module::Conv1dXBackward(_),
        "Module.Conv1dWeightBackward" Module::Conv1dWeightBackward(_),
        "Module.Conv1dBiasBackward" Module::Conv1dBiasBackward(_),
        "Module.Conv2dXBackward" Module::Conv2dXBackward(_),
        "Module.Conv2dWeightBackward" Module::Conv2dWeightBackward(_),
        "Module.Conv2dBiasBackward" Module::Conv2dBiasBackward(_),
        "Module.Conv3dXBackward" Module::Conv3dXBackward(_),
        "Module.Conv3dWeightBackward" Module::Conv3dWeightBackward(_),
        "Module.Conv3dBiasBackward" Module::Conv3dBiasBackward(_),
        "Module.ConvTranspose1dWeightBackward" Module::ConvTranspose1dWeightBackward(_),
        "Module.ConvTranspose1dBiasBackward" Module::ConvTranspose1dBiasBackward(_),
        "Module.ConvTranspose2dWeightBackward" Module::ConvTranspose2dWeightBackward(_),
        "Module.ConvTranspose2dBiasBackward" Module::ConvTranspose2dBiasBackward(_),
        "Module.ConvTranspose3dWeightBackward" Module::ConvTranspose3dWeightBackward(_),
        "Module.ConvTranspose3dBiasBackward" Module::ConvTranspose3dBiasBackward(_),
        "Module.DeformableConv2dBackward" Module::DeformableConv2dBackward(_),
        "Module.AvgPool1dBackward" Module::AvgPool1dBackward(_),
        "Module.AvgPool2dBackward" Module::AvgPool2dBackward(_),
        "Module.AdaptiveAvgPool1dBackward" Module::AdaptiveAvgPool1dBackward(_),
        "Module.AdaptiveAvgPool2dBackward" Module::AdaptiveAvgPool2dBackward(_),
        "Module.AdaptiveAvgPool3dBackward" Module::AdaptiveAvgPool3dBackward(_),
        "Module.MaxPool1dWithIndicesBackward" Module::MaxPool1dWithIndicesBackward(_),
        "Module.MaxPool2dWithIndicesBackward" Module::MaxPool2dWithIndicesBackward(_),
        "Module.InterpolateBackward" Module::InterpolateBackward(_),
        "Module.CtcLossBackward" Module::CtcLossBackward(_),
    }
}

/// Mean, `x − mean` and variance along axes, which stay with length one.
fn moments(b: &mut Lowering, x: usize, axes: &[usize]) -> (usize, usize, usize) {
    let mean = b.mean(x, axes);
    let centered = b.sub(x, mean);
    let square = b.map(Elementwise::Powi(2), centered);
    (mean, centered, b.mean(square, axes))
}

/// `γ (x − mean)/√(var + ϵ) + β`.
fn normalized(
    b: &mut Lowering,
    centered: usize,
    variance: usize,
    epsilon: f64,
    gamma: usize,
    beta: Option<usize>,
) -> usize {
    let deviation = deviation(b, variance, epsilon);
    let normalized = b.div(centered, deviation);
    let scaled = b.mul(normalized, gamma);
    match beta {
        Some(beta) => b.add(scaled, beta),
        None => scaled,
    }
}

/// `√(var + ϵ)`.
fn deviation(b: &mut Lowering, variance: usize, epsilon: f64) -> usize {
    let shifted = b.map(Elementwise::Shift(epsilon), variance);
    b.map(Elementwise::Sqrt, shifted)
}

/// `[n, channels, length]` as `[n, channels, 1, length]`.
fn with_height(b: &mut Lowering, x: usize) -> usize {
    let shape = b.shape(x);
    b.reshape(x, &[shape[0], shape[1], 1, shape[2]])
}

/// The shape of a one-dimensional result as a two-dimensional one.
fn tall(tensor: &TensorIr) -> Vec<usize> {
    let shape = tensor.shape.to_vec();
    vec![shape[0], shape[1], 1, shape[2]]
}

fn with_bias(b: &mut Lowering, y: usize, bias: Option<&TensorIr>) -> usize {
    let Some(bias) = bias else { return y };
    let mut channels = vec![1; b.rank(y)];
    channels[1] = b.shape(y)[1];
    let bias = b.get(bias);
    let bias = b.reshape(bias, &channels);
    b.add(y, bias)
}

/// Whether the channels out fall into equal groups: Burn rounds where they do not.
fn in_groups(weight: &TensorIr, groups: usize) -> bool {
    groups > 0 && weight.shape.to_vec()[0].is_multiple_of(groups)
}

/// Whether a transposed convolution is the adjoint of one: output padding chooses among the input sizes that stride
/// leaves open.
fn has_input(stride: &[usize], padding_out: &[usize]) -> bool {
    stride.iter().zip(padding_out).all(|(stride, padding)| padding < stride)
}

/// The convolution whose adjoint a transposed convolution is. Its output padding only chooses among input sizes, which
/// are known.
fn adjoint_of(options: &ConvTranspose2dOptionsIr) -> ConvOptions<2> {
    ConvOptions {
        stride: options.stride,
        padding: options.padding.map(|margin| (margin, margin)),
        dilation: options.dilation,
        groups: options.groups,
    }
}

/// A convolution of planes, in which the entries of a window along the depth are channels and its position is a sample.
fn convolution_3d(b: &mut Lowering, op: &Conv3dOpIr) -> usize {
    let (x, weight, o) = (b.get(&op.x), b.get(&op.weight), &op.options);
    let (shape, kernel, out) = (b.shape(x), b.shape(weight), op.out.shape.to_vec());
    let windows = Windows { kernel: kernel[2], stride: o.stride[0], padding: o.padding[0], dilation: o.dilation[0] };
    // A plane is one axis meanwhile: six are as many as Burn's ndarray has, a block's among them.
    let x = b.reshape(x, &[shape[0], shape[1], shape[2], shape[3] * shape[4]]);
    let x = windows.split(b, x, 2, out[2]);
    let x = b.permute(x, &[0, 3, 1, 2, 4]);
    let x = b.reshape(x, &[shape[0] * out[2], shape[1] * kernel[2], shape[3], shape[4]]);
    let weight = b.reshape(weight, &[kernel[0], kernel[1] * kernel[2], kernel[3], kernel[4]]);
    let options = ConvOptions {
        stride: [o.stride[1], o.stride[2]],
        padding: [o.padding[1], o.padding[2]].map(|margin| (margin, margin)),
        dilation: [o.dilation[1], o.dilation[2]],
        groups: o.groups,
    };
    let planes = [out[0] * out[2], out[1], out[3], out[4]];
    let y = b.bilinear(Bilinear::Convolution(options), x, weight, &planes);
    let y = b.reshape(y, &[out[0], out[2], out[1], out[3], out[4]]);
    let y = b.permute(y, &[0, 2, 1, 3, 4]);
    with_bias(b, y, op.bias.as_ref())
}

/// The adjoint of [`convolution_3d`], step by step.
fn transposed_convolution_3d(b: &mut Lowering, op: &ConvTranspose3dOpIr) -> usize {
    let (x, weight, o) = (b.get(&op.x), b.get(&op.weight), &op.options);
    let (shape, kernel, out) = (b.shape(x), b.shape(weight), op.out.shape.to_vec());
    let x = b.permute(x, &[0, 2, 1, 3, 4]);
    let x = b.reshape(x, &[shape[0] * shape[2], shape[1], shape[3], shape[4]]);
    let weight = b.reshape(weight, &[kernel[0], kernel[1] * kernel[2], kernel[3], kernel[4]]);
    let options = adjoint_of(&ConvTranspose2dOptionsIr {
        stride: [o.stride[1], o.stride[2]],
        padding: [o.padding[1], o.padding[2]],
        padding_out: [o.padding_out[1], o.padding_out[2]],
        dilation: [o.dilation[1], o.dilation[2]],
        groups: o.groups,
    });
    let planes = [shape[0] * shape[2], out[1] * kernel[2], out[3], out[4]];
    let y = b.bilinear(Bilinear::TransposedConvolution(options), x, weight, &planes);
    let y = b.reshape(y, &[shape[0], shape[2], out[1], kernel[2], out[3] * out[4]]);
    let y = b.permute(y, &[0, 2, 3, 1, 4]);
    let windows = Windows { kernel: kernel[2], stride: o.stride[0], padding: o.padding[0], dilation: o.dilation[0] };
    let y = windows.merge(b, y, 2, out[2]);
    let y = b.reshape(y, &out);
    with_bias(b, y, op.bias.as_ref())
}

/// What the kernel finds at its moved points stands in columns, a row for each of its entries; the rest is a
/// convolution.
fn deformable_convolution(b: &mut Lowering, op: &DeformConv2dOpIr) -> usize {
    let (x, offset, weight, o) = (b.get(&op.x), b.get(&op.offset), b.get(&op.weight), &op.options);
    let (shape, kernel, out) = (b.shape(x), b.shape(weight), op.out.shape.to_vec());
    let (entries, places) = (kernel[2] * kernel[3], out[2] * out[3]);
    let [images, points] = [shape[0] * o.offset_groups, entries * places];
    let offset = b.reshape(offset, &[images, entries, 2, places]);
    let coordinates = [0, 1].map(|axis| {
        let still = (0..points).map(|point| {
            let (entry, place) = (point / places, point % places);
            let entry = [entry / kernel[3], entry % kernel[3]][axis];
            let place = [place / out[3], place % out[3]][axis];
            (place * o.stride[axis] + entry * o.dilation[axis]) as f64 - o.padding[axis] as f64
        });
        let still = b.numbers(still.collect(), &[1, points], b.dtype(offset));
        let moved = b.narrow(offset, 2, axis, axis + 1, 1);
        let moved = b.reshape(moved, &[images, points]);
        b.add(still, moved)
    });
    let channels = shape[1] / o.offset_groups;
    let x = b.reshape(x, &[images, channels, shape[2], shape[3]]);
    let mut values = resample::at_points(b, x, coordinates, true);
    if let Some(mask) = &op.mask {
        let mask = b.get(mask);
        let mask = b.reshape(mask, &[images, 1, points]);
        values = b.mul(values, mask);
    }
    let columns = b.reshape(values, &[shape[0], shape[1], entries, places]);
    let weight = b.reshape(weight, &[kernel[0], kernel[1], entries, 1]);
    let options = ConvOptions { stride: [1, 1], padding: [(0, 0); 2], dilation: [1, 1], groups: o.weight_groups };
    let y = b.bilinear(Bilinear::Convolution(options), columns, weight, &[out[0], out[1], 1, places]);
    let y = b.reshape(y, &out);
    with_bias(b, y, op.bias.as_ref())
}

/// Max-pooling: the positions of the maxima are found, then it is a gather. The maxima and their positions in the
/// flattened plane, both of shape `shape`.
fn max_pool(b: &mut Lowering, x: usize, window: MaxWindow, shape: &[usize]) -> (usize, usize) {
    let positions = Operation::Discrete(Discrete::MaxPositions(window));
    let at = b.builder.push(positions, vec![x], shape.to_vec(), window.dtype);
    let input = b.shape(x);
    let flat = b.reshape(x, &[input[0], input[1], input[2] * input[3]]);
    let at_flat = b.reshape(at, &[shape[0], shape[1], shape[2] * shape[3]]);
    let maxima = b.gather(flat, 2, at_flat);
    (b.reshape(maxima, shape), at)
}

/// Scaled dot-product attention over `[n, heads, length, width]` (Vaswani et al. 2017, eq. 1).
fn attention(b: &mut Lowering, op: &AttentionOpIr) -> usize {
    let (query, key, value) = (b.get(&op.query), b.get(&op.key), b.get(&op.value));
    let width = b.shape(query)[3] as f64;
    let scale: f64 = op.options.scale.map_or_else(|| width.sqrt().recip(), burn_ir::ScalarIr::elem);
    let transposed = b.swap(key, 2, 3);
    let products = b.matmul(query, transposed);
    let mut scores = b.scale(products, scale);
    if let Some(cap) = op.options.softcap {
        let cap: f64 = cap.elem();
        let scaled = b.scale(scores, 1.0 / cap);
        let bounded = b.map(Elementwise::Tanh, scaled);
        scores = b.scale(bounded, cap);
    }
    let shape = b.shape(scores);
    let dtype = b.dtype(scores);
    if let Some(mask) = &op.mask {
        let lowest = b.constant(f64::NEG_INFINITY, &shape, dtype);
        let mask = b.get(mask);
        scores = b.choose(mask, scores, lowest, &shape);
    }
    if op.options.is_causal {
        let (queries, keys) = (shape[2], shape[3]);
        let is_future = |at: usize| at % keys + queries > at / keys + keys;
        let future: Vec<f64> =
            (0..queries * keys).map(|at| if is_future(at) { f64::NEG_INFINITY } else { 0.0 }).collect();
        let data = burn::tensor::TensorData::new(future, [1, 1, queries, keys]).convert_dtype(dtype);
        let future = b.builder.constant(Array::from_data(data, &b.device));
        scores = b.add(scores, future);
    }
    if let Some(bias) = &op.attn_bias {
        let bias = b.get(bias);
        scores = b.add(scores, bias);
    }
    let weights = b.softmax(scores, 3);
    b.matmul(weights, value)
}
