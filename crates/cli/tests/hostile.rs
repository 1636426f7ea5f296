//! Input that means harm, or that nobody thought of: no panic, no memory or time without end, nothing written
//! elsewhere, nothing that a shell, a terminal or a spreadsheet would obey.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::process::{Command, Output, Stdio};

use crate::common::{CONFIG, Place, text};

/// Standard error without the drawing, in one line.
fn said(output: &Output) -> String {
    text(&output.stderr).replace(['│', '╭', '╰', '─', '×', '·'], " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn refused(output: &Output, words: &str) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(words), "`{said}` should contain `{words}`");
}

/// A study of two runs in `s.toml`, with this behind its axes.
fn study(more: &str) -> Place {
    let place = Place::new("");
    let study = format!("{CONFIG}[study]\n{more}[study.axes]\nseed = [0, 1]\n");
    fs::write(place.path().join("s.toml"), study).expect("the folder can be written");
    place
}

fn submitted(place: &Place, more: &[&str]) -> String {
    let output = place.run(&[&["study", "submit", "s.toml", "--dry-run", "--launcher"], more].concat());
    assert!(output.status.success(), "{}", said(&output));
    let file = if more[0] == "slurm" { "array.sbatch" } else { "job.yaml" };
    fs::read_to_string(place.path().join("studies/s/cluster").join(file)).expect("there is a script")
}

#[test]
fn sizes_are_bounded_before_memory_is_taken() {
    let deep = format!("hidden = [{}]", "1, ".repeat(10_000));
    let long = format!("hidden = [16]\nx = [{}]", "1, ".repeat(4_000_000));
    for (from, to, words) in [
        ("hidden = [16]", deep.as_str(), "10000 hidden layers; at most 1000"),
        ("hidden = [16]", &long, "has more than 1 MiB"),
        ("hidden = [16]", "hidden = [30000, 30000]", "training needs about"),
        (
            "name = \"mlp\"\nhidden = [16]",
            "name = \"linear\"\nfeatures = { name = \"polynomial\", degree = 9223372036854775807 }",
            "features",
        ),
        (
            "sam = { rho = 0.05 }",
            "sharpness_penalty = { weight = 0.1, iterations = 9223372036854775807 }",
            "from 1 to 1000",
        ),
    ] {
        let place = Place::new(&CONFIG.replace(from, to));
        refused(&place.run(&["train", "run.toml", "--memory", "10GB"]), words);
        assert!(!place.path().join("runs").exists(), "nothing is written");
    }
    let place = Place::new(CONFIG);
    refused(&place.run(&["train", "run.toml", "--memory", "1M"]), "1.0 MB are free");
    // 2·16 + 16 + 16·2 + 2, and ten monomials of two inputs up to degree 3 for two outputs.
    let cubic = "model={name=\"linear\",features={name=\"polynomial\",degree=3}}";
    for (model, parameters) in [("seed=0", "for 82 parameters"), (cubic, "for 20 parameters")] {
        refused(&place.run(&["train", "run.toml", "--memory", "1M", "-s", model]), parameters);
    }
    refused(&place.run(&["train", "run.toml", "--memory", "much"]), "`much` is no amount of memory");
    refused(&place.run(&["train", "/dev/zero"]), "has more than 1 MiB");
}

#[test]
fn whole_numbers_at_their_ends() {
    let place = Place::new(CONFIG);
    for key in [
        "seed",
        "training.steps",
        "training.log_every",
        "training.evaluate_every",
        "data.samples",
        "optimizer.schedule.steps",
    ] {
        for number in ["9223372036854775808", "18446744073709551616", "-1"] {
            let output = place.run(&["train", "run.toml", "-s", &format!("{key}={number}")]);
            assert_eq!(output.status.code(), Some(2), "{key} = {number}: {}", said(&output));
        }
    }
    // Ends as far apart as they can be.
    let axis = "design = \"random\"\nruns = 20\n";
    let place = study(axis);
    let path = place.path().join("s.toml");
    let range = "{ low = -9223372036854775808, high = 9223372036854775807 }";
    let text = fs::read_to_string(&path)
        .expect("it was written")
        .replace("seed = [0, 1]", &format!("\"training.log_every\" = {range}"));
    fs::write(&path, text).expect("it can be written");
    refused(&place.run(&["study", "plan", "s.toml"]), "invalid value: integer `-");
}

#[test]
fn streams_that_cannot_be_written() {
    let place = Place::new(CONFIG);
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    for arguments in [&["list", "losses"][..], &["--help"], &["completions", "bash"], &["train", "run.toml"]] {
        let output = place.command(arguments).stdout(full()).output().expect("the tool starts");
        refused(&output, "cannot write to standard output: No space left");
    }
    let output = place.command(&["train", "nowhere.toml"]).stderr(full()).output().expect("the tool starts");
    assert_eq!(output.status.code(), Some(2));
    // A reader who has seen enough.
    for arguments in [&["list", "losses"][..], &["completions", "bash"], &["claims", "list"]] {
        let mut child =
            place.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the tool starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn threads_that_cannot_be_started() {
    let place = Place::new(CONFIG);
    for (number, words) in
        [("100000", "RAYON_NUM_THREADS=100000 is not possible"), ("many", "a number of threads up to 1024")]
    {
        refused(
            &place.command(&["train", "run.toml"]).env("RAYON_NUM_THREADS", number).output().expect("it starts"),
            words,
        );
    }
}

#[test]
fn names_that_are_not_utf_8() {
    let place = Place::new(CONFIG);
    let named = |name: &[u8]| place.path().join(OsStr::from_bytes(name));
    fs::copy(place.path().join("run.toml"), named(b"r\xff.toml")).expect("it can be copied");
    refused(
        &place.command(&["train"]).arg(OsStr::from_bytes(b"r\xff.toml")).output().expect("it starts"),
        "its name is not UTF-8",
    );
    fs::create_dir(named(b"d\xff")).expect("it can be made");
    fs::copy(place.path().join("run.toml"), named(b"d\xff/run.toml")).expect("it can be copied");
    fs::write(named(b"d\xff/s.toml"), format!("{CONFIG}[study.axes]\nseed = [0, 1]\n")).expect("it can be written");
    fs::write(named(b"d\xff/d.csv"), "x,y\n1,0\n2,1\n").expect("it can be written");
    let csv = CONFIG.replace("name = \"moons\"\nsamples = 200", "name = \"csv\"\npath = \"d.csv\"");
    fs::write(named(b"d\xff/csv.toml"), csv).expect("it can be written");
    let with = |arguments: &[&str], file: &[u8]| {
        place.command(arguments).arg(OsStr::from_bytes(file)).output().expect("it starts")
    };
    refused(&with(&["study", "plan"], b"d\xff/s.toml"), "must be UTF-8");
    refused(&with(&["train"], b"d\xff/csv.toml"), "is not UTF-8, as the run's config.toml must be");
    // What is only written into is no matter.
    let output = with(&["train", "run.toml", "--out"], b"d\xff/runs");
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn no_escape_sequence_reaches_the_terminal() {
    let place = Place::new(&format!("\"x\u{1b}[31m\" = 1\n{CONFIG}").replace("\u{1b}", "\\u001b"));
    let escape = "\u{1b}]0;title\u{7}\u{1b}[31m";
    fs::write(place.path().join("raw.toml"), format!("# {escape}\ny = 1\n{CONFIG}")).expect("it can be written");
    fs::write(place.path().join("label.toml"), format!("label = \"\\u001b[31m\"\n{CONFIG}"))
        .expect("it can be written");
    for arguments in [
        &["train", "run.toml"][..],
        &["train", "raw.toml"],
        &["train", "label.toml"],
        &["train", escape],
        &["train", "run.toml", "-s", escape],
        &["train", "run.toml", "--memory", escape],
        &["train", "run.toml", "--device", escape],
        &["claims", "run", escape],
        &[escape],
        &["train", "run.toml", "--colour", escape],
    ] {
        // Colours of ours would be escape sequences too.
        let output = place.command(arguments).env("CLICOLOR_FORCE", "0").output().expect("the tool starts");
        let printed = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!printed.contains(&0x1b) && !printed.contains(&7), "{arguments:?}: {}", text(&printed).escape_debug());
    }
}

#[test]
fn nothing_runs_as_shell() {
    // Options in quotes.
    let place = study("");
    let array =
        submitted(&place, &["slurm", "--option", "comment=a b", "--option", "exclusive", "--option", "wckey=\"$(x)\\"]);
    for line in ["#SBATCH --comment=\"a b\"\n", "#SBATCH --exclusive\n", "#SBATCH --wckey=\"\\\"$(x)\\\\\"\n"] {
        assert!(array.contains(line), "{line}: {array}");
    }
    for option in ["comment=a\nrm -rf /", "--time=1", "=x", "a b=c", "#"] {
        let output = place.run(&[
            "study",
            "submit",
            "s.toml",
            "--dry-run",
            "--launcher",
            "slurm",
            &format!("--option={option}"),
        ]);
        refused(&output, "is none of sbatch's");
    }
    // A path as one word, in whatever it has; a line's end in it is refused.
    let odd = "it's $(touch pwned) `touch pwned` \"; touch pwned; #";
    let out = place.path().join(odd);
    let arguments = ["study", "submit", "s.toml", "--dry-run", "--launcher", "slurm", "--out", odd];
    assert!(place.run(&arguments).status.success());
    let script = out.join("s/cluster/array.sbatch");
    let task = Command::new("bash").arg(&script).env("SLURM_ARRAY_TASK_ID", "0").current_dir(place.path()).output();
    let task = task.expect("bash starts");
    assert!(task.status.success(), "{}", said(&task));
    assert!(!place.path().join("pwned").exists());
    let output =
        place.run(&["study", "submit", "s.toml", "--dry-run", "--launcher", "slurm", "--out", "a\ntouch pwned\n#"]);
    refused(&output, "cannot stand in a script");
    fs::copy(place.path().join("s.toml"), place.path().join("s\ntouch pwned\n#.toml")).expect("it can be copied");
    refused(&place.run(&["study", "plan", "s\ntouch pwned\n#.toml"]), "without control characters");
}

/// YAML reads `on`, `null` and dates as something else than words.
#[test]
fn names_in_yaml_are_words() {
    for name in ["on", "null", "2024-01-02", "123", "1e3"] {
        let place = study("");
        fs::rename(place.path().join("s.toml"), place.path().join(format!("{name}.toml"))).expect("it can be renamed");
        let arguments = ["study", "submit", &format!("{name}.toml"), "--launcher", "kubernetes", "--out", "x$(HOME)"];
        assert!(place.run(&arguments).status.success());
        let manifest = place.path().join("x$(HOME)").join(name).join("cluster/job.yaml");
        let manifest = fs::read_to_string(manifest).expect("there is a manifest");
        assert!(manifest.contains(&format!("  name: \"{name}\"\n")), "{manifest}");
        assert!(manifest.contains(&format!("claimName: \"{name}\" }}")), "{manifest}");
        let command = manifest.lines().find(|line| line.contains("command:")).expect("it has one");
        assert!(command.contains("x$$(HOME)") && command.contains("\"$(JOB_COMPLETION_INDEX)\""), "{command}");
    }
}

#[test]
fn nothing_is_written_outside_the_study() {
    let place = study("");
    assert!(place.run(&["study", "plan", "s.toml"]).status.success());
    let plan = place.path().join("studies/s/plan.jsonl");
    let whole = fs::read_to_string(&plan).expect("it was planned");
    let folder = whole.split("\"folder\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("it names folders");
    for other in ["../../../x", "/tmp/x", "..", ".", "", "a/b", "a\\u0000"] {
        fs::write(&plan, whole.replace(folder, other)).expect("it can be written");
        for command in ["run", "status"] {
            refused(&place.run(&["study", command, "studies/s"]), "which is no plain name");
        }
    }
    fs::write(&plan, &whole).expect("it can be written");

    // Links to what is not the study's.
    let foreign = place.path().join("foreign");
    fs::create_dir(&foreign).expect("it can be made");
    fs::write(foreign.join("file"), "mine").expect("it can be written");
    symlink(&foreign, place.path().join("studies/s/cluster")).expect("it can be linked");
    let arguments = ["study", "submit", "s.toml", "--dry-run", "--launcher", "slurm"];
    refused(&place.run(&arguments), "it is a link");
    let run = place.path().join("studies/s/runs").join(folder);
    fs::create_dir_all(&run).expect("it can be made");
    for name in ["worker.log", "result.json", "failure.json"] {
        symlink(foreign.join("file"), run.join(name)).expect("it can be linked");
    }
    symlink(foreign.join("file"), place.path().join("studies/s/results.csv")).expect("it can be linked");
    place.run(&["study", "run", "s.toml", "-j", "1"]);
    assert_eq!(fs::read_to_string(foreign.join("file")).expect("it is there"), "mine");
    assert_eq!(fs::read_dir(&foreign).expect("it can be read").count(), 1);
}

#[test]
fn no_cell_is_a_formula() {
    let place = study("measures = []\n");
    let file = place.path().join("s.toml");
    let labels = "label = [\"=1+1\", \"@SUM(A1)\", \"-2\", \"plain\"]";
    let config = fs::read_to_string(&file).expect("it was written").replace("seed = [0, 1]", labels);
    fs::write(&file, config.replace("steps = 100", "steps = 1")).expect("it can be written");
    let output = place.run(&["study", "run", "s.toml", "-j", "2"]);
    assert!(output.status.success(), "{}", said(&output));
    // Runs that differ in their label are one run: the first is there.
    let table = fs::read_to_string(place.path().join("studies/s/results.csv")).expect("there is a table");
    assert!(table.contains(",'=1+1,"), "{table}");
}

#[test]
fn a_mangled_manifest_is_no_panic() {
    let place = Place::new(&CONFIG.replace("steps = 100", "steps = 1"));
    for seed in ["0", "1"] {
        assert!(place.run(&["train", "run.toml", "-s", &format!("seed={seed}")]).status.success());
    }
    let mut runs: Vec<_> =
        fs::read_dir(place.path().join("runs")).expect("there are runs").flatten().map(|run| run.path()).collect();
    runs.sort();
    let manifest = runs[0].join("manifest.json");
    let whole = fs::read_to_string(&manifest).expect("it is there");
    let id =
        whole.split("\"run_id\": \"").nth(1).and_then(|rest| rest.split('"').next()).expect("it has an id").to_owned();
    for other in ["ü€ü€", "", "\\u001b[31m"] {
        fs::write(&manifest, whole.replace(&id, other)).expect("it can be written");
        let names: Vec<String> = runs.iter().map(|run| run.display().to_string()).collect();
        let output = place.run(&["compare", &names[0], &names[1]]);
        assert!(output.status.success(), "{}", said(&output));
        assert!(!output.stdout.contains(&0x1b));
    }
}
