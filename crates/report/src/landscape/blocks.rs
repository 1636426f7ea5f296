//! Blocks of the Hessian.

use losscape_lab::Analysis;
use losscape_lab::measure::blocks::BLOCKS;

use super::{Page, Section, head, row};
use crate::number;
use crate::table::Table;

pub(super) const PAGE: Page = Page { measure: "blocks", section, figures: |_| Vec::new() };

fn section(analysis: &Analysis) -> Option<Section> {
    let blocks = analysis.get(BLOCKS)?;
    let rows = blocks.iter().map(|block| {
        row(&block.name, [block.parameters.to_string(), number(block.top.value), number(block.bottom.value)])
    });
    Some(Section {
        title: "Hessian blocks",
        reading: "Curvature within each parameter alone: where the sharpness sits.",
        table: Table { head: head(["", "entries", "λ max", "λ min"]), rows: rows.collect() },
    })
}
