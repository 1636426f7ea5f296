//! Norms.

use losscape_lab::Analysis;
use losscape_lab::measure::norms::NORMS;

use super::{Page, Section, head, maybe, row};
use crate::number;
use crate::table::Table;

pub(super) const PAGE: Page = Page { measure: "norms", section, figures: |_| Vec::new() };

fn section(analysis: &Analysis) -> Option<Section> {
    let norms = analysis.get(NORMS)?;
    let rows = vec![
        row("‖w‖", [number(norms.l2)]),
        row("distance from initialization", [maybe(norms.distance)]),
        row("Fisher-Rao wᵀGw", [number(norms.fisher_rao)]),
        row("product of spectral norms", [number(norms.spectral_product)]),
        row("product of Frobenius norms", [number(norms.frobenius_product)]),
    ];
    Some(Section {
        title: "Norms",
        reading: "Sizes of the solution that studies of generalization compare.",
        table: Table { head: head(["", ""]), rows },
    })
}
