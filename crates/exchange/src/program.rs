//! [`Program`]: an archive that was read and checked, from which networks are made.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use burn::tensor::{DType, Device, TensorData};
use burn_backend::ops::{BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn_backend::{BoolDType, FloatDType, IntDType, Shape, TensorMetadata};
use burn_dispatch::{Dispatch, DispatchDevice, DispatchTensor};

use crate::archive::{Archive, Stored};
use crate::array::{Array, Kind, elements};
use crate::error::ExchangeError;
use crate::graph::{Axis, Graph, Input, Member, Source, Tensors};
use crate::operation::{Context, Value};

/// A program from an archive of `torch.export.save`, checked: what networks are made of. Clones share it.
#[derive(Debug, Clone)]
pub struct Program(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    graph: Graph,
    tensors: Tensors,
    digest: String,
}

/// The most axes that a parameter may have.
const MOST_AXES: usize = 6;

/// Samples that a program is gone through with, beside one: a length that is not likely among the others.
const SAMPLES: usize = 13;

/// What a program makes of samples of some shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// Lengths of the output of one sample.
    pub output: Vec<usize>,
    /// Numbers of all values for one sample together.
    pub numbers: usize,
}

/// A tensor of PyTorch's `state_dict` that a module here does not hold.
#[derive(Debug, Clone)]
pub enum Further {
    /// Another name of the parameter with this one.
    Tied(String),
    /// A buffer that stays as it is, with its shape, which may have no axis.
    Buffer(TensorData, Vec<usize>),
}

impl Program {
    /// Reads an archive of `torch.export.save`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is no such archive or a damaged one, or holds what is not known here.
    pub fn read(path: &Path) -> Result<Self, ExchangeError> {
        let bytes = std::fs::read(path).map_err(|error| ExchangeError::Read(error.to_string()))?;
        Self::from_bytes(&bytes)
    }

    /// Reads an archive from memory.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ExchangeError> {
        let archive = Archive::read(bytes)?;
        let digest = archive.digest.clone();
        let (graph, tensors) = Graph::of(archive)?;
        let Some(_) = tensors.parameters.iter().find(|parameter| parameter.stored.trainable) else {
            return Err(ExchangeError::Graph("it has no parameter that is trained".to_owned()));
        };
        for parameter in &tensors.parameters {
            let axes = parameter.stored.shape.len();
            if axes > MOST_AXES || parameter.stored.shape.contains(&0) {
                let (name, shape) = (parameter.names[0].clone(), &parameter.stored.shape);
                let problem =
                    format!("a parameter of shape {shape:?}; up to {MOST_AXES} axes with a length are possible");
                return Err(ExchangeError::Tensor { name, problem });
            }
        }
        Ok(Self(Arc::new(Parts { graph, tensors, digest })))
    }

    /// What it is applied to.
    #[must_use]
    pub fn inputs(&self) -> &[Input] {
        &self.0.graph.inputs
    }

    /// SHA-256 of the archive, in hex.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.0.digest
    }

    /// Trainable parameters P.
    #[must_use]
    pub fn parameters(&self) -> usize {
        let trained = self.0.tensors.parameters.iter().filter(|parameter| parameter.stored.trainable);
        trained.map(|parameter| parameter.stored.shape.iter().product::<usize>()).sum()
    }

    /// Numbers of its largest parameter.
    #[must_use]
    pub fn widest(&self) -> usize {
        let sizes = self.0.tensors.parameters.iter().map(|parameter| parameter.stored.shape.iter().product());
        sizes.max().unwrap_or(0)
    }

    /// Whether samples of a batch see each other in training: by batch norm that was exported in training mode.
    #[must_use]
    pub fn sees_batch(&self) -> bool {
        self.0.tensors.statistics.iter().any(|statistics| statistics.in_training)
    }

    /// Whether it was decomposed (`run_decompositions`): what was under `torch.no_grad` is then differentiated like all
    /// else, since nothing tells it apart any more.
    #[must_use]
    pub fn is_decomposed(&self) -> bool {
        self.0.graph.is_decomposed
    }

    /// Whether training drops numbers at random: by dropout that was exported in training mode.
    #[must_use]
    pub fn drops(&self) -> bool {
        self.0.graph.drops()
    }

    /// Whether it chooses elements by numbers, or divides by them, so that it may fail for some samples.
    #[must_use]
    pub fn can_fail(&self) -> bool {
        self.0.graph.nodes.iter().any(|node| node.operation.places.is_some())
    }

    /// Rows of parameters that stay as they are in the archive: of padding in an embedding.
    #[must_use]
    pub fn padding(&self) -> Vec<(String, usize, Vec<f64>)> {
        let rows = self.0.graph.padding.iter().map(|&(number, row)| {
            let parameter = &self.0.tensors.parameters[number];
            let width = parameter.stored.shape[1..].iter().product();
            let values = parameter.stored.data.iter::<f64>().skip(row * width).take(width).collect();
            (parameter.names[0].clone(), row, values)
        });
        rows.collect()
    }

    /// Whether it has batch norm that goes by its running statistics in training too, as it was exported in evaluation
    /// mode.
    #[must_use]
    pub fn has_frozen_norm(&self) -> bool {
        self.0.tensors.statistics.iter().any(|statistics| !statistics.in_training)
    }

    /// Names in PyTorch of the parameters and running statistics, in the order in which the module is visited: each
    /// module's parameters with its statistics behind them; of a tied parameter the first name.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let members = self.0.tensors.layers().into_iter().flat_map(|(path, members)| {
            let tensors = members.into_iter().filter(|(_, member)| !matches!(member, Member::Flag(_)));
            tensors.map(move |(name, _)| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") })
        });
        members.collect()
    }

    /// Whether the parameter of this name has no axis in PyTorch, where the module's has one of length one.
    #[must_use]
    pub fn is_scalar(&self, name: &str) -> bool {
        let mut parameters = self.0.tensors.parameters.iter();
        parameters.any(|parameter| parameter.names[0] == name && parameter.stored.shape.is_empty())
    }

    /// What PyTorch's `state_dict` has beside the tensors of [`names`](Self::names), under its names there.
    #[must_use]
    pub fn further(&self) -> Vec<(String, Further)> {
        let Tensors { parameters, constants, .. } = &self.0.tensors;
        let tied = parameters.iter().flat_map(|parameter| {
            let (first, others) = parameter.names.split_first().expect("a parameter has a name");
            others.iter().map(|name| (name.clone(), Further::Tied(first.clone())))
        });
        let buffers = constants.iter().filter_map(|constant| {
            let Stored { data, shape, .. } = &constant.stored;
            Some((constant.name.clone()?, Further::Buffer(data.clone(), shape.clone())))
        });
        tied.chain(buffers).collect()
    }

    /// Goes through the program for inputs with these lengths of a sample, without calculating anything.
    ///
    /// # Errors
    ///
    /// When the inputs are not those it takes, or a node does not fit what it is given.
    pub fn check(&self, samples: &[Vec<usize>]) -> Result<Extent, ExchangeError> {
        thread_local! {
            /// Records operations instead of executing them. Burn allows 65,536 of it in a process.
            static RECORDER: Device = Device::capture();
        }
        let Parts { graph, .. } = &*self.0;
        let mut symbols: HashMap<String, usize> = HashMap::new();
        let mut fits = |input: &Input, lengths: &[usize]| {
            input.sample.len() == lengths.len()
                && input.sample.iter().zip(lengths).all(|(axis, &given)| match axis {
                    Axis::Fixed(length) => *length == given,
                    Axis::Open { symbol, least, most } => {
                        (*least..=*most).contains(&given) && *symbols.entry(symbol.clone()).or_insert(given) == given
                    }
                })
        };
        let all = samples.len() == graph.inputs.len()
            && graph.inputs.iter().zip(samples).all(|(input, lengths)| fits(input, lengths));
        if !all {
            let own: Vec<String> = graph.inputs.iter().map(ToString::to_string).collect();
            return Err(ExchangeError::Graph(format!("it takes {}, and is given {samples:?}", own.join(" and "))));
        }
        let recorder = RECORDER.with(Clone::clone);
        let mut found = None;
        let _ = recorder.capture_scope(|scope| {
            found = Some(catch_unwind(AssertUnwindSafe(|| {
                self.record(samples, 1, &recorder)?;
                self.record(samples, SAMPLES, &recorder)
            })));
            scope.complete([], None)
        });
        match found {
            Some(Ok(extent)) => extent,
            _ => Err(ExchangeError::Graph("a node of it does not fit what it is given".to_owned())),
        }
    }

    fn record(&self, samples: &[Vec<usize>], count: usize, recorder: &Device) -> Result<Extent, ExchangeError> {
        let Parts { graph, tensors, .. } = &*self.0;
        let device = burn::tensor::Tensor::<1>::zeros([1], recorder).into_dispatch().device();
        let dtype = FloatDType::F32;
        let blank = |shape: &[usize], kind: Kind| {
            elements(shape).map_err(ExchangeError::Graph)?;
            let of_burn = Shape::from(if shape.is_empty() { vec![1] } else { shape.to_vec() });
            let tensor = match kind {
                Kind::Float => Dispatch::float_zeros(of_burn, &device, dtype),
                Kind::Int => Dispatch::int_zeros(of_burn, &device, IntDType::I64),
                Kind::Bool => Dispatch::bool_zeros(of_burn, &device, BoolDType::Native),
            };
            Ok(Value::Array(Array::with_shape(tensor, shape)))
        };
        let value = |source: Source| match source {
            Source::Parameter(number) => blank(&tensors.parameters[number].stored.shape, Kind::Float),
            Source::Statistic(number) => {
                blank(&tensors.statistics[number / 2].tensors[number % 2].1.shape, Kind::Float)
            }
            Source::Constant(number) => {
                let Stored { data, shape, .. } = &tensors.constants[number].stored;
                let kind = match data.dtype() {
                    dtype if dtype.is_float() => Kind::Float,
                    dtype if dtype.is_bool() => Kind::Bool,
                    _ => Kind::Int,
                };
                blank(shape, kind)
            }
            Source::Input(number) => blank(&[&[count], samples[number].as_slice()].concat(), graph.inputs[number].kind),
        };
        let stored = |place: usize| match graph.sources.get(&place) {
            Some(&Source::Parameter(number)) => match value(Source::Parameter(number)) {
                Ok(Value::Array(array)) => Some(array),
                _ => None,
            },
            _ => None,
        };
        let context = Context { device: device.clone(), dtype, statistics: &|_| None, stored: &stored, random: None };
        let mut numbers = 0usize;
        let output = graph.evaluate(value, &context, &mut |array| {
            numbers = numbers.saturating_add(array.elements());
        })?;
        if output.kind() != Kind::Float {
            return Err(ExchangeError::Graph("its output is not made of floats".to_owned()));
        }
        match output.shape().split_first() {
            Some((&first, sample)) if first == count => {
                Ok(Extent { output: sample.to_vec(), numbers: numbers.div_ceil(count) })
            }
            _ => Err(ExchangeError::Graph(format!(
                "its output for {count} samples is {:?}, which has them not along the first axis",
                output.shape()
            ))),
        }
    }

    pub(crate) fn graph(&self) -> &Graph {
        &self.0.graph
    }

    pub(crate) fn tensors(&self) -> &Tensors {
        &self.0.tensors
    }
}

/// A tensor that stays as it is, on a device.
pub fn constant(stored: &Stored, device: &DispatchDevice, dtype: FloatDType) -> Array {
    let data = stored.data.clone();
    let tensor: DispatchTensor = match data.dtype() {
        kind if kind.is_float() => Dispatch::float_from_data(data.convert_dtype(DType::from(dtype)), device),
        kind if kind.is_bool() => Dispatch::bool_from_data(data, device),
        _ => Dispatch::int_from_data(data, device),
    };
    Array::with_shape(tensor, &stored.shape)
}
