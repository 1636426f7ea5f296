//! Rank correlations over training runs, and how certain they are.
//!
//! Runs that share a seed share initial weights and data, and with them most of what makes their outcomes differ. Every statistic is therefore taken among the
//! runs of one seed and averaged over the seeds; and its interval comes from resampling seeds *and* configurations.
//!
//! - [`kendall`]: τ-b, and the partial correlation made of it.
//! - [`resample`]: runs as they are crossed by seeds and configurations, drawn again; means of τ over seeds.

pub mod kendall;
pub mod resample;

pub use resample::{Place, Runs, Sample, percentiles};

/// The 0.975 quantile of Student's distribution with so many degrees of freedom; beyond 20 that of 20, which is a little large.
pub(crate) fn student(degrees: usize) -> f64 {
    const QUANTILES: [f64; 20] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
        2.120, 2.110, 2.101, 2.093, 2.086,
    ];
    QUANTILES[degrees.clamp(1, QUANTILES.len()) - 1]
}
