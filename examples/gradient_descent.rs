//! Gradient descent on a quadratic, at the step size where it stops converging.
//!
//! `½‖Φw − y‖²` with λ_max(ΦᵀΦ) = β converges for ε < 2/β, oscillates for ever at ε = 2/β, and diverges beyond. Known
//! answer: with ε = 0.99·2/β the loss falls below 1e-6 of its start, with 1.01·2/β it grows. Run with `cargo run
//! --release --example gradient_descent`.

use burn::tensor::{DType, Device};
use losscape::lab::config::{BatchSize, TrainingConfig};
use losscape::lab::{Outcome, Trainer};
use losscape::model::data::DataConfig;
use losscape::model::data::generate::LeastSquares;
use losscape::model::{LinearModelConfig, Loss, Reduction};
use losscape::optim::OptimizerConfig;
use losscape::optim::gradient_descent::GradientDescentConfig;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex().autodiff();
    let beta = 4.0;
    let problem = LeastSquares { samples: 20, inputs: 5, eigenvalues: vec![beta, 2.0, 1.0, 0.5, 0.25], noise: 0.0 };
    let data = DataConfig::new(problem).load()?;
    let loss = Loss::squared_error().with_reduction(Reduction::Sum);

    let mut ratios = Vec::new();
    for factor in [0.99, 1.01] {
        let model = LinearModelConfig::default().init(5, 1, 0, &device, DType::F64)?;
        let optimizer = OptimizerConfig::new(GradientDescentConfig {}, factor * 2.0 / beta);
        let training = TrainingConfig::steps(2000, BatchSize::Full);
        let mut trainer = Trainer::new(model, &data, loss, &optimizer, &training, 0)?;
        let start = trainer.evaluate().train.loss;
        let outcome = trainer.run();
        let ratio = trainer.evaluate().train.loss / start;
        println!("ε = {factor} · 2/β: loss end/start {ratio:.2e} ({outcome:?})");
        assert!(matches!(outcome, Outcome::Finished(_)));
        ratios.push(ratio);
    }
    if ratios[0] < 1e-6 && ratios[1] > 1e3 { Ok(()) } else { Err("2/β is not the border".into()) }
}
