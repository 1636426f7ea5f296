//! What a loss says of itself: each does so in its own file.

use burn::tensor::Tensor;

use crate::data::Target;

/// The numbers of a loss, defaults filled in.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    pub label_smoothing: f64,
    pub delta: f64,
}

/// A function of outputs and targets, row by row and without the factor c. Nothing has a default, so that no loss is
/// silent.
pub trait Function {
    /// Its settings.
    fn keys(&self) -> &'static [&'static str];

    /// How many outputs it takes for each target; why not, where it cannot be taken.
    fn columns(&self, target: Target) -> Result<usize, String>;

    /// The loss of each row, `[rows, 1]`.
    fn value(&self, settings: Settings, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<2>;

    /// Its gradient in the outputs.
    fn gradient(&self, settings: Settings, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<2>;

    /// The product of its Hessian in the outputs with a direction.
    fn hessian_product(
        &self,
        settings: Settings,
        outputs: Tensor<2>,
        targets: Tensor<2>,
        direction: Tensor<2>,
    ) -> Tensor<2>;
}

/// One output for each class, or for each number.
pub fn any(target: Target) -> usize {
    target.columns() / target.positions()
}

/// One output for two classes.
pub fn of_two(name: &str, target: Target) -> Result<usize, String> {
    match target.classes() {
        Some(2) => Ok(1),
        Some(classes) => Err(format!("{name} is for two classes, but this data has {classes}")),
        None => Err(needs_labels(name)),
    }
}

/// The sign `t = 2y − 1` of a class, and the margin `t f`.
pub fn margin(outputs: Tensor<2>, targets: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let sign = targets.mul_scalar(2.0).sub_scalar(1.0);
    (sign.clone(), sign * outputs)
}

/// Why a loss of classes cannot be taken on numbers.
pub fn needs_labels(name: &str) -> String {
    format!(
        "{name} needs labels, but the targets of this data are numbers; labels in a file are taken as such with \
         task = \"classification\" in [data], numbers by squared-error"
    )
}
