//! PL* through the tangent kernel, along training.

use burn::tensor::DType;
use losscape_analysis::ntk::KernelSpectrum;
use losscape_analysis::{AnalysisError, Objective};
use losscape_krylov::dense;

use super::false_statement::{swapped, tighter};
use super::problem::{gradient_descent, inner};
use super::{
    Check, Claim, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench, descent::descend,
};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "pl-star",
    family: Family::PolyakLojasiewicz,
    printed: concat!(
        r"$\|\nabla L(w)\|^2\ge\lambda_{\min}(K(w))\,\|F(w)-y\|^2$, where the second factor is simply $L(w)$, and ",
        r"$\mu=\lambda_{\min}(K)$",
    ),
    exact: concat!(
        r"$\|F-y\|^2=\frac2cL$, so $\|\nabla L\|^2\ge2\lambda_{\min}(K_c)\,L$ at every $w$, exactly: ",
        r"$\mu=\lambda_{\min}(K_c)$ with the ½ of the standard form; not for cross-entropy: ",
        r"$\|g\|^2\ge\lambda_{\min}(JJ^T)\left\|\frac{\partial L}{\partial F}\right\|^2$, and no multiple of $L$ is ",
        r"below that",
    ),
    source: "lecture notes, Polyak-Łojasiewicz Condition; Liu, Zhu & Belkin 2020, Theorem 1",
    expected: Expectation::HoldsAsCorrected,
    false_statements: &[
        FalseStatement::pairs("μ is λ_min(K_c)/0.9", "training, F − y", tighter),
        FalseStatement::pairs("the smallest eigenvalue is rounding", "no rounding", swapped),
        FalseStatement::pairs(
            "μ is half of it, without the factor two",
            "F − y along the bottom eigenvector: ‖g‖²",
            |pair| Pair { right: 0.5 * pair.right, ..pair },
        ),
    ],
    measure,
};

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let (mut inequality, mut identity, mut ratios, mut constants) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut floor, mut floors) = (0.0, Vec::new());
    let steps = bench.effort.of(500, 5000);
    for network in 0..bench.effort.of(3, 10) {
        let objective = bench.student(&[64], 20, bench.seed_of(network))?;
        descend(
            &gradient_descent(0.3),
            objective.parameters(),
            steps,
            |w| Ok(objective.gradient(w)?),
            |at| {
                if at.step % 25 > 0 {
                    return Ok(true);
                }
                let kernel = KernelSpectrum::of(objective.kernel(&at.w)?, objective.targets())?;
                let squared = inner(&at.gradient, &at.gradient);
                inequality.push((2.0 * kernel.trusted_min() * at.value, squared));
                // ‖F − y‖² is the loss of the notes only in words: it is 2L/c.
                let point = objective.at(&at.w)?;
                let residual = point.outputs() - objective.targets().clone();
                identity.push((residual.square().sum().into_scalar::<f64>() * objective.scale(), at.value));
                floors.push((kernel.floor, kernel.min));
                if network == 0 {
                    ratios.push((at.step as f64, squared / (2.0 * at.value)));
                    constants.push((at.step as f64, kernel.min));
                    floor = kernel.floor;
                }
                Ok(true)
            },
        )?;
    }
    let positive = constants.iter().map(|(_, mu)| *mu).fold(f64::INFINITY, f64::min);
    evidence.check(Check::at_most("the kernel's smallest eigenvalue is no rounding: floor ≤ λ_min", 0.0, floors));
    evidence.check(Check::equal("c ‖F − y‖² = L", 1e-12, identity).printed());
    // With the residual along the kernel's bottom eigenvector it is an equality: nothing smaller than the factor two
    // would do.
    let (mut attained, mut doubled, mut single) = (Vec::new(), Vec::new(), 0.0);
    for network in 0..bench.effort.of(3, 10) {
        let objective = bench.student(&[64], 20, bench.seed_of(network))?;
        let (kernel, outputs) = (objective.kernel(&objective.parameters())?, objective.here()?.outputs());
        let (values, vectors) = dense::eigenpairs(kernel).map_err(AnalysisError::from)?;
        let along = bench.vector(&vectors[0]).reshape([-1, 1]);
        let inputs = objective.inputs().clone();
        let turned = Objective::new(objective.network().clone(), inputs, outputs - along, objective.loss())?;
        let point = turned.here()?;
        let squared = inner(point.gradient(), point.gradient());
        attained.push((squared, 2.0 * values[0] * point.loss()));
        doubled.push((2.0 * (2.0 * values[0]) * point.loss(), squared));
        let kernel = turned.precision(DType::F32);
        single = KernelSpectrum::of(kernel.kernel(&kernel.parameters())?, kernel.targets())?.floor;
    }
    inequality.extend(attained.iter().map(|(squared, bound)| (*bound, *squared)));
    let name = "training, F − y along the bottom eigenvector too: 2 λ_min(K_c) L ≤ ‖g‖²";
    evidence.check(Check::at_most(name, 1e-8, inequality));
    evidence.check(Check::equal("F − y along the bottom eigenvector: ‖g‖² = 2 λ_min(K_c) L", 1e-8, attained));
    evidence.check(Check::at_most("there, with μ = 2 λ_min: 2 μ L ≤ ‖g‖²", 0.0, doubled).printed());
    let tightest = ratios.iter().zip(&constants).map(|(ratio, mu)| ratio.1 / mu.1).fold(f64::INFINITY, f64::min);
    evidence.figure("smallest ‖g‖²/2L over μ", tightest);
    evidence.figure("smallest μ", positive);
    evidence.figure("floor of rounding", floor);
    evidence.figure("floor of rounding in f32", single);
    evidence.plot(Plot {
        title: "The PL ratio against μ".to_owned(),
        reading: "Along the training of a tanh network of 64 units on 20 samples: the ratio that each point shows, \
                  and the constant that the kernel guarantees."
            .to_owned(),
        x: "step".to_owned(),
        y: "PL constant".to_owned(),
        log_y: true,
        series: vec![Series::measured("‖g‖²/2L", ratios), Series::bound("μ = λ_min(K_c)", constants)],
        ..Plot::default()
    });
    Ok(evidence)
}
