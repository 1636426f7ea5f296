//! The landscape of a module of your own: a small convolutional network with layer norm, trained a little and then
//! measured.
//!
//! Known answer: the tangent kernel has the nonzero spectrum of the Gauss-Newton matrix, the Hessian has negative
//! curvature, and PL* holds with room to spare. Run with `cargo run --release --example landscape`.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::activation::gelu;
use burn::tensor::{DType, Device, Tensor};
use losscape::analysis::spectrum::{Spectrum, SpectrumSettings};
use losscape::analysis::{Objective, ntk::KernelSpectrum, pl::PlStar};
use losscape::lab::Trainer;
use losscape::lab::config::{BatchSize, TrainingConfig};
use losscape::model::data::DataConfig;
use losscape::model::data::digits::Digits;
use losscape::model::random::{Purpose, stream};
use losscape::model::{Loss, Network};
use losscape::optim::{OptimizerConfig, adam::AdamConfig};

#[derive(Module, Debug)]
struct Convolutional {
    convolution: Conv2d,
    norm: LayerNorm,
    output: Linear,
}

impl Network for Convolutional {
    type Input = Tensor<4>;

    fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        let h = gelu(self.convolution.forward(input));
        self.output.forward(self.norm.forward(h.flatten(1, 3)))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex().autodiff();
    let network = Convolutional {
        convolution: Conv2dConfig::new([1, 4], [3, 3]).with_stride([2, 2]).init(&device),
        norm: LayerNormConfig::new(36).init(&device),
        output: LinearConfig::new(36, 10).init(&device),
    };
    let data = DataConfig::new(Digits {}).load()?;
    let optimizer = OptimizerConfig::new(AdamConfig::default(), 3e-3);
    let training = TrainingConfig::epochs(3, BatchSize::Samples(32));
    let loss = Loss::squared_error();
    let mut trainer = Trainer::new(network, &data, loss, &optimizer, &training, 0)?;
    trainer.run();

    let some = data.train.select(&(0..60).collect::<Vec<_>>());
    let objective = Objective::on(trainer.network().clone(), &some, loss)?.precision(DType::F64);
    let point = objective.here()?;
    let random = &mut stream(0, Purpose::Probes, 0);
    let hessian = Spectrum::measure(&point.hessian(), &SpectrumSettings::default(), random)?;
    let gauss_newton = Spectrum::measure(&point.gauss_newton(), &SpectrumSettings::default(), random)?;
    let kernel = KernelSpectrum::of(objective.kernel(point.parameters())?, objective.targets())?;
    let pl = PlStar::at(&point, Some(&kernel), hessian.top[0]);
    let slack = pl.slack.ok_or("squared error has a bound")?;
    println!("λ_max(H) = {:.4}, λ_min(H) = {:.2e}", hessian.top[0].value, hessian.bottom[0].value);
    println!("λ_max(K_c) = {:.12}, λ_max(G) = {:.12}, equal", kernel.max, gauss_newton.top[0].value);
    println!(
        "tr K_c = {:.12}, tr G = {:.12}, equal",
        kernel.trace,
        gauss_newton.trace.map_or(f64::NAN, |trace| trace.mean)
    );
    println!("‖g‖²/2L − λ_min(K_c) = {slack:.3e}, expected to be positive");
    let equal = (kernel.max - gauss_newton.top[0].value).abs() < 1e-9 * kernel.max;
    if equal && slack > 0.0 && hessian.bottom[0].value < 0.0 { Ok(()) } else { Err("an identity does not hold".into()) }
}
