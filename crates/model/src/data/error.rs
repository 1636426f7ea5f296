//! Data that cannot be read, or does not fit what is asked of it.

use std::path::PathBuf;

/// Data that cannot be read, or does not fit what is asked of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file cannot be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file ends before its header or records say it should.
    #[error("{} is truncated: {expected} bytes expected, {found} found", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes that the header promises.
        expected: usize,
        /// Bytes that are there.
        found: usize,
    },
    /// The file is not of the format it should be.
    #[error("{}{}: {problem}", path.display(), line.map(|line| format!(":{line}")).unwrap_or_default())]
    Format {
        /// The file.
        path: PathBuf,
        /// The line, in a text file.
        line: Option<u64>,
        /// What is wrong.
        problem: String,
    },
    /// The file would grow too much in memory.
    #[error(
        "{} has {on_disk} bytes and becomes {values} numbers or more, {:.1} GiB; if it is no mistake, decompress it \
         first (at most 2³⁰ numbers are read)",
        path.display(), *values as f64 / f64::from(1 << 27)
    )]
    Growth {
        /// The file.
        path: PathBuf,
        /// Its size.
        on_disk: u64,
        /// Numbers that it holds, as far as is known.
        values: usize,
    },
    /// A label is not below the number of classes.
    #[error("sample {sample} has label {label}, but there are {classes} classes, counted from 0")]
    LabelOutOfRange {
        /// The sample, counted from 0.
        sample: usize,
        /// Its label.
        label: i128,
        /// Number of classes.
        classes: usize,
    },
    /// An input that should be a token is none.
    #[error("sample {sample} has the token {value}; tokens are whole numbers from 0 to below {vocabulary}")]
    Token {
        /// The sample, counted from 0.
        sample: usize,
        /// What stands there.
        value: f64,
        /// Number of different tokens.
        vocabulary: usize,
    },
    /// An input or target is NaN or infinite.
    #[error("the {what} of sample {sample} is not finite (column {column})")]
    NotFinite {
        /// The sample, counted from 0.
        sample: usize,
        /// The column, counted from 0.
        column: usize,
        /// "input" or "target".
        what: &'static str,
    },
    /// Parts that should match do not.
    #[error("{what}: {left} against {right}")]
    Mismatch {
        /// What does not match.
        what: &'static str,
        /// Size of one.
        left: usize,
        /// Size of the other.
        right: usize,
    },
    /// No samples, or none left in a part of a split.
    #[error("{0} has no samples")]
    Empty(&'static str),
    /// A setting outside its range.
    #[error("{name} = {value} is not possible: {must}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// The value given.
        value: String,
        /// What it must be.
        must: &'static str,
    },
    /// Something is wrong in a file, or an array of it.
    #[error("{place}: {error}")]
    Within {
        /// The file, and what in it.
        place: String,
        /// What is wrong.
        error: Box<DataError>,
    },
}

impl DataError {
    /// The key of the `[data]` table that it is about, if it is about one.
    #[must_use]
    pub fn setting(&self) -> Option<&'static str> {
        match self {
            Self::Setting { name, .. } => Some(name),
            Self::LabelOutOfRange { .. } => Some("classes"),
            Self::Within { error, .. } => error.setting(),
            _ => None,
        }
    }

    /// The same error, with the place that it is in.
    pub(crate) fn within(self, place: impl Into<String>) -> Self {
        Self::Within { place: place.into(), error: Box::new(self) }
    }
}
