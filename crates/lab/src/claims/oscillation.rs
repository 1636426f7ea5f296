//! When a component of the path flips its sign.

use burn::tensor::Tensor;
use losscape_optim::adam::AdamConfig;
use losscape_optim::momentum::MomentumConfig;
use losscape_optim::nesterov::{Form, NesterovConfig};
use losscape_optim::rmsprop::RmsPropConfig;
use losscape_optim::{OptimizerConfig, RuleConfig, SamConfig};

use super::problem::{draws, geometric, gradient_descent, numbers};
use super::{Check, Claim, ClaimSettings, Evidence, Expectation, Family, Heights, Plot, Series, descent::descend};
use crate::LabError;

pub const CLAIM: Claim = Claim {
    id: "oscillation",
    family: Family::Optimizers,
    printed: r"steps oscillate, because the gradient points orthogonally to the path of the loss",
    exact: r"on a quadratic the component along an eigenvector flips its sign at every step exactly when $\epsilon\lambda_i>1$",
    source: "lecture notes, First Order Methods",
    expected: Expectation::Holds,
    measure,
};

fn measure(settings: &ClaimSettings) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let mut flips = Vec::new();
    for problem in 0..settings.effort.of(10, 100) {
        let eigenvalues = geometric(0.05, 19.0, 12);
        let mut path: Vec<Vec<f64>> = Vec::new();
        let start = settings.normal(12, &mut draws(settings.seed_of(problem), 6));
        descend(&gradient_descent(0.1), start, 20, settings.bowl(&eigenvalues), |at| {
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
        reading: "Curvatures 0.5 across and 10 up, 40 steps from the left. Gradient descent near its bound flips up and down at every step while it creeps along the valley; averaging \
                  cancels what flips; RMSProp and Adam take no notice of the ratio of curvatures.",
        steps: 40,
        start: [-4.0, 1.5],
        columns: [-4.6, 1.6],
        rows: [-2.0, 2.2],
    };
    evidence.plot(valley.plot(settings, &methods([0.17, 0.05, 0.1], 0.05), settings.bowl(&[0.5, 10.0]))?);
    let valley = Valley {
        title: "Paths in Rosenbrock's valley",
        reading: "(1 − x)² + 100 (y − x²)² from (−1.2, 1), 1000 steps: the valley bends, its minimum is at (1, 1).",
        steps: 1000,
        start: [-1.2, 1.0],
        columns: [-1.6, 1.4],
        rows: [-0.4, 1.8],
    };
    let rosenbrock = |w: &Tensor<1>| {
        let w = numbers(w);
        let (x, y) = (w[0], w[1]);
        let slope = [2.0 * (x - 1.0) - 400.0 * x * (y - x * x), 200.0 * (y - x * x)];
        Ok(((1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2), settings.vector(&slope)))
    };
    evidence.plot(valley.plot(settings, &methods([1e-3, 5e-4, 1e-2], 0.02), rosenbrock)?);
    Ok(evidence)
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
        settings: &ClaimSettings,
        methods: &[(&str, OptimizerConfig)],
        function: impl Fn(&Tensor<1>) -> Result<(f64, Tensor<1>), LabError>,
    ) -> Result<Plot, LabError> {
        let between = |[low, high]: [f64; 2]| -> Vec<f64> {
            (0..=120).map(|at| low + (high - low) * f64::from(at) / 120.0).collect()
        };
        let (columns, rows) = (between(self.columns), between(self.rows));
        let value = |x: f64, y: f64| Ok::<f64, LabError>(function(&settings.vector(&[x, y]))?.0);
        let values = rows.iter().map(|&y| columns.iter().map(|&x| value(x, y)).collect()).collect::<Result<_, _>>()?;
        let highest = value(self.start[0], self.start[1])?;
        let mut series = Vec::new();
        for (name, config) in methods {
            let mut path = Vec::new();
            descend(config, settings.vector(&self.start), self.steps, &function, |at| {
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
