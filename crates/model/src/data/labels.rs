//! Labels of any kind become classes.
//!
//! The distinct labels of the training part, in order (whole numbers by size, before words by alphabet), are the
//! classes 0 to C−1. Where the number of classes is given, labels that are numbers are classes as they stand, counted
//! from 0. What is ambiguous is refused: decimals, markers of missing values, almost as many labels as samples, and a
//! label in the test part that training never had.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization;

use super::dataset::{Dataset, Matrix, Parts, Targets};
use super::error::DataError;
use crate::sample::Sample;

/// Up to so many classes are never too many for the samples there are.
const ALWAYS_FINE: usize = 50;

/// So many classes, and no word on whether they are meant, are worth a notice.
const MANY: usize = 20;

/// The most classes that may outnumber the samples.
const MOST_UNSEEN: usize = 1 << 16;

/// A label as it stands in a file; numbers come before words.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Label {
    Number(i128),
    Word(String),
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Word(word) => word.fmt(f),
        }
    }
}

/// The labels of one part of the data, in the order of its samples.
#[derive(Debug)]
pub(super) struct Labels {
    path: PathBuf,
    /// What holds them, in words: "column `y`".
    what: String,
    /// Whether they stand in lines; else they are counted as samples, from 0.
    lines: bool,
    /// The distinct labels in the order of their first appearance, with the line or sample of it.
    distinct: Vec<(Label, u64)>,
    index: HashMap<Label, usize>,
    of: Vec<usize>,
}

/// What is asked of labels from outside.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    /// Number of classes.
    pub(super) classes: Option<usize>,
    /// Names of the classes 0 to C−1.
    pub(super) names: Option<Vec<String>>,
    /// Whether it is said that targets are labels, so that any number of them is meant.
    pub(super) explicit: bool,
}

/// What a file says about each sample.
#[derive(Debug)]
pub(super) enum Target {
    /// Labels that are to become classes.
    Labels(Labels),
    /// Numbers.
    Values(Matrix),
}

/// A part of the data as its files have it.
#[derive(Debug)]
pub(super) struct Raw {
    /// The files, and what in them.
    pub(super) place: String,
    pub(super) inputs: Matrix,
    pub(super) sample: Sample,
    pub(super) target: Target,
    /// Labels of a sample.
    pub(super) positions: usize,
}

impl Raw {
    /// Makes classes of labels, and data sets of both parts.
    pub(super) fn assemble(
        train: Self,
        test: Option<Self>,
        asked: &Asked,
        mut notices: Vec<String>,
    ) -> Result<Parts, DataError> {
        let (test_set, test_target) = match test {
            Some(test) if test.inputs.columns == train.inputs.columns && test.sample != train.sample => {
                let problem = format!(
                    "its inputs are {}, those for training {}: as many numbers, in another order",
                    test.sample, train.sample
                );
                return Err(DataError::Format { path: test.place.into(), line: None, problem });
            }
            Some(test) if test.positions != train.positions => {
                let what = "labels of a sequence, for training and for testing";
                let error = DataError::Mismatch { what, left: train.positions, right: test.positions };
                return Err(error.within(test.place));
            }
            Some(test) => (Some((test.place, test.inputs)), Some(test.target)),
            None => (None, None),
        };
        let (target, test_target) = match (train.target, test_target) {
            (Target::Labels(labels), None) => classify(labels, None, asked, &mut notices)?,
            (Target::Labels(labels), Some(Target::Labels(test))) => classify(labels, Some(test), asked, &mut notices)?,
            (Target::Values(values), None) => (Targets::Values(values), None),
            (Target::Values(values), Some(Target::Values(test))) if values.columns == test.columns => {
                (Targets::Values(values), Some(Targets::Values(test)))
            }
            (train, Some(test)) => {
                let what = "targets of the training and of the test part, in columns of numbers (0: labels)";
                return Err(DataError::Mismatch { what, left: train.columns(), right: test.columns() });
            }
        };
        if let Some((place, inputs)) = &test_set
            && inputs.columns != train.inputs.columns
        {
            let what = "inputs of the training and of the test part";
            let error = DataError::Mismatch { what, left: train.inputs.columns, right: inputs.columns };
            return Err(error.within(place.as_str()));
        }
        let (sample, positions) = (train.sample, train.positions);
        let dataset = |place: String, inputs, target| {
            let data = match sample {
                Sample::Tokens { vocabulary, .. } => Dataset::of_sequences(inputs, vocabulary, target, positions),
                _ => Dataset::new(inputs, target).and_then(|data| data.with_sample(sample.clone())),
            };
            data.map_err(|error| error.within(place))
        };
        let train = dataset(train.place, train.inputs, target)?;
        let test =
            test_set.zip(test_target).map(|((place, inputs), target)| dataset(place, inputs, target)).transpose()?;
        Ok(Parts { train, test, notices })
    }
}

impl Target {
    /// Columns of numbers; 0 for labels.
    fn columns(&self) -> usize {
        match self {
            Self::Labels(_) => 0,
            Self::Values(values) => values.columns,
        }
    }
}

impl Labels {
    pub(super) fn new(path: &Path, what: impl Into<String>, lines: bool) -> Self {
        let (distinct, index, of) = (Vec::new(), HashMap::new(), Vec::new());
        Self { path: path.to_owned(), what: what.into(), lines, distinct, index, of }
    }

    /// Whether all are numbers by their type.
    pub(super) fn are_numbers(&self) -> bool {
        self.distinct.iter().all(|(label, _)| matches!(label, Label::Number(_)))
    }

    /// Adds a label that is a number by its type; `at` is its line or sample.
    pub(super) fn number(&mut self, number: i128, at: u64) {
        self.push(Label::Number(number), at);
    }

    /// Adds a label that is text.
    pub(super) fn text(&mut self, text: &str, at: u64) {
        self.push(Label::Word(text.to_owned()), at);
    }

    /// Adds a label that is a floating-point number by its type.
    ///
    /// # Errors
    ///
    /// For numbers with a fraction, and those that are not finite.
    pub(super) fn float(&mut self, value: f64, at: u64) -> Result<(), DataError> {
        if value.fract() != 0.0 || value.abs() > 2f64.powi(53) {
            return Err(self.wrong(at, &format!("{value} is no label: labels are whole numbers or words")));
        }
        self.number(value as i128, at);
        Ok(())
    }

    fn push(&mut self, label: Label, at: u64) {
        let next = self.distinct.len();
        let class = *self.index.entry(label).or_insert_with_key(|label| {
            self.distinct.push((label.clone(), at));
            next
        });
        self.of.push(class);
    }

    fn wrong(&self, at: u64, problem: &str) -> DataError {
        let Self { path, what, lines, .. } = self;
        let (line, problem) = if *lines {
            (Some(at), format!("{what}: {problem}"))
        } else {
            (None, format!("sample {at} of {what}: {problem}"))
        };
        DataError::Format { path: path.clone(), line, problem }
    }

    /// The file, and what in it holds the labels.
    fn place(&self) -> String {
        format!("{}, {}", self.path.display(), self.what)
    }

    /// Where all words are whole numbers, they become numbers.
    fn settle(&mut self, explicit: bool, notices: &mut Vec<String>) -> Result<(), DataError> {
        let plus = self.index.contains_key(&Label::Word("+".into()));
        for (label, at) in &self.distinct {
            // Beside "+" a "-" is the other class.
            if let Label::Word(word) = label
                && is_missing(word)
                && !(plus && word == "-")
            {
                let problem = format!(
                    "the target is missing (`{word}`); leave out such samples or, if it is a class, give it another \
                     name"
                );
                return Err(self.wrong(*at, &problem));
            }
        }
        let words = self.distinct.iter().filter_map(|(label, at)| match label {
            Label::Word(word) => Some((word.as_str(), *at)),
            Label::Number(_) => None,
        });
        let in_doubt = self.lines && !explicit;
        let of_columns = |sign: &char| in_doubt && words.clone().all(|(word, _)| word.contains(*sign));
        if let (Some(sign), Some((word, at))) =
            ([';', '\t', '|'].iter().find(|sign| of_columns(sign)), words.clone().next())
        {
            let key = if *sign == '\t' { "tab".to_owned() } else { sign.to_string() };
            let problem = format!(
                "every label is like `{word}`; is delimiter = {key:?} right? If not, set task = \"classification\""
            );
            return Err(self.wrong(at, &problem));
        }
        let decimal = words.clone().find(|(word, _)| whole(word).is_none() && word.parse::<f64>().is_ok());
        if let Some((word, at)) = decimal {
            let problem = format!(
                "`{word}` is a decimal number; {REGRESSION}, and write decimals that are names of classes as words \
                 (v{word})"
            );
            return Err(self.wrong(at, &problem));
        }
        if let Some((word, at)) = words.clone().find(|(word, _)| looks_like_a_number(word)) {
            let problem = format!(
                "`{word}` looks like a number; write numbers plainly (1234.5), without signs and separators, or names \
                 of classes as words"
            );
            return Err(self.wrong(at, &problem));
        }
        if words.clone().all(|(word, _)| whole(word).is_some()) {
            let mut written = HashMap::new();
            let twin = words.filter_map(|(word, _)| Some((whole(word)?, word)));
            let twin = twin.filter_map(|(number, word)| Some((written.insert(number, word)?, word))).next();
            if let Some((one, other)) = twin {
                let words = "are one number, and so one class; write classes that differ as words";
                notices.push(format!("{}: the labels `{one}` and `{other}` {words}", self.place()));
            }
            let pointed =
                self.distinct.iter().map(|(label, _)| label.to_string()).find(|word| word.parse::<i128>().is_err());
            if let Some(word) = pointed.filter(|_| !explicit) {
                let words = "is a whole number, and the label of a class";
                notices.push(format!("{}: `{word}` {words}; {REGRESSION}", self.place()));
            }
            self.renumber(|label| match label {
                Label::Word(word) => whole(word).map(Label::Number).unwrap_or(Label::Word(word.clone())),
                Label::Number(_) => label.clone(),
            });
        }
        Ok(())
    }

    /// Why the labels may not be classes, though they can be; nothing where it is said that they are.
    fn doubt(&self, asked: &Asked) -> Option<String> {
        let (samples, distinct) = (self.of.len(), self.distinct.len());
        let first = &self.distinct.first()?.0;
        if distinct == 1 && samples > 1 {
            return Some(format!("every sample has the label `{first}`; is this the target?"));
        }
        if asked.classes.is_some() || asked.names.is_some() || asked.explicit || distinct <= MANY {
            return None;
        }
        let alike = |label: &Label| label.to_string().replace(|c: char| c.is_ascii_digit() || c == '.', "");
        let measured = !self.are_numbers() && self.distinct.iter().all(|(label, _)| alike(label) == alike(first));
        if self.are_numbers() || measured {
            return Some(format!("{distinct} numbers as `{first}` are read as classes; {REGRESSION}"));
        }
        (2 * distinct > samples).then(|| format!("{distinct} labels for {samples} samples; is this the target?"))
    }

    /// Replaces every word by its place among the names of the classes.
    fn number_by(&mut self, names: &[String]) -> Result<(), DataError> {
        let places: HashMap<&str, usize> = names.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        let place = |label: &Label| match label {
            Label::Word(word) => places.get(word.as_str()).copied(),
            Label::Number(_) => None,
        };
        if let Some((label, at)) = self.distinct.iter().find(|(label, _)| place(label).is_none()) {
            let problem = format!("label `{label}` is not among the names of the classes, {}", short(names));
            return Err(self.wrong(*at, &problem));
        }
        self.renumber(|label| place(label).map_or_else(|| label.clone(), |at| Label::Number(at as i128)));
        Ok(())
    }

    /// Says so where labels that are places among the names could be taken for the names.
    fn told_from(&self, names: &[String], notices: &mut Vec<String>) {
        let names_of_others = |(label, _): &(Label, u64)| match label {
            Label::Number(number) => {
                let at = usize::try_from(*number).ok()?;
                let name = names.get(at)?;
                (name != &at.to_string() && names.contains(&at.to_string())).then_some((at, name))
            }
            Label::Word(_) => None,
        };
        if let Some((at, name)) = self.distinct.iter().find_map(names_of_others) {
            let words = "are places among the names of the classes, counted from 0, not these names";
            notices.push(format!("{}: the labels {words}: label {at} is class `{name}`", self.place()));
        }
    }

    /// Replaces every label, merging those that become equal.
    fn renumber(&mut self, new: impl Fn(&Label) -> Label) {
        let old = std::mem::take(&mut self.distinct);
        self.index.clear();
        let classes: Vec<usize> = old
            .iter()
            .map(|(label, at)| {
                let next = self.distinct.len();
                *self.index.entry(new(label)).or_insert_with_key(|label| {
                    self.distinct.push((label.clone(), *at));
                    next
                })
            })
            .collect();
        self.of.iter_mut().for_each(|class| *class = classes[*class]);
    }

    /// The labels of the samples, where every distinct one has a class.
    fn targets(self, classes: &Classes) -> Result<Targets, DataError> {
        let class: Vec<usize> = self
            .distinct
            .iter()
            .enumerate()
            .map(|(label, (_, at))| {
                let text = &self.distinct[label].0;
                classes.class(text).ok_or_else(|| match text {
                    Label::Number(number) if classes.given => {
                        let sample = self.of.iter().position(|of| *of == label).unwrap_or(0);
                        let error = DataError::LabelOutOfRange { sample, label: *number, classes: classes.count };
                        error.within(self.place())
                    }
                    _ => self.wrong(*at, &classes.unknown(text)),
                })
            })
            .collect::<Result<_, _>>()?;
        let labels = self.of.iter().map(|&label| class[label]).collect();
        Ok(Targets::Labels { labels, classes: classes.count, names: classes.names.clone() })
    }
}

const REGRESSION: &str = "set task = \"regression\" if targets are numbers";

/// The classes of a data set.
struct Classes {
    /// The label of each class, in order; absent where a label is its class.
    labels: Option<Vec<Label>>,
    count: usize,
    /// Whether their number is a setting.
    given: bool,
    names: Vec<String>,
}

impl Classes {
    fn class(&self, label: &Label) -> Option<usize> {
        match (&self.labels, label) {
            (Some(labels), label) => labels.binary_search(label).ok(),
            (None, Label::Number(number)) => usize::try_from(*number).ok().filter(|class| *class < self.count),
            (None, Label::Word(_)) => None,
        }
    }

    /// That a label has no class.
    fn unknown(&self, label: &Label) -> String {
        let name = label.to_string();
        let alike = self.labels.iter().flatten().map(Label::to_string).find(|known| skeleton(known) == skeleton(&name));
        let alike = alike.map(|known| format!("; `{}` is", in_ascii(&known)));
        match alike {
            Some(alike) => format!("label `{}` is not among the training labels{alike}", in_ascii(&name)),
            None => format!("label `{name}` is not among the training labels"),
        }
    }
}

/// What is left of a label without what a reader may not see or does not count: case, spaces, quotes around it,
/// characters of no width, and the several ways in which Unicode writes one letter (NFKC).
fn skeleton(label: &str) -> String {
    const QUOTES: [char; 9] = ['"', '\'', '`', '´', '“', '”', '„', '‘', '’'];
    const NO_WIDTH: [char; 4] = ['\u{ad}', '\u{200b}', '\u{2060}', '\u{feff}'];
    let seen = |c: &char| !(c.is_whitespace() || NO_WIDTH.contains(c) || ('\u{200c}'..='\u{200f}').contains(c));
    label.trim_matches(QUOTES).nfkc().filter(seen).flat_map(char::to_lowercase).nfkc().collect()
}

/// A label with escapes for what is not ASCII, so that those that look alike are told apart.
fn in_ascii(label: &str) -> String {
    let escaped = |c: char| if c.is_ascii() { c.to_string() } else { c.escape_unicode().to_string() };
    label.chars().map(escaped).collect()
}

/// Whether a label is written as a date or a time: two numbers with a year among them or a colon between, three numbers
/// or more with four digits in all, or the name of a month with two numbers.
fn is_date(label: &Label) -> bool {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let Label::Word(word) = label else { return false };
    let word = word.to_ascii_lowercase();
    if !word.starts_with(|c: char| c.is_ascii_digit()) || !word.ends_with(|c: char| c.is_ascii_digit() || c == 'z') {
        return false;
    }
    let parts: Vec<&str> =
        word.split(['-', '/', '.', ':', ' ', 't', 'z', '+']).filter(|part| !part.is_empty()).collect();
    let numbers = parts.iter().filter(|part| part.chars().all(|c| c.is_ascii_digit())).count();
    let months = parts.iter().filter(|part| MONTHS.iter().any(|month| part.starts_with(month))).count();
    let year = |part: &&&str| part.len() == 4 && (part.starts_with("19") || part.starts_with("20"));
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let of_numbers = numbers == parts.len()
        && match parts.len() {
            0 | 1 => false,
            2 => parts.iter().any(|part| year(&part)) || word.contains(':'),
            _ => digits >= 4,
        };
    of_numbers || months == 1 && numbers + 1 == parts.len() && numbers >= 2
}

/// Targets of both parts, with notices where labels are not the classes 0 to C−1 as they stand, or are easily mistaken.
fn classify(
    mut train: Labels,
    test: Option<Labels>,
    asked: &Asked,
    notices: &mut Vec<String>,
) -> Result<(Targets, Option<Targets>), DataError> {
    let mut test = test;
    let explicit = asked.explicit || asked.classes.is_some();
    match &asked.names {
        // Text is the name of a class, also where it is written in digits.
        Some(names) if !train.are_numbers() => {
            train.number_by(names)?;
            test.as_mut().map(|test| test.number_by(names)).transpose()?;
        }
        Some(names) => train.told_from(names, notices),
        None => train.settle(explicit, notices)?,
    }
    let numbers = train.are_numbers();
    let mut sorted: Vec<Label> = train.distinct.iter().map(|(label, _)| label.clone()).collect();
    sorted.sort();
    let (samples, distinct) = (train.of.len(), sorted.len());
    let plain = numbers && sorted.iter().enumerate().all(|(class, label)| *label == Label::Number(class as i128));
    let given = asked.classes.or(asked.names.as_ref().map(Vec::len));
    if given.is_none() && !asked.explicit && distinct > ALWAYS_FINE && 2 * distinct > samples {
        let at = train.distinct[ALWAYS_FINE].1;
        let problem = format!(
            "there are {distinct} different labels for {samples} samples; if they are classes, say so with classes (a \
             number) or task = \"classification\"; {REGRESSION}"
        );
        return Err(train.wrong(at, &problem));
    }
    if let Some(count) = given.filter(|count| *count > MOST_UNSEEN.max(samples)) {
        let must = "there may be as many classes as samples, and 65,536 in any case";
        return Err(DataError::Setting { name: "classes", value: count.to_string(), must });
    }
    let place = train.place();
    if let Some(doubt) = train.doubt(asked) {
        notices.push(format!("{place}: {doubt}"));
    }
    if let Some(date) = sorted.iter().find(|label| is_date(label)) {
        let words = "looks like a date or a time, and is the name of a class; is this the target?";
        notices.push(format!("{place}: the label `{date}` {words}"));
    }
    let classes = match given {
        Some(count) if numbers => {
            let names = asked.names.clone().unwrap_or_default();
            // Names that are the numbers of the classes say no more than these.
            let plain = names.iter().enumerate().all(|(class, name)| *name == class.to_string());
            Classes { labels: None, count, given: true, names: if plain { Vec::new() } else { names } }
        }
        None if plain => Classes { labels: None, count: distinct, given: false, names: Vec::new() },
        _ => {
            let names = sorted.iter().map(ToString::to_string).collect::<Vec<_>>();
            let mixed = sorted.iter().any(|label| matches!(label, Label::Word(word) if whole(word).is_some()));
            if numbers || mixed {
                let key = match (&sorted[0], sorted.last()) {
                    (Label::Number(0..), Some(Label::Number(last))) => {
                        format!("; classes = {} takes them as they stand", last.saturating_add(1))
                    }
                    _ => String::new(),
                };
                let names = short(&names);
                notices.push(format!("{place}: the labels {names} are the classes 0 to {}{key}", distinct - 1));
            }
            let mut seen = HashMap::new();
            let twin = names.iter().find_map(|name| Some((seen.insert(skeleton(name), name)?, name)));
            if let Some((one, other)) = twin {
                let words = "look alike (case, spaces, quotes, forms of Unicode), and are two classes";
                notices.push(format!("{place}: the labels `{}` and `{}` {words}", in_ascii(one), in_ascii(other)));
            }
            let count = given.unwrap_or(distinct);
            if distinct > count {
                let must = "there are more labels in the training part";
                return Err(DataError::Setting { name: "classes", value: count.to_string(), must });
            }
            let unseen = (distinct..count).map(|class| format!("class {class}"));
            let names = names.into_iter().chain(unseen).collect();
            Classes { labels: Some(sorted), count, given: false, names }
        }
    };
    let test = test
        .map(|mut test| {
            if numbers {
                test.settle(true, notices)?;
            } else if let Some((word, at)) = test.distinct.iter().find_map(|(label, at)| match label {
                Label::Word(word) if is_missing(word) && classes.class(label).is_none() => Some((word, *at)),
                _ => None,
            }) {
                return Err(test.wrong(at, &format!("the target is missing (`{word}`)")));
            }
            test.targets(&classes)
        })
        .transpose()?;
    Ok((train.targets(&classes)?, test))
}

/// All names, or the first and the last of many.
fn short(names: &[String]) -> String {
    match names {
        [first, second, .., last] if names.len() > 12 => format!("{first}, {second}, … {last}"),
        _ => names.join(", "),
    }
}

/// Up to here every whole number has an f64 of its own.
pub(super) const LARGEST_WHOLE: f64 = 9_007_199_254_740_992.0;

/// The whole number that a text is: also `1.0` and `1e3`.
pub(super) fn whole(text: &str) -> Option<i128> {
    text.parse().ok().or_else(|| {
        let value: f64 = text.parse().ok()?;
        (value.fract() == 0.0 && value.abs() <= LARGEST_WHOLE).then_some(value as i128)
    })
}

/// Whether a text is a number but for a currency's or per cent sign, brackets, separators of thousands, or a comma for
/// the point.
pub(super) fn looks_like_a_number(text: &str) -> bool {
    const AROUND: [char; 8] = ['$', '€', '£', '¥', '%', ' ', '(', ')'];
    let bare = text.trim_matches(AROUND).replace([',', '\'', ' ', '_', '\u{a0}', '\u{202f}'], "");
    bare != text && bare.contains(|c: char| c.is_ascii_digit()) && bare.parse::<f64>().is_ok()
}

/// Whether a text is one of the ways to write that there is no value: those of pandas, R, Excel, SQL and UCI's files,
/// of C's printf, and of people.
pub(super) fn is_missing(text: &str) -> bool {
    const MARKERS: &[&str] = &[
        "",
        "?",
        ".",
        "..",
        "*",
        "_",
        "na",
        "n/a",
        "n.a.",
        "n.a",
        "n / a",
        "n/d",
        "#n/a",
        "#na",
        "#n/a n/a",
        "#nv",
        "#n/d",
        "#null",
        "nan",
        "null",
        "none",
        "nil",
        "nat",
        "missing",
        "undefined",
        "undef",
        "not available",
        "no data",
        "nodata",
        "\\n",
    ];
    if text.len() > 40 {
        return false;
    }
    let lower = text.to_lowercase();
    let bare = lower.trim_matches(['(', ')', '<', '>', '[', ']', '\'', '"', '“', '”', '‘', '’']);
    let number = bare.trim_start_matches(['-', '+']);
    MARKERS.contains(&bare)
        || !bare.is_empty() && bare.chars().all(|c| ['-', '–', '—', '…'].contains(&c))
        || bare.starts_with('#') && bare.ends_with(['!', '?'])
        || number == "nan"
        || number.starts_with("nan(")
        || number.starts_with("1.#")
        || lower == "(blank)"
}
