//! Transformers on sequences of tokens (Vaswani et al. 2017; causal as Radford et al. 2019).
//!
//! ```text
//! h₀ = E[token] + P[position]
//! h  = encoder(h₀)                                          blocks with attention, see `encoder`
//! F  = V h + c                                              at each of the last positions that have a target
//! F  = V h̄ + c                                              h̄ the mean over positions: of one target, not causal
//! ```
//!
//! Initial matrices have variance `1/fan_in`, E and P the standard deviation 0.02 of GPT-2; biases start at zero. There
//! is no dropout.
//!
//! In PyTorch this is
//!
//! ```python
//! class Transformer(nn.Module):
//!     def __init__(self, vocabulary, length, width, depth, heads, outputs):
//!         self.token, self.position = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
//!         block = nn.TransformerEncoderLayer(
//!             width, heads, 4 * width, dropout=0, activation="gelu", batch_first=True, norm_first=True)
//!         self.encoder = nn.TransformerEncoder(block, depth, norm=nn.LayerNorm(width))
//!         self.head = nn.Linear(width, outputs)
//! ```
//!
//! and weights are exchanged under its names.

use burn::module::{Module, Param};
use burn::tensor::module::embedding;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::activation::Activation;
use crate::dense::{Dense, parameter};
use crate::encoder::{self, Encoder};
use crate::error::ModelError;
use crate::initial::normal;
use crate::network::{Network, Settings, Size, names_of_layer};
use crate::sample::{Outputs, Sample};
use crate::sequence::Read;

/// Configuration of a [`Transformer`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TransformerConfig {
    /// Numbers that a token becomes. Default: 64.
    #[serde(default = "sixty_four")]
    pub width: usize,
    /// Blocks. Default: 2.
    #[serde(default = "two")]
    pub depth: usize,
    /// Heads of attention; they divide the width. Default: 4.
    #[serde(default = "four")]
    pub heads: usize,
    /// Nonlinearity. Default: gelu, as in GPT-2.
    #[serde(default = "gelu")]
    pub activation: Activation,
    /// Whether a position sees itself and those before it alone. Default: false.
    #[serde(default)]
    pub causal: bool,
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

impl Default for TransformerConfig {
    fn default() -> Self {
        Self { width: sixty_four(), depth: two(), heads: four(), activation: gelu(), causal: false }
    }
}

impl TransformerConfig {
    /// A network of this width, depth and number of heads; gelu, every position sees all.
    #[must_use]
    pub fn new(width: usize, depth: usize, heads: usize) -> Self {
        Self { width, depth, heads, ..Self::default() }
    }

    /// Sets whether a position sees itself and those before it alone.
    #[must_use]
    pub fn with_causal(mut self, causal: bool) -> Self {
        self.causal = causal;
        self
    }

    fn encoder(&self) -> encoder::Shape {
        let Self { width, depth, heads, activation, causal } = *self;
        encoder::Shape { depth, width, heads, activation, causal, epsilon: 1e-5 }
    }

    /// Builds the network for sequences `[length, vocabulary]`, its weights drawn from `seed`: E, P, V and the blocks
    /// from streams `(seed, Init, l)` in f64, in that order, rounded to `dtype`.
    ///
    /// # Errors
    ///
    /// [`ModelError::Layer`] for a width that does not fall into heads, or outputs at more positions than there are;
    /// [`ModelError::ZeroWidth`].
    pub fn init(
        &self,
        sequence: [usize; 2],
        outputs: Outputs,
        seed: u64,
        device: &Device,
        dtype: DType,
    ) -> Result<Transformer, ModelError> {
        self.measure(sequence, outputs)?;
        let ([length, vocabulary], width) = (sequence, self.width);
        let embedding =
            |rows: usize, layer: u64| parameter(normal([rows, width], 0.02 * 0.02, seed, layer), device, dtype);
        let output = normal([outputs.each, width], 1.0 / width as f64, seed, 2);
        let bias = TensorData::new(vec![0.0; outputs.each], [outputs.each]);
        Ok(Transformer {
            token: embedding(vocabulary, 0),
            position: embedding(length, 1),
            encoder: self.encoder().init(seed, 3, device, dtype),
            output: Dense { weight: parameter(output, device, dtype), bias: Some(parameter(bias, device, dtype)) },
            read: Read::of(sequence, outputs, self.causal)?,
        })
    }

    fn measure(&self, sequence: [usize; 2], outputs: Outputs) -> Result<Size, ModelError> {
        self.encoder().check()?;
        Read::of(sequence, outputs, self.causal)?;
        let [length, vocabulary] = sequence;
        let (blocks, last) = (self.encoder().size(length), Size::of_layers(&[self.width, outputs.each], true));
        let embeddings = length.saturating_add(vocabulary).saturating_mul(self.width);
        Ok(Size {
            parameters: blocks.parameters.saturating_add(last.parameters).saturating_add(embeddings),
            widest: blocks.widest.max(vocabulary.saturating_mul(self.width)),
            units: blocks.units.saturating_add(outputs.total()),
        })
    }
}

impl Settings for TransformerConfig {
    type Network = Transformer;

    type Takes = [usize; 2];

    const FLAT: bool = false;

    fn takes(sample: &Sample) -> Result<[usize; 2], ModelError> {
        sample.tokens()
    }

    fn pytorch_names(&self) -> Vec<String> {
        let mut names = vec!["token.weight".to_owned(), "position.weight".to_owned()];
        for block in 0..self.depth {
            let place = format!("encoder.layers.{block}");
            names.extend(names_of_layer(format!("{place}.norm1"), true));
            names.extend(["weight", "bias"].map(|part| format!("{place}.self_attn.in_proj_{part}")));
            for layer in ["self_attn.out_proj", "norm2", "linear1", "linear2"] {
                names.extend(names_of_layer(format!("{place}.{layer}"), true));
            }
        }
        names.extend(names_of_layer("encoder.norm", true));
        names.extend(names_of_layer("head", true));
        names
    }

    fn folded(network: Transformer) -> Transformer {
        network
    }

    fn size(&self, sequence: [usize; 2], outputs: Outputs) -> Result<Size, ModelError> {
        self.measure(sequence, outputs)
    }

    fn build(
        &self,
        takes: [usize; 2],
        outputs: Outputs,
        seed: u64,
        device: &Device,
        dtype: DType,
    ) -> Result<Transformer, ModelError> {
        self.init(takes, outputs, seed, device, dtype)
    }
}

/// A transformer on tokens; built by [`TransformerConfig::init`].
#[derive(Module, Debug)]
pub struct Transformer {
    /// E, `[vocabulary, width]`.
    pub token: Param<Tensor<2>>,
    /// P, `[length, width]`.
    pub position: Param<Tensor<2>>,
    /// The blocks.
    pub encoder: Encoder,
    /// V and c.
    pub output: Dense,
    #[module(skip)]
    read: Read,
}

impl Network for Transformer {
    type Input = Tensor<2, Int>;

    fn forward(&self, input: Tensor<2, Int>) -> Tensor<2> {
        let h = embedding(self.token.val(), input) + self.position.val().unsqueeze();
        self.read.outputs(self.encoder.forward(h), &self.output)
    }
}
