//! The loss along lines and on a plane.

use losscape_claims::Heights;
use losscape_lab::Analysis;
use losscape_lab::measure::slices::SLICES;

use super::Page;
use crate::figure::{BLUE, Chart, Curve, Figure, GREEN, ORANGE, PURPLE, contours};

/// Figures say it all.
pub(super) const PAGE: Page = Page {
    measure: "slices",
    section: |_| None,
    figures: |analysis| [lines(analysis), plane(analysis)].into_iter().flatten().collect(),
};

/// A length in two digits.
fn short(length: f64) -> String {
    if (0.01..100.0).contains(&length) { format!("{length:.2}") } else { format!("{length:.1e}") }
}

fn lines(analysis: &Analysis) -> Option<Figure> {
    let slices = analysis.get(SLICES)?;
    let colors = [BLUE, ORANGE, GREEN, PURPLE];
    let curves = slices.lines.iter().zip(colors).map(|(line, color)| {
        // Each line on a scale of its own: from −1 to 1 as far as it was looked along.
        let reach = line.steps.iter().fold(0.0, |reach: f64, step| reach.max(step.abs())).max(1e-300);
        let points = line.steps.iter().zip(&line.losses).filter_map(|(step, loss)| Some((step / reach, (*loss)?)));
        Curve::new(format!("{} (±{})", line.direction, short(reach)), color, points.collect())
    });
    let chart = Chart::new("distance, relative to the end of the line", "loss", true, curves.collect())?.headroom();
    Some(Figure::new(
        "lines",
        "Loss along lines",
        "The narrower a valley, the sharper the direction; each line is drawn on its own scale, whose end is in \
         brackets.",
        chart.draw(),
    ))
}

fn plane(analysis: &Analysis) -> Option<Figure> {
    let plane = analysis.get(SLICES)?.plane;
    let all = || plane.losses.iter().flatten().copied().flatten();
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    if low >= high {
        return None;
    }
    // Levels in equal ratios above the lowest point, as losses of a network span orders of magnitude.
    let base = low.max(high * 1e-4).max(1e-300);
    let levels: Vec<f64> = (1..=12).map(|at| base * (high / base).powf(f64::from(at) / 13.0)).collect();
    // What is not finite is as high as the highest that is.
    let row = |row: &Vec<Option<f64>>| row.iter().map(|loss| loss.unwrap_or(high)).collect();
    let values = plane.losses.iter().map(row).collect();
    let heights = Heights { columns: plane.columns.clone(), rows: plane.rows.clone(), values, levels };
    let axes = [plane.directions[0].as_str(), plane.directions[1].as_str()];
    Some(Figure::new(
        "plane",
        "Loss on a plane",
        "Lines of equal loss, in equal ratios, around the solution (dot), along two random directions with filters as \
         long as the network's own (Li et al. 2018); plots of different networks can be compared.",
        contours(axes, &heights, &[Curve::new("", ORANGE, vec![(0.0, 0.0)])])?,
    ))
}
