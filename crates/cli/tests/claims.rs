//! `losscape claims` as a user meets it.

use crate::common::{Place, text};
use serde_json::Value;

#[test]
fn claims_are_listed_measured_and_gone_on_with() {
    let place = Place::new("");
    let listed = place.run(&["claims", "list"]);
    assert!(listed.status.success() && text(&listed.stdout).lines().count() == losscape_claims::ALL.len());
    let arguments = ["claims", "run", "oscillation", "optimality-gap", "momentum-variance", "--seed", "2", "--json"];
    let output = place.run(&arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).expect("a JSON array");
    for (object, verdict) in found.iter().zip(["holds", "holds-as-corrected", "supported"]) {
        assert_eq!((object["verdict"].as_str(), &object["expected"]), (Some(verdict), &object["verdict"]));
        for key in ["id", "family", "preparation", "checks", "slack", "effects", "figures", "seconds"] {
            assert!(object.get(key).is_some(), "{key}: {object}");
        }
    }
    let prepared = found[2]["preparation"].to_string();
    for words in ["less one mean over one deviation", "a fifth split off", "initial weights N(0, 1/fan-in)", "f64"] {
        assert!(prepared.contains(words), "{words}: {prepared}");
    }
    let folder = place.path().join("claims");
    let page = std::fs::read_to_string(folder.join("report.html")).expect("there is a page");
    assert!(page.contains("id=\"optimality-gap\"") && page.contains("<math"));
    assert!(page.contains("less one mean over one deviation"), "the page says how inputs were prepared");
    assert!(!page.contains("src=") && !page.contains("href=\"http"), "it needs no network");
    let figure = std::fs::read_to_string(folder.join("figures/oscillation-1.svg")).expect("there is a figure");
    assert!(figure.starts_with("<svg ") && figure.contains("xmlns"));
    let table = std::fs::read_to_string(folder.join("oscillation.csv")).expect("there is a table");
    assert!(table.starts_with("plot,series,x,y\n") && table.lines().count() > 30);

    // One of them is missing: the others are not measured again.
    std::fs::remove_file(folder.join("optimality-gap.json")).expect("it is there");
    let again = place.run(&arguments);
    assert!(text(&again.stderr).contains("2 of 3 claims were measured before"), "{}", text(&again.stderr));
    let strip = |bytes: &[u8]| {
        let mut objects: Vec<Value> = serde_json::from_slice(bytes).expect("a JSON array");
        objects.iter_mut().for_each(|object| drop(object.as_object_mut().expect("an object").remove("seconds")));
        objects
    };
    assert_eq!(strip(&again.stdout), strip(&output.stdout));
    assert!(found[2]["effects"][0]["low"].is_number() && found[2]["effects"][0]["seeds"].as_u64() > Some(1));

    // The page keeps what was measured before; anew only when asked.
    let written = |id: &str| std::fs::metadata(folder.join(id)).and_then(|file| file.modified()).expect("it is there");
    let before = written("oscillation.json");
    let kept = place.run(&["claims", "run", "oscillation", "--seed", "2"]);
    assert!(text(&kept.stderr).contains("1 of 1 claims were measured before"), "{}", text(&kept.stderr));
    assert!(text(&kept.stdout).contains("prepared from"), "{}", text(&kept.stdout));
    let page = std::fs::read_to_string(folder.join("report.html")).expect("there is a page");
    assert!(page.contains("id=\"optimality-gap\"") && written("oscillation.json") == before);
    let fresh = place.run(&["claims", "run", "oscillation", "--seed", "2", "--fresh"]);
    assert!(fresh.status.success() && written("oscillation.json") > before);
}

#[test]
fn what_is_no_claim_is_refused() {
    let place = Place::new("");
    for (arguments, words) in [
        (&["claims", "run", "oscilation"][..], "unknown claim `oscilation`"),
        (&["claims", "run", "--quick", "--full"], "cannot be used with"),
        (&["claims", "run", "oscillation", "--device", "abacus"], "abacus"),
    ] {
        let output = place.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(words), "{arguments:?}: {}", text(&output.stderr));
    }
}
