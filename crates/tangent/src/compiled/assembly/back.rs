//! The way back: a node's cotangent, passed on to its operands.

use super::super::instruction::{Instruction, Place, Span, Stretched, View};
use super::normalization::Normalized;
use super::{Cotangent, Kept, Planner, runs};
use crate::array::Arithmetic;
use crate::operation::{Adjoint, Bilinear, Face, Linear, Operation, Shapes};

impl Planner<'_> {
    /// Passes a node's cotangent on to its operands.
    pub(super) fn back(&mut self, index: usize, cotangent: Cotangent) -> Option<()> {
        let node = &self.program.nodes[index];
        let (first, second) = (node.operands.first().copied(), node.operands.get(1).copied());
        let kept = self.kept[index].clone();
        match (&node.operation, kept) {
            (Operation::Parameter(parameter), _) => {
                self.reached.push(*parameter);
                let out = self.gradient_of(index)?;
                if cotangent.view != out {
                    self.instructions.push(Instruction::Copy { out: out.span()?, x: cotangent.view });
                }
            }
            (Operation::Elementwise(_), kept) => {
                let cotangent = match kept {
                    Kept::Number(0.0) => return Some(()),
                    Kept::Number(1.0) => cotangent,
                    kept => self.times_slope(&cotangent, &kept),
                };
                self.give(first?, cotangent);
            }
            (Operation::Bilinear(Bilinear::Matmul), Kept::Factors(a, b)) if node.shape.len() == 3 => {
                let c = self.stack(&cotangent.view);
                let turned = [0, 2, 1];
                for (operand, a, b) in [(first?, &c, b.permuted(&turned)), (second?, &a.permuted(&turned), c.clone())] {
                    if self.active[operand] {
                        let (a, b) = (self.stack(a), self.stack(&b));
                        let (out, add) = self.target(operand);
                        self.instructions.push(Instruction::Products { out: out.span()?, a, b, add });
                        self.cotangents[operand] = Some(Cotangent { view: out, owned: true });
                    }
                }
            }
            (Operation::Bilinear(Bilinear::Matmul), Kept::Factors(a, b)) => {
                let c = self.matrix(&cotangent.view);
                if self.active[first?] {
                    self.give_product(first?, &c, &b.permuted(&[1, 0]));
                }
                if self.active[second?] {
                    self.give_product(second?, &a.permuted(&[1, 0]), &c);
                }
            }
            (
                Operation::Bilinear(Bilinear::Convolution(_) | Bilinear::TransposedConvolution(_)),
                Kept::Factors(a, b),
            ) => {
                let (a, b, c) = (a.span()?, b.span()?, self.span(&cotangent.view));
                for (operand, open, others) in [(first?, Face::First, [b, c]), (second?, Face::Second, [a, c])] {
                    if self.active[operand] {
                        let (out, add) = self.target(operand);
                        self.convolution(index, open, out.span()?, others, add)?;
                        self.cotangents[operand] = Some(Cotangent { view: out, owned: true });
                    }
                }
            }
            (_, Kept::Normalized(normalized)) => self.back_normalized(&normalized, &cotangent),
            (Operation::Bilinear(_), Kept::Factors(a, b)) => {
                let (first, second) = (first?, second?);
                // The first operand last: what is given it may be written over.
                if self.active[second] && !self.give_sum_of_products(second, &cotangent.view, &a)? {
                    let view = self.combined(Arithmetic::Multiply, &cotangent.view, &a);
                    self.give(second, Cotangent { view, owned: true });
                }
                if self.active[first] {
                    let (out, from) = self.writable(&cotangent);
                    let b = self.stretched(&b);
                    self.instructions.push(Instruction::Combine { arithmetic: Arithmetic::Multiply, out, a: from, b });
                    let view = out.view(cotangent.view.shape());
                    self.give(first, Cotangent { view, owned: true });
                }
            }
            (Operation::Linear(Linear::Select(_)), Kept::Positions(at)) => {
                let x = self.span(&cotangent.view);
                let out = self.target_to_add(first?)?;
                let width = node.shape[1..].iter().product();
                self.instructions.push(Instruction::AddRows { out: out.span()?, x, at, width });
                self.cotangents[first?] = Some(Cotangent { view: out, owned: true });
            }
            (Operation::Linear(Linear::Gather(_)), Kept::Positions(at)) => {
                let sizes = [*self.shape(first?).last()?, *node.shape.last()?];
                let x = self.span(&cotangent.view);
                let out = self.target_to_add(first?)?;
                self.instructions.push(Instruction::AddGathered { out: out.span()?, x, at, sizes });
                self.cotangents[first?] = Some(Cotangent { view: out, owned: true });
            }
            (Operation::Linear(linear), _) => self.back_linear(index, linear, cotangent)?,
            _ => {}
        }
        Some(())
    }

    fn back_linear(&mut self, index: usize, linear: &Linear, cotangent: Cotangent) -> Option<()> {
        let node = &self.program.nodes[index];
        let (operands, output) = (node.operands.clone(), node.shape.clone());
        let shapes: Vec<Vec<usize>> = operands.iter().map(|&operand| self.shape(operand).to_vec()).collect();
        let shapes = Shapes { operands: shapes.iter().map(Vec::as_slice).collect(), output: &output };
        let shared = Cotangent { owned: cotangent.owned && operands.len() == 1, ..cotangent };
        // The first operand last: what is given it may be written over.
        for (position, &operand) in operands.iter().enumerate().rev().filter(|(_, operand)| self.active[**operand]) {
            let target = shapes.operands[position];
            match linear.adjoint(position, &shapes) {
                Adjoint::Identity => self.give(operand, shared.clone()),
                Adjoint::Negative => {
                    let part = self.times_slope(&shared, &Kept::Number(-1.0));
                    self.give(operand, part);
                }
                Adjoint::Linear(Linear::Reshape) => {
                    let view = self.span(&shared.view).view(target);
                    self.give(operand, Cotangent { view, ..shared });
                }
                Adjoint::Linear(Linear::Permute(axes)) => {
                    let view = shared.view.permuted(&axes);
                    self.give(operand, Cotangent { view, ..shared });
                }
                Adjoint::Linear(Linear::Sum(axes)) => self.give_sum(operand, &shared, &axes)?,
                Adjoint::Linear(Linear::Expand) => {
                    let view = shared.view.expanded(target);
                    self.give(operand, Cotangent { view, owned: false });
                }
                // A part of the result, which nobody else reads.
                Adjoint::Linear(Linear::Slice(ranges)) => {
                    let view = shared.view.part(&ranges)?;
                    self.give(operand, Cotangent { view, owned: false });
                }
                Adjoint::Other if let Linear::Slice(ranges) = linear => {
                    let x = self.span(&shared.view);
                    let whole = self.target_to_add(operand)?;
                    self.instructions.push(Instruction::Assign { out: whole.part(ranges)?, x, add: true });
                    self.cotangents[operand] = Some(Cotangent { view: whole, owned: true });
                }
                Adjoint::Other if let Linear::AveragePool(window) = linear => {
                    let pool = window.inside(*target.last_chunk()?)?;
                    let x = self.span(&shared.view);
                    let (out, add) = self.target(operand);
                    self.instructions.push(Instruction::PoolAdjoint { out: out.span()?, x, pool, add });
                    self.cotangents[operand] = Some(Cotangent { view: out, owned: true });
                }
                Adjoint::Linear(_) | Adjoint::Other => return None,
            }
        }
        Some(())
    }

    /// A cotangent times f′, in its own memory if that is free.
    fn times_slope(&mut self, cotangent: &Cotangent, kept: &Kept) -> Cotangent {
        let shape = cotangent.view.shape().to_vec();
        let (out, a) = self.writable(cotangent);
        self.instructions.push(match kept {
            Kept::Number(factor) => Instruction::Scale { factor: *factor, out, x: a },
            Kept::Slope(slope) => {
                let b = Stretched { span: *slope, stretch: 1 };
                Instruction::Combine { arithmetic: Arithmetic::Multiply, out, a, b }
            }
            Kept::Value(function, y) => Instruction::Slope { function: function.clone(), out, cotangents: a, y: *y },
            Kept::Nothing | Kept::Factors(..) | Kept::Positions(_) | Kept::Normalized(_) => {
                unreachable!("an elementwise function keeps its slope")
            }
        });
        Cotangent { view: out.view(&shape), owned: true }
    }

    /// Where something made of a cotangent is written: into its own memory, if that is free. With what it is made of,
    /// if that stands elsewhere.
    pub(super) fn writable(&mut self, cotangent: &Cotangent) -> (Span, Option<Span>) {
        let from = self.span(&cotangent.view);
        let in_place = cotangent.owned || cotangent.view.span().is_none();
        if in_place { (from, None) } else { (self.new_span(from.length), Some(from)) }
    }

    /// Gives a repeated factor the sum of products over its places, if that is one pass; whether it is.
    fn give_sum_of_products(&mut self, factor: usize, cotangent: &View, other: &View) -> Option<bool> {
        let node = &self.program.nodes[factor];
        let (Operation::Linear(Linear::Expand), &[below]) = (&node.operation, node.operands.as_slice()) else {
            return Some(false);
        };
        let (Some(a), Some(b), 1) = (cotangent.span(), other.span(), self.uses[factor]) else { return Some(false) };
        let (shape, repeated) = (node.shape.clone(), self.shape(below).to_vec());
        let axes: Vec<usize> = (0..shape.len()).filter(|&axis| repeated[axis] != shape[axis]).collect();
        let axes = runs(&shape, &axes);
        let Some((&first, rest)) = axes.split_first() else { return Some(false) };
        if rest.is_empty() {
            let (out, add) = self.target(below);
            self.instructions.push(Instruction::SumOfProducts { out: out.span()?, a, b, axis: first, add });
            self.cotangents[below] = Some(Cotangent { view: out, owned: true });
            return Some(true);
        }
        let mut sum = self.new_span(first.outer * first.inner);
        self.instructions.push(Instruction::SumOfProducts { out: sum, a, b, axis: first, add: false });
        for &axis in rest {
            let out = self.new_span(axis.outer * axis.inner);
            self.instructions.push(Instruction::Sum { out, x: sum, axis, add: false });
            sum = out;
        }
        self.give(below, Cotangent { view: sum.view(&repeated), owned: true });
        Some(true)
    }

    /// Zeros for the parameters that nothing depends on: the rest of the gradient is written before anything is added
    /// to it.
    pub(super) fn clear_untouched(&mut self, variables: usize) {
        let ends = self.starts.iter().skip(1).copied().chain([variables]);
        for (parameter, (&start, end)) in self.starts.iter().zip(ends).enumerate() {
            if start < end && !self.reached.contains(&parameter) {
                let zero = self.constant(vec![0.0], &[1]);
                let out = Span { place: Place::Gradient, start, length: end - start };
                self.instructions.push(Instruction::Copy { out, x: zero.expanded(&[out.length]) });
            }
        }
    }

    /// Adds to the cotangent of a node.
    pub(super) fn give(&mut self, node: usize, part: Cotangent) {
        self.cotangents[node] = Some(match self.cotangents[node].take() {
            None => part,
            Some(known) => {
                // Into whichever memory is free.
                let (known, part) = if known.owned { (known, part) } else { (part, known) };
                let shape = known.view.shape().to_vec();
                let (out, a) = self.writable(&known);
                let b = self.stretched(&part.view);
                self.instructions.push(Instruction::Combine { arithmetic: Arithmetic::Add, out, a, b });
                Cotangent { view: out.view(&shape), owned: true }
            }
        });
    }

    fn give_product(&mut self, node: usize, a: &View, b: &View) {
        let (out, add) = self.target(node);
        self.instructions.push(Instruction::Product { out: out.clone(), a: a.clone(), b: b.clone(), add });
        self.cotangents[node] = Some(Cotangent { view: out, owned: true });
    }

    fn give_sum(&mut self, node: usize, cotangent: &Cotangent, axes: &[usize]) -> Option<()> {
        let x = &cotangent.view;
        if let [axis] = runs(x.shape(), axes)[..] {
            let x = self.span(x);
            let (out, add) = self.target(node);
            self.instructions.push(Instruction::Sum { out: out.span()?, x, axis, add });
            self.cotangents[node] = Some(Cotangent { view: out, owned: true });
        } else {
            let sum = self.summed(x, axes);
            let owned = cotangent.owned || sum.place != x.place;
            let view = self.span(&sum).view(&self.program.nodes[node].shape);
            self.give(node, Cotangent { view, owned });
        }
        Some(())
    }

    /// Where the cotangent of a node may be written, or added to if the flag is set.
    pub(super) fn target(&mut self, node: usize) -> (View, bool) {
        match self.cotangents[node].take() {
            Some(Cotangent { view, owned: true }) => (view, true),
            Some(Cotangent { view, .. }) => {
                let out = self.new_span(view.layout.len());
                let shape = view.shape().to_vec();
                self.instructions.push(Instruction::Copy { out, x: view });
                (out.view(&shape), true)
            }
            None => {
                let shape = self.shape(node).to_vec();
                (self.gradient_of(node).unwrap_or_else(|| self.buffer(&shape)), false)
            }
        }
    }

    /// The part of the gradient that is the cotangent of a node: of a parameter, or of one in another shape that nobody
    /// else reads.
    fn gradient_of(&self, node: usize) -> Option<View> {
        let Operation::Parameter(parameter) = self.program.nodes[node].operation else {
            let operand = *self.program.nodes[node].operands.first()?;
            let inner = self.gradient_of(operand).filter(|_| self.uses[operand] == 1)?;
            return match &self.program.nodes[node].operation {
                Operation::Linear(Linear::Reshape) => inner.reshaped(self.shape(node)),
                Operation::Linear(Linear::Permute(axes)) => Some(inner.permuted(axes)),
                _ => None,
            };
        };
        Some(View::dense(Place::Gradient, self.starts[parameter], self.shape(node)))
    }

    /// Passes the cotangent of a normalization on.
    fn back_normalized(&mut self, normalized: &Normalized, cotangent: &Cotangent) {
        let Normalized { x, normalized, groups, factor, slope } = *normalized;
        let (out, c) = self.writable(cotangent);
        let sums = self.new_span(2 * groups.count);
        self.instructions.push(Instruction::NormalizeAdjoint { out, c, normalized, groups, factor, slope, sums });
        let view = out.view(self.shape(x));
        self.give(x, Cotangent { view, owned: true });
    }
}
