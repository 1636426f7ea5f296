//! The tangent kernel: its tiles, and every way in which a parameter contributes.

use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Tensor};
use losscape_tangent::Map;

use crate::common::{self, ROUNDING, difference, gram, numbers, rows, tensor};

/// Matrices of several shapes, used or not.
#[derive(Module, Debug)]
struct Weights {
    square: Param<Tensor<2>>,
    row: Param<Tensor<2>>,
    column: Param<Tensor<2>>,
    pair: Param<Tensor<2>>,
}

impl Weights {
    fn new(device: &Device) -> Self {
        let matrix = |seed, shape| Param::from_tensor(tensor(seed, shape, -1.0, 1.0, device));
        Self { square: matrix(1, [8, 8]), row: matrix(2, [1, 8]), column: matrix(3, [8, 1]), pair: matrix(4, [2, 8]) }
    }
}

type Forward = fn(&Weights, Tensor<3>) -> Tensor<2>;

/// Samples are `[2, 8]`.
fn one_row_each(x: Tensor<3>) -> Tensor<2> {
    x.flatten(1, 2).narrow(1, 0, 8)
}

#[test]
fn every_route_gives_the_dense_kernel() {
    let routes: &[(&str, Forward)] = &[
        ("a product with one row a sample", |w, x| one_row_each(x).matmul(w.square.val()).tanh()),
        ("and a bias", |w, x| (one_row_each(x).matmul(w.square.val()) + w.row.val()).tanh()),
        ("and two biases, one of them scaled", |w, x| {
            (one_row_each(x).matmul(w.square.val()) + w.row.val() * 3.0 + w.column.val().transpose()).sin()
        }),
        ("two rows a sample", |w, x| {
            let n = x.dims()[0];
            x.reshape([2 * n, 8])
                .matmul(w.square.val())
                .tanh()
                .reshape([n, 16])
                .matmul(Tensor::cat(vec![w.pair.val().transpose(); 2], 0))
        }),
        ("two rows a sample and a bias for each", |w, x| {
            let n = x.dims()[0];
            (x.reshape([2 * n, 8]).matmul(w.square.val()) + w.pair.val().repeat_dim(0, n)).tanh().reshape([n, 16])
        }),
        ("a parameter on the left", |w, x| {
            let y = w.square.val().matmul(one_row_each(x).transpose()) + w.column.val();
            y.tanh().transpose()
        }),
        ("a transposed and scaled parameter", |w, x| (one_row_each(x).matmul(w.square.val().transpose() * 0.3)).tanh()),
        ("a product of two parameters", |w, x| one_row_each(x) * w.row.val().matmul(w.column.val())),
        ("a parameter used twice", |w, x| one_row_each(x).matmul(w.square.val()).tanh().matmul(w.square.val())),
        ("a parameter that is only added", |w, x| (one_row_each(x) + w.row.val()).exp()),
        ("an expanded parameter", |w, x| one_row_each(x).matmul(w.column.val().expand([8, 8]))),
        ("a constant times a parameter", |w, x| {
            let ones = Tensor::<2>::ones([1, 8], (&x.device(), DType::F64));
            one_row_each(x) * ones.matmul(w.square.val()).tanh()
        }),
    ];
    for device in [Device::flex(), common::devices()[1].1.clone()] {
        let weights = Weights::new(&device);
        let (x, y): (Tensor<3>, Tensor<3>) =
            (tensor(9, [3, 2, 8], -1.0, 1.0, &device), tensor(10, [2, 2, 8], -1.0, 1.0, &device));
        for (name, forward) in routes {
            let map = Map::new(forward);
            // Each sample alone, as the kernel has it.
            let dense = |x: &Tensor<3>| -> Vec<Vec<f64>> {
                let alone =
                    |sample| map.linearize(&weights, &x.clone().narrow(0, sample, 1)).expect("it has derivatives");
                (0..x.dims()[0]).flat_map(|sample| rows(alone(sample).jacobian())).collect()
            };
            let (own, other) = (dense(&x), dense(&y));
            let kernel = numbers(map.kernel(&weights, &x).expect("it has derivatives"));
            let off = difference(&kernel, &gram(&own, &own));
            assert!(off < ROUNDING, "{name}: off by {off:e}");
            let between = numbers(map.kernel_between(&weights, &x, &y).expect("it has derivatives"));
            let off = difference(&between, &gram(&own, &other));
            assert!(off < ROUNDING, "{name}, between two sets: off by {off:e}");
        }
    }
}

/// More samples than a tile holds, and not a multiple of it.
#[test]
fn tiles_fit_together() {
    let device = Device::flex();
    let weights = Weights::new(&device);
    let (n, m) = (1100, 700);
    let (x, y): (Tensor<3>, Tensor<3>) =
        (tensor(9, [n, 2, 8], -1.0, 1.0, &device), tensor(10, [m, 2, 8], -1.0, 1.0, &device));
    let map = Map::new(|w: &Weights, x: Tensor<3>| {
        (one_row_each(x).matmul(w.square.val()) + w.row.val()).tanh().narrow(1, 0, 2)
    });
    let dense = |x: &Tensor<3>| map.linearize(&weights, x).expect("it has derivatives").jacobian();
    let (own, other) = (dense(&x), dense(&y));
    let expected = numbers(own.clone().matmul(own.clone().transpose()));
    let off = difference(&numbers(map.kernel(&weights, &x).expect("it has derivatives")), &expected);
    assert!(off < ROUNDING, "off by {off:e}");
    let expected = numbers(own.matmul(other.transpose()));
    let off = difference(&numbers(map.kernel_between(&weights, &x, &y).expect("it has derivatives")), &expected);
    assert!(off < ROUNDING, "between two sets: off by {off:e}");
}
