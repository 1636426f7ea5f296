//! `losscape data`.

use std::io::Cursor;
use std::path::Path;

use losscape_lab::folder::write_whole;
use losscape_lab::{Document, LabError};
use losscape_model::data::{DataConfig, Parts, Source, npz};
use serde::Deserialize;

use crate::args::{DataCommand, Names};
use crate::error::CliError;
use crate::list;
use crate::terminal::{note, say};

/// Runs the command.
pub fn run(command: &DataCommand) -> Result<(), CliError> {
    match command {
        DataCommand::List { name: None } => list::print(Names::Data),
        DataCommand::List { name: Some(name) } => keys(name)?,
        DataCommand::Export { name, out, set } => export(name, out, set)?,
    }
    Ok(())
}

/// Prints the keys of a source, and those that every source has.
fn keys(name: &str) -> Result<(), CliError> {
    let Some(keys) = Source::keys(name) else {
        // What a configuration file with this name would say.
        section(&[format!("data.name={name}")])?;
        return Err(CliError::Message(format!("unknown name `{name}`")));
    };
    let rows = || keys.iter().chain(DataConfig::KEYS);
    let defaults: Vec<&str> =
        rows().map(|(_, default, _)| if default.is_empty() { "(needed)" } else { default }).collect();
    let width = rows().map(|(key, ..)| key.len()).max().unwrap_or(0);
    let default_width = defaults.iter().map(|default| default.chars().count()).max().unwrap_or(0);
    for ((key, _, words), default) in rows().zip(defaults) {
        say!("{key:width$}  {default:default_width$}  {words}");
    }
    Ok(())
}

fn section(overrides: &[String]) -> Result<Section, LabError> {
    Ok(Document::parse("data", "", overrides)?.read()?)
}

/// The data that settings of the `[data]` table name, read.
pub fn parts(overrides: &[String]) -> Result<Parts, CliError> {
    Ok(section(overrides)?.data.parts()?)
}

#[derive(Deserialize)]
struct Section {
    data: DataConfig,
}

fn export(name: &str, out: &Path, set: &[String]) -> Result<(), CliError> {
    let overrides: Vec<String> =
        std::iter::once(format!("name={name}")).chain(set.iter().cloned()).map(|item| format!("data.{item}")).collect();
    let data = parts(&overrides)?;
    for notice in &data.notices {
        note!("note: {notice}");
    }
    let mut archive = Cursor::new(Vec::new());
    npz::write(&mut archive, &data.train, data.test.as_ref()).map_err(LabError::io("write", out))?;
    write_whole(out, archive.get_ref())?;
    let test = data.test.as_ref().map_or(0, losscape_model::data::Dataset::len);
    say!(
        "{}: {} training and {test} test samples, {} inputs, {} outputs",
        out.display(),
        data.train.len(),
        data.train.inputs.columns,
        data.train.target().columns()
    );
    Ok(())
}
