//! One run of a study: trained and measured, here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use burn::tensor::Device;
use losscape_lab::records::{Metric, State};
use losscape_lab::{LabError, Moment, Observe, Outcome, Run, RunOptions};
use losscape_model::Model;

use crate::finish::finish;
use crate::folder::{PlannedRun, StudyFolder};

/// Does runs of a study.
#[derive(Debug)]
pub struct Worker<'a> {
    /// The study whose runs it does.
    pub study: &'a StudyFolder,
    /// The device that it trains and measures on, without autodiff.
    pub device: Device,
    /// The device's name, which stands in the records.
    pub device_name: String,
    /// Bytes that it may measure in. Default: no limit.
    pub memory: Option<usize>,
    /// The command, for the records. Default: none.
    pub argv: Vec<String>,
    /// Set from outside, it stops the run with a checkpoint. Default: never.
    pub stop: Option<&'a AtomicBool>,
}

/// What a worker says while it works.
#[derive(Debug)]
pub enum Told {
    /// Something to know, in words.
    Note(String),
    /// It trains.
    Training {
        /// Steps done.
        step: usize,
        /// Steps in all.
        steps: usize,
        /// Loss of the batch.
        loss: f64,
    },
    /// It measures.
    Measuring,
}

impl<'a> Worker<'a> {
    /// A worker on a device of this name.
    #[must_use]
    pub fn new(study: &'a StudyFolder, device: Device, device_name: &str) -> Self {
        Self { study, device, device_name: device_name.to_owned(), memory: None, argv: Vec::new(), stop: None }
    }

    /// Trains and measures a run, from where it stands, and writes its result. How it ended; `None` when it was
    /// stopped.
    ///
    /// # Errors
    ///
    /// [`LabError::Busy`] when another process is at work on it; when it cannot be planned, trained, measured or
    /// written.
    pub fn run(&self, planned: &PlannedRun, tell: &mut (dyn FnMut(Told) + Send)) -> Result<Option<State>, LabError> {
        let never = AtomicBool::new(false);
        let stop = self.stop.unwrap_or(&never);
        let plan = self.study.plan(planned)?;
        plan.check_memory(None)?;
        let mut options = RunOptions {
            out: self.study.runs(),
            device: self.device.clone(),
            device_name: self.device_name.clone(),
            fresh: false,
            extend: None,
            argv: self.argv.clone(),
        };
        let run = match Run::open(plan.clone(), &options) {
            Err(error @ LabError::NoCheckpoint { .. }) => {
                tell(Told::Note(format!("{error}, which is done now")));
                options.fresh = true;
                Run::open(plan.clone(), &options)?
            }
            run => run?,
        };
        for warning in &run.warnings {
            tell(Told::Note(format!("note: {warning}")));
        }
        if let [state] = &self.study.states(std::slice::from_ref(planned))?[..]
            && state.is_finished()
        {
            // Another process has done it meanwhile.
            return Ok(Some(state.state));
        }
        if run.ended().is_some() {
            drop(run);
        } else {
            let (_, outcome, _) = run.train(&mut Teller { tell, next: Instant::now() }, stop)?;
            if outcome == Outcome::Interrupted {
                return Ok(None);
            }
        }
        tell(Told::Measuring);
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        Ok(Some(finish(self.study, planned, &plan, &self.device, self.memory)?.outcome))
    }
}

/// Says how far the training is, now and then.
struct Teller<'a> {
    tell: &'a mut (dyn FnMut(Told) + Send),
    next: Instant,
}

impl Observe<Model> for Teller<'_> {
    fn batch(&mut self, moment: &Moment<Model>, record: &Metric) -> Result<(), LabError> {
        if Instant::now() >= self.next {
            self.next = Instant::now() + Duration::from_millis(250);
            (self.tell)(Told::Training { step: record.step, steps: moment.total_steps(), loss: record.loss });
        }
        Ok(())
    }
}
