//! Whether a network from PyTorch can be applied to all samples.

use burn::module::Module;
use losscape_model::data::Dataset;
use losscape_model::exported::outputs;
use losscape_model::{FromDataset, Model, ModelInput};
use losscape_tangent::{Inputs, parameters};

use crate::error::LabError;
use crate::memory::{amount, available, evaluated_at_once};

/// Which rows a network chooses, of an embedding say, may depend on the numbers of a sample: all are tried. For one it
/// has so many units.
pub(crate) fn check(network: &Model, data: &Dataset, units: usize) -> Result<(), LabError> {
    let Model::Exported(network) = network else { return Ok(()) };
    let Some(w) = parameters::ravel(network) else { return Ok(()) };
    let bytes = units.saturating_mul(w.dtype().size());
    if let Some(free) = available().filter(|free| bytes > *free) {
        let problem = format!("its values for one sample take {}, and {} are free", amount(bytes), amount(free));
        return Err(LabError::Network { problem });
    }
    if !network.program().can_fail() {
        return Ok(());
    }
    let network = network.valid();
    let inputs = ModelInput::from_dataset(data, &w.device(), w.dtype())?;
    let together = evaluated_at_once(false, units);
    for from in (0..data.len()).step_by(together) {
        let samples = together.min(data.len() - from);
        outputs(&network, inputs.narrow(from, samples)).map_err(|problem| LabError::Network {
            problem: format!("samples {from} to {}: {problem}", from + samples - 1),
        })?;
    }
    Ok(())
}
