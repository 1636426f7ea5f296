//! How a subject is opened: from a run folder, or from files that were made elsewhere.
//!
//! Weights from a file are taken for those of the standard parameterization: the tangent kernel depends on the
//! parameterization, which safetensors do not tell.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::{DType, Device};
use losscape_analysis::Mode;
use losscape_model::data::npz::Npz;
use losscape_model::data::table::Task;
use losscape_model::data::{Parts, Targets};
use losscape_model::exported::{ExportedConfig, Program};
use losscape_model::{FromDataset, Loss, LossKind, ModelConfig, ModelInput, Outputs, Parameterization};
use losscape_tangent::Inputs;
use serde::Deserialize;

use crate::applied;
use crate::average;
use crate::checkpoint::Checkpoint;
use crate::document::{self, Document};
use crate::error::LabError;
use crate::folder::RunFolder;
use crate::gradient::preconditioner;
use crate::plan::{DECOMPOSED, DROPS, Plan, check_loss};
use crate::pytorch::{self, Layout};
use crate::records::State;
use crate::subject::{IN_TRAINING, Subject, Training};

/// A network that was made elsewhere.
#[derive(Debug, Clone)]
pub struct Files {
    /// Its weights, a safetensors file. An archive has its own.
    pub weights: Option<PathBuf>,
    /// Which of the tensors are weights, and in which order the layers stand.
    pub layout: Layout,
    /// The data. Tasks and classes are those of network and loss.
    pub data: Npz,
    /// The network.
    pub model: Made,
    /// The loss, of an archive.
    pub loss: Option<LossKind>,
}

/// Where a network is from.
#[derive(Debug, Clone)]
pub enum Made {
    /// A file: an archive of `torch.export.save`, or a description with the `[model]` and `[loss]` tables of a training
    /// configuration.
    File(PathBuf),
    /// An archive that was read before, under a name.
    Program(String, Program),
    /// The text of a description; without weights from a file it is initialized under the seed.
    Described(String, u64),
}

impl Made {
    fn name(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Program(name, _) => name.into(),
            Self::Described(..) => "the description".into(),
        }
    }
}

/// The tables of a training configuration that say what the network is.
#[derive(Deserialize)]
struct Description {
    model: ModelConfig,
    loss: Loss,
}

impl Subject {
    /// The newest checkpoint of a run that is whole, with its training data. The notes say when that is not what the
    /// run ended in, and why.
    ///
    /// # Errors
    ///
    /// When the folder is no run's, its data changed, or it has no checkpoint that is whole.
    pub fn of_run(folder: &RunFolder, device: &Device) -> Result<(Self, Vec<String>), LabError> {
        let (subject, notes, ..) = Self::checkpointed(folder, device)?;
        Ok((subject, notes))
    }

    /// The newest checkpoint that is whole, with what it is of.
    fn checkpointed(folder: &RunFolder, device: &Device) -> Result<(Self, Vec<String>, Plan, Checkpoint), LabError> {
        let manifest = folder.read_manifest()?;
        let plan = Plan::read(&folder.config(), &[])?;
        plan.check_folder(folder, &manifest)?;
        let status = folder.read_status()?;
        let Some((checkpoint, problems)) = Checkpoint::newest(folder, &manifest.run_id)? else {
            let (state, help) = match status.state {
                State::Diverged => ("diverged", "a lower learning rate may not"),
                State::Failed => ("failed", "train it again"),
                _ => ("was stopped", "train it first"),
            };
            let path = folder.path().to_owned();
            return Err(LabError::NothingToMeasure { path, state, reason: status.reason, help });
        };
        let config = &plan.config;
        let (data, notices) = (plan.data.train.clone(), plan.notices.clone());
        let device = device.clone().autodiff();
        let (_, outputs) = config.loss.on(data.target())?;
        // Built twice: clones share their running statistics.
        let init = || config.model.init(&data.sample, outputs, config.seed, &device, config.precision.into());
        let initial = init()?;
        let path = checkpoint.model();
        let network =
            init()?.try_load_file(&path).map_err(|error| LabError::Damaged { path, problem: error.to_string() })?;
        let path = checkpoint.optimizer();
        let method = config.optimizer.init()?;
        let method = method.load(&path).map_err(|error| LabError::Damaged { path, problem: error.to_string() })?;
        let preconditioner = preconditioner(&method, &network, checkpoint.state.compiled);
        let step = checkpoint.state.step;
        let samples = data.len();
        let total = config.training.total_steps(samples)?;
        let batch = config.training.samples_a_step(samples)?;
        let mut schedule = config.optimizer.schedule.init(total)?;
        schedule.skip_to(step.min(total.saturating_sub(1)));
        let mut notes: Vec<String> = problems.iter().map(|problem| format!("passed over: {problem}")).collect();
        if status.state != State::Done {
            notes.push(format!("the run is {}: measuring its checkpoint of step {step}", status.state));
        } else if status.step != step {
            let end = status.step;
            notes.push(format!(
                "the run ended at step {end}, measuring step {step}; train it again to have the end back"
            ));
        }
        let training = Training {
            step,
            learning_rate: config.optimizer.learning_rate * schedule.next_factor(),
            optimizer: config.optimizer.clone(),
            full_batch: batch == samples,
            initial,
            preconditioner,
        };
        let source = format!("{} at step {step}", folder.path().display());
        let setup = setup(&plan);
        let (loss, mode, training, batch_size) = (config.loss, Mode::Evaluation, Some(training), Some(batch));
        let subject = Self { source, network, data, loss, training, batch_size, mode, setup, notices };
        Ok((subject, notes, plan, checkpoint))
    }

    /// The average of the weights of a run, as its newest checkpoint that is whole has it, with its training data. What
    /// a step from there would be is not known: nothing is said of the method.
    ///
    /// # Errors
    ///
    /// As [`of_run`](Self::of_run); when the run keeps no average, or none was begun.
    pub fn of_average(folder: &RunFolder, device: &Device) -> Result<(Self, Vec<String>), LabError> {
        let (subject, notes, plan, checkpoint) = Self::checkpointed(folder, device)?;
        let absent = |problem: &str| LabError::Damaged { path: folder.path().to_owned(), problem: problem.to_owned() };
        let Some(average) = plan.config.average else {
            return Err(absent("it keeps no average of its weights: [average] in the configuration asks for one"));
        };
        let training = &plan.config.training;
        let (samples, total) = (subject.data.len(), training.total_steps(subject.data.len())?);
        let batch = training.samples_a_step(samples)?;
        let (taken, kept) = average::read(&checkpoint.average(), subject.parameters())?;
        let average = average.init(total, samples.div_ceil(batch))?.restored(taken, kept, device);
        let Some(weights) = average.weights() else {
            return Err(absent("no weights were taken into the average until its newest checkpoint"));
        };
        let inputs = ModelInput::from_dataset(&subject.data, device, plan.config.precision.into())?;
        let batches = || (0..samples).step_by(batch).map(|at| inputs.narrow(at, batch.min(samples - at)));
        let network = average::network_at(&subject.network, weights, batches);
        let network = network.ok_or_else(|| absent("its average is not of its network"))?;
        let source = format!("average of the weights after {taken} steps of it, {}", subject.source);
        Ok((Self { source, network, training: None, ..subject }, notes))
    }

    /// A network from PyTorch: an archive, or one that the `[model]` and `[loss]` tables of a file describe, with
    /// weights from a file (safetensors, PyTorch's names and layout: `NAME.weight` `[out, in]` and `NAME.bias`); and
    /// data from a NumPy archive.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, or they do not fit each other.
    pub fn of_files(files: &Files, device: &Device) -> Result<Self, LabError> {
        let Files { weights: file, layout, data: npz, model, .. } = files;
        let Described { config, loss, document, seed } = Described::of(files)?;
        let program = config.exported().map(ExportedConfig::program).transpose()?;
        let made = model.name();
        let source = file.as_ref().unwrap_or(&made);
        let damaged = |problem: String| LabError::Damaged { path: source.to_owned(), problem };
        let weights = match (file, program) {
            (Some(file), Some(program)) => {
                let mut layout = layout.clone();
                layout.ignored.extend(pytorch::further_of(file, program)?);
                Some(pytorch::read(file, &layout, &config.pytorch_names())?)
            }
            (Some(file), None) => Some(pytorch::read(file, layout, &config.pytorch_names())?),
            (None, Some(_)) => None,
            (None, None) if seed.is_some() => None,
            (None, None) => {
                return Err(LabError::Damaged {
                    path: made,
                    problem: "it describes a network without weights; name them with --weights".to_owned(),
                });
            }
        };
        let vocabulary = npz.vocabulary.or_else(|| match program?.inputs() {
            [input] => input.rows,
            _ => None,
        });
        let npz = Npz { vocabulary, ..npz.clone() };
        let mut square = None;
        // Without weights they are as many as the data asks for.
        let outputs = match (config.exported(), &weights) {
            (Some(exported), _) => {
                let Outputs { positions, each } = exported.outputs(&npz.read()?.train.sample)?;
                // Where the classes of a position stand first, as PyTorch's cross-entropy has them, it looks alike.
                square = (positions == each && each > 1).then_some(each);
                Some(each)
            }
            (None, Some(weights)) => Some(weights.outputs().map_err(damaged)?),
            (None, None) => None,
        };
        if outputs == Some(1) && loss.kind == LossKind::CrossEntropy {
            let problem = "the network has one output, as for binary cross-entropy (BCEWithLogitsLoss): that is \
                           name = \"binary-cross-entropy\" in [loss], --loss binary-cross-entropy of an archive";
            return Err(damaged(problem.to_owned()));
        }
        // The loss and the number of outputs say what targets must be.
        let (task, classes) = match loss.kind {
            LossKind::CrossEntropy => (Some(Task::Classification), outputs),
            LossKind::BinaryCrossEntropy | LossKind::Exponential => (Some(Task::Classification), Some(2)),
            _ if outputs == Some(1) => (Some(Task::Regression), outputs),
            _ => (None, outputs),
        };
        let archive = npz.path.clone();
        let Parts { train: data, test, mut notices } = Npz { task, classes, ..npz }.read()?;
        let (_, needed) = match &document {
            Some(document) => check_loss(loss, data.target(), document)?,
            None => loss.on(data.target())?,
        };
        let outputs = outputs.unwrap_or(needed.each);
        if needed.each != outputs {
            return Err(damaged(format!("the network has {outputs} outputs, the data {} targets", needed.each)));
        }
        notices.extend(unseen(&data.targets));
        if let Targets::Labels { names, .. } = &data.targets
            && !names.is_empty()
        {
            let outputs = names.iter().take(20).enumerate().map(|(class, name)| format!("{class} is {name}"));
            notices.push(format!("of the outputs of the network {}", outputs.collect::<Vec<_>>().join(", ")));
        }
        if let Some(length) = square {
            notices.push(format!(
                "the network has {length} numbers at each of {length} positions of a sample: the last axis is taken \
                 for the classes, the one before it for the positions"
            ));
        }
        if program.is_some_and(Program::is_decomposed) {
            notices.push(DECOMPOSED.to_owned());
        }
        if config.drops() {
            notices.push(DROPS.to_owned());
        }
        if program.is_some_and(Program::sees_batch) {
            notices.push(IN_TRAINING.to_owned());
        }
        let device = device.clone().autodiff();
        let wanted = Outputs { positions: data.target().positions(), each: outputs };
        let network = config.init(&data.sample, wanted, seed.unwrap_or(0), &device, DType::F64).map_err(|error| {
            document.as_ref().map_or_else(
                || LabError::Model(error.clone()),
                |document| document.error_at(&["model"], error.to_string()).into(),
            )
        })?;
        applied::check(&network, &data, config.size(&data.sample, wanted)?.units)?;
        let order = weights.as_ref().map(|weights| weights.layers.join(", "));
        let network = match weights {
            Some(weights) => weights.fill(network, &device).map_err(damaged)?,
            None => network,
        };
        let part = if test.is_some() { ", of which the training part" } else { "" };
        let from = match (file, order, seed) {
            (Some(file), Some(order), _) => format!("those of {}, layers in the order {order}", file.display()),
            (_, _, Some(seed)) => format!("initial ones, seed {seed}"),
            _ => format!("those of {}", made.display()),
        };
        let mut setup = vec![
            ("inputs", format!("as they stand in {}{part}, not standardized by this program", archive.display())),
            ("network", network_in_words(&config)),
            ("weights", from),
            ("mode", Mode::Evaluation.to_string()),
        ];
        if !config.is_flat() {
            setup.push(("samples", data.sample.to_string()));
        }
        let setup = setup.into_iter().map(|(topic, words)| (topic.to_owned(), words)).collect();
        let (source, mode) = (source.display().to_string(), Mode::Evaluation);
        Ok(Self { source, network, data, loss, training: None, batch_size: None, mode, setup, notices })
    }
}

/// What files say of a network and its loss.
struct Described {
    config: ModelConfig,
    loss: Loss,
    /// Where it was said, of a description.
    document: Option<Document>,
    /// What it is initialized under, where there are no other weights.
    seed: Option<u64>,
}

impl Described {
    fn of(files: &Files) -> Result<Self, LabError> {
        let Files { model, loss, .. } = files;
        let exported = match model {
            Made::File(path) if is_archive(path)? => Some(ExportedConfig::new(path)),
            Made::Program(name, program) => Some(ExportedConfig::of(name, program.clone())),
            Made::File(_) | Made::Described(..) => None,
        };
        if let Some(exported) = exported {
            let kind = loss.ok_or_else(|| LabError::Damaged {
                path: model.name(),
                problem: {
                    let known: Vec<&str> = Loss::ALL.iter().map(|(name, _)| *name).collect();
                    format!("an archive does not say its loss; name it with --loss: {}", known.join(", "))
                },
            })?;
            return Ok(Self { config: exported.into(), loss: Loss::new(kind), document: None, seed: None });
        }
        let (text, seed) = match model {
            Made::Described(text, seed) => (text.clone(), Some(*seed).filter(|_| files.weights.is_none())),
            _ => (document::text(&model.name())?, None),
        };
        let document = Document::parse(model.name().display().to_string(), &text, &[])?;
        if loss.is_some() {
            let message = "the description says the loss itself; leave --loss out".to_owned();
            return Err(document.error_at(&["loss"], message).into());
        }
        let Description { model: config, loss } = document.read()?;
        if let (ModelConfig::Mlp(mlp), None) = (&config, seed)
            && mlp.parameterization != Parameterization::Standard
        {
            let message = "weights from a file are those of the standard parameterization, which the tangent kernel \
                           depends on; leave the key out";
            return Err(document.error_at(&["model", "parameterization"], message).into());
        }
        Ok(Self { config, loss, document: Some(document), seed })
    }
}

/// Whether a file is a zip archive.
fn is_archive(path: &Path) -> Result<bool, LabError> {
    let mut head = [0; 4];
    let file = File::open(path).map_err(LabError::io("read", path))?;
    let read = file.take(4).read(&mut head).map_err(LabError::io("read", path))?;
    Ok(head[..read].starts_with(b"PK\x03\x04"))
}

/// A word on labels that no sample has.
fn unseen(targets: &Targets) -> Option<String> {
    let Targets::Labels { labels, classes, .. } = targets else { return None };
    let mut seen = vec![false; *classes];
    labels.iter().for_each(|&class| seen[class] = true);
    let never = seen.iter().enumerate().filter(|(_, seen)| !**seen).map(|(class, _)| class.to_string());
    let never: Vec<String> = never.take(20).collect();
    (!never.is_empty()).then(|| format!("no sample has the label {}, counted from 0", never.join(", ")))
}

/// The network in words: of an archive what it holds, wherever it lies.
fn network_in_words(config: &ModelConfig) -> String {
    match config.exported().and_then(|exported| exported.program().ok()) {
        Some(program) => format!("an archive of torch.export, SHA-256 {}", program.digest()),
        None => words(config),
    }
}

/// How a run's network and data were made.
fn setup(plan: &Plan) -> BTreeMap<String, String> {
    let config = &plan.config;
    let mut setup = vec![("data", words(&config.data.source))];
    setup.extend(config.data.preparation());
    if !config.model.is_flat() {
        setup.push(("samples", plan.data.train.sample.to_string()));
    }
    setup.push(("network", network_in_words(&config.model)));
    let initialization = match config.model.exported() {
        Some(exported) => format!("the weights of {}", exported.path.display()),
        None => format!("seed {}", config.seed),
    };
    setup.push(("initialization", initialization));
    setup.push(("trained in", config.precision.to_string()));
    setup.push(("mode", Mode::Evaluation.to_string()));
    setup.into_iter().map(|(topic, words)| (topic.to_owned(), words)).collect()
}

/// A part of a configuration in one line.
fn words(config: &impl serde::Serialize) -> String {
    serde_json::to_string(config).expect("a configuration has only string keys")
}
