//! The convolution with square kernel, of Burn, with weights of our own drawing.

use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{DType, Device, TensorData};

use crate::dense::parameter;

/// Shape and steps of a convolution.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shape {
    pub from: usize,
    pub to: usize,
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
    pub bias: bool,
}

impl Shape {
    /// `[to, from, kernel, kernel]`.
    pub fn weight(self) -> [usize; 4] {
        [self.to, self.from, self.kernel, self.kernel]
    }

    /// Numbers that a result depends on; saturating.
    pub fn fan_in(self) -> usize {
        self.from.saturating_mul(self.kernel).saturating_mul(self.kernel)
    }

    /// The layer with these weights, biases at zero.
    pub fn init(self, weight: TensorData, device: &Device, dtype: DType) -> Conv2d {
        let padding = self.padding;
        // Burn's own draws are of the process, not of a seed: they are replaced before they are read.
        let mut convolution = Conv2dConfig::new([self.from, self.to], [self.kernel; 2])
            .with_stride([self.stride; 2])
            .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding))
            .with_bias(false)
            .init(device);
        let zeros = || TensorData::new(vec![0.0; self.to], [self.to]);
        convolution.weight = parameter(weight, device, dtype);
        convolution.bias = self.bias.then(|| parameter(zeros(), device, dtype));
        convolution
    }
}
