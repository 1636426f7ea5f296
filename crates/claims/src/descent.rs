//! Any configured method on any function of a flat vector.
//!
//! A claim is about the methods that train networks, so it takes those: [`losscape_optim::Method`] on a module of one
//! parameter, given exact gradients. Networks that see batches are trained by [`Trainer`](losscape_lab::Trainer).

use burn::tensor::Tensor;
use losscape_optim::{Method, OptimizerConfig, Vector};

use losscape_lab::LabError;

/// A function as its value and gradient.
pub type Function<'a> = &'a dyn Fn(&Tensor<1>) -> Result<(f64, Tensor<1>), LabError>;

/// Where a method is before a step.
pub struct At<'a> {
    /// Steps done.
    pub step: usize,
    /// The parameters.
    pub w: Tensor<1>,
    /// The function there.
    pub value: f64,
    /// Its gradient there.
    pub gradient: Tensor<1>,
    method: &'a Method,
    vector: &'a Vector,
}

impl At<'_> {
    /// The diagonal of the method's preconditioner, if it has one.
    pub fn preconditioner(&self) -> Option<Tensor<1>> {
        self.method.preconditioner(self.vector).map(|module| module.values())
    }
}

/// Follows a method for so many steps at its learning rate from `start`; `function` gives value and gradient. Every
/// point is shown to `see`, the start and the last one included, until it says no more.
pub fn descend(
    config: &OptimizerConfig,
    start: Tensor<1>,
    steps: usize,
    function: impl Fn(&Tensor<1>) -> Result<(f64, Tensor<1>), LabError>,
    mut see: impl FnMut(At) -> Result<bool, LabError>,
) -> Result<(), LabError> {
    let mut method = config.init()?;
    let mut at = Vector::new(start);
    for step in 0..=steps {
        let w = at.values();
        let (value, gradient) = function(&w)?;
        let known = (w.clone(), value, gradient.clone());
        if !see(At { step, w, value, gradient, method: &method, vector: &at })? || step == steps {
            break;
        }
        let (mut failure, mut known) = (None, Some(known));
        at = method
            .step(config.learning_rate, at, |module: &Vector| {
                // Most methods ask first where they stand, which has been calculated.
                let at = module.values();
                let known = known.take().filter(|known| known.0.clone().equal(at.clone()).all().into_scalar::<bool>());
                let known = known.map(|(_, value, gradient)| Ok((value, gradient)));
                let (value, gradient) = known.unwrap_or_else(|| function(&at)).unwrap_or_else(|error| {
                    failure.get_or_insert(error);
                    (f64::NAN, at.zeros_like())
                });
                (value, module.gradients(gradient))
            })
            .0;
        if let Some(error) = failure {
            return Err(error);
        }
    }
    Ok(())
}
