//! A differential equation in the objective: a network learns `u′ = −u`, `u(0) = 1` on [0, 2], whose solution is `e⁻ˣ`.
//!
//! The residual `r = u_x + u` contains a derivative by the input, so the gradient of `½ mean r²` by the weights needs
//! the mixed second derivative `∂²u/∂w∂x`, which `bend` gives.

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};
use losscape::model::{Mlp, MlpConfig, Network};
use losscape::tangent::parameters::{ravel, unravel};
use losscape::tangent::{Map, Variables};

#[derive(Module, Debug)]
struct Solution {
    network: Mlp,
}

impl Solution {
    /// `1 + x N(x)`, which is 1 at 0 whatever the network.
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x.clone() * self.network.forward(x) + 1.0
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const POINTS: usize = 32;
    let device = Device::flex();
    let mut model = Solution { network: MlpConfig::new([16]).init(1, 1, 0, &device, DType::F32)? };
    let grid: Vec<f32> = (0..POINTS).map(|i| 2.0 * i as f32 / (POINTS - 1) as f32).collect();
    let x = Tensor::<1>::from_data(grid.as_slice(), &device).reshape([POINTS, 1]);

    let map = Map::new(|model: &Solution, x: Tensor<2>| model.forward(x)).by(Variables::All);
    let mut w = ravel(&model).ok_or("the layers are trainable")?;
    let parameters = w.dims()[0];
    // One step along every input, none along the weights: the direction of ∂/∂x, for all points at once.
    let along_x = Tensor::cat(vec![w.zeros_like(), Tensor::ones([POINTS], &device)], 0);
    let mut velocity = w.zeros_like();
    for _ in 0..2000 {
        let at = map.linearize(&model, &x)?;
        let residual = at.push(along_x.clone()) + at.output();
        let by_all = at.pull(residual.clone()) + at.bend(residual, along_x.clone());
        let gradient = by_all.narrow(0, 0, parameters) / POINTS as f64;
        velocity = velocity * 0.9 - gradient * 0.05;
        w = w + velocity.clone();
        model = unravel(model, &w)?;
    }
    let error = (model.forward(x.clone()) - x.neg().exp()).abs().max().into_scalar::<f32>();
    println!("largest distance from e⁻ˣ: {error:.4} (expected below 0.01)");
    if error < 0.01 { Ok(()) } else { Err("the equation was not solved".into()) }
}
