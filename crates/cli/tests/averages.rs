//! Averages of weights, and ways between runs, as a user meets them.

use std::fs;

use crate::common::{CONFIG, Place, text};
use losscape_lab::records::Split;
use losscape_lab::{Connection, RunFolder};
use serde_json::Value;

fn averaged(average: &str) -> String {
    format!("{CONFIG}[average]\n{average}\n")
}

#[test]
fn an_average_is_evaluated_kept_and_measured() {
    let place = Place::new(&averaged("name = \"ema\"\ndecay = 0.9"));
    let output = place.run(&["train", "run.toml"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("average, test"), "{}", text(&output.stdout));
    let run = place.run_folder();
    let folder = RunFolder::new(&run);
    let summary = folder.read_summary().expect("it is whole");
    let (last, average) = (summary.train_loss.expect("finite"), summary.average_train_loss.expect("finite"));
    assert!(last != average && summary.average_test_accuracy.is_some());
    let metrics = folder.read_metrics().expect("it is whole");
    let of =
        |split| metrics.iter().filter(|record| record.split == split).map(|record| record.step).collect::<Vec<_>>();
    // Before the first step there is no average.
    assert_eq!(of(Split::AverageTrain), of(Split::Train)[1..]);
    assert_eq!(of(Split::AverageTest), of(Split::Train)[1..]);
    assert_ne!(fs::read(folder.weights()).ok(), fs::read(folder.average().weights()).ok());
    let page = fs::read_to_string(folder.report()).expect("it is there");
    assert!(page.contains("test loss, average"));

    let run = run.display().to_string();
    let measured = |arguments: &[&str]| -> Value {
        let output = place.run(&[&["analyze", &run, "--only", "norms", "--json"][..], arguments].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("it is JSON")
    };
    let (own, of_average) = (measured(&[]), measured(&["--average"]));
    let near = |value: &Value, expected: f64| {
        let value = value["loss"]["value"].as_f64().expect("a number");
        assert!((value - expected).abs() < 1e-5 * expected.abs().max(0.1), "{value} {expected}");
    };
    near(&own, last);
    near(&of_average, average);
    assert!(of_average["source"].as_str().is_some_and(|source| source.starts_with("average of the weights")));
    // Each is kept in a place of its own, with a page of its own.
    assert!(folder.average().report().exists() && folder.average().analysis().join("norms.json").exists());
    assert!(folder.analysis().join("norms.json").exists());

    // Starting over leaves nothing of what was measured.
    let output = place.run(&["train", "run.toml", "--fresh"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(!folder.average().report().exists() && !folder.average().analysis().exists());
    assert!(folder.average().weights().exists());

    // Through a link a run would change somebody else's files.
    let foreign = place.path().join("foreign");
    fs::rename(folder.average().path(), &foreign).expect("it is there");
    std::os::unix::fs::symlink(&foreign, folder.average().path()).expect("it can be linked");
    let kept = fs::read(foreign.join("model.safetensors")).expect("it was moved");
    // What is measured is then printed, and not kept.
    let measure = &["analyze", run.as_str(), "--average", "--only", "norms"];
    for (arguments, code) in [(&["train", "run.toml", "--fresh"][..], 2), (measure, 0)] {
        let output = place.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(text(&output.stderr).contains("it is a link"), "{}", text(&output.stderr));
    }
    assert_eq!(fs::read(foreign.join("model.safetensors")).ok(), Some(kept));
    assert_eq!(fs::read_dir(&foreign).expect("it is a folder").count(), 1);
}

#[test]
fn what_has_no_average_says_so() {
    let place = Place::new(CONFIG);
    assert!(place.run(&["train", "run.toml"]).status.success());
    let run = place.run_folder().display().to_string();
    let output = place.run(&["analyze", &run, "--average"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("keeps no average"), "{}", text(&output.stderr));

    let place =
        Place::new(&averaged("name = \"swa\"\nstart = 90").replace("steps = 100", "steps = 100\ntarget_loss = 10.0"));
    let output = place.run(&["train", "run.toml"]);
    assert!(text(&output.stdout).contains("no weights were taken into the average"), "{}", text(&output.stdout));
}

#[test]
fn a_study_measures_averages() {
    let study = "[study]\nmeasures = [\"norms\"]\naverage = true\n[study.axes]\nseed = [0, 1]\n";
    let place = Place::new(&(averaged("name = \"lawa\"") + study));
    let output = place.run(&["study", "run", "run.toml"]);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    let csv = fs::read_to_string(place.path().join("studies/run/results.csv")).expect("it is there");
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next().expect("a head");
    let at =
        |name: &str| head.iter().position(|column| *column == name).unwrap_or_else(|| panic!("{name} in {head:?}"));
    for row in lines {
        let number = |name: &str| row[at(name)].parse::<f64>().expect("a number");
        assert!((number("measured_loss") / number("average_train_loss") - 1.0).abs() < 1e-4);
        assert_ne!(row[at("train_loss")], row[at("average_train_loss")]);
    }
    let without = Place::new(&(CONFIG.to_owned() + study));
    let output = without.run(&["study", "run", "run.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("add an [average] table"), "{}", text(&output.stderr));
}

#[test]
fn two_runs_are_connected() {
    let place = Place::new(CONFIG);
    for seed in ["seed=0", "seed=1"] {
        assert!(place.run(&["train", "run.toml", "-s", seed]).status.success());
    }
    let runs: Vec<String> = fs::read_dir(place.path().join("runs"))
        .expect("there are runs")
        .map(|run| run.expect("it can be read").path().display().to_string())
        .collect();
    let connect = |arguments: &[&str]| place.run(&[&["connect"][..], arguments].concat());
    let output = connect(&[&runs[0], &runs[1], "--curve", "20", "--out", "between"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.contains("Bézier curve") && said.contains("line, units matched"), "{said}");
    let found: Connection =
        serde_json::from_slice(&fs::read(place.path().join("between/connection.json")).expect("written"))
            .expect("it is whole");
    assert!(
        found.line.losses.len() > 21 && found.matched.is_some() && place.path().join("between/connection.svg").exists()
    );
    let output = connect(&[&runs[0], &runs[0], "--curve", "0", "--json"]);
    let found: Connection = serde_json::from_slice(&output.stdout).expect("it is JSON");
    // Points between a point and itself are it up to rounding.
    let height = found.line.height.expect("the loss is finite");
    assert!(found.distance == 0.0 && found.curve.is_none() && height < 1e-15, "{height:e}");
    assert!(place.run(&["train", "run.toml", "-s", "model.hidden=[4]", "-s", "label=\"small\""]).status.success());
    let small =
        fs::read_dir(place.path().join("runs")).expect("there are runs").map(|run| run.expect("it can be read").path());
    let small =
        small.map(|path| path.display().to_string()).find(|path| path.contains("small")).expect("it was trained");
    let output = connect(&[&runs[0], &small]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("differ in their network"), "{}", text(&output.stderr));
    assert_eq!(connect(&[&runs[0], &runs[1], "--steps", "1"]).status.code(), Some(2));
}
