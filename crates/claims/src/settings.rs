//! How a claim is measured.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

/// How much is spent on a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// All claims in a few minutes on two cores.
    Quick,
    /// More seeds, widths and steps, and other networks.
    Full,
}

impl Effort {
    /// The one or the other.
    pub(crate) fn of<T>(self, quick: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

/// How a claim is measured.
#[derive(Debug, Clone)]
pub struct ClaimSettings {
    /// Seed of everything random.
    pub seed: u64,
    /// How much is spent.
    pub effort: Effort,
    /// Where it is calculated, in f64 unless a claim says otherwise.
    pub device: Device,
}

impl ClaimSettings {
    /// The seed of the k-th repetition; no two seeds share one.
    pub(crate) fn seed_of(&self, k: u64) -> u64 {
        self.seed.wrapping_mul(1_000_000).wrapping_add(k)
    }
}
