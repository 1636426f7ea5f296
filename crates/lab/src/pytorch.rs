//! Weights for PyTorch, and from it: safetensors under the names and in the layout that it has.
//!
//! Networks whose layers follow each other are an `nn.Sequential`. For an MLP these are `0.weight`, `0.bias`,
//! `2.weight`, …: the linear layers of `Sequential(Linear, σ, Linear, …)`, each weight `[out, in]`, the multipliers of
//! the NTK and mean-field parameterization multiplied in. A linear model is the single layer `0.weight` on its
//! features. What other networks are, they say themselves ([`ModelConfig::pytorch_names`]). Files of others may have
//! other names: see [`Layout`]. Running statistics of a batch norm are written and read like weights; how many batches
//! it has seen (`num_batches_tracked`) is not known, and `load_state_dict(strict=True)` does without. Of a network from
//! an archive of PyTorch the other buffers and the further names of tied parameters are written, too.

use std::collections::HashMap;
use std::path::Path;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{BoolStore, DType, Device, Tensor, TensorData};
use losscape_model::exported::{Further, Program};
use losscape_model::{Model, ModelConfig};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};

use crate::error::LabError;
use crate::folder::write_whole;

/// How many batches a batch norm has seen.
const COUNTER: &str = ".num_batches_tracked";

/// Writes the network's weights to `path`, whole or not at all.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write(model: &Model, config: &ModelConfig, path: &Path) -> Result<(), LabError> {
    let model = model.valid().folded();
    let mut tensors = Tensors(Vec::new());
    model.visit(&mut tensors);
    let mut named: Vec<(String, Vec<usize>, TensorData)> = Vec::new();
    for (name, data) in config.pytorch_names().into_iter().zip(tensors.0) {
        named.push((name, data.shape().to_vec(), data));
    }
    if let Some(program) = config.exported().and_then(|exported| exported.program().ok()) {
        named.iter_mut().filter(|(name, ..)| program.is_scalar(name)).for_each(|(_, shape, _)| shape.clear());
        for (name, further) in program.further() {
            let (shape, data) = match further {
                Further::Tied(first) => match named.iter().find(|(known, ..)| *known == first) {
                    Some((_, shape, data)) => (shape.clone(), data.clone()),
                    None => continue,
                },
                Further::Buffer(..) if name.ends_with(COUNTER) => continue,
                Further::Buffer(data, shape) => (shape, data),
            };
            named.push((name, shape, data));
        }
    }
    let views = named.iter().map(|(name, shape, data)| {
        let dtype = match data.dtype() {
            DType::F64 => Dtype::F64,
            DType::I64 => Dtype::I64,
            DType::Bool(_) => Dtype::BOOL,
            _ => Dtype::F32,
        };
        let view = TensorView::new(dtype, shape.clone(), data.as_bytes());
        Ok((name, view?))
    });
    // One entry of metadata: with more, their order in the file would change from run to run.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let views: Result<Vec<_>, SafeTensorError> = views.collect();
    let bytes = views
        .and_then(|views| safetensors::serialize(views, Some(metadata)))
        .map_err(|error| LabError::Damaged { path: path.to_owned(), problem: error.to_string() })?;
    write_whole(path, &bytes)
}

/// The values of a network's parameters.
struct Tensors(Vec<TensorData>);

impl ModuleVisitor for Tensors {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(param.val().into_data());
    }
}

/// The tensors of a file in the order in which the network has its own.
pub(crate) struct Weights {
    /// The layers in that order.
    pub layers: Vec<String>,
    tensors: Vec<Named>,
}

/// A tensor of a file: its name, its shape, its numbers.
type Named = (String, Vec<usize>, Vec<f64>);

impl Weights {
    /// Rows of the last weight: the outputs of a network by name, each of a position.
    pub fn outputs(&self) -> Result<usize, String> {
        match self.tensors.iter().rfind(|(name, ..)| name.ends_with(".weight")) {
            Some((_, shape, _)) if shape.len() == 2 => Ok(shape[0]),
            Some((name, shape, _)) => {
                Err(format!("{name} has shape {shape:?}; the last layer of a network is [out, in]"))
            }
            None => Ok(0),
        }
    }

    /// Puts them into a network, whose shapes they must have.
    pub fn fill(self, model: Model, device: &Device) -> Result<Model, String> {
        let mut fill = Fill { tensors: self.tensors.into_iter(), device, problem: None };
        let model = model.map(&mut fill);
        fill.problem.map_or(Ok(model), Err)
    }
}

/// Replaces parameters by tensors of a file, with their names there.
struct Fill<'a> {
    tensors: std::vec::IntoIter<(String, Vec<usize>, Vec<f64>)>,
    device: &'a Device,
    problem: Option<String>,
}

impl ModuleMapper for Fill<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some((name, shape, values)) = self.tensors.next() else { return param };
        let needed = param.dims();
        // A number alone has no axis in PyTorch, and one in Burn.
        let own = if shape.is_empty() { vec![1] } else { shape.clone() };
        let problem = if own != needed {
            Some(format!("{name} has shape {shape:?}, the model needs {needed:?}"))
        } else {
            let at = values.iter().position(|value| !value.is_finite());
            at.map(|at| format!("{name} holds {} (entry {at})", values[at]))
        };
        if problem.is_some() {
            self.problem = self.problem.take().or(problem);
            return param;
        }
        let tensor = Tensor::from_data(TensorData::new(values, own), (self.device, DType::F64));
        Param::from_tensor(tensor).set_require_grad(param.is_require_grad())
    }
}

/// Which tensors of a file of weights are the network's, and in which order its layers stand.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    /// Names of the layers from input to output, without `.weight` and `.bias`. Default: the network's own names where
    /// the file has these, otherwise by the numbers in the names, where layers follow each other.
    pub layers: Vec<String>,
    /// Tensors to leave out, such as buffers.
    pub ignored: Vec<String>,
}

/// The tensors of a file of weights that an archive's module does not hold, each as the archive has it: buffers that
/// stay as they are, further names of tied parameters. What the archive has otherwise is an error, rows of padding too.
pub(crate) fn further_of(path: &Path, program: &Program) -> Result<Vec<String>, LabError> {
    let bytes = std::fs::read(path).map_err(LabError::io("read", path))?;
    let Ok(file) = SafeTensors::deserialize(&bytes) else { return Ok(Vec::new()) };
    let damaged = |problem: String| LabError::Damaged { path: path.to_owned(), problem };
    let numbers = |name: &str| file.tensor(name).ok().and_then(|view| values(&view));
    let mut found = Vec::new();
    for (name, further) in program.further() {
        let Ok(_) = file.tensor(&name) else { continue };
        let own = numbers(&name);
        let (same, what) = match further {
            _ if name.ends_with(COUNTER) => (true, ""),
            Further::Tied(first) => (
                own.is_some() && own == numbers(&first),
                "is a parameter of two names in the archive, and two tensors here",
            ),
            Further::Buffer(data, _) => {
                (own == Some(data.iter::<f64>().collect()), "is a buffer with other numbers than in the archive")
            }
        };
        if !same {
            return Err(damaged(format!("`{name}` {what}; export the network anew with these weights")));
        }
        found.push(name);
    }
    for (name, row, values) in program.padding() {
        let width = values.len();
        if numbers(&name).is_some_and(|all| all.get(row * width..(row + 1) * width) != Some(&values[..])) {
            return Err(damaged(format!(
                "row {row} of `{name}` is padding, which stays as it is, and has other numbers than in the archive; \
                 export the network anew with these weights"
            )));
        }
    }
    Ok(found)
}

/// The numbers of a tensor of a file; none where they are of a type that is not read.
fn values(view: &TensorView) -> Option<Vec<f64>> {
    let dtype = match view.dtype() {
        Dtype::F64 => DType::F64,
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::I64 => DType::I64,
        Dtype::I32 => DType::I32,
        Dtype::BOOL => DType::Bool(BoolStore::Native),
        _ => return None,
    };
    let count = view.shape().iter().product::<usize>();
    Some(TensorData::from_bytes_vec(view.data().to_vec(), [count], dtype).iter().collect())
}

/// The tensors of a file of weights, for a network whose own have the names `own`.
pub(crate) fn read(path: &Path, layout: &Layout, own: &[String]) -> Result<Weights, LabError> {
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
    if let Some(missing) = layout.ignored.iter().find(|name| file.tensor(name).is_err()) {
        return Err(damaged(format!("there is no `{missing}` to leave out")));
    }
    let batch_norm = own.iter().any(|name| name.ends_with(".running_mean"));
    // Weights under it mean another function than they do without: it is not left out when asked, either.
    if let Some(name) = file.names().into_iter().find(|name| name.ends_with(".running_mean") && !batch_norm) {
        let problem = format!("`{name}` is of a batch norm, and the network that is described has none");
        return Err(damaged(problem));
    }
    // How many batches a batch norm has seen is of no use without more training.
    let counts = |name: &str| batch_norm && name.ends_with(COUNTER);
    let names = file.names().into_iter().filter(|name| !layout.ignored.iter().any(|other| other == name));
    let names: Vec<String> = names.filter(|name| !counts(name)).map(str::to_owned).collect();
    let order = order(&names, layout, own).map_err(damaged)?;
    let tensors = order.iter().map(|name| {
        let view = file.tensor(name).map_err(|error| damaged(error.to_string()))?;
        let is_float = matches!(view.dtype(), Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16);
        let values = values(&view).filter(|_| is_float);
        let values = values.ok_or_else(|| damaged(format!("{name} has type {:?}; floats are read", view.dtype())))?;
        Ok((name.clone(), view.shape().to_vec(), values))
    });
    let tensors = tensors.collect::<Result<Vec<Named>, LabError>>()?;
    let mut layers: Vec<String> = order.iter().map(|name| split(name).0.to_owned()).collect();
    layers.dedup();
    Ok(Weights { layers, tensors })
}

/// What layers consist of.
const PARTS: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

/// The layer of a tensor, and which part of it the tensor is.
fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or(("", name))
}

/// The layers of these tensors, each with its parts, in the order of their first ones.
fn layers(names: &[String]) -> Vec<(&str, Vec<&str>)> {
    let mut layers: Vec<(&str, Vec<&str>)> = Vec::new();
    for (layer, part) in names.iter().map(|name| split(name)) {
        match layers.iter_mut().find(|(known, _)| *known == layer) {
            Some((_, parts)) => parts.push(part),
            None => layers.push((layer, vec![part])),
        }
    }
    layers
}

/// The tensors of a file in the order of a network's own.
fn order(names: &[String], layout: &Layout, own: &[String]) -> Result<Vec<String>, String> {
    if layout.layers.is_empty() && own.len() == names.len() && own.iter().all(|name| names.contains(name)) {
        // A file under the network's own names needs no other order.
        return Ok(own.to_vec());
    }
    if let Some(name) = own.iter().find(|name| !PARTS.contains(&split(name).1)) {
        let missing: Vec<&str> = own.iter().filter(|name| !names.contains(name)).map(String::as_str).collect();
        let more: Vec<&str> = names.iter().filter(|name| !own.contains(name)).map(String::as_str).collect();
        return Err(format!(
            "its tensors are not called as in a network with a `{name}`; missing: {}; not known: {}",
            listed(&missing),
            listed(&more)
        ));
    }
    if let Some(name) = names.iter().find(|name| !PARTS.contains(&split(name).1) || split(name).0.is_empty()) {
        return Err(format!(
            "`{name}` is neither weight nor bias of a layer; a buffer that the described network has not is left out \
             with --ignore {name}"
        ));
    }
    let (found, own) = (layers(names), layers(own));
    let found_names = || found.iter().map(|(layer, _)| (*layer).to_owned()).collect::<Vec<_>>();
    // Numbers are an order where layers follow each other, and nowhere else.
    let sequence = own.iter().all(|(layer, _)| layer.parse::<usize>().is_ok());
    if layout.layers.is_empty() && !sequence {
        let own = own.iter().map(|(layer, _)| *layer).collect::<Vec<_>>().join(",");
        let found = found_names().join(", ");
        return Err(format!("its layers are {found}; give them in the order of {own}, like --layers {own}"));
    }
    let ordered = ordered(found_names(), &layout.layers)?;
    if own.len() != ordered.len() {
        return Err(format!("it holds {} layers of weights, the model has {}", ordered.len(), own.len()));
    }
    let mut order = Vec::with_capacity(names.len());
    for ((_, parts), layer) in own.into_iter().zip(ordered) {
        let there = found.iter().find(|(name, _)| *name == layer).map_or(&[][..], |(_, parts)| parts.as_slice());
        if let Some(part) = parts.iter().find(|part| !there.contains(part)) {
            return Err(match (*part, there) {
                ("bias", _) => {
                    format!("there is no {layer}.bias; for a model without biases set bias = false in [model]")
                }
                (_, [other, ..]) => format!("there is {layer}.{other}, but no {layer}.{part}"),
                (_, []) => format!("there is no {layer}.{part}"),
            });
        }
        if let Some(part) = there.iter().find(|part| !parts.contains(part)) {
            return Err(match *part {
                "bias" => format!("there is {layer}.bias, but the model has no biases"),
                part => format!("there is {layer}.{part}, which the model has not at that place"),
            });
        }
        order.extend(parts.into_iter().map(|part| format!("{layer}.{part}")));
    }
    Ok(order)
}

/// The first of many names.
fn listed(names: &[&str]) -> String {
    match names {
        [] => "none".to_owned(),
        [first @ .., _] if names.len() > 6 => format!("{} and {} more", first[..5].join(", "), names.len() - 5),
        names => names.join(", "),
    }
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

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device};
    use losscape_model::exported::ExportedConfig;
    use losscape_model::{ModelConfig, Sample};
    use losscape_tangent::parameters;

    use super::{Layout, ordered, read, write};

    /// What is frozen stays frozen, and a number alone has no axis in the file.
    #[test]
    fn weights_of_an_archive_come_back_as_they_were() {
        let archive = concat!(env!("CARGO_MANIFEST_DIR"), "/../exchange/tests/archives/functions.pt2");
        let config: ModelConfig = ExportedConfig::new(archive).into();
        let device = Device::flex().autodiff();
        let network = || config.init(&Sample::from(4), 8, 0, &device, DType::F64).expect("it takes four numbers");
        let place = tempfile::tempdir().expect("there is room");
        let file = place.path().join("model.safetensors");
        write(&network(), &config, &file).expect("the folder can be written");
        let weights = read(&file, &Layout::default(), &config.pytorch_names()).expect("it was just written");
        let scale = weights.tensors.iter().find(|(name, ..)| name == "scale").expect("it has one");
        assert!(scale.1.is_empty());
        let filled = weights.fill(network(), &device).expect("they are its own");
        assert_eq!(parameters::count(&filled), 139);
        let numbers = |network| parameters::ravel(network).expect("it has some").into_data();
        assert_eq!(numbers(&filled), numbers(&network()));
    }

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
