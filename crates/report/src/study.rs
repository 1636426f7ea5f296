//! A study: how far it is, and which measure goes with which outcome, for the terminal and as a page.

use std::collections::BTreeMap;
use std::fmt::Write;

use askama::Template;
use losscape_lab::LabError;
use losscape_lab::folder::write_whole;
use losscape_lab::records::State;
use losscape_lab::study::evidence::OUTCOMES;
use losscape_lab::study::kendall::tau_b;
use losscape_lab::study::table::Column;
use losscape_lab::study::{Association, Evidence, PlannedRun, RunState, StudyFolder, Table};

use crate::compare;
use crate::figure::{AMBER, BLUE, Curve, GREEN, ORANGE, PURPLE, SKY, scatter};
use crate::number;

/// Lines of a status on runs that are not done.
const TOLD: usize = 20;

/// Figures of measures against outcomes, and of measures against each axis.
const FIGURES: usize = 6;

/// How many runs are in which state, and why those that are not done are not.
#[must_use]
pub fn status(runs: &[(PlannedRun, RunState)]) -> String {
    let states = [State::Done, State::Diverged, State::Running, State::Interrupted, State::Failed, State::Planned];
    let count = |state: State| runs.iter().filter(|(_, known)| known.state == state).count();
    let mut text = String::new();
    for state in states {
        if count(state) > 0 {
            let _ = writeln!(text, "{:12}{:>6}", state.to_string(), count(state));
        }
    }
    let _ = writeln!(text, "{:12}{:>6}", "in all", runs.len());
    let open = runs.iter().filter(|(_, known)| !known.is_finished() && known.state != State::Planned);
    for (run, known) in open.clone().take(TOLD) {
        let _ = writeln!(text, "{}: {}, {}", run.folder, known.state, known.reason);
    }
    if open.clone().count() > TOLD {
        let _ = writeln!(text, "and {} more", open.count() - TOLD);
    }
    text
}

/// The evidence as a table for the terminal, the strongest first.
#[must_use]
pub fn text(evidence: &Evidence) -> String {
    let head = ["measure", "outcome", "τ", "95 % interval", "granulated", "partial"].map(str::to_owned).to_vec();
    let rows = evidence.associations.iter().map(|association| {
        let Association { measure, outcome, tau, low, high, granulated_mean, partial, .. } = association;
        vec![
            measure.clone(),
            outcome.clone(),
            signed(*tau),
            format!("{} to {}", signed(*low), signed(*high)),
            cell(*granulated_mean),
            cell(*partial),
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    if rows.is_empty() {
        return String::new();
    }
    compare::Table { head, rows }.to_string()
}

/// τ with its sign.
fn signed(tau: f64) -> String {
    format!("{tau:+.2}")
}

fn cell(tau: Option<f64>) -> String {
    tau.map_or_else(|| "–".to_owned(), signed)
}

struct Row {
    class: &'static str,
    cells: Vec<String>,
}

struct Section {
    outcome: &'static str,
    reading: String,
    head: Vec<String>,
    rows: Vec<Row>,
}

struct Drawing {
    /// File name without ending.
    id: String,
    title: String,
    reading: String,
    svg: String,
}

struct HeatRow {
    name: String,
    cells: Vec<HeatCell>,
}

struct HeatCell {
    text: String,
    color: String,
}

struct HeatMap {
    title: String,
    reading: String,
    corner: String,
    head: Vec<String>,
    rows: Vec<HeatRow>,
}

#[derive(Template)]
#[template(path = "study.html")]
struct Page {
    name: String,
    summary: String,
    facts: Vec<(&'static str, String)>,
    sections: Vec<Section>,
    figures: Vec<Drawing>,
    maps: Vec<HeatMap>,
}

/// Writes `report.html` of a study of which so many runs are missing, and its figures to `figures/`.
///
/// # Errors
///
/// When the folder cannot be written.
pub fn write(study: &StudyFolder, table: &Table, evidence: &Evidence, missing: usize) -> Result<(), LabError> {
    let mut figures = outcomes(table, evidence);
    figures.extend(axes(table, evidence));
    let folder = study.file("figures");
    std::fs::create_dir_all(&folder).map_err(|source| LabError::Io {
        action: "create",
        path: folder.clone(),
        source,
    })?;
    for figure in &figures {
        write_whole(&folder.join(format!("{}.svg", figure.id)), figure.svg.as_bytes())?;
    }
    write_whole(&study.file("report.html"), page(study, table, evidence, missing, figures).as_bytes())
}

/// The page as HTML.
fn page(study: &StudyFolder, table: &Table, evidence: &Evidence, missing: usize, figures: Vec<Drawing>) -> String {
    let name = study.path().file_name().map_or_else(|| "study".into(), |name| name.to_string_lossy().into_owned());
    let summary = format!(
        "{} runs that differ in {}; a row each in results.csv and results.parquet.",
        table.len() + missing,
        evidence.axes.join(", ")
    );
    let facts = vec![
        ("runs used", evidence.runs.to_string()),
        ("configurations", evidence.configurations.to_string()),
        ("diverged", evidence.diverged.to_string()),
        ("target loss not reached", evidence.off_target.to_string()),
        ("without a result", missing.to_string()),
    ];
    let sections = OUTCOMES.into_iter().filter_map(|outcome| section(outcome, evidence)).collect();
    let maps = OUTCOMES.into_iter().chain(["hessian_max"]).filter_map(|value| heat_map(value, table)).collect();
    Page { name, summary, facts, sections, figures, maps }.render().expect("the template writes to a string")
}

fn section(outcome: &'static str, evidence: &Evidence) -> Option<Section> {
    let of: Vec<&Association> = evidence.associations.iter().filter(|known| known.outcome == outcome).collect();
    if of.is_empty() {
        return None;
    }
    let measures: Vec<&&Association> = of.iter().filter(|known| !known.baseline).collect();
    let certain = measures.iter().filter(|known| known.strength() > 0.0).count();
    let given = if evidence.given.is_empty() {
        String::new()
    } else {
        format!(" Partial: given {}.", evidence.given.join(" and "))
    };
    let reading = format!(
        "Kendall's τ over {} runs; intervals by a bootstrap over {} configurations. {certain} of {} measures have an interval without zero, where chance alone \
         gives {} on average. Granulated: mean over groups that differ in one setting alone.{given} Grey: zero is in the interval.",
        evidence.runs,
        evidence.configurations,
        measures.len(),
        number(0.05 * measures.len() as f64),
    );
    let mut head: Vec<String> = ["measure", "τ", "95 % interval", "granulated"].map(str::to_owned).to_vec();
    head.extend(evidence.axes.iter().map(|axis| format!("by {}", axis.rsplit('.').next().unwrap_or(axis))));
    head.extend(["partial", "runs"].map(str::to_owned));
    let rows = of.iter().map(|known| {
        let mut cells = vec![
            known.measure.clone(),
            signed(known.tau),
            format!("{} to {}", signed(known.low), signed(known.high)),
            cell(known.granulated_mean),
        ];
        cells.extend(evidence.axes.iter().map(|axis| cell(known.granulated.get(axis).copied())));
        cells.extend([cell(known.partial), known.runs.to_string()]);
        let class = match (known.baseline, known.strength() > 0.0) {
            (true, true) => "baseline",
            (true, false) => "baseline null",
            (false, true) => "",
            (false, false) => "null",
        };
        Row { class, cells }
    });
    Some(Section { outcome, reading, head, rows: rows.collect() })
}

/// The value of an axis in a run, in words.
fn level<'a>(run: &'a PlannedRun, axis: &str) -> &'a str {
    let value = run.set.iter().find_map(|setting| setting.split_once('=').filter(|(key, _)| *key == axis));
    value.map_or("", |(_, value)| value)
}

/// Rows that are drawn in one colour.
struct Groups {
    /// What the colours mean, in words; empty where all rows have one.
    meaning: String,
    of: Vec<(String, Vec<usize>)>,
}

/// The rows in groups of equal value of the axis that tells most apart with few colours.
fn groups(table: &Table, evidence: &Evidence, but: Option<&str>) -> Groups {
    const COLORS: usize = 6;
    let by = |axis: &String| {
        let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
        for (row, run) in table.runs.iter().enumerate() {
            let level = level(run, axis);
            match groups.iter_mut().find(|(known, _)| known == level) {
                Some((_, rows)) => rows.push(row),
                None => groups.push((level.to_owned(), vec![row])),
            }
        }
        Groups { meaning: format!(" Colour: {axis}."), of: groups }
    };
    let axes = evidence.axes.iter().filter(|axis| *axis != "seed" && Some(axis.as_str()) != but);
    let found =
        axes.map(by).filter(|groups| (2..=COLORS).contains(&groups.of.len())).max_by_key(|groups| groups.of.len());
    found.unwrap_or_else(|| Groups { meaning: String::new(), of: vec![(String::new(), (0..table.len()).collect())] })
}

fn dots(groups: &Groups, x: &[f64], y: &[f64]) -> Vec<Curve> {
    let colors = [BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY];
    let curve = |((name, rows), color): (&(String, Vec<usize>), &'static str)| {
        Curve::new(name.as_str(), color, rows.iter().map(|&row| (x[row], y[row])).collect())
    };
    groups.of.iter().zip(colors).map(curve).collect()
}

/// The measures with the strongest evidence against the first outcome.
fn outcomes(table: &Table, evidence: &Evidence) -> Vec<Drawing> {
    let Some(outcome) =
        OUTCOMES.into_iter().find(|outcome| evidence.associations.iter().any(|a| a.outcome == *outcome))
    else {
        return Vec::new();
    };
    let strongest = evidence.associations.iter().filter(|known| known.outcome == outcome && !known.baseline);
    let groups = groups(table, evidence, None);
    strongest
        .take(FIGURES)
        .filter_map(|known| {
            let (x, y) = (table.numbers(&known.measure)?, table.numbers(outcome)?);
            let id = format!("outcome-{}", known.measure.replace('.', "-"));
            let svg = scatter(&id, [&known.measure, outcome], &dots(&groups, &x, &y))?;
            let [tau, granulated] = [signed(known.tau), cell(known.granulated_mean)];
            let reading = format!("A dot is a run.{} τ = {tau}, granulated {granulated}.", groups.meaning);
            Some(Drawing { id, title: format!("{outcome} against {}", known.measure), reading, svg })
        })
        .collect()
}

/// For every axis of numbers, the measures that follow it most closely.
fn axes(table: &Table, evidence: &Evidence) -> Vec<Drawing> {
    let mut drawings = Vec::new();
    for axis in evidence.axes.iter().filter(|axis| *axis != "seed") {
        // A setting that is a list of one number counts as that number.
        let bare = |run: &PlannedRun| level(run, axis).trim_matches(['[', ']']).trim().parse().unwrap_or(f64::NAN);
        let x: Vec<f64> = table.runs.iter().map(bare).collect();
        if x.iter().any(|value| value.is_nan()) {
            continue;
        }
        let told = |name: &&String| {
            !["_sem", "_floor", "measured_loss"].iter().any(|end| name.ends_with(end)) && *name != "edge"
        };
        let mut followers: Vec<(f64, &String, Vec<f64>)> = table
            .measures
            .iter()
            .filter(told)
            .filter_map(|name| {
                let y = table.numbers(name)?;
                let pairs: Vec<_> = x.iter().copied().zip(y.iter().copied()).filter(|(_, y)| !y.is_nan()).collect();
                let tau = tau_b(&pairs);
                (!tau.is_nan()).then_some((tau, name, y))
            })
            .collect();
        followers.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()));
        let groups = groups(table, evidence, Some(axis));
        for (tau, name, y) in followers.into_iter().take(FIGURES) {
            let id = format!("axis-{}-{}", axis.replace('.', "-"), name.replace('.', "-"));
            let Some(svg) = scatter(&id, [axis, name], &dots(&groups, &x, &y)) else { continue };
            let reading = format!("A dot is a run.{} τ = {}.", groups.meaning, signed(tau));
            drawings.push(Drawing { id, title: format!("{name} against {axis}"), reading, svg });
        }
    }
    drawings
}

/// Means over the runs of every learning rate and batch size, where both vary.
fn heat_map(value: &str, table: &Table) -> Option<HeatMap> {
    let (rate, batch) = ("optimizer.learning_rate", "training.batch_size");
    let values = table.numbers(value)?;
    let levels = |name: &str| -> Option<(Vec<String>, Vec<usize>)> {
        let column = table.column(name)?;
        let mut rows: Vec<usize> = (0..table.len()).collect();
        if let Column::Integer(_) | Column::Number(_) = column {
            let numbers = table.numbers(name)?;
            rows.sort_by(|&a, &b| numbers[a].total_cmp(&numbers[b]));
        }
        let mut levels: Vec<String> = rows.into_iter().map(|row| column.cell(row)).collect();
        levels.dedup();
        let place = |row: usize| levels.iter().position(|level| *level == column.cell(row)).unwrap_or(0);
        let places = (0..table.len()).map(place).collect();
        (levels.len() > 1).then_some((levels, places))
    };
    let ((rates, row_of), (batches, column_of)) = (levels(rate)?, levels(batch)?);
    let mut cells: BTreeMap<(usize, usize), Vec<f64>> = BTreeMap::new();
    for (at, value) in values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
        cells.entry((row_of[at], column_of[at])).or_default().push(*value);
    }
    let means: BTreeMap<(usize, usize), f64> =
        cells.into_iter().map(|(place, values)| (place, values.iter().sum::<f64>() / values.len() as f64)).collect();
    let (low, high) =
        means.values().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &mean| (low.min(mean), high.max(mean)));
    let shade = |mean: f64| if high > low { (mean - low) / (high - low) } else { 0.0 };
    let cell = |row: usize, column: usize| match means.get(&(row, column)) {
        Some(&mean) => HeatCell { text: number(mean), color: format!("rgba(0,114,178,{:.2})", 0.55 * shade(mean)) },
        None => HeatCell { text: "–".to_owned(), color: "none".to_owned() },
    };
    let rows = rates.iter().enumerate().map(|(row, name)| HeatRow {
        name: name.clone(),
        cells: (0..batches.len()).map(|column| cell(row, column)).collect(),
    });
    Some(HeatMap {
        title: format!("{value} over learning rate and batch size"),
        reading: "The mean over all runs with these two settings; darker is larger.".to_owned(),
        corner: "learning rate ↓ batch →".to_owned(),
        rows: rows.collect(),
        head: batches.clone(),
    })
}
