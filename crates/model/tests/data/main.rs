//! Data: what ships with the crate, what is generated, what is read.

use std::path::Path;

use losscape_model::data::digits::{ARCHIVE, Digits};
use losscape_model::data::generate::{LeastSquares, Moons, Spirals, TeacherStudent};
use losscape_model::data::idx::Idx;
use losscape_model::data::npz::{self, Npz};
use losscape_model::data::table::{Csv, Task};
use losscape_model::data::{DataConfig, DataError, Dataset, Matrix, Source, Standardize, Targets, cifar, digits, idx};
use sha2::{Digest, Sha256};

fn labels(data: &Dataset) -> &[usize] {
    match &data.targets {
        Targets::Labels { labels, .. } => labels,
        Targets::Values(_) => panic!("labels are expected"),
    }
}

fn moons() -> Source {
    Source::Moons(Moons { samples: 100, noise: 0.1 })
}

#[test]
fn digits_are_those_of_the_archive() {
    let sum: String = Sha256::digest(ARCHIVE).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(sum, "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22");
    let data = digits::load();
    assert_eq!((data.len(), data.inputs.columns, data.outputs()), (1797, 64, 10));
    let mut counts = [0; 10];
    labels(&data).iter().for_each(|&label| counts[label] += 1);
    assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    // As scikit-learn's load_digits().data.sum() says.
    assert_eq!(data.inputs.values.iter().sum::<f64>(), 561_718.0);
}

#[test]
fn splits_are_disjoint_whole_and_seeded() {
    let mut config = DataConfig { standardize: Some(Standardize::None), ..DataConfig::new(moons()) };
    config.test_fraction = Some(0.3);
    let parts = config.load().expect("the settings are valid");
    let test = parts.test.clone().expect("there is a test part");
    assert_eq!((parts.train.len(), test.len()), (70, 30));
    let mut rows: Vec<&[f64]> = (0..70).map(|at| parts.train.inputs.row(at)).collect();
    rows.extend((0..30).map(|at| test.inputs.row(at)));
    let all = Moons { samples: 100, noise: 0.1 }.generate(0).expect("the settings are valid");
    let mut expected: Vec<&[f64]> = (0..100).map(|at| all.inputs.row(at)).collect();
    let order = |a: &&[f64], b: &&[f64]| a[0].total_cmp(&b[0]);
    rows.sort_by(order);
    expected.sort_by(order);
    assert_eq!(rows, expected, "every sample is in one part");
    assert_eq!(config.load().expect("valid"), parts, "the same seed, the same split");
    config.seed = 1;
    assert_ne!(config.load().expect("valid"), parts, "another seed, another split");
}

#[test]
fn standardization_is_fitted_on_the_training_part_only() {
    let moments = |data: &Dataset, column: usize| {
        let values: Vec<f64> = (0..data.len()).map(|at| data.inputs.row(at)[column]).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64)
    };
    let parts = DataConfig::new(moons()).load().expect("the settings are valid");
    let test = parts.test.expect("there is a test part");
    for column in 0..2 {
        let (mean, variance) = moments(&parts.train, column);
        assert!(mean.abs() < 1e-12 && (variance - 1.0).abs() < 1e-12, "{mean}, {variance}");
        let (mean, _) = moments(&test, column);
        assert!(mean.abs() > 1e-6, "the test part has a mean of its own");
    }
    // A constant feature stays finite: the corner pixels of the digits are always 0.
    let mut config = DataConfig::new(Source::Digits(Digits {}));
    config.standardize = Some(Standardize::Features);
    let parts = config.load().expect("the settings are valid");
    assert!(parts.train.inputs.values.iter().all(|value| value.is_finite()));
    assert_eq!(moments(&parts.train, 0), (0.0, 0.0));
}

#[test]
fn random_labels_change_the_asked_share_of_the_training_part() {
    let clean = DataConfig::new(Source::Digits(Digits {}));
    let noisy = DataConfig { random_labels: 0.5, ..clean.clone() };
    let (clean, noisy) = (clean.load().expect("valid"), noisy.load().expect("valid"));
    let changed = labels(&clean.train).iter().zip(labels(&noisy.train)).filter(|(a, b)| a != b).count();
    // Half of 1,438 labels are drawn anew, a tenth of them falls on the old one: 647 ± 8 change.
    assert!((600..=690).contains(&changed), "{changed}");
    assert_eq!(clean.test, noisy.test);
    assert_eq!(clean.train.inputs, noisy.train.inputs);
}

#[test]
fn least_squares_has_the_spectrum_asked_for() {
    let eigenvalues = vec![100.0, 10.0, 1.0, 1e-3];
    let config = LeastSquares { samples: 12, inputs: 7, eigenvalues: eigenvalues.clone(), noise: 0.0 };
    let problem = config.generate(3).expect("the settings are valid");
    let (n, d) = (12, 7);
    let gram = |i: usize, j: usize| -> f64 {
        (0..n).map(|row| problem.data.inputs.row(row)[i] * problem.data.inputs.row(row)[j]).sum()
    };
    // Power sums of the eigenvalues are traces of powers of ΦᵀΦ; four of them and the rank fix four eigenvalues.
    let h: Vec<Vec<f64>> = (0..d).map(|i| (0..d).map(|j| gram(i, j)).collect()).collect();
    let mut power = h.clone();
    for k in 1..=4 {
        let trace: f64 = (0..d).map(|i| power[i][i]).sum();
        let expected: f64 = eigenvalues.iter().map(|value| value.powi(k)).sum();
        assert!((trace / expected - 1.0).abs() < 1e-12, "power {k}: {trace} against {expected}");
        power = (0..d).map(|i| (0..d).map(|j| (0..d).map(|l| power[i][l] * h[l][j]).sum()).collect()).collect();
    }
    // Without noise the solution that made the targets fits them.
    let Targets::Values(targets) = &problem.data.targets else { panic!("targets are numbers") };
    for row in 0..n {
        let fit: f64 = problem.data.inputs.row(row).iter().zip(&problem.solution).map(|(x, w)| x * w).sum();
        assert!((fit - targets.values[row]).abs() < 1e-12);
    }
    // The spectrum belongs to all rows and to inputs as they are: nothing is split off or scaled by default.
    let prepared = DataConfig::new(Source::LeastSquares(config)).load().expect("valid");
    assert!(prepared.test.is_none());
    assert_eq!(prepared.train.len(), 12);
}

#[test]
fn generators_are_seeded_and_have_their_shapes() {
    let spirals = Spirals { samples: 90, classes: 3, turns: 1.0, noise: 0.0 };
    let data = spirals.generate(1).expect("valid");
    assert_eq!((data.len(), data.inputs.columns, data.outputs()), (90, 2, 3));
    assert!((0..90).all(|at| data.inputs.row(at).iter().map(|x| x * x).sum::<f64>() <= 1.0));
    assert_eq!(spirals.generate(1).expect("valid"), data);
    assert_ne!(spirals.generate(2).expect("valid"), data);

    let teacher = TeacherStudent { samples: 2000, inputs: 5, outputs: 2, teacher_width: 8, noise: 0.0 };
    let data = teacher.generate(0).expect("valid");
    assert_eq!((data.len(), data.inputs.columns, data.outputs()), (2000, 5, 2));
    let moons = Moons { samples: 11, noise: 0.0 }.generate(0).expect("valid");
    // Without noise the first class lies on the unit circle around the origin, the second on that around (1, ½).
    for (at, label) in labels(&moons).iter().enumerate() {
        let [x, y] = moons.inputs.row(at) else { panic!("two inputs") };
        let (x, y) = if *label == 0 { (*x, *y) } else { (x - 1.0, y - 0.5) };
        assert!((x.hypot(y) - 1.0).abs() < 1e-12);
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    let least =
        |eigenvalues: Vec<f64>| Source::LeastSquares(LeastSquares { samples: 3, inputs: 3, eigenvalues, noise: 0.0 });
    for source in [
        Source::Moons(Moons { samples: 0, noise: 0.1 }),
        Source::Moons(Moons { samples: 5, noise: -0.1 }),
        Source::Spirals(Spirals { samples: 5, classes: 0, turns: 1.0, noise: 0.0 }),
        least(vec![]),
        least(vec![1.0; 4]),
        least(vec![1.0, -1.0]),
    ] {
        assert!(matches!(DataConfig::new(source.clone()).load(), Err(DataError::Setting { .. })), "{source:?}");
    }
}

#[test]
fn idx_files_are_read_plain_and_gzipped() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("the folder can be written");
        path
    };
    let images = [&[0u8, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3][..], &[0, 128, 255, 1, 2, 3]].concat();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gzip, &images).expect("memory can be written");
    let config = DataConfig {
        standardize: Some(Standardize::None),
        test_fraction: Some(0.0),
        ..DataConfig::new(Source::Idx(Idx {
            images: write("images.gz", &gzip.finish().expect("memory can be written")),
            labels: write("labels", &[0, 0, 8, 1, 0, 0, 0, 2, 4, 1]),
            test_images: Some(write("images", &images)),
            test_labels: Some(write("test-labels", &[0, 0, 8, 1, 0, 0, 0, 2, 0, 1])),
            classes: None,
        }))
    };
    let parts = config.load().expect("the files are whole");
    assert_eq!(parts.train.inputs.values, [0.0, 128.0, 255.0, 1.0, 2.0, 3.0]);
    assert_eq!((labels(&parts.train), parts.train.outputs()), (&[4, 1][..], 5));
    assert_eq!(labels(&parts.test.expect("there is a test part")), [0, 1]);
    // Other types, big-endian: −2 as i16 and 0.5 as f32.
    assert_eq!(idx::read(&write("i16", &[0, 0, 0x0B, 1, 0, 0, 0, 1, 0xFF, 0xFE])).expect("whole").1, [-2.0]);
    assert_eq!(idx::read(&write("f32", &[0, 0, 0x0D, 1, 0, 0, 0, 1, 0x3F, 0, 0, 0])).expect("whole").1, [0.5]);
}

#[test]
fn cifar_files_are_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("data_batch_1.bin");
    let records: Vec<u8> =
        [3u8, 9, 0].iter().flat_map(|&label| [vec![label], vec![label * 2; 3072]].concat()).collect();
    std::fs::write(&path, records).expect("the folder can be written");
    let source = Source::Cifar10(cifar::Cifar10 { files: vec![path], test_files: Vec::new() });
    let config =
        DataConfig { standardize: Some(Standardize::None), test_fraction: Some(0.0), ..DataConfig::new(source) };
    let data = config.load().expect("the file is whole").train;
    assert_eq!((labels(&data), data.inputs.columns, data.outputs()), (&[3, 9, 0][..], 3072, 10));
    assert_eq!(data.inputs.row(1)[3071], 18.0);
}

#[test]
fn csv_files_are_read_with_names_for_classes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("iris.csv");
    std::fs::write(&path, "a,species,b\n1,virginica,2\n3,setosa,4.5\n5,virginica,6\n").expect("it can be written");
    let csv = Csv {
        path,
        test_path: None,
        target: Some("species".into()),
        header: true,
        task: Task::Classification,
        classes: None,
    };
    let load = |csv: &Csv| {
        let source = Source::Csv(csv.clone());
        let config =
            DataConfig { standardize: Some(Standardize::None), test_fraction: Some(0.0), ..DataConfig::new(source) };
        config.load().map(|parts| parts.train)
    };
    let data = load(&csv).expect("the file is whole");
    assert_eq!(data.inputs.values, [1.0, 2.0, 3.0, 4.5, 5.0, 6.0]);
    assert_eq!((labels(&data), data.outputs()), (&[1, 0, 1][..], 2));
    let regression = Csv { target: Some("b".into()), task: Task::Regression, ..csv };
    assert!(matches!(load(&regression), Err(DataError::Format { line: Some(2), .. })), "species is no number");
}

#[test]
fn npz_archives_make_the_round_trip() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let values = |values: &[f64], columns| Matrix { values: values.to_vec(), columns };
    let classes = Targets::Labels { labels: vec![0, 2], classes: 3 };
    let classification = Dataset::new(values(&[1.0, 0.1, -2.0, 1e-300], 2), classes).expect("valid");
    let targets = Targets::Values(values(&[1.5, 2.5, 3.5, 4.5], 2));
    let regression = Dataset::new(values(&[1.0, 2.0], 1), targets).expect("valid");
    for (name, data) in [("c", &classification), ("r", &regression)] {
        let path = folder.path().join(name);
        npz::write(std::fs::File::create(&path).expect("it can be written"), data, Some(data)).expect("written");
        let source = Source::Npz(Npz { path, classes: None });
        let config = DataConfig { standardize: Some(Standardize::None), ..DataConfig::new(source) };
        let parts = config.load().expect("the archive is whole");
        assert_eq!((&parts.train, parts.test.as_ref()), (data, Some(data)));
    }
}

#[test]
fn archives_of_numpy_are_read() {
    // Written by NumPy 2.4 (tests/fixtures/make.py): float32 inputs, uint8 labels, deflated.
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/numpy.npz");
    let source = Source::Npz(Npz { path, classes: None });
    let config =
        DataConfig { standardize: Some(Standardize::None), test_fraction: Some(0.0), ..DataConfig::new(source) };
    let data = config.load().expect("the archive is whole").train;
    assert_eq!(data.inputs.values, [0.5, -1.0, 2.0, 4.0, 8.0, 16.0]);
    assert_eq!((labels(&data), data.outputs()), (&[1, 0, 2][..], 3));
}

#[test]
fn what_does_not_fit_is_refused() {
    let inputs = || Matrix { values: vec![1.0, 2.0], columns: 1 };
    let with = |labels: Vec<usize>, classes| Dataset::new(inputs(), Targets::Labels { labels, classes });
    assert!(matches!(with(vec![0, 3], 3), Err(DataError::LabelOutOfRange { sample: 1, label: 3, classes: 3 })));
    assert!(matches!(with(vec![0], 3), Err(DataError::Mismatch { left: 2, right: 1, .. })));
    let infinite = Matrix { values: vec![1.0, f64::INFINITY], columns: 1 };
    let result = Dataset::new(infinite, Targets::Labels { labels: vec![0, 1], classes: 2 });
    assert!(matches!(result, Err(DataError::NotFinite { sample: 1, column: 0, what: "input" })));
}
