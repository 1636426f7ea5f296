//! What overrides do to a file, and where errors about them point.

use losscape_lab::{Document, RunConfig};

/// A file that says something in every table.
const FILE: &str = r#"seed = 3
[data]
name = "moons"
noise = 0.2
[model]
name = "mlp"
hidden = [16]
[loss]
name = "cross-entropy"
[optimizer]
name = "momentum"
momentum = 0.95
learning_rate = 0.1
sam = { rho = 0.05 }
schedule = { name = "cosine", end = 0.1 }
[training]
batch_size = 20
steps = 100
log_every = 5
"#;

fn read(overrides: &[&str]) -> Result<toml::Table, String> {
    let overrides: Vec<String> = overrides.iter().map(|&item| item.to_owned()).collect();
    let document = Document::parse("run.toml", FILE, &overrides);
    let config = document.and_then(|document| document.read::<RunConfig>()).map_err(|error| {
        let pointed = error.span.clone().map_or("", |span| &error.text[span]);
        format!("{error} at <{pointed}>")
    })?;
    Ok(losscape_lab::document::write(&config).parse().expect("what is written can be read"))
}

/// The value of a dotted key, as TOML.
fn value(table: &toml::Table, key: &str) -> String {
    let mut parts = key.split('.');
    let first = parts.next().and_then(|part| table.get(part));
    parts.fold(first, |value, part| value?.get(part)).map_or_else(|| "absent".to_owned(), ToString::to_string)
}

#[test]
fn overrides_replace_and_take_away() {
    type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)]);
    let cases: &[Case] = &[
        // One key; bare words; the later of two.
        (&["optimizer.learning_rate=0.2"], &[("optimizer.learning_rate", "0.2"), ("optimizer.momentum", "0.95")]),
        (&["training.batch_size=full"], &[("training.batch_size", "\"full\"")]),
        (&["seed=1", "seed=2"], &[("seed", "2")]),
        // Another name: what it does not know no longer counts, what it knows and what is beside it stays.
        (
            &["optimizer.name=adam"],
            &[
                ("optimizer.momentum", "absent"),
                ("optimizer.beta_1", "0.9"),
                ("optimizer.learning_rate", "0.1"),
                ("optimizer.sam.rho", "0.05"),
                ("optimizer.schedule.end", "0.1"),
            ],
        ),
        (&["optimizer.name=nesterov"], &[("optimizer.momentum", "0.95")]),
        (&["optimizer.beta_1=0.8", "optimizer.name=adam"], &[("optimizer.beta_1", "0.8")]),
        (&["data.name=digits"], &[("data.name", "\"digits\""), ("data.noise", "absent")]),
        (&["model.name=linear"], &[("model.hidden", "absent"), ("model.features.name", "\"identity\"")]),
        (&["loss.name=squared-error"], &[("loss.name", "\"squared-error\"")]),
        (&["optimizer.schedule.name=noam"], &[("optimizer.schedule.end", "absent")]),
        // A table takes the place of the file's, whatever the order.
        (
            &["optimizer={name=\"adam\",learning_rate=1e-3}"],
            &[("optimizer.learning_rate", "0.001"), ("optimizer.sam", "absent")],
        ),
        (
            &["optimizer.learning_rate=0.3", "optimizer={name=\"gd\",learning_rate=1e-3}"],
            &[("optimizer.learning_rate", "0.3"), ("optimizer.momentum", "absent")],
        ),
        (&["training={batch_size=5,epochs=2}"], &[("training.steps", "absent"), ("training.log_every", "10")]),
        (&["model.name=linear", "model.features={name=\"polynomial\",degree=2}"], &[("model.features.degree", "2")]),
        // Taken away.
        (&["optimizer.sam=null"], &[("optimizer.sam", "absent")]),
        (&["optimizer.sam=None"], &[("optimizer.sam", "absent")]),
        (&["~optimizer.sam"], &[("optimizer.sam", "absent")]),
        (&["optimizer.sam=false"], &[("optimizer.sam", "absent")]),
        (&["optimizer.sam=False", "track=false"], &[("optimizer.sam", "absent"), ("track", "absent")]),
        (&["optimizer.schedule=false"], &[("optimizer.schedule.name", "\"constant\"")]),
        (&["training.steps=null", "training.epochs=3"], &[("training.steps", "absent"), ("training.epochs", "3")]),
        // As Python writes it.
        (&["optimizer.learning_rate=.5"], &[("optimizer.learning_rate", "0.5")]),
        (&["optimizer.learning_rate=5."], &[("optimizer.learning_rate", "5.0")]),
        (&["model.bias=False"], &[("model.bias", "false")]),
        (&["model={name=\"mlp\",hidden=[4],bias=False}"], &[("model.bias", "false")]),
        (
            &["optimizer.sam={rho=.1,adaptive=True}"],
            &[("optimizer.sam.rho", "0.1"), ("optimizer.sam.adaptive", "true")],
        ),
    ];
    for (overrides, expected) in cases {
        let table = read(overrides).unwrap_or_else(|error| panic!("{overrides:?}: {error}"));
        for (key, expected) in *expected {
            assert_eq!(value(&table, key), *expected, "{key} with {overrides:?}");
        }
    }
}

#[test]
fn what_cannot_be_used_is_pointed_at() {
    for (overrides, message) in [
        (&["optimizer.lr=1"][..], "unknown key `lr`"),
        (
            &["seed=01"],
            "invalid type: string \"01\", expected u64 (a whole number, written 12, without quotes, zeros in front or \
             an exponent) at <01>",
        ),
        (&["model.bias=no"], "expected a boolean (written true or false) at <no>"),
        (&["training.batch_size=ful"], "at <ful>"),
        (&["optimizer.name=adam", "optimizer.momentum=0.9"], "unknown key `momentum`"),
        (&["data.name=mons"], "did you mean `moons`?) at <mons>"),
        (&["optimizer.learning_rate=false"], "invalid type: boolean `false`, expected f64"),
        (&["optimizer=false"], "missing field `optimizer`"),
        (&["optimizer.smm=null"], "takes away what is not there"),
        (&["~optimizer.smm"], "takes away what is not there"),
        (&["optimizer.schedule=cosine"], "a table with a name: written { name = \"…\" }) at <cosine>"),
        (&["training.steps.x=1"], "runs through a value that is not a table"),
        (&["+optimizer.clip_norm=1"], "is no TOML (write key.key=value"),
        (&["seed"], "sets nothing"),
        (&["seed=1\nlabel=\"a\""], "sets more than one key"),
        (&["=1"], "is no TOML"),
        (&["seed=1_000_000_000_000_000_000_000"], "seed = 1000000000000000000000 is not possible: TOML ends at"),
        (&["training.log_every=9223372036854775808"], "is not possible: TOML ends at 9223372036854775807) at <"),
    ] {
        let message = message.replace("9223372036854775807) at", "9223372036854775807 at");
        let error = read(overrides).expect_err("it cannot be used");
        assert!(error.contains(&message), "{overrides:?}: `{error}` should contain `{message}`");
    }
}

/// A key that nothing knows stays an error where the name is the file's own.
#[test]
fn only_another_name_leaves_keys_out() {
    let text = FILE.replace("momentum = 0.95", "momentun = 0.95");
    for set in [&[][..], &["optimizer.name=momentum".to_owned()]] {
        let document = Document::parse("run.toml", &text, set).expect("it is TOML");
        let error = document.read::<RunConfig>().expect_err("a word is misspelt");
        assert!(error.message.contains("unknown key `momentun`"), "{error}");
    }
}
