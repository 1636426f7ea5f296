//! How the command was called.

use std::ffi::OsString;

use losscape_study::launch::Program;

/// How the command was called.
#[derive(Debug)]
pub struct Call {
    /// The command line, its name first.
    pub arguments: Vec<OsString>,
    /// What starts another process of it.
    pub program: Program,
}

impl Call {
    /// The command line, for manifests; what is not UTF-8 in it is replaced.
    pub(crate) fn argv(&self) -> Vec<String> {
        self.arguments.iter().map(|argument| argument.to_string_lossy().into_owned()).collect()
    }
}
