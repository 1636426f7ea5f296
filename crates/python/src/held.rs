//! What borrows from what, held together: a point with its objective, an operator with its point.

use std::sync::Arc;

use burn::tensor::Tensor;
use losscape_analysis::{AnalysisError, Objective, Point};
use losscape_krylov::{Space, SymmetricOperator};
use losscape_model::Model;
use self_cell::self_cell;

type PointOf<'a> = Point<'a, Model>;

self_cell!(
    /// A point with the objective that it is on.
    pub struct Pointed {
        owner: Arc<Objective<Model>>,
        #[covariant]
        dependent: PointOf,
    }
);

impl Pointed {
    /// The objective at its own parameters.
    ///
    /// # Errors
    ///
    /// When loss or gradient are not finite.
    pub fn at(objective: Arc<Objective<Model>>) -> Result<Arc<Self>, AnalysisError> {
        Self::try_new(objective, |objective| objective.here()).map(Arc::new)
    }

    /// The point.
    pub fn point(&self) -> &Point<'_, Model> {
        self.borrow_dependent()
    }
}

/// Which matrix.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Hessian,
    GaussNewton,
    Residual,
    Fisher,
    Ntk,
}

impl Kind {
    /// The matrix of this name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "hessian" => Self::Hessian,
            "gauss_newton" => Self::GaussNewton,
            "residual" => Self::Residual,
            "fisher" => Self::Fisher,
            "ntk" => Self::Ntk,
            _ => return None,
        })
    }
}

/// A matrix at a point.
type Matrix<'a> = Box<dyn SymmetricOperator + Send + Sync + 'a>;

fn matrix<'a>(point: &'a Point<'a, Model>, kind: Kind) -> Result<Matrix<'a>, AnalysisError> {
    Ok(match kind {
        Kind::Hessian => Box::new(point.hessian()),
        Kind::GaussNewton => Box::new(point.gauss_newton()),
        Kind::Residual => Box::new(point.residual()),
        Kind::Fisher => Box::new(point.fisher()?),
        Kind::Ntk => Box::new(point.kernel()),
    })
}

self_cell!(
    /// An operator with its point.
    pub struct Held {
        owner: Arc<Pointed>,
        #[covariant]
        dependent: Matrix,
    }
);

impl Held {
    /// A matrix at a point.
    ///
    /// # Errors
    ///
    /// For the empirical Fisher matrix of samples that see each other.
    pub fn of(point: Arc<Pointed>, kind: Kind) -> Result<Self, AnalysisError> {
        Self::try_new(point, |point| matrix(point.point(), kind))
    }
}

impl SymmetricOperator for Held {
    fn space(&self) -> Space {
        self.borrow_dependent().space()
    }

    fn apply(&self, v: Tensor<1>) -> Tensor<1> {
        self.borrow_dependent().apply(v)
    }

    fn apply_block(&self, v: Tensor<2>) -> Tensor<2> {
        self.borrow_dependent().apply_block(v)
    }
}
