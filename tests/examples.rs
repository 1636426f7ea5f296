//! Every example gives its known answer.

use std::path::PathBuf;
use std::process::Command;

/// Names of the programs in `examples/`, and of the configurations.
fn names(ending: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir("examples")
        .expect("the tests run at the root")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok()?.strip_suffix(ending).map(str::to_owned))
        .collect();
    names.sort();
    names
}

#[test]
fn programs_end_well() {
    let names = names(".rs");
    assert!(names.len() >= 3, "{names:?}");
    // `cargo test` builds the examples beside the folder that this test runs from.
    let mut folder: PathBuf = std::env::current_exe().expect("the test has a path");
    folder.pop();
    folder.set_file_name("examples");
    for name in names {
        let program = folder.join(&name);
        let output = Command::new(&program).output().unwrap_or_else(|error| {
            panic!("{}: {error}; `cargo build --release --examples` builds it", program.display())
        });
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{name}: {out}{err}");
    }
}

#[test]
fn configurations_make_plans() {
    for name in names(".toml") {
        let plan = losscape::lab::Plan::read(format!("examples/{name}.toml").as_ref(), &[]);
        assert!(plan.is_ok(), "{name}: {}", plan.err().map(|error| error.to_string()).unwrap_or_default());
    }
}
