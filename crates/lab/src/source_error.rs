//! Errors that point at the word in a configuration that they are about.

use std::ops::Range;

/// What stands in front of the overrides of the command line, in the text behind that of a file.
pub(crate) const MARK: &str = "--set ";

/// An error with the place in the configuration that it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceError {
    /// What is wrong, in words.
    pub message: String,
    /// What to do about it, where that is known.
    pub help: Option<String>,
    /// The file, or what stands for it.
    pub file: String,
    /// The text of the file, followed by the overrides of the command line.
    pub text: String,
    /// Bytes of the text that the error is about.
    pub span: Option<Range<usize>>,
}

impl SourceError {
    /// Line and column of the error, counted from 1; none for an override on the command line.
    #[must_use]
    pub fn position(&self) -> Option<(usize, usize)> {
        let start = self.span.as_ref()?.start;
        let before = self.text.get(..start)?;
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        (!self.text[line_start..].starts_with(MARK)).then(|| (line, before[line_start..].chars().count() + 1))
    }
}

impl std::fmt::Display for SourceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.position(), &self.span) {
            (Some((line, column)), _) => write!(f, "{}:{line}:{column}: {}", self.file, self.message)?,
            (None, Some(_)) => write!(f, "override on the command line: {}", self.message)?,
            (None, None) => write!(f, "{}: {}", self.file, self.message)?,
        }
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for SourceError {}
