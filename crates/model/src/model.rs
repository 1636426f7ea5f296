//! Networks by name: the `[model]` table of a training configuration.
//!
//! One table makes the enum of settings, the enum of networks and the list of names; the settings say the rest in the
//! network's own file ([`Settings`]).

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::ModelError;
use crate::linear::{LinearModel, LinearModelConfig};
use crate::mlp::{Mlp, MlpConfig};
use crate::network::{Network, Settings, Size};

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

        impl Network for Model {
            type Input = Tensor<2>;

            fn forward(&self, input: Tensor<2>) -> Tensor<2> {
                match self {
                    $(Self::$variant(network) => network.forward(input),)+
                }
            }
        }

        /// Which network to build; the `[model]` table of a training configuration.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum ModelConfig {
            $(#[doc = $words] #[serde(rename = $name)] $variant($settings),)+
        }

        impl ModelConfig {
            /// Every name accepted in a configuration, with one line on what it is.
            pub const ALL: &'static [(&'static str, &'static str)] = &[$(($name, $words)),+];

            /// How large the network is for `inputs` features and `outputs` outputs.
            ///
            /// # Errors
            ///
            /// When a width is zero, there are too many weights, or a feature map cannot be built.
            pub fn size(&self, inputs: usize, outputs: usize) -> Result<Size, ModelError> {
                match self {
                    $(Self::$variant(settings) => settings.size(inputs, outputs),)+
                }
            }

            /// Builds the network for `inputs` features and `outputs` outputs, its initial weights drawn from `seed`.
            ///
            /// # Errors
            ///
            /// What [`size`](Self::size) reports.
            pub fn init(
                &self,
                inputs: usize,
                outputs: usize,
                seed: u64,
                device: &Device,
                dtype: DType,
            ) -> Result<Model, ModelError> {
                match self {
                    $(Self::$variant(settings) => {
                        Ok(Model::$variant(settings.build(inputs, outputs, seed, device, dtype)?))
                    })+
                }
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
}
