//! The same elements in another shape, parts, joints, margins.

use burn_backend::ops::{FloatTensorOps, IntTensorOps};
use burn_dispatch::Dispatch;

use super::{Call, Operation, Results, Value, one};
use crate::array::{Array, Kind, Problem, axis_of, elements};

pub const OPERATIONS: &[Operation] = &[
    Operation::new("view", &["self", "size", "dtype"], "another shape", |call| {
        if call.argument("dtype").is_some() {
            return Err("it reads the bytes of numbers as another type".to_owned());
        }
        reshape(call.array("self")?, &call.sizes("size")?)
    })
    .view(),
    Operation::new("reshape", &["self", "shape"], "another shape", |call| {
        reshape(call.array("self")?, &call.sizes("shape")?)
    })
    .view(),
    Operation::new("_unsafe_view", &["self", "size"], "another shape", |call| {
        reshape(call.array("self")?, &call.sizes("size")?)
    })
    .view(),
    Operation::new("view_as", &["self", "other"], "the shape of another", |call| {
        one(call.array("self")?.reshape(&call.array("other")?.shape())?)
    })
    .view(),
    Operation::new("reshape_as", &["self", "other"], "the shape of another", |call| {
        one(call.array("self")?.reshape(&call.array("other")?.shape())?)
    })
    .view(),
    Operation::new("flatten", &["self", "start_dim", "end_dim"], "several axes as one", |call| {
        let x = call.array("self")?;
        let (start, end) = (x.axis(call.int("start_dim", 0)?)?, x.axis(call.int("end_dim", -1)?)?);
        let shape = x.shape();
        if shape.is_empty() {
            return one(x.reshape(&[1])?);
        }
        if start > end {
            return Err(format!("axes {start} to {end}"));
        }
        let length = elements(&shape[start..=end])?;
        one(x.reshape(&[&shape[..start], &[length], &shape[end + 1..]].concat())?)
    })
    .view(),
    Operation::new("unflatten", &["self", "dim", "sizes"], "an axis as several", |call| {
        let x = call.array("self")?;
        let (shape, axis) = (x.shape(), x.axis(call.int("dim", 0)?)?);
        let length = *shape.get(axis).ok_or("it has no axis")?;
        let parts = resolved(&call.sizes("sizes")?, length)?;
        one(x.reshape(&[&shape[..axis], &parts, &shape[axis + 1..]].concat())?)
    })
    .view(),
    Operation::new("transpose", &["self", "dim0", "dim1"], "two axes exchanged", |call| {
        let x = call.array("self")?;
        let (a, b) = (x.axis(call.int("dim0", 0)?)?, x.axis(call.int("dim1", 1)?)?);
        one(x.swap(a, b)?)
    })
    .view(),
    Operation::new("swapaxes", &["self", "axis0", "axis1"], "two axes exchanged", |call| {
        let x = call.array("self")?;
        let (a, b) = (x.axis(call.int("axis0", 0)?)?, x.axis(call.int("axis1", 1)?)?);
        one(x.swap(a, b)?)
    })
    .view(),
    Operation::new("t", &["self"], "the transposed matrix", transposed).view(),
    Operation::new("numpy_T", &["self"], "axes in reverse order", |call| {
        let x = call.array("self")?;
        let axes: Vec<usize> = (0..x.rank()).rev().collect();
        one(x.permute(&axes)?)
    })
    .view(),
    Operation::new("mT", &["self"], "the last two axes exchanged", |call| {
        let x = call.array("self")?;
        let rank = x.rank();
        if rank < 2 { Err(format!("it has {rank} axes")) } else { one(x.swap(rank - 2, rank - 1)?) }
    })
    .view(),
    Operation::new("permute", &["self", "dims"], "axes in another order", |call| {
        let x = call.array("self")?;
        let axes = call.sizes("dims")?.iter().map(|&axis| x.axis(axis)).collect::<Result<Vec<_>, _>>()?;
        one(x.permute(&axes)?)
    })
    .view(),
    Operation::new("movedim", &["self", "source", "destination"], "axes moved to other places", |call| {
        let x = call.array("self")?;
        let places = |name| call.sizes(name)?.iter().map(|&axis| x.axis(axis)).collect::<Result<Vec<_>, Problem>>();
        let (from, to) = (places("source")?, places("destination")?);
        let mut axes: Vec<Option<usize>> = vec![None; x.rank()];
        for (&from, &to) in from.iter().zip(&to) {
            axes[to] = Some(from);
        }
        let mut rest = (0..x.rank()).filter(|axis| !from.contains(axis));
        let axes: Option<Vec<usize>> = axes.into_iter().map(|axis| axis.or_else(|| rest.next())).collect();
        one(x.permute(&axes.ok_or("an axis goes to two places")?)?)
    })
    .view(),
    Operation::new("unsqueeze", &["self", "dim"], "an axis of length one more", |call| {
        let x = call.array("self")?;
        let mut shape = x.shape();
        shape.insert(axis_of(call.int("dim", 0)?, shape.len() + 1)?, 1);
        one(x.reshape(&shape)?)
    })
    .view(),
    Operation::new("squeeze", &["self", "dim"], "axes of length one left out", |call| {
        let x = call.array("self")?;
        let axes = if call.argument("dim").is_some() { call.listed("dim", &x)? } else { (0..x.rank()).collect() };
        let shape = x.shape();
        let kept = shape.iter().enumerate().filter(|(axis, length)| **length != 1 || !axes.contains(axis));
        let kept: Vec<usize> = kept.map(|(_, length)| *length).collect();
        one(x.reshape(&kept)?)
    })
    .view(),
    Operation::new("expand", &["self", "size"], "repeated along axes of length one", |call| {
        expand(call.array("self")?, &call.sizes("size")?)
    })
    .ignoring(&["implicit"])
    .view(),
    Operation::new("broadcast_to", &["self", "size"], "repeated along axes of length one", |call| {
        expand(call.array("self")?, &call.sizes("size")?)
    })
    .view(),
    Operation::new("expand_as", &["self", "other"], "repeated to the shape of another", |call| {
        one(call.array("self")?.expand(&call.array("other")?.shape())?)
    })
    .view(),
    Operation::new("repeat", &["self", "repeats"], "copies along axes", |call| {
        let times = call.shape("repeats")?;
        let mut x = call.array("self")?.lift(times.len())?;
        for (axis, &times) in times.iter().enumerate() {
            x = copies(x, axis, times)?;
        }
        one(x)
    }),
    Operation::new("repeat_interleave", &["self", "repeats", "dim"], "every element several times", |call| {
        let x = call.array("self")?;
        let times = call.length("repeats", 1)?;
        let (x, axis) = match call.optional_int("dim")? {
            Some(axis) => (x.clone(), x.axis(axis)?),
            None => (x.clone().reshape(&[x.elements()])?, 0),
        };
        let mut shape = x.shape();
        shape.insert(axis + 1, 1);
        let mut wide = shape.clone();
        wide[axis + 1] = times;
        let x = x.reshape(&shape)?.expand(&wide)?;
        wide.remove(axis + 1);
        wide[axis] *= times;
        one(x.reshape(&wide)?)
    }),
    Operation::new("cat", &["tensors", "dim"], "joined along an axis", |call| {
        one(joined(call, call.all("tensors")?, call.int("dim", 0)?)?)
    }),
    Operation::new("concat", &["tensors", "dim"], "joined along an axis", |call| {
        one(joined(call, call.all("tensors")?, call.int("dim", 0)?)?)
    }),
    Operation::new("stack", &["tensors", "dim"], "joined along a new axis", |call| {
        let arrays = call.all("tensors")?;
        let rank = arrays.first().ok_or("nothing is joined")?.rank();
        let axis = axis_of(call.int("dim", 0)?, rank + 1)?;
        let lifted = arrays.into_iter().map(|array| {
            let mut shape = array.shape();
            shape.insert(axis.min(shape.len()), 1);
            array.reshape(&shape)
        });
        one(joined(call, lifted.collect::<Result<_, _>>()?, axis as i64)?)
    }),
    Operation::new("select", &["self", "dim", "index"], "what stands at one place of an axis", |call| {
        let x = call.array("self")?;
        let axis = x.axis(call.int("dim", 0)?)?;
        let length = *x.shape().get(axis).ok_or("it has no axis")?;
        one(x.select(axis, axis_of(call.int("index", 0)?, length)?)?)
    })
    .view(),
    Operation::new("slice", &["self", "dim", "start", "end", "step"], "a part of an axis", |call| {
        let x = call.array("self")?;
        let axis = x.axis(call.int("dim", 0)?)?;
        let length = *x.shape().get(axis).ok_or("it has no axis")?;
        let start = place(call.int("start", 0)?, length);
        let end = place(call.int("end", i64::MAX)?, length).max(start);
        one(x.slice(axis, start, end, call.length("step", 1)?)?)
    })
    .view(),
    Operation::new(
        "slice_scatter",
        &["self", "src", "dim", "start", "end", "step"],
        "a part of an axis replaced",
        |call| {
            let (x, part) = (call.array("self")?, call.array("src")?);
            let axis = x.axis(call.int("dim", 0)?)?;
            let length = *x.shape().get(axis).ok_or("it has no axis")?;
            if call.int("step", 1)? != 1 {
                return Err("every step-th element replaced is not known here".to_owned());
            }
            let start = place(call.int("start", 0)?, length);
            let end = place(call.int("end", i64::MAX)?, length).max(start);
            one(replaced(call, x, part, axis, start, end)?)
        },
    ),
    Operation::new("select_scatter", &["self", "src", "dim", "index"], "one place of an axis replaced", |call| {
        let (x, part) = (call.array("self")?, call.array("src")?);
        let axis = x.axis(call.int("dim", 0)?)?;
        let mut shape = x.shape();
        let index = axis_of(call.int("index", 0)?, *shape.get(axis).ok_or("it has no axis")?)?;
        shape[axis] = 1;
        let part = part.reshape(&shape)?;
        one(replaced(call, x, part, axis, index, index + 1)?)
    }),
    Operation::new("narrow", &["self", "dim", "start", "length"], "a part of an axis", |call| {
        let x = call.array("self")?;
        let axis = x.axis(call.int("dim", 0)?)?;
        let start = place(call.int("start", 0)?, *x.shape().get(axis).ok_or("it has no axis")?);
        one(x.slice(axis, start, start.saturating_add(call.length("length", 1)?), 1)?)
    })
    .view(),
    Operation::new("split", &["self", "split_size", "split_sizes", "dim"], "parts of an axis, of one length", |call| {
        split(call, &call.sizes("split_size").or_else(|_| call.sizes("split_sizes"))?)
    })
    .view(),
    Operation::new("split_with_sizes", &["self", "split_sizes", "dim"], "parts of an axis, of given lengths", |call| {
        split(call, &call.sizes("split_sizes")?)
    })
    .view(),
    Operation::new("chunk", &["self", "chunks", "dim"], "so many parts of an axis", |call| {
        let x = call.array("self")?;
        let length = x.shape().get(x.axis(call.int("dim", 0)?)?).copied().unwrap_or(1);
        let chunks = call.length("chunks", 1)?.max(1);
        split(call, &[length.div_ceil(chunks).max(1) as i64])
    })
    .view(),
    Operation::new("unbind", &["self", "dim"], "what stands at each place of an axis", |call| {
        let x = call.array("self")?;
        let axis = x.axis(call.int("dim", 0)?)?;
        let length = *x.shape().get(axis).ok_or("it has no axis")?;
        if length > MOST_PARTS {
            return Err(format!("{length} parts"));
        }
        (0..length).map(|index| x.clone().select(axis, index).map(Value::Array)).collect()
    })
    .view(),
    Operation::new("flip", &["self", "dims"], "axes reversed", |call| {
        let x = call.array("self")?;
        let axes = call.listed("dims", &x)?;
        one(if axes.is_empty() { x } else { x.flip(&axes) })
    }),
    Operation::new("roll", &["self", "shifts", "dims"], "elements moved around along axes", |call| {
        let mut x = call.array("self")?;
        let (shifts, axes) = (call.sizes("shifts")?, call.ints("dims")?.unwrap_or_default());
        if axes.len() != shifts.len() {
            return Err("it moves all elements as one row".to_owned());
        }
        for (shift, axis) in shifts.into_iter().zip(axes) {
            let axis = x.axis(axis)?;
            let length = *x.shape().get(axis).ok_or("it has no axis")?;
            let by = shift.rem_euclid(length.max(1) as i64) as usize;
            if by > 0 {
                let (front, back) = (x.clone().slice(axis, length - by, length, 1)?, x.slice(axis, 0, length - by, 1)?);
                x = Array::cat(vec![front, back], axis as i64)?;
            }
        }
        one(x)
    }),
    Operation::new("diff", &["self", "n", "dim", "prepend", "append"], "differences of neighbours", |call| {
        let axis = call.array("self")?.axis(call.int("dim", -1)?)?;
        let ends = [call.optional("prepend")?, Some(call.array("self")?), call.optional("append")?];
        let mut x = joined(call, ends.into_iter().flatten().collect(), axis as i64)?;
        for _ in 0..call.length("n", 1)? {
            let length = x.shape()[axis];
            let (behind, before) = (x.clone().slice(axis, 1, length, 1)?, x.slice(axis, 0, length.max(1) - 1, 1)?);
            x = match behind.kind() {
                Kind::Bool => return Err("of conditions".to_owned()),
                Kind::Float => behind.zip(before, Dispatch::float_sub)?,
                Kind::Int => behind.int().zip(before.int(), Dispatch::int_sub)?,
            };
        }
        one(x)
    }),
    Operation::new("constant_pad_nd", &["self", "pad", "value"], "a margin of a number", |call| {
        pad(call, call.array("self")?, "constant")
    }),
    Operation::new("pad", &["self", "pad", "mode", "value"], "a margin", |call| {
        pad(call, call.array("self")?, call.word("mode").unwrap_or("constant"))
    }),
    Operation::new("reflection_pad1d", &["self", "padding"], "a margin that mirrors", |call| {
        pad(call, call.array("self")?, "reflect")
    }),
    Operation::new("reflection_pad2d", &["self", "padding"], "a margin that mirrors", |call| {
        pad(call, call.array("self")?, "reflect")
    }),
    Operation::new("replication_pad1d", &["self", "padding"], "a margin that repeats the edge", |call| {
        pad(call, call.array("self")?, "replicate")
    }),
    Operation::new("replication_pad2d", &["self", "padding"], "a margin that repeats the edge", |call| {
        pad(call, call.array("self")?, "replicate")
    }),
    Operation::new("pixel_shuffle", &["self", "upscale_factor"], "channels become pixels", |call| {
        let x = call.array("self")?;
        let (factor, shape) = (call.length("upscale_factor", 1)?, x.shape());
        let &[n, channels, height, width] = shape.as_slice() else {
            return Err(format!("{shape:?} are no images"));
        };
        let fewer = channels.checked_div(factor * factor).filter(|fewer| fewer * factor * factor == channels);
        let fewer = fewer.ok_or_else(|| format!("{channels} channels by {factor}²"))?;
        let x = x.reshape(&[n, fewer, factor, factor, height, width])?.permute(&[0, 1, 4, 2, 5, 3])?;
        one(x.reshape(&[n, fewer, height * factor, width * factor])?)
    }),
    Operation::new("unfold", &["self", "dimension", "size", "step"], "sliding windows of an axis", |call| {
        let x = call.float("self")?;
        let axis = x.axis(call.int("dimension", 0)?)?;
        let (size, step) = (call.length("size", 1)?, call.length("step", 1)?);
        let length = x.shape().get(axis).copied().unwrap_or(0);
        if size == 0 || step == 0 || size > length {
            return Err(format!("windows of {size} every {step} of an axis of {length}"));
        }
        one(Array::from(Dispatch::float_unfold(x.tensor(), axis, size, step)))
    })
    .view(),
];

/// The most parts that an axis is taken apart into.
pub const MOST_PARTS: usize = 1 << 14;

/// The sizes of `count` elements, of which one may be -1.
fn resolved(sizes: &[i64], count: usize) -> Result<Vec<usize>, Problem> {
    let known = sizes.iter().filter(|&&size| size >= 0).try_fold(1i64, |known, &size| known.checked_mul(size));
    let open = sizes.iter().filter(|&&size| size < 0).count();
    let known = known.and_then(|known| usize::try_from(known).ok()).filter(|_| open <= 1);
    let known = known.ok_or_else(|| format!("{sizes:?} is no shape"))?;
    let rest = if open == 1 && known > 0 { count / known } else { 0 };
    Ok(sizes.iter().map(|&size| if size < 0 { rest } else { size as usize }).collect())
}

fn reshape(x: Array, sizes: &[i64]) -> Results {
    let shape = resolved(sizes, x.elements())?;
    one(x.reshape(&shape)?)
}

fn transposed(call: &Call) -> Results {
    let x = call.array("self")?;
    if x.rank() == 2 { one(x.swap(0, 1)?) } else { one(x) }
}

fn expand(x: Array, sizes: &[i64]) -> Results {
    let own = x.shape();
    let missing = sizes.len().checked_sub(own.len()).ok_or_else(|| format!("{own:?} has more axes than {sizes:?}"))?;
    let size = |(axis, &size): (usize, &i64)| match usize::try_from(size) {
        Ok(size) => Ok(size),
        Err(_) if axis >= missing => Ok(own[axis - missing]),
        Err(_) => Err(format!("a new axis of length {size}")),
    };
    let shape = sizes.iter().enumerate().map(size).collect::<Result<Vec<_>, Problem>>()?;
    one(x.expand(&shape)?)
}

fn copies(x: Array, axis: usize, times: usize) -> Result<Array, Problem> {
    if times == 1 {
        return Ok(x);
    }
    let mut shape = x.shape();
    shape.insert(axis, 1);
    let mut wide = shape.clone();
    wide[axis] = times;
    let x = x.reshape(&shape)?.expand(&wide)?;
    wide.remove(axis);
    wide[axis] = wide[axis].checked_mul(times).ok_or("too many copies")?;
    x.reshape(&wide)
}

/// Arrays joined as one kind.
fn joined(call: &Call, arrays: Vec<Array>, axis: i64) -> Result<Array, Problem> {
    let kind = arrays.iter().map(Array::kind).reduce(|a, b| match (a, b) {
        (Kind::Float, _) | (_, Kind::Float) => Kind::Float,
        (Kind::Bool, Kind::Bool) => Kind::Bool,
        _ => Kind::Int,
    });
    let kind = kind.ok_or("nothing is joined")?;
    Array::cat(arrays.into_iter().map(|array| call.cast(array, kind)).collect(), axis)
}

/// A place in an axis, negative ones counted from its end.
fn place(index: i64, length: usize) -> usize {
    let length = length as i64;
    (if index < 0 { index.saturating_add(length) } else { index }).clamp(0, length) as usize
}

fn split(call: &Call, sizes: &[i64]) -> Results {
    let x = call.array("self")?;
    let axis = x.axis(call.int("dim", 0)?)?;
    let length = *x.shape().get(axis).ok_or("it has no axis")?;
    let sizes: Vec<usize> = match sizes {
        // One number is the length of every part, of which the last may be shorter.
        [size] => {
            let size = usize::try_from(*size).ok().filter(|size| *size > 0).ok_or("parts of no length")?;
            (0..length).step_by(size).take(MOST_PARTS + 1).map(|start| size.min(length - start)).collect()
        }
        sizes => sizes.iter().map(|&size| size.max(0) as usize).collect(),
    };
    if sizes.len() > MOST_PARTS {
        return Err(format!("{} parts", sizes.len()));
    }
    let mut start = 0usize;
    let parts = sizes.into_iter().map(|size| {
        let end = start.saturating_add(size);
        let part = x.clone().slice(axis, start, end, 1).map(Value::Array);
        start = end;
        part
    });
    parts.collect()
}

/// A margin, in PyTorch's order: before and behind the last axis, then the one before it.
fn pad(call: &Call, x: Array, mode: &str) -> Results {
    let margins = call.sizes("pad").or_else(|_| call.sizes("padding"))?;
    if margins.len() % 2 == 1 || margins.len() / 2 > x.rank() {
        return Err(format!("margins {margins:?} of {:?}", x.shape()));
    }
    let value = call.number("value", 0.0)?;
    let mut x = if mode == "constant" { x } else { x.float(call.dtype()) };
    for (back, pair) in margins.chunks(2).enumerate() {
        let axis = x.rank() - 1 - back;
        // Negative margins cut.
        let length = x.shape()[axis];
        let cut = |margin: i64| usize::try_from(margin.saturating_neg()).unwrap_or(0);
        let (start, end) = (cut(pair[0]), length.saturating_sub(cut(pair[1])));
        x = x.slice(axis, start, end.max(start), 1)?;
        let [before, behind] = [pair[0], pair[1]].map(|margin| usize::try_from(margin).unwrap_or(0));
        let length = x.shape()[axis];
        let mirrors = mode == "reflect" && (before >= length || behind >= length);
        if mirrors {
            return Err(format!("a mirror of {before} and {behind} of an axis of {length}"));
        }
        let margin = |x: &Array, size: usize, first: bool| -> Result<Option<Array>, Problem> {
            if size == 0 {
                return Ok(None);
            }
            let mut shape = x.shape();
            shape[axis] = size;
            Ok(Some(match mode {
                "constant" => {
                    let kind = x.kind();
                    call.full(&shape, value, kind)?
                }
                "reflect" if first => x.clone().slice(axis, 1, size + 1, 1)?.flip(&[axis]),
                "reflect" => x.clone().slice(axis, length - 1 - size, length - 1, 1)?.flip(&[axis]),
                "replicate" if first => x.clone().slice(axis, 0, 1, 1)?.expand(&shape)?,
                "replicate" => x.clone().slice(axis, length - 1, length, 1)?.expand(&shape)?,
                "circular" if first && size <= length => x.clone().slice(axis, length - size, length, 1)?,
                "circular" if size <= length => x.clone().slice(axis, 0, size, 1)?,
                other => return Err(format!("a margin of the kind `{other}`")),
            }))
        };
        let parts = [margin(&x, before, true)?, Some(x.clone()), margin(&x, behind, false)?];
        let parts: Vec<Array> = parts.into_iter().flatten().collect();
        if parts.len() > 1 {
            x = Array::cat(parts, axis as i64)?;
        }
    }
    one(x)
}

/// With `part` in the place of what stands from `start` to before `end` along an axis.
fn replaced(call: &Call, x: Array, part: Array, axis: usize, start: usize, end: usize) -> Result<Array, Problem> {
    let mut shape = x.shape();
    let length = shape[axis];
    shape[axis] = end - start;
    let part = call.cast(part, x.kind()).expand(&shape)?;
    let mut parts = Vec::new();
    if start > 0 {
        parts.push(x.clone().slice(axis, 0, start, 1)?);
    }
    if end > start {
        parts.push(part);
    }
    if end < length {
        parts.push(x.slice(axis, end, length, 1)?);
    }
    if parts.len() == 1 { Ok(parts.remove(0)) } else { Array::cat(parts, axis as i64) }
}
