//! A configuration file as text: parsing, overrides, and errors that say where they come from.
//!
//! Tables that choose one of several things carry a `name` beside the settings of that thing:
//!
//! ```toml
//! [optimizer]
//! name = "momentum"
//! momentum = 0.9
//! learning_rate = 0.05
//! ```
//!
//! The types behind them are enums, which serde would write `rule = { momentum = { momentum = 0.9 } }`. This file turns one form into
//! the other, in one place (`NAMED`) and with the source positions kept, so that the types need no serde code of their own and
//! an error points at the very word.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A table whose `name` chooses a variant.
struct Named {
    /// Where the table is.
    path: &'static [&'static str],
    /// The field that holds the enum, when the table has keys of its own beside it.
    field: Option<&'static str>,
    /// Those keys.
    common: &'static [&'static str],
}

/// Every such table, outer ones before those inside them.
const NAMED: &[Named] = &[
    Named {
        path: &["data"],
        field: Some("source"),
        common: &["test_fraction", "standardize", "random_labels", "seed"],
    },
    Named { path: &["model"], field: None, common: &[] },
    Named {
        path: &["optimizer"],
        field: Some("rule"),
        common: &["learning_rate", "weight_decay", "clip_norm", "sam", "sharpness_penalty", "schedule"],
    },
    Named { path: &["optimizer", "schedule"], field: None, common: &[] },
    Named { path: &["model", "linear", "features"], field: None, common: &[] },
];

/// An error with the place in the configuration that it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceError {
    /// What is wrong.
    pub message: String,
    /// What to do.
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
        (!self.text[line_start..].starts_with(OVERRIDE)).then(|| (line, before[line_start..].chars().count() + 1))
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

/// What a line of the text begins with that came from the command line.
const OVERRIDE: &str = "--set ";

/// A configuration file with its overrides.
#[derive(Debug, Clone)]
pub struct Document {
    file: String,
    /// The file's text, then a line for each override.
    text: String,
    /// Length of the file's own text.
    own: usize,
    /// The overrides as TOML, each behind as many spaces as the text is long before it: their spans are positions in the text.
    overrides: Vec<String>,
    /// A table that is not part of what [`Document::read`] reads.
    aside: Option<&'static str>,
}

impl Document {
    /// Parses a file's text; `file` names it in messages. Each override is `key.key=value`, the value in TOML or a bare word.
    ///
    /// # Errors
    ///
    /// When file or overrides are no TOML, or an override's path runs through something that is no table.
    pub fn parse(file: impl Into<String>, text: &str, overrides: &[String]) -> Result<Self, Box<SourceError>> {
        let mut document =
            Self { file: file.into(), text: text.to_owned(), own: text.len(), overrides: Vec::new(), aside: None };
        let mut table = DeTable::parse(text).map_err(|error| document.toml_error(&error))?.into_inner();
        for item in overrides {
            if !document.text.is_empty() && !document.text.ends_with('\n') {
                document.text.push('\n');
            }
            let start = document.text.len() + OVERRIDE.len();
            document.text.push_str(&format!("{OVERRIDE}{item}\n"));
            let wrong = |message: String, help: &str| {
                let help = (!help.is_empty()).then(|| help.to_owned());
                Err(document.error(Some(start..start + item.len()), message, help))
            };
            let Some((key, value)) = item.split_once('=') else {
                return wrong(
                    format!("`{item}` sets nothing"),
                    "write key.key=value, for example -s optimizer.learning_rate=0.1",
                );
            };
            let bare = format!("{key}={:?}", value.trim());
            let Some(padded) = [item, &bare]
                .map(|item| format!("{}{item}", " ".repeat(start)))
                .into_iter()
                .find(|padded| DeTable::parse(padded).is_ok())
            else {
                return wrong(format!("`{item}` is no TOML"), "");
            };
            document.overrides.push(padded);
        }
        for (at, padded) in document.overrides.iter().enumerate() {
            let change = DeTable::parse(padded).map_err(|error| document.toml_error(&error))?.into_inner();
            if !merge(&mut table, change) {
                let item = &overrides[at];
                let start = padded.len() - padded.trim_start().len();
                let message = format!("`{item}` runs through a value that is not a table");
                return Err(document.error(Some(start..start + item.len()), message, None));
            }
        }
        Ok(document)
    }

    /// The document without a table, for [`read`](Self::read).
    #[must_use]
    pub fn without(self, aside: &'static str) -> Self {
        Self { aside: Some(aside), ..self }
    }

    /// Reads one table of the document as `T`; `None` where there is none.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn section<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Box<SourceError>> {
        let Some(value) = self.table().remove(name) else { return Ok(None) };
        let span = value.span();
        let DeValue::Table(table) = value.into_inner() else {
            return Err(self.error(Some(span), format!("`{name}` must be a table"), None));
        };
        let deserializer = toml::Deserializer::from(Spanned::new(span, table));
        T::deserialize(deserializer).map(Some).map_err(|error| self.toml_error(&error))
    }

    /// The table of file and overrides; parsed anew, since it borrows from the text.
    fn table(&self) -> DeTable<'_> {
        let parse = |text| DeTable::parse(text).map(Spanned::into_inner).unwrap_or_default();
        let mut table = parse(&self.text[..self.own]);
        for padded in &self.overrides {
            merge(&mut table, parse(padded));
        }
        table
    }

    /// Reads the whole document as `T`.
    ///
    /// # Errors
    ///
    /// Unknown keys, missing ones, values of a wrong type or not among those known.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Box<SourceError>> {
        let mut table = self.table();
        if let Some(aside) = self.aside {
            table.remove(aside);
        }
        for named in NAMED {
            self.choose(&mut table, named)?;
        }
        let deserializer = toml::Deserializer::from(Spanned::new(0..self.text.len(), table));
        T::deserialize(deserializer).map_err(|error| self.toml_error(&error))
    }

    /// Rewrites one named table into the enum's own form.
    fn choose<'a>(&self, table: &mut DeTable<'a>, named: &Named) -> Result<(), Box<SourceError>> {
        let Some((last, parents)) = named.path.split_last() else { return Ok(()) };
        let parent = parents.iter().try_fold(table, |table, key| match table.get_mut(*key)?.get_mut() {
            DeValue::Table(table) => Some(table),
            _ => None,
        });
        let Some(slot) = parent.and_then(|table| table.get_mut(*last)) else { return Ok(()) };
        let place = slot.span();
        let DeValue::Table(settings) = slot.get_mut() else { return Ok(()) };
        let Some(name) = settings.remove("name") else {
            let message = format!("[{}] needs a name", named.path.join("."));
            return Err(self.error(Some(place), message, None));
        };
        let name_span = name.span();
        let DeValue::String(name) = name.into_inner() else {
            return Err(self.error(Some(name_span), "the name must be a string".to_owned(), None));
        };
        let mut common = DeTable::new();
        for key in named.common {
            if let Some((key, value)) = settings.remove_entry(*key) {
                common.insert(key, value);
            }
        }
        let variant = Spanned::new(place.clone(), DeValue::Table(std::mem::take(settings)));
        let mut choice = DeTable::new();
        choice.insert(Spanned::new(name_span, name), variant);
        *settings = match named.field {
            None => choice,
            Some(field) => {
                common.insert(Spanned::new(place.clone(), field.into()), Spanned::new(place, DeValue::Table(choice)));
                common
            }
        };
        Ok(())
    }

    /// The error of a setting that cannot be used: at `path` or, failing that, at the nearest table above it.
    #[must_use]
    pub fn error_at(&self, path: &[&str], message: impl Into<String>) -> Box<SourceError> {
        let root = self.table();
        let mut table = &root;
        let mut span = None;
        for key in path {
            let Some((found, value)) = table.get_key_value(*key) else { break };
            match value.get_ref() {
                DeValue::Table(inner) => {
                    span = Some(found.span());
                    table = inner;
                }
                _ => {
                    span = Some(value.span());
                    break;
                }
            }
        }
        self.error(span, message.into(), None)
    }

    fn error(&self, span: Option<Range<usize>>, message: String, help: Option<String>) -> Box<SourceError> {
        Box::new(SourceError { message, help, file: self.file.clone(), text: self.text.clone(), span })
    }

    /// serde's words, in ours: unknown keys and names come with the nearest one known.
    fn toml_error(&self, error: &toml::de::Error) -> Box<SourceError> {
        let message = error.message();
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        let (what, mut known): (_, Vec<&str>) = match quoted.split_first() {
            Some((_, known)) if message.starts_with("unknown field") => ("key", known.to_vec()),
            Some((_, known)) if message.starts_with("unknown variant") => ("name", known.to_vec()),
            _ => return self.error(error.span(), message.trim_end().to_owned(), None),
        };
        let word = quoted[0];
        if what == "key" {
            let place = error.span().and_then(|span| path_of(&self.table(), &span));
            if let Some(named) = place.and_then(|path| NAMED.iter().find(|named| named.path == path)) {
                known.push("name");
                known.extend(named.common);
            }
        }
        let nearest = known.iter().max_by(|a, b| {
            let closeness = |known: &str| strsim::normalized_damerau_levenshtein(word, known);
            closeness(a).total_cmp(&closeness(b))
        });
        let help = match nearest {
            Some(nearest) if strsim::normalized_damerau_levenshtein(word, nearest) >= 0.5 => {
                format!("did you mean `{nearest}`?")
            }
            _ if known.is_empty() => "no settings are known here".to_owned(),
            _ => format!("known are {}", known.join(", ")),
        };
        self.error(error.span(), format!("unknown {what} `{word}`"), Some(help))
    }
}

/// The path of the table that has a key at `span`.
fn path_of(table: &DeTable<'_>, span: &Range<usize>) -> Option<Vec<String>> {
    table.iter().find_map(|(key, value)| {
        if key.span() == *span {
            return Some(Vec::new());
        }
        let DeValue::Table(inner) = value.get_ref() else { return None };
        let mut path = path_of(inner, span)?;
        path.insert(0, key.get_ref().to_string());
        Some(path)
    })
}

/// An error that an override made, as one at `place` of the file that the override came from; any other stays as it is.
pub(crate) fn relocate(
    error: Box<SourceError>,
    document: &Document,
    place: impl Fn(&str) -> Vec<String>,
) -> Box<SourceError> {
    let (None, Some(span)) = (error.position(), &error.span) else { return error };
    let line_start = error.text[..span.start.min(error.text.len())].rfind('\n').map_or(0, |newline| newline + 1);
    let line = error.text[line_start..].lines().next().unwrap_or_default();
    let item = line.strip_prefix(OVERRIDE).unwrap_or(line);
    let path = place(item.split_once('=').map_or(item, |(key, _)| key));
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let message = format!("{} (with {item})", error.message);
    Box::new(SourceError { help: error.help, ..*document.error_at(&path, message) })
}

/// Folds `change` into `table`, key by key; false when a key that must be a table is something else.
fn merge<'a>(table: &mut DeTable<'a>, change: DeTable<'a>) -> bool {
    change.into_iter().all(|(key, value)| {
        let span = value.span();
        match (table.get_mut(key.get_ref().as_ref()), value.into_inner()) {
            (Some(slot), DeValue::Table(inner)) => match slot.get_mut() {
                DeValue::Table(table) => merge(table, inner),
                _ => false,
            },
            (_, value) => {
                table.insert(key, Spanned::new(span, value));
                true
            }
        }
    })
}

/// A configuration as the text of a file: named tables in their short form.
///
/// # Panics
///
/// When `value` does not serialize to a table.
#[must_use]
pub fn write(value: &impl serde::Serialize) -> String {
    let mut table = toml::Table::try_from(value).expect("a configuration is a table");
    for named in NAMED.iter().rev() {
        let Some((last, parents)) = named.path.split_last() else { continue };
        let parent = parents.iter().try_fold(&mut table, |table, key| table.get_mut(*key)?.as_table_mut());
        let Some(settings) = parent.and_then(|table| table.get_mut(*last)?.as_table_mut()) else { continue };
        let mut common = std::mem::take(settings);
        let choice = match named.field {
            None => std::mem::take(&mut common),
            Some(field) => match common.remove(field) {
                Some(toml::Value::Table(choice)) => choice,
                _ => continue,
            },
        };
        let Some((name, toml::Value::Table(variant))) = choice.into_iter().next() else { continue };
        settings.insert("name".to_owned(), name.into());
        settings.extend(variant);
        settings.extend(common);
    }
    table.to_string()
}
