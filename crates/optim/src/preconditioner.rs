//! The diagonal preconditioner by which RMSProp and Adam divide their steps, from a state at work.

use burn::module::Module;
use burn::optim::{LearningRate, ModuleOptimizer, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};

use crate::shared;
use crate::state::{put, take};

/// `√s + ϵ`, or `√(s + ϵ)`.
pub(crate) fn root<const D: usize>(square: Tensor<D>, epsilon: f64, inside: bool) -> Tensor<D> {
    if inside { square.add_scalar(epsilon).sqrt() } else { square.sqrt().add_scalar(epsilon) }
}

/// The second moments in a state of RMSProp or Adam, which both keep them as `mean_square`.
#[derive(Clone)]
pub(crate) struct Moments<const D: usize> {
    steps: Option<usize>,
    mean_square: Tensor<D>,
}

impl<const D: usize> RecordState for Moments<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        put(&self.mean_square, prefix, "mean_square", out);
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        let steps = source.take_scalar(prefix, "steps").and_then(|steps| steps.try_into().ok());
        Some(Self { steps, mean_square: take(prefix, "mean_square", source, device)? })
    }
}

/// A rule that puts the preconditioner's diagonal in the place of every parameter: the way Burn offers to states and
/// parameters at once.
#[derive(Clone)]
pub(crate) struct Reveal {
    /// β₁ and β₂, for Adam's corrections.
    pub betas: [f64; 2],
    pub epsilon: f64,
    pub epsilon_inside: bool,
}

impl Optimizer for Reveal {
    type State<const D: usize> = Moments<D>;

    fn step<const D: usize>(
        &self,
        _: LearningRate,
        w: Tensor<D>,
        _: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let Some(state) = state else { return (w.ones_like(), None) };
        // What is missing of the weight of an average that began with zero.
        let [first, second] = self.betas.map(|beta| state.steps.map_or(1.0, |steps| 1.0 - beta.powf(steps as f64)));
        let diagonal = root(state.mean_square.clone() / second, self.epsilon, self.epsilon_inside) * first;
        (diagonal, Some(state))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        Moments { steps: state.steps, mean_square: state.mean_square.to_device(device) }
    }
}

impl Reveal {
    /// The module with the preconditioner's diagonal, as the optimizer's state has it, in the place of its parameters.
    pub(crate) fn preconditioner<M: Module>(&self, optimizer: &ModuleOptimizer, module: &M) -> M {
        // What is written into statistics is written into those of every clone.
        let module = shared::apart(module);
        // A parameter is only stepped when it has a gradient: the parameters themselves serve.
        let gradients = shared::own(&module);
        let mut reveal = ModuleOptimizer::from(self.clone()).load_record(optimizer.to_record());
        shared::step(&mut reveal, 0.0, module, gradients)
    }
}
