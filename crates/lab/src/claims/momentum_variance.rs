//! How much momentum smooths noise.

use losscape_optim::momentum::MomentumConfig;
use losscape_optim::{OptimizerConfig, RuleConfig};

use super::problem::{draws, numbers};
use super::{Check, Claim, ClaimSettings, Effect, Evidence, Expectation, Family, descent::descend};
use crate::LabError;

pub const CLAIM: Claim = Claim {
    id: "momentum-variance",
    family: Family::Optimizers,
    printed: r"mini-batch gradients have a high variance; momentum smooths it out",
    exact: r"for independent noise, the averaged gradient $(1-b)\sum_k b^k g_{t-k}$ has $\frac{1-b}{1+b}$ of the variance of a single one",
    source: "lecture notes, Momentum",
    expected: Expectation::Supported,
    measure,
};

/// Coordinates with noise of their own: each is a run.
const COORDINATES: usize = 4000;

fn measure(settings: &ClaimSettings) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let mut worst = 0f64;
    for momentum in [0.5, 0.9, 0.98] {
        let config = OptimizerConfig::new(RuleConfig::Momentum(MomentumConfig { momentum }), 1.0);
        let expected = (1.0 - momentum) / (1.0 + momentum);
        let mut ratios = Vec::new();
        for seed in 0..settings.effort.of(8, 30) {
            let random = std::cell::RefCell::new(draws(settings.seed_of(seed), 7));
            // From here on what is left of the start is below a thousandth.
            let steps = (1e-3f64.ln() / momentum.ln()).ceil() as usize + 1;
            let (mut before, mut last) = (Vec::new(), Vec::new());
            descend(
                &config,
                settings.vector(&vec![0.0; COORDINATES]),
                steps,
                |_| Ok((0.0, settings.normal(COORDINATES, &mut random.borrow_mut()))),
                |at| {
                    before = std::mem::replace(&mut last, numbers(&at.w));
                    Ok(true)
                },
            )?;
            let squares: f64 =
                last.iter().zip(&before).map(|(now, before)| ((1.0 - momentum) * (now - before)).powi(2)).sum();
            ratios.push(squares / COORDINATES as f64);
        }
        let off: Vec<f64> = ratios.iter().map(|ratio| ratio / expected - 1.0).collect();
        worst = worst.max((off.iter().sum::<f64>() / off.len() as f64).abs());
        // Within a twentieth of the formula, from both sides; noise of 4,000 coordinates is 2 % a seed.
        evidence.effect(Effect::above(
            format!("b = {momentum}: variance over (1−b)/(1+b) − 1"),
            -0.05,
            off.iter().copied(),
        ));
        evidence.effect(Effect::above(
            format!("b = {momentum}: 1 − variance over (1−b)/(1+b)"),
            -0.05,
            off.iter().map(|off| -off),
        ));
        evidence.check(Check::at_most(
            format!("b = {momentum}: variance ≤ that of one gradient"),
            0.0,
            ratios.into_iter().map(|ratio| (ratio, 1.0)),
        ));
    }
    evidence.figure("largest deviation of the mean variance from (1−b)/(1+b)", worst);
    Ok(evidence)
}
