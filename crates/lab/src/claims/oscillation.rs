//! When a component of the path flips its sign.

use super::problem::{draws, geometric, gradient_descent, numbers};
use super::{Check, Claim, ClaimSettings, Evidence, Expectation, Family, Plot, Series, descent::descend};
use crate::LabError;

pub const CLAIM: Claim = Claim {
    id: "oscillation",
    family: Family::Optimizers,
    printed: r"steps oscillate, because the gradient points orthogonally to the path of the loss",
    exact: r"on a quadratic the component along an eigenvector flips its sign at every step exactly when $\epsilon\lambda_i>1$",
    source: "lecture notes, First Order Methods",
    expected: Expectation::Holds,
    measure,
};

fn measure(settings: &ClaimSettings) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let mut flips = Vec::new();
    for problem in 0..settings.effort.of(10, 100) {
        let eigenvalues = geometric(0.05, 19.0, 12);
        let mut path: Vec<Vec<f64>> = Vec::new();
        let start = settings.normal(12, &mut draws(settings.seed_of(problem), 6));
        descend(&gradient_descent(0.1), start, 20, settings.bowl(&eigenvalues), |at| {
            path.push(numbers(&at.w));
            Ok(true)
        })?;
        for (at, lambda) in eigenvalues.iter().enumerate() {
            let flipped = path.windows(2).filter(|pair| pair[0][at] * pair[1][at] < 0.0).count();
            flips.push((flipped as f64, if 0.1 * lambda > 1.0 { 20.0 } else { 0.0 }));
        }
    }
    evidence.figure("components looked at", flips.len() as f64);
    evidence.check(Check::equal("sign flips in 20 steps = 20 where ελ > 1, else none", 0.0, flips));
    let mut path = Vec::new();
    descend(&gradient_descent(0.18), settings.vector(&[-4.0, 1.5]), 30, settings.bowl(&[0.5, 10.0]), |at| {
        let w = numbers(&at.w);
        path.push((w[0], w[1]));
        Ok(true)
    })?;
    evidence.plot(Plot {
        title: "A path on an ill-conditioned quadratic".to_owned(),
        reading: "Curvatures 0.5 across and 10 up, ε = 0.18: only the steep component flips its sign, at every step."
            .to_owned(),
        x: "shallow component".to_owned(),
        y: "steep component".to_owned(),
        log_x: false,
        log_y: false,
        series: vec![Series::measured("gradient descent", path)],
    });
    Ok(evidence)
}
