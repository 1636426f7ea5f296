//! Compiled gradients against Burn's autodiff: networks with their losses, picked rows, both float types, what cannot
//! be compiled.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::optim::GradientsParams;
use burn::tensor::activation as act;
use burn::tensor::module::{attention, avg_pool2d, max_pool2d};
use burn::tensor::ops::{AttentionModuleOptions, AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{DType, Device, Tensor, TensorData};
use losscape_tangent::Map;
use losscape_tangent::parameters::{ravel, ravel_gradient, unravel};

use crate::common::{difference, in_f64, numbers, tensor};

/// Matrices and vectors from which networks are put together.
#[derive(Module, Debug)]
struct Parts {
    linear: Linear,
    plain: Linear,
    square: Param<Tensor<2>>,
    column: Param<Tensor<1>>,
}

const FEATURES: usize = 5;
const SAMPLES: usize = 9;

fn parts(device: &Device, dtype: DType) -> Parts {
    let matrix = |seed, shape| Param::from_tensor(tensor::<2>(seed, shape, -1.0, 1.0, device).cast(dtype));
    let vector = |seed, length| Param::from_tensor(tensor::<1>(seed, [length], -1.0, 1.0, device).cast(dtype));
    Parts {
        linear: Linear { weight: matrix(1, [FEATURES, FEATURES]), bias: Some(vector(2, FEATURES)) },
        plain: Linear { weight: matrix(3, [FEATURES, 3]), bias: None },
        square: matrix(4, [FEATURES, FEATURES]),
        column: vector(5, FEATURES),
    }
}

type Forward = fn(&Parts, Tensor<2>, Tensor<2>) -> Tensor<1>;

fn squares(outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    (outputs - targets).square().sum_dim(1).sum() * 0.5
}

/// Networks with their losses; each row names what only it has.
const CASES: &[(&str, Forward)] = &[
    ("one layer, no bias", |p, x, y| squares(p.plain.forward(x), y)),
    ("layers on rows", |p, x, y| squares(p.plain.forward(p.linear.forward(x).tanh()), y)),
    ("layers on columns, turned at the end", |p, x, y| {
        let h = p.square.val().matmul(x.transpose()) + p.column.val().unsqueeze_dim(1);
        squares(p.plain.weight.val().transpose().matmul(act::relu(h)).transpose(), y)
    }),
    ("weights turned before they are used", |p, x, y| {
        squares(p.plain.forward(act::sigmoid(x.matmul(p.square.val().transpose()) + p.column.val().unsqueeze())), y)
    }),
    ("a weight used twice", |p, x, y| {
        let w = p.square.val();
        squares(p.plain.forward(x.matmul(w.clone()).tanh().matmul(w)), y)
    }),
    ("a residual sum", |p, x, y| {
        let h = p.linear.forward(x.clone());
        squares(p.plain.forward(h.clone().exp() * 0.1 + h - x), y)
    }),
    ("functions that keep their slope", |p, x, y| squares(p.plain.forward(act::gelu(p.linear.forward(x)).sin()), y)),
    ("cross-entropy", |p, x, y| {
        let f = act::log_softmax(p.plain.forward(p.linear.forward(x).tanh()), 1);
        (y.abs() * f).sum_dim(1).sum() * (-1.0 / SAMPLES as f64)
    }),
    ("softmax and a product of values", |p, x, y| {
        let h = p.linear.forward(x);
        squares(p.plain.forward(act::softmax(h.clone(), 0) * h), y)
    }),
    ("sums along both axes, and a parameter of no other use", |p, x, y| {
        let h = p.linear.forward(x).square();
        let total = h.clone().sum_dim(0) * p.column.val().unsqueeze() + h.clone().mean_dim(0);
        total.sum() + (h.sum_dim(1) * y.sum_dim(1)).sum()
    }),
    ("parts of values and of weights, joined again", |p, x, y| {
        let (samples, h) = (y.dims()[0], p.linear.forward(x));
        let w = p.square.val();
        let left = h.clone().narrow(1, 0, 2).matmul(w.clone().slice([1..3, 0..5])).tanh();
        let right = h.clone().narrow(1, 2, 3).matmul(w.slice([0..3, 0..5]));
        squares(p.plain.forward(Tensor::cat(vec![left.clone(), right, left * 2.0], 0).narrow(0, 2, samples)), y)
            + h.narrow(0, 0, 1).sum()
    }),
    ("stacks of products, straight and turned", |p, x, y| {
        let h = p.linear.forward(x).reshape([-1, 1, 5]);
        let w = p.square.val().reshape([1, 5, 5]);
        let outer = h.clone().swap_dims(1, 2).matmul(h.clone().tanh());
        let h = h.matmul(outer.matmul(w.expand([-1, 5, 5])));
        squares(p.plain.forward(h.flatten(1, 2)), y)
    }),
    ("attention", |p, x, y| {
        let h = p.linear.forward(x).reshape([1, 1, -1, 5]);
        let options = AttentionModuleOptions { is_causal: true, ..Default::default() };
        let h = attention(h.clone(), h.clone() * 0.5, h.clone().sin(), None, None, options);
        squares(p.plain.forward(h.flatten::<3>(0, 1).flatten(0, 1)), y)
    }),
    ("products with a factor and a shift below a function", |p, x, y| {
        let factor = || p.column.val().unsqueeze::<2>();
        let h = act::relu(x.clone().matmul(p.square.val()) * factor() + factor());
        let both = p.linear.forward(x.clone()).tanh() + (x.matmul(p.square.val()) * h.matmul(p.square.val())).tanh();
        squares(p.plain.forward(both), y)
    }),
    ("norms of rows and columns", |p, x, y| {
        let samples = y.dims()[0];
        let h = p.linear.forward(x).repeat_dim(1, 2).repeat_dim(0, 2);
        let norm = |h: Tensor<2>, axis| {
            let h = h.clone() - h.mean_dim(axis);
            h.clone() / (h.square().mean_dim(axis) + 0.1).sqrt()
        };
        let factor = p.column.val().unsqueeze::<2>().repeat_dim(1, 2);
        let h = act::relu(norm(h.clone(), 1) * factor.clone() + factor) + norm(h, 0).tanh();
        squares(p.plain.forward(h.narrow(1, 3, 5).narrow(0, 0, samples)), y)
    }),
    ("centred values times what may be zero", |p, x, y| {
        let h = p.linear.forward(x).repeat_dim(1, 2);
        let h = h.clone() - h.mean_dim(1);
        let h = h.clone() * act::relu(h.square().mean_dim(1) * -1.0 + 0.3);
        squares(p.plain.forward(h.narrow(1, 3, 5)), y)
    }),
    ("maxima of windows", |p, x, y| {
        let h = p.linear.forward(x).reshape([-1, 1, 1, 5]);
        let h = max_pool2d(h, MaxPoolOptions::new([1, 3]).with_stride([1, 1]));
        squares(h.flatten(1, 3).matmul(p.square.val().slice([0..3, 0..3])), y)
    }),
    ("the square of the parameters alone", |p, x, y| {
        p.square.val().square().sum() * 0.5 + (p.column.val() * 3.0).sum() + squares(p.plain.forward(x), y)
    }),
];

fn autodiff(parts: &Parts, x: &Tensor<2>, y: &Tensor<2>, forward: Forward) -> (f64, Vec<f64>) {
    let value = forward(parts, x.clone(), y.clone());
    let gradients = GradientsParams::from_grads(value.backward(), parts);
    (value.into_scalar(), numbers(ravel_gradient(parts, &gradients).expect("there are parameters")))
}

#[test]
fn compiled_gradients_are_those_of_autodiff() {
    for (dtype, tolerance) in [(DType::F64, 1e-13), (DType::F32, 1e-5)] {
        let device = Device::flex().autodiff();
        let parts = parts(&device, dtype);
        let x = tensor::<2>(6, [SAMPLES, FEATURES], -1.0, 1.0, &device).cast(dtype);
        let y = tensor::<2>(7, [SAMPLES, 3], -1.0, 1.0, &device).cast(dtype);
        let picked = [7usize, 0, 3, 3];
        let pick =
            |tensor: &Tensor<2>| Tensor::cat(picked.iter().map(|&row| tensor.clone().narrow(0, row, 1)).collect(), 0);
        let w = ravel(&parts).expect("there are parameters");
        let mut worst = 0.0f64;
        for &(name, forward) in CASES {
            let map = Map::new(move |parts: &Parts, (x, y): (Tensor<2>, Tensor<2>)| forward(parts, x, y));
            let mut check = |found: (f64, Tensor<1>), x: &Tensor<2>, y: &Tensor<2>| {
                let (value, gradient) = autodiff(&parts, x, y, forward);
                let error = difference(&[found.0], &[value]).max(difference(&numbers(found.1), &gradient));
                assert!(error <= tolerance, "{name} in {dtype:?}: off by {error:e}");
                worst = worst.max(error);
            };
            let whole = (x.clone(), y.clone());
            let mut compiled = map.compile(&parts, &whole).unwrap().unwrap_or_else(|| panic!("{name}: not compiled"));
            // A point that nobody reads any more is written over: what stood in it is not seen.
            compiled.gradient(&(w.clone() * f64::NAN), &whole);
            check(compiled.gradient(&w, &whole), &x, &y);
            let (x, y) = (pick(&x), pick(&y));
            let mut compiled = map.compile(&parts, &(x.clone(), y.clone())).unwrap().expect("as before");
            check(compiled.gradient_of_rows(&w, &whole, &picked), &x, &y);
            check(compiled.gradient(&w, &(x.clone(), y.clone())), &x, &y);
        }
        println!("{dtype:?}: {} networks, worst difference {worst:e}", CASES.len());
    }
}

/// Convolutions of every kind, with bias and function behind them or not, and mean pooling.
#[derive(Module, Debug)]
struct Images {
    first: Conv2d,
    second: Conv2d,
    up: ConvTranspose2d,
    output: Linear,
}

impl Images {
    fn new(device: &Device) -> Self {
        let around = PaddingConfig2d::Explicit(1, 0, 2, 1);
        Self {
            first: Conv2dConfig::new([2, 4], [3, 2]).with_padding(around).init(device),
            second: Conv2dConfig::new([4, 6], [2, 2]).with_groups(2).with_stride([2, 1]).with_bias(false).init(device),
            up: ConvTranspose2dConfig::new([6, 2], [2, 3]).with_stride([1, 2]).init(device),
            output: LinearConfig::new(2 * 3 * 3, 3).init(device),
        }
    }

    /// Of images `[n, 2, 5, 4]` in rows.
    fn forward(&self, x: Tensor<2>, y: Tensor<2>) -> Tensor<1> {
        let h = self.first.forward(x.reshape([-1, 2, 5, 4])).tanh();
        let h = avg_pool2d(h, AvgPoolOptions::new([2, 2]).with_stride([1, 2]));
        squares(self.output.forward(self.up.forward(self.second.forward(h)).exp().flatten(1, 3)), y)
    }
}

#[test]
fn compiled_convolutions_are_those_of_autodiff() {
    for (dtype, tolerance) in [(DType::F64, 1e-13), (DType::F32, 1e-5)] {
        let device = Device::flex().autodiff();
        let mut images = in_f64(Images::new(&device), 9);
        if dtype == DType::F32 {
            let w = ravel(&images).expect("there are parameters").cast(dtype);
            images = unravel(Images::new(&device), &w).expect("as many parameters");
        }
        let x = tensor::<2>(6, [60, 40], -1.0, 1.0, &device).cast(dtype);
        let y = tensor::<2>(7, [60, 3], -1.0, 1.0, &device).cast(dtype);
        let value = images.forward(x.clone(), y.clone());
        let gradients = GradientsParams::from_grads(value.backward(), &images);
        let reference = numbers(ravel_gradient(&images, &gradients).expect("there are parameters"));
        let map = Map::new(|images: &Images, (x, y): (Tensor<2>, Tensor<2>)| images.forward(x, y));
        let both = (x, y);
        let mut compiled = map.compile(&images, &both).unwrap().expect("it can be compiled");
        let w = ravel(&images).expect("there are parameters");
        let mut of = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let (found, gradient) = pool.install(|| compiled.gradient(&w, &both));
            (found, numbers(gradient))
        };
        let (found, gradient) = of(2);
        let error = difference(&[found], &[value.into_scalar()]).max(difference(&gradient, &reference));
        assert!(error <= tolerance, "{dtype:?}: off by {error:e}");
        assert_eq!(of(1), (found, gradient), "threads do not change a bit");
    }
}

/// Large enough to be divided among threads: the same bits with one as with two.
#[test]
fn threads_do_not_change_a_bit() {
    let device = Device::flex().autodiff();
    let wide = LinearConfig::new(300, 400).init(&device);
    let x = tensor::<2>(8, [200, 300], -1.0, 1.0, &device).cast(DType::F32);
    let map = Map::new(|layer: &Linear, x: Tensor<2>| layer.forward(x).tanh().square().sum());
    let w = ravel(&wide).expect("there are parameters");
    let bits = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let (value, gradient) = map.compile(&wide, &x).unwrap().expect("it can be compiled").gradient(&w, &x);
            (value.to_bits(), gradient.into_data())
        })
    };
    assert_eq!(bits(1), bits(2));
}

#[test]
fn what_cannot_be_compiled_is_said() {
    let device = Device::flex().autodiff();
    let mut parts = parts(&device, DType::F64);
    let x = tensor::<2>(6, [SAMPLES, FEATURES], -1.0, 1.0, &device);
    let none = |parts: &Parts, forward: fn(&Parts, Tensor<2>) -> Tensor<1>| {
        Map::new(forward).compile(parts, &x).expect("everything has an entry").is_none()
    };
    assert!(none(&parts, |p, x| p.linear.forward(x).flip([1]).sum()), "an operation without instructions");
    parts.square = parts.square.set_require_grad(false);
    assert!(none(&parts, |p, x| p.linear.forward(x).matmul(p.square.val()).sum()), "a frozen parameter");
    // One that the forward does not read takes no place in the gradient.
    let forward: Forward = |p, x, y| squares(p.plain.forward(p.linear.forward(x).tanh()), y);
    let y = tensor::<2>(7, [SAMPLES, 3], -1.0, 1.0, &device);
    let both = (x.clone(), y.clone());
    let map = Map::new(move |parts: &Parts, (x, y): (Tensor<2>, Tensor<2>)| forward(parts, x, y));
    let mut compiled = map.compile(&parts, &both).expect("everything has an entry").expect("it is not read");
    let (_, gradient) = compiled.gradient(&ravel(&parts).expect("there are parameters"), &both);
    assert!(difference(&numbers(gradient), &autodiff(&parts, &x, &y, forward).1) < 1e-13);
}

/// A row that is masked whole, and numbers too large for `eˣ`: finite as through autodiff.
#[test]
fn large_numbers_stay_finite() {
    let device = Device::flex().autodiff();
    let w = Param::from_tensor(Tensor::<2>::from_data([[800.0, -800.0], [1.0, 2.0]], (&device, DType::F64)));
    #[derive(Module, Debug)]
    struct Logits {
        w: Param<Tensor<2>>,
    }
    let logits = Logits { w };
    let x = Tensor::<2>::from_data(TensorData::from([[1.0, 0.0], [0.0, 1.0]]), (&device, DType::F64));
    let map = Map::new(|logits: &Logits, x: Tensor<2>| act::log_softmax(x.matmul(logits.w.val()), 1).sum());
    let w = ravel(&logits).expect("there are parameters");
    let (value, gradient) = map.compile(&logits, &x).unwrap().expect("it can be compiled").gradient(&w, &x);
    // ln p = (0, −1600) for the first; Σ ln p = 3 − 2 ln(e + e²) for the logits (1, 2).
    let second = 3.0 - 2.0 * (1.0f64.exp() + 2.0f64.exp()).ln();
    assert!((value - (second - 1600.0)).abs() < 1e-12, "{value}");
    assert!(numbers(gradient).iter().all(|g| g.is_finite()));
}
