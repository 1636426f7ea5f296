//! `losscape analyze` and `[track]`: what they write, and what they refuse.

use std::fs;
use std::path::PathBuf;

use crate::common::{CONFIG, Place, Y, npz, text};
use serde_json::Value;

fn reference(file: &str) -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/reference/landscapes/tanh").join(file).display().to_string()
}

fn refused(place: &Place, arguments: &[&str], words: &[&str]) {
    let output = place.run(arguments);
    let message = text(&output.stderr).replace(['│', '╭', '╰', '─', '×', '·'], " ");
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    for word in words {
        assert!(message.contains(word), "{arguments:?}: `{message}` should contain `{word}`");
    }
    assert!(!message.contains("panicked"), "{message}");
}

/// `analyze` of files, some of which a case replaces.
fn files<'a>(weights: &'a str, data: &'a str, model: &'a str) -> Vec<&'a str> {
    vec!["analyze", "--weights", weights, "--data", data, "--model", model]
}

const MODEL: &str = "[model]\nname = \"mlp\"\nhidden = [16]\n[loss]\nname = \"squared-error\"\n";

/// A safetensors file of float32 tensors.
fn safetensors(tensors: &[(&str, &[usize], &[f32])]) -> Vec<u8> {
    let (mut entries, mut data) = (Vec::new(), Vec::new());
    for (name, shape, values) in tensors {
        let start = data.len();
        data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        entries.push(format!(
            "\"{name}\":{{\"dtype\":\"F32\",\"shape\":{shape:?},\"data_offsets\":[{start},{}]}}",
            data.len()
        ));
    }
    let header = format!("{{{}}}", entries.join(","));
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
}

#[test]
fn bad_files_get_a_clear_word() {
    let (weights, data) = (reference("weights.safetensors"), reference("data.npz"));
    let place = Place::new("");
    let write = |name: &str, bytes: &[u8]| {
        fs::write(place.path().join(name), bytes).expect("the folder can be written");
    };
    write("model.toml", MODEL.as_bytes());
    write("wide.toml", MODEL.replace("[16]", "[17]").as_bytes());
    write("deep.toml", MODEL.replace("[16]", "[16, 16]").as_bytes());
    write("slip.toml", MODEL.replace("hidden", "hiden").as_bytes());
    write("ntk.toml", MODEL.replace("hidden = [16]", "hidden = [16]\nparameterization = \"ntk\"").as_bytes());
    write("bare.toml", MODEL.replace("hidden = [16]", "hidden = [16]\nbias = false").as_bytes());
    write("labels.toml", MODEL.replace("squared-error", "cross-entropy").as_bytes());
    let linear = MODEL.replace("hidden = [16]", "hidden = []\nbias = false");
    write("linear.toml", linear.replace("squared-error", "cross-entropy").as_bytes());
    write("broken.safetensors", b"not a file of weights");
    write("buffer.safetensors", &safetensors(&[("0.weight", &[1, 1], &[1.0]), ("1.num_batches_tracked", &[], &[3.0])]));
    let named = [("encoder.0.weight", &[16, 5][..], &[1.0; 80][..]), ("decoder.0.weight", &[3, 16], &[1.0; 48])];
    write("named.safetensors", &safetensors(&named));
    write("one.safetensors", &safetensors(&[("0.weight", &[1, 5], &[1.0; 5])]));
    write("pickle.pt", &[0x80, 2, b'}', b'.']);
    write("conv.safetensors", &safetensors(&[("0.weight", &[1, 1, 1], &[1.0])]));
    write("flat.toml", MODEL.replace("[16]", "[]").as_bytes());
    write("nan.safetensors", &safetensors(&[("0.weight", &[3, 5], &[f32::NAN; 15]), ("0.bias", &[3], &[0.0; 3])]));
    npz(&place, "label.npz", &[4, 5], &[0.0; 20], &Y::Labels(&[0, 1, 2, 3]));
    npz::<f64>(&place, "empty.npz", &[0, 5], &[], &Y::Values(&[0, 3], &[]));
    npz(&place, "nan.npz", &[1, 5], &[f64::NAN; 5], &Y::Values(&[1, 3], &[0.0; 3]));
    npz(&place, "six.npz", &[1, 6], &[0.0; 6], &Y::Values(&[1, 3], &[0.0; 3]));
    npz(&place, "four.npz", &[1, 5], &[0.0; 5], &Y::Values(&[1, 4], &[0.0; 4]));
    let cases: Vec<(Vec<&str>, Vec<&str>)> = vec![
        (files(&weights, &data, "wide.toml"), vec!["0.weight has shape [16, 5], the model needs [17, 5]"]),
        (files(&weights, &data, "deep.toml"), vec!["it holds 2 layers of weights, the model has 3"]),
        (files(&weights, &data, "slip.toml"), vec!["unknown key `hiden`", "did you mean `hidden`?", "slip.toml:3:1"]),
        (files(&weights, &data, "ntk.toml"), vec!["standard parameterization", "ntk.toml:4"]),
        (files(&weights, &data, "bare.toml"), vec!["there is 0.bias, but the model has no biases"]),
        (files(&weights, &data, "labels.toml"), vec!["data.npz: `y` has 3 columns and is not one-hot"]),
        (files("broken.safetensors", &data, "model.toml"), vec!["broken.safetensors", "no safetensors file"]),
        (
            files("buffer.safetensors", &data, "model.toml"),
            vec!["`1.num_batches_tracked` is neither weight nor bias", "--ignore 1.num_batches_tracked"],
        ),
        (
            [files("buffer.safetensors", &data, "model.toml"), vec!["--ignore", "2.bias"]].concat(),
            vec!["there is no `2.bias` to leave out"],
        ),
        (
            files("named.safetensors", &data, "bare.toml"),
            vec!["do not say their order", "--layers decoder.0,encoder.0"],
        ),
        (
            [files("named.safetensors", &data, "bare.toml"), vec!["--layers", "encoder.0,head"]].concat(),
            vec!["its layers are decoder.0, encoder.0, not encoder.0, head"],
        ),
        (files("pickle.pt", &data, "model.toml"), vec!["torch.save", "s.save_file(torch.load('pickle.pt'"]),
        (files("one.safetensors", &data, "linear.toml"), vec!["one output", "binary-cross-entropy", "[loss]"]),
        (files("conv.safetensors", &data, "linear.toml"), vec!["0.weight has shape [1, 1, 1]", "[out, in]"]),
        (files("nan.safetensors", &data, "flat.toml"), vec!["0.weight holds NaN (entry 0)"]),
        (files("none.safetensors", &data, "model.toml"), vec!["cannot read none.safetensors"]),
        (files(&weights, "none.npz", "model.toml"), vec!["cannot read none.npz"]),
        (files(&weights, &data, "none.toml"), vec!["cannot read none.toml"]),
        (files(&weights, "label.npz", "labels.toml"), vec!["sample 3 has label 3, but there are 3 classes"]),
        (files(&weights, "empty.npz", "model.toml"), vec!["the dataset has no samples"]),
        (files(&weights, "nan.npz", "model.toml"), vec!["the input of sample 0 is not finite"]),
        (files(&weights, "six.npz", "model.toml"), vec!["0.weight has shape [16, 5], the model needs [16, 6]"]),
        (
            files(&weights, "four.npz", "model.toml"),
            vec!["four.npz", "outputs of a network (classes) and columns of targets that are numbers: 3 against 4"],
        ),
        (
            [files(&weights, &data, "model.toml"), vec!["-k", "148"]].concat(),
            vec!["148 eigenvalues were asked for", "dimension 147"],
        ),
        ([files(&weights, &data, "model.toml"), vec!["-k", "0"]].concat(), vec!["--top 0", "at least 1"]),
        (
            [files(&weights, &data, "model.toml"), vec!["--only", "ntk", "--memory", "20KB"]].concat(),
            vec!["the tangent kernel needs 86400 bytes and 20000 bytes are allowed"],
        ),
        (
            [files(&weights, &data, "model.toml"), vec!["--memory", "100"]].concat(),
            vec!["a Krylov basis of the Hessian needs 0.4 MB and 100 bytes are allowed"],
        ),
        (
            [files(&weights, &data, "model.toml"), vec!["--only", "norms", "--memory", "100"]].concat(),
            vec!["what is worked on at once needs", "bytes, and 100 are allowed"],
        ),
        (
            [files(&weights, &data, "model.toml"), vec!["--memory", "much"]].concat(),
            vec!["`much` is no amount of memory"],
        ),
        (
            [files(&weights, &data, "model.toml"), vec!["--only", "hesian"]].concat(),
            vec!["unknown measure `hesian`", "hessian"],
        ),
        ([files(&weights, &data, "model.toml"), vec!["--rise=-1"]].concat(), vec!["--rise -1 is not possible"]),
        ([files(&weights, &data, "model.toml"), vec!["--draws", "3"]].concat(), vec!["draws = 3 is not possible"]),
        (
            [files(&weights, &data, "model.toml"), vec!["--localization", "nan"]].concat(),
            vec!["localization = NaN is not possible"],
        ),
        (vec!["analyze", "--weights", &weights], vec!["--data"]),
        (vec!["analyze"], vec!["required"]),
        (vec!["analyze", "nowhere"], vec!["cannot read nowhere/manifest.json"]),
    ];
    for (arguments, words) in cases {
        refused(&place, &arguments, &words);
    }
}

/// A run that measures curvature on its way.
fn tracked(rule: &str) -> String {
    CONFIG
        .replace(
            "name = \"momentum\"\nlearning_rate = 0.1\nschedule = { name = \"cosine\" }\nsam = { rho = 0.05 }",
            rule,
        )
        .replace("batch_size = 20", "batch_size = \"full\"")
        + "[track]\nevery = 4\nmeasures = [\"sharpness\", \"ntk\", \"pl\"]\nsamples = 40\n"
}

fn records(place: &Place) -> Vec<Value> {
    let text = fs::read_to_string(place.run_folder().join("metrics.jsonl")).expect("the run has records");
    text.lines().map(|line| serde_json::from_str(line).expect("a record")).collect()
}

#[test]
fn a_run_is_tracked_measured_and_reported() {
    for (rule, edge) in [
        ("name = \"gd\"\nlearning_rate = 0.1", 20.0),
        ("name = \"momentum\"\nlearning_rate = 0.1", 38.0),
        ("name = \"nesterov\"\nlearning_rate = 0.1", 3.8 / 0.28),
        ("name = \"rmsprop\"\nlearning_rate = 0.001", 2000.0),
        ("name = \"adam\"\nlearning_rate = 0.001", 38_000.0),
    ] {
        let place = Place::new(&tracked(rule));
        let trained = place.run(&["train", "run.toml"]);
        assert!(trained.status.success(), "{}", text(&trained.stderr));
        let records = records(&place);
        let tracked: Vec<&Value> = records.iter().filter(|record| record["split"] == "track").collect();
        assert_eq!(tracked.len(), 26, "{rule}: every four of 100 steps, and before the first");
        for record in &tracked[1..] {
            let of = |name: &str| record[name].as_f64().unwrap_or(f64::NAN);
            assert!((of("edge") - edge).abs() < 1e-9 * edge, "{rule}: {record}");
            assert!(of("sharpness") > 0.0 && of("sharpness_error") < 0.05 * of("sharpness").abs(), "{rule}: {record}");
            assert!(of("ntk_min") <= of("ntk_max") && of("pl_ratio") > 0.0, "{rule}: {record}");
            assert!(record.get("pl_mu").is_none() || of("pl_ratio") >= of("pl_mu"), "{rule}: {record}");
        }
        // The last record and the analysis of the last checkpoint measure the same thing by different routes.
        let run = place.run_folder().display().to_string();
        let output = place.run(&["analyze", &run, "--only", "bounds,slices,ntk", "--json"]);
        assert!(output.status.success(), "{rule}: {}", text(&output.stderr));
        let found: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
        let last = tracked[tracked.len() - 1];
        let (a, b) = (&found["bounds"]["edge"]["sharpness"]["value"], &last["sharpness"]);
        let (a, b) = (a.as_f64().expect("a number"), b.as_f64().expect("a number"));
        assert!((a - b).abs() < 2e-3 * a, "{rule}: {a} {b}");
        assert!((found["bounds"]["edge"]["edge"].as_f64().expect("a number") - edge).abs() < 1e-9 * edge);
        // Sections stand in files of their own; measuring another one leaves them.
        let again = place.run(&["analyze", &run, "--only", "norms"]);
        assert!(again.status.success(), "{}", text(&again.stderr));
        for file in ["point.json", "bounds.json", "slices.json", "norms.json", "ntk.json", "ntk_eigenvalues.npy"] {
            assert!(place.run_folder().join("analysis").join(file).exists(), "{rule}: {file}");
        }
        let report = fs::read_to_string(place.run_folder().join("report.html")).expect("there is a report");
        for heading in
            ["Sharpness and edge", "Spectrum of the tangent kernel", "Loss on a plane", "Step sizes", "Norms"]
        {
            assert!(report.contains(heading), "{rule}: {heading}");
        }
    }
}

/// A quick look at everything does not throw away what took long.
/// The kernel of 400 samples with two outputs is large enough for its decomposition to be divided among threads.
#[test]
fn numbers_do_not_depend_on_threads() {
    let config = CONFIG.replace("samples = 200", "samples = 400").replace("hidden = [16]", "hidden = [16, 16]");
    let place = Place::new(&config);
    assert!(place.run(&["train", "run.toml"]).status.success());
    let folder = place.run_folder().display().to_string();
    let measured = |threads: &str| {
        fs::remove_dir_all(place.run_folder().join("analysis")).ok();
        let output = place.command(&["analyze", &folder, "--json"]).env("RAYON_NUM_THREADS", threads).output();
        let output = output.expect("the tool starts");
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let alone = measured("1");
    for threads in ["2", "4"] {
        let together = measured(threads);
        let differing = alone.lines().zip(together.lines()).find(|(one, other)| one != other);
        assert!(alone == together, "{threads} threads: {differing:?}");
    }
}

#[test]
fn the_largest_eigenvalue_does_not_replace_the_whole_spectrum() {
    use losscape_lab::measure::{AnalysisSettings, norms, ntk};
    use losscape_lab::open::{Files, Made};
    use losscape_lab::{Analysis, RunFolder, Subject};
    use losscape_model::data::npz::Npz;
    let place = Place::new("");
    let folder = RunFolder::new(place.path());
    let files = ["weights.safetensors", "data.npz", "model.toml"].map(reference);
    let [weights, data, model] = files.map(PathBuf::from);
    let weights = Some(weights);
    let data = Npz { path: data, ..Npz::default() };
    let files = Files { weights, layout: Default::default(), data, model: Made::File(model), loss: None };
    let subject = Subject::of_files(&files, &burn::tensor::Device::flex()).expect("the files fit");
    for kernel_size in [5000, 0] {
        let settings = AnalysisSettings { kernel_size: Some(kernel_size), ..AnalysisSettings::default() };
        let analysis =
            Analysis::measure(&subject, &[&ntk::MEASURE, &norms::MEASURE], &settings, &|_| {}).expect("it is finite");
        assert_eq!(analysis.get(ntk::NTK).is_some_and(|kernel| kernel.min.is_some()), kernel_size > 0);
        analysis.write(&folder).expect("the folder can be written");
    }
    let kept = Analysis::read(&folder).expect("it is whole").expect("it is there");
    let kernel = kept.get(ntk::NTK).expect("it was measured");
    let eigenvalues = kept.array(ntk::EIGENVALUES).len();
    assert!(kernel.min.is_some() && eigenvalues == kernel.size && kept.get(norms::NORMS).is_some());
}

/// Where ϵ is large beside the gradients, Adam's preconditioner is `(1 − β₁ᵏ) ϵ` for all parameters alike.
#[test]
fn the_sharpness_that_adam_sees_is_that_of_the_preconditioned_hessian() {
    let place = Place::new(&tracked("name = \"adam\"\nlearning_rate = 1.0\nepsilon = 1000.0"));
    assert!(place.run(&["train", "run.toml"]).status.success());
    let output = place.run(&["analyze", &place.run_folder().display().to_string(), "--only", "bounds", "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    let (seen, beta) = (&found["bounds"]["edge"]["sharpness"]["value"], &found["bounds"]["beta"]["value"]);
    let (seen, beta) = (seen.as_f64().expect("a number"), beta.as_f64().expect("a number"));
    let scale = 1000.0 * (1.0 - 0.9f64.powi(100));
    assert!((seen * scale / beta - 1.0).abs() < 2e-3, "{seen} · {scale} = {beta}");
}

#[test]
fn an_interrupted_run_measures_what_an_uninterrupted_one_does() {
    let config = tracked("name = \"momentum\"\nlearning_rate = 0.1");
    let whole = Place::new(&config);
    assert!(whole.run(&["train", "run.toml"]).status.success());
    // The same run cut short after its checkpoint of step 90: what is behind is done again.
    let cut = Place::new(&config);
    assert!(cut.run(&["train", "run.toml"]).status.success());
    let folder = cut.run_folder();
    let mut steps: Vec<PathBuf> = fs::read_dir(folder.join("checkpoints"))
        .expect("it has checkpoints")
        .map(|entry| entry.expect("readable").path())
        .collect();
    steps.retain(|path| path.is_dir());
    steps.sort();
    assert_eq!(steps.len(), 2);
    fs::remove_dir_all(&steps[1]).expect("it can be removed");
    for file in ["status.json", "summary.json", "model.safetensors"] {
        fs::remove_file(folder.join(file)).expect("it can be removed");
    }
    let resumed = cut.run(&["train", "run.toml"]);
    assert!(
        resumed.status.success() && text(&resumed.stderr).contains("going on from step 90"),
        "{}",
        text(&resumed.stderr)
    );
    let without_time = |place: &Place| -> Vec<Value> {
        let strip = |mut record: Value| {
            record.as_object_mut().expect("an object").remove("wall_s");
            record
        };
        records(place).into_iter().map(strip).collect()
    };
    assert_eq!(without_time(&whole), without_time(&cut));
    assert_eq!(whole.weights(), cut.weights());
    // A run that has not ended says which checkpoint is measured.
    fs::write(
        folder.join("status.json"),
        fs::read_to_string(folder.join("status.json")).expect("text").replace("\"done\"", "\"interrupted\""),
    )
    .expect("it can be written");
    let output = cut.run(&["analyze", &folder.display().to_string(), "--only", "norms"]);
    assert!(
        text(&output.stderr).contains("the run is interrupted: measuring its checkpoint of step 100"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn what_cannot_be_tracked_is_refused() {
    for (old, new, words) in [
        ("every = 4", "every = 0", &["every must be at least 1", "run.toml:17:9"][..]),
        ("samples = 40", "samples = 0", &["samples = 0 is not possible", "run.toml:19"]),
        ("samples = 40", "samples = 4000", &["the training part has 160"]),
        ("\"ntk\"", "\"ntkk\"", &["ntkk", "run.toml:18"]),
    ] {
        let place = Place::new(&tracked("name = \"gd\"\nlearning_rate = 0.1").replace(old, new));
        refused(&place, &["train", "run.toml"], words);
    }
}

/// The layers of a file in the order that is asked for, and a buffer left out: as numbered ones are read.
#[test]
fn named_layers_are_read_in_the_order_given_and_leave_a_folder() {
    let place = Place::new("");
    let write = |name: &str, bytes: &[u8]| {
        fs::write(place.path().join(name), bytes).expect("the folder can be written");
    };
    write("model.toml", MODEL.replace("[16]", "[2]").replace("hidden", "bias = false\nhidden").as_bytes());
    npz(&place, "d.npz", &[2, 2], &[1.0, -1.0, 0.5, 2.0], &Y::Values(&[2, 2], &[1.0, 0.0, 0.0, 1.0]));
    let (first, second) = ([0.5, -1.0, 2.0, 0.25], [1.5, 1.0, -0.5, 0.75]);
    let shape = &[2, 2][..];
    write("numbered.safetensors", &safetensors(&[("0.weight", shape, &first), ("2.weight", shape, &second)]));
    let named = [("encoder.0.weight", shape, &first[..]), ("decoder.0.weight", shape, &second), ("n", &[], &[7.0])];
    write("named.safetensors", &safetensors(&named));
    let analyze = |file: &str, more: &[&str]| {
        let arguments = [files(file, "d.npz", "model.toml"), vec!["--only", "norms,hessian"], more.to_vec()].concat();
        place.run(&arguments)
    };
    let json = |output: &std::process::Output| {
        let mut found: Value = serde_json::from_slice(&output.stdout).expect("it prints JSON");
        for key in ["source", "setup"] {
            found.as_object_mut().expect("an object").remove(key);
        }
        found
    };
    let numbered = analyze("numbered.safetensors", &["--json"]);
    let order = ["--layers", "encoder.0,decoder.0", "--ignore", "n", "--json"];
    let named = analyze("named.safetensors", &order);
    assert!(numbered.status.success() && named.status.success(), "{}", text(&named.stderr));
    assert_eq!(json(&named), json(&numbered));
    let turned = analyze("named.safetensors", &["--layers", "decoder.0,encoder.0", "--ignore", "n", "--json"]);
    assert_ne!(json(&turned)["loss"], json(&numbered)["loss"]);
    let ignored = ["--ignore", "0.weight,2.weight", "--json"];
    assert_eq!(analyze("numbered.safetensors", &ignored).status.code(), Some(2), "what is left out is not read");
    // Like a run's folder: sections, figures and page.
    let kept = analyze("numbered.safetensors", &["--out", "kept"]);
    assert!(kept.status.success(), "{}", text(&kept.stderr));
    for file in ["analysis/point.json", "analysis/norms.json", "analysis/hessian.json", "report.html"] {
        assert!(place.path().join("kept").join(file).exists(), "{file}");
    }
    assert!(!place.path().join("kept/analysis/unfinished.json").exists());
    let page = fs::read_to_string(place.path().join("kept/report.html")).expect("there is a page");
    assert!(page.contains("not standardized by this program") && page.contains("d.npz"), "how the inputs were made");
    // Sections of other data do not stay beside those of these.
    npz(&place, "d.npz", &[2, 2], &[1.0, -1.0, 0.5, 3.0], &Y::Values(&[2, 2], &[1.0, 0.0, 0.0, 1.0]));
    let arguments = files("numbered.safetensors", "d.npz", "model.toml");
    assert!(place.run(&[arguments, vec!["--only", "norms", "--out", "kept"]].concat()).status.success());
    assert!(!place.path().join("kept/analysis/hessian.json").exists());
}

/// The same network and data by running statistics and by those of the batch: two functions, told apart in the record.
/// Neither measuring nor tracking moves a statistic, whatever the rule asks of the network.
#[test]
fn batch_norm_is_measured_in_a_mode_that_is_named() {
    for rule in ["name = \"gd\"\nlearning_rate = 0.05", "name = \"adam\"\nlearning_rate = 0.01"] {
        batch_norm_is_measured(rule);
    }
}

fn batch_norm_is_measured(rule: &str) {
    let config = format!(
        r#"[data]
name = "digits"
[model]
name = "cnn"
layers = [{{ channels = 3, pool = 4 }}]
norm = "batch"
[loss]
name = "squared-error"
[optimizer]
{rule}
[training]
batch_size = 100
steps = 10
"#
    );
    let untracked = Place::new(&config);
    assert!(untracked.run(&["train", "run.toml"]).status.success());
    let place = Place::new(&(config + "[track]\nevery = 5\nmode = \"batch\"\nprecision = \"f32\"\n"));
    let trained = place.run(&["train", "run.toml"]);
    assert!(trained.status.success(), "{}", text(&trained.stderr));
    assert!(place.weights() == untracked.weights(), "{rule}: tracking changed the run");
    let tracked = records(&place).into_iter().rfind(|record| record["split"] == "track").expect("it is tracked");
    assert_eq!(tracked["mode"], "batch", "{tracked}");
    let run = place.run_folder().display().to_string();
    let measured = |mode: &str| -> Value {
        let arguments =
            ["analyze", &run, "--mode", mode, "--only", "hessian", "-k", "1", "--precision", "f32", "--json"];
        let output = place.run(&arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(text(&output.stderr).contains("empirical Fisher matrix is left out"), mode == "batch");
        serde_json::from_slice(&output.stdout).expect("one JSON object")
    };
    let (evaluation, batch) = (measured("evaluation"), measured("batch"));
    assert!(evaluation["setup"]["mode"].as_str().expect("a mode").starts_with("evaluation"));
    assert!(batch["mode"] == "batch" && evaluation.get("mode").is_none());
    assert!(evaluation.get("fisher").is_some() && batch.get("fisher").is_none());
    // One does not take the other's place.
    for folder in ["analysis", "analysis-batch"] {
        assert!(place.run_folder().join(folder).join("hessian.json").exists(), "{folder}");
    }
    let loss = |of: &Value| of["loss"]["value"].as_f64().expect("a number");
    let summary: Value =
        serde_json::from_slice(&fs::read(place.run_folder().join("summary.json")).expect("it is there")).expect("JSON");
    // What training evaluated, and what it tracked, is what is measured at the end; in f32.
    let near = |a: f64, b: &Value, bound: f64| {
        let b = b.as_f64().expect("a number");
        assert!((a - b).abs() < bound * b, "{rule}: {a} against {b}");
    };
    near(loss(&evaluation), &summary["train_loss"], 1e-5);
    near(loss(&batch), &tracked["loss"], 1e-5);
    if rule.contains("gd") {
        near(batch["hessian"]["top"][0]["value"].as_f64().expect("a number"), &tracked["sharpness"], 5e-3);
    }
    assert!((loss(&evaluation) - loss(&batch)).abs() > 1e-4, "the running statistics are not the batch's");
}

/// A file of a network that PyTorch exported in training mode, with batch norm, or of one of others.
fn exported(file: &str) -> String {
    format!("{}/../lab/tests/reference/exported/{file}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn an_archive_is_measured_in_both_modes() {
    let place = Place::new("");
    let measured = |more: &[&str]| -> Value {
        let (model, data) = (exported("net.pt2"), exported("data.npz"));
        let arguments = ["analyze", "--model", &model, "--data", &data, "--loss", "cross-entropy", "--json"];
        let output = place.run(&[&arguments[..], &["--only", "norms,diagonal", "--out", "here"], more].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("one JSON object")
    };
    let (evaluation, batch) = (measured(&[]), measured(&["--mode", "batch"]));
    let trained = measured(&["--weights", &exported("momentum-f64.safetensors")]);
    let loss = |found: &Value| found["loss"]["value"].as_f64().expect("a number");
    // Fifty steps of momentum lower the loss that they see, which is that of the batch.
    assert!(loss(&trained) < loss(&evaluation) && loss(&evaluation) != loss(&batch));
    for (found, mode) in [(&evaluation, "evaluation"), (&batch, "batch")] {
        assert!(found["setup"]["mode"].as_str().is_some_and(|words| words.starts_with(mode)), "{found}");
        assert!(found["setup"]["network"].as_str().is_some_and(|words| words.contains("SHA-256")), "{found}");
        assert_eq!(found["parameters"], 293);
    }
    assert!(evaluation.to_string().contains("\"conv1.weight\""), "{evaluation}");
}

#[test]
fn dropout_is_not_tracked_in_batch_mode() {
    let (net, data) = (exported("dropout.pt2"), exported("data.npz"));
    let config = |mode: &str| {
        format!(
            "[data]\nname = \"npz\"\npath = \"{data}\"\n[model]\nname = \"exported\"\npath = \"{net}\"\n[loss]\n\
             name = \"cross-entropy\"\n[optimizer]\nname = \"gd\"\nlearning_rate = 0.1\n[training]\nbatch_size = \
             \"full\"\nsteps = 4\n[track]\nmeasures = [\"sharpness\"]\nevery = 2\nmode = \"{mode}\"\n"
        )
    };
    refused(&Place::new(&config("batch")), &["train", "run.toml"], &["dropped at random (Dropout)", "run.toml:18"]);
    let place = Place::new(&config("evaluation"));
    let output = place.run(&["train", "run.toml"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("drops numbers at random"), "{}", text(&output.stderr));
}

#[test]
fn archives_that_do_not_fit_are_refused() {
    let place = Place::new("");
    let (net, drop, data) = (exported("net.pt2"), exported("dropout.pt2"), exported("data.npz"));
    let other = |name: &str| format!("{}/../exchange/tests/archives/{name}.pt2", env!("CARGO_MANIFEST_DIR"));
    let (mlp, two, gpt) = (other("mlp"), other("two-inputs"), other("gpt"));
    let (toml, shifted) = (reference("model.toml"), other("places/shifted"));
    // The last token is the last row of the embedding, which looks one row further.
    let tokens: [i64; 8] = [0, 1, 1, 2, 3, 1, 0, 4];
    npz(&place, "tokens.npz", &[4, 2], &tokens, &Y::Labels(&[0, 1, 2, 3]));
    for (arguments, expected) in [
        (&["--model", &net, "--data", &data][..], "name it with --loss"),
        (
            &["--model", &shifted, "--data", "tokens.npz", "--vocabulary", "5", "--loss", "cross-entropy"],
            "place 5 is asked for, of 5",
        ),
        (&["--model", &net, "--data", &data, "--loss", "crossentropy"], "unknown loss `crossentropy`"),
        (&["--model", &net, "--data", &data, "--loss", "binary-cross-entropy"], "label 2"),
        (&["--model", &mlp, "--data", &data, "--loss", "cross-entropy"], "`input`, floats [n, 4]"),
        (&["--model", &two, "--data", &data, "--loss", "cross-entropy"], "takes 2 inputs"),
        (&["--model", &gpt, "--data", &data, "--loss", "cross-entropy"], "tokens"),
        (&["--model", &toml, "--data", &data, "--loss", "cross-entropy"], "leave --loss out"),
        (&["--model", &toml, "--data", &data], "--weights"),
        (&["--model", &net, "--data", &data, "--loss", "cross-entropy", "--weights", &data], "not read"),
        (
            &["--model", &drop, "--data", &data, "--loss", "cross-entropy", "--mode", "batch"],
            "dropped at random (Dropout)",
        ),
    ] {
        let output = place.run(&[&["analyze", "--only", "norms"], arguments].concat());
        let message = text(&output.stderr).split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
}
