//! Normalization, found in a program and done in few passes over memory.
//!
//! Batch, group and layer norm begin with `x̂ = (x − mean)/f(Σ (x − mean)²)` by groups, in nine operations whose
//! results are as large as x; here they are moments, one pass that may write over x, and an adjoint in two.

use super::super::instruction::Span;
use crate::function::{Elementwise, Step};
use crate::host::Groups;
use crate::operation::{Bilinear, Linear, Operation};
use crate::program::Program;

/// The nodes of a normalization.
#[derive(Clone, Debug)]
pub(super) struct Normalization {
    /// What is normalized.
    pub x: usize,
    /// The mean of each group.
    pub mean: usize,
    /// The sum of squares of what is left, times a number: a node, and the number.
    pub variance: Option<(usize, f64)>,
    /// f of it.
    pub factor: usize,
    pub groups: Groups,
    /// Nodes that nobody else reads.
    pub inner: Vec<usize>,
}

/// For every node that ends a normalization, its parts.
pub(super) fn find(program: &Program, uses: &[usize]) -> Vec<Option<Normalization>> {
    let observed = |node: usize| program.statistics.iter().filter(|statistic| statistic.node == node).count();
    // How often the forward reads a node.
    let reads = |node: usize| uses[node] - observed(node);
    (0..program.nodes.len()).map(|index| parts(program, index, &reads, &|node| observed(node) > 0)).collect()
}

fn parts(
    program: &Program,
    result: usize,
    reads: &impl Fn(usize) -> usize,
    observed: &impl Fn(usize) -> bool,
) -> Option<Normalization> {
    let node = |index: usize| &program.nodes[index];
    // A node by its operation, read once.
    let once = |index: usize| (reads(index) == 1).then(|| (&node(index).operation, node(index).operands.as_slice()));
    let unary = |index: usize| match once(index)? {
        (Operation::Elementwise(function), &[x]) => Some((function, x)),
        _ => None,
    };
    let expanded = |index: usize| match once(index)? {
        (Operation::Linear(Linear::Expand), &[x]) => Some(x),
        _ => None,
    };
    let summed = |index: usize| match once(index)? {
        (Operation::Linear(Linear::Sum(axes)), &[x]) => Some((axes, x)),
        _ => None,
    };
    let (Operation::Bilinear(Bilinear::Multiply), &[centred, wide_factor]) =
        (&node(result).operation, node(result).operands.as_slice())
    else {
        return None;
    };
    let (Operation::Linear(Linear::Subtract), &[x, wide_mean]) =
        (&node(centred).operation, node(centred).operands.as_slice())
    else {
        return None;
    };
    let mean = expanded(wide_mean)?;
    let (Elementwise::Scale(share), sum) = unary(mean)? else { return None };
    let (axes, of) = summed(sum)?;
    let groups = groups(&node(x).shape, axes)?;
    let is_mean = of == x && (share * groups.size() as f64 - 1.0).abs() < 1e-12;
    let factor = expanded(wide_factor)?;
    let (of_squares, below) = unary(factor)?;
    if !is_inverse(of_squares) {
        return None;
    }
    let (variance, squares) = match unary(below) {
        Some((Elementwise::Scale(scale), squares)) if observed(below) => (Some((below, *scale)), squares),
        _ => (None, below),
    };
    let (of_axes, square) = summed(squares)?;
    let (function, base) = unary(square)?;
    let is_square = matches!(function, Elementwise::Powi(2))
        || matches!(function, Elementwise::Composite(steps) if steps[..] == [Step::Multiply(0, 0)]);
    let agree = is_mean && is_square && base == centred && of_axes == axes && reads(centred) == 2;
    // Only these may be looked at from outside.
    let looked_at = |index: usize| index != mean && Some(index) != variance.map(|(node, _)| node) && observed(index);
    let mut inner = vec![sum, mean, wide_mean, centred, square, squares, factor, wide_factor];
    inner.extend(variance.map(|(node, _)| node));
    (agree && !inner.iter().any(|&index| looked_at(index))).then_some(Normalization {
        x,
        mean,
        variance,
        factor,
        groups,
        inner,
    })
}

/// Whether a function is one over something, and so nowhere zero: what was normalized tells what it was before.
fn is_inverse(function: &Elementwise) -> bool {
    match function {
        Elementwise::Recip => true,
        Elementwise::Composite(steps) => matches!(steps.last(), Some(Step::Apply(Elementwise::Recip, _))),
        _ => false,
    }
}

/// The fewest neighbours in a group that are worth a loop.
const NEIGHBOURS: usize = 8;

/// The groups of an array of this shape that is reduced along axes: those that are kept lie side by side, and enough of
/// a group do.
fn groups(shape: &[usize], axes: &[usize]) -> Option<Groups> {
    let kept = |axis: &usize| !axes.contains(axis) && shape[*axis] != 1;
    let first = (0..shape.len()).find(kept).unwrap_or(0);
    let end = (0..shape.len()).rev().find(kept).map_or(first, |last| last + 1);
    let whole = (first..end).all(|axis| !axes.contains(&axis));
    let size = |range: &[usize]| range.iter().product();
    let groups = Groups { outer: size(&shape[..first]), count: size(&shape[first..end]), inner: size(&shape[end..]) };
    (whole && groups.outer > 0 && groups.inner >= NEIGHBOURS).then_some(groups)
}

/// What a normalization leaves for the way back.
#[derive(Clone, Debug)]
pub(super) struct Normalized {
    pub x: usize,
    pub normalized: Span,
    pub groups: Groups,
    pub factor: Span,
    pub slope: Span,
}
