//! How to measure.

use super::kind::Measure;
use crate::config::Precision;

/// Kernels of at most so many rows are small: they take seconds, and there is room for two.
pub(super) const SMALL_KERNEL: usize = 5000;

/// How to measure.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AnalysisSettings {
    /// What to measure. Default: everything.
    pub only: Option<Vec<&'static Measure>>,
    /// The float type measured in. Default: f64.
    pub precision: Precision,
    /// Seed of probes and directions. Default: 0.
    pub seed: u64,
    /// Largest and smallest eigenvalues of each operator. Default: 10 and 5, or as many as there are.
    pub top: Option<usize>,
    /// Bytes that may be used. Default: no limit.
    pub memory: Option<usize>,
    /// Kernels up to this size are decomposed; of larger ones the largest eigenvalue is found. Default: 5,000, beyond
    /// which it takes minutes; without a limit where a measure is named that the kernel is decomposed for, since who
    /// names it waits for it.
    pub kernel_size: Option<usize>,
    /// The rise of the loss that defines basin width. Default: 0.1.
    pub rise: f64,
}

impl Default for AnalysisSettings {
    fn default() -> Self {
        Self { only: None, precision: Precision::F64, seed: 0, top: None, memory: None, kernel_size: None, rise: 0.1 }
    }
}

impl AnalysisSettings {
    /// These measures alone; a kernel of any size is decomposed for those that are about it.
    #[must_use]
    pub fn only(measures: Vec<&'static Measure>) -> Self {
        Self { only: Some(measures), ..Self::default() }
    }
}
