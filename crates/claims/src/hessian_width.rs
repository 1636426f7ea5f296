//! The second derivative of a wide network's output vanishes, unless the output is bent.

use burn::module::Module;
use burn::tensor::Tensor;
use losscape_analysis::Objective;
use losscape_krylov::Eigensolver;
use losscape_model::{Loss, Mlp, MlpConfig, Network, Parameterization, Reduction};

use super::false_statement::{around, scaled};
use super::problem::{draws, log_slope};
use super::{Claim, Effect, Evidence, Expectation, FalseStatement, Family, Plot, Series, Workbench};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "hessian-width",
    family: Family::Width,
    printed: r"not in the notes",
    exact: concat!(
        r"$\|\nabla^2F\|=O\left(\sqrt{\frac{\log m}{m}}\right)$ with a linear output layer and Gaussian weights, not ",
        r"with a nonlinear one",
    ),
    source: "Liu, Zhu & Belkin 2020 (linearity), Theorem 3.2 and Section 4",
    expected: Expectation::Supported,
    false_statements: &[
        FalseStatement::samples("‖∇²F‖ falls like m^(−1/4)", "linear output", |samples| scaled(samples, 0.5)),
        FalseStatement::samples("‖∇²F‖ falls like 1/m", "linear output", |samples| scaled(samples, 2.0)),
        FalseStatement::samples("with a bent output it falls like 1/√m too", "bent output", |samples| {
            around(samples, -0.5)
        }),
        FalseStatement::samples("with a bent output it falls like m^(−1/4)", "bent output", |samples| {
            around(samples, -0.25)
        }),
    ],
    measure,
};

/// A network with its output bent.
#[derive(Module, Debug)]
struct Bent {
    inside: Mlp,
}

impl Network for Bent {
    type Input = Tensor<2>;

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        self.inside.forward(input).tanh()
    }
}

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let widths = bench.effort.of(vec![64, 256, 1024, 4096], vec![64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384]);
    let (mut linear, mut bent) = (Vec::new(), Vec::new());
    let (mut falling, mut staying) = (Vec::new(), Vec::new());
    for seed in 0..bench.effort.of(10, 20) {
        let (mut of_linear, mut of_bent) = (Vec::new(), Vec::new());
        for &width in &widths {
            let config = MlpConfig::new([width]).with_parameterization(Parameterization::Ntk);
            let network = bench.network(&config, 4, 1, bench.seed_of(seed))?;
            of_linear.push((width as f64, curvature(bench, &network, seed)?));
            of_bent.push((width as f64, curvature(bench, &Bent { inside: network }, seed)?));
        }
        // The largest of m Gaussian output weights grows like √(2 log m).
        let corrected = |points: &[(f64, f64)]| {
            log_slope(&points.iter().map(|(m, norm)| (*m, norm / m.ln().sqrt())).collect::<Vec<_>>())
        };
        linear.push(-corrected(&of_linear));
        bent.push(log_slope(&of_bent));
        falling.push(of_linear);
        staying.push(of_bent);
    }
    evidence.figure("mean slope of ‖∇²F‖/√log m, linear output", -linear.iter().sum::<f64>() / linear.len() as f64);
    evidence.figure("mean slope, bent output", bent.iter().sum::<f64>() / bent.len() as f64);
    let half = bench.effort.of([0.4, 0.6], [0.45, 0.55]);
    evidence.effect(Effect::within("linear output: −slope of ‖∇²F‖/√log m, ½", half, linear));
    evidence.effect(Effect::within("bent output: slope of ‖∇²F‖, 0", [-0.1, 0.1], bent));
    evidence.plot(Plot {
        title: "‖∇²F‖ against the width".to_owned(),
        reading: "With a linear output layer the function becomes linear in its parameters; a tanh behind the output \
                  keeps its curvature."
            .to_owned(),
        x: "width m".to_owned(),
        y: "‖∇²F‖".to_owned(),
        log_x: true,
        log_y: true,
        series: vec![
            Series::measured("linear output", falling.swap_remove(0)),
            Series::measured("tanh output", staying.swap_remove(0)),
        ],
        ..Plot::default()
    });
    Ok(evidence)
}

/// The largest `‖∇²F‖` of one output over some inputs, as the residual part of a loss with residual one. A single input
/// could be one at which a bent output happens to be straight.
fn curvature<N: Network<Input = Tensor<2>>>(bench: &Workbench, network: &N, seed: u64) -> Result<f64, LabError> {
    let loss = Loss::squared_error().with_reduction(Reduction::Sum);
    bench.note("one input ~ N(0, I) at a time, residual 1, f64", []);
    let random = &mut draws(bench.seed_of(seed), 16);
    let mut largest = 0f64;
    for _ in 0..3 {
        let x = bench.normal(4, random).reshape([1, 4]);
        let zero = bench.vector(&[0.0]).reshape([1, 1]);
        let output = Objective::new(network.clone(), x.clone(), zero, loss)?.here()?.outputs();
        let objective = Objective::new(network.clone(), x, output - 1.0, loss)?;
        let solver = Eigensolver { max_products: 500, ..Eigensolver::both(1, 1) }.with_tolerance(1e-3);
        let found = solver.solve(&objective.here()?.residual(), None, &mut draws(bench.seed, 17));
        let found = found.map_err(losscape_analysis::AnalysisError::from)?;
        largest = largest.max(found.top[0].value.abs()).max(found.bottom[0].value.abs());
    }
    Ok(largest)
}
