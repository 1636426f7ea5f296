//! Lists of numbers by name, as a safetensors file: what a checkpoint holds beside network and method.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};

use crate::error::LabError;

/// Lists of numbers by name.
pub(crate) type Lists = BTreeMap<String, Vec<f64>>;

/// The lists as a file.
pub(crate) fn bytes(lists: &Lists) -> Vec<u8> {
    let bytes: Vec<(&String, Vec<u8>)> = lists
        .iter()
        .map(|(name, values)| (name, values.iter().flat_map(|value| value.to_le_bytes()).collect()))
        .collect();
    let views = bytes.iter().map(|(name, bytes)| {
        let view = TensorView::new(Dtype::F64, vec![bytes.len() / 8], bytes);
        (*name, view.expect("there are as many bytes as numbers"))
    });
    serialize(views, None).expect("names and sizes are in order")
}

/// The lists of such a file.
pub(crate) fn read(path: &Path) -> Result<Lists, LabError> {
    let damaged = |problem: String| LabError::Damaged { path: path.to_owned(), problem };
    let bytes = std::fs::read(path).map_err(LabError::io("read", path))?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
    let numbers = |view: TensorView| -> Vec<f64> {
        view.data().as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
    };
    Ok(tensors.iter().map(|(name, view)| (name.to_owned(), numbers(view))).collect())
}
