//! A module's forward as a list of operations, readable and without anything that does not reach the output.

use std::collections::BTreeSet;
use std::fmt;

use burn::tensor::DType;

use crate::TangentError;
use crate::array::Array;
use crate::function::{Elementwise, Order, Step};
use crate::operation::{Bilinear, Discrete, Face, Linear, Operation, Shapes, jet};
use crate::value::Value;

/// A forward in static single assignment: every operation is calculated from earlier ones, shapes and element types are
/// known.
///
/// [`Display`](fmt::Display) prints one line an operation:
///
/// ```text
/// %0 = hidden.weight : [64, 512] f32
/// %1 = x0 : [100, 64] f32
/// %2 = matmul(%1, %0) : [100, 512] f32
/// %3 = tanh(%2) : [100, 512] f32
/// output %3
/// ```
#[derive(Clone, Debug)]
pub struct Program {
    pub(crate) nodes: Vec<Node>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) output: usize,
    /// What the batch has in the place of running statistics.
    pub(crate) statistics: Vec<Statistic>,
    /// Names of the registry's entries it was written with.
    pub(crate) entries: BTreeSet<&'static str>,
}

/// A parameter of the module: a float tensor, in the order in which Burn visits them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Parameter {
    /// Names of the fields on the way to it, joined by dots: `encoder.layer.weight`.
    pub path: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its element type.
    pub dtype: DType,
    /// Whether it requires gradients; a frozen parameter is held fixed.
    pub trainable: bool,
}

/// What a batch has in the place of a running statistic.
#[derive(Clone, Copy, Debug)]
pub struct Statistic {
    /// The running statistic, among the parameters.
    pub parameter: usize,
    /// The node with the batch's.
    pub node: usize,
}

/// One operation with its operands, and the shape and type of its result.
#[derive(Clone, Debug)]
pub struct Node {
    pub operation: Operation,
    pub operands: Vec<usize>,
    pub shape: Vec<usize>,
    pub dtype: DType,
}

impl Program {
    /// Number of operations, leaves included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no operations; a program always has an output, so this is false.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The module's float parameters, in its own order; trainable ones make up the flat vector.
    #[must_use]
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Names of Burn's operations it was written from, as in [`operations`](crate::operations).
    pub fn operations(&self) -> impl Iterator<Item = &'static str> {
        self.entries.iter().copied()
    }

    /// Shape of the output.
    #[must_use]
    pub fn output_shape(&self) -> &[usize] {
        &self.nodes[self.output].shape
    }

    pub(crate) fn shapes(&self, index: usize) -> Shapes<'_> {
        let node = &self.nodes[index];
        let operands = node.operands.iter().map(|&operand| self.nodes[operand].shape.as_slice()).collect();
        Shapes { operands, output: &node.shape }
    }

    /// For every node, whether it depends on a leaf that `variable` names, through operations with derivatives.
    pub(crate) fn active(&self, variable: impl Fn(&Operation) -> bool) -> Vec<bool> {
        let mut active = vec![false; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            active[index] = match node.operation {
                Operation::Parameter(_) | Operation::Input(_) => node.dtype.is_float() && variable(&node.operation),
                Operation::Constant(_) | Operation::Discrete(_) => false,
                _ => node.operands.iter().any(|&operand| active[operand]),
            };
        }
        active
    }

    /// How often each node is read, the output and statistics once more.
    pub(crate) fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.nodes.len()];
        for &operand in self.nodes.iter().flat_map(|node| &node.operands) {
            uses[operand] += 1;
        }
        self.outputs().for_each(|output| uses[output] += 1);
        uses
    }

    /// The nodes that are wanted: the output, and statistics.
    fn outputs(&self) -> impl Iterator<Item = usize> {
        [self.output].into_iter().chain(self.statistics.iter().map(|statistic| statistic.node))
    }

    /// The program with all its floats of one type.
    pub(crate) fn in_precision(mut self, dtype: DType) -> Self {
        for node in self.nodes.iter_mut().filter(|node| node.dtype.is_float()) {
            node.dtype = dtype;
            match &mut node.operation {
                Operation::Constant(array) => *array = array.clone().cast(dtype),
                Operation::Linear(Linear::Cast { from, to }) => (*from, *to) = (dtype, dtype),
                _ => {}
            }
        }
        self
    }

    /// The program without nodes that the output does not need.
    fn pruned(mut self) -> Self {
        let mut needed = vec![false; self.nodes.len()];
        self.outputs().for_each(|output| needed[output] = true);
        for index in (0..self.nodes.len()).rev() {
            if needed[index] {
                for &operand in &self.nodes[index].operands {
                    needed[operand] = true;
                }
            }
        }
        let mut position = vec![0; self.nodes.len()];
        let mut nodes = Vec::new();
        for (index, mut node) in self.nodes.into_iter().enumerate() {
            if needed[index] {
                for operand in &mut node.operands {
                    *operand = position[*operand];
                }
                position[index] = nodes.len();
                nodes.push(node);
            }
        }
        self.nodes = nodes;
        self.output = position[self.output];
        self.statistics.iter_mut().for_each(|statistic| statistic.node = position[statistic.node]);
        self
    }

    /// Pruned, and with elementwise operations of one variable merged into one node: `x · sigmoid(x)` is one function
    /// with its own f′ and f″, so that push, pull and bend multiply once where they would have followed every step.
    pub(crate) fn simplified(self) -> Self {
        self.pruned().fused().pruned()
    }

    fn fused(mut self) -> Self {
        let pointwise = |nodes: &[Node], index: usize| {
            matches!(
                nodes[index].operation,
                Operation::Elementwise(_)
                    | Operation::Linear(Linear::Add | Linear::Subtract)
                    | Operation::Bilinear(Bilinear::Multiply)
            )
        };
        // A node may disappear into its readers when all of them are pointwise; the root of a function may not.
        let mut readers = vec![Vec::new(); self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            for &operand in &node.operands {
                readers[operand].push(index);
            }
        }
        let merges = |index: usize| {
            !self.outputs().any(|output| output == index)
                && !readers[index].is_empty()
                && readers[index].iter().all(|&reader| pointwise(&self.nodes, reader))
        };
        let mut functions: Vec<Option<Function>> = Vec::with_capacity(self.nodes.len());
        for index in 0..self.nodes.len() {
            functions.push(if pointwise(&self.nodes, index) {
                Function::of(&self.nodes[index], |operand| {
                    functions[operand].as_ref().filter(|_| merges(operand)).cloned()
                })
            } else {
                None
            });
        }
        for (index, function) in functions.into_iter().enumerate() {
            let Some(Function { root, steps }) = function else { continue };
            let function = match steps.as_slice() {
                [Step::Apply(function, _)] => function.clone(),
                _ => Elementwise::Composite(steps),
            };
            self.nodes[index].operation = Operation::Elementwise(function);
            self.nodes[index].operands = vec![root];
        }
        self
    }
}

/// A node as a function of one other node, its root.
#[derive(Clone)]
struct Function {
    root: usize,
    steps: Vec<Step>,
}

impl Function {
    /// Longest function that is built; longer chains are cut into several.
    const MAX_STEPS: usize = 24;

    /// The node as a function of one root, with those operands written out that `inner` knows as functions. `None` if
    /// its operands have different roots.
    fn of(node: &Node, inner: impl Fn(usize) -> Option<Self>) -> Option<Self> {
        let operand = |index: usize| inner(index).unwrap_or(Self { root: index, steps: Vec::new() });
        match (&node.operation, node.operands.as_slice()) {
            (Operation::Elementwise(function), [x]) => {
                let mut x = operand(*x);
                if x.steps.len() >= Self::MAX_STEPS {
                    x = Self { root: node.operands[0], steps: Vec::new() };
                }
                x.apply(function.clone());
                Some(x)
            }
            (operation, [a, b]) => {
                let candidates =
                    [(operand(*a), operand(*b)), (operand(*a), Self::root(*b)), (Self::root(*a), operand(*b))];
                let (a, b) = candidates
                    .into_iter()
                    .find(|(a, b)| a.root == b.root && a.steps.len() + b.steps.len() < Self::MAX_STEPS)?;
                // Steps that both begin with are taken once.
                let common = a.steps.iter().zip(&b.steps).take_while(|(a, b)| a == b).count();
                let offset = a.steps.len() - common;
                let mut steps = a.steps;
                let left = steps.len();
                let moved = |register: usize| if register <= common { register } else { register + offset };
                let right = moved(b.steps.len());
                steps.extend(b.steps.into_iter().skip(common).map(|step| match step {
                    Step::Apply(function, x) => Step::Apply(function, moved(x)),
                    Step::Add(x, y) => Step::Add(moved(x), moved(y)),
                    Step::Subtract(x, y) => Step::Subtract(moved(x), moved(y)),
                    Step::Multiply(x, y) => Step::Multiply(moved(x), moved(y)),
                }));
                steps.push(match operation {
                    Operation::Bilinear(_) => Step::Multiply(left, right),
                    Operation::Linear(Linear::Subtract) => Step::Subtract(left, right),
                    _ => Step::Add(left, right),
                });
                Some(Self { root: a.root, steps })
            }
            _ => None,
        }
    }

    fn root(index: usize) -> Self {
        Self { root: index, steps: Vec::new() }
    }

    /// Appends `f` of the last register.
    ///
    /// `1/(1 + eᵃ)` is written as the logistic function of `−a`, whose slope `y (1 − y)` stays finite where `eᵃ`
    /// overflows: the chain rule multiplies the zero of `1/(1 + eᵃ)²` with infinity there. `1 − 2σ(−2a)` is tanh a,
    /// one function for four.
    fn apply(&mut self, f: Elementwise) {
        let last = self.steps.len();
        match (self.steps.as_slice(), &f) {
            ([.., Step::Apply(Elementwise::Exp, a), Step::Apply(Elementwise::Shift(1.0), e)], Elementwise::Recip)
                if *e + 1 == last && *a + 2 == last =>
            {
                self.steps.truncate(last - 2);
                self.apply(Elementwise::Scale(-1.0));
                self.apply(Elementwise::Sigmoid);
            }
            (
                [
                    ..,
                    Step::Apply(Elementwise::Scale(-2.0), a),
                    Step::Apply(Elementwise::Sigmoid, b),
                    Step::Apply(Elementwise::Scale(-2.0), c),
                ],
                Elementwise::Shift(1.0),
            ) if *a + 3 == last && *b + 2 == last && *c + 1 == last => {
                self.steps.truncate(last - 3);
                self.steps.push(Step::Apply(Elementwise::Tanh, last - 3));
            }
            ([.., Step::Apply(Elementwise::Scale(c), x)], Elementwise::Scale(-1.0)) if *x + 1 == last => {
                let c = -c;
                self.steps.pop();
                if c != 1.0 {
                    self.steps.push(Step::Apply(Elementwise::Scale(c), last - 1));
                }
            }
            _ => self.steps.push(Step::Apply(f, last)),
        }
    }
}

impl Operation {
    /// The value of an operation; leaves have none of their own.
    pub(crate) fn evaluate(&self, operands: &[&Value], shapes: &Shapes) -> Value {
        match self {
            Self::Elementwise(function) => operands[0].clone().map(|x| jet(function, x, Order::Value).value),
            Self::Bilinear(operation) => operation.contract(Face::Output, operands[0], operands[1], shapes),
            Self::Linear(operation) => {
                let (auxiliary, operands) = match operands.split_last() {
                    Some((last, rest)) if operation.has_auxiliary() => (Some(*last), rest),
                    _ => (None, operands),
                };
                let operands = operands.iter().map(|&operand| Some(operand.clone())).collect();
                let Some(value) = operation.apply(operands, auxiliary, shapes) else {
                    unreachable!("all operands are there")
                };
                value
            }
            Self::Discrete(operation) => Discrete::apply(operation, operands.iter().map(|&x| x.clone()).collect()),
            Self::Constant(array) => Value::one(array.clone()),
            Self::Parameter(_) | Self::Input(_) => unreachable!("leaves are given"),
        }
    }
}

/// Writes a program, folding what is already known.
pub struct Builder {
    pub nodes: Vec<Node>,
}

impl Builder {
    pub fn constant(&mut self, array: Array) -> usize {
        let (shape, dtype) = (array.shape(), array.dtype());
        self.push(Operation::Constant(array), Vec::new(), shape, dtype)
    }

    /// Adds an operation; one whose operands are all constants is calculated here and now.
    pub fn push(&mut self, operation: Operation, operands: Vec<usize>, shape: Vec<usize>, dtype: DType) -> usize {
        let constants: Option<Vec<Value>> = operands
            .iter()
            .map(|&operand| match &self.nodes[operand].operation {
                Operation::Constant(array) => Some(Value::one(array.clone())),
                _ => None,
            })
            .collect();
        let node = match constants {
            Some(constants) if !constants.is_empty() => {
                let shapes = Shapes {
                    operands: operands.iter().map(|&operand| self.nodes[operand].shape.as_slice()).collect(),
                    output: &shape,
                };
                let value = operation.evaluate(&constants.iter().collect::<Vec<_>>(), &shapes);
                Node { operation: Operation::Constant(value.array), operands: Vec::new(), shape, dtype }
            }
            _ => Node { operation, operands, shape, dtype },
        };
        self.nodes.push(node);
        self.nodes.len() - 1
    }
}

impl Program {
    /// The program, unless an operation takes numbers of different float types.
    pub(crate) fn of_one_type(self) -> Result<Self, TangentError> {
        for node in self.nodes.iter().filter(|node| !matches!(node.operation, Operation::Discrete(_))) {
            let mut floats = node.operands.iter().filter(|&&operand| self.nodes[operand].dtype.is_float());
            let Some(&first) = floats.next() else { continue };
            if let Some(&other) = floats.find(|&&other| self.nodes[other].dtype != self.nodes[first].dtype) {
                return Err(TangentError::Types(Box::new(
                    [first, other].map(|at| (self.origin(at), self.nodes[at].dtype)),
                )));
            }
        }
        Ok(self)
    }

    /// What a value comes from, in words, seen through changes of its shape.
    fn origin(&self, mut index: usize) -> String {
        while let (Operation::Linear(_), [operand]) = (&self.nodes[index].operation, &*self.nodes[index].operands) {
            index = *operand;
        }
        match &self.nodes[index].operation {
            Operation::Parameter(parameter) => format!("the parameter {}", self.parameters[*parameter].path),
            Operation::Input(input) => format!("input {input}"),
            Operation::Constant(_) => "a constant".to_owned(),
            _ => "a value of the forward".to_owned(),
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, node) in self.nodes.iter().enumerate() {
            write!(f, "%{index} = ")?;
            match &node.operation {
                Operation::Parameter(parameter) => {
                    let Parameter { path, trainable, .. } = &self.parameters[*parameter];
                    write!(f, "{path}{}", if *trainable { "" } else { " (frozen)" })?;
                }
                Operation::Input(input) => write!(f, "x{input}")?,
                Operation::Constant(_) => write!(f, "constant")?,
                operation => {
                    let operands: Vec<_> = node.operands.iter().map(|operand| format!("%{operand}")).collect();
                    write!(f, "{operation}({})", operands.join(", "))?;
                }
            }
            writeln!(f, " : {:?} {}", node.shape, format!("{:?}", node.dtype).to_lowercase())?;
        }
        write!(f, "output %{}", self.output)
    }
}
