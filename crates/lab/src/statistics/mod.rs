//! Rank correlations over training runs, and how certain they are.
//!
//! Runs that share a seed share initial weights and data, and with them most of what makes their outcomes differ. Every
//! statistic is therefore taken among the runs of one seed and averaged over the seeds, and its interval knows that
//! seeds and configurations are shared.
//!
//! - [`kendall`]: Kendall's τ-b of two lists.
//! - [`runs`]: runs as they are crossed by seeds and configurations, and the three statistics of them: τ, granulated τ,
//!   and the partial τ given the settings.
//! - [`interval`]: the variance of a mean of compared pairs, and the interval made of it.
//! - [`partial`]: what is left of two quantities once the settings are taken out.

pub mod interval;
pub mod kendall;
pub mod partial;
pub mod runs;

pub use interval::Tau;
pub use partial::Settings;
pub use runs::{FEWEST, Place, Runs};

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
