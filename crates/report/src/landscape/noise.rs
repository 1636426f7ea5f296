//! Gradient noise.

use losscape_lab::Analysis;
use losscape_lab::measure::noise::NOISE;

use super::{Page, Section, head, maybe, row};
use crate::number;
use crate::table::Table;

pub(super) const PAGE: Page = Page { measure: "noise", section, figures: |_| Vec::new() };

fn section(analysis: &Analysis) -> Option<Section> {
    let noise = analysis.get(NOISE)?;
    let error = noise.trace.sem.map(|sem| format!(" ± {}", number(sem))).unwrap_or_default();
    let rows = vec![
        row("tr C", [format!("{}{error}", number(noise.trace.mean))]),
        row("λ max(C)", [number(noise.largest.value)]),
        row("noise scale tr C/‖ḡ‖²", [maybe(noise.scale)]),
        row("gradient along the sharpest direction, (ḡᵀv)²/‖ḡ‖²", [maybe(noise.alignment)]),
    ];
    Some(Section {
        title: "Gradient noise",
        reading: "The covariance of the samples' gradients; a batch larger than the noise scale has more gradient than \
                  noise.",
        table: Table { head: head(["", ""]), rows },
    })
}
