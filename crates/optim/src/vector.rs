//! A flat vector as a module, so that any method steps it: functions that are no networks, and a network's weights
//! where training goes on a vector.

use burn::module::{Module, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// A vector `w ∈ R^P` as a module of one parameter. It takes no part in a graph: whoever steps it brings the gradient
/// along.
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// # use losscape_optim::{OptimizerConfig, Vector, gradient_descent::GradientDescentConfig};
/// # let device = Device::flex();
/// let mut method = OptimizerConfig::new(GradientDescentConfig {}, 0.1).init()?;
/// // ½ ‖w‖², whose gradient is w.
/// let w = Vector::new(Tensor::from_data([1.0, -2.0], &device));
/// let (w, value) = method.step(0.1, w, |w| (2.5, w.gradients(w.values())));
/// assert_eq!(value, 2.5);
/// assert_eq!(w.values().into_data().try_to_vec::<f32>().unwrap(), [0.9, -1.8]);
/// # Ok::<(), losscape_optim::OptimError>(())
/// ```
#[derive(Module, Debug)]
pub struct Vector {
    w: Param<Tensor<1>>,
}

impl Vector {
    /// The identity under which methods keep their state: the same for all vectors, so that a state on disk is found
    /// again.
    const ID: u64 = 1;

    /// The vector `[P]` as a module.
    #[must_use]
    pub fn new(w: Tensor<1>) -> Self {
        // Burn's optimizers ask for a tensor of an autodiff device, also where nothing is differentiated.
        Self { w: Param::initialized(ParamId::from(Self::ID), Tensor::from_inner(w)) }
    }

    /// Its entries `[P]`, outside the autodiff graph.
    #[must_use]
    pub fn values(&self) -> Tensor<1> {
        self.w.val().inner()
    }

    /// Entries `g` as the gradients of this module.
    #[must_use]
    pub fn gradients(&self, g: Tensor<1>) -> GradientsParams {
        let mut gradients = GradientsParams::new();
        gradients.register(self.w.id, g);
        gradients
    }
}
