//! Files that are no network, or one that cannot be calculated here.

/// A file that cannot be read as a network.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The file cannot be read at all.
    #[error("cannot read it: {0}")]
    Read(String),
    /// No archive of `torch.export.save`, or a damaged one.
    #[error("it is no archive of torch.export.save that can be read: {0}")]
    Archive(String),
    /// Written under another version of the schema than those that are known.
    #[error("its schema has version {found}, and {known} are read here; save it with another version of PyTorch")]
    Schema {
        /// The version in the file.
        found: String,
        /// Those that are known, in words.
        known: &'static str,
    },
    /// A tensor of the archive.
    #[error("its tensor `{name}`: {problem}")]
    Tensor {
        /// The name in PyTorch.
        name: String,
        /// What does not fit.
        problem: String,
    },
    /// The graph as a whole, its inputs and outputs.
    #[error("{0}")]
    Graph(String),
    /// An operation that is not known here.
    #[error("there is no `{operation}` here ({node}); {help}")]
    Unknown {
        /// Its name in PyTorch.
        operation: String,
        /// Which node of the graph, and in which module of the network.
        node: String,
        /// What to do, in words.
        help: &'static str,
    },
    /// A node that cannot be calculated.
    #[error("`{operation}` ({node}): {problem}")]
    Node {
        /// Its operation in PyTorch.
        operation: String,
        /// Which node of the graph, and in which module of the network.
        node: String,
        /// What does not fit.
        problem: String,
    },
}
