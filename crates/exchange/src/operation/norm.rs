//! Normalizations.

use burn::tensor::Tensor;
use burn_backend::ops::{FloatTensorOps, ModuleOps};
use burn_dispatch::Dispatch;

use super::elementwise::plus;
use super::{Call, Operation, Results, one, unread};
use crate::array::{Array, Kind, Problem};

pub const OPERATIONS: &[Operation] = &[
    Operation::new("batch_norm", BATCH, "γ (x − mean)/√(var + ϵ) + β of a channel", |call| {
        one(batch_norm(call)?)
    })
    .ignoring(&["cudnn_enabled"]),
    Operation::new("_native_batch_norm_legit_no_training", BATCH, "batch norm in evaluation", native_batch_norm),
    Operation::new("_native_batch_norm_legit_functional", BATCH, "batch norm, and its statistics", native_batch_norm),
    Operation::new("_native_batch_norm_legit", BATCH, "batch norm, and its statistics", native_batch_norm),
    Operation::new("native_batch_norm", BATCH, "batch norm, and its statistics", native_batch_norm),
    Operation::new("layer_norm", LAYER, "γ (x − mean)/√(var + ϵ) + β of the last axes", |call| {
        one(layer_norm(call)?)
    })
    .ignoring(&["cudnn_enable"]),
    Operation::new("native_layer_norm", LAYER, "layer norm; its statistics are not given out", |call| {
        one(layer_norm(call)?).map(|results| unread(results, 2))
    }),
    Operation::new("rms_norm", &["input", "normalized_shape", "weight", "eps"], "γ x/√(mean x² + ϵ)", |call| {
        let x = call.float("input")?;
        let shape = x.shape();
        let (rows, width) = last_axes(call, &shape)?;
        let x = x.reshape(&[rows, width])?;
        let square = x.clone().map(|x| Dispatch::float_mean_dim(Dispatch::float_mul(x.clone(), x), 1));
        let eps = call.optional_number("eps")?.ok_or("its ϵ is that of a type of floats; give it as a number")?;
        let root = square.map(|x| Dispatch::float_sqrt(plus(x, eps)));
        let x = x.zip(root, Dispatch::float_div)?.reshape(&shape)?;
        one(scaled(call, x, "weight", None)?)
    }),
    Operation::new(
        "group_norm",
        &["input", "num_groups", "weight", "bias", "eps"],
        "normalized in groups of channels",
        |call| {
            let (groups, eps) = (call.length("num_groups", 1)?, call.number("eps", 1e-5)?);
            one(group_norm(call, groups, eps)?)
        },
    )
    .ignoring(&["cudnn_enabled"]),
    Operation::new(
        "native_group_norm",
        &["input", "weight", "bias", "group", "eps"],
        "group norm; its statistics are not given out",
        |call| {
            let (groups, eps) = (call.length("group", 1)?, call.number("eps", 1e-5)?);
            one(group_norm(call, groups, eps)?).map(|results| unread(results, 2))
        },
    )
    .ignoring(&["N", "C", "HxW"]),
    Operation::new(
        "instance_norm",
        &["input", "weight", "bias", "use_input_stats", "eps"],
        "normalized channel by channel",
        |call| {
            if !call.flag("use_input_stats", true)? {
                return Err("it goes by running statistics, which is not known here".to_owned());
            }
            let groups = call.array("input")?.shape().get(1).copied().unwrap_or(0);
            one(group_norm(call, groups, call.number("eps", 1e-5)?)?)
        },
    )
    .ignoring(&["momentum", "cudnn_enabled"]),
];

const BATCH: &[&str] = &["input", "weight", "bias", "running_mean", "running_var", "training", "momentum", "eps"];
const LAYER: &[&str] = &["input", "normalized_shape", "weight", "bias", "eps"];

fn native_batch_norm(call: &Call) -> Results {
    // Behind the output the statistics of the batch and the running ones, which the module keeps itself.
    one(batch_norm(call)?).map(|results| unread(results, 4))
}

fn batch_norm(call: &Call) -> Result<Array, Problem> {
    let x = call.float("input")?;
    let shape = x.shape();
    let &[_, channels, ..] = shape.as_slice() else { return Err(format!("{shape:?} has no channels")) };
    let running = call.optional_float("running_mean")?.zip(call.optional_float("running_var")?);
    let (mean, variance) = match running {
        Some(running) => running,
        // As weights are standardized with it.
        None => moments(&x, channels)?,
    };
    let scale = match call.optional_float("weight")? {
        Some(scale) => scale,
        None => call.full(&[channels], 1.0, Kind::Float)?,
    };
    let shift = match call.optional_float("bias")? {
        Some(shift) => shift,
        None => call.full(&[channels], 0.0, Kind::Float)?,
    };
    for part in [&scale, &shift, &mean, &variance] {
        if part.shape() != [channels] {
            return Err(format!("{:?} for {channels} channels", part.shape()));
        }
    }
    let eps = call.number("eps", 1e-5)?;
    let slots = [call.slot("running_mean"), call.slot("running_var")];
    let states = slots.map(|slot| slot.and_then(|slot| (call.context.statistics)(slot)));
    let [Some((own_mean, true)), Some((own_variance, true))] = states else {
        let parts = [scale, shift, mean, variance].map(Array::tensor);
        let [scale, shift, mean, variance] = parts;
        return Ok(Dispatch::batch_norm(x.tensor(), scale, shift, mean, variance, eps).into());
    };
    let momentum = call.optional_number("momentum")?.ok_or("a momentum that depends on the step is not known here")?;
    let count = (x.elements() / channels) as f64;
    let result = Dispatch::batch_norm_train(x.tensor(), scale.tensor(), shift.tensor(), eps);
    // As PyTorch, whose running variance is the unbiased one.
    let of_batch = [(own_mean, result.mean, 1.0), (own_variance, result.variance, count / (count - 1.0))];
    for (state, statistic, factor) in of_batch {
        let statistic = Tensor::<1>::from_dispatch(statistic).detach() * (momentum * factor);
        state.update((state.value_sync() * (1.0 - momentum) + statistic).detach());
    }
    Ok(result.output.into())
}

/// Mean and variance of each channel.
fn moments(x: &Array, channels: usize) -> Result<(Array, Array), Problem> {
    let axes: Vec<usize> = (0..x.rank()).filter(|axis| *axis != 1).collect();
    let mean_of = |x: Array| axes.iter().fold(x, |x, &axis| x.map(|x| Dispatch::float_mean_dim(x, axis)));
    let mean = mean_of(x.clone());
    let centered = x.clone().zip(mean.clone(), Dispatch::float_sub)?;
    let variance = mean_of(centered.map(|x| Dispatch::float_mul(x.clone(), x)));
    Ok((mean.reshape(&[channels])?, variance.reshape(&[channels])?))
}

/// Number of rows and their length, where the last axes are normalized together.
fn last_axes(call: &Call, shape: &[usize]) -> Result<(usize, usize), Problem> {
    let normalized = call.shape("normalized_shape")?;
    if normalized.is_empty() || !shape.ends_with(&normalized) {
        return Err(format!("{shape:?} does not end with {normalized:?}"));
    }
    let width: usize = normalized.iter().product();
    if width == 0 {
        return Err("it normalizes nothing".to_owned());
    }
    Ok((shape.iter().product::<usize>() / width, width))
}

fn layer_norm(call: &Call) -> Result<Array, Problem> {
    let x = call.float("input")?;
    let shape = x.shape();
    let (rows, width) = last_axes(call, &shape)?;
    let part = |name: &str, default: f64| -> Result<Array, Problem> {
        match call.optional_float(name)? {
            Some(part) => part.reshape(&[width]),
            None => call.full(&[width], default, Kind::Float),
        }
    };
    let (scale, shift) = (part("weight", 1.0)?, call.optional_float("bias")?.map(|bias| bias.reshape(&[width])));
    let (scale, shift) = (scale.tensor(), shift.transpose()?.map(Array::tensor));
    // Where there are no further axes, it is normalized as it stands.
    let x = if shape.last() == Some(&width) { x } else { x.reshape(&[rows, width])? };
    let found = Array::from(Dispatch::layer_norm(x.tensor(), scale, shift, call.number("eps", 1e-5)?));
    found.reshape(&shape)
}

/// Scale and shift, that broadcast.
fn scaled(call: &Call, x: Array, scale: &str, shape: Option<&[usize]>) -> Result<Array, Problem> {
    let fitting = |part: Array| match shape {
        Some(shape) => part.reshape(shape),
        None => Ok(part),
    };
    let x = match call.optional_float(scale)? {
        Some(scale) => x.zip(fitting(scale)?, Dispatch::float_mul)?,
        None => x,
    };
    match call.optional_float("bias")? {
        Some(shift) => x.zip(fitting(shift)?, Dispatch::float_add),
        None => Ok(x),
    }
}

fn group_norm(call: &Call, groups: usize, eps: f64) -> Result<Array, Problem> {
    let x = call.float("input")?;
    let shape = x.shape();
    let &[n, channels, ..] = shape.as_slice() else { return Err(format!("{shape:?} has no channels")) };
    if groups == 0 || channels % groups != 0 || x.elements() == 0 {
        return Err(format!("{channels} channels in {groups} groups"));
    }
    let width = x.elements() / (n * groups);
    let x = x.reshape(&[n, groups, width])?;
    let mean = x.clone().map(|x| Dispatch::float_mean_dim(x, 2));
    let centered = x.zip(mean, Dispatch::float_sub)?;
    let variance = centered.clone().map(|x| Dispatch::float_mean_dim(Dispatch::float_mul(x.clone(), x), 2));
    let root = variance.map(|x| Dispatch::float_sqrt(plus(x, eps)));
    let normalized = centered.zip(root, Dispatch::float_div)?.reshape(&shape)?;
    let mut of_channels = vec![1; shape.len()];
    of_channels[1] = channels;
    scaled(call, normalized, "weight", Some(&of_channels))
}
