//! [`Exported`]: a network from PyTorch as a Burn module.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::{
    Content, Flag, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor, Param, RunningState,
};
use burn::tensor::{DType, Device, Tensor};
use burn_backend::{FloatDType, TensorMetadata};
use burn_dispatch::{DispatchTensor, DispatchTensorKind};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use crate::archive::Stored;
use crate::array::{Array, Kind};
use crate::error::ExchangeError;
use crate::graph::{Axis, Member, Source, Tensors};
use crate::operation::{Context, Value};
use crate::program::{Program, constant};

/// A network from an archive of `torch.export.save` as a Burn module: its parameters under their names in PyTorch, in
/// PyTorch's order, tied ones once, those that PyTorch does not train frozen; running statistics as Burn has them.
///
/// Clones share their running statistics, as clones of Burn's own modules do, and what masks of dropout are drawn from.
#[derive(Clone, Debug)]
pub struct Exported {
    program: Program,
    /// What the module holds, by the module of the network that holds it there.
    layers: Vec<Layer>,
    places: Arc<Places>,
    /// Where training drops numbers.
    dropout: Option<Dropout>,
}

/// Whether numbers are dropped, and by which masks.
#[derive(Clone, Debug)]
struct Dropout {
    flag: Param<Flag>,
    /// The seed of masks, and how many forwards have drawn some since it was given.
    drawn: Arc<Mutex<(u64, u64)>>,
}

impl Dropout {
    /// The generator of the masks of one forward.
    fn next(&self) -> ChaCha12Rng {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut random = ChaCha12Rng::seed_from_u64(drawn.0);
        random.set_stream(drawn.1);
        drawn.1 += 1;
        random
    }
}

/// Layer and member of each of the program's tensors and flags.
#[derive(Debug)]
struct Places {
    parameters: Vec<[usize; 2]>,
    statistics: Vec<[usize; 2]>,
    flags: Vec<[usize; 2]>,
}

/// What one module of the network holds.
#[derive(Clone, Debug)]
struct Layer {
    path: String,
    members: Vec<(String, Leaf)>,
}

/// A tensor of a network, or a training flag.
#[derive(Clone, Debug)]
enum Leaf {
    One(Param<Tensor<1>>),
    Two(Param<Tensor<2>>),
    Three(Param<Tensor<3>>),
    Four(Param<Tensor<4>>),
    Five(Param<Tensor<5>>),
    Six(Param<Tensor<6>>),
    Statistic(RunningState<Tensor<1>>),
    Training(Param<Flag>),
}

/// The same done to whatever a leaf holds.
macro_rules! leaf {
    ($leaf:expr, $inner:ident => $body:expr) => {
        match $leaf {
            Leaf::One($inner) => $body,
            Leaf::Two($inner) => $body,
            Leaf::Three($inner) => $body,
            Leaf::Four($inner) => $body,
            Leaf::Five($inner) => $body,
            Leaf::Six($inner) => $body,
            Leaf::Statistic($inner) => $body,
            Leaf::Training($inner) => $body,
        }
    };
}

/// A leaf whose content is made anew.
macro_rules! remade {
    ($leaf:expr, $inner:ident => $body:expr) => {
        match $leaf {
            Leaf::One($inner) => Leaf::One($body),
            Leaf::Two($inner) => Leaf::Two($body),
            Leaf::Three($inner) => Leaf::Three($body),
            Leaf::Four($inner) => Leaf::Four($body),
            Leaf::Five($inner) => Leaf::Five($body),
            Leaf::Six($inner) => Leaf::Six($body),
            Leaf::Statistic($inner) => Leaf::Statistic($body),
            Leaf::Training($inner) => Leaf::Training($body),
        }
    };
}

impl Leaf {
    fn parameter(stored: &Stored, device: &Device, dtype: DType) -> Self {
        fn of<const D: usize>(stored: &Stored, device: &Device, dtype: DType) -> Param<Tensor<D>> {
            let tensor = Tensor::from_data(stored.data.clone(), (device, dtype));
            Param::from_tensor(tensor).set_require_grad(stored.trainable)
        }
        match stored.shape.len() {
            0 | 1 => Self::One(of(stored, device, dtype)),
            2 => Self::Two(of(stored, device, dtype)),
            3 => Self::Three(of(stored, device, dtype)),
            4 => Self::Four(of(stored, device, dtype)),
            5 => Self::Five(of(stored, device, dtype)),
            _ => Self::Six(of(stored, device, dtype)),
        }
    }

    fn value(&self) -> DispatchTensor {
        match self {
            Self::One(param) => param.val().into_dispatch(),
            Self::Two(param) => param.val().into_dispatch(),
            Self::Three(param) => param.val().into_dispatch(),
            Self::Four(param) => param.val().into_dispatch(),
            Self::Five(param) => param.val().into_dispatch(),
            Self::Six(param) => param.val().into_dispatch(),
            Self::Statistic(state) => state.value().into_dispatch(),
            Self::Training(_) => unreachable!("a flag is no tensor"),
        }
    }
}

impl Program {
    /// The network, on a device.
    #[must_use]
    pub fn init(&self, device: &Device, dtype: DType) -> Exported {
        Exported::new(self.clone(), device, dtype)
    }
}

impl Exported {
    fn new(program: Program, device: &Device, dtype: DType) -> Self {
        let Tensors { parameters, statistics, .. } = program.tensors();
        let mut places = Places {
            parameters: vec![[0; 2]; parameters.len()],
            statistics: vec![[0; 2]; 2 * statistics.len()],
            flags: vec![[0; 2]; statistics.len()],
        };
        let layers = program.tensors().layers().into_iter().enumerate().map(|(layer, (path, members))| {
            let members = members.into_iter().enumerate().map(|(at, (name, member))| {
                let (leaf, place) = match member {
                    Member::Parameter(number) => {
                        let leaf = Leaf::parameter(&parameters[number].stored, device, dtype);
                        (leaf, &mut places.parameters[number])
                    }
                    Member::Flag(number) => {
                        let flag = Param::from_bool(statistics[number].in_training);
                        (Leaf::Training(flag), &mut places.flags[number])
                    }
                    Member::Statistic(number) => {
                        let data = statistics[number / 2].tensors[number % 2].1.data.clone();
                        let state = RunningState::new(Tensor::from_data(data, (device, dtype)));
                        (Leaf::Statistic(state), &mut places.statistics[number])
                    }
                };
                *place = [layer, at];
                (name.to_owned(), leaf)
            });
            Layer { path: path.to_owned(), members: members.collect() }
        });
        let layers = layers.collect();
        let dropout = program.drops().then(|| Dropout { flag: Param::from_bool(true), drawn: Arc::default() });
        Self { program, layers, places: Arc::new(places), dropout }
    }

    /// The program that it calculates.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The seed of masks of dropout, 0 before the first: they are those of `(seed, number of the forward in training
    /// since then)`. Networks that drop nothing are as before.
    pub fn reseed(&self, seed: u64) {
        if let Some(dropout) = &self.dropout {
            *dropout.drawn.lock().unwrap_or_else(PoisonError::into_inner) = (seed, 0);
        }
    }

    /// The output of inputs in the program's order, each with the samples along its first axis: floats, whole numbers
    /// or booleans as the program asks for them ([`Program::inputs`]).
    ///
    /// # Errors
    ///
    /// When there are more or fewer inputs, or their shapes do not fit; what [`Program::check`] accepts does.
    pub fn forward(&self, inputs: &[DispatchTensor]) -> Result<DispatchTensor, ExchangeError> {
        let Places { parameters, statistics, flags } = &*self.places;
        let first = self.leaf(parameters[0]).value();
        let is_autodiff = matches!(first.kind, DispatchTensorKind::Autodiff(_));
        let (device, dtype) = (first.device(), FloatDType::from(first.dtype()));
        let tensors = self.program.tensors();
        let sources = &self.program.graph().sources;
        let of_place = |place: usize| {
            let Some(Source::Statistic(number)) = sources.get(&place) else { return None };
            let (Leaf::Statistic(state), Leaf::Training(flag)) =
                (self.leaf(statistics[*number]), self.leaf(flags[number / 2]))
            else {
                return None;
            };
            Some((state.clone(), is_autodiff && flag.is_enabled()))
        };
        let stored = |place: usize| match sources.get(&place) {
            Some(Source::Parameter(number)) => Some(constant(&tensors.parameters[*number].stored, &device, dtype)),
            _ => None,
        };
        let dropping = self.dropout.as_ref().filter(|dropout| is_autodiff && dropout.flag.is_enabled());
        let random = dropping.map(|dropout| RefCell::new(dropout.next()));
        let context = Context { device: device.clone(), dtype, statistics: &of_place, stored: &stored, random };
        let value = |source: Source| match source {
            Source::Parameter(number) => {
                let shape = &tensors.parameters[number].stored.shape;
                Ok(Value::Array(Array::with_shape(self.leaf(parameters[number]).value(), shape)))
            }
            Source::Statistic(number) => Ok(Value::Array(self.leaf(statistics[number]).value().into())),
            Source::Constant(number) => Ok(Value::Array(constant(&tensors.constants[number].stored, &device, dtype))),
            Source::Input(number) => {
                let tensor = inputs
                    .get(number)
                    .ok_or_else(|| ExchangeError::Graph(format!("it takes {} inputs", self.program.inputs().len())))?;
                let array = Array::from(tensor.clone());
                let array = if array.kind() == Kind::Float { array.float(dtype) } else { array };
                Ok(Value::Array(array))
            }
        };
        self.program.graph().evaluate(value, &context, &mut |_| {}).map(Array::tensor)
    }

    /// The output of one input as rows `[n, C]`, whatever axes the program gives it. The input may have its samples in
    /// rows, too.
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_rows(&self, input: DispatchTensor) -> Result<DispatchTensor, ExchangeError> {
        let wrong = ExchangeError::Graph;
        let n = input.shape()[0];
        let own = self.program.inputs().first().map(|input| input.sample.clone()).unwrap_or_default();
        let own: Option<Vec<usize>> =
            own.into_iter().map(|axis| if let Axis::Fixed(length) = axis { Some(length) } else { None }).collect();
        let input = Array::from(input);
        let input = match own {
            Some(sample) => input.reshape(&[&[n], sample.as_slice()].concat()).map_err(wrong)?,
            None => input,
        };
        let output = Array::from(self.forward(&[input.tensor()])?);
        let width = output.elements() / n.max(1);
        Ok(output.reshape(&[n, width]).map_err(wrong)?.tensor())
    }

    fn leaf(&self, [layer, member]: [usize; 2]) -> &Leaf {
        &self.layers[layer].members[member].1
    }

    fn each(self, mut change: impl FnMut(Leaf) -> Leaf) -> Self {
        let layers = self.layers.into_iter().map(|Layer { path, members }| {
            let members = members.into_iter().map(|(name, leaf)| (name, change(leaf))).collect();
            Layer { path, members }
        });
        let layers = layers.collect();
        let dropout = self.dropout.map(|Dropout { flag, drawn }| match change(Leaf::Training(flag)) {
            Leaf::Training(flag) => Dropout { flag, drawn },
            _ => unreachable!("a flag stays one"),
        });
        Self { layers, dropout, ..self }
    }
}

/// Name and type of what holds the flag of dropout.
const DROPOUT: (&str, &str) = ("dropout", "Struct:Dropout");

impl Layer {
    /// Its type, as Burn writes it: what works otherwise in training is found by it.
    fn container(&self) -> &'static str {
        let normalizes = self.members.iter().any(|(_, leaf)| matches!(leaf, Leaf::Training(_)));
        if normalizes { "Struct:BatchNorm" } else { "Struct:Exported" }
    }
}

impl Module for Exported {
    fn collect_devices(&self, devices: Vec<Device>) -> Vec<Device> {
        self.layers
            .iter()
            .flat_map(|layer| &layer.members)
            .fold(devices, |devices, (_, leaf)| leaf!(leaf, inner => inner.collect_devices(devices)))
    }

    fn fork(self, device: &Device) -> Self {
        self.each(|leaf| remade!(leaf, inner => inner.fork(device)))
    }

    fn to_device(self, device: &Device) -> Self {
        self.each(|leaf| remade!(leaf, inner => inner.to_device(device)))
    }

    fn train(self) -> Self {
        self.each(|leaf| remade!(leaf, inner => inner.train()))
    }

    fn valid(&self) -> Self {
        self.clone().each(|leaf| remade!(leaf, inner => inner.valid()))
    }

    fn materialize(self) -> Self {
        self.each(|leaf| remade!(leaf, inner => inner.materialize()))
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        for layer in &self.layers {
            let container = layer.container();
            if !layer.path.is_empty() {
                visitor.enter_module(&layer.path, container);
            }
            for (name, leaf) in &layer.members {
                visitor.enter_module(name, container);
                leaf!(leaf, inner => inner.visit(visitor));
                visitor.exit_module(name, container);
            }
            if !layer.path.is_empty() {
                visitor.exit_module(&layer.path, container);
            }
        }
        if let Some(dropout) = &self.dropout {
            visitor.enter_module(DROPOUT.0, DROPOUT.1);
            dropout.flag.visit(visitor);
            visitor.exit_module(DROPOUT.0, DROPOUT.1);
        }
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        let layers = self.layers.into_iter().map(|layer| {
            let container = layer.container();
            if !layer.path.is_empty() {
                mapper.enter_module(&layer.path, container);
            }
            let members = layer.members.into_iter().map(|(name, leaf)| {
                mapper.enter_module(&name, container);
                let leaf = remade!(leaf, inner => Module::map(inner, mapper));
                mapper.exit_module(&name, container);
                (name, leaf)
            });
            let members = members.collect();
            if !layer.path.is_empty() {
                mapper.exit_module(&layer.path, container);
            }
            Layer { path: layer.path, members }
        });
        let layers = layers.collect();
        let dropout = self.dropout.map(|Dropout { flag, drawn }| {
            mapper.enter_module(DROPOUT.0, DROPOUT.1);
            let flag = Module::map(flag, mapper);
            mapper.exit_module(DROPOUT.0, DROPOUT.1);
            Dropout { flag, drawn }
        });
        Self { layers, dropout, ..self }
    }
}

impl ModuleDisplayDefault for Exported {
    fn content(&self, content: Content) -> Option<Content> {
        let names = self.program.names().join(", ");
        content.add("tensors", &names).optional()
    }
}

impl ModuleDisplay for Exported {}
