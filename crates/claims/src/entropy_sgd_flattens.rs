//! What Entropy-SGD does to the minima that SGD finds.

use losscape_lab::LabError;
use losscape_optim::OptimizerConfig;
use losscape_optim::entropy_sgd::EntropySgdConfig;

use super::false_statement::{doubled, negated, none};
use super::flattens::{Contender, compared};
use super::networks::Architecture;
use super::problem::gradient_descent;
use super::{Claim, Evidence, Expectation, FalseStatement, Family, Workbench};

pub const CLAIM: Claim = Claim {
    id: "entropy-sgd-flattens",
    family: Family::Flatness,
    printed: r"not in the notes, which ask for other ways to wider basins",
    exact: concat!(
        r"Entropy-SGD, which goes down the loss averaged around a point, ends in wider valleys than SGD; put to a ",
        r"comparison at equal training loss, of which the source says nothing: is $\lambda_{\max}(H)$ lower there?",
    ),
    source: "Chaudhari et al. 2017, who compare the ends of training, at different losses",
    expected: Expectation::Any,
    false_statements: &[
        FalseStatement::samples("it leaves λ_max where SGD has it", "−log of λ_max", none),
        FalseStatement::samples("it sharpens", "−log of λ_max", negated),
        FalseStatement::pairs("minima of twice the loss are compared", "their losses", doubled),
    ],
    measure,
};

/// Tanh 64-64-64-10 on digits, batches of 32, inner rate 0.1, with the scope of the authors' program and one beyond.
fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let entropy = |scope: f64| {
        let rule: EntropySgdConfig = EntropySgdConfig { scope, ..EntropySgdConfig::default() };
        OptimizerConfig::new(rule, 0.1)
    };
    let contenders = [
        Contender::new("SGD", gradient_descent(0.1)),
        // It is where it aims at after every twentieth step.
        Contender { look: 20, ..Contender::new("Entropy-SGD, γ = 0.01", entropy(0.01)) },
        Contender { look: 20, ..Contender::new("Entropy-SGD, γ = 1", entropy(1.0)) },
    ];
    let digits = (usize::MAX, bench.effort.of(3, 10));
    compared(bench, &Architecture::mlp([64, 64]), &contenders, digits, &mut evidence)?;
    Ok(evidence)
}
