//! What an average says of itself: each does so in its own file.

use burn::tensor::Tensor;

use crate::error::OptimError;

/// When weights are taken into an average.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The first step after which they are.
    pub from: usize,
    /// Steps between two of them.
    pub every: usize,
}

/// What an average says of itself.
pub(crate) trait Averaging {
    /// Checks the settings, and says when weights are taken in a run of so many steps, an epoch being so many.
    fn taken(&self, run_steps: usize, epoch_steps: usize) -> Result<Taken, OptimError>;

    /// Takes weights into what is kept; so many were taken before.
    fn take(&self, kept: &mut Vec<Tensor<1>>, taken: usize, weights: Tensor<1>);

    /// The most vectors that are kept.
    fn most(&self) -> usize;
}

/// Moves the one vector kept, `a ← a + share (w − a)`; the first weights are taken as they are.
pub(crate) fn towards(kept: &mut Vec<Tensor<1>>, weights: Tensor<1>, share: f64) {
    let moved = match kept.pop() {
        Some(average) => average.mul_scalar(1.0 - share) + weights.mul_scalar(share),
        None => weights,
    };
    kept.push(moved);
}
