//! The theorem that the notes close with: smoothness and PL* in a ball, hence a solution in it.

use burn::tensor::Tensor;
use losscape_analysis::certificate::Certificate;
use losscape_analysis::kernel::KernelSpectrum;
use losscape_analysis::{AnalysisError, Objective};
use losscape_krylov::{Matrix, dense};
use losscape_model::{Mlp, Network};
use losscape_tangent::Map;

use super::problem::{draws, gradient_descent, largest, norm, spectrum};
use super::{Check, Claim, ClaimSettings, Evidence, Expectation, Family, Plot, Series, descent::descend};
use crate::LabError;

pub const CLAIM: Claim = Claim {
    id: "convergence-theorem",
    family: Family::PolyakLojasiewicz,
    printed: r"$\beta$-smooth and $\mu$-PL* in $B(w_0,R)$ with $R=\frac{2\sqrt{2\beta L(w_0)}}{\mu}$ and $\eta\le\frac2\beta$: gradient descent recovers $w^*$ with $F(w^*)=y$, at the rate $O(\beta/t)$",
    exact: r"with $\eta\le\frac1\beta$ the path stays in the ball and $L_t\le(1-\eta\mu)^tL_0$, far better than $\beta/t$; $\eta<\frac2\beta$ still converges, with both in a ball of radius $\frac{R}{2-\eta\beta}$; $\eta=\frac2\beta$ need not",
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
    let kernel = |w: &Tensor<1>| -> Result<KernelSpectrum, LabError> {
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
    // Sampling a ball of many dimensions proves nothing of it: how far out β and μ were seen to hold is reported, and the part of the ball where the path is
    // is checked.
    let travelled = distances[distances.len() - 1].0;
    let random = &mut draws(settings.seed, 14);
    let mut seen = 0f64;
    for reach in [travelled, 2.0 * travelled, 0.01 * radius, 0.1 * radius, 0.5 * radius, radius] {
        let mut all = true;
        for _ in 0..settings.effort.of(5, 100) {
            let direction = objective.at(&start)?.space().normal(random);
            let w = start.clone() + direction.clone() * (reach / norm(&direction));
            let (curvature, constant) =
                (largest(&objective.at(&w)?.hessian(), settings.seed)?, kernel(&w)?.trusted_min());
            all &= curvature <= beta && mu <= constant;
            if reach <= 2.0 * travelled {
                smooth.push((curvature, beta));
                constants.push((mu, constant));
            }
        }
        if all {
            seen = seen.max(reach);
        }
    }
    let sampled = smooth.len();
    evidence.check(Check::at_most("path and sampled points: λ_max(H) ≤ β", 0.0, smooth));
    evidence.check(Check::at_most("path and sampled points: μ ≤ λ_min(K_c)", 0.0, constants));
    evidence.check(Check::at_most("η = 1/β: L_t ≤ (1 − ημ)ᵗ L₀", 1e-12, losses.iter().copied()));
    evidence.check(Check::at_most("η = 1/β: ‖w_t − w₀‖ ≤ R", 0.0, distances.iter().copied()));

    certify(settings, &mut evidence)?;

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
    evidence.figure("points within twice the path's length at which β and μ held", sampled as f64);
    evidence.figure("share of R up to which they held at every point drawn", seen / radius);
    let numbered = |pairs: &[(f64, f64)], pick: fn(&(f64, f64)) -> f64| {
        pairs.iter().enumerate().map(|(t, pair)| (t as f64, pick(pair))).collect::<Vec<_>>()
    };
    evidence.plot(Plot {
        title: "Loss against the theorem".to_owned(),
        reading: "A wide tanh network under gradient descent at 1/β: the loss falls faster than PL* guarantees, which is itself linear.".to_owned(),
        x: "step".to_owned(),
        y: "loss".to_owned(),
        log_y: true,
        series: vec![
            Series::measured("loss", numbered(&losses, |pair| pair.0)),
            Series::bound("(1 − ημ)ᵗ L₀", numbered(&losses, |pair| pair.1)),
        ], ..Plot::default() });
    evidence.plot(Plot {
        title: "Distance travelled against the ball".to_owned(),
        reading: "The path ends far inside the ball of the theorem.".to_owned(),
        x: "step".to_owned(),
        y: "‖w − w₀‖".to_owned(),
        log_y: true,
        series: vec![
            Series::measured("distance", numbered(&distances, |pair| pair.0)),
            Series::bound("R", numbered(&distances, |pair| pair.1)),
        ],
        ..Plot::default()
    });
    Ok(evidence)
}

/// What can be proved instead of sampled: the width from which on PL* is certain in the whole ball of the theorem.
fn certify(settings: &ClaimSettings, evidence: &mut Evidence) -> Result<(), LabError> {
    let seed = settings.seed;
    // No sample may lie beyond the bounds, in directions drawn and in that of the steepest fall of λ_min.
    let objective = settings.student(&[settings.effort.of(512, 4096)], 4, seed)?;
    let (certificate, centre) = (Certificate::of(&objective)?, objective.parameters());
    let random = &mut draws(seed, 17);
    let mut directions: Vec<Tensor<1>> =
        (0..settings.effort.of(4, 40)).map(|_| settings.normal(centre.dims()[0], random)).collect();
    directions.push(falling(settings, &objective)?);
    let (mut smallest, mut largest_seen) = (Vec::new(), Vec::new());
    for share in [0.1, 0.3, 0.6, 0.9] {
        let radius = share * certificate.smallest / certificate.lipschitz;
        for direction in &directions {
            let w = centre.clone() + direction.clone() * (radius / norm(direction));
            smallest.push((certificate.mu(radius), spectrum(&Matrix(objective.kernel(&w)?))?[0]));
            largest_seen.push((largest(&objective.at(&w)?.hessian(), seed)?, certificate.beta(radius)));
        }
    }
    evidence.check(Check::at_most("certificate: bound of λ_min(K_c) ≤ every sampled value", 1e-12, smallest));
    evidence.check(Check::at_most("certificate: every sampled λ_max(H) ≤ bound", 1e-12, largest_seen));

    let (mut certain, mut needed, mut whole) = (Vec::new(), Vec::new(), None);
    let mut by_path = None;
    for width in (8..=settings.effort.of(20, 21)).map(|power| 1usize << power) {
        let objective = settings.student(&[width], 2, seed)?;
        let certificate = Certificate::of(&objective)?;
        certain.push((width as f64, certificate.smallest / certificate.lipschitz));
        let mu = certificate.mu(0.0);
        needed.push((width as f64, 2.0 * (2.0 * certificate.beta(0.0) * certificate.loss).sqrt() / mu));
        by_path = by_path.or_else(|| certificate.path().map(|_| width));
        let Some(ball) = certificate.theorem() else { continue };
        // Nothing is sampled here: β and μ are proved for the ball, and the path must do as the theorem says.
        let rate = 1.0 / ball.beta;
        let (start, mut losses, mut distances) = (objective.parameters(), Vec::new(), Vec::new());
        descend(
            &gradient_descent(rate),
            start.clone(),
            settings.effort.of(30, 300),
            |w| Ok(objective.gradient(w)?),
            |at| {
                let steps = i32::try_from(at.step).unwrap_or(i32::MAX);
                losses.push((at.value, (1.0 - rate * ball.mu).powi(steps) * certificate.loss));
                distances.push((norm(&(at.w.clone() - start.clone())), ball.radius));
                Ok(at.value > 1e-24)
            },
        )?;
        evidence.check(Check::at_most("certified ball, η = 1/β: L_t ≤ (1 − ημ)ᵗ L₀", 1e-12, losses));
        evidence.check(Check::at_most("certified ball, η = 1/β: ‖w_t − w₀‖ ≤ ρ", 0.0, distances));
        whole = Some(width);
        break;
    }
    // Whether the widths looked at were enough is part of the statement.
    evidence.check(Check::equal("a width was certified", 0.0, [(f64::from(u8::from(whole.is_some())), 1.0)]));
    let width = |width: Option<usize>| width.map_or(f64::NAN, |width| width as f64);
    evidence.figure("two samples: width at which PL* is proved in the theorem's whole ball", width(whole));
    evidence.figure("width at which it is proved in a ball that holds every path", width(by_path));
    evidence.plot(Plot {
        title: "What can be proved against the width".to_owned(),
        reading: "From bounds on σ′ and σ″ alone: PL* is proved up to a distance that grows like the root of the width; the theorem's ball does not grow. Where the lines have crossed far enough for β and μ \
                  of the whole ball, the theorem's conditions are certain."
            .to_owned(),
        x: "width".to_owned(),
        y: "distance from the start".to_owned(),
        log_x: true,
        log_y: true,
        series: vec![
            Series::measured("PL* is proved up to", certain),
            Series::bound("R with β and μ of the start", needed),
        ],
        ..Plot::default()
    });
    Ok(())
}

/// Where λ_min of the kernel falls fastest: `−Σ_i u_i ∇²f_i Jᵀu` with its eigenvector u.
fn falling(settings: &ClaimSettings, objective: &Objective<Mlp>) -> Result<Tensor<1>, LabError> {
    let map = Map::new(|network: &Mlp, x: Tensor<2>| network.forward(x));
    let at = map.linearize(objective.network(), objective.inputs()).map_err(AnalysisError::from)?;
    let (_, vectors) = dense::eigenpairs(objective.kernel(&objective.parameters())?).map_err(AnalysisError::from)?;
    let u = settings.vector(&vectors[0]);
    Ok(at.bend(u.clone(), at.pull(u)).neg())
}
