//! The processes of a study on this machine: each does one run.
//!
//! A process holds its run's lock, and says on its standard output how far it is, a JSON object a line. When its
//! standard input is closed, because the study stops or died, it writes a checkpoint and ends: no run is ever left
//! without a study. Who finds the lock taken meanwhile waits.

use std::collections::{HashMap, VecDeque};
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use losscape_lab::LabError;
use losscape_lab::folder::create;
use losscape_lab::records::State;
use serde::{Deserialize, Serialize};

use super::INTERRUPTED;
use super::program::Program;
use super::worker::{Told, Worker};
use crate::folder::own;
use crate::{PlannedRun, StudyFolder};

/// What a process tells the study.
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
        // A study that died reads no more; the process will see that its standard input is closed.
        let _ = writeln!(std::io::stdout(), "{text}");
    }
}

/// The process's side: does a run and says so on standard output. Notes go to `note`, and `measuring` is set when
/// training is over. Returns the exit code.
pub fn serve(worker: &Worker, run: &PlannedRun, measuring: &AtomicBool, note: fn(&str)) -> u8 {
    let mut tell = |told| match told {
        Told::Note(words) => note(&words),
        Told::Training { step, steps, loss } => Message::Training(step, steps, loss).send(),
        Told::Measuring => {
            measuring.store(true, Ordering::Relaxed);
            Message::Measuring.send();
        }
    };
    match worker.run(run, &mut tell) {
        Ok(Some(state)) => {
            Message::Finished(state).send();
            0
        }
        Ok(None) => INTERRUPTED,
        Err(LabError::Busy { .. }) => {
            Message::Busy.send();
            INTERRUPTED
        }
        Err(error) => refuse(&error.to_string(), note),
    }
}

/// The process's side of a run that cannot even begin. Returns the exit code.
pub fn refuse(reason: &str, note: fn(&str)) -> u8 {
    note(reason);
    Message::Failed(reason.to_owned()).send();
    2
}

/// How a process ended.
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
    /// Runs trained and measured.
    pub done: usize,
    /// Runs that diverged: a result, not a failure.
    pub diverged: usize,
    /// Runs that ended in an error, written to their `failure.json`.
    pub failed: usize,
}

impl Tally {
    /// Runs that ended, in whatever way.
    #[must_use]
    pub fn ended(&self) -> usize {
        self.done + self.diverged + self.failed
    }
}

/// What happens while processes work; a slot is one of as many as work at a time.
#[derive(Debug)]
pub enum Event<'a> {
    /// A slot begins a run.
    Begins(usize, &'a PlannedRun),
    /// How far the run of a slot is.
    Told(usize, &'a PlannedRun, Told),
    /// The run of a slot is held by another process.
    Waits(usize),
    /// A slot has no more to do.
    Ends(usize),
    /// A run cannot be done, and why.
    Fails(&'a PlannedRun, &'a str),
    /// A run ended: so many have by now.
    Counts(Tally),
}

/// How often a run is started again whose process was killed.
const ATTEMPTS: usize = 3;

/// Which processes, and how many.
#[derive(Debug)]
pub struct Processes<'a> {
    /// The study whose runs are done.
    pub study: &'a StudyFolder,
    /// The program: `losscape`, or one that calls [`serve`] on `study worker FOLDER INDEX --device NAME [--memory
    /// BYTES]`.
    pub program: Program,
    /// The device by its name.
    pub device: &'a str,
    /// Processes at a time.
    pub jobs: usize,
    /// Threads of each process, which decide about its time and not about its numbers.
    pub threads: u16,
    /// Bytes that each may measure in.
    pub memory: Option<usize>,
}

/// What the threads that look after processes share.
struct Shared<'a> {
    queue: Mutex<VecDeque<(PlannedRun, usize)>>,
    /// The standard inputs of the processes, by slot.
    inputs: Mutex<HashMap<usize, ChildStdin>>,
    tally: Mutex<Tally>,
    ended: AtomicBool,
    stop: &'a AtomicBool,
    show: &'a (dyn Fn(Event) + Sync),
}

impl Processes<'_> {
    /// Does the runs, as many at a time as there are jobs, until all have ended or `stop` is set. A run that fails
    /// stops none of the others. `known` are those that ended before.
    pub fn run(&self, runs: Vec<PlannedRun>, known: Tally, stop: &AtomicBool, show: &(dyn Fn(Event) + Sync)) -> Tally {
        let jobs = self.jobs.min(runs.len());
        let shared = Shared {
            queue: Mutex::new(runs.into_iter().map(|run| (run, 1)).collect()),
            inputs: Mutex::default(),
            tally: Mutex::new(known),
            ended: AtomicBool::new(false),
            stop,
            show,
        };
        show(Event::Counts(known));
        std::thread::scope(|scope| {
            let shared = &shared;
            let guards: Vec<_> = (0..jobs)
                .map(|slot| {
                    scope.spawn(move || {
                        self.look_after(slot, shared);
                        (shared.show)(Event::Ends(slot));
                    })
                })
                .collect();
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
        *held(&shared.tally)
    }

    /// Does one run after the other.
    fn look_after(&self, slot: usize, shared: &Shared) {
        while !shared.stop.load(Ordering::Relaxed) {
            let Some((run, attempt)) = held(&shared.queue).pop_front() else { return };
            let ending = self.one(slot, &run, shared).unwrap_or_else(|error| Ending::Failed(error.to_string()));
            let ending = match ending {
                Ending::Killed if attempt < ATTEMPTS => {
                    held(&shared.queue).push_back((run, attempt + 1));
                    continue;
                }
                Ending::Busy => {
                    held(&shared.queue).push_back((run, attempt));
                    (shared.show)(Event::Waits(slot));
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
                    (shared.show)(Event::Fails(&run, &reason));
                    // Where that cannot be written either, the run is missing and will be done again.
                    let _ = self.study.fail(&run, &reason);
                }
                Ending::Interrupted | Ending::Busy | Ending::Killed => continue,
            }
            let now = *tally;
            drop(tally);
            (shared.show)(Event::Counts(now));
        }
    }

    /// Does one run in a process of its own.
    fn one(&self, slot: usize, run: &PlannedRun, shared: &Shared) -> Result<Ending, LabError> {
        (shared.show)(Event::Begins(slot, run));
        let mut child = self.start(run)?;
        let input = child.stdin.take();
        held(&shared.inputs).extend(input.map(|input| (slot, input)));
        let mut last = None;
        for sent in child.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).lines()) {
            let Some(message) = sent.ok().and_then(|sent| serde_json::from_str(&sent).ok()) else { continue };
            match message {
                Message::Training(step, steps, loss) => {
                    (shared.show)(Event::Told(slot, run, Told::Training { step, steps, loss }));
                }
                Message::Measuring => (shared.show)(Event::Told(slot, run, Told::Measuring)),
                Message::Busy | Message::Finished(_) | Message::Failed(_) => {}
            }
            last = Some(message);
        }
        let status = child.wait().map_err(LabError::io("wait for", self.program.path()))?;
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

    fn start(&self, run: &PlannedRun) -> Result<Child, LabError> {
        let folder = self.study.run_folder(run);
        create(folder.path())?;
        let log = folder.path().join("worker.log");
        own(&log)?;
        let log = OpenOptions::new().append(true).create(true).open(&log).map_err(LabError::io("write", &log))?;
        self.program
            .command()
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
            .map_err(LabError::io("start", self.program.path()))
    }
}

/// A lock whose holder's panic is not passed on.
fn held<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
