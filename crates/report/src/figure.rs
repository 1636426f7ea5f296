//! Drawing: curves, dots and contours as SVG that stands in a page, and curves for the terminal.
//!
//! A page draws curves again, from the numbers that it carries beside the drawing, as ones that answer to a pointer
//! (`assets/`). Where no script runs, in print and in a file of its own there is the drawing.

use std::sync::Arc;

use kuva::backend::svg::SvgBackend;
use kuva::backend::terminal::TerminalBackend;
use kuva::plot::legend::LegendPosition;
use kuva::plot::{ContourPlot, LinePlot, ScatterPlot};
use kuva::render::layout::{Layout, TickFormat};
use kuva::render::plots::Plot;
use kuva::render::render::render_multiple;
use losscape_claims::Heights;
use serde_json::json;

use crate::number;

/// Width and height of a figure, in SVG units: small, so that its text stays readable on a phone.
const SIZE: (f64, f64) = (520.0, 340.0);

/// Points drawn of a curve, at most: more than a screen resolves, few enough to keep pages light.
const POINTS: usize = 600;

/// The largest number drawn, and one over the smallest on a logarithmic axis: a run that diverges comes to numbers
/// whose axis, with room above, would have no end.
const LARGEST: f64 = 1e60;

/// Colours that stay apart for colour-blind readers (Okabe & Ito 2008).
pub(crate) const BLUE: &str = "#0072B2";
pub(crate) const ORANGE: &str = "#D55E00";
pub(crate) const GREEN: &str = "#009E73";
pub(crate) const PURPLE: &str = "#CC79A7";
pub(crate) const AMBER: &str = "#E69F00";
pub(crate) const SKY: &str = "#56B4E9";
pub(crate) const GREY: &str = "#9AA5B1";

/// Those of things of one kind.
pub(crate) const COLORS: [&str; 6] = [BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY];

/// What a page needs to draw its curves again: uPlot, its styles, and what calls it.
pub(crate) const SCRIPTS: &str = concat!(
    "<style>",
    include_str!("../assets/uplot.min.css"),
    "</style>\n<script>",
    include_str!("../assets/uplot.min.js"),
    "</script>\n<script>",
    include_str!("../assets/curves.js"),
    "</script>\n"
);

/// A figure and what to read from it.
#[derive(Debug, Clone)]
pub struct Figure {
    /// File name without ending; no two figures of a page have the same.
    pub name: String,
    /// Heading on the page.
    pub title: String,
    /// One sentence on what to read from it.
    pub reading: String,
    /// The drawing, an SVG element that can stand in a page.
    pub svg: String,
    /// The drawn curves as JSON that can stand in a `script` element: `{x, y, logX, logY, curves}`, the names of the
    /// axes, whether they are logarithmic, and of each curve `{name, color, dashed, x, y}`. Absent where the drawing
    /// shows something else.
    pub data: Option<String>,
}

impl Figure {
    pub(crate) fn new(
        name: impl Into<String>,
        title: impl Into<String>,
        reading: impl Into<String>,
        drawing: Drawing,
    ) -> Self {
        let name = name.into();
        let svg = embeddable(&drawing.svg, &name);
        Self { name, title: title.into(), reading: reading.into(), svg, data: drawing.data }
    }
}

/// What a figure shows.
pub(crate) struct Drawing {
    svg: String,
    data: Option<String>,
}

impl Drawing {
    /// Plots without a box around their names.
    fn of(plots: Vec<Plot>, layout: Layout, data: Option<String>) -> Self {
        let layout = layout.with_width(SIZE.0).with_height(SIZE.1);
        let layout = layout.with_label_size(15).with_tick_size(13).with_body_size(13).with_legend_box(false);
        Self { svg: SvgBackend::new().render_scene(&render_multiple(plots, layout)), data }
    }
}

/// A curve: its name, its colour, its points.
pub(crate) struct Curve {
    pub name: String,
    pub color: &'static str,
    pub points: Vec<(f64, f64)>,
    pub dashed: bool,
}

impl Curve {
    pub fn new(name: impl Into<String>, color: &'static str, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), color, points, dashed: false }
    }

    pub fn dashed(mut self) -> Self {
        self.dashed = true;
        self
    }

    fn line(&self, width: f64, named: bool) -> Plot {
        self.lifted_line([Lift::default(); 2], width, named)
    }

    fn lifted_line(&self, lifts: [Lift; 2], width: f64, named: bool) -> Plot {
        let line = LinePlot::new().with_data(lifted(&self.points, lifts));
        let line = line.with_color(self.color).with_stroke_width(width);
        let line = if self.dashed { line.with_dashed() } else { line };
        Plot::Line(if named { line.with_legend(self.name.as_str()) } else { line })
    }
}

/// How a logarithmic axis is drawn of which the library would set everything below 1e-10 to that: all values are
/// multiplied by a power of ten, and the labels of the ticks divided by it.
#[derive(Debug, Clone, Copy, Default)]
struct Lift {
    /// The power.
    power: i32,
    /// Decades from label to label, where not all of them have room.
    every: i32,
}

impl Lift {
    /// The most decades that have a label each.
    const LABELS: i32 = 12;

    /// The lift of a logarithmic axis with these positive values.
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values.fold((f64::INFINITY, 0.0f64), |(low, high), at| (low.min(at), high.max(at)));
        if low > high {
            return Self::default();
        }
        let [low, high] = [low, high].map(|value| value.log10().floor() as i32);
        Self { power: if low < -8 { -low } else { 0 }, every: (high - low) / Self::LABELS + 1 }
    }

    fn value(self, value: f64) -> f64 {
        let exponent = value.log10() + f64::from(self.power);
        // A power of ten is one but for rounding, or the axis would have a decade more.
        let whole = (exponent - exponent.round()).abs() < 1e-9;
        if self.power != 0 && whole { 10f64.powi(exponent.round() as i32) } else { value * 10f64.powi(self.power) }
    }

    /// Labels where those of the library will not do.
    fn ticks(self) -> Option<TickFormat> {
        let label = move |drawn: f64| {
            let exponent = drawn.log10().round() as i32 - self.power;
            if exponent % self.every.max(1) == 0 { format!("1e{exponent}") } else { String::new() }
        };
        (self.every > 1).then(|| TickFormat::Custom(Arc::new(label))).or_else(|| {
            (self.power != 0).then(|| TickFormat::Custom(Arc::new(move |drawn| tick(drawn / 10f64.powi(self.power)))))
        })
    }
}

fn lifted(points: &[(f64, f64)], [of_x, of_y]: [Lift; 2]) -> Vec<(f64, f64)> {
    points.iter().map(|&(x, y)| (of_x.value(x), of_y.value(y))).collect()
}

/// What is drawn in one figure.
pub(crate) struct Chart {
    pub curves: Vec<Curve>,
    pub x: String,
    pub y: String,
    pub log_x: bool,
    pub log_y: bool,
    /// Where the curves leave room for their names.
    pub legend: LegendPosition,
    /// Whether room is made for the names above the curves.
    pub headroom: bool,
}

impl Chart {
    /// A chart of what can be drawn of some curves: points up to [`LARGEST`], positive ones on a logarithmic axis, at
    /// most [`POINTS`]; none if no curve has two points.
    pub fn new(x: impl Into<String>, y: impl Into<String>, log_y: bool, curves: Vec<Curve>) -> Option<Self> {
        let (x, y) = (x.into(), y.into());
        let drawn = |value: f64| value.abs() <= LARGEST && (!log_y || value >= 1.0 / LARGEST);
        let curves: Vec<Curve> = curves
            .into_iter()
            .map(|curve| {
                let points = curve.points.into_iter().filter(|(x, y)| x.is_finite() && drawn(*y)).collect();
                Curve { points: thin(points), ..curve }
            })
            .filter(|curve| curve.points.len() > 1)
            .collect();
        let legend = LegendPosition::InsideTopRight;
        (!curves.is_empty()).then_some(Self { curves, x, y, log_x: false, log_y, legend, headroom: false })
    }

    pub fn log_x(mut self) -> Self {
        self.log_x = true;
        self
    }

    pub fn headroom(mut self) -> Self {
        self.headroom = true;
        self
    }

    pub fn legend(mut self, legend: LegendPosition) -> Self {
        self.legend = legend;
        self
    }

    fn plots(&self, names: bool) -> Vec<Plot> {
        let (lifts, width) = (self.lifts(), |curve: &Curve| if curve.color == GREY { 1.0 } else { 2.2 });
        self.curves.iter().map(|curve| curve.lifted_line(lifts, width(curve), names)).collect()
    }

    fn lifts(&self) -> [Lift; 2] {
        let points = || self.curves.iter().flat_map(|curve| &curve.points);
        let of = |log: bool, of: fn(&(f64, f64)) -> f64| if log { Lift::of(points().map(of)) } else { Lift::default() };
        [of(self.log_x, |point| point.0), of(self.log_y, |point| point.1)]
    }

    fn layout(&self, plots: &[Plot]) -> Layout {
        let mut layout = Layout::auto_from_plots(plots).with_x_label(self.x.as_str()).with_y_label(self.y.as_str());
        let [of_x, of_y] = self.lifts();
        if self.headroom {
            let values = || self.curves.iter().flat_map(|curve| &curve.points).map(|(_, y)| of_y.value(*y));
            let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
            // A logarithmic axis begins at a power of ten.
            let decades = || (high.log10() - low.log10().floor()).max(1.0);
            let top = if self.log_y { high * 10f64.powf(0.45 * decades()) } else { high + 0.4 * (high - low) };
            layout = layout.with_y_axis_max(top);
        }
        let layout = if self.log_y { layout.with_log_y() } else { layout };
        let layout = match of_y.ticks() {
            Some(ticks) => layout.with_y_tick_format(ticks),
            None => layout,
        };
        if !self.log_x {
            return layout;
        }
        // Written out, numbers that long reach over the edge of the figure.
        let long = self.curves.iter().flat_map(|curve| &curve.points).any(|(x, _)| *x >= 1e5);
        let layout = match of_x.ticks().or_else(|| long.then_some(TickFormat::Sci)) {
            Some(ticks) => layout.with_x_tick_format(ticks),
            None => layout,
        };
        layout.with_log_x()
    }

    pub fn draw(&self) -> Drawing {
        let plots = self.plots(self.curves.len() > 1);
        let layout = self.layout(&plots).with_legend_position(self.legend);
        Drawing::of(plots, layout, self.data())
    }

    /// The curves for [`Figure::data`], where each goes from left to right, with six digits.
    fn data(&self) -> Option<String> {
        let rises = |curve: &Curve| curve.points.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if !self.curves.iter().all(rises) {
            return None;
        }
        let short = |value: f64| format!("{value:.5e}").parse::<f64>().unwrap_or(value);
        let curve = |curve: &Curve| {
            let x: Vec<f64> = curve.points.iter().map(|point| point.0).collect();
            let y: Vec<f64> = curve.points.iter().map(|point| short(point.1)).collect();
            json!({ "name": curve.name, "color": curve.color, "dashed": curve.dashed, "x": x, "y": y })
        };
        let curves: Vec<_> = self.curves.iter().map(curve).collect();
        let data = json!({ "x": self.x, "y": self.y, "logX": self.log_x, "logY": self.log_y, "curves": curves });
        // Within a string it ends no element.
        Some(data.to_string().replace('<', "\\u003c"))
    }

    /// Without the grey curve, drawn with characters, `columns` wide, in the terminal's own colours.
    pub fn terminal(self, columns: usize) -> Option<String> {
        const ROWS: usize = 16;
        let chart = Self { curves: self.curves.into_iter().filter(|curve| curve.color != GREY).collect(), ..self };
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
        let named = |curve: &Curve| format!("{}{}\x1b[0m", escape(curve.color), curve.name);
        let names: Vec<String> = chart.curves.iter().map(named).collect();
        Some(themed(format!("{} on {}\n{drawing}", chart.y, names.join(", "))))
    }
}

/// The colours of figures as those of a terminal's theme, which are legible on its ground; black is its foreground.
const THEME: [(&str, u8); 7] =
    [("#000000", 39), (BLUE, 34), (ORANGE, 33), (GREEN, 32), (PURPLE, 35), (AMBER, 31), (SKY, 36)];

/// The escape sequence of a colour.
fn escape(color: &str) -> String {
    let rgb = u32::from_str_radix(&color[1..], 16).unwrap_or(0);
    format!("\x1b[38;2;{};{};{}m", rgb >> 16, (rgb >> 8) & 255, rgb & 255)
}

fn themed(text: String) -> String {
    THEME.iter().fold(text, |text, (color, code)| text.replace(&escape(color), &format!("\x1b[{code}m")))
}

/// Dots by group, with the groups' names at the side. `None` where there are fewer than two dots. An axis whose values
/// are positive and span more than a factor of 30 is logarithmic.
pub(crate) fn scatter([x, y]: [&str; 2], groups: &[Curve]) -> Option<Drawing> {
    let finite = |(x, y): &&(f64, f64)| x.is_finite() && y.is_finite();
    let points = || groups.iter().flat_map(|group| &group.points).filter(finite);
    if points().count() < 2 {
        return None;
    }
    let spans = |of: fn(&(f64, f64)) -> f64| {
        let (low, high) = points().map(of).fold((f64::INFINITY, 0.0f64), |(low, high), at| (low.min(at), high.max(at)));
        low > 0.0 && high > 30.0 * low
    };
    let (log_x, log_y) = (spans(|point| point.0), spans(|point| point.1));
    let lift = |log: bool, of: fn(&(f64, f64)) -> f64| if log { Lift::of(points().map(of)) } else { Lift::default() };
    let lifts = [lift(log_x, |point| point.0), lift(log_y, |point| point.1)];
    let named = groups.len() > 1;
    let plots: Vec<Plot> = groups
        .iter()
        .map(|group| {
            let dots: Vec<(f64, f64)> = group.points.iter().filter(finite).copied().collect();
            let dots = ScatterPlot::new().with_data(lifted(&dots, lifts)).with_color(group.color).with_size(3.2);
            Plot::Scatter(if named { dots.with_legend(group.name.as_str()) } else { dots })
        })
        .collect();
    let ticks = |lift: Lift| lift.ticks().unwrap_or_else(|| TickFormat::Custom(Arc::new(tick)));
    let layout = Layout::auto_from_plots(&plots).with_x_label(x).with_y_label(y);
    let layout = layout.with_x_tick_format(ticks(lifts[0])).with_y_tick_format(ticks(lifts[1]));
    let layout = if log_x { layout.with_log_x() } else { layout };
    let layout = if log_y { layout.with_log_y() } else { layout };
    Some(Drawing::of(plots, layout.with_legend_position(LegendPosition::OutsideRightTop), None))
}

/// The label of a tick, short at any size.
fn tick(value: f64) -> String {
    let magnitude = value.abs().log10().floor();
    if value == 0.0 || (-3.0..5.0).contains(&magnitude) {
        return number(value);
    }
    let text = format!("{value:.2e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    format!("{}e{exponent}", digits.trim_end_matches('0').trim_end_matches('.'))
}

/// Lines of equal height, with curves over them; a curve of one point is a dot. None where there is not a height for
/// every point of the grid.
pub(crate) fn contours([x, y]: [&str; 2], heights: &Heights, curves: &[Curve]) -> Option<Drawing> {
    let Heights { columns, rows, values, levels } = heights;
    let is_grid = values.len() == rows.len() && values.iter().all(|row| row.len() == columns.len());
    if !is_grid || columns.len() < 2 || rows.len() < 2 {
        return None;
    }
    let lines = ContourPlot::new().with_grid(values.clone(), columns.clone(), rows.clone()).with_levels(levels);
    let named = curves.len() > 1;
    let lines = if named { lines.with_line_color(GREY).with_line_width(0.8) } else { lines.with_line_width(1.4) };
    let mut plots = vec![Plot::Contour(lines)];
    plots.extend(curves.iter().map(|curve| match curve.points.as_slice() {
        [dot] => Plot::Scatter(ScatterPlot::new().with_data([*dot]).with_color(curve.color).with_size(5.0)),
        _ => curve.line(1.4, named),
    }));
    let layout = Layout::auto_from_plots(&plots).with_x_label(x).with_y_label(y);
    Some(Drawing::of(plots, layout.with_legend_position(LegendPosition::OutsideRightTop), None))
}

/// The drawing made fit to stand in a page with others: with a `viewBox`, so that it takes the width it is given
/// instead of being cut off, and with ids of its own.
fn embeddable(svg: &str, name: &str) -> String {
    let (width, height) = SIZE;
    svg.replacen("<svg ", &format!("<svg viewBox=\"0 0 {width} {height}\" "), 1)
        .replace("kuva-clip-", &format!("{}-clip-", slug(name)))
}

/// A name as it can be that of a file and an id: of letters, digits, dashes and underscores.
pub(crate) fn slug(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect()
}

/// Every `k`-th point, so that at most [`POINTS`] and the last one are left.
fn thin(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let every = points.len().div_ceil(POINTS).max(1);
    let last = points.len().saturating_sub(1);
    points.into_iter().enumerate().filter(|(at, _)| at % every == 0 || *at == last).map(|(_, point)| point).collect()
}

#[cfg(test)]
mod tests {
    use super::{AMBER, BLUE, Chart, Curve, Figure, GREEN, ORANGE, PURPLE, SKY, scatter};

    #[test]
    fn words_stay_words() {
        let word = "<script>\"&'</text>";
        let curve = |color| Curve::new(word, color, vec![(0.0, 1.0), (1.0, 2.0)]);
        let chart = Chart::new(word, word, false, vec![curve(BLUE), curve(ORANGE)]).expect("there are points");
        let dots = scatter([word, word], &[curve(BLUE), curve(ORANGE)]).expect("there are points");
        for drawing in [chart.draw(), dots] {
            let Figure { svg, data, .. } = Figure::new(word, word, word, drawing);
            assert!(svg.contains("&lt;script&gt;"), "{svg}");
            assert!(!svg.contains("<script") && !svg.contains("</text>\"") && !svg.contains("id=\"<"), "{svg}");
            assert!(data.is_none_or(|data| !data.contains('<') && data.contains("u003cscript>")));
        }
    }

    /// The library sets values below 1e-10 to that: an eigenvalue of 1e-13 would stand where one of 1e-10 does.
    #[test]
    fn small_values_stand_where_they_belong() {
        let points = |scale: f64| (0..7).map(|at| (f64::from(at), scale * 10f64.powi(-at))).collect::<Vec<_>>();
        let drawn = |scale: f64| {
            let svg = Chart::new("k", "eigenvalue", true, vec![Curve::new("", BLUE, points(scale))]);
            let svg = svg.expect("there are points").draw().svg;
            let (_, path) = svg.split_once("<path d=\"").expect("there is a curve");
            let numbers = path.split('"').next().unwrap_or_default().split(' ').filter_map(|word| word.parse().ok());
            (numbers.skip(1).step_by(2).collect::<Vec<f64>>(), svg)
        };
        let (usual, _) = drawn(1.0);
        for (scale, label) in [(1e-9, "1e-12"), (1e-40, "1e-43"), (1e20, "1e20")] {
            let (heights, svg) = drawn(scale);
            assert_eq!(heights, usual, "{scale:e}");
            assert!(svg.contains(&format!(">{label}<")), "{svg}");
        }
        // Of many decades not all have a label.
        let wide = vec![Curve::new("", BLUE, vec![(0.0, 1.0), (1.0, 1e-46)])];
        let svg = Chart::new("k", "gap", true, wide).expect("there are points").draw().svg;
        assert!(svg.matches(">1e-").count() <= 14 && svg.contains(">1e-44<"), "{svg}");
    }

    #[test]
    fn curves_go_with_their_drawing_where_each_goes_to_the_right() {
        let data = |points: [(f64, f64); 3]| {
            let chart = Chart::new("step", "loss", true, vec![Curve::new("train", BLUE, points.to_vec()).dashed()]);
            chart.expect("there are points").draw().data
        };
        let kept = data([(0.0, 1.0 / 3.0), (2.0, 1e-300), (3.0, 1e-45)]).expect("it goes to the right");
        let curve = r##"{"color":"#0072B2","dashed":true,"name":"train","x":[0.0,3.0],"y":[0.333333,1e-45]}"##;
        assert_eq!(kept, format!(r#"{{"curves":[{curve}],"logX":false,"logY":true,"x":"step","y":"loss"}}"#));
        assert_eq!(data([(0.0, 1.0), (2.0, 1.0), (1.0, 1.0)]), None);
    }

    /// What is legible on a dark ground and on a light one is known to the terminal alone.
    #[test]
    fn a_terminal_is_drawn_on_in_its_own_colours() {
        let colors = [BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY];
        let points = |at: usize| vec![(0.0, 1.0 + at as f64), (1.0, 2.0 + at as f64)];
        let curves = colors.iter().enumerate().map(|(at, color)| Curve::new("curve", color, points(at))).collect();
        let chart = Chart::new("step", "loss", false, curves).expect("there are points");
        let drawing = chart.terminal(60).expect("there are curves");
        assert!(drawing.contains("\x1b[39m") && drawing.contains("\x1b[34m"), "{drawing:?}");
        assert!(!drawing.contains("38;2;"), "{drawing:?}");
    }
}
