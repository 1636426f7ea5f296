//! The exponential loss `e^{−m}` of the margin `m = (2y − 1) f` (Freund & Schapire 1997; for implicit bias Soudry et
//! al. 2018).

use burn::tensor::Tensor;

use super::function::{Function, Settings, margin, of_two};
use crate::data::Target;

pub struct Exponential;

impl Function for Exponential {
    fn keys(&self) -> &'static [&'static str] {
        &[]
    }

    fn columns(&self, target: Target) -> Result<usize, String> {
        of_two("exponential", target)
    }

    fn value(&self, _: Settings, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<2> {
        margin(outputs, targets).1.neg().exp().sum_dim(1)
    }

    fn gradient(&self, _: Settings, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<2> {
        let (sign, margin) = margin(outputs, targets);
        (sign * margin.neg().exp()).neg()
    }

    fn hessian_product(&self, _: Settings, outputs: Tensor<2>, targets: Tensor<2>, direction: Tensor<2>) -> Tensor<2> {
        margin(outputs, targets).1.neg().exp() * direction
    }
}
