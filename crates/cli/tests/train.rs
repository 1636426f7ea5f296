//! Training from the command line: the run folder, interruption, and resuming to the bit.

use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::common::{CONFIG, FLOWING, Place, Y, npz, text};
use losscape_lab::RunFolder;
use losscape_lab::flows::FlowSummary;
use losscape_lab::records::{Split, State};

#[test]
fn leaves_the_documented_folder() {
    let place = Place::new(CONFIG);
    let output = place.run(&["train", "run.toml", "-s", "seed=3"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let folder = RunFolder::new(place.run_folder());
    let manifest = folder.read_manifest().expect("the manifest is whole");
    assert_eq!((manifest.seed, manifest.device.as_str(), manifest.dtype.as_str()), (3, "flex", "f32"));
    assert!(folder.path().ends_with(format!("run-{}", manifest.run_id)));
    assert_eq!(folder.read_status().expect("the status is whole").state, State::Done);
    let summary = folder.read_summary().expect("the summary is whole");
    assert_eq!(
        (summary.steps, summary.samples, summary.outputs, summary.parameters),
        (100, 160, 2, 2 * 16 + 16 + 16 * 2 + 2)
    );
    assert!(summary.test_accuracy.expect("there are labels") > 0.8, "{summary:?}");
    let metrics = folder.read_metrics().expect("the metrics are whole");
    let steps =
        |split| metrics.iter().filter(|record| record.split == split).map(|record| record.step).collect::<Vec<_>>();
    assert_eq!(steps(Split::Batch), (1..=10).map(|k| 10 * k).collect::<Vec<_>>());
    // 160 samples in batches of 20: an epoch has 8 steps, and the end is evaluated too.
    let evaluations: Vec<usize> = (0..=12).map(|epoch| 8 * epoch).chain([100]).collect();
    assert_eq!((steps(Split::Train), steps(Split::Test)), (evaluations.clone(), evaluations));
    for file in ["config.toml", "model.safetensors", "report.html", "plots/loss.svg", "checkpoints/latest"] {
        assert!(folder.path().join(file).exists(), "{file}");
    }

    // The resolved configuration is the same run.
    let again = Place::new(&fs::read_to_string(folder.config()).expect("the configuration is there"));
    assert!(again.run(&["train", "run.toml"]).status.success());
    assert_eq!(again.run_folder().file_name(), folder.path().file_name());
    assert!(again.weights() == place.weights(), "the weights differ");

    // A run that ended is not trained again.
    let output = place.run(&["train", "run.toml", "-s", "seed=3"]);
    assert!(text(&output.stderr).contains("has ended already"), "{}", text(&output.stderr));
}

/// Steps enough that a kill comes in between.
fn long() -> String {
    CONFIG.replace("steps = 100", "steps = 1500").replace("hidden = [16]", "hidden = [32, 32]")
}

/// A convolutional network on images.
fn images() -> String {
    let data = "name = \"digits\"";
    let model = "name = \"cnn\"\nlayers = [{ channels = 8, pool = 2 }, { channels = 8, pool = 2 }]\nhidden = [16]";
    CONFIG
        .replace("name = \"moons\"\nsamples = 200", data)
        .replace("name = \"mlp\"\nhidden = [16]", model)
        .replace("steps = 100", "steps = 150")
}

/// The same with statistics that training keeps, and images that are changed at random.
fn normed() -> String {
    images().replace("hidden = [16]", "norm = \"batch\"").replace("steps = 150", "steps = 600")
        + "augment = { crop = 1, flip = true }\n"
}

/// A network that PyTorch exported in training mode: `net`, with batch norm, or `dropout`.
fn exported(network: &str) -> String {
    let folder = format!("{}/../lab/tests/reference/exported", env!("CARGO_MANIFEST_DIR"));
    format!(
        "seed = 0\n[data]\nname = \"npz\"\npath = \"{folder}/data.npz\"\nstandardize = \"none\"\n\
         [model]\nname = \"exported\"\npath = \"{folder}/{network}.pt2\"\n[loss]\nname = \"cross-entropy\"\n\
         [optimizer]\nname = \"adam\"\nlearning_rate = 1e-3\nsam = {{ rho = 0.05 }}\n\
         [training]\nbatch_size = 16\nsteps = 3000\ncheckpoint_every = 20\nlog_every = 10\n"
    )
}

#[test]
fn survives_kills_to_the_bit() {
    let averaged = |average: &str| normed() + &format!("label_noise = 0.1\n[average]\n{average}\n");
    let friendly = long().replace("rho = 0.05", "rho = 0.05, friendly = {}");
    let averages = [
        averaged("name = \"ema\"\ndecay = 0.9"),
        friendly + "label_noise = 0.2\n[average]\nname = \"lawa\"\nlast = 4\nevery = 17\n",
    ];
    let joined = FLOWING.replace("every = 7", "start = 100\nevery = 7");
    let others = [long(), images(), normed(), exported("net"), exported("dropout"), FLOWING.to_owned(), joined];
    for config in others.into_iter().chain(averages) {
        survives_kills(&config);
    }
}

fn survives_kills(config: &str) {
    let whole = Place::new(config);
    let start = Instant::now();
    assert!(whole.run(&["train", "run.toml"]).status.success());
    let length = start.elapsed();
    let killed = Place::new(config);
    let mut kills = 0;
    // Moments spread over a run, in an order without pattern; a killed run goes on from its last checkpoint.
    for share in [7, 61, 23, 89, 41, 73, 13, 53, 31, 97].iter().cycle() {
        let mut child = killed
            .command(&["train", "run.toml"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the tool starts");
        std::thread::sleep(length * *share / 250);
        child.kill().expect("it can be killed");
        if child.wait().expect("it ends").success() {
            break;
        }
        kills += 1;
        assert!(kills < 100, "the run makes no progress");
    }
    assert!(kills >= 2, "{kills} kills in {length:?}");
    let output = killed.run(&["train", "run.toml"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(killed.weights() == whole.weights(), "the weights differ after {kills} kills");
    // Apart from times, the records are the same too.
    let records = |place: &Place| {
        let mut records = RunFolder::new(place.run_folder()).read_metrics().expect("the metrics are whole");
        records.iter_mut().for_each(|record| record.wall_s = 0.0);
        records
    };
    assert_eq!(records(&killed), records(&whole));
    let average = |place: &Place| fs::read(RunFolder::new(place.run_folder()).average().weights()).ok();
    assert_eq!(average(&killed), average(&whole));
    assert_eq!(average(&whole).is_some(), config.contains("[average]"));
}

#[test]
fn flows_leave_their_records() {
    let place = Place::new(FLOWING);
    let output = place.run(&["flow", "run.toml"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("central"), "{}", text(&output.stdout));
    let folder = RunFolder::new(place.run_folder());
    let metrics = folder.read_metrics().expect("the metrics are whole");
    let looks: Vec<_> = metrics.iter().filter(|record| record.split == Split::Flow).collect();
    assert_eq!(looks.iter().map(|look| look.step).collect::<Vec<_>>(), (0..400).step_by(7).collect::<Vec<_>>());
    let last = looks.last().and_then(|look| look.tracked.as_ref()).expect("it was looked at");
    for name in ["averaged_loss", "sharpness", "edge", "oscillation"] {
        assert!(last.get(name).is_some(), "{name}");
    }
    let summary = std::fs::read_to_string(folder.flow()).expect("it is there");
    let summary: FlowSummary = serde_json::from_str(&summary).expect("it is whole");
    let names: Vec<&str> = summary.flows.keys().map(String::as_str).collect();
    assert_eq!(names, ["central", "edge", "rod", "stable"]);
    for (name, flow) in &summary.flows {
        // Far below the edge all of them are gradient flow, near which small steps are.
        let errors = flow.errors.unwrap_or_else(|| panic!("{name}: {:?}", flow.ended));
        assert!(errors.loss < 0.05 && errors.sharpness < 0.05, "{name}: {errors:?}");
    }
    let page = std::fs::read_to_string(folder.report()).expect("it is there");
    assert!(page.contains("Sharpness, seen and predicted") && page.contains("<h3>Flows</h3>"));
}

#[test]
fn threads_do_not_change_a_bit() {
    let tokens = |heads: usize, batch: &str| {
        let model = format!("name = \"transformer\"\nwidth = 8\ndepth = 1\nheads = {heads}\ncausal = true");
        CONFIG
            .replace("name = \"moons\"\nsamples = 200", "name = \"sorting\"\nsamples = 40")
            .replace("name = \"mlp\"\nhidden = [16]", &model)
            .replace("batch_size = 20", batch)
            .replace("steps = 100", "steps = 8")
    };
    let images = [images().replace("steps = 150", "steps = 20"), normed().replace("steps = 600", "steps = 10")];
    // Stacks of one product and of many.
    for config in images.into_iter().chain([tokens(1, "batch_size = 1"), tokens(4, "batch_size = 16")]) {
        threads_do_not_change(&config);
    }
}

fn threads_do_not_change(config: &str) {
    let weights = |threads: &str| {
        let place = Place::new(config);
        let output = place.command(&["train", "run.toml"]).env("RAYON_NUM_THREADS", threads).output();
        let output = output.expect("the tool starts");
        assert!(output.status.success(), "{}", text(&output.stderr));
        place.weights()
    };
    assert!(weights("1") == weights("2"), "the weights differ");
}

#[test]
fn a_signal_writes_a_checkpoint_and_exits_75() {
    let place = Place::new(&long().replace("steps = 1500", "steps = 1000000"));
    for signal in ["INT", "TERM", "USR1", "HUP"] {
        let mut child = place
            .command(&["train", "run.toml"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the tool starts");
        let deadline = Instant::now() + Duration::from_secs(20);
        let started = || {
            let folder = fs::read_dir(place.path().join("runs")).ok()?.next()?.ok()?.path();
            (RunFolder::new(folder).read_status().ok()?.state == State::Running).then_some(())
        };
        while started().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        let kill = std::process::Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
        assert!(kill.expect("kill starts").success());
        assert_eq!(child.wait().expect("it ends").code(), Some(75), "{signal}");
        let status = RunFolder::new(place.run_folder()).read_status().expect("the status is whole");
        assert_eq!(status.state, State::Interrupted, "{signal}");
    }
}

#[test]
fn divergence_is_an_outcome() {
    let config =
        CONFIG.replace("learning_rate = 0.1", "learning_rate = 1e30").replace("cross-entropy", "squared-error");
    let place = Place::new(&config);
    let output = place.run(&["train", "run.toml"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let folder = RunFolder::new(place.run_folder());
    let summary = folder.read_summary().expect("the summary is whole");
    assert_eq!(summary.outcome, State::Diverged);
    assert!(summary.reason.contains("step"), "{}", summary.reason);
    assert!(text(&output.stdout).contains("diverged"), "{}", text(&output.stdout));
}

#[test]
fn stops_at_a_target_and_stays_there_after_a_kill() {
    let least_squares = |target: &str| {
        format!(
            r#"[data]
name = "least-squares"
samples = 8
inputs = 4
eigenvalues = [4.0, 2.0, 1.0, 0.5]
[model]
name = "linear"
[loss]
name = "squared-error"
reduction = "sum"
[optimizer]
name = "gd"
learning_rate = 0.4
[training]
batch_size = "full"
steps = 1000
evaluate_every = 3
{target}
"#
        )
    };
    for (target, word) in [("target_loss = 1e-6", "loss"), ("target_gradient_norm = 1e-6", "gradient's norm")] {
        let place = Place::new(&least_squares(target));
        assert!(place.run(&["train", "run.toml"]).status.success());
        let folder = RunFolder::new(place.run_folder());
        let summary = folder.read_summary().expect("the summary is whole");
        assert!(summary.reason.contains(word), "{}", summary.reason);
        assert!((3..1000).contains(&summary.steps) && summary.steps.is_multiple_of(3), "{}", summary.steps);
        let reached = if word == "loss" { summary.train_loss } else { summary.train_grad_norm };
        assert!(reached.expect("it was measured") <= 1e-6);
        // A run killed between its last checkpoint and "done" ends at the same step.
        let weights = place.weights();
        for file in ["status.json", "summary.json", "model.safetensors"] {
            fs::remove_file(folder.path().join(file)).expect("the file is there");
        }
        assert!(place.run(&["train", "run.toml"]).status.success());
        assert_eq!(folder.read_summary().expect("the summary is whole").steps, summary.steps);
        assert!(place.weights() == weights, "the weights differ");
    }
}

/// A checkpoint of the other way to a gradient holds another optimizer's state: going on would not end in the same
/// bits.
#[test]
fn a_checkpoint_of_the_other_way_is_refused() {
    let place = Place::new(CONFIG);
    assert!(place.run(&["train", "run.toml"]).status.success());
    let (folder, weights) = (place.run_folder(), place.weights());
    for checkpoint in fs::read_dir(folder.join("checkpoints")).expect("there are checkpoints") {
        let state = checkpoint.expect("it can be read").path().join("state.json");
        if let Ok(text) = fs::read_to_string(&state) {
            // As an earlier version wrote it, which had no seal.
            let mut there: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
            assert_eq!(there["compiled"], true, "{text}");
            there["compiled"] = false.into();
            there.as_object_mut().expect("it is an object").remove("seal");
            fs::write(&state, there.to_string()).expect("it can be written");
        }
    }
    fs::remove_file(folder.join("status.json")).expect("the file is there");
    let output = place.run(&["train", "run.toml"]);
    let words = text(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("gradients by autodiff") && words.contains("--fresh"), "{words}");
    assert!(place.run(&["train", "run.toml", "--fresh"]).status.success());
    assert!(place.weights() == weights, "the weights differ");
}

#[test]
fn one_and_two_threads_agree_to_the_bit() {
    let config = CONFIG.replace("hidden = [16]", "hidden = [256, 256]").replace("batch_size = 20", "batch_size = 128");
    let weights: Vec<Vec<u8>> = ["1", "2"]
        .iter()
        .map(|threads| {
            let place = Place::new(&config);
            let output = place.command(&["train", "run.toml"]).env("RAYON_NUM_THREADS", threads).output();
            assert!(output.expect("the tool starts").status.success());
            place.weights()
        })
        .collect();
    assert!(weights[0] == weights[1], "the weights differ");
}

#[test]
fn lists_compares_and_completes() {
    let place = Place::new(CONFIG);
    for (arguments, word) in [
        (vec!["data", "list"], "least-squares"),
        (vec!["data", "list", "csv"], "delimiter      \",\""),
        (vec!["data", "list", "moons"], "standardize"),
        (vec!["list", "optimizers"], "nesterov"),
        (vec!["list", "models"], "mlp"),
        (vec!["list", "losses"], "cross-entropy"),
        (vec!["list", "schedules"], "cosine"),
        (vec!["list", "activations"], "softplus"),
        (vec!["completions", "bash"], "_losscape"),
        (vec!["--help"], "train"),
    ] {
        let output = place.run(&arguments);
        assert!(output.status.success() && text(&output.stdout).contains(word), "{arguments:?}");
    }
    for rate in ["0.1", "0.2"] {
        let set = format!("optimizer.learning_rate={rate}");
        assert!(place.run(&["train", "run.toml", "-s", &set]).status.success());
    }
    let runs: Vec<String> = fs::read_dir(place.path().join("runs"))
        .expect("there are runs")
        .map(|entry| entry.expect("it can be read").path().display().to_string())
        .collect();
    let output = place.run(&["compare", &runs[0], &runs[1]]);
    let table = text(&output.stdout);
    for word in ["optimizer.learning_rate", "0.2", "test accuracy"] {
        assert!(table.contains(word), "{table}");
    }
    assert!(!table.contains("data.samples"), "settings that agree are left out: {table}");
    let output = place.run(&["compare", &runs[0], &runs[1], "--json", "--out", "both.html"]);
    let both: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let rates: Vec<_> = (0..2).map(|at| both[at]["settings"]["optimizer.learning_rate"].as_f64()).collect();
    assert!(rates.contains(&Some(0.1)) && rates.contains(&Some(0.2)), "{both}");
    assert_eq!(both[0]["summary"]["steps"], 100);
    let page = fs::read_to_string(place.path().join("both.html")).expect("there is a page");
    assert!(page.contains("href=\"./runs/") && page.contains("uPlot") && !page.contains("src="), "{page}");
    fs::remove_file(format!("{}/report.html", runs[0])).expect("the report is there");
    assert!(place.run(&["report", &runs[0]]).status.success());
    assert!(fs::metadata(format!("{}/report.html", runs[0])).is_ok());
}

#[test]
fn runs_and_studies_are_listed() {
    let place = Place::new(CONFIG);
    for rate in ["0.2", "0.1"] {
        let set = format!("optimizer.learning_rate={rate}");
        assert!(place.run(&["train", "run.toml", "-s", &set]).status.success());
    }
    let said = |arguments: &[&str]| {
        let output = place.run(&[&["ls"], arguments].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    assert_eq!(said(&[]).matches(" done ").count(), 2, "{}", said(&[]));
    let sorted = said(&["--sort", "optimizer.learning_rate", "--show", "optimizer.learning_rate"]);
    let last = |line: &str| line.split_whitespace().next_back().unwrap_or_default().to_owned();
    assert_eq!(sorted.lines().map(last).collect::<Vec<_>>(), ["optimizer.learning_rate", "0.1", "0.2"]);
    let one: serde_json::Value =
        serde_json::from_str(&said(&["runs", "--where", "optimizer.learning_rate=.2", "--json"])).expect("it is JSON");
    assert_eq!(one.as_array().map(Vec::len), Some(1), "{one}");
    assert_eq!(one[0]["settings"]["optimizer.learning_rate"], 0.2);
    said(&["--out", "index.html"]);
    let page = fs::read_to_string(place.path().join("index.html")).expect("there is a page");
    assert_eq!(page.matches("/report.html\"").count(), 2, "{page}");
    // A folder that cannot be read takes no other with it.
    let damaged = place.path().join("runs/damaged");
    fs::create_dir(&damaged).expect("it can be made");
    fs::write(damaged.join("manifest.json"), "{").expect("it can be written");
    let output = place.run(&["ls"]);
    assert!(output.status.success() && text(&output.stderr).contains("left out: runs/damaged"));
    assert_eq!(text(&output.stdout).matches(" done ").count(), 2);
    let output = place.run(&["ls", "--sort", "optimizer.learning_rat"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("did you mean"), "{}", text(&output.stderr));
}

#[test]
fn a_configuration_may_come_from_the_standard_input() {
    let place = Place::new("");
    let mut train = place.command(&["-q", "train", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let train = train.as_mut().expect("the tool starts");
    let mut input = train.stdin.take().expect("it is piped");
    input.write_all(CONFIG.as_bytes()).expect("it reads");
    drop(input);
    assert!(train.wait().expect("it ends").success());
    let mut said = String::new();
    train.stderr.take().expect("it is piped").read_to_string(&mut said).expect("it is text");
    assert_eq!(said, "", "quietly");
    let folder = place.run_folder();
    assert!(folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("run-")), "{folder:?}");
    // What has ended is shown once.
    let output = place.run(&["watch", &folder.display().to_string()]);
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("step 100") && text(&output.stdout).contains("done"));
    assert_eq!(text(&output.stdout).lines().count(), 1);
}

#[test]
fn a_configuration_is_written_for_given_data() {
    let place = Place::new("");
    let row = |at: usize| format!("{},{},{}\n", at as f64 * 0.7, at * at % 7, ["cat", "dog"][at % 2]);
    let rows: String = std::iter::once("a,b,kind\n".to_owned()).chain((0..30).map(row)).collect();
    fs::write(place.path().join("pets.csv"), rows).expect("the folder can be written");
    let cases: [(&[&str], &str, &str); 5] = [
        (&["pets.csv"], "pets.toml", "2 classes"),
        (
            &["pets.csv", "-s", "target=a", "-s", "task=regression", "-s", "drop=[\"kind\"]", "--out", "a.toml"],
            "a.toml",
            "a number",
        ),
        (&["sorting", "-s", "samples=40"], "sorting.toml", "causal = true"),
        (&["moons", "-s", "test_fraction=.3", "-s", "samples=50"], "moons.toml", "test_fraction = 0.3"),
        (
            &["odd.npz", "-s", "channels=first", "--out", "sub/odd.toml"],
            "sub/odd.toml",
            "pool = 2 }, { channels = 32 }]",
        ),
    ];
    fs::create_dir(place.path().join("sub")).expect("it can be made");
    // Images that can be halved once.
    let pixels: Vec<f64> = (0..20 * 36).map(|at| f64::from(at * at % 11)).collect();
    let labels: Vec<i64> = (0..20).map(|at| at % 2).collect();
    npz(&place, "odd.npz", &[20, 1, 6, 6], &pixels, &Y::Labels(&labels));
    for (arguments, file, words) in cases {
        let output = place.run(&[&["init"], arguments].concat());
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        let written = fs::read_to_string(place.path().join(file)).expect("it was written");
        assert!(written.contains(words), "{written}");
        let output = place.run(&["train", file, "-s", "training.epochs=1"]);
        assert!(output.status.success(), "{written}{}", text(&output.stderr));
    }
    let hostile = "q\nprecision = \"f64\"\n#.csv";
    fs::write(place.path().join(hostile), "a,kind\n1,x\n2,y\n3,x\n4,y\n").expect("the folder can be written");
    assert!(place.run(&["init", hostile, "--out", "q.toml"]).status.success());
    let written = fs::read_to_string(place.path().join("q.toml")).expect("it was written");
    let table: toml::Table = written.parse().expect("it is TOML");
    assert!(!table.contains_key("precision"), "{written}");
    for (arguments, words) in [(["init", "pets.csv"], "is there already"), (["init", "pets.txt"], "is neither a table")]
    {
        let output = place.run(&arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(words), "{}", text(&output.stderr));
    }
}

/// docs/reference.md is printed by the types.
#[test]
fn keys_are_explained_as_the_reference_has_them() {
    let place = Place::new("");
    let said = |arguments: &[&str]| text(&place.run(arguments).stdout);
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let page = |name: &str| fs::read_to_string(root.join(name)).expect("the page is there");
    assert!(said(&["schema", "--markdown"]) == page("reference.md"), "losscape schema --markdown > docs/reference.md");
    let help = said(&["help", "ema.decay"]);
    assert!(help.contains("average.decay (ema)") && help.contains("number"), "{help}");
    assert!(said(&["help", "train"]).contains("Usage: losscape train"));
    let both = said(&["help", "flow"]);
    assert!(both.contains("Usage: losscape flow") && both.contains("flow.every"), "{both}");
    let output = place.run(&["help", "learning_rat"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("did you mean"), "{}", text(&output.stderr));
    // Every key stands in the page that says what it is for.
    let configuration = page("configuration.md");
    let keys = said(&["list", "keys"]);
    let missing = keys.lines().filter_map(|line| line.split_whitespace().next()?.rsplit('.').next());
    let missing: Vec<&str> = missing.filter(|key| !configuration.contains(*key)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Every key of the examples is one of the reference.
#[test]
fn examples_have_known_keys() {
    let place = Place::new("");
    let keys = text(&place.run(&["list", "keys"]).stdout);
    let known: Vec<&str> = keys.lines().filter_map(|line| line.split_whitespace().next()).collect();
    fn paths(prefix: &str, table: &toml::Table, found: &mut Vec<String>) {
        for (key, value) in table {
            let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            found.push(path.clone());
            if let toml::Value::Table(inner) = value
                && path != "study.axes"
            {
                paths(&path, inner, found);
            }
        }
    }
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut looked = 0;
    for folder in [examples.clone(), examples.join("studies")] {
        for entry in fs::read_dir(folder).expect("there are examples").flatten() {
            if entry.path().extension().is_some_and(|ending| ending == "toml") {
                let mut found = Vec::new();
                let text = fs::read_to_string(entry.path()).expect("it can be read");
                paths("", &text.parse().expect("it is TOML"), &mut found);
                let unknown: Vec<&String> = found.iter().filter(|path| !known.contains(&path.as_str())).collect();
                assert!(unknown.is_empty(), "{}: {unknown:?}", entry.path().display());
                looked += 1;
            }
        }
    }
    assert!(looked > 10, "{looked}");
}
