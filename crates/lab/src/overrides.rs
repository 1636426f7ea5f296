//! What the command line and a study's axes change in a [`Document`](crate::Document).
//!
//! Overrides are lines behind the text of the file, so that an error about one points at its word, as an error about
//! the file does. Tables are set before the keys in them, and a name before what it makes superfluous.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::source_error::MARK;

/// One override, as TOML.
#[derive(Debug, Clone)]
pub struct Override {
    /// `key = value`, behind as many spaces as the text is long before it: its spans are positions in the text.
    toml: String,
    /// Keys on the way to the value.
    depth: usize,
    removes: bool,
    /// Where it stands in the text.
    pub item: Range<usize>,
    /// Where its value stands there, if that is written otherwise than in TOML.
    value: Option<Range<usize>>,
}

/// Why an override cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    NoSetting,
    NoToml,
    MoreThanOne,
    ThroughValue,
    Absent,
}

impl Unusable {
    /// In words, about an override.
    pub fn message(self, item: &str) -> String {
        match self {
            Self::NoSetting => format!("`{item}` sets nothing"),
            Self::NoToml => format!("`{item}` is no TOML"),
            Self::MoreThanOne => format!("`{item}` sets more than one key"),
            Self::ThroughValue => format!("`{item}` runs through a value that is not a table"),
            Self::Absent => format!("`{item}` takes away what is not there"),
        }
    }

    /// What to do about it.
    pub fn help(self) -> Option<&'static str> {
        match self {
            Self::NoSetting | Self::NoToml | Self::MoreThanOne => {
                Some("write key.key=value, for example -s optimizer.learning_rate=0.1")
            }
            Self::ThroughValue => None,
            Self::Absent => Some("the file has no such key; leave the override out"),
        }
    }
}

impl Override {
    /// Reads an override and writes its line behind `text`.
    pub fn parse(item: &str, text: &mut String) -> Result<Self, (Unusable, Range<usize>)> {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        let start = text.len() + MARK.len();
        let place = start..start + item.len();
        text.push_str(MARK);
        // One line an override.
        text.push_str(&item.replace(['\n', '\r'], " "));
        let parsed = Self::read(item, &place);
        // Where more is read than was written, the text has room for its spans.
        let read = parsed.as_ref().map_or(0, |parsed| parsed.toml.len());
        text.push_str(&" ".repeat(read.saturating_sub(place.end)));
        text.push('\n');
        parsed.map_err(|unusable| (unusable, place))
    }

    fn read(item: &str, place: &Range<usize>) -> Result<Self, Unusable> {
        let (key, value) = match (item.strip_prefix('~'), item.split_once('=')) {
            (Some(key), _) => (key, "null"),
            (None, Some(parts)) => parts,
            (None, None) => return Err(Unusable::NoSetting),
        };
        let word = value.trim();
        let removes = ["null", "None"].contains(&word);
        let padded = |item: String| format!("{}{item}", " ".repeat(place.start));
        let forms = if removes {
            vec![format!("{key}=false")]
        } else {
            vec![item.to_owned(), format!("{key}={}", from_python(value)), format!("{key}={word:?}")]
        };
        let toml = forms.into_iter().find(|form| DeTable::parse(form).is_ok()).ok_or(Unusable::NoToml)?;
        let at = place.start + item.len() - value.trim_start().len();
        let value = (toml != item).then(|| at.min(place.end)..place.end);
        let depth = depth(&format!("{key}=0")).ok_or(Unusable::MoreThanOne)?;
        let toml = padded(toml);
        let found = Self { toml, depth, removes, item: place.clone(), value };
        match found.change() {
            Some(_) => Ok(found),
            None => Err(Unusable::MoreThanOne),
        }
    }

    /// How many keys lead to its value: tables are set before what is in them.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Its keys and its value.
    fn change(&self) -> Option<(Vec<Spanned<toml::de::DeString<'_>>>, Spanned<DeValue<'_>>)> {
        let mut table = DeTable::parse(&self.toml).ok()?.into_inner();
        let mut keys = Vec::new();
        loop {
            if table.len() != 1 {
                return None;
            }
            let (key, value) = table.into_iter().next()?;
            keys.push(key);
            if keys.len() == self.depth {
                return Some((keys, value));
            }
            let DeValue::Table(inner) = value.into_inner() else { return None };
            table = inner;
        }
    }

    /// Changes a table accordingly.
    pub fn apply<'a>(&'a self, table: &mut DeTable<'a>) -> Result<(), Unusable> {
        let (mut keys, value) = self.change().ok_or(Unusable::MoreThanOne)?;
        let last = keys.pop().ok_or(Unusable::NoSetting)?;
        let mut table = table;
        for key in keys {
            if self.removes && !table.contains_key(key.get_ref().as_ref()) {
                return Err(Unusable::Absent);
            }
            let span = key.span();
            let slot = table.entry(key).or_insert_with(|| Spanned::new(span, DeValue::Table(DeTable::new())));
            let DeValue::Table(inner) = slot.get_mut() else { return Err(Unusable::ThroughValue) };
            table = inner;
        }
        // Removed first: a key that stays would keep its place in the file.
        let before = table.remove(last.get_ref().as_ref());
        match (self.removes, before) {
            (true, None) => return Err(Unusable::Absent),
            (true, Some(_)) => {}
            (false, _) => drop(table.insert(last, value)),
        }
        Ok(())
    }

    /// The place in the text of something in its TOML, if it is this override's.
    pub fn place(&self, span: &Range<usize>) -> Option<Range<usize>> {
        if !(self.item.start..self.toml.len().max(self.item.end)).contains(&span.start) {
            return None;
        }
        Some(match &self.value {
            Some(value) if span.start >= value.start => value.clone(),
            _ => span.clone(),
        })
    }
}

/// How many keys there are in `a.b.c=0`.
fn depth(item: &str) -> Option<usize> {
    fn of(table: &DeTable<'_>) -> usize {
        table.iter().next().map_or(0, |(_, value)| 1 + value.get_ref().as_table().map_or(0, of))
    }
    DeTable::parse(item).ok().map(|table| of(table.get_ref()))
}

/// A value with numbers and truth values as Python writes them, in TOML.
fn from_python(value: &str) -> String {
    let mut toml = String::new();
    let mut rest = value;
    while let Some(first) = rest.chars().next() {
        let in_word = |c: char| c.is_ascii_alphanumeric() || "_.+-".contains(c);
        let length = match first {
            '"' | '\'' => rest[1..].find(first).map_or(rest.len(), |end| end + 2),
            first if in_word(first) => rest.find(|c| !in_word(c)).unwrap_or(rest.len()),
            first => first.len_utf8(),
        };
        let (token, behind) = rest.split_at(length);
        toml += &match token {
            "True" => "true".to_owned(),
            "False" => "false".to_owned(),
            token => whole_number(token),
        };
        rest = behind;
    }
    toml
}

/// `.5` as `0.5` and `5.` as `5.0`; anything else as it is.
fn whole_number(token: &str) -> String {
    let unsigned = token.trim_start_matches(['+', '-']);
    let sign = &token[..token.len() - unsigned.len()];
    let Some((before, behind)) = unsigned.split_once('.') else { return token.to_owned() };
    let exponent = behind.find(['e', 'E']).unwrap_or(behind.len());
    let (behind, exponent) = behind.split_at(exponent);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if sign.len() > 1 || !digits(before) || !digits(behind) || before.is_empty() == behind.is_empty() {
        return token.to_owned();
    }
    let or_zero = |digits| if str::is_empty(digits) { "0" } else { digits };
    format!("{sign}{}.{}{exponent}", or_zero(before), or_zero(behind))
}

#[cfg(test)]
mod tests {
    use super::from_python;

    #[test]
    fn numbers_of_python() {
        for (python, toml) in [
            (".5", "0.5"),
            ("5.", "5.0"),
            ("-.5e-3", "-0.5e-3"),
            ("1.e3", "1.0e3"),
            ("True", "true"),
            ("[.5, False, 1.5, 'True .5']", "[0.5, false, 1.5, 'True .5']"),
            ("{ rho = .05, adaptive = True }", "{ rho = 0.05, adaptive = true }"),
            (".", "."),
            ("a.b", "a.b"),
            ("1.2.", "1.2."),
            ("Truest", "Truest"),
            ("\"", "\""),
        ] {
            assert_eq!(from_python(python), toml);
        }
    }
}
