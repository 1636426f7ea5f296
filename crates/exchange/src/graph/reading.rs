//! Nodes and outputs of a program are read: their names become places.

use std::collections::{BTreeSet, HashMap};

use super::begin::{Begin, Source};
use super::input::kind;
use super::names::Names;
use super::node::{Node, Uses};
use crate::argument::{Argument, Number};
use crate::array::Kind;
use crate::error::ExchangeError;
use crate::operation;
use crate::schema::{self, OutputSpec, Size, SymBool, SymFloat, TensorMeta};

impl Names {
    /// The node; none where it changes nothing that is looked at.
    pub fn node(&mut self, node: schema::Node, begin: &Begin) -> Result<Option<Node>, ExchangeError> {
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
            in_place,
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
                schema::Argument::SymBool(SymBool::AsName(name))
                | schema::Argument::SymFloat(SymFloat::AsName(name)) => {
                    names.push(Some(name));
                }
                schema::Argument::None => names.push(None),
                other => return Err(read.error(format!("its result is {other:?}"))),
            }
        }
        let trained = read.places().any(|place| self.trained[place]);
        for root in read.places().map(|place| self.roots[place]).collect::<BTreeSet<_>>() {
            *self.readers.entry(root).or_default() += 1;
        }
        if let Some(name) = operation.places
            && let Some(argument) = read.argument(name)
            && argument.values().into_iter().any(|place| self.trained[place] && !self.ranks.contains(&place))
        {
            return Err(read.error(
                "weights decide which elements it chooses, so that the function jumps and may end: choose by argmax or \
                 topk, or by inputs"
                    .to_owned(),
            ));
        }
        let ranks = operation.ranks
            || (operation.is_view || ["clone", "_to_copy"].contains(&operation.name))
                && first.is_some_and(|first| self.ranks.contains(&first));
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
            self.ranks.extend(result.filter(|_| ranks));
            read.results.push(result);
        }
        if in_place {
            let (Some(first), Some(&Some(result))) = (first, read.results.first()) else {
                return Err(read.error("it writes over what is no tensor".to_owned()));
            };
            if let Some(source) = begin.sources.get(&self.roots[first]) {
                let counter = matches!(
                    source,
                    Source::Constant(number) if !begin.tensors.constants[*number].stored.data.dtype().is_float()
                );
                // This node reads it, too.
                if counter && self.readers[&self.roots[first]] == 1 {
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
            From::SymFloat(SymFloat::AsFloat(value)) => Argument::Float(value),
            From::SymBool(SymBool::AsName(name)) | From::SymFloat(SymFloat::AsName(name)) => {
                Argument::Value(self.find(&name)?)
            }
            From::String(word) => Argument::Word(word),
            From::ScalarType(dtype) => Argument::Type(kind(dtype)?),
            From::Place => Argument::Memory,
            From::Other => Argument::Other,
        })
    }

    /// Where the one output is that a user gets.
    pub fn output(
        &self,
        specs: Vec<OutputSpec>,
        metas: &HashMap<String, TensorMeta>,
        begin: &Begin,
        nodes: &[Node],
        uses: &Uses,
    ) -> Result<usize, ExchangeError> {
        let mut found = Vec::new();
        for spec in specs {
            match spec {
                OutputSpec::UserOutput { arg: schema::Argument::Tensor(name) } => found.push(name),
                OutputSpec::UserOutput { arg: schema::Argument::None } => {}
                OutputSpec::BufferMutation { arg, buffer_name } => {
                    self.mutation(&arg.name, &buffer_name, begin, nodes, uses)?;
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
    fn mutation(
        &self,
        value: &str,
        buffer: &str,
        begin: &Begin,
        nodes: &[Node],
        uses: &Uses,
    ) -> Result<(), ExchangeError> {
        let place = self.places.get(value).copied();
        let maker = place.and_then(|place| uses.makers[place]).map(|maker| &nodes[maker]);
        // A counter that only counts: its new value is read by nobody, and its old one by nobody else.
        let whole = begin.weights.get(buffer).is_some_and(|stored| !stored.data.dtype().is_float());
        let alone = maker.is_some_and(|maker| maker.places().all(|read| uses.readers[read] == 1));
        let counts = whole && alone && place.is_some_and(|place| uses.readers[place] == 0);
        let by_norm = maker.is_some_and(|maker| maker.argument("running_mean").is_some());
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
