//! How many steps each method needs on an ill-conditioned quadratic.
//!
//! With condition number κ = 100 the loss of gradient descent falls by `((κ − 1)/(κ + 1))²` a step, that of the heavy
//! ball at its best by about `((√κ − 1)/(√κ + 1))²`: ten times fewer steps. Known answer: both within a half of these
//! (the ball at its best has a double root, which costs a few steps), Nesterov between them. Run with `cargo run
//! --release --example optimizers`.

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use losscape::optim::gradient_descent::GradientDescentConfig;
use losscape::optim::momentum::MomentumConfig;
use losscape::optim::nesterov::{Form, NesterovConfig};
use losscape::optim::{OptimizerConfig, RuleConfig};

/// `½ (x² + y²/κ)`.
#[derive(Module, Debug)]
struct Bowl {
    w: Param<Tensor<1>>,
}

const KAPPA: f64 = 100.0;

impl Bowl {
    fn loss(&self) -> Tensor<1> {
        let curvatures = Tensor::<1>::from_data([1.0, 1.0 / KAPPA], &self.w.device());
        (self.w.val().square() * curvatures).sum() * 0.5
    }
}

/// Steps until the loss is 1e-12 of its start.
fn steps(rule: RuleConfig, rate: f64) -> Result<usize, Box<dyn std::error::Error>> {
    let mut method = OptimizerConfig::new(rule, rate).init()?;
    let mut bowl = Bowl { w: Param::from_data([1.0, 1.0], &Device::flex().autodiff()) };
    let mut start = None;
    for step in 0..10_000 {
        let (next, loss) = method.step(rate, bowl, |bowl: &Bowl| {
            let loss = bowl.loss();
            let gradients = GradientsParams::from_grads(loss.backward(), bowl);
            (loss.into_scalar(), gradients)
        });
        if loss <= 1e-12 * *start.get_or_insert(loss) {
            return Ok(step);
        }
        bowl = next;
    }
    Err("it does not converge".into())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = KAPPA.sqrt();
    let momentum = ((root - 1.0) / (root + 1.0)).powi(2);
    let descent = steps(RuleConfig::Gd(GradientDescentConfig {}), 2.0 / (1.0 + 1.0 / KAPPA))?;
    let heavy_ball = steps(RuleConfig::Momentum(MomentumConfig { momentum }), (2.0 / (1.0 + 1.0 / root)).powi(2))?;
    let nesterov = NesterovConfig { momentum: (root - 1.0) / (root + 1.0), form: Form::Reparameterised };
    let nesterov = steps(RuleConfig::Nesterov(nesterov), 1.0)?;
    // 1e-12 = rate^(2 steps).
    let expected = |rate: f64| 6.0 * std::f64::consts::LN_10 / -rate.ln();
    let (slow, fast) = (expected((KAPPA - 1.0) / (KAPPA + 1.0)), expected((root - 1.0) / (root + 1.0)));
    println!(
        "gradient descent {descent} steps (theory {slow:.0}), heavy ball {heavy_ball} ({fast:.0}), Nesterov {nesterov}"
    );
    let near = |steps: usize, theory: f64| (steps as f64 / theory - 1.0).abs() < 0.5;
    let known = near(descent, slow) && near(heavy_ball, fast) && heavy_ball < nesterov && nesterov < descent;
    if known { Ok(()) } else { Err("the rates are not what the theory says".into()) }
}
