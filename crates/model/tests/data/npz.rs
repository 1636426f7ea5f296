//! NumPy archives: as NumPy, Keras and MedMNIST write them, read or refused with what to do.

use std::io::{Cursor, Write};
use std::path::Path;

use losscape_model::Sample;
use losscape_model::data::npz::{self, Channels, Npz};
use losscape_model::data::table::Task;
use losscape_model::data::{DataConfig, DataError, Dataset, Matrix, Parts, Source, Standardize, Targets};
use zip::write::SimpleFileOptions;

use super::{Folder, labels, load, refused, values};

/// An array in NumPy's format.
fn npy(descr: &str, fortran: bool, shape: &[usize], bytes: &[u8]) -> Vec<u8> {
    let sizes: String = shape.iter().map(|size| format!("{size}, ")).collect();
    let fortran = if fortran { "True" } else { "False" };
    raw(&format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': ({sizes}), }}\n"), bytes)
}

fn raw(header: &str, bytes: &[u8]) -> Vec<u8> {
    [&b"\x93NUMPY\x01\x00"[..], &(header.len() as u16).to_le_bytes(), header.as_bytes(), bytes].concat()
}

fn floats(shape: &[usize], values: &[f64]) -> Vec<u8> {
    npy("<f8", false, shape, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())
}

fn integers(shape: &[usize], values: &[i64]) -> Vec<u8> {
    npy("<i8", false, shape, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())
}

fn archive(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (at, (name, bytes)) in arrays.iter().enumerate() {
        // One stored, one compressed.
        let method = [zip::CompressionMethod::Stored, zip::CompressionMethod::Deflated][at % 2];
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default().compression_method(method)).expect("memory");
        zip.write_all(bytes).expect("memory can be written");
    }
    zip.finish().expect("memory can be written").into_inner()
}

fn read_bytes(bytes: impl AsRef<[u8]>, npz: &Npz) -> Result<Parts, DataError> {
    let folder = Folder::new();
    let of_file = Npz { path: folder.write("d.npz", &bytes), ..npz.clone() };
    // In memory it is the same, and refused in the same words.
    let in_memory = Npz { bytes: Some(bytes.as_ref().into()), ..of_file.clone() };
    let [of_file, in_memory] = [of_file, in_memory].map(|npz| load(Source::Npz(npz)));
    let words = |read: &Result<Parts, DataError>| format!("{read:?}");
    assert_eq!(words(&of_file), words(&in_memory));
    of_file
}

fn read(arrays: &[(&str, Vec<u8>)], npz: &Npz) -> Result<Parts, DataError> {
    read_bytes(archive(arrays), npz)
}

/// Inputs of two samples with the given targets.
fn with_y(y: Vec<u8>, task: Option<Task>) -> Result<Parts, DataError> {
    read(&[("x", floats(&[3, 1], &[0.5, 1.5, 2.5])), ("y", y)], &Npz { task, ..Npz::default() })
}

#[test]
fn archives_make_the_round_trip() {
    let folder = Folder::new();
    let matrix = |values: &[f64], columns| Matrix { values: values.to_vec(), columns };
    let inputs = || matrix(&[1.0, 0.1, -2.0, 1e-300], 2);
    let named = |names: &[&str]| Targets::Labels {
        labels: vec![0, 1],
        classes: names.len(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    for targets in [
        Targets::labels(vec![0, 1], 2),
        Targets::labels(vec![0, 2], 3),
        named(&["no", "yes"]),
        named(&["1", "2"]),
        named(&["né", "ja", "vielleicht"]),
        Targets::Values(matrix(&[1.5, 2.5, 3.5, 4.5], 2)),
        Targets::Values(matrix(&[1.0, 2.0], 1)),
    ] {
        let data = Dataset::new(inputs(), targets).expect("valid");
        let path = folder.write("d.npz", []);
        npz::write(std::fs::File::create(&path).expect("it can be written"), &data, Some(&data)).expect("written");
        let source = Source::Npz(Npz { path, ..Npz::default() });
        let config = DataConfig { standardize: Some(Standardize::None), ..DataConfig::new(source) };
        let parts = config.load().expect("the archive is whole");
        assert_eq!((&parts.train, parts.test.as_ref()), (&data, Some(&data)));
    }
}

#[test]
fn archives_of_numpy_are_read() {
    // Written by NumPy 2.4 (tests/fixtures/make.py): float32 inputs, uint8 labels, deflated.
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/numpy.npz");
    let data = load(Source::Npz(Npz { path, ..Npz::default() })).expect("the archive is whole").train;
    assert_eq!(data.inputs.values, [0.5, -1.0, 2.0, 4.0, 8.0, 16.0]);
    assert_eq!((labels(&data), data.target().columns()), (&[1, 0, 2][..], 3));
}

#[test]
fn inputs_of_every_type_and_order_are_read() {
    // [2, 3] in each: 0 to 5, or as the type allows.
    let bytes = |of: &dyn Fn(u8) -> Vec<u8>| (0..6).flat_map(of).collect::<Vec<u8>>();
    let by_columns: Vec<u8> = [0.0, 3.0, 1.0, 4.0, 2.0, 5.0_f64].iter().flat_map(|value| value.to_le_bytes()).collect();
    // float16 has 0, 1, 2, … as 0x0000, 0x3c00, 0x4000, 0x4200, 0x4400, 0x4500.
    let half: Vec<u8> = [0_u16, 0x3c00, 0x4000, 0x4200, 0x4400, 0x4500].iter().flat_map(|v| v.to_le_bytes()).collect();
    let arrays = [
        npy("<f8", false, &[2, 3], &bytes(&|v| f64::from(v).to_le_bytes().to_vec())),
        npy(">f8", false, &[2, 3], &bytes(&|v| f64::from(v).to_be_bytes().to_vec())),
        npy("<f4", false, &[2, 3], &bytes(&|v| f32::from(v).to_le_bytes().to_vec())),
        npy(">f4", false, &[2, 3], &bytes(&|v| f32::from(v).to_be_bytes().to_vec())),
        npy("<f2", false, &[2, 3], &half),
        npy("|u1", false, &[2, 3], &bytes(&|v| vec![v])),
        npy("|i1", false, &[2, 3], &bytes(&|v| vec![v])),
        npy("<u2", false, &[2, 3], &bytes(&|v| u16::from(v).to_le_bytes().to_vec())),
        npy(">i2", false, &[2, 3], &bytes(&|v| i16::from(v).to_be_bytes().to_vec())),
        npy(">u4", false, &[2, 3], &bytes(&|v| u32::from(v).to_be_bytes().to_vec())),
        npy("<i8", false, &[2, 3], &bytes(&|v| i64::from(v).to_le_bytes().to_vec())),
        npy("<f8", true, &[2, 3], &by_columns),
        npy("<f8", false, &[2, 1, 3], &bytes(&|v| f64::from(v).to_le_bytes().to_vec())),
        raw("{\"shape\": (2, 3), \"fortran_order\": False, \"descr\": \"|u1\"}", &[0, 1, 2, 3, 4, 5]),
    ];
    for x in arrays {
        let header = String::from_utf8_lossy(&x[10..60]).into_owned();
        let data = read(&[("x", x), ("y", integers(&[2], &[1, 0]))], &Npz::default()).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(data.train.inputs.values, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], "{header}");
        assert!(data.notices.is_empty());
    }
    let x = npy("|b1", false, &[2, 3], &[0, 1, 0, 1, 1, 0]);
    let data = read(&[("x", x), ("y", integers(&[2], &[1, 0]))], &Npz::default()).expect("it is read");
    assert_eq!(data.train.inputs.values, [0.0, 1.0, 0.0, 1.0, 1.0, 0.0]);
    let x = npy("<f2", false, &[2, 3], &[0, 0x80, 1, 0, 0xff, 0x7b, 0, 0x04, 0xff, 0x03, 0, 0xbc]);
    let data = read(&[("x", x), ("y", integers(&[2], &[1, 0]))], &Npz::default()).expect("it is read");
    let tiny = 2f64.powi(-24);
    assert_eq!(data.train.inputs.values, [-0.0, tiny, 65504.0, 2f64.powi(-14), 1023.0 * tiny, -1.0]);
    // Three axes, the first running fastest: [[[0, 1], [2, 3]], [[4, 5], [6, 7]]].
    let x = npy("|u1", true, &[2, 2, 2], &[0, 4, 2, 6, 1, 5, 3, 7]);
    let data = read(&[("x", x), ("y", integers(&[2], &[1, 0]))], &Npz::default()).expect("it is read");
    assert_eq!(data.train.inputs.values, (0..8).map(f64::from).collect::<Vec<_>>());
}

#[test]
fn labels_of_every_kind_are_read() {
    let text = |width: usize, words: &[&str]| -> Vec<u8> {
        let points = |word: &str| word.chars().chain(std::iter::repeat('\0')).take(width).collect::<Vec<_>>();
        words.iter().flat_map(|word| points(word)).flat_map(|c| (c as u32).to_le_bytes()).collect()
    };
    let class = Some(Task::Classification);
    let cases: Vec<(Vec<u8>, Option<Task>)> = vec![
        (integers(&[3], &[1, 0, 1]), None),
        (integers(&[3, 1], &[1, 0, 1]), None),
        (integers(&[3], &[2, 1, 2]), None),
        (integers(&[3], &[1, -1, 1]), None),
        (integers(&[3], &[10_000_000, 0, 10_000_000]), None),
        (npy("<u8", false, &[3], &[[255; 8], [0; 8], [255; 8]].concat()), None),
        (npy("|b1", false, &[3], &[1, 0, 1]), None),
        (npy("<U3", false, &[3], &text(3, &["été", "no", "été"])), None),
        (npy("<U2", false, &[3], &text(2, &["10", "9", "10"])), None),
        (npy("|S3", false, &[3], b"yesno\0yes"), None),
        (npy("|S2", false, &[3, 1], b"b\0a\0b\0"), None),
        (integers(&[3, 2], &[0, 1, 1, 0, 0, 1]), None),
        (npy("|b1", false, &[3, 2], &[0, 1, 1, 0, 0, 1]), None),
        (npy("|u1", true, &[3, 2], &[0, 1, 0, 1, 0, 1]), None),
        (floats(&[3], &[1.0, 0.0, 1.0]), class),
        (floats(&[3, 1], &[3.0, 0.0, 3.0]), class),
        (floats(&[3, 2], &[0.0, 1.0, 1.0, 0.0, 0.0, 1.0]), class),
    ];
    for (y, task) in cases {
        let header = String::from_utf8_lossy(&y[10..70]).into_owned();
        let data = with_y(y, task).unwrap_or_else(|error| panic!("{header}: {error}"));
        assert_eq!((labels(&data.train), data.train.target().columns()), (&[1, 0, 1][..], 2), "{header}");
    }
    let names = |y| {
        let data = with_y(y, None).expect("it is read").train;
        (0..2).map(|class| data.class_name(class)).collect::<Vec<_>>()
    };
    assert_eq!(names(npy("|S3", false, &[3], b"yesno\0yes")), ["no", "yes"]);
    assert_eq!(names(integers(&[3], &[9, 10, 9])), ["9", "10"]);
}

#[test]
fn what_decides_between_labels_and_numbers_is_said() {
    let notices = |y, task| with_y(y, task).expect("it is read").notices;
    let says = |y, word: &str| {
        let found = notices(y, None);
        assert!(found.iter().any(|notice| notice.contains(word)), "{found:?} should contain `{word}`");
    };
    says(integers(&[3], &[2, 1, 2]), "array y: the labels 1, 2 are the classes 0 to 1; classes = 3 takes them");
    says(integers(&[3, 1], &[1, 0, 1]), "task = \"regression\" takes them as numbers");
    says(integers(&[3, 2], &[0, 1, 1, 0, 0, 1]), "the one-hot rows of y are read as labels; task = \"regression\"");
    says(floats(&[3], &[1.0, 0.0, 1.0]), "whole floats of y are read as targets of a regression; task = \"classif");
    says(floats(&[3, 2], &[0.0, 1.0, 1.0, 0.0, 0.0, 1.0]), "one-hot rows of y are read as targets of a regression");
    for (y, task) in [
        (integers(&[3], &[1, 0, 1]), None),
        (floats(&[3], &[1.5, 0.0, 1.0]), None),
        (integers(&[3, 2], &[0, 1, 1, 0, 0, 1]), Some(Task::Regression)),
        (floats(&[3], &[1.0, 0.0, 1.0]), Some(Task::Classification)),
    ] {
        assert!(notices(y, task).is_empty());
    }
    let given = Npz { classes: Some(4), ..Npz::default() };
    let data = read(&[("x", floats(&[2, 1], &[0.5, 1.5])), ("y", floats(&[2], &[3.0, 0.0]))], &given).expect("read");
    assert_eq!((labels(&data.train), data.train.target().columns(), data.notices.len()), (&[3, 0][..], 4, 0));
    says(
        floats(&[3, 2], &[0.3, 0.7, 0.9, 0.1, 0.5, 0.5]),
        "the rows of y add up to 1, and are read as targets of a reg",
    );
    refused(with_y(integers(&[3, 2], &[1, 1, 1, 0, 0, 0]), None), &["has several truths in a row", "\"regression\""]);
    let regression = Some(Task::Regression);
    for y in [integers(&[3], &[7, -1, 0]), integers(&[3, 1], &[7, -1, 0]), floats(&[3], &[7.0, -1.0, 0.0])] {
        assert_eq!(values(&with_y(y, regression).expect("it is read").train), [7.0, -1.0, 0.0]);
    }
    let data = with_y(integers(&[3, 2], &[0, 1, 1, 0, 0, 1]), regression).expect("it is read").train;
    assert_eq!((values(&data), data.target().columns()), (&[0.0, 1.0, 1.0, 0.0, 0.0, 1.0][..], 2));
    let data = with_y(integers(&[3, 2], &[2, 1, 1, 0, 0, 1]), None).expect("it is read").train;
    assert_eq!(data.target().columns(), 2);
    assert!(data.target().classes().is_none());
    // A number of classes says how many columns there are, too.
    let soft = |classes| {
        let given = Npz { classes: Some(classes), ..Npz::default() };
        read(&[("x", floats(&[2, 1], &[0.5, 1.5])), ("y", floats(&[2, 2], &[0.9, 0.1, 0.5, 0.5]))], &given)
    };
    assert_eq!(soft(2).expect("it is read").train.target().columns(), 2);
    refused(soft(3), &["array y", "columns of targets that are numbers: 3 against 2"]);
}

#[test]
fn names_of_arrays_are_those_of_the_convention_or_the_settings() {
    let (x, y) = (|| floats(&[2, 1], &[0.5, 1.5]), || integers(&[2], &[1, 0]));
    for [a, b, c, d] in npz::CONVENTIONS.iter().chain([&["x", "y", "x_test", "y_test"]]) {
        let data = read(&[(a, x()), (b, y()), (c, x()), (d, y())], &Npz::default()).expect("it is read");
        assert_eq!(data.test.as_ref(), Some(&data.train), "{a}");
        let data = read(&[(a, x()), (b, y())], &Npz::default()).expect("it is read");
        assert!(data.test.is_none());
        refused(read(&[(a, x()), (b, y()), (c, x())], &Npz::default()), &[&format!("no array `{d}`")]);
        if *a != "X" {
            refused(read(&[(a, x()), (b, y()), (d, y())], &Npz::default()), &[&format!("no array `{c}`")]);
        }
    }
    let medmnist = [("train_images", x()), ("train_labels", y()), ("val_images", x()), ("val_labels", y())];
    let data = read(&medmnist, &Npz::default()).expect("it is read");
    assert!(data.notices[0].contains("not read: val_images, val_labels"), "{:?}", data.notices);
    let named = Npz { x: Some("val_images".into()), y: Some("val_labels".into()), ..Npz::default() };
    assert_eq!(read(&medmnist, &named).expect("it is read").train.len(), 2);
    let both = [("x_train", x()), ("y_train", y()), ("train_images", x()), ("train_labels", y())];
    refused(read(&both, &Npz::default()), &["several arrays could be meant", "x_train, y_train", "x = …, y = …"]);
    refused(read(&[("a", x()), ("b", y())], &Npz::default()), &["no array `x`; the archive holds a, b", "x = …"]);
    let wrong = Npz { x: Some("c".into()), ..Npz::default() };
    refused(read(&[("x", x()), ("y", y())], &wrong), &["no array `c`; the archive holds x, y"]);
}

#[test]
fn what_is_no_data_is_refused_with_the_array() {
    let x = || floats(&[3, 1], &[0.5, 1.5, 2.5]);
    let y = || integers(&[3], &[1, 0, 1]);
    let cases: Vec<(Vec<u8>, Vec<u8>, &str)> = vec![
        (
            npy("|O", false, &[3, 1], b"\x80\x04pickle"),
            y(),
            "array `x`: it has dtype |O (Python objects, pickled: save",
        ),
        (npy("<c16", false, &[3, 1], &[0; 48]), y(), "complex numbers"),
        (npy("<M8[ns]", false, &[3, 1], &[0; 24]), y(), "dates or time spans"),
        (npy("<f16", false, &[3, 1], &[0; 48]), y(), "extended precision"),
        (npy("<U1", false, &[3, 1], &[0; 12]), y(), "`x` holds text"),
        (x(), npy("|V8", false, &[3], &[0; 24]), "array `y`: it has dtype |V8 (raw bytes)"),
        (
            raw("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (3,)}", &[0; 24]),
            y(),
            "structured arrays are not read",
        ),
        (
            raw(
                &format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {}3{}}}", "(".repeat(40), ")".repeat(40)),
                &[0; 24],
            ),
            y(),
            "where a size should be",
        ),
        (raw("{'descr': '<f8', 'fortran_order': False, 'shape': (3)}", &[0; 24]), y(), "where `,` should be"),
        (raw("{'descr': '<f8', 'shape': (3, 1)}", &[0; 24]), y(), "lacks descr, fortran_order or shape"),
        (raw(&format!("{{{}", " ".repeat(20_000)), &[]), y(), "its header has 20001 bytes"),
        (b"\x93NUMPY\x04\x00no".to_vec(), y(), "version 4.0"),
        (b"not an array".to_vec(), y(), "it does not begin as NumPy's arrays do"),
        (npy("<f8", false, &[3], &[0; 24]), y(), "save x.reshape(-1, 1)"),
        (npy("<f8", false, &[], &[0; 8]), y(), "is a single value"),
        (npy("<f8", false, &[4, 1], &[0; 24]), y(), "array `x`: its shape [4, 1] makes"),
        (npy("<f8", false, &[2, 1], &[0; 24]), y(), "array `x`: its shape [2, 1] makes"),
        (npy("<f8", false, &[1 << 61, 8], &[]), y(), "is larger than memory"),
        (npy("<f8", false, &[1 << 32, 1 << 29], &[]), y(), "array `x`: its shape"),
        (x(), integers(&[2], &[1, 0]), "arrays x and y: number of inputs and of targets: 3 against 2"),
        (x(), integers(&[3, 1, 1], &[1, 0, 1]), "`y` must be [n] or [n, C], but has shape [3, 1, 1]"),
        (floats(&[3, 1], &[0.5, f64::NAN, 2.5]), y(), "d.npz, arrays x and y: the input of sample 1 is not finite"),
        (x(), floats(&[3], &[0.5, f64::NAN, 2.5]), "the target of sample 1 is not finite"),
        (x(), npy("|b1", false, &[3, 2], &[1, 1, 1, 0, 0, 0]), "several truths in a row"),
        (x(), npy("|S2", false, &[3], b"no\x1b[ye"), "array `y`: it holds text with a control character, \\u{1b}"),
        (x(), npy("|S2", false, &[3], b"nonaye"), "sample 1 of array y: the target is missing (`na`)"),
    ];
    for (x, y, words) in cases {
        refused(read(&[("x", x), ("y", y)], &Npz::default()), &["d.npz", words]);
    }
    let class = Some(Task::Classification);
    refused(with_y(floats(&[3], &[0.5, 1.0, 2.0]), class), &["sample 0 of array y: 0.5 is no label"]);
    refused(with_y(floats(&[3], &[0.0, f64::NAN, 2.0]), class), &["sample 1 of array y: NaN is no label"]);
    refused(with_y(floats(&[3, 2], &[0.0; 6]), class), &["`y` has 2 columns and is not one-hot; save y.argmax(1)"]);
    refused(with_y(npy("|S1", false, &[3], b"aba"), Some(Task::Regression)), &["`y` holds text"]);
    let test = |y_test| read(&[("x", x()), ("y", y()), ("x_test", x()), ("y_test", y_test)], &Npz::default());
    refused(
        test(integers(&[3], &[1, 0, 2])),
        &["sample 2 of array y_test: label `2` is not among the training labels"],
    );
    refused(test(floats(&[3], &[1.0, 0.0, 0.5])), &["sample 2 of array y_test: 0.5 is no label"]);
    let one_hot =
        |columns: usize| npy("|u1", false, &[3, columns], &[[0, 1, 0], [0, 1, 0], [0, 1, 0]].concat()[..3 * columns]);
    refused(test(integers(&[3, 3], &[0, 0, 1, 0, 1, 0, 1, 0, 0])), &["label `2` is not among the training labels"]);
    let parts = [("x", x()), ("y", one_hot(3)), ("x_test", x()), ("y_test", integers(&[3], &[1, 2, 0]))];
    let data = read(&parts, &Npz::default()).expect("the one-hot columns are the classes");
    assert_eq!((data.train.target().columns(), labels(&data.test.expect("there is a test part"))), (3, &[1, 2, 0][..]));
    let other = Npz { classes: Some(2), ..Npz::default() };
    refused(read(&parts, &other), &["number of classes and of one-hot columns: 2 against 3"]);
    let wide = [("x", x()), ("y", y()), ("x_test", floats(&[1, 2], &[0.5, 1.5])), ("y_test", integers(&[1], &[0]))];
    refused(read(&wide, &Npz::default()), &["arrays x_test and y_test: inputs of the training and of the test part"]);
    let named = [("x", x()), ("y", y()), ("classes", npy("|S1", false, &[1], b"a"))];
    refused(read(&named, &Npz::default()), &["label 1, but there are 1 classes"]);
    let whole = archive(&[("x", x()), ("y", y())]);
    refused(read_bytes([&whole[..], &[0]].concat(), &Npz::default()), &["cut short, or goes on behind its end"]);
    let mut moved = whole.clone();
    let at = moved.len() - 6;
    moved[at] += 1;
    refused(read_bytes(moved, &Npz::default()), &["the list of its entries is not where it should be"]);
    refused(read_bytes(x(), &Npz::default()), &["it is a single NumPy array", "np.savez"]);
    refused(read_bytes(b"x,y\n1,0\n", &Npz::default()), &["no complete NumPy archive"]);
    refused(read_bytes(&whole[..200], &Npz::default()), &["no complete NumPy archive"]);
}

/// Bits all over an archive of a stored and a compressed array: none is accepted with other numbers.
#[test]
fn a_flipped_bit_is_refused_or_does_not_matter() {
    let x: Vec<f64> = (0..12).map(|at| f64::from(at) / 7.0).collect();
    let whole = archive(&[("x", floats(&[6, 2], &x)), ("y", integers(&[6], &[0, 1, 2, 2, 1, 0]))]);
    let right = read_bytes(&whole, &Npz::default()).expect("the archive is whole");
    let folder = Folder::new();
    let mut accepted = 0;
    for bit in (0..8 * whole.len()).step_by(3) {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let path = folder.write("d.npz", &bytes);
        if let Ok(data) = load(Source::Npz(Npz { path, ..Npz::default() })) {
            assert_eq!((&data.train, &data.test), (&right.train, &right.test), "bit {bit}");
            accepted += 1;
        }
    }
    assert!(3 * accepted < whole.len(), "{accepted} of {} flips were accepted", 8 * whole.len() / 3);
}

#[test]
fn a_small_archive_that_grows_is_refused() {
    let size = 1 << 27;
    let bytes = archive(&[("y", integers(&[1], &[0])), ("x", npy("|b1", false, &[1, size], &vec![0; size]))]);
    assert!(bytes.len() < 1 << 18);
    refused(read_bytes(bytes, &Npz::default()), &["d.npz has", "becomes 1342177", "decompress it first"]);
}

/// The array `classes` says which class is which also of words, and inputs of another shape are no test part.
#[test]
fn classes_and_shapes_keep_their_order() {
    let words = npy("|S3", false, &[3], b"catdogcat");
    let order = npy("|S3", false, &[2], b"dogcat");
    let arrays = [("x", floats(&[3, 1], &[0.5, 1.5, 2.5])), ("y", words), ("classes", order)];
    let data = read(&arrays, &Npz::default()).expect("the names say the order").train;
    assert_eq!((labels(&data), data.target().columns()), (&[1, 0, 1][..], 2));
    let mut other = arrays.clone();
    other[2].1 = npy("|S3", false, &[2], b"dogcow");
    refused(read(&other, &Npz::default()), &["label `cat` is not among the names of the classes, dog, cow"]);

    let image = |shape: &[usize]| floats(shape, &(0..12).map(f64::from).collect::<Vec<_>>());
    let parts = |test: &[usize]| {
        let (y, y_test) = (integers(&[2], &[0, 1]), integers(&[2], &[0, 1]));
        read(&[("x", image(&[2, 2, 3])), ("y", y), ("x_test", image(test)), ("y_test", y_test)], &Npz::default())
    };
    assert!(parts(&[2, 2, 3]).is_ok());
    refused(parts(&[2, 3, 2]), &["images of 3×2 pixels, those for training images of 2×3 pixels"]);

    let ids = [("x", integers(&[2, 1], &[9_007_199_254_740_993, 1])), ("y", integers(&[2], &[0, 1]))];
    refused(read(&ids, &Npz::default()), &["`x` holds whole numbers like", "beyond 2⁵³"]);
    // A test part that nobody named is.
    let named = Npz { x: Some("data".into()), ..Npz::default() };
    let column = || floats(&[2, 1], &[1.0, 2.0]);
    let y = || integers(&[2], &[0, 1]);
    let read = read(&[("data", column()), ("y", y()), ("x_test", column()), ("y_test", y())], &named);
    assert!(read.expect("all are there").notices[0].contains("x_test and y_test are taken for the test part"));
}

/// Text is the name of a class; a number is a place among the names.
#[test]
fn classes_named_by_numbers_are_not_mixed_up() {
    let named = |y: Vec<u8>, names: Vec<u8>| {
        read(&[("x", floats(&[3, 1], &[0.5, 1.5, 2.5])), ("y", y), ("classes", names)], &Npz::default())
    };
    let text = |letters: &[u8]| npy("|S1", false, &[letters.len()], letters);
    let data = named(text(b"120"), text(b"120")).expect("it is read");
    assert_eq!((labels(&data.train), data.train.class_name(0)), (&[0, 1, 2][..], "1".to_owned()));
    refused(named(text(b"123"), text(b"120")), &["sample 2", "label `3` is not among the names of the classes"]);
    let data = named(integers(&[3], &[1, 2, 1]), text(b"123")).expect("it is read");
    assert_eq!(labels(&data.train), [1, 2, 1]);
    assert!(
        data.notices[0].contains("are places among the names of the classes, counted from 0"),
        "{:?}",
        data.notices
    );
    let data = named(integers(&[3], &[1, 2, 1]), text(b"789")).expect("it is read");
    assert!(data.notices.is_empty(), "no label is another's name: {:?}", data.notices);
    refused(named(integers(&[3], &[1, 2, 1]), text(b"aac")), &["array `classes` has `a` twice"]);
}

/// Two images of 1×2 pixels with three channels, `[n, C, H, W]` and `[n, H, W, C]`.
#[test]
fn axes_of_images_are_asked_for() {
    let first: Vec<f64> = (0..12).map(f64::from).collect();
    let last = [0.0, 2.0, 4.0, 1.0, 3.0, 5.0, 6.0, 8.0, 10.0, 7.0, 9.0, 11.0];
    let of = |shape: &[usize], values: &[f64], channels| {
        let npz = Npz { channels, ..Npz::default() };
        read(&[("x", floats(shape, values)), ("y", integers(&[2], &[1, 0]))], &npz)
    };
    let image = Sample::Image { channels: 3, height: 1, width: 2 };
    for (shape, values, channels) in
        [([2, 3, 1, 2], &first[..], Channels::First), ([2, 1, 2, 3], &last[..], Channels::Last)]
    {
        let data = of(&shape, values, Some(channels)).expect("it is read").train;
        assert_eq!((&data.sample, &data.inputs.values), (&image, &first));
        // Not said: numbers in the order of the file.
        let data = of(&shape, values, None).expect("it is read").train;
        assert_eq!((data.sample, &data.inputs.values[..]), (Sample::Numbers(shape[1..].to_vec()), values));
    }
    let data = of(&[2, 2, 3], &first, None).expect("it is read").train;
    assert_eq!(data.sample, Sample::gray(2, 3));
    refused(of(&[2, 6], &first, Some(Channels::Last)), &["samples of shape [6]", "three axes"]);
    // Written and read again.
    let folder = Folder::new();
    for (sample, channels) in [(image, Some(Channels::First)), (Sample::gray(2, 3), None)] {
        let data = Dataset::new(Matrix { values: first.clone(), columns: 6 }, Targets::labels(vec![0, 1], 2));
        let data = data.and_then(|data| data.with_sample(sample)).expect("valid");
        let path = folder.write("d.npz", []);
        npz::write(std::fs::File::create(&path).expect("it can be written"), &data, None).expect("written");
        let parts = load(Source::Npz(Npz { path, channels, ..Npz::default() })).expect("the archive is whole");
        assert_eq!(parts.train, data);
    }
}

/// Sequences of tokens `[n, L]`, and labels of the whole or of their last tokens.
#[test]
fn tokens_are_read_where_a_vocabulary_is_given() {
    let npz = |vocabulary, classes| Npz { vocabulary: Some(vocabulary), classes, ..Npz::default() };
    let x = || integers(&[2, 3], &[0, 4, 1, 2, 2, 0]);
    let of = |y: Vec<u8>, npz: &Npz| read(&[("x", x()), ("y", y)], npz);
    let whole = of(integers(&[2], &[1, 0]), &npz(5, None)).expect("labels of sequences").train;
    assert_eq!((&whole.sample, whole.target().positions()), (&Sample::Tokens { length: 3, vocabulary: 5 }, 1));
    assert_eq!(&whole.inputs.values, &[0.0, 4.0, 1.0, 2.0, 2.0, 0.0], "tokens are not scaled");
    // Rows of zeros and ones are labels of tokens, and no classes of a whole sequence.
    let last = of(integers(&[2, 2], &[1, 0, 0, 1]), &npz(5, None)).expect("labels of the last two tokens").train;
    assert_eq!((labels(&last), last.target().positions(), last.target().columns()), (&[1, 0, 0, 1][..], 2, 10));
    let four = of(integers(&[2, 2], &[3, 0, 0, 1]), &npz(5, Some(4))).expect("labels of four classes").train;
    assert_eq!(four.target().columns(), 8);
    refused(of(integers(&[2], &[1, 0]), &npz(4, None)), &["token", "4"]);
    refused(of(integers(&[2, 4], &[0; 8]), &npz(5, None)), &["tokens of a sequence, and labels for them: 3 against 4"]);
    refused(of(integers(&[2, 2], &[5, 0, 0, 1]), &npz(5, None)), &["label 5"]);
    let floats = read(&[("x", floats(&[2, 3], &[0.0; 6])), ("y", integers(&[2], &[1, 0]))], &npz(5, None));
    refused(floats, &["`x` holds floats", "x.astype(int)"]);
    let both = Npz { channels: Some(Channels::First), ..npz(5, None) };
    refused(of(integers(&[2], &[1, 0]), &both), &["channels are of images"]);
    // They make the round trip.
    let folder = Folder::new();
    let mut written = Cursor::new(Vec::new());
    npz::write(&mut written, &last, None).expect("memory can be written");
    let path = folder.write("again.npz", written.into_inner());
    let data = DataConfig { test_fraction: Some(0.0), ..DataConfig::new(Source::Npz(Npz { path, ..npz(5, None) })) };
    let mut again = data.load().expect("it is whole").train;
    if let (Targets::Labels { names, .. }, Targets::Labels { names: own, .. }) = (&mut again.targets, &last.targets) {
        names.clone_from(own);
    }
    assert_eq!(again, last);
}
