//! Networks trained to the same loss by different methods, and what their minima look like.

use burn::tensor::{DType, Tensor};
use losscape_analysis::{AnalysisError, Objective, Point};
use losscape_krylov::Eigensolver;
use losscape_model::data::digits::Digits;
use losscape_model::data::{DataConfig, Prepared};
use losscape_model::{Loss, Model};
use losscape_optim::{AverageConfig, OptimizerConfig};

use super::Workbench;
use super::networks::Architecture;
use super::problem::{DIGITS, draws};
use losscape_lab::config::{BatchSize, TrainingConfig};
use losscape_lab::{LabError, Trainer};

/// A network at the loss that it was trained to.
pub struct Minimum {
    /// Its loss on the training part, in f64.
    pub objective: Objective<Model>,
    /// Its loss on the training part.
    pub loss: f64,
    /// Its loss on the test part.
    pub test_loss: f64,
    /// The share of the test part that it gets wrong.
    pub test_error: f64,
}

/// How a network is trained.
pub struct Training<'a> {
    pub optimizer: &'a OptimizerConfig,
    /// The average of the weights that is to reach the loss, in place of these.
    pub average: Option<AverageConfig>,
    /// Steps between looks at the loss near the end: more than one for methods that are where they aim at after so
    /// many.
    pub look: usize,
    /// Samples of a batch; all for more than there are.
    pub batch: usize,
    /// The loss of the whole training part that is to be reached.
    pub target: f64,
    /// The most steps.
    pub most: usize,
}

/// λ_max(H) with its eigenvector, and the fifth largest eigenvalue.
pub struct Sharpest {
    pub largest: f64,
    pub fifth: f64,
    pub direction: Tensor<1>,
}

impl Minimum {
    /// The largest curvatures.
    pub fn sharpest(&self, point: &Point<'_, Model>, seed: u64) -> Result<Sharpest, LabError> {
        let solver = Eigensolver::top(5).with_tolerance(1e-3);
        let found = solver.solve(&point.hessian(), None, &mut draws(seed, 902)).map_err(AnalysisError::from)?;
        let direction = found.vectors.narrow(0, 0, 1).squeeze_dim(0);
        Ok(Sharpest { largest: found.top[0].value, fifth: found.top[4].value, direction })
    }
}

impl Workbench {
    /// Digits, the first `samples` of the training part, and the usual test part; the split belongs to the seed.
    pub(super) fn digits_split(&self, samples: usize, seed: u64) -> Result<Prepared, LabError> {
        self.note(format!("{DIGITS}; the first of the training part, samples"), [samples.min(1438)]);
        let config = DataConfig { test_fraction: Some(0.2), seed, ..DataConfig::new(Digits {}) };
        let data = config.load()?;
        let train = data.train.select(&(0..samples.min(data.train.len())).collect::<Vec<_>>());
        Ok(Prepared { train, ..data })
    }

    /// Trains a network with cross-entropy, in f32, until the whole training part has the loss that is to be reached;
    /// none if it does not get there. From 1.3 times that loss on, it is looked at after every step, so that runs are
    /// stopped at equal losses; weights are averaged from four times that loss on, and their average is looked at.
    pub(super) fn minimum(
        &self,
        network: &Architecture,
        data: &Prepared,
        Training { optimizer, average, look, batch, target, most }: Training,
        seed: u64,
    ) -> Result<Option<Minimum>, LabError> {
        let device = self.device.clone().autodiff();
        let network = self.initial(network, &data.train, seed, &device, DType::F32)?;
        self.note(
            "trained in f32 with cross-entropy, mean over samples, batches in an order shuffled anew each epoch",
            [],
        );
        self.note("measured in f64, loss over the training part", []);
        let batch = if batch >= data.train.len() { BatchSize::Full } else { BatchSize::Samples(batch) };
        let train = |network: Model, target: f64, every: usize, seed: u64| -> Result<_, LabError> {
            let training = TrainingConfig {
                target_loss: Some(target),
                evaluate_every: Some(every),
                ..TrainingConfig::steps(most, batch)
            };
            let mut trainer = Trainer::new(network, data, Loss::cross_entropy(), optimizer, &training, seed)?;
            trainer.run();
            let evaluation = trainer.evaluate();
            Ok((evaluation.train.loss <= target).then(|| (trainer.network().clone(), evaluation)))
        };
        let start = if average.is_some() { 4.0 } else { 1.3 };
        let Some((near, _)) = train(network, start * target, look.max(10), seed)? else { return Ok(None) };
        // Another order of samples for what follows.
        let seed = seed.wrapping_add(1 << 40);
        let end = match average {
            None => train(near, target, look, seed)?,
            Some(average) => {
                self.note("weights averaged from a training loss of 0.08 on, until their average is at 0.02", []);
                let training = TrainingConfig::steps(most, batch);
                let trainer = Trainer::new(near, data, Loss::cross_entropy(), optimizer, &training, seed)?;
                let mut trainer = trainer.averaging(&average)?;
                let mut found = None;
                while found.is_none() && trainer.step() < most && trainer.advance().loss.is_finite() {
                    let evaluation = trainer.evaluate_average();
                    let there = evaluation.filter(|evaluation| evaluation.train.loss <= target);
                    found = there.and_then(|evaluation| Some((trainer.averaged()?, evaluation)));
                }
                found
            }
        };
        let Some((network, evaluation)) = end else { return Ok(None) };
        let objective = Objective::on(network, &data.train, Loss::cross_entropy())?.precision(DType::F64);
        let test = evaluation.test.as_ref();
        let test_loss = test.map_or(f64::NAN, |record| record.loss);
        let test_error = test.and_then(|record| record.accuracy).map_or(f64::NAN, |accuracy| 1.0 - accuracy);
        Ok(Some(Minimum { objective, loss: evaluation.train.loss, test_loss, test_error }))
    }
}
