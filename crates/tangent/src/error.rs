//! What can go wrong between a module and its derivatives.

use burn::tensor::DType;
use thiserror::Error;

/// Why a forward could not be captured or linearized.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TangentError {
    /// The forward uses an operation that has no entry in the table, or a form of it that has none.
    #[error(
        "no derivative rule for the operation {operation}{near}: {reason}; see `losscape_tangent::operations()` for \
         those that have one"
    )]
    Unsupported {
        /// The operation and the shapes it was given.
        operation: String,
        /// The parameter nearest before it, as words.
        near: String,
        /// Why it has none, as in [`refusals`](crate::refusals).
        reason: &'static str,
    },
    /// The forward draws random numbers, so it has no derivative at a point.
    #[error(
        "the forward draws random numbers ({operation}{near}); pass them as an input, or take the module out of \
         training mode"
    )]
    Random {
        /// The operation.
        operation: String,
        /// The parameter nearest before it, as words.
        near: String,
    },
    /// The forward panicked when it was run without values: it looks at them, or its shapes depend on them, or it would
    /// panic anyway.
    #[error(
        "the forward cannot be recorded: {message}; it may not read values (into_data, into_scalar) nor choose shapes \
         or branches by them (the last operation recorded is {last})"
    )]
    Forward {
        /// The message of the panic.
        message: String,
        /// The operation recorded last, its shapes, and the parameter nearest before it.
        last: String,
    },
    /// Burn refused the recording.
    #[error("the forward cannot be recorded: {0}")]
    Capture(String),
    /// An operation takes numbers of different float types.
    #[error(
        "{} is in {:?} and {} is in {:?}, and one operation takes both: cast one of them, or set a precision",
        .0[0].0, .0[0].1, .0[1].0, .0[1].1
    )]
    Types(
        /// The two operands: what they come from, and their types.
        Box<[(String, DType); 2]>,
    ),
    /// There is nothing to differentiate by.
    #[error(
        "nothing to differentiate by: no parameter of the module requires gradients and no float input was asked for"
    )]
    NoVariables,
    /// The inputs do not have one and the same, positive number of samples.
    #[error(
        "the inputs have {counts:?} samples along their first axes; working in chunks needs the same positive number \
         in each"
    )]
    Samples {
        /// Lengths of the first axes.
        counts: Vec<usize>,
    },
    /// The output does not have one row for each sample, which working in chunks needs.
    #[error("the output of {samples} samples has shape {shape:?}; working in chunks needs one row for each sample")]
    NotPerSample {
        /// Number of samples put in.
        samples: usize,
        /// Shape of the output.
        shape: Vec<usize>,
    },
    /// What must be worked on at once does not fit into the memory allowed: one sample, or with statistics of the batch
    /// all of them.
    #[error("what is worked on at once needs {needed} bytes, and {budget} are allowed")]
    Memory {
        /// Bytes for it and one direction.
        needed: usize,
        /// Bytes allowed.
        budget: usize,
    },
    /// A vector has not one entry for each trainable parameter.
    #[error("the module has {expected} trainable parameters, the vector {given} entries")]
    ParameterCount {
        /// Trainable parameters of the module.
        expected: usize,
        /// Length of the vector.
        given: usize,
    },
}
