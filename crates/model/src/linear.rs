//! The linear model `F(w) = Φ w` over a feature map: every statement of the notes about quadratics is about this one.

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dense::{Dense, parameter};
use crate::error::ModelError;
use crate::features::{FeatureMap, Features};
use crate::network::{Network, Settings, Size, names_of_layer};
use crate::sample::{Outputs, Sample};

/// Configuration of a [`LinearModel`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinearModelConfig {
    /// The feature map. Default: identity.
    #[serde(default)]
    pub features: FeatureMap,
}

impl LinearModelConfig {
    /// Whether the model can be built.
    ///
    /// # Errors
    ///
    /// [`ModelError::ZeroWidth`] without inputs or outputs, or what [`FeatureMap::check`] reports.
    pub fn check(&self, inputs: usize, outputs: usize) -> Result<(), ModelError> {
        for (width, layer) in [(inputs, "the input"), (outputs, "the output")] {
            if width == 0 {
                return Err(ModelError::ZeroWidth { layer: layer.to_owned() });
            }
        }
        self.features.check(inputs)
    }

    /// Builds the model with `w = 0`; random features are drawn from `seed`.
    ///
    /// Zero is the customary start of a linear model: gradient descent then converges to the solution of least norm.
    ///
    /// # Errors
    ///
    /// What [`check`](Self::check) reports.
    pub fn init(
        &self,
        inputs: usize,
        outputs: usize,
        seed: u64,
        device: &Device,
        dtype: DType,
    ) -> Result<LinearModel, ModelError> {
        self.check(inputs, outputs)?;
        let features = self.features.init(inputs, seed, device, dtype)?;
        let shape = [outputs, self.features.len(inputs)];
        let zeros = TensorData::new(vec![0.0; shape[0] * shape[1]], shape);
        let output = Dense { weight: parameter(zeros, device, dtype), bias: None };
        Ok(LinearModel { features, output })
    }
}

impl Settings for LinearModelConfig {
    type Network = LinearModel;

    type Takes = usize;

    const FLAT: bool = true;

    fn takes(sample: &Sample) -> Result<usize, ModelError> {
        sample.numbers()
    }

    /// `0.weight`, the one layer on the features.
    fn pytorch_names(&self) -> Vec<String> {
        names_of_layer(0, false).collect()
    }

    fn folded(network: LinearModel) -> LinearModel {
        network
    }

    fn size(&self, inputs: usize, outputs: Outputs) -> Result<Size, ModelError> {
        let outputs = outputs.total();
        self.check(inputs, outputs)?;
        Ok(Size::of_layers(&[self.features.len(inputs), outputs], false))
    }

    fn build(
        &self,
        takes: usize,
        outputs: Outputs,
        seed: u64,
        device: &Device,
        dtype: DType,
    ) -> Result<LinearModel, ModelError> {
        self.init(takes, outputs.total(), seed, device, dtype)
    }
}

/// `F(w) = Φ w`; built by [`LinearModelConfig::init`].
#[derive(Module, Debug)]
pub struct LinearModel {
    features: Features,
    /// The weights w, `[C, m]`: one row an output.
    pub output: Dense,
}

impl Network for LinearModel {
    type Input = Tensor<2>;

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        self.output.forward(self.features.forward(input).transpose()).transpose()
    }
}
