//! The Hessian's diagonal.

use losscape_lab::Analysis;
use losscape_lab::measure::diagonal::DIAGONAL;

use super::{Page, Section, head, row, with_error};
use crate::number;
use crate::table::Table;

pub(super) const PAGE: Page = Page { measure: "diagonal", section, figures: |_| Vec::new() };

fn section(analysis: &Analysis) -> Option<Section> {
    let diagonal = analysis.get(DIAGONAL)?;
    let rows = diagonal.segments.iter().map(|segment| {
        let error = if diagonal.exact { "exact".to_owned() } else { number(segment.error) };
        row(&segment.name, [segment.parameters.to_string(), with_error(segment.mean, None), error])
    });
    Some(Section {
        title: "Diagonal of the Hessian",
        reading: "The mean curvature along the entries of each parameter, and the standard error of an entry; all \
                  entries stand in analysis/hessian_diagonal.npy.",
        table: Table { head: head(["", "entries", "mean", "error of an entry"]), rows: rows.collect() },
    })
}
