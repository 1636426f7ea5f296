//! What is measured: a network with its data and loss, from a run folder or from files that were made elsewhere.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::{Module, Param};
use burn::tensor::{Bytes, DType, Device, Tensor, TensorData};
use losscape_model::data::npz::Npz;
use losscape_model::data::table::Task;
use losscape_model::data::{Dataset, Parts, Targets};
use losscape_model::dense::Dense;
use losscape_model::{Loss, LossKind, Model, ModelConfig, Parameterization};
use losscape_optim::OptimizerConfig;
use losscape_tangent::parameters;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::checkpoint::Checkpoint;
use crate::document::{self, Document};
use crate::plan::{Plan, check_loss, hex};
use crate::records::State;
use crate::{LabError, RunFolder};

/// A network with the data and the loss to measure it on.
pub struct Subject {
    /// Where it comes from, in words.
    pub source: String,
    /// The network.
    pub network: Model,
    /// The data: of a run, its training part.
    pub data: Dataset,
    /// The loss.
    pub loss: Loss,
    /// How it was trained, when that is known.
    pub training: Option<Training>,
    /// How network and data were made, in words, by topic.
    pub setup: BTreeMap<String, String>,
    /// What was understood of the data in a way that a user should know of.
    pub notices: Vec<String>,
}

/// How a network was trained.
pub struct Training {
    /// Optimizer steps done.
    pub step: usize,
    /// The method.
    pub optimizer: OptimizerConfig,
    /// The learning rate of the next step.
    pub learning_rate: f64,
    /// Whether every step saw all samples.
    pub full_batch: bool,
    /// The network before training.
    pub initial: Model,
    /// The diagonal of the preconditioner, for methods that have one, as the parameters of a network.
    pub preconditioner: Option<Model>,
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
        let setting = |error: &dyn std::fmt::Display| LabError::Setting(error.to_string());
        let device = device.clone().autodiff();
        let (inputs, outputs) = (data.inputs.columns, data.outputs());
        let initial = config
            .model
            .init(inputs, outputs, config.seed, &device, config.precision.into())
            .map_err(|error| setting(&error))?;
        let path = checkpoint.model();
        let network = initial
            .clone()
            .try_load_file(&path)
            .map_err(|error| LabError::Damaged { path, problem: error.to_string() })?;
        let path = checkpoint.optimizer();
        let method = config.optimizer.init().map_err(|error| setting(&error))?;
        let method = method.load(&path).map_err(|error| LabError::Damaged { path, problem: error.to_string() })?;
        let preconditioner = crate::weights::preconditioner(&method, &network, checkpoint.state.compiled);
        let step = checkpoint.state.step;
        let samples = data.len();
        let total = crate::trainer::total_steps(&config.training, samples).map_err(|(_, words)| setting(&words))?;
        let batch = crate::trainer::batch_size(&config.training, samples).map_err(|(_, words)| setting(&words))?;
        let mut schedule = config.optimizer.schedule.init(total).map_err(|error| setting(&error))?;
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
        Ok((Self { source, network, data, loss: config.loss, training: Some(training), setup, notices }, notes))
    }

    /// A network described by the `[model]` and `[loss]` tables of a file, with weights that were trained elsewhere
    /// (safetensors, PyTorch's names and layout: `NAME.weight` `[out, in]` and `NAME.bias`) and data from a NumPy
    /// archive. Layers stand in the order of the numbers in their names, unless `layout` says another.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, or they do not fit each other.
    pub fn of_files(
        weights: &Path,
        layout: &Layout,
        data: &Path,
        model: &Path,
        device: &Device,
    ) -> Result<Self, LabError> {
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
        let layers = read_layers(file, layout)?;
        let order = layers.iter().map(|layer| layer.name.clone()).collect::<Vec<_>>().join(", ");
        let outputs = layers.last().map_or(0, |layer| layer.rows);
        if outputs == 1 && loss.kind == LossKind::CrossEntropy {
            let problem = "the network has one output, as for binary cross-entropy (BCEWithLogitsLoss), which is not \
                           among the losses; an equal network for cross-entropy has two outputs, the first of them \
                           with zero weights: weight = torch.cat([torch.zeros_like(weight), weight]), and so the bias";
            return Err(LabError::Damaged { path: file.to_owned(), problem: problem.to_owned() });
        }
        let archive = data;
        // The loss and the number of outputs say what targets must be.
        let task = match loss.kind {
            LossKind::CrossEntropy => Some(Task::Classification),
            LossKind::SquaredError if outputs == 1 => Some(Task::Regression),
            LossKind::SquaredError => None,
        };
        let data = Npz { path: data.to_owned(), task, classes: Some(outputs), ..Npz::default() };
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
        let mut network = config
            .init(data.inputs.columns, outputs, 0, &device, DType::F64)
            .map_err(|error| document.error_at(&["model"], error.to_string()))?;
        let slots = match &mut network {
            Model::Mlp(mlp) => mlp.layers.iter_mut().collect::<Vec<_>>(),
            Model::Linear(linear) => vec![&mut linear.output],
        };
        if slots.len() != layers.len() {
            let (found, needed) = (layers.len(), slots.len());
            return Err(damaged(format!("it holds {found} layers of weights, the model has {needed}")));
        }
        for (slot, layer) in slots.into_iter().zip(layers) {
            layer.fill(slot, &device).map_err(damaged)?;
        }
        if data.outputs() != outputs {
            return Err(damaged(format!("the network has {outputs} outputs, the data {} targets", data.outputs())));
        }
        check_loss(loss, data.classes(), &document)?;
        let part = if test.is_some() { ", of which the training part" } else { "" };
        let setup = [
            ("inputs", format!("as they stand in {}{part}, not standardized by this program", archive.display())),
            ("network", words(&config)),
            ("weights", format!("those of {}, layers in the order {order}", file.display())),
            ("mode", EVALUATION.to_owned()),
        ];
        let setup = setup.map(|(topic, words)| (topic.to_owned(), words)).into();
        Ok(Self { source: file.display().to_string(), network, data, loss, training: None, setup, notices })
    }
}

/// The one mode that networks without statistics of their batch have.
const EVALUATION: &str = "evaluation: each sample on its own";

/// How a run's network and data were made.
fn setup(plan: &Plan) -> BTreeMap<String, String> {
    let config = &plan.config;
    let mut setup = vec![("data", words(&config.data.source))];
    setup.extend(config.data.preparation());
    setup.push(("network", words(&config.model)));
    setup.push(("initialization", format!("seed {}", config.seed)));
    setup.push(("trained in", config.precision.to_string()));
    setup.push(("mode", EVALUATION.to_owned()));
    setup.into_iter().map(|(topic, words)| (topic.to_owned(), words)).collect()
}

/// A part of a configuration in one line.
fn words(config: &impl serde::Serialize) -> String {
    serde_json::to_string(config).expect("a configuration has only string keys")
}

/// One layer's weights as they stand in a file.
struct Layer {
    name: String,
    rows: usize,
    columns: usize,
    weight: Vec<f64>,
    bias: Option<Vec<f64>>,
}

impl Layer {
    /// Puts the weights into a layer of the network, whose shape they must have.
    fn fill(self, layer: &mut Dense, device: &Device) -> Result<(), String> {
        let Self { name, rows, columns, weight, bias } = self;
        let [needed_rows, needed_columns] = layer.weight.dims();
        if [rows, columns] != [needed_rows, needed_columns] {
            return Err(format!(
                "{name}.weight has shape [{rows}, {columns}], the model needs [{needed_rows}, {needed_columns}]"
            ));
        }
        let parameter = |values: Vec<f64>, what: &str| match values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(format!("{name}.{what} holds {} (entry {at})", values[at])),
            None => Ok(values),
        };
        let data = TensorData::new(parameter(weight, "weight")?, [rows, columns]);
        layer.weight = trainable(Tensor::from_data(data, (device, DType::F64)));
        match (&mut layer.bias, bias) {
            (None, None) => {}
            (Some(slot), Some(bias)) if bias.len() == rows => {
                let data = TensorData::new(parameter(bias, "bias")?, [rows]);
                *slot = trainable(Tensor::from_data(data, (device, DType::F64)));
            }
            (Some(_), Some(bias)) => {
                return Err(format!("{name}.bias has {} entries, the model needs {rows}", bias.len()));
            }
            (Some(_), None) => {
                return Err(format!("there is no {name}.bias; for a model without biases set bias = false in [model]"));
            }
            (None, Some(_)) => return Err(format!("there is {name}.bias, but the model has no biases")),
        }
        Ok(())
    }
}

fn trainable<const D: usize>(tensor: Tensor<D>) -> Param<Tensor<D>> {
    Param::from_tensor(tensor).set_require_grad(true)
}

/// Which tensors of a file of weights are the network's, and in which order its layers stand.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    /// Names of the layers from input to output, without `.weight` and `.bias`. Default: by the numbers in the names.
    pub layers: Vec<String>,
    /// Tensors to leave out, such as buffers.
    pub ignored: Vec<String>,
}

/// The layers of a file of weights.
fn read_layers(path: &Path, layout: &Layout) -> Result<Vec<Layer>, LabError> {
    let bytes = std::fs::read(path).map_err(LabError::io("read", path))?;
    let damaged = |problem: String| LabError::Damaged { path: path.to_owned(), problem };
    let file = SafeTensors::deserialize(&bytes).map_err(|error| {
        // A zip archive, or a pickle of protocol 2 to 5.
        if !(bytes.starts_with(b"PK\x03\x04") || matches!(bytes[..], [0x80, 2..=5, ..])) {
            return damaged(format!("no safetensors file: {error}"));
        }
        let file = path.file_name().unwrap_or_default().display();
        damaged(format!(
            "it is a pickle as torch.save writes it, which can run code and is not read; in Python: import torch, \
             safetensors.torch as s; s.save_file(torch.load('{file}', map_location='cpu', weights_only=True), \
             'weights.safetensors')"
        ))
    })?;
    let values = |name: &str| {
        let Some(view) = file.tensor(name).ok().filter(|_| !layout.ignored.iter().any(|ignored| ignored == name))
        else {
            return Ok(None);
        };
        let dtype = match view.dtype() {
            Dtype::F64 => DType::F64,
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            other => return Err(damaged(format!("{name} has type {other:?}; floats are read"))),
        };
        let data = TensorData::from_bytes(Bytes::from_bytes_vec(view.data().to_vec()), view.shape().to_vec(), dtype);
        Ok(Some((view.shape().to_vec(), data.iter::<f64>().collect())))
    };
    if let Some(missing) = layout.ignored.iter().find(|name| file.tensor(name).is_err()) {
        return Err(damaged(format!("there is no `{missing}` to leave out")));
    }
    let mut names: Vec<String> = Vec::new();
    for name in file.names().into_iter().filter(|name| !layout.ignored.iter().any(|ignored| ignored == name)) {
        let Some(layer) = name.strip_suffix(".weight").or(name.strip_suffix(".bias")) else {
            let problem = format!(
                "`{name}` is neither weight nor bias of a layer; a buffer that the described network has not is left \
                 out with --ignore {name}"
            );
            return Err(damaged(problem));
        };
        if !names.iter().any(|known| known == layer) {
            names.push(layer.to_owned());
        }
    }
    let names = ordered(names, &layout.layers).map_err(damaged)?;
    let layers = names.into_iter().map(|name| {
        let Some((shape, weight)) = values(&format!("{name}.weight"))? else {
            return Err(damaged(format!("there is {name}.bias, but no {name}.weight")));
        };
        let [rows, columns] = shape[..] else {
            return Err(damaged(format!("{name}.weight has shape {shape:?}; layers of an MLP are [out, in]")));
        };
        let bias = values(&format!("{name}.bias"))?.map(|(_, bias)| bias);
        Ok(Layer { name, rows, columns, weight, bias })
    });
    layers.collect()
}

/// The layers in the order asked for, or in that of the numbers in their names, compared from left to right; names that
/// differ in more than numbers have no order of their own.
fn ordered(mut names: Vec<String>, asked: &[String]) -> Result<Vec<String>, String> {
    names.sort();
    if !asked.is_empty() {
        let mut sorted = asked.to_vec();
        sorted.sort();
        return if sorted == names {
            Ok(asked.to_vec())
        } else {
            Err(format!("its layers are {}, not {}", names.join(", "), asked.join(", ")))
        };
    }
    let numbered: Option<Vec<(Vec<u64>, String)>> =
        names.iter().map(|name| Some((numbers(name)?, name.clone()))).collect();
    let alike = names.windows(2).all(|pair| without_numbers(&pair[0]) == without_numbers(&pair[1]));
    let ordered = numbered.filter(|_| alike).map(|mut numbered| {
        numbered.sort();
        numbered
    });
    let ordered = ordered.filter(|numbered| {
        numbered.windows(2).all(|pair| pair[0].0.len() == pair[1].0.len() && pair[0].0 != pair[1].0)
    });
    let ordered = ordered.map(|numbered| numbered.into_iter().map(|(_, name)| name).collect());
    ordered.ok_or_else(|| {
        let list = names.join(",");
        format!("the names of its layers do not say their order; give it from input to output, like --layers {list}")
    })
}

/// A name with `#` for each of its numbers.
fn without_numbers(name: &str) -> String {
    let mut words = String::new();
    for c in name.chars() {
        match c {
            '0'..='9' if words.ends_with('#') => {}
            '0'..='9' => words.push('#'),
            c => words.push(c),
        }
    }
    words
}

/// The numbers in a name; none where one is too large.
fn numbers(name: &str) -> Option<Vec<u64>> {
    let digits = name.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    digits.map(|digits| digits.parse().ok()).collect()
}

impl Subject {
    /// SHA-256, in hex, over everything that a measurement depends on: parameters, network, loss, inputs and targets.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut numbers = |values: &[f64]| values.iter().for_each(|value| hash.update(value.to_le_bytes()));
        numbers(&self.values());
        numbers(&self.data.inputs.values);
        match &self.data.targets {
            Targets::Labels { labels, .. } => numbers(&labels.iter().map(|&label| label as f64).collect::<Vec<_>>()),
            Targets::Values(values) => numbers(&values.values),
        }
        hash.update(format!("{:?} {:?} {:?}", self.data.len(), self.loss, self.setup.get("network")));
        hex(&hash.finalize())
    }

    /// SHA-256 of the parameters, in hex.
    #[must_use]
    pub fn parameters_digest(&self) -> String {
        let mut hash = Sha256::new();
        self.values().iter().for_each(|value| hash.update(value.to_le_bytes()));
        hex(&hash.finalize())
    }

    fn values(&self) -> Vec<f64> {
        parameters::ravel(&self.network).map(|w| w.into_data().iter::<f64>().collect()).unwrap_or_default()
    }

    /// Parameters P.
    #[must_use]
    pub fn parameters(&self) -> usize {
        parameters::count(&self.network)
    }
}

#[cfg(test)]
mod tests {
    use super::ordered;

    #[test]
    fn layers_have_the_order_of_their_numbers_or_none() {
        let order = |names: &[&str], asked: &[&str]| {
            let own = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
            ordered(own(names), &own(asked)).map(|names| names.join(" "))
        };
        for (names, expected) in [
            (&["net.10.0", "net.2.0", "net.0.0"][..], "net.0.0 net.2.0 net.10.0"),
            (&["1.10", "1.9", "0.11"], "0.11 1.9 1.10"),
            (&["fc2", "fc1", "fc10"], "fc1 fc2 fc10"),
            (&["layers.1.linear", "layers.0.linear"], "layers.0.linear layers.1.linear"),
            (&["head"], "head"),
            (&["4", "0", "2"], "0 2 4"),
        ] {
            assert_eq!(order(names, &[]).as_deref(), Ok(expected));
        }
        for names in [
            &["encoder.0", "decoder.0"][..],
            &["fc1", "fc2", "out"],
            &["net.0", "net.0.1"],
            &["fc01", "fc1"],
            &["a", "b"],
            &["a1b", "ab2"],
            &["net.99999999999999999999999", "net.1"],
        ] {
            let error = order(names, &[]).expect_err("there is no order");
            assert!(error.contains("--layers"), "{error}");
        }
        assert_eq!(
            order(&["encoder.0", "decoder.0"], &["encoder.0", "decoder.0"]).as_deref(),
            Ok("encoder.0 decoder.0")
        );
        assert!(order(&["a", "b"], &["a", "c"]).expect_err("c is not there").contains("a, b"));
    }
}
