//! Batch sharpness.

use losscape_lab::Analysis;
use losscape_lab::measure::batch::BATCH;

use super::{Page, Section, head, row};
use crate::number;
use crate::table::Table;

pub(super) const PAGE: Page = Page { measure: "batch", section, figures: |_| Vec::new() };

fn section(analysis: &Analysis) -> Option<Section> {
    let found = analysis.get(BATCH)?;
    let error = found.sharpness.sem.map(|sem| format!(" ± {}", number(sem))).unwrap_or_default();
    let rows = vec![
        row("samples of a batch", [found.size.to_string()]),
        row("E[gᵀHg / ‖g‖²] over batches", [format!("{}{error}", number(found.sharpness.mean))]),
    ];
    Some(Section {
        title: "Batch sharpness",
        reading: "The curvature that the gradients of batches feel, with loss and Hessian of the same batch; under SGD \
                  it is this that comes to 2/ε.",
        table: Table { head: head(["", ""]), rows },
    })
}
