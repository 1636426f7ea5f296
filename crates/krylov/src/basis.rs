//! Vectors in rows that become more, and orthogonalization against them.

use burn::tensor::{Tensor, TensorData};

use crate::KrylovError;
use crate::operator::{Space, SymmetricOperator};

/// Rows in one tensor, whose memory is taken at once, so that appending copies the new row alone. Fewer would be more products, each as long as one with
/// many rows.
const ROWS: usize = 16;

/// A growing matrix, by its rows.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    space: Space,
    /// The rows, [`ROWS`] a tensor; of the last one the first rows only.
    blocks: Vec<Tensor<2>>,
    len: usize,
}

impl Rows {
    pub fn new(space: Space) -> Self {
        Self { space, blocks: Vec::new(), len: 0 }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// The blocks without what is not used yet.
    fn blocks(&self) -> impl Iterator<Item = Tensor<2>> {
        self.blocks.iter().enumerate().map(|(index, block)| {
            let rows = block.dims()[0].min(self.len - index * ROWS);
            block.clone().narrow(0, 0, rows)
        })
    }

    /// The rows, one after the other.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Tensor<1>> + ExactSizeIterator {
        (0..self.len).map(|row| self.blocks[row / ROWS].clone().narrow(0, row % ROWS, 1).squeeze_dim(0))
    }

    pub fn push(&mut self, row: Tensor<1>) {
        let at = self.len % ROWS;
        let zeros = |rows| Tensor::zeros([rows, self.space.dim], (&self.space.device, self.space.dtype));
        let block = match self.blocks.pop() {
            Some(last) if at > 0 && last.dims()[0] == ROWS => last,
            Some(last) if at > 0 => Tensor::cat(vec![last, zeros(ROWS - at)], 0),
            last => {
                self.blocks.extend(last);
                zeros(ROWS)
            }
        };
        self.blocks.push(block.slice_assign([at..at + 1, 0..self.space.dim], row.unsqueeze()));
        self.len += 1;
    }

    /// `V w`, on the host.
    pub fn dot(&self, w: &Tensor<1>) -> Vec<f64> {
        let column: Tensor<2> = w.clone().unsqueeze_dim(1);
        self.blocks().flat_map(|block| host(block.matmul(column.clone()))).collect()
    }

    /// `C V`: rows that combine these, by coefficients `[rows, len]`.
    pub fn combine(&self, coefficients: &[Vec<f64>]) -> Tensor<2> {
        let mut start = 0;
        let mut sum: Option<Tensor<2>> = None;
        for block in self.blocks() {
            let end = start + block.dims()[0];
            let part: Vec<f64> = coefficients.iter().flat_map(|row| row[start..end].iter().copied()).collect();
            let data = TensorData::new(part, [coefficients.len(), end - start]).convert_dtype(self.space.dtype);
            let part = Tensor::<2>::from_data(data, (&self.space.device, self.space.dtype)).matmul(block);
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
        let blocks = coefficients.chunks(ROWS).map(|rows| self.combine(rows)).collect();
        Self { space: self.space.clone(), blocks, len: coefficients.len() }
    }

    /// These rows less combinations of as many others.
    pub fn minus(&self, others: &Self, coefficients: &[Vec<f64>]) -> Self {
        let parts = self.blocks().zip(coefficients.chunks(ROWS));
        let blocks = parts.map(|(block, rows)| block - others.combine(rows)).collect();
        Self { space: self.space.clone(), blocks, len: self.len }
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
        if self.blocks.is_empty() {
            return Tensor::zeros([0, self.space.dim], (&self.space.device, self.space.dtype));
        }
        Tensor::cat(self.blocks().collect(), 0)
    }

    /// `w` without its components along these rows, which are orthonormal, and the components: one pass of classical Gram-Schmidt.
    fn removed(&self, w: Tensor<1>) -> (Tensor<1>, Vec<f64>) {
        let along = self.dot(&w);
        let rest = w - self.combine(std::slice::from_ref(&along)).squeeze_dim(0);
        (rest, along)
    }

    /// What is left of `w` when its components along these rows, which are orthonormal, are removed.
    ///
    /// First those along the newest two: of a Lanczos process they are nearly all that is to be removed. Then Gram-Schmidt over all rows, again and
    /// again until a pass leaves more than `1/√2` (Daniel, Gragg, Kaufman & Stewart 1976), thrice at most. One pass alone would multiply the loss
    /// of orthogonality from vector to vector.
    pub fn orthogonalize(&self, w: Tensor<1>) -> Orthogonal {
        let mut along = vec![0.0; self.len];
        let mut rest = w;
        for (row, along) in self.iter().zip(&mut along).rev().take(2) {
            *along = inner(&row, &rest);
            rest = rest - row.mul_scalar(*along);
        }
        let mut length = norm(&rest);
        if self.len == 0 {
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

/// `⟨v, w⟩`.
pub(crate) fn inner(v: &Tensor<1>, w: &Tensor<1>) -> f64 {
    (v.clone() * w.clone()).sum().into_scalar()
}

/// `‖v‖`.
pub(crate) fn norm(v: &Tensor<1>) -> f64 {
    inner(v, v).sqrt()
}

/// An operator whose products are counted and looked at.
pub(crate) struct Products<'a, A> {
    pub operator: &'a A,
    pub done: usize,
}

impl<A: SymmetricOperator> Products<'_, A> {
    /// `A v`.
    pub fn apply(&mut self, v: Tensor<1>) -> Result<Tensor<1>, KrylovError> {
        self.done += 1;
        let product = self.operator.apply(v);
        if inner(&product, &product).is_finite() {
            Ok(product)
        } else {
            Err(KrylovError::NotFinite { product: self.done })
        }
    }
}
