//! `losscape data`.

use std::io::Cursor;
use std::path::Path;

use losscape_lab::folder::write_whole;
use losscape_lab::{Document, LabError};
use losscape_model::data::{DataConfig, npz};
use serde::Deserialize;

use crate::args::{DataCommand, Names};
use crate::error::CliError;
use crate::list;

/// Runs the command.
pub fn run(command: &DataCommand) -> Result<(), CliError> {
    match command {
        DataCommand::List => list::print(Names::Data),
        DataCommand::Export { name, out, set } => export(name, out, set)?,
    }
    Ok(())
}

#[derive(Deserialize)]
struct Section {
    data: DataConfig,
}

fn export(name: &str, out: &Path, set: &[String]) -> Result<(), CliError> {
    let overrides: Vec<String> =
        std::iter::once(format!("name={name}")).chain(set.iter().cloned()).map(|item| format!("data.{item}")).collect();
    let document = Document::parse("data", "", &overrides).map_err(LabError::from)?;
    let section: Section = document.read().map_err(LabError::from)?;
    let data = section.data.load()?;
    let mut archive = Cursor::new(Vec::new());
    npz::write(&mut archive, &data.train, data.test.as_ref()).map_err(|source| LabError::Io {
        action: "write",
        path: out.to_owned(),
        source,
    })?;
    write_whole(out, archive.get_ref())?;
    let test = data.test.as_ref().map_or(0, losscape_model::data::Dataset::len);
    anstream::println!(
        "{}: {} training and {test} test samples, {} inputs, {} outputs",
        out.display(),
        data.train.len(),
        data.train.inputs.columns,
        data.train.outputs()
    );
    Ok(())
}
