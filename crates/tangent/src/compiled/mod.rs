//! A scalar map compiled for the memory of the CPU: value and gradient again and again, at other parameters and inputs
//! of the same shapes.
//!
//! [`assembly`] turns the recorded program and its reverse pass into a list of passes over memory. Views (transposed,
//! repeated, reshaped arrays) cost nothing; a bias and a function are applied to a product in its own memory in one
//! pass; cotangents are written over where nobody else reads them; a matrix product writes its part of the gradient in
//! place. [`machine`] runs the list with the kernels of [`crate::host`]: no large memory is allocated, and nothing
//! looked up or built, between one gradient and the next.
//!
//! Slopes that follow from a value (of tanh, exp, …) are not kept. The memory of the last point takes the next
//! gradient, where a step has written the new point over the old gradient: no large vector is cleared anew for each
//! step.
//!
//! An operation without an instruction (masks, positions that are calculated) makes [`Map::compile`] answer `None`, and
//! the caller has autodiff. A second set of rules for it would have to be kept in step with the first.

mod assembly;
mod instruction;
mod machine;

use burn::module::Module;
use burn::tensor::{DType, Tensor};

use crate::TangentError;
use crate::array::Array;
use crate::host::Real;
use crate::inputs::{self, Inputs};
use crate::map::Map;
use crate::operation::Operation;
use crate::parameters;
use assembly::Assembly;
use machine::Machine;

/// The sum of a map's outputs with its gradient by the trainable parameters, compiled; made by [`Map::compile`].
pub struct Compiled {
    assembly: Assembly,
    memory: Memory,
    shapes: Vec<Vec<usize>>,
}

enum Memory {
    F32(Gathered<f32>),
    F64(Gathered<f64>),
}

/// A machine, and what it keeps from one gradient to the next.
struct Gathered<T> {
    machine: Machine<T>,
    /// Memory for the rows of inputs that are picked.
    inputs: Vec<Vec<T>>,
    /// The last point, whose memory takes the next gradient if nobody else reads it any more: a step that writes the
    /// new point over the gradient then allocates nothing, and the system does not clear the pages of a large
    /// vector again and again.
    last: Option<Array>,
}

impl<M, I, F, const D: usize> Map<M, I, F>
where
    M: Module,
    I: Inputs,
    F: Fn(&M, I) -> Tensor<D>,
{
    /// Compiles the sum of the outputs and its gradient by the trainable parameters, for inputs of the shapes of
    /// `inputs`. `None` where there is no way but another one: off the memory of the CPU (flex), for a forward that
    /// reads frozen parameters or running statistics (batch norm does not by
    /// [`batch_statistics`](Self::batch_statistics)), and for operations other than elementwise functions, products of
    /// matrices, convolutions, pooling, sums, changes of shape, parts, and rows by their numbers.
    ///
    /// # Errors
    ///
    /// [`TangentError`] when the forward cannot be recorded or contains an operation without an entry.
    pub fn compile(&self, module: &M, inputs: &I) -> Result<Option<Compiled>, TangentError> {
        let visited = parameters::visit(module);
        let arrays = self.values(inputs);
        let program = self.record(module, &visited, inputs, None)?;
        let (values, infos) = self.distinct(&visited, None)?;
        let shapes: Vec<Vec<usize>> = arrays.iter().map(Array::shape).collect();
        let floats = arrays.iter().filter(|array| array.dtype().is_float()).chain(&values).all(Array::is_on_host);
        let reads_frozen = program.nodes.iter().any(|node| match node.operation {
            Operation::Parameter(parameter) => !infos[parameter].trainable,
            _ => false,
        });
        let mut variables = 0;
        let starts: Vec<usize> = infos
            .iter()
            .map(|parameter| {
                let start = variables;
                variables += if parameter.trainable { parameter.shape.iter().product() } else { 0 };
                start
            })
            .collect();
        if !floats || variables == 0 || reads_frozen {
            return Ok(None);
        }
        let dtype = program.nodes[program.output].dtype;
        Ok(Assembly::of(&program, &starts, variables).and_then(|assembly| {
            let memory = match dtype {
                DType::F32 => Memory::F32(Gathered::new(&assembly, &shapes)),
                DType::F64 => Memory::F64(Gathered::new(&assembly, &shapes)),
                _ => return None,
            };
            Some(Compiled { assembly, memory, shapes })
        }))
    }
}

impl std::fmt::Debug for Compiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compiled").field("shapes", &self.shapes).finish_non_exhaustive()
    }
}

impl Compiled {
    /// Sum of the outputs, and its gradient `[P]`, at `w` `[P]`.
    ///
    /// # Panics
    ///
    /// When `w` has not P entries, or the inputs other shapes than they were compiled for.
    pub fn gradient<I: Inputs>(&mut self, w: &Tensor<1>, inputs: &I) -> (f64, Tensor<1>) {
        self.run(w, inputs, None)
    }

    /// As [`gradient`](Self::gradient), for the inputs with these rows: `rows` has as many entries as the inputs had
    /// when they were compiled.
    ///
    /// # Panics
    ///
    /// As [`gradient`](Self::gradient), and when there is no such row.
    pub fn gradient_of_rows<I: Inputs>(&mut self, w: &Tensor<1>, inputs: &I, rows: &[usize]) -> (f64, Tensor<1>) {
        self.run(w, inputs, Some(rows))
    }

    /// What the last batch had in the place of running statistics: the number of each among the module's float
    /// parameters and running statistics, each counted once, in Burn's order, with mean or biased variance
    /// `[channels]`. A layer that the forward passed twice has two of each.
    #[must_use]
    pub fn statistics(&self) -> Vec<(usize, Tensor<1>)> {
        match &self.memory {
            Memory::F32(memory) => memory.statistics(&self.assembly),
            Memory::F64(memory) => memory.statistics(&self.assembly),
        }
    }

    fn run<I: Inputs>(&mut self, w: &Tensor<1>, inputs: &I, rows: Option<&[usize]>) -> (f64, Tensor<1>) {
        assert_eq!(w.dims()[0], self.assembly.variables, "w has as many entries as there are parameters");
        let w = Array::from_float(w.clone());
        let inputs = inputs::arrays(inputs);
        for (array, shape) in inputs.iter().zip(&self.shapes) {
            let own = array.shape();
            let agrees = own[1..] == shape[1..] && rows.map_or(own[0], <[usize]>::len) == shape[0];
            assert!(agrees, "the inputs have the shapes they were compiled for");
        }
        match &mut self.memory {
            Memory::F32(memory) => memory.run(&self.assembly, w.cast(DType::F32), inputs, rows),
            Memory::F64(memory) => memory.run(&self.assembly, w.cast(DType::F64), inputs, rows),
        }
    }
}

impl<T: Real> Gathered<T> {
    fn new(assembly: &Assembly, shapes: &[Vec<usize>]) -> Self {
        let inputs = shapes.iter().map(|_| Vec::new()).collect();
        Self { machine: Machine::new(assembly), inputs, last: None }
    }

    fn statistics(&self, assembly: &Assembly) -> Vec<(usize, Tensor<1>)> {
        let found = assembly.statistics.iter().map(|&(parameter, span)| {
            let numbers = self.machine.read(span).to_vec();
            (parameter, Array::from_host(numbers, &[span.length]).into_float())
        });
        found.collect()
    }

    fn run(&mut self, assembly: &Assembly, w: Array, inputs: Vec<Array>, rows: Option<&[usize]>) -> (f64, Tensor<1>) {
        let inputs: Vec<Array> = inputs.into_iter().map(|array| array.into_float_of(T::dtype()).dense()).collect();
        let w = w.dense();
        let whole = inputs.iter().map(|array| array.slice_on_host::<T>());
        let (Some(whole), Some(numbers)) = (whole.collect::<Option<Vec<_>>>(), w.slice_on_host::<T>()) else {
            unreachable!("the assembly was made for arrays in host memory")
        };
        if let Some(rows) = rows {
            for ((picked, whole), array) in self.inputs.iter_mut().zip(&whole).zip(&inputs) {
                let width: usize = array.shape()[1..].iter().product();
                picked.clear();
                for &row in rows {
                    picked.extend_from_slice(&whole[row * width..(row + 1) * width]);
                }
            }
        }
        let picked: Vec<&[T]> = match rows {
            Some(_) => self.inputs.iter().map(Vec::as_slice).collect(),
            None => whole,
        };
        let unread = |mut last: Array| last.slice_on_host_mut::<T>().is_some().then_some(last);
        let fresh = || Array::from_host(vec![T::ZERO; assembly.variables], &[assembly.variables]);
        let mut gradient = self.last.take().and_then(unread).unwrap_or_else(fresh);
        let Some(out) = gradient.slice_on_host_mut::<T>() else { unreachable!("nobody else reads it") };
        let value = self.machine.run(assembly, numbers, &picked, out);
        self.last = Some(w);
        (value.to_f64(), gradient.into_float())
    }
}
