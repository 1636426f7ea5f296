//! CSV files: one row a sample, one column the target, the others inputs.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::dataset::{Matrix, Parts};
use super::error::DataError;
use super::labels::{Asked, LARGEST_WHOLE, Labels, Raw, Target, is_missing, looks_like_a_number};
use super::origin::{Key, Origin, USUAL_SHARE};
use super::records::{Delimiter, Record, Records, likely_delimiter};
use super::standardize::Standardize;

/// The most columns.
const MAX_COLUMNS: usize = 1 << 20;

/// The longest label, in bytes.
const MAX_LABEL: usize = 1000;

/// What targets mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Classes: the distinct labels of the training part, whole numbers by size or words by alphabet, are the classes 0
    /// to C−1.
    #[default]
    Classification,
    /// Numbers.
    Regression,
}

/// A column, by its name or by its number, counted from 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ColumnKey {
    /// As the first line names it.
    Name(String),
    /// Counted from 0.
    Number(usize),
}

impl<'de> Deserialize<'de> for ColumnKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = ColumnKey;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the name of a column or its number, counted from 0")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<ColumnKey, E> {
                Ok(ColumnKey::Name(name.to_owned()))
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<ColumnKey, E> {
                let unexpected = serde::de::Unexpected::Unsigned(number);
                let column = usize::try_from(number).map_err(|_| E::invalid_value(unexpected, &self))?;
                Ok(ColumnKey::Number(column))
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<ColumnKey, E> {
                let unexpected = serde::de::Unexpected::Signed(number);
                let column = usize::try_from(number).map_err(|_| E::invalid_value(unexpected, &self))?;
                Ok(ColumnKey::Number(column))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Which CSV file to read, plain or gzipped, in UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Csv {
    /// The file for training, plain or gzipped; a relative path starts at the configuration's folder.
    pub path: PathBuf,
    /// The file for testing; without it a share of the training data is split off. With a header its columns are found
    /// by their names, in any order; without one it must have the same columns in the same places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_path: Option<PathBuf>,
    /// What stands between fields: one character, `"tab"`, or `"whitespace"` for any run of spaces and tabs. Default:
    /// a comma.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    /// Whether the first line names the columns. By default it does, and a first line with a number in it is refused,
    /// as it could be a sample.
    #[serde(default, serialize_with = "true_by_default")]
    pub header: Option<bool>,
    /// The target column, by name or number. Default: the last one, which is refused where not it but another is
    /// called as targets are: `label`, `class`, `target`, `y`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<ColumnKey>,
    /// The input columns, by names or numbers, in the order wanted. Default: all but the target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ColumnKey>,
    /// Columns that are no inputs, by names or numbers. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<ColumnKey>,
    /// What the target column means. Default: classification.
    #[serde(default, serialize_with = "classification_by_default")]
    pub task: Option<Task>,
    /// Number of classes C: labels are then the numbers 0 to C−1, or at most C words. By default the distinct labels
    /// of the training file are the classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<usize>,
}

impl Origin for Csv {
    fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        std::iter::once(&mut self.path).chain(self.test_path.as_mut()).collect()
    }

    fn load(&self, _: u64) -> Result<Parts, DataError> {
        self.read()
    }

    fn test_share(&self) -> f64 {
        USUAL_SHARE
    }

    fn standardization(&self) -> Standardize {
        Standardize::Features
    }
}

// A default is written out: the identity of a run is made of what is written.

fn true_by_default<S: Serializer>(header: &Option<bool>, serializer: S) -> Result<S::Ok, S::Error> {
    header.unwrap_or(true).serialize(serializer)
}

fn classification_by_default<S: Serializer>(task: &Option<Task>, serializer: S) -> Result<S::Ok, S::Error> {
    task.unwrap_or_default().serialize(serializer)
}

/// The columns of a file.
struct Layout {
    /// The first line, where it names them.
    names: Option<Vec<String>>,
    width: usize,
    inputs: Vec<usize>,
    target: usize,
}

impl Layout {
    /// A column in words.
    fn word(&self, column: usize) -> String {
        match self.names.as_ref().map(|names| names[column].as_str()) {
            None => format!("column {column}"),
            Some("") => format!("column {column}, which has no name,"),
            Some(name) => format!("column `{name}`"),
        }
    }

    /// What a setting calls a column.
    fn key(&self, column: usize) -> String {
        match self.names.as_ref().map(|names| names[column].as_str()) {
            None | Some("") => column.to_string(),
            Some(name) => format!("{name:?}"),
        }
    }

    /// Whether the first line calls a column what targets are usually called.
    fn is_called_target(&self, column: usize) -> bool {
        self.names.as_ref().is_some_and(|names| is_targets_name(&names[column]))
    }
}

fn is_targets_name(name: &str) -> bool {
    const NAMES: [&str; 10] =
        ["label", "labels", "class", "class_label", "target", "targets", "y", "species", "digit", "diagnosis"];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

struct Table {
    layout: Layout,
    raw: Raw,
}

impl Csv {
    /// Keys of the source.
    pub const KEYS: &'static [Key] = &[
        ("path", "", "the file for training, plain or gzipped, in UTF-8"),
        ("test_path", "none", "the file for testing; with a header its columns are found by name"),
        ("delimiter", "\",\"", "between fields: one character, \"tab\", or \"whitespace\" for runs of it"),
        ("header", "true", "whether the first line names the columns"),
        ("target", "the last", "the target column, by name or by number, counted from 0"),
        ("columns", "all others", "the input columns, by names or numbers"),
        ("drop", "[]", "columns that are no inputs, by names or numbers"),
        ("task", "\"classification\"", "what the target means: \"classification\" or \"regression\""),
        ("classes", "the labels", "number of classes C; labels are then 0 to C−1"),
    ];

    fn read(&self) -> Result<Parts, DataError> {
        let train = self.table(&self.path, None)?;
        let test = self.test_path.as_ref().map(|path| self.table(path, Some(&train.layout))).transpose()?;
        let mut notices = Vec::new();
        if let Some((column, does)) = row_counter(&train) {
            let (what, key) = (train.layout.word(column), train.layout.key(column));
            notices.push(format!("{}: {what} {does}; drop = [{key}] leaves it out", self.path.display()));
        }
        if self.target.is_none()
            && let Some(other) = train.layout.inputs.iter().find(|&&column| train.layout.is_called_target(column))
        {
            let (target, other) = (train.layout.word(train.layout.target), train.layout.word(*other));
            let words = "is the target, as the last one, and TAKEN an input; target = … takes another";
            notices.push(format!("{}: {target} {}", self.path.display(), words.replace("TAKEN", &other)));
        }
        if self.target.is_none() && train.layout.names.is_none() {
            let target = train.layout.word(train.layout.target);
            notices
                .push(format!("{}: {target}, the last, is the target; target = … takes another", self.path.display()));
        }
        let asked = Asked { classes: self.classes, names: None, explicit: self.task.is_some() };
        Raw::assemble(train.raw, test.map(|test| test.raw), &asked, notices)
    }

    fn delimiter(&self) -> Result<Delimiter, DataError> {
        let Some(word) = &self.delimiter else { return Ok(Delimiter::One(',')) };
        let mut characters = word.chars();
        match (word.as_str(), characters.next(), characters.next()) {
            ("tab" | "\\t", ..) => Ok(Delimiter::One('\t')),
            ("whitespace", ..) => Ok(Delimiter::Whitespace),
            (_, Some(c), None) if !c.is_alphanumeric() && !"\"\n\r.+-\0".contains(c) => Ok(Delimiter::One(c)),
            _ => {
                let must = "it must be one character that is in no number, \"tab\" or \"whitespace\"";
                Err(DataError::Setting { name: "delimiter", value: format!("{word:?}"), must })
            }
        }
    }

    /// Reads a file; the columns are those of the training file where that is given.
    fn table(&self, path: &Path, training: Option<&Layout>) -> Result<Table, DataError> {
        let mut records = Records::open(path, self.delimiter()?)?;
        let mut record = Record::default();
        if !records.next(&mut record)? {
            return Err(DataError::Empty("the dataset").within(path.display().to_string()));
        }
        self.check_first(&records, &record)?;
        let named = self.header.unwrap_or(true);
        let layout = match training {
            None => self.layout(&records, &record, named)?,
            Some(training) => self.same_layout(&records, &record, training)?,
        };
        let what = layout.word(layout.target);
        let mut target = match self.task.unwrap_or_default() {
            Task::Classification => Target::Labels(Labels::new(path, what, true)),
            Task::Regression => Target::Values(Matrix { values: Vec::new(), columns: 1 }),
        };
        let mut inputs = Matrix { values: Vec::new(), columns: layout.inputs.len() };
        let mut more = if named { records.next(&mut record)? } else { true };
        while more {
            self.check_width(&records, &record, &layout)?;
            for &column in &layout.inputs {
                inputs.values.push(number(&records, &record, &layout, column)?);
            }
            match &mut target {
                Target::Labels(labels) => {
                    let field = record.get(layout.target);
                    if layout.target == 0 && field.starts_with('#') {
                        let problem =
                            format!("`{field}`: comments are not read: remove the line, or the # of the label");
                        return Err(records.wrong(record.line, problem));
                    }
                    if field.parse::<f64>().is_err()
                        && layout.names.as_ref().is_some_and(|names| names[layout.target] == field)
                    {
                        let problem =
                            format!("the label `{field}` is the name of its column: is this the header again?");
                        return Err(records.wrong(record.line, problem));
                    }
                    if field.contains('\n') {
                        return Err(records.wrong(record.line, format!("the label {field:?} has a line break in it")));
                    }
                    if field.len() > MAX_LABEL {
                        let what = layout.word(layout.target);
                        let problem = format!("{what} holds a label of {} bytes; is it the target?", field.len());
                        return Err(records.wrong(record.line, problem));
                    }
                    labels.text(field, record.line);
                }
                Target::Values(values) => values.values.push(number(&records, &record, &layout, layout.target)?),
            }
            records.bytes.allow(inputs.values.len())?;
            more = records.next(&mut record)?;
        }
        let sample = inputs.columns.into();
        Ok(Table { layout, raw: Raw { place: path.display().to_string(), inputs, sample, target, positions: 1 } })
    }

    /// Whether the first line is one of a table.
    fn check_first(&self, records: &Records, first: &Record) -> Result<(), DataError> {
        let wrong = |problem: String| Err(records.wrong(first.line, problem));
        let start = first.get(0);
        if let Some(rest) = start.strip_prefix("sep=") {
            let delimiter = if rest.is_empty() { "," } else { rest };
            return wrong(format!(
                "this is Excel's word on the delimiter; remove it and set delimiter = {delimiter:?}"
            ));
        }
        if start.starts_with('%') || start.to_ascii_lowercase().starts_with("@relation") {
            return wrong(
                "this is an ARFF file (Weka); keep only the lines behind @data, and set header = false".into(),
            );
        }
        if start.starts_with('#') {
            return wrong("comments are not read; remove the line or, if it names the columns, the `#`".into());
        }
        if first.len() < 2 {
            let text = first.get(0);
            let other = [(",", "\",\""), (" ", "\"whitespace\"")].iter().find(|(sign, _)| text.contains(sign));
            let other = || other.map(|(_, word)| format!("; is delimiter = {word} right?"));
            let hint = likely_delimiter(text).or_else(other).unwrap_or_default();
            return wrong(format!("there is one column; at least one input and the target are needed{hint}"));
        }
        if first.len() > MAX_COLUMNS {
            return wrong(format!("{} columns are more than {MAX_COLUMNS}", first.len()));
        }
        let of_a_sample = |field: &str| {
            let missing = !field.is_empty() && is_missing(field);
            missing || field.parse::<f64>().is_ok() || looks_like_a_number(field)
        };
        if self.header.is_none()
            && let Some(at) = (0..first.len()).find(|&at| of_a_sample(first.get(at)))
        {
            return wrong(format!(
                "the first line has a value (`{}`): set header = false if it is a sample, header = true if it names \
                 the columns",
                first.get(at)
            ));
        }
        Ok(())
    }

    /// Which columns are inputs and target.
    fn layout(&self, records: &Records, first: &Record, named: bool) -> Result<Layout, DataError> {
        let wrong = |problem: String| records.wrong(first.line, problem);
        let names: Option<Vec<String>> = named.then(|| first.iter().map(str::to_owned).collect());
        let width = first.len();
        let find = |key: &ColumnKey| match (key, &names) {
            (ColumnKey::Number(number), names) if *number < width => {
                let called = names.as_ref().and_then(|names| names.iter().position(|name| *name == number.to_string()));
                match called.filter(|called| called != number) {
                    None => Ok(*number),
                    Some(called) => Err(wrong(format!(
                        "column {number}, counted from 0, is called `{}`, and column {called} is called `{number}`: \
                         give the name of the one that is meant, in quotes",
                        names.as_ref().map_or("", |names| names[*number].as_str())
                    ))),
                }
            }
            (ColumnKey::Number(number), _) => {
                Err(wrong(format!("no column {number}; there are {width}, counted from 0")))
            }
            (ColumnKey::Name(name), None) => {
                Err(wrong(format!("column `{name}` is named, but header = false: give its number, counted from 0")))
            }
            (ColumnKey::Name(name), Some(names)) => {
                let mut found = (0..width).filter(|&at| names[at] == *name);
                match (found.next(), found.next()) {
                    (Some(at), None) => Ok(at),
                    (Some(a), Some(b)) => {
                        Err(wrong(format!("columns {a} and {b} are both called `{name}`; give the number")))
                    }
                    _ => Err(wrong(format!("no column `{name}`; there are {}", listed(names)))),
                }
            }
        };
        let all = |keys: &[ColumnKey]| keys.iter().map(find).collect::<Result<Vec<_>, _>>();
        let (chosen, dropped) = (all(&self.columns)?, all(&self.drop)?);
        if !chosen.is_empty() && !dropped.is_empty() {
            let must = "columns says which inputs there are; leave one of the two out";
            return Err(DataError::Setting { name: "drop", value: format!("{dropped:?}"), must });
        }
        let target = match &self.target {
            Some(key) => find(key)?,
            None => {
                let last = width - 1;
                if names.as_ref().is_some_and(|names| names[last].is_empty()) {
                    let problem = "the last column has no name: does a delimiter end every line? Remove it, or name \
                                   the target (target = …) and drop = [LAST]";
                    return Err(wrong(problem.replace("LAST", &last.to_string())));
                }
                if let Some(names) = names.as_ref().filter(|names| !is_targets_name(&names[last])) {
                    let open =
                        |at: &usize| is_targets_name(&names[*at]) && !dropped.contains(at) && !chosen.contains(at);
                    if let Some(other) = (0..last).find(open) {
                        return Err(wrong(format!(
                            "is the target the last column, `{}`, or `{}`? Set target to one of them",
                            names[last], names[other]
                        )));
                    }
                }
                last
            }
        };
        if chosen.contains(&target) || dropped.contains(&target) {
            let name = if chosen.is_empty() { "drop" } else { "columns" };
            let must = "this is the target column; set target to another";
            return Err(DataError::Setting { name, value: target.to_string(), must });
        }
        let inputs: Vec<usize> = if chosen.is_empty() {
            let dropped: HashSet<usize> = dropped.into_iter().chain([target]).collect();
            (0..width).filter(|column| !dropped.contains(column)).collect()
        } else {
            chosen
        };
        let mut used = HashSet::new();
        if let Some(twice) = inputs.iter().find(|column| !used.insert(**column)) {
            let must = "a column is an input once";
            return Err(DataError::Setting { name: "columns", value: twice.to_string(), must });
        }
        if inputs.is_empty() {
            return Err(wrong("no column is left for inputs".into()));
        }
        if let Some(names) = &names {
            for &column in inputs.iter().filter(|_| self.columns.is_empty()) {
                let name = &names[column];
                if name.is_empty() || name.starts_with("Unnamed: ") {
                    let problem = format!(
                        "column {column} has no name (pandas and R write their row names so); drop = [{column}] \
                         leaves it out, and columns = […] can name it as an input"
                    );
                    return Err(wrong(problem));
                }
            }
            let mut known = HashSet::new();
            for &column in inputs.iter().chain([&target]) {
                if !known.insert(&names[column]) && self.columns.is_empty() {
                    let problem = format!(
                        "two columns are called `{}`; give each a name, or drop one by its number (drop = [{column}])",
                        names[column]
                    );
                    return Err(wrong(problem));
                }
            }
        }
        Ok(Layout { names, width, inputs, target })
    }

    /// The training file's columns as they stand in the test file.
    fn same_layout(&self, records: &Records, first: &Record, training: &Layout) -> Result<Layout, DataError> {
        let wrong = |problem: String| records.wrong(first.line, problem);
        let Some(known) = &training.names else {
            if first.len() != training.width {
                let problem = format!("{} columns, and {} in the training file", first.len(), training.width);
                return Err(wrong(problem));
            }
            let (inputs, target) = (training.inputs.clone(), training.target);
            return Ok(Layout { names: None, width: first.len(), inputs, target });
        };
        let names: Vec<String> = first.iter().map(str::to_owned).collect();
        let find = |column: &usize| {
            let name = &known[*column];
            let mut found = (0..names.len()).filter(|&at| names[at] == *name);
            match (found.next(), found.next()) {
                (Some(at), None) => Ok(at),
                (Some(_), Some(_)) => Err(wrong(format!("two columns are called `{name}`"))),
                _ => Err(wrong(format!(
                    "no column `{name}`, as the training file has; the first line holds {}",
                    listed(&names)
                ))),
            }
        };
        let inputs = training.inputs.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        let target = find(&training.target)?;
        if self.columns.is_empty() {
            let known: HashSet<&String> = known.iter().collect();
            if let Some(extra) = names.iter().find(|name| !known.contains(name)) {
                return Err(wrong(format!("column `{extra}` is not in the training file")));
            }
        }
        Ok(Layout { width: names.len(), names: Some(names), inputs, target })
    }

    fn check_width(&self, records: &Records, record: &Record, layout: &Layout) -> Result<(), DataError> {
        let (found, width) = (record.len(), layout.width);
        if found == width {
            return Ok(());
        }
        let hint = if found == width + 1 && record.get(width).is_empty() {
            "; a delimiter ends the line: remove it, in every line"
        } else if found == width + 1 && layout.names.is_some() {
            "; if R wrote row names, write the file with row.names = FALSE"
        } else if record.get(0).starts_with(['#', '%', '@']) {
            "; comments are not read: remove the line"
        } else if found > width {
            "; is there a delimiter within a field, which wants quotes right behind the delimiter before it?"
        } else {
            ""
        };
        let first = if layout.names.is_some() { "the header" } else { "the first line" };
        Err(records.wrong(record.line, format!("{found} fields, and {width} in {first}{hint}")))
    }
}

/// The number in a column, where there is one.
fn number(records: &Records, record: &Record, layout: &Layout, column: usize) -> Result<f64, DataError> {
    let field = record.get(column);
    let whole = field
        .trim_start_matches(['+', '-'])
        .split_once('.')
        .map_or(field, |(whole, rest)| if rest.bytes().all(|byte| byte == b'0') { whole } else { "" });
    let digits = whole.trim_start_matches(['+', '-']);
    let is_whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let vanishes = |value: f64| {
        value == 0.0 && field.bytes().take_while(|byte| !b"eE".contains(byte)).any(|byte| (b'1'..=b'9').contains(&byte))
    };
    let rounded = |value: f64| value.abs() >= LARGEST_WHOLE && is_whole || vanishes(value);
    if let Ok(value) = field.parse::<f64>()
        && value.is_finite()
        && !rounded(value)
    {
        return Ok(value);
    }
    let what = layout.word(column);
    let way = if column == layout.target {
        String::new()
    } else {
        format!("; drop = [{}] leaves the column out", layout.key(column))
    };
    if field.parse().is_ok_and(|value: f64| value.is_finite()) {
        let problem = if is_whole {
            format!("{what} holds `{field}`: whole numbers beyond 2⁵³ are not told apart in 64 bits{way}")
        } else {
            format!("{what} holds `{field}`, which is 0 in 64 bits{way}")
        };
        return Err(records.wrong(record.line, problem));
    }
    let comma = field.split_once(',').is_some_and(|(a, b)| [a, b].iter().all(|part| part.parse::<f64>().is_ok()));
    let problem = if is_missing(field) {
        let part = if column == layout.target { "target" } else { "value" };
        format!("the {part} of {what} is missing (`{field}`): leave out the row or fill it in{way}")
    } else if field.parse::<f64>().is_ok() {
        format!("{what} holds `{field}`, which is not finite in 64 bits")
    } else if comma {
        format!("{what} holds `{field}`: decimals are written with a point")
    } else if let Some(hint) = likely_delimiter(field) {
        format!("{what} holds `{field}`, which is not a number{hint}")
    } else if ["true", "false"].contains(&field.to_ascii_lowercase().as_str()) {
        format!("{what} holds `{field}`: write 1 and 0{way}")
    } else if layout.names.is_none() && record.line == 1 {
        format!("{what} holds `{field}`, which is not a number; if the first line names the columns, set header = true")
    } else {
        format!("{what} holds `{field}`, which is not a number{way}")
    };
    Err(records.wrong(record.line, problem))
}

/// An input column that counts the rows or is called so and tells them apart, and which of both.
fn row_counter(table: &Table) -> Option<(usize, &'static str)> {
    let Matrix { values, columns } = &table.raw.inputs;
    let column = |at: usize| values.iter().skip(at).step_by(*columns).copied();
    let counts = |at: usize| {
        let first = values[at];
        first.fract() == 0.0 && column(at).enumerate().all(|(row, value)| value == first + row as f64)
    };
    let named = |at: usize| {
        let name = table.layout.names.as_ref().map(|names| names[table.layout.inputs[at]].as_str());
        let is = |name: &str| {
            let lower = name.to_ascii_lowercase();
            ["id", "index", "rownames", "row"].contains(&lower.as_str())
                || lower.ends_with("_id")
                || name.ends_with("Id")
        };
        let mut known = HashSet::new();
        name.is_some_and(is) && column(at).all(|value| value.fract() == 0.0 && known.insert(value.to_bits()))
    };
    if table.raw.inputs.rows() <= 4 {
        return None;
    }
    (0..*columns).find_map(|at| {
        let what = if counts(at) {
            "counts the rows"
        } else if named(at) {
            "is another number in each row"
        } else {
            return None;
        };
        Some((table.layout.inputs[at], what))
    })
}

/// Names for a message, the first of many.
fn listed(names: &[String]) -> String {
    let some: Vec<&str> = names.iter().take(20).map(String::as_str).collect();
    some.join(", ") + if names.len() > 20 { ", …" } else { "" }
}
