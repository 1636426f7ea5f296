//! Six networks trained in PyTorch, analysed from their safetensors: everything as dense float64 linear algebra has it
//! there (`reference/landscapes.py`, which made weights, data and numbers).

use std::path::PathBuf;

use crate::common::{Place, text};
use serde_json::Value;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/reference/landscapes").join(name)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

/// A number, an eigenvalue or an estimate; and what it may be off, relative to `scale`: a millionth, or what it says
/// itself. Only where the network is too large to write its Hessian down does it say more, and never much.
fn reading(found: &Value, scale: f64) -> (&Value, f64) {
    let Some(value) = found.get("value").or(found.get("mean")) else { return (found, 1e-6) };
    let estimate = 4.0 * found["sem"].as_f64().unwrap_or(0.0);
    let own = found["error_bound"].as_f64().unwrap_or(0.0).max(estimate) / scale;
    assert!(own < 0.5, "an error of {own} says nothing: {found}");
    (value, own.max(1e-6))
}

/// The error relative to `scale`; where one of the two is absent, infinite.
fn error(found: &Value, expected: &Value, scale: f64) -> f64 {
    if found.is_null() && expected.is_null() {
        return 0.0;
    }
    let error = (number(found) - number(expected)).abs() / scale;
    if error.is_nan() { f64::INFINITY } else { error }
}

#[test]
fn as_dense_linear_algebra_in_pytorch() {
    let mut worst = (0.0, String::new());
    for name in ["tanh", "gelu", "softplus", "silu", "relu", "wide"] {
        let file = |file: &str| folder(name).join(file).display().to_string();
        let (weights, data, model) = (file("weights.safetensors"), file("data.npz"), file("model.toml"));
        let place = Place::new("");
        let only = "hessian,blocks,ntk,pl,bounds,norms";
        let arguments = [
            "analyze",
            "--weights",
            &weights,
            "--data",
            &data,
            "--model",
            &model,
            "--json",
            "-k",
            "10",
            "--only",
            only,
        ];
        let output = place.run(&arguments);
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
        let found: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
        let expected = std::fs::read(folder(name).join("expected.json")).expect("the reference is there");
        let expected: Value = serde_json::from_slice(&expected).expect("it is JSON");
        let mut check = |what: &str, found: &Value, expected: &Value, scale: f64| {
            let (found, allowed) = reading(found, scale);
            let error = error(found, expected, scale);
            assert!(error < allowed, "{name}: {what} is {found}, should be {expected}, within {allowed:e}");
            if error > worst.0 && allowed <= 1e-6 {
                worst = (error, format!("{name}: {what}"));
            }
        };
        for count in ["samples", "outputs", "parameters"] {
            assert_eq!(found[count], expected[count], "{name}: {count}");
        }
        let relative = |value: &Value| number(value).abs().max(1e-300);
        check("loss", &found["loss"]["value"], &expected["loss"]["value"], relative(&expected["loss"]["value"]));
        check("gradient", &found["gradient_norm"], &expected["gradient_norm"], relative(&expected["gradient_norm"]));
        for (operator, ends) in [
            ("hessian", &["top", "bottom"][..]),
            ("gauss_newton", &["top"]),
            ("residual", &["top", "bottom"]),
            ("fisher", &["top"]),
        ] {
            // Small eigenvalues have the absolute accuracy of large ones.
            let norm = number(&expected[operator]["top"][0]).abs();
            for end in ends {
                for at in 0..10 {
                    let (found, expected) = (&found[operator][end][at], &expected[operator][end][at]);
                    check(&format!("{operator} {end} {at}"), found, expected, norm);
                }
            }
            for quantity in ["trace", "frobenius"] {
                let (found, expected) = (&found[operator][quantity], &expected[operator][quantity]);
                if !expected.is_null() {
                    check(&format!("{operator} {quantity}"), found, expected, relative(expected));
                }
            }
        }
        let (ntk, kernel) = (&found["ntk"], &expected["ntk"]);
        for count in ["size", "rank"] {
            assert_eq!(ntk[count], kernel[count], "{name}: {count}");
        }
        check("kernel min", &ntk["min"], &kernel["min"], number(&kernel["max"]));
        check("kernel max", &ntk["max"], &kernel["max"], number(&kernel["max"]));
        for quantity in ["trace", "floor", "condition"] {
            check(&format!("kernel {quantity}"), &ntk[quantity], &kernel[quantity], relative(&kernel[quantity]));
        }
        check("alignment", &ntk["alignment"], &expected["alignment"], relative(&expected["alignment"]));
        let pl = &expected["pl_star"];
        assert_eq!(found["pl_star"]["applicable"], Value::Bool(!pl.is_null()), "{name}");
        if !pl.is_null() {
            check("beta", &found["pl_star"]["beta"], &pl["beta"], relative(&pl["beta"]));
            for quantity in ["ratio", "mu", "slack", "radius"] {
                let scale = if quantity == "mu" || quantity == "slack" {
                    number(&kernel["max"])
                } else {
                    relative(&pl[quantity])
                };
                check(quantity, &found["pl_star"][quantity], &pl[quantity], scale);
            }
        }
        for bound in ["two_over_beta", "cauchy"] {
            check(bound, &found["bounds"][bound], &expected["bounds"][bound], relative(&expected["bounds"][bound]));
        }
        let blocks = expected["blocks"].as_object().expect("a block for each tensor");
        let measured = found["blocks"].as_array().expect("a block for each parameter");
        assert_eq!(blocks.len(), measured.len(), "{name}");
        for (key, block) in blocks {
            // `net.4.bias` is the bias of our third layer.
            let parts: Vec<&str> = key.rsplit('.').collect();
            let layer = parts[1].parse::<usize>().expect("a number") / 2;
            let ours = measured.iter().find(|ours| {
                ours["name"].as_str().is_some_and(|ours| ours.ends_with(&format!("layers.{layer}.{}", parts[0])))
            });
            let ours = ours.unwrap_or_else(|| panic!("{name}: no block for {key}"));
            for end in ["top", "bottom"] {
                check(&format!("block {key} {end}"), &ours[end], &block[end], number(&block["top"]).abs());
            }
        }
        let norms = &expected["norms"];
        for (ours, theirs) in [
            ("l2", "l2"),
            ("fisher_rao", "fisher_rao"),
            ("spectral_product", "spectral"),
            ("frobenius_product", "frobenius_product"),
        ] {
            check(ours, &found["norms"][ours], &norms[theirs], relative(&norms[theirs]));
        }
    }
    println!("largest relative error {:.1e} ({})", worst.0, worst.1);
}
