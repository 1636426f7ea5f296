//! [`Network`], the trait of everything that can be trained, and [`Model`], the networks a configuration file can name.

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::{LinearModel, LinearModelConfig, Mlp, MlpConfig, ModelError};

/// A Burn module that maps a batch of inputs to outputs `F(w) ∈ R^{n×C}`.
///
/// Implement it for a module of your own to train it with `losscape_lab`'s trainer:
///
/// ```
/// use burn::{module::Module, nn::Linear, tensor::Tensor};
/// use losscape_model::Network;
///
/// #[derive(Module, Debug)]
/// struct Mine { layer: Linear }
///
/// impl Network for Mine {
///     type Input = Tensor<2>;
///     fn forward(&self, input: Tensor<2>) -> Tensor<2> { self.layer.forward(input) }
/// }
/// ```
pub trait Network: Module {
    /// The type of a batch of inputs; its first dimension is the sample.
    type Input;

    /// Outputs `[n, C]` of a batch of `n` inputs.
    fn forward(&self, input: Self::Input) -> Tensor<2>;
}

/// A network that a configuration file can name.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // one of it exists per run
pub enum Model {
    /// Multilayer perceptron.
    Mlp(Mlp),
    /// Linear model over a feature map.
    Linear(LinearModel),
}

impl Network for Model {
    type Input = Tensor<2>;

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Mlp(model) => model.forward(input),
            Self::Linear(model) => model.forward(input),
        }
    }
}

/// Which network to build; the `[model]` table of a training configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelConfig {
    /// Multilayer perceptron.
    Mlp(MlpConfig),
    /// Linear model over a feature map: the notes' `Φ w`.
    Linear(LinearModelConfig),
}

/// How large a network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Parameters P.
    pub parameters: usize,
    /// Weights of its largest layer.
    pub widest: usize,
    /// Units of all layers, the input's features among them.
    pub units: usize,
}

impl ModelConfig {
    /// Every name accepted in a configuration, with one line on what it is.
    pub const ALL: &'static [(&'static str, &'static str)] = &[
        ("mlp", "multilayer perceptron; standard, NTK or mean-field parameterization"),
        ("linear", "linear in its parameters, over identity, polynomial or random Fourier features"),
    ];

    /// Whether the network can be built for `inputs` features and `outputs` outputs.
    ///
    /// # Errors
    ///
    /// When a width is zero or a feature map cannot be built.
    pub fn check(&self, inputs: usize, outputs: usize) -> Result<(), ModelError> {
        match self {
            Self::Mlp(config) => config.widths(inputs, outputs).map(drop),
            Self::Linear(config) => config.check(inputs, outputs),
        }
    }

    /// How large the network is for `inputs` features and `outputs` outputs.
    ///
    /// # Errors
    ///
    /// What [`check`](Self::check) reports.
    pub fn size(&self, inputs: usize, outputs: usize) -> Result<Size, ModelError> {
        let (widths, bias) = match self {
            Self::Mlp(config) => (config.widths(inputs, outputs)?, config.bias),
            Self::Linear(config) => {
                config.check(inputs, outputs)?;
                (vec![config.features.len(inputs), outputs], false)
            }
        };
        let layers = || widths.windows(2).map(|pair| pair[0].saturating_mul(pair[1]));
        let biases = if bias { widths[1..].iter().sum() } else { 0 };
        Ok(Size {
            parameters: layers().fold(biases, usize::saturating_add),
            widest: layers().max().unwrap_or(0),
            units: widths.iter().sum(),
        })
    }

    /// Builds the network for `inputs` features and `outputs` outputs, its initial weights drawn from `seed`.
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
    ) -> Result<Model, ModelError> {
        Ok(match self {
            Self::Mlp(config) => Model::Mlp(config.init(inputs, outputs, seed, device, dtype)?),
            Self::Linear(config) => Model::Linear(config.init(inputs, outputs, seed, device, dtype)?),
        })
    }
}
