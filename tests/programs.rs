//! No file of tests is left out: with `autotests = false` Cargo builds what is named alone.

use std::fs;
use std::path::Path;

fn left_out(folder: &Path, manifest: &str) -> Vec<String> {
    let Ok(main) = fs::read_to_string(folder.join("main.rs")) else { return Vec::new() };
    let entries = fs::read_dir(folder).expect("it can be read").map(|entry| entry.expect("it can be read").path());
    let names = entries.filter_map(|path| {
        let is_of_tests = path.extension().is_some_and(|end| end == "rs")
            || ["mod.rs", "main.rs"].iter().any(|file| path.join(file).exists());
        let name = path.file_stem()?.to_str()?.to_owned();
        let is_named = main.contains(&format!("\nmod {name};\n")) || manifest.contains(&format!("name = \"{name}\"\n"));
        (is_of_tests && name != "main" && !is_named).then(|| format!("{}/{name}", folder.display()))
    });
    names.collect()
}

#[test]
fn every_file_of_tests_is_in_a_program() {
    let crates =
        fs::read_dir("crates").expect("the tests run at the root").map(|entry| entry.expect("it is one").path());
    let found: Vec<String> = crates
        .chain(["".into()])
        .flat_map(|folder| {
            let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("every crate has one");
            left_out(&folder.join("tests"), &manifest)
        })
        .collect();
    assert!(found.is_empty(), "{found:?}: a mod line in main.rs is missing");
}
