//! What goes to the user when something is wrong.

use losscape_lab::{LabError, SourceError};
use losscape_model::data::DataError;
use losscape_study::launch::LaunchError;
use miette::{Diagnostic, LabeledSpan, MietteError, MietteSpanContents, Report, SourceCode, SourceSpan, SpanContents};

use crate::terminal::{self, clean};

/// An error of the command line tool; its exit code is 2.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// From the laboratory.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// From handing a study over.
    #[error(transparent)]
    Launch(#[from] LaunchError),
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
            Self::Lab(LabError::Config(error)) => Report::new(Snippet::new(&error)),
            error => Report::msg(words(&error.to_string())),
        };
        terminal::err(&format!("{report:?}"));
    }
}

/// The most characters of a message, and of a line of a file, that are shown.
const MESSAGE: usize = 2000;
const LINE: usize = 120;

/// A message as it is shown.
fn words(text: &str) -> String {
    cut(&clean(text), MESSAGE)
}

/// The beginning of a text.
fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A [`SourceError`] in the form that miette draws.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Snippet {
    message: String,
    help: Option<String>,
    excerpt: Option<Excerpt>,
}

impl Snippet {
    fn new(error: &SourceError) -> Self {
        let excerpt = Excerpt::of(error);
        let message = match excerpt {
            Some(_) => words(&error.message),
            None => words(&format!("{}: {}", error.file, error.message)),
        };
        Self { message, help: error.help.as_deref().map(words), excerpt }
    }
}

impl Diagnostic for Snippet {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.excerpt.as_ref().map(|excerpt| excerpt as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = self.excerpt.as_ref().map(|excerpt| LabeledSpan::new_with_span(None, excerpt.label))?;
        Some(Box::new(std::iter::once(label)))
    }
}

/// The line that an error is about, with those around it.
#[derive(Debug)]
struct Excerpt {
    name: String,
    text: String,
    /// What the error is about, in the text.
    label: SourceSpan,
    /// Line and column of it in the file, and the first line shown, counted from 0.
    line: usize,
    column: usize,
    first: usize,
}

impl Excerpt {
    fn of(error: &SourceError) -> Option<Self> {
        let span = error.span.as_ref()?;
        // At the end of a line there is nothing to point at but its last character.
        let at_end = error.text.as_bytes().get(span.start).is_none_or(|byte| *byte == b'\n');
        let last = error.text.get(..span.start)?.char_indices().next_back().filter(|(_, c)| at_end && *c != '\n');
        let (before, rest) = error.text.split_at_checked(last.map_or(span.start, |(at, _)| at))?;
        let start = before.len();
        let name = if error.position().is_some() { clean(&error.file) } else { "command line".to_owned() };
        let begin = before.rfind('\n').map_or(0, |newline| newline + 1);
        let end = start + rest.find(['\r', '\n']).unwrap_or(rest.len());
        let (before, own) = (&before[begin..], &error.text[start..end]);
        let own_end = own.char_indices().map(|(at, _)| at).chain([own.len()]).find(|at| *at >= span.len().max(1));
        let (own, behind) = own.split_at(own_end.unwrap_or(own.len()));
        // Of a long line what is near.
        let near = before.char_indices().rev().nth(LINE / 2).map_or(0, |(at, _)| at);
        let shown = format!("{}{}", if near > 0 { "…" } else { "" }, clean(&before[near..]));
        let own = cut(&clean(own), LINE);
        let line_of = |line: &str| cut(&clean(line.trim_end()), LINE);
        let line = error.text[..begin].matches('\n').count();
        let above = error.text[..begin].lines().next_back().map(line_of);
        let below = error.text[end..].lines().nth(1).map(line_of);
        let start = above.as_ref().map_or(0, |above| above.len() + 1) + shown.len();
        let shown = format!("{shown}{own}{}", cut(clean(behind).trim_end(), LINE));
        let column = before.chars().count();
        let first = line - usize::from(above.is_some());
        let text = above.into_iter().chain([shown]).chain(below).collect::<Vec<_>>().join("\n");
        Some(Self { name, text, label: (start, own.len()).into(), line, column, first })
    }
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        _: &SourceSpan,
        before: usize,
        _: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        // Without lines before it, the place itself is asked for.
        let (line, column) = if before == 0 { (self.line, self.column) } else { (self.first, 0) };
        let (whole, lines) = ((0, self.text.len()).into(), self.text.lines().count());
        let contents =
            MietteSpanContents::new_named(self.name.clone(), self.text.as_bytes(), whole, line, column, lines);
        Ok(Box::new(contents))
    }
}
