//! `losscape train`.

use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use losscape_lab::records::{Metric, Split, State, Summary};
use losscape_lab::{LabError, Observe, Outcome, Plan, Run, RunFolder, RunOptions, Trainer};
use losscape_model::Model;
use losscape_report::compare::Table;
use losscape_report::{RunRecords, number, page, percent, training};

use crate::args::TrainArgs;
use crate::error::CliError;
use crate::signals::{self, INTERRUPTED};
use crate::terminal::{self, note, say};
use crate::{device, memory};

/// Trains, reports, and says how it went.
pub fn run(args: &TrainArgs) -> Result<ExitCode, CliError> {
    let device = device::parse(&args.device)?;
    let allowed = args.memory.as_deref().map(memory::bytes).transpose()?;
    let plan = Plan::read(&args.config, &args.set)?;
    memory::check(&plan, allowed)?;
    let options = RunOptions {
        out: args.out.clone(),
        device,
        device_name: args.device.clone(),
        fresh: args.fresh,
        extend: args.extend.clone(),
        argv: crate::argv(),
    };
    for notice in &plan.notices {
        note!("note: {notice}");
    }
    let run = Run::open(plan, &options)?;
    for warning in &run.warnings {
        note!("note: {warning}");
    }
    let folder = run.folder().clone();
    if let Some(summary) = run.ended() {
        let how = if summary.outcome == State::Diverged { "diverged" } else { "ended" };
        note!("this run has {how} already; --fresh starts it over");
        page::write(&folder)?;
        print(&folder, &summary)?;
        return Ok(ExitCode::SUCCESS);
    }
    if run.resumes_at() > 0 {
        note!("going on from step {}", run.resumes_at());
    }

    let stop = signals::listen()?;
    let mut progress = Progress::new(run.resumes_at());
    let (_, outcome, summary) = run.train(&mut progress, &stop)?;
    progress.bar.finish_and_clear();
    page::write(&folder)?;
    print(&folder, &summary)?;
    Ok(match outcome {
        Outcome::Interrupted => ExitCode::from(INTERRUPTED),
        Outcome::Finished(_) | Outcome::Diverged(_) => ExitCode::SUCCESS,
    })
}

/// The progress bar; silent when standard error is no terminal.
struct Progress {
    bar: ProgressBar,
    test_accuracy: Option<f64>,
    started_at: usize,
}

impl Progress {
    fn new(started_at: usize) -> Self {
        let style =
            ProgressStyle::with_template("{bar:28} {percent:>3} %  step {pos}/{len}  {msg}  {per_sec}  {eta} left")
                .expect("the template is valid")
                .with_key("per_sec", |state: &indicatif::ProgressState, w: &mut dyn std::fmt::Write| {
                    let _ = write!(w, "{:.0} steps/s", state.per_sec());
                });
        let bar = ProgressBar::new(0).with_style(style);
        Self { bar, test_accuracy: None, started_at }
    }
}

impl Observe<Model> for Progress {
    fn batch(&mut self, trainer: &Trainer<Model>, record: &Metric) -> Result<(), LabError> {
        if self.bar.length() == Some(0) {
            self.bar.set_length(trainer.total_steps() as u64);
            self.bar.set_position(self.started_at as u64);
            self.bar.reset_eta();
        }
        let accuracy = self.test_accuracy.map(|share| format!("  test {}", percent(share))).unwrap_or_default();
        self.bar.set_message(format!("loss {}{accuracy}", number(record.loss)));
        self.bar.set_position(record.step as u64);
        Ok(())
    }

    fn evaluation(&mut self, _: &Trainer<Model>, record: &Metric) -> Result<(), LabError> {
        if record.split == Split::Test {
            self.test_accuracy = record.accuracy;
        }
        Ok(())
    }
}

/// The curves and numbers of a run, and where the rest is.
fn print(folder: &RunFolder, summary: &Summary) -> Result<(), CliError> {
    let records = RunRecords::read(folder)?;
    if let Some(plot) = training::terminal(&records.metrics, 78) {
        terminal::out(&format!("{plot}\n"));
    }
    let cell = |value: Option<f64>, form: fn(f64) -> String| value.map_or_else(|| "–".to_owned(), form);
    let row = |name: &str, loss, accuracy| vec![name.to_owned(), cell(loss, number), cell(accuracy, percent)];
    let table = Table {
        head: vec![String::new(), "loss".to_owned(), "accuracy".to_owned()],
        rows: vec![
            row("train", summary.train_loss, summary.train_accuracy),
            row("test", summary.test_loss, summary.test_accuracy),
        ],
    };
    say!("{table}");
    say!(
        "{}: {}; {} parameters for {} samples × {} outputs; {:.1} s, {} steps/s",
        summary.outcome,
        summary.reason,
        summary.parameters,
        summary.samples,
        summary.outputs,
        summary.wall_s,
        number(summary.steps_per_s),
    );
    if summary.outcome == State::Diverged {
        if folder.checkpoints().join("latest").exists() {
            say!("the last checkpoint before is kept in {}", folder.checkpoints().display());
        }
        say!(
            "that it diverges is the result of this run; with a lower optimizer.learning_rate, or an \
             optimizer.clip_norm, one may not"
        );
    }
    say!("{}", folder.report().display());
    Ok(())
}
