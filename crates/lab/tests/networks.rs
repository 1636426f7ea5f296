//! Networks by name against PyTorch, which made weights, data and numbers (`reference/networks.py`): outputs, gradient,
//! Hessian product and kernel, in f64.

use std::path::{Path, PathBuf};

use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor, TensorData};
use losscape_analysis::{Mode, Objective};
use losscape_krylov::SymmetricOperator;
use losscape_lab::config::RunConfig;
use losscape_lab::document::Document;
use losscape_lab::open::{Files, Made};
use losscape_lab::{Plan, Subject, Trainer, pytorch};
use losscape_model::data::npz::{Channels, Npz};
use losscape_model::{FromDataset, Model, ModelConfig, ModelInput, Network};
use losscape_tangent::{Inputs, Map, parameters};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde::Deserialize;

/// A long vector, in part.
#[derive(Deserialize)]
struct Summary {
    norm: f64,
    /// Its product with `v_i = cos i`.
    along: f64,
    step: usize,
    entries: Vec<f64>,
}

#[derive(Deserialize)]
struct Expected {
    parameters: usize,
    evaluation: Measured,
    /// Of networks with batch norm.
    batch: Option<Measured>,
}

#[derive(Deserialize)]
struct Measured {
    loss: f64,
    outputs: Vec<f64>,
    gradient: Summary,
    product: Summary,
    kernel: Vec<f64>,
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().try_to_vec().expect("everything is in f64")
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// `‖a − b‖/‖b‖`.
fn difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>()) / norm(b)
}

fn direction(parameters: usize) -> Vec<f64> {
    (0..parameters).map(|at| (at as f64).cos()).collect()
}

fn off(vector: &[f64], expected: &Summary) -> f64 {
    let entries: Vec<f64> = vector.iter().step_by(expected.step).copied().collect();
    let along: f64 = vector.iter().zip(direction(vector.len())).map(|(a, b)| a * b).sum();
    // By the vector's own size: a product of long vectors may be small.
    let sums = (norm(vector) - expected.norm).abs().max((along - expected.along).abs() / (vector.len() as f64).sqrt());
    difference(&entries, &expected.entries).max(sums / expected.norm)
}

fn folders() -> Vec<PathBuf> {
    let networks = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/reference/networks");
    let entries = std::fs::read_dir(networks).expect("the references are there");
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.expect("a folder").path()).collect();
    folders.sort();
    assert_eq!(folders.len(), 15, "{folders:?}");
    folders
}

/// The name of a network, and its files.
fn files(folder: &Path) -> (String, Files) {
    let name = folder.file_name().expect("it has a name").display().to_string();
    let tokens = name.starts_with("transformer") || name.starts_with("lstm");
    let files = Files {
        weights: Some(folder.join("weights.safetensors")),
        layout: pytorch::Layout::default(),
        data: Npz {
            path: folder.join("data.npz"),
            channels: (!tokens).then_some(Channels::First),
            vocabulary: tokens.then_some(5),
            ..Npz::default()
        },
        model: Made::File(folder.join("model.toml")),
        loss: None,
    };
    (name, files)
}

/// The `[model]` table of a file.
fn described(path: &Path) -> ModelConfig {
    #[derive(Deserialize)]
    struct Description {
        model: ModelConfig,
    }
    let text = std::fs::read_to_string(path).expect("the reference is there");
    let document = Document::parse("model.toml", &text, &[]).expect("it is TOML").without("loss");
    document.read::<Description>().expect("it describes a network").model
}

#[test]
#[allow(deprecated, reason = "ndarray stays tested while Burn has it")]
fn networks_are_those_of_pytorch() {
    for folder in folders() {
        let (name, files) = files(&folder);
        let expected = std::fs::read(folder.join("expected.json")).expect("the reference is there");
        let expected: Expected = serde_json::from_slice(&expected).expect("it is JSON");
        let modes =
            [Some((Mode::Evaluation, &expected.evaluation)), expected.batch.as_ref().map(|of| (Mode::Batch, of))];
        for (device, (mode, expected_of)) in [Device::flex(), Device::ndarray()]
            .iter()
            .flat_map(|device| modes.into_iter().flatten().map(move |of| (device, of)))
        {
            let subject = Subject::of_files(&files, device).unwrap_or_else(|error| panic!("{name}: {error}"));
            let objective = Objective::on(subject.network, &subject.data, subject.loss).expect("it has derivatives");
            let objective = objective.in_mode(mode);
            let point = objective.here().expect("the loss is finite");
            let v = TensorData::new(direction(expected.parameters), [expected.parameters]);
            let product = point.hessian().apply(Tensor::from_data(v, (device, DType::F64)));
            let kernel = objective.kernel(point.parameters()).expect("it has derivatives");
            let errors = [
                ("loss", (point.loss() - expected_of.loss).abs() / expected_of.loss),
                ("outputs", difference(&numbers(point.outputs()), &expected_of.outputs)),
                ("gradient", off(&numbers(point.gradient().clone()), &expected_of.gradient)),
                ("Hessian product", off(&numbers(product), &expected_of.product)),
                ("kernel", difference(&numbers(kernel), &expected_of.kernel)),
            ];
            let said: Vec<String> = errors.iter().map(|(what, error)| format!("{what} {error:.0e}")).collect();
            println!("{name}, {mode:?}, {device:?}: {}", said.join(", "));
            for (what, error) in errors {
                assert!(error <= 1e-12, "{name}, {mode:?}, {device:?}: {what} is off by {error:e}");
            }
        }
    }
}

/// A hundred steps of gradient descent in f32, by the compiled gradient and by Burn's autodiff.
#[test]
fn compiled_training_is_that_of_autodiff() {
    for folder in folders() {
        let (name, files) = files(&folder);
        let device = Device::flex();
        let subject = Subject::of_files(&files, &device).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (loss, outputs) = subject.loss.on(subject.data.target()).expect("it was read");
        let config = described(&folder.join("model.toml"));
        let training = device.clone().autodiff();
        let network = config.init(&subject.data.sample, outputs, 0, &training, DType::F32).expect("it was read");
        // From PyTorch's weights, which are of order one: the loss is not so sharp there that rounding grows.
        let w = parameters::ravel(&subject.network).expect("it has parameters").cast(DType::F32);
        let network = parameters::unravel(network, &w).expect("it is the same network");
        let inputs = ModelInput::from_dataset(&subject.data, &device, DType::F32).expect("it was read");
        let batch = (inputs, loss.targets(&subject.data, &device, DType::F32));
        let forward = |network: &Model, (x, y): (ModelInput, Tensor<2>)| loss.value(network.forward(x), y);
        let map = Map::new(forward).batch_statistics(true);
        let compiled = map.compile(&network, &batch).expect("it has derivatives");
        let mut compiled = compiled.unwrap_or_else(|| panic!("{name} is not compiled"));
        // Small, so that rounding does not grow where a layer norm makes the loss sharp.
        let rate = 3e-4;
        let (mut ours, mut theirs) = (parameters::ravel(&network).expect("it has parameters"), network);
        let start = numbers(ours.clone().cast(DType::F64));
        for _ in 0..100 {
            let (_, gradient) = compiled.gradient(&ours, &batch);
            ours = ours - gradient * rate;
            let value = forward(&theirs, batch.clone().autodiff());
            let gradients = GradientsParams::from_grads(value.backward(), &theirs);
            let gradient = parameters::ravel_gradient(&theirs, &gradients).expect("it has parameters");
            let w = parameters::ravel(&theirs).expect("it has parameters") - gradient * rate;
            theirs = parameters::unravel(theirs, &w).expect("as many parameters");
        }
        let [ours, theirs] =
            [ours, parameters::ravel(&theirs).expect("it has parameters")].map(|w| numbers(w.cast(DType::F64)));
        let (moved, apart) = (difference(&ours, &start), difference(&ours, &theirs));
        println!("{name}: moved by {moved:.0e}, apart by {apart:.0e}");
        assert!(apart <= 1e-6 && apart < 1e-3 * moved, "{name}: moved by {moved:e}, apart by {apart:e}");
    }
}

/// Weights that fit a described network, and are another's.
#[test]
fn weights_of_other_networks_are_refused() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/reference/networks/resnet-group");
    let bytes = std::fs::read(folder.join("weights.safetensors")).expect("the reference is there");
    let file = SafeTensors::deserialize(&bytes).expect("it is whole");
    let place = tempfile::tempdir().expect("a temporary folder");
    let refused = |rename: &dyn Fn(&str) -> String, more: Option<&str>, ignored: &[&str]| {
        let names = file.names();
        let mut tensors: Vec<(String, TensorView)> =
            names.iter().map(|name| (rename(name), file.tensor(name).expect("it is listed"))).collect();
        tensors.extend(more.map(|name| (name.to_owned(), file.tensor("bn1.bias").expect("it is there"))));
        let weights = place.path().join("weights.safetensors");
        let bytes = safetensors::serialize(tensors, None).expect("it can be written");
        std::fs::write(&weights, bytes).expect("the folder can be written");
        let layout =
            pytorch::Layout { ignored: ignored.iter().map(|&name| name.to_owned()).collect(), ..Default::default() };
        let (data, model) = (folder.join("data.npz"), folder.join("model.toml"));
        let data = Npz { path: data, channels: Some(Channels::First), ..Npz::default() };
        let files = Files { weights: Some(weights), layout, data, model: Made::File(model), loss: None };
        let subject = Subject::of_files(&files, &Device::flex());
        subject.map(|_| ()).expect_err("it is another network").to_string()
    };
    let same = |name: &str| name.to_owned();
    for ignored in [&[][..], &["bn1.running_mean"]] {
        let message = refused(&same, Some("bn1.running_mean"), ignored);
        assert!(message.contains("batch norm"), "{message}");
    }
    // Numbers say nothing of the order of layers that do not follow each other.
    let numbered = |name: &str| {
        let (layer, part) = name.rsplit_once('.').expect("a layer's parameter");
        let mut layers: Vec<&str> =
            file.names().into_iter().filter_map(|name| Some(name.rsplit_once('.')?.0)).collect();
        layers.sort_unstable();
        layers.dedup();
        format!("{}.{part}", layers.iter().position(|known| *known == layer).expect("it is listed"))
    };
    let message = refused(&numbered, None, &[]);
    assert!(message.contains("--layers conv1,bn1,layer1.0.conv1"), "{message}");
}

/// `reference/exported.py` trained the network of an archive in PyTorch: weights and running statistics after 50 steps.
#[test]
fn an_archive_is_trained_as_in_pytorch() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/exported");
    let methods = [
        ("momentum", "name = \"momentum\"\nlearning_rate = 0.05\nmomentum = 0.9"),
        ("sam", "name = \"gd\"\nlearning_rate = 0.05\nsam = { rho = 0.05 }"),
        ("adam", "name = \"adam\"\nlearning_rate = 1e-3"),
    ];
    for (method, optimizer) in methods {
        for (precision, bound) in [("f32", 1e-5), ("f64", 1e-10)] {
            let text = format!(
                "seed = 0\nprecision = \"{precision}\"\n\
                 [data]\nname = \"npz\"\npath = \"data.npz\"\nstandardize = \"none\"\ntest_fraction = 0.0\n\
                 [model]\nname = \"exported\"\npath = \"net.pt2\"\n[loss]\nname = \"cross-entropy\"\n\
                 [optimizer]\n{optimizer}\n[training]\nbatch_size = \"full\"\nsteps = 50\n"
            );
            let document = Document::parse("run.toml", &text, &[]).expect("it is TOML");
            let plan = Plan::of(&document, &folder, "run").expect("network and data fit");
            let RunConfig { model, loss, optimizer, training, seed, precision: dtype, .. } = &plan.config;
            let device = Device::flex().autodiff();
            let sample = &plan.data.train.sample;
            let network = model.init(sample, 3, 0, &device, (*dtype).into()).expect("it is read");
            let trainer = Trainer::new(network, &plan.data, *loss, optimizer, training, *seed);
            let mut trainer = trainer.expect("the settings fit");
            assert!(trainer.moment().is_compiled(), "{method} {precision}");
            trainer.run();
            let place = tempfile::tempdir().expect("there is room");
            let file = place.path().join("model.safetensors");
            pytorch::write(trainer.network(), model, &file).expect("the folder can be written");
            let read = |path: &Path| std::fs::read(path).expect("it is there");
            let (ours, theirs) = (read(&file), read(&folder.join(format!("{method}-{precision}.safetensors"))));
            let [ours, theirs] = [&ours, &theirs].map(|bytes| SafeTensors::deserialize(bytes).expect("it is whole"));
            let sorted = |file: &SafeTensors| {
                let mut names: Vec<String> = file.names().into_iter().map(str::to_owned).collect();
                names.sort();
                names
            };
            assert_eq!(sorted(&ours), sorted(&theirs));
            for name in theirs.names() {
                let [ours, theirs] = [&ours, &theirs].map(|file| -> Vec<f64> {
                    let view = file.tensor(name).expect("it is listed");
                    let dtype = if view.dtype() == safetensors::Dtype::F64 { DType::F64 } else { DType::F32 };
                    TensorData::from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), dtype).iter().collect()
                });
                let apart = difference(&ours, &theirs);
                assert!(apart <= bound, "{method} {precision} {name}: {apart:e}");
            }
        }
    }
}
