//! Weights for PyTorch, and from it: safetensors under the names and in the layout of an `nn.Sequential`.
//!
//! For an MLP these are `0.weight`, `0.bias`, `2.weight`, …: the linear layers of `Sequential(Linear, σ, Linear, …)`,
//! each weight `[out, in]`, the multipliers of the NTK and mean-field parameterizations multiplied in. A linear model
//! is the single layer `0.weight` on its features. Files of others may have other names: see [`Layout`].

use std::path::Path;

use burn::module::{Module, Param};
use burn::store::{ModuleSnapshot, SafetensorsStore};
use burn::tensor::{Bytes, DType, Device, Tensor, TensorData};
use losscape_model::Model;
use losscape_model::dense::Dense;
use safetensors::{Dtype, SafeTensors};

use crate::error::LabError;
use crate::folder::write_whole;

/// Writes the network's weights to `path`, whole or not at all.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write(model: &Model, path: &Path) -> Result<(), LabError> {
    let failed =
        |problem: &dyn std::fmt::Display| LabError::Damaged { path: path.to_owned(), problem: problem.to_string() };
    // One entry of metadata: with more, their order in the file would change from run to run.
    let mut store = SafetensorsStore::from_bytes(None).clear_metadata().metadata("format", "pt");
    match model.valid() {
        Model::Mlp(mlp) => {
            for layer in 0..mlp.layers.len() {
                store = store.with_key_remapping(format!(r"^layers\.{layer}\."), format!("{}.", 2 * layer));
            }
            mlp.folded().save_into(&mut store).map_err(|error| failed(&error))?;
        }
        Model::Linear(model) => {
            store = store.with_key_remapping(r"^output\.", "0.");
            model.save_into(&mut store).map_err(|error| failed(&error))?;
        }
    }
    let bytes = store.get_bytes().map_err(|error| failed(&error))?;
    write_whole(path, &bytes)
}

/// One layer's weights as they stand in a file.
pub(crate) struct Layer {
    pub name: String,
    pub rows: usize,
    columns: usize,
    weight: Vec<f64>,
    bias: Option<Vec<f64>>,
}

impl Layer {
    /// Puts the weights into a layer of the network, whose shape they must have.
    pub fn fill(self, layer: &mut Dense, device: &Device) -> Result<(), String> {
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
pub(crate) fn read(path: &Path, layout: &Layout) -> Result<Vec<Layer>, LabError> {
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
