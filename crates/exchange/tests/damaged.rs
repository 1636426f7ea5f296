//! Archives that are damaged, or made to do damage: an error, whatever they hold.

use std::io::{Cursor, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use losscape_exchange::{Axis, ExchangeError, Program};
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};
use zip::read::{ArchiveOffset, Config};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// An archive of the tests.
fn archive(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/archives").join(name);
    std::fs::read(path).expect("it is there")
}

/// Names and contents of an archive.
fn entries(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let config = Config { archive_offset: ArchiveOffset::Known(0) };
    let mut zip = ZipArchive::with_config(config, Cursor::new(bytes)).expect("it is whole");
    let mut entries = Vec::new();
    for number in 0..zip.len() {
        let mut entry = zip.by_index(number).expect("it is listed");
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("it is whole");
        entries.push((entry.name().expect("it is UTF-8").into_owned(), content));
    }
    entries
}

/// An archive of these, with checksums that fit.
fn zipped(entries: &[(String, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        zip.start_file(name.as_str(), SimpleFileOptions::default().compression_method(method))
            .expect("it can be begun");
        zip.write_all(content).expect("there is room");
    }
    zip.finish().expect("there is room").into_inner()
}

/// What is wrong with an archive of which one file is another.
fn with(file: &str, change: impl Fn(&str) -> String) -> ExchangeError {
    let mut entries = entries(&archive("mlp.pt2"));
    let entry = entries.iter_mut().find(|(name, _)| name.ends_with(file)).expect("it is there");
    let before = String::from_utf8(entry.1.clone()).expect("it is text");
    let after = change(&before);
    assert_ne!(before, after, "{file} was not changed");
    entry.1 = after.into_bytes();
    Program::from_bytes(&zipped(&entries, CompressionMethod::Stored)).expect_err("it is damaged")
}

#[test]
fn what_is_wrong_is_said() {
    let model = |from: &str, to: &str| with("model.json", |text| text.replace(from, to)).to_string();
    let weights = |from: &str, to: &str| with("weights_config.json", |text| text.replacen(from, to, 1)).to_string();
    let cases = [
        (model("\"major\": 8", "\"major\": 9"), "version 9."),
        (model("aten.tanh.default", "aten.nonsense.default"), "no `torch.ops.aten.nonsense.default`"),
        (model("aten.tanh.default", "aten.bernoulli.default"), "random"),
        (model("\"name\": \"linear\"}", "\"name\": \"linear_2\"}"), "linear_2"),
        (model("p_0_weight\"}}, \"kind\"", "absent\"}}, \"kind\""), "`absent` is read before it is made"),
        (model("{\"as_expr\"", "{\"as_int\": 4}, {\"as_expr\""), "exactly 4 samples"),
        (model("\"parameter_name\": \"0.weight\"", "\"parameter_name\": \"9.weight\""), "9.weight"),
        (weights("\"as_int\": 6", "\"as_int\": 7"), "shape"),
        (weights("\"as_int\": 6", "\"as_int\": -6"), "-6"),
        (weights("\"as_int\": 6", "\"as_int\": 4611686018427387904"), "does not fit"),
        (weights("\"dtype\": 7", "\"dtype\": 10"), "complex"),
        (weights("\"use_pickle\": false", "\"use_pickle\": true"), "pickle"),
        (weights("\"path_name\": \"weight_0\"", "\"path_name\": \"../../../../etc/passwd\""), "etc/passwd"),
    ];
    for (message, expected) in cases {
        assert!(message.contains(expected), "{message:?} does not say {expected:?}");
    }
    let whole = entries(&archive("mlp.pt2"));
    let compressed = Program::from_bytes(&zipped(&whole, CompressionMethod::Deflated)).expect_err("it is compressed");
    assert!(compressed.to_string().contains("compressed"), "{compressed}");
    for bytes in [&b""[..], b"PK\x03\x04", b"no archive", &archive("mlp.pt2")[..2000]] {
        assert!(matches!(Program::from_bytes(bytes), Err(ExchangeError::Archive(_))));
    }
}

/// Networks that would have another value or derivative than in PyTorch if they were read as they look
/// (`reference/refused.py`).
#[test]
fn what_would_be_wrong_is_refused() {
    for (name, expected) in [
        ("detach", "stops the gradient"),
        ("detach-decomposed", "stops the gradient"),
        ("no-grad", "stops the gradient"),
        ("counter", "changes a parameter, a buffer or an input"),
        ("moving-average", "changes a parameter, a buffer or an input"),
        ("frozen-view", "shares its memory with `other`"),
        ("transposed-view", "shares its memory with"),
        ("padding-tied", "padding"),
        ("frequent", "how often a row is chosen"),
        ("stable", "keeps equal ones as they were"),
        ("chosen-by-weights", "weights decide which elements"),
        ("interpolation", "factor"),
        ("floor-division", "rounded quotient"),
        ("small-integers", "type 1 is not calculated with"),
        ("alpha-dropout", "alpha dropout is not drawn here"),
        ("random", "random number"),
        ("condition", "depends on the numbers"),
        ("squeezed-samples", "samples"),
        ("two-outputs", "2 outputs"),
        ("four-samples", "exactly 4 samples"),
    ] {
        let read = Program::from_bytes(&archive(&format!("refused/{name}.pt2"))).and_then(|program| {
            let samples: Vec<Vec<usize>> =
                program.inputs().iter().map(|input| input.sample.iter().map(length).collect()).collect();
            program.check(&samples)
        });
        let message = read.expect_err(name).to_string();
        assert!(message.contains(expected), "{name}: {message:?} does not say {expected:?}");
    }
}

fn length(axis: &Axis) -> usize {
    match axis {
        Axis::Fixed(length) => *length,
        Axis::Open { least, .. } => *least,
    }
}

/// A thousand archives with a few bytes changed as they lie on disk, and as many whose JSON is changed and whose
/// checksums fit. What is read all the same must be a network.
#[test]
fn no_damage_is_fatal() {
    let mut random = ChaCha12Rng::seed_from_u64(0);
    let names = ["mlp.pt2", "resnet-training.pt2", "gpt.pt2", "lstm.pt2", "unet.pt2", "functions.pt2"];
    let archives: Vec<Vec<u8>> = names.iter().map(|name| archive(name)).collect();
    let (mut refused, mut longest) = (0, Duration::ZERO);
    for round in 0..2000 {
        let original = &archives[round % archives.len()];
        let bytes = if round % 2 == 0 {
            let mut bytes = original.clone();
            if random.random_bool(0.2) {
                bytes.truncate(random.random_range(0..bytes.len()));
            }
            for _ in 0..random.random_range(1..8) {
                if let Some(at) = bytes.len().checked_sub(1) {
                    bytes[random.random_range(0..=at)] = random.random();
                }
            }
            bytes
        } else {
            let mut entries = entries(original);
            let json: Vec<usize> =
                (0..entries.len()).filter(|&at| entries[at].0.ends_with(".json") && entries[at].1.len() > 20).collect();
            let text = &mut entries[json[random.random_range(0..json.len())]].1;
            for _ in 0..random.random_range(1..4) {
                let at = random.random_range(0..text.len());
                match random.random_range(0..4) {
                    // Digits become others, so that sizes, axes and types change.
                    0 | 1 => {
                        if let Some(digit) = text[at..].iter().position(u8::is_ascii_digit) {
                            text[at + digit] = random.random_range(b'0'..=b'9');
                        }
                    }
                    2 => text[at] = random.random_range(b' '..=b'~'),
                    _ => {
                        let piece: Vec<u8> = text[at..(at + random.random_range(1..40)).min(text.len())].to_vec();
                        text.splice(at..at, piece);
                    }
                }
            }
            zipped(&entries, CompressionMethod::Stored)
        };
        let started = Instant::now();
        match Program::from_bytes(&bytes) {
            Err(_) => refused += 1,
            Ok(program) => {
                let samples: Vec<Vec<usize>> =
                    program.inputs().iter().map(|input| input.sample.iter().map(length).collect()).collect();
                refused += usize::from(program.check(&samples).is_err());
            }
        }
        longest = longest.max(started.elapsed());
    }
    println!("{refused} of 2000 refused, the longest took {longest:.1?}");
    assert!(refused > 500);
}
