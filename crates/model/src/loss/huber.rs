//! The Huber loss: `r²/2` for residuals `r = f − y` up to δ, `δ (|r| − δ/2)` beyond (Huber 1964).

use burn::tensor::Tensor;

use super::function::{Function, Settings, any};
use crate::data::Target;

pub struct Huber;

impl Function for Huber {
    fn keys(&self) -> &'static [&'static str] {
        &["delta"]
    }

    fn columns(&self, target: Target) -> Result<usize, String> {
        Ok(any(target))
    }

    fn value(&self, settings: Settings, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<2> {
        // With k = clamp(r, −δ, δ): k (r − k/2) is r²/2 where k = r, and δ (|r| − δ/2) where k = ±δ.
        let (delta, residual) = (settings.delta, outputs - targets);
        let inner = residual.clone().clamp(-delta, delta);
        (inner.clone() * (residual - inner.mul_scalar(0.5))).sum_dim(1)
    }

    fn gradient(&self, settings: Settings, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<2> {
        (outputs - targets).clamp(-settings.delta, settings.delta)
    }

    fn hessian_product(
        &self,
        settings: Settings,
        outputs: Tensor<2>,
        targets: Tensor<2>,
        direction: Tensor<2>,
    ) -> Tensor<2> {
        let linear = (outputs - targets).abs().greater_elem(settings.delta);
        direction.mask_fill(linear, 0.0)
    }
}
