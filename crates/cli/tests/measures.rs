//! Every measure fills its sections, shows them, gives numbers to tables or says that it has none, and is documented.

use std::collections::HashSet;

use crate::common::{CONFIG, Place, text};
use losscape_lab::measure::{self, AnalysisSettings};
use losscape_lab::{Analysis, RunFolder, Subject};
use losscape_report::landscape;

/// The words between backticks.
fn quoted(text: &str) -> HashSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_measure_is_whole() {
    let place = Place::new(CONFIG);
    let output = place.run(&["train", "run.toml"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let folder = RunFolder::new(place.run_folder());
    let (subject, _) = Subject::of_run(&folder, &burn::tensor::Device::flex()).expect("it is trained");
    let (docs, mut sections, mut names) = (include_str!("../../../docs/measures.md"), HashSet::new(), HashSet::new());
    for measure in measure::ALL {
        let name = measure.name;
        assert!(names.insert(name) && measure::Measure::named(name) == Some(measure), "{name} is one");
        let analysis =
            Analysis::measure(&subject, &[measure], &AnalysisSettings::default(), &|_| {}).expect("it is finite");
        let found: Vec<&str> = analysis.measured.keys().map(String::as_str).collect();
        let own: HashSet<&str> = measure.parts.iter().map(|part| part.section).collect();
        assert_eq!(found.iter().copied().collect::<HashSet<_>>(), own, "{name} fills its sections");
        assert!(own.iter().all(|section| sections.insert(*section)), "{name} shares a section");
        assert_eq!(landscape::shown(&analysis), [name], "{name} is shown, and nothing else");

        let row = docs.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let cells: Vec<&str> = row.unwrap_or_else(|| panic!("{name} is not documented")).split(" | ").collect();
        assert_eq!(quoted(cells[1]), own, "sections of {name}");
        let scalars = quoted(cells[2]);
        let of_all = ["gradient_norm", "measured_loss"];
        let own: Vec<String> = analysis.scalars().into_keys().filter(|key| !of_all.contains(&key.as_str())).collect();
        let documented = |key: &String| {
            scalars.iter().any(|known| match known.split_once('…') {
                Some((start, end)) => key.starts_with(start) && key.ends_with(end),
                None => key == known,
            })
        };
        assert!(own.iter().all(documented), "{name} gives {own:?}");
        assert_eq!(own.is_empty(), cells[2] == "none", "{name} gives {own:?}");

        // What is written is what is read.
        analysis.write(&folder).expect("the folder can be written");
        let read = Analysis::read(&folder).expect("it is whole").expect("it is there");
        for key in analysis.scalars() {
            assert_eq!(read.scalars().get(&key.0), Some(&key.1), "{name}: {}", key.0);
        }
    }
    let read = Analysis::read(&folder).expect("it is whole").expect("it is there");
    assert_eq!(read.measured.len(), sections.len(), "all are kept side by side");
}

#[test]
fn every_tracked_measure_gives_its_quantities() {
    let docs = include_str!("../../../docs/measures.md");
    for measure in measure::ALL {
        let name = measure.name;
        let row = docs.lines().find(|line| line.starts_with(&format!("| `{name}` |"))).expect("it is documented");
        let documented = quoted(row.split(" | ").nth(3).expect("a column for what is tracked"));
        assert_eq!(documented.is_empty(), measure.tracking.is_none(), "{name}");
        let place = Place::new(CONFIG);
        let measures = format!("track.measures=[\"{name}\"]");
        // The edge of momentum is known, with SAM around it is not; μ is that of squared error alone.
        let settings = ["--set", "track.every=10", "--set", "optimizer.sam=false", "--set", &measures];
        let output = place.run(&[&["train", "run.toml"][..], &settings].concat());
        if measure.tracking.is_none() {
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(said.contains("is not measured along training: there are"), "{said}");
            continue;
        }
        assert!(output.status.success(), "{}", text(&output.stderr));
        let metrics = RunFolder::new(place.run_folder()).read_metrics().expect("it is trained");
        let tracked = metrics.iter().filter_map(|record| record.tracked.as_ref());
        let given: HashSet<&str> = tracked.flat_map(|tracked| tracked.quantities.keys().map(String::as_str)).collect();
        // What comes from another measure is there only where that one is asked for, too.
        let of_others = ["pl_mu", "gradient_alignment"];
        let alone = documented.iter().filter(|quantity| !of_others.contains(quantity)).copied().collect::<HashSet<_>>();
        assert_eq!(given, alone, "{name}");
    }
}

#[test]
fn what_two_measures_say_together_is_tracked() {
    let place = Place::new(CONFIG);
    let settings = ["--set", "track.every=10", "--set", "track.measures=[\"sharpness\", \"noise\"]"];
    let output = place.run(&[&["train", "run.toml"][..], &settings].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let metrics = RunFolder::new(place.run_folder()).read_metrics().expect("it is trained");
    let shares: Vec<f64> =
        metrics.iter().filter_map(|record| record.tracked.as_ref()?.get("gradient_alignment")).collect();
    assert!(shares.len() > 5 && shares.iter().all(|share| (0.0..=1.0 + 1e-12).contains(share)), "{shares:?}");
}

/// Looks one, two and three steps apart see the same, and what gradient descent at a fixed rate does: a step is as long
/// as ε‖g‖, and the kernel has moved as far as `analyze` says.
#[test]
fn steps_are_as_long_as_they_are() {
    let config = CONFIG
        .replace("name = \"momentum\"", "name = \"gd\"")
        .replace("schedule = { name = \"cosine\" }\nsam = { rho = 0.05 }\n", "")
        .replace("batch_size = 20\nsteps = 100", "batch_size = \"full\"\nsteps = 12\ncheckpoint_every = 12")
        .replace("checkpoint_every = 10\n", "");
    let looks = |every: usize| {
        let track = format!("[track]\nevery = {every}\ntop = 3\nmeasures = [\"norms\", \"ntk\", \"sharpness\"]\n");
        let place = Place::new(&format!("precision = \"f64\"\n{config}{track}"));
        let output = place.run(&["train", "run.toml"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let metrics = RunFolder::new(place.run_folder()).read_metrics().expect("it is trained");
        let of = metrics.into_iter().filter_map(|record| Some((record.step, record.grad_norm?, record.tracked?)));
        (place, of.collect::<Vec<_>>())
    };
    let (place, all) = looks(1);
    for (at, (step, _, tracked)) in all.iter().enumerate() {
        assert_eq!((at, tracked.get("step_length").is_some()), (*step, at > 0), "at {step}");
        assert_eq!(tracked.get("step_cosine").is_some(), at > 1, "at {step}");
        if at > 0 {
            let expected = 0.1 * all[at - 1].1;
            let length = tracked.get("step_length").expect("there was a step before");
            assert!((length / expected - 1.0).abs() < 1e-9, "{step}: {length} {expected}");
        }
    }
    for every in [2, 3] {
        for (step, _, tracked) in looks(every).1 {
            for name in ["step_length", "step_cosine", "distance"] {
                let (own, other) = (tracked.get(name), all[step].2.get(name));
                assert_eq!(own.map(f64::to_bits), other.map(f64::to_bits), "{name} at {step}, every {every}");
            }
        }
    }
    let run = place.run_folder().display().to_string();
    let output = place.run(&["analyze", &run, "--only", "ntk,hessian,norms", "-k", "3", "--json"]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let last = &all.last().expect("there are looks").2;
    for (name, value) in [
        ("ntk_change", &found["ntk"]["change"]),
        ("distance", &found["norms"]["distance"]),
        ("sharpness", &found["hessian"]["top"][0]["value"]),
        ("sharpness_3", &found["hessian"]["top"][2]["value"]),
    ] {
        let (own, other) = (last.get(name).expect("it was measured"), value.as_f64().expect("it was measured"));
        assert!((own / other - 1.0).abs() < 1e-3, "{name}: {own} {other}");
    }
}
