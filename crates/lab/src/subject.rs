//! What is measured: a network with its data and loss, from a run folder or from files that were made elsewhere.

use std::path::Path;

use burn::module::{Module, Param};
use burn::tensor::{Bytes, DType, Device, Tensor, TensorData};
use losscape_model::data::{Dataset, npz::Npz};
use losscape_model::dense::Dense;
use losscape_model::{Loss, Model, ModelConfig, Parameterization};
use losscape_optim::OptimizerConfig;
use losscape_tangent::parameters;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use crate::checkpoint::Checkpoint;
use crate::document::{self, Document};
use crate::plan::{Plan, check_loss};
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
    /// The newest checkpoint of a run, with its training data. The second value says so when the run has not ended as configured.
    ///
    /// # Errors
    ///
    /// When the folder is no run's, or has no checkpoint that is whole.
    pub fn of_run(folder: &RunFolder, device: &Device) -> Result<(Self, Option<String>), LabError> {
        let manifest = folder.read_manifest()?;
        let plan = Plan::read(&folder.config(), &[])?;
        if plan.run_id != manifest.run_id {
            let path = folder.path().to_owned();
            return Err(LabError::OtherRun { path, expected: plan.run_id, found: manifest.run_id });
        }
        let Some((checkpoint, _)) = Checkpoint::newest(folder)? else {
            let problem = "the run has no checkpoint yet; train it first".to_owned();
            return Err(LabError::Damaged { path: folder.checkpoints(), problem });
        };
        let config = &plan.config;
        let data = plan.data.train.clone();
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
        let status = folder.read_status()?;
        let note = (status.state != State::Done)
            .then(|| format!("the run is {}: measuring its checkpoint of step {step}", status.state));
        let training = Training {
            step,
            learning_rate: config.optimizer.learning_rate * schedule.next_factor(),
            optimizer: config.optimizer.clone(),
            full_batch: batch == samples,
            initial,
            preconditioner,
        };
        let source = format!("{} at step {step}", folder.path().display());
        Ok((Self { source, network, data, loss: config.loss, training: Some(training) }, note))
    }

    /// A network described by the `[model]` and `[loss]` tables of a file, with weights that were trained elsewhere (safetensors, PyTorch's names
    /// and layout: `N.weight` `[out, in]` and `N.bias`, or the same behind a prefix, in increasing order of N) and data from a NumPy archive.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, or they do not fit each other.
    pub fn of_files(weights: &Path, data: &Path, model: &Path, device: &Device) -> Result<Self, LabError> {
        let text = document::text(model)?;
        let document = Document::parse(model.display().to_string(), &text, &[])?;
        let Description { model: config, loss } = document.read()?;
        if let ModelConfig::Mlp(mlp) = &config
            && mlp.parameterization != Parameterization::Standard
        {
            let message = "weights from a file are those of the standard parameterization, which the tangent kernel depends on; \
                           leave the key out";
            return Err(document.error_at(&["model", "parameterization"], message).into());
        }
        let file = weights;
        let layers = read_layers(file)?;
        let outputs = layers.last().map_or(0, |layer| layer.rows);
        let data = Npz { path: data.to_owned(), classes: Some(outputs) }.read()?.0;
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
        Ok(Self { source: file.display().to_string(), network, data, loss, training: None })
    }
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

/// The layers of a file of weights, in the order of their numbers.
fn read_layers(path: &Path) -> Result<Vec<Layer>, LabError> {
    let bytes = std::fs::read(path).map_err(LabError::io("read", path))?;
    let damaged = |problem: String| LabError::Damaged { path: path.to_owned(), problem };
    let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(format!("no safetensors file: {error}")))?;
    let values = |name: &str| {
        let Ok(view) = file.tensor(name) else { return Ok(None) };
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
    let mut names: Vec<(usize, String)> = Vec::new();
    for name in file.names() {
        let layer = name.strip_suffix(".weight").or(name.strip_suffix(".bias"));
        let number = layer.and_then(|layer| layer.rsplit('.').next()).and_then(|number| number.parse().ok());
        let (Some(layer), Some(number)) = (layer, number) else {
            return Err(damaged(format!("`{name}` is not N.weight or N.bias, with or without a prefix")));
        };
        if !names.iter().any(|(_, known)| known == layer) {
            names.push((number, layer.to_owned()));
        }
    }
    names.sort();
    let layers = names.into_iter().map(|(_, name)| {
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

impl Subject {
    /// Parameters P.
    #[must_use]
    pub fn parameters(&self) -> usize {
        parameters::count(&self.network)
    }
}
