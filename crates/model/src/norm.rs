//! What the output of a convolution is normalized by.

use burn::module::{Module, RunningState};
use burn::nn::{BatchNorm, BatchNormConfig, GroupNorm, GroupNormConfig};
use burn::tensor::{DType, Device, Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dense::parameter;
use crate::network::names_of_layer;

/// What the output of a convolution is normalized by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// Nothing.
    #[default]
    None,
    /// Mean and variance of groups of channels of the same sample (Wu & He 2018); ϵ is 1e-5, as in PyTorch.
    Group {
        /// Number of groups; it divides the channels.
        groups: usize,
    },
    /// Mean and variance of each channel over the batch in training, their running averages at inference (Ioffe &
    /// Szegedy 2015); ϵ is 1e-5 and a step's share of the averages 0.1, as in PyTorch.
    ///
    /// The running variance is of the biased variances of the batches, as Burn keeps it; the paper's algorithm 2 and
    /// PyTorch take `m/(m − 1)` of them for batches of m numbers a channel.
    Batch,
}

impl Norm {
    /// Whether so many channels of so many pixels can be normalized.
    pub(crate) fn check(self, channels: usize, pixels: usize) -> Result<(), String> {
        let Self::Group { groups } = self else { return Ok(()) };
        if groups == 0 || !channels.is_multiple_of(groups) {
            return Err(format!("its {channels} channels do not fall into {groups} equal groups"));
        }
        let numbers = (channels / groups).saturating_mul(pixels);
        // Burn refuses inputs of two numbers and fewer.
        if numbers < 2 || channels.saturating_mul(pixels) <= 2 {
            return Err(format!("its groups of {numbers} numbers are too few for a variance"));
        }
        Ok(())
    }

    /// The layer for so many channels, at scale one and shift zero.
    pub(crate) fn init(self, channels: usize, device: &Device, dtype: DType) -> Option<Normalization> {
        let vector = |value: f64| TensorData::new(vec![value; channels], [channels]);
        let [scale, shift] = [1.0, 0.0].map(|value| parameter(vector(value), device, dtype));
        match self {
            Self::None => None,
            Self::Group { groups } => {
                let mut norm = GroupNormConfig::new(groups, channels).with_affine(false).init(device);
                norm.affine = true;
                (norm.gamma, norm.beta) = (Some(scale), Some(shift));
                Some(Normalization::Group(norm))
            }
            Self::Batch => {
                let running = |value: f64| {
                    let tensor: Tensor<1> = Tensor::from_data(vector(value).convert_dtype(dtype), (device, dtype));
                    RunningState::new(tensor)
                };
                let mut norm = BatchNormConfig::new(channels).init(device);
                (norm.gamma, norm.beta) = (scale, shift);
                (norm.running_mean, norm.running_var) = (running(0.0), running(1.0));
                Some(Normalization::Batch(norm))
            }
        }
    }

    /// The names in PyTorch of the numbers of the layer with this name, in the order in which Burn visits them.
    pub(crate) fn names(self, layer: &str) -> Vec<String> {
        let mut names = Vec::new();
        if self != Self::None {
            names.extend(names_of_layer(layer, true));
        }
        if self == Self::Batch {
            names.extend(["running_mean", "running_var"].map(|part| format!("{layer}.{part}")));
        }
        names
    }

    /// Trainable numbers for each channel.
    pub(crate) fn parameters(self) -> usize {
        if self == Self::None { 0 } else { 2 }
    }

    /// Arrays of the size of its input that derivatives keep: that centred, and scaled.
    pub(crate) fn kept(self) -> usize {
        if self == Self::None { 0 } else { 2 }
    }
}

/// A layer that normalizes.
#[derive(Module, Debug)]
pub enum Normalization {
    /// By groups of channels.
    Group(GroupNorm),
    /// By the batch.
    Batch(BatchNorm),
}

impl Normalization {
    /// The normalized `[n, channels, height, width]`.
    #[must_use]
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Group(norm) => norm.forward(x),
            Self::Batch(norm) => norm.forward(x),
        }
    }
}
