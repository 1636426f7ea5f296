//! A network under training, and which gradient it is stepped with.
//!
//! Burn's autodiff is the reference and works for every module. Training goes on a flat vector with the compiled
//! gradient ([`losscape_tangent::Compiled`]), for which nothing is recorded from step to step, where
//!
//! - the method steps every number on its own
//!   ([`RuleConfig::is_elementwise`](losscape_optim::RuleConfig::is_elementwise)),
//! - no layer but batch norm works otherwise in training than at inference,
//! - forward and loss can be compiled for the memory of the CPU, and
//! - both ways agree on a first batch of each size at the initial weights, in running statistics too, which catches
//!   what a recording leaves out: to √ϵ, or, where rounding is larger, as in deep networks with batch norm, to four
//!   times what the gradient changes by where every weight changes by ϵ of it.
//!
//! The choice depends on configuration, data and device alone, so that a run that goes on from a checkpoint makes it
//! again. The checkpoint says which it was, since the method's state belongs to the vector or to the module, and the
//! other way is refused.

use std::sync::OnceLock;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{DType, Int, Tensor};
use losscape_model::{Loss, Network};
use losscape_optim::clip::global_norm;
use losscape_optim::shared::{self, apart, in_training, tied};
use losscape_optim::{Method, Vector};
use losscape_tangent::{Compiled, Inputs, Map, parameters};

use crate::running::Running;

/// Inputs and targets of the training part, outside the autodiff graph.
pub type Samples<I> = (I, Tensor<2>);

/// What a step sees.
pub enum Batch<'a, I> {
    /// All samples.
    All,
    /// Those with these rows.
    Rows(&'a [usize]),
    /// Others, of as many as a batch has.
    Made(&'a Samples<I>),
}

/// A network under training; see the [module](self).
pub struct Stepper<N: Network> {
    loss: Loss,
    samples: Samples<N::Input>,
    way: Way<N>,
}

enum Way<N> {
    /// Through the module; absent only while a step consumes it.
    Autodiff(Option<N>),
    Compiled(Box<OnVector<N>>),
}

/// A network as a vector.
struct OnVector<N> {
    /// Any weights, in the structure of the network, with its running statistics.
    template: N,
    /// Absent only while a step consumes it.
    vector: Option<Vector>,
    /// The network with the vector's weights, made when it is asked for.
    network: OnceLock<N>,
    sizes: Vec<OfSize>,
}

/// What belongs to batches of one size.
struct OfSize {
    size: usize,
    gradient: Compiled,
    running: Running,
}

impl<N: Network> Stepper<N> {
    /// A network to be trained on batches of these sizes of `samples`, by a method that steps every number on its own,
    /// or not.
    pub fn new(network: N, loss: Loss, samples: Samples<N::Input>, sizes: &[usize], elementwise: bool) -> Self {
        let network = tied(network);
        let compiled = if elementwise { compile(&network, loss, &samples, sizes) } else { None };
        let way = match compiled {
            Some((vector, sizes)) => {
                let network_now = OnceLock::new();
                let template = network.clone();
                let _ = network_now.set(network);
                let vector = Some(Vector::new(vector));
                Way::Compiled(Box::new(OnVector { template, vector, network: network_now, sizes }))
            }
            None => Way::Autodiff(Some(network)),
        };
        Self { loss, samples, way }
    }

    /// Whether gradients are compiled.
    pub fn is_compiled(&self) -> bool {
        matches!(self.way, Way::Compiled(_))
    }

    /// The network as it is now.
    pub fn network(&self) -> &N {
        match &self.way {
            Way::Autodiff(network) => network.as_ref().expect("no step is under way"),
            Way::Compiled(on_vector) => on_vector.network.get_or_init(|| on_vector.network_of(on_vector.vector())),
        }
    }

    /// Replaces the weights by those of another network of the same structure.
    pub fn set(&mut self, network: N) {
        let network = tied(network);
        match &mut self.way {
            Way::Autodiff(own) => *own = Some(network),
            Way::Compiled(on_vector) => {
                on_vector.vector = parameters::ravel(&network).map(Vector::new);
                on_vector.template = network.clone();
                on_vector.network = network.into();
            }
        }
    }

    /// The weights `[P]` as they are now.
    pub fn weights(&self) -> Tensor<1> {
        match &self.way {
            Way::Autodiff(network) => parameters::ravel(network.as_ref().expect("no step is under way"))
                .expect("a network under training has parameters"),
            Way::Compiled(on_vector) => on_vector.vector().values(),
        }
    }

    /// The diagonal of the method's preconditioner as the parameters of a network; see [`Method::preconditioner`].
    pub fn preconditioner(&self, method: &Method) -> Option<N> {
        preconditioner(method, self.network(), self.is_compiled())
    }

    /// One step on a batch. Returns the loss of the batch before it, and the norm of its gradient if it is `logged`.
    pub fn step(
        &mut self,
        method: &mut Method,
        rate: f64,
        batch: &Batch<N::Input>,
        logged: bool,
    ) -> (f64, Option<f64>) {
        let mut norm = None;
        let loss = match &mut self.way {
            Way::Autodiff(own) => {
                let (inputs, targets) = match *batch {
                    Batch::All => self.samples.clone(),
                    Batch::Rows(rows) => self.samples.select(rows),
                    Batch::Made(samples) => samples.clone(),
                }
                .autodiff();
                let network = own.take().expect("no step is under way");
                let (network, loss) = method.step(rate, network, |network: &N| {
                    let (loss, gradients) = differentiate(network, self.loss, &inputs, &targets);
                    if logged && norm.is_none() {
                        norm = Some(global_norm(network, &gradients));
                    }
                    (loss, gradients)
                });
                *own = Some(network);
                loss
            }
            Way::Compiled(on_vector) => {
                let size = match *batch {
                    Batch::All => self.samples.samples(),
                    Batch::Rows(rows) => rows.len(),
                    Batch::Made(samples) => samples.samples(),
                };
                let OnVector { template, vector, network, sizes } = &mut **on_vector;
                // Weights that nobody else reads are stepped in place.
                network.take();
                let OfSize { gradient: compiled, running, .. } =
                    sizes.iter_mut().find(|of| of.size == size).expect("every size of a batch was compiled");
                let mut statistics = None;
                let (stepped, loss) =
                    method.step(rate, vector.take().expect("no step is under way"), |vector: &Vector| {
                        let (loss, gradient) = match *batch {
                            Batch::All => compiled.gradient(&vector.values(), &self.samples),
                            Batch::Rows(rows) => compiled.gradient_of_rows(&vector.values(), &self.samples, rows),
                            Batch::Made(samples) => compiled.gradient(&vector.values(), samples),
                        };
                        // Those where the step's first gradient is taken, as with autodiff.
                        statistics.get_or_insert_with(|| compiled.statistics());
                        let gradients = vector.gradients(gradient);
                        if logged && norm.is_none() {
                            norm = Some(global_norm(vector, &gradients));
                        }
                        (loss, gradients)
                    });
                *vector = Some(stepped);
                *template = running.step(template.clone(), statistics.unwrap_or_default());
                loss
            }
        };
        (loss, norm)
    }
}

impl<N: Network> OnVector<N> {
    fn vector(&self) -> &Vector {
        self.vector.as_ref().expect("no step is under way")
    }

    fn network_of(&self, vector: &Vector) -> N {
        parameters::unravel(self.template.clone(), &vector.values()).expect("the vector came from this structure")
    }
}

/// The diagonal of a method's preconditioner as the parameters of a network, where the method's state is that of the
/// network as a vector, or not.
pub fn preconditioner<N: Module>(method: &Method, network: &N, vector: bool) -> Option<N> {
    if !vector {
        return method.preconditioner(network);
    }
    let diagonal = method.preconditioner(&Vector::new(parameters::ravel(network)?))?;
    parameters::unravel(network.clone(), &diagonal.values()).ok()
}

/// Loss and gradients by Burn's autodiff, in training mode.
fn differentiate<N: Network>(
    network: &N,
    loss: Loss,
    inputs: &N::Input,
    targets: &Tensor<2>,
) -> (f64, GradientsParams) {
    let value = loss.value(network.forward(inputs.clone()), targets.clone());
    let gradients = shared::gradients(value.backward(), network);
    (value.into_scalar(), gradients)
}

/// Gradients that are further apart, as a share of them, are not alike whatever their rounding.
const LARGEST: f64 = 0.01;

/// The network as a vector, with the compiled gradient; `None` where it cannot be compiled or does not agree with
/// autodiff's. What training does and inference does not, as dropout, is not recorded: a network with such a layer is
/// not compiled. Of batch norm the statistics of the batch are.
fn compile<N: Network>(
    network: &N,
    loss: Loss,
    samples: &Samples<N::Input>,
    sizes: &[usize],
) -> Option<(Tensor<1>, Vec<OfSize>)> {
    if in_training(network).iter().any(|layer| layer != "BatchNorm") {
        return None;
    }
    let value = |network: &N, (inputs, targets): Samples<N::Input>| loss.value(network.forward(inputs), targets);
    let map = Map::new(value).batch_statistics(true);
    let w = parameters::ravel(network)?;
    let epsilon = if w.dtype() == DType::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) };
    let tolerance = epsilon.sqrt();
    let norm = |g: Tensor<1>| g.cast(DType::F64).square().sum().into_scalar::<f64>().sqrt();
    let mut all = Vec::new();
    for &size in sizes {
        let batch = samples.narrow(0, size);
        let mut compiled = map.compile(network, &batch).ok()??;
        let (ours, gradient) = compiled.gradient(&w, &batch);
        let (inputs, targets) = batch.clone().autodiff();
        let mut reference = None;
        let running = Running::observed(
            || apart(network),
            &compiled.statistics(),
            |copy| {
                let (theirs, gradients) = differentiate(copy, loss, &inputs, &targets);
                reference = parameters::ravel_gradient(copy, &gradients).map(|gradient| (theirs, gradient));
            },
        )?;
        let (theirs, reference) = reference?;
        let (distance, length) = (norm(gradient.clone() - reference.clone()), norm(reference));
        let near = (ours - theirs).abs() <= tolerance * theirs.abs();
        if !near {
            return None;
        }
        let alike = distance <= tolerance * length;
        if !alike {
            let moved = |stride| {
                let (_, moved) = compiled.gradient(&nudged(&w, epsilon, stride), &batch);
                norm(moved - gradient.clone())
            };
            let rounding = NUDGES.map(moved).into_iter().fold(0.0, f64::max);
            if !(distance <= 4.0 * rounding && distance <= LARGEST * length) {
                return None;
            }
        }
        all.push(OfSize { size, gradient: compiled, running });
    }
    Some((w, all))
}

/// How many weights in a row are moved alike, where a gradient's own rounding is looked for: a single look can meet one
/// that happens to change little.
const NUDGES: [i64; 4] = [1, 2, 3, 5];

/// The weights, each changed by this share of it: so many in a row made smaller, the next ones larger, by turns.
fn nudged(w: &Tensor<1>, share: f64, stride: i64) -> Tensor<1> {
    let turns = (Tensor::<1, Int>::arange(0..w.shape()[0] as i64, &w.device()) / stride).remainder_scalar(2) * 2 - 1;
    w.clone() + w.clone() * turns.float().cast(w.dtype()) * share
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Shape, TensorData};
    use losscape_model::{CnnConfig, ConvolutionConfig, Model, ModelConfig, ModelInput, Norm, ResNetConfig, Sample};
    use losscape_optim::gradient_descent::GradientDescentConfig;
    use losscape_optim::{OptimizerConfig, SamConfig};

    use super::*;

    /// Weights and running statistics after twenty steps with SAM.
    fn trained(elementwise: bool) -> Vec<f64> {
        let device = Device::flex().autodiff();
        let numbers = |shape: [usize; 4]| {
            let values: Vec<f64> =
                (0..shape.iter().product()).map(|at: usize| ((at * at + 3 * at) as f64).sin()).collect();
            Tensor::<4>::from_data(TensorData::new(values, Shape::from(shape)), (&Device::flex(), DType::F64))
        };
        let mut config = CnnConfig::new([ConvolutionConfig::new(4).with_pool(2), ConvolutionConfig::new(3)]);
        config.norm = Norm::Batch;
        let sample = Sample::Image { channels: 1, height: 6, width: 6 };
        let network: Model =
            ModelConfig::from(config).init(&sample, 2, 0, &device, DType::F64).expect("it can be built");
        let samples = (ModelInput::Images(numbers([8, 1, 6, 6])), numbers([8, 2, 1, 1]).reshape([8, 2]));
        let mut stepper = Stepper::new(network, Loss::squared_error(), samples, &[4], elementwise);
        assert_eq!(stepper.is_compiled(), elementwise);
        let optimizer = OptimizerConfig::new(GradientDescentConfig {}, 0.1).with_sam(SamConfig::new(0.05));
        let mut method = optimizer.init().expect("its settings are possible");
        for step in 0..20 {
            stepper.step(&mut method, 0.1, &Batch::Rows(&[step % 5, 7, 5, 6]), false);
        }
        struct Floats(Vec<f64>);
        impl burn::module::ModuleVisitor for Floats {
            fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
                self.0.extend(param.val().into_data().iter::<f64>());
            }
        }
        let mut floats = Floats(Vec::new());
        stepper.network().valid().visit(&mut floats);
        floats.0
    }

    #[test]
    fn deep_networks_with_batch_norm_are_compiled_in_single_precision() {
        let (device, inner) = (Device::flex().autodiff(), Device::flex());
        let noise =
            |count: usize, seed: f64| (0..count).map(move |at| (12.9898 * at as f64 + seed).sin() * 43758.5453 % 1.0);
        let images: Vec<f64> = noise(64 * 3 * 32 * 32, 0.1).collect();
        let targets: Vec<f64> = noise(64 * 10, 0.7).collect();
        let images = TensorData::new(images, Shape::from([64, 3, 32, 32])).convert_dtype(DType::F32);
        let targets = TensorData::new(targets, Shape::from([64, 10])).convert_dtype(DType::F32);
        let samples = (ModelInput::Images(Tensor::from_data(images, &inner)), Tensor::<2>::from_data(targets, &inner));
        // With some of these weights both gradients are further apart than √ϵ by rounding; with which, is a matter of
        // the processor.
        let config = ModelConfig::from(ResNetConfig { norm: Norm::Batch, ..ResNetConfig::new(20, 16) });
        let sample = Sample::Image { channels: 3, height: 32, width: 32 };
        for seed in 0..6 {
            let network: Model = config.init(&sample, 10, seed, &device, DType::F32).expect("it can be built");
            let stepper = Stepper::new(network, Loss::squared_error(), samples.clone(), &[64], true);
            assert!(stepper.is_compiled(), "seed {seed}");
        }
    }

    #[test]
    fn batch_norm_is_trained_alike_by_both_ways() {
        let [compiled, autodiff] = [true, false].map(trained);
        assert_eq!(compiled.len(), autodiff.len());
        for (at, (a, b)) in compiled.iter().zip(&autodiff).enumerate() {
            assert!((a - b).abs() < 1e-10, "number {at}: {a} and {b}");
        }
    }
}
