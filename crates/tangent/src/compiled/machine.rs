//! Runs an assembly.

use super::assembly::Assembly;
use super::instruction::{Instruction, Place, Span, Stretched, View};
use crate::host::{self, Argument, Jets, Layout, MatrixView, Real, Repeated};
use crate::operation::Face;

/// The memory of an assembly.
pub struct Machine<T> {
    buffers: Vec<Vec<T>>,
    constants: Vec<Vec<T>>,
}

/// All that an instruction may read or write.
struct Memory<'a, T> {
    parameters: &'a [T],
    inputs: &'a [&'a [T]],
    constants: &'a [Vec<T>],
    buffers: &'a mut [Vec<T>],
    gradient: &'a mut [T],
}

impl<T: Real> Machine<T> {
    pub fn new(assembly: &Assembly) -> Self {
        let constants = assembly.constants.iter().map(|numbers| numbers.iter().map(|&x| T::of(x)).collect()).collect();
        Self { buffers: assembly.buffers.iter().map(|&length| vec![T::ZERO; length]).collect(), constants }
    }

    /// What stands in a buffer.
    pub fn read(&self, span: Span) -> &[T] {
        let Place::Buffer(buffer) = span.place else { unreachable!("inputs, parameters and constants are not kept") };
        &self.buffers[buffer][span.start..span.start + span.length]
    }

    /// The sum of the outputs; its gradient is written to `gradient`, whatever stands there.
    pub fn run(&mut self, assembly: &Assembly, parameters: &[T], inputs: &[&[T]], gradient: &mut [T]) -> T {
        let Self { buffers, constants } = self;
        let mut memory = Memory { parameters, inputs, constants, buffers, gradient };
        for instruction in &assembly.instructions {
            memory.execute(instruction);
        }
        memory.span(assembly.value)[0]
    }
}

impl<T: Real> Memory<'_, T> {
    fn place(&self, place: Place) -> &[T] {
        match place {
            Place::Parameters => self.parameters,
            Place::Gradient => self.gradient,
            Place::Input(input) => self.inputs[input],
            Place::Constant(constant) => &self.constants[constant],
            Place::Buffer(buffer) => &self.buffers[buffer],
        }
    }

    fn span(&self, Span { place, start, length }: Span) -> &[T] {
        &self.place(place)[start..start + length]
    }

    fn repeated(&self, Stretched { span, stretch }: Stretched) -> Repeated<'_, T> {
        Repeated { elements: self.span(span), stretch }
    }

    fn matrix(&self, view: &View) -> MatrixView<'_, T> {
        let Some(matrix) = MatrixView::new(self.place(view.place), &view.layout) else {
            unreachable!("the assembly takes views whose rows or columns lie in memory")
        };
        matrix
    }

    /// Hands out the memory of a place while the rest can be read.
    fn write(&mut self, span: Span, f: impl FnOnce(&Self, &mut [T])) {
        let range = span.start..span.start + span.length;
        match span.place {
            Place::Buffer(buffer) => {
                let mut own = std::mem::take(&mut self.buffers[buffer]);
                f(self, &mut own[range]);
                self.buffers[buffer] = own;
            }
            Place::Gradient => {
                let own = std::mem::take(&mut self.gradient);
                f(self, &mut own[range]);
                self.gradient = own;
            }
            Place::Parameters | Place::Input(_) | Place::Constant(_) => unreachable!("only read"),
        }
    }

    /// Hands out the memory of two places.
    fn write_both(&mut self, first: Span, second: Span, f: impl FnOnce(&Self, &mut [T], &mut [T])) {
        let Place::Buffer(buffer) = second.place else { unreachable!("the second is a buffer of its own") };
        let mut own = std::mem::take(&mut self.buffers[buffer]);
        let range = second.start..second.start + second.length;
        self.write(first, |memory, first| f(memory, first, &mut own[range]));
        self.buffers[buffer] = own;
    }

    fn execute(&mut self, instruction: &Instruction) {
        match instruction {
            Instruction::Product { out, a, b, add } => {
                let Layout { start, .. } = out.layout;
                let span = Span { place: out.place, start, length: out.layout.len() };
                let by_columns = out.layout.matrix().is_some_and(|(_, transposed)| transposed);
                self.write(span, |memory, out| {
                    let (a, b) = (memory.matrix(a), memory.matrix(b));
                    let (a, b) = if by_columns { (b.transpose(), a.transpose()) } else { (a, b) };
                    host::matmul(out, a, b, *add);
                });
            }
            Instruction::Convolution { face, form, out, left, right, add } => self.write(*out, |memory, out| {
                let (left, right) = (memory.span(*left), memory.span(*right));
                match face {
                    Face::Output => host::convolve(out, left, right, form, *add),
                    Face::First => host::convolve_input_adjoint(out, left, right, form, *add),
                    Face::Second => host::convolve_weight_adjoint(out, left, right, form, *add),
                }
            }),
            Instruction::Pool { out, x, pool } => {
                self.write(*out, |memory, out| host::average_pool(out, memory.span(*x), *pool));
            }
            Instruction::PoolAdjoint { out, x, pool, add } => {
                self.write(*out, |memory, out| host::average_pool_adjoint(out, memory.span(*x), *pool, *add));
            }
            Instruction::Function { function, x, scale, shift, value, slope } => {
                let run = |memory: &Self, value: &mut [T], slope: &mut [T]| {
                    let [scale, shift] = [scale, shift].map(|of| of.map(|of| memory.repeated(of)));
                    let at = Argument { x: x.map(|x| memory.span(x)), scale, shift };
                    host::jets(function, at, Jets { value, slope, curvature: &mut [] });
                };
                match slope {
                    Some(slope) => self.write_both(*value, *slope, run),
                    None => self.write(*value, |memory, value| run(memory, value, &mut [])),
                }
            }
            Instruction::Combine { arithmetic, out, a, b } => self.write(*out, |memory, out| {
                arithmetic.update(out, a.map(|a| memory.span(a)), memory.repeated(*b));
            }),
            Instruction::Slope { function, out, cotangents, y } => self.write(*out, |memory, out| {
                host::times_slope(function, out, cotangents.map(|c| memory.span(c)), memory.span(*y));
            }),
            Instruction::Scale { factor, out, x } => self.write(*out, |memory, out| {
                let factor = [T::of(*factor)];
                let factor = Repeated { elements: &factor, stretch: out.len() };
                host::update(out, x.map(|x| memory.span(x)), factor, |x, factor| x * factor);
            }),
            Instruction::Sum { out, x, axis, add } => {
                self.write(*out, |memory, out| host::sum(out, memory.span(*x), *axis, *add));
            }
            Instruction::SumOfProducts { out, a, b, axis, add } => self.write(*out, |memory, out| {
                host::sum_of_products(out, memory.span(*a), memory.span(*b), *axis, *add);
            }),
            Instruction::Moments { mean, squares, x, groups } => {
                self.write_both(*mean, *squares, |memory, mean, squares| {
                    host::moments(mean, squares, memory.span(*x), *groups);
                });
            }
            Instruction::Normalize { out, x, groups, mean, factor } => self.write(*out, |memory, out| {
                let x = x.map(|x| memory.span(x));
                host::normalize(out, x, *groups, memory.span(*mean), memory.span(*factor));
            }),
            Instruction::NormalizeAdjoint { out, c, normalized, groups, factor, slope, sums } => {
                self.write_both(*out, *sums, |memory, out, sums| {
                    let (c, normalized) = (c.map(|c| memory.span(c)), memory.span(*normalized));
                    let [factor, slope] = [factor, slope].map(|span| memory.span(*span));
                    host::normalize_adjoint(out, c, normalized, *groups, [factor, slope], sums);
                });
            }
            Instruction::Max { out, x, axis } => {
                self.write(*out, |memory, out| host::max(out, memory.span(*x), *axis));
            }
            Instruction::Products { out, a, b, add } => self.write(*out, |memory, out| {
                let [a, b] = [a, b].map(|view| (memory.place(view.place), &view.layout));
                host::matmul_stack(out, a, b, *add);
            }),
            Instruction::Assign { out, x, add } => {
                let whole = Span { place: out.place, start: 0, length: self.place(out.place).len() };
                self.write(whole, |memory, place| host::assign(place, &out.layout, memory.span(*x), *add));
            }
            Instruction::MaxPositions { out, x, pool } => {
                self.write(*out, |memory, out| host::max_positions(out, memory.span(*x), *pool));
            }
            Instruction::Rows { out, x, at, width } => {
                self.write(*out, |memory, out| host::rows(out, memory.span(*x), memory.span(*at), *width));
            }
            Instruction::AddRows { out, x, at, width } => {
                self.write(*out, |memory, out| host::add_rows(out, memory.span(*x), memory.span(*at), *width));
            }
            Instruction::Gather { out, x, at, sizes } => {
                self.write(*out, |memory, out| host::gather(out, memory.span(*x), memory.span(*at), *sizes));
            }
            Instruction::AddGathered { out, x, at, sizes } => {
                self.write(*out, |memory, out| host::add_gathered(out, memory.span(*x), memory.span(*at), *sizes));
            }
            Instruction::Copy { out, x } => {
                self.write(*out, |memory, out| host::copy(out, memory.place(x.place), &x.layout));
            }
        }
    }
}
