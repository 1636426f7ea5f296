//! What is measured: a network with its data and loss, from a run folder or from files that were made elsewhere.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use losscape_analysis::Mode;
use losscape_model::data::{Dataset, Targets};
use losscape_model::{Loss, Model};
use losscape_optim::OptimizerConfig;
use losscape_optim::shared::in_training;
use losscape_tangent::parameters;
use sha2::{Digest, Sha256};

use crate::digest::hex;
use crate::error::LabError;

/// What is to be known of an archive in training mode that is measured in evaluation mode.
pub(crate) const IN_TRAINING: &str = "the archive was exported in training mode; in evaluation mode, where each sample \
                                      is measured on its own, batch norm goes by its running statistics, and batch \
                                      mode (--mode batch) takes those of all samples";

/// A network with the data and the loss to measure it on.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Where it comes from, in words.
    pub source: String,
    /// The network with the parameters to measure at.
    pub network: Model,
    /// The data: of a run, its training part.
    pub data: Dataset,
    /// The loss.
    pub loss: Loss,
    /// How it was trained, when that is known.
    pub training: Option<Training>,
    /// Samples of a batch that it was trained with, when that is known.
    pub batch_size: Option<usize>,
    /// What batch norm goes by while it is measured; see [`in_mode`](Self::in_mode).
    pub mode: Mode,
    /// How network and data were made, in words, by topic.
    pub setup: BTreeMap<String, String>,
    /// What was understood of the data in a way that a user should know of.
    pub notices: Vec<String>,
}

/// How a network was trained.
#[derive(Debug, Clone)]
pub struct Training {
    /// Optimizer steps done.
    pub step: usize,
    /// The method.
    pub optimizer: OptimizerConfig,
    /// The learning rate of the next step.
    pub learning_rate: f64,
    /// Whether every step saw all samples.
    pub full_batch: bool,
    /// The network before training: what distances and the kernel's change are taken from.
    pub initial: Model,
    /// The diagonal of the preconditioner, for methods that have one, as the parameters of a network.
    pub preconditioner: Option<Model>,
}

impl Subject {
    /// A network with data and loss, of which nothing else is known: in evaluation mode.
    #[must_use]
    pub fn new(network: Model, data: Dataset, loss: Loss) -> Self {
        Self {
            source: String::new(),
            network,
            data,
            loss,
            training: None,
            batch_size: None,
            mode: Mode::Evaluation,
            setup: BTreeMap::new(),
            notices: Vec::new(),
        }
    }

    /// Measures in this mode. Default: evaluation.
    ///
    /// # Errors
    ///
    /// For batch mode, when training drops numbers at random, so that its loss is no function of the parameters.
    pub fn in_mode(mut self, mode: Mode) -> Result<Self, LabError> {
        self.mode = mode;
        self.setup.insert("mode".to_owned(), mode.to_string());
        if mode == Mode::Batch {
            if let Some(layer) = in_training(&self.network).iter().find(|layer| *layer != "BatchNorm") {
                return Err(LabError::Random { layer: layer.clone() });
            }
            self.notices.retain(|notice| notice != IN_TRAINING);
            let notice = "the empirical Fisher matrix is left out: in batch mode samples see each other, and have no \
                          gradients of their own";
            self.notices.push(notice.to_owned());
        }
        Ok(self)
    }

    /// SHA-256, in hex, over everything that a measurement depends on: parameters, running statistics, network, loss,
    /// inputs, targets and mode.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut numbers = |values: &[f64]| values.iter().for_each(|value| hash.update(value.to_le_bytes()));
        numbers(&self.values());
        numbers(&self.data.inputs.values);
        match &self.data.targets {
            Targets::Labels { labels, .. } => numbers(&labels.iter().map(|&label| label as f64).collect::<Vec<_>>()),
            Targets::Values(values) => numbers(&values.values),
        }
        let (network, loss) = (self.setup.get("network"), loss_in_words(self.loss, self.data.target().positions()));
        hash.update(format!("{:?} {loss} {network:?}", self.data.len()));
        self.statistics().iter().for_each(|value| hash.update(value.to_le_bytes()));
        if self.setup.contains_key("samples") {
            hash.update(serde_json::to_string(&self.data.sample).expect("a sample is numbers"));
        }
        if self.mode == Mode::Batch {
            hash.update(self.mode.to_string());
        }
        hex(&hash.finalize())
    }

    /// SHA-256 of the parameters, in hex.
    #[must_use]
    pub fn parameters_digest(&self) -> String {
        let mut hash = Sha256::new();
        self.values().iter().for_each(|value| hash.update(value.to_le_bytes()));
        hex(&hash.finalize())
    }

    fn values(&self) -> Vec<f64> {
        parameters::ravel(&self.network).map(|w| w.into_data().iter::<f64>().collect()).unwrap_or_default()
    }

    /// The numbers of batch norms that are no parameters; none for networks without one.
    fn statistics(&self) -> Vec<f64> {
        struct Statistics(Vec<f64>);
        impl ModuleVisitor for Statistics {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if !param.is_require_grad() {
                    self.0.extend(param.val().into_data().iter::<f64>());
                }
            }
        }
        let mut statistics = Statistics(Vec::new());
        self.network.visit(&mut statistics);
        statistics.0
    }

    /// Parameters P.
    #[must_use]
    pub fn parameters(&self) -> usize {
        parameters::count(&self.network)
    }
}

/// The loss as digests have it: a setting that came later is not there unless it is set.
fn loss_in_words(loss: Loss, positions: usize) -> String {
    let Loss { kind, reduction, label_smoothing, delta, .. } = loss;
    let mut words = format!("Loss {{ kind: {kind:?}, reduction: {reduction:?} }}");
    for (name, value) in [("label_smoothing", label_smoothing), ("delta", delta)] {
        words += &value.map(|value| format!(" {name}: {value:?}")).unwrap_or_default();
    }
    match positions {
        1 => words,
        positions => format!("{words} positions: {positions}"),
    }
}

#[cfg(test)]
mod tests {
    use losscape_model::{Loss, MlpConfig, Norm, ResNetConfig};

    use super::*;

    /// Analyses are kept under these digests: what is measured as before has the words of before.
    #[test]
    fn digests_stay() {
        let words = loss_in_words(Loss::cross_entropy(), 1);
        assert_eq!(words, "Loss { kind: CrossEntropy, reduction: Mean }");
        assert_ne!(loss_in_words(Loss::cross_entropy().with_label_smoothing(0.1), 1), words);
        assert_ne!(loss_in_words(Loss::cross_entropy(), 2), words);
    }

    /// Running statistics count, and networks without them have none.
    #[test]
    fn statistics_are_what_is_no_parameter() {
        let device = burn::tensor::Device::flex().autodiff();
        let digits = losscape_model::data::digits::load().select(&[0, 1]);
        let subject = |network: Model| Subject::new(network, digits.clone(), Loss::cross_entropy());
        let dtype = burn::tensor::DType::F64;
        let plain = MlpConfig::new([4]).init(64, 10, 0, &device, dtype).expect("it fits");
        assert!(subject(Model::Mlp(plain)).statistics().is_empty());
        let normed = ResNetConfig::new(8, 2).with_norm(Norm::Batch).init([1, 8, 8], 10, 0, &device, dtype);
        let subject = subject(Model::ResNet(normed.expect("it fits")));
        let variances = subject.statistics().iter().filter(|value| **value == 1.0).count();
        // A first convolution, two in each of three blocks, one beside the last two: of 2, 4 and 8 channels.
        assert_eq!((subject.statistics().len(), variances), (2 * 42, 42));
    }
}
