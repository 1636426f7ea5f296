//! Delimited text, record by record: fields, quotes, and the line that each record begins in.
//!
//! As RFC 4180 has it, with any one character between fields, or runs of spaces and tabs; lines end with `\n` or
//! `\r\n`, empty ones are passed over, and a byte order mark of UTF-8 is taken away. Written here, as lines must be
//! right behind empty lines and quoted newlines, where those of the csv crate are not.

use std::path::{Path, PathBuf};

use super::error::DataError;
use super::files::{Bytes, open};

/// The longest record, in bytes.
const LONGEST: usize = 1 << 25;

/// What stands between fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delimiter {
    One(char),
    /// Any run of spaces and tabs.
    Whitespace,
}

impl Delimiter {
    fn find(self, text: &str) -> Option<usize> {
        match self {
            Self::One(delimiter) => text.find(delimiter),
            Self::Whitespace => text.find([' ', '\t']),
        }
    }

    fn is(self, c: char) -> bool {
        match self {
            Self::One(delimiter) => c == delimiter,
            Self::Whitespace => c == ' ' || c == '\t',
        }
    }
}

/// The question whether another delimiter is meant, where `text` has one of the usual ones in it.
pub(super) fn likely_delimiter(text: &str) -> Option<String> {
    let sign = text.chars().find(|c| [';', '\t', '|'].contains(c))?;
    let word = if sign == '\t' { "tab".to_owned() } else { sign.to_string() };
    Some(format!("; is delimiter = {word:?} right?"))
}

/// The fields of a record, without space around them.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// Where it begins, counted from 1.
    pub(super) line: u64,
    text: String,
    /// Where in `text` each field ends.
    ends: Vec<u32>,
}

impl Record {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, at: usize) -> &str {
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        self.text[start..self.ends[at] as usize].trim()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|at| self.get(at))
    }
}

/// A file of records.
pub(super) struct Records {
    path: PathBuf,
    pub(super) bytes: Bytes,
    delimiter: Delimiter,
    /// Lines read so far.
    line: u64,
    buffer: Vec<u8>,
}

impl Records {
    pub(super) fn open(path: &Path, delimiter: Delimiter) -> Result<Self, DataError> {
        let bytes = open(path)?;
        let records = Self { path: path.to_owned(), bytes, delimiter, line: 0, buffer: Vec::new() };
        let head = records.bytes.head();
        if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
            return Err(records.wrong(1, "the file is UTF-16; save it as UTF-8"));
        }
        if !head.is_empty() && !head.contains(&b'\n') && head.contains(&b'\r') {
            return Err(records.wrong(1, "lines end with \\r alone; save the file with \\n or \\r\\n"));
        }
        Ok(records)
    }

    /// Reads the next record; false at the end of the file.
    pub(super) fn next(&mut self, record: &mut Record) -> Result<bool, DataError> {
        record.text.clear();
        record.ends.clear();
        let mut line = loop {
            let Some(line) = self.text_line()? else { return Ok(false) };
            if !line.trim_matches(|c: char| c.is_whitespace() && !self.delimiter_is_tab(c)).is_empty() {
                break line;
            }
        };
        record.line = self.line;
        let mut at = 0;
        loop {
            if self.delimiter == Delimiter::Whitespace {
                at += line[at..].find(|c| !self.delimiter.is(c)).unwrap_or(line.len() - at);
                if at == line.len() && record.len() > 0 {
                    break;
                }
            }
            if line[at..].starts_with('"') {
                at += 1;
                loop {
                    let Some(length) = line[at..].find('"') else {
                        record.text.push_str(&line[at..]);
                        record.text.push('\n');
                        let Some(next) = self.text_line()? else {
                            return Err(self.wrong(record.line, "a quote that opens here is never closed"));
                        };
                        if record.text.len() > LONGEST {
                            return Err(self.wrong(record.line, "a quoted field is longer than 32 MiB"));
                        }
                        (line, at) = (next, 0);
                        continue;
                    };
                    record.text.push_str(&line[at..at + length]);
                    at += length + 1;
                    if !line[at..].starts_with('"') {
                        break;
                    }
                    record.text.push('"');
                    at += 1;
                }
                at += line[at..].find(|c| c != ' ' || self.delimiter.is(c)).unwrap_or(line.len() - at);
                if line[at..].starts_with(|c| !self.delimiter.is(c)) {
                    let hint = likely_delimiter(&line[at..]).unwrap_or_default();
                    let problem = format!("text stands between a closing quote and the next delimiter{hint}");
                    return Err(self.wrong(self.line, problem));
                }
            } else {
                let length = self.delimiter.find(&line[at..]).unwrap_or(line.len() - at);
                let field = &line[at..at + length];
                if field.trim_start().starts_with('"') {
                    return Err(self.wrong(self.line, "a quote stands behind a blank; remove the blank before it"));
                }
                record.text.push_str(field);
                at += length;
            }
            // Below 2³² by the longest record.
            record.ends.push(record.text.len() as u32);
            match line[at..].chars().next() {
                Some(delimiter) => at += delimiter.len_utf8(),
                None => break,
            }
        }
        Ok(true)
    }

    fn delimiter_is_tab(&self, c: char) -> bool {
        c == '\t' && self.delimiter == Delimiter::One('\t')
    }

    /// The next line without its end.
    fn text_line(&mut self) -> Result<Option<String>, DataError> {
        self.buffer.clear();
        if !self.bytes.line(&mut self.buffer, LONGEST as u64)? {
            return Ok(None);
        }
        self.line += 1;
        if self.buffer.len() == LONGEST {
            return Err(self.wrong(self.line, "the line is longer than 32 MiB"));
        }
        let mut bytes = self.buffer.as_slice();
        bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if self.line == 1 {
            bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        }
        let Ok(line) = std::str::from_utf8(bytes) else {
            return Err(self.wrong(self.line, "the text is not UTF-8; save it as UTF-8"));
        };
        // Most lines are plain, and bytes are looked at faster than characters.
        if bytes.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) {
            return Ok(Some(line.to_owned()));
        }
        match line.chars().find(|c| c.is_control() && *c != '\t') {
            None => Ok(Some(line.to_owned())),
            Some('\0') => {
                Err(self.wrong(self.line, "there is a zero byte: this is no text, or UTF-16; save it as UTF-8"))
            }
            Some('\r') => {
                Err(self.wrong(self.line, "there is a \\r within the line; save the file with \\n or \\r\\n alone"))
            }
            Some(c) => {
                Err(self.wrong(self.line, format!("there is a control character, {}; remove it", c.escape_unicode())))
            }
        }
    }

    pub(super) fn wrong(&self, line: u64, problem: impl Into<String>) -> DataError {
        DataError::Format { path: self.path.clone(), line: Some(line), problem: problem.into() }
    }
}
