//! What can stop a measurement.

use burn::tensor::DType;
use losscape_krylov::KrylovError;
use losscape_model::ModelError;
use losscape_tangent::TangentError;

/// What can stop a measurement.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AnalysisError {
    /// The network cannot be differentiated.
    #[error(transparent)]
    Tangent(#[from] TangentError),
    /// An iteration cannot go on.
    #[error(transparent)]
    Krylov(#[from] KrylovError),
    /// The network does not take the samples of the data, or the loss not their targets.
    #[error(transparent)]
    Samples(#[from] ModelError),
    /// Outputs and targets do not correspond.
    #[error("the network gives outputs {outputs:?}, the targets are {targets:?}")]
    Shape {
        /// Samples and outputs of the network.
        outputs: Vec<usize>,
        /// Samples and outputs of the targets.
        targets: [usize; 2],
    },
    /// Outputs and targets are of different float types.
    #[error("the network gives outputs in {outputs:?}, the targets are in {targets:?}: cast one of them")]
    Type {
        /// That of the outputs.
        outputs: DType,
        /// That of the targets.
        targets: DType,
    },
    /// Outputs and targets are on different devices.
    #[error("the network's outputs are on {outputs}, the targets on {targets}: move one of them")]
    Device {
        /// That of the outputs.
        outputs: String,
        /// That of the targets.
        targets: String,
    },
    /// A kernel and targets do not correspond.
    #[error("a kernel {kernel:?} for targets {targets:?}: it has one row for each output of each sample")]
    Kernel {
        /// Rows and columns of the kernel.
        kernel: [usize; 2],
        /// Samples and outputs of the targets.
        targets: [usize; 2],
    },
    /// A value that everything else depends on is NaN or infinite.
    #[error("{what} is not finite: {value}")]
    NotFinite {
        /// What it is.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// The outputs of a sample depend on which samples it is worked through with, so that there is no one function of
    /// the parameters in evaluation mode, which takes samples in chunks.
    #[error(
        "the outputs of a sample change by {apart:.0e} of their size with the samples beside it, as where a layer \
         takes means over samples: only batch mode, which takes all at once, measures one function"
    )]
    SeeEachOther {
        /// How far outputs are apart, relative to the largest.
        apart: f64,
    },
    /// Something is made of the losses of single samples, which there are not where samples see each other.
    #[error("{what} needs samples that do not see each other, as in evaluation mode; this is batch mode")]
    Coupled {
        /// What.
        what: &'static str,
    },
    /// There are no bounds for such a network or loss.
    #[error("nothing can be certified: {reason}")]
    NotCertifiable {
        /// Why.
        reason: &'static str,
    },
    /// Something does not fit into the memory allowed.
    #[error("{what} needs {} and {} are allowed", amount(*needed), amount(*budget))]
    Memory {
        /// What does not fit.
        what: &'static str,
        /// Bytes it needs.
        needed: usize,
        /// Bytes allowed.
        budget: usize,
    },
    /// A setting outside its range.
    #[error("{name} = {value} is not possible: {must}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        must: &'static str,
    },
}

fn amount(bytes: usize) -> String {
    match bytes as f64 {
        few if few < 1e5 => format!("{bytes} bytes"),
        some if some < 1e8 => format!("{:.1} MB", some / 1e6),
        many => format!("{:.2} GB", many / 1e9),
    }
}
