//! The networks that claims about training are put to: a multilayer perceptron and, at full effort, a convolutional and
//! a residual one, all of digits.

use super::settings::Effort;
use losscape_model::{Activation, CnnConfig, ConvolutionConfig, MlpConfig, ModelConfig, ResNetConfig};

/// A network of digits.
#[derive(Debug, Clone)]
pub struct Architecture {
    /// Stands before the names of what is measured on it; empty for the multilayer perceptron.
    name: &'static str,
    words: String,
    /// Which it is.
    pub config: ModelConfig,
}

impl Architecture {
    /// A tanh network with these hidden layers.
    pub fn mlp(hidden: impl Into<Vec<usize>>) -> Self {
        let hidden = hidden.into();
        let widths: String = hidden.iter().map(|width| format!("{width}-")).collect();
        Self { name: "", words: format!("Tanh 64-{widths}10"), config: MlpConfig::new(hidden).into() }
    }

    /// Two tanh convolutions 3×3 of 8 and 16 channels, each pooled by 2×2, and a linear layer.
    pub fn cnn() -> Self {
        let layers = [8, 16].map(|channels| ConvolutionConfig::new(channels).with_pool(2));
        Self { name: "CNN", words: "A convolutional network".to_owned(), config: CnnConfig::new(layers).into() }
    }

    /// A tanh residual network of depth 8 and width 4 without a norm, started as in Fixup.
    pub fn resnet() -> Self {
        let config = ResNetConfig::new(8, 4).with_activation(Activation::Tanh);
        Self { name: "ResNet", words: "A residual network".to_owned(), config: config.into() }
    }

    /// Those beside the multilayer perceptron, at this effort.
    pub fn others(effort: Effort) -> impl Iterator<Item = Self> {
        effort.of(None, Some([Self::cnn(), Self::resnet()])).into_iter().flatten()
    }

    /// Which it is, in words.
    pub fn words(&self) -> &str {
        &self.words
    }

    /// The name of something measured on it.
    pub fn of(&self, what: &str) -> String {
        if self.name.is_empty() { what.to_owned() } else { format!("{}: {what}", self.name) }
    }
}
