//! The wider a network in NTK parameterization, the less its kernel moves.

use losscape_analysis::ntk::change;

use super::false_statement::scaled;
use super::problem::{gradient_descent, log_slope};
use super::{Claim, Effect, Evidence, Expectation, FalseStatement, Family, Plot, Series, Workbench, descent::descend};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "lazy-kernel",
    family: Family::Width,
    printed: r"not in the notes; they speak of one tangent kernel",
    exact: concat!(
        r"in NTK parameterization the relative change $\|K_t-K_0\|/\|K_0\|$ over training shrinks with the width like ",
        r"$\frac1m$; $\frac1{\sqrt m}$ is a bound, and not attained",
    ),
    source: "Jacot, Gabriel & Hongler 2018; Huang & Yau 2020; Dyer & Gur-Ari 2020",
    expected: Expectation::Supported,
    false_statements: &[
        FalseStatement::samples("the change falls like 1/√m and no faster", "−slope", |samples| {
            scaled(samples, 0.5)
        }),
        FalseStatement::samples("the change falls like m^(−1/4)", "−slope", |samples| scaled(samples, 0.25)),
        FalseStatement::samples("the change falls like 1/m²", "−slope", |samples| scaled(samples, 2.0)),
    ],
    measure,
};

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let widths = bench.effort.of(vec![64, 128, 256, 512, 1024, 2048], vec![64, 128, 256, 512, 1024, 2048, 4096]);
    let (mut slopes, mut plotted) = (Vec::new(), Vec::new());
    for seed in 0..bench.effort.of(30, 40) {
        let mut changes = Vec::new();
        for &width in &widths {
            let objective = bench.student(&[width], 20, bench.seed_of(seed))?;
            let start = objective.parameters();
            let (mut first, mut last, mut reached) = (None, start.clone(), false);
            // To a tenth of the loss that it begins with: the same training for every width.
            descend(
                &gradient_descent(0.5),
                start.clone(),
                5000,
                |w| Ok(objective.gradient(w)?),
                |at| {
                    let first = *first.get_or_insert(at.value);
                    last = at.w;
                    reached = at.value <= 0.1 * first;
                    Ok(!reached)
                },
            )?;
            let moved = change(&objective.kernel(&last)?, &objective.kernel(&start)?);
            changes.push((width as f64, if reached { moved } else { f64::NAN }));
        }
        slopes.push(log_slope(&changes));
        plotted.push(Series::measured(format!("seed {seed}"), changes));
    }
    plotted.truncate(4);
    evidence
        .figure("mean log-log slope of the change against the width", slopes.iter().sum::<f64>() / slopes.len() as f64);
    evidence.effect(Effect::within("−slope, 1", [0.75, 1.25], slopes.into_iter().map(|slope| -slope)));
    evidence.plot(Plot {
        title: "How far the kernel moves".to_owned(),
        reading: "Trained to a tenth of the initial loss: ever wider networks end with ever the same kernel."
            .to_owned(),
        x: "width m".to_owned(),
        y: "‖K − K₀‖ / ‖K₀‖".to_owned(),
        log_x: true,
        log_y: true,
        series: plotted,
        ..Plot::default()
    });
    Ok(evidence)
}
