//! A study: how far it is, and which measure goes with which outcome, for the terminal and as a page.

use std::collections::BTreeMap;
use std::fmt::Write;

use askama::Template;
use losscape_lab::LabError;
use losscape_lab::folder::{create, write_whole};
use losscape_lab::records::State;
use losscape_lab::statistics::{FEWEST, Tau};
use losscape_study::findings::OUTCOMES;
use losscape_study::{Association, Comparable, Findings, PlannedRun, RunState, StudyFolder, Table};

use crate::figure::{COLORS, Curve, Figure, scatter, slug};
use crate::number;
use crate::table;

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
pub fn text(findings: &Findings) -> String {
    let Findings { runs, diverged, off_target, .. } = findings;
    let head = ["measure", "outcome", "τ", "95 % interval", "granulated", "partial"].map(str::to_owned).to_vec();
    let rows = findings.associations.iter().map(|association| {
        let Association { measure, outcome, tau, granulated_mean, partial, .. } = association;
        vec![
            measure.clone(),
            outcome.clone(),
            signed(tau.value),
            ends(Some(*tau)),
            cell(granulated_mean.map(|tau| tau.value)),
            cell(partial.map(|tau| tau.value)),
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let counts = format!("{runs} runs compared, {diverged} diverged, {off_target} did not reach the target loss\n");
    if rows.is_empty() { counts } else { format!("{}{counts}{}", table::Table { head, rows }, few(findings)) }
}

/// Why there are no intervals; empty where there are.
fn few(findings: &Findings) -> String {
    if findings.associations.iter().any(|known| known.tau.interval.is_some()) {
        return String::new();
    }
    let Findings { seeds, configurations, .. } = findings;
    format!(
        "no intervals: {configurations} configurations and {seeds} seeds say too little about others, {FEWEST} of \
         either would do\n"
    )
}

/// τ with its sign.
fn signed(tau: f64) -> String {
    format!("{tau:+.2}")
}

fn cell(tau: Option<f64>) -> String {
    tau.map_or_else(|| "–".to_owned(), signed)
}

/// An interval.
fn ends(tau: Option<Tau>) -> String {
    let interval = tau.and_then(|tau| tau.interval);
    interval.map_or_else(|| "–".to_owned(), |[low, high]| format!("{} to {}", signed(low), signed(high)))
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
    figures: Vec<Figure>,
    maps: Vec<HeatMap>,
    has_curves: bool,
}

/// Writes `report.html` of a study of which so many runs are missing, and its figures to `figures/`.
///
/// # Errors
///
/// When the folder cannot be written.
pub fn write(study: &StudyFolder, table: &Table, findings: &Findings, missing: usize) -> Result<(), LabError> {
    let rows = Comparable::of(table).rows;
    let mut figures = outcomes(table, findings, &rows);
    figures.extend(settings(table, findings, &rows));
    let folder = study.file("figures");
    create(&folder)?;
    for figure in &figures {
        write_whole(&folder.join(format!("{}.svg", figure.name)), figure.svg.as_bytes())?;
    }
    write_whole(&study.file("report.html"), page(study, table, findings, missing, figures).as_bytes())
}

/// The page as HTML.
fn page(study: &StudyFolder, table: &Table, findings: &Findings, missing: usize, figures: Vec<Figure>) -> String {
    let name = study.path().file_name().map_or_else(|| "study".into(), |name| name.to_string_lossy().into_owned());
    let summary = format!(
        "{} runs, {} seeds, that differ in {}; a row each in results.csv and results.parquet.",
        table.len() + missing,
        findings.seeds,
        findings.axes.join(", ")
    );
    let facts = vec![
        ("runs compared", findings.runs.to_string()),
        ("configurations", findings.configurations.to_string()),
        ("seeds", findings.seeds.to_string()),
        ("diverged", findings.diverged.to_string()),
        ("target loss not reached", findings.off_target.to_string()),
        ("without a result", missing.to_string()),
    ];
    let rows = Comparable::of(table).rows;
    let sections = OUTCOMES.into_iter().filter_map(|outcome| section(outcome, findings)).collect();
    let maps = OUTCOMES.into_iter().chain(["hessian_max"]).filter_map(|value| heat_map(value, table, &rows)).collect();
    let has_curves = figures.iter().any(|figure| figure.data.is_some());
    Page { name, summary, facts, sections, figures, maps, has_curves }
        .render()
        .expect("the template writes to a string")
}

fn section(outcome: &'static str, findings: &Findings) -> Option<Section> {
    let of: Vec<&Association> = findings.associations.iter().filter(|known| known.outcome == outcome).collect();
    if of.is_empty() {
        return None;
    }
    let measures: Vec<&&Association> = of.iter().filter(|known| !known.baseline).collect();
    let clear = measures.iter().filter(|known| known.tau.is_clear()).count();
    let partial =
        if of.iter().any(|known| known.partial.is_some()) { " Partial: what is left given the settings." } else { "" };
    let intervals = if measures.iter().any(|known| known.tau.interval.is_some()) {
        format!(
            "Intervals (95 %) know that runs share seeds and configurations; of unrelated quantities 2 to 6 % of them \
             leave zero out (by simulation, docs/studies.md). {clear} of {} measures have one without zero, where \
             chance alone gives about {}. Grey: zero is in it.",
            measures.len(),
            number(0.05 * measures.len() as f64)
        )
    } else {
        few(findings)
    };
    let reading = format!(
        "Kendall's τ among the runs of one seed, the mean over {} seeds and {} configurations. Granulated: mean over \
         groups that differ in one setting alone.{partial} {intervals}",
        findings.seeds, findings.configurations,
    );
    let mut head: Vec<String> =
        ["measure", "τ", "95 % interval", "granulated", "95 % interval"].map(str::to_owned).to_vec();
    head.extend(findings.axes.iter().map(|axis| format!("by {}", axis.rsplit('.').next().unwrap_or(axis))));
    head.extend(["partial", "95 % interval", "runs"].map(str::to_owned));
    let rows = of.iter().map(|known| {
        let value = |tau: Option<Tau>| cell(tau.map(|tau| tau.value));
        let mut cells = vec![
            known.measure.clone(),
            signed(known.tau.value),
            ends(Some(known.tau)),
            value(known.granulated_mean),
            ends(known.granulated_mean),
        ];
        cells.extend(findings.axes.iter().map(|axis| cell(known.granulated.get(axis).copied())));
        cells.extend([value(known.partial), ends(known.partial), known.runs.to_string()]);
        let class = match (known.baseline, known.tau.is_clear()) {
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
fn groups(table: &Table, findings: &Findings, rows: &[usize], but: Option<&str>) -> Groups {
    const COLORS: usize = 6;
    let by = |axis: &String| {
        let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
        for &row in rows {
            let level = level(&table.runs[row], axis);
            match groups.iter_mut().find(|(known, _)| known == level) {
                Some((_, rows)) => rows.push(row),
                None => groups.push((level.to_owned(), vec![row])),
            }
        }
        Groups { meaning: format!(" Colour: {axis}."), of: groups }
    };
    let axes = findings.axes.iter().filter(|axis| Some(axis.as_str()) != but);
    let found =
        axes.map(by).filter(|groups| (2..=COLORS).contains(&groups.of.len())).max_by_key(|groups| groups.of.len());
    found.unwrap_or_else(|| Groups { meaning: String::new(), of: vec![(String::new(), rows.to_vec())] })
}

fn dots(groups: &Groups, x: &[f64], y: &[f64]) -> Vec<Curve> {
    let curve = |((name, rows), color): (&(String, Vec<usize>), &'static str)| {
        Curve::new(name.as_str(), color, rows.iter().map(|&row| (x[row], y[row])).collect())
    };
    groups.of.iter().zip(COLORS).map(curve).collect()
}

/// The measures with the strongest evidence against the first outcome.
fn outcomes(table: &Table, findings: &Findings, rows: &[usize]) -> Vec<Figure> {
    let Some(outcome) =
        OUTCOMES.into_iter().find(|outcome| findings.associations.iter().any(|a| a.outcome == *outcome))
    else {
        return Vec::new();
    };
    let strongest = findings.associations.iter().filter(|known| known.outcome == outcome && !known.baseline);
    let groups = groups(table, findings, rows, None);
    strongest
        .take(FIGURES)
        .filter_map(|known| {
            let (x, y) = (table.numbers(&known.measure)?, table.numbers(outcome)?);
            let name = format!("outcome-{}", slug(&known.measure));
            let drawing = scatter([&known.measure, outcome], &dots(&groups, &x, &y))?;
            let [tau, granulated] = [signed(known.tau.value), cell(known.granulated_mean.map(|tau| tau.value))];
            let reading = format!("A dot is a run.{} τ = {tau}, granulated {granulated}.", groups.meaning);
            Some(Figure::new(name, format!("{outcome} against {}", known.measure), reading, drawing))
        })
        .collect()
}

/// For every setting that is a number, the measures that follow it most closely.
fn settings(table: &Table, findings: &Findings, rows: &[usize]) -> Vec<Figure> {
    let mut figures = Vec::new();
    for setting in &findings.given {
        let Some(x) = table.setting(setting) else { continue };
        let groups = groups(table, findings, rows, Some(setting));
        for known in findings.followers.iter().filter(|known| known.setting == *setting).take(FIGURES) {
            let measure = &known.measure;
            let name = format!("setting-{}-{}", slug(setting), slug(measure));
            let drawn = table.numbers(measure).and_then(|y| scatter([setting, measure], &dots(&groups, &x, &y)));
            let Some(drawing) = drawn else { continue };
            let reading = format!("A dot is a run.{} τ = {}.", groups.meaning, signed(known.tau));
            figures.push(Figure::new(name, format!("{measure} against {setting}"), reading, drawing));
        }
    }
    figures
}

/// Means over the runs of every learning rate and batch size, where both vary.
fn heat_map(value: &str, table: &Table, rows: &[usize]) -> Option<HeatMap> {
    let values = table.numbers(value)?;
    // The levels of a setting, and at which each row is.
    let levels = |name: &str| -> Option<(Vec<f64>, Vec<usize>)> {
        let of = table.setting(name)?;
        let mut levels: Vec<f64> = rows.iter().map(|&row| of[row]).filter(|level| level.is_finite()).collect();
        levels.sort_by(f64::total_cmp);
        levels.dedup();
        let places = of.iter().map(|level| levels.partition_point(|known| known < level)).collect();
        (levels.len() > 1).then_some((levels, places))
    };
    let ((rates, row_of), (batches, column_of)) = (levels("optimizer.learning_rate")?, levels("training.batch_size")?);
    let mut cells: BTreeMap<(usize, usize), Vec<f64>> = BTreeMap::new();
    for &row in rows.iter().filter(|&&row| values[row].is_finite()) {
        cells.entry((row_of[row], column_of[row])).or_default().push(values[row]);
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
    let lines = rates.iter().enumerate().map(|(row, &rate)| HeatRow {
        name: number(rate),
        cells: (0..batches.len()).map(|column| cell(row, column)).collect(),
    });
    let rows = lines.collect();
    Some(HeatMap {
        title: format!("{value} over learning rate and batch size"),
        reading: "The mean over the compared runs with these two settings; darker is larger. Batch sizes in samples."
            .to_owned(),
        corner: "learning rate ↓ batch →".to_owned(),
        rows,
        head: batches.into_iter().map(number).collect(),
    })
}
