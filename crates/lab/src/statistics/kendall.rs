//! Kendall's rank correlation.
//!
//! Of all pairs of observations, those in which both quantities differ in the same direction less those in which they
//! differ in opposite ones: `τ_b = (C − D)/√((C + D + T_x)(C + D + T_y))`, with `T_x` and `T_y` the pairs tied in one
//! quantity alone (Kendall 1945). With Knight's algorithm (1966) in `n log n` steps.

/// `C − D` and the pairs that differ in x, and in y.
struct Pairs {
    balance: f64,
    differ_in_x: f64,
    differ_in_y: f64,
}

/// Kendall's τ-b; NaN where one of both quantities is constant, or a value is NaN.
///
/// ```
/// use losscape_lab::statistics::kendall::tau_b;
///
/// // Five pairs up, one down.
/// assert_eq!(tau_b(&[(1.0, 1.0), (2.0, 3.0), (3.0, 2.0), (4.0, 4.0)]), 4.0 / 6.0);
/// ```
#[must_use]
pub fn tau_b(observations: &[(f64, f64)]) -> f64 {
    let Pairs { balance, differ_in_x, differ_in_y } = pairs(observations);
    balance / (differ_in_x * differ_in_y).sqrt()
}

fn pairs(observations: &[(f64, f64)]) -> Pairs {
    let n = observations.len();
    let all = n as f64 * (n as f64 - 1.0) / 2.0;
    if observations.iter().any(|(x, y)| x.is_nan() || y.is_nan()) {
        return Pairs { balance: f64::NAN, differ_in_x: f64::NAN, differ_in_y: f64::NAN };
    }
    // Zeros of either sign are the same number, which the order of sorting must know.
    let mut sorted: Vec<(f64, f64)> = observations.iter().map(|(x, y)| (x + 0.0, y + 0.0)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let tied_in_x = tied(&sorted, |a, b| a.0 == b.0);
    let tied_in_both = tied(&sorted, |a, b| a == b);
    let mut y: Vec<f64> = sorted.into_iter().map(|(_, y)| y).collect();
    // Pairs in opposite order are the exchanges that sort y: those tied in x stand in the order of y already.
    let discordant = sort(&mut y, &mut vec![0.0; n]);
    let tied_in_y = tied(&y, |a, b| a == b);
    let differ = all - tied_in_x - tied_in_y + tied_in_both;
    Pairs { balance: differ - 2.0 * discordant, differ_in_x: all - tied_in_x, differ_in_y: all - tied_in_y }
}

/// Pairs of equal neighbours in a sorted list.
fn tied<T>(sorted: &[T], equal: impl Fn(&T, &T) -> bool) -> f64 {
    sorted.chunk_by(equal).map(|run| run.len() as f64 * (run.len() as f64 - 1.0) / 2.0).sum()
}

/// Merge sort; returns the number of exchanges of neighbours it stands for.
fn sort(values: &mut [f64], spare: &mut [f64]) -> f64 {
    let n = values.len();
    if n < 2 {
        return 0.0;
    }
    let (left, right) = values.split_at_mut(n / 2);
    let (spare_left, spare_right) = spare.split_at_mut(n / 2);
    let mut exchanges = sort(left, spare_left) + sort(right, spare_right);
    let (mut l, mut r) = (0, 0);
    for slot in spare.iter_mut() {
        if r == right.len() || l < left.len() && left[l] <= right[r] {
            *slot = left[l];
            l += 1;
        } else {
            // Passes all that is left of the left half.
            exchanges += (left.len() - l) as f64;
            *slot = right[r];
            r += 1;
        }
    }
    values.copy_from_slice(spare);
    exchanges
}

#[cfg(test)]
mod tests {
    use losscape_model::random::{Purpose, stream};
    use rand::RngExt;

    use super::tau_b;

    /// Against the definition, pair by pair, with few enough values that most are tied.
    #[test]
    fn agrees_with_the_definition() {
        for case in 0..200 {
            let mut random = stream(3, Purpose::Bootstrap, case);
            let n = random.random_range(2..40);
            let values = random.random_range(1..12);
            let signs = [1.0, -1.0];
            let mut draw = || signs[random.random_range(0..2)] * f64::from(random.random_range(0..values));
            let observations: Vec<(f64, f64)> = (0..n).map(|_| (draw(), draw())).collect();
            let sign = |a: f64, b: f64| f64::from(i8::from(a > b) - i8::from(a < b));
            let (mut balance, mut x, mut y) = (0.0, 0.0, 0.0);
            for (at, a) in observations.iter().enumerate() {
                for b in &observations[..at] {
                    let (dx, dy) = (sign(a.0, b.0), sign(a.1, b.1));
                    balance += dx * dy;
                    x += dx * dx;
                    y += dy * dy;
                }
            }
            let same = |a: f64, b: f64| a == b || a.is_nan() && b.is_nan();
            assert!(same(tau_b(&observations), balance / f64::sqrt(x * y)), "{observations:?}");
        }
    }

    #[test]
    fn what_is_no_number_has_no_order() {
        assert!(tau_b(&[(1.0, 2.0), (f64::NAN, 1.0)]).is_nan());
        assert!(tau_b(&[(1.0, 2.0), (1.0, 1.0)]).is_nan());
    }
}
