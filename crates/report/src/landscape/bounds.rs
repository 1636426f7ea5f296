//! Step sizes.

use losscape_lab::Analysis;
use losscape_lab::measure::bounds::BOUNDS;

use super::{Page, Section, head, maybe, row};
use crate::number;
use crate::table::Table;

pub(super) const PAGE: Page = Page { measure: "bounds", section, figures: |_| Vec::new() };

fn section(analysis: &Analysis) -> Option<Section> {
    let bounds = analysis.get(BOUNDS)?;
    let steps = &bounds.steps;
    let mut rows = vec![
        row("2/β", [maybe(steps.two_over_beta)]),
        row("2 gᵀg / gᵀHg", [maybe(steps.cauchy)]),
        row("2/λ max(K_c)", [maybe(steps.kernel)]),
        row("curvature along g", [maybe(steps.gradient_curvature)]),
    ];
    if let Some(edge) = &bounds.edge {
        let batches = if edge.full_batch { "" } else { " (of full-batch steps; this run took mini-batches)" };
        rows.push(row("learning rate", [number(edge.learning_rate)]));
        rows.push(row("its own edge", [format!("{}{batches}", number(edge.edge))]));
        rows.push(row("sharpness / edge", [number(edge.ratio)]));
    }
    Some(Section {
        title: "Step sizes",
        reading: "Gradient descent is stable below 2/β; a step up to Cauchy's bound lowers the quadratic model; at a \
                  ratio of one the method is at its own edge of stability.",
        table: Table { head: head(["", ""]), rows },
    })
}
