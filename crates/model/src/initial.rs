//! Initial weights: normal draws of a seed, a stream a layer.

use burn::tensor::TensorData;
use rand_distr::{Distribution, Normal};

use crate::error::ModelError;
use crate::random::{Purpose, stream};

/// The most weights a network may have: a limit against slips of the pen, 8 GiB when they are drawn.
pub(crate) const MAX_PARAMETERS: usize = 1 << 30;

/// Normal numbers of this variance, from stream `(seed, Init, layer)`, row by row.
pub(crate) fn normal<const D: usize>(shape: [usize; D], variance: f64, seed: u64, layer: u64) -> TensorData {
    let normal = Normal::new(0.0, variance.sqrt()).expect("the variance is positive and finite");
    let mut random = stream(seed, Purpose::Init, layer);
    let weights: Vec<f64> = normal.sample_iter(&mut random).take(shape.iter().product()).collect();
    TensorData::new(weights, shape)
}

/// Refuses networks with more parameters than memory can be expected to hold.
pub(crate) fn too_many(parameters: usize) -> Result<(), ModelError> {
    if parameters > MAX_PARAMETERS {
        return Err(ModelError::TooLarge { parameters, max: MAX_PARAMETERS });
    }
    Ok(())
}
