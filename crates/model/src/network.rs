//! [`Network`], the trait of everything that can be trained: a forward, and nothing else is asked.

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};

use crate::error::ModelError;

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
    /// The type of a batch of inputs; its first dimension is the sample.
    type Input;

    /// Outputs `[n, C]` of a batch of `n` inputs.
    fn forward(&self, input: Self::Input) -> Tensor<2>;
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

    /// How large the network is for `inputs` features and `outputs` outputs.
    ///
    /// # Errors
    ///
    /// When it cannot be built.
    fn size(&self, inputs: usize, outputs: usize) -> Result<Size, ModelError>;

    /// Builds it, its initial weights drawn from `seed`.
    ///
    /// # Errors
    ///
    /// When it cannot be built.
    fn build(
        &self,
        inputs: usize,
        outputs: usize,
        seed: u64,
        device: &Device,
        dtype: DType,
    ) -> Result<Self::Network, ModelError>;
}
