//! Encoder blocks: attention between the positions of a sequence, then a perceptron at each (Vaswani et al. 2017), both
//! behind a layer norm and with a way around them (Xiong et al. 2020):
//!
//! ```text
//! h ← h + O attention(norm(h))
//! h ← h + W₂ σ(W₁ norm(h))
//! ```
//!
//! Attention is that of PyTorch's `MultiheadAttention`: `softmax(Q Kᵀ/√d) V` for each head of width d, with queries,
//! keys and values from one matrix `[3·width, width]`.

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig};
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::activation::Activation;
use crate::dense::{Dense, parameter, rows};
use crate::error::ModelError;
use crate::initial::normal;
use crate::network::Size;

/// The most blocks: a limit against slips of the pen.
const MAX_DEPTH: usize = 1000;

/// Times the width that the perceptrons of blocks are wide, as in the paper.
const EXPANSION: usize = 4;

/// Shape of a stack of blocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub depth: usize,
    pub width: usize,
    pub heads: usize,
    pub activation: Activation,
    /// Whether a position sees itself and those before it alone.
    pub causal: bool,
    /// ϵ of the layer norms.
    pub epsilon: f64,
}

impl Shape {
    /// Whether there can be such blocks.
    pub fn check(self) -> Result<(), ModelError> {
        let Self { depth, width, heads, .. } = self;
        let wrong = |key, problem| Err(ModelError::Layer { layer: "the encoder".to_owned(), key, problem });
        if width == 0 {
            return Err(ModelError::ZeroWidth { layer: "the encoder".to_owned() });
        }
        if !(1..=MAX_DEPTH).contains(&depth) {
            return wrong("depth", format!("depth = {depth} is not possible: from 1 to {MAX_DEPTH} blocks"));
        }
        if heads == 0 || !width.is_multiple_of(heads) {
            return wrong("heads", format!("a width of {width} does not fall into {heads} equal heads"));
        }
        Ok(())
    }

    /// Size of the blocks on sequences of this length, and of the norm behind them.
    pub fn size(self, length: usize) -> Size {
        let Self { depth, width, heads, .. } = self;
        let products =
            |factors: &[usize]| factors.iter().fold(1, |product: usize, &factor| product.saturating_mul(factor));
        let perceptron = products(&[EXPANSION, width]);
        // Weights, biases and norms of a block.
        let block = products(&[3 + 1 + 2 * EXPANSION, width, width])
            .saturating_add(products(&[3 + 1 + EXPANSION + 1 + 4, width]));
        // Inputs and norms, queries, keys and values, what attention gives, the perceptron and its function.
        let numbers = products(&[length, width, 1 + 6 + 3 + 2]).saturating_add(products(&[2, length, perceptron]));
        let scores = products(&[3, heads, length, length]);
        Size {
            parameters: products(&[depth, block]).saturating_add(products(&[2, width])),
            widest: products(&[perceptron, width]),
            units: products(&[depth, numbers.saturating_add(scores)]),
        }
    }

    /// Blocks whose matrices have variance `1/fan_in`, drawn from streams `(seed, Init, l)` from `l = first` on in the
    /// order of the fields; biases start at zero, scales at one.
    pub fn init(self, seed: u64, first: u64, device: &Device, dtype: DType) -> Encoder {
        let Self { depth, width, heads, activation, causal, epsilon } = self;
        let mut layer = first;
        let mut dense = |to: usize, from: usize| {
            let drawn = normal([to, from], 1.0 / from as f64, seed, layer);
            layer += 1;
            let bias = parameter(TensorData::new(vec![0.0; to], [to]), device, dtype);
            Dense { weight: parameter(drawn, device, dtype), bias: Some(bias) }
        };
        let blocks = (0..depth).map(|_| Block {
            attention_norm: layer_norm(width, epsilon, device, dtype),
            attention: Attention { input: dense(3 * width, width), output: dense(width, width), heads, causal },
            perceptron_norm: layer_norm(width, epsilon, device, dtype),
            first: dense(EXPANSION * width, width),
            second: dense(width, EXPANSION * width),
            activation,
        });
        let blocks = blocks.collect();
        Encoder { blocks, norm: layer_norm(width, epsilon, device, dtype) }
    }
}

/// A layer norm at scale one and shift zero.
fn layer_norm(width: usize, epsilon: f64, device: &Device, dtype: DType) -> LayerNorm {
    let vector =
        |value: f64| -> Param<Tensor<1>> { parameter(TensorData::new(vec![value; width], [width]), device, dtype) };
    let mut norm = LayerNormConfig::new(width).with_epsilon(epsilon).init(device);
    (norm.gamma, norm.beta) = (vector(1.0), Some(vector(0.0)));
    norm
}

/// Blocks, and a layer norm behind the last.
#[derive(Module, Debug)]
pub struct Encoder {
    /// The blocks in their order.
    pub blocks: Vec<Block>,
    /// The norm behind them.
    pub norm: LayerNorm,
}

/// One block.
#[derive(Module, Debug)]
pub struct Block {
    /// The norm before attention.
    pub attention_norm: LayerNorm,
    /// Attention.
    pub attention: Attention,
    /// The norm before the perceptron.
    pub perceptron_norm: LayerNorm,
    /// W₁.
    pub first: Dense,
    /// W₂.
    pub second: Dense,
    #[module(skip)]
    activation: Activation,
}

/// Attention of several heads.
#[derive(Module, Debug)]
pub struct Attention {
    /// Queries, keys and values, one below the other: weight `[3·width, width]`.
    pub input: Dense,
    /// O, on the heads side by side.
    pub output: Dense,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    causal: bool,
}

impl Encoder {
    /// `[n, length, width]` to the same.
    #[must_use]
    pub fn forward(&self, mut h: Tensor<3>) -> Tensor<3> {
        for block in &self.blocks {
            let seen = block.attention.forward(&block.attention_norm.forward(h.clone()));
            h = h + seen;
            let inner = block.first.on_rows(block.perceptron_norm.forward(h.clone()));
            h = h + block.second.on_rows(block.activation.forward(inner));
        }
        self.norm.forward(h)
    }
}

impl Attention {
    fn forward(&self, x: &Tensor<3>) -> Tensor<3> {
        let [samples, length, width] = x.dims();
        let Self { input, output, heads, causal } = self;
        let by_heads = |part: usize| {
            // A part of the weights is a part of memory; of their product it is not.
            let part = part * width..(part + 1) * width;
            let weight = input.weight.val().slice([part.clone(), 0..width]);
            let bias = input.bias.as_ref().map(|bias| bias.val().slice([part]));
            rows(x.clone(), weight, bias).reshape([samples, length, *heads, width / heads]).swap_dims(1, 2)
        };
        let options = AttentionModuleOptions { is_causal: *causal, ..AttentionModuleOptions::default() };
        let seen = attention(by_heads(0), by_heads(1), by_heads(2), None, None, options);
        output.on_rows(seen.swap_dims(1, 2).reshape([samples, length, width]))
    }
}
