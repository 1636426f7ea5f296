//! Vision transformers (Dosovitskiy et al. 2021).
//!
//! ```text
//! h₀ = [class; patches of the image, each through one matrix] + positions
//! h  = encoder(h₀)                                          blocks with attention, see `encoder`
//! F  = V h[class] + c
//! ```
//!
//! Patches are the squares of a convolution whose stride is its kernel. Initial matrices have variance `1/fan_in`,
//! positions the standard deviation 0.02 of the paper's code; the class token and biases start at zero. There is no
//! dropout.
//!
//! Weights are exchanged under the names that torchvision's `VisionTransformer` has: `class_token`, `conv_proj`,
//! `encoder.pos_embedding`, `encoder.layers.encoder_layer_0.ln_1`, …, `heads.head`.

use burn::module::{Module, Param};
use burn::nn::conv::Conv2d;
use burn::tensor::{DType, Device, Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::activation::Activation;
use crate::convolution;
use crate::dense::{Dense, parameter};
use crate::encoder::{self, Encoder};
use crate::error::ModelError;
use crate::initial::normal;
use crate::network::{Network, Settings, Size, names_of_layer};
use crate::sample::{Outputs, Sample};

/// Configuration of a [`Vit`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VitConfig {
    /// Rows and columns of a patch; they divide those of the image. Default: 4, which makes 64 patches of 32×32 pixels.
    #[serde(default = "four")]
    pub patch: usize,
    /// Numbers that a patch becomes. Default: 64.
    #[serde(default = "sixty_four")]
    pub width: usize,
    /// Blocks. Default: 2.
    #[serde(default = "two")]
    pub depth: usize,
    /// Heads of attention; they divide the width. Default: 4.
    #[serde(default = "four")]
    pub heads: usize,
    /// Nonlinearity. Default: gelu, as in the paper.
    #[serde(default = "gelu")]
    pub activation: Activation,
}

fn two() -> usize {
    2
}

fn four() -> usize {
    4
}

fn sixty_four() -> usize {
    64
}

fn gelu() -> Activation {
    Activation::Gelu
}

impl Default for VitConfig {
    fn default() -> Self {
        Self { patch: four(), width: sixty_four(), depth: two(), heads: four(), activation: gelu() }
    }
}

impl VitConfig {
    /// A network of this patch size, width, depth and number of heads; gelu.
    #[must_use]
    pub fn new(patch: usize, width: usize, depth: usize, heads: usize) -> Self {
        Self { patch, width, depth, heads, ..Self::default() }
    }

    fn encoder(&self) -> encoder::Shape {
        let Self { width, depth, heads, activation, .. } = *self;
        // ϵ is that of the paper's code and of torchvision.
        encoder::Shape { depth, width, heads, activation, causal: false, epsilon: 1e-6 }
    }

    /// The convolution that makes patches, and how many there are.
    fn patches(&self, [channels, height, width]: [usize; 3]) -> Result<(convolution::Shape, usize), ModelError> {
        let kernel = self.patch;
        if kernel == 0 || height % kernel != 0 || width % kernel != 0 {
            let problem = format!("images of {height}×{width} pixels do not fall into squares of {kernel}");
            return Err(ModelError::Layer { layer: "the patches".to_owned(), key: "patch", problem });
        }
        let (padding, bias) = (0, true);
        let shape = convolution::Shape { from: channels, to: self.width, kernel, stride: kernel, padding, bias };
        Ok((shape, (height / kernel).saturating_mul(width / kernel)))
    }

    /// Builds the network for images `[channels, height, width]`, its weights drawn from `seed`: patches, positions,
    /// blocks and output from streams `(seed, Init, l)` in f64, in that order, rounded to `dtype`.
    ///
    /// # Errors
    ///
    /// [`ModelError::Layer`] for images that do not fall into patches, or a width that does not fall into heads;
    /// [`ModelError::ZeroWidth`].
    pub fn init(
        &self,
        image: [usize; 3],
        outputs: usize,
        seed: u64,
        device: &Device,
        dtype: DType,
    ) -> Result<Vit, ModelError> {
        self.measure(image, outputs)?;
        let (shape, patches) = self.patches(image)?;
        let width = self.width;
        let zeros = |shape: &[usize]| TensorData::new(vec![0.0; shape.iter().product()], shape.to_vec());
        let patch = shape.init(normal(shape.weight(), 1.0 / shape.fan_in() as f64, seed, 0), device, dtype);
        let positions = normal([1, patches + 1, width], 0.02 * 0.02, seed, 1);
        let output = normal([outputs, width], 1.0 / width as f64, seed, 2);
        Ok(Vit {
            class: parameter(zeros(&[1, 1, width]), device, dtype),
            patch,
            positions: parameter(positions, device, dtype),
            encoder: self.encoder().init(seed, 3, device, dtype),
            output: Dense {
                weight: parameter(output, device, dtype),
                bias: Some(parameter(zeros(&[outputs]), device, dtype)),
            },
        })
    }

    fn measure(&self, image: [usize; 3], outputs: usize) -> Result<Size, ModelError> {
        self.encoder().check()?;
        let (shape, patches) = self.patches(image)?;
        if outputs == 0 {
            return Err(ModelError::ZeroWidth { layer: "the output".to_owned() });
        }
        let (blocks, last) = (self.encoder().size(patches + 1), Size::of_layers(&[self.width, outputs], true));
        let weights = self.width.saturating_mul(shape.fan_in());
        let positions = (patches + 1).saturating_mul(self.width);
        // Patches with their biases, positions, the class token.
        let own = weights.saturating_add(positions).saturating_add(2 * self.width);
        Ok(Size {
            parameters: blocks.parameters.saturating_add(last.parameters).saturating_add(own),
            widest: blocks.widest.max(weights).max(positions),
            units: blocks.units.saturating_add(last.units).saturating_add(image.iter().product()),
        })
    }
}

impl Settings for VitConfig {
    type Network = Vit;

    type Takes = [usize; 3];

    const FLAT: bool = false;

    fn takes(sample: &Sample) -> Result<[usize; 3], ModelError> {
        sample.image()
    }

    fn pytorch_names(&self) -> Vec<String> {
        let mut names = vec!["class_token".to_owned()];
        names.extend(names_of_layer("conv_proj", true));
        names.push("encoder.pos_embedding".to_owned());
        for block in 0..self.depth {
            let place = format!("encoder.layers.encoder_layer_{block}");
            names.extend(names_of_layer(format!("{place}.ln_1"), true));
            names.extend(["weight", "bias"].map(|part| format!("{place}.self_attention.in_proj_{part}")));
            for layer in ["self_attention.out_proj", "ln_2", "mlp.0", "mlp.3"] {
                names.extend(names_of_layer(format!("{place}.{layer}"), true));
            }
        }
        names.extend(names_of_layer("encoder.ln", true));
        names.extend(names_of_layer("heads.head", true));
        names
    }

    fn folded(network: Vit) -> Vit {
        network
    }

    fn size(&self, image: [usize; 3], outputs: Outputs) -> Result<Size, ModelError> {
        self.measure(image, outputs.total())
    }

    fn build(
        &self,
        takes: [usize; 3],
        outputs: Outputs,
        seed: u64,
        device: &Device,
        dtype: DType,
    ) -> Result<Vit, ModelError> {
        self.init(takes, outputs.total(), seed, device, dtype)
    }
}

/// A vision transformer; built by [`VitConfig::init`].
#[derive(Module, Debug)]
pub struct Vit {
    /// The class token, `[1, 1, width]`.
    pub class: Param<Tensor<3>>,
    /// What makes a vector of each patch.
    pub patch: Conv2d,
    /// Added at each position, `[1, 1 + patches, width]`.
    pub positions: Param<Tensor<3>>,
    /// The blocks.
    pub encoder: Encoder,
    /// V and c.
    pub output: Dense,
}

impl Network for Vit {
    type Input = Tensor<4>;

    fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        let patches: Tensor<3> = self.patch.forward(input).flatten::<3>(2, 3).swap_dims(1, 2);
        let [samples, _, width] = patches.dims();
        let class = self.class.val().expand([samples, 1, width]);
        let h = Tensor::cat(vec![class, patches], 1) + self.positions.val();
        let class: Tensor<2> = self.encoder.forward(h).narrow(1, 0, 1).flatten(1, 2);
        self.output.forward(class.transpose()).transpose()
    }
}
