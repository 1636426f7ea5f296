//! Training sharpens, long before there is an edge.

use rayon::prelude::*;

use super::false_statement::{negated, none};
use super::networks::Architecture;
use super::problem::{draws, gradient_descent};
use super::{
    Check, Claim, Effect, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench,
    descent::descend,
};
use losscape_analysis::AnalysisError;
use losscape_krylov::Eigensolver;
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "progressive-sharpening",
    family: Family::Edge,
    printed: "not in the notes: $\\beta$ is taken to be given",
    exact: concat!(
        r"on the way of gradient flow, until the loss is a fiftieth of the first one, $\lambda_{\max}(H)$ rises, and ",
        r"less in wider networks",
    ),
    source: "Cohen et al. 2021",
    expected: Expectation::Supported,
    false_statements: &[
        FalseStatement::samples("the sharpness stays", "log of λ_max at the end over that", none),
        FalseStatement::samples("it falls", "log of λ_max at the end over that", negated),
        FalseStatement::samples("width does not matter", "narrow less wide", none),
        FalseStatement::samples("wide networks sharpen more", "narrow less wide", negated),
        FalseStatement::pairs("the steps are at the edge", "ελ_max ≤ 1.5", |pair| Pair { left: 2.0, ..pair }),
        FalseStatement::pairs("training ends at once", "loss at the end", |pair| Pair { left: 1.0, ..pair }),
    ],
    measure,
};

/// Below the edge, where steps follow the flow.
const RATE: f64 = 0.015;

/// The share of the first loss at which training ends.
const SHARE: f64 = 0.02;

/// Widths of both hidden layers.
const WIDTHS: [usize; 2] = [32, 128];

/// On 100 digits, half of them with random labels, squared error.
fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let seeds = bench.effort.of(4, 16);
    let jobs: Vec<(u64, usize)> = (0..seeds).flat_map(|seed| WIDTHS.map(|width| (seed, width))).collect();
    let runs = jobs.into_par_iter().map(|(seed, width)| -> Result<(Vec<(f64, f64)>, f64), LabError> {
        let network = Architecture::mlp([width, width]);
        let objective = bench.on_digits(&network, 100, 0.5, bench.seed_of(seed))?;
        let (mut seen, mut first, mut last) = (Vec::new(), None, f64::NAN);
        let mut start = None;
        let random = &mut draws(bench.seed_of(seed), 31);
        descend(
            &gradient_descent(RATE),
            objective.parameters(),
            40_000,
            |w| Ok(objective.gradient(w)?),
            |at| {
                let first = *first.get_or_insert(at.value);
                last = at.value / first;
                let ends = last <= SHARE || !at.value.is_finite();
                if ends || at.step % 500 == 0 {
                    let point = objective.at(&at.w)?;
                    let solver = Eigensolver { probes: 12, ..Eigensolver::top(1) }.with_tolerance(1e-3);
                    let found = solver.solve(&point.hessian(), start.as_ref(), random).map_err(AnalysisError::from)?;
                    seen.push((at.step as f64, found.top[0].value));
                    start = Some(found.vectors);
                }
                Ok(!ends)
            },
        )?;
        Ok((seen, last))
    });
    let runs: Vec<(Vec<(f64, f64)>, f64)> = runs.collect::<Result<_, _>>()?;
    let rise = |(seen, _): &(Vec<(f64, f64)>, f64)| (seen[seen.len() - 1].1 / seen[0].1).ln();
    let of = |at: usize| runs.iter().skip(at).step_by(WIDTHS.len()).map(rise).collect::<Vec<_>>();
    for (at, width) in WIDTHS.into_iter().enumerate() {
        let rises = of(at);
        evidence.figure(
            format!("width {width}: λ_max at the end over that at the start, geometric mean"),
            (rises.iter().sum::<f64>() / rises.len() as f64).exp(),
        );
    }
    evidence.effect(Effect::above("narrow network: log of λ_max at the end over that at the start", 0.0, of(0)));
    let differences = of(0).into_iter().zip(of(1)).map(|(narrow, wide)| narrow - wide);
    evidence.effect(Effect::above("the same, narrow less wide", 0.0, differences.collect::<Vec<_>>()));
    let highest = runs.iter().flat_map(|(seen, _)| seen).map(|(_, sharpness)| (RATE * sharpness, 1.5));
    evidence
        .check(Check::at_most("steps stay below the edge: ελ_max ≤ 1.5", 0.0, highest.collect::<Vec<_>>()).condition());
    let ends = runs.iter().map(|(_, last)| (*last, SHARE));
    evidence
        .check(Check::at_most("loss at the end ≤ a fiftieth of the first", 0.0, ends.collect::<Vec<_>>()).condition());
    evidence.plot(Plot {
        title: "Sharpness on the way of gradient flow".to_owned(),
        reading:
            "Tanh networks on 100 digits, squared error, ε = 0.015, to a fiftieth of the first loss; the first seed."
                .to_owned(),
        x: "step".to_owned(),
        y: "λ_max(H)".to_owned(),
        series: WIDTHS
            .into_iter()
            .zip(&runs)
            .map(|(width, (seen, _))| Series::measured(format!("width {width}"), seen.clone()))
            .collect(),
        ..Plot::default()
    });
    Ok(evidence)
}
