//! Binary cross-entropy of one logit, `−y log σ(f) − (1 − y) log(1 − σ(f))`: the logistic loss `−log σ(m)` of the
//! margin `m = (2y − 1) f`; PyTorch's `BCEWithLogitsLoss`.

use burn::tensor::Tensor;
use burn::tensor::activation::{log_sigmoid, sigmoid};

use super::function::{Function, Settings, margin, of_two};
use crate::data::Target;

pub struct BinaryCrossEntropy;

impl Function for BinaryCrossEntropy {
    fn keys(&self) -> &'static [&'static str] {
        &[]
    }

    fn columns(&self, target: Target) -> Result<usize, String> {
        of_two("binary-cross-entropy", target)
    }

    fn value(&self, _: Settings, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<2> {
        log_sigmoid(margin(outputs, targets).1).sum_dim(1).neg()
    }

    fn gradient(&self, _: Settings, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<2> {
        let (sign, margin) = margin(outputs, targets);
        (sign * sigmoid(margin.neg())).neg()
    }

    fn hessian_product(&self, _: Settings, outputs: Tensor<2>, _: Tensor<2>, direction: Tensor<2>) -> Tensor<2> {
        // σ(−f) and not 1 − σ(f), which is zero where f is large.
        sigmoid(outputs.clone()) * sigmoid(outputs.neg()) * direction
    }
}
