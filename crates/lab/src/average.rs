//! The average of the weights that `[average]` asks for: its network, and what a checkpoint holds of it.

use std::path::Path;

use burn::tensor::Tensor;
use losscape_model::Network;
use losscape_optim::Average;
use losscape_optim::shared::apart;
use losscape_tangent::parameters;

use crate::error::LabError;
use crate::numbers::{self, Lists};
use crate::running::recomputed;

/// A network like this one at the averaged weights `[P]`, with the running statistics of these batches.
pub(crate) fn network_at<N: Network, B: Iterator<Item = N::Input>>(
    like: &N,
    weights: Tensor<1>,
    batches: impl Fn() -> B,
) -> Option<N> {
    let dtype = parameters::ravel(like)?.dtype();
    let network = parameters::unravel(apart(like), &weights.cast(dtype)).ok()?;
    Some(recomputed(network, batches))
}

const TAKEN: &str = "taken";

/// What it goes on from, as a file.
pub(crate) fn bytes(average: &Average) -> Vec<u8> {
    let kept = average.kept().into_iter().enumerate().map(|(at, weights)| (format!("kept.{at:04}"), weights));
    let taken = (TAKEN.to_owned(), vec![average.taken() as f64]);
    numbers::bytes(&kept.chain([taken]).collect())
}

/// How many weights were taken in and what is kept of them, from such a file of a network with so many parameters.
pub(crate) fn read(path: &Path, parameters: usize) -> Result<(usize, Vec<Vec<f64>>), LabError> {
    let mut lists: Lists = numbers::read(path)?;
    let taken = lists.remove(TAKEN);
    match taken.as_deref() {
        Some([taken]) if lists.values().all(|weights| weights.len() == parameters) => {
            Ok((*taken as usize, lists.into_values().collect()))
        }
        _ => Err(LabError::Damaged {
            path: path.to_owned(),
            problem: "it is not an average of the weights of this network".to_owned(),
        }),
    }
}
