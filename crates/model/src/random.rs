//! Random streams, one for each purpose.
//!
//! Every draw of the project comes from a ChaCha12 generator chosen by `(seed, purpose, index)`: the seed is the key,
//! purpose and index select the stream. Streams do not overlap, so what is drawn for one purpose never depends on how
//! much was drawn for another, on the number of threads, on the device, or on what ran before.
//!
//! Burn's own generator is one for the whole process, and is never used.

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

/// What a random stream is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Initial weights; the index is the layer.
    Init = 1,
    /// Data made by a generator.
    Data = 2,
    /// The split into training and test part.
    Split = 3,
    /// The order of samples; the index is the epoch.
    Shuffle = 4,
    /// Random labels.
    Labels = 5,
    /// Random features.
    Features = 6,
    /// Probes of traces, densities and eigenvalues, and directions to look along; the index is the quantity measured.
    Probes = 7,
    /// Settings of the runs of a study; the index is the run.
    Design = 8,
    /// Resampling of measurements; the index is the quantity.
    Bootstrap = 9,
    /// Augmentation; the index is the step.
    Augment = 10,
    /// Masks of dropout; the index is the step.
    Dropout = 11,
    /// Label noise; the index is the step.
    LabelNoise = 12,
    /// Chains of a sampler; the index is the chain.
    Chain = 13,
}

/// The generator of `(seed, purpose, index)`.
///
/// ```
/// use losscape_model::random::{Purpose, stream};
/// use rand::Rng;
///
/// assert_eq!(stream(7, Purpose::Shuffle, 3).next_u64(), stream(7, Purpose::Shuffle, 3).next_u64());
/// assert_ne!(stream(7, Purpose::Shuffle, 3).next_u64(), stream(7, Purpose::Shuffle, 4).next_u64());
/// ```
///
/// `index` uses 48 bits; higher bits would run into the purpose and are cut off.
#[must_use]
pub fn stream(seed: u64, purpose: Purpose, index: u64) -> ChaCha12Rng {
    let mut generator = ChaCha12Rng::seed_from_u64(seed);
    generator.set_stream(((purpose as u64) << 48) | (index & 0xFFFF_FFFF_FFFF));
    generator
}
