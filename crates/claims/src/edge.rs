//! Full-batch training raises the sharpness until it hovers at the edge of its method.

use losscape_krylov::{Eigensolver, SymmetricOperator};
use losscape_optim::adam::AdamConfig;
use losscape_optim::edge::{Curvature, edge, seen_by};
use losscape_optim::gradient_descent::GradientDescentConfig;
use losscape_optim::momentum::MomentumConfig;
use losscape_optim::nesterov::{Form, NesterovConfig};
use losscape_optim::{OptimizerConfig, RuleConfig, SamConfig};
use rayon::prelude::*;

use super::false_statement::{around, negated, none, scaled};
use super::networks::Architecture;
use super::problem::{draws, norm};
use super::{Claim, Effect, Evidence, Expectation, FalseStatement, Family, Plot, Series, Workbench, descent::descend};
use losscape_analysis::hessian::preconditioned;
use losscape_lab::LabError;

const PRINTED: &str = "not in the notes: a step below $2/\\beta$ is taken to be chosen for a given $\\beta$";

const STAYS: FalseStatement = FalseStatement::samples("the sharpness stays where it starts", "rise", none);
const FALLS: FalseStatement = FalseStatement::samples("the sharpness falls from above to its edge", "rise", negated);
const BELOW: FalseStatement =
    FalseStatement::samples("it ends as far below as it starts", OVER_EDGE, |samples| around(samples, 0.65));
const ABOVE: FalseStatement =
    FalseStatement::samples("it hovers a fifth above", OVER_EDGE, |samples| around(samples, 1.2));
const AT_PLAIN: FalseStatement = FalseStatement::samples("it hovers at gradient descent's 2/ε", FROM_PLAIN, none);

const OVER_EDGE: &str = "sharpness over edge";
const FROM_PLAIN: &str = "|log of sharpness over gradient descent's 2/ε|";

/// What the check of a method's own edge sees with gradient descent's in its place: the ratios times edge over 2/ε.
const fn plain(gives: fn(&[f64]) -> Vec<f64>) -> FalseStatement {
    FalseStatement::samples("the edge is gradient descent's 2/ε", OVER_EDGE, gives)
}

const fn claim(
    id: &'static str,
    exact: &'static str,
    source: &'static str,
    false_statements: &'static [FalseStatement],
    measure: fn(&Workbench) -> Result<Evidence, LabError>,
) -> Claim {
    let (family, printed, expected) = (Family::Edge, PRINTED, Expectation::Supported);
    Claim { id, family, printed, exact, source, expected, false_statements, measure }
}

pub const GD: Claim = claim(
    "edge-gd",
    r"under full-batch gradient descent the sharpness rises until it hovers at $\frac2\epsilon$",
    "Cohen et al. 2021",
    &[STAYS, FALLS, BELOW, ABOVE],
    |bench| {
        let others = [Setting::new(Architecture::cnn(), 0.15, 4000), Setting::new(Architecture::resnet(), 0.2, 4000)];
        measure(bench, &OptimizerConfig::new(GradientDescentConfig {}, 0.04), 8000, others)
    },
);

pub const MOMENTUM: Claim = claim(
    "edge-momentum",
    r"with the heavy ball it hovers at $\frac{2+2b}{\epsilon}$",
    "Cohen et al. 2021, eq. 1",
    // 1 + b.
    &[STAYS, FALLS, BELOW, ABOVE, AT_PLAIN, plain(|samples| scaled(samples, 1.5))],
    |bench| {
        let rule = RuleConfig::Momentum(MomentumConfig { momentum: 0.5 });
        measure(bench, &OptimizerConfig::new(rule, 0.06), 3000, [])
    },
);

pub const NESTEROV: Claim = claim(
    "edge-nesterov",
    r"with Nesterov's momentum it hovers at $\frac{2+2b}{\epsilon(1+2b)}$",
    "Cohen et al. 2021, eq. 1",
    // (1 + b)/(1 + 2b).
    &[STAYS, FALLS, BELOW, ABOVE, AT_PLAIN, plain(|samples| scaled(samples, 1.8 / 2.6))],
    |bench| {
        let rule = RuleConfig::Nesterov(NesterovConfig { momentum: 0.8, form: Form::Reparameterised });
        measure(bench, &OptimizerConfig::new(rule, 0.028), 3000, [])
    },
);

pub const ADAM: Claim = claim(
    "edge-adam",
    concat!(
        r"with Adam the preconditioned sharpness $\lambda_{\max}(P^{-1}H)$ rises, from where the second moment holds ",
        r"63 % of its weight ($\frac1{1-\beta_2}=100$ steps, $\beta_2=0.99$), until it hovers at ",
        r"$\frac{2+2\beta_1}{(1-\beta_1)\epsilon}$",
    ),
    "Cohen et al. 2022, eq. 2",
    // (1 + β₁)/(1 − β₁).
    &[STAYS, FALLS, BELOW, ABOVE, AT_PLAIN, plain(|samples| scaled(samples, 19.0))],
    |bench| {
        let rule = RuleConfig::Adam(AdamConfig { beta_2: 0.99, ..AdamConfig::default() });
        let others = [Setting::new(Architecture::cnn(), 2e-3, 3000), Setting::new(Architecture::resnet(), 2e-3, 3000)];
        measure(bench, &OptimizerConfig::new(rule, 2e-3), 3000, others)
    },
);

pub const SAM: Claim = claim(
    "edge-sam",
    concat!(
        r"with SAM it hovers at $\frac{\|g\|}{2\rho}\left(\sqrt{1+\frac{8\rho}{\epsilon\|g\|}}-1\right)$, ",
        r"below $\frac2\epsilon$",
    ),
    "Long & Bartlett 2024, eq. 1",
    // It depends on ‖g‖: 0.35 of 2/ε on average, among the figures.
    &[STAYS, FALLS, BELOW, ABOVE, AT_PLAIN, plain(|samples| scaled(samples, 0.35))],
    |bench| {
        let rule = RuleConfig::Gd(GradientDescentConfig {});
        measure(bench, &OptimizerConfig::new(rule, 0.032).with_sam(SamConfig::new(0.02)), 3000, [])
    },
);

pub const GRADIENT_NORM: Claim = claim(
    "edge-gradient-norm",
    concat!(
        r"with the norm of the gradient as a penalty, $L+\alpha\rho\|g\|$, taken as SAM's gradient with weight ",
        r"$\alpha$, it hovers where SAM with the radius $\alpha\rho$ does",
    ),
    "Zhao, Zhang & Hu 2022; the edge: Long & Bartlett 2024, eq. 1, with αρ",
    &[
        STAYS,
        FALLS,
        BELOW,
        ABOVE,
        AT_PLAIN,
        plain(|samples| scaled(samples, 0.34)),
        // At 0.34 of 2/ε, ρλ²/‖g‖ is 0.66 of it, and with twice the radius the edge is lower by a quarter.
        FalseStatement::samples("the weight does nothing: ρ for αρ", OVER_EDGE, |samples| scaled(samples, 1.3)),
    ],
    |bench| {
        let rule = RuleConfig::Gd(GradientDescentConfig {});
        let sam = SamConfig { weight: 0.5, ..SamConfig::new(0.04) };
        measure(bench, &OptimizerConfig::new(rule, 0.032).with_sam(sam), 3000, [])
    },
);

/// A run: the ratio of sharpness and edge at the start and over the last third, that of sharpness and gradient
/// descent's edge there, and what was seen at which step.
#[derive(Default)]
struct Trial {
    start: f64,
    ratio: f64,
    over_plain: f64,
    sharpness: Vec<(f64, f64)>,
    edge: Vec<(f64, f64)>,
    loss: Vec<(f64, f64)>,
}

/// Where a method comes to its edge: on which network, at which rate, in how many steps, seen with how many seeds.
struct Setting {
    network: Architecture,
    rate: f64,
    steps: usize,
    seeds: u64,
}

impl Setting {
    fn new(network: Architecture, rate: f64, steps: usize) -> Self {
        Self { network, rate, steps, seeds: 5 }
    }
}

/// On tanh 64-32-32-10 in so many steps (twice as many at full effort), and at full effort on others.
fn measure<const N: usize>(
    bench: &Workbench,
    config: &OptimizerConfig,
    steps: usize,
    others: [Setting; N],
) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let (steps, seeds) = bench.effort.of((steps, 6), (2 * steps, 12));
    let first = Setting { network: Architecture::mlp([32, 32]), rate: config.learning_rate, steps, seeds };
    measure_on(bench, config, &first, &mut evidence)?;
    for setting in bench.effort.of(None, Some(others)).into_iter().flatten() {
        let config = OptimizerConfig { learning_rate: setting.rate, ..config.clone() };
        measure_on(bench, &config, &setting, &mut evidence)?;
    }
    Ok(evidence)
}

/// On 200 digits, half of them with random labels so that there is much to learn, squared error: the ratio of sharpness
/// and edge over the last third of the steps. Rates are such that the edge is above the sharpness at the start, and
/// steps as many as it takes to get there.
fn measure_on(
    bench: &Workbench,
    config: &OptimizerConfig,
    Setting { network, steps, seeds, .. }: &Setting,
    evidence: &mut Evidence,
) -> Result<(), LabError> {
    let steps = *steps;
    // Before Adam's second moment has seen as many gradients as it remembers, its preconditioner says nothing of the
    // loss.
    let start_of_rise = match &config.rule {
        RuleConfig::Adam(adam) => (1.0 / (1.0 - adam.beta_2)).round() as usize,
        _ => 0,
    };
    let runs = (0..*seeds).into_par_iter().map(|seed| -> Result<Trial, LabError> {
        let objective = bench.on_digits(network, 200, 0.5, bench.seed_of(seed))?;
        let mut run = Trial::default();
        let (mut sum, mut over_plain, mut count, mut start) = (0.0, 0.0, 0, None);
        let random = &mut draws(bench.seed_of(seed), 15);
        descend(
            config,
            objective.parameters(),
            steps,
            |w| Ok(objective.gradient(w)?),
            |at| {
                if at.step % 20 > 0 {
                    return Ok(at.value.is_finite());
                }
                let point = objective.at(&at.w)?;
                let solver = Eigensolver { probes: 12, ..Eigensolver::top(1) }.with_tolerance(1e-3);
                let mut solve = |operator: &dyn SymmetricOperator| solver.solve(&operator, start.as_ref(), random);
                let found = match (seen_by(config), at.preconditioner()) {
                    (Curvature::Preconditioned, Some(diagonal)) => {
                        solve(&preconditioned(point.hessian(), diagonal, config.weight_decay))
                    }
                    _ => solve(&point.hessian()),
                };
                let found = found.map_err(losscape_analysis::AnalysisError::from)?;
                let sharpness = found.top[0].value;
                start = Some(found.vectors);
                let edge = edge(config, config.learning_rate, norm(&at.gradient)).map_or(f64::NAN, |edge| edge.value);
                let step = at.step as f64;
                run.sharpness.push((step, sharpness));
                run.edge.push((step, edge));
                run.loss.push((step, at.value));
                if at.step == start_of_rise {
                    run.start = sharpness / edge;
                }
                if 3 * at.step >= 2 * steps {
                    sum += sharpness / edge;
                    over_plain += 0.5 * config.learning_rate * sharpness;
                    count += 1;
                }
                Ok(true)
            },
        )?;
        // A run that diverged shows nothing.
        let mean = |sum: f64| if count > 0 { sum / f64::from(count) } else { f64::NAN };
        (run.ratio, run.over_plain) = (mean(sum), mean(over_plain));
        Ok(run)
    });
    let mut runs: Vec<Trial> = runs.collect::<Result<_, _>>()?;
    let ratios: Vec<f64> = runs.iter().map(|run| run.ratio).collect();
    let name = |what: &str| network.of(what);
    evidence
        .figure(name("sharpness over edge, mean of the last third"), ratios.iter().sum::<f64>() / ratios.len() as f64);
    evidence.figure(
        name(&format!("after {start_of_rise} steps")),
        runs.iter().map(|run| run.start).sum::<f64>() / runs.len() as f64,
    );
    evidence.effect(Effect::above(name("its rise since then"), 0.05, runs.iter().map(|run| run.ratio - run.start)));
    if !matches!(config.rule, RuleConfig::Gd(_)) || config.sam.is_some() {
        let mean = runs.iter().map(|run| run.over_plain / run.ratio).sum::<f64>() / runs.len() as f64;
        evidence.figure(name("edge over gradient descent's 2/ε, mean of the last third"), mean);
        // So far that gradient descent's edge would be outside the band.
        let away = runs.iter().map(|run| run.over_plain.ln().abs());
        evidence.effect(Effect::above(name(FROM_PLAIN), -0.9f64.ln(), away));
    }
    evidence.effect(Effect::within(name(OVER_EDGE), [0.9, 1.1], ratios));
    let Trial { sharpness, edge, loss, .. } = runs.swap_remove(0);
    evidence.plot(Plot {
        title: name("Sharpness at the edge"),
        reading: format!(
            "{} on 200 digits: the sharpness that decides about the method's steps, and where they would begin to \
             grow.",
            network.words()
        ),
        x: "step".to_owned(),
        y: "sharpness".to_owned(),
        series: vec![Series::measured("sharpness", sharpness), Series::bound("edge", edge)],
        ..Plot::default()
    });
    evidence.plot(Plot {
        title: name("Loss on the way"),
        reading: "At the edge the loss rises and falls from step to step, and still falls in the long run.".to_owned(),
        x: "step".to_owned(),
        y: "loss".to_owned(),
        log_y: true,
        series: vec![Series::measured("loss", loss)],
        ..Plot::default()
    });
    Ok(())
}
