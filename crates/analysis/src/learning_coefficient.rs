//! The local learning coefficient λ of a minimum w*: how the volume of parameters near it, with a loss at most δ
//! higher, shrinks with δ: like `δ^λ` (Watanabe 2009; Lau et al. 2025). It is P/2 where the Hessian is invertible, and
//! less where the minimum is degenerate.
//!
//! Estimated as there: with a distribution of parameters `∝ exp(−t (L(w) − L(w*)) − ½γ‖w − w*‖²)`,
//! `λ̂ = t E[L(w) − L(w*)]`, at the inverse temperature `t = nβ = n/ln n`. L has to be the mean negative log-likelihood
//! of a sample: cross-entropy, or squared error `½‖r‖²` for noise of variance one.
//!
//! Departures. Chains are Metropolis-adjusted (MALA; Roberts & Tweedie 1996) and take gradients of all samples, in
//! place of stochastic gradient Langevin dynamics: they draw from the distribution itself at any step size, while the
//! other method's bias is not known from its chains. Step sizes are drawn anew for each proposal, over two decades
//! below a largest one, since the valleys of a degenerate minimum are wide near it and narrow far away; the largest is
//! found in the burn-in, for an acceptance of 0.574 (Roberts & Rosenthal 1998). And a second temperature, `t/10`, says
//! how far off the limit is: where more than one direction is degenerate at once, `λ̂ = λ − b/ln t` to leading order,
//! so that b follows from the two. `2|b|/ln t` is a part of the error, twice since what follows is of a similar size,
//! and at least as much as the two are apart.

use burn::tensor::Tensor;
use losscape_krylov::{Space, inner, norm};
use losscape_model::Network;
use rand::RngExt;
use rand::rngs::ChaCha12Rng;
use serde::{Deserialize, Serialize};

use crate::chains::{effective, mean, rhat, variance};
use crate::error::AnalysisError;
use crate::objective::Objective;

/// How chains are run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChainSettings {
    /// The inverse temperature t, at least 10 e, below which a tenth of it says nothing. Default: `n/ln n` (Watanabe
    /// 2013; Lau et al. 2025).
    pub inverse_temperature: Option<f64>,
    /// The localization γ, positive. Default: 1, the precision of weights of the order one.
    pub localization: f64,
    /// Chains, at least 2; the error is made of their means. Default: 8.
    pub chains: usize,
    /// Draws of a chain that are left out, while its step is found. Default: 500.
    pub burn_in: usize,
    /// Draws of a chain that are kept, at least 4. Default: 1500.
    pub draws: usize,
}

impl Default for ChainSettings {
    fn default() -> Self {
        Self { inverse_temperature: None, localization: 1.0, chains: 8, burn_in: 500, draws: 1500 }
    }
}

impl ChainSettings {
    /// Whether chains can be run so; at which temperature, the samples decide.
    ///
    /// # Errors
    ///
    /// [`AnalysisError::Setting`] where they cannot.
    pub fn check(&self) -> Result<(), AnalysisError> {
        let Self { localization, chains, draws, .. } = *self;
        let possible = localization > 0.0 && localization.is_finite();
        let rows = [
            ("localization", localization, possible, "it must be positive and finite"),
            ("chains", chains as f64, chains >= 2, "it must be at least 2"),
            ("draws", draws as f64, draws >= 4, "it must be at least 4"),
        ];
        let wrong = rows.into_iter().find(|(.., possible, _)| !possible);
        wrong.map_or(Ok(()), |(name, value, _, must)| Err(AnalysisError::Setting { name, value, must }))
    }

    /// Gradients that are calculated, of all samples each.
    #[must_use]
    pub fn gradients(&self) -> usize {
        2 * self.chains * (1 + self.burn_in + self.draws)
    }
}

/// The least inverse temperature: at a tenth of it the logarithm is 1.
const LEAST: f64 = 27.2;

/// Halves of chains are alike below this (Vehtari et al. 2021 ask for 1.01, Gelman et al. 2013 for 1.1).
const MIXED: f64 = 1.05;

/// Draws that chains must be worth together (Vehtari et al. 2021).
const WORTH: f64 = 400.0;

/// What came of the chains at one temperature.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Chains {
    /// t.
    pub inverse_temperature: f64,
    /// `t E[L − L(w*)]`.
    pub mean: f64,
    /// Its standard error, from the means of the chains, which are independent; or by the effective sample size, where
    /// that is larger.
    pub sem: f64,
    /// Draws that theirs are worth.
    pub effective: f64,
    /// Split R̂ of `L`; absent where nothing moved.
    pub rhat: Option<f64>,
    /// The share of proposals accepted after the burn-in.
    pub acceptance: f64,
    /// The lowest `t (L − L(w*))` met.
    pub lowest: f64,
}

/// The local learning coefficient; see the [module](self).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LearningCoefficient {
    /// λ̂ at the larger inverse temperature; absent where chains do not mix, or the point is no minimum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Three standard errors, and the larger of `2|b|/ln t` and the difference between the two temperatures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<f64>,
    /// γ.
    pub localization: f64,
    /// At t, and at `t/10`; none where there are too few samples.
    pub chains: Vec<Chains>,
    /// Why there is no value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl LearningCoefficient {
    /// The coefficient at `w`; each chain has random numbers of its own, asked for by its number. `each` is called with
    /// the number of gradients done.
    ///
    /// # Errors
    ///
    /// When a setting is out of its range, samples see each other in evaluation mode, or `w` has not P entries.
    pub fn at<N: Network>(
        objective: &Objective<N>,
        w: &Tensor<1>,
        settings: &ChainSettings,
        mut random: impl FnMut(usize) -> ChaCha12Rng,
        mut each: impl FnMut(usize),
    ) -> Result<Self, AnalysisError> {
        settings.check()?;
        let ChainSettings { localization, chains, .. } = *settings;
        let samples = objective.samples() as f64;
        let t = settings.inverse_temperature.unwrap_or(samples / samples.ln());
        if !(t >= LEAST && t.is_finite()) {
            let why = format!(
                "the inverse temperature is {t:.1}, and has to be {LEAST:.1} at least; n/ln n is so from 132 samples on"
            );
            return Ok(Self { value: None, error: None, localization, chains: Vec::new(), refused: Some(why) });
        }
        let mut done = 0;
        let mut found = Vec::new();
        for (number, inverse_temperature) in [t, 0.1 * t].into_iter().enumerate() {
            let posterior = Posterior { objective, centre: w, inverse_temperature, localization };
            let mut runs = Vec::new();
            for chain in 0..chains {
                let run = posterior.run(settings, &mut random(number * chains + chain), || {
                    done += 1;
                    each(done);
                })?;
                runs.push(run);
            }
            found.push(summarized(inverse_temperature, &runs));
        }
        let refused = found.iter().find_map(Chains::problem);
        let (cold, warm) = (found[0], found[1]);
        let b = (cold.mean - warm.mean) / (1.0 / warm.inverse_temperature.ln() - 1.0 / t.ln());
        let error = 3.0 * cold.sem + (2.0 * b.abs() / t.ln()).max((cold.mean - warm.mean).abs());
        let of = |value: f64| Some(value).filter(|_| refused.is_none());
        Ok(Self { value: of(cold.mean), error: of(error), localization, chains: found, refused })
    }
}

impl Chains {
    /// Why there is no coefficient.
    fn problem(&self) -> Option<String> {
        let Self { mean, effective, rhat, lowest, .. } = *self;
        match rhat {
            None => return Some("the chains do not move".to_owned()),
            Some(rhat) if rhat > MIXED => {
                return Some(format!("the chains do not mix: R̂ = {rhat:.3}, {MIXED} is the limit; take more draws"));
            }
            Some(_) if effective < WORTH => {
                return Some(format!("the draws are worth {effective:.0} independent ones, {WORTH} are asked for"));
            }
            Some(_) => {}
        }
        let below = lowest < -0.1 * mean.abs();
        below.then(|| format!("the point is no minimum: chains find losses that are lower by {:.2e} / t", -lowest))
    }
}

fn summarized(inverse_temperature: f64, runs: &[(Vec<f64>, f64)]) -> Chains {
    let chains: Vec<Vec<f64>> = runs.iter().map(|(rises, _)| rises.clone()).collect();
    let all = chains.concat();
    let effective = effective(&chains);
    let means: Vec<f64> = chains.iter().map(|chain| mean(chain)).collect();
    let [between, within] = [variance(&means) / means.len() as f64, variance(&all) / effective];
    Chains {
        inverse_temperature,
        mean: mean(&all),
        sem: between.max(within).sqrt(),
        effective,
        rhat: Some(rhat(&chains)).filter(|rhat| rhat.is_finite()),
        acceptance: mean(&runs.iter().map(|(_, acceptance)| *acceptance).collect::<Vec<_>>()),
        lowest: all.iter().copied().fold(f64::INFINITY, f64::min),
    }
}

/// `∝ exp(−t (L(w) − L(w*)) − ½γ‖w − w*‖²)`.
struct Posterior<'a, N: Network> {
    objective: &'a Objective<N>,
    centre: &'a Tensor<1>,
    inverse_temperature: f64,
    localization: f64,
}

/// A point of a chain: its negative logarithm of the density, the gradient of that, and its loss.
struct State {
    w: Tensor<1>,
    height: f64,
    slope: Tensor<1>,
    loss: f64,
}

impl<N: Network> Posterior<'_, N> {
    fn state(&self, w: Tensor<1>) -> Result<State, AnalysisError> {
        let (loss, gradient) = self.objective.gradient(&w)?;
        let away = w.clone() - self.centre.clone();
        let height = self.inverse_temperature * loss + 0.5 * self.localization * inner(&away, &away);
        let slope = gradient * self.inverse_temperature + away * self.localization;
        Ok(State { w, height, slope, loss })
    }

    /// `t (L − L(w*))` at the draws kept, and the share of proposals accepted among them.
    fn run(
        &self,
        settings: &ChainSettings,
        random: &mut ChaCha12Rng,
        mut each: impl FnMut(),
    ) -> Result<(Vec<f64>, f64), AnalysisError> {
        let mut at = self.state(self.centre.clone())?;
        each();
        let (first, space) = (at.loss, Space::of(self.centre));
        let mut largest: f64 = 1.0 / (self.inverse_temperature + self.localization);
        let (mut kept, mut accepted, mut sum) = (Vec::with_capacity(settings.draws), 0, 0.0);
        for draw in 0..settings.burn_in + settings.draws {
            if draw == settings.burn_in && draw > 1 {
                // The mean of the later half, which varies less than the last.
                largest = (sum / (settings.burn_in - settings.burn_in / 2) as f64).exp();
            }
            let step = largest * 10f64.powf(-2.0 * random.random::<f64>());
            let drift = at.w.clone() - at.slope.clone() * step;
            let there = self.state(drift.clone() + space.normal(random) * (2.0 * step).sqrt())?;
            each();
            let back = there.w.clone() - there.slope.clone() * step;
            let way = |from: &Tensor<1>, to: &Tensor<1>| norm(&(to.clone() - from.clone())).powi(2) / (4.0 * step);
            let log = at.height - there.height + way(&drift, &there.w) - way(&back, &at.w);
            let probability = if log.is_nan() { 0.0 } else { log.min(0.0).exp() };
            let taken = random.random::<f64>() < probability;
            if taken {
                at = there;
            }
            if draw < settings.burn_in {
                // Robbins and Monro's steps towards the acceptance that is best in many dimensions.
                largest *= ((probability - 0.574) / ((draw + 1) as f64).powf(0.6)).exp();
                sum += if draw >= settings.burn_in / 2 { largest.ln() } else { 0.0 };
            } else {
                accepted += usize::from(taken);
                kept.push(self.inverse_temperature * (at.loss - first));
            }
        }
        Ok((kept, accepted as f64 / settings.draws as f64))
    }
}
