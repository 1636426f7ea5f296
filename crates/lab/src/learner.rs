//! The same networks, losses and methods under Burn's own [`Learner`](burn::train::Learner).
//!
//! [`Learned`] implements Burn's `TrainStep` and `InferenceStep`; with SAM both gradients are taken inside one train
//! step. What Burn's loop does not have stays behind: exact resume (it resumes by epoch and draws another order of
//! samples), and methods that are no optimizer of Burn's or have a state that it would not keep: L-BFGS, the look-ahead
//! form of Nesterov's gradient, scalar RMSProp, Friendly SAM. With gradient accumulation SAM perturbs each
//! accumulated batch by itself (m-SAM).

use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderBuilder};
use burn::data::dataset::InMemDataset;
use burn::module::{Module, ModuleDisplay};
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{DType, Device, Tensor};
use burn::train::{ClassificationOutput, InferenceStep, TrainOutput, TrainStep};
use losscape_model::data::Dataset;
use losscape_model::{FromDataset, Loss, ModelError, Network};
use losscape_optim::Method;
use losscape_optim::clip::clip_global_norm;
use losscape_optim::method::Surrogate;
use losscape_optim::shared::{self, tied};

/// A batch of inputs and one-hot targets `[n, C]`.
#[derive(Debug, Clone)]
pub struct Batch<I> {
    /// Inputs.
    pub inputs: I,
    /// Targets `[n, C]`, labels one-hot.
    pub targets: Tensor<2>,
}

/// Makes batches of a dataset's rows.
#[derive(Debug, Clone)]
struct Rows {
    data: Arc<Dataset>,
    dtype: DType,
}

impl<I: FromDataset> Batcher<usize, Batch<I>> for Rows {
    fn batch(&self, rows: Vec<usize>, device: &Device) -> Batch<I> {
        let data = self.data.select(&rows);
        let inputs = I::from_dataset(&data, device, self.dtype).expect("the loader looked at the first sample");
        Batch { inputs, targets: data.target_tensor(device, self.dtype) }
    }
}

/// A loader of batches in an order that Burn draws from `seed`; without a seed, in the dataset's order.
///
/// # Errors
///
/// [`ModelError::Samples`] when the samples are of another kind than the inputs.
pub fn loader<I: FromDataset + std::fmt::Debug + 'static>(
    data: &Dataset,
    batch_size: usize,
    seed: Option<u64>,
    device: &Device,
    dtype: DType,
) -> Result<Arc<dyn DataLoader<Batch<I>>>, ModelError> {
    I::from_dataset(&data.select(&[0]), device, dtype)?;
    let rows = Rows { data: Arc::new(data.clone()), dtype };
    let builder = DataLoaderBuilder::new(rows).batch_size(batch_size).set_device(device.clone());
    let builder = match seed {
        Some(seed) => builder.shuffle(seed),
        None => builder,
    };
    Ok(builder.build(InMemDataset::new((0..data.len()).collect())))
}

/// A classifier with its loss and, around its rule, a surrogate loss and clipping.
#[derive(Module, Debug)]
pub struct Learned<N: Module + ModuleDisplay> {
    /// The network.
    pub network: N,
    #[module(skip)]
    loss: Loss,
    #[module(skip)]
    surrogate: Option<Surrogate>,
    #[module(skip)]
    clip_norm: Option<f64>,
}

impl<N: Network + ModuleDisplay> Learned<N> {
    /// The network ready for a `Learner`, and the optimizer to hand to it.
    ///
    /// `None` for methods without a `ModuleOptimizer` that keeps all of their state, as
    /// [`Method::into_module_optimizer`] says.
    #[must_use]
    pub fn new(network: N, loss: Loss, method: Method) -> Option<(Self, ModuleOptimizer)> {
        let (rule, surrogate, clip_norm) = method.into_module_optimizer()?;
        let network = tied(network);
        Some((Self { network, loss, surrogate, clip_norm }, rule))
    }

    fn output(&self, batch: &Batch<N::Input>) -> ClassificationOutput {
        let output = self.network.forward(batch.inputs.clone());
        let loss = self.loss.value(output.clone(), batch.targets.clone());
        ClassificationOutput { loss, output, targets: batch.targets.clone().argmax(1).flatten(0, 1) }
    }
}

impl<N: Network + ModuleDisplay> TrainStep for Learned<N>
where
    N::Input: 'static,
{
    type Input = Batch<N::Input>;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch<N::Input>) -> TrainOutput<ClassificationOutput> {
        let differentiated = |at: &Self| {
            let item = at.output(&batch);
            let gradients = shared::gradients(item.loss.backward(), at);
            (item, gradients)
        };
        // Those with a state are not here.
        let (item, grads) = match self.surrogate.clone() {
            Some(mut surrogate) => {
                let mut first = None;
                let (_, gradients) = surrogate.gradients(self, &mut |at: &Self| {
                    let (item, gradients) = differentiated(at);
                    let loss = item.loss.clone().into_scalar();
                    first.get_or_insert(item);
                    (loss, gradients)
                });
                (first.unwrap_or_else(|| self.output(&batch)), gradients)
            }
            None => differentiated(self),
        };
        TrainOutput { grads, item }
    }

    fn optimize(self, optim: &mut ModuleOptimizer, rate: ModuleLearningRate, grads: GradientsParams) -> Self {
        let grads = match self.clip_norm {
            Some(limit) => clip_global_norm(&self, grads, limit),
            None => grads,
        };
        tied(optim.step(rate, self, grads))
    }
}

impl<N: Network + ModuleDisplay> InferenceStep for Learned<N>
where
    N::Input: 'static,
{
    type Input = Batch<N::Input>;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch<N::Input>) -> ClassificationOutput {
        self.output(&batch)
    }
}
