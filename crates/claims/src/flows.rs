//! What flows say of gradient descent at its edge, beside what it does.

use losscape_flow::{Comparison, Kind, Look, Settings};
use losscape_lab::LabError;
use rayon::prelude::*;

use super::descent::descend;
use super::false_statement::around;
use super::networks::Architecture;
use super::problem::gradient_descent;
use super::{Effect, Evidence, FalseStatement, Plot, Series, Workbench};

/// Steps of the method: the path of a flow leaves that of training with time, and what it says of the loss with it.
const STEPS: usize = 1200;

/// The false statements that a flow's evidence has to catch: what gradient flow says in its place.
pub const FALSE: &[FalseStatement] = &[
    FalseStatement::samples("the flow leaves the edge, as gradient flow does", SHARPNESS, |samples| {
        around(samples, 1.2)
    }),
    FalseStatement::samples("the flow stays below the edge", SHARPNESS, |samples| around(samples, 0.85)),
    FalseStatement::samples("the flow lowers the loss too fast", LOSS, |samples| around(samples, 0.8)),
    FalseStatement::samples("the flow lowers the loss too slowly", LOSS, |samples| around(samples, 1.25)),
    FalseStatement::samples("training stays below its edge", EDGE, |samples| around(samples, 0.8)),
    FalseStatement::samples("gradient flow has the sharpness, too", STABLE, super::false_statement::none),
];

const SHARPNESS: &str = "sharpness on the flow's path over that of training";
const EDGE: &str = "sharpness of training over its edge";
const LOSS: &str = "mean loss that the flow predicts over that of training";
const STABLE: &str = "log of the sharpness on gradient flow's path over that of training";

/// A flow beside gradient descent on digits, half of them with random labels, squared error: over the last half of the
/// steps, its loss and sharpness over those of training, and gradient flow's sharpness over that.
pub fn beside(bench: &Workbench, kind: Kind) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let seeds = bench.effort.of(5, 12);
    let (network, samples, config) = (Architecture::mlp([16, 16, 16]), 90, gradient_descent(0.08));
    let runs = (0..seeds).into_par_iter().map(|seed| -> Result<Vec<Look>, LabError> {
        let own = bench.seed_of(seed);
        let objective = bench.on_digits(&network, samples, 0.5, own)?;
        let start = objective.parameters();
        let flows = vec![Kind::Stable, kind];
        let settings = Settings { flows, every: STEPS / 40, top: 1, seed: own };
        let modelled = bench.on_digits(&network, samples, 0.5, own)?;
        let mut comparison = Comparison::begin(modelled, &config, settings, &start)?;
        let mut looks = Vec::new();
        let function = |w: &_| Ok(objective.gradient(w)?);
        descend(&config, start, STEPS, function, |at| {
            looks.extend(comparison.see(at.step, &at.w, || at.preconditioner())?);
            Ok(true)
        })?;
        Ok(looks)
    });
    let runs: Vec<Vec<Look>> = runs.collect::<Result<_, _>>()?;
    // A flow that ended early says nothing.
    let ratio = |looks: &Vec<Look>, flow: &str, method: &str| {
        let late = looks.iter().filter(|look| 2 * look.step >= STEPS);
        let sum =
            |name: &str| late.clone().map(|look| look.quantities.get(name).copied().unwrap_or(f64::NAN)).sum::<f64>();
        sum(flow) / sum(method)
    };
    let of = |flow: &str, method: &str| runs.iter().map(|looks| ratio(looks, flow, method)).collect::<Vec<_>>();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let own = |what: &str| format!("{kind}_{what}");
    let (sharpness, loss) = (of(&own("sharpness"), "sharpness"), of(&own("loss"), "averaged_loss"));
    let stable = of("stable_sharpness", "sharpness");
    evidence.figure("gradient flow: mean loss over that of training", mean(&of("stable_loss", "averaged_loss")));
    evidence.figure("gradient flow: sharpness over that of training", mean(&stable));
    evidence.figure(
        "oscillation that the flow predicts over that of training",
        mean(&of(&own("oscillation"), "oscillation")),
    );
    evidence.effect(Effect::within(EDGE, [0.95, 1.05], of("sharpness", "edge")));
    evidence.effect(Effect::within(SHARPNESS, [0.95, 1.05], sharpness));
    evidence.effect(Effect::within(LOSS, [0.9, 1.1], loss));
    evidence.effect(Effect::above(STABLE, 1.1f64.ln(), stable.into_iter().map(f64::ln)));
    let points = |name: &str| {
        let of = |look: &Look| look.quantities.get(name).map(|value| (look.step as f64, *value));
        runs[0].iter().filter_map(of).collect::<Vec<_>>()
    };
    for (title, y, method, of_flow, log_y) in [
        ("Sharpness, seen and predicted", "λ_max(H)", "sharpness", "sharpness", false),
        ("Mean loss, seen and predicted", "loss", "averaged_loss", "loss", true),
    ] {
        let mut series = vec![
            Series::measured("training", points(method)),
            Series::measured(format!("{kind} flow"), points(&own(of_flow))),
            Series::measured("gradient flow", points(&format!("stable_{of_flow}"))),
        ];
        if !log_y {
            series.push(Series::bound("edge", points("edge")));
        }
        evidence.plot(Plot {
            title: title.to_owned(),
            reading: format!("{} on {samples} digits, squared error, one seed.", network.words()),
            x: "step".to_owned(),
            y: y.to_owned(),
            log_y,
            series,
            ..Plot::default()
        });
    }
    Ok(evidence)
}
