//! Progress bars; silent when standard error is no terminal.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use losscape_lab::measure::Progress;
use losscape_lab::records::{Metric, Split};
use losscape_lab::{LabError, Moment, Observe};
use losscape_model::Model;
use losscape_report::{number, percent};
use losscape_study::PlannedRun;
use losscape_study::launch::processes::{Event, Tally};
use losscape_study::launch::worker::Told;

use crate::terminal::{self, clean, note};

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is valid")
}

/// A bar of this length, or none where nothing is to be said.
fn bar(length: usize) -> ProgressBar {
    if terminal::is_quiet() { ProgressBar::hidden() } else { ProgressBar::new(length as u64) }
}

/// A bar for so many things, one after the other.
pub fn counter(things: usize) -> ProgressBar {
    let bar = bar(things).with_style(style("{wide_bar} {pos:>3}/{len:3} {elapsed:>4} of about {duration}  {msg:24}"));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// The steps of a training.
pub struct Training {
    pub bar: ProgressBar,
    test_accuracy: Option<f64>,
    started_at: usize,
}

impl Training {
    pub fn new(started_at: usize) -> Self {
        let style = style("{wide_bar} {percent:>3} %  step {pos}/{len}  {msg}  {eta} left");
        let bar = bar(0).with_style(style);
        Self { bar, test_accuracy: None, started_at }
    }
}

impl Observe<Model> for Training {
    fn batch(&mut self, moment: &Moment<Model>, record: &Metric) -> Result<(), LabError> {
        if self.bar.length() == Some(0) {
            self.bar.set_length(moment.total_steps() as u64);
            self.bar.set_position(self.started_at as u64);
            self.bar.reset_eta();
        }
        let accuracy = self.test_accuracy.map(|share| format!("  test {}", percent(share))).unwrap_or_default();
        self.bar.set_message(format!("loss {}{accuracy}", number(record.loss)));
        self.bar.set_position(record.step as u64);
        Ok(())
    }

    fn evaluation(&mut self, _: &Moment<Model>, record: &Metric) -> Result<(), LabError> {
        if record.split == Split::Test {
            self.test_accuracy = record.accuracy;
        }
        Ok(())
    }
}

/// What is measured, and how far it is.
pub struct Measuring(Mutex<ProgressBar>);

impl Measuring {
    pub fn new() -> Self {
        Self(Mutex::new(bar(0)))
    }

    pub fn show(&self, progress: &Progress) {
        let Ok(mut bar) = self.0.lock() else { return };
        match *progress {
            Progress::Begin(what, parts) => {
                bar.finish_and_clear();
                let template = if parts > 0 {
                    "{bar:20} {pos:>4}/{len:4} {elapsed:>4}  {wide_msg}"
                } else {
                    "{spinner} {elapsed:>4}  {wide_msg}"
                };
                *bar = self::bar(parts).with_style(style(template)).with_message(what.to_owned());
                bar.enable_steady_tick(Duration::from_millis(200));
            }
            Progress::Done(done) => {
                let done = done as u64;
                // Iterations end when they have converged: the length is a guess.
                if bar.length().is_some_and(|length| done > length) {
                    bar.set_length(done);
                }
                bar.set_position(done);
            }
        }
    }

    pub fn clear(&self) {
        if let Ok(bar) = self.0.lock() {
            bar.finish_and_clear();
        }
    }
}

/// The runs of a study, and a line for each process.
pub struct Study {
    bars: MultiProgress,
    runs: ProgressBar,
    lines: Mutex<HashMap<usize, ProgressBar>>,
}

impl Study {
    /// A bar for so many runs.
    pub fn new(runs: usize) -> Self {
        let bars = MultiProgress::new();
        if terminal::is_quiet() {
            bars.set_draw_target(ProgressDrawTarget::hidden());
        }
        let bar = bars.add(ProgressBar::new(runs as u64));
        bar.set_style(style("{wide_bar} {pos}/{len} runs  {msg}  {elapsed}, {eta} left"));
        Self { bars, runs: bar, lines: Mutex::default() }
    }

    /// Begins, with so many that have ended before.
    pub fn begin(&self, known: Tally) {
        self.runs.set_position(known.ended() as u64);
        self.runs.reset_eta();
        self.runs.enable_steady_tick(Duration::from_millis(500));
    }

    /// Shows what happens.
    pub fn show(&self, event: &Event) {
        let name = |run: &PlannedRun| clean(&format!("{:>5}  {}", run.index, run.set.join(" ")));
        match event {
            Event::Begins(slot, run) => self.line(*slot).set_message(name(run)),
            Event::Told(slot, run, told) => match told {
                Told::Training { step, steps, loss } => {
                    self.line(*slot).set_message(format!("{}  step {step}/{steps}  loss {}", name(run), number(*loss)));
                }
                Told::Measuring => self.line(*slot).set_message(format!("{}  measuring", name(run))),
                Told::Note(_) => {}
            },
            Event::Waits(slot) => self.line(*slot).set_message("waiting for another process"),
            Event::Ends(slot) => self.line(*slot).finish_and_clear(),
            Event::Fails(run, reason) => self.runs.suspend(|| note!("{} failed: {reason}", run.folder)),
            Event::Counts(tally) => {
                let Tally { done, diverged, failed } = tally;
                self.runs.set_position(tally.ended() as u64);
                self.runs.set_message(format!("{done} done, {diverged} diverged, {failed} failed"));
            }
        }
    }

    /// The line of a process.
    fn line(&self, slot: usize) -> ProgressBar {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || self.bars.add(ProgressBar::new_spinner().with_style(style("  {wide_msg}")));
        lines.entry(slot).or_insert_with(new).clone()
    }

    /// Takes everything away.
    pub fn clear(&self) {
        self.runs.finish_and_clear();
    }
}
