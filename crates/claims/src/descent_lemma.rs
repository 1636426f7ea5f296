//! How much a step of 1/L lowers a smooth function.

use burn::tensor::Tensor;

use super::false_statement::{doubled, tighter};
use super::problem::{draws, geometric, gradient_descent, inner};
use super::{
    Check, Claim, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench,
    descent::{Function, descend},
};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "descent-lemma",
    family: Family::Convergence,
    printed: concat!(
        r"a Lipschitz gradient leads to the step $\alpha=\frac1L$; equality is achieved when the norm of the gradient ",
        r"is $0$ (the derivation is left open)",
    ),
    exact: concat!(
        r"$f\left(w-\frac1L\nabla f\right)\le f(w)-\frac{1}{2L}\|\nabla f(w)\|^2$, below $f(w)$ wherever $\nabla ",
        r"f(w)\ne0$; with equality where $\nabla f(w)=0$, as printed, and not only there: for $\frac L2\|w\|^2$ at ",
        r"every $w$",
    ),
    source: "lecture notes, Lipschitz Continuity for Step size; Nesterov 2018, eq. 1.2.19",
    expected: Expectation::Holds,
    false_statements: &[
        FalseStatement::pairs("a step comes down by ‖g‖²/1.8L", "‖g‖²/2L ≤", tighter),
        FalseStatement::pairs("a step comes down by ‖g‖²/L", "‖g‖²/2L ≤", doubled),
        FalseStatement::pairs("on ½L‖w‖² it comes down further", "½L‖w‖²: f(w)", tighter),
        FalseStatement::pairs("a step moves on where the gradient is zero", "where g = 0", |pair| Pair {
            left: 0.999 * pair.left,
            ..pair
        }),
    ],
    measure,
};

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let steps = bench.effort.of(300, 3000);
    let mut series = Vec::new();
    let mut pairs = Vec::new();
    let mut follow = |name: &str, smoothness: f64, start: Tensor<1>, f: Function| {
        let mut slacks = Vec::new();
        let mut before: Option<(f64, f64)> = None;
        descend(&gradient_descent(1.0 / smoothness), start, steps, f, |at| {
            let squared = inner(&at.gradient, &at.gradient);
            if let Some((value, squared)) = before {
                let promised = squared / (2.0 * smoothness);
                // Below this, what a step comes down by is rounding of the loss.
                if promised > 1e-9 * value {
                    pairs.push((promised, value - at.value));
                }
                slacks.push((at.step as f64, value - at.value - promised));
            }
            before = Some((at.value, squared));
            Ok(true)
        })?;
        series.push(Series::measured(name, slacks));
        Ok::<(), LabError>(())
    };
    let (objective, ..) = bench.least_squares(&geometric(0.01, 4.0, 10), [30, 10], 0.5, bench.seed)?;
    follow("least squares", 4.0, bench.vector(&[1.0; 10]), &|w| Ok(objective.gradient(w)?))?;
    let logistic = bench.logistic(200, 10, bench.seed)?;
    follow("logistic regression", logistic.smoothness, bench.vector(&[1.0; 10]), &|w| Ok(logistic.value(w)))?;
    // Equality: where the gradient is zero, f(w⁺) = f(w), as the notes say; and for ½L‖w‖² wherever one is.
    let (value, gradient) = logistic.value(&logistic.solution);
    let squared = inner(&gradient, &gradient);
    let after = logistic.value(&(logistic.solution.clone() - gradient / logistic.smoothness)).0;
    let still = [(after, value - squared / (2.0 * logistic.smoothness))];
    evidence.check(Check::equal("where g = 0: f(w⁺) = f(w) − ‖g‖²/2L = f(w)", 1e-14, still));
    let round = bench.bowl(&[4.0; 10]);
    let mut attained = Vec::new();
    for at in 0..20 {
        let w = bench.normal(10, &mut draws(bench.seed, 24 + at));
        let (value, gradient) = round(&w)?;
        let squared = inner(&gradient, &gradient);
        let after = round(&(w - gradient / 4.0))?.0;
        attained.push((value - after, squared / 8.0));
    }
    pairs.extend(attained.iter().map(|(fall, promised)| (*promised, *fall)));
    let name = "‖g‖²/2L ≤ f(w) − f(w⁺): least squares, logistic regression, ½L‖w‖²";
    evidence.check(Check::at_most(name, 1e-6, pairs));
    evidence.check(Check::equal("½L‖w‖²: f(w) − f(w⁺) = ‖g‖²/2L, g ≠ 0", 1e-12, attained));
    evidence.figure("smallest room, relative to the fall", evidence.slack().unwrap_or(f64::NAN));
    evidence.plot(Plot {
        title: "Room in the descent lemma".to_owned(),
        reading: "How much further each step came down than ‖g‖²/2L; it goes to zero with the gradient.".to_owned(),
        x: "step".to_owned(),
        y: "f(w) − ‖g‖²/2L − f(w⁺)".to_owned(),
        log_y: true,
        series,
        ..Plot::default()
    });
    Ok(evidence)
}
