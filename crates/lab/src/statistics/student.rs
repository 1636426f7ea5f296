//! Student's distribution.

/// The 0.975 quantile of Student's distribution with so many degrees of freedom; between 20 and infinity by
/// `1.96 + 2.5/ν`, which is right to 0.002.
#[must_use]
pub fn student(degrees: f64) -> f64 {
    const QUANTILES: [f64; 20] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
        2.120, 2.110, 2.101, 2.093, 2.086,
    ];
    if degrees > QUANTILES.len() as f64 {
        return 1.96 + 2.5 / degrees;
    }
    let degrees = degrees.max(1.0);
    let (below, above) = (QUANTILES[degrees.floor() as usize - 1], QUANTILES[degrees.ceil() as usize - 1]);
    below + degrees.fract() * (above - below)
}
