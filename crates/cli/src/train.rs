//! `losscape train`.

use burn::tensor::DType;
use losscape_lab::records::{State, Summary};
use losscape_lab::{Outcome, Plan, Run, RunFolder, RunOptions};
use losscape_report::table::broken;
use losscape_report::{RunRecords, Table, number, page, percent, training};
use losscape_study::launch::INTERRUPTED;

use crate::args::TrainArgs;
use crate::call::Call;
use crate::error::CliError;
use crate::progress;
use crate::signals;
use crate::terminal::{self, news, note, say};
use crate::{device, memory};

/// Trains, reports, and says how it went.
pub fn run(args: &TrainArgs, call: &Call) -> Result<u8, CliError> {
    follow(args, call, Plan::read(&args.config, &args.set)?)
}

/// Trains with flows beside, for which the configuration must have asked.
pub fn with_flows(args: &TrainArgs, call: &Call) -> Result<u8, CliError> {
    let plan = Plan::read(&args.config, &args.set)?;
    if plan.config.flow.is_none() {
        let message = format!("{} has no [flow] table: add one, with every = 20", args.config.display());
        return Err(CliError::Message(message));
    }
    follow(args, call, plan)
}

fn follow(args: &TrainArgs, call: &Call, plan: Plan) -> Result<u8, CliError> {
    let device = device::parse(&args.device)?;
    let allowed = args.memory.as_deref().map(memory::bytes).transpose()?;
    plan.check_memory(allowed)?;
    if terminal::is_verbose() {
        let (threads, dtype) = (rayon::current_num_threads(), DType::from(plan.config.precision).name());
        note!("on {} with {threads} threads, in {dtype}", args.device);
        if let Ok(memory) = plan.memory() {
            note!("memory, estimated: {memory}");
        }
    }
    let options = RunOptions {
        out: args.out.clone(),
        device,
        device_name: args.device.clone(),
        fresh: args.fresh,
        extend: args.extend.clone(),
        argv: call.argv(),
    };
    for notice in &plan.notices {
        note!("note: {notice}");
    }
    let run = Run::open(plan, &options)?;
    for warning in &run.warnings {
        note!("note: {warning}");
    }
    let folder = run.folder().clone();
    let averages = run.plan().config.average.is_some();
    if let Some(summary) = run.ended() {
        let how = if summary.outcome == State::Diverged { "diverged" } else { "ended" };
        news!("this run has {how} already; --fresh starts it over");
        page::write(&folder)?;
        print(&folder, &summary, averages)?;
        return Ok(0);
    }
    if run.resumes_at() > 0 {
        news!("going on from step {}", run.resumes_at());
    }

    let stop = signals::listen()?;
    let mut progress = progress::Training::new(run.resumes_at());
    let (_, outcome, summary) = run.train(&mut progress, &stop)?;
    progress.bar.finish_and_clear();
    page::write(&folder)?;
    print(&folder, &summary, averages)?;
    Ok(match outcome {
        Outcome::Interrupted => INTERRUPTED,
        _ => 0,
    })
}

/// The curves and numbers of a run, which averages its weights or not, and where the rest is.
fn print(folder: &RunFolder, summary: &Summary, averages: bool) -> Result<(), CliError> {
    let records = RunRecords::read(folder)?;
    let width = terminal::columns().map_or(78, |columns| columns.saturating_sub(2).clamp(40, 118));
    if let Some(plot) = training::terminal(&records.metrics, width) {
        terminal::out(&format!("{plot}\n"));
    }
    let cell = |value: Option<f64>, form: fn(f64) -> String| value.map_or_else(|| "–".to_owned(), form);
    let row = |name: &str, loss, accuracy| vec![name.to_owned(), cell(loss, number), cell(accuracy, percent)];
    let mut table = Table {
        head: vec![String::new(), "loss".to_owned(), "accuracy".to_owned()],
        rows: vec![
            row("train", summary.train_loss, summary.train_accuracy),
            row("test", summary.test_loss, summary.test_accuracy),
        ],
    };
    if summary.average_train_loss.is_some() {
        table.rows.push(row("average, train", summary.average_train_loss, summary.average_train_accuracy));
        table.rows.push(row("average, test", summary.average_test_loss, summary.average_test_accuracy));
    }
    say!("{table}");
    if averages && summary.average_train_loss.is_none() && summary.outcome != State::Diverged {
        say!("no weights were taken into the average: training ended before the first step to take them after");
    }
    if let Some(flows) = &records.flows {
        say!("{}", losscape_report::flows::table(flows));
    }
    let Summary { outcome, reason, parameters, samples, outputs, wall_s, steps_per_s, .. } = summary;
    let speed = format!("{wall_s:.1} s, {} steps/s", number(*steps_per_s));
    let last =
        format!("{outcome}: {reason}; {parameters} parameters for {samples} samples × {outputs} outputs; {speed}");
    broken(&last, terminal::columns().unwrap_or(usize::MAX)).iter().for_each(|line| say!("{line}"));
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
    match summary.outcome {
        State::Done => news!("next: losscape analyze {}", folder.path().display()),
        State::Interrupted => news!("the same command goes on from here"),
        _ => {}
    }
    Ok(())
}
