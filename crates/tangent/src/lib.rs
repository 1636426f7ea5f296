#![doc = include_str!("../README.md")]
//!
//! # Guides
//!
//! [`guide::rules`] derives the rules of the three kinds of operation, [`guide::capture`] tells how a forward is
//! recorded and what cannot be, [`guide::operations`] lists the operations that have derivatives, and those refused.

mod array;
mod capture;
mod compiled;
mod error;
mod function;
mod host;
mod inputs;
mod kernel;
mod linearized;
mod lowering;
mod map;
mod operation;
pub mod parameters;
mod point;
mod program;
mod registry;
mod value;

pub use compiled::Compiled;
pub use error::TangentError;
pub use inputs::{Inputs, TensorMapper};
pub use linearized::{Curve, Linearized};
pub use map::{Map, Variables};
pub use program::{Parameter, Program};
pub use registry::{Entry, Kind, Refusal, operations, refusals};

/// The mathematics, and the limits.
pub mod guide {
    #[doc = include_str!("../docs/rules.md")]
    pub mod rules {}

    #[doc = include_str!("../docs/capture.md")]
    pub mod capture {}

    #[doc = include_str!("../docs/operations.md")]
    pub mod operations {}
}

use burn::module::Module;
use burn::tensor::Tensor;

/// Records a forward and evaluates it at the module's parameters, for derivatives by them as often as wanted.
///
/// With the same forward at several points, keep a [`Map`]: it records once. In chunks, by inputs, within a memory
/// budget: [`Map`] too.
///
/// ```
/// # use burn::{nn::{Linear, LinearConfig}, tensor::{Device, Tensor}};
/// # let device = Device::flex();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let x = Tensor::<2>::from_data([[3.0, 4.0], [1.0, 2.0]], &device);
/// let at = losscape_tangent::linearize(&model, &x, |model: &Linear, x: Tensor<2>| model.forward(x))?;
/// assert_eq!((at.variables(), at.outputs()), (2, 2));
/// # Ok::<(), losscape_tangent::TangentError>(())
/// ```
///
/// # Errors
///
/// As [`Map::linearize`].
pub fn linearize<M, I, F, const D: usize>(module: &M, inputs: &I, forward: F) -> Result<Linearized, TangentError>
where
    M: Module,
    I: Inputs,
    F: Fn(&M, I) -> Tensor<D>,
{
    Map::new(forward).linearize(module, inputs)
}

/// Jacobian-vector product `J v` by the trainable parameters: how the outputs change along `v`, `[P]` to `[m]` or `[k,
/// P]` to `[k, m]`.
///
/// ```
/// # use burn::{nn::{Linear, LinearConfig}, tensor::{Device, Tensor}};
/// # let device = Device::flex();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let x = Tensor::<2>::from_data([[3.0, 4.0], [1.0, 2.0]], &device);
/// let v = Tensor::<1>::from_data([1.0, 10.0], &device);
/// // F = x w, so along v it changes by x v.
/// let pushed = losscape_tangent::jvp(&model, &x, v, |model: &Linear, x: Tensor<2>| model.forward(x))?;
/// assert_eq!(pushed.into_data().try_to_vec::<f32>().unwrap(), [43.0, 21.0]);
/// # Ok::<(), losscape_tangent::TangentError>(())
/// ```
///
/// # Errors
///
/// As [`Map::linearize`].
///
/// # Panics
///
/// When `v` has not P entries.
pub fn jvp<M, I, F, const B: usize, const D: usize>(
    module: &M,
    inputs: &I,
    v: Tensor<B>,
    forward: F,
) -> Result<Tensor<B>, TangentError>
where
    M: Module,
    I: Inputs,
    F: Fn(&M, I) -> Tensor<D>,
{
    Ok(Map::new(forward).first_order().linearize(module, inputs)?.push(v))
}

/// Vector-Jacobian product `Jᵀ u`: the gradient of `⟨u, outputs⟩` by the trainable parameters, `[m]` to `[P]` or `[k,
/// m]` to `[k, P]`.
///
/// ```
/// # use burn::{nn::{Linear, LinearConfig}, tensor::{Device, Tensor}};
/// # let device = Device::flex();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let x = Tensor::<2>::from_data([[3.0, 4.0], [1.0, 2.0]], &device);
/// let u = Tensor::<1>::from_data([1.0, 10.0], &device);
/// // F = x w, so the gradient of ⟨u, F⟩ is xᵀ u.
/// let pulled = losscape_tangent::vjp(&model, &x, u, |model: &Linear, x: Tensor<2>| model.forward(x))?;
/// assert_eq!(pulled.into_data().try_to_vec::<f32>().unwrap(), [13.0, 24.0]);
/// # Ok::<(), losscape_tangent::TangentError>(())
/// ```
///
/// # Errors
///
/// As [`Map::linearize`].
///
/// # Panics
///
/// When `u` has not m entries.
pub fn vjp<M, I, F, const B: usize, const D: usize>(
    module: &M,
    inputs: &I,
    u: Tensor<B>,
    forward: F,
) -> Result<Tensor<B>, TangentError>
where
    M: Module,
    I: Inputs,
    F: Fn(&M, I) -> Tensor<D>,
{
    Ok(Map::new(forward).first_order().linearize(module, inputs)?.pull(u))
}

/// Hessian-vector product `∇² f v` of the sum of the outputs (of a loss, if the forward returns one) by the trainable
/// parameters, `[P]` or `[k, P]`.
///
/// ```
/// # use burn::{nn::{Linear, LinearConfig}, tensor::{Device, Tensor}};
/// # let device = Device::flex();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let x = Tensor::<2>::from_data([[3.0, 4.0], [1.0, 2.0]], &device);
/// let v = Tensor::<1>::from_data([1.0, 10.0], &device);
/// // ½ ‖x w‖² has the Hessian xᵀ x.
/// let loss = |model: &Linear, x: Tensor<2>| model.forward(x).powi_scalar(2).sum() * 0.5;
/// let product = losscape_tangent::hvp(&model, &x, v, loss)?;
/// assert_eq!(product.into_data().try_to_vec::<f32>().unwrap(), [150.0, 214.0]);
/// # Ok::<(), losscape_tangent::TangentError>(())
/// ```
///
/// # Errors
///
/// As [`Map::linearize`].
///
/// # Panics
///
/// When `v` has not P entries.
pub fn hvp<M, I, F, const B: usize, const D: usize>(
    module: &M,
    inputs: &I,
    v: Tensor<B>,
    forward: F,
) -> Result<Tensor<B>, TangentError>
where
    M: Module,
    I: Inputs,
    F: Fn(&M, I) -> Tensor<D>,
{
    let at = Map::new(forward).linearize(module, inputs)?;
    let ones = at.output().ones_like();
    Ok(at.bend(ones, v))
}

/// The dense Jacobian `[m, P]` by the trainable parameters, a row for each output.
///
/// ```
/// # use burn::{nn::{Linear, LinearConfig}, tensor::{Device, Tensor}};
/// # let device = Device::flex();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let x = Tensor::<2>::from_data([[3.0, 4.0], [1.0, 2.0]], &device);
/// // F = x w, so the Jacobian is x.
/// let jacobian = losscape_tangent::jacobian(&model, &x, |model: &Linear, x: Tensor<2>| model.forward(x))?;
/// assert_eq!(jacobian.into_data().try_to_vec::<f32>().unwrap(), [3.0, 4.0, 1.0, 2.0]);
/// # Ok::<(), losscape_tangent::TangentError>(())
/// ```
///
/// # Errors
///
/// As [`Map::linearize`].
pub fn jacobian<M, I, F, const D: usize>(module: &M, inputs: &I, forward: F) -> Result<Tensor<2>, TangentError>
where
    M: Module,
    I: Inputs,
    F: Fn(&M, I) -> Tensor<D>,
{
    Ok(Map::new(forward).first_order().linearize(module, inputs)?.jacobian())
}

/// The tangent kernel `K = J Jᵀ` `[nC, nC]` by the trainable parameters, of n samples (rows of the inputs) with C
/// outputs each, without forming J.
///
/// ```
/// # use burn::{nn::{Linear, LinearConfig}, tensor::{Device, Tensor}};
/// # let device = Device::flex();
/// let model = LinearConfig::new(2, 1).init(&device);
/// let x = Tensor::<2>::from_data([[3.0, 4.0], [1.0, 2.0]], &device);
/// // F = x w + b, so K = x xᵀ + 1.
/// let kernel = losscape_tangent::tangent_kernel(&model, &x, |model: &Linear, x: Tensor<2>| model.forward(x))?;
/// assert_eq!(kernel.into_data().try_to_vec::<f32>().unwrap(), [26.0, 12.0, 12.0, 6.0]);
/// # Ok::<(), losscape_tangent::TangentError>(())
/// ```
///
/// # Errors
///
/// As [`Map::kernel`].
pub fn tangent_kernel<M, I, F, const D: usize>(module: &M, inputs: &I, forward: F) -> Result<Tensor<2>, TangentError>
where
    M: Module,
    I: Inputs,
    F: Fn(&M, I) -> Tensor<D>,
{
    Map::new(forward).kernel(module, inputs)
}
