//! `losscape study`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use losscape_lab::folder::Lock;
use losscape_lab::records::State;
use losscape_lab::{document, memory as bytes};
use losscape_report::study as report;
use losscape_study::launch::processes::{self, Processes, Tally};
use losscape_study::launch::worker::Worker;
use losscape_study::launch::{Array, INTERRUPTED, Job, kubernetes, slurm};
use losscape_study::{Findings, Merged, PlannedRun, RunState, StudyFolder};

use crate::args::{Launcher, StudyArgs, StudyCommand, StudyRunArgs, SubmitArgs};
use crate::call::Call;
use crate::error::CliError;
use crate::terminal::{news, note, say, show};
use crate::{device, memory, progress, signals};

/// Seed of resamples and noise in the statistics.
const SEED: u64 = 0;

/// Plans, runs, merges, weighs.
pub fn run(command: &StudyCommand, call: &Call) -> Result<u8, CliError> {
    match command {
        StudyCommand::Plan(args) => {
            let (folder, _lock) = plan(args)?;
            say!("{}", folder.file("plan.jsonl").display());
        }
        StudyCommand::Run(args) => return start(args, call),
        StudyCommand::Status(args) => {
            let folder = find(args)?;
            let planned = folder.planned()?;
            let states = folder.states(&planned)?;
            show!("{}", report::status(&planned.into_iter().zip(states).collect::<Vec<_>>()));
        }
        StudyCommand::Retry { study, .. } => {
            let folder = find(study)?;
            let mut again = 0;
            for run in folder.planned()? {
                again += usize::from(folder.retry(&run)?);
            }
            say!("{again} failed runs are to be done again: losscape study run {}", folder.path().display());
        }
        StudyCommand::Merge { study, partial } => {
            let folder = find(study)?;
            return Ok(u8::from(!merge(&folder, *partial)?));
        }
        StudyCommand::Report(args) => weigh(&find(args)?)?,
        StudyCommand::Submit(args) => {
            device::parse(&args.device)?;
            // The tasks plan nothing.
            let (folder, _) = plan(&args.study)?;
            submit(&folder, args, call)?;
        }
        StudyCommand::Worker { folder, index, device, memory } => {
            let words = |words: &str| note!("{words}");
            let code = work(&StudyFolder::new(folder), *index, device, *memory, call);
            return Ok(code.unwrap_or_else(|error| processes::refuse(&error.to_string(), words)));
        }
    }
    Ok(0)
}

/// The study's folder, locked; a file is planned first.
fn plan(args: &StudyArgs) -> Result<(StudyFolder, Lock), CliError> {
    if args.study.is_dir() {
        let folder = find(args)?;
        let lock = folder.lock()?;
        warn(&lock);
        return Ok((folder, lock));
    }
    let (folder, planned, lock) = StudyFolder::plan_file(&args.study, &args.out)?;
    warn(&lock);
    for notice in &planned.notices {
        note!("note: {notice}");
    }
    if planned.added > 0 {
        let before = planned.runs - planned.added;
        let grown = if before > 0 { format!(" beside {before} planned before") } else { String::new() };
        news!("planned {} runs{grown} in {}", planned.added, folder.path().display());
    }
    if planned.repeated > 0 {
        note!("{} points of the design repeat others and are left out", planned.repeated);
    }
    Ok((folder, lock))
}

/// Says so when a lock guards nothing.
fn warn(lock: &Lock) {
    if let Some(why) = &lock.unguarded {
        note!("note: {why}");
    }
}

/// The folder of a study that was planned.
fn find(args: &StudyArgs) -> Result<StudyFolder, CliError> {
    if args.study.is_dir() {
        return Ok(StudyFolder::new(&args.study));
    }
    let file = &args.study;
    let text = document::text(file)?;
    let folder = StudyFolder::of_file(file, &args.out);
    if !folder.file("plan.jsonl").exists() {
        let message =
            format!("{0} was not planned in {1}; losscape study plan {0}", file.display(), args.out.display());
        return Err(CliError::Message(message));
    }
    if !folder.is_planned_from(&text) {
        note!("{0} was changed since it was planned; losscape study plan {0} takes that in", file.display());
    }
    Ok(folder)
}

fn start(args: &StudyRunArgs, call: &Call) -> Result<u8, CliError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.map_or(cores, usize::from);
    // A wrong name should not fail every run.
    device::parse(&args.device)?;
    let memory = match &args.memory {
        Some(text) => Some(memory::bytes(text)?),
        None => bytes::available().map(|bytes| bytes / jobs),
    };
    // The tasks of an array share the folder; each run has a lock of its own.
    let (folder, _lock) = match args.index {
        None => plan(&args.study).map(|(folder, lock)| (folder, Some(lock)))?,
        Some(_) => (find(&args.study)?, None),
    };
    let stop = signals::listen()?;
    let mut planned = folder.planned()?;
    if let Some(index) = args.index {
        let (all, chunk) = (planned.len(), args.chunk.get());
        let chunks = all.div_ceil(chunk);
        if index >= chunks {
            return Err(CliError::Message(format!("there is no chunk {index}: {all} runs make {chunks}")));
        }
        planned = planned.into_iter().skip(index * chunk).take(chunk).collect();
    }
    let states = folder.states(&planned)?;
    let all: Vec<(PlannedRun, RunState)> = planned.into_iter().zip(states).collect();
    let count = |state: State| all.iter().filter(|(_, known)| known.state == state).count();
    let known = Tally { done: count(State::Done), diverged: count(State::Diverged), failed: count(State::Failed) };
    let open: Vec<PlannedRun> = all
        .iter()
        .filter(|(_, known)| !known.is_finished() && known.state != State::Failed)
        .map(|(run, _)| run.clone())
        .collect();
    let total = all.len();
    if open.len() < total {
        news!("{} of {total} runs have ended already", total - open.len());
    }
    let program = call.program.clone();
    let processes = Processes { study: &folder, program, device: &args.device, jobs, threads: args.threads, memory };
    let bars = progress::Study::new(total);
    bars.begin(known);
    let Tally { done, diverged, failed } = processes.run(open, known, &stop, &|event| bars.show(&event));
    bars.clear();
    say!("{done} done, {diverged} diverged, {failed} failed, of {total}");
    if done + diverged + failed < total {
        let why = if stop.load(Ordering::Relaxed) { "stopped" } else { "not all could be done" };
        note!("{why}: the same command goes on");
        return Ok(INTERRUPTED);
    }
    if args.index.is_none() {
        merge(&folder, true)?;
        weigh(&folder)?;
    }
    if failed > 0 {
        note!(
            "{failed} runs failed; losscape study status {0} says why, losscape study retry {0} lets them be done \
             again",
            folder.path().display()
        );
        return Ok(1);
    }
    Ok(0)
}

/// A process's side of a study: one run. Returns the exit code.
fn work(study: &StudyFolder, index: usize, device: &str, memory: Option<usize>, call: &Call) -> Result<u8, CliError> {
    let stop = signals::listen()?;
    let measuring = Arc::new(AtomicBool::new(false));
    signals::end_at_once(&measuring)?;
    let (stopped, at_once) = (Arc::clone(&stop), Arc::clone(&measuring));
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        stopped.store(true, Ordering::Relaxed);
        if at_once.load(Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
    });
    let planned = study.planned()?;
    let Some(run) = planned.get(index) else {
        return Err(CliError::Message(format!("there is no run {index}: {} are planned", planned.len())));
    };
    note!("run {index} of {}, process {}", study.path().display(), std::process::id());
    let (argv, stop) = (call.argv(), Some(&*stop));
    let worker = Worker { memory, argv, stop, ..Worker::new(study, device::parse(device)?, device) };
    Ok(processes::serve(&worker, run, &measuring, |words| note!("{words}")))
}

/// Writes scripts for a scheduler and, unless it is a dry run, submits them.
fn submit(study: &StudyFolder, args: &SubmitArgs, call: &Call) -> Result<(), CliError> {
    let SubmitArgs { chunk, limit, threads, .. } = *args;
    let job = Job::new(study, &call.program, Array { chunk, limit, threads, device: args.device.clone() })?;
    match args.launcher {
        Launcher::Slurm => {
            let scripts = slurm::Scripts::write(&job, &args.options)?;
            if args.dry_run {
                scripts.commands().iter().for_each(|command| say!("{command}"));
                return Ok(());
            }
            let submitted = scripts.submit()?;
            say!("{} tasks of {} runs: job {}", job.tasks, job.chunk, submitted.array);
            say!("merge when they have ended: job {}", submitted.merge);
        }
        Launcher::Kubernetes => say!("{}", kubernetes::command(&kubernetes::write(&job, &args.image)?)),
    }
    Ok(())
}

/// Writes the table. Whether it is whole: unless `partial`, it is not written when runs are missing or not measured.
fn merge(folder: &StudyFolder, partial: bool) -> Result<bool, CliError> {
    let Merged { table, missing, unmeasured } = Merged::read(folder)?;
    let named = |runs: &[&PlannedRun]| {
        let names: Vec<&str> = runs.iter().take(5).map(|run| run.folder.as_str()).collect();
        format!("{}{}", names.join(", "), if runs.len() > names.len() { ", …" } else { "" })
    };
    for (runs, what) in [
        (missing.iter().map(|(run, _)| run).collect::<Vec<_>>(), "have no result yet"),
        (unmeasured.iter().collect(), "are not measured"),
    ] {
        if !runs.is_empty() {
            note!("{} runs {what}: {}", runs.len(), named(&runs));
        }
    }
    for (run, error) in missing.iter().filter_map(|(run, error)| Some((run, error.as_ref()?))) {
        note!("{}: {error}", run.folder);
    }
    if !(partial || missing.is_empty() && unmeasured.is_empty()) {
        note!("losscape study run does them; --partial writes the table as it is");
        return Ok(false);
    }
    table.write(folder)?;
    say!("{} rows in {}", table.len(), folder.file("results.csv").display());
    Ok(true)
}

/// Weighs the table and writes the page.
fn weigh(folder: &StudyFolder) -> Result<(), CliError> {
    let Merged { table, missing, .. } = Merged::read(folder)?;
    let findings = Findings::of(&table, SEED);
    findings.write(folder)?;
    report::write(folder, &table, &findings, missing.len())?;
    show!("{}", report::text(&findings));
    say!("{}", folder.file("report.html").display());
    Ok(())
}
