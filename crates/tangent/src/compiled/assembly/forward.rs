//! The way forward: a node's value, by instructions on memory.

use super::super::instruction::{Instruction, Place, Span, Stretched, View};
use super::normalization::{Normalization, Normalized};
use super::{Kept, Planner, runs};
use crate::array::Arithmetic;
use crate::function::Elementwise;
use crate::host::Convolution;
use crate::operation::{Bilinear, Discrete, Face, Linear, Operation};
use crate::program::Node;

impl Planner<'_> {
    pub(super) fn forward(&mut self, index: usize) -> Option<View> {
        let node = &self.program.nodes[index];
        if let Some(normalization) = self.normalizations[index].clone() {
            return Some(self.normalize(index, &normalization)?.view(&node.shape));
        }
        if self.inner[index] {
            // No memory: nobody reads it.
            return Some(View::dense(Place::Parameters, 0, &[0]));
        }
        let operand = |position: usize| self.values[node.operands[position]].clone();
        let shape = node.shape.as_slice();
        Some(match &node.operation {
            Operation::Parameter(parameter) => View::dense(Place::Parameters, self.starts[*parameter], shape),
            Operation::Input(input) => View::dense(Place::Input(*input), 0, shape),
            Operation::Constant(array) => self.constant(array.numbers(), shape),
            Operation::Elementwise(function) => self.function(index, function),
            Operation::Bilinear(Bilinear::Matmul) if shape.len() == 2 => {
                let (a, b) = (operand(0), operand(1));
                let (a, b) = (self.matrix(&a), self.matrix(&b));
                let out = self.buffer(shape);
                self.instructions.push(Instruction::Product {
                    out: out.clone(),
                    a: a.clone(),
                    b: b.clone(),
                    add: false,
                });
                self.kept[index] = Kept::Factors(a, b);
                out
            }
            Operation::Bilinear(Bilinear::Matmul) => {
                let (a, b) = (operand(0), operand(1));
                let (a, b) = (self.stack(&a), self.stack(&b));
                let out = self.new_span(shape.iter().product());
                self.instructions.push(Instruction::Products { out, a: a.clone(), b: b.clone(), add: false });
                self.kept[index] = Kept::Factors(a, b);
                out.view(shape)
            }
            Operation::Bilinear(Bilinear::Convolution(_) | Bilinear::TransposedConvolution(_)) => {
                let (a, b) = (operand(0), operand(1));
                let (a, b) = (self.span(&a), self.span(&b));
                let out = self.new_span(shape.iter().product());
                self.convolution(index, Face::Output, out, [a, b], false)?;
                let [first, second] = [0, 1].map(|operand| self.shape(node.operands[operand]));
                self.kept[index] = Kept::Factors(a.view(first), b.view(second));
                out.view(shape)
            }
            Operation::Bilinear(Bilinear::Multiply) => {
                let (a, b) = (operand(0), operand(1));
                let out = self.combined(Arithmetic::Multiply, &a, &b);
                self.kept[index] = Kept::Factors(a, b);
                out
            }
            Operation::Linear(linear) => match linear {
                Linear::Add => self.combined(Arithmetic::Add, &operand(0), &operand(1)),
                Linear::Subtract => self.combined(Arithmetic::Subtract, &operand(0), &operand(1)),
                Linear::Reshape => self.span(&operand(0)).view(shape),
                Linear::Permute(axes) => operand(0).permuted(axes),
                Linear::Expand => operand(0).expanded(shape),
                Linear::Sum(axes) => {
                    let sum = self.summed(&operand(0), axes);
                    self.span(&sum).view(shape)
                }
                Linear::AveragePool(window) => {
                    let x = operand(0);
                    let pool = window.inside(*x.shape().last_chunk()?)?;
                    let (out, x) = (self.new_span(shape.iter().product()), self.span(&x));
                    self.instructions.push(Instruction::Pool { out, x, pool });
                    out.view(shape)
                }
                Linear::Slice(ranges) => operand(0).part(ranges)?,
                Linear::Concatenate(axis) => {
                    let operands: Vec<View> = (0..node.operands.len()).map(operand).collect();
                    let out = self.buffer(shape);
                    let mut start = 0;
                    for x in operands {
                        let mut from = vec![0; shape.len()];
                        from[*axis] = start;
                        start += x.shape()[*axis];
                        let part = View { place: out.place, layout: out.layout.part(&from, x.shape()) };
                        let x = self.span(&x);
                        self.instructions.push(Instruction::Assign { out: part, x, add: false });
                    }
                    out
                }
                Linear::Select(0) => {
                    let (x, at) = (operand(0), operand(1));
                    let (x, at) = (self.span(&x), self.span(&at));
                    let out = self.new_span(shape.iter().product());
                    let width = shape[1..].iter().product();
                    self.instructions.push(Instruction::Rows { out, x, at, width });
                    self.kept[index] = Kept::Positions(at);
                    out.view(shape)
                }
                Linear::Gather(axis) if axis + 1 == shape.len() => {
                    let (x, at) = (operand(0), operand(1));
                    let sizes = [*x.shape().last()?, *shape.last()?];
                    if x.shape()[..*axis] != shape[..*axis] {
                        return None;
                    }
                    let (x, at) = (self.span(&x), self.span(&at));
                    let out = self.new_span(shape.iter().product());
                    self.instructions.push(Instruction::Gather { out, x, at, sizes });
                    self.kept[index] = Kept::Positions(at);
                    out.view(shape)
                }
                _ => return None,
            },
            Operation::Discrete(Discrete::Max(axis)) => {
                let x = operand(0);
                let axis = *runs(x.shape(), &[*axis]).first()?;
                let (x, out) = (self.span(&x), self.buffer(shape));
                self.instructions.push(Instruction::Max { out: out.span()?, x, axis });
                out
            }
            Operation::Discrete(Discrete::MaxPositions(window)) => {
                let x = operand(0);
                let pool = window.inside(*x.shape().last_chunk()?)?;
                // Floats hold whole numbers up to here.
                if pool.input[0].checked_mul(pool.input[1])? > 1 << 24 {
                    return None;
                }
                let (x, out) = (self.span(&x), self.new_span(shape.iter().product()));
                self.instructions.push(Instruction::MaxPositions { out, x, pool });
                out.view(shape)
            }
            Operation::Discrete(Discrete::Named { .. }) => return None,
        })
    }

    /// `f(x)`. What is added below it, and what is multiplied below that, is taken along where nobody else reads it,
    /// and the value takes the place of a product of matrices in memory.
    fn function(&mut self, index: usize, function: &Elementwise) -> View {
        let shape = self.shape(index).to_vec();
        let (x, scale, shift, in_place) = self.argument(self.program.nodes[index].operands[0]);
        let value = if in_place { x } else { self.new_span(x.length) };
        self.kept[index] = match function.constant_slope() {
            Some(slope) => Kept::Number(slope),
            None if !self.active[index] => Kept::Nothing,
            None if function.has_slope_of_value() => Kept::Value(function.clone(), value),
            None => Kept::Slope(self.new_span(value.length)),
        };
        let slope = match self.kept[index] {
            Kept::Slope(slope) => Some(slope),
            _ => None,
        };
        let x = (!in_place).then_some(x);
        self.instructions.push(Instruction::Function { function: function.clone(), x, scale, shift, value, slope });
        value.view(&shape)
    }

    /// A node as `scale ∘ x + shift`, as far as it is that and nobody else reads it, and whether the memory of x is
    /// free then: instructions that calculated it are taken back.
    fn argument(&mut self, mut node: usize) -> (Span, Option<Stretched>, Option<Stretched>, bool) {
        let value = self.values[node].clone();
        let mut x = self.span(&value);
        let [mut scale, mut shift] = [None; 2];
        let is_sum = |operation: &Operation| matches!(operation, Operation::Linear(Linear::Add));
        let is_multiple = |operation: &Operation| matches!(operation, Operation::Bilinear(Bilinear::Multiply));
        let wanted: [fn(&Operation) -> bool; 2] = [is_sum, is_multiple];
        for (is_wanted, into) in wanted.into_iter().zip([&mut shift, &mut scale]) {
            let Some(&Instruction::Combine { out, a: Some(a), b, .. }) = self.instructions.last() else { break };
            let Node { operation, operands, .. } = &self.program.nodes[node];
            let below = operands.iter().find(|&&operand| self.values[operand].span() == Some(a));
            if let Some(&below) = below.filter(|_| is_wanted(operation) && out == x && self.uses[node] == 1) {
                self.instructions.pop();
                // Nobody writes there any more.
                if let Place::Buffer(buffer) = out.place {
                    self.buffers[buffer] = 0;
                }
                (x, node, *into) = (a, below, Some(b));
            }
        }
        // The way back of a factor reads the other one.
        let is_free = scale.is_none() && self.is_product(node) && self.uses[node] == 1;
        (x, scale, shift, is_free)
    }

    /// Whether a node is a product of matrices or a convolution: its memory is its own, and its way back does not need
    /// its value.
    pub(super) fn is_product(&self, node: usize) -> bool {
        match &self.program.nodes[node].operation {
            Operation::Bilinear(bilinear) => !matches!(bilinear, Bilinear::Multiply),
            _ => false,
        }
    }

    /// A face of a convolution, from the other two arguments of the node in the order of operands and result.
    pub(super) fn convolution(
        &mut self,
        index: usize,
        open: Face,
        out: Span,
        [left, right]: [Span; 2],
        add: bool,
    ) -> Option<()> {
        let node = &self.program.nodes[index];
        let [first, second] = node.operands[..] else { return None };
        let weight = self.shape(second);
        // A transposed convolution is the form with input and result exchanged.
        let (face, form, left, right) = match (&node.operation, open) {
            (Operation::Bilinear(Bilinear::Convolution(options)), face) => {
                (face, Convolution::new(self.shape(first), weight, options)?, left, right)
            }
            (Operation::Bilinear(Bilinear::TransposedConvolution(options)), open) => {
                let face = match open {
                    Face::Output => Face::First,
                    Face::First => Face::Output,
                    Face::Second => Face::Second,
                };
                (face, Convolution::new(&node.shape, weight, options)?, right, left)
            }
            _ => return None,
        };
        self.instructions.push(Instruction::Convolution { face, form, out, left, right, add });
        Some(())
    }

    /// `a ∘ b` of one shape; one of them may be repeated.
    pub(super) fn combined(&mut self, arithmetic: Arithmetic, a: &View, b: &View) -> View {
        let shape = a.shape().to_vec();
        let (a, b) = match arithmetic {
            Arithmetic::Subtract => (a, b),
            _ if a.span().is_none() && b.span().is_some() => (b, a),
            _ => (a, b),
        };
        let (a, b) = (self.span(a), self.stretched(b));
        let out = self.new_span(a.length);
        self.instructions.push(Instruction::Combine { arithmetic, out, a: Some(a), b });
        out.view(&shape)
    }

    /// The value of a node that ends a normalization.
    fn normalize(&mut self, index: usize, normalization: &Normalization) -> Option<Span> {
        let &Normalization { x: node, mean: mean_node, variance, factor: factor_node, groups, .. } = normalization;
        let Operation::Elementwise(function) = &self.program.nodes[factor_node].operation else { return None };
        let value = self.values[node].clone();
        let x = self.span(&value);
        let [mean, squares, factor, slope] = [(); 4].map(|()| self.new_span(groups.count));
        self.instructions.push(Instruction::Moments { mean, squares, x, groups });
        self.values[mean_node] = mean.view(self.shape(mean_node));
        let at = match variance {
            Some((variance, scale)) => {
                let out = self.new_span(groups.count);
                self.instructions.push(Instruction::Scale { factor: scale, out, x: Some(squares) });
                self.values[variance] = out.view(self.shape(variance));
                out
            }
            None => squares,
        };
        self.instructions.push(Instruction::Function {
            function: function.clone(),
            x: Some(at),
            scale: None,
            shift: None,
            value: factor,
            slope: Some(slope),
        });
        if let Some((_, scale)) = variance {
            self.instructions.push(Instruction::Scale { factor: scale, out: slope, x: None });
        }
        // Mean and centred values alone read x.
        let in_place = self.is_product(node) && self.uses[node] == 2;
        let out = if in_place { x } else { self.new_span(x.length) };
        self.instructions.push(Instruction::Normalize { out, x: (!in_place).then_some(x), groups, mean, factor });
        self.kept[index] = Kept::Normalized(Normalized { x: node, normalized: out, groups, factor, slope });
        Some(out)
    }
}
