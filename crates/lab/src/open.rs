//! How a subject is opened: from a run folder, or from files that were made elsewhere.
//!
//! Weights from a file are taken for those of the standard parameterization: the tangent kernel depends on the
//! parameterization, which safetensors do not tell.

use std::collections::BTreeMap;
use std::path::PathBuf;

use burn::module::Module;
use burn::tensor::{DType, Device};
use losscape_analysis::Mode;
use losscape_model::data::npz::{Channels, Npz};
use losscape_model::data::table::Task;
use losscape_model::data::{Parts, Targets};
use losscape_model::{Loss, LossKind, ModelConfig, Outputs, Parameterization};
use serde::Deserialize;

use crate::checkpoint::Checkpoint;
use crate::document::{self, Document};
use crate::error::LabError;
use crate::folder::RunFolder;
use crate::gradient::preconditioner;
use crate::plan::{Plan, check_loss};
use crate::pytorch::{self, Layout};
use crate::records::State;
use crate::subject::{Subject, Training};

/// A network that was trained elsewhere.
#[derive(Debug, Clone)]
pub struct Files {
    /// Its weights, a safetensors file.
    pub weights: PathBuf,
    /// Which of the tensors are weights, and in which order the layers stand.
    pub layout: Layout,
    /// The data, a NumPy archive.
    pub data: PathBuf,
    /// Which axis of an image has its channels.
    pub channels: Option<Channels>,
    /// Number of different tokens, where the inputs are sequences of these.
    pub vocabulary: Option<usize>,
    /// The description of the network, with the `[model]` and `[loss]` tables of a training configuration.
    pub model: PathBuf,
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
        let (loss, mode, training) = (config.loss, Mode::Evaluation, Some(training));
        Ok((Self { source, network, data, loss, training, mode, setup, notices }, notes))
    }

    /// A network described by the `[model]` and `[loss]` tables of a file, with weights that were trained elsewhere
    /// (safetensors, PyTorch's names and layout: `NAME.weight` `[out, in]` and `NAME.bias`) and data from a NumPy
    /// archive.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, or they do not fit each other.
    pub fn of_files(files: &Files, device: &Device) -> Result<Self, LabError> {
        let Files { weights, layout, data, channels, vocabulary, model } = files;
        let text = document::text(model)?;
        let document = Document::parse(model.display().to_string(), &text, &[])?;
        let Description { model: config, loss } = document.read()?;
        if let ModelConfig::Mlp(mlp) = &config
            && mlp.parameterization != Parameterization::Standard
        {
            let message = "weights from a file are those of the standard parameterization, which the tangent kernel \
                           depends on; leave the key out";
            return Err(document.error_at(&["model", "parameterization"], message).into());
        }
        let file = weights;
        let weights = pytorch::read(file, layout, &config.pytorch_names())?;
        let (order, outputs) = (weights.layers.join(", "), weights.outputs());
        if outputs == 1 && loss.kind == LossKind::CrossEntropy {
            let problem = "the network has one output, as for binary cross-entropy (BCEWithLogitsLoss): that is \
                           name = \"binary-cross-entropy\" in [loss]";
            return Err(LabError::Damaged { path: file.to_owned(), problem: problem.to_owned() });
        }
        let archive = data;
        // The loss and the number of outputs say what targets must be.
        let (task, classes) = match loss.kind {
            LossKind::CrossEntropy => (Some(Task::Classification), outputs),
            LossKind::BinaryCrossEntropy | LossKind::Exponential => (Some(Task::Classification), 2),
            _ if outputs == 1 => (Some(Task::Regression), outputs),
            _ => (None, outputs),
        };
        let (path, classes, channels, vocabulary) = (data.to_owned(), Some(classes), *channels, *vocabulary);
        let data = Npz { path, task, classes, channels, vocabulary, ..Npz::default() };
        let Parts { train: data, test, mut notices } = data.read()?;
        if let Targets::Labels { labels, classes, .. } = &data.targets {
            let mut seen = vec![false; *classes];
            labels.iter().for_each(|&class| seen[class] = true);
            let never = seen.iter().enumerate().filter(|(_, seen)| !**seen).map(|(class, _)| class.to_string());
            let never: Vec<String> = never.take(20).collect();
            if !never.is_empty() {
                notices.push(format!("no sample has the label {}, counted from 0", never.join(", ")));
            }
        }
        if let Targets::Labels { names, .. } = &data.targets
            && !names.is_empty()
        {
            let outputs = names.iter().take(20).enumerate().map(|(class, name)| format!("{class} is {name}"));
            notices.push(format!("of the outputs of the network {}", outputs.collect::<Vec<_>>().join(", ")));
        }
        let damaged = |problem: String| LabError::Damaged { path: file.to_owned(), problem };
        let device = device.clone().autodiff();
        let network = config
            .init(&data.sample, Outputs { positions: data.target().positions(), each: outputs }, 0, &device, DType::F64)
            .map_err(|error| document.error_at(&["model"], error.to_string()))?;
        let network = weights.fill(network, &device).map_err(damaged)?;
        let (_, needed) = check_loss(loss, data.target(), &document)?;
        if needed.each != outputs {
            return Err(damaged(format!("the network has {outputs} outputs, the data {} targets", needed.each)));
        }
        let part = if test.is_some() { ", of which the training part" } else { "" };
        let mut setup = vec![
            ("inputs", format!("as they stand in {}{part}, not standardized by this program", archive.display())),
            ("network", words(&config)),
            ("weights", format!("those of {}, layers in the order {order}", file.display())),
            ("mode", Mode::Evaluation.to_string()),
        ];
        if !config.is_flat() {
            setup.push(("samples", data.sample.to_string()));
        }
        let setup = setup.into_iter().map(|(topic, words)| (topic.to_owned(), words)).collect();
        let (source, mode) = (file.display().to_string(), Mode::Evaluation);
        Ok(Self { source, network, data, loss, training: None, mode, setup, notices })
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
    setup.push(("network", words(&config.model)));
    setup.push(("initialization", format!("seed {}", config.seed)));
    setup.push(("trained in", config.precision.to_string()));
    setup.push(("mode", Mode::Evaluation.to_string()));
    setup.into_iter().map(|(topic, words)| (topic.to_owned(), words)).collect()
}

/// A part of a configuration in one line.
fn words(config: &impl serde::Serialize) -> String {
    serde_json::to_string(config).expect("a configuration has only string keys")
}
