//! Flows beside a run: figures of what they predict and a table of how far they were off.

use kuva::plot::legend::LegendPosition;
use losscape_lab::config::Kind;
use losscape_lab::flows::FlowSummary;
use losscape_lab::records::{Metric, Split};

use crate::figure::{AMBER, BLUE, Chart, Curve, Figure, GREEN, GREY, ORANGE, PURPLE};
use crate::landscape::Section;
use crate::table::Table;
use crate::{number, percent};

/// A quantity that the records of flows have under this name.
fn curve(metrics: &[Metric], name: &str, color: &'static str, quantity: &str) -> Curve {
    let of = metrics.iter().filter(|record| record.split == Split::Flow);
    let points = of.filter_map(|record| Some((record.step as f64, record.tracked.as_ref()?.get(quantity)?)));
    Curve::new(name, color, points.collect())
}

/// The method's curve and those of the flows beside it.
fn beside(metrics: &[Metric], method: &str, quantity: &str) -> Vec<Curve> {
    let flows = Kind::ALL
        .iter()
        .zip([AMBER, ORANGE, GREEN, PURPLE])
        .map(|(kind, color)| curve(metrics, kind.name(), color, &format!("{kind}_{quantity}")));
    std::iter::once(curve(metrics, "training", BLUE, method)).chain(flows).collect()
}

/// All figures that the records allow.
pub(crate) fn figures(metrics: &[Metric]) -> Vec<Figure> {
    let edge = curve(metrics, "edge of the method", GREY, "edge").dashed();
    let sharpness = beside(metrics, "sharpness", "sharpness").into_iter().chain([edge]).collect();
    let distances = beside(metrics, "", "distance");
    let charts = [
        (
            "flow-loss",
            "Loss, seen and predicted",
            "Training's loss averaged over its oscillation, and what each flow says of it.",
            Chart::new("step", "loss", true, beside(metrics, "averaged_loss", "loss")),
        ),
        (
            "flow-sharpness",
            "Sharpness, seen and predicted",
            "Largest eigenvalue in the middle of training's oscillation and on each flow's path; a path that knows of \
             no edge goes beyond it.",
            Chart::new("step", "sharpness", false, sharpness).map(Chart::headroom),
        ),
        (
            "flow-oscillation",
            "Oscillation, seen and predicted",
            "Mean square of the distance from training to the middle of its path, between whose sides it jumps.",
            Chart::new("step", "‖x‖²", true, beside(metrics, "oscillation", "oscillation"))
                .map(|chart| chart.legend(LegendPosition::InsideBottomRight)),
        ),
        (
            "flow-distance",
            "Distance to training",
            "From each flow's path to the middle of training's oscillation, in the space of weights.",
            Chart::new("step", "distance", false, distances).map(Chart::headroom),
        ),
    ];
    charts
        .into_iter()
        .filter_map(|(name, title, reading, chart)| Some(Figure::new(name, title, reading, chart?.draw())))
        .collect()
}

/// How far each flow was off, or where and why it ended.
#[must_use]
pub fn table(summary: &FlowSummary) -> Table {
    let head = ["flow", "loss", "sharpness", "distance", ""].map(str::to_owned).to_vec();
    let row = |kind: &Kind| {
        let result = summary.flows.get(kind.name())?;
        let cell = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
        let end = result.ended.as_ref().map(|end| format!("ended at step {}: {}", end.step, end.reason));
        Some(vec![
            kind.name().to_owned(),
            cell(result.errors.map(|errors| percent(errors.loss))),
            cell(result.errors.map(|errors| percent(errors.sharpness))),
            cell(result.errors.map(|errors| number(errors.distance))),
            end.unwrap_or_default(),
        ])
    };
    Table { head, rows: Kind::ALL.iter().filter_map(row).collect() }
}

/// The table with what it says.
pub(crate) fn section(summary: &FlowSummary) -> Section {
    Section {
        title: "Flows",
        reading: "Over the last half of the steps: error of the mean loss, mean error of the sharpness, largest \
                  distance to training.",
        table: table(summary),
    }
}
