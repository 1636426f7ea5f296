//! From a program to instructions on memory: what is calculated where, forward and back, decided once.

use burn_backend::Slice;

use crate::array::Arithmetic;
use crate::function::Elementwise;
use crate::host::{Axis, Convolution, Layout, Pool};
use crate::operation::{Adjoint, Bilinear, Discrete, Face, Linear, Operation, Shapes};
use crate::program::{Node, Program};

/// A piece of memory that exists while an assembly runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The trainable parameters, as one flat vector.
    Parameters,
    /// The gradient by them, anything at first.
    Gradient,
    /// An input.
    Input(usize),
    /// A value known beforehand.
    Constant(usize),
    /// Memory of the assembly's own.
    Buffer(usize),
}

/// Neighbouring numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub place: Place,
    pub start: usize,
    pub length: usize,
}

/// Numbers read as an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    pub place: Place,
    pub layout: Layout,
}

/// Numbers of which each is taken so many times, and all of them again and again.
#[derive(Clone, Copy, Debug)]
pub struct Stretched {
    pub span: Span,
    pub stretch: usize,
}

/// One pass over memory. Where the first operand is optional, it is what stands in `out`.
#[derive(Clone, Debug)]
pub enum Instruction {
    /// `out = a b`, or `out + a b`; `out` may be written by columns.
    Product { out: View, a: View, b: View, add: bool },
    /// A face of the trilinear form of a convolution, from its other two arguments in the order input, weight, result;
    /// or `out` and it, but for the result.
    Convolution { face: Face, form: Convolution, out: Span, left: Span, right: Span, add: bool },
    /// Means of windows.
    Pool { out: Span, x: Span, pool: Pool },
    /// Their adjoint, or `out` and it.
    PoolAdjoint { out: Span, x: Span, pool: Pool, add: bool },
    /// `value = f(x + shift)` and, if wanted, f′ there.
    Function { function: Elementwise, x: Option<Span>, shift: Option<Stretched>, value: Span, slope: Option<Span> },
    /// `out = a ∘ b`.
    Combine { arithmetic: Arithmetic, out: Span, a: Option<Span>, b: Stretched },
    /// `out = c f′(x)`, by the value `y = f(x)`.
    Slope { function: Elementwise, out: Span, cotangents: Option<Span>, y: Span },
    /// `out = factor x`.
    Scale { factor: f64, out: Span, x: Option<Span> },
    /// The sum along an axis, or `out` and the sum.
    Sum { out: Span, x: Span, axis: Axis, add: bool },
    /// The largest along an axis.
    Max { out: Span, x: Span, axis: Axis },
    /// `out_s = a_s b_s` for stacks of matrices, or `out_s + a_s b_s`.
    Products { out: Span, a: View, b: View, add: bool },
    /// Entries written into a part of memory, or added there.
    Assign { out: View, x: Span, add: bool },
    /// Positions of the maxima of windows.
    MaxPositions { out: Span, x: Span, pool: Pool },
    /// Rows of so many entries by their positions.
    Rows { out: Span, x: Span, at: Span, width: usize },
    /// Rows added at their positions.
    AddRows { out: Span, x: Span, at: Span, width: usize },
    /// Of each row of `sizes[0]` entries those at its own `sizes[1]` positions.
    Gather { out: Span, x: Span, at: Span, sizes: [usize; 2] },
    /// Entries added to each row at its own positions.
    AddGathered { out: Span, x: Span, at: Span, sizes: [usize; 2] },
    /// The entries of a view, row after row.
    Copy { out: Span, x: View },
}

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
}

impl View {
    fn dense(place: Place, start: usize, shape: &[usize]) -> Self {
        Self { place, layout: Layout::dense(start, shape) }
    }

    fn shape(&self) -> &[usize] {
        &self.layout.shape
    }

    fn span(&self) -> Option<Span> {
        let span = Span { place: self.place, start: self.layout.start, length: self.layout.len() };
        self.layout.is_dense().then_some(span)
    }

    fn reshaped(&self, shape: &[usize]) -> Option<Self> {
        self.span().map(|span| Self::dense(span.place, span.start, shape))
    }

    fn permuted(&self, axes: &[usize]) -> Self {
        Self { place: self.place, layout: self.layout.permuted(axes) }
    }

    fn expanded(&self, shape: &[usize]) -> Self {
        Self { place: self.place, layout: self.layout.expanded(shape) }
    }

    /// A part, unless entries are left out between or turned around.
    fn part(&self, ranges: &[Slice]) -> Option<Self> {
        let mut shape = self.shape().to_vec();
        let mut from = vec![0; shape.len()];
        for ((size, from), slice) in shape.iter_mut().zip(&mut from).zip(ranges) {
            let (range, step) = slice.to_range_and_step(*size);
            if step != 1 {
                return None;
            }
            (*from, *size) = (range.start, range.len());
        }
        Some(Self { place: self.place, layout: self.layout.part(&from, &shape) })
    }
}

impl Span {
    fn view(self, shape: &[usize]) -> View {
        View::dense(self.place, self.start, shape)
    }
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
        let nodes = program.nodes.len();
        let mut planner = Planner {
            program,
            active: &active,
            starts,
            uses: program.uses(),
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
        let Planner { instructions, buffers, constants, .. } = planner;
        Some(Self { instructions, buffers, constants, variables, value })
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

    // Forward.

    fn forward(&mut self, index: usize) -> Option<View> {
        let node = &self.program.nodes[index];
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

    /// `f(x)`. A product and a bias below it, which nobody else reads, are taken along: the bias is added on the way,
    /// the value takes the product's place in memory.
    fn function(&mut self, index: usize, function: &Elementwise) -> View {
        let operand = self.program.nodes[index].operands[0];
        let shape = self.shape(index).to_vec();
        let (x, shift, value) = match self.product_below(operand) {
            Some((product, shift)) => (None, shift, product),
            None => {
                let view = self.values[operand].clone();
                (Some(self.span(&view)), None, self.new_span(view.layout.len()))
            }
        };
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
        self.instructions.push(Instruction::Function { function: function.clone(), x, shift, value, slope });
        value.view(&shape)
    }

    /// A face of a convolution, from the other two arguments of the node in the order of operands and result.
    fn convolution(&mut self, index: usize, open: Face, out: Span, [left, right]: [Span; 2], add: bool) -> Option<()> {
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

    /// A product or convolution that a function alone reads, or the product and the bias of which it reads the sum: the
    /// instruction that added them is taken back.
    fn product_below(&mut self, node: usize) -> Option<(Span, Option<Stretched>)> {
        let nodes = &self.program.nodes;
        let lonely_product = |node: usize| {
            let is_product = match &nodes[node].operation {
                Operation::Bilinear(bilinear) => !matches!(bilinear, Bilinear::Multiply),
                _ => false,
            };
            is_product && self.uses[node] == 1
        };
        if lonely_product(node) {
            return self.values[node].span().map(|product| (product, None));
        }
        let Operation::Linear(Linear::Add) = nodes[node].operation else { return None };
        let product = nodes[node].operands.iter().copied().find(|&operand| lonely_product(operand))?;
        let &Instruction::Combine { arithmetic: Arithmetic::Add, out, a: Some(a), b } = self.instructions.last()?
        else {
            return None;
        };
        if self.uses[node] != 1 || self.values[node].span() != Some(out) || self.values[product].span() != Some(a) {
            return None;
        }
        self.instructions.pop();
        Some((a, Some(b)))
    }

    /// `a ∘ b` of one shape; one of them may be repeated.
    fn combined(&mut self, arithmetic: Arithmetic, a: &View, b: &View) -> View {
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

    // Back.

    /// Passes a node's cotangent on to its operands.
    fn back(&mut self, index: usize, cotangent: Cotangent) -> Option<()> {
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
            (Operation::Bilinear(_), Kept::Factors(a, b)) => {
                for (operand, other) in [(first?, b), (second?, a)] {
                    if self.active[operand] {
                        let view = self.combined(Arithmetic::Multiply, &cotangent.view, &other);
                        self.give(operand, Cotangent { view, owned: true });
                    }
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
        let from = self.span(&cotangent.view);
        let in_place = cotangent.owned || cotangent.view.span().is_none();
        let (out, a) = if in_place { (from, None) } else { (self.new_span(from.length), Some(from)) };
        self.instructions.push(match kept {
            Kept::Number(factor) => Instruction::Scale { factor: *factor, out, x: a },
            Kept::Slope(slope) => {
                let b = Stretched { span: *slope, stretch: 1 };
                Instruction::Combine { arithmetic: Arithmetic::Multiply, out, a, b }
            }
            Kept::Value(function, y) => Instruction::Slope { function: function.clone(), out, cotangents: a, y: *y },
            Kept::Nothing | Kept::Factors(..) | Kept::Positions(_) => {
                unreachable!("an elementwise function keeps its slope")
            }
        });
        Cotangent { view: out.view(&shape), owned: true }
    }

    /// Zeros for the parameters that nothing depends on: the rest of the gradient is written before anything is added
    /// to it.
    fn clear_untouched(&mut self, variables: usize) {
        let ends = self.starts.iter().skip(1).copied().chain([variables]);
        for (parameter, (&start, end)) in self.starts.iter().zip(ends).enumerate() {
            if !self.reached.contains(&parameter) {
                let zero = self.constant(vec![0.0], &[1]);
                let out = Span { place: Place::Gradient, start, length: end - start };
                self.instructions.push(Instruction::Copy { out, x: zero.expanded(&[out.length]) });
            }
        }
    }

    /// Adds to the cotangent of a node.
    fn give(&mut self, node: usize, part: Cotangent) {
        self.cotangents[node] = Some(match self.cotangents[node].take() {
            None => part,
            Some(known) => {
                // Into whichever memory is free.
                let (known, part) = if known.owned { (known, part) } else { (part, known) };
                let shape = known.view.shape().to_vec();
                let from = self.span(&known.view);
                let in_place = known.owned || known.view.span().is_none();
                let (out, a) = if in_place { (from, None) } else { (self.new_span(from.length), Some(from)) };
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
    fn target(&mut self, node: usize) -> (View, bool) {
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
