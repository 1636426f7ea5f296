//! SGD, SAM, and the largest eigenvalue as a penalty: how sharp are the minima at equal training loss?
//!
//! The lecture notes call a penalty on the largest eigenvalue SAM; SAM is another method, and both flatten. Known
//! answer: on digits, at a cross-entropy of 0.05, λ_max(H) after SAM with ρ = 0.1 and after the penalty is below 0.7 of
//! that after SGD. Run with `cargo run --release --example flatness`.

use burn::tensor::{DType, Device};
use losscape::analysis::Objective;
use losscape::krylov::Eigensolver;
use losscape::lab::Trainer;
use losscape::lab::config::{BatchSize, TrainingConfig};
use losscape::model::data::DataConfig;
use losscape::model::data::digits::Digits;
use losscape::model::random::{Purpose, stream};
use losscape::model::{Loss, MlpConfig};
use losscape::optim::gradient_descent::GradientDescentConfig;
use losscape::optim::{OptimizerConfig, SamConfig, SharpnessPenaltyConfig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = DataConfig::new(Digits {}).load()?;
    let sgd = OptimizerConfig::new(GradientDescentConfig {}, 0.1);
    let methods = [
        ("SGD", sgd.clone()),
        ("SAM", sgd.clone().with_sam(SamConfig::new(0.1))),
        ("penalty", sgd.with_sharpness_penalty(SharpnessPenaltyConfig::new(0.01))),
    ];
    let mut sharpness = Vec::new();
    for (name, optimizer) in methods {
        let network = MlpConfig::new([64, 64]).init(64, 10, 0, &Device::flex().autodiff(), DType::F32)?;
        let training =
            TrainingConfig { target_loss: Some(0.05), ..TrainingConfig::steps(20_000, BatchSize::Samples(32)) };
        let mut trainer = Trainer::new(network, &data, Loss::cross_entropy(), &optimizer, &training, 0)?;
        trainer.run();
        let objective = Objective::on(trainer.network().clone(), &data.train, Loss::cross_entropy())?;
        let point = objective.here()?;
        let solver = Eigensolver::top(1).with_tolerance(1e-2);
        let largest = solver.solve(&point.hessian(), None, &mut stream(0, Purpose::Probes, 0))?.top[0].value;
        println!("{name:8} loss {:.4}, λ_max(H) {largest:.3}", point.loss());
        sharpness.push(largest);
    }
    let flatter = sharpness[1..].iter().all(|after| *after < 0.7 * sharpness[0]);
    if flatter { Ok(()) } else { Err("the minima are not flatter".into()) }
}
