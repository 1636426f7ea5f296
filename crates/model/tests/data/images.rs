//! IDX and CIFAR: files of images.

use losscape_model::data::cifar::{Cifar10, Cifar100, Granularity};
use losscape_model::data::idx::{self, Idx};
use losscape_model::data::{DataError, Parts, Source};

use super::{Folder, gzip, labels, load, refused};

/// Two 1×3 images.
const IMAGES: &[u8] = &[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 0, 128, 255, 1, 2, 3];

/// An IDX file of bytes.
fn of_labels(labels: &[u8]) -> Vec<u8> {
    [&[0, 0, 8, 1, 0, 0, 0, labels.len() as u8], labels].concat()
}

fn read(images: &[u8], labels: &[u8], classes: Option<usize>) -> Result<Parts, DataError> {
    let folder = Folder::new();
    let (images, labels) = (folder.write("images", images), folder.write("labels", labels));
    load(Source::Idx(Idx { images, labels, classes, ..Idx::default() }))
}

#[test]
fn idx_files_are_read_plain_and_gzipped() {
    let folder = Folder::new();
    let parts = load(Source::Idx(Idx {
        images: folder.write("images.gz", gzip(IMAGES)),
        labels: folder.write("labels", of_labels(&[1, 0])),
        test_images: Some(folder.write("images", IMAGES)),
        test_labels: Some(folder.write("test-labels", of_labels(&[0, 1]))),
        classes: None,
    }))
    .expect("the files are whole");
    assert_eq!(parts.train.inputs.values, [0.0, 128.0, 255.0, 1.0, 2.0, 3.0]);
    assert_eq!((labels(&parts.train), parts.train.target().columns()), (&[1, 0][..], 2));
    assert_eq!(labels(&parts.test.expect("there is a test part")), [0, 1]);
    // Other types, big-endian: −2 as i16 and 0.5 as f32.
    let number = |name: &str, bytes: &[u8]| idx::read(&folder.write(name, bytes)).expect("whole").1;
    assert_eq!(number("i16", &[0, 0, 0x0B, 1, 0, 0, 0, 1, 0xFF, 0xFE]), [-2.0]);
    assert_eq!(number("f32", &[0, 0, 0x0D, 1, 0, 0, 0, 1, 0x3F, 0, 0, 0]), [0.5]);
}

#[test]
fn labels_from_1_are_as_many_classes_as_there_are() {
    // EMNIST letters count from 1.
    let data = read(IMAGES, &of_labels(&[2, 1]), None).expect("the files are whole");
    assert_eq!(
        (labels(&data.train), data.train.target().columns(), data.train.class_name(1)),
        (&[1, 0][..], 2, "2".into())
    );
    assert!(data.notices[0].contains("the labels 1, 2 are the classes 0 to 1; classes = 3"), "{:?}", data.notices);
    let data = read(IMAGES, &of_labels(&[4, 1]), Some(5)).expect("the files are whole");
    assert_eq!((labels(&data.train), data.train.target().columns()), (&[4, 1][..], 5));
    assert!(data.notices.is_empty());
    refused(read(IMAGES, &of_labels(&[4, 1]), Some(4)), &["labels, the labels: sample 0 has label 4", "4 classes"]);
}

#[test]
fn idx_files_that_are_not_whole_are_refused() {
    let labels = of_labels(&[0, 1]);
    let behind = |bytes: &[u8]| [bytes, &[0]].concat();
    let of_type = |code: u8, number: &[u8]| [&[0, 0, code, 2, 0, 0, 0, 2, 0, 0, 0, 1], number, number].concat();
    let cases: Vec<(Vec<u8>, Vec<u8>, &str)> = vec![
        (IMAGES[..20].to_vec(), labels.clone(), "images is truncated: 22 bytes expected, 20 found"),
        (IMAGES[..7].to_vec(), labels.clone(), "images is truncated: 16 bytes expected, 7 found"),
        (IMAGES[..3].to_vec(), labels.clone(), "images is truncated: 4 bytes expected, 3 found"),
        (gzip(&IMAGES[..20]), labels.clone(), "images is truncated: 22 bytes expected, 20 found"),
        (of_type(0x0C, &1_i32.to_le_bytes()), labels.clone(), "images: its numbers make sense with their bytes in"),
        (of_type(0x0D, &1_f32.to_le_bytes()), labels.clone(), "IDX is big-endian"),
        (behind(IMAGES), labels.clone(), "images: it goes on behind the 22 bytes of its shape [2, 1, 3]"),
        (gzip(&behind(IMAGES)), labels.clone(), "it goes on behind the 22 bytes"),
        (IMAGES.to_vec(), behind(&labels), "labels: it goes on behind the 10 bytes"),
        (
            labels.clone(),
            IMAGES.to_vec(),
            "images: images must have two dimensions or more; is this the file of labels?",
        ),
        (IMAGES.to_vec(), IMAGES.to_vec(), "labels: labels must have one dimension; is this the file of images?"),
        (IMAGES.to_vec(), of_labels(&[0, 1, 1]), "labels: number of inputs and of targets: 2 against 3"),
        (b"<html>".to_vec(), labels.clone(), "images: it is a web page"),
        (b"no image".to_vec(), labels.clone(), "no IDX file"),
        (gzip(IMAGES)[..20].to_vec(), labels.clone(), "cannot read"),
        ([&[0, 0, 8, 4][..], &[255; 16]].concat(), labels, "its dimensions are larger than memory"),
    ];
    for (images, labels, words) in cases {
        refused(read(&images, &labels, None), &[words]);
    }
    let half = [&[0, 0, 0x0D, 1, 0, 0, 0, 2][..], &1f32.to_be_bytes(), &0.5f32.to_be_bytes()].concat();
    refused(read(IMAGES, &half, None), &["sample 1 of the labels: 0.5 is no label"]);
    // 49 MiB of zeros in 48 KiB: 392 MiB of numbers.
    let size = (49_u32 << 20).to_be_bytes();
    let bomb = [&[0, 0, 8, 2, 0, 0, 0, 1][..], &size, &vec![0; 49 << 20]].concat();
    refused(read(&gzip(&bomb), &of_labels(&[0]), None), &["images has", "becomes", "decompress it first"]);
}

fn record(labels: &[u8], pixel: u8) -> Vec<u8> {
    [labels, &[pixel; 3072]].concat()
}

#[test]
fn cifar_files_are_read() {
    let folder = Folder::new();
    let file = folder.write("data_batch_1.bin", [record(&[3], 6), record(&[9], 18), record(&[0], 0)].concat());
    let data = load(Source::Cifar10(Cifar10 { files: vec![file], test_files: Vec::new() })).expect("whole").train;
    assert_eq!((labels(&data), data.inputs.columns, data.target().columns()), (&[3, 9, 0][..], 3072, 10));
    assert_eq!(data.inputs.row(1)[3071], 18.0);
    let file = folder.write("train.bin", [record(&[3, 77], 6), record(&[19, 99], 18)].concat());
    for (granularity, expected, classes) in [(Granularity::Fine, [77, 99], 100), (Granularity::Coarse, [3, 19], 20)] {
        let source = Cifar100 { files: vec![file.clone()], test_files: Vec::new(), labels: granularity };
        let data = load(Source::Cifar100(source)).expect("the file is whole").train;
        assert_eq!((labels(&data), data.target().columns()), (&expected[..], classes));
        assert_eq!(data.inputs.row(1)[0], 18.0);
    }
}

#[test]
fn files_that_are_not_cifars_are_told_what_they_are() {
    let read = |bytes: &[u8], hundred: bool| {
        let folder = Folder::new();
        let (files, test_files) = (vec![folder.write("c", bytes)], Vec::new());
        load(if hundred {
            Source::Cifar100(Cifar100 { files, test_files, labels: Granularity::Fine })
        } else {
            Source::Cifar10(Cifar10 { files, test_files })
        })
    };
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    let cases: Vec<(Vec<u8>, bool, Vec<&str>)> = vec![
        (record(&[3, 77], 6).repeat(4), false, vec!["records of 3074 bytes, as CIFAR-100", "name = \"cifar100\""]),
        (record(&[3], 6).repeat(4), true, vec!["records of 3073 bytes, as CIFAR-10", "name = \"cifar10\""]),
        (b"\x80\x04\x95pickled".to_vec(), false, vec!["it is a Python pickle", "np.savez"]),
        (b"\x80\x02}q\x01".to_vec(), true, vec!["it is a Python pickle"]),
        (gzip(&tar), false, vec!["it is a tar archive"]),
        (vec![1; 3000], false, vec!["c is truncated: 3073 bytes expected, 3000 found"]),
        (Vec::new(), false, vec!["c is truncated: 3073 bytes expected, 0 found"]),
        (record(&[10], 6), false, vec!["c, as CIFAR-10: sample 0 has label 10, but there are 10 classes"]),
        ([record(&[3, 99], 6), record(&[3, 100], 6)].concat(), true, vec!["sample 1 has label 100"]),
    ];
    for (bytes, hundred, words) in cases {
        refused(read(&bytes, hundred), &words);
    }
}
