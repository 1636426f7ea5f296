//! Dense Hessians and kernels against JAX and PyTorch in f64; `reference/derivatives.py` made the numbers.

use burn::module::Module;
use burn::nn;
use burn::tensor::activation as act;
use burn::tensor::{DType, Device, Tensor, TensorData};
use losscape_tangent::parameters::unravel;
use losscape_tangent::{Map, hvp};
use serde_json::Value;

use crate::common::{devices, difference, in_f64, numbers, vector};

/// How far apart the programs may be, relative to the largest entry.
const AGREE: f64 = 1e-10;

#[derive(Module, Debug)]
struct Mlp {
    first: nn::Linear,
    second: nn::Linear,
    last: nn::Linear,
}

#[derive(Module, Debug)]
struct Convolutional {
    stem: nn::conv::Conv2d,
    residual: nn::conv::Conv2d,
    last: nn::Linear,
}

#[derive(Module, Debug)]
struct Attention {
    query: nn::Linear,
    key: nn::Linear,
    value: nn::Linear,
    norm: nn::LayerNorm,
    last: nn::Linear,
}

fn linear(from: usize, to: usize, device: &Device) -> nn::Linear {
    nn::LinearConfig::new(from, to).init(device)
}

fn list(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|number| number.as_f64().expect("a number")).collect()
}

/// Compares gradient, Hessian and kernel of one network with the reference.
fn compare<M: Module, const R: usize>(
    name: &str,
    device: &Device,
    model: M,
    shape: [usize; R],
    forward: impl Fn(&M, Tensor<R>) -> Tensor<2> + Copy,
    loss: impl Fn(Tensor<2>, Tensor<2>) -> Tensor<1>,
) {
    let reference: Value =
        serde_json::from_str(include_str!("reference/derivatives.json")).expect("the program wrote JSON");
    let case = &reference[name];
    let samples = shape[0];
    let w = list(&case["parameters"]);
    let model = unravel(in_f64(model, 1), &vector(&w, device)).expect("the layers have the reference's sizes");
    let tensor = |key: &str| TensorData::new(list(&case[key]), [list(&case[key]).len()]);
    let x = Tensor::<1>::from_data(tensor("x"), (device, DType::F64)).reshape(shape);
    let y = Tensor::<1>::from_data(tensor("y"), (device, DType::F64)).reshape([samples, 2]);

    let p = w.len();
    let objective = |model: &M, (x, y): (Tensor<R>, Tensor<2>)| loss(forward(model, x), y) / samples as f64;
    let map = Map::new(&objective);
    let at = map.linearize(&model, &(x.clone(), y.clone())).expect("all layers have entries");
    let plain = device.clone().inner();
    let gradient = numbers(at.pull(Tensor::<1>::ones([1], (&plain, DType::F64))));
    let identity = Tensor::<2>::eye(p, &plain).cast(DType::F64);
    let hessian = numbers(hvp(&model, &(x.clone(), y), identity, objective).expect("all layers have entries"));
    let kernel = numbers(Map::new(forward).kernel(&model, &x).expect("all layers have entries"));
    for (what, found) in [("gradient", gradient), ("hessian", hessian), ("kernel", kernel)] {
        let off = difference(&found, &list(&case[what]));
        println!("{name} {what}: {off:.1e}");
        assert!(off < AGREE, "{name}: the {what} is off by {off:e}");
    }
}

fn square(output: Tensor<2>, y: Tensor<2>) -> Tensor<1> {
    (output - y).powi_scalar(2).sum() * 0.5
}

#[test]
fn an_mlp() {
    for (_, device) in devices() {
        let model = Mlp { first: linear(3, 4, &device), second: linear(4, 3, &device), last: linear(3, 2, &device) };
        let forward = |m: &Mlp, x: Tensor<2>| m.last.forward(m.second.forward(m.first.forward(x).tanh()).tanh());
        compare("mlp", &device, model, [5, 3], forward, square);
    }
}

#[test]
fn a_convolutional_network() {
    for (_, device) in devices() {
        let layer = |from, to| {
            let config = nn::conv::Conv2dConfig::new([from, to], [3, 3]);
            config.with_padding(nn::PaddingConfig2d::Explicit(1, 1, 1, 1)).init(&device)
        };
        let model = Convolutional { stem: layer(1, 2), residual: layer(2, 2), last: linear(8, 2, &device) };
        let forward = |m: &Convolutional, x: Tensor<4>| {
            let h = act::gelu(m.stem.forward(x));
            let h = h.clone() + m.residual.forward(h);
            let pooled = nn::pool::AvgPool2dConfig::new([2, 2]).with_strides([2, 2]).init().forward(h);
            m.last.forward(pooled.flatten(1, 3))
        };
        compare("convolutional", &device, model, [4, 1, 4, 4], forward, square);
    }
}

#[test]
fn attention() {
    for (_, device) in devices() {
        let layer = || linear(3, 3, &device);
        let norm = nn::LayerNormConfig::new(3).init(&device);
        let model = Attention { query: layer(), key: layer(), value: layer(), norm, last: linear(3, 2, &device) };
        let forward = |m: &Attention, x: Tensor<3>| {
            let (q, k, v) = (m.query.forward(x.clone()), m.key.forward(x.clone()), m.value.forward(x.clone()));
            let weights = act::softmax(q.matmul(k.swap_dims(1, 2)) * 3f64.sqrt().recip(), 2);
            let h = m.norm.forward(x + weights.matmul(v));
            m.last.forward(h.mean_dim(1).flatten(1, 2))
        };
        let entropy = |output: Tensor<2>, y: Tensor<2>| (act::log_softmax(output, 1) * y).sum().neg();
        compare("attention", &device, model, [4, 3, 3], forward, entropy);
    }
}
