//! A data set's inputs on a device, as networks take them.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use losscape_tangent::{Inputs, TensorMapper};

use crate::data::Dataset;
use crate::error::ModelError;
use crate::sample::Sample;

/// Inputs that can be made of a data set.
pub trait FromDataset: Inputs {
    /// The inputs of all samples, on a device; floats in `dtype`.
    ///
    /// # Errors
    ///
    /// [`ModelError::Samples`] when the samples are of another kind.
    fn from_dataset(data: &Dataset, device: &Device, dtype: DType) -> Result<Self, ModelError>;
}

/// Numbers in a row, whatever shape they have: `[n, d]`.
impl FromDataset for Tensor<2> {
    fn from_dataset(data: &Dataset, device: &Device, dtype: DType) -> Result<Self, ModelError> {
        floats(data, [data.len(), data.sample.numbers()?], device, dtype)
    }
}

/// Images `[n, channels, height, width]`.
impl FromDataset for Tensor<4> {
    fn from_dataset(data: &Dataset, device: &Device, dtype: DType) -> Result<Self, ModelError> {
        let [channels, height, width] = data.sample.image()?;
        floats(data, [data.len(), channels, height, width], device, dtype)
    }
}

/// Tokens `[n, length]`.
impl FromDataset for Tensor<2, Int> {
    fn from_dataset(data: &Dataset, device: &Device, _: DType) -> Result<Self, ModelError> {
        let [length, _] = data.sample.tokens()?;
        let tokens: Vec<i64> = data.inputs.values.iter().map(|&token| token as i64).collect();
        Ok(Tensor::from_data(TensorData::new(tokens, [data.len(), length]), (device, DType::I64)))
    }
}

fn floats<const D: usize>(
    data: &Dataset,
    shape: [usize; D],
    device: &Device,
    dtype: DType,
) -> Result<Tensor<D>, ModelError> {
    let values = TensorData::new(data.inputs.values.clone(), shape);
    Ok(Tensor::from_data(values.convert_dtype(dtype), (device, dtype)))
}

/// Inputs of a network that a configuration names, of the kind that the data have.
#[derive(Debug, Clone)]
pub enum ModelInput {
    /// Numbers in a row, `[n, d]`.
    Numbers(Tensor<2>),
    /// Images `[n, channels, height, width]`.
    Images(Tensor<4>),
    /// Tokens `[n, length]`.
    Tokens(Tensor<2, Int>),
}

impl Inputs for ModelInput {
    fn map(self, mapper: &mut impl TensorMapper) -> Self {
        match self {
            Self::Numbers(x) => Self::Numbers(mapper.float(x)),
            Self::Images(x) => Self::Images(mapper.float(x)),
            Self::Tokens(x) => Self::Tokens(mapper.int(x)),
        }
    }
}

impl FromDataset for ModelInput {
    fn from_dataset(data: &Dataset, device: &Device, dtype: DType) -> Result<Self, ModelError> {
        Ok(match data.sample {
            Sample::Numbers(_) => Self::Numbers(Tensor::from_dataset(data, device, dtype)?),
            Sample::Image { .. } => Self::Images(Tensor::from_dataset(data, device, dtype)?),
            Sample::Tokens { .. } => Self::Tokens(Tensor::from_dataset(data, device, dtype)?),
        })
    }
}

/// Images are taken in a row, too.
///
/// # Panics
///
/// For tokens.
impl From<ModelInput> for Tensor<2> {
    fn from(input: ModelInput) -> Self {
        match input {
            ModelInput::Numbers(x) => x,
            ModelInput::Images(x) => x.flatten(1, 3),
            ModelInput::Tokens(_) => panic!("the network takes numbers, not tokens"),
        }
    }
}

/// # Panics
///
/// For all but images.
impl From<ModelInput> for Tensor<4> {
    fn from(input: ModelInput) -> Self {
        match input {
            ModelInput::Images(x) => x,
            _ => panic!("the network takes images"),
        }
    }
}

/// # Panics
///
/// For all but tokens.
impl From<ModelInput> for Tensor<2, Int> {
    fn from(input: ModelInput) -> Self {
        match input {
            ModelInput::Tokens(x) => x,
            _ => panic!("the network takes tokens"),
        }
    }
}

impl From<Tensor<2>> for ModelInput {
    fn from(x: Tensor<2>) -> Self {
        Self::Numbers(x)
    }
}

impl From<Tensor<4>> for ModelInput {
    fn from(x: Tensor<4>) -> Self {
        Self::Images(x)
    }
}

impl From<Tensor<2, Int>> for ModelInput {
    fn from(x: Tensor<2, Int>) -> Self {
        Self::Tokens(x)
    }
}
