//! Work beside Python: it runs on a thread of its own, while the thread that called serves what it asks of Python and
//! listens for Ctrl-C.
//!
//! Who interrupts has Python back at once; the work ends at its next product or step. So it owns what it works on.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::prelude::*;

use crate::error::{Error, InternalError};
use crate::vector::Numbers;

/// How often Python is asked for signals.
const TICK: Duration = Duration::from_millis(50);

/// Stack of the thread that works, as large as that of a program.
const STACK: usize = 8 << 20;

/// What the work ends with.
type Ending<T> = Result<T, Failure>;

/// Why work ended without a result, in words of the crate it happened in.
#[derive(Debug)]
pub struct Failure(String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl Failure {
    /// A failure in words.
    pub fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        Error::new_err(failure.0)
    }
}

/// What work asks of the thread that called.
enum Ask {
    /// A product of the caller's function.
    Product(Numbers, Sender<Numbers>),
    /// To say how far it is: what is done, parts done, parts in all (0 where that is not known).
    Progress(String, usize, usize),
}

/// The side of the work: how it reaches Python.
#[derive(Debug, Clone)]
pub struct Desk {
    ask: Sender<Ask>,
    stop: Arc<AtomicBool>,
}

/// Carried by the unwinding of work that nobody waits for any more.
struct Abandoned;

impl Desk {
    /// Set when the work is to end.
    pub fn stop(&self) -> &AtomicBool {
        &self.stop
    }

    /// Unwinds where nobody waits for the result any more.
    pub fn check(&self) {
        if self.stop.load(Ordering::Relaxed) {
            resume_unwind(Box::new(Abandoned));
        }
    }

    /// The product of the caller's function with a vector.
    pub fn product(&self, vector: Numbers) -> Numbers {
        let (reply, answer) = channel();
        let asked = self.ask.send(Ask::Product(vector, reply)).is_ok();
        // Where the function fails, the caller leaves.
        match answer.recv() {
            Ok(product) if asked => product,
            _ => resume_unwind(Box::new(Abandoned)),
        }
    }

    /// Says how far the work is.
    pub fn progress(&self, what: &str, done: usize, parts: usize) {
        self.check();
        let _ = self.ask.send(Ask::Progress(what.to_owned(), done, parts));
    }
}

/// What a caller gives for its side.
#[derive(Debug, Default)]
pub struct Caller<'py> {
    /// Takes a vector, gives the product.
    pub matvec: Option<Bound<'py, PyAny>>,
    /// Takes what is done, parts done, parts in all.
    pub progress: Option<Bound<'py, PyAny>>,
}

impl<'py> Caller<'py> {
    /// A caller who only wants to know how far it is.
    pub fn told(progress: Option<Bound<'py, PyAny>>) -> Self {
        Self { matvec: None, progress }
    }
}

/// Does work beside Python.
///
/// # Errors
///
/// The work's own; those of the caller's functions; `KeyboardInterrupt`; [`InternalError`] for a panic.
pub fn run<T: Send + 'static>(
    py: Python<'_>,
    caller: &Caller<'_>,
    work: impl FnOnce(&Desk) -> Ending<T> + Send + 'static,
) -> PyResult<T> {
    run_until(py, caller, false, work)
}

/// As [`run`]; with `patient` an interrupt waits until the work has ended by itself, as training does with a
/// checkpoint.
pub fn run_until<T: Send + 'static>(
    py: Python<'_>,
    caller: &Caller<'_>,
    patient: bool,
    work: impl FnOnce(&Desk) -> Ending<T> + Send + 'static,
) -> PyResult<T> {
    same_process()?;
    let (ask, asked) = channel();
    let desk = Desk { ask, stop: Arc::default() };
    let stop = Arc::clone(&desk.stop);
    let (end, ended) = channel();
    let spawned = thread::Builder::new().name("losscape".to_owned()).stack_size(STACK).spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(|| work(&desk)));
        let _ = end.send(result);
        // Wakes the caller, who listens here.
        drop(desk);
    });
    spawned.map_err(|error| InternalError::new_err(format!("no thread could be started: {error}")))?;
    let functions = caller_of(caller);
    let served = py.detach(|| serve(asked, functions, &stop, patient));
    if let Err(error) = served {
        stop.store(true, Ordering::Relaxed);
        return Err(error);
    }
    match py.detach(move || ended.recv()) {
        Ok(Ok(result)) => Ok(result?),
        Ok(Err(panic)) => Err(InternalError::new_err(words(&*panic))),
        Err(_) => Err(InternalError::new_err("the work ended without a word")),
    }
}

/// The functions of a caller, to be taken along without Python.
struct Functions {
    matvec: Option<Py<PyAny>>,
    progress: Option<Py<PyAny>>,
}

fn caller_of(caller: &Caller<'_>) -> Functions {
    let kept = |function: &Option<Bound<'_, PyAny>>| function.as_ref().map(|function| function.clone().unbind());
    Functions { matvec: kept(&caller.matvec), progress: kept(&caller.progress) }
}

/// Answers until the work has ended.
#[expect(clippy::needless_pass_by_value, reason = "a receiver is sent, and not shared")]
fn serve(asked: Receiver<Ask>, functions: Functions, stop: &AtomicBool, patient: bool) -> PyResult<()> {
    let Functions { matvec, progress } = functions;
    let mut looked = Instant::now();
    let mut interrupted = None;
    let result = loop {
        let ask = asked.recv_timeout(TICK);
        let answered = match ask {
            Err(RecvTimeoutError::Disconnected) => break Ok(()),
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Ok(Ask::Product(vector, reply)) => Python::attach(|py| {
                let function = matvec.as_ref().expect("who asks for products has a function").bind(py);
                let kind = vector.dtype();
                let product = function.call1((vector.into_array(py),))?;
                let _ = reply.send(Numbers::extract(&product, kind)?);
                Ok(())
            }),
            Ok(Ask::Progress(what, done, parts)) => match &progress {
                Some(progress) => Python::attach(|py| progress.call1(py, (what, done, parts)).map(|_| ())),
                None => Ok(()),
            },
        };
        let signalled = if looked.elapsed() >= TICK {
            looked = Instant::now();
            Python::attach(|py| -> PyResult<()> {
                py.check_signals()?;
                Ok(())
            })
        } else {
            Ok(())
        };
        match answered.and(signalled) {
            Ok(()) => {}
            Err(error) if patient && interrupted.is_none() => {
                stop.store(true, Ordering::Relaxed);
                interrupted = Some(error);
            }
            Err(error) => break Err(error),
        }
    };
    Python::attach(|_| drop((matvec, progress)));
    match interrupted {
        Some(error) => Err(error),
        None => result,
    }
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("{}; this is a fault of losscape, please report it", said.unwrap_or("it panicked"))
}

/// The process that calculates: threads do not live on in a process that was forked.
///
/// # Errors
///
/// In another one.
fn same_process() -> PyResult<()> {
    static PROCESS: OnceLock<u32> = OnceLock::new();
    let now = std::process::id();
    if *PROCESS.get_or_init(|| now) == now {
        return Ok(());
    }
    Err(Error::new_err(
        "this process was forked from one that had calculated with losscape, and has not its threads: start it with \
         multiprocessing.get_context(\"spawn\"), or fork before losscape is first used",
    ))
}
