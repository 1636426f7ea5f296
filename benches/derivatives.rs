//! Derivatives of tanh 64-512-512-10 on 1,797 samples in f32, and the tangent kernel: to see what a change of `tangent`
//! does. Beside other libraries: `peers/compare.py`.

use std::hint::black_box;
use std::time::Duration;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};
use criterion::{Criterion, criterion_group, criterion_main};
use losscape::tangent::Map;

/// The tool's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SAMPLES: usize = 1797;
const CHUNK: usize = 256;

#[derive(Module, Debug)]
struct Mlp {
    first: Linear,
    second: Linear,
    last: Linear,
}

impl Mlp {
    fn new(outputs: usize, device: &Device) -> Self {
        let layer = |from, to| LinearConfig::new(from, to).init(device);
        Self { first: layer(64, 512), second: layer(512, 512), last: layer(512, outputs) }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.last.forward(self.second.forward(self.first.forward(x).tanh()).tanh())
    }
}

/// Numbers between −½ and ½ without a pattern that matters here.
fn numbers<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let count: usize = shape.iter().product();
    let data = (0..count).map(|i| ((i * 7919) % 1009) as f32 / 1009.0 - 0.5).collect();
    Tensor::from_data(TensorData::new::<f32, _>(data, shape), device)
}

fn derivatives(criterion: &mut Criterion) {
    let device = Device::flex();
    let model = Mlp::new(10, &device);
    let (x, y) = (numbers([SAMPLES, 64], &device), numbers::<2>([SAMPLES, 10], &device));
    let scale = 1.0 / SAMPLES as f64;
    let residual = |output: Tensor<1>| (output - y.clone().reshape([SAMPLES * 10])) * scale;

    let mut group = criterion.benchmark_group("derivatives");
    group.sample_size(20).measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    let map = Map::new(|model: &Mlp, x: Tensor<2>| model.forward(x)).in_chunks(CHUNK);
    let first = Map::new(|model: &Mlp, x: Tensor<2>| model.forward(x)).in_chunks(CHUNK).first_order();
    group.bench_function("gradient", |bencher| {
        bencher.iter(|| {
            let at = first.linearize(&model, &x).expect("the layers have entries");
            black_box(at.pull(residual(at.output())))
        });
    });
    let at = map.linearize(&model, &x).expect("the layers have entries");
    let curve = at.curve(residual(at.output()));
    for (name, directions) in [("hessian_product", 1), ("hessian_products_16", 16)] {
        let v: Tensor<2> = numbers([directions, at.variables()], &device);
        group.bench_function(name, |bencher| {
            bencher.iter(|| match directions {
                1 => black_box(curve.product(v.clone().reshape([at.variables()]), |_, t| t * scale)).into_data(),
                _ => black_box(curve.product(v.clone(), |_, t| t * scale)).into_data(),
            });
        });
    }
    let single = Mlp::new(1, &device);
    group.bench_function("kernel", |bencher| {
        bencher.iter(|| black_box(first.kernel(&single, &x).expect("the layers have entries")));
    });
    group.finish();
}

criterion_group!(benches, derivatives);
criterion_main!(benches);
