//! `losscape connect`.

use losscape_lab::config::{Mode, Precision};
use losscape_lab::connectivity::ConnectionSettings;
use losscape_lab::folder::{create, write_json, write_whole};
use losscape_lab::{Connection, RunFolder, Subject};
use losscape_report::connection;

use crate::args::ConnectArgs;
use crate::device;
use crate::error::CliError;
use crate::terminal::{self, note, say, show};

/// Looks at what lies between two trained networks, and says what the barriers are.
pub fn run(args: &ConnectArgs) -> Result<(), CliError> {
    let device = device::parse(&args.device)?;
    if args.steps < 2 {
        return Err(CliError::Message(format!("--steps {} is not possible: it must be at least 2", args.steps)));
    }
    if !(args.rate > 0.0 && args.rate.is_finite()) {
        return Err(CliError::Message(format!("--rate {} is not possible: it must be positive", args.rate)));
    }
    let mut subjects = Vec::new();
    for run in &args.runs {
        let folder = RunFolder::new(run);
        let of = if args.average { Subject::of_average } else { Subject::of_run };
        let (subject, notes) = of(&folder, &device)?;
        notes.iter().for_each(|note| note!("note: {}: {note}", run.display()));
        subjects.push(if args.mode == "batch" { subject.in_mode(Mode::Batch)? } else { subject });
    }
    let settings = ConnectionSettings {
        steps: args.steps,
        curve: args.curve,
        rate: args.rate,
        precision: if args.precision == "f32" { Precision::F32 } else { Precision::F64 },
        seed: args.seed,
    };
    let found = Connection::between(&subjects[0], &subjects[1], &settings)?;
    if let Some(out) = &args.out {
        create(out)?;
        write_json(&out.join("connection.json"), &found)?;
        if let Some(figure) = connection::figure(&found) {
            write_whole(&out.join(format!("{}.svg", figure.name)), figure.svg.as_bytes())?;
        }
    }
    if args.json {
        terminal::out(&(serde_json::to_string_pretty(&found).expect("it has only string keys") + "\n"));
        return Ok(());
    }
    if let Some(plot) = connection::terminal(&found, 78) {
        terminal::out(&format!("{plot}\n"));
    }
    show!("{}", connection::text(&found));
    if let Some(out) = &args.out {
        say!("{}", out.display());
    }
    Ok(())
}
