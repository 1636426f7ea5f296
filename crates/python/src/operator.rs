//! Symmetric operators: those of an objective at a point, and functions of the caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::{Device, Tensor};
use losscape_krylov::{Space, SymmetricOperator};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::vector::{Numbers, block, dtype, matrix, name};
use crate::work::{Caller, Desk, run};

/// An operator that threads share.
pub type Shared = Arc<dyn SymmetricOperator + Send + Sync>;

/// A symmetric operator of an objective at a point. Made by `Objective.operator`.
#[pyclass(frozen, module = "losscape._losscape")]
pub struct Operator {
    pub operator: Shared,
    /// How many numbers a product computes.
    pub entries: usize,
}

#[pymethods]
impl Operator {
    /// Entries of a vector.
    #[getter]
    fn dim(&self) -> usize {
        self.operator.dim()
    }

    /// The float type of a vector.
    #[getter]
    fn dtype(&self) -> &'static str {
        name(self.operator.space().dtype)
    }

    /// `A v` of an array `[dim]`.
    fn matvec<'py>(&self, py: Python<'py>, v: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let operator = Arc::clone(&self.operator);
        let v = Numbers::extract(v, operator.space().dtype)?;
        let product =
            run(py, &Caller::default(), move |_| Ok(Numbers::of(operator.apply(v.into_tensor(&operator.space())))))?;
        Ok(product.into_array(py))
    }

    /// `A v` of each row of an array `[k, dim]`.
    fn matmat<'py>(&self, py: Python<'py>, rows: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let operator = Arc::clone(&self.operator);
        let rows = block(rows, &operator.space())?;
        let product = run(py, &Caller::default(), move |_| Ok(operator.apply_block(rows)))?;
        matrix(py, product)
    }
}

/// What an algorithm is applied to.
#[derive(Clone)]
pub enum Target {
    /// An operator of Rust, and how many numbers a product of it computes.
    Held(Shared, usize),
    /// A function of the caller, on vectors of such a space.
    Function(Space),
}

impl Target {
    /// Reads an operator, or a function with the dimension and type of its vectors.
    ///
    /// # Errors
    ///
    /// When it is neither.
    pub fn read<'py>(
        operator: &Bound<'py, PyAny>,
        dim: Option<usize>,
        kind: &str,
    ) -> PyResult<(Self, Option<Bound<'py, PyAny>>)> {
        if let Ok(held) = operator.cast::<Operator>() {
            let Operator { operator, entries } = held.get();
            return Ok((Self::Held(Arc::clone(operator), *entries), None));
        }
        let dim = dim.ok_or_else(|| PyTypeError::new_err("a function needs the dimension of its vectors"))?;
        let space = Space { dim, device: Device::flex(), dtype: dtype(kind)? };
        Ok((Self::Function(space), Some(operator.clone())))
    }

    /// The vectors that it takes.
    pub fn space(&self) -> Space {
        match self {
            Self::Held(operator, _) => operator.space(),
            Self::Function(space) => space.clone(),
        }
    }

    /// The operator, whose products say how far the work is.
    pub fn on(self, desk: &Desk, what: &'static str, parts: usize) -> Watched {
        let desk = desk.clone();
        Watched { target: self, desk, what, parts, done: AtomicUsize::new(0) }
    }
}

/// A target at work.
pub struct Watched {
    target: Target,
    desk: Desk,
    what: &'static str,
    parts: usize,
    done: AtomicUsize,
}

impl SymmetricOperator for Watched {
    fn space(&self) -> Space {
        self.target.space()
    }

    fn apply(&self, v: Tensor<1>) -> Tensor<1> {
        let product = match &self.target {
            Target::Held(operator, _) => {
                self.desk.check();
                operator.apply(v)
            }
            Target::Function(space) => self.desk.product(Numbers::of(v)).into_tensor(space),
        };
        self.tell(1);
        product
    }

    fn apply_block(&self, v: Tensor<2>) -> Tensor<2> {
        let rows = v.dims()[0];
        match &self.target {
            Target::Held(operator, _) => {
                self.desk.check();
                let product = operator.apply_block(v);
                self.tell(rows);
                product
            }
            Target::Function(_) => {
                let row = |at: usize| self.apply(v.clone().narrow(0, at, 1).squeeze_dim(0)).unsqueeze();
                Tensor::cat((0..rows).map(row).collect(), 0)
            }
        }
    }
}

impl Watched {
    fn tell(&self, products: usize) {
        let done = self.done.fetch_add(products, Ordering::Relaxed) + products;
        self.desk.progress(self.what, done, self.parts);
    }
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operator").finish_non_exhaustive()
    }
}
