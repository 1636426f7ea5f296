//! A Runge-Kutta method with error control: Bogacki & Shampine's pair of orders 3 and 2 (1989).
//!
//! Order 3 with three slopes a step: a stiff equation asks for short steps whatever the order, and then few slopes a
//! step count.

use burn::tensor::Tensor;
use losscape_krylov::norm;

use crate::error::FlowError;

/// Several vectors that are integrated together.
pub type Blocks = Vec<Tensor<1>>;

/// Steps of a call that are enough.
const LIMIT: usize = 400;

/// From `y` at time `from` on by `span`. `size` is the length of a step to begin with, and that to go on with when it
/// returns; a block's error of a step is at most `tolerance` times the block's norm and what it moves by.
///
/// # Errors
///
/// [`FlowError::Stiff`] when it takes too many steps; what the slope reports.
pub fn integrate(
    mut y: Blocks,
    from: f64,
    span: f64,
    size: &mut f64,
    tolerance: f64,
    mut slope: impl FnMut(f64, &Blocks) -> Result<Blocks, FlowError>,
) -> Result<Blocks, FlowError> {
    let (mut time, end) = (from, from + span);
    let mut first = slope(time, &y)?;
    for _ in 0..LIMIT {
        let left = end - time;
        let step = size.min(left);
        let mut trial = || -> Result<(Blocks, Blocks, f64), FlowError> {
            let second = slope(time + 0.5 * step, &sum(&y, &[(0.5 * step, &first)]))?;
            let third = slope(time + 0.75 * step, &sum(&y, &[(0.75 * step, &second)]))?;
            let [a, b, c] = [2.0, 3.0, 4.0].map(|part| part * step / 9.0);
            let next = sum(&y, &[(a, &first), (b, &second), (c, &third)]);
            let last = slope(time + step, &next)?;
            let mut error = 0.0f64;
            for at in 0..y.len() {
                let parts = [(-5.0 / 72.0, &first), (1.0 / 12.0, &second), (1.0 / 9.0, &third), (-0.125, &last)];
                let difference = parts.map(|(part, slope)| slope[at].clone() * (part * step));
                let difference = difference.into_iter().reduce(|a, b| a + b).map_or(0.0, |sum| norm(&sum));
                let reference = norm(&y[at]) + step * norm(&first[at]);
                let share = if difference == 0.0 { 0.0 } else { difference / (tolerance * reference) };
                error = if share <= error { error } else { share };
            }
            Ok((next, last, error))
        };
        let (next, last, error) = match trial() {
            Ok(found) if found.2.is_finite() => found,
            // Too far: what is there may be nothing.
            Ok(_) | Err(FlowError::NotFinite) => {
                *size = 0.2 * step;
                continue;
            }
            Err(error) => return Err(error),
        };
        // The error grows with the third power of the step.
        let factor = if error > 0.0 { (0.9 * error.powf(-1.0 / 3.0)).clamp(0.2, 5.0) } else { 5.0 };
        let reached = step >= left;
        if error <= 1.0 {
            (y, first, time) = (next, last, time + step);
            // A step that was cut short at the end says little of the next.
            *size = if reached { size.max(step * factor.min(1.0)) } else { step * factor };
            if reached {
                return Ok(y);
            }
        } else {
            *size = step * factor;
        }
    }
    Err(FlowError::Stiff { limit: LIMIT })
}

/// `y + Σ factor slope`, block by block.
fn sum(y: &Blocks, parts: &[(f64, &Blocks)]) -> Blocks {
    let block = |at: usize| parts.iter().fold(y[at].clone(), |sum, (factor, slope)| sum + slope[at].clone() * *factor);
    (0..y.len()).map(block).collect()
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, Tensor};

    use super::integrate;

    #[test]
    fn exponentials_are_followed_to_the_tolerance_also_where_they_are_stiff() {
        let device = Device::flex();
        let rates = Tensor::<1>::from_data([-1.0, -0.1, -50.0], (&device, DType::F64));
        let start = vec![Tensor::<1>::from_data([1.0, 2.0, 1.0], (&device, DType::F64))];
        let mut slopes = 0;
        let mut size = 0.1;
        let end = integrate(start, 0.0, 2.0, &mut size, 1e-7, |_, y| {
            slopes += 1;
            Ok(vec![y[0].clone() * rates.clone()])
        });
        let end: Vec<f64> = end.expect("it ends")[0].clone().into_data().iter().collect();
        for (found, expected) in end.into_iter().zip([(-2.0f64).exp(), 2.0 * (-0.2f64).exp(), 0.0]) {
            assert!((found - expected).abs() <= 1e-5, "{found} {expected}");
        }
        // Stability allows steps of some 2.5/50.
        assert!(slopes <= 1200, "{slopes}");
    }
}
