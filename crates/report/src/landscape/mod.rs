//! Measurements of the landscape, a file a measure: tables for the terminal and the report, and figures.

mod basin;
mod batch;
mod blocks;
mod bounds;
mod critical;
mod diagonal;
mod hessian;
mod llc;
mod noise;
mod norms;
mod ntk;
mod pl;
mod sharpness;
mod slices;

use losscape_lab::Analysis;

use crate::figure::Figure;
use crate::number;
use crate::table::Table;

/// What each measure shows, in the order of the page.
const PAGES: &[Page] = &[
    hessian::PAGE,
    ntk::PAGE,
    pl::PAGE,
    bounds::PAGE,
    sharpness::PAGE,
    critical::PAGE,
    batch::PAGE,
    noise::PAGE,
    basin::PAGE,
    norms::PAGE,
    blocks::PAGE,
    diagonal::PAGE,
    slices::PAGE,
    llc::PAGE,
];

/// What a measure shows of an analysis.
struct Page {
    /// The measure's name.
    measure: &'static str,
    section: fn(&Analysis) -> Option<Section>,
    figures: fn(&Analysis) -> Vec<Figure>,
}

/// A heading and rows of cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Heading of the table.
    pub title: &'static str,
    /// One sentence on what to read from it.
    pub reading: &'static str,
    /// The numbers, a row a quantity.
    pub table: Table,
}

/// Everything measured, section by section.
#[must_use]
pub fn sections(analysis: &Analysis) -> Vec<Section> {
    PAGES.iter().filter_map(|page| (page.section)(analysis)).collect()
}

/// The figures that the measurements allow.
#[must_use]
pub fn figures(analysis: &Analysis) -> Vec<Figure> {
    PAGES.iter().flat_map(|page| (page.figures)(analysis)).collect()
}

/// The measures that show something of an analysis, by a section or a figure.
#[must_use]
pub fn shown(analysis: &Analysis) -> Vec<&'static str> {
    let shows = |page: &&Page| (page.section)(analysis).is_some() || !(page.figures)(analysis).is_empty();
    PAGES.iter().filter(shows).map(|page| page.measure).collect()
}

/// The sections as text for a terminal of so many columns.
#[must_use]
pub fn text(analysis: &Analysis, columns: Option<usize>) -> String {
    let mut text = format!(
        "{}: P = {}, n = {}, C = {}; loss {}, gradient norm {}\n",
        analysis.source,
        analysis.parameters,
        analysis.samples,
        analysis.outputs,
        number(analysis.loss.value),
        number(analysis.gradient_norm),
    );
    for (topic, words) in &analysis.setup {
        text += &format!("{topic}: {words}\n");
    }
    for section in sections(analysis) {
        text += &format!("\n{}\n{}", section.title, section.table.text(columns));
    }
    text
}

fn row(name: &str, cells: impl IntoIterator<Item = String>) -> Vec<String> {
    std::iter::once(name.to_owned()).chain(cells).collect()
}

fn head<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

/// A number, or a dash where there is none.
fn maybe(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), number)
}

/// A number with its error, where that reaches the digits shown.
pub(crate) fn with_error(value: f64, error: Option<f64>) -> String {
    match error {
        Some(error) if error > 1e-5 * value.abs() => format!("{}\u{a0}±\u{a0}{error:.1e}", number(value)),
        _ => number(value),
    }
}

/// In the place of a loss that overflows.
const NOT_FINITE: &str = "not finite";
