//! `losscape study` as a user meets it: planned, run, killed, gone on with, merged.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{Place, text};
use losscape_study::{RunResult, StudyFolder};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

/// Eight short runs.
const STUDY: &str = r#"[data]
name = "moons"
samples = 200
noise = 0.3
[model]
name = "mlp"
hidden = [16]
[loss]
name = "cross-entropy"
[optimizer]
name = "momentum"
[training]
steps = 400
checkpoint_every = 50
[study]
measures = ["bounds", "norms"]
samples = 50
[study.axes]
"optimizer.learning_rate" = [0.02, 0.1]
"training.batch_size" = [20, "full"]
seed = [0, 1]
"#;

/// A folder with the study in `small.toml`.
fn place(study: &str) -> Place {
    let place = Place::new("");
    fs::write(place.path().join("small.toml"), study).expect("the folder can be written");
    place
}

fn study_of(place: &Place) -> StudyFolder {
    StudyFolder::new(place.path().join("studies/small"))
}

/// The table without the columns that hold times.
fn table(place: &Place) -> Vec<Vec<String>> {
    let path = study_of(place).file("results.csv");
    let mut reader = csv::Reader::from_path(path).expect("there is a table");
    let names = reader.headers().expect("it has a head").clone();
    let kept: Vec<usize> = (0..names.len()).filter(|&at| !["wall_s", "steps_per_s"].contains(&&names[at])).collect();
    let pick = |record: &csv::StringRecord| kept.iter().map(|&at| record[at].to_owned()).collect::<Vec<_>>();
    let mut rows = vec![pick(&names)];
    rows.extend(reader.records().map(|record| pick(&record.expect("it is whole"))));
    rows
}

fn column(place: &Place, name: &str) -> Vec<String> {
    let table = table(place);
    let at = table[0].iter().position(|known| known == name).unwrap_or_else(|| panic!("{name} is in {:?}", table[0]));
    table[1..].iter().map(|row| row[at].clone()).collect()
}

fn succeeds(place: &Place, arguments: &[&str]) -> String {
    let output = place.run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// What the tool says when it refuses.
fn refused(place: &Place, arguments: &[&str], code: i32) -> String {
    let output = place.run(arguments);
    let said = text(&output.stderr).replace(['│', '╭', '╰', '─', '×', '·'], " ");
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

fn start(place: &Place, arguments: &[&str]) -> Child {
    let mut command = place.command(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the tool starts")
}

/// Waits for something, half a minute at most.
fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: waited for half a minute");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_study_runs_to_a_table_and_a_page() {
    let one = place(STUDY);
    let said = succeeds(&one, &["study", "run", "small.toml", "-j", "1"]);
    assert!(said.contains("8 done, 0 diverged, 0 failed, of 8"), "{said}");
    let two = place(STUDY);
    succeeds(&two, &["study", "run", "small.toml", "-j", "2", "--threads", "2"]);
    assert_eq!(table(&one), table(&two), "neither the number of workers nor of threads changes a bit");
    assert_eq!(column(&one, "index"), (0..8).map(|at| at.to_string()).collect::<Vec<_>>());
    assert_eq!(column(&one, "training.batch_size")[..4], ["20", "20", "full", "full"]);
    assert!(column(&one, "hessian_max").iter().all(|value| value.parse::<f64>().is_ok()));

    // Parquet holds what CSV holds.
    let file = fs::File::open(study_of(&one).file("results.parquet")).expect("there is a Parquet file");
    let reader = SerializedFileReader::new(file).expect("it can be read");
    let whole = fs::read_to_string(study_of(&one).file("results.csv")).expect("there is a table");
    let mut rows = csv::Reader::from_reader(whole.as_bytes());
    let names = rows.headers().expect("it has a head").clone();
    let mut count = 0;
    for (row, record) in reader.get_row_iter(None).expect("it has rows").zip(rows.records()) {
        let (row, record) = (row.expect("it is whole"), record.expect("it is whole"));
        for (at, (name, field)) in row.get_column_iter().enumerate() {
            let cell = match field {
                Field::Null => String::new(),
                Field::Str(words) => words.clone(),
                Field::Double(number) => number.to_string(),
                Field::Long(number) => number.to_string(),
                Field::Bool(flag) => flag.to_string(),
                other => panic!("{name}: {other:?}"),
            };
            assert_eq!((&names[at], &record[at]), (name.as_str(), cell.as_str()));
        }
        count += 1;
    }
    assert_eq!(count, 8);

    let page = fs::read_to_string(study_of(&one).file("report.html")).expect("there is a page");
    assert!(
        page.contains("hessian_max") && page.contains("<svg") && page.contains("over learning rate and batch size")
    );
    // A batch of all samples, 160 of 200, is a size like others.
    assert!(page.contains("batch →</th><th>20</th><th>160</th></tr>"), "{page}");
    assert!(!page.contains("src=") && !page.contains("href=\"http"), "it needs no network");

    // Nothing is done twice, and a study may grow.
    let again = one.run(&["study", "run", "small.toml"]);
    assert!(text(&again.stderr).contains("8 of 8 runs have ended already"), "{}", text(&again.stderr));
    let grown = STUDY.replace("seed = [0, 1]", "seed = [2, 0, 1]");
    fs::write(one.path().join("small.toml"), grown).expect("the folder can be written");
    let said = text(&one.run(&["study", "status", "small.toml"]).stderr);
    assert!(said.contains("was changed since it was planned"), "{said}");
    let said = text(&one.run(&["study", "run", "small.toml"]).stderr);
    assert!(said.contains("planned 4 runs beside 8") && said.contains("8 of 12 runs have ended already"), "{said}");
    assert_eq!(table(&one)[..9], table(&two)[..], "the rows before keep their places");
    fs::write(one.path().join("small.toml"), STUDY.replace("0.02", "0.03")).expect("the folder can be written");
    assert!(refused(&one, &["study", "plan", "small.toml"], 2).contains("are no longer in small.toml"));
}

#[test]
fn other_measures_are_taken_of_the_same_runs() {
    let place = place(&STUDY.replace("seed = [0, 1]", "seed = [0]"));
    let said = |arguments: &[&str]| {
        let output = place.run(arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stderr)
    };
    said(&["study", "run", "small.toml"]);
    let (losses, old) = (column(&place, "train_loss"), column(&place, "hessian_max"));
    let metrics = |at: usize| {
        let folder = study_of(&place);
        let run = folder.run_folder(&folder.planned().expect("it was planned")[at]);
        fs::metadata(run.metrics()).expect("it was trained").modified().expect("it has a time")
    };
    let trained = metrics(2);
    fs::write(
        place.path().join("small.toml"),
        STUDY.replace("seed = [0, 1]", "seed = [0]").replace("samples = 50", "samples = 100"),
    )
    .expect("the folder can be written");
    said(&["study", "plan", "small.toml"]);
    let status = text(&place.run(&["study", "status", "small.toml"]).stdout);
    assert!(status.contains("interrupted      4") && status.contains("measured with other settings"), "{status}");
    assert!(refused(&place, &["study", "merge", "small.toml"], 1).contains("4 runs are not measured"));
    said(&["study", "run", "small.toml"]);
    assert_eq!((metrics(2), column(&place, "train_loss")), (trained, losses));
    assert!(column(&place, "hessian_max").iter().zip(&old).all(|(new, old)| new != old), "of 100 samples, not of 50");

    // What does not fit into the memory allowed is a failure in words, and what was trained keeps its row.
    let kernel = STUDY.replace("seed = [0, 1]", "seed = [0]").replace("\"norms\"", "\"ntk\"");
    let small = self::place(&kernel);
    fs::write(place.path().join("small.toml"), kernel).expect("the folder can be written");
    for place in [&small, &place] {
        let said = refused(place, &["study", "run", "small.toml", "--memory", "10KB"], 1);
        assert!(said.contains("4 runs failed"), "{said}");
        let status = succeeds(place, &["study", "status", "small.toml"]);
        assert!(status.contains("failed           4") && status.contains("10000 bytes are allowed"), "{status}");
        assert_eq!(column(place, "train_loss").len(), 4);
    }
    assert!(!table(&place)[0].contains(&"hessian_max".to_owned()), "measures of other settings are not mixed in");
}

#[test]
fn what_is_said_of_data_is_said_once_for_all_runs() {
    let data = "[data]\nname = \"csv\"\npath = \"d.csv\"\ntask = \"classification\"\n";
    let rest = STUDY.split_once("[model]").expect("there is a model").1;
    let place = place(&format!("{data}[model]{rest}"));
    let rows: String = (0..40).map(|row| format!("{},{}\n", row * row % 7, 1 + row % 2)).collect();
    fs::write(place.path().join("d.csv"), format!("x,y\n{rows}")).expect("the folder can be written");
    let said = text(&place.run(&["study", "plan", "small.toml"]).stderr);
    assert_eq!(said.matches("the labels 1, 2 are the classes 0 to 1").count(), 1, "{said}");
}

/// The processes that a process has started.
fn children(id: u32) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let of = |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).unwrap_or_default();
    tasks.flat_map(|task| of(task).split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

fn kill(signal: &str, id: &str) {
    // It may have ended meanwhile.
    let _ = Command::new("kill").args(["-s", signal, id]).stderr(Stdio::null()).status();
}

#[test]
fn survives_kills_of_study_and_workers() {
    let study = STUDY.replace("steps = 400", "steps = 3000");
    let whole = place(&study);
    let begin = Instant::now();
    succeeds(&whole, &["study", "run", "small.toml", "-j", "2"]);
    let length = begin.elapsed();
    let killed = place(&study);
    let (mut kills, mut orphans) = (0, Vec::new());
    // Moments in an order without pattern: of the study alone, of workers alone, of both.
    for share in (0..60).map(|at| (at * 37 + 11) % 60) {
        let mut child = start(&killed, &["study", "run", "small.toml", "-j", "2"]);
        std::thread::sleep(length / 20 + length * share / 400);
        let workers = children(child.id());
        match share % 3 {
            0 => child.kill().expect("it can be killed"),
            1 => workers.iter().for_each(|worker| kill("KILL", worker)),
            _ => {
                child.kill().expect("it can be killed");
                workers.iter().for_each(|worker| kill("KILL", worker));
            }
        }
        if share % 3 == 1 {
            // The study starts killed workers again; it is stopped itself, with checkpoints.
            std::thread::sleep(length / 100);
            kill("TERM", &child.id().to_string());
        }
        if child.wait().expect("it ends").success() {
            break;
        }
        orphans = workers;
        kills += 1;
    }
    // Workers without a study end by themselves; the study that followed did not wait for them.
    until("workers end", || !orphans.iter().any(|worker| Path::new(&format!("/proc/{worker}")).exists()));
    assert!(kills >= 5, "{kills} kills in {length:?}");
    succeeds(&killed, &["study", "run", "small.toml", "-j", "2"]);
    println!("{kills} kills");
    assert_eq!(table(&killed), table(&whole), "after {kills} kills");
}

#[test]
fn a_run_that_another_process_holds_is_waited_for() {
    let place = place(&STUDY.replace("seed = [0, 1]", "seed = [0]"));
    succeeds(&place, &["study", "plan", "small.toml"]);
    let folder = study_of(&place);
    let planned = folder.planned().expect("it was planned");
    let run = folder.run_folder(&planned[0]);
    fs::create_dir_all(run.path()).expect("it can be made");
    let lock = fs::File::create(run.lock()).expect("it can be made");
    lock.lock().expect("nobody else holds it");
    let mut child = start(&place, &["study", "run", "small.toml", "-j", "1"]);
    let states = || folder.states(&planned).expect("the study can be read");
    until("the others are done", || states()[1..].iter().all(losscape_study::RunState::is_finished));
    assert!(child.try_wait().expect("it can be asked").is_none(), "it waits");
    assert!(!states()[0].is_finished());
    drop(lock);
    assert!(child.wait().expect("it ends").success());
    assert_eq!(column(&place, "outcome"), ["done"; 4]);
}

#[test]
fn damage_failures_and_rivals_lose_nothing() {
    let study = STUDY.replace("steps = 400", "steps = 3000").replace("seed = [0, 1]", "seed = [0]");
    let whole = place(&study);
    succeeds(&whole, &["study", "run", "small.toml"]);
    let place = place(&study);
    let folder = study_of(&place);
    let mut child = start(&place, &["study", "run", "small.toml", "-j", "1"]);
    let planned = || folder.planned().unwrap_or_default();
    let checkpoints = |at: usize| -> Option<usize> {
        let run = planned().get(at).cloned()?;
        Some(fs::read_dir(folder.run_folder(&run).checkpoints()).ok()?.flatten().filter(|e| e.path().is_dir()).count())
    };
    until("the second run has checkpoints", || checkpoints(1).unwrap_or(0) >= 2);
    assert!(refused(&place, &["study", "run", "small.toml"], 2).contains("another process is at work on"));
    kill("TERM", &child.id().to_string());
    assert_eq!(child.wait().expect("it ends").code(), Some(75));
    let said = succeeds(&place, &["study", "status", "small.toml"]);
    assert!(said.contains("done             1") && said.contains("interrupted      1"), "{said}");
    assert!(refused(&place, &["study", "merge", "small.toml"], 1).contains("3 runs have no result yet"));
    succeeds(&place, &["study", "merge", "small.toml", "--partial"]);
    assert_eq!(table(&place)[1], table(&whole)[1]);

    // The newest checkpoint of the second run is damaged, and its metrics end in the middle of a line.
    let run = folder.run_folder(&planned()[1]);
    let latest = fs::read_to_string(run.checkpoints().join("latest")).expect("there is one");
    fs::write(run.checkpoints().join(latest.trim()).join("model.bpk"), b"rubbish").expect("it can be written");
    let metrics = fs::read(run.metrics()).expect("there are metrics");
    fs::write(run.metrics(), [&metrics[..], b"{\"step\":99"].concat()).expect("it can be written");
    // A result that is damaged is no result.
    let first = folder.run_folder(&planned()[0]);
    fs::write(first.path().join("result.json"), b"{\"schema\":1,").expect("it can be written");
    // The third fails: its folder holds another run.
    let third = folder.run_folder(&planned()[2]);
    fs::create_dir_all(third.path()).expect("it can be made");
    fs::copy(first.manifest(), third.manifest()).expect("it can be copied");
    let said = refused(&place, &["study", "run", "small.toml"], 1);
    assert!(said.contains("1 runs failed"), "{said}");
    let log = fs::read_to_string(run.path().join("worker.log")).expect("there is a log");
    assert!(log.contains("note: ") && log.contains("model.bpk: its content is not what was written"), "{log}");
    let said = succeeds(&place, &["study", "status", "small.toml"]);
    assert!(said.contains("failed           1") && said.contains("holds run"), "{said}");
    // It is left alone until it is forgiven.
    assert!(refused(&place, &["study", "run", "small.toml"], 1).contains("4 of 4 runs have ended already"));
    fs::remove_file(third.manifest()).expect("it is there");
    assert!(succeeds(&place, &["study", "retry", "small.toml", "--failed"]).contains("1 failed runs"));
    succeeds(&place, &["study", "run", "small.toml"]);
    assert_eq!(table(&place), table(&whole));
}

/// Networks from PyTorch, one with dropout, are the values of an axis.
#[test]
fn archives_are_an_axis() {
    let folder = format!("{}/../lab/tests/reference/exported", env!("CARGO_MANIFEST_DIR"));
    let place = place(&format!(
        "[data]\nname = \"npz\"\npath = \"{folder}/data.npz\"\nstandardize = \"none\"\n\
         [model]\nname = \"exported\"\npath = \"{folder}/net.pt2\"\n[loss]\nname = \"cross-entropy\"\n\
         [optimizer]\nname = \"momentum\"\nlearning_rate = 0.05\n[training]\nbatch_size = 16\nsteps = 30\n\
         [study]\nmeasures = [\"bounds\"]\n[study.axes]\n\
         \"model.path\" = [\"{folder}/net.pt2\", \"{folder}/dropout.pt2\"]\n\
         \"optimizer.sam\" = [false, {{ rho = 0.05 }}]\n"
    ));
    succeeds(&place, &["study", "run", "small.toml"]);
    let of = |name: &str| column(&place, name);
    assert_eq!(of("outcome"), ["done"; 4]);
    // 4·9 + 6·36 weights, two norms, a head of 6·3 + 3; and 36·16 + 16 + 16·3 + 3.
    assert_eq!(of("parameters"), ["293", "293", "643", "643"]);
    assert!(of("hessian_max").iter().all(|value| value.parse::<f64>().is_ok_and(|value| value > 0.0)));
    // The loss of training mode is no function where numbers are dropped: known before anything is trained.
    let path = place.path().join("small.toml");
    let study = fs::read_to_string(&path).expect("it is there");
    fs::write(&path, study.replace("[study]\n", "[study]\nmode = \"batch\"\n")).expect("it can be written");
    let said = refused(&place, &["study", "run", "small.toml", "--out", "others"], 2);
    assert!(said.contains("dropped at random") && said.contains("small.toml:"), "{said}");
}

#[test]
fn divergence_is_a_result() {
    let place = place(&STUDY.replace("[0.02, 0.1]", "[0.1, 1e30]").replace("cross-entropy", "squared-error"));
    let said = succeeds(&place, &["study", "run", "small.toml"]);
    assert!(said.contains("4 done, 4 diverged, 0 failed, of 8"), "{said}");
    assert_eq!(column(&place, "outcome")[4..], ["diverged"; 4]);
    assert_eq!(column(&place, "hessian_max")[4..], [""; 4]);
}

#[test]
fn designs_make_the_runs_they_say() {
    let axes = |design: &str| STUDY.replace("[study.axes]", &format!("{design}\n[study.axes]"));
    let settings = |study: &str| {
        let place = place(study);
        succeeds(&place, &["study", "plan", "small.toml"]);
        study_of(&place).planned().expect("it was planned").into_iter().map(|run| run.set).collect::<Vec<_>>()
    };
    let grid = settings(STUDY);
    assert_eq!(grid.len(), 8);
    assert_eq!(grid[5], ["optimizer.learning_rate=0.1", "training.batch_size=20", "seed=1"]);
    // A table for each dot is the same as dots.
    let dotted = STUDY.replace("\"optimizer.learning_rate\"", "optimizer.learning_rate");
    let dotted = dotted.replace("\"training.batch_size\"", "training.batch_size");
    assert_eq!(settings(&dotted), grid);
    let list = settings(&axes("design = \"list\""));
    assert_eq!(list.len(), 2);
    assert_eq!(list[1], ["optimizer.learning_rate=0.1", "training.batch_size=\"full\"", "seed=1"]);
    let range = "{ low = 0.01, high = 1.0, scale = \"log\", count = 3 }";
    let ranged = settings(&STUDY.replace("[0.02, 0.1]", range));
    let rates: Vec<f64> = ranged.iter().map(|set| set[0][24..].parse().expect("a number")).collect();
    assert_eq!((rates[0], rates[11]), (0.01, 1.0));
    assert!((rates[4] - 0.1).abs() < 1e-15);
    let drawn = |runs: usize| {
        let study = axes(&format!("design = \"random\"\nruns = {runs}\nseed = 3"));
        settings(&study.replace("[0.02, 0.1]", "{ low = 0.01, high = 1.0, scale = \"log\" }"))
    };
    assert_eq!(drawn(5)[..], drawn(9)[..5], "more runs leave those before as they are");
    // Whole ends, whole numbers.
    let whole = settings(&STUDY.replace("[0, 1]", "{ low = 0, high = 9, count = 4 }"));
    assert_eq!(
        whole[..4].iter().map(|set| set[2].as_str()).collect::<Vec<_>>(),
        ["seed=0", "seed=3", "seed=6", "seed=9"]
    );
    let study =
        axes("design = \"random\"\nruns = 40").replace("[20, \"full\"]", "{ low = 1, high = 100, scale = \"log\" }");
    let sizes: Vec<usize> = settings(&study.replace("[0, 1]", "{ low = 3, high = 4 }"))
        .iter()
        .map(|set| {
            assert!(["seed=3", "seed=4"].contains(&set[2].as_str()), "{set:?}");
            set[1].strip_prefix("training.batch_size=").and_then(|size| size.parse().ok()).expect("a whole number")
        })
        .collect();
    let small = sizes.iter().filter(|&&size| size <= 10).count();
    assert!((10..=30).contains(&small), "half of 40 below the middle of a logarithmic scale: {small}");
    // A table sets all its keys.
    let methods = "[study.axes]\noptimizer = [{ name = \"gd\" }, { name = \"adam\", epsilon = 1e-7 }]";
    let methods = STUDY.replace("[optimizer]\nname = \"momentum\"\n", "").replace("[study.axes]", methods);
    assert_eq!(settings(&methods).len(), 16);
    // Keys beside a name are keys of the table, whatever the name.
    let around = "\"optimizer.sharpness_penalty\" = [{ weight = 0.0 }, { weight = 0.01 }]\nseed";
    assert_eq!(settings(&STUDY.replace("seed", around)).len(), 16);
}

#[test]
fn what_is_no_study_is_refused() {
    for (from, to, words) in [
        ("[study.axes]", "[study.axse]", "unknown key `axse`"),
        ("\"optimizer.learning_rate\"", "\"optimizer.learnin_rate\"", "did you mean `learning_rate`"),
        ("[0.02, 0.1]", "[0.02, -0.1]", "learning_rate = -0.1"),
        ("[0.02, 0.1]", "[]", "an axis needs values"),
        ("[0.02, 0.1]", "0.02", "an axis is a list of values"),
        ("[0.02, 0.1]", "{ low = 1.0, high = 0.1, count = 3 }", "a range needs low < high"),
        ("[0.02, 0.1]", "{ low = 0.0, high = 0.1, scale = \"log\", count = 3 }", "must be positive"),
        ("[0.02, 0.1]", "{ low = 0.01, high = 0.1 }", "a range needs a count"),
        ("\"bounds\"", "\"bonds\"", "unknown measure `bonds`"),
        ("samples = 50", "samples = 0", "samples = 0 is not possible"),
        ("samples = 50", "design = \"random\"", "a random design needs a number of runs"),
        ("samples = 50", "runs = 7", "the axes tell how many runs there are"),
        ("samples = 50", "design = \"list\"", "values here, 3 at another axis"),
        ("samples = 50", "design = \"random\"\nruns = 0", "the design has no runs"),
        ("[0.02, 0.1]", "{ low = \"a\", high = 0.1, count = 3 }", "the ends of a range are numbers"),
        ("[0.02, 0.1]", "{ low = 0.01, high = 0.1, count = 1000001 }", "from 2, its two ends, to 1000000 points"),
        ("\"optimizer.learning_rate\"", "\"study.samples\"", "an axis is a key of the configuration"),
        (
            "\"optimizer.learning_rate\" = [0.02",
            "optimizer = [{ learning_rate = 0.3 }]\n\"optimizer.learning_rate\" = [0.02",
            "axis `optimizer` sets `optimizer.learning_rate` too",
        ),
    ] {
        // Of two axes with two values and one with three.
        let study = STUDY.replace("seed = [0, 1]", "seed = [0, 1, 2]").replace(from, to);
        let said = refused(&place(&study), &["study", "plan", "small.toml"], 2);
        assert!(said.contains(words), "{from} -> {to}: `{said}` should contain `{words}`");
        assert!(said.contains("small.toml:"), "{from} -> {to}: `{said}` should say where");
    }
    let place = place("[data]\nname = \"moons\"\n");
    assert!(refused(&place, &["study", "plan", "small.toml"], 2).contains("there is no [study] table"));
    assert!(refused(&place, &["study", "status", "nowhere"], 2).contains("cannot read nowhere"));
    assert!(refused(&place, &["study", "status", "small.toml"], 2).contains("was not planned in studies"));
    assert!(refused(&place, &["study", "run", "small.toml", "--index", "0", "--chunk", "0"], 2).contains("--chunk"));
}

#[test]
fn ten_thousand_runs_are_planned_counted_and_merged() {
    let study = STUDY
        .replace("[0.02, 0.1]", "{ low = 0.01, high = 0.1, count = 10 }")
        .replace("[20, \"full\"]", "[10, 20, 30, 40, 50, 60, 70, 80, 90, 100]")
        .replace("seed = [0, 1]", "seed = { SEEDS }");
    let seeds: Vec<String> = (0..100).map(|seed: u32| seed.to_string()).collect();
    let place = place(&study.replace("{ SEEDS }", &format!("[{}]", seeds.join(", "))));
    let timed = |arguments: &[&str]| {
        let begin = Instant::now();
        let said = succeeds(&place, arguments);
        println!("{}: {:.2} s", arguments.join(" "), begin.elapsed().as_secs_f64());
        said
    };
    timed(&["study", "plan", "small.toml"]);
    let folder = study_of(&place);
    let planned = folder.planned().expect("it was planned");
    assert_eq!(planned.len(), 10_000);
    // Results as runs write them, with numbers made up.
    let template = RunResult {
        schema: 1,
        run_id: String::new(),
        outcome: losscape_lab::records::State::Done,
        reason: "made up".to_owned(),
        config: (0..30).map(|at| (format!("table.key_{at}"), at.into())).collect(),
        training: (0..13).map(|at| (format!("number_{at}"), f64::from(at))).collect(),
        measured: Some(folder.config().expect("it was planned").measuring()),
        measures: (0..20).map(|at| (format!("measure_{at}"), f64::from(at) / 3.0)).collect(),
    };
    for run in &planned {
        let path = folder.run_folder(run).path().to_owned();
        fs::create_dir_all(&path).expect("it can be made");
        let result = RunResult { run_id: run.run_id.clone(), ..template.clone() };
        let json = serde_json::to_string(&result).expect("it is JSON");
        fs::write(path.join("result.json"), json).expect("it can be written");
    }
    assert!(timed(&["study", "status", "studies/small"]).contains("done         10000"));
    assert!(timed(&["study", "merge", "studies/small"]).contains("10000 rows"));
    assert_eq!(table(&place).len(), 10_001);
}

#[test]
fn scripts_for_clusters() {
    let place = place(STUDY);
    // Names that neither Slurm nor Kubernetes would take.
    fs::write(place.path().join("_my \"Ünï\" 100 %.toml"), STUDY).expect("the folder can be written");
    let said = succeeds(
        &place,
        &[
            "study",
            "submit",
            "small.toml",
            "--launcher",
            "slurm",
            "--dry-run",
            "--chunk",
            "3",
            "--limit",
            "2",
            "--option",
            "time=00:10:00",
        ],
    );
    assert!(said.contains("sbatch --dependency=afterany:$job"), "{said}");
    let script = study_of(&place).file("cluster/array.sbatch");
    let array = fs::read_to_string(&script).expect("there is a script");
    for line in ["#SBATCH --array=0-2%2", "#SBATCH --time=00:10:00", "--chunk 3", "scontrol requeue"] {
        assert!(array.contains(line), "{line}: {array}");
    }
    let checked = Command::new("bash").arg("-n").arg(&script).status().expect("bash starts");
    assert!(checked.success());
    // A task of the array, as Slurm would start it: the last chunk holds two runs.
    let task = Command::new("bash").arg(&script).env("SLURM_ARRAY_TASK_ID", "2").output().expect("bash starts");
    assert!(task.status.success(), "{}", text(&task.stderr));
    assert!(text(&task.stdout).contains("2 done, 0 diverged, 0 failed, of 2"), "{}", text(&task.stdout));
    succeeds(&place, &["study", "submit", "small.toml", "--launcher", "kubernetes", "--chunk", "3"]);
    let manifest = fs::read_to_string(study_of(&place).file("cluster/job.yaml")).expect("there is a manifest");
    assert!(manifest.contains("completions: 3") && manifest.contains("JOB_COMPLETION_INDEX"));
    for launcher in ["slurm", "kubernetes"] {
        let file = "_my \"Ünï\" 100 %.toml";
        succeeds(&place, &["study", "submit", file, "--launcher", launcher, "--dry-run", "--device", "flex"]);
    }
    let cluster = place.path().join("studies/_my \"Ünï\" 100 %/cluster");
    let array = fs::read_to_string(cluster.join("array.sbatch")).expect("there is a script");
    assert!(array.contains("#SBATCH --job-name=my---n---100\n") && array.contains("100 %%/cluster/%a.log"), "{array}");
    let checked = Command::new("bash").arg("-n").arg(cluster.join("array.sbatch")).status().expect("bash starts");
    assert!(checked.success());
    let manifest = fs::read_to_string(cluster.join("job.yaml")).expect("there is a manifest");
    assert!(
        manifest.contains("  name: \"my---n---100\"\n") && manifest.contains(r#"_my \"Ünï\" 100 %""#),
        "{manifest}"
    );
    assert!(refused(&place, &["study", "run", "small.toml", "--index", "9"], 2).contains("there is no chunk 9"));
}
