//! [`Network`], the trait of everything that can be trained: a forward, and nothing else is asked.

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};
use losscape_tangent::Inputs;

use crate::error::ModelError;
use crate::sample::{Outputs, Sample};

/// A Burn module that maps a batch of inputs to outputs `F(w) ∈ R^{n×C}`.
///
/// Implement it for a module of your own to train it with `losscape_lab`'s trainer:
///
/// ```
/// use burn::{module::Module, nn::Linear, tensor::Tensor};
/// use losscape_model::Network;
///
/// #[derive(Module, Debug)]
/// struct Mine { layer: Linear }
///
/// impl Network for Mine {
///     type Input = Tensor<2>;
///     fn forward(&self, input: Tensor<2>) -> Tensor<2> { self.layer.forward(input) }
/// }
/// ```
pub trait Network: Module {
    /// The type of a batch of inputs: `Tensor<2>` for numbers in a row, `Tensor<4>` for images, `Tensor<2, Int>` for
    /// tokens, or any other; samples lie along the first axis.
    type Input: Inputs;

    /// Outputs `[n, C]` of a batch of `n` inputs.
    fn forward(&self, input: Self::Input) -> Tensor<2>;

    /// What training draws at random inside the network, as masks of dropout, comes from this seed until the next.
    /// `losscape_lab`'s `Trainer` gives one before every step; a training loop of your own, or Burn's `Learner`, has to
    /// do it itself. By default nothing is drawn.
    fn reseed(&self, seed: u64) {
        let _ = seed;
    }
}

/// The names in PyTorch of the parameters of the layer with this name.
pub(crate) fn names_of_layer(name: impl std::fmt::Display, bias: bool) -> impl Iterator<Item = String> {
    [Some("weight"), bias.then_some("bias")].into_iter().flatten().map(move |part| format!("{name}.{part}"))
}

/// How large a network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Parameters P, of all layers with their biases.
    pub parameters: usize,
    /// Weights of its largest layer.
    pub widest: usize,
    /// Units of all layers, the input's features among them.
    pub units: usize,
}

impl Size {
    /// Fully connected layers of these widths, from the input to the output.
    pub(crate) fn of_layers(widths: &[usize], bias: bool) -> Self {
        let layers = || widths.windows(2).map(|pair| pair[0].saturating_mul(pair[1]));
        let biases = if bias { widths[1..].iter().sum() } else { 0 };
        Self {
            parameters: layers().fold(biases, usize::saturating_add),
            widest: layers().max().unwrap_or(0),
            units: widths.iter().sum(),
        }
    }
}

/// The settings of a network, and what follows from them: each network's own file says so.
pub(crate) trait Settings {
    /// What it builds.
    type Network: Network;

    /// What it is built for: numbers in a row, `[channels, height, width]`, `[length, vocabulary]`.
    type Takes;

    /// Whether it takes the numbers of a sample in a row, so that their shape does not count.
    const FLAT: bool;

    /// What it is built for, of such samples.
    ///
    /// # Errors
    ///
    /// When it does not take them.
    fn takes(sample: &Sample) -> Result<Self::Takes, ModelError>;

    /// The names of its parameters and running statistics in PyTorch, in the order in which Burn visits them.
    fn pytorch_names(&self) -> Vec<String>;

    /// The same function as PyTorch has it: multipliers multiplied into their weights.
    fn folded(network: Self::Network) -> Self::Network;

    /// How large the network is for these outputs.
    ///
    /// # Errors
    ///
    /// When it cannot be built.
    fn size(&self, takes: Self::Takes, outputs: Outputs) -> Result<Size, ModelError>;

    /// Builds it, its initial weights drawn from `seed`.
    ///
    /// # Errors
    ///
    /// When it cannot be built.
    fn build(
        &self,
        takes: Self::Takes,
        outputs: Outputs,
        seed: u64,
        device: &Device,
        dtype: DType,
    ) -> Result<Self::Network, ModelError>;
}
