//! PL*.

use losscape_lab::Analysis;
use losscape_lab::measure::pl::PL_STAR;

use super::{Page, Section, head, maybe, row};
use crate::table::Table;

pub(super) const PAGE: Page = Page { measure: "pl", section, figures: |_| Vec::new() };

fn section(analysis: &Analysis) -> Option<Section> {
    let pl = analysis.get(PL_STAR)?;
    let mut rows = vec![row("PL ratio ‖g‖²/2L", [maybe(pl.ratio)])];
    if pl.applicable {
        rows.push(row("μ = λ min(K_c)", [maybe(pl.mu)]));
        rows.push(row("slack of PL*", [maybe(pl.slack)]));
        rows.push(row("ball R = 2√(2βL)/μ, where β ≥ μ", [maybe(pl.radius)]));
        rows.push(row("path at η ≤ 1/β, below 2√(2L/μ)", [maybe(pl.path)]));
    } else {
        rows.push(row("PL*", [format!("not applicable: {}", pl.reason.unwrap_or_default())]));
    }
    Some(Section {
        title: "PL*",
        reading: "PL* holds here with μ = λ min of the tangent kernel when that is above the floor of rounding; the \
                  ratio is the constant that this point shows.",
        table: Table { head: head(["", ""]), rows },
    })
}
