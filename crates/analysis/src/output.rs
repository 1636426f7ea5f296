//! The curvature of the loss in the outputs.

use std::ops::Range;

use burn::tensor::Tensor;
use losscape_model::Loss;

/// `∂²L/∂F²`, block-diagonal by samples.
#[derive(Debug, Clone)]
pub(crate) struct OutputCurvature {
    pub outputs: Tensor<2>,
    pub targets: Tensor<2>,
    /// As a sum over samples.
    pub loss: Loss,
    pub scale: f64,
}

impl OutputCurvature {
    /// Its product with tangents `[k, entries]` of some entries of the outputs, whole samples.
    pub fn product(&self, entries: &Range<usize>, tangents: Tensor<2>) -> Tensor<2> {
        let classes = self.outputs.dims()[1];
        let [directions, length] = tangents.dims();
        let (start, samples) = (entries.start / classes, length / classes);
        let rows = |all: &Tensor<2>| all.clone().narrow(0, start, samples).repeat_dim(0, directions);
        let tangents = tangents.reshape([directions * samples, classes]);
        let product = self.loss.hessian_product(rows(&self.outputs), rows(&self.targets), tangents);
        (product * self.scale).reshape([directions, length])
    }
}
