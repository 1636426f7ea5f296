//! Squared error, `½ ‖f − y‖²`: the notes' loss.

use burn::tensor::Tensor;

use super::function::{Function, Settings, any};
use crate::data::Target;

pub struct SquaredError;

impl Function for SquaredError {
    fn keys(&self) -> &'static [&'static str] {
        &[]
    }

    fn columns(&self, target: Target) -> Result<usize, String> {
        Ok(any(target))
    }

    fn value(&self, _: Settings, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<2> {
        (outputs - targets).square().sum_dim(1).mul_scalar(0.5)
    }

    fn gradient(&self, _: Settings, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<2> {
        outputs - targets
    }

    fn hessian_product(&self, _: Settings, _: Tensor<2>, _: Tensor<2>, direction: Tensor<2>) -> Tensor<2> {
        direction
    }
}
