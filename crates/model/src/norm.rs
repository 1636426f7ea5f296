//! What the output of a convolution is normalized by.

use burn::nn::{GroupNorm, GroupNormConfig};
use burn::tensor::{DType, Device, TensorData};
use serde::{Deserialize, Serialize};

use crate::dense::parameter;

/// What the output of a convolution is normalized by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
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
    pub(crate) fn init(self, channels: usize, device: &Device, dtype: DType) -> Option<GroupNorm> {
        let Self::Group { groups } = self else { return None };
        let vector = |value: f64| Some(parameter(TensorData::new(vec![value; channels], [channels]), device, dtype));
        let mut norm = GroupNormConfig::new(groups, channels).with_affine(false).init(device);
        norm.affine = true;
        (norm.gamma, norm.beta) = (vector(1.0), vector(0.0));
        Some(norm)
    }
}
