//! What lies between two networks: a table, and the loss along each way.

use losscape_lab::Connection;
use losscape_lab::connectivity::Barrier;

use crate::figure::{BLUE, Chart, Curve, Figure, GREEN, ORANGE};
use crate::number;
use crate::table::Table;

/// The ways there are, by name and colour.
fn ways(found: &Connection) -> impl Iterator<Item = (&'static str, &'static str, &Barrier)> {
    let ways = [
        ("line", ORANGE, Some(&found.line)),
        ("line, units matched", BLUE, found.matched.as_ref()),
        ("Bézier curve", GREEN, found.curve.as_ref()),
    ];
    ways.into_iter().filter_map(|(name, color, way)| Some((name, color, way?)))
}

fn chart(found: &Connection) -> Option<Chart> {
    let curve = |(name, color, way): (&str, &'static str, &Barrier)| {
        let points = way.steps.iter().zip(&way.losses).filter_map(|(s, loss)| Some((*s, (*loss)?)));
        Curve::new(name, color, points.collect())
    };
    Chart::new("share of the way", "loss", false, ways(found).map(curve).collect()).map(Chart::headroom)
}

/// The figure, where something can be drawn.
#[must_use]
pub fn figure(found: &Connection) -> Option<Figure> {
    let reading = "A rise above the straight line between the losses of the ends is a barrier.";
    Some(Figure::new("connection", "Loss between two networks", reading, chart(found)?.draw()))
}

/// The same with characters, `columns` wide.
#[must_use]
pub fn terminal(found: &Connection, columns: usize) -> Option<String> {
    chart(found)?.terminal(columns)
}

/// The barriers as text.
#[must_use]
pub fn text(found: &Connection) -> String {
    let row = |(name, _, way): (&str, _, &Barrier)| {
        let height = match (way.height, way.error) {
            (Some(height), Some(error)) if error > 0.0 => {
                format!("{}, up to {} more", number(height), number(error))
            }
            (Some(height), _) => number(height),
            _ => "the loss is not finite".to_owned(),
        };
        vec![name.to_owned(), height, number(way.at)]
    };
    let head = ["way", "barrier", "at"].map(str::to_owned).to_vec();
    let table = Table { head, rows: ways(found).map(row).collect() };
    let [a, b] = &found.between;
    let distance = number(found.distance);
    format!("from {a}\nto {b}\n{distance} apart; {} samples, mode {}\n\n{table}", found.samples, found.mode)
}
