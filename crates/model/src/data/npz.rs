//! NumPy archives: inputs `x` `[n, …]` (flattened to `[n, d]`) and targets `y`; a test set may stand beside them as
//! `x_test` and `y_test`.
//!
//! Arrays are compressed or not, in C or Fortran order, of either byte order: whole numbers, bool, float16 to float64
//! and, as labels, strings. What targets are, unless `task` says it:
//!
//! | `y` | read as |
//! |---|---|
//! | whole numbers, bool or strings, `[n]` or `[n, 1]` | labels |
//! | whole numbers or bool, `[n, C]`, one 1 in each row | labels, with a notice |
//! | whole numbers `[n, C]` otherwise | numbers |
//! | floats | numbers, with a notice where they could be labels |

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use npyz::WriterBuilder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::dataset::{Dataset, Matrix, Parts, Targets};
use super::error::DataError;
use super::files::{allow, foreign};
use super::labels::{Asked, LARGEST_WHOLE, Labels, Raw, Target};
use super::npy::{Header, Kind};
use super::origin::{Key, Origin, USUAL_SHARE};
use super::standardize::Standardize;
use super::table::Task;
use crate::sample::Sample;

/// Which archive to read, and which of its arrays.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Npz {
    /// The file `.npz`; a relative path starts at the configuration's folder.
    pub path: PathBuf,
    /// Name of the inputs for training. Default: `x` or, where there is none, that of the one of
    /// [`CONVENTIONS`] that fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// Name of the targets for training. Default: `y`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// Name of the inputs for testing. Default: `x_test`, if there is one; else a share of the training data is split
    /// off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x_test: Option<String>,
    /// Name of the targets for testing. Default: `y_test`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y_test: Option<String>,
    /// What targets mean. Default: what they look like, see the [module](self); floats are labels where `classes` is
    /// given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// Number of classes C: labels are then the numbers 0 to C−1, or at most C words. By default the distinct training
    /// labels are the classes, or those that an array `classes` of strings names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<usize>,
    /// Which axis of an image has its channels, for inputs of four axes, `[n, C, H, W]` or `[n, H, W, C]`. Images whose
    /// channels come last are turned around. Default: it is not known, so that the inputs are numbers and no images;
    /// inputs `[n, H, W]` are images of one channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Channels>,
    /// Number of different tokens, where inputs `[n, L]` are sequences of these: whole numbers from 0 to below it.
    /// Targets `[n, P]` of whole numbers are then labels of the last P tokens, tokens themselves unless `classes` says
    /// how many they are. Default: inputs are numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<usize>,
    /// The archive itself, where it is in memory; its path is then only a name.
    #[serde(skip)]
    pub bytes: Option<Arc<[u8]>>,
}

/// The axis that has an image's channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Channels {
    /// `[C, H, W]`, as in PyTorch.
    First,
    /// `[H, W, C]`, as in Keras.
    Last,
}

/// Rows of images with another order of axes: from `[H, W, C]` to `[C, H, W]`.
fn channels_first(values: &[f64], columns: usize, channels: usize) -> Vec<f64> {
    let mut turned = Vec::with_capacity(values.len());
    for image in values.chunks(columns.max(1)) {
        for channel in 0..channels {
            turned.extend(image.iter().skip(channel).step_by(channels));
        }
    }
    turned
}

impl Origin for Npz {
    fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        vec![&mut self.path]
    }

    fn load(&self, _: u64) -> Result<Parts, DataError> {
        self.read()
    }

    fn test_share(&self) -> f64 {
        USUAL_SHARE
    }

    fn standardization(&self) -> Standardize {
        if self.vocabulary.is_some() { Standardize::None } else { Standardize::Features }
    }
}

/// Names that arrays have elsewhere: for training inputs and targets, for testing inputs and targets.
pub const CONVENTIONS: &[[&str; 4]] = &[
    ["x_train", "y_train", "x_test", "y_test"],
    ["X_train", "y_train", "X_test", "y_test"],
    ["X", "y", "X_test", "y_test"],
    ["train_images", "train_labels", "test_images", "test_labels"],
];

/// Names of the arrays that are read.
struct Names {
    train: [String; 2],
    test: Option<[String; 2]>,
}

impl Npz {
    /// Keys of the source.
    pub const KEYS: &'static [Key] = &[
        ("path", "", "the archive"),
        ("x", "\"x\"", "inputs for training; x_train, X_train, X and train_images are found by themselves"),
        ("y", "\"y\"", "targets for training"),
        ("x_test", "\"x_test\"", "inputs for testing, if there are any"),
        ("y_test", "\"y_test\"", "targets for testing"),
        ("task", "by type of y", "what targets mean: \"classification\" or \"regression\""),
        ("classes", "the labels", "number of classes C; labels are then 0 to C−1"),
        ("channels", "unknown", "\"first\" or \"last\": the axis of an image's channels"),
        ("vocabulary", "no tokens", "number of different tokens, where inputs are sequences of these"),
    ];

    /// The training set, and the test set if the archive has one.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is no such archive, a checksum differs, or samples and targets do not make a
    /// [`Dataset`].
    pub fn read(&self) -> Result<Parts, DataError> {
        let mut archive = Archive::open(&self.path, self.bytes.as_ref())?;
        let names = self.names(&archive)?;
        let mut used: Vec<&String> = names.train.iter().chain(names.test.iter().flatten()).collect();
        archive.check_growth(&used)?;
        let mut notices = Vec::new();
        if let Some([x_test, y_test]) = &names.test
            && (self.x.is_some() || self.y.is_some())
            && self.x_test.is_none()
        {
            notices.push(format!("{x_test} and {y_test} are taken for the test part"));
        }
        let [x, y] = &names.train;
        if self.vocabulary.is_some() && self.channels.is_some() {
            return Err(archive.wrong("channels are of images, a vocabulary of sequences of tokens".to_owned()));
        }
        let (train, one_hot) = self.part(&mut archive, x, y, self.task, &mut notices)?;
        let task = match train.target {
            Target::Labels(_) => Task::Classification,
            Target::Values(_) => Task::Regression,
        };
        let test = names.test.as_ref().map(|[x, y]| self.part(&mut archive, x, y, Some(task), &mut Vec::new()));
        let (test, test_one_hot) = test.transpose()?.map_or((None, None), |(test, one_hot)| (Some(test), one_hot));
        // The outputs of a network are its classes, or the columns of its targets.
        if let (Target::Values(values), Some(classes)) = (&train.target, self.classes)
            && values.columns != classes
        {
            let what = "outputs of a network (classes) and columns of targets that are numbers";
            let error = DataError::Mismatch { what, left: classes, right: values.columns };
            return Err(error.within(format!("{}, array {y}", self.path.display())));
        }
        let of_tokens = train.positions > 1;
        let mut classes = self.classes.or(self.vocabulary.filter(|_| of_tokens));
        for columns in one_hot.into_iter().chain(test_one_hot.filter(|_| one_hot.is_some())) {
            let known = *classes.get_or_insert(columns);
            if known != columns {
                let what = "number of classes and of one-hot columns";
                let error = DataError::Mismatch { what, left: known, right: columns };
                return Err(error.within(self.path.display().to_string()));
            }
        }

        let class_names = "classes".to_owned();
        let named = matches!(train.target, Target::Labels(_))
            && archive.names.contains(&class_names)
            && archive.header(&class_names)?.is_text();
        let class_names = if named {
            used.push(&class_names);
            Some(archive.class_names(&class_names, classes)?)
        } else {
            None
        };
        let unread: Vec<&str> =
            archive.names.iter().filter(|name| !used.contains(name)).map(String::as_str).take(20).collect();
        if !unread.is_empty() {
            notices.push(format!("not read: {}", unread.join(", ")));
        }
        let notices = notices.into_iter().map(|notice| format!("{}: {notice}", self.path.display())).collect();
        let asked = Asked { classes, names: class_names, explicit: self.task.is_some() };
        Raw::assemble(train, test, &asked, notices)
    }

    /// Which arrays to read.
    fn names(&self, archive: &Archive) -> Result<Names, DataError> {
        let has = |name: &str| archive.names.iter().any(|known| known == name);
        let pair = |[x, y]: [&str; 2]| [x.to_owned(), y.to_owned()];
        let given = [&self.x, &self.y, &self.x_test, &self.y_test].iter().any(|name| name.is_some());
        let [x, y, x_test, y_test] = if given || has("x") {
            [
                self.x.as_deref().unwrap_or("x"),
                self.y.as_deref().unwrap_or("y"),
                self.x_test.as_deref().unwrap_or("x_test"),
                self.y_test.as_deref().unwrap_or("y_test"),
            ]
        } else {
            let mut fitting = CONVENTIONS.iter().filter(|[x, y, ..]| has(x) && has(y));
            match (fitting.next(), fitting.next()) {
                (Some(names), None) => *names,
                (found, _) => {
                    let way = "say which are inputs and targets: x = …, y = … (and x_test, y_test)";
                    let problem = match found {
                        None => format!("no array `x`; the archive holds {}; {way}", archive.listed()),
                        Some(_) => format!("several arrays could be meant ({}); {way}", archive.listed()),
                    };
                    return Err(archive.wrong(problem));
                }
            }
        };
        let test = if has(x_test) || has(y_test) || self.x_test.is_some() || self.y_test.is_some() {
            Some(pair([x_test, y_test]))
        } else {
            None
        };
        let names = Names { train: pair([x, y]), test };
        if let Some(missing) = names.train.iter().chain(names.test.iter().flatten()).find(|name| !has(name)) {
            return Err(archive.wrong(format!("no array `{missing}`; the archive holds {}", archive.listed())));
        }
        Ok(names)
    }

    /// One part of the data, and the number of columns of one-hot targets.
    fn part(
        &self,
        archive: &mut Archive,
        x: &str,
        y: &str,
        task: Option<Task>,
        notices: &mut Vec<String>,
    ) -> Result<(Raw, Option<usize>), DataError> {
        let header = archive.header(x)?;
        let [_, rest @ ..] = header.shape.as_slice() else {
            return Err(archive.wrong(format!("`{x}` must be [n, d], but is a single value")));
        };
        if rest.is_empty() {
            let problem = format!(
                "`{x}` must be [n, d], but has shape {:?}; save {x}.reshape(-1, 1) if a sample is one number",
                header.shape
            );
            return Err(archive.wrong(problem));
        }
        if header.is_text() {
            return Err(archive.wrong(format!("`{x}` holds text; inputs are numbers")));
        }
        let columns = rest.iter().fold(1, |all: usize, &size| all.saturating_mul(size));
        let sample = self.sample(rest).map_err(|problem| archive.wrong(format!("`{x}` {problem}")))?;
        if self.vocabulary.is_some() && header.kind == Kind::Float {
            let problem = format!("`{x}` holds floats; tokens are whole numbers: save {x}.astype(int)");
            return Err(archive.wrong(problem));
        }
        let values = archive.values(x, &header, |header, bytes| Ok(header.number(bytes)))?;
        if header.kind != Kind::Float
            && let Some(large) = values.iter().find(|value| value.abs() >= LARGEST_WHOLE)
        {
            let problem =
                format!("`{x}` holds whole numbers like {large:.0}; beyond 2⁵³ they are not told apart in 64 bits");
            return Err(archive.wrong(problem));
        }
        let values = match (&sample, self.channels) {
            (Sample::Image { channels, .. }, Some(Channels::Last)) => channels_first(&values, columns, *channels),
            _ => values,
        };
        let (target, positions, one_hot) = match self.labels_of_tokens(archive, y, task, notices)? {
            Some((labels, positions)) => (Target::Labels(labels), positions, None),
            None => {
                let (target, one_hot) = self.target(archive, y, task, notices)?;
                (target, 1, one_hot)
            }
        };
        let place = format!("{}, arrays {x} and {y}", self.path.display());
        Ok((Raw { place, inputs: Matrix { values, columns }, sample, target, positions }, one_hot))
    }

    /// What an input of this shape is.
    fn sample(&self, shape: &[usize]) -> Result<Sample, String> {
        if let Some(vocabulary) = self.vocabulary {
            return match *shape {
                [length] => Ok(Sample::Tokens { length, vocabulary }),
                _ => Err(format!("has samples of shape {shape:?}; sequences of tokens are [n, L]")),
            };
        }
        match (shape, self.channels) {
            (&[channels, height, width], Some(Channels::First))
            | (&[height, width, channels], Some(Channels::Last)) => Ok(Sample::Image { channels, height, width }),
            (_, Some(_)) => Err(format!("has samples of shape {shape:?}; channels is for samples with three axes")),
            (&[height, width], None) => Ok(Sample::gray(height, width)),
            (_, None) => Ok(Sample::Numbers(shape.to_vec())),
        }
    }

    /// Labels of the last tokens of sequences, and of how many; `None` where targets are no such.
    fn labels_of_tokens(
        &self,
        archive: &mut Archive,
        y: &str,
        task: Option<Task>,
        notices: &mut Vec<String>,
    ) -> Result<Option<(Labels, usize)>, DataError> {
        let header = archive.header(y)?;
        let whole = header.kind != Kind::Float && !header.is_text();
        match header.shape[..] {
            [_, positions] if positions > 1 && whole && self.vocabulary.is_some() && task != Some(Task::Regression) => {
                let mut labels = Labels::new(&archive.path, format!("array {y}"), false);
                let numbers = archive.values(y, &header, |header, bytes| Ok(header.integer(bytes)))?;
                numbers.iter().zip(0..).for_each(|(number, at)| labels.number(*number, at));
                let one_hot =
                    |row: &[i128]| row.iter().all(|number| [0, 1].contains(number)) && row.iter().sum::<i128>() == 1;
                if numbers.chunks(positions).all(one_hot) {
                    notices.push(format!(
                        "the rows of {y} look one-hot, and are read as labels of the last {positions} tokens; save \
                         {y}.argmax(1) if classes of whole sequences are meant"
                    ));
                }
                Ok(Some((labels, positions)))
            }
            _ => Ok(None),
        }
    }

    /// The targets of a part, and the number of their columns where they are one-hot.
    fn target(
        &self,
        archive: &mut Archive,
        y: &str,
        task: Option<Task>,
        notices: &mut Vec<String>,
    ) -> Result<(Target, Option<usize>), DataError> {
        let header = archive.header(y)?;
        let columns = match header.shape[..] {
            [_] => 1,
            [_, columns] if columns > 0 => columns,
            _ => {
                return Err(archive.wrong(format!("`{y}` must be [n] or [n, C], but has shape {:?}", header.shape)));
            }
        };
        let regression = task == Some(Task::Regression);
        let whole = header.kind != Kind::Float;
        if header.is_text() {
            if columns > 1 || regression {
                let problem =
                    format!("`{y}` holds text, in shape {:?}; labels are [n], and numbers no text", header.shape);
                return Err(archive.wrong(problem));
            }
            let mut labels = Labels::new(&archive.path, format!("array {y}"), false);
            let texts = archive.values(y, &header, Header::text)?;
            texts.iter().zip(0..).for_each(|(text, at)| labels.text(text.trim(), at));
            return Ok((Target::Labels(labels), None));
        }
        if columns == 1 && whole && !regression {
            let mut labels = Labels::new(&archive.path, format!("array {y}"), false);
            let numbers = archive.values(y, &header, |header, bytes| Ok(header.integer(bytes)))?;
            numbers.iter().zip(0..).for_each(|(number, at)| labels.number(*number, at));
            if task.is_none() && header.shape.len() == 2 {
                let words = "are read as labels; task = \"regression\" takes them as numbers";
                notices.push(format!("the whole numbers of {y}, of shape {:?}, {words}", header.shape));
            }
            return Ok((Target::Labels(labels), None));
        }
        let values = archive.values(y, &header, |header, bytes| Ok(header.number(bytes)))?;
        if columns == 1 {
            if task == Some(Task::Classification) || (task.is_none() && self.classes.is_some()) {
                let mut labels = Labels::new(&archive.path, format!("array {y}"), false);
                for (value, at) in values.into_iter().zip(0..) {
                    labels.float(value, at)?;
                }
                return Ok((Target::Labels(labels), None));
            }
            if task.is_none() && values.iter().all(|value| value.fract() == 0.0) {
                let words = "are read as targets of a regression; task = \"classification\" takes them as labels";
                notices.push(format!("the whole floats of {y} {words}"));
            }
            return Ok((Target::Values(Matrix { values, columns }), None));
        }
        let hot = |row: &[f64]| {
            let ones = row.iter().filter(|value| **value == 1.0).count();
            let zeros = row.iter().filter(|value| **value == 0.0).count();
            if (ones, zeros) == (1, row.len() - 1) { row.iter().position(|value| *value == 1.0) } else { None }
        };
        let hot: Option<Vec<usize>> = if regression { None } else { values.chunks(columns).map(hot).collect() };
        match (hot, task) {
            (Some(hot), task) if whole || task == Some(Task::Classification) || self.classes.is_some() => {
                if task.is_none() && self.classes.is_none() {
                    let words = "are read as labels; task = \"regression\" takes them as numbers";
                    notices.push(format!("the one-hot rows of {y} {words}"));
                }
                let mut labels = Labels::new(&archive.path, format!("array {y}"), false);
                hot.into_iter().zip(0..).for_each(|(class, at)| labels.number(class as i128, at));
                Ok((Target::Labels(labels), Some(columns)))
            }
            (Some(_), None) => {
                let words = "are read as targets of a regression; task = \"classification\" takes them as labels";
                notices.push(format!("the one-hot rows of {y} {words}"));
                Ok((Target::Values(Matrix { values, columns }), None))
            }
            (None, Some(Task::Classification)) => {
                let problem =
                    format!("`{y}` has {columns} columns and is not one-hot; save {y}.argmax(1) if classes are meant");
                Err(archive.wrong(problem))
            }
            (None, None) if whole && values.iter().all(|value| [0.0, 1.0].contains(value)) => {
                let problem =
                    format!("`{y}` has several truths in a row; set task = \"regression\" to take them as 0 and 1");
                Err(archive.wrong(problem))
            }
            (None, None) if shares(&values, columns) => {
                let words = "add up to 1, and are read as targets of a regression: classes are taken from labels alone";
                notices.push(format!("the rows of {y} {words}"));
                Ok((Target::Values(Matrix { values, columns }), None))
            }
            _ => Ok((Target::Values(Matrix { values, columns }), None)),
        }
    }
}

/// Whether rows look like the probabilities of classes.
fn shares(values: &[f64], columns: usize) -> bool {
    values.iter().all(|value| *value >= 0.0)
        && values.chunks(columns).all(|row| (row.iter().sum::<f64>() - 1.0).abs() < 1e-6)
}

/// An archive that is being read.
/// What an archive is read from.
trait Source: Read + Seek {}

impl<S: Read + Seek> Source for S {}

struct Archive {
    path: PathBuf,
    size: u64,
    zip: ZipArchive<BufReader<Box<dyn Source>>>,
    /// Names of its arrays.
    names: Vec<String>,
}

impl Archive {
    fn open(path: &Path, bytes: Option<&Arc<[u8]>>) -> Result<Self, DataError> {
        let io = |source| DataError::Io { path: path.to_owned(), source };
        let format = |problem: String| DataError::Format { path: path.to_owned(), line: None, problem };
        let broken = |error: &dyn std::fmt::Display| format(format!("no complete NumPy archive: {error}"));
        let mut file: Box<dyn Source> = match bytes {
            Some(bytes) => Box::new(Cursor::new(Arc::clone(bytes))),
            None => Box::new(File::open(path).map_err(io)?),
        };
        let size = file.seek(SeekFrom::End(0)).map_err(io)?;
        file.rewind().map_err(io)?;
        let mut head = Vec::new();
        file.by_ref().take(512).read_to_end(&mut head).map_err(io)?;
        if !head.starts_with(b"PK") {
            let gzip = head.starts_with(&[0x1f, 0x8b]).then_some("compressed with gzip; decompress it");
            let what = foreign(&head).filter(|_| gzip.is_none()).or(gzip);
            return Err(broken(&what.map_or_else(
                || "it does not begin as a zip archive does".to_owned(),
                |what| format!("it is {what}"),
            )));
        }
        check_directory(&mut file, size).map_err(io)?.map_err(|problem| broken(&problem))?;
        file.rewind().map_err(io)?;
        let mut zip = ZipArchive::new(BufReader::new(file)).map_err(|error| broken(&error))?;
        zip.validate_header_consistency().map_err(|error| broken(&error))?;
        if zip.has_duplicate_names() {
            return Err(broken(&"two arrays have the same name"));
        }
        let mut names = Vec::new();
        for name in zip.file_names() {
            let name = name.map_err(|error| broken(&error))?;
            if name.contains(char::is_control) {
                return Err(broken(&"the name of an array has control characters"));
            }
            names.extend(name.strip_suffix(".npy").map(str::to_owned));
        }
        Ok(Self { path: path.to_owned(), size, zip, names })
    }

    fn wrong(&self, problem: String) -> DataError {
        DataError::Format { path: self.path.clone(), line: None, problem }
    }

    /// The names of all arrays, or of the first of many.
    fn listed(&self) -> String {
        if self.names.is_empty() {
            let torch = self.zip.file_names_raw().any(|name| name.ends_with(b"data.pkl"));
            let what = if torch { "; PyTorch wrote it: save its tensors with np.savez, x=x.numpy()" } else { "" };
            return format!("no arrays{what}");
        }
        let some: Vec<&str> = self.names.iter().take(20).map(String::as_str).collect();
        some.join(", ") + if self.names.len() > 20 { ", …" } else { "" }
    }

    fn array_error(&self, name: &str, error: &dyn std::fmt::Display) -> DataError {
        self.wrong(format!("array `{name}`: {error}"))
    }

    fn header(&mut self, name: &str) -> Result<Header, DataError> {
        let result = match self.zip.by_name(&format!("{name}.npy")) {
            Ok(mut entry) => Header::read(&mut entry),
            Err(error) => Err(error.to_string()),
        };
        let header = result.map_err(|error| self.array_error(name, &error))?;
        match header.size() {
            Some(_) => Ok(header),
            None => Err(self.array_error(name, &format!("its shape {:?} is larger than memory", header.shape))),
        }
    }

    /// Whether these arrays fit into memory, by what their headers say, and into the archive.
    fn check_growth(&mut self, names: &[&String]) -> Result<(), DataError> {
        let mut values = 0_usize;
        for name in names {
            let header = self.header(name)?;
            let (count, size) = header.size().unwrap_or((usize::MAX, usize::MAX));
            let entry = self.zip.by_name(&format!("{name}.npy")).map(|entry| entry.size());
            let found = entry.map_err(|error| self.array_error(name, &error))?;
            let expected = (header.bytes as u64).saturating_add(size as u64);
            if expected != found {
                let shape = &header.shape;
                let problem = format!("its shape {shape:?} makes {expected} bytes, but it has {found}");
                return Err(self.array_error(name, &problem));
            }
            // What is made of a value on the way: a string, or a label before it is a class.
            let weight = match header.shape[..] {
                _ if header.is_text() => 8,
                [_] | [_, 1] => 3,
                _ => 1,
            };
            values = values.saturating_add(count.saturating_mul(weight).max(size / 8));
        }
        allow(&self.path, self.size, values)
    }

    /// The values of an array; the entry is read to its end, where its checksum is compared.
    fn values<T: Clone>(
        &mut self,
        name: &str,
        header: &Header,
        value: impl Fn(&Header, &[u8]) -> Result<T, String>,
    ) -> Result<Vec<T>, DataError> {
        let result = match self.zip.by_name(&format!("{name}.npy")) {
            Ok(mut entry) => Header::read(&mut entry).and_then(|_| {
                let values = header.values(&mut entry, |bytes| value(header, bytes))?;
                match entry.read(&mut [0; 64]) {
                    Ok(0) => Ok(values),
                    Ok(_) => Err("it goes on behind its end".to_owned()),
                    Err(error) => Err(error.to_string()),
                }
            }),
            Err(error) => Err(error.to_string()),
        };
        result.map_err(|error| self.array_error(name, &error))
    }

    /// The names in an array of strings, which must be as many as `classes` says.
    fn class_names(&mut self, name: &String, classes: Option<usize>) -> Result<Vec<String>, DataError> {
        self.check_growth(&[name])?;
        let header = self.header(name)?;
        let names = self.values(name, &header, Header::text)?;
        let mut known = std::collections::HashSet::new();
        if let Some(twice) = names.iter().find(|name| !known.insert(*name)) {
            let problem = format!("array `{name}` has `{twice}` twice: it names the classes, each once");
            return Err(self.wrong(problem));
        }
        match classes.filter(|classes| *classes != names.len()) {
            None => Ok(names),
            Some(classes) => {
                let what = "classes asked for and names in the array classes";
                let error = DataError::Mismatch { what, left: classes, right: names.len() };
                Err(error.within(self.path.display().to_string()))
            }
        }
    }
}

/// Whether the list of entries at the end of a zip archive is whole, as Python's zipfile asks it to be: it fills the
/// bytes up to the last record, which has no comment, and its entries are of known kinds.
fn check_directory(file: &mut dyn Source, whole: u64) -> std::io::Result<Result<(), String>> {
    const LAST: usize = 22;
    const LONGEST_LIST: u64 = 1 << 26;
    // A record and a locator of 64 bits before it.
    const LAST_64: usize = 56 + 20;
    let number = |bytes: &[u8], at: usize, size: usize| {
        bytes[at..at + size].iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let cut = || Ok(Err("it is cut short, or goes on behind its end".to_owned()));
    let mut tail = vec![0; (LAST + LAST_64).min(usize::try_from(whole).unwrap_or(usize::MAX))];
    file.seek(SeekFrom::End(-(tail.len() as i64)))?;
    file.read_exact(&mut tail)?;
    let Some(at) = tail.len().checked_sub(LAST) else { return cut() };
    let last = &tail[at..];
    if !last.starts_with(b"PK\x05\x06") || number(last, 20, 2) != 0 {
        return cut();
    }
    let (mut count, mut size, mut offset) = (number(last, 10, 2), number(last, 12, 4), number(last, 16, 4));
    let mut end = whole - LAST as u64;
    if at == LAST_64 && tail[at - 20..].starts_with(b"PK\x06\x07") {
        (count, size, offset) = (number(&tail, 32, 8), number(&tail, 40, 8), number(&tail, 48, 8));
        end -= LAST_64 as u64;
        if !tail.starts_with(b"PK\x06\x06") {
            return cut();
        }
    }
    if offset.checked_add(size) != Some(end) || size > LONGEST_LIST {
        return Ok(Err("the list of its entries is not where it should be".to_owned()));
    }
    let mut list = vec![0; size as usize];
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut list)?;
    let mut rest = list.as_slice();
    for _ in 0..count {
        // Version 6.3 is the last; bits 5, 6 and 13 are for patches and strong encryption.
        let known = |entry: &&[u8]| {
            entry.starts_with(b"PK\x01\x02") && number(entry, 6, 2) <= 63 && number(entry, 8, 2) & 0x2060 == 0
        };
        let Some(entry) = rest.get(..46).filter(known) else {
            return Ok(Err("an entry is damaged, or of a kind that is not read".to_owned()));
        };
        let length = 46 + number(entry, 28, 2) + number(entry, 30, 2) + number(entry, 32, 2);
        rest = rest.get(length as usize..).unwrap_or_default();
    }
    if !rest.is_empty() {
        return Ok(Err("the list of its entries goes on behind its end".to_owned()));
    }
    Ok(Ok(()))
}

/// Writes an archive that [`Npz`] and `numpy.load` read: `x` as float64, images `[n, H, W]` or, with several channels,
/// `[n, C, H, W]` (which is read with `channels = "first"`), `y` as int64 labels or float64 targets. Where
/// the labels of the training part do not tell the classes, because these have names or one of them does not occur, an
/// array `classes` of strings names them.
///
/// # Errors
///
/// When `sink` cannot be written.
pub fn write<W: Write + Seek>(sink: W, train: &Dataset, test: Option<&Dataset>) -> std::io::Result<()> {
    fn start<W: Write + Seek>(archive: &mut ZipWriter<W>, name: &str) -> std::io::Result<()> {
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        Ok(archive.start_file(format!("{name}.npy"), options)?)
    }
    fn entry<W: Write + Seek, T: npyz::AutoSerialize>(
        archive: &mut ZipWriter<W>,
        name: &str,
        values: impl IntoIterator<Item = T>,
        shape: &[u64],
    ) -> std::io::Result<()> {
        start(archive, name)?;
        let mut writer = npyz::WriteOptions::new().default_dtype().shape(shape).writer(archive).begin_nd()?;
        writer.extend(values)?;
        writer.finish()
    }
    let mut archive = ZipWriter::new(sink);
    for (data, suffix) in [(Some(train), ""), (test, "_test")] {
        let Some(data) = data else { continue };
        let n = data.len() as u64;
        let inputs = &data.inputs;
        let shape: Vec<u64> = match data.sample {
            // What is read as an image again.
            Sample::Image { channels: 1, height, width } => vec![n, height as u64, width as u64],
            _ => [n].into_iter().chain(data.sample.shape().into_iter().map(|size| size as u64)).collect(),
        };
        let name = format!("x{suffix}");
        if let Sample::Tokens { .. } = data.sample {
            entry(&mut archive, &name, inputs.values.iter().map(|&token| token as i64), &shape)?;
        } else {
            entry(&mut archive, &name, inputs.values.iter().copied(), &shape)?;
        }
        let name = format!("y{suffix}");
        match &data.targets {
            Targets::Labels { labels, .. } => {
                let shape: &[u64] = match data.target().positions() {
                    1 => &[n],
                    positions => &[n, positions as u64],
                };
                entry(&mut archive, &name, labels.iter().map(|&label| label as i64), shape)?;
            }
            Targets::Values(values) => {
                entry(&mut archive, &name, values.values.iter().copied(), &[n, values.columns as u64])?;
            }
        }
    }
    if let Targets::Labels { labels, classes, names } = &train.targets {
        let mut seen = vec![false; *classes];
        labels.iter().for_each(|&label| seen[label] = true);
        if !names.is_empty() || seen.contains(&false) {
            let names: Vec<String> = (0..*classes).map(|class| train.class_name(class)).collect();
            start(&mut archive, "classes")?;
            let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(1);
            let dtype = npyz::DType::new_scalar(format!("<U{width}").parse().map_err(std::io::Error::other)?);
            let mut writer =
                npyz::WriteOptions::new().dtype(dtype).shape(&[*classes as u64]).writer(&mut archive).begin_nd()?;
            writer.extend(names)?;
            writer.finish()?;
        }
    }
    archive.finish()?;
    Ok(())
}
