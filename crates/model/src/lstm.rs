//! Networks with long short-term memory, on sequences of tokens (Hochreiter & Schmidhuber 1997; with forget gates, Gers
//! et al. 2000).
//!
//! ```text
//! x_t = E[token_t]
//! i, f, g, o = W x_t + b + U h_{t−1} + b′                     one below the other, of h's width each
//! c_t = σ(f) ∘ c_{t−1} + σ(i) ∘ tanh(g),   h_t = σ(o) ∘ tanh(c_t)
//! F  = V h_t + c                                            at each of the last positions that have a target
//! ```
//!
//! with σ the logistic function and `h₀ = c₀ = 0`; a layer takes the h of the layer before as x. Initial matrices have
//! variance `1/fan_in`, E the variance 1 of PyTorch; biases start at zero.
//!
//! In PyTorch this is
//!
//! ```python
//! class Sequence(nn.Module):
//!     def __init__(self, vocabulary, width, depth, outputs):
//!         self.token = nn.Embedding(vocabulary, width)
//!         self.lstm = nn.LSTM(width, width, depth, batch_first=True)
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
use crate::error::ModelError;
use crate::initial::normal;
use crate::network::{Network, Settings, Size, names_of_layer};
use crate::sample::{Outputs, Sample};
use crate::sequence::Read;

/// The most layers: a limit against slips of the pen.
const MAX_DEPTH: usize = 100;

/// Configuration of an [`Lstm`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LstmConfig {
    /// Numbers that a token becomes, and those that a layer remembers. Default: 64.
    #[serde(default = "sixty_four")]
    pub width: usize,
    /// Layers. Default: 1.
    #[serde(default = "one")]
    pub depth: usize,
}

fn one() -> usize {
    1
}

fn sixty_four() -> usize {
    64
}

impl Default for LstmConfig {
    fn default() -> Self {
        Self { width: sixty_four(), depth: one() }
    }
}

impl LstmConfig {
    /// A network of this width and depth.
    #[must_use]
    pub fn new(width: usize, depth: usize) -> Self {
        Self { width, depth }
    }

    /// Builds the network for sequences `[length, vocabulary]`, its weights drawn from `seed`: E, V and the layers' W
    /// and U from streams `(seed, Init, l)` in f64, in that order, rounded to `dtype`.
    ///
    /// # Errors
    ///
    /// [`ModelError::Layer`] for a depth that is not possible, or outputs at more positions than there are;
    /// [`ModelError::ZeroWidth`].
    pub fn init(
        &self,
        sequence: [usize; 2],
        outputs: Outputs,
        seed: u64,
        device: &Device,
        dtype: DType,
    ) -> Result<Lstm, ModelError> {
        self.measure(sequence, outputs)?;
        let width = self.width;
        let zeros = |length: usize| parameter(TensorData::new(vec![0.0; length], [length]), device, dtype);
        let matrix = |to: usize, layer: u64| normal([to, width], 1.0 / width as f64, seed, layer);
        let layers = (0..self.depth as u64).map(|layer| Memory {
            input: parameter(matrix(4 * width, 2 + 2 * layer), device, dtype),
            recurrent: parameter(matrix(4 * width, 3 + 2 * layer), device, dtype),
            input_bias: zeros(4 * width),
            recurrent_bias: zeros(4 * width),
        });
        Ok(Lstm {
            token: parameter(normal([sequence[1], width], 1.0, seed, 0), device, dtype),
            layers: layers.collect(),
            output: Dense {
                weight: parameter(matrix(outputs.each, 1), device, dtype),
                bias: Some(zeros(outputs.each)),
            },
            read: Read::of(sequence, outputs, true)?,
        })
    }

    fn measure(&self, sequence: [usize; 2], outputs: Outputs) -> Result<Size, ModelError> {
        let Self { width, depth } = *self;
        if width == 0 {
            return Err(ModelError::ZeroWidth { layer: "the memory".to_owned() });
        }
        if !(1..=MAX_DEPTH).contains(&depth) {
            let problem = format!("depth = {depth} is not possible: from 1 to {MAX_DEPTH} layers");
            return Err(ModelError::Layer { layer: "the network".to_owned(), key: "depth", problem });
        }
        Read::of(sequence, outputs, true)?;
        let [length, vocabulary] = sequence;
        let gates = width.saturating_mul(4);
        // W and U, with a bias each.
        let layer = gates.saturating_mul(width.saturating_add(1)).saturating_mul(2);
        let (token, last) = (vocabulary.saturating_mul(width), Size::of_layers(&[width, outputs.each], true));
        // Gates before and after their functions; c and h, with tanh c and two products.
        let units = gates.saturating_mul(4).saturating_add(width.saturating_mul(5)).saturating_mul(length);
        Ok(Size {
            parameters: layer.saturating_mul(depth).saturating_add(token).saturating_add(last.parameters),
            widest: token.max(gates.saturating_mul(width)),
            units: units.saturating_mul(depth).saturating_add(outputs.total()),
        })
    }
}

impl Settings for LstmConfig {
    type Network = Lstm;

    type Takes = [usize; 2];

    const FLAT: bool = false;

    fn takes(sample: &Sample) -> Result<[usize; 2], ModelError> {
        sample.tokens()
    }

    fn pytorch_names(&self) -> Vec<String> {
        let mut names = vec!["token.weight".to_owned()];
        for layer in 0..self.depth {
            let parts = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"];
            names.extend(parts.map(|part| format!("lstm.{part}_l{layer}")));
        }
        names.extend(names_of_layer("head", true));
        names
    }

    fn folded(network: Lstm) -> Lstm {
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
    ) -> Result<Lstm, ModelError> {
        self.init(takes, outputs, seed, device, dtype)
    }
}

/// A network with memory; built by [`LstmConfig::init`].
#[derive(Module, Debug)]
pub struct Lstm {
    /// E, `[vocabulary, width]`.
    pub token: Param<Tensor<2>>,
    /// The layers from the tokens on.
    pub layers: Vec<Memory>,
    /// V and c.
    pub output: Dense,
    #[module(skip)]
    read: Read,
}

/// A layer with memory.
#[derive(Module, Debug)]
pub struct Memory {
    /// W, `[4·width, width]`.
    pub input: Param<Tensor<2>>,
    /// U, `[4·width, width]`.
    pub recurrent: Param<Tensor<2>>,
    /// b, `[4·width]`.
    pub input_bias: Param<Tensor<1>>,
    /// b′, `[4·width]`.
    pub recurrent_bias: Param<Tensor<1>>,
}

impl Memory {
    /// The h of every position, from the x of every position; both `[n, length, width]`.
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [samples, length, width] = x.dims();
        // Position first: what a step reads lies together, and is a matrix.
        let x = x.swap_dims(0, 1).reshape([length * samples, width]);
        let bias = self.input_bias.val() + self.recurrent_bias.val();
        let driven = x.matmul(self.input.val().transpose()) + bias.unsqueeze();
        let recurrent = self.recurrent.val().transpose();
        let mut state: Option<[Tensor<2>; 2]> = None;
        let mut hidden = Vec::with_capacity(length);
        for position in 0..length {
            let mut gates = driven.clone().narrow(0, position * samples, samples);
            if let Some([h, _]) = &state {
                gates = gates + h.clone().matmul(recurrent.clone());
            }
            let gate = |at: usize| gates.clone().narrow(1, at * width, width);
            let [i, f, o] = [0, 1, 3].map(|at| Activation::Sigmoid.forward(gate(at)));
            let added = i * Activation::Tanh.forward(gate(2));
            let c = match state {
                Some([_, c]) => f * c + added,
                None => added,
            };
            let h = o * Activation::Tanh.forward(c.clone());
            hidden.push(h.clone().unsqueeze_dim(1));
            state = Some([h, c]);
        }
        Tensor::cat(hidden, 1)
    }
}

impl Network for Lstm {
    type Input = Tensor<2, Int>;

    fn forward(&self, input: Tensor<2, Int>) -> Tensor<2> {
        let tokens = embedding(self.token.val(), input);
        let h = self.layers.iter().fold(tokens, |x, layer| layer.forward(x));
        self.read.outputs(h, &self.output)
    }
}
