//! From a program to instructions on memory: what is calculated where, forward and back, decided once.

mod back;
mod forward;
mod normalization;

use super::instruction::{Instruction, Place, Span, Stretched, View};
use crate::function::Elementwise;
use crate::host::Axis;
use crate::operation::{Discrete, Linear, Operation};
use crate::program::{Node, Program};
use normalization::{Normalization, Normalized};

/// Instructions that calculate the sum of a program's outputs and its gradient.
#[derive(Debug)]
pub struct Assembly {
    pub instructions: Vec<Instruction>,
    /// How many numbers each buffer holds.
    pub buffers: Vec<usize>,
    pub constants: Vec<Vec<f64>>,
    /// Entries of the gradient.
    pub variables: usize,
    /// The sum of the outputs, one number.
    pub value: Span,
    /// What the batch has in the place of running statistics: the parameter, and where it stands.
    pub statistics: Vec<(usize, Span)>,
}

/// What a node leaves for the way back.
#[derive(Clone, Debug)]
enum Kept {
    Nothing,
    /// f′ is one number.
    Number(f64),
    /// f′ of every element.
    Slope(Span),
    /// The value, from which f′ follows.
    Value(Elementwise, Span),
    /// Both operands.
    Factors(View, View),
    /// Where entries came from.
    Positions(Span),
    /// What ends a normalization.
    Normalized(Normalized),
}

/// The cotangent of a node so far.
#[derive(Clone, Debug)]
struct Cotangent {
    view: View,
    /// Whether nobody else reads this memory, so that it may be written over.
    owned: bool,
}

/// An assembly being made.
struct Planner<'a> {
    program: &'a Program,
    active: &'a [bool],
    /// Where each parameter starts in the flat vector.
    starts: &'a [usize],
    /// How often each node is read, the output once more.
    uses: Vec<usize>,
    /// Those that nodes end.
    normalizations: Vec<Option<Normalization>>,
    /// Whether a node is part of one that ends later.
    inner: Vec<bool>,
    instructions: Vec<Instruction>,
    buffers: Vec<usize>,
    constants: Vec<Vec<f64>>,
    values: Vec<View>,
    kept: Vec<Kept>,
    cotangents: Vec<Option<Cotangent>>,
    /// Parameters whose part of the gradient is written.
    reached: Vec<usize>,
}

impl Assembly {
    /// The assembly of a program, differentiated by its parameters, which start at `starts` in the flat vector of so
    /// many variables. `None` if it has an operation without instructions.
    pub fn of(program: &Program, starts: &[usize], variables: usize) -> Option<Self> {
        let dtype = program.nodes[program.output].dtype;
        // Whole numbers that are inputs or positions are kept in the floats' type.
        let positions = |node: &Node| {
            node.dtype.is_int()
                && matches!(
                    node.operation,
                    Operation::Input(_)
                        | Operation::Linear(Linear::Reshape)
                        | Operation::Discrete(Discrete::MaxPositions(_))
                )
        };
        if program.nodes.iter().any(|node| node.dtype != dtype && !positions(node)) {
            return None;
        }
        let active = program.active(|leaf| matches!(leaf, Operation::Parameter(_)));
        let (nodes, uses) = (program.nodes.len(), program.uses());
        let normalizations = normalization::find(program, &uses);
        let mut inner = vec![false; nodes];
        normalizations.iter().flatten().flat_map(|one| &one.inner).for_each(|&node| inner[node] = true);
        let mut planner = Planner {
            program,
            active: &active,
            starts,
            normalizations,
            inner,
            uses,
            instructions: Vec::new(),
            buffers: Vec::new(),
            constants: Vec::new(),
            values: Vec::with_capacity(nodes),
            kept: vec![Kept::Nothing; nodes],
            cotangents: vec![None; nodes],
            reached: Vec::new(),
        };
        for index in 0..nodes {
            let value = planner.forward(index)?;
            planner.values.push(value);
        }
        let output = planner.values[program.output].clone();
        let rank = output.shape().len();
        let one = planner.constant(vec![1.0], &vec![1; rank]);
        let seed = Cotangent { view: one.expanded(output.shape()), owned: false };
        planner.cotangents[program.output] = Some(seed);
        let total = planner.summed(&output, &(0..rank).collect::<Vec<_>>());
        let value = planner.span(&total);
        for index in (0..nodes).rev().filter(|&index| active[index]) {
            if let Some(cotangent) = planner.cotangents[index].take() {
                planner.back(index, cotangent)?;
            }
        }
        planner.clear_untouched(variables);
        let statistics = program.statistics.iter();
        let statistics =
            statistics.map(|of| Some((of.parameter, planner.values[of.node].span()?))).collect::<Option<_>>()?;
        let Planner { instructions, buffers, constants, .. } = planner;
        Some(Self { instructions, buffers, constants, variables, value, statistics })
    }
}

impl Planner<'_> {
    fn shape(&self, node: usize) -> &[usize] {
        &self.program.nodes[node].shape
    }

    fn buffer(&mut self, shape: &[usize]) -> View {
        self.buffers.push(shape.iter().product());
        View::dense(Place::Buffer(self.buffers.len() - 1), 0, shape)
    }

    fn constant(&mut self, numbers: Vec<f64>, shape: &[usize]) -> View {
        self.constants.push(numbers);
        View::dense(Place::Constant(self.constants.len() - 1), 0, shape)
    }

    /// The numbers of a view row after row, copied if they do not lie so.
    fn span(&mut self, view: &View) -> Span {
        if let Some(span) = view.span() {
            return span;
        }
        let out = self.new_span(view.layout.len());
        self.instructions.push(Instruction::Copy { out, x: view.clone() });
        out
    }

    fn new_span(&mut self, length: usize) -> Span {
        self.buffers.push(length);
        Span { place: Place::Buffer(self.buffers.len() - 1), start: 0, length }
    }

    fn stretched(&mut self, view: &View) -> Stretched {
        if let Some((length, stretch)) = view.layout.repeated() {
            return Stretched { span: Span { place: view.place, start: view.layout.start, length }, stretch };
        }
        Stretched { span: self.span(view), stretch: 1 }
    }

    fn matrix(&mut self, view: &View) -> View {
        if view.layout.matrix().is_some() {
            return view.clone();
        }
        self.span(view).view(view.shape())
    }

    /// A stack of matrices whose rows or columns lie in memory.
    fn stack(&mut self, view: &View) -> View {
        if view.layout.one_of(0).matrix().is_some() {
            return view.clone();
        }
        self.span(view).view(view.shape())
    }

    /// Zeros of this shape.
    fn zeros(&mut self, out: &View) -> Option<()> {
        let zero = self.constant(vec![0.0], &[1]);
        let out = out.span()?;
        self.instructions.push(Instruction::Copy { out, x: zero.expanded(&[out.length]) });
        Some(())
    }

    /// Where something may be added to the cotangent of a node, zeros if there is none yet.
    fn target_to_add(&mut self, node: usize) -> Option<View> {
        let (out, add) = self.target(node);
        if !add {
            self.zeros(&out)?;
        }
        Some(out)
    }

    /// Sums over axes, which stay with length one.
    fn summed(&mut self, x: &View, axes: &[usize]) -> View {
        let mut x = x.clone();
        for axis in runs(x.shape(), axes) {
            let out = self.new_span(axis.outer * axis.inner);
            let from = self.span(&x);
            self.instructions.push(Instruction::Sum { out, x: from, axis, add: false });
            x = out.view(&[axis.outer, 1, axis.inner]);
        }
        x
    }
}

/// An array with the axes summed away one after the other, neighbours together, the last ones first.
fn runs(shape: &[usize], axes: &[usize]) -> Vec<Axis> {
    let mut shape = shape.to_vec();
    let mut found = Vec::new();
    let mut axis = shape.len();
    while axis > 0 {
        axis -= 1;
        if !axes.contains(&axis) {
            continue;
        }
        let end = axis + 1;
        while axis > 0 && axes.contains(&(axis - 1)) {
            axis -= 1;
        }
        let size = |range: &[usize]| range.iter().product();
        let run = Axis { outer: size(&shape[..axis]), middle: size(&shape[axis..end]), inner: size(&shape[end..]) };
        shape[axis..end].fill(1);
        if run.middle != 1 {
            found.push(run);
        }
    }
    found
}
