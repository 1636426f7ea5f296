//! What tests of networks of images share.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};

pub fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.cast(DType::F64).into_data().try_to_vec().expect("the dtype is f64")
}

/// Images without a pattern.
pub fn images(shape: [usize; 4]) -> Tensor<4> {
    let values: Vec<f64> = (0..shape.iter().product()).map(|k: usize| ((k * k + 3) as f64 * 0.7).sin()).collect();
    Tensor::from_data(TensorData::new(values, shape), (&Device::flex(), DType::F64))
}

/// Shapes of the parameters, in the order in which Burn visits them.
pub fn shapes<M: Module>(module: &M) -> Vec<Vec<usize>> {
    struct Shapes(Vec<Vec<usize>>);
    impl ModuleVisitor for Shapes {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(param.dims().to_vec());
        }
    }
    let mut shapes = Shapes(Vec::new());
    module.visit(&mut shapes);
    shapes.0
}
