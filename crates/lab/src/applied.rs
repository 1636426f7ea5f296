//! Whether a network from PyTorch can be applied to all samples.

use burn::module::Module;
use losscape_model::data::Dataset;
use losscape_model::exported::outputs;
use losscape_model::{FromDataset, Model, ModelInput};
use losscape_tangent::{Inputs, parameters};

use crate::error::LabError;

/// Samples that are tried together.
const TOGETHER: usize = 64;

/// Which rows a network chooses, of an embedding say, may depend on the numbers of a sample: all are tried.
pub(crate) fn check(network: &Model, data: &Dataset) -> Result<(), LabError> {
    let Model::Exported(network) = network else { return Ok(()) };
    if !network.program().looks_up() {
        return Ok(());
    }
    let network = network.valid();
    let Some(w) = parameters::ravel(&network) else { return Ok(()) };
    let inputs = ModelInput::from_dataset(data, &w.device(), w.dtype())?;
    for from in (0..data.len()).step_by(TOGETHER) {
        let samples = TOGETHER.min(data.len() - from);
        outputs(&network, inputs.narrow(from, samples)).map_err(|problem| LabError::Network {
            problem: format!("samples {from} to {}: {problem}", from + samples - 1),
        })?;
    }
    Ok(())
}
