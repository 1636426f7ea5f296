//! The README says what is true.

const README: &str = include_str!("../README.md");

#[test]
fn names_every_crate() {
    for entry in std::fs::read_dir("crates").expect("the tests run at the root") {
        let name = entry.expect("it can be read").file_name().into_string().expect("names are plain");
        assert!(README.contains(&format!("[`losscape-{name}`](crates/{name})")), "{name}");
    }
}

#[test]
fn names_every_claim_in_its_family() {
    use losscape::claims::ALL;
    for claim in ALL {
        let row = README.lines().find(|line| line.starts_with(&format!("| {} |", claim.family))).unwrap_or_default();
        assert!(row.contains(&format!("`{}`", claim.id)), "{}: {}", claim.family, claim.id);
    }
    let named =
        README.lines().skip_while(|line| *line != "## Claims").take_while(|line| *line != "## The command line");
    let count: usize = named.filter(|line| line.starts_with("| ")).map(|line| line.matches('`').count() / 2).sum();
    assert_eq!(count, ALL.len(), "none that is not there");
    assert!(README.contains(&format!("puts {} statements", ALL.len())));
}

#[test]
fn the_full_run_has_every_claim() {
    let results = include_str!("../docs/claims.md");
    for claim in losscape::claims::ALL {
        assert!(results.contains(&format!("| `{}` |", claim.id)), "{}", claim.id);
    }
}

#[test]
fn gives_the_test_command_that_is_checked() {
    let check = include_str!("../.ci/run");
    let command = "cargo test --release --workspace";
    assert!(README.contains(&format!("\n{command}\n")) && check.contains(&format!("\n{command}\n")));
}

#[test]
fn links_to_files_that_exist() {
    for link in README.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(link.starts_with("http") || std::path::Path::new(link).exists(), "{link}");
    }
}
