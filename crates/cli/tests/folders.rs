//! Run folders that were damaged, moved, cut off or are only to be read: what is said, and what is still right.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::common::{CONFIG, Place, text};
use losscape_lab::RunFolder;
use losscape_lab::records::{Split, State};

fn run_folder(place: &Place) -> RunFolder {
    RunFolder::new(place.run_folder())
}

/// Standard error as one line.
fn said(output: &std::process::Output) -> String {
    text(&output.stderr).replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn truncate(path: &Path) {
    let bytes = fs::read(path).expect("the file is there");
    fs::write(path, &bytes[..bytes.len() / 2]).expect("it can be written");
}

/// The newest checkpoint and the one before it.
fn checkpoints(folder: &RunFolder) -> [PathBuf; 2] {
    let entries = fs::read_dir(folder.checkpoints()).expect("there are checkpoints");
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    found.retain(|path| path.is_dir());
    found.sort();
    let [before, newest] = &found[..] else { panic!("two are kept: {found:?}") };
    [newest.clone(), before.clone()]
}

#[test]
fn a_damaged_end_is_named_when_measured_and_trained_again() {
    let place = Place::new(CONFIG);
    assert!(place.run(&["train", "run.toml"]).status.success());
    let (folder, weights) = (run_folder(&place), place.weights());
    let path = folder.path().display().to_string();
    truncate(&checkpoints(&folder)[0].join("model.bpk"));
    let output = place.run(&["analyze", &path, "--only", "norms"]);
    assert!(output.status.success(), "{}", said(&output));
    for words in ["passed over", "model.bpk", "the run ended at step 100, measuring step 90"] {
        assert!(said(&output).contains(words), "{words}: {}", said(&output));
    }
    let output = place.run(&["train", "run.toml"]);
    assert!(said(&output).contains("going on from step 90"), "{}", said(&output));
    assert!(place.weights() == weights, "the weights differ");
    let output = place.run(&["analyze", &path, "--only", "norms"]);
    assert!(!said(&output).contains("passed over"), "{}", said(&output));

    // Nor is the run lost with the name of its newest checkpoint.
    fs::remove_file(folder.checkpoints().join("latest")).expect("it is there");
    assert!(said(&place.run(&["train", "run.toml"])).contains("already; --fresh"));

    // Without its weights, with others, or with records that were changed, a run has not ended.
    fs::remove_file(folder.weights()).expect("it is there");
    assert!(place.run(&["train", "run.toml"]).status.success());
    assert!(place.weights() == weights, "the weights differ");
    truncate(&folder.weights());
    assert!(place.run(&["train", "run.toml"]).status.success());
    assert!(place.weights() == weights, "the weights differ");
    let metrics = fs::read_to_string(folder.metrics()).expect("there are records");
    fs::write(folder.metrics(), metrics.replacen("0.", "1.", 1)).expect("it can be written");
    let output = place.run(&["train", "run.toml"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("are not what was written"), "{}", said(&output));
}

#[test]
fn changed_data_are_told_from_a_changed_configuration() {
    let config = CONFIG.replace("name = \"moons\"\nsamples = 200", "name = \"csv\"\npath = \"d.csv\"");
    let place = Place::new(&config.replace("batch_size = 20", "batch_size = \"full\""));
    let rows = |shift: f64| -> String {
        let row =
            |at: i32| format!("{},{},{}\n", f64::from(at) + shift * f64::from(at * at), f64::from(at * at % 7), at % 2);
        std::iter::once("a,b,y\n".to_owned()).chain((0..30).map(row)).collect()
    };
    let write = |name: PathBuf, text: &str| fs::write(name, text).expect("the folder can be written");
    write(place.path().join("d.csv"), &rows(0.0));
    assert!(place.run(&["train", "run.toml"]).status.success());
    let folder = run_folder(&place);
    let path = folder.path().display().to_string();
    write(place.path().join("d.csv"), &rows(0.5));
    let output = place.run(&["analyze", &path]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("changed since it was trained"), "{}", said(&output));
    write(place.path().join("d.csv"), &rows(0.0));
    let own = fs::read_to_string(folder.config()).expect("there is a configuration");
    write(folder.config(), &own.replace("learning_rate = 0.1", "learning_rate = 0.2"));
    let output = place.run(&["analyze", &path]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("config.toml"), "{}", said(&output));
}

/// The numbers are the same; what they stand for is not.
#[test]
fn renamed_classes_are_another_run() {
    let config = CONFIG.replace("name = \"moons\"\nsamples = 200", "name = \"csv\"\npath = \"d.csv\"");
    let place = Place::new(&config.replace("batch_size = 20", "batch_size = \"full\""));
    let write = |names: [&str; 2]| {
        let row = |at: usize| format!("{},{},{}\n", at, at * at % 7, names[at % 2]);
        let rows: String = std::iter::once("a,b,y\n".to_owned()).chain((0..30).map(row)).collect();
        fs::write(place.path().join("d.csv"), rows).expect("the folder can be written");
    };
    write(["cat", "dog"]);
    assert!(place.run(&["train", "run.toml"]).status.success());
    write(["healthy", "sick"]);
    let output = place.run(&["train", "run.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("called cat, dog, and are called healthy, sick now"), "{}", said(&output));
}

#[test]
fn a_run_that_diverged_has_nothing_to_measure() {
    let config =
        CONFIG.replace("learning_rate = 0.1", "learning_rate = 1e30").replace("cross-entropy", "squared-error");
    let place = Place::new(&config);
    assert!(place.run(&["train", "run.toml"]).status.success());
    let output = place.run(&["analyze", &run_folder(&place).path().display().to_string()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("diverged") && !said(&output).contains("train it first"), "{}", said(&output));
}

/// What cannot be kept is printed all the same.
#[test]
fn a_folder_that_cannot_be_written_loses_no_measurement() {
    let place = Place::new(CONFIG);
    assert!(place.run(&["train", "run.toml"]).status.success());
    let folder = run_folder(&place);
    // A file in its place: root may write anything else.
    fs::write(folder.analysis(), "").expect("the folder can be written");
    let output = place.run(&["analyze", &folder.path().display().to_string(), "--only", "norms", "--json"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("the results are printed, and not kept"), "{}", said(&output));
    assert!(text(&output.stdout).contains("\"norms\""));
}

/// Sections are there when they are measured; the next start does the rest, and all numbers are those of an undisturbed
/// one.
#[test]
fn a_measurement_that_was_killed_goes_on() {
    let place = Place::new(&CONFIG.replace("hidden = [16]", "hidden = [48, 48]"));
    assert!(place.run(&["train", "run.toml"]).status.success());
    let folder = run_folder(&place);
    let path = folder.path().display().to_string();
    let whole = place.run(&["analyze", &path, "--json"]);
    assert!(whole.status.success(), "{}", said(&whole));
    fs::remove_dir_all(folder.analysis()).expect("it is there");
    let mut child = place.command(&["analyze", &path]).stdout(Stdio::null()).spawn().expect("the tool starts");
    let (first, unfinished) = (folder.analysis().join("hessian.json"), folder.analysis().join("unfinished.json"));
    let deadline = Instant::now() + Duration::from_secs(120);
    while !unfinished.exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    let before = fs::read(&first).expect("it was measured");
    assert!(unfinished.exists());
    // Other settings are another measurement.
    let other = place.run(&["analyze", &path, "--json", "--only", "norms", "--seed", "1"]);
    assert!(other.status.success() && !unfinished.exists());
    fs::remove_dir_all(folder.analysis()).expect("it is there");
    fs::create_dir(folder.analysis()).expect("it can be made");

    let mut child = place.command(&["analyze", &path]).stdout(Stdio::null()).spawn().expect("the tool starts");
    while !unfinished.exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    let rest = place.run(&["analyze", &path, "--json"]);
    assert!(rest.status.success(), "{}", said(&rest));
    assert!(!unfinished.exists());
    assert_eq!(fs::read(&first).expect("it is there"), before, "the same numbers");
    assert_eq!(text(&rest.stdout), text(&whole.stdout));
}

#[test]
fn the_distance_of_records_is_no_other_run() {
    let place = Place::new(CONFIG);
    let train = |every: &str| place.run(&["train", "run.toml", "-s", &format!("training.log_every={every}")]);
    assert!(train("5").status.success());
    let folder = run_folder(&place);
    let batches = |folder: &RunFolder| {
        let records = folder.read_metrics().expect("the records are whole");
        records.iter().filter(|record| record.split == Split::Batch).count()
    };
    assert_eq!(batches(&folder), 20);
    let output = train("50");
    assert!(output.status.success() && said(&output).contains("every 5 steps"), "{}", said(&output));
    assert_eq!(batches(&run_folder(&place)), 20);
    let other = Place::new(CONFIG);
    assert!(other.run(&["train", "run.toml"]).status.success());
    assert_eq!(other.run_folder().file_name(), folder.path().file_name());
    assert!(other.weights() == place.weights(), "the weights differ");
}

#[test]
fn a_finished_run_is_trained_further_to_the_same_bits() {
    let config = CONFIG.replace("schedule = { name = \"cosine\" }\n", "");
    let whole = Place::new(&config);
    assert!(whole.run(&["train", "run.toml"]).status.success());
    let place = Place::new(&config);
    assert!(place.run(&["train", "run.toml", "--out", "short", "-s", "training.steps=60"]).status.success());
    let short = fs::read_dir(place.path().join("short")).expect("it was made").next().expect("a run").expect("read");
    let short = short.path().display().to_string();
    let output = place.run(&["train", "run.toml", "--extend", &short]);
    assert!(output.status.success() && said(&output).contains("going on from step 60"), "{}", said(&output));
    assert!(place.weights() == whole.weights(), "the weights differ");
    let folder = run_folder(&place);
    let extends = folder.read_manifest().expect("it is whole").extends.expect("it goes on from another");
    assert!(extends.step == 60 && short.ends_with(&extends.run_id));
    let steps = folder.read_metrics().expect("they are whole").iter().map(|record| record.step).max();
    assert_eq!(steps, Some(100));
    // The same command again finds it ended.
    assert!(said(&place.run(&["train", "run.toml", "--extend", &short])).contains("already; --fresh"));
    for (change, words) in [
        ("optimizer.learning_rate=0.2", "more than the length"),
        ("data.samples=100", "more than the length"),
        ("training.steps=50", "has done 60 steps"),
        ("optimizer.schedule.name=cosine", "more than the length"),
    ] {
        let output = place.run(&["train", "run.toml", "--out", "no", "--extend", &short, "-s", change]);
        assert_eq!(output.status.code(), Some(2), "{change}");
        assert!(said(&output).contains(words), "{change}: {}", said(&output));
    }
    // A schedule that depends on the length has no longer run.
    let place = Place::new(CONFIG);
    assert!(place.run(&["train", "run.toml", "--out", "short", "-s", "training.steps=60"]).status.success());
    let short = fs::read_dir(place.path().join("short")).expect("it was made").next().expect("a run").expect("read");
    let output = place.run(&["train", "run.toml", "--extend", &short.path().display().to_string()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("schedule"), "{}", said(&output));
}

#[test]
fn only_what_is_the_runs_is_removed_or_written() {
    let place = Place::new(CONFIG);
    assert!(place.run(&["train", "run.toml"]).status.success());
    let (folder, weights) = (run_folder(&place), place.weights());
    let own = |name: &str| folder.path().join(name);
    fs::create_dir(own("mine")).expect("it can be made");
    for name in ["notes.txt", "mine/data.csv", "plots/own.png", ".losscape-a1b2c3", ".tmpAb12cd", ".tmp-of-mine"] {
        fs::write(own(name), "x").expect("it can be written");
    }
    assert!(place.run(&["train", "run.toml", "--fresh"]).status.success());
    assert!(place.weights() == weights, "the weights differ");
    for name in ["notes.txt", "mine/data.csv", "plots/own.png", ".tmp-of-mine"] {
        assert!(own(name).exists(), "{name}");
    }
    for name in [".losscape-a1b2c3", ".tmpAb12cd"] {
        assert!(!own(name).exists(), "{name}");
    }
    // Through a link a run would change somebody else's files.
    let foreign = place.path().join("foreign.txt");
    fs::write(&foreign, "a line that stays\n").expect("it can be written");
    fs::remove_file(folder.metrics()).expect("it is there");
    std::os::unix::fs::symlink(&foreign, folder.metrics()).expect("it can be linked");
    for arguments in [&["train", "run.toml"][..], &["train", "run.toml", "--fresh"]] {
        let output = place.run(arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output).contains("it is a link"), "{}", said(&output));
    }
    assert_eq!(fs::read_to_string(&foreign).expect("it is there"), "a line that stays\n");
    assert_eq!(folder.read_status().expect("it is whole").state, State::Done);
}
