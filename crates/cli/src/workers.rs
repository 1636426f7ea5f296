//! The processes of a study: each does one run.
//!
//! A worker says on its standard output how far it is, a JSON object a line ([`Message`]). When its standard input is closed, because the study stops or died,
//! it writes a checkpoint and ends: no run is ever left without a study.

use std::collections::{HashMap, VecDeque};
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use losscape_lab::records::{Metric, State};
use losscape_lab::study::folder::own;
use losscape_lab::study::{PlannedRun, StudyFolder, result};
use losscape_lab::{LabError, Observe, Outcome, Run, RunOptions, Trainer};
use losscape_model::Model;
use losscape_report::number;
use serde::{Deserialize, Serialize};

use crate::error::CliError;
use crate::signals::{self, INTERRUPTED};
use crate::terminal::{clean, note};
use crate::{device, memory};

/// What a worker tells the study.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Message {
    /// It trains: steps done, steps in all, loss of the batch.
    Training(usize, usize, f64),
    /// Another process is at work on the run.
    Busy,
    /// It measures.
    Measuring,
    /// The run has its result.
    Finished(State),
    /// The run cannot be done.
    Failed(String),
}

impl Message {
    fn send(&self) {
        let text = serde_json::to_string(self).expect("messages have only string keys");
        // A study that died reads no more; the worker will see that its standard input is closed.
        let _ = writeln!(std::io::stdout(), "{text}");
    }
}

/// How a worker ended.
enum Ending {
    Finished(State),
    Failed(String),
    Interrupted,
    /// Another process is at work on the run: that of a study that was killed a moment ago, or of another task.
    Busy,
    /// By a signal from elsewhere.
    Killed,
}

/// How many runs ended how.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    pub done: usize,
    pub diverged: usize,
    pub failed: usize,
}

/// How often a run is started again whose worker was killed.
const ATTEMPTS: usize = 3;

/// Which processes, and how many.
pub struct Workers<'a> {
    pub study: &'a StudyFolder,
    pub device: &'a str,
    pub jobs: usize,
    pub threads: u16,
    /// Bytes that each may measure in.
    pub memory: Option<usize>,
}

/// What the threads that look after workers share.
struct Shared<'a> {
    queue: Mutex<VecDeque<(PlannedRun, usize)>>,
    /// The standard inputs of the workers, by slot.
    inputs: Mutex<HashMap<usize, ChildStdin>>,
    tally: Mutex<Tally>,
    ended: AtomicBool,
    stop: &'a AtomicBool,
    bar: ProgressBar,
}

impl Workers<'_> {
    /// Does the runs, as many at a time as there are jobs, until all have ended or `stop` is set. A run that fails stops none of the others.
    pub fn run(&self, runs: Vec<PlannedRun>, known: Tally, all: usize, stop: &AtomicBool) -> Tally {
        let bars = MultiProgress::new();
        let style = "{bar:28} {pos}/{len} runs  {msg}  {elapsed} so far, {eta} left";
        let bar = bars.add(ProgressBar::new(all as u64));
        bar.set_style(ProgressStyle::with_template(style).expect("the template is valid"));
        bar.set_position((known.done + known.diverged + known.failed) as u64);
        bar.reset_eta();
        bar.enable_steady_tick(Duration::from_millis(500));
        let jobs = self.jobs.min(runs.len());
        let shared = Shared {
            queue: Mutex::new(runs.into_iter().map(|run| (run, 1)).collect()),
            inputs: Mutex::default(),
            tally: Mutex::new(known),
            ended: AtomicBool::new(false),
            stop,
            bar,
        };
        shared.show();
        std::thread::scope(|scope| {
            let guards: Vec<_> = (0..jobs)
                .map(|slot| {
                    let line = bars.add(ProgressBar::new_spinner());
                    line.set_style(ProgressStyle::with_template("  {msg}").expect("the template is valid"));
                    let shared = &shared;
                    scope.spawn(move || {
                        self.look_after(slot, shared, &line);
                        line.finish_and_clear();
                    })
                })
                .collect();
            let shared = &shared;
            scope.spawn(move || {
                while !shared.ended.load(Ordering::Relaxed) {
                    if shared.stop.load(Ordering::Relaxed) {
                        held(&shared.inputs).clear();
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
            for guard in guards {
                // A thread that panicked has shown why; the others go on.
                let _ = guard.join();
            }
            shared.ended.store(true, Ordering::Relaxed);
        });
        shared.bar.finish_and_clear();
        *held(&shared.tally)
    }

    /// Does one run after the other.
    fn look_after(&self, slot: usize, shared: &Shared, line: &ProgressBar) {
        while !shared.stop.load(Ordering::Relaxed) {
            let Some((run, attempt)) = held(&shared.queue).pop_front() else { return };
            let ending = self.one(slot, &run, shared, line).unwrap_or_else(|error| Ending::Failed(error.to_string()));
            let ending = match ending {
                Ending::Killed if attempt < ATTEMPTS => {
                    held(&shared.queue).push_back((run, attempt + 1));
                    continue;
                }
                Ending::Busy => {
                    held(&shared.queue).push_back((run, attempt));
                    line.set_message("waiting for another process");
                    std::thread::sleep(Duration::from_millis(250));
                    continue;
                }
                Ending::Killed => {
                    Ending::Failed(format!("its process was killed {ATTEMPTS} times; is there too little memory?"))
                }
                ending => ending,
            };
            let mut tally = held(&shared.tally);
            match ending {
                Ending::Finished(State::Diverged) => tally.diverged += 1,
                Ending::Finished(_) => tally.done += 1,
                Ending::Failed(reason) => {
                    tally.failed += 1;
                    shared.bar.suspend(|| note!("{} failed: {reason}", run.folder));
                    // Where that cannot be written either, the run is missing and will be done again.
                    let _ = self.study.fail(&run, &reason);
                }
                Ending::Interrupted | Ending::Busy | Ending::Killed => continue,
            }
            drop(tally);
            shared.show();
        }
    }

    /// Does one run in a process of its own.
    fn one(&self, slot: usize, run: &PlannedRun, shared: &Shared, line: &ProgressBar) -> Result<Ending, CliError> {
        let name = clean(&format!("{:>5}  {}", run.index, run.set.join(" ")));
        line.set_message(name.clone());
        let mut child = self.start(run)?;
        let input = child.stdin.take();
        held(&shared.inputs).extend(input.map(|input| (slot, input)));
        let mut last = None;
        for sent in child.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).lines()) {
            let Some(message) = sent.ok().and_then(|sent| serde_json::from_str(&sent).ok()) else { continue };
            match &message {
                Message::Training(step, steps, loss) => {
                    line.set_message(format!("{name}  step {step}/{steps}  loss {}", number(*loss)));
                }
                Message::Measuring => line.set_message(format!("{name}  measuring")),
                Message::Busy | Message::Finished(_) | Message::Failed(_) => {}
            }
            last = Some(message);
        }
        let status = child.wait().map_err(|error| CliError::Message(format!("cannot wait for a worker: {error}")))?;
        held(&shared.inputs).remove(&slot);
        Ok(match (status.code(), last) {
            (Some(0), Some(Message::Finished(state))) => Ending::Finished(state),
            (_, Some(Message::Failed(reason))) => Ending::Failed(reason),
            (_, Some(Message::Busy)) => Ending::Busy,
            (Some(code), _) if code == i32::from(INTERRUPTED) => Ending::Interrupted,
            (None, _) if shared.stop.load(Ordering::Relaxed) => Ending::Interrupted,
            (None, _) => Ending::Killed,
            (Some(code), _) => {
                Ending::Failed(format!("its process ended with code {code}; see worker.log in its folder"))
            }
        })
    }

    fn start(&self, run: &PlannedRun) -> Result<Child, CliError> {
        let folder = self.study.run_folder(run);
        let log = folder.path().join("worker.log");
        let cannot = |what: &'static str, path: std::path::PathBuf| {
            move |source| CliError::Lab(LabError::Io { action: what, path, source })
        };
        std::fs::create_dir_all(folder.path()).map_err(cannot("create", folder.path().to_owned()))?;
        own(&log)?;
        let log = OpenOptions::new().append(true).create(true).open(&log).map_err(cannot("write", log.clone()))?;
        let program = std::env::current_exe().map_err(cannot("find", "the program itself".into()))?;
        Command::new(&program)
            .args(["study", "worker"])
            .arg(self.study.path())
            .arg(run.index.to_string())
            .args(["--device", self.device])
            .args(self.memory.iter().flat_map(|bytes| ["--memory".to_owned(), bytes.to_string()]))
            .env("RAYON_NUM_THREADS", self.threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(cannot("start", program))
    }
}

impl Shared<'_> {
    fn show(&self) {
        let Tally { done, diverged, failed } = *held(&self.tally);
        self.bar.set_position((done + diverged + failed) as u64);
        self.bar.set_message(format!("{done} done, {diverged} diverged, {failed} failed"));
    }
}

/// A lock whose holder's panic is not passed on.
fn held<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a worker is to do.
pub struct Work<'a> {
    pub study: &'a StudyFolder,
    /// Place of the run in the plan.
    pub index: usize,
    pub device: &'a str,
    /// Bytes that it may measure in.
    pub memory: Option<usize>,
}

impl Work<'_> {
    /// The worker's side: one run, trained and measured. Returns the exit code.
    pub fn run(&self) -> u8 {
        match self.try_run() {
            Ok(Some(state)) => {
                Message::Finished(state).send();
                0
            }
            Ok(None) => INTERRUPTED,
            Err(CliError::Lab(LabError::Busy { .. })) => {
                Message::Busy.send();
                INTERRUPTED
            }
            Err(error) => {
                note!("{error}");
                Message::Failed(error.to_string()).send();
                2
            }
        }
    }

    /// How the run ended; `None` when it was interrupted.
    fn try_run(&self) -> Result<Option<State>, CliError> {
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
        let device = device::parse(self.device)?;
        let planned = self.study.planned()?;
        let Some(planned) = planned.get(self.index) else {
            return Err(CliError::Message(format!("there is no run {}: {} are planned", self.index, planned.len())));
        };
        note!("run {} of {}, process {}", self.index, self.study.path().display(), std::process::id());
        let plan = self.study.plan(planned)?;
        memory::check(&plan, None)?;
        let mut options = RunOptions {
            out: self.study.runs(),
            device: device.clone(),
            device_name: self.device.to_owned(),
            fresh: false,
            extend: None,
            argv: crate::argv(),
        };
        let run = match Run::open(plan.clone(), &options) {
            Err(error @ LabError::NoCheckpoint { .. }) => {
                note!("{error}, which is done now");
                options.fresh = true;
                Run::open(plan.clone(), &options)?
            }
            run => run?,
        };
        for warning in &run.warnings {
            note!("note: {warning}");
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
            let (_, outcome, _) = run.train(&mut Teller { next: Instant::now() }, &stop)?;
            if outcome == Outcome::Interrupted {
                return Ok(None);
            }
        }
        measuring.store(true, Ordering::Relaxed);
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        Message::Measuring.send();
        Ok(Some(result::finish(self.study, planned, &plan, &device, self.memory)?.outcome))
    }
}

/// Tells the study how far the training is, now and then.
struct Teller {
    next: Instant,
}

impl Observe<Model> for Teller {
    fn batch(&mut self, trainer: &Trainer<Model>, record: &Metric) -> Result<(), LabError> {
        if Instant::now() >= self.next {
            self.next = Instant::now() + Duration::from_millis(250);
            Message::Training(record.step, trainer.total_steps(), record.loss).send();
        }
        Ok(())
    }
}
