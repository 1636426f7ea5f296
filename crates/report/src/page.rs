//! The report of one run: a single HTML file with its figures inside.

use std::borrow::Cow;

use askama::Template;
use losscape_lab::folder::{create, write_whole};
use losscape_lab::records::{State, Summary};
use losscape_lab::{Analysis, LabError, RunFolder};

use crate::figure::Figure;
use crate::flows;
use crate::landscape::{self, Section, with_error};
use crate::training;
use crate::{RunRecords, number, percent, utc};

/// A figure of the head: a name and a number.
struct Fact {
    name: Cow<'static, str>,
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
    started: String,
    command: String,
    files: Vec<(&'static str, &'static str)>,
    has_curves: bool,
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

/// Measurements of a network.
#[derive(Template)]
#[template(path = "measured.html")]
struct Measured<'a> {
    analysis: &'a Analysis,
    loss: String,
    gradient_norm: String,
    figures: &'a [Figure],
    sections: Vec<Section>,
    setup: Vec<(&'a String, &'a String)>,
}

impl<'a> Measured<'a> {
    fn html(analysis: &'a Analysis, figures: &'a [Figure]) -> String {
        let page = Self {
            analysis,
            loss: number(analysis.loss.value),
            gradient_norm: number(analysis.gradient_norm),
            figures,
            sections: landscape::sections(analysis),
            setup: analysis.setup.iter().collect(),
        };
        page.render().expect("the template writes to a string")
    }
}

/// They as a page.
#[derive(Template)]
#[template(path = "landscape.html")]
struct Landscape<'a> {
    source: &'a str,
    measured: String,
    has_curves: bool,
}

/// They as a part of a page that has colours of its own.
#[derive(Template)]
#[template(path = "fragment.html")]
struct Fragment {
    measured: String,
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
    let measured = Measured::html(analysis, &figures);
    let page = Landscape { source: &analysis.source, measured, has_curves: has_curves(&figures) };
    write_whole(&folder.report(), page.render().expect("the template writes to a string").as_bytes())
}

/// Measurements as a part of a page that has colours of its own, as a notebook is.
///
/// # Panics
///
/// As [`write_landscape`].
#[must_use]
pub fn fragment(analysis: &Analysis) -> String {
    // A notebook draws nothing again.
    let drawn = landscape::figures(analysis).into_iter().map(|figure| Figure { data: None, ..figure });
    let page = Fragment { measured: Measured::html(analysis, &drawn.collect::<Vec<_>>()) };
    page.render().expect("the template writes to a string")
}

fn has_curves(figures: &[Figure]) -> bool {
    figures.iter().any(|figure| figure.data.is_some())
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
        started: utc(records.manifest.started_unix_s),
        command: records.manifest.argv.join(" "),
        files: files(records),
        has_curves: has_curves(figures),
    };
    page.render().expect("the template writes to a string")
}

/// What a reader looks for first.
fn facts(records: &RunRecords) -> Vec<Fact> {
    // Measured at other steps than the rest, they say at which.
    let place = records.analyzed_at().unwrap_or_default();
    let top = records.largest_eigenvalue().map(|pair| with_error(pair.value, Some(pair.error_bound)));
    let tracked = |name: &str, words: &str| {
        let last = records.last_tracked(name);
        let step = last.map_or(0, |(step, _)| step);
        (Cow::from(format!("{words} at step {step}")), last.map(|(_, value)| number(value)))
    };
    let summary = records.summary.as_ref();
    let of = |quantity: fn(&Summary) -> Option<f64>, form: fn(f64) -> String| summary.and_then(quantity).map(form);
    let measured = [
        (format!("λ max at {place}").into(), top),
        tracked("sharpness", "sharpness"),
        tracked("edge", "edge"),
        ("train loss".into(), of(|summary| summary.train_loss, number)),
        ("test loss".into(), of(|summary| summary.test_loss, number)),
        ("train accuracy".into(), of(|summary| summary.train_accuracy, percent)),
        ("test accuracy".into(), of(|summary| summary.test_accuracy, percent)),
        ("train gradient norm".into(), of(|summary| summary.train_grad_norm, number)),
        ("train loss, average".into(), of(|summary| summary.average_train_loss, number)),
        ("test loss, average".into(), of(|summary| summary.average_test_loss, number)),
        ("test accuracy, average".into(), of(|summary| summary.average_test_accuracy, percent)),
    ];
    measured.into_iter().filter_map(|(name, value)| Some(Fact { name, value: value? })).collect()
}

/// The files beside the page that there are, with what they hold.
fn files(records: &RunRecords) -> Vec<(&'static str, &'static str)> {
    let trained = records.summary.as_ref().is_some_and(|summary| summary.weights_digest.is_some());
    let files = [
        ("config.toml", "configuration", true),
        ("metrics.jsonl", "records", true),
        ("summary.json", "summary", records.summary.is_some()),
        ("model.safetensors", "weights", trained),
        ("analysis/", "measurements", records.analysis.is_some()),
        ("plots/", "figures", true),
        ("manifest.json", "origin", true),
    ];
    files.into_iter().filter(|(.., there)| *there).map(|(file, words, _)| (file, words)).collect()
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
            Fact { name: "parameters P".into(), value: summary.parameters.to_string() },
            Fact {
                name: "samples n × outputs C".into(), value: format!("{} × {}", summary.samples, summary.outputs)
            },
            Fact { name: "steps".into(), value: format!("{} ({} epochs)", summary.steps, number(summary.epochs)) },
            Fact { name: "time".into(), value: format!("{} s", number(summary.wall_s)) },
            Fact { name: "steps a second".into(), value: number(summary.steps_per_s) },
        ]);
    }
    details.extend([
        Fact { name: "run".into(), value: manifest.run_id.clone() },
        Fact { name: "written".into(), value: utc(records.status.updated_unix_s) },
        Fact { name: "seed".into(), value: manifest.seed.to_string() },
        Fact {
            name: "calculated on".into(),
            value: format!("{}, {}, {} threads, {}", manifest.device, manifest.dtype, manifest.threads, manifest.cpu),
        },
        Fact { name: "data (SHA-256)".into(), value: manifest.data_digest.clone() },
    ]);
    if !manifest.classes.is_empty() {
        details.push(Fact { name: "labels of the classes".into(), value: labels(&manifest.classes) });
    }
    details.extend([Fact {
        name: "versions".into(),
        value: manifest
            .versions
            .iter()
            .map(|(name, version)| format!("{name} {version}"))
            .collect::<Vec<_>>()
            .join(", "),
    }]);
    details
}
