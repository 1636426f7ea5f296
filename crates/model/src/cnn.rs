//! Convolutional networks: convolutions with normalization, σ and pooling, then fully connected layers (LeCun et al.
//! 1998, §2).
//!
//! Layer `l` computes `h_l = pool(σ(norm(W_l ∗ h_{l−1} + b_l)))`; behind the last one the channels are laid in a row,
//! or each is averaged over its pixels, and fully connected layers follow as in an [MLP](crate::mlp), the last without
//! σ. In PyTorch this is
//!
//! ```python
//! Sequential(Conv2d(…), BatchNorm2d(…), Tanh(), AvgPool2d(…), …, Flatten(), Linear(…), Tanh(), …, Linear(…))
//! ```
//!
//! with the modules that the settings ask for and, for a mean over pixels, `AdaptiveAvgPool2d(1)` before `Flatten()`;
//! weights are exchanged under its names.
//!
//! Initial weights have variance `g²/fan_in` with `fan_in = channels · kernel²` (He et al. 2015, eq. 10; `g²` is
//! [`Activation::variance_gain`], 1 for the last layer); biases start at zero, the scale of a normalization at one.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::module::{avg_pool2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
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

/// Configuration of a [`Cnn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CnnConfig {
    /// The convolutions, from the input on.
    pub layers: Vec<ConvolutionConfig>,
    /// Widths of the fully connected hidden layers behind them. Default: none.
    #[serde(default)]
    pub hidden: Vec<usize>,
    /// Nonlinearity after each hidden layer. Default: tanh, smooth as the theory asks.
    #[serde(default)]
    pub activation: Activation,
    /// Whether layers have a bias. Default: true.
    #[serde(default = "yes")]
    pub bias: bool,
    /// What each convolution's output is normalized by. Default: nothing.
    #[serde(default)]
    pub norm: Norm,
    /// How pixels are pooled. Default: by their mean, which is smooth.
    #[serde(default)]
    pub pooling: Pooling,
    /// What the fully connected layers see of the last convolution. Default: every pixel.
    #[serde(default)]
    pub head: Head,
}

/// One convolution with square kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConvolutionConfig {
    /// Channels of its output.
    pub channels: usize,
    /// Rows and columns of the kernel. Default: 3.
    #[serde(default = "three")]
    pub kernel: usize,
    /// Pixels from one place of the kernel to the next. Default: 1.
    #[serde(default = "one")]
    pub stride: usize,
    /// Rows and columns of zeros around the image. Default: `(kernel − 1)/2`, which keeps its size at stride 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<usize>,
    /// Rows and columns of pixels that are pooled into one behind σ. Default: 1, no pooling.
    #[serde(default = "one")]
    pub pool: usize,
}

/// How pixels are pooled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// Their mean.
    #[default]
    Average,
    /// Their maximum, whose slope jumps.
    Max,
}

/// What the fully connected layers see of the last convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// Every pixel of every channel.
    #[default]
    Flatten,
    /// The mean of each channel over its pixels (Lin, Chen & Yan 2014, §3.2).
    Average,
}

fn yes() -> bool {
    true
}

fn one() -> usize {
    1
}

fn three() -> usize {
    3
}

impl ConvolutionConfig {
    /// So many channels; kernel 3, stride 1, the image keeps its size.
    #[must_use]
    pub fn new(channels: usize) -> Self {
        Self { channels, kernel: three(), stride: one(), padding: None, pool: one() }
    }

    /// Pools squares of `pool` pixels behind σ.
    #[must_use]
    pub fn with_pool(mut self, pool: usize) -> Self {
        self.pool = pool;
        self
    }

    fn padding(&self) -> usize {
        self.padding.unwrap_or(self.kernel.saturating_sub(1) / 2)
    }

    /// Height or width behind the convolution, and behind pooling.
    fn sizes(&self, size: usize) -> Result<[usize; 2], String> {
        let Self { kernel, stride, pool, .. } = *self;
        for (value, name) in [(self.channels, "channels"), (kernel, "kernel"), (stride, "stride"), (pool, "pool")] {
            if value == 0 {
                return Err(format!("{name} = 0 is not possible: it must be at least 1"));
            }
        }
        let padding = self.padding();
        if padding >= kernel {
            return Err(format!("padding = {padding} is not possible: a kernel of {kernel} would see zeros alone"));
        }
        let padded = size.saturating_add(padding.saturating_mul(2));
        if kernel > padded {
            return Err(format!("its kernel of {kernel} is larger than the image of {size}, with {padding} around it"));
        }
        let convolved = (padded - kernel) / stride + 1;
        if !convolved.is_multiple_of(pool) {
            return Err(format!("pooling by {pool} would leave pixels out: its output has {convolved} in a line"));
        }
        Ok([convolved, convolved / pool])
    }
}

/// Sizes of a network's layers.
struct Shapes {
    /// `[channels, height, width]` of the input of each convolution, of its output, and of that pooled.
    convolutions: Vec<[[usize; 3]; 3]>,
    /// Widths from what the fully connected layers see to the output.
    widths: Vec<usize>,
}

impl CnnConfig {
    /// These convolutions, then the output; tanh, biases, mean pooling, no normalization.
    #[must_use]
    pub fn new(layers: impl Into<Vec<ConvolutionConfig>>) -> Self {
        Self {
            layers: layers.into(),
            hidden: Vec::new(),
            activation: Activation::default(),
            bias: true,
            norm: Norm::default(),
            pooling: Pooling::default(),
            head: Head::default(),
        }
    }

    /// Sets the activation.
    #[must_use]
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    fn shapes(&self, [channels, height, width]: [usize; 3], outputs: usize) -> Result<Shapes, ModelError> {
        if [channels, height, width].contains(&0) {
            return Err(ModelError::ZeroWidth { layer: "the input".to_owned() });
        }
        let mut shape = [channels, height, width];
        let mut convolutions = Vec::with_capacity(self.layers.len());
        for (at, layer) in (1..).zip(&self.layers) {
            let wrong =
                |problem: String| ModelError::Layer { layer: format!("convolution {at}"), key: "layers", problem };
            let [rows, pooled_rows] = layer.sizes(shape[1]).map_err(wrong)?;
            let [columns, pooled_columns] = layer.sizes(shape[2]).map_err(wrong)?;
            self.norm.check(layer.channels, rows.saturating_mul(columns)).map_err(wrong)?;
            let pooled = [layer.channels, pooled_rows, pooled_columns];
            convolutions.push([shape, [layer.channels, rows, columns], pooled]);
            shape = pooled;
        }
        let seen = match self.head {
            Head::Flatten => shape.into_iter().fold(1, usize::saturating_mul),
            Head::Average => shape[0],
        };
        let widths = [&[seen], self.hidden.as_slice(), &[outputs]].concat();
        match widths.iter().position(|&width| width == 0) {
            None => Ok(Shapes { convolutions, widths }),
            Some(at) if at > self.hidden.len() => Err(ModelError::ZeroWidth { layer: "the output".to_owned() }),
            Some(at) => Err(ModelError::ZeroWidth { layer: format!("hidden layer {at}") }),
        }
    }

    /// Builds the network for images `[channels, height, width]`, its weights drawn from `seed`.
    ///
    /// Layer `l`, the convolutions first, draws from stream `(seed, Init, l)` in f64, and rounds to `dtype`: the
    /// weights are the same on every device, and in f32 and f64 up to that rounding.
    ///
    /// # Errors
    ///
    /// [`ModelError::Layer`] for a convolution that does not fit its image, [`ModelError::ZeroWidth`],
    /// [`ModelError::TooLarge`] for more than 2³⁰ weights.
    pub fn init(
        &self,
        image: [usize; 3],
        outputs: usize,
        seed: u64,
        device: &Device,
        dtype: DType,
    ) -> Result<Cnn, ModelError> {
        let Shapes { convolutions, widths } = self.shapes(image, outputs)?;
        too_many(self.measure(image, outputs)?.parameters)?;
        let gain = self.activation.variance_gain();
        let zeros = |length: usize| TensorData::new(vec![0.0; length], [length]);
        let blocks = (0..).zip(self.layers.iter().zip(&convolutions)).map(|(at, (layer, [input, ..]))| {
            let shape = Shape {
                from: input[0],
                to: layer.channels,
                kernel: layer.kernel,
                stride: layer.stride,
                padding: layer.padding(),
                bias: self.bias,
            };
            let weight = normal(shape.weight(), gain / shape.fan_in() as f64, seed, at);
            let convolution = shape.init(weight, device, dtype);
            let norm = self.norm.init(layer.channels, device, dtype);
            Block { convolution, norm, pool: layer.pool }
        });
        let blocks: Vec<Block> = blocks.collect();
        let last = widths.len() - 2;
        let layers = widths.windows(2).enumerate().map(|(at, pair)| {
            let variance = if at == last { 1.0 } else { gain } / pair[0] as f64;
            let drawn = normal([pair[1], pair[0]], variance, seed, (blocks.len() + at) as u64);
            let bias = self.bias.then(|| parameter(zeros(pair[1]), device, dtype));
            Dense { weight: parameter(drawn, device, dtype), bias }
        });
        let layers = layers.collect();
        Ok(Cnn { blocks, layers, activation: self.activation, pooling: self.pooling, head: self.head })
    }

    /// The names of the convolutions in a `Sequential` that is called so, and how many modules it has.
    pub(crate) fn names_of_convolutions(&self, place: &str) -> (Vec<String>, usize) {
        let (mut names, mut at) = (Vec::new(), 0);
        for layer in &self.layers {
            names.extend(names_of_layer(format!("{place}{at}"), self.bias));
            if self.norm != Norm::None {
                at += 1;
                names.extend(self.norm.names(&format!("{place}{at}")));
            }
            // σ, and what pools.
            at += 2 + usize::from(layer.pool > 1);
        }
        (names, at)
    }

    pub(crate) fn measure(&self, image: [usize; 3], outputs: usize) -> Result<Size, ModelError> {
        let Shapes { convolutions, widths } = self.shapes(image, outputs)?;
        let mut size = Size::of_layers(&widths, self.bias);
        let product = |shape: [usize; 3]| shape.into_iter().fold(1, usize::saturating_mul);
        size.units = size.units.saturating_add(product(image));
        for (layer, [input, convolved, pooled]) in self.layers.iter().zip(convolutions) {
            let weights = product([layer.channels, input[0], layer.kernel]).saturating_mul(layer.kernel);
            let vectors = usize::from(self.bias) + self.norm.parameters();
            size.parameters = size.parameters.saturating_add(weights);
            size.parameters = size.parameters.saturating_add(layer.channels.saturating_mul(vectors));
            size.widest = size.widest.max(weights);
            let kept = product(convolved).saturating_mul(1 + self.norm.kept());
            size.units = size.units.saturating_add(kept).saturating_add(product(pooled));
        }
        Ok(size)
    }
}

impl Settings for CnnConfig {
    type Network = Cnn;

    type Takes = [usize; 3];

    const FLAT: bool = false;

    fn takes(sample: &Sample) -> Result<[usize; 3], ModelError> {
        sample.image()
    }

    /// Those of the `Sequential` of the [module](self).
    fn pytorch_names(&self) -> Vec<String> {
        let (mut names, mut at) = self.names_of_convolutions("");
        at += 1 + usize::from(self.head == Head::Average);
        names.extend((0..=self.hidden.len()).flat_map(|layer| names_of_layer(at + 2 * layer, self.bias)));
        names
    }

    fn folded(network: Cnn) -> Cnn {
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
    ) -> Result<Cnn, ModelError> {
        self.init(takes, outputs.total(), seed, device, dtype)
    }
}

/// A convolution with what follows it.
#[derive(Module, Debug)]
pub struct Block {
    /// The convolution, its weight `[out, in, kernel, kernel]`.
    pub convolution: Conv2d,
    /// The normalization of its output.
    pub norm: Option<Normalization>,
    #[module(skip)]
    pool: usize,
}

/// A convolutional network; built by [`CnnConfig::init`].
#[derive(Module, Debug)]
pub struct Cnn {
    /// The convolutions from the input on.
    pub blocks: Vec<Block>,
    /// The fully connected layers behind them.
    pub layers: Vec<Dense>,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    pooling: Pooling,
    #[module(skip)]
    head: Head,
}

impl Network for Cnn {
    type Input = Tensor<4>;

    fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        let mut h = input;
        for Block { convolution, norm, pool } in &self.blocks {
            h = convolution.forward(h);
            if let Some(norm) = norm {
                h = norm.forward(h);
            }
            h = self.activation.forward(h);
            if *pool > 1 {
                let window = [*pool; 2];
                h = match self.pooling {
                    Pooling::Average => avg_pool2d(h, AvgPoolOptions::new(window).with_stride(window)),
                    Pooling::Max => max_pool2d(h, MaxPoolOptions::new(window).with_stride(window)),
                };
            }
        }
        let rows: Tensor<2> = match self.head {
            Head::Flatten => h.flatten(1, 3),
            Head::Average => h.flatten::<3>(2, 3).mean_dim(2).flatten(1, 2),
        };
        let mut h = rows.transpose();
        for (at, layer) in self.layers.iter().enumerate() {
            h = layer.forward(h);
            if at + 1 < self.layers.len() {
                h = self.activation.forward(h);
            }
        }
        h.transpose()
    }
}
