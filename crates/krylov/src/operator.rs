//! [`SymmetricOperator`], and operators made of operators.
//!
//! A vector lies on a device and has a float type, and an algorithm has to make its start vector: so an operator tells
//! its [`Space`], not its dimension alone. Everything else is composed: the block of one layer is a Hessian
//! [`Restricted`] to a range, what a preconditioned method sees is a [`Congruence`], damping is [`Shifted`]. None of
//! them is a kind of operator of its own.

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

/// The vectors that an operator takes: how long they are, and where and in what type they lie.
#[derive(Debug, Clone)]
pub struct Space {
    /// Entries of a vector, the dimension of the operator.
    pub dim: usize,
    /// Device of a vector.
    pub device: Device,
    /// Float type of a vector.
    pub dtype: DType,
}

impl Space {
    /// The space that a vector lies in.
    #[must_use]
    pub fn of(vector: &Tensor<1>) -> Self {
        Self { dim: vector.dims()[0], device: vector.device(), dtype: vector.dtype() }
    }

    /// Rows of host values, `[rows, dim]`.
    #[must_use]
    pub fn block(&self, values: Vec<f64>) -> Tensor<2> {
        let rows = values.len() / self.dim.max(1);
        self.matrix(values, [rows, self.dim])
    }

    /// A matrix of host values.
    pub(crate) fn matrix(&self, values: Vec<f64>, dims: [usize; 2]) -> Tensor<2> {
        let data = TensorData::new(values, dims).convert_dtype(self.dtype);
        Tensor::from_data(data, (&self.device, self.dtype))
    }

    /// A vector of host values.
    #[must_use]
    pub fn vector(&self, values: Vec<f64>) -> Tensor<1> {
        self.block(values).squeeze_dim(0)
    }

    /// A vector of independent standard normal entries: its direction is uniform on the sphere.
    #[must_use]
    pub fn normal(&self, random: &mut impl Rng) -> Tensor<1> {
        self.vector(random.sample_iter(StandardNormal).take(self.dim).collect())
    }

    /// A vector of independent signs, ±1 with equal probability.
    #[must_use]
    pub fn signs(&self, random: &mut impl Rng) -> Tensor<1> {
        self.vector((0..self.dim).map(|_| if random.random::<bool>() { 1.0 } else { -1.0 }).collect())
    }

    /// The distance from 1 to the next number of the float type.
    #[must_use]
    pub fn epsilon(&self) -> f64 {
        match self.dtype {
            DType::F64 => f64::EPSILON,
            DType::F32 | DType::Flex32 => f64::from(f32::EPSILON),
            DType::F16 => 2f64.powi(-10),
            _ => 2f64.powi(-7),
        }
    }

    /// The relative error that a product with n entries is taken to have: `ϵ √n`, as of a sum of n roundings in random
    /// directions.
    #[must_use]
    pub fn rounding(&self) -> f64 {
        self.epsilon() * (self.dim as f64).sqrt()
    }
}

/// A symmetric linear operator on `R^dim`, known by what it does to a vector.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use losscape_krylov::{Space, SymmetricOperator};
///
/// struct Twice(Device);
///
/// impl SymmetricOperator for Twice {
///     fn space(&self) -> Space {
///         Space { dim: 3, device: self.0.clone(), dtype: burn::tensor::DType::F32 }
///     }
///     fn apply(&self, v: Tensor<1>) -> Tensor<1> {
///         v * 2.0
///     }
/// }
///
/// let twice = Twice(Device::flex());
/// let product = twice.apply(twice.space().vector(vec![1.0, 2.0, 3.0]));
/// assert_eq!(product.into_data().try_to_vec::<f32>().unwrap(), [2.0, 4.0, 6.0]);
/// ```
pub trait SymmetricOperator {
    /// The vectors it takes and gives.
    fn space(&self) -> Space;

    /// `A v`.
    fn apply(&self, v: Tensor<1>) -> Tensor<1>;

    /// `A v` for each row of a block `[k, dim]`. By default row by row; override it where k products share work.
    fn apply_block(&self, v: Tensor<2>) -> Tensor<2> {
        let rows = (0..v.dims()[0]).map(|row| self.apply(v.clone().narrow(0, row, 1).squeeze_dim(0)).unsqueeze());
        Tensor::cat(rows.collect(), 0)
    }

    /// Dimension of the space.
    fn dim(&self) -> usize {
        self.space().dim
    }
}

/// What points to an operator is one.
macro_rules! pointers {
    ($($pointer:ty),+) => {
        $(impl<A: SymmetricOperator + ?Sized> SymmetricOperator for $pointer {
            fn space(&self) -> Space {
                (**self).space()
            }

            fn apply(&self, v: Tensor<1>) -> Tensor<1> {
                (**self).apply(v)
            }

            fn apply_block(&self, v: Tensor<2>) -> Tensor<2> {
                (**self).apply_block(v)
            }
        })+
    };
}

pointers!(&A, Box<A>, Rc<A>, Arc<A>);

/// A symmetric matrix `[dim, dim]`.
#[derive(Debug, Clone)]
pub struct SymmetricMatrix(pub Tensor<2>);

impl SymmetricOperator for SymmetricMatrix {
    fn space(&self) -> Space {
        Space { dim: self.0.dims()[0], device: self.0.device(), dtype: self.0.dtype() }
    }

    fn apply(&self, v: Tensor<1>) -> Tensor<1> {
        self.apply_block(v.unsqueeze()).squeeze_dim(0)
    }

    fn apply_block(&self, v: Tensor<2>) -> Tensor<2> {
        v.matmul(self.0.clone())
    }
}

/// A diagonal matrix, by its diagonal.
#[derive(Debug, Clone)]
pub struct Diagonal(pub Tensor<1>);

impl SymmetricOperator for Diagonal {
    fn space(&self) -> Space {
        Space::of(&self.0)
    }

    fn apply(&self, v: Tensor<1>) -> Tensor<1> {
        v * self.0.clone()
    }

    fn apply_block(&self, v: Tensor<2>) -> Tensor<2> {
        v * self.0.clone().unsqueeze()
    }
}

/// `s A`.
#[derive(Debug, Clone)]
pub struct Scaled<A> {
    /// A.
    pub operator: A,
    /// s.
    pub factor: f64,
}

impl<A: SymmetricOperator> SymmetricOperator for Scaled<A> {
    fn space(&self) -> Space {
        self.operator.space()
    }

    fn apply(&self, v: Tensor<1>) -> Tensor<1> {
        self.operator.apply(v) * self.factor
    }

    fn apply_block(&self, v: Tensor<2>) -> Tensor<2> {
        self.operator.apply_block(v) * self.factor
    }
}

/// `A + B`.
#[derive(Debug, Clone)]
pub struct Sum<A, B>(pub A, pub B);

impl<A: SymmetricOperator, B: SymmetricOperator> SymmetricOperator for Sum<A, B> {
    fn space(&self) -> Space {
        self.0.space()
    }

    fn apply(&self, v: Tensor<1>) -> Tensor<1> {
        self.0.apply(v.clone()) + self.1.apply(v)
    }

    fn apply_block(&self, v: Tensor<2>) -> Tensor<2> {
        self.0.apply_block(v.clone()) + self.1.apply_block(v)
    }
}

/// `A + s I`.
#[derive(Debug, Clone)]
pub struct Shifted<A> {
    /// A.
    pub operator: A,
    /// s.
    pub shift: f64,
}

impl<A: SymmetricOperator> SymmetricOperator for Shifted<A> {
    fn space(&self) -> Space {
        self.operator.space()
    }

    fn apply(&self, v: Tensor<1>) -> Tensor<1> {
        self.operator.apply(v.clone()) + v * self.shift
    }

    fn apply_block(&self, v: Tensor<2>) -> Tensor<2> {
        self.operator.apply_block(v.clone()) + v * self.shift
    }
}

/// `A − Vᵀ Λ V`: without the eigenpairs `(Λ, V)`, which become zero.
#[derive(Debug, Clone)]
pub struct Deflated<A> {
    /// A.
    pub operator: A,
    /// Orthonormal eigenvectors V in rows, `[k, dim]`.
    pub vectors: Tensor<2>,
    /// Their eigenvalues Λ, `[k]`, in the order of the rows.
    pub values: Tensor<1>,
}

impl<A: SymmetricOperator> SymmetricOperator for Deflated<A> {
    fn space(&self) -> Space {
        self.operator.space()
    }

    fn apply(&self, v: Tensor<1>) -> Tensor<1> {
        self.apply_block(v.unsqueeze()).squeeze_dim(0)
    }

    fn apply_block(&self, v: Tensor<2>) -> Tensor<2> {
        let along = v.clone().matmul(self.vectors.clone().transpose()) * self.values.clone().unsqueeze();
        self.operator.apply_block(v) - along.matmul(self.vectors.clone())
    }
}

/// `D A D` with a diagonal `D`. With `D = P^{−½}` it has the eigenvalues of `P⁻¹A`: the curvature that a preconditioned
/// method sees.
#[derive(Debug, Clone)]
pub struct Congruence<A> {
    /// A.
    pub operator: A,
    /// The diagonal of D, `[dim]`.
    pub diagonal: Tensor<1>,
}

impl<A: SymmetricOperator> SymmetricOperator for Congruence<A> {
    fn space(&self) -> Space {
        self.operator.space()
    }

    fn apply(&self, v: Tensor<1>) -> Tensor<1> {
        self.operator.apply(v * self.diagonal.clone()) * self.diagonal.clone()
    }

    fn apply_block(&self, v: Tensor<2>) -> Tensor<2> {
        let diagonal: Tensor<2> = self.diagonal.clone().unsqueeze();
        self.operator.apply_block(v * diagonal.clone()) * diagonal
    }
}

/// The diagonal block of A that belongs to a range of coordinates: to one layer, for example.
#[derive(Debug, Clone)]
pub struct Restricted<A> {
    /// A.
    pub operator: A,
    /// The coordinates of the block: its vectors have as many entries.
    pub range: Range<usize>,
}

impl<A: SymmetricOperator> SymmetricOperator for Restricted<A> {
    fn space(&self) -> Space {
        Space { dim: self.range.len(), ..self.operator.space() }
    }

    fn apply(&self, v: Tensor<1>) -> Tensor<1> {
        self.apply_block(v.unsqueeze()).squeeze_dim(0)
    }

    fn apply_block(&self, v: Tensor<2>) -> Tensor<2> {
        let zeros = Tensor::zeros([v.dims()[0], self.operator.dim()], (&v.device(), v.dtype()));
        let rows = 0..v.dims()[0];
        let embedded = zeros.slice_assign([rows.clone(), self.range.clone()], v);
        self.operator.apply_block(embedded).slice([rows, self.range.clone()])
    }
}

/// A that counts its products, a block of k as k; and tells of each, for progress bars.
pub struct Counted<'a, A> {
    operator: A,
    products: AtomicUsize,
    each: Box<dyn Fn(usize) + Sync + 'a>,
}

impl<A: std::fmt::Debug> std::fmt::Debug for Counted<'_, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { operator, products, each: _ } = self;
        f.debug_struct("Counted").field("operator", operator).field("products", products).finish_non_exhaustive()
    }
}

impl<'a, A> Counted<'a, A> {
    /// Counts the products of an operator.
    pub fn new(operator: A) -> Self {
        Self::each(operator, |_| {})
    }

    /// Counts, and calls `each` with the number of products done after every product or block.
    pub fn each(operator: A, each: impl Fn(usize) + Sync + 'a) -> Self {
        Self { operator, products: AtomicUsize::new(0), each: Box::new(each) }
    }

    /// Products that were asked for so far; a block counts each of its vectors.
    pub fn products(&self) -> usize {
        self.products.load(Ordering::Relaxed)
    }

    fn add(&self, products: usize) {
        (self.each)(self.products.fetch_add(products, Ordering::Relaxed) + products);
    }
}

impl<A: SymmetricOperator> SymmetricOperator for Counted<'_, A> {
    fn space(&self) -> Space {
        self.operator.space()
    }

    fn apply(&self, v: Tensor<1>) -> Tensor<1> {
        let product = self.operator.apply(v);
        self.add(1);
        product
    }

    fn apply_block(&self, v: Tensor<2>) -> Tensor<2> {
        let rows = v.dims()[0];
        let product = self.operator.apply_block(v);
        self.add(rows);
        product
    }
}
