//! [`Graph`]: a program of which every name is a place, every operation an entry of the table, every use after its
//! making.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use crate::archive::{Archive, Place, Stored};
use crate::argument::{Argument, Number};
use crate::array::Kind;
use crate::error::ExchangeError;
use crate::operation::{self, Operation};
use crate::schema::{self, InputSpec, Length, OutputSpec, Range, Size, SymBool, TensorMeta};

/// A program that can be calculated.
#[derive(Debug)]
pub struct Graph {
    pub nodes: Vec<Node>,
    /// What is known before the first node, and in which place.
    pub sources: Vec<(usize, Source)>,
    /// Number of places.
    pub slots: usize,
    /// Where the output is in the end.
    pub output: usize,
    pub inputs: Vec<Input>,
    /// Whether it was decomposed, so that parts under `torch.no_grad` cannot be told from others.
    pub is_decomposed: bool,
    /// Rows of weights that are constants, as padding is.
    pub padding: Vec<(usize, usize)>,
}

/// What the values of a graph begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Parameter(usize),
    /// The running mean of a batch norm, or its variance.
    Statistic(usize),
    Constant(usize),
    Input(usize),
}

/// A tensor that the network is applied to; samples lie along its first axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its name in the program.
    pub name: String,
    /// What its elements are.
    pub kind: Kind,
    /// Lengths of the axes of a sample.
    pub sample: Vec<Axis>,
    /// Rows of the smallest table of weights that its whole numbers choose from.
    pub rows: Option<usize>,
}

/// The length of an axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Axis {
    /// This one.
    Fixed(usize),
    /// Any within bounds, the same wherever the symbol stands.
    Open {
        /// Its symbol.
        symbol: String,
        /// The shortest.
        least: usize,
        /// The longest.
        most: usize,
    },
}

/// An operation that is applied.
#[derive(Debug)]
pub struct Node {
    pub operation: &'static Operation,
    pub arguments: Vec<(String, Argument)>,
    /// Places of its results; none where nobody asks for one.
    pub results: Vec<Option<usize>>,
    /// Places that nobody reads after it.
    pub frees: Vec<usize>,
    target: String,
    place: String,
}

/// The tensors of a network, in PyTorch's order.
#[derive(Debug, Default)]
pub struct Tensors {
    pub parameters: Vec<Parameter>,
    /// Running mean and variance of each batch norm.
    pub statistics: Vec<Statistics>,
    /// Buffers and constants that no training changes.
    pub constants: Vec<Constant>,
}

/// A parameter, which may have several names.
#[derive(Debug)]
pub struct Parameter {
    pub names: Vec<String>,
    pub stored: Stored,
}

/// The running statistics of a batch norm.
#[derive(Debug)]
pub struct Statistics {
    /// Names and values of the mean and the variance.
    pub tensors: [(String, Stored); 2],
    /// Whether the layer takes the batch's statistics in training, as it was when it was exported.
    pub in_training: bool,
}

/// A tensor that stays as it is.
#[derive(Debug)]
pub struct Constant {
    /// Its name, where it is a buffer that belongs to the network's state.
    pub name: Option<String>,
    pub stored: Stored,
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Float => "floats",
            Kind::Int => "whole numbers",
            Kind::Bool => "conditions",
        };
        let lengths = self.sample.iter().map(|axis| match axis {
            Axis::Fixed(length) => length.to_string(),
            Axis::Open { least, most: usize::MAX, .. } => format!("{least} or more"),
            Axis::Open { least, most, .. } => format!("{least} to {most}"),
        });
        let lengths: Vec<String> = ["n".to_owned()].into_iter().chain(lengths).collect();
        write!(f, "`{}`, {kind} [{}]", self.name, lengths.join(", "))
    }
}

impl Node {
    /// An error that happened here.
    pub fn error(&self, problem: String) -> ExchangeError {
        ExchangeError::Node { operation: self.target.clone(), node: self.place.clone(), problem }
    }

    /// The places that it reads.
    fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.arguments.iter().flat_map(|(_, argument)| {
            let places: Vec<usize> = match argument {
                Argument::Value(place) | Argument::Int(Number::Value(place)) => vec![*place],
                Argument::Values(places) => places.iter().flatten().copied().collect(),
                Argument::Ints(numbers) => numbers
                    .iter()
                    .filter_map(|number| if let Number::Value(place) = number { Some(*place) } else { None })
                    .collect(),
                _ => Vec::new(),
            };
            places
        })
    }

    fn argument(&self, name: &str) -> Option<&Argument> {
        self.arguments.iter().find(|(known, _)| known == name).map(|(_, argument)| argument)
    }
}

impl Graph {
    /// The graph of an archive, and its tensors.
    pub fn of(archive: Archive) -> Result<(Self, Tensors), ExchangeError> {
        let Archive { program, weights, constants, .. } = archive;
        let mut reader = Reader::default();
        let is_decomposed = !program.verifiers.iter().any(|verifier| verifier == "TRAINING");
        let schema::GraphModule { graph, signature } = program.graph_module;
        let mut begin = Begin { weights, constants, ranges: program.range_constraints, ..Begin::default() };
        if graph.nodes.len() > MOST_NODES || signature.input_specs.len() > MOST_NODES {
            return Err(ExchangeError::Graph(format!("it has more than {MOST_NODES} nodes")));
        }
        for spec in signature.input_specs {
            begin.input(spec, &graph.tensor_values, &mut reader)?;
        }
        let mut nodes: Vec<Node> = Vec::with_capacity(graph.nodes.len());
        for node in graph.nodes {
            let read = reader.node(node, &begin, &nodes)?;
            nodes.extend(read);
        }
        let output = reader.output(signature.output_specs, &graph.tensor_values, &begin, &nodes)?;
        if begin.inputs.is_empty() {
            return Err(ExchangeError::Graph("the program has no input".to_owned()));
        }
        begin.find_statistics(&nodes)?;
        begin.find_rows(&nodes, &reader.roots);
        let padding = begin.padding(&nodes)?;
        let slots = reader.roots.len();
        free(&mut nodes, slots, output);
        let Begin { sources, inputs, tensors, .. } = begin;
        Ok((Self { nodes, sources, slots, output, inputs, is_decomposed, padding }, tensors))
    }
}

/// The most nodes and inputs of a program: a network of a thousand layers has a tenth of them.
const MOST_NODES: usize = 50_000;

/// What is there before the first node.
#[derive(Default)]
struct Begin {
    weights: HashMap<String, Stored>,
    constants: HashMap<String, Stored>,
    sources: Vec<(usize, Source)>,
    inputs: Vec<Input>,
    tensors: Tensors,
    ranges: HashMap<String, Range>,
    /// What lies in each file: its name, where, and the number of the parameter, if it is one.
    by_file: HashMap<String, Vec<(String, Place, Option<usize>)>>,
}

impl Begin {
    fn input(
        &mut self,
        spec: InputSpec,
        metas: &HashMap<String, TensorMeta>,
        reader: &mut Reader,
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
                let place = reader.make_in(&arg.name, reader.roots.len(), trained)?;
                self.sources.push((place, Source::Parameter(number)));
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
                self.constant(persistent.then_some(name), stored, &arg.name, reader)?;
            }
            InputSpec::TensorConstant { arg, tensor_constant_name: name } => {
                let stored = stored(&self.constants, &name, &arg.name)?;
                self.constant(None, stored, &arg.name, reader)?;
            }
            InputSpec::UserInput { arg: schema::Argument::Tensor(name) } => {
                let meta = metas.get(&name);
                let meta =
                    meta.ok_or_else(|| ExchangeError::Graph(format!("nothing is known of the input `{name}`")))?;
                self.sources.push((reader.make(&name)?, Source::Input(self.inputs.len())));
                self.inputs.push(input(name, meta, &self.ranges)?);
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
        reader: &mut Reader,
    ) -> Result<(), ExchangeError> {
        self.sources.push((reader.make(arg)?, Source::Constant(self.tensors.constants.len())));
        self.tensors.constants.push(Constant { name, stored });
        Ok(())
    }

    /// Buffers that a batch norm reads become statistics.
    fn find_statistics(&mut self, nodes: &[Node]) -> Result<(), ExchangeError> {
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
                let source = self.sources.iter_mut().find(|(known, _)| known == place).map(|(_, source)| source);
                let Some(source) = source else {
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
}

impl Begin {
    /// Rows of padding: parameter and row. Their weights may have no other use, which would train the row.
    fn padding(&self, nodes: &[Node]) -> Result<Vec<(usize, usize)>, ExchangeError> {
        let sources: HashMap<usize, Source> = self.sources.iter().copied().collect();
        let mut rows = Vec::new();
        for node in nodes.iter().filter(|node| node.operation.name == "embedding") {
            let (Some(Argument::Value(place)), Some(Argument::Int(Number::Known(row)))) =
                (node.argument("weight"), node.argument("padding_idx"))
            else {
                continue;
            };
            let (Some(&Source::Parameter(number)), Ok(row)) = (sources.get(place), usize::try_from(*row)) else {
                continue;
            };
            let uses = nodes.iter().filter(|node| node.places().any(|read| sources.get(&read) == sources.get(place)));
            if uses.count() > 1 {
                return Err(node.error(
                    "its weights have another use, which trains the row of padding; leave padding_idx out".to_owned(),
                ));
            }
            rows.push((number, row));
        }
        Ok(rows)
    }

    /// How many rows inputs choose from.
    fn find_rows(&mut self, nodes: &[Node], roots: &[usize]) {
        let sources: HashMap<usize, Source> = self.sources.iter().copied().collect();
        for node in nodes.iter().filter(|node| node.operation.name == "embedding") {
            let (Some(Argument::Value(weight)), Some(Argument::Value(indices))) =
                (node.argument("weight"), node.argument("indices"))
            else {
                continue;
            };
            let rows = match sources.get(weight) {
                Some(&Source::Parameter(number)) => self.tensors.parameters[number].stored.shape.first().copied(),
                Some(&Source::Constant(number)) => self.tensors.constants[number].stored.shape.first().copied(),
                _ => None,
            };
            let mut place = *indices;
            // Copies have the same numbers.
            while let Some(copy) = nodes.iter().find(|node| {
                node.results.contains(&Some(place)) && ["_to_copy", "clone"].contains(&node.operation.name)
            }) {
                let Some(before) = copy.places().next() else { break };
                place = before;
            }
            if let (Some(&Source::Input(number)), Some(rows)) = (sources.get(&roots[place]), rows) {
                let input = &mut self.inputs[number];
                input.rows = Some(input.rows.map_or(rows, |known| known.min(rows)));
            }
        }
    }
}

/// What the program says of an input.
fn input(name: String, meta: &TensorMeta, ranges: &HashMap<String, Range>) -> Result<Input, ExchangeError> {
    let wrong = |problem: String| ExchangeError::Graph(format!("its input `{name}`: {problem}"));
    let kind = kind(meta.dtype).map_err(wrong)?;
    match meta.sizes.as_slice() {
        [Length::AsExpr(_), ..] => {}
        [Length::AsInt(samples), ..] => {
            return Err(wrong(format!(
                "it was exported for exactly {samples} samples; export it for any number, by \
                 dynamic_shapes=({{0: torch.export.Dim.DYNAMIC}},), which names what stands in the way"
            )));
        }
        [] => return Err(wrong("it is a number without axes, where samples lie along the first".to_owned())),
    }
    let samples = match &meta.sizes[0] {
        Length::AsExpr(formula) => symbol(&formula.expr_str),
        Length::AsInt(_) => None,
    };
    // PyTorch takes a single sample for a case of its own, and says "2 or more" where one would do as well.
    let any = |range: &Range| range.min_val.is_none_or(|least| least <= 2) && range.max_val.is_none();
    let Some(samples) = samples.filter(|symbol| ranges.get(*symbol).is_none_or(any)) else {
        return Err(wrong(
            "it was exported for some numbers of samples alone; export it for any number, by \
             dynamic_shapes=({0: torch.export.Dim.DYNAMIC},)"
                .to_owned(),
        ));
    };
    let axis = |length: &Length| match length {
        Length::AsInt(length) => {
            usize::try_from(*length).map(Axis::Fixed).map_err(|_| wrong(format!("a length of {length}")))
        }
        Length::AsExpr(formula) => {
            let symbol = symbol(&formula.expr_str).filter(|symbol| *symbol != samples);
            let symbol = symbol.ok_or_else(|| wrong(format!("a length of {} is not known here", formula.expr_str)))?;
            let range = ranges.get(symbol).copied().unwrap_or(Range { min_val: None, max_val: None });
            let bound = |value: Option<i64>| value.and_then(|value| usize::try_from(value).ok());
            let (least, most) = (bound(range.min_val).unwrap_or(1), bound(range.max_val).unwrap_or(usize::MAX));
            Ok(Axis::Open { symbol: symbol.to_owned(), least, most })
        }
    };
    let sample = meta.sizes[1..].iter().map(axis).collect::<Result<_, _>>()?;
    Ok(Input { name, kind, sample, rows: None })
}

/// The symbol of a length that is nothing else: `s77`, or `Symbol('s77', positive=True, integer=True)`.
fn symbol(formula: &str) -> Option<&str> {
    let inner = match formula.strip_prefix("Symbol('") {
        Some(rest) => rest.split('\'').next()?,
        None => formula,
    };
    let is_name = !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some(inner)
}

fn fixed(length: &Length) -> Option<usize> {
    match length {
        Length::AsInt(length) => usize::try_from(*length).ok(),
        Length::AsExpr(_) => None,
    }
}

/// What PyTorch's type is here: there is one kind of float, one of whole numbers.
fn kind(dtype: u64) -> Result<Kind, String> {
    match dtype {
        // Smaller ones wrap around, which nothing here does.
        4 | 5 => Ok(Kind::Int),
        6..=8 | 13 => Ok(Kind::Float),
        12 => Ok(Kind::Bool),
        other => Err(format!("PyTorch's type {other} is not calculated with here")),
    }
}

/// Names become places.
#[derive(Default)]
struct Reader {
    places: HashMap<String, usize>,
    /// Names whose memory was written over under another name.
    stale: BTreeSet<String>,
    /// For each place, the one whose memory it may show.
    roots: Vec<usize>,
    /// The names of each root's memory.
    names: HashMap<usize, Vec<String>>,
    /// For each place, whether a parameter is in it.
    trained: Vec<bool>,
}

impl Reader {
    fn make(&mut self, name: &str) -> Result<usize, ExchangeError> {
        let place = self.roots.len();
        self.make_in(name, place, false)
    }

    /// A place for a name whose memory is that of the place `root`, and in which a parameter is or not.
    fn make_in(&mut self, name: &str, root: usize, trained: bool) -> Result<usize, ExchangeError> {
        let place = self.roots.len();
        self.roots.push(root);
        self.trained.push(trained);
        self.names.entry(root).or_default().push(name.to_owned());
        if self.places.insert(name.to_owned(), place).is_some() {
            return Err(ExchangeError::Graph(format!("`{name}` is made twice")));
        }
        Ok(place)
    }

    fn find(&self, name: &str) -> Result<usize, String> {
        if self.stale.contains(name) {
            return Err(format!(
                "`{name}` is read after its memory was written over under another name; write it without changing a \
                 part in place"
            ));
        }
        self.places.get(name).copied().ok_or_else(|| format!("`{name}` is read before it is made"))
    }

    /// The node; none where it changes nothing that is looked at.
    fn node(&mut self, node: schema::Node, begin: &Begin, before: &[Node]) -> Result<Option<Node>, ExchangeError> {
        let schema::Node { target, inputs, outputs, metadata, name } = node;
        let place = place(name.as_deref().unwrap_or(""), &metadata);
        if WITHOUT_EFFECT.iter().any(|known| target.starts_with(known)) {
            return Ok(None);
        }
        let Some((operation, in_place)) = operation::named(&target) else {
            return Err(ExchangeError::Unknown { help: operation::help(&target), operation: target, node: place });
        };
        let mut read = Node {
            operation,
            arguments: Vec::with_capacity(inputs.len()),
            results: Vec::new(),
            frees: Vec::new(),
            target,
            place,
        };
        for schema::NamedArgument { name, arg } in inputs {
            let argument = self.argument(arg).map_err(|problem| read.error(problem))?;
            let harmless = matches!(argument, Argument::None) || operation.ignores.contains(&name.as_str());
            if !harmless && !operation.reads.contains(&name.as_str()) {
                return Err(read.error(format!("its argument `{name}` is not known here")));
            }
            read.arguments.push((name, argument));
        }
        let first = match read.arguments.first() {
            Some((_, Argument::Value(place))) => Some(*place),
            _ => None,
        };
        let mut names = Vec::new();
        for output in outputs {
            match output {
                schema::Argument::Tensor(name) | schema::Argument::SymInt(Size::AsName(name)) => names.push(Some(name)),
                schema::Argument::Tensors(many) => names.extend(many.into_iter().map(Some)),
                schema::Argument::SymBool(SymBool::AsName(name)) => names.push(Some(name)),
                schema::Argument::None => names.push(None),
                other => return Err(read.error(format!("its result is {other:?}"))),
            }
        }
        let trained = read.places().any(|place| self.trained[place]);
        if operation.stops && trained {
            return Err(read.error(
                "it stops the gradient of something that a parameter is in, which derivatives here do not: leave \
                 detach and torch.no_grad out of the forward, or freeze the parameters before it"
                    .to_owned(),
            ));
        }
        for name in names {
            let root = match first {
                Some(first) if operation.is_view && !in_place => self.roots[first],
                _ => self.roots.len(),
            };
            let result = name.as_deref().map(|name| self.make_in(name, root, trained)).transpose()?;
            read.results.push(result);
        }
        if in_place {
            let (Some(first), Some(&Some(result))) = (first, read.results.first()) else {
                return Err(read.error("it writes over what is no tensor".to_owned()));
            };
            if let Some((_, source)) = begin.sources.iter().find(|(known, _)| *known == self.roots[first]) {
                let counter = matches!(
                    source,
                    Source::Constant(number) if !begin.tensors.constants[*number].stored.data.dtype().is_float()
                );
                let root = self.roots[first];
                let is_read = before.iter().any(|node| node.places().any(|place| self.roots[place] == root));
                if counter && !is_read {
                    // How many batches a batch norm has seen: nothing is calculated with it.
                    read.results.clear();
                    self.mark_stale(first, None);
                    return Ok(None);
                }
                return Err(read.error("it changes a parameter, a buffer or an input of the network".to_owned()));
            }
            self.mark_stale(first, Some(result));
        }
        Ok(Some(read))
    }

    /// Names of a memory that was written over: those of the place itself mean the result from now on, those of other
    /// views of it nothing.
    fn mark_stale(&mut self, place: usize, result: Option<usize>) {
        let root = self.roots[place];
        for name in self.names.remove(&root).unwrap_or_default() {
            let Some(known) = self.places.get_mut(&name) else { continue };
            match result {
                Some(result) if *known == place && root == place => {
                    *known = result;
                    self.names.entry(result).or_default().push(name);
                }
                _ if Some(*known) != result => {
                    self.stale.insert(name);
                }
                _ => {}
            }
        }
    }

    fn argument(&self, argument: schema::Argument) -> Result<Argument, String> {
        use schema::Argument as From;
        let number = |size: Size| match size {
            Size::AsInt(number) => Ok(Number::Known(number)),
            Size::AsName(name) => self.find(&name).map(Number::Value),
        };
        Ok(match argument {
            From::None => Argument::None,
            From::Tensor(name) => Argument::Value(self.find(&name)?),
            From::Tensors(names) => {
                Argument::Values(names.iter().map(|name| self.find(name).map(Some)).collect::<Result<_, _>>()?)
            }
            From::OptionalTensors(names) => {
                let found = names.iter().map(|name| name.as_deref().map(|name| self.find(name)).transpose());
                Argument::Values(found.collect::<Result<_, _>>()?)
            }
            From::Int(value) => Argument::Int(Number::Known(value)),
            From::Ints(values) => Argument::Ints(values.into_iter().map(Number::Known).collect()),
            From::SymInt(size) => Argument::Int(number(size)?),
            From::SymInts(sizes) => Argument::Ints(sizes.into_iter().map(number).collect::<Result<_, _>>()?),
            From::Float(value) => Argument::Float(value),
            From::Floats(values) => Argument::Floats(values),
            From::Bool(value) | From::SymBool(SymBool::AsBool(value)) => Argument::Bool(value),
            From::SymBool(SymBool::AsName(name)) => Argument::Value(self.find(&name)?),
            From::String(word) => Argument::Word(word),
            From::ScalarType(dtype) => Argument::Type(kind(dtype)?),
            From::Place => Argument::Memory,
            From::Other => Argument::Other,
        })
    }

    /// Where the one output is that a user gets.
    fn output(
        &self,
        specs: Vec<OutputSpec>,
        metas: &HashMap<String, TensorMeta>,
        begin: &Begin,
        nodes: &[Node],
    ) -> Result<usize, ExchangeError> {
        let mut found = Vec::new();
        for spec in specs {
            match spec {
                OutputSpec::UserOutput { arg: schema::Argument::Tensor(name) } => found.push(name),
                OutputSpec::UserOutput { arg: schema::Argument::None } => {}
                OutputSpec::BufferMutation { arg, buffer_name } => {
                    self.mutation(&arg.name, &buffer_name, begin, nodes)?;
                }
                other => return Err(ExchangeError::Graph(format!("it has an output that is no tensor: {other:?}"))),
            }
        }
        let [name] = found.as_slice() else {
            return Err(ExchangeError::Graph(format!(
                "it has {} outputs ({}), where a network here has one; export a module whose forward returns it alone",
                found.len(),
                found.join(", ")
            )));
        };
        let place = self.find(name).map_err(ExchangeError::Graph)?;
        let meta = metas.get(name).ok_or_else(|| ExchangeError::Graph(format!("nothing is known of `{name}`")))?;
        if kind(meta.dtype) != Ok(Kind::Float) {
            return Err(ExchangeError::Graph(format!("its output `{name}` is not made of floats")));
        }
        Ok(place)
    }

    /// A buffer may be changed by a batch norm, and count.
    fn mutation(&self, value: &str, buffer: &str, begin: &Begin, nodes: &[Node]) -> Result<(), ExchangeError> {
        let place = self.places.get(value).copied();
        // A counter that only counts: its new value is read by nobody, and its old one by nobody else.
        let whole = begin.weights.get(buffer).is_some_and(|stored| !stored.data.dtype().is_float());
        let maker = nodes.iter().find(|node| place.is_some() && node.results.contains(&place));
        let alone = maker.is_some_and(|maker| {
            maker.places().all(|read| nodes.iter().filter(|node| node.places().any(|place| place == read)).count() == 1)
        });
        let unread = place.is_some_and(|place| !nodes.iter().any(|node| node.places().any(|read| read == place)));
        let counts = whole && alone && unread;
        let by_norm = nodes
            .iter()
            .any(|node| node.argument("running_mean").is_some() && place.is_some() && node.results.contains(&place));
        if counts || by_norm {
            return Ok(());
        }
        Err(ExchangeError::Graph(format!(
            "its forward changes the buffer `{buffer}`; of such buffers only the running statistics of a batch norm \
             are kept"
        )))
    }
}

/// Operations that look at values and leave them as they are.
const WITHOUT_EFFECT: &[&str] = &[
    "torch.ops.aten._assert_tensor_metadata",
    "torch.ops.aten._assert_scalar",
    "torch.ops.aten.sym_constrain_range",
    "torch.ops.aten._assert_async",
];

/// Which node it is, and in which module of the network.
fn place(name: &str, metadata: &HashMap<String, String>) -> String {
    // Entries `key,path,class`, from the network to the innermost module.
    let stack = metadata.get("nn_module_stack").map_or("", String::as_str);
    let module = stack.rsplit(';').next().and_then(|entry| entry.split(',').nth(1)).unwrap_or("");
    match (name, module) {
        ("", "") => "a node without a name".to_owned(),
        (name, "") => format!("node {name}"),
        (name, module) => format!("node {name} in module {module}"),
    }
}

/// Every node frees what is read for the last time there.
fn free(nodes: &mut [Node], slots: usize, output: usize) {
    let mut last: Vec<Option<usize>> = vec![None; slots];
    for (number, node) in nodes.iter().enumerate() {
        for place in node.results.iter().flatten().copied().chain(node.places()) {
            last[place] = Some(number);
        }
    }
    for (place, number) in last.into_iter().enumerate() {
        if let Some(number) = number.filter(|_| place != output) {
            nodes[number].frees.push(place);
        }
    }
}
