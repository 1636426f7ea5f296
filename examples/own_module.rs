//! A Burn module of your own under the trainer, with an observer that watches it: here a residual network with layer
//! norm.
//!
//! Known answer: it learns to tell ten handwritten digits apart, above 95 % on unseen ones. Run with
//! `cargo run --release --example own_module`.

use std::sync::atomic::AtomicBool;

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use losscape::lab::config::{BatchSize, TrainingConfig};
use losscape::lab::records::{Metric, Split};
use losscape::lab::{LabError, Moment, Observe, Trainer};
use losscape::model::data::DataConfig;
use losscape::model::data::digits::Digits;
use losscape::model::{Loss, Network};
use losscape::optim::OptimizerConfig;
use losscape::optim::adam::AdamConfig;
use losscape::tangent::parameters;

#[derive(Module, Debug)]
struct Residual {
    input: Linear,
    inner: Linear,
    norm: LayerNorm,
    output: Linear,
}

impl Network for Residual {
    type Input = Tensor<2>;

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let h = self.input.forward(input);
        let h = h.clone() + self.inner.forward(relu(self.norm.forward(h)));
        self.output.forward(relu(h))
    }
}

/// Prints test accuracies on their way.
struct Watch(f64);

impl Observe<Residual> for Watch {
    fn evaluation(&mut self, moment: &Moment<Residual>, record: &Metric) -> Result<(), LabError> {
        if record.split == Split::Test {
            self.0 = record.accuracy.unwrap_or(0.0);
            println!(
                "epoch {:4.1}: test accuracy {:.3}, {} parameters",
                record.epoch,
                self.0,
                parameters::count(moment.network())
            );
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex().autodiff();
    let data = DataConfig::new(Digits {}).load()?;
    let network = Residual {
        input: LinearConfig::new(64, 64).init(&device),
        inner: LinearConfig::new(64, 64).init(&device),
        norm: LayerNormConfig::new(64).init(&device),
        output: LinearConfig::new(64, 10).init(&device),
    };
    let optimizer = OptimizerConfig::new(AdamConfig::default(), 3e-3);
    let training = TrainingConfig::epochs(10, BatchSize::Samples(32));
    let loss = Loss::cross_entropy();
    let mut trainer = Trainer::new(network, &data, loss, &optimizer, &training, 0)?;
    let mut watch = Watch(0.0);
    trainer.observed(&mut [&mut watch], &AtomicBool::new(false))?;
    println!("test accuracy {:.3}, expected above 0.95", watch.0);
    if watch.0 > 0.95 { Ok(()) } else { Err("the digits were not learned".into()) }
}
