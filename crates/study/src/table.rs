//! The rows of all runs, as CSV and as Parquet.

use std::collections::BTreeMap;
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use serde_json::Value;

use crate::folder::{PlannedRun, StudyFolder};
use crate::result::RunResult;
use losscape_lab::LabError;
use losscape_lab::folder::write_whole;
use losscape_lab::records::State;

/// One row a run, in the order of the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The runs of the rows.
    pub runs: Vec<PlannedRun>,
    /// Columns by name, in their order: identity, configuration, training, measures.
    pub columns: Vec<(String, Column)>,
    /// Those of them that hold the configuration.
    pub settings: Vec<String>,
    /// Those of them that were measured of trained networks.
    pub measures: Vec<String>,
}

/// The values of a column; absent where a run has none.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Whole numbers.
    Integer(Vec<Option<i64>>),
    /// Numbers.
    Number(Vec<Option<f64>>),
    /// Yes or no.
    Flag(Vec<Option<bool>>),
    /// Words, and values of more than one kind.
    Text(Vec<Option<String>>),
}

/// The results of a study as far as they are there.
#[derive(Debug)]
pub struct Merged {
    /// The rows of the runs that were trained.
    pub table: Table,
    /// Runs without a row, with why if it is not that they were not trained yet.
    pub missing: Vec<(PlannedRun, Option<LabError>)>,
    /// Runs with a row but not measured, or measured otherwise than the study says now: their measures are left out.
    pub unmeasured: Vec<PlannedRun>,
}

impl Merged {
    /// Reads the results of all planned runs.
    ///
    /// # Errors
    ///
    /// When the study was not planned, or a result is that of another run.
    pub fn read(study: &StudyFolder) -> Result<Self, LabError> {
        let measuring = study.config()?.measuring();
        let (mut rows, mut missing, mut unmeasured) = (Vec::new(), Vec::new(), Vec::new());
        for run in study.planned()? {
            match RunResult::of(&study.run_folder(&run), &run.run_id) {
                Ok(Some(result)) if result.measured.as_ref() == Some(&measuring) => rows.push((run, result)),
                Ok(Some(result)) => {
                    unmeasured.push(run.clone());
                    rows.push((run, RunResult { measures: BTreeMap::new(), ..result }));
                }
                Ok(None) => missing.push((run, None)),
                Err(error @ LabError::OtherRun { .. }) => return Err(error),
                Err(error) => missing.push((run, Some(error))),
            }
        }
        Ok(Self { table: Table::of(&rows), missing, unmeasured })
    }
}

impl Table {
    /// The table of these results.
    #[must_use]
    pub fn of(rows: &[(PlannedRun, RunResult)]) -> Self {
        let mut columns = vec![
            ("run_id".to_owned(), text(rows, |(run, _)| run.run_id.clone())),
            ("index".to_owned(), Column::Integer(rows.iter().map(|(run, _)| i64::try_from(run.index).ok()).collect())),
            ("outcome".to_owned(), text(rows, |(_, result)| result.outcome.to_string())),
            ("reason".to_owned(), text(rows, |(_, result)| result.reason.clone())),
        ];
        let mut settings: BTreeMap<&str, Vec<Option<&Value>>> = BTreeMap::new();
        let mut training: BTreeMap<&str, Vec<Option<f64>>> = BTreeMap::new();
        let mut measures: BTreeMap<&str, Vec<Option<f64>>> = BTreeMap::new();
        for (at, (_, result)) in rows.iter().enumerate() {
            for (key, value) in &result.config {
                settings.entry(key).or_insert_with(|| vec![None; rows.len()])[at] = Some(value);
            }
            for (numbers, columns) in [(&result.training, &mut training), (&result.measures, &mut measures)] {
                for (name, value) in numbers {
                    columns.entry(name).or_insert_with(|| vec![None; rows.len()])[at] = Some(*value);
                }
            }
        }
        let set = settings.keys().map(|key| (*key).to_owned()).collect();
        columns.extend(settings.into_iter().map(|(key, values)| (key.to_owned(), Column::of(&values))));
        let measured = measures.keys().map(|name| (*name).to_owned()).collect();
        for numbers in [training, measures] {
            columns.extend(numbers.into_iter().map(|(name, values)| (name.to_owned(), Column::Number(values))));
        }
        Self { runs: rows.iter().map(|(run, _)| run.clone()).collect(), columns, settings: set, measures: measured }
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|(known, _)| known == name).map(|(_, column)| column)
    }

    /// A column of numbers; NaN where a run has none. `None` where there is no such column, or one of words.
    #[must_use]
    pub fn numbers(&self, name: &str) -> Option<Vec<f64>> {
        match self.column(name)? {
            Column::Number(values) => Some(values.iter().map(|value| value.unwrap_or(f64::NAN)).collect()),
            Column::Integer(values) => Some(values.iter().map(|value| value.map_or(f64::NAN, |n| n as f64)).collect()),
            Column::Flag(_) | Column::Text(_) => None,
        }
    }

    /// A setting as numbers, where it is one: a list of one number counts as that number, and the batch size is that in
    /// samples, also where it is `"full"`.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<Vec<f64>> {
        let name = if name == "training.batch_size" { "batch_size" } else { name };
        match self.column(name)? {
            Column::Text(words) => {
                let number =
                    |word: &Option<String>| word.as_ref()?.strip_prefix('[')?.strip_suffix(']')?.trim().parse().ok();
                words.iter().map(number).collect()
            }
            _ => self.numbers(name),
        }
    }

    /// The outcome of each row.
    #[must_use]
    pub fn outcomes(&self) -> Vec<State> {
        let diverged = State::Diverged.to_string();
        match self.column("outcome") {
            Some(Column::Text(words)) => words
                .iter()
                .map(|word| if word.as_ref() == Some(&diverged) { State::Diverged } else { State::Done })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Writes `results.csv` and `results.parquet`.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written.
    pub fn write(&self, study: &StudyFolder) -> Result<(), LabError> {
        write_whole(&study.file("results.csv"), &self.csv())?;
        write_whole(&study.file("results.parquet"), &self.parquet())
    }

    /// As CSV (RFC 4180), absent values empty.
    ///
    /// Words that a spreadsheet would calculate (they begin with `=`, `+`, `-`, `@`, a tab or a line's end, and are no
    /// numbers) get a `'` in front.
    ///
    /// # Panics
    ///
    /// Never: writing to memory cannot fail.
    #[must_use]
    pub fn csv(&self) -> Vec<u8> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let names = self.columns.iter().map(|(name, _)| inert(name.clone()));
        writer.write_record(names).expect("memory can be written");
        for row in 0..self.len() {
            let cells = self.columns.iter().map(|(_, column)| match column {
                Column::Text(_) => inert(column.cell(row)),
                _ => column.cell(row),
            });
            writer.write_record(cells).expect("memory can be written");
        }
        writer.into_inner().expect("memory can be written")
    }

    /// As Parquet, every column optional, uncompressed.
    ///
    /// # Panics
    ///
    /// Never: writing to memory cannot fail.
    #[must_use]
    pub fn parquet(&self) -> Vec<u8> {
        self.try_parquet().expect("memory can be written")
    }

    fn try_parquet(&self) -> Result<Vec<u8>, ParquetError> {
        let fields = self.columns.iter().map(|(name, column)| {
            let (physical, logical) = match column {
                Column::Integer(_) => (Physical::INT64, None),
                Column::Number(_) => (Physical::DOUBLE, None),
                Column::Flag(_) => (Physical::BOOLEAN, None),
                Column::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            };
            let field = Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
            field.with_logical_type(logical).build().map(Arc::new)
        });
        let fields = fields.collect::<Result<Vec<_>, _>>()?;
        let schema = Arc::new(Type::group_type_builder("results").with_fields(fields).build()?);
        let mut bytes = Vec::new();
        let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(WriterProperties::new()))?;
        let mut rows = writer.next_row_group()?;
        for (_, column) in &self.columns {
            let Some(mut slot) = rows.next_column()? else { break };
            match (slot.untyped(), column) {
                (ColumnWriter::Int64ColumnWriter(writer), Column::Integer(values)) => {
                    let (levels, there) = present(values, |value| *value);
                    writer.write_batch(&there, Some(&levels), None)?;
                }
                (ColumnWriter::DoubleColumnWriter(writer), Column::Number(values)) => {
                    let (levels, there) = present(values, |value| *value);
                    writer.write_batch(&there, Some(&levels), None)?;
                }
                (ColumnWriter::BoolColumnWriter(writer), Column::Flag(values)) => {
                    let (levels, there) = present(values, |value| *value);
                    writer.write_batch(&there, Some(&levels), None)?;
                }
                (ColumnWriter::ByteArrayColumnWriter(writer), Column::Text(values)) => {
                    let (levels, there) = present(values, |value: &String| ByteArray::from(value.as_str()));
                    writer.write_batch(&there, Some(&levels), None)?;
                }
                _ => unreachable!("the schema was made from the columns"),
            }
            slot.close()?;
        }
        rows.close()?;
        writer.close()?;
        Ok(bytes)
    }
}

/// Words as no spreadsheet calculates them.
fn inert(words: String) -> String {
    let calculates = words.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) && words.parse::<f64>().is_err();
    if calculates { format!("'{words}") } else { words }
}

/// For every value 1 if it is there and 0 if not, and those that are there.
fn present<T, U>(values: &[Option<T>], of: impl Fn(&T) -> U) -> (Vec<i16>, Vec<U>) {
    (values.iter().map(|value| i16::from(value.is_some())).collect(), values.iter().flatten().map(of).collect())
}

fn text(rows: &[(PlannedRun, RunResult)], of: impl Fn(&(PlannedRun, RunResult)) -> String) -> Column {
    Column::Text(rows.iter().map(|row| Some(of(row))).collect())
}

impl Column {
    /// Values of a setting, in the narrowest kind that holds them all.
    fn of(values: &[Option<&Value>]) -> Self {
        let all = |fits: fn(&Value) -> bool| values.iter().flatten().all(|value| fits(value));
        let each = || values.iter().copied();
        if all(Value::is_i64) {
            Self::Integer(each().map(|value| value.and_then(Value::as_i64)).collect())
        } else if all(Value::is_number) {
            Self::Number(each().map(|value| value.and_then(Value::as_f64)).collect())
        } else if all(Value::is_boolean) {
            Self::Flag(each().map(|value| value.and_then(Value::as_bool)).collect())
        } else {
            let words = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Self::Text(each().map(|value| value.map(words)).collect())
        }
    }

    /// A value in words, empty where there is none.
    #[must_use]
    pub fn cell(&self, row: usize) -> String {
        match self {
            Self::Integer(values) => values[row].map(|value| value.to_string()),
            Self::Number(values) => values[row].map(|value| value.to_string()),
            Self::Flag(values) => values[row].map(|value| value.to_string()),
            Self::Text(values) => values[row].clone(),
        }
        .unwrap_or_default()
    }
}
