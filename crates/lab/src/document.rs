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
//! The types behind them are enums, which serde would write `rule = { momentum = { momentum = 0.9 } }`. This file turns
//! one form into the other, in one place (`NAMED`) and with the source positions kept, so that the types need no serde
//! code of their own and an error points at the very word.

use std::ops::Range;

use std::io::Read;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::LabError;
use crate::nearest::nearest;
use crate::overrides::{Override, Unusable};
use crate::source_error::{MARK, SourceError};

/// The largest configuration file, in bytes: a limit against files that are something else.
const MAX_BYTES: usize = 1 << 20;

/// The most keys that another name makes superfluous: more than any choice has.
const MAX_LEFT_OUT: usize = 32;

/// The text of a configuration file.
///
/// # Errors
///
/// When it cannot be read, or is larger than 1 MiB.
pub fn text(path: &Path) -> Result<String, LabError> {
    read(std::fs::File::open(path).map_err(LabError::io("read", path))?, path)
}

/// The text of a configuration from anywhere; `path` names that in messages.
///
/// # Errors
///
/// As [`text`].
pub fn read(from: impl Read, path: &Path) -> Result<String, LabError> {
    let mut text = String::new();
    from.take(MAX_BYTES as u64 + 1).read_to_string(&mut text).map_err(LabError::io("read", path))?;
    if text.len() > MAX_BYTES {
        let problem = "it has more than 1 MiB; is it a configuration file?".to_owned();
        return Err(LabError::Damaged { path: path.to_owned(), problem });
    }
    Ok(text)
}

/// A table whose `name` chooses a variant.
pub(crate) struct Named {
    /// Where the table is in a file.
    pub path: &'static [&'static str],
    /// The field that holds the enum, when the table has keys of its own beside it.
    pub field: Option<&'static str>,
    /// Those keys.
    common: &'static [&'static str],
}

/// Every such table, outer ones before those inside them: the forms of a file are made from outside in, those of types
/// from inside out.
pub(crate) const NAMED: &[Named] = &[
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
    Named { path: &["model", "features"], field: None, common: &[] },
    Named { path: &["average"], field: None, common: &[] },
];

/// A configuration file with its overrides.
#[derive(Debug, Clone)]
pub struct Document {
    file: String,
    /// The file's text, then a line for each override.
    text: String,
    /// Length of the file's own text.
    own: usize,
    /// In the order in which they are applied.
    overrides: Vec<Override>,
    /// A table that is not part of what [`Document::read`] reads.
    aside: Option<&'static str>,
}

impl Document {
    /// Parses a file's text; `file` names it in messages. Overrides are written
    ///
    /// | written | does |
    /// |---|---|
    /// | `a.b=value` | sets one key, the value in TOML, as Python writes it (`.5`, `5.`, `True`), or a bare word |
    /// | `a={ … }` | sets a table: what the file says in it no longer counts |
    /// | `a.b=null`, `a.b=None`, `~a.b` | takes a key or table away |
    /// | `a.b=false` | the same, where `b` is a table that need not be there |
    /// | `a.name=word` | chooses another thing: keys of the file that it does not know no longer count |
    ///
    /// Tables are set before the keys in them, whatever the order; of two overrides of one key the later one holds.
    ///
    /// # Errors
    ///
    /// When file or overrides are no TOML, or an override's path runs through something that is no table.
    pub fn parse(file: impl Into<String>, text: &str, overrides: &[String]) -> Result<Self, Box<SourceError>> {
        let mut document =
            Self { file: file.into(), text: text.to_owned(), own: text.len(), overrides: Vec::new(), aside: None };
        let mut table = DeTable::parse(text).map_err(|error| document.toml_error(&error))?.into_inner();
        for item in overrides {
            let parsed = Override::parse(item, &mut document.text);
            let parsed = parsed.map_err(|(unusable, place)| document.unusable(unusable, &place))?;
            document.overrides.push(parsed);
        }
        document.overrides.sort_by_key(Override::depth);
        for change in &document.overrides {
            change.apply(&mut table).map_err(|unusable| document.unusable(unusable, &change.item))?;
        }
        Ok(document)
    }

    fn unusable(&self, unusable: Unusable, place: &Range<usize>) -> Box<SourceError> {
        let message = unusable.message(&self.text[place.clone()]);
        self.error(Some(place.clone()), message, unusable.help().map(str::to_owned))
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
        self.check_integers(&table)?;
        let deserializer = toml::Deserializer::from(Spanned::new(span, table));
        T::deserialize(deserializer).map(Some).map_err(|error| self.toml_error(&error))
    }

    /// The table of file and overrides; parsed anew, since it borrows from the text.
    fn table(&self) -> DeTable<'_> {
        let mut table = DeTable::parse(&self.text[..self.own]).map(Spanned::into_inner).unwrap_or_default();
        for change in &self.overrides {
            // What cannot be applied was refused when it was parsed.
            let _ = change.apply(&mut table);
        }
        table
    }

    /// Reads the whole document as `T`.
    ///
    /// # Errors
    ///
    /// Unknown keys, missing ones, values of a wrong type or not among those known.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Box<SourceError>> {
        let mut left_out: Vec<Vec<String>> = Vec::new();
        loop {
            let mut table = self.table();
            if let Some(aside) = self.aside {
                table.remove(aside);
            }
            left_out.iter().for_each(|key| remove(&mut table, key.as_slice()));
            self.check_integers(&table)?;
            for named in NAMED.iter().rev() {
                self.choose(&mut table, named)?;
            }
            let deserializer = toml::Deserializer::from(Spanned::new(0..self.text.len(), table));
            let error = match T::deserialize(deserializer) {
                Ok(read) => return Ok(read),
                Err(error) => error,
            };
            let dispensable = self.dispensable(&error).filter(|key| !left_out.contains(key));
            match dispensable.filter(|_| left_out.len() < MAX_LEFT_OUT) {
                Some(key) => left_out.push(key),
                None => return Err(self.toml_error(&error)),
            }
        }
    }

    /// The key that an error is about, where an override has made it one to leave out.
    fn dispensable(&self, error: &toml::de::Error) -> Option<Vec<String>> {
        let (span, table) = (error.span()?, self.table());
        let message = error.message();
        if message.starts_with("unknown field") && span.end <= self.own {
            let path = path_of(&table, &|key, _| *key == span)?;
            let chosen = NAMED.iter().find(|named| path.split_last().is_some_and(|(_, above)| above == named.path))?;
            let name =
                |table| Some(value_at(table, chosen.path)?.as_table()?.get("name")?.get_ref().as_str()?.to_owned());
            let own = DeTable::parse(&self.text[..self.own]).ok()?.into_inner();
            return (name(&own)? != name(&table)?).then_some(path);
        }
        let wanted = ["expected struct", "wanted string or table", "expected table"];
        if span.start >= self.own && wanted.iter().any(|wanted| message.contains(wanted)) {
            return path_of(&table, &|_, value| {
                value.span() == span && matches!(value.get_ref(), DeValue::Boolean(false))
            });
        }
        None
    }

    /// Whether every whole number can be written into a file again.
    fn check_integers(&self, table: &DeTable<'_>) -> Result<(), Box<SourceError>> {
        table.iter().try_for_each(|(key, value)| self.check_integer(key.get_ref(), value))
    }

    fn check_integer(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<(), Box<SourceError>> {
        match value.get_ref() {
            DeValue::Table(table) => self.check_integers(table),
            DeValue::Array(values) => values.iter().try_for_each(|value| self.check_integer(key, value)),
            DeValue::Integer(number) if i64::from_str_radix(number.as_str(), number.radix()).is_err() => {
                let message = format!("{key} = {number} is not possible: TOML ends at {}", i64::MAX);
                Err(self.error(Some(value.span()), message, None))
            }
            _ => Ok(()),
        }
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
        let of_override = |span: &Range<usize>| self.overrides.iter().find_map(|known| known.place(span));
        let span = span.map(|span| of_override(&span).unwrap_or(span));
        Box::new(SourceError { message, help, file: self.file.clone(), text: self.text.clone(), span })
    }

    /// serde's words, in ours: unknown keys and names come with the nearest one known.
    fn toml_error(&self, error: &toml::de::Error) -> Box<SourceError> {
        let message = error.message();
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        let (what, mut known): (_, Vec<&str>) = match quoted.split_first() {
            Some((_, known)) if message.starts_with("unknown field") => ("key", known.to_vec()),
            Some((_, known)) if message.starts_with("unknown variant") => ("name", known.to_vec()),
            _ => return self.error(error.span(), message.trim_end().to_owned(), written(message).map(str::to_owned)),
        };
        let word = quoted[0];
        if what == "key" {
            let place = error.span().and_then(|span| path_of(&self.table(), &|key, _| *key == span));
            let above = place.as_deref().and_then(<[String]>::split_last).map(|(_, above)| above);
            if let Some(named) = above.and_then(|above| NAMED.iter().find(|named| named.path == above)) {
                known.push("name");
                known.extend(named.common);
            }
        }
        let help = match nearest(word, known.iter().copied()) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            _ if known.is_empty() => "no settings are known here".to_owned(),
            _ => format!("known are {}", known.join(", ")),
        };
        self.error(error.span(), format!("unknown {what} `{word}`"), Some(help))
    }
}

/// How a value is written of the kind that a message of serde expects.
fn written(message: &str) -> Option<&'static str> {
    let (_, expected) = message.split_once("expected ")?;
    match expected.trim_end() {
        "a boolean" => Some("written true or false"),
        "f32" | "f64" => Some("written 12, 0.5 or 1e-3, without quotes"),
        "u8" | "u16" | "u32" | "u64" | "usize" | "i64" => {
            Some("a whole number, written 12, without quotes, zeros in front or an exponent")
        }
        "a sequence" => Some("written [64, 64]"),
        "a string" => Some("written in quotes"),
        "newtype variant" => Some("a table with a name: written { name = \"…\" }"),
        _ => None,
    }
}

/// The path of the first key, in its table, that is the one looked for by its place and value.
fn path_of(table: &DeTable<'_>, is_it: &dyn Fn(&Range<usize>, &Spanned<DeValue<'_>>) -> bool) -> Option<Vec<String>> {
    table.iter().find_map(|(key, value)| {
        let inside = || value.get_ref().as_table().and_then(|inner| path_of(inner, is_it));
        let below = if is_it(&key.span(), value) { Vec::new() } else { inside()? };
        Some([vec![key.get_ref().to_string()], below].concat())
    })
}

/// The value at a path.
fn value_at<'a, 'b>(table: &'b DeTable<'a>, path: &[&str]) -> Option<&'b DeValue<'a>> {
    let (last, above) = path.split_last()?;
    let table = above.iter().try_fold(table, |table, key| table.get(*key)?.get_ref().as_table())?;
    table.get(*last).map(Spanned::get_ref)
}

/// Takes a key out of the table that it is in.
fn remove(table: &mut DeTable<'_>, path: &[String]) {
    match path {
        [] => {}
        [key] => drop(table.remove(key.as_str())),
        [key, below @ ..] => {
            if let Some(DeValue::Table(inner)) = table.get_mut(key.as_str()).map(Spanned::get_mut) {
                remove(inner, below);
            }
        }
    }
}

/// An error that an override made, as one at `place` of the file that the override came from; any other stays as it is.
pub fn relocate(error: Box<SourceError>, document: &Document, place: impl Fn(&str) -> Vec<String>) -> Box<SourceError> {
    let (None, Some(span)) = (error.position(), &error.span) else { return error };
    let line_start = error.text[..span.start.min(error.text.len())].rfind('\n').map_or(0, |newline| newline + 1);
    let line = error.text[line_start..].lines().next().unwrap_or_default();
    let item = line.strip_prefix(MARK).unwrap_or(line).trim_end();
    let path = place(item.split_once('=').map_or(item, |(key, _)| key));
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let message = format!("{} (with {item})", error.message);
    Box::new(SourceError { help: error.help, ..*document.error_at(&path, message) })
}

/// A configuration as the text of a file: named tables in their short form.
///
/// # Panics
///
/// When `value` does not serialize to a table.
#[must_use]
pub fn write(value: &impl serde::Serialize) -> String {
    let mut table = toml::Table::try_from(value).expect("a configuration is a table");
    for named in NAMED {
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
