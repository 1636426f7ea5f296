//! [`Graph`]: a program of which every name is a place, every operation an entry of the table, every use after its
//! making.

mod begin;
mod input;
mod names;
mod node;
mod reading;
mod tensors;

use std::collections::HashMap;

use crate::archive::Archive;
use crate::argument::Argument;
use crate::array::Array;
use crate::error::ExchangeError;
use crate::operation::{Call, Context, Value};
use crate::schema;

use begin::Begin;
pub use begin::Source;
pub use input::{Axis, Input};
use names::Names;
use node::{Node, Uses};
pub use tensors::{Member, Tensors};

/// A program that can be calculated.
#[derive(Debug)]
pub struct Graph {
    pub nodes: Vec<Node>,
    /// What is known before the first node, and in which place.
    pub sources: HashMap<usize, Source>,
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

impl Graph {
    /// The graph of an archive, and its tensors.
    pub fn of(archive: Archive) -> Result<(Self, Tensors), ExchangeError> {
        let Archive { program, weights, constants, .. } = archive;
        let mut names = Names::default();
        let is_decomposed = !program.verifiers.iter().any(|verifier| verifier == "TRAINING");
        let schema::GraphModule { graph, signature } = program.graph_module;
        let mut begin = Begin { weights, constants, ranges: program.range_constraints, ..Begin::default() };
        if graph.nodes.len() > MOST_NODES || signature.input_specs.len() > MOST_NODES {
            return Err(ExchangeError::Graph(format!("it has more than {MOST_NODES} nodes")));
        }
        for spec in signature.input_specs {
            begin.input(spec, &graph.tensor_values, &mut names)?;
        }
        let mut nodes: Vec<Node> = Vec::with_capacity(graph.nodes.len());
        for node in graph.nodes {
            let read = names.node(node, &begin)?;
            nodes.extend(read);
        }
        let uses = Uses::of(&nodes, names.roots.len());
        let output = names.output(signature.output_specs, &graph.tensor_values, &begin, &nodes, &uses)?;
        if begin.inputs.is_empty() {
            return Err(ExchangeError::Graph("the program has no input".to_owned()));
        }
        begin.find_statistics(&nodes)?;
        begin.find_rows(&nodes, &uses);
        let padding = begin.padding(&nodes, &uses)?;
        let slots = names.roots.len();
        free(&mut nodes, slots, output);
        let Begin { sources, inputs, tensors, .. } = begin;
        Ok((Self { nodes, sources, slots, output, inputs, is_decomposed, padding }, tensors))
    }

    /// Whether training drops numbers at random.
    pub fn drops(&self) -> bool {
        self.nodes.iter().any(Node::drops)
    }

    /// The output, where sources have these values; shows every value to `see`.
    pub fn evaluate(
        &self,
        value: impl Fn(Source) -> Result<Value, ExchangeError>,
        context: &Context,
        see: &mut dyn FnMut(&Array),
    ) -> Result<Array, ExchangeError> {
        let mut values: Vec<Option<Value>> = vec![None; self.slots];
        for (&place, &source) in &self.sources {
            values[place] = Some(value(source)?);
        }
        for node in &self.nodes {
            let call = Call { arguments: &node.arguments, values: &values, context };
            let mut results = (node.operation.apply)(&call).map_err(|problem| node.error(problem))?;
            // Memory keeps its type.
            if node.in_place
                && let Some((_, Argument::Value(first))) = node.arguments.first()
                && let (Some(Value::Array(first)), Some(Value::Array(result))) = (&values[*first], results.first_mut())
            {
                *result = call.cast(result.clone(), first.kind());
            }
            if results.len() < node.results.len() {
                return Err(node.error(format!(
                    "{} results where {} are asked for",
                    results.len(),
                    node.results.len()
                )));
            }
            for (place, result) in node.results.iter().zip(results) {
                if let Value::Array(array) = &result {
                    see(array);
                }
                if let Some(place) = place {
                    values[*place] = Some(result);
                }
            }
            for &place in &node.frees {
                values[place] = None;
            }
        }
        match values[self.output].take() {
            Some(Value::Array(array)) => Ok(array),
            _ => Err(ExchangeError::Graph("its output has no value".to_owned())),
        }
    }
}

/// The most nodes and inputs of a program: a network of a thousand layers has a tenth of them.
const MOST_NODES: usize = 50_000;

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
