//! CSV files: one row a sample, one column the target, the others inputs.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{DataError, Dataset, Matrix, Parts, Targets, classes, read_bytes};

/// What the target column means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// A class: whole numbers from 0 on, or names, which are numbered in alphabetical order.
    #[default]
    Classification,
    /// A number.
    Regression,
}

/// Which CSV file to read, plain or gzipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Csv {
    /// The file for training.
    pub path: PathBuf,
    /// The file for testing, with the same columns; without it a share of the training data is split off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_path: Option<PathBuf>,
    /// Name of the target column; by default the last one. A file without header knows only the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Whether the first line names the columns. Default: true.
    #[serde(default = "yes")]
    pub header: bool,
    /// What the target column means. Default: classification.
    #[serde(default)]
    pub task: Task,
    /// Number of classes; by default one more than the largest training label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<usize>,
}

fn yes() -> bool {
    true
}

struct Columns {
    inputs: Matrix,
    target: Vec<String>,
    first_line: u64,
}

impl Csv {
    pub(super) fn read(&self) -> Result<Parts, DataError> {
        let train = self.columns(&self.path)?;
        let names = self.names(&train);
        let columns = train.inputs.columns;
        let train = self.dataset(&self.path, train, &names, self.classes)?;
        let Some(path) = &self.test_path else { return Ok((train, None)) };
        let test = self.columns(path)?;
        if test.inputs.columns != columns {
            return Err(DataError::Mismatch {
                what: "columns of the training and of the test file",
                left: columns,
                right: test.inputs.columns,
            });
        }
        let test = self.dataset(path, test, &names, Some(train.outputs()))?;
        Ok((train, Some(test)))
    }

    /// The classes' names in alphabetical order, when labels are not numbers.
    fn names(&self, train: &Columns) -> Vec<String> {
        if self.task == Task::Regression || train.target.iter().all(|label| label.parse::<usize>().is_ok()) {
            return Vec::new();
        }
        let mut names = train.target.clone();
        names.sort();
        names.dedup();
        names
    }

    fn columns(&self, path: &Path) -> Result<Columns, DataError> {
        let bytes = read_bytes(path)?;
        let format = |line, problem| DataError::Format { path: path.to_owned(), line, problem };
        let mut reader =
            csv::ReaderBuilder::new().has_headers(self.header).trim(csv::Trim::All).from_reader(bytes.as_slice());
        let csv_error = |error: csv::Error| {
            let line = error.position().map(csv::Position::line);
            format(line, error.to_string())
        };
        let width = reader.headers().map_err(csv_error)?.len();
        if width < 2 {
            return Err(format(None, format!("{width} columns; at least one input and the target are needed")));
        }
        let target = match &self.target {
            None => width - 1,
            Some(_) if !self.header => {
                return Err(format(None, "a target column is named, but the file is said to have no header".into()));
            }
            Some(name) => {
                let headers = reader.headers().map_err(csv_error)?;
                headers.iter().position(|header| header == name).ok_or_else(|| {
                    let known = headers.iter().collect::<Vec<_>>().join(", ");
                    format(Some(1), format!("no column `{name}`; there are {known}"))
                })?
            }
        };
        let mut columns = Columns {
            inputs: Matrix { values: Vec::new(), columns: width - 1 },
            target: Vec::new(),
            first_line: 1 + u64::from(self.header),
        };
        for record in reader.records() {
            let record = record.map_err(csv_error)?;
            let line = record.position().map(csv::Position::line);
            for (at, field) in record.iter().enumerate() {
                if at == target {
                    columns.target.push(field.to_owned());
                } else {
                    let value = field.parse().map_err(|_| {
                        format(line, format!("column {} holds `{field}`, which is not a number", at + 1))
                    })?;
                    columns.inputs.values.push(value);
                }
            }
        }
        Ok(columns)
    }

    fn dataset(
        &self,
        path: &Path,
        columns: Columns,
        names: &[String],
        given: Option<usize>,
    ) -> Result<Dataset, DataError> {
        let Columns { inputs, target, first_line } = columns;
        let wrong = |row: usize, problem: String| DataError::Format {
            path: path.to_owned(),
            line: Some(first_line + row as u64),
            problem,
        };
        let rows = target.iter().enumerate();
        let targets = match self.task {
            Task::Regression => {
                let values = rows
                    .map(|(row, field)| {
                        field.parse().map_err(|_| wrong(row, format!("target `{field}` is not a number")))
                    })
                    .collect::<Result<_, _>>()?;
                Targets::Values(Matrix { values, columns: 1 })
            }
            Task::Classification => {
                let labels: Vec<usize> = rows
                    .map(|(row, field)| {
                        let label = if names.is_empty() { field.parse().ok() } else { names.binary_search(field).ok() };
                        label.ok_or_else(|| wrong(row, format!("`{field}` is not a class of the training file")))
                    })
                    .collect::<Result<_, _>>()?;
                let classes = classes(&labels, given);
                Targets::Labels { labels, classes }
            }
        };
        Dataset::new(inputs, targets)
    }
}
