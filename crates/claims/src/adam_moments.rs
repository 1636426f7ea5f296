//! Adam's moments, their correction, and the two places of ϵ.

use losscape_optim::adam::AdamConfig;
use losscape_optim::{OptimizerConfig, RuleConfig};

use super::false_statement::doubled;
use super::problem::{draws, numbers};
use super::{Check, Claim, Evidence, Expectation, FalseStatement, Family, Pair, Workbench, descent::descend};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "adam-moments",
    family: Family::Optimizers,
    printed: concat!(
        r"$m_k=\delta m_{k-1}+(1-\delta)\partial_wD$, $v_k=\delta v_{k-1}+(1-\gamma)\partial^2_wD$, $\hat ",
        r"m=\frac{m_k}{1-\delta^k}$, $\hat v=\frac{v_k}{1-\gamma^k}$, $w_{k+1}=w_k-\frac{\eta}{\sqrt{\hat ",
        r"v_k+\epsilon}}\hat m_k$",
    ),
    exact: concat!(
        r"$v_k=\gamma v_{k-1}+(1-\gamma)(\partial_wD)^2$, with one factor in both places; then a constant gradient ",
        r"gives $\hat m_k=g$ and $\hat v_k=g^2$ at every step. $\epsilon$ stands inside the root in the notes, ",
        r"outside in Kingma & Ba 2015",
    ),
    source: "lecture notes, ADAM; Kingma & Ba 2015, Algorithm 1",
    expected: Expectation::HoldsAsCorrected,
    false_statements: &[
        FalseStatement::pairs(
            "moments are not corrected, and the first step is (1 − δ)/√(1 − γ) = 3.16 times as long",
            "step = that of m̂ = g",
            |pair| Pair { left: 3.16 * pair.left, ..pair },
        ),
        FalseStatement::pairs("a step is twice that of the moments", "step = by hand", doubled),
    ],
    measure,
};

const DELTA: f64 = 0.9;
const GAMMA: f64 = 0.999;

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    const RATE: f64 = 0.01;
    const EPSILON: f64 = 1e-3;
    let mut evidence = Evidence::default();
    bench.formula("a constant gradient of 0.3, and gradients N(0, 1)");
    let steps = bench.effort.of(100, 1000);
    for inside in [true, false] {
        let config = AdamConfig { beta_1: DELTA, beta_2: GAMMA, epsilon: EPSILON, epsilon_inside: inside };
        let config = OptimizerConfig::new(RuleConfig::Adam(config), RATE);
        let place = if inside { "inside" } else { "outside" };
        let step = |m: f64, v: f64| RATE * m / if inside { (v + EPSILON).sqrt() } else { v.sqrt() + EPSILON };
        // A constant gradient: each step is that of m̂ = g, v̂ = g².
        let g = 0.3;
        let taken = path(bench, &config, steps, |_| g)?;
        let constant = taken.iter().map(|&taken| (taken, step(g, g * g)));
        evidence.check(Check::equal(
            format!("constant gradient, ϵ {place}: step = that of m̂ = g and v̂ = g²"),
            1e-9,
            constant,
        ));
        // Gradients at random, against moments kept by hand.
        let gradients = numbers(&bench.normal(steps, &mut draws(bench.seed, 11)));
        let taken = path(bench, &config, steps, |at| gradients[at])?;
        let expected = by_hand(&gradients, GAMMA, step);
        evidence.check(Check::equal(
            format!("random gradients, ϵ {place}: step = by hand"),
            1e-9,
            taken.iter().copied().zip(expected),
        ));
        if inside {
            let printed = by_hand(&vec![g; steps], DELTA, step);
            let taken = path(bench, &config, steps, |_| g)?;
            evidence.figure("step over that of the printed v after 10 steps, constant gradient", taken[9] / printed[9]);
            let check =
                Check::equal("constant gradient: step = that of the printed v", 1e-9, taken.into_iter().zip(printed));
            evidence.check(check.printed());
        }
    }
    Ok(evidence)
}

/// Steps taken under given gradients.
fn path(
    bench: &Workbench,
    config: &OptimizerConfig,
    steps: usize,
    gradient: impl Fn(usize) -> f64,
) -> Result<Vec<f64>, LabError> {
    let step = std::cell::Cell::new(0usize);
    let mut points = Vec::new();
    descend(
        config,
        bench.vector(&[0.0]),
        steps,
        |_| Ok((0.0, bench.vector(&[gradient(step.get().min(steps - 1))]))),
        |at| {
            // The gradient asked for next is that of the next point.
            step.set(at.step + 1);
            points.push(numbers(&at.w)[0]);
            Ok(true)
        },
    )?;
    Ok(points.windows(2).map(|pair| pair[0] - pair[1]).collect())
}

/// Steps with the second moment's memory `keep`, weighted by 1 − γ and corrected by `1 − γᵏ`.
fn by_hand(gradients: &[f64], keep: f64, step: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let (mut m, mut v) = (0.0, 0.0);
    let steps = gradients.iter().zip(1..).map(|(g, k)| {
        m = DELTA * m + (1.0 - DELTA) * g;
        v = keep * v + (1.0 - GAMMA) * g * g;
        step(m / (1.0 - DELTA.powi(k)), v / (1.0 - GAMMA.powi(k)))
    });
    steps.collect()
}
