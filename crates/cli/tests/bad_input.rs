//! Bad input: a clear word that says what, where and what to do, exit code 2, and nothing already written is lost.

use std::fs;
use std::io::Write;

use crate::common::{CONFIG, FLOWING, Place, text};

/// The message with line breaks and the margin of the drawing folded into single spaces.
fn folded(bytes: &[u8]) -> String {
    text(bytes).replace(['│', '╭', '╰', '─', '×', '·'], " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn refused(place: &Place, arguments: &[&str], words: &[&str]) {
    let output = place.run(arguments);
    let message = folded(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    for word in words {
        assert!(message.contains(word), "{arguments:?}: `{message}` should contain `{word}`");
    }
    assert!(!message.contains("panicked"), "{message}");
}

#[test]
fn flows_that_do_not_model_the_training() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("\"full\"", "10", &["full-batch training", "run.toml:13:14"]),
        ("every = 7", "every = 0", &["every must be at least 1"]),
        ("every = 7", "every = 60", &["400 steps have no 8 looks 60 steps apart"]),
        ("every = 7", "every = 7\ntop = 0", &["top must be at least 1"]),
        ("every = 7", "every = 7\nstart = 201", &["over the last half of 400 steps: begin at 200"]),
        ("every = 7", "every = 7\nflows = []", &["no flow is named"]),
        ("every = 7", "every = 7\nflows = [\"rod\", \"rod\"]", &["rod is named twice"]),
        ("every = 7", "every = 7\nflows = [\"rid\"]", &["rid", "rod"]),
        ("name = \"gd\"", "name = \"lion\"", &["no flow models this rule"]),
        ("rate = 0.5", "rate = 0.5\nsam = { rho = 0.1 }", &["no flow models SAM"]),
        ("rate = 0.5", "rate = 0.5\nweight_decay = 0.1", &["no flow models weight decay"]),
        ("rate = 0.5", "rate = 0.5\nclip_norm = 1.0", &["no flow models clipping"]),
        ("rate = 0.5", "rate = 0.5\nschedule = { name = \"cosine\" }", &["no flow models a schedule"]),
    ];
    for (from, to, words) in cases {
        assert!(FLOWING.contains(from), "{from}");
        refused(&Place::new(&FLOWING.replace(from, to)), &["train", "run.toml"], words);
    }
    let momentum = FLOWING.replace("\"gd\"", "\"momentum\"");
    let late = momentum.replace("every = 7", "every = 7\nstart = 1");
    refused(&Place::new(&late), &["flow", "run.toml"], &["begin where these do"]);
    let edge = momentum.replace("every = 7", "every = 7\nflows = [\"edge\"]");
    refused(&Place::new(&edge), &["flow", "run.toml"], &["the edge flow models gd"]);
    refused(&Place::new(CONFIG), &["flow", "run.toml"], &["no [flow] table"]);
    // What they take is known before anything is done.
    let wide = FLOWING.replace("[8]", "[300, 300]");
    let within = &["train", "run.toml", "--memory", "100MB"];
    refused(&Place::new(&wide), within, &["for the flows beside it"]);
    let (alone, _) = wide.split_once("[flow]").expect("it is the last table");
    assert!(Place::new(alone).run(within).status.success());
}

#[test]
fn a_state_that_does_not_fit() {
    // Each dimension of 2,000 has two matrices of 32 MB.
    let wide = CONFIG.replace("[16]", "[2000]").replace("\"momentum\"", "\"soap\"");
    let within = &["train", "run.toml", "--memory", "90MB", "-s", "training.steps=2"];
    refused(&Place::new(&wide), within, &["training needs about", "for 10002 parameters"]);
    let short = wide.replace("\"soap\"", "\"soap\"\nlargest = 100");
    assert!(Place::new(&short).run(within).status.success());
}

#[test]
fn in_the_configuration() {
    // What is replaced in the configuration, by what, and what the message must say.
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "learning_rate = 0.1",
            "lerning_rate = 0.1",
            &["unknown key `lerning_rate`", "did you mean `learning_rate`?", "run.toml:11:1"],
        ),
        ("hidden = [16]", "hiden = [16]", &["unknown key `hiden`", "did you mean `hidden`?", "run.toml:6:1"]),
        ("[loss]", "[los]", &["unknown key `los`", "did you mean `loss`?", "run.toml:7:2"]),
        ("rho = 0.05", "roh = 0.05", &["unknown key `roh`", "did you mean `rho`?", "run.toml:13:9"]),
        ("learning_rate = 0.1", "learning_rate = \"fast\"", &["invalid type", "run.toml:11:17"]),
        ("steps = 100", "steps = -1", &["invalid value", "run.toml:16:9"]),
        (
            "learning_rate = 0.1",
            "learning_rate = -0.1",
            &["learning_rate = -0.1 is not possible", "positive", "run.toml:11:17"],
        ),
        ("learning_rate = 0.1", "learning_rate = nan", &["learning_rate = NaN is not possible", "run.toml:11:17"]),
        ("rho = 0.05", "rho = -1", &["rho = -1 is not possible", "run.toml:13"]),
        ("hidden = [16]", "hidden = [16, 0]", &["hidden layer 2 has width 0", "run.toml:6:10"]),
        ("batch_size = 20", "batch_size = 200", &["batches of 200 samples", "only 160", "run.toml:15:14"]),
        ("batch_size = 20", "batch_size = 0", &["at least one sample", "run.toml:15:14"]),
        ("steps = 100", "", &["Set epochs or steps"]),
        ("checkpoint_every = 10", "checkpoint_every = 0", &["checkpoint_every must be at least 1"]),
        ("name = \"moons\"", "name = \"mons\"", &["unknown name `mons`", "did you mean `moons`?", "run.toml:2:8"]),
        (
            "name = \"momentum\"",
            "name = \"momentun\"",
            &["unknown name `momentun`", "did you mean `momentum`?", "run.toml:10:8"],
        ),
        ("name = \"moons\"\nsamples = 200", "samples = 200", &["[data] needs a name"]),
        ("samples = 200", "samples = 0", &["samples = 0 is not possible", "run.toml:3:11"]),
        (
            "name = \"moons\"",
            "name = \"teacher-student\"",
            &["cross-entropy needs labels", "squared-error", "run.toml:8"],
        ),
        ("samples = 200", "samples = 200\nrandom_labels = 1.5", &["random_labels = 1.5", "from 0 to 1"]),
        ("samples = 200", "samples = 200\ntest_fraction = 1.0", &["test_fraction = 1", "below 1"]),
        ("steps = 100", "steps = 0", &["steps must be at least 1", "run.toml:16:9"]),
        ("steps = 100", "epochs = 9000000000000000", &["epochs would take more than", "run.toml:16:10"]),
        ("batch_size = 20", "batch_size = -1", &["expected a number of samples or \"full\"", "run.toml:15:14"]),
        ("batch_size = 20", "batch_size = \"ful\"", &["expected a number of samples or \"full\"", "run.toml:15:14"]),
        ("hidden = [16]", "hidden = [1000000000000]", &["the network would have", "parameters", "run.toml:6:10"]),
        ("samples = 200", "samples = 1000000000000", &["do not fit into memory", "run.toml:3:11"]),
        ("[data]", "seed = 18446744073709551615\n[data]", &["seed = 18446744073709551615 is not possible"]),
        ("name = \"momentum\"", "name = \"adamw\"\nbeta_2 = 0.99999999", &["beta_2 = 1 is not possible"]),
        ("name = \"momentum\"", "name = \"adafactor\"\nweight_decay = 1e39", &["weight_decay = inf is not possible"]),
        ("name = \"momentum\"", "name = \"lbfgs\"\nclip_norm = 1", &["go around rules", "lbfgs"]),
        ("steps = 100", "steps = 100\nlabel_noise = 1.5", &["label_noise = 1.5 is not possible", "from 0 to 1"]),
        ("rho = 0.05", "rho = 0.05, weight = -1.0", &["weight = -1 is not possible", "run.toml:13"]),
        (
            "checkpoint_every = 10",
            "checkpoint_every = 10\n[average]\nname = \"ema\"\ndecay = 1.0",
            &["decay = 1 is not possible", "run.toml:20:9"],
        ),
        (
            "checkpoint_every = 10",
            "checkpoint_every = 10\n[average]\nname = \"swa\"\nstart = 101",
            &["start = 101 is not possible"],
        ),
        (
            "checkpoint_every = 10",
            "checkpoint_every = 10\n[average]\nname = \"emma\"",
            &["unknown name `emma`", "did you mean `ema`?"],
        ),
        (
            "checkpoint_every = 10",
            "checkpoint_every = 10\n[average]\nname = \"lawa\"\nlsat = 3",
            &["unknown key `lsat`"],
        ),
        ("[model]", "[model", &["run.toml"]),
        ("[data]", "label = \"a/b\"\n[data]", &["`a/b` cannot name a folder"]),
    ];
    for (old, new, words) in cases {
        assert!(CONFIG.contains(old), "{old}");
        let place = Place::new(&CONFIG.replace(old, new));
        refused(&place, &["train", "run.toml"], words);
        assert!(!place.path().join("runs").exists(), "{new}: nothing is written");
    }
}

#[test]
fn in_a_network_of_images() {
    let model = "name = \"cnn\"\nlayers = [{ channels = 4 }]";
    let config = CONFIG.replace("name = \"mlp\"\nhidden = [16]", model);
    let images = config.replace("name = \"moons\"\nsamples = 200", "name = \"digits\"");
    let layer = |layer: &str| images.replace("{ channels = 4 }", layer);
    let model =
        |name: &str| images.replace("name = \"cnn\"\nlayers = [{ channels = 4 }]", &format!("name = \"{name}\""));
    let loss = |loss: &str| images.replace("name = \"cross-entropy\"", loss);
    let normed = |size: &str| {
        layer("{ channels = 4 }")
            .replace("name = \"cnn\"", "name = \"cnn\"\nnorm = \"batch\"")
            .replace("batch_size = 20", size)
    };
    let cases: &[(String, &[&str])] = &[
        (normed("batch_size = 1"), &["batch norm takes mean and variance of a batch", "only its own", "batch_size"]),
        (
            normed("batch_size = 4\naugment = { crop = 8 }"),
            &["crop = 8 is not possible", "would leave the frame", "augment"],
        ),
        (CONFIG.to_owned() + "augment = { flip = true }\n", &["images are augmented, and these are rows of 2 numbers"]),
        (model("vgg"), &["it halves images five times"]),
        (model("lstm"), &["the network takes tokens, and the samples are images"]),
        (loss("name = \"binary-cross-entropy\""), &["is for two classes, but this data has 10"]),
        (loss("name = \"cross-entropy\"\nlabel_smoothing = 1.5"), &["label_smoothing = 1.5 is not possible"]),
        (loss("name = \"squared-error\"\ndelta = 1.0"), &["delta = 1 is not possible: this loss has no such setting"]),
        (config, &["the network takes images, and the samples are rows of 2 numbers", "run.toml:5:8"]),
        (
            layer("{ channels = 4, kernel = 11, padding = 0 }"),
            &["convolution 1: its kernel of 11 is larger than the image of 8", "run.toml:5:10"],
        ),
        (
            layer("{ channels = 4, pool = 2 }, { channels = 4, pool = 3 }"),
            &["convolution 2: pooling by 3 would leave pixels out: its output has 4 in a line", "run.toml:5:10"],
        ),
        (layer("{ channels = 0 }"), &["convolution 1: channels = 0 is not possible", "run.toml:5:10"]),
        (layer("{ chanels = 4 }"), &["unknown key `chanels`", "did you mean `channels`?"]),
        (layer("{ channels = 4 }").replace("name = \"cnn\"", "name = \"cnm\""), &["did you mean `cnn`?"]),
    ];
    for (config, words) in cases {
        refused(&Place::new(config), &["train", "run.toml"], words);
    }
}

#[test]
fn on_the_command_line() {
    let place = Place::new(CONFIG);
    let cases: &[(&[&str], &[&str])] = &[
        (&["train", "missing.toml"], &["cannot read missing.toml"]),
        (&["train", "run.toml", "-s", "optimizer.lr=1"], &["unknown key `lr`", "command line"]),
        (&["train", "run.toml", "-s", "optimizer.learning_rate"], &["sets nothing", "key=value"]),
        (&["train", "run.toml", "-s", "training.steps.x=1"], &["runs through a value that is not a table"]),
        (
            &["train", "run.toml", "-s", "precision=f64", "-s", "optimizer.name=lion"],
            &["Burn reads this optimizer's state in f32 only"],
        ),
        (&["train", "run.toml", "--device", "cuda"], &["cuda is not compiled in", "--features cuda"]),
        (&["train", "run.toml", "--device", "tpu"], &["unknown device `tpu`", "flex"]),
        (&["train", "run.toml", "--out", "/dev/null/runs"], &["cannot create /dev/null/runs"]),
        (&["data", "export", "digit", "--out", "x.npz"], &["unknown name `digit`", "did you mean `digits`?"]),
        (&["data", "list", "digit"], &["unknown name `digit`", "did you mean `digits`?"]),
        (&["data", "export", "least-squares", "--out", "x.npz"], &["missing field"]),
        (&["data", "export", "moons", "--out", "/dev/null/x.npz"], &["cannot write /dev/null/x.npz"]),
        (&["report", "nowhere"], &["cannot read nowhere/manifest.json"]),
        (&["compare", "a", "b"], &["cannot read a/manifest.json"]),
        (&["fit"], &["unrecognized subcommand"]),
    ];
    for (arguments, words) in cases {
        refused(&place, arguments, words);
    }
}

#[test]
fn in_data_files() {
    let base = CONFIG.replace("name = \"moons\"\nsamples = 200", "DATA");
    // A whole IDX pair of three 2×2 images, from which broken ones are made.
    let images: Vec<u8> = [&[0u8, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2][..], &[7; 12]].concat();
    let labels: Vec<u8> = [&[0u8, 0, 8, 1, 0, 0, 0, 3][..], &[0, 1, 2]].concat();
    let idx = "name = \"idx\"\nimages = \"i\"\nlabels = \"l\"";
    let csv = "name = \"csv\"\npath = \"d.csv\"";
    let npz = "name = \"npz\"\npath = \"d.npz\"";
    type Case<'a> = (&'a str, &'a [(&'a str, &'a [u8])], &'a [&'a str]);
    let cases: &[Case] = &[
        (idx, &[], &["cannot read", "/i: No such file", "run.toml:1:2"]),
        (idx, &[("i", &images[..20]), ("l", &labels)], &["/i is truncated: 28 bytes expected, 20 found"]),
        (idx, &[("i", &images[..3]), ("l", &labels)], &["/i is truncated"]),
        (idx, &[("i", b"not an idx file"), ("l", &labels)], &["no IDX file"]),
        (idx, &[("i", &images), ("l", &images)], &["labels must have one dimension"]),
        (idx, &[("i", &images), ("l", &[0, 0, 8, 1, 0, 0, 0, 2, 0, 1])], &["3 against 2"]),
        (
            "name = \"idx\"\nimages = \"i\"\nlabels = \"l\"\nclasses = 2",
            &[("i", &images), ("l", &labels)],
            &["sample 2 has label 2", "2 classes", "run.toml:5:11"],
        ),
        (
            "name = \"cifar10\"\nfiles = [\"c\"]",
            &[("c", &[1; 3000])],
            &["/c is truncated: 3073 bytes expected, 3000 found"],
        ),
        (csv, &[], &["cannot read", "d.csv: No such file"]),
        (csv, &[("d.csv", b"x,y\n1,0\nfast,1\n")], &["d.csv:3: column `x` holds `fast`"]),
        (csv, &[("d.csv", b"x,y\n1,0\n1\n")], &["d.csv:3"]),
        (csv, &[("d.csv", b"x,y\n1,0\nNaN,1\n")], &["d.csv:3: the value of column `x` is missing (`NaN`)"]),
        (csv, &[("d.csv", b"x,y\n")], &["the dataset has no samples"]),
        ("name = \"csv\"\npath = \"d.csv\"\ntarget = \"z\"", &[("d.csv", b"x,y\n1,0\n")], &["no column `z`", "x, y"]),
        (npz, &[], &["cannot read", "d.npz: No such file"]),
        (npz, &[("d.npz", b"PK\x03\x04 cut short")], &["no complete NumPy archive"]),
    ];
    for (data, files, words) in cases {
        let place = Place::new(&base.replace("DATA", data));
        for (name, bytes) in *files {
            fs::write(place.path().join(name), bytes).expect("the folder can be written");
        }
        refused(&place, &["train", "run.toml"], words);
    }
    // A NumPy archive cut in the middle, and one whose labels exceed the classes.
    let place = Place::new(&base.replace("DATA", npz));
    assert!(place.run(&["data", "export", "moons", "--out", "d.npz"]).status.success());
    refused(&place, &["train", "run.toml", "-s", "data.classes=1"], &["has label 1", "1 classes"]);
    let whole = fs::read(place.path().join("d.npz")).expect("the archive was written");
    fs::write(place.path().join("d.npz"), &whole[..whole.len() / 2]).expect("the folder can be written");
    refused(&place, &["train", "run.toml"], &["no complete NumPy archive"]);
}

#[test]
fn in_a_run_folder() {
    let place = Place::new(CONFIG);
    assert!(place.run(&["train", "run.toml"]).status.success());
    let folder = place.run_folder();

    // The newest checkpoint truncated: the one before it is used, and the run ends in the same weights.
    let weights = place.weights();
    fs::remove_file(folder.join("status.json")).expect("the file is there");
    let cut = |step: &str, file: &str| {
        let path = folder.join("checkpoints").join(step).join(file);
        let bytes = fs::read(&path).expect("the checkpoint is there");
        fs::write(&path, &bytes[..bytes.len() / 2]).expect("it can be written");
    };
    cut("step-00000100", "model.bpk");
    let output = place.run(&["train", "run.toml"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        text(&output.stderr).contains("model.bpk: its content is not what was written"),
        "{}",
        text(&output.stderr)
    );
    assert!(text(&output.stderr).contains("going on from step 90"));
    assert!(place.weights() == weights, "the weights differ");

    // Both truncated: refused, and --fresh starts over.
    fs::remove_file(folder.join("status.json")).expect("the file is there");
    cut("step-00000100", "optimizer.bpk");
    cut("step-00000090", "state.json");
    refused(&place, &["train", "run.toml"], &["no checkpoint is whole", "--fresh"]);
    assert!(place.run(&["train", "run.toml", "--fresh"]).status.success());
    assert!(place.weights() == weights, "the weights differ");

    // The manifest of another run, and of another device.
    let manifest = fs::read_to_string(folder.join("manifest.json")).expect("the manifest is there");
    let id = folder.file_name().expect("it has a name").to_string_lossy().rsplit('-').next().unwrap_or("").to_owned();
    fs::write(folder.join("manifest.json"), manifest.replace(&id, "0123456789abcdef")).expect("it can be written");
    refused(&place, &["train", "run.toml"], &["holds run 0123456789abcdef", "its config.toml or its name was changed"]);
    fs::write(folder.join("manifest.json"), manifest.replace("\"flex\"", "\"cuda\"")).expect("it can be written");
    refused(&place, &["train", "run.toml"], &["was started on device cuda", "--fresh"]);
    fs::write(folder.join("manifest.json"), "{").expect("it can be written");
    refused(&place, &["train", "run.toml"], &["manifest.json: EOF"]);
}

/// A limit on file size stands for a full disk: the write fails in the middle of a file.
#[test]
fn a_full_disk_keeps_what_was_written() {
    // Two networks that differ in size: the checkpoints of the second do not fit.
    let place = Place::new(&CONFIG.replace("hidden = [16]", "hidden = [64, 64]"));
    let limited = |blocks: u32| {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" train run.toml");
        std::process::Command::new("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_losscape")])
            .current_dir(place.path())
            .output()
            .expect("sh starts")
    };
    let output = limited(8);
    let message = folded(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("model.bpk") || message.contains("File too large"), "{message}");
    let status = fs::read_to_string(place.run_folder().join("status.json")).expect("the status is there");
    assert!(status.contains("failed"), "{status}");

    // With space again, the run starts where it can and ends.
    let output = place.run(&["train", "run.toml"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let mut lock =
        fs::OpenOptions::new().write(true).open(place.run_folder().join("run.lock")).expect("the lock is there");
    lock.write_all(b"").expect("it can be written");
    lock.try_lock().expect("nobody holds the lock any more");
    refused(&place, &["train", "run.toml"], &["another process is at work on"]);
}
