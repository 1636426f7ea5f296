//! The theorem that the notes close with: smoothness and PL* in a ball, hence a solution in it.

use losscape_analysis::kernel::KernelSpectrum;

use super::problem::{draws, gradient_descent, largest, norm};
use super::{Check, Claim, ClaimSettings, Evidence, Expectation, Family, Plot, Series, descent::descend};
use crate::LabError;

pub const CLAIM: Claim = Claim {
    id: "convergence-theorem",
    family: Family::PolyakLojasiewicz,
    printed: r"$\beta$-smooth and $\mu$-PL* in $B(w_0,R)$ with $R=\frac{2\sqrt{2\beta L(w_0)}}{\mu}$ and $\eta\le\frac2\beta$: gradient descent recovers $w^*$ with $F(w^*)=y$, at the rate $O(\beta/t)$",
    exact: r"with $\eta\le\frac1\beta$ the path stays in the ball and $L_t\le(1-\eta\mu)^tL_0$, far better than $\beta/t$; $\eta<\frac2\beta$ still converges, $\eta=\frac2\beta$ need not",
    source: "lecture notes, In Summary; Liu, Zhu & Belkin 2020, Theorem 6",
    expected: Expectation::HoldsAsCorrected,
    measure,
};

fn measure(settings: &ClaimSettings) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let (width, samples) = (settings.effort.of(256, 1024), 8);
    let objective = settings.student(&[width], samples, settings.seed)?;
    let start = objective.parameters();
    let initial = objective.at(&start)?.loss();

    // β and μ over the path: guessed from the start with a margin, and looked at afterwards.
    let kernel = |w: &burn::tensor::Tensor<1>| -> Result<KernelSpectrum, LabError> {
        Ok(KernelSpectrum::of(objective.kernel(w)?, objective.targets())?)
    };
    let beta = 1.5 * largest(&objective.at(&start)?.hessian(), settings.seed)?;
    let mu = 0.5 * kernel(&start)?.trusted_min();
    let radius = 2.0 * (2.0 * beta * initial).sqrt() / mu;
    let rate = 1.0 / beta;
    let (mut losses, mut distances, mut smooth, mut constants) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let steps = settings.effort.of(2000, 20_000);
    descend(
        &gradient_descent(rate),
        start.clone(),
        steps,
        |w| Ok(objective.gradient(w)?),
        |at| {
            // Below this the loss is rounding.
            if at.value < 1e-24 {
                return Ok(false);
            }
            losses.push((at.value, (1.0 - rate * mu).powi(i32::try_from(at.step).unwrap_or(i32::MAX)) * initial));
            distances.push((norm(&(at.w.clone() - start.clone())), radius));
            if at.step.is_multiple_of(steps / 20) {
                smooth.push((largest(&objective.at(&at.w)?.hessian(), settings.seed)?, beta));
                constants.push((mu, kernel(&at.w)?.trusted_min()));
            }
            Ok(true)
        },
    )?;
    // The ball is large; points are drawn as far from the start as the path went, twice that, and at its edge.
    let travelled = distances[distances.len() - 1].0;
    let random = &mut draws(settings.seed, 14);
    for reach in [travelled, 2.0 * travelled] {
        for _ in 0..settings.effort.of(5, 100) {
            let direction = objective.at(&start)?.space().normal(random);
            let w = start.clone() + direction.clone() * (reach / norm(&direction));
            smooth.push((largest(&objective.at(&w)?.hessian(), settings.seed)?, beta));
            constants.push((mu, kernel(&w)?.trusted_min()));
        }
    }
    let sampled = smooth.len();
    evidence.check(Check::at_most("path and sampled points: λ_max(H) ≤ β", 0.0, smooth));
    evidence.check(Check::at_most("path and sampled points: μ ≤ λ_min(K_c)", 0.0, constants));
    evidence.check(Check::at_most("η = 1/β: L_t ≤ (1 − ημ)ᵗ L₀", 1e-12, losses.iter().copied()));
    evidence.check(Check::at_most("η = 1/β: ‖w_t − w₀‖ ≤ R", 0.0, distances.iter().copied()));

    // A linear network is β-smooth and PL* everywhere, with β and μ the ends of its spectrum: at 2/β it does not converge.
    let (linear, _, _) = settings.least_squares(&[4.0, 1.0], [2, 2], 0.0, settings.seed)?;
    let mut ends = Vec::new();
    for factor in [1.9, 2.0] {
        let mut values = Vec::new();
        descend(
            &gradient_descent(factor / 4.0),
            linear.parameters(),
            1000,
            |w| Ok(linear.gradient(w)?),
            |at| {
                values.push(at.value);
                Ok(true)
            },
        )?;
        ends.push((values[values.len() - 1], 1e-6 * values[0]));
    }
    evidence.check(Check::at_most("linear network, η = 1.9/β: the loss vanishes", 0.0, [ends[0]]));
    evidence.check(Check::at_most("linear network, η = 2/β: the loss vanishes", 0.0, [ends[1]]).printed());
    evidence.figure("distance travelled over R", travelled / radius);
    evidence.figure("points at which β and μ were looked at, without violation", sampled as f64);
    let numbered = |pairs: &[(f64, f64)], pick: fn(&(f64, f64)) -> f64| {
        pairs.iter().enumerate().map(|(t, pair)| (t as f64, pick(pair))).collect::<Vec<_>>()
    };
    evidence.plot(Plot {
        title: "Loss against the theorem".to_owned(),
        reading: "A wide tanh network under gradient descent at 1/β: the loss falls faster than PL* guarantees, which is itself linear.".to_owned(),
        x: "step".to_owned(),
        y: "loss".to_owned(),
        log_x: false,
        log_y: true,
        series: vec![
            Series::measured("loss", numbered(&losses, |pair| pair.0)),
            Series::bound("(1 − ημ)ᵗ L₀", numbered(&losses, |pair| pair.1)),
        ],
    });
    evidence.plot(Plot {
        title: "Distance travelled against the ball".to_owned(),
        reading: "The path ends far inside the ball of the theorem.".to_owned(),
        x: "step".to_owned(),
        y: "‖w − w₀‖".to_owned(),
        log_x: false,
        log_y: true,
        series: vec![
            Series::measured("distance", numbered(&distances, |pair| pair.0)),
            Series::bound("R", numbered(&distances, |pair| pair.1)),
        ],
    });
    Ok(evidence)
}
