//! Configurations, overrides and plans that nobody meant: whatever stands there is read or refused, never a panic.
//!
//! Inputs are drawn from seeds; `LOSSCAPE_FUZZ=10000` tries so many of each kind.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::common::{CONFIG, Place, text};
use losscape_lab::open::{Files, Made};
use losscape_lab::{Document, Plan, RunConfig, Subject, document};
use losscape_model::data::npz::Npz;
use losscape_study::{StudyConfig, StudyFolder};

/// Numbers in a fixed order for each seed: an xorshift (Marsaglia 2003).
struct Draw(u64);

impl Draw {
    fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end.max(1)
    }

    fn of_all<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

fn inputs() -> u64 {
    std::env::var("LOSSCAPE_FUZZ").ok().and_then(|number| number.parse().ok()).unwrap_or(300)
}

const VALUES: &[&str] = &[
    "0",
    "-1",
    "1",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "1e400",
    "-0.0",
    "nan",
    "inf",
    ".5",
    "5.",
    "01",
    "True",
    "null",
    "None",
    "",
    "\"\"",
    "\"\u{1b}[31m\"",
    "[]",
    "[[[]]]",
    "[1, 1e9]",
    "{}",
    "{ name = 1 }",
    "{ name = \"adam\" }",
    "1979-05-27",
    "full",
    "\"full\"",
    "adam",
    "linear",
    "'",
    "\"",
    "{",
    "]",
    "\u{0}",
    "ü",
    "{ low = -9223372036854775808, high = 9223372036854775807 }",
];

const KEYS: &[&str] = &[
    "seed",
    "precision",
    "label",
    "data",
    "data.name",
    "data.samples",
    "model",
    "model.name",
    "model.hidden",
    "model.features",
    "model.features.name",
    "loss",
    "loss.name",
    "optimizer",
    "optimizer.name",
    "optimizer.learning_rate",
    "optimizer.sam",
    "optimizer.sam.rho",
    "optimizer.schedule",
    "optimizer.schedule.name",
    "training",
    "training.steps",
    "training.epochs",
    "training.batch_size",
    "training.log_every",
    "track",
    "track.every",
    "study",
    "study.axes",
    "study.runs",
    "study.axes.seed",
    "a.b.c",
    "\"a b\"",
    "~seed",
    "+seed",
    "",
    ".",
    "[data]",
];

const AXES: &str = "[study]\ndesign = \"random\"\nruns = 3\n[study.axes]\nseed = { low = 0, high = 9 }\noptimizer = \
                    [{ name = \"gd\", learning_rate = 0.1 }]\n";

/// The text with some of it cut out, doubled, or replaced.
fn mutated(text: &str, draw: &mut Draw) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..=draw.below(3) {
        let at = draw.below(lines.len());
        match draw.below(6) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[at].clone()),
            2 => lines.insert(at, format!("{} = {}", draw.of_all(KEYS), draw.of_all(VALUES))),
            3 => {
                let value = draw.of_all(VALUES);
                let key = lines[at].split('=').next().unwrap_or_default().to_owned();
                lines[at] = format!("{key}= {value}");
            }
            4 => {
                let mut line: Vec<char> = lines[at].chars().collect();
                let place = draw.below(line.len() + 1);
                line.insert(place.min(line.len()), ['"', '[', '{', '=', '\u{7}', '.', '9', '#'][draw.below(8)]);
                lines[at] = line.into_iter().collect();
            }
            _ => lines[at] = lines[at].chars().rev().collect(),
        }
        if lines.is_empty() {
            break;
        }
    }
    lines.join("\n")
}

/// Whatever is read can be written and read again; whatever is not says where.
#[test]
fn configurations_and_overrides() {
    let (mut read, mut refused) = (0, 0);
    for seed in 0..inputs() {
        let mut draw = Draw::of(seed);
        let text = if draw.below(3) > 0 { mutated(&format!("{CONFIG}{AXES}"), &mut draw) } else { CONFIG.to_owned() };
        let overrides: Vec<String> =
            (0..draw.below(4)).map(|_| format!("{}={}", draw.of_all(KEYS), draw.of_all(VALUES))).collect();
        let document = match Document::parse("fuzz.toml", &text, &overrides) {
            Ok(document) => document,
            Err(error) => {
                assert!(!error.to_string().is_empty() && error.span.is_none_or(|span| error.text.get(span).is_some()));
                refused += 1;
                continue;
            }
        };
        let _ = document.section::<StudyConfig>("study");
        let document = document.without("study");
        if let Err(error) = Plan::of(&document, Path::new("."), "fuzz") {
            assert!(!error.to_string().is_empty());
        }
        match document.read::<RunConfig>() {
            Ok(config) => {
                let written = document::write(&config);
                let again =
                    Document::parse("again.toml", &written, &[]).and_then(|document| document.read::<RunConfig>());
                // NaN is not equal to itself, but is written like itself.
                assert_eq!(again.map(|again| document::write(&again)), Ok(written), "{seed}: {text}\n{overrides:?}");
                read += 1;
            }
            Err(error) => {
                let span = error.span.clone();
                assert!(span.is_none_or(|span| error.text.get(span).is_some()), "{seed}: {error}");
                refused += 1;
            }
        }
    }
    println!("{read} read, {refused} refused");
    assert!(read > 0 && refused > 0, "{read} read, {refused} refused");
}

/// A damaged plan is read, or refused in words; what it names lies in the study's own folder.
#[test]
fn plans() {
    let place = Place::new("");
    fs::write(place.path().join("s.toml"), format!("{CONFIG}{AXES}")).expect("the folder can be written");
    let output = place.run(&["study", "plan", "s.toml"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let study = StudyFolder::new(place.path().join("studies/s"));
    let plan = fs::read_to_string(study.file("plan.jsonl")).expect("it was planned");
    let words =
        ["../../x", "/tmp/x", "..", "", "a/b", "\\u0000", "\\u001b[31m", "s-0", "{", "null", "9999999999999999999"];
    for seed in 0..inputs() {
        let mut draw = Draw::of(seed);
        let mut damaged = String::new();
        for line in plan.lines() {
            let parts: Vec<&str> = line.split('"').collect();
            let at = draw.below(parts.len());
            let word = draw.of_all(&words);
            let parts: Vec<&str> =
                parts.iter().enumerate().map(|(place, part)| if place == at { word } else { part }).collect();
            let _ = writeln!(damaged, "{}", parts.join("\""));
        }
        fs::write(study.file("plan.jsonl"), &damaged).expect("it can be written");
        match study.planned() {
            Ok(runs) => {
                for run in &runs {
                    let folder = study.run_folder(run);
                    assert_eq!(folder.path().parent(), Some(study.runs().as_path()), "{seed}: {damaged}");
                    assert!(!run.folder.is_empty() && run.folder != "..", "{seed}: {damaged}");
                    if let Err(error) = study.plan(run) {
                        assert!(!error.to_string().is_empty());
                    }
                }
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

/// Weights with bytes changed, cut or doubled: refused, or those of the network described, by the reader of safetensors
/// itself.
#[test]
fn weights() {
    const PARAMETERS: usize = 147;
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/landscapes/tanh");
    let whole = fs::read(reference.join("weights.safetensors")).expect("it is there");
    let place = Place::new("");
    let path = place.path().join("weights.safetensors");
    let (data, model) = (reference.join("data.npz"), reference.join("model.toml"));
    let files = Files {
        weights: Some(path.clone()),
        layout: Default::default(),
        data: Npz { path: data, ..Npz::default() },
        model: Made::File(model),
        loss: None,
    };
    let (mut read, mut refused) = (0, 0);
    for seed in 0..inputs() {
        let mut draw = Draw::of(seed);
        let mut bytes = whole.clone();
        for _ in 0..=draw.below(3) {
            // Most of what can go wrong stands in the header.
            let near = if draw.below(4) > 0 { 400.min(bytes.len()) } else { bytes.len() };
            let at = draw.below(near);
            match draw.below(4) {
                0 => bytes[at] ^= 1 << draw.below(8),
                1 => bytes[at] = draw.below(256) as u8,
                2 => bytes.truncate(at + 1),
                _ => bytes.extend_from_within(at..),
            }
        }
        fs::write(&path, &bytes).expect("the folder can be written");
        match Subject::of_files(&files, &burn::tensor::Device::flex()) {
            Ok(subject) => {
                read += 1;
                assert_eq!(subject.parameters(), PARAMETERS, "seed {seed}");
            }
            Err(_) => refused += 1,
        }
    }
    println!("{read} read, {refused} refused");
    assert!(refused > 0);
}
