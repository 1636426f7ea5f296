//! Burn's own `Learner` trains one of our networks with SAM around momentum; both gradients of SAM are taken inside its
//! train step.
//!
//! Known answer: two moons with little noise are separated almost without error. Run with
//! `cargo run --release --example learner`.

use burn::tensor::{DType, Device};
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::renderer::CliMetricsRenderer;
use burn::train::{ExecutionStrategy, Learner, SupervisedTraining};
use losscape::lab::learner::{Learned, loader};
use losscape::model::data::DataConfig;
use losscape::model::data::generate::Moons;
use losscape::model::{Loss, MlpConfig};
use losscape::optim::momentum::MomentumConfig;
use losscape::optim::{OptimizerConfig, RuleConfig, SamConfig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex();
    let data = DataConfig::new(Moons { samples: 1000, noise: 0.1 }).load()?;
    let test = data.test.ok_or("the data has a test part")?;

    let network = MlpConfig::new([32, 32]).init(2, 2, 0, &device.clone().autodiff(), DType::F32)?;
    let rule = RuleConfig::Momentum(MomentumConfig { momentum: 0.9 });
    let method = OptimizerConfig::new(rule, 0.1).with_sam(SamConfig::new(0.05)).init()?;
    let (model, optimizer) =
        Learned::new(network, Loss::cross_entropy(), method).ok_or("momentum is a Burn optimizer")?;

    let folder = tempfile::tempdir()?;
    let train = loader(&data.train, 50, Some(0), &device.clone().autodiff(), DType::F32)?;
    let valid = loader(&test, 200, None, &device, DType::F32)?;
    let result = SupervisedTraining::new(folder.path(), train, valid)
        .metrics((LossMetric::new(), AccuracyMetric::new()))
        .renderer(Box::new(CliMetricsRenderer::new()))
        .with_application_logger(None)
        .with_training_strategy(ExecutionStrategy::SingleDevice(device.clone().autodiff()).into())
        .num_epochs(20)
        .launch(Learner::new(model, optimizer, 0.1));

    use losscape::model::Network;
    let outputs = result.model.network.forward(test.input_tensor(&device, DType::F32));
    let hits = outputs.argmax(1).equal(test.target_tensor(&device, DType::F32).argmax(1));
    let accuracy = hits.int().sum().into_scalar::<i64>() as f64 / test.len() as f64;
    println!("test accuracy {accuracy:.3}, expected above 0.97");
    if accuracy > 0.97 { Ok(()) } else { Err("the moons were not separated".into()) }
}
