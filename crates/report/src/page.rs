//! The report of one run: a single HTML file with its figures inside.

use askama::Template;
use losscape_lab::folder::write_whole;
use losscape_lab::records::State;
use losscape_lab::{Analysis, LabError, RunFolder};

use crate::figure::Figure;
use crate::landscape::{self, Section};
use crate::training;
use crate::{RunRecords, number, percent};

/// A figure of the head: a name and a number.
struct Fact {
    name: String,
    value: String,
}

#[derive(Template)]
#[template(path = "run.html")]
struct Page<'a> {
    records: &'a RunRecords,
    state: State,
    facts: Vec<Fact>,
    details: Vec<Fact>,
    figures: &'a [Figure],
    measured_at: Option<&'a str>,
    sections: Vec<Section>,
    setup: Vec<Fact>,
}

/// Writes the figures of a run to `plots/` and its report to `report.html`.
///
/// # Errors
///
/// When the folder cannot be read or written.
pub fn write(folder: &RunFolder) -> Result<(), LabError> {
    let records = RunRecords::read(folder)?;
    let mut figures = training::curves(&records.metrics);
    figures.extend(records.analysis.iter().flat_map(landscape::figures));
    write_figures(folder, &figures)?;
    write_whole(&folder.report(), html(&records, &figures).as_bytes())
}

#[derive(Template)]
#[template(path = "landscape.html")]
struct Landscape<'a> {
    analysis: &'a Analysis,
    loss: String,
    gradient_norm: String,
    figures: &'a [Figure],
    sections: Vec<Section>,
    setup: Vec<Fact>,
}

/// Writes the figures of measurements of weights that were trained elsewhere to `plots/`, and their page to `report.html`.
///
/// # Errors
///
/// When the folder cannot be written.
///
/// # Panics
///
/// Never: the template was checked when it was compiled.
pub fn write_landscape(folder: &RunFolder, analysis: &Analysis) -> Result<(), LabError> {
    let figures = landscape::figures(analysis);
    write_figures(folder, &figures)?;
    let (sections, setup) = (landscape::sections(analysis), setup(analysis));
    let (loss, gradient_norm) = (number(analysis.loss.value), number(analysis.gradient_norm));
    let page = Landscape { analysis, loss, gradient_norm, figures: &figures, sections, setup };
    write_whole(&folder.report(), page.render().expect("the template writes to a string").as_bytes())
}

fn write_figures(folder: &RunFolder, figures: &[Figure]) -> Result<(), LabError> {
    let plots = folder.plots();
    std::fs::create_dir_all(&plots).map_err(|source| LabError::Io { action: "create", path: plots.clone(), source })?;
    figures
        .iter()
        .try_for_each(|figure| write_whole(&plots.join(format!("{}.svg", figure.name)), figure.svg.as_bytes()))
}

/// How what was measured was made.
fn setup(analysis: &Analysis) -> Vec<Fact> {
    analysis.setup.iter().map(|(name, words)| Fact { name: name.clone(), value: words.clone() }).collect()
}

/// The report as HTML.
///
/// # Panics
///
/// Never: the template was checked when it was compiled, and writing to a string cannot fail.
#[must_use]
pub fn html(records: &RunRecords, figures: &[Figure]) -> String {
    let page = Page {
        records,
        state: records.status.state,
        facts: facts(records),
        details: details(records),
        figures,
        measured_at: records.analysis.as_ref().map(|analysis| analysis.source.as_str()),
        sections: records.analysis.as_ref().map(landscape::sections).unwrap_or_default(),
        setup: records.analysis.as_ref().map(setup).unwrap_or_default(),
    };
    page.render().expect("the template writes to a string")
}

fn facts(records: &RunRecords) -> Vec<Fact> {
    let Some(summary) = &records.summary else { return Vec::new() };
    let measured = [
        ("test accuracy", summary.test_accuracy.map(percent)),
        ("train accuracy", summary.train_accuracy.map(percent)),
        ("test loss", summary.test_loss.map(number)),
        ("train loss", summary.train_loss.map(number)),
        ("train gradient norm", summary.train_grad_norm.map(number)),
    ];
    measured.into_iter().filter_map(|(name, value)| Some(Fact { name: name.to_owned(), value: value? })).collect()
}

fn details(records: &RunRecords) -> Vec<Fact> {
    let manifest = &records.manifest;
    let mut details = Vec::new();
    if let Some(summary) = &records.summary {
        details.extend([
            Fact { name: "parameters P".to_owned(), value: summary.parameters.to_string() },
            Fact {
                name: "samples n × outputs C".to_owned(),
                value: format!("{} × {}", summary.samples, summary.outputs),
            },
            Fact { name: "steps".to_owned(), value: format!("{} ({} epochs)", summary.steps, number(summary.epochs)) },
            Fact { name: "time".to_owned(), value: format!("{} s", number(summary.wall_s)) },
            Fact { name: "steps a second".to_owned(), value: number(summary.steps_per_s) },
        ]);
    }
    details.extend([
        Fact { name: "run".to_owned(), value: manifest.run_id.clone() },
        Fact { name: "seed".to_owned(), value: manifest.seed.to_string() },
        Fact {
            name: "calculated on".to_owned(),
            value: format!("{}, {}, {} threads, {}", manifest.device, manifest.dtype, manifest.threads, manifest.cpu),
        },
        Fact { name: "data (SHA-256)".to_owned(), value: manifest.data_digest.clone() },
        Fact {
            name: "versions".to_owned(),
            value: manifest
                .versions
                .iter()
                .map(|(name, version)| format!("{name} {version}"))
                .collect::<Vec<_>>()
                .join(", "),
        },
        Fact { name: "command".to_owned(), value: manifest.argv.join(" ") },
    ]);
    details
}
