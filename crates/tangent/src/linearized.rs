//! A map at a point, and its derivatives there.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{DType, Tensor, TensorData};
use rayon::prelude::*;

use crate::array::Array;
use crate::function::Order;
use crate::operation::Operation;
use crate::point::{Leaves, Point, Reverse, Values};
use crate::program::Program;
use crate::value::{Value, prefixed};
use burn_backend::Slice;

/// A variable's part of the flat vector.
#[derive(Clone, Debug)]
pub struct Segment {
    leaf: Leaf,
    shape: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaf {
    Parameter(usize),
    Input(usize),
}

impl Segment {
    pub fn parameter(index: usize, shape: &[usize]) -> Self {
        Self { leaf: Leaf::Parameter(index), shape: shape.to_vec() }
    }

    pub fn input(index: usize, shape: &[usize]) -> Self {
        Self { leaf: Leaf::Input(index), shape: shape.to_vec() }
    }

    /// Whether this is the variable of a leaf.
    pub fn is(&self, operation: &Operation) -> bool {
        match operation {
            Operation::Parameter(index) => self.leaf == Leaf::Parameter(*index),
            Operation::Input(index) => self.leaf == Leaf::Input(*index),
            _ => false,
        }
    }

    fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether each chunk has rows of its own.
    fn is_chunked(&self, rows: Option<&Range<usize>>) -> bool {
        rows.is_some() && matches!(self.leaf, Leaf::Input(_))
    }
}

/// Some of the samples, with the program recorded for their number.
pub struct Chunk {
    program: Arc<Program>,
    active: Arc<[bool]>,
    leaves: Leaves,
    /// Rows of the inputs; `None` for all at once.
    rows: Option<Range<usize>>,
    /// Entries of the output.
    outputs: Range<usize>,
    /// The evaluated program, if it is kept.
    point: Option<Point>,
}

impl Chunk {
    pub fn new(
        program: Arc<Program>,
        active: Arc<[bool]>,
        leaves: Leaves,
        rows: Option<Range<usize>>,
        outputs: Range<usize>,
    ) -> Self {
        Self { program, active, leaves, rows, outputs, point: None }
    }

    fn entries(&self) -> usize {
        let active = self.program.nodes.iter().zip(&*self.active).filter(|&(_, &active)| active);
        active.map(|(node, _)| node.shape.iter().product::<usize>()).sum()
    }

    fn evaluate(&self, order: Order) -> Point {
        Point::evaluate(&self.program, &self.active, &self.leaves, order)
    }
}

/// A map evaluated at a point, with its first and second derivatives as often as wanted.
///
/// Flat vectors: the variables (P entries) are the trainable parameters in the module's order and then, if asked for,
/// the float inputs, each row by row; the outputs (m entries) are the output tensor row by row. A method that takes a
/// `Tensor<1>` works on one vector, with a `Tensor<2>` on a block of k vectors in its rows. A block goes through the
/// program in as few passes as leave its values in a core's cache. Vectors of another float type than the program's are
/// converted to it.
///
/// # Panics
///
/// All methods panic when a vector has another length than P or m, or a block no rows.
pub struct Linearized {
    chunks: Vec<Chunk>,
    segments: Vec<Segment>,
    order: Order,
    directions: usize,
}

impl std::fmt::Debug for Linearized {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Linearized")
            .field("segments", &self.segments)
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}

impl Linearized {
    pub(crate) fn new(
        mut chunks: Vec<Chunk>,
        segments: Vec<Segment>,
        order: Order,
        keep: bool,
        directions: usize,
    ) -> Self {
        if keep {
            chunks.par_iter_mut().with_max_len(1).for_each(|chunk| chunk.point = Some(chunk.evaluate(order)));
        }
        Self { chunks, segments, order, directions }
    }

    /// Number of variables P.
    #[must_use]
    pub fn variables(&self) -> usize {
        self.segments.iter().map(Segment::len).sum()
    }

    /// Number of outputs m.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.chunks.last().map_or(0, |chunk| chunk.outputs.end)
    }

    /// How many numbers a product with the Jacobian computes: the entries of all values on the way from the variables
    /// to the outputs, of all samples. What a product costs grows with it, and it is the same on every machine.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.chunks.iter().map(Chunk::entries).sum()
    }

    /// Shape of the output tensor.
    #[must_use]
    pub fn output_shape(&self) -> Vec<usize> {
        let shapes = self.chunks.iter().map(|chunk| chunk.program.output_shape().to_vec());
        let joined = shapes.reduce(|mut all, chunk| {
            all[0] += chunk[0];
            all
        });
        joined.unwrap_or_default()
    }

    /// The value of the map, `[m]`.
    #[must_use]
    pub fn output(&self) -> Tensor<1> {
        let flat = |chunk: &Chunk, point: &Point| point.output.array.clone().reshape(&[chunk.outputs.len()]);
        let parts = self.by_chunk(|chunk| self.at(chunk, Order::Value, |point| flat(chunk, point)));
        Array::cat(parts, 0).into_float()
    }

    /// `J v`: the derivative of the outputs along `v`. `[P]` to `[m]`, or `[k, P]` to `[k, m]`.
    #[must_use]
    #[doc(alias = "jvp")]
    pub fn push<const B: usize>(&self, v: Tensor<B>) -> Tensor<B> {
        let v = self.block(v, self.variables(), "a direction");
        let parts = self.by_chunk(|chunk| {
            self.at(chunk, Order::First, |point| {
                let groups = v.parts(self.directions).map(|v| {
                    let tangents = self.pushed(chunk, point, &v, false);
                    output_tangent(chunk, &tangents, &v)
                });
                Array::cat(groups.collect(), 0)
            })
        });
        v.result(Array::cat(parts, 1))
    }

    /// `Jᵀ u`: the gradient of `⟨u, outputs⟩`. `[m]` to `[P]`, or `[k, m]` to `[k, P]`.
    #[must_use]
    #[doc(alias = "vjp")]
    pub fn pull<const B: usize>(&self, u: Tensor<B>) -> Tensor<B> {
        let u = self.block(u, self.outputs(), "a cotangent");
        let parts = self.waves(|chunk| {
            self.at(chunk, Order::First, |point| {
                self.grouped(chunk, &u, |u| point.pull(Some(u.output(chunk)), &Reverse::default(), |_, _| ()))
            })
        });
        u.result(self.assemble(parts, &u))
    }

    /// `(Σ u_i ∇²F_i) v`: the derivative of `Jᵀ u` along `v`. `v` and the result are `[P]`, or `[k, P]`.
    ///
    /// For a scalar map and `u = 1` this is the Hessian product. With the same `u` again and again,
    /// [`curve`](Self::curve) is faster.
    #[must_use]
    #[doc(alias = "hvp")]
    pub fn bend<const B: usize>(&self, u: Tensor<1>, v: Tensor<B>) -> Tensor<B> {
        self.curve(u).bend(v)
    }

    /// Pulls `u` `[m]` back once and keeps what second derivatives of `⟨u, outputs⟩` need.
    ///
    /// # Panics
    ///
    /// Also when the map was restricted to first derivatives.
    #[must_use]
    pub fn curve(&self, u: Tensor<1>) -> Curve<'_> {
        assert!(self.order == Order::Second, "this point keeps first derivatives only");
        let u = self.block(u, self.outputs(), "a cotangent");
        if self.chunks.iter().any(|chunk| chunk.point.is_none()) {
            return Curve { at: self, u, adjoints: Vec::new(), gradient: None };
        }
        let mut adjoints = Vec::new();
        let pulled = self.waves(|chunk| {
            self.at(chunk, Order::Second, |point| {
                let (adjoints, leaves) = point.adjoints(u.output(chunk));
                (adjoints, self.collect(chunk, leaves, &u))
            })
        });
        let parts = pulled.map(|(kept, part)| {
            adjoints.push(kept);
            part
        });
        let gradient = Some(self.assemble(parts, &u));
        Curve { at: self, u, adjoints, gradient }
    }

    /// The Jacobian `[m, P]`, one row for each output.
    #[must_use]
    pub fn jacobian(&self) -> Tensor<2> {
        Tensor::cat(self.units(64).map(|units| self.pull(units)).collect(), 0)
    }

    /// The rows of the identity of the outputs' space, `[m, m]`, so many at a time.
    pub(crate) fn units(&self, at_once: usize) -> impl Iterator<Item = Tensor<2>> {
        let m = self.outputs();
        let output = self.output();
        let (device, dtype) = (output.device(), output.dtype());
        (0..m).step_by(at_once).map(move |start| {
            let rows = at_once.min(m - start);
            let mut units = vec![0.0f64; rows * m];
            for row in 0..rows {
                units[row * m + start + row] = 1.0;
            }
            let units = TensorData::new(units, [rows, m]).convert_dtype(dtype);
            Tensor::from_data(units, (&device, dtype))
        })
    }

    /// One vector or a block, in the type of the program.
    fn block<const B: usize>(&self, tensor: Tensor<B>, length: usize, what: &str) -> Block {
        let dtype = self.chunks.first().map(|chunk| chunk.program.nodes[chunk.program.output].dtype);
        Block::new(tensor, dtype, length, what)
    }

    /// Calls `f` with the chunk's evaluated program, the one kept or a new one with as many derivatives as are needed.
    fn at<T>(&self, chunk: &Chunk, order: Order, f: impl FnOnce(&Point) -> T) -> T {
        match &chunk.point {
            Some(point) => f(point),
            None => f(&chunk.evaluate(order)),
        }
    }

    /// `f` of every chunk, in parallel; results in order. Even a single chunk is worked on inside the thread pool,
    /// where matrix products called from outside would first have to be handed over.
    fn by_chunk<T: Send>(&self, f: impl Fn(&Chunk) -> T + Sync) -> Vec<T> {
        self.chunks.par_iter().with_max_len(1).map(&f).collect()
    }

    /// As [`by_chunk`](Self::by_chunk), but no more results are alive than there are threads.
    fn waves<'a, T: Send + 'a>(&'a self, f: impl Fn(&Chunk) -> T + Sync + 'a) -> impl Iterator<Item = T> + 'a {
        let threads = rayon::current_num_threads().max(1);
        self.chunks.chunks(threads).flat_map(move |wave| wave.par_iter().with_max_len(1).map(&f).collect::<Vec<_>>())
    }

    /// Tangents of a chunk's nodes along the directions.
    fn pushed(&self, chunk: &Chunk, point: &Point, v: &Block, keep: bool) -> Values {
        let direction = |leaf: &Operation| {
            let mut start = 0;
            for segment in &self.segments {
                if segment.is(leaf) {
                    return Some(v.entries(segment, start, chunk.rows.as_ref()));
                }
                start += segment.len();
            }
            None
        };
        point.push(direction, keep)
    }

    /// The cotangents of a chunk's variables for a block, which is taken in groups of directions.
    fn grouped(&self, chunk: &Chunk, block: &Block, f: impl Fn(&Block) -> Values) -> Vec<Option<Array>> {
        let groups: Vec<_> = block.parts(self.directions).map(|group| self.collect(chunk, f(&group), &group)).collect();
        // Whether a variable has a cotangent does not depend on the direction.
        (0..self.segments.len())
            .map(|segment| {
                let rows: Vec<Array> = groups.iter().filter_map(|group| group[segment].clone()).collect();
                (!rows.is_empty()).then(|| Array::cat(rows, 0))
            })
            .collect()
    }

    /// The cotangents of a chunk's variables, flattened to `[k, length]`.
    fn collect(&self, chunk: &Chunk, mut leaves: Values, like: &Block) -> Vec<Option<Array>> {
        self.segments
            .iter()
            .map(|segment| {
                let node = chunk.program.nodes.iter().position(|node| segment.is(&node.operation))?;
                let cotangent = leaves[node].take()?;
                let length: usize = cotangent.shape().iter().product();
                Some(cotangent.leading(true).reshape(&[like.width, length]))
            })
            .collect()
    }

    /// Adds the parts of parameters and joins those of inputs, chunk by chunk, into `[k, P]`.
    fn assemble(&self, chunks: impl Iterator<Item = Vec<Option<Array>>>, like: &Block) -> Array {
        let mut sums: Vec<Vec<Array>> = vec![Vec::new(); self.segments.len()];
        for (chunk, parts) in self.chunks.iter().zip(chunks) {
            for ((segment, parts_so_far), part) in self.segments.iter().zip(&mut sums).zip(parts) {
                if segment.is_chunked(chunk.rows.as_ref()) {
                    let rows = chunk.rows.as_ref().map_or(0, Range::len);
                    let length = segment.len() / segment.shape[0] * rows;
                    parts_so_far.push(part.unwrap_or_else(|| Array::zeros(&[like.width, length], &like.array)));
                } else if let Some(part) = part {
                    let sum = match parts_so_far.pop() {
                        Some(sum) => sum.add(part),
                        None => part,
                    };
                    parts_so_far.push(sum);
                }
            }
        }
        let parts = self
            .segments
            .iter()
            .zip(sums)
            .map(|(segment, parts)| {
                if parts.is_empty() {
                    return Array::zeros(&[like.width, segment.len()], &like.array);
                }
                Array::cat(parts, 1)
            })
            .collect();
        Array::cat(parts, 1)
    }
}

/// The second derivatives of `⟨u, outputs⟩` at a point, for a fixed `u`: what its pull calculated is kept.
pub struct Curve<'a> {
    at: &'a Linearized,
    u: Block,
    adjoints: Vec<Values>,
    gradient: Option<Array>,
}

impl std::fmt::Debug for Curve<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Curve").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Curve<'_> {
    /// `Jᵀ u`, `[P]`.
    #[must_use]
    pub fn gradient(&self) -> Tensor<1> {
        match &self.gradient {
            Some(gradient) => gradient.clone().reshape(&[self.at.variables()]).into_float(),
            None => self.at.pull(self.u.array.clone().reshape(&[self.at.outputs()]).into_float()),
        }
    }

    /// `(Σ u_i ∇²F_i) v`, for one direction `[P]` or a block `[k, P]`.
    #[must_use]
    pub fn bend<const B: usize>(&self, v: Tensor<B>) -> Tensor<B> {
        self.second(v, |_, _| None)
    }

    /// `Jᵀ A J v + (Σ u_i ∇²F_i) v` in one pass forward and one back: the Hessian product of a loss ℓ of the outputs,
    /// with `u = ∇ℓ` and `A = ∇²ℓ`.
    ///
    /// `A` is given block by block: `hessian(entries, t)` is its product with the rows of `t` `[k, entries]`, tangents
    /// of those entries of the output, which are whole chunks of samples. It must not couple samples of different
    /// chunks.
    #[must_use]
    pub fn product<const B: usize>(
        &self,
        v: Tensor<B>,
        hessian: impl Fn(Range<usize>, Tensor<2>) -> Tensor<2> + Sync,
    ) -> Tensor<B> {
        self.second(v, |entries, tangent| Some(hessian(entries, tangent)))
    }

    fn second<const B: usize>(
        &self,
        v: Tensor<B>,
        hessian: impl Fn(Range<usize>, Tensor<2>) -> Option<Tensor<2>> + Sync,
    ) -> Tensor<B> {
        let at = self.at;
        let v = at.block(v, at.variables(), "a direction");
        let kept = |chunk: &Chunk| {
            let index = at.chunks.iter().position(|other| std::ptr::eq(other, chunk))?;
            self.adjoints.get(index)
        };
        let parts = at.waves(|chunk| {
            at.at(chunk, Order::Second, |point| {
                let fresh;
                let adjoints = match kept(chunk) {
                    Some(adjoints) => adjoints,
                    None => {
                        fresh = point.adjoints(self.u.output(chunk)).0;
                        &fresh
                    }
                };
                at.grouped(chunk, &v, |v| {
                    let tangents = at.pushed(chunk, point, v, true);
                    let tangent = output_tangent(chunk, &tangents, v).into_float();
                    let seed = hessian(chunk.outputs.clone(), tangent)
                        .map(|seed| v.shaped(Array::from_float(seed), chunk.program.output_shape()));
                    let reverse = Reverse { second: Some((adjoints, &tangents)), skipped: &[] };
                    point.pull(seed, &reverse, |_, _| ())
                })
            })
        });
        v.result(at.assemble(parts, &v))
    }
}

/// The tangent of a chunk's output, `[k, entries]`.
fn output_tangent(chunk: &Chunk, tangents: &Values, like: &Block) -> Array {
    let shape = [like.width, chunk.outputs.len()];
    match &tangents[chunk.program.output] {
        Some(tangent) => tangent.clone().expanded(Some(like.width)).reshape(&shape),
        None => Array::zeros(&shape, &like.array),
    }
}

/// One vector or the rows of a block, `[k, length]`.
struct Block {
    array: Array,
    width: usize,
    /// Whether it came as a block; a single vector runs without a block axis.
    block: bool,
}

impl Block {
    fn new<const B: usize>(tensor: Tensor<B>, dtype: Option<DType>, length: usize, what: &str) -> Self {
        const { assert!(B == 1 || B == 2, "one vector [length] or a block of them [k, length]") };
        let dims = tensor.dims();
        assert_eq!(dims[B - 1], length, "{what} has {length} entries");
        let width = if B == 2 { dims[0] } else { 1 };
        assert!(width > 0, "a block has at least one row");
        let array = Array::from_float(tensor).reshape(&[width, length]);
        let array = dtype.map_or(array.clone(), |dtype| array.cast(dtype));
        Self { array, width, block: B == 2 }
    }

    /// Rows in groups of at most `directions`; a group of one runs without a block axis.
    fn parts(&self, directions: usize) -> impl Iterator<Item = Self> {
        let starts = (0..self.width).step_by(directions.min(self.width));
        starts.map(move |start| {
            let end = start.saturating_add(directions).min(self.width);
            let width = end - start;
            Self { array: self.array.clone().rows(start, end), width, block: self.block && width > 1 }
        })
    }

    /// `[k, …]` as a value of the shape, or as a single one.
    fn shaped(&self, array: Array, shape: &[usize]) -> Value {
        if self.block {
            Value::block(array.reshape(&prefixed(self.width, shape)))
        } else {
            Value::one(array.reshape(shape))
        }
    }

    /// The entries of one variable, which start at `start`: of its chunk's rows if it is an input.
    fn entries(&self, segment: &Segment, start: usize, rows: Option<&Range<usize>>) -> Value {
        let (mut shape, mut start, mut length) = (segment.shape.clone(), start, segment.len());
        if segment.is_chunked(rows)
            && let Some(rows) = rows
        {
            let row = length / shape[0];
            shape[0] = rows.len();
            start += rows.start * row;
            length = rows.len() * row;
        }
        self.shaped(self.columns(start..start + length), &shape)
    }

    /// The entries of a chunk's output.
    fn output(&self, chunk: &Chunk) -> Value {
        self.shaped(self.columns(chunk.outputs.clone()), chunk.program.output_shape())
    }

    fn columns(&self, range: Range<usize>) -> Array {
        let columns = Slice::new(range.start as isize, Some(range.end as isize), 1);
        self.array.clone().slice(&[Slice::full(), columns])
    }

    /// Results `[k, length]`, as they were asked for.
    fn result<const B: usize>(&self, array: Array) -> Tensor<B> {
        let length = array.shape()[1];
        let array = if B == 1 { array.reshape(&[length]) } else { array };
        array.into_float()
    }
}
