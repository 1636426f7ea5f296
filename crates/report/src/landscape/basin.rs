//! Basin width.

use losscape_lab::Analysis;
use losscape_lab::measure::basin::BASIN;

use super::{Page, Section, maybe, row};
use crate::number;
use crate::table::Table;

pub(super) const PAGE: Page = Page { measure: "basin", section, figures: |_| Vec::new() };

fn section(analysis: &Analysis) -> Option<Section> {
    let basin = analysis.get(BASIN)?;
    let rows = basin.widths.iter().map(|width| row(&width.direction, [maybe(width.forward), maybe(width.backward)]));
    Some(Section {
        title: "Basin width",
        reading: "The distance to a rise of the loss by Δ, along a direction and against it; a dash where it never \
                  rises so far.",
        table: Table {
            head: vec![format!("Δ = {}", number(basin.rise)), "along".into(), "against".into()],
            rows: rows.collect(),
        },
    })
}
