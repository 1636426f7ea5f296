//! What goes to the user when something is wrong.

use losscape_lab::{LabError, SourceError};
use losscape_model::data::DataError;
use miette::{Diagnostic, LabeledSpan, NamedSource, Report, SourceCode};

/// An error of the command line tool; its exit code is 2.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// From the laboratory.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// From data that no configuration file named.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Anything else, in words.
    #[error("{0}")]
    Message(String),
}

impl CliError {
    /// Prints the error to standard error, with the lines of the configuration it is about.
    pub fn print(self) {
        let report = match self {
            Self::Lab(LabError::Config(error)) => Report::new(Snippet::new(*error)),
            error => Report::msg(error.to_string()),
        };
        anstream::eprintln!("{report:?}");
    }
}

/// A [`SourceError`] in the form that miette draws.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Snippet {
    message: String,
    help: Option<String>,
    source_code: NamedSource<String>,
    label: Option<LabeledSpan>,
}

impl Snippet {
    fn new(error: SourceError) -> Self {
        let file = match error.position() {
            None if error.span.is_some() => "command line".to_owned(),
            _ => error.file.clone(),
        };
        let message = if error.span.is_some() { error.message } else { format!("{}: {}", error.file, error.message) };
        let label = error.span.map(|span| LabeledSpan::new_with_span(None, span));
        Self { message, help: error.help, source_code: NamedSource::new(file, error.text), label }
    }
}

impl Diagnostic for Snippet {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.label.is_some().then_some(&self.source_code)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.label.clone().map(|label| Box::new(std::iter::once(label)) as Box<dyn Iterator<Item = _>>)
    }
}
