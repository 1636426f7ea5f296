//! What momentum does to gradients that keep their sign, and to those that flip it.

use losscape_optim::OptimizerConfig;
use losscape_optim::momentum::MomentumConfig;

use super::false_statement::doubled;
use super::problem::numbers;
use super::{
    Check, Claim, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench, descent::descend,
};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "momentum-average",
    family: Family::Optimizers,
    printed: r"the running average gets longer where the gradient keeps its sign and shorter where it keeps flipping",
    exact: concat!(
        r"under a constant gradient the step tends to $\frac{\epsilon g}{1-b}$, under an alternating one to ",
        r"$\frac{\epsilon g}{1+b}$",
    ),
    source: "lecture notes, Momentum; Sutskever et al. 2013",
    expected: Expectation::Holds,
    false_statements: &[
        FalseStatement::pairs("momentum does not lengthen steps", "constant gradient", |pair| Pair {
            left: RATE,
            ..pair
        }),
        FalseStatement::pairs("momentum does not shorten steps", "alternating gradient", |pair| Pair {
            left: RATE,
            ..pair
        }),
        FalseStatement::pairs("steps are twice as long", "gradient: step", doubled),
    ],
    measure,
};

const RATE: f64 = 0.1;

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    bench.formula("gradients 1, 1, 1, … and 1, −1, 1, …");
    let (mut constant, mut alternating, mut nine, mut series) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for momentum in bench.effort.of(vec![0.5, 0.9], vec![0.0, 0.3, 0.5, 0.8, 0.9, 0.95, 0.99]) {
        let config = OptimizerConfig::new(MomentumConfig { momentum }, RATE);
        // Until what is left of the start, b^k, is below rounding.
        let steps = if momentum > 0.0 { (1e-14f64.ln() / f64::ln(momentum)).ceil() as usize + 2 } else { 3 };
        for flips in [false, true] {
            let step = std::cell::Cell::new(0usize);
            let mut lengths = Vec::new();
            let mut last = 0.0;
            let sign = |step: usize| if flips && step % 2 == 1 { -1.0 } else { 1.0 };
            descend(
                &config,
                bench.vector(&[0.0]),
                steps,
                |_| Ok((0.0, bench.vector(&[sign(step.get())]))),
                |at| {
                    // The gradient asked for next is that of the next point.
                    step.set(at.step + 1);
                    let now = numbers(&at.w)[0];
                    if at.step > 0 {
                        lengths.push((at.step as f64, (now - last).abs()));
                    }
                    last = now;
                    Ok(true)
                },
            )?;
            let (limit, found) = if flips {
                (RATE / (1.0 + momentum), &mut alternating)
            } else {
                (RATE / (1.0 - momentum), &mut constant)
            };
            found.push((lengths[lengths.len() - 1].1, limit));
            if momentum == 0.9 {
                nine.push(lengths[lengths.len() - 1].1);
                let name = if flips { "alternating gradient" } else { "constant gradient" };
                series.push(Series::measured(name, lengths.iter().copied().take(60)));
                series.push(Series::bound(if flips { "εg/(1+b)" } else { "εg/(1−b)" }, [(1.0, limit), (60.0, limit)]));
            }
        }
    }
    evidence.check(Check::equal("constant gradient: step = εg/(1−b)", 1e-12, constant));
    evidence.check(Check::equal("alternating gradient: step = εg/(1+b)", 1e-12, alternating));
    evidence.figure("last step under a constant over that under an alternating gradient, b = 0.9", nine[0] / nine[1]);
    evidence.plot(Plot {
        title: "Momentum on constant and alternating gradients".to_owned(),
        reading: "With b = 0.9 the step grows tenfold where the gradient keeps its sign, and shrinks to about half \
                  where it flips."
            .to_owned(),
        x: "step".to_owned(),
        y: "length of the step".to_owned(),
        log_y: true,
        series,
        ..Plot::default()
    });
    Ok(evidence)
}
