//! Gradient descent raises the sharpness until it hovers at 2/ε.
//!
//! A small network on 200 digits with half of the labels random, so that there is much to learn. Known answer: λ_max(H)
//! starts below `2/ε` and ends within 15 % of it (Cohen et al. 2021). Run with `cargo run --release --example
//! edge_of_stability`; `examples/edge.toml` does the same without a program.

use burn::tensor::{DType, Device};
use losscape::analysis::Objective;
use losscape::krylov::Eigensolver;
use losscape::model::data::DataConfig;
use losscape::model::data::digits::Digits;
use losscape::model::random::{Purpose, stream};
use losscape::model::{Loss, MlpConfig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex();
    let rate = 0.05;
    let data = DataConfig { random_labels: 0.5, ..DataConfig::new(Digits {}) }.load()?.train;
    let data = data.select(&(0..200).collect::<Vec<_>>());
    let network = MlpConfig::new([32, 32]).init(64, 10, 0, &device, DType::F32)?;
    let objective = Objective::on(network, &data, Loss::squared_error())?;

    let random = &mut stream(0, Purpose::Probes, 0);
    let mut w = objective.parameters();
    let mut ratios = Vec::new();
    for step in 0..=2400 {
        if step % 300 == 0 {
            let point = objective.at(&w)?;
            let sharpness =
                Eigensolver::top(1).with_tolerance(1e-3).solve(&point.hessian(), None, random)?.top[0].value;
            println!("step {step:4}: loss {:.4}, sharpness {sharpness:5.2}, edge {:.2}", point.loss(), 2.0 / rate);
            ratios.push(sharpness * rate / 2.0);
        }
        w = w.clone() - objective.gradient(&w)?.1 * rate;
    }
    let known = ratios[0] < 0.9 && (ratios[ratios.len() - 1] - 1.0).abs() < 0.15;
    if known { Ok(()) } else { Err("the sharpness is not at the edge".into()) }
}
