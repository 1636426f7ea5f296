//! Readers under mutated files: nothing panics, what is accepted is finite and stays within bounds and, where a
//! checksum or a simpler reading says what the numbers are, has these numbers.
//!
//! `LOSSCAPE_FUZZ=10000 cargo test --release --workspace --test model --test cli fuzz` tries more inputs than the
//! default; a failure prints the seed of its input. `reference/readers.py` compares with NumPy and Python's csv module.

use std::io::{Cursor, Write};
use std::path::Path;

use losscape_model::data::cifar::{Cifar10, Cifar100, Granularity};
use losscape_model::data::idx::Idx;
use losscape_model::data::npz::Npz;
use losscape_model::data::table::Csv;
use losscape_model::data::{DataConfig, Dataset, Prepared, Source, Standardize, Targets};
use losscape_model::random::{Purpose, stream};
use rand::RngExt;
use rand::rngs::ChaCha12Rng;

/// A whole file of each format, in several guises.
fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let csv = "a,b,y\n1,2.5,no\n-3,4e-1,yes\n0.125,\"6\",no\n7,-8.5,yes\n".as_bytes();
    let quoted = "\u{feff}\"a\",\"b\nc\",\"y\"\r\n1,2,3\r\n\r\n4,5,4\r\n".as_bytes();
    let images = [&[0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 2][..], &(0..16).collect::<Vec<u8>>()].concat();
    let array = |header: &str, bytes: &[u8]| {
        [&b"\x93NUMPY\x01\x00"[..], &(header.len() as u16).to_le_bytes(), header.as_bytes(), bytes].concat()
    };
    let x: Vec<u8> = (0..8).flat_map(|at| (f64::from(at) / 7.0).to_le_bytes()).collect();
    let x = array("{'descr': '<f8', 'fortran_order': False, 'shape': (4, 2), }", &x);
    let y = array("{'descr': '|u1', 'fortran_order': False, 'shape': (4,), }", &[0, 1, 1, 0]);
    let names = array("{'descr': '|S3', 'fortran_order': True, 'shape': (4, 1), }", b"no\0yesyesno\0");
    vec![
        ("csv", csv.to_vec()),
        ("csv", quoted.to_vec()),
        ("csv", gzip(csv)),
        ("idx", images.clone()),
        ("idx", gzip(&images)),
        ("cifar10", [vec![3; 3073], vec![9; 3073]].concat()),
        ("cifar100", vec![7; 2 * 3074]),
        ("npz", archive(&[("x", &x), ("y", &y)])),
        ("npz", archive(&[("train_images", &x), ("train_labels", &names), ("val_labels", &y)])),
        ("npz", archive(&[("y", &names), ("x", &x)])),
    ]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(bytes).expect("memory can be written");
    gzip.finish().expect("memory can be written")
}

fn archive(arrays: &[(&str, &Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (at, (name, bytes)) in arrays.iter().enumerate() {
        let method = [zip::CompressionMethod::Stored, zip::CompressionMethod::Deflated][at % 2];
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        zip.start_file(format!("{name}.npy"), options).expect("memory can be written");
        zip.write_all(bytes).expect("memory can be written");
    }
    zip.finish().expect("memory can be written").into_inner()
}

/// Bits flipped, bytes and numbers written over, pieces cut out, doubled or moved, ends cut off, tokens put in.
fn mutate(bytes: &mut Vec<u8>, random: &mut ChaCha12Rng) {
    const TOKENS: &[&[u8]] = &[
        b",",
        b"\n",
        b"\"",
        b"\r\n",
        b";",
        b"nan",
        b"inf",
        b"1e400",
        b"-",
        b"\0",
        b"\xff\xff\xff\xff",
        b"\x7f\xff\xff\xff",
        b"(((((",
        b"'descr'",
        b"<f2",
        b"|O",
        b"<U9",
        b"True",
        b"99999999999999999999",
        b"PK\x01\x02",
        b"\x1f\x8b",
        b"",
    ];
    for _ in 0..random.random_range(1..4) {
        if bytes.is_empty() {
            return;
        }
        let at = random.random_range(0..bytes.len());
        let length = random.random_range(1..=16.min(bytes.len() - at));
        match random.random_range(0..8) {
            0 | 1 => bytes[at] ^= 1 << random.random_range(0..8),
            2 => bytes[at] = random.random_range(0..=255),
            3 => drop(bytes.drain(at..at + length)),
            4 => {
                let piece = bytes[at..at + length].to_vec();
                let to = random.random_range(0..=bytes.len());
                bytes.splice(to..to, piece);
            }
            5 => bytes.truncate(at),
            6 => {
                let token = TOKENS[random.random_range(0..TOKENS.len())];
                bytes.splice(at..at, token.iter().copied());
            }
            _ => {
                let token = TOKENS[random.random_range(0..TOKENS.len())];
                let end = (at + token.len()).min(bytes.len());
                bytes.splice(at..end, token.iter().copied());
            }
        }
    }
}

/// The source of a format whose file is at `path`.
fn source(format: &str, path: &Path, labels: &Path) -> Source {
    let (path, files) = (path.to_owned(), vec![path.to_owned()]);
    match format {
        "csv" => Source::Csv(Csv { path, ..Csv::default() }),
        "idx" => Source::Idx(Idx { images: path, labels: labels.to_owned(), ..Idx::default() }),
        "cifar10" => Source::Cifar10(Cifar10 { files, test_files: Vec::new() }),
        "cifar100" => Source::Cifar100(Cifar100 { files, test_files: Vec::new(), labels: Granularity::Coarse }),
        _ => Source::Npz(Npz { path, ..Npz::default() }),
    }
}

fn check(data: &Dataset, what: &str) {
    assert!(data.inputs.values.iter().all(|value| value.is_finite()), "{what}");
    assert_eq!(data.inputs.values.len(), data.len() * data.inputs.columns, "{what}");
    match &data.targets {
        Targets::Labels { labels, classes, names } => {
            assert!(labels.len() == data.len() && labels.iter().all(|label| label < classes), "{what}");
            assert!(names.is_empty() || names.len() == *classes, "{what}");
        }
        Targets::Values(values) => assert!(values.values.iter().all(|value| value.is_finite()), "{what}"),
    }
}

/// The numbers that the simplest reading gives: of CSV without quotes and breaks of lines within, and of bytes at their
/// places.
fn plainly(format: &str, bytes: &[u8]) -> Option<Vec<f64>> {
    match format {
        "csv" => {
            let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('"'))?;
            let lines = text.lines().filter(|line| !line.trim().is_empty()).skip(1);
            let row = |line: &str| {
                let mut fields: Vec<String> = line.split(',').map(|field| field.trim().to_owned()).collect();
                fields.pop();
                fields.into_iter().map(|field| field.parse().ok()).collect::<Option<Vec<f64>>>()
            };
            lines.map(row).collect::<Option<Vec<_>>>().map(|rows| rows.concat())
        }
        "idx" if bytes.get(2) == Some(&8) => {
            let header = 4 + 4 * usize::from(*bytes.get(3)?);
            Some(bytes.get(header..)?.iter().copied().map(f64::from).collect())
        }
        "cifar10" => Some(bytes.chunks(3073).flat_map(|record| record[1..].iter().copied().map(f64::from)).collect()),
        "cifar100" => Some(bytes.chunks(3074).flat_map(|record| record[2..].iter().copied().map(f64::from)).collect()),
        _ => None,
    }
}

#[test]
fn mutated_files_are_refused_or_have_their_numbers() {
    let inputs: u64 = std::env::var("LOSSCAPE_FUZZ").ok().and_then(|count| count.parse().ok()).unwrap_or(2000);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (path, labels) = (folder.path().join("input"), folder.path().join("labels"));
    std::fs::write(&labels, [0, 0, 8, 1, 0, 0, 0, 4, 0, 1, 1, 0]).expect("the folder can be written");
    let load = |format: &str, bytes: &[u8]| -> Option<Prepared> {
        std::fs::write(&path, bytes).expect("the folder can be written");
        let source = source(format, &path, &labels);
        let raw =
            DataConfig { standardize: Some(Standardize::None), test_fraction: Some(0.0), ..DataConfig::new(source) };
        let data = raw.load().ok()?;
        let standardized = DataConfig { standardize: Some(Standardize::Features), ..raw }.load();
        if let Ok(standardized) = standardized {
            check(&standardized.train, "standardized");
        }
        Some(data)
    };
    let seeds = seeds();
    let whole: Vec<Prepared> =
        seeds.iter().map(|(format, bytes)| load(format, bytes).expect("the seeds are whole")).collect();
    let (mut accepted, mut compared) = (0, 0);
    for seed in 0..inputs {
        let mut random = stream(seed, Purpose::Data, 1);
        let which = random.random_range(0..seeds.len());
        let (format, mut bytes) = seeds[which].clone();
        mutate(&mut bytes, &mut random);
        let Some(data) = load(format, &bytes) else { continue };
        let what = format!("seed {seed}, {format}");
        accepted += 1;
        check(&data.train, &what);
        data.test.iter().for_each(|test| check(test, &what));
        if bytes.starts_with(&[0x1f, 0x8b]) {
            // gzip has a checksum of its content, none of its header.
            assert_eq!(data.train.inputs, whole[which].train.inputs, "{what}");
        } else if format == "npz" {
            // So has an archive of each array, but none of their names.
            let known = [&whole[which].train.inputs.values[..], &[0.0, 1.0, 1.0, 0.0][..]];
            assert!(known.contains(&&data.train.inputs.values[..]), "{what}");
        } else if let Some(values) = plainly(format, &bytes) {
            compared += 1;
            assert_eq!(data.train.inputs.values, values, "{what}");
        }
    }
    println!("{inputs} inputs: {accepted} accepted, {compared} compared with a plain reading");
    assert!(accepted > 0 && accepted < inputs, "{accepted} of {inputs} were accepted");
}
