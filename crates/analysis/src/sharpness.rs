//! How much the loss can rise near a point.
//!
//! | measure | neighbourhood | source |
//! |---|---|---|
//! | worst case | `‖e‖ ≤ ρ` | Foret et al. 2021, eq. 1 |
//! | worst case in a box | `|e_i| ≤ ε (|w_i| + 1)`, as `100 (max L − L)/(1 + L)` | Keskar et al. 2017, Metric 2.1 |
//! | adaptive worst case | `‖e / |w|‖ ≤ ρ` | Kwon et al. 2021, eq. 3 |
//! | average | `e ~ N(0, σ² I)` | Neyshabur et al. 2017 |
//! | adaptive average | `e_i ~ N(0, σ² w_i²)` | Andriushchenko et al. 2023, §3.1 |
//! | λ_max(H), to second order in ρ: a rise of `½ρ²λ_max` | `‖e‖ ≤ ρ` where ∇L = 0 | Cohen et al. 2021 call this the sharpness |
//! | PAC-Bayes σ | the σ at which the average rise is Δ | Jiang et al. 2020, §C.4, where Δ is a loss of accuracy instead |
//!
//! λ_max is an [`Eigensolver`](losscape_krylov::Eigensolver)'s of the [`Hessian`](crate::hessian::Hessian); everything
//! else is here.
//!
//! The adaptive ones do not change when weights are rescaled so that the network's function stays the same. Worst cases
//! are found by projected gradient ascent, which gives a lower bound on the true maximum; averages, and the σ made of
//! them, carry standard errors. Where the loss is not finite nearby, there is no number.

use burn::tensor::Tensor;
use losscape_krylov::{Estimate, norm, sum};
use losscape_model::Network;
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::error::AnalysisError;
use crate::objective::{Objective, Point};

/// A neighbourhood of a point w, as the image `w + s ∘ z` of a ball or box of z.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Neighbourhood {
    /// `‖e‖ ≤ ρ`.
    Ball {
        /// ρ.
        radius: f64,
    },
    /// `‖e / |w|‖ ≤ ρ`; parameters that are zero stay zero.
    AdaptiveBall {
        /// ρ.
        radius: f64,
    },
    /// `|e_i| ≤ ε (|w_i| + 1)`.
    Box {
        /// ε.
        size: f64,
    },
}

/// The largest loss found in a neighbourhood.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WorstCase {
    /// Where it was looked for.
    pub neighbourhood: Neighbourhood,
    /// `max L − L` found: a lower bound on the true one. Absent where the loss is not finite.
    pub rise: Option<f64>,
    /// `100 (max L − L)/(1 + L)`, Keskar's scale; absent with the rise.
    pub keskar: Option<f64>,
    /// What the gradient alone predicts for the same neighbourhood: `ρ‖s ∘ g‖`, or `Σ |s_i g_i| ε` in the box.
    pub first_order: f64,
    /// Gradients that the ascents took.
    pub gradients: usize,
}

impl Neighbourhood {
    /// The scale s of each parameter.
    fn scale(self, w: &Tensor<1>) -> Tensor<1> {
        match self {
            Self::Ball { .. } => w.ones_like(),
            Self::AdaptiveBall { .. } => w.clone().abs(),
            Self::Box { .. } => w.clone().abs() + 1.0,
        }
    }

    fn size(self) -> f64 {
        match self {
            Self::Ball { radius } | Self::AdaptiveBall { radius } => radius,
            Self::Box { size } => size,
        }
    }

    /// The z of the neighbourhood along which a linear function with gradient `d` in z rises most.
    fn farthest(self, d: &Tensor<1>) -> Option<Tensor<1>> {
        let length = norm(d);
        (length > 0.0 && length.is_finite()).then(|| match self {
            Self::Ball { radius } | Self::AdaptiveBall { radius } => d.clone() * (radius / length),
            Self::Box { size } => d.clone().sign() * size,
        })
    }

    fn project(self, z: Tensor<1>) -> Tensor<1> {
        match self {
            Self::Ball { radius } | Self::AdaptiveBall { radius } => {
                let length = norm(&z);
                if length > radius { z * (radius / length) } else { z }
            }
            Self::Box { size } => z.clamp(-size, size),
        }
    }
}

/// The worst case in a neighbourhood: the better of two ascents, from the farthest points along the gradient and along
/// a random direction, which leads away from a minimum too.
///
/// An ascent takes steps of a quarter of the neighbourhood's size along the steepest direction, projected back, halved
/// when the loss falls; `steps` gradients in all.
///
/// # Errors
///
/// When the size of the neighbourhood or `steps` is not positive.
pub fn worst_case<N>(
    point: &Point<'_, N>,
    neighbourhood: Neighbourhood,
    steps: usize,
    random: &mut impl Rng,
) -> Result<WorstCase, AnalysisError>
where
    N: Network,
{
    let size = neighbourhood.size();
    if size.is_nan() || size <= 0.0 {
        return Err(AnalysisError::Setting { name: "size", value: size, must: "positive" });
    }
    at_least_one("steps", steps)?;
    let scale = neighbourhood.scale(point.parameters());
    let slope = point.gradient().clone() * scale.clone();
    let first_order = match neighbourhood {
        Neighbourhood::Box { .. } => size * sum(&slope.clone().abs()),
        _ => size * norm(&slope),
    };
    let (mut best, mut gradients) = (point.loss(), 0);
    for direction in [slope, point.space().normal(random)] {
        let Some(start) = neighbourhood.farthest(&direction) else { continue };
        let (found, used) = ascend(point, neighbourhood, &scale, start, steps)?;
        // NaN is larger than any number here.
        best = if found.is_nan() { found } else { best.max(found) };
        gradients += used;
    }
    let rise = best.is_finite().then(|| best - point.loss());
    let keskar = rise.map(|rise| 100.0 * rise / (1.0 + point.loss()));
    Ok(WorstCase { neighbourhood, rise, keskar, first_order, gradients })
}

/// The largest loss that an ascent from `z` meets, and the gradients it used. It ends where the loss is not finite.
fn ascend<N>(
    point: &Point<'_, N>,
    neighbourhood: Neighbourhood,
    scale: &Tensor<1>,
    mut z: Tensor<1>,
    steps: usize,
) -> Result<(f64, usize), AnalysisError>
where
    N: Network,
{
    let at = |z: &Tensor<1>| point.objective().gradient(&(point.parameters().clone() + scale.clone() * z.clone()));
    let (mut best, mut gradient) = at(&z)?;
    let (mut step, mut used) = (0.25, 1);
    while used < steps && best.is_finite() {
        let Some(ahead) = neighbourhood.farthest(&(gradient.clone() * scale.clone())) else { break };
        let next = neighbourhood.project(z.clone() + ahead * step);
        let (value, slope) = at(&next)?;
        used += 1;
        if value <= best {
            step /= 2.0;
        } else {
            (best, gradient, z) = (value, slope, next);
        }
    }
    Ok((best, used))
}

fn at_least_one(name: &'static str, value: usize) -> Result<(), AnalysisError> {
    if value > 0 { Ok(()) } else { Err(AnalysisError::Setting { name, value: 0.0, must: "at least one" }) }
}

/// The average rise `E L(w + s ∘ σu) − L(w)` over standard normal u; `adaptive` scales each parameter by its size. For
/// small σ the plain one is `½ σ² tr H`. None where a loss is not finite.
///
/// # Errors
///
/// Without samples.
pub fn average<N>(
    point: &Point<'_, N>,
    sigma: f64,
    adaptive: bool,
    samples: usize,
    random: &mut impl Rng,
) -> Result<Option<Estimate>, AnalysisError>
where
    N: Network,
{
    at_least_one("samples", samples)?;
    let draws: Vec<Tensor<1>> = (0..samples).map(|_| point.space().normal(random)).collect();
    average_along(point.objective(), point.parameters(), point.loss(), sigma, adaptive, &draws)
}

fn average_along<N>(
    objective: &Objective<N>,
    w: &Tensor<1>,
    loss: f64,
    sigma: f64,
    adaptive: bool,
    draws: &[Tensor<1>],
) -> Result<Option<Estimate>, AnalysisError>
where
    N: Network,
{
    let rises = draws.iter().map(|draw| {
        let step = if adaptive { draw.clone() * w.clone().abs() } else { draw.clone() };
        // Both signs of a draw: what is odd in it, the slope, cancels.
        let up = objective.value(&(w.clone() + step.clone() * sigma))?;
        let down = objective.value(&(w.clone() - step * sigma))?;
        Ok(f64::midpoint(up, down) - loss)
    });
    let rises = rises.collect::<Result<Vec<f64>, AnalysisError>>()?;
    Ok(rises.iter().all(|rise| rise.is_finite()).then(|| Estimate::of(&rises, 2 * draws.len())))
}

/// The σ at which the average rise reaches `rise`, or the loss is not finite, by bisection with the same draws
/// throughout; none when that is not reached below σ = 100.
///
/// Its standard error is that of the average rise `m(σ)` there, carried over by the slope (the delta method):
/// `sem(σ) = sem(m)/m′(σ)`, with m′ from the same draws at `σ (1 ± 1/20)`. Absent with a single draw, where the loss is
/// not finite that near, and where the average does not rise.
///
/// # Errors
///
/// Without samples, or when the loss plus `rise` rounds to the loss.
pub fn pac_bayes_sigma<N>(
    point: &Point<'_, N>,
    rise: f64,
    adaptive: bool,
    samples: usize,
    random: &mut impl Rng,
) -> Result<Option<Estimate>, AnalysisError>
where
    N: Network,
{
    at_least_one("samples", samples)?;
    seen(point.loss(), rise)?;
    let draws: Vec<Tensor<1>> = (0..samples).map(|_| point.space().normal(random)).collect();
    let risen =
        |sigma: f64| average_along(point.objective(), point.parameters(), point.loss(), sigma, adaptive, &draws);
    let reached = |sigma: f64| Ok(risen(sigma)?.is_none_or(|estimate| estimate.mean >= rise));
    let Some(sigma) = crossing(1e-4, 100.0, 1e-3, point.space().epsilon(), reached)? else { return Ok(None) };
    let [here, below, above] = [sigma, 0.95 * sigma, 1.05 * sigma].map(risen);
    let sem = here?.zip(below?).zip(above?).and_then(|((here, below), above)| {
        let slope = (above.mean - below.mean) / (0.1 * sigma);
        here.sem.filter(|_| slope > 0.0).map(|sem| sem / slope)
    });
    Ok(Some(Estimate { mean: sigma, sem, probes: samples, products: 0 }))
}

/// Whether a rise of the loss can be seen.
pub(crate) fn seen(loss: f64, rise: f64) -> Result<(), AnalysisError> {
    if loss + rise > loss {
        Ok(())
    } else {
        let must = "positive, and not so small that the loss plus it rounds to the loss";
        Err(AnalysisError::Setting { name: "rise", value: rise, must })
    }
}

/// A t in `(0, last]` at which a condition begins to hold, to a relative `accuracy` or to `least`: the first found by
/// doubling from `first`, then bisection. None when it holds nowhere there.
pub(crate) fn crossing(
    first: f64,
    last: f64,
    accuracy: f64,
    least: f64,
    mut holds: impl FnMut(f64) -> Result<bool, AnalysisError>,
) -> Result<Option<f64>, AnalysisError> {
    let (mut low, mut high) = (0.0, first);
    while !holds(high)? {
        if high >= last {
            return Ok(None);
        }
        (low, high) = (high, (2.0 * high).min(last));
    }
    while high - low > (accuracy * high).max(least) {
        let middle = f64::midpoint(low, high);
        if holds(middle)? { high = middle } else { low = middle }
    }
    Ok(Some(high))
}

/// All measures of the [module](self)'s table at one point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sharpness {
    /// Worst cases: ball, adaptive ball, Keskar's boxes.
    pub worst: Vec<WorstCase>,
    /// Average rise for σ, `N(0, σ² I)`.
    pub average: Average,
    /// The same for `N(0, σ² w²)`.
    pub adaptive_average: Average,
    /// σ at which the average rise is `rise`.
    pub pac_bayes_sigma: Option<f64>,
    /// Its standard error; absent in records from before it was kept, and where [`pac_bayes_sigma`] gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pac_bayes_sigma_sem: Option<f64>,
    /// The same for `N(0, σ² w²)`.
    pub adaptive_pac_bayes_sigma: Option<f64>,
    /// Its standard error, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adaptive_pac_bayes_sigma_sem: Option<f64>,
    /// The rise that defines them.
    pub rise: f64,
}

/// An average rise and the σ it is for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Average {
    /// σ: of each parameter, or for adaptive averages relative to its size.
    pub sigma: f64,
    /// The rise of the loss; absent where that is not finite.
    pub rise: Option<Estimate>,
}

/// Where to look for the worst, and what to average over.
#[derive(Debug, Clone, PartialEq)]
pub struct SharpnessSettings {
    /// Default: a ball and an adaptive ball of radius 0.05 (SAM's default ρ), boxes of size 1e-3 and 5e-4 (Keskar et
    /// al., Table 3).
    pub neighbourhoods: Vec<Neighbourhood>,
    /// Gradients for each of two ascents. Default: 20.
    pub steps: usize,
    /// σ of the average. Default: 0.01.
    pub sigma: f64,
    /// σ of the adaptive average. Default: 0.1.
    pub adaptive_sigma: f64,
    /// Draws for averages, each with both signs. Default: 10.
    pub samples: usize,
    /// Rise of the loss for the PAC-Bayes σ. Default: 0.1.
    pub rise: f64,
}

impl Default for SharpnessSettings {
    fn default() -> Self {
        Self {
            neighbourhoods: vec![
                Neighbourhood::Ball { radius: 0.05 },
                Neighbourhood::AdaptiveBall { radius: 0.05 },
                Neighbourhood::Box { size: 1e-3 },
                Neighbourhood::Box { size: 5e-4 },
            ],
            steps: 20,
            sigma: 0.01,
            adaptive_sigma: 0.1,
            samples: 10,
            rise: 0.1,
        }
    }
}

impl Sharpness {
    /// Measures all of them.
    ///
    /// # Errors
    ///
    /// When a setting is not possible.
    pub fn at<N>(
        point: &Point<'_, N>,
        settings: &SharpnessSettings,
        random: &mut impl Rng,
    ) -> Result<Self, AnalysisError>
    where
        N: Network,
    {
        let worst = settings.neighbourhoods.iter().map(|&hood| worst_case(point, hood, settings.steps, random));
        let worst = worst.collect::<Result<Vec<_>, _>>()?;
        let mut averaged = |sigma, adaptive| {
            let rise = average(point, sigma, adaptive, settings.samples, random)?;
            Ok::<_, AnalysisError>(Average { sigma, rise })
        };
        let (plain, adaptive) = (averaged(settings.sigma, false)?, averaged(settings.adaptive_sigma, true)?);
        let mut sigma = |adaptive| pac_bayes_sigma(point, settings.rise, adaptive, settings.samples, random);
        let (sigma, adaptive_sigma) = (sigma(false)?, sigma(true)?);
        Ok(Self {
            worst,
            average: plain,
            adaptive_average: adaptive,
            pac_bayes_sigma: sigma.map(|sigma| sigma.mean),
            pac_bayes_sigma_sem: sigma.and_then(|sigma| sigma.sem),
            adaptive_pac_bayes_sigma: adaptive_sigma.map(|sigma| sigma.mean),
            adaptive_pac_bayes_sigma_sem: adaptive_sigma.and_then(|sigma| sigma.sem),
            rise: settings.rise,
        })
    }
}
