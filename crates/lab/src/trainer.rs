//! The training loop: one for every network and every method.
//!
//! Everything that decides a step is a function of configuration and step number: the batch order of epoch `e` is drawn
//! from `(seed, Shuffle, e)`, the learning rate from the schedule at the step. A trainer moved to step `t` by
//! [`Trainer::restore`] therefore goes on as if it had never stopped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::optim::GradientsAccumulator;
use burn::tensor::{DType, Device, Tensor};
use losscape_model::data::{Dataset, Prepared, Targets};
use losscape_model::random::{Purpose, stream};
use losscape_model::{Loss, Network, Reduction};
use losscape_optim::clip::global_norm;
use losscape_optim::shared::{at_inference, gradients};
use losscape_optim::{Method, OptimizerConfig, Schedule};
use losscape_tangent::parameters;
use rand::seq::SliceRandom;

use crate::LabError;
use crate::config::{BatchSize, TrainingConfig};
use crate::observe::Observe;
use crate::records::{Metric, Split};
use crate::weights::Weights;

/// Samples evaluated at once: enough to keep matrix products efficient, few enough to keep activations small.
pub(crate) const EVALUATION_CHUNK: usize = 2048;

/// The most steps a run may have: a limit against slips of the pen.
const MAX_STEPS: usize = 1_000_000_000_000;

/// How training ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// As configured; the reason says by which rule.
    Finished(String),
    /// Loss or parameters were not finite; the reason says which, and at which step.
    Diverged(String),
    /// Asked to stop from outside.
    Interrupted,
}

/// One part of the data on the device.
#[derive(Debug, Clone)]
struct Part {
    inputs: Tensor<2>,
    targets: Tensor<2>,
    labels: bool,
}

impl Part {
    fn new(data: &Dataset, device: &Device, dtype: DType) -> Self {
        Self {
            inputs: data.input_tensor(device, dtype),
            targets: data.target_tensor(device, dtype),
            labels: matches!(data.targets, Targets::Labels { .. }),
        }
    }

    fn len(&self) -> usize {
        self.inputs.dims()[0]
    }

    fn chunks(&self) -> impl Iterator<Item = (Tensor<2>, Tensor<2>)> + '_ {
        (0..self.len()).step_by(EVALUATION_CHUNK).map(|start| {
            let length = EVALUATION_CHUNK.min(self.len() - start);
            (self.inputs.clone().narrow(0, start, length), self.targets.clone().narrow(0, start, length))
        })
    }
}

/// Trains a network step by step; see the [module documentation](self).
pub struct Trainer<N> {
    weights: Weights<N>,
    method: Method,
    schedule: Schedule,
    learning_rate: f64,
    /// Rate of the last step.
    rate: Option<f64>,
    loss: Loss,
    /// The training part and, where there is one, the test part, outside the autodiff graph.
    parts: Vec<(Split, Part)>,
    samples: usize,
    training: TrainingConfig,
    seed: u64,
    batch_size: usize,
    total_steps: usize,
    evaluate_every: usize,
    checkpoint_every: usize,
    step: usize,
    /// Whether it goes on from a checkpoint.
    restored: bool,
    /// Order of the samples in the epoch it was drawn for.
    order: Option<(usize, Vec<usize>)>,
    wall: Wall,
}

/// Time spent training, with what was spent before an interruption.
struct Wall {
    before: f64,
    since: Instant,
}

impl<N: Network<Input = Tensor<2>>> Trainer<N> {
    /// A trainer at step 0, which calculates on the device and in the type of the network's parameters.
    ///
    /// # Errors
    ///
    /// [`LabError::Setting`] when the network has nothing to train or does not fit the data, or optimizer or training
    /// settings do not fit each other or the data.
    pub fn new(
        network: N,
        data: &Prepared,
        loss: Loss,
        optimizer: &OptimizerConfig,
        training: &TrainingConfig,
        seed: u64,
    ) -> Result<Self, LabError> {
        let w = parameters::ravel(&network).filter(|_| network.devices().iter().any(Device::is_autodiff));
        let Some(w) = w else {
            let problem = "the network has no trainable parameters; build it on a device with autodiff";
            return Err(LabError::Setting(problem.to_owned()));
        };
        let (inner, dtype) = (w.device(), w.dtype());
        let setting = |error: &dyn std::fmt::Display| LabError::Setting(error.to_string());
        let samples = data.train.len();
        let batch_size = batch_size(training, samples).map_err(|(_, message)| LabError::Setting(message))?;
        let total_steps = total_steps(training, samples).map_err(|(_, message)| LabError::Setting(message))?;
        let epoch = samples.div_ceil(batch_size);
        let has_target = training.target_loss.is_some() || training.target_gradient_norm.is_some();
        let evaluate_every =
            training.evaluate_every.unwrap_or(if has_target { epoch } else { epoch.max(total_steps / 100) });
        let train = Part::new(&data.train, &inner, dtype);
        let test = data.test.as_ref().map(|test| (Split::Test, Part::new(test, &inner, dtype)));
        outputs_fit(&network, &train)?;
        let method = optimizer.init().map_err(|error| setting(&error))?;
        // The last batch of an epoch may be smaller.
        let sizes = [batch_size, samples % batch_size];
        let sizes = &sizes[..1 + usize::from(sizes[1] != 0)];
        let elementwise = optimizer.rule.is_elementwise();
        let given = (train.inputs.clone(), train.targets.clone());
        Ok(Self {
            weights: Weights::new(network, loss, given, sizes, elementwise),
            method,
            schedule: optimizer.schedule.init(total_steps).map_err(|error| setting(&error))?,
            learning_rate: optimizer.learning_rate,
            rate: None,
            loss,
            parts: std::iter::once((Split::Train, train)).chain(test).collect(),
            samples,
            training: training.clone(),
            seed,
            batch_size,
            total_steps,
            evaluate_every,
            checkpoint_every: training.checkpoint_every.unwrap_or(evaluate_every),
            step: 0,
            restored: false,
            order: None,
            wall: Wall { before: 0.0, since: Instant::now() },
        })
    }

    /// The network as it is now.
    ///
    /// # Panics
    ///
    /// Never, unless a step panicked before.
    #[must_use]
    pub fn network(&self) -> &N {
        self.weights.network()
    }

    /// Whether gradients come from the compiled forward instead of Burn's autodiff; they agree to rounding.
    #[must_use]
    pub fn is_compiled(&self) -> bool {
        self.weights.is_compiled()
    }

    /// Learning rate of the last step; none before the first, and none just after a checkpoint was taken up.
    #[must_use]
    pub fn last_rate(&self) -> Option<f64> {
        self.rate
    }

    /// The diagonal of the method's preconditioner as the parameters of a network; see [`Method::preconditioner`].
    #[must_use]
    pub fn preconditioner(&self) -> Option<N> {
        self.weights.preconditioner(&self.method)
    }

    /// Optimizer steps done.
    #[must_use]
    pub fn step(&self) -> usize {
        self.step
    }

    /// Optimizer steps at which training ends, if nothing ends it sooner.
    #[must_use]
    pub fn total_steps(&self) -> usize {
        self.total_steps
    }

    /// Steps in an epoch.
    #[must_use]
    pub fn epoch_steps(&self) -> usize {
        self.samples.div_ceil(self.batch_size)
    }

    /// Epochs done, with fraction.
    #[must_use]
    pub fn epoch(&self) -> f64 {
        self.step as f64 / self.epoch_steps() as f64
    }

    /// Seconds of training so far, interruptions left out.
    #[must_use]
    pub fn wall_s(&self) -> f64 {
        self.wall.before + self.wall.since.elapsed().as_secs_f64()
    }

    /// Writes the optimizer's state.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn save_method(&self, path: &Path) -> Result<(), LabError> {
        self.method.save(path).map_err(|error| LabError::Damaged { path: path.to_owned(), problem: error.to_string() })
    }

    /// Takes up where a checkpoint was taken: its network, its optimizer state, its step and the seconds spent until
    /// then.
    ///
    /// # Errors
    ///
    /// When the optimizer's state cannot be read.
    pub fn restore(mut self, network: N, method: &Path, step: usize, wall_s: f64) -> Result<Self, LabError> {
        self.method = self
            .method
            .load(method)
            .map_err(|error| LabError::Damaged { path: method.to_owned(), problem: error.to_string() })?;
        self.weights.set(network);
        self.schedule.skip_to(step);
        self.step = step;
        self.restored = true;
        self.wall = Wall { before: wall_s, since: Instant::now() };
        Ok(self)
    }

    /// Trains to the end, or until `stop` is set, which is looked at between steps.
    ///
    /// # Errors
    ///
    /// The first error of an observer.
    pub fn run(&mut self, observers: &mut [&mut dyn Observe<N>], stop: &AtomicBool) -> Result<Outcome, LabError> {
        // Inside the thread pool: a matrix product called from outside it waits for a pool thread to wake up, and a
        // product of 128×512×512 then takes twice as long on two cores as it needs to.
        rayon::scope(|_| self.train(observers, stop))
    }

    fn train(&mut self, observers: &mut [&mut dyn Observe<N>], stop: &AtomicBool) -> Result<Outcome, LabError> {
        // Behind a checkpoint the records are written, but a target may have been reached.
        if self.step.is_multiple_of(self.evaluate_every) {
            let observers = if self.restored { &mut [] } else { &mut *observers };
            if let Some(outcome) = self.evaluate_for(observers)? {
                return Ok(outcome);
            }
        }
        if !self.restored {
            self.stepped(observers)?;
        }
        while self.step < self.total_steps {
            if stop.load(Ordering::Relaxed) {
                return Ok(self.checkpoint(observers)?.unwrap_or(Outcome::Interrupted));
            }
            let record = self.advance();
            if !record.loss.is_finite() {
                return Ok(Outcome::Diverged(format!("the loss was {} at step {}", record.loss, self.step)));
            }
            self.stepped(observers)?;
            if self.step.is_multiple_of(self.training.log_every) {
                for observer in &mut *observers {
                    observer.batch(self, &record)?;
                }
            }
            let last = self.step == self.total_steps;
            if (last || self.step.is_multiple_of(self.evaluate_every))
                && let Some(outcome) = self.evaluate_for(observers)?
            {
                if matches!(outcome, Outcome::Finished(_)) {
                    self.checkpoint(observers)?;
                }
                return Ok(outcome);
            }
            if (last || self.step.is_multiple_of(self.checkpoint_every))
                && let Some(outcome) = self.checkpoint(observers)?
            {
                return Ok(outcome);
            }
        }
        Ok(Outcome::Finished(format!("{} steps done", self.step)))
    }

    /// Tells observers that a step is done.
    fn stepped(&self, observers: &mut [&mut dyn Observe<N>]) -> Result<(), LabError> {
        observers.iter_mut().try_for_each(|observer| observer.step(self))
    }

    /// Tells observers that it is time for a checkpoint; or says that training is over, since there is nothing worth
    /// keeping.
    fn checkpoint(&self, observers: &mut [&mut dyn Observe<N>]) -> Result<Option<Outcome>, LabError> {
        let finite = parameters::ravel(self.network()).is_none_or(|w| w.is_finite().all().into_scalar::<bool>());
        if !finite {
            return Ok(Some(Outcome::Diverged(format!("parameters were not finite after step {}", self.step))));
        }
        for observer in observers {
            observer.checkpoint(self)?;
        }
        Ok(None)
    }

    /// One optimizer step; the record is that of its batch, of the network in training mode (with dropout and the
    /// batch's statistics). The gradient's norm is in it when the step is one to be logged.
    pub fn advance(&mut self) -> Metric {
        self.draw();
        let rate = self.learning_rate * self.schedule.next_factor();
        self.rate = Some(rate);
        let logged = (self.step + 1).is_multiple_of(self.training.log_every);
        let at = self.step % self.epoch_steps() * self.batch_size;
        let rows = self.order.as_ref().map(|(_, order)| &order[at..(at + self.batch_size).min(self.samples)]);
        let (value, norm) = self.weights.step(&mut self.method, rate, rows, logged);
        self.step += 1;
        Metric {
            step: self.step,
            epoch: self.epoch(),
            split: Split::Batch,
            loss: value,
            accuracy: None,
            learning_rate: Some(rate),
            grad_norm: norm,
            curvature: None,
            wall_s: self.wall_s(),
        }
    }

    /// Draws the order of the samples in the epoch of the next step, unless every batch is the whole part.
    fn draw(&mut self) {
        let epoch = self.step / self.epoch_steps();
        if self.batch_size == self.samples || self.order.as_ref().is_some_and(|(drawn_for, _)| *drawn_for == epoch) {
            return;
        }
        let mut order: Vec<usize> = (0..self.samples).collect();
        order.shuffle(&mut stream(self.seed, Purpose::Shuffle, epoch as u64));
        self.order = Some((epoch, order));
    }

    /// Loss, and accuracy where there are labels, over the training part and, where there is one, the test part, of the
    /// network as at inference (running statistics, no dropout), which stays as it is.
    #[must_use]
    pub fn evaluate(&self) -> Vec<Metric> {
        let network = self.network().valid();
        let sum = self.loss.with_reduction(Reduction::Sum);
        self.parts
            .iter()
            .map(|(split, part)| {
                let (mut loss, mut hits) = (0.0, 0);
                for (inputs, targets) in part.chunks() {
                    let outputs = network.forward(inputs);
                    loss += sum.value(outputs.clone(), targets.clone()).into_scalar::<f64>();
                    if part.labels {
                        let hit = outputs.argmax(1).equal(targets.argmax(1));
                        hits += hit.int().sum().into_scalar::<i64>();
                    }
                }
                Metric {
                    step: self.step,
                    epoch: self.epoch(),
                    split: *split,
                    loss: loss * self.loss.scale(part.len()),
                    accuracy: part.labels.then(|| hits as f64 / part.len() as f64),
                    learning_rate: None,
                    grad_norm: None,
                    curvature: None,
                    wall_s: self.wall_s(),
                }
            })
            .collect()
    }

    /// `‖∇L‖` over the whole training part, of the network as at inference: that of the loss which
    /// [`evaluate`](Self::evaluate) gives.
    #[must_use]
    pub fn gradient_norm(&self) -> f64 {
        let network = &at_inference(self.network());
        let sum = self.loss.with_reduction(Reduction::Sum);
        let mut accumulator = GradientsAccumulator::new();
        let (_, train) = &self.parts[0];
        for (inputs, targets) in train.chunks() {
            let loss = sum.value(network.forward(Tensor::from_inner(inputs)), Tensor::from_inner(targets));
            accumulator.accumulate(network, gradients(loss.backward(), network));
        }
        global_norm(network, &accumulator.grads()) * self.loss.scale(self.samples)
    }

    /// Evaluates, hands the records out, and says whether training is over.
    fn evaluate_for(&self, observers: &mut [&mut dyn Observe<N>]) -> Result<Option<Outcome>, LabError> {
        let mut records = self.evaluate();
        if let Some(target) = self.training.target_gradient_norm {
            let norm = self.gradient_norm();
            records[0].grad_norm = Some(norm);
            if norm <= target {
                self.hand_out(&records, observers)?;
                let reason = format!("the gradient's norm reached {target} at step {}", self.step);
                return Ok(Some(Outcome::Finished(reason)));
            }
        }
        self.hand_out(&records, observers)?;
        let train = &records[0];
        if !train.loss.is_finite() {
            let reason = format!("the training loss was {} after step {}", train.loss, self.step);
            return Ok(Some(Outcome::Diverged(reason)));
        }
        Ok(self
            .training
            .target_loss
            .filter(|target| train.loss <= *target)
            .map(|target| Outcome::Finished(format!("the training loss reached {target} at step {}", self.step))))
    }

    fn hand_out(&self, records: &[Metric], observers: &mut [&mut dyn Observe<N>]) -> Result<(), LabError> {
        for record in records {
            for observer in &mut *observers {
                observer.evaluation(self, record)?;
            }
        }
        Ok(())
    }
}

/// Whether the network takes the data's inputs, and gives an output for each of their targets.
fn outputs_fit<N: Network<Input = Tensor<2>>>(network: &N, data: &Part) -> Result<(), LabError> {
    let (row, targets) = (data.inputs.clone().narrow(0, 0, 1), data.targets.dims()[1]);
    let network = network.valid();
    let inputs = row.dims()[1];
    // A forward that does not fit its inputs has no other way to say so.
    let outputs = catch_unwind(AssertUnwindSafe(|| network.forward(row).dims())).map_err(|_| {
        LabError::Setting(format!("the network's forward panicked on a row of the data, which has {inputs} inputs"))
    })?;
    if outputs == [1, targets] {
        return Ok(());
    }
    let [rows, outputs] = outputs;
    Err(LabError::Setting(format!(
        "the network gives {rows} rows of {outputs} outputs for one row of inputs, and the data have {targets} \
         targets a row"
    )))
}

/// The batch size in samples.
///
/// # Errors
///
/// The setting that is wrong, and why.
pub fn batch_size(training: &TrainingConfig, samples: usize) -> Result<usize, (&'static str, String)> {
    match training.batch_size {
        BatchSize::Full => Ok(samples),
        BatchSize::Samples(0) => Err(("batch_size", "batches need at least one sample".to_owned())),
        BatchSize::Samples(size) if size > samples => {
            let message = format!("batches of {size} samples, but the training part has only {samples}");
            Err(("batch_size", message))
        }
        BatchSize::Samples(size) => Ok(size),
    }
}

/// Steps of the whole run; or the setting that is wrong, and why.
pub(crate) fn total_steps(training: &TrainingConfig, samples: usize) -> Result<usize, (&'static str, String)> {
    for (name, value) in [
        ("log_every", Some(training.log_every)),
        ("evaluate_every", training.evaluate_every),
        ("checkpoint_every", training.checkpoint_every),
    ] {
        if value == Some(0) {
            return Err((name, format!("{name} must be at least 1")));
        }
    }
    let epoch = samples.div_ceil(batch_size(training, samples)?);
    let by_epochs = training.epochs.map(|epochs| ("epochs", epochs.saturating_mul(epoch)));
    let by_steps = training.steps.map(|steps| ("steps", steps));
    match by_epochs.into_iter().chain(by_steps).min_by_key(|(_, steps)| *steps) {
        None => Err(("batch_size", "how long to train? Set epochs or steps".to_owned())),
        Some((name, 0)) => Err((name, format!("{name} must be at least 1"))),
        Some((name, steps)) if steps > MAX_STEPS => {
            Err((name, format!("{name} would take more than {MAX_STEPS} steps")))
        }
        Some((_, steps)) => Ok(steps),
    }
}
