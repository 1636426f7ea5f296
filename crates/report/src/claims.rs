//! The claims: a table for the terminal, and one page with statements, figures, numbers and verdicts.
//!
//! Formulas are MathML, made by `math-core`: the page needs no JavaScript and no network.

use askama::Template;
use losscape_claims::{Check, ClaimFolder, ClaimRecord, Effect, Form, Pair, Relation, counterexample};
use losscape_lab::LabError;
use losscape_lab::folder::write_whole;
use math_core::{LatexToMathML, MathCoreConfig, MathDisplay};

use crate::figure::{BLUE, COLORS, Chart, Curve, Figure, GREY, contours, slug};
use crate::number;
use crate::table::Table;

/// One row for each claim: id, verdict, key figure, seconds.
#[must_use]
pub fn table(records: &[ClaimRecord]) -> Table {
    let rows = records.iter().map(|record| {
        let figure = record.evidence.figures.first();
        let figure = figure.map(|figure| format!("{}: {}", figure.name, number(figure.value))).unwrap_or_default();
        let surprise = if record.is_as_expected() { "" } else { " (!)" };
        vec![record.id.clone(), format!("{}{surprise}", record.verdict), format!("{:.1} s", record.seconds), figure]
    });
    Table { head: ["claim", "verdict", "time", "key figure"].map(str::to_owned).to_vec(), rows: rows.collect() }
}

/// Writes the page of a folder of evidence, and its figures as files of their own.
///
/// # Errors
///
/// When the folder cannot be written.
pub fn write(folder: &ClaimFolder, records: &[ClaimRecord]) -> Result<(), LabError> {
    let entries: Vec<Entry> = records.iter().map(entry).collect();
    for figure in entries.iter().flat_map(|entry| &entry.figures) {
        folder.write_figure(&figure.name, &figure.svg)?;
    }
    write_whole(&folder.report(), page(records, entries).as_bytes())
}

/// A claim as the page shows it.
struct Entry<'a> {
    record: &'a ClaimRecord,
    class: &'static str,
    printed: String,
    exact: String,
    figures: Vec<Figure>,
    rows: Vec<[String; 3]>,
    reproduce: String,
}

#[derive(Template)]
#[template(path = "claims.html")]
struct Page<'a> {
    summary: String,
    families: Vec<FamilyEntries<'a>>,
    has_curves: bool,
}

/// The claims of a family.
struct FamilyEntries<'a> {
    name: String,
    entries: Vec<Entry<'a>>,
}

/// The page as HTML.
fn page(records: &[ClaimRecord], entries: Vec<Entry<'_>>) -> String {
    let expected = records.iter().filter(|record| record.is_as_expected()).count();
    let summary = format!("{} claims measured, {expected} with the verdict that theory expects", records.len());
    let has_curves = entries.iter().flat_map(|entry| &entry.figures).any(|figure| figure.data.is_some());
    let mut families: Vec<FamilyEntries> = Vec::new();
    for entry in entries {
        let name = entry.record.family.to_string();
        match families.iter_mut().find(|family| family.name == name) {
            Some(family) => family.entries.push(entry),
            None => families.push(FamilyEntries { name, entries: vec![entry] }),
        }
    }
    Page { summary, families, has_curves }.render().expect("the template writes to a string")
}

fn entry(record: &ClaimRecord) -> Entry<'_> {
    use losscape_claims::Verdict;
    let class = match record.verdict {
        Verdict::Holds | Verdict::Supported => "good",
        Verdict::HoldsAsCorrected => "corrected",
        Verdict::Violated | Verdict::NotSupported | Verdict::Unmeasured => "bad",
        Verdict::Inconclusive => "open",
    };
    let figures = record.evidence.plots.iter().enumerate().filter_map(|(at, plot)| {
        let mut measured = COLORS.iter().cycle();
        let name = format!("{}-{}", slug(&record.id), at + 1);
        let curves = plot.series.iter().map(|series| {
            let color = if series.dashed { GREY } else { measured.next().copied().unwrap_or(BLUE) };
            let curve = Curve::new(series.name.as_str(), color, series.points.clone());
            if series.dashed { curve.dashed() } else { curve }
        });
        let curves: Vec<Curve> = curves.collect();
        let drawing = match &plot.heights {
            Some(heights) => contours([&plot.x, &plot.y], heights, &curves)?,
            None => {
                let chart = Chart::new(plot.x.as_str(), plot.y.as_str(), plot.log_y, curves)?.headroom();
                if plot.log_x { chart.log_x() } else { chart }.draw()
            }
        };
        Some(Figure::new(name, plot.title.as_str(), plot.reading.as_str(), drawing))
    });
    let effort = match record.effort {
        losscape_claims::Effort::Quick => "--quick",
        losscape_claims::Effort::Full => "--full",
    };
    Entry {
        record,
        class,
        printed: typeset(&record.printed),
        exact: typeset(&record.exact),
        figures: figures.collect(),
        rows: rows(record),
        reproduce: format!("losscape claims run {} {effort} --seed {}", record.id, record.seed),
    }
}

/// Checks, effects and figures: what, how it came out, the numbers.
fn rows(record: &ClaimRecord) -> Vec<[String; 3]> {
    let checks = record.evidence.checks.iter().map(|check| {
        let form = if check.form == Form::Printed { "printed form: " } else { "" };
        [format!("{form}{}", check.name), if check.passes() { "holds" } else { "fails" }.to_owned(), detail(check)]
    });
    let effects = record.evidence.effects.iter().map(|effect| {
        let outcome = match effect.supported() {
            Some(true) => "supported",
            Some(false) => "not supported",
            None => "inconclusive",
        };
        let numbers = match effect.interval() {
            Some(at) => format!(
                "{} [{}, {}], should be {}; {} seeds",
                number(at.mean),
                number(at.low),
                number(at.high),
                wanted(effect),
                effect.samples.len()
            ),
            None => format!("{} seeds", effect.samples.len()),
        };
        [effect.name.clone(), outcome.to_owned(), numbers]
    });
    let figures =
        record.evidence.figures.iter().map(|figure| [figure.name.clone(), String::new(), number(figure.value)]);
    checks.chain(effects).chain(figures).collect()
}

/// Where the mean of an effect should lie.
fn wanted(effect: &Effect) -> String {
    match effect.below {
        Some(below) => format!("from {} to {}", number(effect.above), number(below)),
        None => format!("above {}", number(effect.above)),
    }
}

fn detail(check: &Check) -> String {
    let count = check.pairs.len();
    let sign = if check.relation == Relation::Equal { "=" } else { "≤" };
    let pair = |Pair { left, right }: Pair| format!("{} {sign} {}", number(left), number(right));
    match (counterexample(check), check.tightest()) {
        (Some(worst), _) => format!("{count} compared; not {}", pair(worst)),
        (None, Some((tightest, _))) => format!("{count} compared; tightest {}", pair(tightest)),
        (None, None) => "nothing was compared".to_owned(),
    }
}

/// Words with LaTeX between dollar signs as HTML with MathML; what cannot be read stays as it is.
fn typeset(text: &str) -> String {
    let converter = LatexToMathML::new(MathCoreConfig::default()).expect("the default configuration is valid");
    let mut html = String::new();
    for (at, part) in text.split('$').enumerate() {
        let math = converter.convert_with_local_state(part, MathDisplay::Inline);
        html += &match (at % 2, math) {
            (1, Ok(math)) => math.mathml,
            _ => part.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
        };
    }
    html
}

#[cfg(test)]
mod tests {
    use super::typeset;

    #[test]
    fn every_statement_can_be_typeset() {
        for claim in losscape_claims::ALL {
            for statement in [claim.printed, claim.exact] {
                let formulas = statement.matches('$').count() / 2;
                assert_eq!(statement.matches('$').count(), 2 * formulas, "{}: {statement}", claim.id);
                assert_eq!(typeset(statement).matches("<math").count(), formulas, "{}: {statement}", claim.id);
            }
        }
        assert_eq!(typeset("a < b"), "a &lt; b");
    }
}
