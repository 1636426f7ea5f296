//! PL* through the tangent kernel, along training.

use burn::tensor::DType;
use losscape_analysis::ntk::KernelSpectrum;
use losscape_analysis::{AnalysisError, Objective};
use losscape_krylov::dense;
use losscape_model::Network;

use super::false_statement::{swapped, tighter};
use super::networks::Architecture;
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

/// What was seen on a kind of network.
#[derive(Default)]
struct Seen {
    /// `2 λ_min(K_c) L` and `‖g‖²`, along training and where the residual lies along the bottom eigenvector.
    inequality: Vec<(f64, f64)>,
    /// `c ‖F − y‖²` and L.
    identity: Vec<(f64, f64)>,
    /// The kernel's floor of rounding, and its smallest eigenvalue.
    floors: Vec<(f64, f64)>,
    /// `‖g‖²` and `2 λ_min(K_c) L`, with the residual along the bottom eigenvector.
    attained: Vec<(f64, f64)>,
    /// `2 μ L` with twice the constant, and `‖g‖²`, there.
    doubled: Vec<(f64, f64)>,
    /// Of the first network: `‖g‖²/2L` and `λ_min(K_c)` at each step, and the floor in f64 and f32.
    ratios: Vec<(f64, f64)>,
    constants: Vec<(f64, f64)>,
    floor: f64,
    single: f64,
}

impl Seen {
    /// Follows gradient descent on an objective.
    fn train<N>(&mut self, objective: &Objective<N>, rate: f64, steps: usize) -> Result<(), LabError>
    where
        N: Network,
    {
        let first = self.constants.is_empty();
        descend(
            &gradient_descent(rate),
            objective.parameters(),
            steps,
            |w| Ok(objective.gradient(w)?),
            |at| {
                if at.step % 25 > 0 {
                    return Ok(true);
                }
                let kernel = KernelSpectrum::of(objective.kernel(&at.w)?, objective.targets())?;
                let squared = inner(&at.gradient, &at.gradient);
                self.inequality.push((2.0 * kernel.trusted_min() * at.value, squared));
                // ‖F − y‖² is the loss of the notes only in words: it is 2L/c.
                let point = objective.at(&at.w)?;
                let residual = point.outputs() - objective.targets().clone();
                self.identity.push((residual.square().sum().into_scalar::<f64>() * objective.scale(), at.value));
                self.floors.push((kernel.floor, kernel.min));
                if first {
                    self.ratios.push((at.step as f64, squared / (2.0 * at.value)));
                    self.constants.push((at.step as f64, kernel.min));
                    self.floor = kernel.floor;
                }
                Ok(true)
            },
        )
    }

    /// With the residual along the kernel's bottom eigenvector it is an equality: nothing smaller than the factor two
    /// would do.
    fn attain<N>(&mut self, bench: &Workbench, objective: &Objective<N>) -> Result<(), LabError>
    where
        N: Network,
    {
        let (kernel, outputs) = (objective.kernel(&objective.parameters())?, objective.here()?.outputs());
        let (values, vectors) = dense::eigenpairs(kernel).map_err(AnalysisError::from)?;
        let along = bench.vector(&vectors[0]).reshape(outputs.dims());
        let inputs = objective.inputs().clone();
        let turned = Objective::new(objective.network().clone(), inputs, outputs - along, objective.loss())?;
        let point = turned.here()?;
        let squared = inner(point.gradient(), point.gradient());
        self.attained.push((squared, 2.0 * values[0] * point.loss()));
        self.doubled.push((2.0 * (2.0 * values[0]) * point.loss(), squared));
        let kernel = turned.precision(DType::F32);
        self.single = KernelSpectrum::of(kernel.kernel(&kernel.parameters())?, kernel.targets())?.floor;
        Ok(())
    }

    /// What it shows, under names that `name` makes; on which networks, in words.
    fn show(mut self, evidence: &mut Evidence, name: impl Fn(&str) -> String, network: &str) {
        let positive = self.constants.iter().map(|(_, mu)| *mu).fold(f64::INFINITY, f64::min);
        let no_rounding = name("the kernel's smallest eigenvalue is no rounding: floor ≤ λ_min");
        evidence.check(Check::at_most(no_rounding, 0.0, self.floors));
        evidence.check(Check::equal(name("c ‖F − y‖² = L"), 1e-12, self.identity).printed());
        self.inequality.extend(self.attained.iter().map(|(squared, bound)| (*bound, *squared)));
        let training = name("training, F − y along the bottom eigenvector too: 2 λ_min(K_c) L ≤ ‖g‖²");
        evidence.check(Check::at_most(training, 1e-8, self.inequality));
        let bottom = name("F − y along the bottom eigenvector: ‖g‖² = 2 λ_min(K_c) L");
        evidence.check(Check::equal(bottom, 1e-8, self.attained));
        evidence.check(Check::at_most(name("there, with μ = 2 λ_min: 2 μ L ≤ ‖g‖²"), 0.0, self.doubled).printed());
        let over = self.ratios.iter().zip(&self.constants).map(|(ratio, mu)| ratio.1 / mu.1);
        evidence.figure(name("smallest ‖g‖²/2L over μ"), over.fold(f64::INFINITY, f64::min));
        evidence.figure(name("smallest μ"), positive);
        evidence.figure(name("floor of rounding"), self.floor);
        evidence.figure(name("floor of rounding in f32"), self.single);
        evidence.plot(Plot {
            title: name("The PL ratio against μ"),
            reading: format!(
                "Along the training of {network}: the ratio that each point shows, and the constant that the kernel \
                 guarantees."
            ),
            x: "step".to_owned(),
            y: "PL constant".to_owned(),
            log_y: true,
            series: vec![Series::measured("‖g‖²/2L", self.ratios), Series::bound("μ = λ_min(K_c)", self.constants)],
            ..Plot::default()
        });
    }
}

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let mut seen = Seen::default();
    for seed in 0..bench.effort.of(3, 10) {
        let objective = bench.student(&[64], 20, bench.seed_of(seed))?;
        seen.train(&objective, 0.3, bench.effort.of(500, 5000))?;
        seen.attain(bench, &objective)?;
    }
    seen.show(&mut evidence, str::to_owned, "a tanh network of 64 units on 20 samples");
    for network in Architecture::others(bench.effort) {
        let mut seen = Seen::default();
        for seed in 0..3 {
            // The last layer of the residual network starts at zero, and classes without samples stay alike: the
            // kernel is no more than that of the 16 features and the bias then, singular for more than 17 samples.
            let objective = bench.on_digits(&network, 12, 0.0, bench.seed_of(seed))?;
            seen.train(&objective, 0.05, 1000)?;
            seen.attain(bench, &objective)?;
        }
        let words = format!("{} on 12 digits", network.words().to_lowercase());
        seen.show(&mut evidence, |what| network.of(what), &words);
    }
    Ok(evidence)
}
