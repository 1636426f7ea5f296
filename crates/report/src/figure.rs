//! Curves: loss, accuracy, gradient norm and learning rate against the step.

use kuva::backend::svg::SvgBackend;
use kuva::backend::terminal::TerminalBackend;
use kuva::plot::LinePlot;
use kuva::plot::legend::LegendPosition;
use kuva::render::layout::Layout;
use kuva::render::plots::Plot;
use kuva::render::render::render_multiple;
use losscape_lab::records::{Metric, Split};

/// Width and height of a figure, in SVG units: small, so that its text stays readable on a phone.
const SIZE: (f64, f64) = (520.0, 340.0);

/// Points drawn of a curve, at most: more than a screen resolves, few enough to keep pages light.
const POINTS: usize = 600;

/// A figure and what to read from it.
#[derive(Debug, Clone)]
pub struct Figure {
    /// File name without ending.
    pub name: &'static str,
    /// Heading.
    pub title: &'static str,
    /// One sentence on what to read from it.
    pub reading: &'static str,
    /// The drawing.
    pub svg: String,
}

/// A curve: its name, its colour, its points.
struct Curve {
    name: &'static str,
    color: &'static str,
    points: Vec<(f64, f64)>,
}

/// What is drawn in one figure.
struct Chart {
    curves: Vec<Curve>,
    label: &'static str,
    log: bool,
    /// Where the curves leave room for their names.
    legend: LegendPosition,
}

/// The quantity of a record that a curve shows.
type Quantity = fn(&Metric) -> Option<f64>;

/// Colours that stay apart for colour-blind readers (Okabe & Ito 2008).
const BLUE: &str = "#0072B2";
const ORANGE: &str = "#D55E00";
const GREY: &str = "#9AA5B1";

impl Chart {
    fn new(
        metrics: &[Metric],
        label: &'static str,
        log: bool,
        legend: LegendPosition,
        curves: &[(&'static str, &'static str, Split, Quantity)],
    ) -> Option<Self> {
        let curves: Vec<Curve> = curves
            .iter()
            .map(|&(name, color, split, quantity)| {
                let points = metrics
                    .iter()
                    .filter(|record| record.split == split)
                    .filter_map(|record| Some((record.step as f64, quantity(record)?)))
                    .filter(|(_, value)| value.is_finite() && (!log || *value > 0.0))
                    .collect();
                Curve { name, color, points: thin(points) }
            })
            .filter(|curve| curve.points.len() > 1)
            .collect();
        (!curves.is_empty()).then_some(Self { curves, label, log, legend })
    }

    fn loss(metrics: &[Metric]) -> Option<Self> {
        let quantity: Quantity = |record| Some(record.loss);
        Self::new(
            metrics,
            "loss",
            true,
            LegendPosition::InsideTopRight,
            &[
                ("batch", GREY, Split::Batch, quantity),
                ("train", BLUE, Split::Train, quantity),
                ("test", ORANGE, Split::Test, quantity),
            ],
        )
    }

    fn plots(&self, names: bool) -> Vec<Plot> {
        self.curves
            .iter()
            .map(|curve| {
                let width = if curve.color == GREY { 1.0 } else { 2.2 };
                let line =
                    LinePlot::new().with_data(curve.points.clone()).with_color(curve.color).with_stroke_width(width);
                Plot::Line(if names { line.with_legend(curve.name) } else { line })
            })
            .collect()
    }

    fn layout(&self, plots: &[Plot]) -> Layout {
        let layout = Layout::auto_from_plots(plots).with_x_label("step").with_y_label(self.label);
        if self.log { layout.with_log_y() } else { layout }
    }

    fn svg(&self, name: &str) -> String {
        let plots = self.plots(self.curves.len() > 1);
        let layout = self
            .layout(&plots)
            .with_width(SIZE.0)
            .with_height(SIZE.1)
            .with_label_size(15)
            .with_tick_size(13)
            .with_body_size(13)
            .with_legend_box(false)
            .with_legend_position(self.legend);
        embeddable(&SvgBackend::new().render_scene(&render_multiple(plots, layout)), name)
    }
}

/// The drawing made fit to stand in a page with others: with a `viewBox`, so that it takes the width it is given instead of being cut off,
/// and with ids of its own.
fn embeddable(svg: &str, name: &str) -> String {
    let (width, height) = SIZE;
    svg.replacen("<svg ", &format!("<svg viewBox=\"0 0 {width} {height}\" "), 1)
        .replace("kuva-clip-", &format!("{name}-clip-"))
}

/// Every `k`-th point, so that at most [`POINTS`] and the last one are left.
fn thin(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let every = points.len().div_ceil(POINTS).max(1);
    let last = points.len().saturating_sub(1);
    points.into_iter().enumerate().filter(|(at, _)| at % every == 0 || *at == last).map(|(_, point)| point).collect()
}

/// All figures that the records allow.
#[must_use]
pub fn curves(metrics: &[Metric]) -> Vec<Figure> {
    let charts = [
        (
            "loss",
            "Loss",
            "A gap that opens between training and test is what overfitting looks like; grey is the noise of single batches.",
            Chart::loss(metrics),
        ),
        (
            "accuracy",
            "Accuracy",
            "The share of samples whose largest output is that of their label.",
            Chart::new(
                metrics,
                "accuracy",
                false,
                LegendPosition::InsideBottomRight,
                &[
                    ("train", BLUE, Split::Train, |record| record.accuracy),
                    ("test", ORANGE, Split::Test, |record| record.accuracy),
                ],
            ),
        ),
        (
            "gradient-norm",
            "Gradient norm",
            "Norm of each batch's gradient: small at a critical point, and as noisy as the batches are small.",
            Chart::new(
                metrics,
                "‖g‖",
                true,
                LegendPosition::InsideTopRight,
                &[("batch", BLUE, Split::Batch, |record| record.grad_norm)],
            ),
        ),
        (
            "learning-rate",
            "Learning rate",
            "The rate of each step, as the schedule gave it.",
            Chart::new(
                metrics,
                "learning rate",
                false,
                LegendPosition::InsideTopRight,
                &[("learning rate", BLUE, Split::Batch, |record| record.learning_rate)],
            ),
        ),
    ];
    charts
        .into_iter()
        .filter_map(|(name, title, reading, chart)| Some(Figure { name, title, reading, svg: chart?.svg(name) }))
        .collect()
}

/// The loss on training and test part drawn with characters, `columns` wide, coloured by ANSI codes.
#[must_use]
pub fn terminal(metrics: &[Metric], columns: usize) -> Option<String> {
    const ROWS: usize = 16;
    let chart = Chart::loss(metrics)?;
    let chart = Chart { curves: chart.curves.into_iter().filter(|curve| curve.color != GREY).collect(), ..chart };
    if chart.curves.is_empty() {
        return None;
    }
    let plots = chart.plots(false);
    // A cell is about 8 by 16 units, which keeps labels and curves in proportion.
    let layout = chart
        .layout(&plots)
        .with_y_label("")
        .with_show_grid(false)
        .with_width(8.0 * columns as f64)
        .with_height(16.0 * ROWS as f64)
        .with_term_rows(ROWS as u32);
    let drawing = TerminalBackend::new(columns, ROWS).render_scene(&render_multiple(plots, layout));
    let names: Vec<String> = chart
        .curves
        .iter()
        .map(|curve| {
            let rgb = u32::from_str_radix(&curve.color[1..], 16).unwrap_or(0);
            let (r, g, b) = (rgb >> 16, (rgb >> 8) & 255, rgb & 255);
            format!("\x1b[38;2;{r};{g};{b}m{}\x1b[0m", curve.name)
        })
        .collect();
    Some(format!("loss on {}\n{drawing}", names.join(", ")))
}
