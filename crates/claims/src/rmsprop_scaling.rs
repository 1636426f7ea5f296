//! RMSProp steps alike in steep and shallow directions.

use losscape_optim::rmsprop::RmsPropConfig;
use losscape_optim::{OptimizerConfig, RuleConfig};

use super::problem::{gradient_descent, numbers};
use super::{
    Check, Claim, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench, descent::descend,
};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "rmsprop-scaling",
    family: Family::Optimizers,
    printed: r"$w_{k+1}=w_k-\frac{1}{\sqrt{E[\partial^2_wD]_k+\epsilon}}\,\partial^2_wD$",
    exact: concat!(
        r"$w_{k+1}=w_k-\frac{\eta}{\sqrt{E[(\partial_wD)^2]_k+\epsilon}}\,\partial_wD$: a learning rate, and the ",
        r"derivative itself",
    ),
    source: "lecture notes, RMS Prop; Tieleman & Hinton 2012",
    expected: Expectation::HoldsAsCorrected,
    false_statements: &[
        FalseStatement::pairs("the step has no learning rate", "step = η g", |pair| Pair {
            left: pair.left / RATE,
            ..pair
        }),
        FalseStatement::pairs("a steep direction has steps ten times as long", "steep step", |pair| Pair {
            left: 10.0 * pair.left,
            ..pair
        }),
        FalseStatement::pairs("steps of gradient descent are alike", "gradient descent", |pair| Pair {
            left: 1.0,
            ..pair
        }),
    ],
    measure,
};

const RATE: f64 = 1e-3;

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    const GAMMA: f64 = 0.9;
    const EPSILON: f64 = 1e-8;
    let rule = RmsPropConfig { gamma: GAMMA, epsilon: EPSILON, epsilon_inside: true };
    let config = OptimizerConfig::new(RuleConfig::Rmsprop(rule), RATE);
    let mut evidence = Evidence::default();
    let (mut exact, mut printed, mut alike, mut ratios) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for steepness in bench.effort.of(vec![10.0, 1000.0], vec![10.0, 100.0, 1e3, 1e4, 1e5]) {
        let eigenvalues = [steepness, 1.0];
        let mut mean = [0.0; 2];
        let mut last: Option<(Vec<f64>, Vec<f64>)> = None;
        descend(&config, bench.vector(&[1.0, 1.0]), 50, bench.bowl(&eigenvalues), |at| {
            let now = numbers(&at.w);
            if let Some((before, gradient)) = last.take() {
                let steps: Vec<f64> = before.iter().zip(&now).map(|(before, now)| before - now).collect();
                for (at, (&step, &g)) in steps.iter().zip(&gradient).enumerate() {
                    mean[at] = GAMMA * mean[at] + (1.0 - GAMMA) * g * g;
                    let root = (mean[at] + EPSILON).sqrt();
                    exact.push((step, RATE * g / root));
                    printed.push((step, g * g / root));
                }
                alike.push((steps[0], steps[1]));
            }
            last = Some((now, numbers(&at.gradient)));
            Ok(true)
        })?;
        let mut first = Vec::new();
        descend(&gradient_descent(RATE / steepness), bench.vector(&[1.0, 1.0]), 1, bench.bowl(&eigenvalues), |at| {
            first.push(numbers(&at.w));
            Ok(true)
        })?;
        let plain = (1.0 - first[1][0]) / (1.0 - first[1][1]);
        let (steep, shallow) = alike[alike.len() - 50];
        ratios.push((steepness, plain, steep / shallow));
    }
    evidence.check(Check::equal("step = η g/√(E[g²] + ϵ)", 1e-9, exact));
    // Both start at 1, where their relative curvature is the same: so are their steps, but for ϵ.
    evidence.check(Check::equal("steep step = shallow step", 1e-6, alike));
    evidence.check(Check::equal(
        "gradient descent: ratio of the steps = ratio of the gradients",
        1e-6,
        ratios.iter().map(|(s, plain, _)| (*plain, *s)),
    ));
    evidence.check(Check::equal("step = g²/√(E[g²] + ϵ)", 1e-9, printed).printed());
    evidence.figure("steep over shallow step of gradient descent", ratios.last().map_or(f64::NAN, |last| last.1));
    evidence.figure("the same of RMSProp", ratios.last().map_or(f64::NAN, |last| last.2));
    evidence.plot(Plot {
        title: "Steps in a steep and a shallow direction".to_owned(),
        reading: "Gradient descent steps in proportion to the gradient; RMSProp steps alike, however steep one of the \
                  directions is."
            .to_owned(),
        x: "ratio of the curvatures".to_owned(),
        y: "steep over shallow step".to_owned(),
        log_x: true,
        log_y: true,
        series: vec![
            Series::measured("gradient descent", ratios.iter().map(|(s, plain, _)| (*s, *plain))),
            Series::measured("RMSProp", ratios.iter().map(|(s, _, ours)| (*s, *ours))),
        ],
        ..Plot::default()
    });
    Ok(evidence)
}
