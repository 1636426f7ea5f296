//! [`Begin`]: what is there before the first node.

use std::collections::HashMap;

use super::input::{self, Input, fixed};
use super::names::Names;
use super::node::{Node, Uses};
use super::tensors::{Constant, Parameter, Statistics, Tensors};
use crate::archive::{Place, Stored};
use crate::argument::{Argument, Number};
use crate::array::Kind;
use crate::error::ExchangeError;
use crate::schema::{self, InputSpec, Range, TensorMeta};

/// Operations whose result has all numbers of the first argument, and no others.
const SAME_NUMBERS: &[&str] = &[
    "to",
    "_to_copy",
    "clone",
    "contiguous",
    "alias",
    "view",
    "reshape",
    "flatten",
    "unsqueeze",
    "squeeze",
    "transpose",
    "permute",
];

/// What the values of a graph begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Parameter(usize),
    /// The running mean of a batch norm, or its variance.
    Statistic(usize),
    Constant(usize),
    Input(usize),
}

/// What is there before the first node.
#[derive(Default)]
pub struct Begin {
    pub(super) weights: HashMap<String, Stored>,
    pub(super) constants: HashMap<String, Stored>,
    pub(super) sources: HashMap<usize, Source>,
    pub(super) inputs: Vec<Input>,
    pub(super) tensors: Tensors,
    pub(super) ranges: HashMap<String, Range>,
    /// What lies in each file: its name, where, and the number of the parameter, if it is one.
    pub(super) by_file: HashMap<String, Vec<(String, Place, Option<usize>)>>,
}

impl Begin {
    pub fn input(
        &mut self,
        spec: InputSpec,
        metas: &HashMap<String, TensorMeta>,
        names: &mut Names,
    ) -> Result<(), ExchangeError> {
        let stored = |tensors: &HashMap<String, Stored>, name: &str, arg: &str| {
            let wrong = |problem: &str| ExchangeError::Tensor { name: name.to_owned(), problem: problem.to_owned() };
            let stored = tensors.get(name).cloned().ok_or_else(|| wrong("the archive does not hold it"))?;
            let said = metas.get(arg).map(|meta| meta.sizes.iter().map(fixed).collect::<Option<Vec<usize>>>());
            if said.is_some_and(|said| said.as_ref() != Some(&stored.shape)) {
                return Err(wrong("the program has it with another shape than the archive"));
            }
            Ok(stored)
        };
        match spec {
            InputSpec::Parameter { arg, parameter_name: name } => {
                let stored = stored(&self.weights, &name, &arg.name)?;
                if !stored.data.dtype().is_float() {
                    let problem = "a parameter that is no float cannot be trained".to_owned();
                    return Err(ExchangeError::Tensor { name, problem });
                }
                if let Some(at) = stored.data.iter::<f64>().position(|value| !value.is_finite()) {
                    return Err(ExchangeError::Tensor { name, problem: format!("entry {at} is no finite number") });
                }
                let number = match self.tied(&name, &stored)? {
                    Some(number) => {
                        self.tensors.parameters[number].names.push(name);
                        number
                    }
                    None => {
                        let number = self.tensors.parameters.len();
                        let lies = (name.clone(), stored.place.clone(), Some(number));
                        self.by_file.entry(stored.place.0.clone()).or_default().push(lies);
                        self.tensors.parameters.push(Parameter { names: vec![name], stored });
                        number
                    }
                };
                let trained = self.tensors.parameters[number].stored.trainable;
                let place = names.make_in(&arg.name, names.roots.len(), trained)?;
                self.sources.insert(place, Source::Parameter(number));
            }
            InputSpec::Buffer { arg, buffer_name: name, persistent } => {
                // Buffers that are not saved with the network's state lie among the constants.
                let from = if self.weights.contains_key(&name) { &self.weights } else { &self.constants };
                let stored = stored(from, &name, &arg.name)?;
                let of_parameters = self.by_file.get(&stored.place.0).and_then(|lie| lie.first());
                if let Some((other, ..)) = of_parameters.filter(|_| self.weights.contains_key(&name)) {
                    let problem = format!("it is memory of the parameter `{other}`, which training changes");
                    return Err(ExchangeError::Tensor { name, problem });
                }
                self.constant(persistent.then_some(name), stored, &arg.name, names)?;
            }
            InputSpec::TensorConstant { arg, tensor_constant_name: name } => {
                let stored = stored(&self.constants, &name, &arg.name)?;
                self.constant(None, stored, &arg.name, names)?;
            }
            InputSpec::UserInput { arg: schema::Argument::Tensor(name) } => {
                let meta = metas.get(&name);
                let meta =
                    meta.ok_or_else(|| ExchangeError::Graph(format!("nothing is known of the input `{name}`")))?;
                self.sources.insert(names.make(&name)?, Source::Input(self.inputs.len()));
                self.inputs.push(input::of(name, meta, &self.ranges)?);
            }
            InputSpec::UserInput { arg: schema::Argument::None } | InputSpec::ConstantInput { .. } => {}
            InputSpec::UserInput { arg } => {
                return Err(ExchangeError::Graph(format!(
                    "an input is no tensor but {arg:?}; export with tensors alone"
                )));
            }
            InputSpec::CustomObj { custom_obj_name } => {
                return Err(ExchangeError::Graph(format!(
                    "it has an object `{custom_obj_name}` of a class of its own, which is code; only tensors are read"
                )));
            }
            InputSpec::Token { .. } => {
                return Err(ExchangeError::Graph("it has effects beside its outputs, as printing".to_owned()));
            }
        }
        Ok(())
    }

    /// The parameter that this one is another name of.
    fn tied(&self, name: &str, stored: &Stored) -> Result<Option<usize>, ExchangeError> {
        let Some(lie) = self.by_file.get(&stored.place.0) else { return Ok(None) };
        let Some((other, place, number)) = lie.first() else { return Ok(None) };
        let same = number.map(|number| &self.tensors.parameters[number].stored).filter(|other| {
            *place == stored.place && other.shape == stored.shape && other.trainable == stored.trainable
        });
        match (same, number) {
            (Some(_), Some(number)) => Ok(Some(*number)),
            _ => Err(ExchangeError::Tensor {
                name: name.to_owned(),
                problem: format!("it shares its memory with `{other}`, but not as the same trained tensor"),
            }),
        }
    }

    fn constant(
        &mut self,
        name: Option<String>,
        stored: Stored,
        arg: &str,
        names: &mut Names,
    ) -> Result<(), ExchangeError> {
        self.sources.insert(names.make(arg)?, Source::Constant(self.tensors.constants.len()));
        self.tensors.constants.push(Constant { name, stored });
        Ok(())
    }

    /// Buffers that a batch norm reads become statistics.
    pub fn find_statistics(&mut self, nodes: &[Node]) -> Result<(), ExchangeError> {
        for node in nodes {
            let (Some(Argument::Value(mean)), Some(Argument::Value(variance))) =
                (node.argument("running_mean"), node.argument("running_var"))
            else {
                continue; // No batch norm, or one without running statistics.
            };
            let in_training = matches!(node.argument("training"), Some(Argument::Bool(true)));
            let number = self.tensors.statistics.len();
            let mut tensors = Vec::with_capacity(2);
            for (which, place) in [mean, variance].into_iter().enumerate() {
                let Some(source) = self.sources.get_mut(place) else {
                    return Err(node.error("its running statistics are no buffers".to_owned()));
                };
                let Source::Constant(constant) = *source else {
                    return Err(node.error("its running statistics are those of another layer, too".to_owned()));
                };
                *source = Source::Statistic(2 * number + which);
                // From now on it belongs to the batch norm.
                let Constant { name, stored } = &mut self.tensors.constants[constant];
                let name = name.take().filter(|_| stored.shape.len() == 1 && stored.data.dtype().is_float());
                let Some(name) = name else {
                    return Err(node.error("its running statistics are no row of floats that is kept".to_owned()));
                };
                tensors.push((name, stored.clone()));
            }
            let tensors = tensors.try_into().expect("there are two");
            self.tensors.statistics.push(Statistics { tensors, in_training });
        }
        Ok(())
    }

    /// Rows of padding: parameter and row. Their weights may have no other use, which would train the row.
    pub fn padding(&self, nodes: &[Node], uses: &Uses) -> Result<Vec<(usize, usize)>, ExchangeError> {
        // Under all names of a parameter.
        let mut readers = vec![0; self.tensors.parameters.len()];
        for (&place, source) in &self.sources {
            if let Source::Parameter(number) = source {
                readers[*number] += uses.readers[place];
            }
        }
        let mut rows = Vec::new();
        for node in nodes.iter().filter(|node| node.operation.name == "embedding") {
            let (Some(Argument::Value(place)), Some(Argument::Int(Number::Known(row)))) =
                (node.argument("weight"), node.argument("padding_idx"))
            else {
                continue;
            };
            let (Some(&Source::Parameter(number)), Ok(row)) = (self.sources.get(place), usize::try_from(*row)) else {
                continue;
            };
            if !matches!(self.tensors.parameters[number].stored.shape.as_slice(), [rows, _] if row < *rows) {
                return Err(node.error(format!("a row of padding {row} that its weights do not have")));
            }
            if readers[number] > 1 {
                return Err(node.error(
                    "its weights have another use, which trains the row of padding; leave padding_idx out".to_owned(),
                ));
            }
            rows.push((number, row));
        }
        Ok(rows)
    }

    /// How many rows inputs choose from.
    pub fn find_rows(&mut self, nodes: &[Node], uses: &Uses) {
        for node in nodes.iter().filter(|node| node.operation.name == "embedding") {
            let (Some(Argument::Value(weight)), Some(Argument::Value(indices))) =
                (node.argument("weight"), node.argument("indices"))
            else {
                continue;
            };
            let rows = match self.sources.get(weight) {
                Some(&Source::Parameter(number)) => self.tensors.parameters[number].stored.shape.first().copied(),
                Some(&Source::Constant(number)) => self.tensors.constants[number].stored.shape.first().copied(),
                _ => None,
            };
            let mut place = *indices;
            while let Some(same) = uses.makers[place].map(|maker| &nodes[maker])
                && SAME_NUMBERS.contains(&same.operation.name)
                && let Some(before) = same.places().next()
            {
                place = before;
            }
            if let (Some(&Source::Input(number)), Some(rows)) = (self.sources.get(&place), rows)
                && self.inputs[number].kind == Kind::Int
            {
                let input = &mut self.inputs[number];
                input.rows = Some(input.rows.map_or(rows, |known| known.min(rows)));
            }
        }
    }
}
