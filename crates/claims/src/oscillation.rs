//! When a component of the path flips its sign.

use burn::tensor::Tensor;
use losscape_optim::adam::AdamConfig;
use losscape_optim::momentum::MomentumConfig;
use losscape_optim::nesterov::{Form, NesterovConfig};
use losscape_optim::rmsprop::RmsPropConfig;
use losscape_optim::{OptimizerConfig, RuleConfig, SamConfig};

use super::problem::{draws, geometric, gradient_descent, norm, numbers};
use super::{
    Check, Claim, Evidence, Expectation, FalseStatement, Family, Heights, Pair, Plot, Series, Workbench,
    descent::descend,
};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "oscillation",
    family: Family::Optimizers,
    printed: concat!(
        r"steps oscillate, because the gradient points orthogonally to the path of the loss; steps in large ",
        r"oscillatory motions result in a large unnecessary distance being traveled",
    ),
    exact: concat!(
        r"on a quadratic the component along an eigenvector flips its sign at every step exactly when ",
        r"$\epsilon\lambda_i>1$; one alone then travels $\frac{\epsilon\lambda}{2-\epsilon\lambda}$ times its ",
        r"distance from the minimum, without flips just that distance",
    ),
    source: "lecture notes, First Order Methods",
    expected: Expectation::Holds,
    false_statements: &[
        FalseStatement::pairs("components flip while ελ < 1", "sign flips", |pair| Pair {
            left: 20.0 - pair.left,
            ..pair
        }),
        FalseStatement::pairs("the way is as long as the distance", "length of the way over the distance", |pair| {
            Pair { left: 1.0, ..pair }
        }),
        FalseStatement::pairs("swinging costs no way", "way with ελ_max = 1.9", |pair| Pair {
            right: 0.5 * pair.left,
            ..pair
        }),
    ],
    measure,
};

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let mut flips = Vec::new();
    for problem in 0..bench.effort.of(10, 100) {
        // From far below to far above 1/ε, and close to it on both sides.
        let eigenvalues = [geometric(0.05, 19.0, 12), vec![9.9, 10.1]].concat();
        let mut path: Vec<Vec<f64>> = Vec::new();
        let start = bench.normal(eigenvalues.len(), &mut draws(bench.seed_of(problem), 6));
        descend(&gradient_descent(0.1), start, 20, bench.bowl(&eigenvalues), |at| {
            path.push(numbers(&at.w));
            Ok(true)
        })?;
        for (at, lambda) in eigenvalues.iter().enumerate() {
            let flipped = path.windows(2).filter(|pair| pair[0][at] * pair[1][at] < 0.0).count();
            flips.push((flipped as f64, if 0.1 * lambda > 1.0 { 20.0 } else { 0.0 }));
        }
    }
    evidence.figure("components looked at", flips.len() as f64);
    evidence.check(Check::equal("sign flips in 20 steps = 20 where ελ > 1, else none", 0.0, flips));
    way(bench, &mut evidence)?;
    let methods = |[plain, averaged, scaled]: [f64; 3], rho: f64| -> [(&'static str, OptimizerConfig); 6] {
        let config = |rule, rate| OptimizerConfig::new(rule, rate);
        let (momentum, form) = (0.8, Form::Reparameterised);
        [
            ("gradient descent", gradient_descent(plain)),
            ("momentum", config(RuleConfig::Momentum(MomentumConfig { momentum }), averaged)),
            ("Nesterov", config(RuleConfig::Nesterov(NesterovConfig { momentum, form }), averaged)),
            (
                "RMSProp",
                config(RuleConfig::Rmsprop(RmsPropConfig { gamma: 0.9, epsilon: 1e-8, epsilon_inside: false }), scaled),
            ),
            ("Adam", config(RuleConfig::Adam(AdamConfig::default()), scaled)),
            ("SAM", gradient_descent(plain).with_sam(SamConfig::new(rho))),
        ]
    };
    let valley = Valley {
        title: "Paths on an ill-conditioned quadratic",
        reading: "Curvatures 0.5 across and 10 up, 40 steps from the left. Gradient descent near its bound flips up \
                  and down at every step while it creeps along the valley; averaging cancels what flips; RMSProp and \
                  Adam take no notice of the ratio of curvatures.",
        steps: 40,
        start: [-4.0, 1.5],
        columns: [-4.6, 1.6],
        rows: [-2.0, 2.2],
    };
    evidence.plot(valley.plot(bench, &methods([0.17, 0.05, 0.1], 0.05), bench.bowl(&[0.5, 10.0]))?);
    let valley = Valley {
        title: "Paths in Rosenbrock's valley",
        reading: "(1 − x)² + 100 (y − x²)² from (−1.2, 1), 1000 steps: the valley bends, its minimum is at (1, 1).",
        steps: 1000,
        start: [-1.2, 1.0],
        columns: [-1.6, 1.4],
        rows: [-0.4, 1.8],
    };
    bench.formula("Rosenbrock's function");
    let rosenbrock = |w: &Tensor<1>| {
        let w = numbers(w);
        let (x, y) = (w[0], w[1]);
        let slope = [2.0 * (x - 1.0) - 400.0 * x * (y - x * x), 200.0 * (y - x * x)];
        Ok(((1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2), bench.vector(&slope)))
    };
    evidence.plot(valley.plot(bench, &methods([1e-3, 5e-4, 1e-2], 0.02), rosenbrock)?);
    Ok(evidence)
}

/// How far a path leads, against how far it had to go.
fn way(bench: &Workbench, evidence: &mut Evidence) -> Result<(), LabError> {
    let travelled = |rate: f64, eigenvalues: &[f64], start: &[f64]| -> Result<f64, LabError> {
        let (mut length, mut last) = (0.0, bench.vector(start));
        descend(&gradient_descent(rate), last.clone(), 2000, bench.bowl(eigenvalues), |at| {
            length += norm(&(at.w.clone() - last.clone()));
            last = at.w;
            Ok(true)
        })?;
        Ok(length)
    };
    // |1 − (1 − ελ)| Σ |1 − ελ|ᵗ, from a distance of 3.
    let mut alone = Vec::new();
    for product in [0.3, 0.9, 1.0, 1.2, 1.5, 1.9] {
        let expected = if product > 1.0 { product / (2.0 - product) } else { 1.0 };
        alone.push((travelled(product, &[1.0], &[3.0])? / 3.0, expected));
    }
    evidence.check(Check::equal(
        "one component: length of the way over the distance = ελ/(2 − ελ), at least 1",
        1e-9,
        alone,
    ));
    // The same valley, with and without swinging across it.
    let [calm, swinging] = [1.0, 1.9].map(|product| travelled(product, &[1.0, 0.05], &[1.0, 4.0]));
    let (calm, swinging) = (calm?, swinging?);
    evidence.check(Check::at_most(
        "a valley: 2 × the way with ελ_max = 1 ≤ the way with ελ_max = 1.9",
        0.0,
        [(2.0 * calm, swinging)],
    ));
    evidence.figure("way with ελ_max = 1.9 over that with 1, condition 20", swinging / calm);
    Ok(())
}

/// A picture of methods that go down a function of two variables.
struct Valley {
    title: &'static str,
    reading: &'static str,
    steps: usize,
    start: [f64; 2],
    /// Ends of what is seen of x.
    columns: [f64; 2],
    /// Ends of what is seen of y.
    rows: [f64; 2],
}

impl Valley {
    fn plot(
        &self,
        bench: &Workbench,
        methods: &[(&str, OptimizerConfig)],
        function: impl Fn(&Tensor<1>) -> Result<(f64, Tensor<1>), LabError>,
    ) -> Result<Plot, LabError> {
        let between = |[low, high]: [f64; 2]| -> Vec<f64> {
            (0..=120).map(|at| low + (high - low) * f64::from(at) / 120.0).collect()
        };
        let (columns, rows) = (between(self.columns), between(self.rows));
        let value = |x: f64, y: f64| Ok::<f64, LabError>(function(&bench.vector(&[x, y]))?.0);
        let values = rows.iter().map(|&y| columns.iter().map(|&x| value(x, y)).collect()).collect::<Result<_, _>>()?;
        let highest = value(self.start[0], self.start[1])?;
        let mut series = Vec::new();
        for (name, config) in methods {
            let mut path = Vec::new();
            descend(config, bench.vector(&self.start), self.steps, &function, |at| {
                let w = numbers(&at.w);
                path.push((w[0], w[1]));
                Ok(true)
            })?;
            series.push(Series::measured(*name, path));
        }
        Ok(Plot {
            title: self.title.to_owned(),
            reading: self.reading.to_owned(),
            x: "x".to_owned(),
            y: "y".to_owned(),
            series,
            heights: Some(Heights { columns, rows, values, levels: geometric(highest / 500.0, 2.0 * highest, 10) }),
            ..Plot::default()
        })
    }
}
