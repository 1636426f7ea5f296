//! What averages of weights do to the minima that SGD finds.

use losscape_lab::LabError;
use losscape_optim::average::ema::EmaConfig;
use losscape_optim::average::swa::SwaConfig;

use super::false_statement::{doubled, negated, none};
use super::flattens::{Contender, compared};
use super::networks::Architecture;
use super::problem::gradient_descent;
use super::{Claim, Evidence, Expectation, FalseStatement, Family, Workbench};

pub const CLAIM: Claim = Claim {
    id: "swa-flattens",
    family: Family::Flatness,
    printed: r"not in the notes, which ask for other ways to wider basins",
    exact: concat!(
        r"the average of the weights that SGD at a constant rate passes through is at a flatter place than the ",
        r"weights that SGD ends in; put to a comparison at equal training loss, of which the source says nothing: is ",
        r"its $\lambda_{\max}(H)$ lower there?",
    ),
    source: "Izmailov et al. 2018, who compare the ends of training, at different losses",
    expected: Expectation::Any,
    false_statements: &[
        FalseStatement::samples("the average is where SGD ends", "−log of λ_max", none),
        FalseStatement::samples("averages are sharper", "−log of λ_max", negated),
        FalseStatement::pairs("minima of twice the loss are compared", "their losses", doubled),
    ],
    measure,
};

/// Tanh 64-64-64-10 on digits, SGD with batches of 32 at a constant rate of 0.1: the mean of the weights after each
/// epoch, and an exponential one over about four epochs.
fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let sgd = || gradient_descent(0.1);
    let contenders = [
        Contender::new("SGD", sgd()),
        Contender::averaged("SWA", sgd(), SwaConfig { start: Some(1), every: None }),
        Contender::averaged("EMA, β = 0.995", sgd(), EmaConfig { decay: 0.995, every: 1 }),
    ];
    let digits = (usize::MAX, bench.effort.of(3, 10));
    compared(bench, &Architecture::mlp([64, 64]), &contenders, digits, &mut evidence)?;
    Ok(evidence)
}
