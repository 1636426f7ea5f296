//! Sharpness along the method's direction.

use losscape_lab::Analysis;
use losscape_lab::measure::critical::CRITICAL;

use super::{Page, Section, head, maybe, row};
use crate::table::Table;

pub(super) const PAGE: Page = Page { measure: "critical", section, figures: |_| Vec::new() };

fn section(analysis: &Analysis) -> Option<Section> {
    let found = analysis.get(CRITICAL)?;
    let along = if found.preconditioned { "the preconditioned gradient" } else { "the gradient" };
    let rows = vec![
        row("along", [along.to_owned()]),
        row("directional, dᵀHd / dᵀg", [maybe(found.directional)]),
        row("critical, 2/η_c", [maybe(found.critical.map(|critical| critical.sharpness))]),
        row("η_c, to a sixteenth", [maybe(found.critical.map(|critical| critical.rate))]),
    ];
    Some(Section {
        title: "Along a step",
        reading: "The curvature that a step feels; from the rate η_c on it raises the loss.",
        table: Table { head: head(["", ""]), rows },
    })
}
