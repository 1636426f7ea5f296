//! Measuring along training without touching the loop.

use losscape_model::Network;

use crate::LabError;
use crate::records::Metric;
use crate::trainer::Trainer;

/// Sees what happens while a [`Trainer`] runs; every method is optional. An error ends the run.
pub trait Observe<N: Network>: Send {
    /// A step is done; also called once before the first.
    ///
    /// # Errors
    ///
    /// Whatever should end the run.
    fn step(&mut self, trainer: &Trainer<N>) -> Result<(), LabError> {
        let _ = trainer;
        Ok(())
    }

    /// The batch record of a step, every `log_every` steps; the trainer already stands behind the step.
    ///
    /// # Errors
    ///
    /// Whatever should end the run.
    fn batch(&mut self, trainer: &Trainer<N>, record: &Metric) -> Result<(), LabError> {
        let _ = (trainer, record);
        Ok(())
    }

    /// The record of an evaluation on the training or on the test part.
    ///
    /// # Errors
    ///
    /// Whatever should end the run.
    fn evaluation(&mut self, trainer: &Trainer<N>, record: &Metric) -> Result<(), LabError> {
        let _ = (trainer, record);
        Ok(())
    }

    /// The time for a checkpoint: parameters are finite, all records so far have been handed out.
    ///
    /// # Errors
    ///
    /// Whatever should end the run.
    fn checkpoint(&mut self, trainer: &Trainer<N>) -> Result<(), LabError> {
        let _ = trainer;
        Ok(())
    }
}
