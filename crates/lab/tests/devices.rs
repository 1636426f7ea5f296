//! The same run on another device agrees to rounding.

use burn::tensor::{DType, Device};
use losscape_lab::Trainer;
use losscape_lab::config::{BatchSize, TrainingConfig};
use losscape_model::data::DataConfig;
use losscape_model::data::generate::Moons;
use losscape_model::{Activation, Loss, MlpConfig};
use losscape_optim::momentum::MomentumConfig;
use losscape_optim::{OptimizerConfig, RuleConfig, SamConfig};
use losscape_tangent::parameters;

/// The weights after 100 steps of momentum with SAM in f64: with compiled gradients on flex, through autodiff on
/// ndarray.
fn weights(device: &Device, activation: Activation, loss: Loss) -> Vec<f64> {
    let device = device.clone().autodiff();
    let data = DataConfig::new(Moons { samples: 200, noise: 0.1 }).load().expect("valid");
    let network = MlpConfig::new([24, 16]).with_activation(activation);
    let network = network.init(2, 2, 0, &device, DType::F64).expect("the widths are valid");
    let rule = RuleConfig::Momentum(MomentumConfig { momentum: 0.9 });
    let optimizer = OptimizerConfig::new(rule, 0.02).with_sam(SamConfig::new(0.05));
    let training = TrainingConfig::steps(100, BatchSize::Samples(32));
    let mut trainer = Trainer::new(network, &data, loss, &optimizer, &training, 0).expect("valid");
    trainer.run();
    let w = parameters::ravel(trainer.network()).expect("there are parameters");
    w.into_data().try_to_vec().expect("the dtype is f64")
}

#[test]
fn flex_and_ndarray_agree_over_a_hundred_steps() {
    #[allow(deprecated)] // upstream favours flex; here it is the independent second implementation
    let ndarray = Device::ndarray();
    let activations = Activation::ALL.iter().map(|(name, _)| {
        serde_json::from_value(serde_json::Value::from(*name)).expect("the registry has names of activations")
    });
    for activation in activations {
        let activation: Activation = activation;
        for loss in [Loss::cross_entropy(), Loss::squared_error()] {
            let (a, b) = (weights(&Device::flex(), activation, loss), weights(&ndarray, activation, loss));
            let difference = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            println!("{activation:?}, {:?}: largest difference {difference:.1e}", loss.kind);
            // Rounding of 1e-16 a step, which 100 steps of momentum do not blow up beyond this.
            assert!(difference < 1e-11, "{activation:?}, {loss:?}: {difference:.1e}");
        }
    }
}
