//! The tangent kernel `K = J Jᵀ` without J.
//!
//! Every sample runs through the program on its own: the program is recorded for one sample and evaluated with all of
//! them along the block axis, so that a reverse pass gives for every sample its own cotangents. A parameter then
//! contributes to `K(n, m)` in one of two ways.
//!
//! - *Gram products.* If it enters once, as W in a matrix product `Z = A W` with T rows a sample, its gradient for
//!   sample n is `Σ_t a_nt d_ntᵀ` with `d = ∂F/∂Z`, and `⟨∇F_n, ∇F_m⟩ = Σ_ts (a_nt · a_ms)(d_nt · d_ms)`. A bias added
//!   to Z adds one to the first factor. Nothing of the size of W is formed.
//! - *Contraction.* Otherwise the gradients of all samples are formed and multiplied: `R_n · R_m`.
//!
//! K is built of tiles; of a symmetric one only the lower half is calculated.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::Tensor;
use rayon::prelude::*;

use crate::TangentError;
use crate::array::Array;
use crate::function::{Elementwise, Order};
use crate::inputs::Inputs;
use crate::linearized::Linearized;
use crate::map::{Map, Variables, balanced};
use crate::operation::{Bilinear, Linear, Operation};
use crate::parameters;
use crate::point::{Leaves, Point, Reverse};
use crate::program::Program;
use crate::value::Value;

/// Samples a tile, at most: its products stay in the cache.
const TILE: usize = 512;

/// Numbers that the gradients of some outputs have together where samples see each other.
const GRADIENTS: usize = 1 << 24;

/// Samples that are not divided into two tiles, of which one need not be calculated.
const SMALL: usize = 64;

impl<M, I, F, const D: usize> Map<M, I, F>
where
    M: Module,
    I: Inputs,
    F: Fn(&M, I) -> Tensor<D>,
{
    /// The tangent kernel `K = J Jᵀ` of the inputs' samples by the trainable parameters: `[nC, nC]` for n samples with
    /// C outputs each, rows and columns in the order of the outputs (all of sample 0, then all of sample 1, …), in
    /// the element type of the module.
    ///
    /// Every sample is treated on its own, as if it were the only one in its batch, but for
    /// [`batch_statistics`](Self::batch_statistics): there `J Jᵀ` is formed by products, nC of each, with 2²⁴ numbers
    /// or P for gradients of outputs, and at its peak three times the result. What the map differentiates by, chunks
    /// and a memory budget do not matter here. Memory: at its peak two and a half times the result, and for each matrix
    /// product `[T, i] × [i, o]` of a sample n T (i + C o) numbers, for each parameter of p entries that is contracted
    /// n C p.
    ///
    /// # Errors
    ///
    /// As [`linearize`](Self::linearize) in chunks.
    pub fn kernel(&self, module: &M, inputs: &I) -> Result<Tensor<2>, TangentError> {
        self.kernel_of(module, None, inputs)
    }

    /// As [`kernel`](Self::kernel), with the trainable parameters replaced as [`linearize_at`](Self::linearize_at)
    /// does.
    ///
    /// # Errors
    ///
    /// As [`kernel`](Self::kernel), and [`TangentError::ParameterCount`] when the length of `w` is not P.
    pub fn kernel_at(&self, module: &M, w: &Tensor<1>, inputs: &I) -> Result<Tensor<2>, TangentError> {
        self.kernel_of(module, Some(w), inputs)
    }

    fn kernel_of(&self, module: &M, w: Option<&Tensor<1>>, inputs: &I) -> Result<Tensor<2>, TangentError> {
        if self.of_batch {
            let at = self.linearized(module, w, inputs, Variables::Parameters)?;
            return Ok(Self::coupled(&at, &at));
        }
        Ok(Self::symmetric(&self.factors(module, w, inputs)?))
    }

    /// `J(x) J(x′)ᵀ` where samples see each other, column by column; exactly symmetric where both are one.
    fn coupled(rows: &Linearized, columns: &Linearized) -> Tensor<2> {
        let at_once = (GRADIENTS / columns.variables().max(1)).clamp(1, 64);
        let parts = columns.units(at_once).map(|units| rows.push(columns.pull(units)));
        let kernel: Tensor<2> = Tensor::cat(parts.collect(), 0).transpose();
        if std::ptr::eq(rows, columns) { (kernel.clone() + kernel.transpose()).mul_scalar(0.5) } else { kernel }
    }

    /// The kernel of samples with themselves.
    fn symmetric(factors: &[Factors]) -> Tensor<2> {
        let tiles = factors.len();
        let pairs: Vec<(usize, usize)> =
            (0..tiles).flat_map(|row| (0..=row).map(move |column| (row, column))).collect();
        let lower: Vec<Array> =
            pairs.par_iter().with_max_len(1).map(|&(row, column)| factors[row].product(&factors[column])).collect();
        let at = |row: usize, column: usize| lower[row * (row + 1) / 2 + column].clone();
        let rows = (0..tiles).map(|row| {
            let tiles =
                (0..tiles).map(|column| if column <= row { at(row, column) } else { at(column, row).transpose() });
            Array::cat(tiles.collect(), 1)
        });
        Array::cat(rows.collect(), 0).into_float()
    }

    /// The tangent kernel between two sets of inputs, `K = J(x) J(x′)ᵀ`, `[nC, n′C]`; see [`kernel`](Self::kernel).
    ///
    /// # Errors
    ///
    /// As [`kernel`](Self::kernel).
    pub fn kernel_between(&self, module: &M, rows: &I, columns: &I) -> Result<Tensor<2>, TangentError> {
        if self.of_batch {
            let at = |inputs| self.linearized(module, None, inputs, Variables::Parameters);
            return Ok(Self::coupled(&at(rows)?, &at(columns)?));
        }
        let (rows, columns) = (self.factors(module, None, rows)?, self.factors(module, None, columns)?);
        let pairs: Vec<(usize, usize)> =
            (0..rows.len()).flat_map(|row| (0..columns.len()).map(move |column| (row, column))).collect();
        let tiles: Vec<Array> =
            pairs.par_iter().with_max_len(1).map(|&(row, column)| rows[row].product(&columns[column])).collect();
        let rows = tiles.chunks(columns.len()).map(|row| Array::cat(row.to_vec(), 1));
        Ok(Array::cat(rows.collect(), 0).into_float())
    }

    /// What each tile of samples contributes.
    fn factors(&self, module: &M, w: Option<&Tensor<1>>, inputs: &I) -> Result<Vec<Factors>, TangentError> {
        let visited = parameters::visit(module);
        let arrays = self.values(inputs);
        let counts: Vec<usize> = arrays.iter().map(|array| array.shape()[0]).collect();
        let total = counts.first().copied().unwrap_or(0);
        if total == 0 || counts.iter().any(|&count| count != total) {
            return Err(TangentError::Samples { counts });
        }
        let program = self.record(module, &visited, inputs, Some(1))?;
        if program.output_shape().first() != Some(&1) {
            return Err(TangentError::NotPerSample { samples: 1, shape: program.output_shape().to_vec() });
        }
        let (values, infos) = self.distinct(&visited, w)?;
        let variable = |leaf: &Operation| matches!(leaf, Operation::Parameter(index) if infos[*index].trainable);
        let active: Arc<[bool]> = program.active(variable).into();
        if !infos.iter().any(|parameter| parameter.trainable) {
            return Err(TangentError::NoVariables);
        }
        let routes = Routes::of(&program, &active);
        let tile = balanced(TILE.min(total.div_ceil(2)).max(SMALL), total);
        let starts: Vec<usize> = (0..total).step_by(tile).collect();
        let factors = starts.into_par_iter().with_max_len(1).map(|start| {
            let end = (start + tile).min(total);
            let inputs = arrays.iter().map(|array| {
                let part = array.clone().rows(start, end);
                let mut shape = part.shape();
                shape.insert(1, 1);
                Value::block(part.reshape(&shape))
            });
            let leaves = Leaves { parameters: values.clone(), inputs: inputs.collect() };
            Factors::at(&Point::evaluate(&program, &active, &leaves, Order::First), &routes, end - start)
        });
        Ok(factors.collect())
    }
}

/// How each parameter contributes.
struct Routes {
    products: Vec<Product>,
    /// Leaves whose gradients are formed.
    contracted: Vec<usize>,
    /// The operands of `products` that are parameters: nothing is pulled into them.
    skipped: Vec<(usize, usize)>,
}

/// A matrix product with a parameter.
struct Product {
    node: usize,
    /// Which operand is the parameter.
    position: usize,
    /// How often the parameter is used for a sample: rows of the other operand (columns, if the parameter is on the
    /// left).
    repeats: usize,
    /// The square of the number the parameter was scaled by on its way.
    scale: f64,
    /// The same for a bias added to the product; zero without one.
    bias: f64,
}

impl Routes {
    fn of(program: &Program, active: &[bool]) -> Self {
        let mut readers = vec![Vec::new(); program.nodes.len()];
        for (index, node) in program.nodes.iter().enumerate() {
            for (position, &operand) in node.operands.iter().enumerate() {
                readers[operand].push((index, position));
            }
        }
        let leaves: Vec<usize> = (0..program.nodes.len())
            .filter(|&index| active[index] && matches!(program.nodes[index].operation, Operation::Parameter(_)))
            .collect();
        let mut routes = Self { products: Vec::new(), contracted: Vec::new(), skipped: Vec::new() };
        let mut others = Vec::new();
        for leaf in leaves {
            let destination = destination(program, &readers, leaf);
            let gram = destination.and_then(|(node, position, scale)| {
                let repeats = gram_repeats(program, node, position)?;
                Some(Product { node, position, repeats, scale, bias: 0.0 })
            });
            match gram {
                Some(product) => {
                    routes.skipped.push((product.node, product.position));
                    routes.products.push(product);
                }
                None => others.push((leaf, destination)),
            }
        }
        for (leaf, destination) in others {
            match destination.and_then(|destination| routes.bias(program, &readers, leaf, destination)) {
                Some(skipped) => routes.skipped.push(skipped),
                None => routes.contracted.push(leaf),
            }
        }
        routes
    }

    /// Merges a parameter into the product to which it is added, if it is a bias: one number for each entry of the
    /// product of a sample without repetitions.
    fn bias(
        &mut self,
        program: &Program,
        readers: &[Vec<(usize, usize)>],
        leaf: usize,
        (sum, position, scale): (usize, usize, f64),
    ) -> Option<(usize, usize)> {
        let Operation::Linear(Linear::Add) = program.nodes[sum].operation else { return None };
        let product = program.nodes[sum].operands[1 - position];
        let only_reader = readers[product].as_slice() == [(sum, 1 - position)];
        let length = |node: usize| program.nodes[node].shape.iter().product::<usize>();
        let found = self.products.iter_mut().find(|found| found.node == product && found.bias == 0.0)?;
        if !only_reader || found.repeats != 1 || length(leaf) != length(product) {
            return None;
        }
        found.bias = scale;
        Some((sum, position))
    }
}

/// The only operation that a parameter enters, after being turned, reshaped, repeated or scaled: its node, the
/// operand's position, and the square of the scale.
fn destination(program: &Program, readers: &[Vec<(usize, usize)>], leaf: usize) -> Option<(usize, usize, f64)> {
    let mut scale = 1.0;
    let mut at = leaf;
    loop {
        let &[(reader, position)] = readers[at].as_slice() else { return None };
        match &program.nodes[reader].operation {
            Operation::Linear(Linear::Reshape | Linear::Permute(_) | Linear::Expand) => {}
            Operation::Elementwise(Elementwise::Scale(factor)) => scale *= factor * factor,
            _ => return Some((reader, position, scale)),
        }
        at = reader;
    }
}

/// How often a parameter is used for a sample, if as an operand of a node it is the matrix of a product whose Gram
/// products take fewer operations than its gradients.
fn gram_repeats(program: &Program, node: usize, position: usize) -> Option<usize> {
    let Operation::Bilinear(Bilinear::Matmul) = program.nodes[node].operation else { return None };
    let [a, b] = [0, 1].map(|operand| program.nodes[program.nodes[node].operands[operand]].shape.as_slice());
    let (&[rows, inner], &[_, columns]) = (a, b) else { return None };
    let (repeats, to) = if position == 1 { (rows, columns) } else { (columns, rows) };
    let fewer = repeats == 1 || repeats * repeats * (inner + to) <= inner * to;
    (fewer && !is_expanded(program, program.nodes[node].operands[position])).then_some(repeats)
}

/// Whether a parameter was repeated on its way to a node.
fn is_expanded(program: &Program, mut node: usize) -> bool {
    loop {
        match &program.nodes[node].operation {
            Operation::Linear(Linear::Expand) => return true,
            Operation::Linear(_) | Operation::Elementwise(_) => node = program.nodes[node].operands[0],
            _ => return false,
        }
    }
}

/// What the samples of a tile contribute.
struct Factors {
    /// For each product: `A` `[n, T, i]` and for each output `D` `[n, T, o]`, and the weights of A's Gram product and
    /// of ones.
    products: Vec<(Array, Vec<Array>, f64, f64)>,
    /// For each output: gradients of the contracted parameters `[n, p]`.
    gradients: Vec<Option<Array>>,
    samples: usize,
    /// Zeros `[n, 1]`, for outputs that depend on no parameter.
    zeros: Array,
}

impl Factors {
    fn at(point: &Point, routes: &Routes, samples: usize) -> Self {
        let program = &point.program;
        let shape = program.output_shape();
        let outputs: usize = shape.iter().product();
        // `[n, T, length]` of a product's operand or result, in which repetitions are rows (or columns, if the
        // parameter is on the left).
        let rows = |value: &Value, position: usize| {
            let array = value.clone().expanded(Some(samples));
            if position == 1 { array } else { array.transpose() }
        };
        let inputs: Vec<Array> = routes
            .products
            .iter()
            .map(|product| {
                let Some((a, b)) = point.factors(product.node) else {
                    unreachable!("the product depends on a parameter")
                };
                rows(if product.position == 1 { a } else { b }, product.position)
            })
            .collect();
        let mut products: Vec<_> = routes
            .products
            .iter()
            .zip(inputs)
            .map(|(product, a)| (a, Vec::new(), product.scale, product.bias))
            .collect();
        let mut gradients = Vec::new();
        for output in 0..outputs {
            let seed = Array::one_hot(output, outputs, samples, shape, &point.output.array);
            let mut found: Vec<Option<Value>> = vec![None; routes.products.len()];
            let reverse = Reverse { second: None, skipped: &routes.skipped };
            let leaves = point.pull(Some(Value::block(seed)), &reverse, |node, cotangent| {
                for (product, found) in routes.products.iter().zip(&mut found) {
                    if product.node == node {
                        *found = cotangent.cloned();
                    }
                }
            });
            for ((product, found), (_, signals, ..)) in routes.products.iter().zip(found).zip(&mut products) {
                let node_shape = &program.nodes[product.node].shape;
                let found = found.unwrap_or_else(|| Value::one(Array::full(0.0, node_shape, &point.output.array)));
                signals.push(rows(&found, product.position));
            }
            let parts: Vec<Array> = routes
                .contracted
                .iter()
                .filter_map(|&leaf| {
                    let gradient = leaves[leaf].clone()?;
                    let length: usize = gradient.shape().iter().product();
                    Some(gradient.expanded(Some(samples)).reshape(&[samples, length]))
                })
                .collect();
            gradients.push((!parts.is_empty()).then(|| Array::cat(parts, 1)));
        }
        Self { products, gradients, samples, zeros: Array::zeros(&[samples, 1], &point.output.array) }
    }

    /// The tile `[n C, m C]` of the kernel between these samples and others.
    fn product(&self, other: &Self) -> Array {
        let (n, m, outputs) = (self.samples, other.samples, self.gradients.len());
        let mut sums: Vec<Option<Array>> = vec![None; outputs * outputs];
        let mut accumulate = |at: usize, part: Array| {
            sums[at] = Some(match sums[at].take() {
                Some(sum) => sum.add(part),
                None => part,
            });
        };
        for ((a, signals, scale, bias), (b, other_signals, ..)) in self.products.iter().zip(&other.products) {
            let (rows, columns) = (a.shape()[1], b.shape()[1]);
            let inputs = affine(gram(a, b), *scale, *bias);
            for (i, left) in signals.iter().enumerate() {
                for (j, right) in other_signals.iter().enumerate() {
                    let weighted = gram(left, right).mul(inputs.clone());
                    let part = if rows * columns == 1 {
                        weighted
                    } else {
                        weighted.reshape(&[n, rows, m, columns]).sum(&[3, 1]).reshape(&[n, m])
                    };
                    accumulate(i * outputs + j, part);
                }
            }
        }
        for (i, left) in self.gradients.iter().enumerate() {
            for (j, right) in other.gradients.iter().enumerate() {
                if let (Some(left), Some(right)) = (left, right) {
                    accumulate(i * outputs + j, left.clone().matmul(right.clone().transpose()));
                }
            }
        }
        let zeros = || self.zeros.clone().matmul(other.zeros.clone().transpose());
        let tiles: Vec<Array> = sums.into_iter().map(|sum| sum.unwrap_or_else(zeros)).collect();
        if outputs == 1 {
            return Array::cat(tiles, 0);
        }
        // `[outputs · n, m]` stacks, put into the order (sample, output).
        Array::cat(tiles, 0)
            .reshape(&[outputs, outputs, n, m])
            .permute(&[2, 0, 3, 1])
            .reshape(&[n * outputs, m * outputs])
    }
}

/// `scale x + shift`, without a pass where there is nothing to do.
fn affine(x: Array, scale: f64, shift: f64) -> Array {
    let x = if scale == 1.0 { x } else { x.scale(scale) };
    if shift == 0.0 { x } else { x.shift(shift) }
}

/// `[n T, m S]`: all inner products of the rows of `[n, T, i]` and `[m, S, i]`.
fn gram(a: &Array, b: &Array) -> Array {
    let rows = |array: &Array| {
        let shape = array.shape();
        array.clone().reshape(&[shape[0] * shape[1], shape[2]])
    };
    rows(a).matmul(rows(b).transpose())
}

impl Array {
    /// For each of `samples`, a one at position `output` of `[outputs]`, in `shape`.
    fn one_hot(output: usize, outputs: usize, samples: usize, shape: &[usize], like: &Self) -> Self {
        let one = Self::full(1.0, &[1], like);
        let range = burn_backend::Slice::new(output as isize, Some(output as isize + 1), 1);
        let row = Self::zeros(&[outputs], like).slice_assign(&[range], one);
        Value::one(row.reshape(shape)).expanded(Some(samples))
    }
}
