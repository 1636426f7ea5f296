//! The tangent kernel's spectrum.

use kuva::plot::legend::LegendPosition;
use losscape_lab::Analysis;
use losscape_lab::measure::ntk::{EIGENVALUES, KernelRecord, NTK};

use super::{Page, Section, head, maybe, row, with_error};
use crate::figure::{BLUE, Chart, Curve, Figure, GREY};
use crate::number;
use crate::table::Table;

pub(super) const PAGE: Page =
    Page { measure: "ntk", section, figures: |analysis| spectrum(analysis).into_iter().collect() };

fn section(analysis: &Analysis) -> Option<Section> {
    let KernelRecord { size, min, max, rank, condition, floor, trace, alignment, change, note } = analysis.get(NTK)?;
    let mut rows =
        vec![row("size nC", [size.to_string()]), row("λ max", [with_error(max.value, Some(max.error_bound))])];
    if let Some(min) = min {
        let rounding = if min.value > floor { "" } else { " (rounding: below the floor)" };
        rows.push(row("λ min", [format!("{}{rounding}", number(min.value))]));
    }
    rows.push(row("floor", [number(floor)]));
    if let Some(rank) = rank {
        rows.push(row("rank", [rank.to_string()]));
    }
    for (name, value) in [
        ("condition", condition),
        ("trace", trace),
        ("alignment with the targets", alignment),
        ("change since initialization", change),
    ] {
        if value.is_some() {
            rows.push(row(name, [maybe(value)]));
        }
    }
    if let Some(note) = note {
        rows.push(row("note", [note]));
    }
    Some(Section {
        title: "Tangent kernel K_c = c J Jᵀ",
        reading: "The larger its smallest eigenvalue, the faster full-batch steps on squared error fit every target; \
                  below the floor an eigenvalue is rounding.",
        table: Table { head: head(["", ""]), rows },
    })
}

fn spectrum(analysis: &Analysis) -> Option<Figure> {
    let (kernel, eigenvalues) = (analysis.get(NTK)?, analysis.array(EIGENVALUES));
    let count = eigenvalues.len();
    let points = eigenvalues.iter().rev().enumerate().map(|(at, &value)| ((at + 1) as f64, value));
    let floor = vec![(1.0, kernel.floor), (count.max(2) as f64, kernel.floor)];
    let curves =
        vec![Curve::new("eigenvalues", BLUE, points.collect()), Curve::new("floor of rounding", GREY, floor).dashed()];
    if count < 2 {
        return None;
    }
    let chart = Chart::new("rank", "eigenvalue of K_c", true, curves)?.log_x().legend(LegendPosition::InsideBottomLeft);
    Some(Figure::new(
        "kernel-spectrum",
        "Spectrum of the tangent kernel",
        "The faster it falls, the more slowly gradient descent learns its last directions; what lies at the dashed \
         floor is rounding.",
        chart.draw(),
    ))
}
