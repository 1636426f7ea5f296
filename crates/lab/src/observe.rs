//! Measuring along training without touching the loop.
//!
//! The writer of the run folder, which also tracks, and the progress bar are observers: the training loop knows
//! neither.

use std::path::Path;

use burn::store::RecordError;
use burn::tensor::Tensor;
use losscape_model::Network;
use losscape_optim::{Average, Method};

use crate::error::LabError;
use crate::gradient::Stepper;
use crate::records::Metric;

/// A moment of training, as observers see it: the network and its method behind a step.
#[derive(Clone, Copy)]
pub struct Moment<'a, N: Network> {
    pub(crate) step: usize,
    pub(crate) total_steps: usize,
    pub(crate) epoch: f64,
    pub(crate) rate: Option<f64>,
    pub(crate) wall_s: f64,
    pub(crate) stepper: &'a Stepper<N>,
    pub(crate) method: &'a Method,
    pub(crate) average: Option<&'a Average>,
}

impl<N: Network> std::fmt::Debug for Moment<'_, N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { step, epoch, rate, wall_s, .. } = self;
        f.debug_struct("Moment")
            .field("step", step)
            .field("epoch", epoch)
            .field("rate", rate)
            .field("wall_s", wall_s)
            .finish_non_exhaustive()
    }
}

impl<'a, N: Network> Moment<'a, N> {
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

    /// Epochs done, with fraction.
    #[must_use]
    pub fn epoch(&self) -> f64 {
        self.epoch
    }

    /// Learning rate of the last step; none before the first, and none just after a checkpoint was taken up.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// Seconds of training so far, interruptions left out.
    #[must_use]
    pub fn wall_s(&self) -> f64 {
        self.wall_s
    }

    /// The network as it is now.
    #[must_use]
    pub fn network(&self) -> &'a N {
        self.stepper.network()
    }

    /// The average of the weights, where one is kept.
    #[must_use]
    pub fn average(&self) -> Option<&'a Average> {
        self.average
    }

    /// Its weights `[P]`.
    #[must_use]
    pub fn weights(&self) -> Tensor<1> {
        self.stepper.weights()
    }

    /// Whether gradients come from the compiled forward instead of Burn's autodiff; they agree to rounding.
    #[must_use]
    pub fn is_compiled(&self) -> bool {
        self.stepper.is_compiled()
    }

    /// The diagonal of the method's preconditioner as the parameters of a network; see [`Method::preconditioner`].
    #[must_use]
    pub fn preconditioner(&self) -> Option<N> {
        self.stepper.preconditioner(self.method)
    }

    /// Writes the optimizer's state.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn save_method(&self, path: &Path) -> Result<(), RecordError> {
        self.method.save(path)
    }
}

/// Sees what happens while a [`Trainer`](crate::Trainer) runs; every method is optional. An error ends the run,
/// as [`LabError::Observer`] where it is one of your own.
pub trait Observe<N: Network>: Send {
    /// A step is done; also called once before the first.
    ///
    /// # Errors
    ///
    /// Whatever should end the run.
    fn step(&mut self, moment: &Moment<N>) -> Result<(), LabError> {
        let _ = moment;
        Ok(())
    }

    /// The batch record of a step, every `log_every` steps; the moment is already behind the step.
    ///
    /// # Errors
    ///
    /// Whatever should end the run.
    fn batch(&mut self, moment: &Moment<N>, record: &Metric) -> Result<(), LabError> {
        let _ = (moment, record);
        Ok(())
    }

    /// The record of an evaluation on the training or on the test part.
    ///
    /// # Errors
    ///
    /// Whatever should end the run.
    fn evaluation(&mut self, moment: &Moment<N>, record: &Metric) -> Result<(), LabError> {
        let _ = (moment, record);
        Ok(())
    }

    /// The time for a checkpoint: parameters are finite, all records so far have been handed out.
    ///
    /// # Errors
    ///
    /// Whatever should end the run.
    fn checkpoint(&mut self, moment: &Moment<N>) -> Result<(), LabError> {
        let _ = moment;
        Ok(())
    }
}

/// Nobody.
impl<N: Network> Observe<N> for () {}
