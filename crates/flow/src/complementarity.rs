//! The semidefinite complementarity problem of a central flow.
//!
//! For symmetric k × k matrices A and a symmetric map B without negative eigenvalues, X with
//!
//! `X ⪰ 0`, `A + B[X] ⪰ 0`, `⟨X, A + B[X]⟩ = 0`,
//!
//! which is the minimum of `½⟨X, B[X]⟩ + ⟨A, X⟩` over `X ⪰ 0`. It is looked for by projected gradients with Nesterov's
//! momentum (Beck & Teboulle 2009), restarted where the momentum points uphill (O'Donoghue & Candès 2015); k is the
//! number of eigenvalues at the edge, a handful.

use losscape_krylov::dense::eigenpairs_of;

use crate::error::FlowError;
use crate::symmetric::{Symmetric, places};

/// The most iterations.
const ITERATIONS: usize = 20_000;

/// What is left of the three conditions, relative to A.
const TOLERANCE: f64 = 1e-9;

/// X, with `map` the matrix of B on vectors of [`Symmetric`], row by row.
///
/// # Errors
///
/// [`FlowError::NoOscillation`] where B leaves no X that could make `A + B[X] ⪰ 0`, [`FlowError::Unsolved`] where it is
/// not found, [`FlowError::NotFinite`] where A or B are not.
pub fn solve(constant: &Symmetric, map: &[f64]) -> Result<Symmetric, FlowError> {
    let (size, length) = (constant.size, constant.entries.len());
    if !constant.entries.iter().chain(map).all(|entry| entry.is_finite()) {
        return Err(FlowError::NotFinite);
    }
    let (values, vectors) = constant.eigenpairs()?;
    let Some(lowest) = vectors.first().filter(|_| values[0] < 0.0) else {
        // Zero where A ⪰ 0.
        return Ok(Symmetric::zeros(size));
    };
    // How B acts on a direction that must be raised.
    let raised = Symmetric::of(size, |row, column| lowest[row] * lowest[column]);
    if product(map, &raised).norm() <= 0.0 {
        return Err(FlowError::NoOscillation);
    }
    // X = D X̂ D with a diagonal D for which B̂ has ones for squares of single directions.
    let scales: Vec<f64> = places(size)
        .enumerate()
        .filter(|(_, (row, column))| row == column)
        .map(|(at, _)| map[at * length + at])
        .map(|own| if own > 0.0 { own.powf(-0.25) } else { 1.0 })
        .collect();
    let pairs: Vec<f64> = places(size).map(|(row, column)| scales[row] * scales[column]).collect();
    let scaled = |of: &Symmetric| Symmetric {
        size,
        entries: of.entries.iter().zip(&pairs).map(|(entry, scale)| entry * scale).collect(),
    };
    let map: Vec<f64> = (0..length * length).map(|at| map[at] * pairs[at / length] * pairs[at % length]).collect();
    Ok(scaled(&projected(&scaled(constant), &map)?))
}

/// `B[X]`.
fn product(map: &[f64], x: &Symmetric) -> Symmetric {
    let row = |row: &[f64]| row.iter().zip(&x.entries).map(|(b, x)| b * x).sum();
    Symmetric { size: x.size, entries: map.chunks(x.entries.len()).map(row).collect() }
}

/// By projected gradients.
fn projected(constant: &Symmetric, map: &[f64]) -> Result<Symmetric, FlowError> {
    let (curvatures, _) = eigenpairs_of(constant.entries.len(), map)?;
    let steepest = curvatures.last().copied().unwrap_or(0.0);
    let scale = constant.norm();
    let mut x = Symmetric::zeros(constant.size);
    let (mut ahead, mut weight, mut left_over) = (x.clone(), 1.0f64, f64::INFINITY);
    for _ in 0..ITERATIONS {
        let slack = product(map, &ahead).plus(1.0, constant);
        let next = ahead.plus(-1.0 / steepest, &slack).positive_part()?;
        let slack = product(map, &next).plus(1.0, constant);
        let below = -slack.eigenpairs()?.0[0] / scale;
        let along = next.inner(&slack).abs() / (scale * next.norm());
        left_over = below.max(if along.is_finite() { along } else { 0.0 });
        if left_over <= TOLERANCE {
            return Ok(next);
        }
        let moved = next.plus(-1.0, &x);
        let uphill = ahead.plus(-1.0, &next).inner(&moved) > 0.0;
        let heavier = if uphill { 1.0 } else { 0.5 * (1.0 + (1.0 + 4.0 * weight * weight).sqrt()) };
        ahead = if uphill { next.clone() } else { next.plus((weight - 1.0) / heavier, &moved) };
        (x, weight) = (next, heavier);
    }
    Err(FlowError::Unsolved { left: left_over })
}

#[cfg(test)]
mod tests {
    use super::{Symmetric, solve};
    use crate::error::FlowError;

    fn gram(columns: &[&[f64]], length: usize) -> Vec<f64> {
        (0..length * length)
            .map(|at| columns.iter().map(|column| column[at / length] * column[at % length]).sum())
            .collect()
    }

    #[test]
    fn where_b_is_a_multiple_of_the_identity_it_is_the_negative_part() {
        let a = Symmetric::of(2, |row, column| [[-2.0, 0.6], [0.6, 1.0]][row][column]);
        let mut identity = vec![0.0; 9];
        (0..3).for_each(|at| identity[4 * at] = 4.0);
        let found = solve(&a, &identity).expect("it is solvable");
        let expected = Symmetric::zeros(2).plus(-0.25, &a).positive_part().expect("it is finite");
        assert!(found.plus(-1.0, &expected).norm() <= 1e-9, "{found:?} {expected:?}");
    }

    #[test]
    fn the_three_conditions_hold_for_any_gram_matrix() {
        let columns: [&[f64]; 3] = [&[1.0, 0.2, -0.3], &[0.1, 0.5, 0.4], &[0.0, 0.3, 2.0]];
        let map = gram(&columns, 3);
        for a in [[[-1.0, 0.4], [0.4, -0.2]], [[-1.0, 0.0], [0.0, 3.0]], [[0.5, 2.0], [2.0, 0.5]]] {
            let a = Symmetric::of(2, |row, column| a[row][column]);
            let x = solve(&a, &map).expect("it is solvable");
            let product = map.chunks(3).map(|row| row.iter().zip(&x.entries).map(|(b, x)| b * x).sum()).collect();
            let slack = Symmetric { size: 2, entries: product }.plus(1.0, &a);
            let least = |matrix: &Symmetric| matrix.eigenpairs().expect("it is finite").0[0];
            assert!(least(&x) >= -1e-12 && least(&slack) >= -1e-8, "{x:?} {slack:?}");
            assert!(x.inner(&slack).abs() <= 1e-8 * a.norm() * x.norm(), "{x:?} {slack:?}");
        }
    }

    #[test]
    fn nothing_is_made_up_where_there_is_no_solution() {
        let a = Symmetric::of(1, |_, _| -1.0);
        assert_eq!(solve(&a, &[0.0]), Err(FlowError::NoOscillation));
        assert_eq!(solve(&a, &[f64::NAN]), Err(FlowError::NotFinite));
        // B acts on the first direction alone.
        let a = Symmetric::of(2, |row, column| if row == column { -1.0 } else { 0.0 });
        assert!(solve(&a, &gram(&[&[1.0, 0.0, 0.0]], 3)).is_err());
    }

    #[test]
    fn directions_of_very_different_size_are_solved_too() {
        let columns: [&[f64]; 3] = [&[1e4, 0.3, 0.0], &[0.0, 1.0, 2e-4], &[0.0, 0.0, 1e-4]];
        let a = Symmetric::of(2, |row, column| [[-1.0, 0.1], [0.1, -0.5]][row][column]);
        let x = solve(&a, &gram(&columns, 3)).expect("B is positive definite");
        assert!(x.entries[0] > 0.0 && x.entries[2] > 0.0, "{x:?}");
    }
}
