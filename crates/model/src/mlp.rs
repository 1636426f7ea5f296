//! Multilayer perceptrons in three parameterizations.
//!
//! With `h₀ = x` and widths `n₀, …, n_L`, layer `l` computes `h_l = σ(s_l W_l h_{l−1} + b_l)`, the last one without σ.
//! What differs between the parameterizations is the multiplier `s_l` and the variance of the initial `W_l` (`g²` is
//! the gain of σ, [`Activation::variance_gain`]; the last layer has `g² = 1`):
//!
//! | parameterization | multiplier `s_l` | initial variance of `W_l` | as width grows |
//! |---|---|---|---|
//! | standard | 1 | `g²/n_{l−1}` | the usual one (LeCun et al. 1998; He et al. 2015) |
//! | NTK | `1/√n_{l−1}` | `g²` | the kernel stays fixed: lazy (Jacot et al. 2018, §3) |
//! | mean-field | `1/√n_{l−1}`, last layer `1/n_{l−1}` | `g²` | features move (Mei et al. 2018, eq. 2) |
//!
//! Biases start at zero and carry no multiplier (Jacot et al. scale theirs by a constant β; ours is β = 1). In the
//! mean-field parameterization the outputs and their gradients shrink with the width `m` of the last hidden layer: a
//! learning rate of order `m` keeps training at the same pace.

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::activation::Activation;
use crate::dense::{Dense, parameter};
use crate::error::ModelError;
use crate::initial::{normal, too_many};
use crate::network::{Network, Settings, Size, names_of_layer};
use crate::sample::{Outputs, Sample};

/// The most hidden layers: a limit against slips of the pen, far above what trains without normalization.
const MAX_LAYERS: usize = 1000;

/// How weights and multipliers scale with width; see the [module documentation](self).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Parameterization {
    /// No multiplier, initial variance `g²/fan_in`.
    #[default]
    Standard,
    /// Multiplier `1/√fan_in`, initial variance `g²`.
    Ntk,
    /// As NTK, but `1/fan_in` at the last layer.
    MeanField,
}

/// Configuration of an [`Mlp`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MlpConfig {
    /// Widths of the hidden layers, from the input on; empty for a linear network.
    pub hidden: Vec<usize>,
    /// Nonlinearity after each hidden layer. Default: tanh, smooth as the theory asks.
    #[serde(default)]
    pub activation: Activation,
    /// Whether layers have a bias. Default: true.
    #[serde(default = "yes")]
    pub bias: bool,
    /// Default: standard.
    #[serde(default)]
    pub parameterization: Parameterization,
}

fn yes() -> bool {
    true
}

impl MlpConfig {
    /// Hidden widths; tanh, biases, standard parameterization.
    #[must_use]
    pub fn new(hidden: impl Into<Vec<usize>>) -> Self {
        Self {
            hidden: hidden.into(),
            activation: Activation::default(),
            bias: true,
            parameterization: Parameterization::default(),
        }
    }

    /// Sets the activation.
    #[must_use]
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Sets whether layers have a bias.
    #[must_use]
    pub fn with_bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// Sets the parameterization.
    #[must_use]
    pub fn with_parameterization(mut self, parameterization: Parameterization) -> Self {
        self.parameterization = parameterization;
        self
    }

    /// Every width from `inputs` to `outputs`.
    ///
    /// # Errors
    ///
    /// [`ModelError::ZeroWidth`] when one of them is zero, [`ModelError::TooDeep`] when there are more than 1000,
    /// [`ModelError::TooLarge`] when they make more than 2³⁰ weights.
    pub fn widths(&self, inputs: usize, outputs: usize) -> Result<Vec<usize>, ModelError> {
        if self.hidden.len() > MAX_LAYERS {
            return Err(ModelError::TooDeep { layers: self.hidden.len(), max: MAX_LAYERS });
        }
        let widths = [&[inputs], self.hidden.as_slice(), &[outputs]].concat();
        match widths.iter().position(|&width| width == 0) {
            None => {
                let products = widths.windows(2).map(|pair| pair[0].saturating_mul(pair[1]));
                too_many(products.fold(0, usize::saturating_add))?;
                Ok(widths)
            }
            Some(0) => Err(ModelError::ZeroWidth { layer: "the input".to_owned() }),
            Some(at) if at > self.hidden.len() => Err(ModelError::ZeroWidth { layer: "the output".to_owned() }),
            Some(at) => Err(ModelError::ZeroWidth { layer: format!("hidden layer {at}") }),
        }
    }

    /// Builds the network with weights drawn from `seed`.
    ///
    /// Layer `l` draws from stream `(seed, Init, l)` in f64, row by row of `W_l` `[n_l, n_{l−1}]`, and rounds to
    /// `dtype`: the weights are the same on every device, and in f32 and f64 up to that rounding.
    ///
    /// # Errors
    ///
    /// What [`widths`](Self::widths) reports.
    pub fn init(
        &self,
        inputs: usize,
        outputs: usize,
        seed: u64,
        device: &Device,
        dtype: DType,
    ) -> Result<Mlp, ModelError> {
        let widths = self.widths(inputs, outputs)?;
        let depth = widths.len() - 1;
        let mut layers = Vec::with_capacity(depth);
        let mut multipliers = Vec::with_capacity(depth);
        for (layer, pair) in widths.windows(2).enumerate() {
            let (fan_in, fan_out) = (pair[0], pair[1]);
            let last = layer + 1 == depth;
            let gain = if last { 1.0 } else { self.activation.variance_gain() };
            let (multiplier, variance) = match self.parameterization {
                Parameterization::Standard => (1.0, gain / fan_in as f64),
                Parameterization::MeanField if last => (1.0 / fan_in as f64, gain),
                Parameterization::Ntk | Parameterization::MeanField => (1.0 / (fan_in as f64).sqrt(), gain),
            };
            let weights = normal([fan_out, fan_in], variance, seed, layer as u64);
            layers.push(Dense {
                weight: parameter(weights, device, dtype),
                bias: self.bias.then(|| parameter(TensorData::new(vec![0.0; fan_out], [fan_out]), device, dtype)),
            });
            multipliers.push(multiplier);
        }
        Ok(Mlp { layers, multipliers, activation: self.activation })
    }
}

impl Settings for MlpConfig {
    type Network = Mlp;

    type Takes = usize;

    const FLAT: bool = true;

    fn takes(sample: &Sample) -> Result<usize, ModelError> {
        sample.numbers()
    }

    /// `0.weight`, `0.bias`, `2.weight`, …: the linear layers of `Sequential(Linear, σ, Linear, …)`.
    fn pytorch_names(&self) -> Vec<String> {
        (0..=self.hidden.len()).flat_map(|at| names_of_layer(2 * at, self.bias)).collect()
    }

    fn folded(network: Mlp) -> Mlp {
        network.folded()
    }

    fn size(&self, inputs: usize, outputs: Outputs) -> Result<Size, ModelError> {
        Ok(Size::of_layers(&self.widths(inputs, outputs.total())?, self.bias))
    }

    fn build(
        &self,
        takes: usize,
        outputs: Outputs,
        seed: u64,
        device: &Device,
        dtype: DType,
    ) -> Result<Mlp, ModelError> {
        self.init(takes, outputs.total(), seed, device, dtype)
    }
}

/// A multilayer perceptron; built by [`MlpConfig::init`].
#[derive(Module, Debug)]
pub struct Mlp {
    /// The layers from input to output, each weight `[fan_out, fan_in]`.
    pub layers: Vec<Dense>,
    #[module(skip)]
    multipliers: Vec<f64>,
    #[module(skip)]
    activation: Activation,
}

impl Mlp {
    /// The multiplier `s_l` of each layer.
    #[must_use]
    pub fn multipliers(&self) -> &[f64] {
        &self.multipliers
    }

    /// The nonlinearity σ behind every hidden layer.
    #[must_use]
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// The same function in standard parameterization: every multiplier multiplied into its weight.
    #[must_use]
    pub fn folded(self) -> Self {
        let Self { layers, multipliers, activation } = self;
        let layers: Vec<Dense> = layers
            .into_iter()
            .zip(&multipliers)
            .map(|(layer, &multiplier)| Dense {
                weight: layer.weight.map(|weight| weight.mul_scalar(multiplier)),
                bias: layer.bias,
            })
            .collect();
        Self { multipliers: vec![1.0; layers.len()], layers, activation }
    }
}

impl Network for Mlp {
    type Input = Tensor<2>;

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let mut h = input.transpose();
        for (at, (layer, &multiplier)) in self.layers.iter().zip(&self.multipliers).enumerate() {
            if multiplier != 1.0 {
                h = h.mul_scalar(multiplier);
            }
            h = layer.forward(h);
            if at + 1 < self.layers.len() {
                h = self.activation.forward(h);
            }
        }
        h.transpose()
    }
}
