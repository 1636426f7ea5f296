//! The tangent kernel says how a small step changes the outputs.

use burn::tensor::Tensor;

use super::problem::{geometric, log_slope, norm};
use super::{Check, Claim, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "tangent-kernel",
    family: Family::PolyakLojasiewicz,
    printed: r"$K(w)=DF(w)\,DF^T(w)$ captures how the output of the network changes with small changes of the weights",
    exact: r"$F(w-\epsilon g)-F(w)=-\epsilon K_c\,r+O(\epsilon^2)$ with the residual $r=F(w)-y$",
    source: "lecture notes, Polyak-Łojasiewicz Condition; Jacot, Gabriel & Hongler 2018",
    expected: Expectation::Holds,
    false_statements: &[FalseStatement::pairs(
        "what the kernel leaves out is of first order",
        "log-log slope",
        |pair| Pair { left: 1.0, ..pair },
    )],
    measure,
};

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let (mut slopes, mut plotted) = (Vec::new(), Vec::new());
    for network in 0..bench.effort.of(3, 20) {
        let objective = bench.student(&[12, 12], 15, bench.seed_of(network))?;
        let point = objective.here()?;
        let outputs: Tensor<1> = point.outputs().reshape([-1]);
        let residual = outputs.clone() - objective.targets().clone().reshape([-1]);
        let kernel = objective.kernel(point.parameters())?;
        let change: Tensor<1> = kernel.matmul(residual.unsqueeze_dim::<2>(1)).squeeze_dim(1);
        let mut errors = Vec::new();
        for rate in geometric(1e-4, 1e-1, 10) {
            let moved = objective.at(&(point.parameters().clone() - point.gradient().clone() * rate))?;
            let moved: Tensor<1> = moved.outputs().reshape([-1]);
            errors.push((rate, norm(&(moved - outputs.clone() + change.clone() * rate))));
        }
        // Where the cube is still small.
        slopes.push((log_slope(&errors[..6]), 2.0));
        plotted = errors;
    }
    let figure = slopes.iter().map(|pair| pair.0).sum::<f64>() / slopes.len() as f64;
    evidence.check(Check::equal("log-log slope of ‖ΔF + εK_c r‖ against ε = 2", 0.01, slopes));
    evidence.figure("mean slope", figure);
    let last = plotted[plotted.len() - 1];
    let square: Vec<(f64, f64)> = plotted.iter().map(|(rate, _)| (*rate, last.1 * (rate / last.0).powi(2))).collect();
    evidence.plot(Plot {
        title: "What the kernel leaves out".to_owned(),
        reading: "The change of the outputs that the kernel does not foretell goes with the square of the step."
            .to_owned(),
        x: "step ε".to_owned(),
        y: "‖ΔF + εK_c r‖".to_owned(),
        log_x: true,
        log_y: true,
        series: vec![Series::measured("measured", plotted), Series::bound("ε²", square)],
        ..Plot::default()
    });
    Ok(evidence)
}
