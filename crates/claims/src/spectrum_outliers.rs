//! A bulk near zero, and about as many outliers as classes.

use super::false_statement::{around, scaled};
use super::networks::Architecture;
use super::problem::{gradient_descent, spectrum};
use super::{Claim, Effect, Evidence, Expectation, FalseStatement, Family, Plot, Series, Workbench, descent::descend};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "spectrum-outliers",
    family: Family::Flatness,
    printed: r"not in the notes",
    exact: r"the Hessian of a trained classifier has a bulk near zero and $C$ outliers, or $C-1$",
    source: "Sagun et al. 2017; Papyan 2018",
    expected: Expectation::Supported,
    false_statements: &[
        FalseStatement::samples("half of the eigenvalues are in the bulk", "share of eigenvalues", |samples| {
            around(samples, 0.5)
        }),
        FalseStatement::samples("there are C/2 outliers", "outliers", |samples| scaled(samples, 0.5)),
        FalseStatement::samples("there are 2C outliers", "outliers", |samples| scaled(samples, 2.0)),
        FalseStatement::samples("there are C + 3 outliers", "outliers", |samples| scaled(samples, 1.3)),
    ],
    measure,
};

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let (seeds, samples, steps) = bench.effort.of((3, 200, 800), (6, 1000, 5000));
    on(bench, &Architecture::mlp([16]), (seeds, samples, steps), &mut evidence)?;
    for network in Architecture::others(bench.effort) {
        on(bench, &network, (3, 500, 2000), &mut evidence)?;
    }
    Ok(evidence)
}

/// A network trained with so many seeds, on so many samples, for so many steps.
fn on(
    bench: &Workbench,
    network: &Architecture,
    (seeds, samples, steps): (u64, usize, usize),
    evidence: &mut Evidence,
) -> Result<(), LabError> {
    let (mut bulk, mut outliers, mut plotted) = (Vec::new(), Vec::new(), Vec::new());
    for seed in 0..seeds {
        let objective = bench.on_digits(network, samples, 0.0, bench.seed_of(seed))?;
        let mut last = objective.parameters();
        descend(
            &gradient_descent(0.1),
            last.clone(),
            steps,
            |w| Ok(objective.gradient(w)?),
            |at| {
                last = at.w;
                Ok(true)
            },
        )?;
        let values = spectrum(&objective.at(&last)?.hessian())?;
        let top = values[values.len() - 1];
        let small = values.iter().filter(|value| value.abs() < 0.01 * top).count();
        bulk.push(small as f64 / values.len() as f64);
        // The widest gap in ratio among the thirty largest.
        let count = (1..30).max_by(|&a, &b| gap(&values, a).total_cmp(&gap(&values, b))).unwrap_or(1);
        outliers.push(count as f64);
        plotted = values.iter().rev().take(60).enumerate().map(|(at, value)| ((at + 1) as f64, *value)).collect();
    }
    let name = |what: &str| network.of(what);
    evidence.figure(
        name("mean number of eigenvalues above the widest gap, C = 10"),
        outliers.iter().sum::<f64>() / outliers.len() as f64,
    );
    evidence.figure(
        name("mean share of eigenvalues within a hundredth of the largest"),
        bulk.iter().sum::<f64>() / bulk.len() as f64,
    );
    evidence.effect(Effect::above(name("share of eigenvalues within a hundredth of the largest"), 0.75, bulk));
    evidence.effect(Effect::within(name("outliers, C or C − 1"), [8.5, 10.5], outliers));
    evidence.plot(Plot {
        title: name("The largest eigenvalues"),
        reading: format!("{} on digits, trained by gradient descent: where does the bulk begin?", network.words()),
        x: "rank".to_owned(),
        y: "eigenvalue of H".to_owned(),
        log_y: true,
        series: vec![Series::measured("eigenvalues", plotted)],
        ..Plot::default()
    });
    Ok(())
}

/// The ratio of the `at`-th largest eigenvalue to the next.
fn gap(ascending: &[f64], at: usize) -> f64 {
    let from_top = |at: usize| ascending[ascending.len() - at].max(f64::MIN_POSITIVE);
    from_top(at) / from_top(at + 1)
}
