//! The training loop: one for every network and every method.
//!
//! Everything that decides a step is a function of configuration and step number: the batch order of epoch `e` is drawn
//! from `(seed, Shuffle, e)`, its augmentation from `(seed, Augment, step)`, noise in its labels from `(seed,
//! LabelNoise, step)`, masks of dropout from `(seed, Dropout, step)`, the learning rate from the schedule. A trainer
//! moved to step `t` by [`Trainer::restore`] therefore goes on as if it had never stopped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::optim::GradientsAccumulator;
use burn::tensor::{DType, Device};
use losscape_analysis::{AnalysisError, coupling};
use losscape_model::data::{Dataset, Prepared};
use losscape_model::label_noise::label_noise;
use losscape_model::random::{Purpose, stream};
use losscape_model::{Augment, FromDataset, Loss, Network, Reduction, Sample};
use losscape_optim::clip::global_norm;
use losscape_optim::shared::{at_inference, gradients};
use losscape_optim::{Average, AverageConfig, Method, OptimizerConfig, Schedule};
use losscape_tangent::{Inputs, parameters};
use rand::Rng;
use rand::seq::SliceRandom;

use crate::average::network_at;
use crate::config::TrainingConfig;
use crate::error::LabError;
use crate::gradient::{Batch, Samples, Stepper};
use crate::memory::EVALUATED_AT_ONCE;
use crate::observe::{Moment, Observe};
use crate::outcome::{Divergence, Outcome, Reason};
use crate::records::{Metric, Split};

/// Loss, and accuracy where there are labels, of both parts of the data.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Over the training part.
    pub train: Metric,
    /// Over the test part, where there is one.
    pub test: Option<Metric>,
}

/// Where a [`Trainer`] takes up again.
#[derive(Debug)]
pub struct Position<N> {
    /// The network.
    pub network: N,
    /// The file of the method's state.
    pub method: PathBuf,
    /// Of an average how many weights were taken in, and what was kept of them; without, it begins anew.
    pub average: Option<(usize, Vec<Vec<f64>>)>,
    /// Steps done.
    pub step: usize,
    /// Seconds spent.
    pub wall_s: f64,
}

impl Evaluation {
    /// Both records, or the one.
    pub fn records(&self) -> impl Iterator<Item = &Metric> {
        std::iter::once(&self.train).chain(&self.test)
    }
}

/// One part of the data on the device.
#[derive(Debug, Clone)]
struct Part<I> {
    samples: Samples<I>,
    /// Where there are labels, how many of each sample.
    labels: Option<usize>,
}

impl<I: FromDataset> Part<I> {
    fn new(data: &Dataset, loss: Loss, device: &Device, dtype: DType) -> Result<Self, LabError> {
        let inputs = I::from_dataset(data, device, dtype);
        let inputs = inputs.map_err(|error| LabError::Network { problem: error.to_string() })?;
        let target = data.target();
        let labels = target.classes().map(|_| target.positions());
        Ok(Self { samples: (inputs, loss.targets(data, device, dtype)), labels })
    }
}

impl<I: Inputs> Part<I> {
    fn len(&self) -> usize {
        self.samples.samples()
    }

    fn chunks(&self, at_once: usize) -> impl Iterator<Item = Samples<I>> + '_ {
        (0..self.len()).step_by(at_once).map(move |start| {
            let length = at_once.min(self.len() - start);
            self.samples.narrow(start, length)
        })
    }
}

/// Trains a network step by step; see the [module documentation](self).
pub struct Trainer<N: Network> {
    stepper: Stepper<N>,
    method: Method,
    schedule: Schedule,
    learning_rate: f64,
    /// Rate of the last step.
    rate: Option<f64>,
    loss: Loss,
    /// The training part, outside the autodiff graph.
    train: Part<N::Input>,
    /// The test part, where there is one.
    test: Option<Part<N::Input>>,
    samples: usize,
    training: TrainingConfig,
    seed: u64,
    batch_size: usize,
    total_steps: usize,
    evaluate_every: usize,
    evaluated_at_once: usize,
    checkpoint_every: usize,
    average: Option<Average>,
    step: usize,
    /// Whether it goes on from a checkpoint.
    restored: bool,
    /// Order of the samples in the epoch it was drawn for.
    order: Option<(usize, Vec<usize>)>,
    wall: Wall,
}

impl<N: Network> std::fmt::Debug for Trainer<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { method, loss, training, seed, step, .. } = self;
        f.debug_struct("Trainer")
            .field("method", method)
            .field("loss", loss)
            .field("training", training)
            .field("seed", seed)
            .field("step", step)
            .finish_non_exhaustive()
    }
}

/// Time spent training, with what was spent before an interruption.
struct Wall {
    before: f64,
    since: Instant,
}

impl<N: Network> Trainer<N>
where
    N::Input: FromDataset,
{
    /// A trainer at step 0, which calculates on the device and in the type of the network's parameters.
    ///
    /// # Errors
    ///
    /// [`LabError::Network`] when the network has nothing to train or does not fit the data; when optimizer or training
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
            let problem = "it has no trainable parameters; build it on a device with autodiff".to_owned();
            return Err(LabError::Network { problem });
        };
        let (inner, dtype) = (w.device(), w.dtype());
        let samples = data.train.len();
        training.check_noise(data.train.target().classes().is_some())?;
        let batch_size = training.samples_a_step(samples)?;
        let total_steps = training.total_steps(samples)?;
        let epoch = samples.div_ceil(batch_size);
        let has_target = training.target_loss.is_some() || training.target_gradient_norm.is_some();
        let evaluate_every =
            training.evaluate_every.unwrap_or(if has_target { epoch } else { epoch.max(total_steps / 100) });
        let (loss, _) = loss.on(data.train.target())?;
        let train = Part::new(&data.train, loss, &inner, dtype)?;
        let test = data.test.as_ref().map(|test| Part::new(test, loss, &inner, dtype)).transpose()?;
        outputs_fit(&network, &train, &data.train.sample)?;
        if let Some(apart) = coupling(&network, &train.samples.0) {
            return Err(LabError::Network { problem: AnalysisError::SeeEachOther { apart }.to_string() });
        }
        if training.augment.is_some() && !Augment::applies(&train.samples.0) {
            let problem = "images are augmented, and it takes none".to_owned();
            return Err(LabError::Network { problem });
        }
        let method = optimizer.init()?;
        // The last batch of an epoch may be smaller.
        let sizes = [batch_size, samples % batch_size];
        let sizes = &sizes[..1 + usize::from(sizes[1] != 0)];
        let elementwise = optimizer.rule.is_elementwise();
        Ok(Self {
            stepper: Stepper::new(network, loss, train.samples.clone(), sizes, elementwise),
            method,
            schedule: optimizer.schedule.init(total_steps)?,
            learning_rate: optimizer.learning_rate,
            rate: None,
            loss,
            train,
            test,
            samples,
            training: training.clone(),
            seed,
            batch_size,
            total_steps,
            evaluate_every,
            evaluated_at_once: EVALUATED_AT_ONCE,
            checkpoint_every: training.checkpoint_every.unwrap_or(evaluate_every),
            average: None,
            step: 0,
            restored: false,
            order: None,
            wall: Wall { before: 0.0, since: Instant::now() },
        })
    }

    /// Evaluates so many samples at a time, at least one: fewer take less memory. Default: 2048.
    #[must_use]
    pub fn evaluating_at_once(mut self, samples: usize) -> Self {
        self.evaluated_at_once = samples.max(1);
        self
    }

    /// Keeps an average of the weights, too.
    ///
    /// # Errors
    ///
    /// When a setting of it is not possible.
    pub fn averaging(mut self, config: &AverageConfig) -> Result<Self, LabError> {
        self.average = Some(config.init(self.total_steps, self.epoch_steps())?);
        Ok(self)
    }

    /// The network as it is now.
    ///
    /// # Panics
    ///
    /// Never, unless a step panicked before.
    #[must_use]
    pub fn network(&self) -> &N {
        self.stepper.network()
    }

    /// The network with the average of its weights, in the type that it is trained in; none before the first are taken
    /// in. Running statistics are those of the training part, by batches in its own order
    /// ([`recomputed`](crate::running::recomputed)).
    #[must_use]
    pub fn averaged(&self) -> Option<N> {
        let weights = self.average.as_ref()?.weights()?;
        network_at(self.network(), weights, || self.train.chunks(self.batch_size).map(|(inputs, _)| inputs))
    }

    /// This moment, as observers see it.
    #[must_use]
    pub fn moment(&self) -> Moment<'_, N> {
        let Self { step, total_steps, rate, stepper, method, average, .. } = self;
        let (epoch, wall_s) = (self.epoch(), self.wall_s());
        let average = average.as_ref();
        Moment { step: *step, total_steps: *total_steps, epoch, rate: *rate, wall_s, stepper, method, average }
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

    /// Takes up where a checkpoint was taken.
    ///
    /// # Errors
    ///
    /// When the optimizer's state cannot be read.
    pub fn restore(mut self, position: Position<N>) -> Result<Self, LabError> {
        let Position { network, method, average, step, wall_s } = position;
        self.method = self
            .method
            .load(&method)
            .map_err(|error| LabError::Damaged { path: method, problem: error.to_string() })?;
        self.stepper.set(network);
        if let Some((taken, kept)) = average {
            let device = self.stepper.weights().device();
            self.average = self.average.map(|own| own.restored(taken, kept, &device));
        }
        self.schedule.skip_to(step);
        self.step = step;
        self.restored = true;
        self.wall = Wall { before: wall_s, since: Instant::now() };
        Ok(self)
    }

    /// Trains to the end.
    pub fn run(&mut self) -> Outcome {
        let nobody = self.observed(&mut [], &AtomicBool::new(false));
        nobody.unwrap_or_else(|error| unreachable!("nobody observes: {error}"))
    }

    /// Trains to the end, or until `stop` is set, which is looked at between steps.
    ///
    /// # Errors
    ///
    /// The first error of an observer.
    pub fn observed(&mut self, observers: &mut [&mut dyn Observe<N>], stop: &AtomicBool) -> Result<Outcome, LabError> {
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
                let (value, step) = (record.loss, self.step);
                return Ok(Outcome::Diverged(Divergence::BatchLoss { value, step }));
            }
            self.stepped(observers)?;
            if self.step.is_multiple_of(self.training.log_every) {
                for observer in &mut *observers {
                    observer.batch(&self.moment(), &record)?;
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
        Ok(Outcome::Finished(Reason::Steps { step: self.step }))
    }

    /// Tells observers that a step is done.
    fn stepped(&self, observers: &mut [&mut dyn Observe<N>]) -> Result<(), LabError> {
        observers.iter_mut().try_for_each(|observer| observer.step(&self.moment()))
    }

    /// Tells observers that it is time for a checkpoint; or says that training is over, since there is nothing worth
    /// keeping.
    fn checkpoint(&self, observers: &mut [&mut dyn Observe<N>]) -> Result<Option<Outcome>, LabError> {
        let finite = parameters::ravel(self.network()).is_none_or(|w| w.is_finite().all().into_scalar::<bool>());
        if !finite {
            return Ok(Some(Outcome::Diverged(Divergence::Parameters { step: self.step })));
        }
        for observer in observers {
            observer.checkpoint(&self.moment())?;
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
        let TrainingConfig { augment, label_noise: noise, .. } = self.training;
        let made = (augment.is_some() || noise > 0.0).then(|| {
            let (mut inputs, mut targets) = match rows {
                Some(rows) => self.train.samples.select(rows),
                None => self.train.samples.clone(),
            };
            let draws = |purpose| stream(self.seed, purpose, self.step as u64);
            if let Some(augment) = augment {
                inputs = augment.apply(inputs, &mut draws(Purpose::Augment));
            }
            if noise > 0.0 {
                targets = label_noise(&targets, self.train.labels, noise, &mut draws(Purpose::LabelNoise));
            }
            (inputs, targets)
        });
        let batch = match (&made, rows) {
            (Some(made), _) => Batch::Made(made),
            (None, Some(rows)) => Batch::Rows(rows),
            (None, None) => Batch::All,
        };
        self.network().reseed(stream(self.seed, Purpose::Dropout, self.step as u64).next_u64());
        let (value, norm) = self.stepper.step(&mut self.method, rate, &batch, logged);
        self.step += 1;
        if let Some(average) = &mut self.average {
            average.see(self.step, || self.stepper.weights());
        }
        Metric {
            step: self.step,
            epoch: self.epoch(),
            split: Split::Batch,
            loss: value,
            accuracy: None,
            learning_rate: Some(rate),
            grad_norm: norm,
            tracked: None,
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
    pub fn evaluate(&self) -> Evaluation {
        self.evaluate_as(self.network(), [Split::Train, Split::Test])
    }

    /// The same of [`averaged`](Self::averaged), where there is an average.
    #[must_use]
    pub fn evaluate_average(&self) -> Option<Evaluation> {
        Some(self.evaluate_as(&self.averaged()?, [Split::AverageTrain, Split::AverageTest]))
    }

    fn evaluate_as(&self, network: &N, [train, test]: [Split; 2]) -> Evaluation {
        let network = network.valid();
        let of = |split, part| self.evaluate_on(&network, split, part);
        Evaluation { train: of(train, &self.train), test: self.test.as_ref().map(|part| of(test, part)) }
    }

    fn evaluate_on(&self, network: &N, split: Split, part: &Part<N::Input>) -> Metric {
        let sum = self.loss.with_reduction(Reduction::Sum);
        let (mut loss, mut hits) = (0.0, 0);
        for (inputs, targets) in part.chunks(self.evaluated_at_once) {
            let outputs = network.forward(inputs);
            loss += sum.value(outputs.clone(), targets.clone()).into_scalar::<f64>();
            if part.labels.is_some() {
                hits += self.loss.hits(outputs, targets).sum().into_scalar::<i64>();
            }
        }
        Metric {
            step: self.step,
            epoch: self.epoch(),
            split,
            loss: loss * self.loss.scale(part.len()),
            accuracy: part.labels.map(|labels| hits as f64 / (part.len() * labels) as f64),
            learning_rate: None,
            grad_norm: None,
            tracked: None,
            wall_s: self.wall_s(),
        }
    }

    /// `‖∇L‖` over the whole training part, of the network as at inference: that of the loss which
    /// [`evaluate`](Self::evaluate) gives.
    #[must_use]
    pub fn gradient_norm(&self) -> f64 {
        let network = &at_inference(self.network());
        let sum = self.loss.with_reduction(Reduction::Sum);
        let mut accumulator = GradientsAccumulator::new();
        for (inputs, targets) in self.train.chunks(self.evaluated_at_once) {
            let loss = sum.value(network.forward(inputs.autodiff()), targets.autodiff());
            accumulator.accumulate(network, gradients(loss.backward(), network));
        }
        global_norm(network, &accumulator.grads()) * self.loss.scale(self.samples)
    }

    /// Evaluates, hands the records out, and says whether training is over.
    fn evaluate_for(&self, observers: &mut [&mut dyn Observe<N>]) -> Result<Option<Outcome>, LabError> {
        let (mut evaluation, step) = (self.evaluate(), self.step);
        let norm = self.training.target_gradient_norm.map(|target| (target, self.gradient_norm()));
        evaluation.train.grad_norm = norm.map(|(_, norm)| norm);
        let average = self.evaluate_average();
        for record in evaluation.records().chain(average.iter().flat_map(Evaluation::records)) {
            for observer in &mut *observers {
                observer.evaluation(&self.moment(), record)?;
            }
        }
        let value = evaluation.train.loss;
        if let Some((target, _)) = norm.filter(|(target, norm)| norm <= target) {
            return Ok(Some(Outcome::Finished(Reason::GradientNorm { target, step })));
        }
        if !value.is_finite() {
            return Ok(Some(Outcome::Diverged(Divergence::TrainingLoss { value, step })));
        }
        let reached = self.training.target_loss.filter(|target| value <= *target);
        Ok(reached.map(|target| Outcome::Finished(Reason::Loss { target, step })))
    }
}

/// Whether the network takes the data's inputs, and gives an output for each of their targets.
fn outputs_fit<N: Network>(network: &N, data: &Part<N::Input>, sample: &Sample) -> Result<(), LabError> {
    let (input, target) = data.samples.narrow(0, 1);
    let (network, targets) = (network.valid(), target.dims()[1]);
    // A forward that does not fit its inputs has no other way to say so.
    let outputs = catch_unwind(AssertUnwindSafe(|| network.forward(input).dims()))
        .map_err(|_| LabError::Network { problem: format!("its forward panicked on a sample; these are {sample}") })?;
    if outputs == [1, targets] {
        return Ok(());
    }
    let [rows, outputs] = outputs;
    let problem =
        format!("it gives {rows} rows of {outputs} outputs for one sample, and the data have {targets} targets each");
    Err(LabError::Network { problem })
}
