//! A module's forward as a map that can be differentiated, recorded once for every shape.
//!
//! # Chunks and blocks
//!
//! Where samples do not see each other they are worked through in chunks, on all threads at once, and what the chunks
//! give is added in their order. Chunks are nearly equal and their number is even, whatever the number of threads is:
//! no thread waits for the last one, and results have the same bits with any number of threads. The exception is a
//! memory budget ([`Map::within`]), by which chunks shrink as threads become more.
//!
//! A block of directions is taken in parts whose values stay in a core's nearest caches. Where one direction fills
//! them, each goes alone: its products of matrices are then single products, not stacks of them.

use std::collections::{HashMap, HashSet};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::Module;
use burn::tensor::{DType, Tensor};

use crate::TangentError;
use crate::array::Array;
use crate::function::Order;
use crate::inputs::{self, Inputs};
use crate::linearized::{Chunk, Linearized, Segment};
use crate::operation::Operation;
use crate::parameters::{self, Visited};
use crate::point::Leaves;
use crate::program::{Parameter, Program};
use crate::value::Value;

/// What to differentiate by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Variables {
    /// The trainable parameters.
    #[default]
    Parameters,
    /// The float inputs, parameters held fixed.
    Inputs,
    /// The trainable parameters, then the float inputs.
    All,
}

/// How the samples (rows of the inputs) are worked through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Batching {
    /// All at once: the forward may mix samples.
    #[default]
    Whole,
    /// So many at a time.
    Samples(usize),
    /// As many at a time as fit into so many bytes.
    Memory(usize),
}

/// A differentiable map `F(w, x)`: a forward of a module, by the module's parameters `w` and the inputs `x`.
///
/// The forward is recorded on its first use and again only when shapes, element types, the device, frozen or shared
/// parameters change, so a map is made once and [linearized](Self::linearize) at as many points as wanted. The
/// recording holds everything of the module but its float parameters and running statistics: use one map for modules
/// that differ in nothing else (not in an activation, a flag or a table of integers).
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use losscape_tangent::Map;
///
/// let device = Device::flex();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let map = Map::new(|model: &Linear, x: Tensor<2>| model.forward(x));
/// let at = map.linearize(&model, &Tensor::from_data([[3.0, 4.0]], &device))?;
/// // F = 3 w₁ + 4 w₂, so its gradient is (3, 4).
/// let gradient = at.pull(Tensor::<1>::ones([1], &device));
/// assert_eq!(gradient.into_data().try_to_vec::<f32>().unwrap(), [3.0, 4.0]);
/// # Ok::<(), losscape_tangent::TangentError>(())
/// ```
pub struct Map<M, I, F> {
    forward: F,
    variables: Variables,
    batching: Batching,
    order: Order,
    precision: Option<DType>,
    /// Whether batch norm goes by the batch.
    pub(crate) of_batch: bool,
    programs: Arc<Mutex<HashMap<Signature, Arc<Program>>>>,
    of: PhantomData<fn(&M, I)>,
}

/// Clones share what was recorded.
impl<M, I, F: Clone> Clone for Map<M, I, F> {
    fn clone(&self) -> Self {
        Self {
            forward: self.forward.clone(),
            variables: self.variables,
            batching: self.batching,
            order: self.order,
            precision: self.precision,
            of_batch: self.of_batch,
            programs: self.programs.clone(),
            of: PhantomData,
        }
    }
}

/// What a recording depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Signature {
    /// Each with the place of its first occurrence, which tells shared parameters.
    parameters: Vec<(Parameter, Option<usize>)>,
    precision: Option<DType>,
    of_batch: bool,
    inputs: Vec<(Vec<usize>, DType)>,
    samples: Option<usize>,
    /// Constants live on a device.
    device: String,
}

impl<M, I, F> std::fmt::Debug for Map<M, I, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { variables, batching, order, precision, of_batch, .. } = self;
        f.debug_struct("Map")
            .field("variables", variables)
            .field("batching", batching)
            .field("order", order)
            .field("precision", precision)
            .field("of_batch", of_batch)
            .finish_non_exhaustive()
    }
}

impl<M, I, F, const D: usize> Map<M, I, F>
where
    M: Module,
    I: Inputs,
    F: Fn(&M, I) -> Tensor<D>,
{
    /// The map of a forward. It is differentiated by the trainable parameters, all samples at once.
    #[must_use]
    pub fn new(forward: F) -> Self {
        Self {
            forward,
            variables: Variables::default(),
            batching: Batching::default(),
            order: Order::Second,
            precision: None,
            of_batch: false,
            programs: Arc::default(),
            of: PhantomData,
        }
    }

    /// Sets what to differentiate by.
    #[must_use]
    pub fn by(mut self, variables: Variables) -> Self {
        self.variables = variables;
        self
    }

    /// Works on at most `samples` rows of the inputs at a time, in parallel on the threads of the current rayon pool;
    /// sums are taken in the order of the chunks, so results do not depend on the number of threads. For forwards
    /// that treat every sample on its own and give one row of output for each.
    ///
    /// # Panics
    ///
    /// When `samples` is zero.
    #[must_use]
    pub fn in_chunks(mut self, samples: usize) -> Self {
        assert!(samples > 0, "a chunk has at least one sample");
        self.batching = Batching::Samples(samples);
        self
    }

    /// Works in chunks as [`in_chunks`](Self::in_chunks), as large as fit into so many bytes together with everything
    /// else that is kept and calculated. Where the values of all samples do not fit, they are calculated anew for
    /// each product; where a block of directions does not, it is taken in parts. Parameters, inputs, vectors and
    /// results are not counted (of results, each thread holds up to three), and temporaries of the device's own
    /// operations are not known. Chunks become smaller with more threads: for the same bits everywhere use
    /// `in_chunks`.
    #[must_use]
    pub fn within(mut self, bytes: usize) -> Self {
        self.batching = Batching::Memory(bytes);
        self
    }

    /// Keeps only what first derivatives need: `push` and `pull`, not `bend`.
    #[must_use]
    pub fn first_order(mut self) -> Self {
        self.order = Order::First;
        self
    }

    /// Calculates in this float type whatever the module's is: derivatives in f64 of a module trained in f32. Vectors
    /// go in and come out in it.
    ///
    /// The forward is recorded in the module's own type, and what is folded into constants then is calculated in that.
    #[must_use]
    pub fn precision(mut self, dtype: DType) -> Self {
        self.precision = Some(dtype);
        self
    }

    /// Whether Burn's batch norm normalizes by mean and variance of the samples given (default: no), as in training,
    /// where its training flag is on; running statistics are neither read nor moved. The variance is the biased one.
    ///
    /// Samples then see each other: all are worked through at once, whatever [`in_chunks`](Self::in_chunks) says, and
    /// what does not fit is refused by [`within`](Self::within). Of inputs alone in their batch the variance is zero.
    /// The recording distinguishes modules by their flags no more than by anything else that is no parameter.
    #[must_use]
    pub fn batch_statistics(mut self, of_batch: bool) -> Self {
        self.of_batch = of_batch;
        self
    }

    /// The recorded forward, for all samples at once.
    ///
    /// # Errors
    ///
    /// [`TangentError`] when it cannot be recorded or contains an operation without an entry.
    pub fn program(&self, module: &M, inputs: &I) -> Result<Arc<Program>, TangentError> {
        self.record(module, &parameters::visit(module), inputs, None)
    }

    /// Evaluates the map at the module's parameters and the inputs, and keeps what derivatives need.
    ///
    /// # Errors
    ///
    /// [`TangentError`] when the forward cannot be recorded, contains an operation without an entry, or there is
    /// nothing to differentiate by; in chunks also when samples and outputs do not correspond or one sample does
    /// not fit into the memory.
    pub fn linearize(&self, module: &M, inputs: &I) -> Result<Linearized, TangentError> {
        self.linearized(module, None, inputs, self.variables)
    }

    /// As [`linearize`](Self::linearize), with the trainable parameters replaced by the entries of `w` `[P]`, in the
    /// map's precision and in the order of [`parameters::ravel`]. The module stays as it is, and is not recorded
    /// anew.
    ///
    /// # Errors
    ///
    /// As [`linearize`](Self::linearize), and [`TangentError::ParameterCount`] when the length of `w` is not P.
    pub fn linearize_at(&self, module: &M, w: &Tensor<1>, inputs: &I) -> Result<Linearized, TangentError> {
        self.linearized(module, Some(w), inputs, self.variables)
    }

    pub(crate) fn linearized(
        &self,
        module: &M,
        w: Option<&Tensor<1>>,
        inputs: &I,
        variables: Variables,
    ) -> Result<Linearized, TangentError> {
        let visited = parameters::visit(module);
        let arrays = self.values(inputs);
        let (leaves, infos) = self.distinct(&visited, w)?;
        let segments = Self::segments(&infos, &arrays, variables);
        if segments.is_empty() {
            return Err(TangentError::NoVariables);
        }
        let plan = self.plan(module, &visited, inputs, &arrays, &segments)?;
        let mut chunks = Vec::new();
        let mut start = 0;
        let mut output_start = 0;
        for (program, samples) in plan.programs {
            let end = start + samples.unwrap_or(0);
            let part = |array: &Array| match samples {
                None => array.clone(),
                Some(_) => array.clone().rows(start, end),
            };
            let leaves =
                Leaves { parameters: leaves.clone(), inputs: arrays.iter().map(|x| Value::one(part(x))).collect() };
            let length: usize = program.output_shape().iter().product();
            let active = program.active(|leaf| segments.iter().any(|segment| segment.is(leaf))).into();
            chunks.push(Chunk::new(
                program,
                active,
                leaves,
                samples.map(|_| start..end),
                output_start..output_start + length,
            ));
            start = end;
            output_start += length;
        }
        Ok(Linearized::new(chunks, segments, self.order, plan.keep, plan.directions))
    }

    /// Recordings of the chunks in order, and how to work through them.
    fn plan(
        &self,
        module: &M,
        visited: &[Visited],
        inputs: &I,
        arrays: &[Array],
        segments: &[Segment],
    ) -> Result<Chunking, TangentError> {
        let active = |program: &Program| program.active(|leaf| segments.iter().any(|segment| segment.is(leaf)));
        let limit = match self.batching {
            Batching::Samples(samples) if !self.of_batch => samples,
            Batching::Memory(_) if !self.of_batch => usize::MAX,
            batching => {
                let program = self.record(module, visited, inputs, None)?;
                let mut directions = directions_in_cache(&program);
                if let Batching::Memory(budget) = batching {
                    let Footprint { kept, working } = Footprint::whole(&program, &active(&program), self.order);
                    if kept + working > budget {
                        return Err(TangentError::Memory { needed: kept + working, budget });
                    }
                    directions = directions.min((budget - kept) / working.max(1)).max(1);
                }
                return Ok(Chunking { programs: vec![(program, None)], keep: true, directions });
            }
        };
        let counts: Vec<usize> = arrays.iter().map(|array| array.shape()[0]).collect();
        let total = counts.first().copied().unwrap_or(0);
        if total == 0 || counts.iter().any(|&count| count != total) {
            return Err(TangentError::Samples { counts });
        }
        let mut plan = Chunking { programs: Vec::new(), keep: true, directions: usize::MAX };
        let mut size = limit.min(total);
        if let Batching::Memory(budget) = self.batching {
            let (one, two) =
                (self.record(module, visited, inputs, Some(1))?, self.record(module, visited, inputs, Some(2))?);
            let footprint = Footprint::of(&one, &two, active, self.order);
            (size, plan.keep, plan.directions) = footprint.fit(budget, total)?;
        }
        let size = balanced(size, total);
        for start in (0..total).step_by(size) {
            let samples = size.min(total - start);
            let program = self.record(module, visited, inputs, Some(samples))?;
            if program.output_shape().first() != Some(&samples) {
                return Err(TangentError::NotPerSample { samples, shape: program.output_shape().to_vec() });
            }
            plan.directions = plan.directions.min(directions_in_cache(&program));
            plan.programs.push((program, Some(samples)));
        }
        Ok(plan)
    }

    /// The inputs' values, in the precision asked for.
    pub(crate) fn values(&self, inputs: &I) -> Vec<Array> {
        inputs::arrays(inputs).into_iter().map(|array| self.cast(array)).collect()
    }

    /// The parameters without repetitions: values, in the precision asked for, the trainable ones from `w` if it is
    /// given; and descriptions.
    pub(crate) fn distinct(
        &self,
        visited: &[Visited],
        w: Option<&Tensor<1>>,
    ) -> Result<(Vec<Array>, Vec<Parameter>), TangentError> {
        let mut seen = HashSet::new();
        let distinct: Vec<&Visited> = visited.iter().filter(|visited| seen.insert(visited.id)).collect();
        let mut values: Vec<Array> = distinct.iter().map(|visited| self.cast(visited.array.clone())).collect();
        if let Some(w) = w {
            let given = w.dims()[0];
            let w = Array::from_float(w.clone());
            let mut end = 0;
            for (value, visited) in values.iter_mut().zip(&distinct).filter(|(_, visited)| visited.parameter.trainable)
            {
                let start = end;
                end += visited.parameter.shape.iter().product::<usize>();
                if end <= given {
                    *value = w.clone().rows(start, end).reshape(&visited.parameter.shape).cast(value.dtype());
                }
            }
            if end != given {
                return Err(TangentError::ParameterCount { expected: end, given });
            }
        }
        Ok((values, distinct.into_iter().map(|visited| visited.parameter.clone()).collect()))
    }

    fn cast(&self, array: Array) -> Array {
        match self.precision {
            Some(dtype) if array.dtype().is_float() => array.cast(dtype),
            _ => array,
        }
    }

    /// The variables in the order of the flat vector.
    fn segments(parameters: &[Parameter], inputs: &[Array], variables: Variables) -> Vec<Segment> {
        let mut segments = Vec::new();
        if variables != Variables::Inputs {
            let trainable = parameters.iter().enumerate().filter(|(_, parameter)| parameter.trainable);
            segments.extend(trainable.map(|(index, parameter)| Segment::parameter(index, &parameter.shape)));
        }
        if variables != Variables::Parameters {
            let floats = inputs.iter().enumerate().filter(|(_, input)| input.dtype().is_float());
            segments.extend(floats.map(|(index, input)| Segment::input(index, &input.shape())));
        }
        segments
    }

    /// The recording for this signature, from memory or made now.
    pub(crate) fn record(
        &self,
        module: &M,
        visited: &[Visited],
        inputs: &I,
        samples: Option<usize>,
    ) -> Result<Arc<Program>, TangentError> {
        let arrays = inputs::arrays(inputs);
        let shape = |array: &Array| match samples {
            None => array.shape(),
            Some(_) => array.shape()[1..].to_vec(),
        };
        let device = arrays.first().or(visited.first().map(|visited| &visited.array)).map(Array::device);
        let Some(device) = device else { return Err(TangentError::NoVariables) };
        let first = |one: &Visited| visited.iter().position(|other| other.id == one.id);
        let signature = Signature {
            parameters: visited.iter().map(|one| (one.parameter.clone(), first(one))).collect(),
            precision: self.precision,
            of_batch: self.of_batch,
            inputs: arrays.iter().map(|array| (shape(array), array.dtype())).collect(),
            samples,
            device: format!("{device:?}"),
        };
        let known = |signature: &Signature| {
            self.programs.lock().unwrap_or_else(PoisonError::into_inner).get(signature).cloned()
        };
        if let Some(program) = known(&signature) {
            return Ok(program);
        }
        let program = crate::capture::capture(module, visited, inputs, samples, self.of_batch, &device, &self.forward)?;
        let program = Arc::new(match self.precision {
            Some(dtype) => program.in_precision(dtype),
            None => program.of_one_type()?,
        });
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(programs.entry(signature).or_insert(program).clone())
    }
}

/// Recordings of the chunks with their numbers of samples (`None`: all at once), whether values are kept between
/// products, and how many directions are taken at a time.
struct Chunking {
    programs: Vec<(Arc<Program>, Option<usize>)>,
    keep: bool,
    directions: usize,
}

/// Samples a chunk, at most `size`, such that chunks are nearly equal and their number is even: no thread waits for the
/// last one. The number of threads must not matter, or results would depend on it.
pub fn balanced(size: usize, total: usize) -> usize {
    match total.div_ceil(size) {
        1 => total,
        chunks => total.div_ceil(chunks.next_multiple_of(2)),
    }
}

/// How many directions at a time leave the largest value of a program in a core's nearest caches: a block is worked
/// through in parts of so many. Small programs gain by fewer passes over their operations; large ones are fastest
/// direction by direction, where a product of matrices is one product and not a stack of them (docs/scaling.md).
fn directions_in_cache(program: &Program) -> usize {
    const CACHE: usize = 1 << 18;
    let bytes = |shape: &[usize], dtype: DType| shape.iter().product::<usize>() * dtype.size();
    let largest = program.nodes.iter().map(|node| bytes(&node.shape, node.dtype)).max().unwrap_or(1);
    (CACHE / largest.max(1)).max(1)
}

/// Bytes that a recording needs, for each sample.
struct Footprint {
    /// Values kept between products.
    kept: usize,
    /// Values that live during a product, for each direction.
    working: usize,
}

impl Footprint {
    /// Measured as the difference between two samples and one, so that what belongs to the parameters drops out.
    fn of(one: &Program, two: &Program, active: impl Fn(&Program) -> Vec<bool>, order: Order) -> Self {
        let [one, two] = [one, two].map(|program| Self::whole(program, &active(program), order));
        let each = |two: usize, one: usize| two.saturating_sub(one).max(1);
        Self { kept: each(two.kept, one.kept), working: each(two.working, one.working) }
    }

    /// All that a recording keeps, and all that lives during a product.
    fn whole(program: &Program, active: &[bool], order: Order) -> Self {
        let bytes = |index: usize| {
            let node = &program.nodes[index];
            node.shape.iter().product::<usize>() * node.dtype.size()
        };
        let second = usize::from(order == Order::Second);
        let (mut kept, mut working) = (0, 0);
        let mut factors = HashSet::new();
        for (index, node) in program.nodes.iter().enumerate().filter(|&(index, _)| active[index]) {
            kept += match node.operation {
                // f′, and for second derivatives f″ and f″ ȳ.
                Operation::Elementwise(_) => bytes(index) * (1 + 2 * second),
                // ȳ, and the operands, which several operations may share.
                Operation::Bilinear(_) => {
                    let operands = node.operands.iter().filter(|&&operand| factors.insert(operand));
                    operands.map(|&operand| bytes(operand)).sum::<usize>() + bytes(index) * second
                }
                Operation::Linear(ref linear) if linear.has_auxiliary() => {
                    node.operands.last().map_or(0, |&last| bytes(last))
                }
                _ => 0,
            };
            // A tangent and a cotangent, and one more while they are calculated.
            working += 3 * bytes(index);
        }
        Self { kept, working }
    }

    /// Samples a chunk, whether all values are kept, and directions at a time, within `budget` bytes.
    fn fit(&self, budget: usize, total: usize) -> Result<(usize, bool, usize), TangentError> {
        let threads = rayon::current_num_threads();
        let keep = self.kept.saturating_mul(total) <= budget / 2;
        let left = if keep { budget - self.kept * total } else { budget };
        let a_sample = if keep { self.working } else { self.working + self.kept };
        let chunk = left / threads / a_sample;
        if chunk == 0 {
            return Err(TangentError::Memory { needed: a_sample * threads, budget });
        }
        let chunk = chunk.min(total).min(Self::CHUNK);
        let for_directions = if keep { left / threads } else { left / threads - self.kept * chunk };
        Ok((chunk, keep, (for_directions / (self.working * chunk)).max(1)))
    }

    /// Samples a chunk where memory allows more: enough for matrix products at full speed, few enough for the cache.
    const CHUNK: usize = 256;
}
