//! Data: what ships with the crate, what is generated, what is read.
//!
//! - here: generators, splits, standardization;
//! - [`csv`], [`images`], [`npz`]: files of each format, what is read and what is refused.

mod csv;
mod images;
mod npz;

use std::path::PathBuf;

use burn::tensor::{DType, Device, Int, Tensor};
use losscape_model::data::digits::{ARCHIVE, Digits};
use losscape_model::data::fashion_mnist::{self, FashionMnist};
use losscape_model::data::generate::{LeastSquares, Mnist1d, Moons, Sorting, Spirals, TeacherStudent};
use losscape_model::data::npz::{self as archives, Channels, Npz};
use losscape_model::data::text::Text;
use losscape_model::data::{DataConfig, DataError, Dataset, Matrix, Parts, Source, Standardize, Targets, digits};
use losscape_model::{FromDataset, Sample};
use serde::Deserialize;
use serde::de::value::{Error, MapDeserializer};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

fn labels(data: &Dataset) -> &[usize] {
    match &data.targets {
        Targets::Labels { labels, .. } => labels,
        Targets::Values(_) => panic!("labels are expected"),
    }
}

fn values(data: &Dataset) -> &[f64] {
    match &data.targets {
        Targets::Values(values) => &values.values,
        Targets::Labels { .. } => panic!("numbers are expected"),
    }
}

/// A folder for the files of a test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).expect("the folder can be written");
        path
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut gzip, bytes).expect("memory can be written");
    gzip.finish().expect("memory can be written")
}

/// The data as it stands in its files.
fn load(source: Source) -> Result<Parts, DataError> {
    let config =
        DataConfig { standardize: Some(Standardize::None), test_fraction: Some(0.0), ..DataConfig::new(source) };
    let mut data = config.parts()?;
    data.notices.retain(|notice| !notice.starts_with("test_fraction"));
    Ok(data)
}

/// Whether it is refused with all of these words.
fn refused<T>(result: Result<T, DataError>, words: &[&str]) {
    let message = result.map(|_| ()).expect_err(&format!("this should be refused with {words:?}")).to_string();
    for word in words {
        assert!(message.contains(word), "`{message}` should contain `{word}`");
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
    assert_eq!((data.len(), data.inputs.columns, data.target().columns()), (1797, 64, 10));
    let mut counts = [0; 10];
    labels(&data).iter().for_each(|&label| counts[label] += 1);
    assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    // As scikit-learn's load_digits().data.sum() says.
    assert_eq!(data.inputs.values.iter().sum::<f64>(), 561_718.0);
}

#[test]
fn clothes_are_those_of_the_archive() {
    let Parts { train, test, .. } = fashion_mnist::load();
    let test = test.expect("there is a test part");
    for (part, per_class, sum) in [(&train, 100, 57_441_455.0), (&test, 50, 28_931_962.0)] {
        assert_eq!((&part.sample, part.target().columns(), part.len()), (&Sample::gray(28, 28), 10, 10 * per_class));
        assert!((0..10).all(|class| labels(part).iter().filter(|&&label| label == class).count() == per_class));
        // As assets/fashion_mnist.py leaves them, by Python's gzip.
        assert_eq!(part.inputs.values.iter().sum::<f64>(), sum);
    }
    assert_eq!(
        (&labels(&train)[..12], train.class_name(9)),
        (&[9, 0, 0, 3, 0, 2, 7, 2, 5, 5, 0, 9][..], "ankle boot".into())
    );
    let config = DataConfig { test_fraction: Some(0.5), ..DataConfig::new(FashionMnist {}) };
    assert_eq!(config.parts().expect("valid").test.map(|test| test.len()), Some(500), "the part of its own");
}

#[test]
fn channels_are_standardized_each_by_its_own() {
    let values = vec![1.0, 3.0, 10.0, 30.0, 1.0, 3.0, 50.0, 30.0];
    let image = Sample::Image { channels: 2, height: 1, width: 2 };
    let of = |sample: Sample| {
        let data = Dataset::new(Matrix { values: values.clone(), columns: 4 }, Targets::labels(vec![0, 1], 2));
        let folder = Folder::new();
        let data = data.and_then(|data| data.with_sample(sample)).expect("valid");
        let path = folder.write("d.npz", []);
        archives::write(std::fs::File::create(&path).expect("it can be written"), &data, None).expect("written");
        let channels = (data.sample.shape().len() == 3).then_some(Channels::First);
        let source = Npz { path, channels, ..Npz::default() };
        let standardize = Some(Standardize::Channels);
        DataConfig { standardize, test_fraction: Some(0.0), ..DataConfig::new(source) }.load()
    };
    let data = of(image).expect("valid").train;
    // Means 2 and 30, deviations 1 and √200.
    let expected = [-1.0, 1.0, -2f64.sqrt(), 0.0, -1.0, 1.0, 2f64.sqrt(), 0.0];
    for (value, expected) in data.inputs.values.iter().zip(expected) {
        assert!((value - expected).abs() < 1e-15, "{value} against {expected}");
    }
    refused(of(Sample::from(4)), &["standardize = \"channels\"", "no images"]);
}

#[test]
fn inputs_are_what_is_said_of_them() {
    let data = |values: &[f64]| {
        Dataset::new(Matrix { values: values.to_vec(), columns: 2 }, Targets::labels(vec![0, 1], 2)).expect("valid")
    };
    let tokens = Sample::Tokens { length: 2, vocabulary: 3 };
    let sequences = data(&[0.0, 2.0, 1.0, 1.0]).with_sample(tokens.clone()).expect("they are tokens");
    let x = Tensor::<2, Int>::from_dataset(&sequences, &Device::flex(), DType::F32).expect("they are tokens");
    assert_eq!(x.into_data().try_to_vec::<i64>().expect("integers"), [0, 2, 1, 1]);
    assert!(Tensor::<2>::from_dataset(&sequences, &Device::flex(), DType::F32).is_err(), "names are no numbers");
    for values in [[0.0, 3.0, 1.0, 1.0], [0.0, -1.0, 1.0, 1.0], [0.0, 0.5, 1.0, 1.0]] {
        let refused = data(&values).with_sample(tokens.clone()).expect_err("no token");
        assert!(matches!(refused, DataError::Token { sample: 0, vocabulary: 3, .. }), "{refused}");
    }
    assert!(data(&[0.0; 4]).with_sample(Sample::gray(2, 2)).is_err(), "two numbers are no four pixels");
    let images = data(&[1.0, 2.0, 3.0, 4.0]).with_sample(Sample::gray(1, 2)).expect("two pixels");
    let x = Tensor::<4>::from_dataset(&images.select(&[1]), &Device::flex(), DType::F64).expect("images");
    assert_eq!((x.dims(), x.into_data().try_to_vec::<f64>().expect("f64")), ([1, 1, 1, 2], vec![3.0, 4.0]));
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
    let mut config = DataConfig::new(Digits {});
    config.standardize = Some(Standardize::Features);
    let parts = config.load().expect("the settings are valid");
    assert!(parts.train.inputs.values.iter().all(|value| value.is_finite()));
    assert_eq!(moments(&parts.train, 0), (0.0, 0.0));
}

#[test]
fn random_labels_change_the_asked_share_of_the_training_part() {
    let clean = DataConfig::new(Digits {});
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
    let prepared = DataConfig::new(config).load().expect("valid");
    assert!(prepared.test.is_none());
    assert_eq!(prepared.train.len(), 12);
}

#[test]
fn generators_are_seeded_and_have_their_shapes() {
    let spirals = Spirals { samples: 90, classes: 3, turns: 1.0, noise: 0.0 };
    let data = spirals.generate(1).expect("valid");
    assert_eq!((data.len(), data.inputs.columns, data.target().columns()), (90, 2, 3));
    assert!((0..90).all(|at| data.inputs.row(at).iter().map(|x| x * x).sum::<f64>() <= 1.0));
    assert_eq!(spirals.generate(1).expect("valid"), data);
    assert_ne!(spirals.generate(2).expect("valid"), data);

    let teacher = TeacherStudent { samples: 2000, inputs: 5, outputs: 2, teacher_width: 8, noise: 0.0 };
    let data = teacher.generate(0).expect("valid");
    assert_eq!((data.len(), data.inputs.columns, data.target().columns()), (2000, 5, 2));
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
        Source::Spirals(Spirals { samples: 5, classes: 100_000_000, turns: 1.0, noise: 0.0 }),
        least(vec![]),
        least(vec![1.0; 4]),
        least(vec![1.0, -1.0]),
    ] {
        assert!(matches!(DataConfig::new(source.clone()).load(), Err(DataError::Setting { .. })), "{source:?}");
    }
}

/// Files of a format are read to the same numbers as a generator's; here, what standardization makes of awkward ones.
#[test]
fn standardization_stays_finite_and_keeps_constants_constant() {
    let folder = Folder::new();
    let standardized = |column: &[f64]| {
        let rows: Vec<String> = column.iter().map(|value| format!("{value:?},{}", value.to_bits() % 2)).collect();
        let path = folder.write("d.csv", format!("x,y\n{}\n", rows.join("\n")));
        let csv = losscape_model::data::table::Csv { path, classes: Some(2), ..Default::default() };
        let config = DataConfig { test_fraction: Some(0.0), ..DataConfig::new(csv) };
        config.load().map(|data| data.train.inputs.values)
    };
    // Constant up to rounding: 0.1 + 0.2 is one unit in the last place above 0.3.
    for constant in [vec![0.3, 0.1 + 0.2, 0.3, 0.1 + 0.2], vec![1e9 + 1e-7, 1e9, 1e9], vec![7.0; 3], vec![0.0; 3]] {
        let values = standardized(&constant).expect("finite");
        assert!(values.iter().all(|value| value.abs() < 1e-6), "{constant:?}: {values:?}");
    }
    // Small against the mean, but no rounding: what differs is kept.
    assert_eq!(
        standardized(&[1.0 + 1e-9, 1.0 - 1e-9]).expect("finite").iter().map(|value| value.signum()).collect::<Vec<_>>(),
        [1.0, -1.0]
    );
    // Squares leave the range of f64, the numbers do not.
    for scale in [1e200, 1e308, 1e-200, 1e-308, 5e-324 * 1e10] {
        let values = standardized(&[scale, -scale, scale, -scale]).expect("finite");
        assert!(values.iter().all(|value| (value.abs() - 1.0).abs() < 1e-9), "{scale}: {values:?}");
    }
    let values = standardized(&[1e308, 1.7e308, 1.7e308]).expect("finite");
    assert!((values.iter().sum::<f64>()).abs() < 1e-9 && (values[0] + 2f64.sqrt()).abs() < 1e-9, "{values:?}");
}

#[test]
fn test_data_that_standardization_makes_infinite_is_refused() {
    let folder = Folder::new();
    let path = folder.write("train.csv", "x,y\n1e-300,0\n-1e-300,1\n");
    let test_path = Some(folder.write("test.csv", "x,y\n1e300,0\n"));
    let csv = losscape_model::data::table::Csv { path, test_path, ..Default::default() };
    refused(DataConfig::new(csv).load(), &["the test part, standardized", "input of sample 0"]);
}

#[test]
fn sorting_continues_sequences_in_order_and_repeats_none() {
    let data = Sorting { samples: 1000, length: 6, digits: 4 }.generate(0).expect("there are enough");
    assert_eq!((data.len(), &data.sample), (1000, &Sample::Tokens { length: 11, vocabulary: 4 }));
    assert_eq!((data.target().positions(), data.target().columns()), (6, 24));
    let mut known = std::collections::HashSet::new();
    for (tokens, sorted) in data.inputs.values.chunks(11).zip(labels(&data).chunks(6)) {
        let tokens: Vec<usize> = tokens.iter().map(|&token| token as usize).collect();
        let mut own = tokens[..6].to_vec();
        assert!(known.insert(own.clone()), "{own:?} occurs twice");
        own.sort_unstable();
        assert_eq!((own.as_slice(), &tokens[6..]), (sorted, &sorted[..5]));
    }
    refused(Sorting { samples: 33, length: 3, digits: 4 }.generate(0), &["samples = 33", "no sequence occurs twice"]);
    refused(Sorting { samples: 1, length: 1, digits: 4 }.generate(0), &["length = 1"]);
}

/// Mean and deviation at some places of each class in 100,000 samples of the author's own code (mnist1d 0.0.2.post1,
/// seed 0): `reference/mnist_1d.py`.
#[test]
fn mnist_1d_is_of_the_distribution_of_its_author() {
    let expected: Vec<Vec<[f64; 2]>> =
        serde_json::from_str(include_str!("reference/mnist_1d.json")).expect("it is JSON");
    let each = 2000;
    let data = Mnist1d { samples: 10 * each }.generate(0).expect("it is possible");
    for (class, expected) in expected.iter().enumerate() {
        for (place, [mean, deviation]) in expected.iter().enumerate() {
            let of = |sample: usize| data.inputs.row(10 * sample + class)[place];
            let own = (0..each).map(of).sum::<f64>() / each as f64;
            let spread = ((0..each).map(|sample| (of(sample) - own).powi(2)).sum::<f64>() / each as f64).sqrt();
            // Of 2,000 and 10,000 samples, five standard errors; 800 are looked at.
            let error = 5.0 * deviation * (1.0 / each as f64 + 1e-4).sqrt();
            assert!((own - mean).abs() < error, "class {class}, {place}: {own} against {mean}, {error}");
            assert!((spread / deviation - 1.0).abs() < 0.15, "class {class}, {place}: {spread} against {deviation}");
        }
    }
    refused(Mnist1d { samples: 9 }.generate(0), &["samples = 9", "10 classes"]);
}

#[test]
fn a_text_is_cut_into_pieces_that_know_what_follows() {
    let play = Text::default().read().expect("it comes with the crate");
    // 125,178 characters that have a next one, in pieces of 64.
    assert_eq!((play.len(), &play.sample), (1955, &Sample::Tokens { length: 64, vocabulary: 68 }));
    let (tokens, next) = (&play.inputs.values, labels(&play));
    assert!(tokens[1..].iter().zip(next).all(|(token, next)| *token == *next as f64), "the next token is the target");
    let said: String = tokens[..14].iter().map(|&token| play.class_name(token as usize)).collect();
    assert_eq!(said, "\\tAS YOU LIKE I");
    let folder = Folder::new();
    let text = |path, length, samples| Text { path: Some(path), length, samples }.read();
    let data = text(folder.write("own.txt", "abcab"), 2, None).expect("it is a text");
    assert_eq!((&data.inputs.values[..], labels(&data)), (&[0.0, 1.0, 2.0, 0.0][..], &[1, 2, 0, 1][..]));
    refused(text(folder.write("own.txt", "abcab"), 5, None), &["length = 5", "longer"]);
    refused(text(folder.write("own.txt", "abcab"), 0, None), &["length = 0"]);
    refused(text(folder.write("own.txt", "abcab"), 2, Some(3)), &["samples = 3", "fewer"]);
    refused(text(folder.write("own.txt", [b'a', 0xff, b'b']), 1, None), &["no UTF-8 text: byte 1"]);
    let scaled = DataConfig { standardize: Some(Standardize::Global), ..DataConfig::new(Text::default()) };
    refused(scaled.load(), &["standardize", "tokens are no numbers"]);
}

/// The keys that serde accepts, from its own words.
fn accepted<'de, T: Deserialize<'de>>() -> Vec<String> {
    let unknown = MapDeserializer::<_, Error>::new([("?", 0)].into_iter());
    let message = T::deserialize(unknown).err().expect("`?` is no key").to_string();
    message.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_keys_listed_are_those_that_are_read() {
    use losscape_model::data::{cifar, idx, npz, table};
    let sources = [
        ("digits", accepted::<Digits>()),
        ("fashion-mnist", accepted::<FashionMnist>()),
        ("moons", accepted::<Moons>()),
        ("spirals", accepted::<Spirals>()),
        ("mnist-1d", accepted::<Mnist1d>()),
        ("sorting", accepted::<Sorting>()),
        ("teacher-student", accepted::<TeacherStudent>()),
        ("least-squares", accepted::<LeastSquares>()),
        ("idx", accepted::<idx::Idx>()),
        ("cifar10", accepted::<cifar::Cifar10>()),
        ("cifar100", accepted::<cifar::Cifar100>()),
        ("csv", accepted::<table::Csv>()),
        ("text", accepted::<Text>()),
        ("npz", accepted::<npz::Npz>()),
    ];
    assert_eq!(sources.len(), Source::ALL.len());
    for ((name, accepted), (listed, _)) in sources.iter().zip(Source::ALL) {
        assert_eq!(name, listed);
        let keys: Vec<&str> = Source::keys(name).expect("it is listed").iter().map(|(key, ..)| *key).collect();
        assert_eq!(keys, *accepted, "{name}");
    }
    let common: Vec<&str> = DataConfig::KEYS.iter().map(|(key, ..)| *key).collect();
    assert_eq!(accepted::<DataConfig>()[1..], common, "the first is the source");
}

#[test]
fn what_does_not_fit_is_refused() {
    let inputs = || Matrix { values: vec![1.0, 2.0], columns: 1 };
    let with = |labels: Vec<usize>, classes| Dataset::new(inputs(), Targets::labels(labels, classes));
    assert!(matches!(with(vec![0, 3], 3), Err(DataError::LabelOutOfRange { sample: 1, label: 3, classes: 3 })));
    assert!(matches!(with(vec![0], 3), Err(DataError::Mismatch { left: 2, right: 1, .. })));
    let infinite = Matrix { values: vec![1.0, f64::INFINITY], columns: 1 };
    let result = Dataset::new(infinite, Targets::labels(vec![0, 1], 2));
    assert!(matches!(result, Err(DataError::NotFinite { sample: 1, column: 0, what: "input" })));
}
