//! The report of one run: a single HTML file with its figures inside.

use askama::Template;
use losscape_lab::folder::{create, write_whole};
use losscape_lab::records::State;
use losscape_lab::{Analysis, LabError, RunFolder};

use crate::figure::Figure;
use crate::flows;
use crate::landscape::{self, Section};
use crate::training;
use crate::{RunRecords, number, percent};

/// A figure of the head: a name and a number.
struct Fact {
    name: &'static str,
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
    flows: Option<Section>,
    measured_at: Option<&'a str>,
    sections: Vec<Section>,
    setup: Vec<(&'a String, &'a String)>,
}

/// Writes the figures of a run to `plots/` and its report to `report.html`.
///
/// # Errors
///
/// When the folder cannot be read or written.
pub fn write(folder: &RunFolder) -> Result<(), LabError> {
    let records = RunRecords::read(folder)?;
    let figures = figures(&records);
    write_figures(folder, &figures)?;
    write_whole(&folder.report(), html(&records, &figures).as_bytes())
}

/// All figures of a run: of its training, of the flows beside it, of its landscape.
#[must_use]
pub fn figures(records: &RunRecords) -> Vec<Figure> {
    let mut figures = training::curves(&records.metrics);
    figures.extend(flows::figures(&records.metrics));
    figures.extend(records.analysis.iter().flat_map(landscape::figures));
    figures
}

#[derive(Template)]
#[template(path = "landscape.html")]
struct Landscape<'a> {
    analysis: &'a Analysis,
    loss: String,
    gradient_norm: String,
    figures: &'a [Figure],
    sections: Vec<Section>,
    setup: Vec<(&'a String, &'a String)>,
    /// Whether it is a part of a page that has colours of its own.
    in_notebook: bool,
}

impl Landscape<'_> {
    fn html(analysis: &Analysis, figures: &[Figure], in_notebook: bool) -> String {
        let (sections, setup) = (landscape::sections(analysis), analysis.setup.iter().collect());
        let (loss, gradient_norm) = (number(analysis.loss.value), number(analysis.gradient_norm));
        let page = Landscape { analysis, loss, gradient_norm, figures, sections, setup, in_notebook };
        page.render().expect("the template writes to a string")
    }
}

/// Writes the figures of measurements of weights that were trained elsewhere to `plots/`, and their page to
/// `report.html`.
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
    write_whole(&folder.report(), Landscape::html(analysis, &figures, false).as_bytes())
}

/// Measurements as a part of a page that has colours of its own, as a notebook is.
///
/// # Panics
///
/// As [`write_landscape`].
#[must_use]
pub fn fragment(analysis: &Analysis) -> String {
    Landscape::html(analysis, &landscape::figures(analysis), true)
}

fn write_figures(folder: &RunFolder, figures: &[Figure]) -> Result<(), LabError> {
    let plots = folder.plots();
    create(&plots)?;
    figures
        .iter()
        .try_for_each(|figure| write_whole(&plots.join(format!("{}.svg", figure.name)), figure.svg.as_bytes()))
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
        flows: records.flows.as_ref().map(flows::section),
        measured_at: records.analysis.as_ref().map(|analysis| analysis.source.as_str()),
        sections: records.analysis.as_ref().map(landscape::sections).unwrap_or_default(),
        setup: records.analysis.iter().flat_map(|analysis| &analysis.setup).collect(),
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
        ("test accuracy, average", summary.average_test_accuracy.map(percent)),
        ("test loss, average", summary.average_test_loss.map(number)),
        ("train loss, average", summary.average_train_loss.map(number)),
    ];
    measured.into_iter().filter_map(|(name, value)| Some(Fact { name, value: value? })).collect()
}

/// Which label each class has, of the first hundred.
fn labels(classes: &[String]) -> String {
    let some: Vec<String> =
        classes.iter().take(100).enumerate().map(|(class, label)| format!("{class}: {label}")).collect();
    some.join(", ") + if classes.len() > 100 { ", …" } else { "" }
}

fn details(records: &RunRecords) -> Vec<Fact> {
    let manifest = &records.manifest;
    let mut details = Vec::new();
    if let Some(summary) = &records.summary {
        details.extend([
            Fact { name: "parameters P", value: summary.parameters.to_string() },
            Fact { name: "samples n × outputs C", value: format!("{} × {}", summary.samples, summary.outputs) },
            Fact { name: "steps", value: format!("{} ({} epochs)", summary.steps, number(summary.epochs)) },
            Fact { name: "time", value: format!("{} s", number(summary.wall_s)) },
            Fact { name: "steps a second", value: number(summary.steps_per_s) },
        ]);
    }
    details.extend([
        Fact { name: "run", value: manifest.run_id.clone() },
        Fact { name: "seed", value: manifest.seed.to_string() },
        Fact {
            name: "calculated on",
            value: format!("{}, {}, {} threads, {}", manifest.device, manifest.dtype, manifest.threads, manifest.cpu),
        },
        Fact { name: "data (SHA-256)", value: manifest.data_digest.clone() },
    ]);
    if !manifest.classes.is_empty() {
        details.push(Fact { name: "labels of the classes", value: labels(&manifest.classes) });
    }
    details.extend([
        Fact {
            name: "versions",
            value: manifest
                .versions
                .iter()
                .map(|(name, version)| format!("{name} {version}"))
                .collect::<Vec<_>>()
                .join(", "),
        },
        Fact { name: "command", value: manifest.argv.join(" ") },
    ]);
    details
}
