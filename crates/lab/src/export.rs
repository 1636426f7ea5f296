//! Weights for PyTorch: safetensors under the names and in the layout of an `nn.Sequential`.
//!
//! For an MLP these are `0.weight`, `0.bias`, `2.weight`, …: the linear layers of `Sequential(Linear, σ, Linear, …)`,
//! each weight `[out, in]`, the multipliers of the NTK and mean-field parameterizations multiplied in. A linear model
//! is the single layer `0.weight` on its features.

use std::path::Path;

use burn::store::{ModuleSnapshot, SafetensorsStore};
use losscape_model::Model;

use burn::module::Module;

use crate::LabError;
use crate::folder::write_whole;

/// Writes the network's weights to `path`, whole or not at all.
///
/// # Errors
///
/// When the file cannot be written.
pub fn safetensors(model: &Model, path: &Path) -> Result<(), LabError> {
    let failed =
        |problem: &dyn std::fmt::Display| LabError::Damaged { path: path.to_owned(), problem: problem.to_string() };
    // One entry of metadata: with more, their order in the file would change from run to run.
    let mut store = SafetensorsStore::from_bytes(None).clear_metadata().metadata("format", "pt");
    match model.valid() {
        Model::Mlp(mlp) => {
            for layer in 0..mlp.layers.len() {
                store = store.with_key_remapping(format!(r"^layers\.{layer}\."), format!("{}.", 2 * layer));
            }
            mlp.folded().save_into(&mut store).map_err(|error| failed(&error))?;
        }
        Model::Linear(model) => {
            store = store.with_key_remapping(r"^output\.", "0.");
            model.save_into(&mut store).map_err(|error| failed(&error))?;
        }
    }
    let bytes = store.get_bytes().map_err(|error| failed(&error))?;
    write_whole(path, &bytes)
}
