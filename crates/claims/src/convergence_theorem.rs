//! The theorem that the notes close with: smoothness and PL* in a ball, hence a solution in it.

use burn::tensor::Tensor;
use losscape_analysis::certificate::Certificate;
use losscape_analysis::ntk::KernelSpectrum;
use losscape_analysis::{AnalysisError, Objective};
use losscape_krylov::{SymmetricMatrix, dense};
use losscape_model::{Mlp, Network};
use losscape_tangent::Map;

use super::false_statement::{doubled, faster, tighter};
use super::problem::{draws, gradient_descent, largest, norm, spectrum};
use super::{
    Check, Claim, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench, descent::descend,
};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "convergence-theorem",
    family: Family::PolyakLojasiewicz,
    printed: concat!(
        r"$\beta$-smooth and $\mu$-PL* in $B(w_0,R)$ with $R=\frac{2\sqrt{2\beta L(w_0)}}{\mu}$ and ",
        r"$\eta\le\frac2\beta$: gradient descent recovers $w^*$ with $F(w^*)=y$, at the rate $O(\beta/t)$",
    ),
    exact: concat!(
        r"with $\eta<\frac2\beta$ and both in $B\left(w_0,\frac{2\sqrt{2L_0/\mu}}{2-\eta\beta}\right)$ the path is ",
        r"shorter than this radius and $L_t\le(1-\eta\mu(2-\eta\beta))^tL_0$, far better than $\beta/t$; the printed ",
        r"$R$ is enough for $\eta\le\frac1\beta$ where $\beta\ge\mu$, and too small where it is not; ",
        r"$\eta=\frac2\beta$ need not converge",
    ),
    source: "lecture notes, In Summary; Liu, Zhu & Belkin 2020, Theorem 6",
    expected: Expectation::HoldsAsCorrected,
    false_statements: &[
        FalseStatement::pairs("the path meets twice the curvature that was assumed", "λ_max(H) ≤ β", doubled),
        FalseStatement::pairs("the kernel becomes singular on the way", "μ ≤ λ_min(K_c)", |pair| Pair {
            right: 0.0,
            ..pair
        }),
        FalseStatement::pairs("the loss falls like (1 − ημ(2 − ηβ))^1.1t", "L_t/L₀ ≤", faster),
        FalseStatement::pairs("1 − w has a PL* constant of 0.47/0.9", "1 − w in the printed", tighter),
        FalseStatement::pairs("the path is shorter than 0.9 of the radius", "length of the path ≤", tighter),
        // Of the certificate nothing is attained: it adds up norms that no network has along one direction.
        FalseStatement::pairs("a twentieth of its ℓ is enough for λ_min(K_c)", "certificate: fall", |pair| Pair {
            right: 0.05 * pair.right,
            ..pair
        }),
        FalseStatement::pairs("0.8 β(ρ) is above every λ_max(H)", "certificate: λ_max(H)", |pair| Pair {
            right: 0.8 * pair.right,
            ..pair
        }),
        FalseStatement::pairs("nothing could be certified", "a width was", |pair| Pair { left: 0.0, ..pair }),
        FalseStatement::pairs("½βw² comes down faster", "½βw²: L_t/L₀ =", |pair| Pair {
            left: 0.99 * pair.right,
            ..pair
        }),
        FalseStatement::pairs("no factor 1/(2 − ηβ) is needed, here a tenth", "½βw², η = 1.9/β", |pair| {
            Pair { right: (2.0 - 1.9) * pair.left / 0.9, ..pair }
        }),
        FalseStatement::pairs("η = 1.9/β does not converge", "linear network, η = 1.9/β", |pair| Pair {
            left: 1e6 * pair.right,
            ..pair
        }),
    ],
    measure,
};

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let (width, samples) = (bench.effort.of(256, 1024), 8);
    let objective = bench.student(&[width], samples, bench.seed)?;
    let start = objective.parameters();
    let initial = objective.at(&start)?.loss();

    // β and μ over the path: guessed from the start with a margin, and looked at afterwards.
    let kernel = |w: &Tensor<1>| -> Result<KernelSpectrum, LabError> {
        Ok(KernelSpectrum::of(objective.kernel(w)?, objective.targets())?)
    };
    let beta = 1.5 * largest(&objective.at(&start)?.hessian(), bench.seed)?;
    let mu = 0.5 * kernel(&start)?.trusted_min();
    let radius = 2.0 * (2.0 * beta * initial).sqrt() / mu;
    let (mut smooth, mut constants, mut paths) = (Vec::new(), Vec::new(), Vec::new());
    let mut theorem = Theorem::default();
    let steps = bench.effort.of(2000, 20_000);
    for factor in [1.0, 1.5] {
        let rate = factor / beta;
        let shrinks = 1.0 - rate * mu * (2.0 - factor);
        let bound = 2.0 * (2.0 * initial / mu).sqrt() / (2.0 - factor);
        let (mut losses, mut lengths, mut length, mut last) = (Vec::new(), Vec::new(), 0.0, start.clone());
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
                losses.push((at.value, shrinks.powi(i32::try_from(at.step).unwrap_or(i32::MAX)) * initial));
                length += norm(&(at.w.clone() - last.clone()));
                lengths.push((length, bound));
                last = at.w.clone();
                if at.step.is_multiple_of(steps / 20) {
                    smooth.push((largest(&objective.at(&at.w)?.hessian(), bench.seed)?, beta));
                    constants.push((mu, kernel(&at.w)?.trusted_min()));
                }
                Ok(true)
            },
        )?;
        theorem.losses.extend(losses.iter().map(|(loss, bound)| (loss / initial, bound / initial)));
        theorem.lengths.extend_from_slice(&lengths);
        paths.push((losses, lengths));
    }
    let (losses, lengths) = paths.swap_remove(0);
    // Sampling a ball of many dimensions proves nothing of it: how far out β and μ were seen to hold is reported, and
    // the part of the ball where the path is is checked.
    let travelled = lengths[lengths.len() - 1].0;
    let random = &mut draws(bench.seed, 14);
    let mut seen = 0f64;
    for reach in [travelled, 2.0 * travelled, 0.01 * radius, 0.1 * radius, 0.5 * radius, radius] {
        let mut all = true;
        for _ in 0..bench.effort.of(5, 100) {
            let direction = objective.at(&start)?.space().normal(random);
            let w = start.clone() + direction.clone() * (reach / norm(&direction));
            let (curvature, constant) = (largest(&objective.at(&w)?.hessian(), bench.seed)?, kernel(&w)?.trusted_min());
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
    small_ball(bench, &mut evidence)?;
    parabola(bench, &mut evidence, &mut theorem)?;
    certify(bench, &mut evidence, &mut theorem)?;
    let on = "wide networks at 1/β and 1.5/β, in the certified ball, ½βw²";
    evidence.check(Check::at_most(format!("L_t/L₀ ≤ (1 − ημ(2 − ηβ))ᵗ: {on}"), 1e-12, theorem.losses));
    let name = format!("length of the path ≤ 2√(2L₀/μ)/(2 − ηβ): {on}");
    evidence.check(Check::at_most(name, 0.0, theorem.lengths));

    // A linear network is β-smooth and PL* everywhere, with β and μ the ends of its spectrum: at 2/β it does not
    // converge.
    let (linear, _, _) = bench.least_squares(&[4.0, 1.0], [2, 2], 0.0, bench.seed)?;
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
    evidence.figure("length of the path over 2√(2L₀/μ)", travelled / lengths[0].1);
    evidence.figure("over the printed R", travelled / radius);
    evidence.figure("points within twice the path's length at which β and μ held", sampled as f64);
    evidence.figure("share of R up to which they held at every point drawn", seen / radius);
    let numbered = |pairs: &[(f64, f64)], pick: fn(&(f64, f64)) -> f64| {
        pairs.iter().enumerate().map(|(t, pair)| (t as f64, pick(pair))).collect::<Vec<_>>()
    };
    evidence.plot(Plot {
        title: "Loss against the theorem".to_owned(),
        reading: "A wide tanh network under gradient descent at 1/β: the loss falls faster than PL* guarantees, which \
                  is itself linear."
            .to_owned(),
        x: "step".to_owned(),
        y: "loss".to_owned(),
        log_y: true,
        series: vec![
            Series::measured("loss", numbered(&losses, |pair| pair.0)),
            Series::bound("(1 − ημ)ᵗ L₀", numbered(&losses, |pair| pair.1)),
        ],
        ..Plot::default()
    });
    evidence.plot(Plot {
        title: "Length of the path against the ball".to_owned(),
        reading: "The path at η = 1/β ends well inside the ball of the theorem.".to_owned(),
        x: "step".to_owned(),
        y: "distance".to_owned(),
        log_y: true,
        series: vec![
            Series::measured("length of the path", numbered(&lengths, |pair| pair.0)),
            Series::bound("2√(2L₀/μ)", numbered(&lengths, |pair| pair.1)),
        ],
        ..Plot::default()
    });
    Ok(evidence)
}

/// What the theorem bounds, with its bounds: shares of the loss at the start, and lengths of paths.
#[derive(Default)]
struct Theorem {
    losses: Vec<(f64, f64)>,
    lengths: Vec<(f64, f64)>,
}

/// Where β < μ the printed ball holds neither a solution nor the path: `L = 1 − w` around 0 is smooth with every β.
fn small_ball(bench: &Workbench, evidence: &mut Evidence) -> Result<(), LabError> {
    bench.formula("1 − w, from 0, with β = 1e-4 and μ = 0.47");
    let (beta, mu) = (1e-4, 0.47);
    let radius = 2.0 * f64::sqrt(2.0 * beta) / mu;
    // In the ball L is at most 1 + R, so that ½ ≥ μ L.
    evidence.check(Check::at_most("1 − w in the printed ball: μ L ≤ ½‖g‖²", 0.0, [(mu * (1.0 + radius), 0.5)]));
    let line = |w: &Tensor<1>| Ok((1.0 - w.clone().into_scalar::<f64>(), bench.vector(&[-1.0])));
    let mut away = 0.0;
    descend(&gradient_descent(1.0 / beta), bench.vector(&[0.0]), 1, line, |at| {
        away = norm(&at.w);
        Ok(true)
    })?;
    evidence.check(Check::at_most("1 − w, β < μ: ‖w₁ − w₀‖ ≤ R", 0.0, [(away, radius)]).printed());
    evidence.check(Check::at_most("1 − w, β < μ: min L in the printed ball ≤ 0", 0.0, [(1.0 - radius, 0.0)]).printed());
    Ok(())
}

/// `½βw²`, μ = β: the loss is at its bound at every step, and beyond 1/β the path is nearly as long as its own.
fn parabola(bench: &Workbench, evidence: &mut Evidence, theorem: &mut Theorem) -> Result<(), LabError> {
    const BETA: f64 = 4.0;
    const START: f64 = 3.0;
    let (mut losses, mut lengths) = (Vec::new(), Vec::new());
    for factor in [0.5, 1.5, 1.9] {
        let (mut initial, mut length, mut last) = (0.0, 0.0, bench.vector(&[START]));
        descend(&gradient_descent(factor / BETA), last.clone(), 400, bench.bowl(&[BETA]), |at| {
            if at.step == 0 {
                initial = at.value;
            }
            let steps = i32::try_from(at.step).unwrap_or(i32::MAX);
            losses.push((at.value / initial, (1.0 - factor * (2.0 - factor)).powi(steps)));
            length += norm(&(at.w.clone() - last.clone()));
            last = at.w;
            Ok(at.value > 1e-24)
        })?;
        lengths.push((2.0 * (2.0 * initial / BETA).sqrt() / (2.0 - factor), length));
    }
    // A hair above its bound, by rounding of the powers.
    theorem.losses.extend(losses.iter().map(|(loss, bound)| (loss * (1.0 - 1e-9), *bound)));
    evidence.check(Check::equal("½βw²: L_t/L₀ = (1 − ημ(2 − ηβ))ᵗ, η = 0.5/β, 1.5/β, 1.9/β", 1e-9, losses));
    let (ball, length) = lengths[2];
    evidence.check(Check::at_most("½βw², η = 1.9/β: 0.9 ρ ≤ length of the path", 0.0, [(0.9 * ball, length)]));
    theorem.lengths.extend(lengths.into_iter().map(|(ball, length)| (length, ball)));
    Ok(())
}

/// What can be proved instead of sampled: the width from which on PL* is certain in the whole ball of the theorem.
fn certify(bench: &Workbench, evidence: &mut Evidence, theorem: &mut Theorem) -> Result<(), LabError> {
    let seed = bench.seed;
    // No sample may lie beyond the bounds, in directions drawn and in that of the steepest fall of λ_min.
    let objective = bench.student(&[bench.effort.of(512, 4096)], 4, seed)?;
    let (certificate, centre) = (Certificate::of(&objective)?, objective.parameters());
    let random = &mut draws(seed, 17);
    let mut directions: Vec<Tensor<1>> =
        (0..bench.effort.of(4, 40)).map(|_| bench.normal(centre.dims()[0], random)).collect();
    directions.push(falling(bench, &objective)?);
    let (mut smallest, mut largest_seen) = (Vec::new(), Vec::new());
    for share in [0.1, 0.3, 0.6, 0.9] {
        let radius = share * certificate.smallest / certificate.lipschitz;
        for direction in &directions {
            let w = centre.clone() + direction.clone() * (radius / norm(direction));
            let root = spectrum(&SymmetricMatrix(objective.kernel(&w)?))?[0].sqrt();
            smallest.push((certificate.smallest - root, certificate.lipschitz * radius));
            largest_seen.push((largest(&objective.at(&w)?.hessian(), seed)?, certificate.beta(radius)));
        }
    }
    let share = |pairs: &[(f64, f64)]| pairs.iter().map(|(seen, bound)| seen / bound).fold(f64::NEG_INFINITY, f64::max);
    let shares = [share(&smallest), share(&largest_seen)];
    evidence.check(Check::at_most("certificate: fall of √λ_min(K_c) ≤ √c ℓρ at every sample", 1e-12, smallest));
    evidence.check(Check::at_most("certificate: λ_max(H) ≤ β(ρ) at every sample", 1e-12, largest_seen));

    let (mut certain, mut needed, mut whole) = (Vec::new(), Vec::new(), None);
    let mut by_path = None;
    for width in (8..=bench.effort.of(20, 21)).map(|power| 1usize << power) {
        let objective = bench.student(&[width], 2, seed)?;
        let certificate = Certificate::of(&objective)?;
        certain.push((width as f64, certificate.smallest / certificate.lipschitz));
        let mu = certificate.mu(0.0);
        needed.push((width as f64, 2.0 * (2.0 * certificate.beta(0.0) * certificate.loss).sqrt() / mu));
        by_path = by_path.or_else(|| certificate.path().map(|_| width));
        let Some(ball) = certificate.theorem() else { continue };
        // Nothing is sampled here: β and μ are proved for the ball, and the path must do as the theorem says.
        let rate = 1.0 / ball.beta;
        let start = objective.parameters();
        let (mut last, mut length) = (start.clone(), 0.0);
        descend(
            &gradient_descent(rate),
            start.clone(),
            bench.effort.of(30, 300),
            |w| Ok(objective.gradient(w)?),
            |at| {
                let steps = i32::try_from(at.step).unwrap_or(i32::MAX);
                theorem.losses.push((at.value / certificate.loss, (1.0 - rate * ball.mu).powi(steps)));
                length += norm(&(at.w.clone() - last.clone()));
                last = at.w;
                theorem.lengths.push((length, ball.radius));
                Ok(at.value > 1e-24)
            },
        )?;
        whole = Some(width);
        break;
    }
    // Whether the widths looked at were enough is part of the statement.
    evidence.check(Check::equal("a width was certified", 0.0, [(f64::from(u8::from(whole.is_some())), 1.0)]));
    let width = |width: Option<usize>| width.map_or(f64::NAN, |width| width as f64);
    evidence.figure("two samples: width at which PL* is proved in the theorem's whole ball", width(whole));
    evidence.figure("width at which it is proved in a ball that holds every path", width(by_path));
    evidence.figure("certificate: largest share of the bound that a fall of √λ_min(K_c) had", shares[0]);
    evidence.figure("the same of β(ρ) that λ_max(H) had", shares[1]);
    evidence.plot(Plot {
        title: "What can be proved against the width".to_owned(),
        reading: "From bounds on σ′ and σ″ alone: PL* is proved up to a distance that grows like the root of the \
                  width; the theorem's ball does not grow. Where the lines have crossed far enough for β and μ of the \
                  whole ball, the theorem's conditions are certain."
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
fn falling(bench: &Workbench, objective: &Objective<Mlp>) -> Result<Tensor<1>, LabError> {
    let map = Map::new(|network: &Mlp, x: Tensor<2>| network.forward(x));
    let at = map.linearize(objective.network(), objective.inputs()).map_err(AnalysisError::from)?;
    let (_, vectors) = dense::eigenpairs(objective.kernel(&objective.parameters())?).map_err(AnalysisError::from)?;
    let u = bench.vector(&vectors[0]);
    Ok(at.bend(u.clone(), at.pull(u)).neg())
}
