//! VGG networks for small images (Simonyan & Zisserman 2015, table 1: columns A, B and D).
//!
//! Five stages of 3×3 convolutions that keep the image's size, each convolution followed by `σ(norm(·))` and each stage
//! by pooling over squares of two; then one fully connected layer on every pixel, in place of the paper's three, as
//! Cohen et al. (2021, appendix J) and others have it for CIFAR. It is a [`Cnn`] with these settings.
//!
//! Weights are exchanged under the names of torchvision's `VGG`, `features.0`, `features.1`, …, and `classifier` for
//! the one layer behind them.

use burn::tensor::{DType, Device};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::activation::Activation;
use crate::cnn::{Cnn, CnnConfig, ConvolutionConfig, Head, Pooling};
use crate::error::ModelError;
use crate::network::{Settings, Size, names_of_layer};
use crate::norm::Norm;
use crate::sample::{Outputs, Sample};

/// Configuration of a VGG network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VggConfig {
    /// Layers with weights in the paper's count, which has two fully connected ones more: 11, 13 or 16. Default: 11.
    #[serde(default = "eleven")]
    pub depth: usize,
    /// Channels of the first stage; the others have 2, 4, 8 and 8 times as many. Default: 64, as in the paper.
    #[serde(default = "sixty_four")]
    pub width: usize,
    /// Nonlinearity. Default: relu, as in the paper.
    #[serde(default = "relu")]
    pub activation: Activation,
    /// What each convolution's output is normalized by. Default: nothing, as in the paper.
    #[serde(default)]
    pub norm: Norm,
    /// How pixels are pooled. Default: by their maximum, as in the paper.
    #[serde(default = "max")]
    pub pooling: Pooling,
}

fn eleven() -> usize {
    11
}

fn sixty_four() -> usize {
    64
}

fn relu() -> Activation {
    Activation::Relu
}

fn max() -> Pooling {
    Pooling::Max
}

impl Default for VggConfig {
    fn default() -> Self {
        Self { depth: eleven(), width: sixty_four(), activation: relu(), norm: Norm::default(), pooling: max() }
    }
}

impl VggConfig {
    /// A network of this depth and width; relu, no normalization, maxima.
    #[must_use]
    pub fn new(depth: usize, width: usize) -> Self {
        Self { depth, width, ..Self::default() }
    }

    /// Sets what convolutions are normalized by.
    #[must_use]
    pub fn with_norm(mut self, norm: Norm) -> Self {
        self.norm = norm;
        self
    }

    /// As a convolutional network, for images of these sizes.
    fn cnn(&self, [_, height, width]: [usize; 3]) -> Result<CnnConfig, ModelError> {
        let wrong = |key, problem| Err(ModelError::Layer { layer: "the network".to_owned(), key, problem });
        let convolutions = match self.depth {
            11 => [1, 1, 2, 2, 2],
            13 => [2, 2, 2, 2, 2],
            16 => [2, 2, 3, 3, 3],
            depth => return wrong("depth", format!("depth = {depth} is not possible: 11, 13 or 16")),
        };
        if self.width == 0 {
            return Err(ModelError::ZeroWidth { layer: "the first stage".to_owned() });
        }
        if height % 32 != 0 || width % 32 != 0 {
            let problem = format!(
                "it halves images five times, which those of {height}×{width} pixels, no multiples of 32, do not"
            );
            return wrong("name", problem);
        }
        let stages = convolutions.into_iter().zip([1, 2, 4, 8, 8]).flat_map(|(count, times)| {
            let channels = self.width.saturating_mul(times);
            (1..=count).map(move |at| ConvolutionConfig::new(channels).with_pool(if at == count { 2 } else { 1 }))
        });
        Ok(CnnConfig {
            hidden: Vec::new(),
            activation: self.activation,
            bias: true,
            norm: self.norm,
            pooling: self.pooling,
            head: Head::Flatten,
            layers: stages.collect(),
        })
    }

    /// Builds the network for images `[channels, height, width]`, its weights drawn from `seed` as those of a
    /// [`CnnConfig`].
    ///
    /// # Errors
    ///
    /// [`ModelError::Layer`] for a depth that there is not, or images that cannot be halved five times; otherwise as
    /// [`CnnConfig::init`].
    pub fn init(
        &self,
        image: [usize; 3],
        outputs: usize,
        seed: u64,
        device: &Device,
        dtype: DType,
    ) -> Result<Cnn, ModelError> {
        self.cnn(image)?.init(image, outputs, seed, device, dtype)
    }
}

impl Settings for VggConfig {
    type Network = Cnn;

    type Takes = [usize; 3];

    const FLAT: bool = false;

    fn takes(sample: &Sample) -> Result<[usize; 3], ModelError> {
        sample.image()
    }

    fn pytorch_names(&self) -> Vec<String> {
        // A depth that there is not has been refused.
        let convolutions = self.cnn([1, 32, 32]).map(|cnn| cnn.names_of_convolutions("features.").0);
        convolutions.unwrap_or_default().into_iter().chain(names_of_layer("classifier", true)).collect()
    }

    fn folded(network: Cnn) -> Cnn {
        network
    }

    fn size(&self, image: [usize; 3], outputs: Outputs) -> Result<Size, ModelError> {
        self.cnn(image)?.measure(image, outputs.total())
    }

    fn build(
        &self,
        takes: [usize; 3],
        outputs: Outputs,
        seed: u64,
        device: &Device,
        dtype: DType,
    ) -> Result<Cnn, ModelError> {
        self.init(takes, outputs.total(), seed, device, dtype)
    }
}
