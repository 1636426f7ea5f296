//! The local learning coefficient.

use losscape_lab::Analysis;
use losscape_lab::measure::llc::{Chains, LLC};

use super::{Page, Section, head, maybe, row};
use crate::table::Table;
use crate::{number, percent};

pub(super) const PAGE: Page = Page { measure: "llc", section, figures: |_| Vec::new() };

fn section(analysis: &Analysis) -> Option<Section> {
    let found = analysis.get(LLC)?;
    let value = match (&found.refused, found.value, found.error) {
        (None, Some(value), Some(error)) => format!("{} ± {}", number(value), number(error)),
        (Some(why), ..) => format!("none: {why}"),
        _ => "none".to_owned(),
    };
    let both = |name: &str, of: fn(&Chains) -> String| row(name, found.chains.iter().map(of));
    let rows = vec![
        row("λ̂", [value, String::new()]),
        row("localization γ", [number(found.localization), String::new()]),
        both("inverse temperature t", |chains| number(chains.inverse_temperature)),
        both("t E[L − L(w*)]", |chains| format!("{} ± {}", number(chains.mean), number(chains.sem))),
        both("R̂", |chains| maybe(chains.rhat)),
        both("independent draws", |chains| format!("{:.0}", chains.effective)),
        both("accepted", |chains| percent(chains.acceptance)),
    ];
    Some(Section {
        title: "Local learning coefficient",
        reading: "How the volume near the minimum with a loss at most δ higher shrinks, like δ^λ: P/2 where no \
                  direction is flat, less where some are.",
        table: Table { head: head(["", "at t", "at t/10"]), rows },
    })
}
