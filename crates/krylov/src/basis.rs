//! A basis, its vectors the rows of a matrix that grows, and orthogonalization against it.
//!
//! One pass of Gram-Schmidt multiplies the loss of orthogonality from vector to vector: in f32 the vectors are
//! orthogonal no more after some 40 of them. [`Rows::orthogonalize`] repeats passes until one leaves enough. Before
//! them it takes off the newest two rows, which in a Lanczos process hold nearly all that is to be removed.
//!
//! [`ROWS`] rows at a time are put together: a matrix that grew row by row would be copied each time.

use burn::tensor::{DType, Tensor};

use crate::error::KrylovError;
use crate::operator::{Space, SymmetricOperator};

/// Rows in one tensor, so that a product with the matrix is few products.
const ROWS: usize = 16;

/// A growing matrix, by its rows.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    space: Space,
    /// The first rows, [`ROWS`] a tensor.
    blocks: Vec<Tensor<2>>,
    /// The rest, fewer than [`ROWS`]: put together when a block is full, so that appending copies and clears no
    /// memory.
    tail: Vec<Tensor<1>>,
}

impl Rows {
    pub fn new(space: Space) -> Self {
        Self { space, blocks: Vec::new(), tail: Vec::new() }
    }

    /// The rows of these tensors, of which all but the last have [`ROWS`].
    fn of(space: Space, mut blocks: Vec<Tensor<2>>) -> Self {
        let last = blocks.pop_if(|last| last.dims()[0] < ROWS);
        let tail = last.map_or_else(Vec::new, |last| rows_of(&last).collect());
        Self { space, blocks, tail }
    }

    pub fn len(&self) -> usize {
        self.blocks.len() * ROWS + self.tail.len()
    }

    /// The rows, [`ROWS`] a tensor, and the rest.
    fn blocks(&self) -> impl Iterator<Item = Tensor<2>> {
        let tail = (!self.tail.is_empty()).then(|| Tensor::stack(self.tail.clone(), 0));
        self.blocks.iter().cloned().chain(tail)
    }

    /// The rows, one after the other.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Tensor<1>> {
        self.blocks.iter().flat_map(rows_of).chain(self.tail.iter().cloned())
    }

    pub fn push(&mut self, row: Tensor<1>) {
        self.tail.push(row);
        if self.tail.len() == ROWS {
            self.blocks.push(Tensor::stack(std::mem::take(&mut self.tail), 0));
        }
    }

    /// `V w`, on the host.
    pub fn dot(&self, w: &Tensor<1>) -> Vec<f64> {
        let column: Tensor<2> = w.clone().unsqueeze_dim(1);
        let along = self.blocks.iter().flat_map(|block| host(block.clone().matmul(column.clone())));
        along.chain(self.tail.iter().map(|row| inner(row, w))).collect()
    }

    /// `C V`: rows that combine these, by coefficients `[rows, len]`.
    pub fn combine(&self, coefficients: &[Vec<f64>]) -> Tensor<2> {
        let mut start = 0;
        let mut sum: Option<Tensor<2>> = None;
        for block in self.blocks() {
            let end = start + block.dims()[0];
            let part: Vec<f64> = coefficients.iter().flat_map(|row| row[start..end].iter().copied()).collect();
            let part = self.space.matrix(part, [coefficients.len(), end - start]).matmul(block);
            sum = Some(match sum {
                Some(sum) => sum + part,
                None => part,
            });
            start = end;
        }
        sum.unwrap_or_else(|| {
            Tensor::zeros([coefficients.len(), self.space.dim], (&self.space.device, self.space.dtype))
        })
    }

    /// These rows replaced by combinations of them.
    pub fn rotate(&self, coefficients: &[Vec<f64>]) -> Self {
        Self::of(self.space.clone(), coefficients.chunks(ROWS).map(|rows| self.combine(rows)).collect())
    }

    /// These rows less combinations of as many others.
    pub fn minus(&self, others: &Self, coefficients: &[Vec<f64>]) -> Self {
        let parts = self.blocks().zip(coefficients.chunks(ROWS));
        Self::of(self.space.clone(), parts.map(|(block, rows)| block - others.combine(rows)).collect())
    }

    /// All inner products of the rows, on the host, row by row.
    pub fn gram(&self) -> Vec<f64> {
        let products = |block: &Tensor<2>| -> Tensor<2> {
            let with = |other: Tensor<2>| block.clone().matmul(other.transpose());
            Tensor::cat(self.blocks().map(with).collect(), 1)
        };
        self.blocks().flat_map(|block| host(products(&block))).collect()
    }

    /// `[len, dim]`.
    pub fn into_tensor(self) -> Tensor<2> {
        if self.len() == 0 {
            return Tensor::zeros([0, self.space.dim], (&self.space.device, self.space.dtype));
        }
        Tensor::cat(self.blocks().collect(), 0)
    }

    /// `w` without its components along these rows, which are orthonormal, and the components: one pass of classical
    /// Gram-Schmidt.
    fn removed(&self, w: Tensor<1>) -> (Tensor<1>, Vec<f64>) {
        let along = self.dot(&w);
        let (of_blocks, of_tail) = along.split_at(self.blocks.len() * ROWS);
        let mut rest = w;
        for (block, along) in self.blocks.iter().zip(of_blocks.chunks(ROWS)) {
            let row = self.space.matrix(along.to_vec(), [1, ROWS]);
            rest = rest - row.matmul(block.clone()).squeeze_dim(0);
        }
        for (row, &along) in self.tail.iter().zip(of_tail) {
            rest = rest - row.clone().mul_scalar(along);
        }
        (rest, along)
    }

    /// What is left of `w` when its components along these rows, which are orthonormal, are removed.
    ///
    /// First those along the newest two: of a Lanczos process they are nearly all that is to be removed. Then
    /// Gram-Schmidt over all rows, again and again until a pass leaves more than `1/√2` (Daniel, Gragg, Kaufman &
    /// Stewart 1976), thrice at most. One pass alone would multiply the loss of orthogonality from vector to
    /// vector.
    pub fn orthogonalize(&self, w: Tensor<1>) -> Orthogonal {
        let mut along = vec![0.0; self.len()];
        let mut rest = w;
        for (row, along) in self.iter().rev().zip(along.iter_mut().rev()).take(2) {
            *along = inner(&row, &rest);
            rest = rest - row.mul_scalar(*along);
        }
        let mut length = norm(&rest);
        if along.is_empty() {
            return Orthogonal { rest, length, along };
        }
        for _ in 0..3 {
            let before = length;
            let part;
            (rest, part) = self.removed(rest);
            along.iter_mut().zip(&part).for_each(|(sum, part)| *sum += part);
            length = norm(&rest);
            if length > std::f64::consts::FRAC_1_SQRT_2 * before {
                break;
            }
        }
        Orthogonal { rest, length, along }
    }
}

/// The rows of a matrix.
fn rows_of(matrix: &Tensor<2>) -> impl DoubleEndedIterator<Item = Tensor<1>> {
    let matrix = matrix.clone();
    (0..matrix.dims()[0]).map(move |row| matrix.clone().narrow(0, row, 1).squeeze_dim(0))
}

/// A vector split into its components along a basis and the rest.
pub(crate) struct Orthogonal {
    /// The rest.
    pub rest: Tensor<1>,
    /// Its norm.
    pub length: f64,
    /// Components along the basis.
    pub along: Vec<f64>,
}

/// Numbers of a tensor in f64, row by row.
pub(crate) fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// `Σ v_i`, in parts: flex adds up more than four million numbers at once in whatever order its threads come.
#[must_use]
pub fn sum(v: &Tensor<1>) -> f64 {
    const PART: usize = 1 << 22;
    let length = v.dims()[0];
    let part = |start: usize| v.clone().narrow(0, start, PART.min(length - start)).sum().into_scalar::<f64>();
    (0..length).step_by(PART).map(part).sum()
}

/// `⟨v, w⟩`.
#[must_use]
pub fn inner(v: &Tensor<1>, w: &Tensor<1>) -> f64 {
    sum(&(v.clone() * w.clone()))
}

/// `‖v‖`, also where the squares of entries leave the float type's range.
#[must_use]
pub fn norm(v: &Tensor<1>) -> f64 {
    let squares = inner(v, v);
    let (least, epsilon) = match v.dtype() {
        DType::F64 => (f64::MIN_POSITIVE, f64::EPSILON),
        _ => (f64::from(f32::MIN_POSITIVE), f64::from(f32::EPSILON)),
    };
    // Squares below the least normal number are rounded; here they are not seen in the sum.
    if squares.is_nan() || squares.is_finite() && squares * epsilon > least * v.dims()[0] as f64 {
        return squares.sqrt();
    }
    let largest = v.clone().abs().max().into_scalar::<f64>();
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    let unit = v.clone() / largest;
    largest * inner(&unit, &unit).sqrt()
}

/// An operator whose products are counted and looked at.
pub(crate) struct Products<'a, A: ?Sized> {
    pub operator: &'a A,
    pub done: usize,
}

impl<A: SymmetricOperator + ?Sized> Products<'_, A> {
    /// `A v`.
    pub fn apply(&mut self, v: Tensor<1>) -> Result<Tensor<1>, KrylovError> {
        self.done += 1;
        let product = self.operator.apply(v);
        if norm(&product).is_finite() { Ok(product) } else { Err(KrylovError::NotFinite { product: self.done }) }
    }
}
