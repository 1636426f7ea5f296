//! PL* in a wide network: measured at a point through the tangent kernel, and proved in a whole ball.
//!
//! `‖∇L‖² ≥ 2 λ_min(K_c) L` holds at every point, for squared error. From bounds on σ′ and σ″ a certificate bounds
//! λ_min in a ball, and in a network that is wide enough the ball holds every path of gradient descent: then it
//! converges to zero loss, with a rate known before it starts. Known answer: 64 units are too few for the proof, 65,536
//! are enough. Run with `cargo run --release --example tangent_kernel`.

use burn::tensor::{DType, Device, Tensor};
use losscape::analysis::Objective;
use losscape::analysis::certificate::Certificate;
use losscape::analysis::ntk::KernelSpectrum;
use losscape::model::{Loss, MlpConfig, Parameterization};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex();
    let float64 = (&device, DType::F64);
    let x = Tensor::<2>::from_data([[1.0, 0.5, -1.0, 0.2], [-0.3, 1.2, 0.4, -0.8], [0.6, -1.0, 0.7, 1.1]], float64);
    let y = Tensor::<2>::from_data([[0.3], [-0.2], [0.1]], float64);
    let mut certain = Vec::new();
    for width in [64, 65_536] {
        let config = MlpConfig::new([width]).with_parameterization(Parameterization::Ntk);
        let network = config.init(4, 1, 1, &device, DType::F64)?;
        let objective = Objective::new(network, x.clone(), y.clone(), Loss::squared_error())?;
        let point = objective.here()?;
        let kernel = KernelSpectrum::of(objective.kernel(point.parameters())?, objective.targets())?;
        let ratio = point.gradient_norm().powi(2) / (2.0 * point.loss());
        println!("width {width}: ‖g‖²/(2L) = {ratio:.4} ≥ λ_min(K) = {:.4}", kernel.min);
        if ratio < kernel.trusted_min() {
            return Err("PL* is violated".into());
        }
        let ball = Certificate::of(&objective)?.path();
        match &ball {
            Some(ball) => println!("  proved: PL* with μ = {:.4} up to a distance of {:.2}", ball.mu, ball.radius),
            None => println!("  nothing proved beyond the point"),
        }
        certain.push(ball.is_some());
    }
    if certain == [false, true] { Ok(()) } else { Err("the certificate is not where it was".into()) }
}
