//! Networks by name: the `[model]` table of a training configuration.
//!
//! One table makes the enum of settings, the enum of networks and the list of names; the settings say the rest in the
//! network's own file ([`Settings`]).

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};
use losscape_exchange::{Exported, Program};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cnn::{Cnn, CnnConfig};
use crate::error::ModelError;
use crate::exported::ExportedConfig;
use crate::initial::too_many;
use crate::input::ModelInput;
use crate::linear::{LinearModel, LinearModelConfig};
use crate::lstm::{Lstm, LstmConfig};
use crate::mlp::{Mlp, MlpConfig};
use crate::network::{Network, Settings, Size};
use crate::resnet::{ResNet, ResNetConfig};
use crate::sample::{Outputs, Sample};
use crate::transformer::{Transformer, TransformerConfig};
use crate::vgg::VggConfig;
use crate::vit::{Vit, VitConfig};

/// The table of networks: a variant with the network and its settings, its name in a configuration, and what it is. The
/// settings say all the rest, in the network's own file.
macro_rules! networks {
    ($($variant:ident($network:ty, $settings:ty) = $name:literal: $words:literal;)+) => {
        /// A network that a configuration file can name.
        #[derive(Module, Debug)]
        #[allow(clippy::large_enum_variant)] // one of it exists per run
        pub enum Model {
            $(#[doc = $words] $variant($network),)+
        }

        impl Model {
            /// The same function as PyTorch has it: multipliers multiplied into their weights.
            #[must_use]
            pub fn folded(self) -> Self {
                match self {
                    $(Self::$variant(network) => Self::$variant(<$settings>::folded(network)),)+
                }
            }
        }

        impl Network for Model {
            type Input = ModelInput;

            /// Outputs `[n, C]`.
            ///
            /// # Panics
            ///
            /// For inputs of another kind than the network was built for, as for another shape.
            fn forward(&self, input: ModelInput) -> Tensor<2> {
                match self {
                    $(Self::$variant(network) => {
                        Network::forward(network, input.try_into().unwrap_or_else(|error| panic!("{error}")))
                    })+
                }
            }

            fn reseed(&self, seed: u64) {
                match self {
                    $(Self::$variant(network) => Network::reseed(network, seed),)+
                }
            }
        }

        /// Which network to build; the `[model]` table of a training configuration.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[non_exhaustive]
        pub enum ModelConfig {
            $(#[doc = $words] #[serde(rename = $name)] $variant($settings),)+
        }

        impl ModelConfig {
            /// Every name accepted in a configuration, with one line on what it is.
            pub const ALL: &'static [(&'static str, &'static str)] = &[$(($name, $words)),+];

            /// The names of the parameters and running statistics in PyTorch, in the order in which Burn visits them.
            #[must_use]
            pub fn pytorch_names(&self) -> Vec<String> {
                match self {
                    $(Self::$variant(settings) => settings.pytorch_names(),)+
                }
            }

            /// Whether the network takes the numbers of a sample in a row, so that their shape does not count.
            #[must_use]
            pub fn is_flat(&self) -> bool {
                match self {
                    $(Self::$variant(_) => <$settings>::FLAT,)+
                }
            }

            /// How large the network is for such samples and outputs.
            ///
            /// # Errors
            ///
            /// When it does not take such samples or outputs, a width is zero, there are too many weights, or a feature
            /// map cannot be built.
            pub fn size(&self, sample: &Sample, outputs: impl Into<Outputs>) -> Result<Size, ModelError> {
                let size = match self {
                    $(Self::$variant(settings) => settings.size(<$settings>::takes(sample)?, outputs.into())?,)+
                };
                too_many(size.parameters)?;
                Ok(size)
            }

            /// Builds the network for such samples and outputs, its initial weights drawn from `seed`.
            ///
            /// # Errors
            ///
            /// What [`size`](Self::size) reports.
            pub fn init(
                &self,
                sample: &Sample,
                outputs: impl Into<Outputs>,
                seed: u64,
                device: &Device,
                dtype: DType,
            ) -> Result<Model, ModelError> {
                let outputs = outputs.into();
                self.size(sample, outputs)?;
                match self {
                    $(Self::$variant(settings) => {
                        let takes = <$settings>::takes(sample)?;
                        Ok(Model::$variant(settings.build(takes, outputs, seed, device, dtype)?))
                    })+
                }
            }

            /// Whether samples of a batch see each other in training: by batch norm.
            #[must_use]
            pub fn sees_batch(&self) -> bool {
                self.pytorch_names().iter().any(|name| name.ends_with(".running_mean"))
            }
        }

        impl ModelConfig {
            /// The archive that the network is read from, if it is.
            #[must_use]
            pub fn exported(&self) -> Option<&ExportedConfig> {
                if let Self::Exported(exported) = self { Some(exported) } else { None }
            }

            /// The same, to be changed.
            pub fn exported_mut(&mut self) -> Option<&mut ExportedConfig> {
                if let Self::Exported(exported) = self { Some(exported) } else { None }
            }

            /// Whether training drops numbers at random.
            #[must_use]
            pub fn drops(&self) -> bool {
                self.exported().and_then(|exported| exported.program().ok()).is_some_and(Program::drops)
            }
        }

        $(impl From<$settings> for ModelConfig {
            fn from(settings: $settings) -> Self {
                Self::$variant(settings)
            }
        })+
    };
}

networks! {
    Mlp(Mlp, MlpConfig) = "mlp": "multilayer perceptron; standard, NTK or mean-field parameterization";
    Linear(LinearModel, LinearModelConfig) =
        "linear": "linear in its parameters, over identity, polynomial or random Fourier features";
    Cnn(Cnn, CnnConfig) =
        "cnn": "convolutions with pooling, group or batch norm, then fully connected layers; of images";
    Vgg(Cnn, VggConfig) = "vgg": "VGG of depth 11, 13 or 16, with a norm or none; of images";
    ResNet(ResNet, ResNetConfig) =
        "resnet": "residual network of depth 18 or 6n + 2, with a norm or none; of images";
    Vit(Vit, VitConfig) = "vit": "vision transformer; of images";
    Transformer(Transformer, TransformerConfig) =
        "transformer": "attention, causal or not, with outputs for a sequence or each position; of tokens";
    Lstm(Lstm, LstmConfig) = "lstm": "long short-term memory, with outputs for a sequence or each position; of tokens";
    Exported(Exported, ExportedConfig) = "exported": "a network from PyTorch, an archive of torch.export.save";
}
