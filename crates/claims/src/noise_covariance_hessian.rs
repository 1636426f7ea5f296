//! The covariance of the samples' gradients is the Hessian in direction, and not in size.

use burn::tensor::Tensor;
use losscape_krylov::dense;
use rayon::prelude::*;

use super::false_statement::{around, none};
use super::problem::{gradient_descent, inner, log_slope};
use super::{
    Check, Claim, Effect, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench,
    descent::descend,
};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "noise-covariance-hessian",
    family: Family::Flatness,
    printed: concat!(
        r"not in the notes; behind the width $\frac\epsilon B$ stands that the covariance C of the samples' gradients ",
        r"is the Hessian H",
    ),
    exact: concat!(
        r"for squared error of one output, late in training, $C\approx2L\,H$: its directions are those of H, its size ",
        r"falls with the loss, so that the noise of SGD dies out where the data is fitted",
    ),
    source: "Jastrzębski et al. 2017; against: Mori et al. 2022",
    expected: Expectation::HoldsAsCorrected,
    false_statements: &[
        // Of two positive semidefinite matrices the cosine is not zero: of unrelated ones of rank 60, 0.26.
        FalseStatement::samples("C has nothing to do with H", "cosine of C and H", |samples| around(samples, 0.3)),
        FalseStatement::samples("the size of C does not change with the loss", "slope", none),
        FalseStatement::samples("it goes with the square of the loss", "slope", |samples| around(samples, 2.0)),
        FalseStatement::samples("C = 2H as the loss falls", "log of tr C over 2L tr H", |samples| around(samples, 4.0)),
        FalseStatement::pairs("the loss stays where it is", "fell to", |pair| Pair { left: 1.0, ..pair }),
    ],
    measure,
};

/// What was seen at a loss: L, the traces of C and H, and the cosine between them.
struct Seen {
    loss: f64,
    covariance: f64,
    hessian: f64,
    cosine: f64,
}

/// Losses, as shares of the first, at which both matrices are written down.
const SHARES: [f64; 5] = [0.1, 0.03, 0.01, 0.003, 0.001];

/// A tanh network of width 16 in NTK parameterization, 60 samples of a random teacher, gradient descent.
fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let seeds = bench.effort.of(6, 20);
    let runs = (0..seeds).into_par_iter().map(|seed| -> Result<Vec<Seen>, LabError> {
        let objective = bench.student(&[16], 60, bench.seed_of(seed))?;
        let (mut seen, mut first) = (Vec::new(), None);
        descend(
            &gradient_descent(0.3),
            objective.parameters(),
            200_000,
            |w| Ok(objective.gradient(w)?),
            |at| {
                let first = *first.get_or_insert(at.value);
                let Some(share) = SHARES.get(seen.len()) else { return Ok(false) };
                if at.value <= share * first {
                    let point = objective.at(&at.w)?;
                    let hessian = dense::materialize(&point.hessian());
                    let covariance = dense::materialize(&point.covariance()?);
                    let flat = |matrix: &Tensor<2>| matrix.clone().reshape([-1]);
                    let (c, h): (Tensor<1>, Tensor<1>) = (flat(&covariance), flat(&hessian));
                    let cosine = inner(&c, &h) / (inner(&c, &c) * inner(&h, &h)).sqrt();
                    let trace = |matrix: Tensor<2>| {
                        let size = matrix.dims()[0];
                        matrix.into_data().iter::<f64>().step_by(size + 1).sum::<f64>()
                    };
                    let (covariance, hessian) = (trace(covariance), trace(hessian));
                    seen.push(Seen { loss: at.value / first, covariance: covariance / first, hessian, cosine });
                }
                Ok(at.value.is_finite())
            },
        )?;
        Ok(seen)
    });
    let runs: Vec<Vec<Seen>> = runs.collect::<Result<_, _>>()?;
    let last = |of: fn(&Seen) -> f64| runs.iter().map(|seen| seen.last().map_or(f64::NAN, of)).collect::<Vec<_>>();
    let arrived = runs.iter().map(|seen| (seen.last().map_or(1.0, |seen| seen.loss), SHARES[SHARES.len() - 1]));
    evidence.check(Check::at_most("the loss fell to a thousandth", 0.0, arrived.collect::<Vec<_>>()).condition());
    evidence.effect(Effect::above("at the end: cosine of C and H", 0.5, last(|seen| seen.cosine)));
    let ratio = last(|seen| (seen.covariance / (2.0 * seen.loss * seen.hessian)).ln());
    evidence.effect(Effect::within("at the end: log of tr C over 2L tr H", [-1.0, 1.0], ratio));
    let slopes = runs.iter().map(|seen| {
        let points: Vec<(f64, f64)> = seen.iter().map(|seen| (seen.loss, seen.covariance / seen.hessian)).collect();
        log_slope(&points)
    });
    evidence.effect(Effect::within(
        "log-log slope of tr C / tr H against the loss",
        [0.8, 1.2],
        slopes.collect::<Vec<_>>(),
    ));
    let printed = runs.iter().flatten().map(|seen| (seen.covariance / seen.hessian, 1.0));
    evidence.check(Check::equal("tr C = tr H, in units of the first loss", 0.1, printed.collect::<Vec<_>>()).printed());
    evidence.plot(Plot {
        title: "Gradient noise over curvature".to_owned(),
        reading: "tr C / tr H along training, both by dense matrices; the line is 2L.".to_owned(),
        x: "loss over the first".to_owned(),
        y: "tr C / (tr H · first loss)".to_owned(),
        log_x: true,
        log_y: true,
        series: runs
            .iter()
            .take(4)
            .enumerate()
            .map(|(seed, seen)| {
                let points = seen.iter().map(|seen| (seen.loss, seen.covariance / seen.hessian));
                Series::measured(format!("seed {seed}"), points.collect::<Vec<_>>())
            })
            .chain([Series::bound("2L", SHARES.map(|share| (share, 2.0 * share)))])
            .collect(),
        ..Plot::default()
    });
    Ok(evidence)
}
