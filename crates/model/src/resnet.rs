//! Residual networks for small images (He, Zhang, Ren & Sun 2016).
//!
//! ```text
//! h ← σ(norm(W₀ ∗ x))                                    3×3, the image keeps its size
//! h ← σ(h′ + norm(W₂ ∗ σ(norm(W₁ ∗ h))))                 block after block, both 3×3
//! F = V mean(h) + c                                      the mean of each channel over its pixels
//! ```
//!
//! `h′` is h or, where the size changes, `norm(W ∗ h)` with a kernel of one pixel (their option B); the first block of
//! each stage but the first has stride 2 and twice the channels. Depth `6n + 2` (20, 32, 44, …) has three stages of n
//! blocks (§4.2), 18 has four of two (table 1, with the first layer of §4.2 in place of one for large images).
//!
//! With a norm, initial weights have variance `g²/fan_in` and convolutions no bias. Without, they have biases, and
//! weights start as in Fixup (Zhang, Dauphin & Ma 2019, §3), so that signals neither grow nor vanish with depth: `W₂`
//! and `V` at zero, `W₁` divided by the root of the number of blocks. Fixup's scalar multipliers, and its biases before
//! each layer, are left out.
//!
//! Weights are exchanged under the names that torchvision's `ResNet` has: `conv1`, `bn1`, `layer1.0.conv1`, …,
//! `layer2.0.downsample.0`, …, `fc`; a norm is named `bn`, of whatever kind it is.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::{DType, Device, Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::activation::Activation;
use crate::convolution::Shape;
use crate::dense::{Dense, parameter};
use crate::error::ModelError;
use crate::initial::{normal, too_many};
use crate::network::{Network, Settings, Size, names_of_layer};
use crate::norm::{Norm, Normalization};
use crate::sample::{Outputs, Sample};

/// The deepest network: a limit against slips of the pen, that of the paper's table 6.
const MAX_DEPTH: usize = 1202;

/// Configuration of a [`ResNet`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResNetConfig {
    /// Layers with weights on the way: 18, or 6n + 2. Default: 20.
    #[serde(default = "twenty")]
    pub depth: usize,
    /// Channels of the first stage. Default: 16, those of the paper's networks of depth 6n + 2; its network of depth 18
    /// has 64.
    #[serde(default = "sixteen")]
    pub width: usize,
    /// Nonlinearity. Default: relu, as in the paper.
    #[serde(default = "relu")]
    pub activation: Activation,
    /// What each convolution's output is normalized by. Default: nothing.
    #[serde(default)]
    pub norm: Norm,
}

fn twenty() -> usize {
    20
}

fn sixteen() -> usize {
    16
}

fn relu() -> Activation {
    Activation::Relu
}

impl Default for ResNetConfig {
    fn default() -> Self {
        Self { depth: twenty(), width: sixteen(), activation: relu(), norm: Norm::default() }
    }
}

/// The convolutions of a block: the first and second, and that beside them.
struct BlockShapes {
    first: Shape,
    second: Shape,
    shortcut: Option<Shape>,
}

impl BlockShapes {
    fn all(&self) -> impl Iterator<Item = Shape> {
        [self.first, self.second].into_iter().chain(self.shortcut)
    }
}

impl ResNetConfig {
    /// A network of this depth and width; relu, no normalization.
    #[must_use]
    pub fn new(depth: usize, width: usize) -> Self {
        Self { depth, width, ..Self::default() }
    }

    /// Sets the activation.
    #[must_use]
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Sets what convolutions are normalized by.
    #[must_use]
    pub fn with_norm(mut self, norm: Norm) -> Self {
        self.norm = norm;
        self
    }

    /// Blocks of each stage.
    fn stages(&self) -> Result<Vec<usize>, ModelError> {
        let depth = self.depth;
        if depth == 18 {
            return Ok(vec![2; 4]);
        }
        if !(8..=MAX_DEPTH).contains(&depth) || !(depth - 2).is_multiple_of(6) {
            let problem = format!("depth = {depth} is not possible: 18, or 6n + 2 from 8 to {MAX_DEPTH}");
            return Err(ModelError::Layer { layer: "the network".to_owned(), key: "depth", problem });
        }
        Ok(vec![(depth - 2) / 6; 3])
    }

    /// The first convolution, and those of the blocks by stage.
    fn shapes(&self, channels: usize) -> Result<(Shape, Vec<Vec<BlockShapes>>), ModelError> {
        if self.width == 0 {
            return Err(ModelError::ZeroWidth { layer: "the first stage".to_owned() });
        }
        let bias = self.norm == Norm::None;
        let square = |from, to, stride| Shape { from, to, kernel: 3, stride, padding: 1, bias };
        let mut stages = Vec::new();
        let mut from = self.width;
        for (stage, blocks) in self.stages()?.into_iter().enumerate() {
            let to = self.width.saturating_mul(1 << stage);
            let mut shapes = Vec::with_capacity(blocks);
            for block in 0..blocks {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let beside = Shape { from, to, kernel: 1, stride, padding: 0, bias };
                shapes.push(BlockShapes {
                    first: square(from, to, stride),
                    second: square(to, to, 1),
                    shortcut: (stride != 1 || from != to).then_some(beside),
                });
                from = to;
            }
            stages.push(shapes);
        }
        Ok((square(channels, self.width, 1), stages))
    }

    /// Builds the network for images `[channels, height, width]`, its weights drawn from `seed`.
    ///
    /// Convolutions draw from streams `(seed, Init, l)` in f64, in the order of [`pytorch_names`], and round to
    /// `dtype`.
    ///
    /// [`pytorch_names`]: crate::ModelConfig::pytorch_names
    ///
    /// # Errors
    ///
    /// [`ModelError::Layer`] for a depth that there is not, or channels that do not fall into groups;
    /// [`ModelError::ZeroWidth`], [`ModelError::TooLarge`] for more than 2³⁰ weights.
    pub fn init(
        &self,
        image: [usize; 3],
        outputs: usize,
        seed: u64,
        device: &Device,
        dtype: DType,
    ) -> Result<ResNet, ModelError> {
        too_many(self.measure(image, outputs)?.parameters)?;
        let (stem, stages) = self.shapes(image[0])?;
        let blocks: usize = stages.iter().map(Vec::len).sum();
        let last = stages.last().and_then(|stage| stage.last()).map_or(self.width, |block| block.second.to);
        let (gain, fixup) = (self.activation.variance_gain(), self.norm == Norm::None);
        let mut layer = 0;
        let mut convolution = |shape: Shape, scale: f64| {
            let drawn = if scale == 0.0 {
                TensorData::new(vec![0.0; shape.weight().iter().product()], shape.weight())
            } else {
                normal(shape.weight(), scale * gain / shape.fan_in() as f64, seed, layer)
            };
            layer += 1;
            (shape.init(drawn, device, dtype), self.norm.init(shape.to, device, dtype))
        };
        let (stem, norm) = convolution(stem, 1.0);
        let blocks = stages.into_iter().flatten().map(|BlockShapes { first, second, shortcut }| {
            let [first_scale, second_scale] = if fixup { [1.0 / blocks as f64, 0.0] } else { [1.0, 1.0] };
            let (first, first_norm) = convolution(first, first_scale);
            let (second, second_norm) = convolution(second, second_scale);
            let (shortcut, shortcut_norm) = shortcut.map(|shape| convolution(shape, 1.0)).unzip();
            let shortcut_norm = shortcut_norm.flatten();
            ResidualBlock { first, first_norm, second, second_norm, shortcut, shortcut_norm }
        });
        let blocks: Vec<ResidualBlock> = blocks.collect();
        let weight = if fixup {
            TensorData::new(vec![0.0; outputs * last], [outputs, last])
        } else {
            normal([outputs, last], 1.0 / last as f64, seed, layer)
        };
        let bias = TensorData::new(vec![0.0; outputs], [outputs]);
        let output = Dense { weight: parameter(weight, device, dtype), bias: Some(parameter(bias, device, dtype)) };
        Ok(ResNet { stem, norm, blocks, output, activation: self.activation })
    }

    fn measure(&self, [channels, height, width]: [usize; 3], outputs: usize) -> Result<Size, ModelError> {
        if outputs == 0 {
            return Err(ModelError::ZeroWidth { layer: "the output".to_owned() });
        }
        if [channels, height, width].contains(&0) {
            return Err(ModelError::ZeroWidth { layer: "the input".to_owned() });
        }
        let (stem, stages) = self.shapes(channels)?;
        let (mut pixels, mut last) = ([height, width], stem.to);
        let norm = |stage: usize, channels: usize, [height, width]: [usize; 2]| {
            let wrong = |problem| ModelError::Layer { layer: format!("stage {stage}"), key: "norm", problem };
            self.norm.check(channels, height.saturating_mul(width)).map_err(wrong)
        };
        norm(1, stem.to, pixels)?;
        let mut size = Size { parameters: 0, widest: 0, units: channels.saturating_mul(height).saturating_mul(width) };
        let mut add = |shape: Shape, pixels: [usize; 2]| {
            let weights = shape.to.saturating_mul(shape.fan_in());
            let vectors = usize::from(shape.bias) + self.norm.parameters();
            size.parameters = size.parameters.saturating_add(weights);
            size.parameters = size.parameters.saturating_add(shape.to.saturating_mul(vectors));
            size.widest = size.widest.max(weights);
            let units = shape.to.saturating_mul(pixels[0].saturating_mul(pixels[1]));
            size.units = size.units.saturating_add(units.saturating_mul(1 + self.norm.kept()));
        };
        add(stem, pixels);
        for (stage, block) in
            (1..).zip(&stages).flat_map(|(stage, blocks)| blocks.iter().map(move |block| (stage, block)))
        {
            pixels = pixels.map(|size| size.div_ceil(block.first.stride));
            norm(stage, block.first.to, pixels)?;
            block.all().for_each(|shape| add(shape, pixels));
            last = block.second.to;
        }
        let dense = Size::of_layers(&[last, outputs], true);
        size.parameters = size.parameters.saturating_add(dense.parameters);
        size.widest = size.widest.max(dense.widest);
        size.units = size.units.saturating_add(dense.units);
        Ok(size)
    }
}

impl Settings for ResNetConfig {
    type Network = ResNet;

    type Takes = [usize; 3];

    const FLAT: bool = false;

    fn takes(sample: &Sample) -> Result<[usize; 3], ModelError> {
        sample.image()
    }

    fn pytorch_names(&self) -> Vec<String> {
        let norm = self.norm != Norm::None;
        let layer = |convolution: String, norm_name: String| {
            names_of_layer(convolution, !norm).chain(self.norm.names(&norm_name)).collect::<Vec<_>>()
        };
        let mut names = layer("conv1".to_owned(), "bn1".to_owned());
        // A depth that there is not has been refused.
        let (_, stages) = self.shapes(1).unwrap_or_else(|_| (Shape::default(), Vec::new()));
        for (stage, blocks) in (1..).zip(stages) {
            for (at, block) in blocks.iter().enumerate() {
                let place = format!("layer{stage}.{at}");
                names.extend(layer(format!("{place}.conv1"), format!("{place}.bn1")));
                names.extend(layer(format!("{place}.conv2"), format!("{place}.bn2")));
                if block.shortcut.is_some() {
                    names.extend(layer(format!("{place}.downsample.0"), format!("{place}.downsample.1")));
                }
            }
        }
        names.extend(names_of_layer("fc", true));
        names
    }

    fn folded(network: ResNet) -> ResNet {
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
    ) -> Result<ResNet, ModelError> {
        self.init(takes, outputs.total(), seed, device, dtype)
    }
}

/// Two convolutions with a way around them.
#[derive(Module, Debug)]
pub struct ResidualBlock {
    /// W₁.
    pub first: Conv2d,
    /// The normalization of its output.
    pub first_norm: Option<Normalization>,
    /// W₂.
    pub second: Conv2d,
    /// The normalization of its output.
    pub second_norm: Option<Normalization>,
    /// W, where the size changes.
    pub shortcut: Option<Conv2d>,
    /// The normalization of its output.
    pub shortcut_norm: Option<Normalization>,
}

/// A residual network; built by [`ResNetConfig::init`].
#[derive(Module, Debug)]
pub struct ResNet {
    /// W₀.
    pub stem: Conv2d,
    /// The normalization of its output.
    pub norm: Option<Normalization>,
    /// The blocks of all stages.
    pub blocks: Vec<ResidualBlock>,
    /// V and c.
    pub output: Dense,
    #[module(skip)]
    activation: Activation,
}

/// `norm(W ∗ x)`.
fn normalized(convolution: &Conv2d, norm: Option<&Normalization>, x: Tensor<4>) -> Tensor<4> {
    let y = convolution.forward(x);
    match norm {
        Some(norm) => norm.forward(y),
        None => y,
    }
}

impl Network for ResNet {
    type Input = Tensor<4>;

    fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        let activation = |x| self.activation.forward(x);
        let mut h = activation(normalized(&self.stem, self.norm.as_ref(), input));
        for block in &self.blocks {
            let inner = activation(normalized(&block.first, block.first_norm.as_ref(), h.clone()));
            let added = normalized(&block.second, block.second_norm.as_ref(), inner);
            let around = match &block.shortcut {
                Some(shortcut) => normalized(shortcut, block.shortcut_norm.as_ref(), h),
                None => h,
            };
            h = activation(around + added);
        }
        let means: Tensor<2> = h.flatten::<3>(2, 3).mean_dim(2).flatten(1, 2);
        self.output.forward(means.transpose()).transpose()
    }
}
