//! States on disk, in the type they have in memory.
//!
//! Burn's `derive(RecordState)` reads every tensor in the device's default type: an f64 state would come back rounded
//! to f32. The states of our rules are written out with the functions here instead.

use burn::optim::{StateSink, StateSource};
use burn::tensor::{Device, Tensor};

/// Writes a tensor under `prefix.leaf`.
pub(crate) fn put<const D: usize>(tensor: &Tensor<D>, prefix: &str, leaf: &str, out: &mut StateSink) {
    out.push_tensor(prefix, leaf, tensor.to_data());
}

/// Reads the tensor under `prefix.leaf`, in the type that it was written in.
pub(crate) fn take<const D: usize>(
    prefix: &str,
    leaf: &str,
    source: &mut StateSource,
    device: &Device,
) -> Option<Tensor<D>> {
    let data = source.take_tensor(prefix, leaf)?;
    let dtype = data.dtype();
    Some(Tensor::from_data(data, (device, dtype)))
}
