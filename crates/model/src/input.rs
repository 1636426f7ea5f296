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
        data.sample.numbers()?;
        Ok(data.input_tensor(device, dtype))
    }
}

/// Images `[n, channels, height, width]`.
impl FromDataset for Tensor<4> {
    fn from_dataset(data: &Dataset, device: &Device, dtype: DType) -> Result<Self, ModelError> {
        let [channels, height, width] = data.sample.image()?;
        Ok(data.input_tensor(device, dtype).reshape([data.len(), channels, height, width]))
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

impl ModelInput {
    fn instead_of(&self, takes: &'static str) -> ModelError {
        let found = match self {
            Self::Numbers(_) => "rows of numbers",
            Self::Images(_) => "images",
            Self::Tokens(_) => "tokens",
        };
        ModelError::Samples { takes, found: found.to_owned(), help: "" }
    }
}

/// Images are taken in a row, too.
impl TryFrom<ModelInput> for Tensor<2> {
    type Error = ModelError;

    fn try_from(input: ModelInput) -> Result<Self, ModelError> {
        match input {
            ModelInput::Numbers(x) => Ok(x),
            ModelInput::Images(x) => Ok(x.flatten(1, 3)),
            ModelInput::Tokens(_) => Err(input.instead_of("numbers")),
        }
    }
}

impl TryFrom<ModelInput> for Tensor<4> {
    type Error = ModelError;

    fn try_from(input: ModelInput) -> Result<Self, ModelError> {
        match input {
            ModelInput::Images(x) => Ok(x),
            other => Err(other.instead_of("images")),
        }
    }
}

impl TryFrom<ModelInput> for Tensor<2, Int> {
    type Error = ModelError;

    fn try_from(input: ModelInput) -> Result<Self, ModelError> {
        match input {
            ModelInput::Tokens(x) => Ok(x),
            other => Err(other.instead_of("tokens")),
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
