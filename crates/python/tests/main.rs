//! The compiled part against its stub. The package itself is tested in Python, by `.ci/python`.

/// The names that `src/lib.rs` exports.
fn exported() -> Vec<String> {
    let text = include_str!("../src/lib.rs");
    let uses = text.split("#[pymodule_export]").skip(1).filter_map(|rest| rest.split(';').next());
    let names = uses.flat_map(|line| {
        let names = line.rsplit("::").next().unwrap_or_default();
        names.trim_matches(['{', '}']).split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>()
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// The names of the stub.
fn declared() -> Vec<String> {
    let text = include_str!("../losscape/_losscape.pyi");
    let named = |line: &str| {
        let rest = line.strip_prefix("class ").or_else(|| line.strip_prefix("def "))?;
        rest.split(['(', ':']).next().map(str::to_owned)
    };
    let mut names: Vec<String> = text.lines().filter_map(named).collect();
    names.sort();
    names
}

#[test]
fn the_stub_has_every_name() {
    assert!(exported().len() > 10);
    assert_eq!(exported(), declared());
}
