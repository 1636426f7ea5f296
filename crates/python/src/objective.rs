//! The loss of a network on data, as a function of its parameters.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use burn::tensor::Device;
use losscape_analysis::{Mode, Objective as Loss};
use losscape_exchange::Program;
use losscape_lab::config::Precision;
use losscape_lab::measure::llc::ChainSettings;
use losscape_lab::measure::{AnalysisSettings, Measure, Progress};
use losscape_lab::open::{Files, Made};
use losscape_lab::subject::Training;
use losscape_lab::{Analysis, Document, RunFolder, Subject};
use losscape_model::data::npz::{Channels, Npz};
use losscape_model::{LossKind, Model};
use losscape_optim::OptimizerConfig;
use losscape_optim::edge::{Curvature, edge, seen_by};
use losscape_tangent::parameters;
use pyo3::prelude::*;
use serde::Deserialize;
use serde_json::json;

use crate::analysis::Measured;
use crate::error::Error;
use crate::held::{Held, Kind, Pointed};
use crate::operator::Operator;
use crate::vector::Numbers;
use crate::work::{Caller, Failure, run};

/// A network with its data and loss, and where it is measured.
struct Inner {
    subject: Subject,
    notes: Vec<String>,
    precision: Precision,
    loss: Arc<Loss<Model>>,
    here: OnceLock<Result<Arc<Pointed>, String>>,
}

impl Inner {
    fn new(subject: Subject, notes: Vec<String>, precision: &str) -> Result<Self, Failure> {
        let precision = match precision {
            "f64" => Precision::F64,
            "f32" => Precision::F32,
            _ => return Err(Failure::new(format!("precision is \"f64\" or \"f32\", not \"{precision}\""))),
        };
        let loss = Loss::on(subject.network.clone(), &subject.data, subject.loss)?;
        let loss = Arc::new(loss.precision(precision.into()).in_mode(subject.mode));
        Ok(Self { subject, notes, precision, loss, here: OnceLock::new() })
    }

    fn here(&self) -> Result<Arc<Pointed>, Failure> {
        let here = self.here.get_or_init(|| Pointed::at(Arc::clone(&self.loss)).map_err(|error| error.to_string()));
        here.clone().map_err(Failure::new)
    }
}

/// The loss of a network on data. Made by the functions of the package.
#[pyclass(frozen, module = "losscape._losscape")]
pub struct Objective(Arc<Inner>);

/// A subject in a mode.
fn in_mode(subject: Subject, mode: &str) -> Result<Subject, Failure> {
    match mode {
        "evaluation" => Ok(subject),
        "batch" => Ok(subject.in_mode(Mode::Batch)?),
        _ => Err(Failure::new(format!("mode is \"evaluation\" or \"batch\", not \"{mode}\""))),
    }
}

fn channels(name: Option<&str>) -> PyResult<Option<Channels>> {
    match name {
        None => Ok(None),
        Some("first") => Ok(Some(Channels::First)),
        Some("last") => Ok(Some(Channels::Last)),
        Some(name) => Err(Error::new_err(format!("channels are \"first\" or \"last\", not \"{name}\""))),
    }
}

fn loss_kind(name: &str) -> PyResult<LossKind> {
    LossKind::named(name).ok_or_else(|| {
        let known: Vec<&str> = losscape_model::Loss::ALL.iter().map(|(name, _)| *name).collect();
        Error::new_err(format!("unknown loss `{name}`; known are {}", known.join(", ")))
    })
}

#[pymethods]
impl Objective {
    /// Of an archive of `torch.export.save`, and of data as `numpy.savez` writes them.
    #[staticmethod]
    #[pyo3(signature = (archive, data, *, loss, mode, precision, channels, vocabulary))]
    #[expect(clippy::too_many_arguments, reason = "they have names in Python")]
    fn from_archive(
        py: Python<'_>,
        archive: Vec<u8>,
        data: Vec<u8>,
        loss: &str,
        mode: String,
        precision: String,
        channels: Option<&str>,
        vocabulary: Option<usize>,
    ) -> PyResult<Self> {
        let (kind, channels) = (loss_kind(loss)?, self::channels(channels)?);
        run(py, &Caller::default(), move |_| {
            let model = Made::Program("the network".to_owned(), Program::from_bytes(&archive)?);
            let data = arrays(data, channels, vocabulary);
            let files = Files { weights: None, layout: Default::default(), data, model, loss: Some(kind) };
            let subject = in_mode(Subject::of_files(&files, &Device::flex())?, &mode)?;
            Inner::new(subject, Vec::new(), &precision).map(|inner| Self(Arc::new(inner)))
        })
    }

    /// Of a network by name, from the tables `[model]` and `[loss]` of a configuration as text, initialized under a
    /// seed, or with weights from a file.
    #[staticmethod]
    #[pyo3(signature = (description, data, *, weights, seed, mode, precision, channels, vocabulary))]
    #[expect(clippy::too_many_arguments, reason = "they have names in Python")]
    fn described(
        py: Python<'_>,
        description: String,
        data: Vec<u8>,
        weights: Option<PathBuf>,
        seed: u64,
        mode: String,
        precision: String,
        channels: Option<&str>,
        vocabulary: Option<usize>,
    ) -> PyResult<Self> {
        let channels = self::channels(channels)?;
        run(py, &Caller::default(), move |_| {
            let model = Made::Described(description, seed);
            let data = arrays(data, channels, vocabulary);
            let files = Files { weights, layout: Default::default(), data, model, loss: None };
            let subject = in_mode(Subject::of_files(&files, &Device::flex())?, &mode)?;
            Inner::new(subject, Vec::new(), &precision).map(|inner| Self(Arc::new(inner)))
        })
    }

    /// Of the newest checkpoint of a run, or of the average of its weights.
    #[staticmethod]
    fn from_run(py: Python<'_>, folder: PathBuf, average: bool, mode: String, precision: String) -> PyResult<Self> {
        run(py, &Caller::default(), move |_| {
            let of = if average { Subject::of_average } else { Subject::of_run };
            let (subject, notes) = of(&RunFolder::new(folder), &Device::flex())?;
            let subject = in_mode(subject, &mode)?;
            Inner::new(subject, notes, &precision).map(|inner| Self(Arc::new(inner)))
        })
    }

    /// What it is, as a record.
    fn about(&self) -> String {
        let Inner { subject, notes, loss, precision, .. } = &*self.0;
        json!({
            "source": subject.source,
            "samples": loss.samples(),
            "outputs": loss.outputs(),
            "parameters": subject.parameters(),
            "loss": subject.loss.kind,
            "scale": loss.scale(),
            "mode": subject.mode,
            "precision": precision,
            "setup": subject.setup,
            "notices": subject.notices.iter().chain(notes).collect::<Vec<_>>(),
        })
        .to_string()
    }

    /// SHA-256 over everything that a measurement depends on.
    fn digest(&self, py: Python<'_>) -> PyResult<String> {
        let inner = Arc::clone(&self.0);
        run(py, &Caller::default(), move |_| Ok(inner.subject.digest()))
    }

    /// Names, shapes and places of the trainable parameters in the flat vector.
    fn segments(&self) -> Vec<(String, Vec<usize>, usize, usize)> {
        let segments = self.0.loss.segments().into_iter();
        segments
            .map(|segment| {
                let name = segment.path.strip_prefix("Exported.").unwrap_or(&segment.path).to_owned();
                (name, segment.shape, segment.range.start, segment.range.end)
            })
            .collect()
    }

    /// The parameters that it is measured at, `[P]`.
    fn parameters<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        Numbers::of(self.0.loss.parameters()).into_array(py)
    }

    /// `L(w)`, at its own parameters without w.
    fn value(&self, py: Python<'_>, w: Option<&Bound<'_, PyAny>>) -> PyResult<f64> {
        let (inner, w) = (Arc::clone(&self.0), self.numbers(w)?);
        run(py, &Caller::default(), move |_| match w {
            None => Ok(inner.here()?.point().loss()),
            Some(w) => Ok(inner.loss.value(&w.into_tensor(&space(&inner.loss)))?),
        })
    }

    /// `∇L(w)` `[P]`.
    fn gradient<'py>(&self, py: Python<'py>, w: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        let (inner, w) = (Arc::clone(&self.0), self.numbers(w)?);
        let gradient = run(py, &Caller::default(), move |_| match w {
            None => Ok(Numbers::of(inner.here()?.point().gradient().clone())),
            Some(w) => Ok(Numbers::of(inner.loss.gradient(&w.into_tensor(&space(&inner.loss)))?.1)),
        })?;
        Ok(gradient.into_array(py))
    }

    /// The same loss at other parameters.
    fn at(&self, py: Python<'_>, w: &Bound<'_, PyAny>) -> PyResult<Self> {
        let inner = Arc::clone(&self.0);
        let w = Numbers::extract(w, space(&inner.loss).dtype)?;
        run(py, &Caller::default(), move |_| {
            let mut subject = inner.subject.clone();
            subject.network = parameters::unravel(subject.network, &w.into_tensor(&space(&inner.loss)))?;
            subject.source = format!("{}, at other parameters", inner.subject.source);
            // How it was trained says nothing of a point that training did not come to.
            subject.training = None;
            subject.setup.insert("weights".to_owned(), "given by the caller".to_owned());
            let precision = if inner.precision == Precision::F32 { "f32" } else { "f64" };
            Inner::new(subject, inner.notes.clone(), precision).map(|inner| Self(Arc::new(inner)))
        })
    }

    /// Outputs `F(w)` as `[n · C]`.
    fn outputs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let inner = Arc::clone(&self.0);
        let outputs = run(py, &Caller::default(), move |_| Ok(inner.here()?.point().outputs()))?;
        crate::vector::matrix(py, outputs)
    }

    /// One of its matrices at its parameters: `hessian`, `gauss_newton`, `residual`, `fisher`, `ntk`.
    fn operator(&self, py: Python<'_>, name: &str) -> PyResult<Operator> {
        let kind = Kind::named(name).ok_or_else(|| Error::new_err(format!("no operator `{name}`")))?;
        let inner = Arc::clone(&self.0);
        run(py, &Caller::default(), move |_| {
            let here = inner.here()?;
            let entries = here.point().entries();
            Ok(Operator { operator: Arc::new(Held::of(here, kind)?), entries })
        })
    }

    /// The tangent kernel `K_c = c J Jᵀ` written down, `[nC, nC]`.
    fn kernel<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let inner = Arc::clone(&self.0);
        let kernel = run(py, &Caller::default(), move |_| Ok(inner.loss.kernel(&inner.loss.parameters())?))?;
        crate::vector::matrix(py, kernel)
    }

    /// Makes measures, by their names or all; as if a method, from the table `[optimizer]` of a configuration as text,
    /// trained it with full batches.
    #[pyo3(signature = (names, *, optimizer, top, seed, memory, rise, draws, localization, progress))]
    #[expect(clippy::too_many_arguments, reason = "they have names in Python")]
    fn measure(
        &self,
        py: Python<'_>,
        names: Option<Vec<String>>,
        optimizer: Option<&str>,
        top: Option<usize>,
        seed: u64,
        memory: Option<usize>,
        rise: f64,
        draws: usize,
        localization: f64,
        progress: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Measured> {
        let named = |name: &String| Measure::named(name).ok_or_else(|| Error::new_err(Measure::unknown(name)));
        let usual = AnalysisSettings::default();
        let settings = AnalysisSettings {
            precision: self.0.precision,
            seed,
            top,
            memory,
            // Who names a measure that a kernel is decomposed for waits for it.
            kernel_size: usual.kernel_size.filter(|_| names.is_none()),
            rise,
            chains: ChainSettings { draws, localization, ..usual.chains },
        };
        let measures: Vec<_> = match names {
            None => Measure::usual().collect(),
            Some(names) => names.iter().map(named).collect::<PyResult<_>>()?,
        };
        let optimizer = optimizer.map(method).transpose()?;
        let inner = Arc::clone(&self.0);
        let analysis = run(py, &Caller::told(progress), move |desk| {
            let trained = optimizer.map(|optimizer| {
                let (learning_rate, initial) = (optimizer.learning_rate, inner.subject.network.clone());
                let (step, full_batch, preconditioner) = (0, true, None);
                let training = Training { step, optimizer, learning_rate, full_batch, initial, preconditioner };
                Subject { training: Some(training), ..inner.subject.clone() }
            });
            let subject = trained.as_ref().unwrap_or(&inner.subject);
            let state = Mutex::new((String::new(), 0));
            let told = |progress: Progress| {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                let done = match progress {
                    Progress::Begin(what, parts) => {
                        *state = (what.to_owned(), parts);
                        0
                    }
                    Progress::Done(done) => done,
                };
                let (what, parts) = state.clone();
                drop(state);
                desk.progress(&what, done, parts);
            };
            Ok(Analysis::measure(subject, &measures, &settings, &told)?)
        })?;
        Ok(Measured { analysis })
    }
}

impl Objective {
    fn numbers(&self, w: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Numbers>> {
        w.map(|w| Numbers::extract(w, space(&self.0.loss).dtype)).transpose()
    }
}

/// The space of a loss's parameters.
fn space(loss: &Loss<Model>) -> losscape_krylov::Space {
    losscape_krylov::Space::of(&loss.parameters())
}

/// Data that is in memory.
fn arrays(bytes: Vec<u8>, channels: Option<Channels>, vocabulary: Option<usize>) -> Npz {
    Npz { path: "the arrays".into(), channels, vocabulary, bytes: Some(bytes.into()), ..Npz::default() }
}

/// The method of the table `[optimizer]` of a configuration as text.
fn method(text: &str) -> Result<OptimizerConfig, Failure> {
    #[derive(Deserialize)]
    struct Table {
        optimizer: OptimizerConfig,
    }
    let Table { optimizer } = Document::parse("optimizer", text, &[])?.read()?;
    if seen_by(&optimizer) == Curvature::Preconditioned {
        return Err(Failure::new(
            "the edge of this method is one of its preconditioned Hessian, which needs the state of the optimizer: \
             train with losscape and take Objective.from_run",
        ));
    }
    if edge(&optimizer, optimizer.learning_rate, 1.0).is_none() {
        return Err(Failure::new("no edge is known of this method with these settings"));
    }
    Ok(optimizer)
}

impl std::fmt::Debug for Objective {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Objective").finish_non_exhaustive()
    }
}
