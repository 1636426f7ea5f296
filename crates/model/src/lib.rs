//! Networks, losses and data: what is trained, and on what.
//!
//! A network here is a plain Burn [`Module`](burn::module::Module) with nothing but a forward pass; nothing in this
//! crate knows an optimizer. The rooms:
//!
//! - [`Network`]: the one trait; any Burn module that maps an input to `[n, C]` outputs can be trained and measured.
//! - [`mlp`]: multilayer perceptrons in standard, NTK or mean-field parameterization.
//! - [`cnn`], [`vgg`], [`resnet`]: convolutional and residual networks, with a [`norm`] or without.
//! - [`vit`], [`transformer`]: networks of [`encoder`] blocks with attention; [`lstm`]: of layers with memory.
//! - [`exported`]: networks from PyTorch, read from archives of `torch.export`.
//! - [`dense`]: the fully connected layer.
//! - [`linear`]: the linear model `F(w) = Φ w` over the [`features`] of its input.
//! - [`Sample`]: what one input is: numbers, an image, tokens; [`Outputs`]: what is said of it;
//!   [`FromDataset`]: inputs made of a data set.
//! - [`activation`]: the elementwise nonlinearities.
//! - [`loss`]: losses with value, gradient and Hessian product *in the outputs*.
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
pub mod augment;
pub mod cnn;
mod convolution;
pub mod data;
pub mod dense;
pub mod encoder;
mod error;
pub mod exported;
pub mod features;
mod initial;
mod input;
pub mod label_noise;
pub mod linear;
pub mod loss;
pub mod lstm;
pub mod mlp;
mod model;
pub mod network;
pub mod norm;
pub mod random;
pub mod resnet;
mod sample;
mod sequence;
pub mod transformer;
pub mod vgg;
pub mod vit;

pub use activation::Activation;
pub use augment::Augment;
pub use cnn::{Cnn, CnnConfig, ConvolutionConfig};
pub use error::ModelError;
pub use exported::ExportedConfig;
pub use features::FeatureMap;
pub use input::{FromDataset, ModelInput};
pub use linear::{LinearModel, LinearModelConfig};
pub use loss::{Loss, LossKind, Reduction};
pub use lstm::{Lstm, LstmConfig};
pub use mlp::{Mlp, MlpConfig, Parameterization};
pub use model::{Model, ModelConfig};
pub use network::{Network, Size};
pub use norm::Norm;
pub use resnet::{ResNet, ResNetConfig};
pub use sample::{Outputs, Sample};
pub use transformer::{Transformer, TransformerConfig};
pub use vgg::VggConfig;
pub use vit::{Vit, VitConfig};

/// The README's examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
