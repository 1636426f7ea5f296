//! A program at a point: evaluated once, with what the rules need kept, and the three passes over it.
//!
//! With `ẋ` the tangent of a value, `x̄` its cotangent and `x̄̇` the tangent of the cotangent, the rules are
//!
//! | kind | push | pull | bend: pull of `ȳ̇`, and |
//! |---|---|---|---|
//! | elementwise `y = f(x)` | `ẏ = f′ ẋ` | `x̄ = f′ ȳ` | `f″ ȳ ẋ` |
//! | bilinear `y = B(a, b)` | `ẏ = B(ȧ, b) + B(a, ḃ)` | `ā = B₁(b, ȳ)`, `b̄ = B₂(a, ȳ)` | `B₁(ḃ, ȳ)` and `B₂(ȧ, ȳ)` |
//! | linear `y = A x` | `ẏ = A ẋ` | `x̄ = Aᵀ ȳ` | nothing |
//!
//! with `B₁`, `B₂` the faces of `B` (see [`crate::operation::Bilinear`]).

use std::sync::Arc;

use crate::array::Array;
use crate::function::Order;
use crate::operation::{Coefficient, Face, Operation, jet};
use crate::program::Program;
use crate::value::{Value, sum};

/// Values of a program's leaves.
pub struct Leaves {
    pub parameters: Vec<Array>,
    pub inputs: Vec<Value>,
}

/// What a node keeps for the rules.
enum Kept {
    Nothing,
    /// f′ and f″, with a block axis if the flag says so.
    Function {
        slope: Coefficient,
        curvature: Coefficient,
        block: bool,
    },
    /// Both operands of a bilinear operation.
    Factors(Value, Value),
    /// The index or mask of a linear operation.
    Auxiliary(Value),
}

/// A program evaluated at a point.
pub struct Point {
    pub program: Arc<Program>,
    active: Arc<[bool]>,
    kept: Vec<Kept>,
    /// The value of the program.
    pub output: Value,
}

/// One value for each node, where there is one.
pub type Values = Vec<Option<Value>>;

/// A reverse pass: what to add to the pull, and what to write down on the way.
#[derive(Default)]
pub struct Reverse<'a> {
    /// Cotangents and tangents of a point, for the second-order terms of `bend`.
    pub second: Option<(&'a Values, &'a Values)>,
    /// Operands (node, position) whose cotangents are not wanted.
    pub skipped: &'a [(usize, usize)],
}

impl Point {
    /// Evaluates the program; `active` tells which nodes depend on a variable.
    pub fn evaluate(program: &Arc<Program>, active: &Arc<[bool]>, leaves: &Leaves, order: Order) -> Self {
        let mut uses = program.uses();
        let mut values: Values = vec![None; program.nodes.len()];
        let mut kept = Vec::with_capacity(program.nodes.len());
        for (index, node) in program.nodes.iter().enumerate() {
            let needed = if active[index] { order } else { Order::Value };
            let (value, keep) = {
                let operands: Vec<&Value> = node.operands.iter().filter_map(|&x| values[x].as_ref()).collect();
                match &node.operation {
                    Operation::Parameter(parameter) => {
                        (Value::one(leaves.parameters[*parameter].clone()), Kept::Nothing)
                    }
                    Operation::Input(input) => (leaves.inputs[*input].clone(), Kept::Nothing),
                    Operation::Elementwise(function) if needed > Order::Value => {
                        let block = operands[0].block;
                        let jet = jet(function, operands[0].array.clone(), needed);
                        let keep = Kept::Function { slope: jet.slope, curvature: jet.curvature, block };
                        (Value { array: jet.value, block }, keep)
                    }
                    operation => {
                        let keep = match operation {
                            Operation::Bilinear(_) if needed > Order::Value => {
                                Kept::Factors(operands[0].clone(), operands[1].clone())
                            }
                            Operation::Linear(linear) if needed > Order::Value && linear.has_auxiliary() => {
                                operands.last().map_or(Kept::Nothing, |&last| Kept::Auxiliary(last.clone()))
                            }
                            _ => Kept::Nothing,
                        };
                        let value = operation.evaluate(&operands, &program.shapes(index));
                        // Masks become floats of the type they were recorded in, which need not be the program's.
                        (if node.dtype.is_float() { value.map(|array| array.cast(node.dtype)) } else { value }, keep)
                    }
                }
            };
            values[index] = Some(value);
            kept.push(keep);
            for &operand in &node.operands {
                uses[operand] -= 1;
                if uses[operand] == 0 {
                    values[operand] = None;
                }
            }
        }
        let Some(output) = values[program.output].take() else { unreachable!("the output is a node of the program") };
        Self { program: program.clone(), active: active.clone(), kept, output }
    }

    /// Tangents of all nodes from those of the leaves, `None` standing for zero. With `keep` they all stay for
    /// [`Reverse::second`]; otherwise only the output's does.
    pub fn push(&self, leaf: impl Fn(&Operation) -> Option<Value>, keep: bool) -> Values {
        let program = &self.program;
        let mut uses = program.uses();
        let mut tangents: Values = vec![None; program.nodes.len()];
        for (index, node) in program.nodes.iter().enumerate() {
            if self.active[index] {
                let shapes = program.shapes(index);
                let of = |position: usize| tangents[node.operands[position]].clone();
                tangents[index] = match (&node.operation, &self.kept[index]) {
                    (Operation::Parameter(_) | Operation::Input(_), _) => leaf(&node.operation),
                    (Operation::Elementwise(_), Kept::Function { slope, block, .. }) => {
                        of(0).and_then(|tangent| times(slope, *block, tangent))
                    }
                    (Operation::Bilinear(operation), Kept::Factors(a, b)) => {
                        let first = of(0).map(|tangent| operation.contract(Face::Output, &tangent, b, &shapes));
                        match of(1) {
                            None => first,
                            Some(tangent) => Some(operation.contract_onto(first, Face::Output, a, &tangent, &shapes)),
                        }
                    }
                    (Operation::Linear(operation), keep) => {
                        let floats = node.operands.len() - usize::from(operation.has_auxiliary());
                        operation.apply((0..floats).map(of).collect(), auxiliary(keep), &shapes)
                    }
                    _ => None,
                };
            }
            for &operand in &node.operands {
                uses[operand] -= 1;
                if uses[operand] == 0 && !keep {
                    tangents[operand] = None;
                }
            }
        }
        tangents
    }

    /// The reverse pass from a cotangent of the output; `None` stands for zero. `visit` sees every active node with its
    /// cotangent before it is passed on. Returns the cotangents of the leaves, at their nodes.
    pub fn pull(&self, seed: Option<Value>, reverse: &Reverse, mut visit: impl FnMut(usize, Option<&Value>)) -> Values {
        let program = &self.program;
        let mut cotangents: Values = vec![None; program.nodes.len()];
        cotangents[program.output] = seed;
        for (index, node) in program.nodes.iter().enumerate().rev() {
            if !self.active[index] {
                continue;
            }
            let cotangent = cotangents[index].take();
            visit(index, cotangent.as_ref());
            if node.operands.is_empty() {
                cotangents[index] = cotangent;
                continue;
            }
            for (position, part) in self.pull_node(index, cotangent, reverse) {
                let operand = node.operands[position];
                cotangents[operand] = sum(cotangents[operand].take(), Some(part));
            }
        }
        cotangents
    }

    /// Cotangents of a node's active operands, by position.
    fn pull_node(&self, index: usize, cotangent: Option<Value>, reverse: &Reverse) -> Vec<(usize, Value)> {
        let node = &self.program.nodes[index];
        let shapes = self.program.shapes(index);
        let wanted =
            |position: usize| self.active[node.operands[position]] && !reverse.skipped.contains(&(index, position));
        let tangent = |position: usize| {
            let (_, tangents) = reverse.second?;
            tangents[node.operands[position]].as_ref()
        };
        let adjoint = reverse.second.and_then(|(adjoints, _)| adjoints[index].as_ref());
        let mut parts = Vec::new();
        match (&node.operation, &self.kept[index]) {
            (Operation::Elementwise(_), Kept::Function { slope, curvature, block }) => {
                // The adjoint of an elementwise node is kept as f″ ȳ.
                let second = match (tangent(0), adjoint) {
                    (Some(tangent), Some(adjoint)) if !curvature.is_zero() => Some((tangent, adjoint)),
                    _ => None,
                };
                let part = match (cotangent, slope, second) {
                    (Some(cotangent), Coefficient::Array(slope), Some((tangent, adjoint)))
                        if !(cotangent.block || *block || tangent.block || adjoint.block) =>
                    {
                        let one = |array: Array| array.times_plus(slope, &tangent.array, &adjoint.array);
                        Some(cotangent.map(one))
                    }
                    (cotangent, slope, second) => {
                        let first = cotangent.and_then(|cotangent| times(slope, *block, cotangent));
                        sum(first, second.map(|(tangent, adjoint)| tangent.clone().zip(adjoint.clone(), Array::mul)))
                    }
                };
                parts.extend(part.map(|part| (0, part)));
            }
            (Operation::Bilinear(operation), Kept::Factors(a, b)) => {
                for (position, open) in [Face::First, Face::Second].into_iter().enumerate() {
                    if !wanted(position) {
                        continue;
                    }
                    let other = 1 - position;
                    let first =
                        cotangent.as_ref().map(|cotangent| operation.contract(open, [a, b][other], cotangent, &shapes));
                    let part = match (tangent(other), adjoint) {
                        (Some(tangent), Some(adjoint)) => {
                            Some(operation.contract_onto(first, open, tangent, adjoint, &shapes))
                        }
                        _ => first,
                    };
                    parts.extend(part.map(|part| (position, part)));
                }
            }
            (Operation::Linear(operation), keep) => {
                let Some(cotangent) = cotangent else { return parts };
                let floats = node.operands.len() - usize::from(operation.has_auxiliary());
                for position in (0..floats).filter(|&position| wanted(position)) {
                    let part = operation.pull(position, cotangent.clone(), auxiliary(keep), &shapes);
                    parts.push((position, part));
                }
            }
            _ => {}
        }
        parts
    }

    /// Pulls `seed` back and keeps at every node what the second-order terms need: ȳ at bilinear nodes, f″ ȳ at
    /// elementwise ones. Returns them and the cotangents of the leaves.
    pub fn adjoints(&self, seed: Value) -> (Values, Values) {
        let mut adjoints: Values = vec![None; self.program.nodes.len()];
        let leaves = self.pull(Some(seed), &Reverse::default(), |index, cotangent| {
            adjoints[index] = match (&self.kept[index], cotangent) {
                (Kept::Function { curvature, block, .. }, Some(cotangent)) => {
                    times(curvature, *block, cotangent.clone())
                }
                (Kept::Factors(..), Some(cotangent)) => Some(cotangent.clone()),
                _ => None,
            };
        });
        (adjoints, leaves)
    }

    /// The operands of a bilinear node.
    pub fn factors(&self, node: usize) -> Option<(&Value, &Value)> {
        match &self.kept[node] {
            Kept::Factors(a, b) => Some((a, b)),
            _ => None,
        }
    }
}

fn auxiliary(kept: &Kept) -> Option<&Value> {
    match kept {
        Kept::Auxiliary(value) => Some(value),
        _ => None,
    }
}

/// A coefficient times a value; `None` for zero.
fn times(coefficient: &Coefficient, block: bool, value: Value) -> Option<Value> {
    match coefficient {
        Coefficient::Number(number) if *number == 0.0 => None,
        Coefficient::Number(number) if *number == 1.0 => Some(value),
        Coefficient::Number(number) => Some(value.map(|array| array.scale(*number))),
        Coefficient::Array(array) => Some(value.zip(Value { array: array.clone(), block }, Array::mul)),
    }
}
