//! The wider a network, the less its tangent kernel moves while it learns.
//!
//! In NTK parameterization the relative change of the kernel shrinks about like `1/√m` to `1/m` with the width m (Jacot
//! et al. 2018; Chizat et al. 2019). Known answer: sixteen times the width, less than a third of the change. Run with
//! `cargo run --release --example width`.

use burn::tensor::{DType, Device};
use losscape::analysis::Objective;
use losscape::analysis::ntk::change;
use losscape::model::data::generate::TeacherStudent;
use losscape::model::{Loss, MlpConfig, Parameterization};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex();
    let data = TeacherStudent { samples: 20, inputs: 4, outputs: 1, teacher_width: 32, noise: 0.0 }.generate(0)?;
    let mut changes = Vec::new();
    for width in [64, 1024] {
        // The mean over four networks, as one is a matter of chance.
        let mut sum = 0.0;
        for seed in 0..4 {
            let config = MlpConfig::new([width]).with_parameterization(Parameterization::Ntk);
            let network = config.init(4, 1, seed, &device, DType::F64)?;
            let objective = Objective::on(network, &data, Loss::squared_error())?;
            let start = objective.parameters();
            let mut w = start.clone();
            for _ in 0..300 {
                w = w.clone() - objective.gradient(&w)?.1 * 0.5;
            }
            sum += change(&objective.kernel(&w)?, &objective.kernel(&start)?) / 4.0;
        }
        println!("width {width}: ‖K − K₀‖/‖K₀‖ = {sum:.4} after 300 steps");
        changes.push(sum);
    }
    if changes[1] < changes[0] / 3.0 { Ok(()) } else { Err("the kernel of the wide network moves too much".into()) }
}
