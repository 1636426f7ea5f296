//! `losscape watch`: a run as another process trains it.

use std::time::Duration;

use losscape_lab::RunFolder;
use losscape_lab::records::{Split, State};
use losscape_report::{RunRecords, number, percent, training, utc};

use crate::error::CliError;
use crate::terminal;

/// From look to look.
const PAUSE: Duration = Duration::from_secs(1);

/// Shows a run until no process is at work on it: in a terminal its curves, drawn again with every record, elsewhere,
/// and without colours, a line for every state that is new.
pub fn run(folder: &RunFolder) -> Result<(), CliError> {
    let mut shown = None;
    loop {
        // Before the records are read, so that those of the end are among them.
        let is_busy = folder.is_busy();
        let records = RunRecords::read(folder)?;
        let seen = (records.metrics.len(), records.status.step, records.status.state);
        if shown != Some(seen) {
            terminal::out(&frame(&records, is_busy, terminal::columns().filter(|_| terminal::is_steered())));
            shown = Some(seen);
        }
        if !is_busy {
            return Ok(());
        }
        std::thread::sleep(PAUSE);
    }
}

/// What is shown; in a terminal of so many columns, in the place of what was there.
fn frame(records: &RunRecords, is_busy: bool, columns: Option<usize>) -> String {
    let RunRecords { manifest, status, metrics, .. } = records;
    let step = metrics.last().map_or(status.step, |record| record.step.max(status.step));
    let state = match status.state {
        State::Running if !is_busy => "stopped without a word".to_owned(),
        State::Running => "running".to_owned(),
        state => format!("{state}: {}", status.reason),
    };
    let mut line = format!("{}  step {step}", records.short_name());
    for (split, name) in [(Split::Batch, "batch loss"), (Split::Train, "train loss")] {
        if let Some(record) = records.last(split) {
            line += &format!("  {name} {}", number(record.loss));
        }
    }
    if let Some(accuracy) = records.last(Split::Test).and_then(|record| record.accuracy) {
        line += &format!("  test accuracy {}", percent(accuracy));
    }
    if let Some((_, sharpness)) = records.last_tracked("sharpness") {
        line += &format!("  sharpness {}", number(sharpness));
    }
    let line = terminal::clean(&format!("{line}  {state}\n"));
    let Some(columns) = columns else { return line };
    let plot = training::terminal(metrics, columns.saturating_sub(2).min(118)).unwrap_or_default();
    // To the first place of an empty screen.
    format!("\x1b[2J\x1b[H{line}since {}\n{plot}\n", utc(manifest.started_unix_s))
}
