//! Networks, losses and data: what is trained, and on what.
//!
//! A network here is a plain Burn [`Module`](burn::module::Module) with nothing but a forward pass; nothing in this
//! crate knows an optimizer. The rooms:
//!
//! - [`Network`]: the one trait; any Burn module that maps an input to `[n, C]` outputs can be trained and measured.
//! - [`mlp`]: multilayer perceptrons in standard, NTK or mean-field parameterization.
//! - [`dense`]: the fully connected layer.
//! - [`linear`]: the linear model `F(w) = Φ w` over the [`features`] of its input.
//! - [`activation`]: the elementwise nonlinearities.
//! - [`loss`]: squared error and cross-entropy with value, gradient and Hessian product *in the outputs*.
//! - [`data`]: datasets, generators, readers, splitting and standardization.
//! - [`random`]: ChaCha streams named by purpose; every draw of the project comes from one.
//!
//! # Example
//!
//! ```
//! use burn::tensor::{DType, Device, Tensor};
//! use losscape_model::{Activation, MlpConfig, Network};
//!
//! let device = Device::flex();
//! let mlp = MlpConfig::new([16, 16]).with_activation(Activation::Tanh).init(8, 1, 0, &device, DType::F64)?;
//! let outputs = mlp.forward(Tensor::zeros([32, 8], (&device, DType::F64)));
//! assert_eq!(outputs.dims(), [32, 1]);
//! # Ok::<(), losscape_model::ModelError>(())
//! ```

pub mod activation;
pub mod data;
pub mod dense;
pub mod features;
pub mod linear;
pub mod loss;
pub mod mlp;
pub mod network;
pub mod random;

pub use activation::Activation;
pub use features::FeatureMap;
pub use linear::{LinearModel, LinearModelConfig};
pub use loss::{Loss, LossKind, Reduction};
pub use mlp::{Mlp, MlpConfig, Parameterization};
pub use network::{Model, ModelConfig, Network, Size};

/// A model that cannot be built, or values that do not fit it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A width, or the number of inputs or outputs, is zero.
    #[error("{layer} has width 0; every layer needs at least one unit")]
    ZeroWidth {
        /// The layer, in words: "the input", "hidden layer 2", "the output".
        layer: String,
    },
    /// A feature map without features, or with more than memory can hold.
    #[error("{map} features of {inputs} inputs give {features} features; between 1 and {max} are possible")]
    Features {
        /// The feature map's name.
        map: &'static str,
        /// Number of inputs.
        inputs: usize,
        /// Number of features asked for (saturating).
        features: usize,
        /// The largest number accepted.
        max: usize,
    },
    /// A scale that must be positive and finite is not.
    #[error("{name} must be positive and finite, got {value}")]
    NotPositive {
        /// The parameter's name.
        name: &'static str,
        /// The value given.
        value: f64,
    },
    /// More hidden layers than can be trained.
    #[error("the network would have {layers} hidden layers; at most {max} are possible")]
    TooDeep {
        /// Hidden layers asked for.
        layers: usize,
        /// The largest number accepted.
        max: usize,
    },
    /// More parameters than memory can be expected to hold.
    #[error("the network would have {parameters} parameters; at most {max} are possible")]
    TooLarge {
        /// Parameters asked for (saturating).
        parameters: usize,
        /// The largest number accepted.
        max: usize,
    },
}
