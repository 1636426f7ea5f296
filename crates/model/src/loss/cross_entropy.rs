//! Cross-entropy, `−Σ y log softmax(f)`, with label smoothing.

use burn::tensor::Tensor;
use burn::tensor::activation::{log_softmax, softmax};

use super::function::{Function, Settings, needs_labels};
use crate::data::Target;

pub struct CrossEntropy;

/// `(1 − s) y + s/C`, of a row whose entries sum to one; of others with their sum.
fn smoothed(settings: Settings, targets: Tensor<2>) -> Tensor<2> {
    match settings.label_smoothing {
        share if share > 0.0 => {
            let classes = targets.dims()[1] as f64;
            let spread = targets.clone().sum_dim(1).mul_scalar(share / classes);
            targets.mul_scalar(1.0 - share) + spread
        }
        _ => targets,
    }
}

impl Function for CrossEntropy {
    fn keys(&self) -> &'static [&'static str] {
        &["label_smoothing"]
    }

    fn columns(&self, target: Target) -> Result<usize, String> {
        match target.classes() {
            Some(1) => Err("cross-entropy needs at least two classes, but this data has one".to_owned()),
            Some(classes) => Ok(classes),
            None => Err(needs_labels("cross-entropy")),
        }
    }

    fn value(&self, settings: Settings, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<2> {
        (smoothed(settings, targets) * log_softmax(outputs, 1)).sum_dim(1).neg()
    }

    fn gradient(&self, settings: Settings, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<2> {
        let targets = smoothed(settings, targets);
        let mass = targets.clone().sum_dim(1);
        softmax(outputs, 1) * mass - targets
    }

    fn hessian_product(&self, _: Settings, outputs: Tensor<2>, targets: Tensor<2>, direction: Tensor<2>) -> Tensor<2> {
        // Smoothing keeps the mass of a row.
        let mass = targets.sum_dim(1);
        let p = softmax(outputs, 1);
        let centred = direction.clone() - (p.clone() * direction).sum_dim(1);
        p * centred * mass
    }
}
