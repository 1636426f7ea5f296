//! Characters of a text: samples are pieces of it, and at each position the target is the next character.
//!
//! Pieces lie one behind the other and do not overlap; which of them are tested on is drawn, as of other sources. The
//! vocabulary is the characters of the whole text in the order of their code points, newlines among them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset::{Dataset, MAX_VALUES, Matrix, Parts, Targets};
use super::error::DataError;
use super::files::open;
use super::origin::{Key, Origin, USUAL_SHARE};
use super::standardize::Standardize;

/// "As You Like It", gzipped; origin and checksum are in `assets/README.md`.
const PLAY: &[u8] = include_bytes!("../../assets/as-you-like-it.txt.gz");

/// The most different characters: more make a table of targets that memory does not hold.
const MAX_VOCABULARY: usize = 4096;

/// Which text, and how it is cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// The file, UTF-8, plain or gzipped; a relative path starts at the configuration's folder. Default: the play that
    /// comes with the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Characters of a sample. Default: 64.
    #[serde(default = "length")]
    pub length: usize,
    /// So many samples, the first ones. Default: as many as there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
}

fn length() -> usize {
    64
}

impl Default for Text {
    fn default() -> Self {
        Self { path: None, length: length(), samples: None }
    }
}

impl Text {
    /// Keys of the source.
    pub const KEYS: &'static [Key] = &[
        ("path", "a play", "the text, UTF-8, plain or gzipped"),
        ("length", "64", "characters of a sample"),
        ("samples", "all", "number of samples, the first ones of the text"),
    ];

    /// The text, and what it is called in messages.
    fn characters(&self) -> Result<(String, PathBuf), DataError> {
        let Some(path) = &self.path else {
            let mut text = String::new();
            flate2::read::GzDecoder::new(PLAY).read_to_string(&mut text).expect("the archive is whole");
            return Ok((text, PathBuf::from("the play")));
        };
        let mut file = open(path)?;
        let mut bytes = Vec::new();
        loop {
            let start = bytes.len();
            bytes.resize(start + (1 << 20), 0);
            let read = file.fill(&mut bytes[start..])?;
            bytes.truncate(start + read);
            file.allow(bytes.len())?;
            if read == 0 {
                break;
            }
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let problem = format!("it is no UTF-8 text: byte {at}; convert it, as with iconv -t UTF-8");
            DataError::Format { path: path.clone(), line: None, problem }
        })?;
        Ok((text, path.clone()))
    }

    /// The samples.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is no UTF-8 text or has too many different characters, and
    /// [`DataError::Setting`] when it is shorter than a sample.
    pub fn read(&self) -> Result<Dataset, DataError> {
        let (text, path) = self.characters()?;
        let text: Vec<char> = text.chars().collect();
        let length = self.length;
        let known: BTreeSet<char> = text.iter().copied().collect();
        if known.len() > MAX_VOCABULARY {
            let problem = format!("it has {} different characters; at most {MAX_VOCABULARY} are taken", known.len());
            return Err(DataError::Format { path, line: None, problem });
        }
        let there_are = text.len().saturating_sub(1).checked_div(length).unwrap_or(0);
        let setting = |name, value: usize, must| Err(DataError::Setting { name, value: value.to_string(), must });
        match self.samples {
            _ if there_are == 0 => {
                return setting("length", length, "it must be at least 1, and the text longer than that");
            }
            Some(0) => return setting("samples", 0, "it must be at least 1"),
            Some(asked) if asked > there_are => return setting("samples", asked, "the text has fewer"),
            _ => {}
        }
        let samples = self.samples.unwrap_or(there_are);
        let targets = samples.saturating_mul(length).saturating_mul(known.len());
        if targets > MAX_VALUES {
            return setting("samples", samples, "so many do not fit into memory; set samples lower");
        }
        let tokens: BTreeMap<char, usize> = known.iter().copied().zip(0..).collect();
        let text: Vec<usize> = text[..=samples * length].iter().map(|character| tokens[character]).collect();
        let inputs =
            Matrix { values: text[..samples * length].iter().map(|&token| token as f64).collect(), columns: length };
        let names = known.iter().map(|character| character.escape_default().to_string()).collect();
        let targets = Targets::Labels { labels: text[1..].to_vec(), classes: known.len(), names };
        Dataset::of_sequences(inputs, known.len(), targets, length)
    }
}

impl Origin for Text {
    fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        self.path.iter_mut().collect()
    }

    fn load(&self, _: u64) -> Result<Parts, DataError> {
        self.read().map(Parts::from)
    }

    fn test_share(&self) -> f64 {
        USUAL_SHARE
    }

    fn standardization(&self) -> Standardize {
        Standardize::None
    }
}
