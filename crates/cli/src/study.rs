//! `losscape study`.

use std::process::ExitCode;
use std::sync::atomic::Ordering;

use losscape_lab::records::State;
use losscape_lab::study::{Evidence, PlannedRun, RunState, StudyFolder, Table};
use losscape_report::study as report;

use crate::args::{StudyArgs, StudyCommand, StudyRunArgs};
use crate::error::CliError;
use crate::signals::{self, INTERRUPTED};
use crate::workers::{self, Tally, Workers};
use crate::{cluster, device};

/// Seed of resamples and noise in the statistics.
const SEED: u64 = 0;

/// Plans, runs, merges, weighs.
pub fn run(command: &StudyCommand) -> Result<ExitCode, CliError> {
    match command {
        StudyCommand::Plan(args) => {
            let folder = open(args)?;
            anstream::println!("{}", folder.file("plan.jsonl").display());
        }
        StudyCommand::Run(args) => return start(args),
        StudyCommand::Status(args) => {
            let folder = open(args)?;
            let runs = states(&folder)?;
            anstream::print!("{}", report::status(&runs));
        }
        StudyCommand::Retry { study, .. } => {
            let folder = open(study)?;
            let mut forgiven = 0;
            for run in folder.planned()? {
                forgiven += usize::from(folder.forgive(&run)?);
            }
            anstream::println!(
                "{forgiven} failed runs are to be done again: losscape study run {}",
                folder.path().display()
            );
        }
        StudyCommand::Merge { study, partial } => {
            let folder = open(study)?;
            return Ok(if merge(&folder, *partial)? { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        StudyCommand::Report(args) => weigh(&open(args)?)?,
        StudyCommand::Submit(args) => return cluster::submit(&open(&args.study)?, args),
        StudyCommand::Worker { folder, index, device } => {
            return Ok(ExitCode::from(workers::work(&StudyFolder::new(folder), *index, device)));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The study's folder; a file is planned first.
fn open(args: &StudyArgs) -> Result<StudyFolder, CliError> {
    if args.study.is_dir() {
        return Ok(StudyFolder::new(&args.study));
    }
    let (folder, planned) = StudyFolder::plan_file(&args.study, &args.out)?;
    if planned.added > 0 {
        let before = planned.runs - planned.added;
        let grown = if before > 0 { format!(" beside {before} planned before") } else { String::new() };
        anstream::eprintln!("planned {} runs{grown} in {}", planned.added, folder.path().display());
    }
    if planned.repeated > 0 {
        anstream::eprintln!("{} points of the design repeat others and are left out", planned.repeated);
    }
    Ok(folder)
}

fn states(folder: &StudyFolder) -> Result<Vec<(PlannedRun, RunState)>, CliError> {
    let planned = folder.planned()?;
    Ok(planned.into_iter().map(|run| (run.clone(), folder.state(&run))).collect())
}

fn start(args: &StudyRunArgs) -> Result<ExitCode, CliError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.map_or(cores, usize::from);
    // A wrong name should not fail every run.
    device::parse(&args.device)?;
    let folder = open(&args.study)?;
    let stop = signals::listen()?;
    // The tasks of an array share the folder; each run has a lock of its own.
    let _lock = if args.index.is_none() { Some(folder.lock()?) } else { None };
    let all = states(&folder)?;
    let all: Vec<_> = match args.index {
        None => all,
        Some(index) => {
            let chunks = all.len().div_ceil(args.chunk.max(1));
            if index >= chunks {
                return Err(CliError::Message(format!("there is no chunk {index}: {} runs make {chunks}", all.len())));
            }
            all.into_iter().skip(index * args.chunk).take(args.chunk).collect()
        }
    };
    let count = |state: State| all.iter().filter(|(_, known)| known.state == state).count();
    let known = Tally { done: count(State::Done), diverged: count(State::Diverged), failed: count(State::Failed) };
    let open: Vec<PlannedRun> = all
        .iter()
        .filter(|(_, known)| !known.is_finished() && known.state != State::Failed)
        .map(|(run, _)| run.clone())
        .collect();
    let total = all.len();
    if open.len() < total {
        anstream::eprintln!("{} of {total} runs have ended already", total - open.len());
    }
    let workers = Workers { study: &folder, device: &args.device, jobs, threads: args.threads };
    let tally = workers.run(open, known, total, &stop);
    let Tally { done, diverged, failed } = tally;
    anstream::println!("{done} done, {diverged} diverged, {failed} failed, of {total}");
    if done + diverged + failed < total {
        let why = if stop.load(Ordering::Relaxed) { "stopped" } else { "not all could be done" };
        anstream::eprintln!("{why}: the same command goes on");
        return Ok(ExitCode::from(INTERRUPTED));
    }
    if args.index.is_none() {
        merge(&folder, true)?;
        weigh(&folder)?;
    }
    if failed > 0 {
        anstream::eprintln!(
            "{failed} runs failed; losscape study status {0} says why, losscape study retry {0} lets them be done again",
            folder.path().display()
        );
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the table; whether it could be written: it is not, unless `partial`, when runs are missing.
fn merge(folder: &StudyFolder, partial: bool) -> Result<bool, CliError> {
    let (table, missing) = Table::read(folder)?;
    if !missing.is_empty() {
        let named: Vec<&str> = missing.iter().take(5).map(|run| run.folder.as_str()).collect();
        let more = if missing.len() > named.len() { ", …" } else { "" };
        anstream::eprintln!("{} runs have no result yet: {}{more}", missing.len(), named.join(", "));
        if !partial {
            anstream::eprintln!("losscape study run does them; --partial writes the table without them");
            return Ok(false);
        }
    }
    table.write(folder)?;
    anstream::println!("{} rows in {}", table.len(), folder.file("results.csv").display());
    Ok(true)
}

/// Weighs the table and writes the page.
fn weigh(folder: &StudyFolder) -> Result<(), CliError> {
    let (table, missing) = Table::read(folder)?;
    let evidence = Evidence::weigh(&table, SEED);
    evidence.write(folder)?;
    report::write(folder, &table, &evidence, missing.len())?;
    anstream::print!("{}", report::text(&evidence));
    anstream::println!("{}", folder.file("report.html").display());
    Ok(())
}
