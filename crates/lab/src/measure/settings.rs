//! How to measure.
//!
//! A large tangent kernel is decomposed only when a measure that needs it is asked for by name: time grows with the
//! third power of its rows, memory with the second, and of 18,000 rows they are minutes and gigabytes. Otherwise its
//! largest eigenvalue alone is found, matrix-free, and the record says so.

use losscape_analysis::learning_coefficient::ChainSettings;

use crate::config::Precision;

/// Kernels of at most so many rows are small: they take seconds, and there is room for two.
pub(super) const SMALL_KERNEL: usize = 5000;

/// How to measure; the defaults are those of `losscape analyze`.
#[derive(Debug, Clone)]
pub struct AnalysisSettings {
    /// The float type measured in. Default: f64.
    pub precision: Precision,
    /// Seed of probes and directions. Default: 0.
    pub seed: u64,
    /// Largest and smallest eigenvalues of each operator. Default: 10 and 5, or as many as there are.
    pub top: Option<usize>,
    /// Bytes that may be used. Default: no limit.
    pub memory: Option<usize>,
    /// Kernels up to this size are decomposed; of larger ones the largest eigenvalue is found. Default: 5,000, beyond
    /// which it takes minutes; `None` for any size.
    pub kernel_size: Option<usize>,
    /// The rise of the loss that defines basin width. Default: 0.1.
    pub rise: f64,
    /// The chains of the local learning coefficient.
    pub chains: ChainSettings,
}

impl Default for AnalysisSettings {
    fn default() -> Self {
        Self {
            precision: Precision::F64,
            seed: 0,
            top: None,
            memory: None,
            kernel_size: Some(SMALL_KERNEL),
            rise: 0.1,
            chains: ChainSettings::default(),
        }
    }
}
