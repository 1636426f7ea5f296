//! Outputs, gradients and Hessian products against PyTorch's, in f64.
//!
//! `reference/networks.py` made the archives and the numbers. With LOSSCAPE_ARCHIVES=FOLDER those of a folder are read
//! too, and a table of all is printed (`--nocapture`). Of those whose name says so, PyTorch has no second derivative.

use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use losscape_exchange::{Exported, Kind, Program};
use losscape_tangent::{Inputs, Map, TensorMapper, parameters};
use safetensors::SafeTensors;

/// Inputs of a program, in its order; samples in a row.
#[derive(Clone)]
struct Given {
    floats: Vec<(Tensor<2>, Vec<usize>)>,
    tokens: Vec<(Tensor<2, Int>, Vec<usize>)>,
    /// For each input, whether it is made of floats.
    order: Vec<bool>,
}

impl Inputs for Given {
    fn map(self, mapper: &mut impl TensorMapper) -> Self {
        let floats = self.floats.into_iter().map(|(x, shape)| (mapper.float(x), shape)).collect();
        let tokens = self.tokens.into_iter().map(|(x, shape)| (mapper.int(x), shape)).collect();
        Self { floats, tokens, order: self.order }
    }
}

/// A network with its samples in rows.
fn forward(network: &Exported, given: &Given) -> Tensor<2> {
    let (mut floats, mut tokens) = (given.floats.iter(), given.tokens.iter());
    let inputs: Vec<_> = given
        .order
        .iter()
        .map(|is_float| {
            if *is_float {
                let (x, shape) = floats.next().expect("there is one");
                reshaped(x.clone(), shape)
            } else {
                let (x, shape) = tokens.next().expect("there is one");
                reshaped_tokens(x.clone(), shape)
            }
        })
        .collect();
    let n = given.samples() as i32;
    Tensor::<2>::from_dispatch(in_rows(network.forward(&inputs).unwrap_or_else(|error| panic!("{error}")), n))
}

macro_rules! ranks {
    ($x:expr, $shape:expr, $($rank:literal)+) => {{
        let shape = [&[$x.dims()[0]], $shape.as_slice()].concat();
        match shape.len() {
            $($rank => {
                let shape: [usize; $rank] = shape.try_into().expect("its length was looked at");
                $x.reshape(shape).into_dispatch()
            })+
            rank => panic!("rank {rank}"),
        }
    }};
}

fn reshaped(x: Tensor<2>, shape: &Vec<usize>) -> burn_dispatch::DispatchTensor {
    ranks!(x, shape, 1 2 3 4 5)
}

fn reshaped_tokens(x: Tensor<2, Int>, shape: &Vec<usize>) -> burn_dispatch::DispatchTensor {
    ranks!(x, shape, 1 2 3 4 5)
}

fn in_rows(x: burn_dispatch::DispatchTensor, n: i32) -> burn_dispatch::DispatchTensor {
    use burn_backend::ops::FloatTensorOps;
    use burn_backend::{Shape, TensorMetadata};
    let count = x.shape().num_elements();
    burn_dispatch::Dispatch::float_reshape(x, Shape::from(vec![n as usize, count / n as usize]))
}

/// An archive and what PyTorch says of it.
struct Case {
    program: Program,
    reference: Vec<u8>,
}

impl Case {
    fn read(path: &Path) -> Result<Self, String> {
        let program = Program::read(path).map_err(|error| error.to_string())?;
        let reference = std::fs::read(path.with_extension("safetensors")).map_err(|error| error.to_string())?;
        Ok(Self { program, reference })
    }

    fn numbers(&self, name: &str) -> (Vec<usize>, Vec<f64>) {
        let file = SafeTensors::deserialize(&self.reference).expect("it was written by safetensors");
        let tensor = file.tensor(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        let of = |bytes: &[u8]| -> [u8; 8] { bytes.try_into().expect("eight bytes") };
        let numbers = tensor.data().chunks_exact(8).map(|bytes| match tensor.dtype() {
            safetensors::Dtype::F64 => f64::from_le_bytes(of(bytes)),
            _ => i64::from_le_bytes(of(bytes)) as f64,
        });
        (tensor.shape().to_vec(), numbers.collect())
    }

    /// Of the vector that the parameters make, what the reference has under this letter.
    fn vector(&self, network: &Exported, letter: char) -> Vec<f64> {
        let segments = parameters::segments(network);
        segments.iter().flat_map(|segment| self.numbers(&format!("{letter}.{}", segment.path)).1).collect()
    }

    /// How far outputs, gradient and Hessian product are from PyTorch's, relative to the largest of each.
    fn differences(&self, by_batch: bool, device: &Device) -> Result<[f64; 3], String> {
        let at = (device, DType::F64);
        let mut given = Given { floats: Vec::new(), tokens: Vec::new(), order: Vec::new() };
        let mut samples = Vec::new();
        for (number, input) in self.program.inputs().iter().enumerate() {
            let (shape, values) = self.numbers(&format!("x{number}"));
            let (n, sample) = (shape[0], shape[1..].to_vec());
            let width = sample.iter().product::<usize>();
            given.order.push(input.kind == Kind::Float);
            if input.kind == Kind::Float {
                let x = Tensor::from_data(TensorData::new(values, [n, width]), at);
                given.floats.push((x, sample.clone()));
            } else {
                let values: Vec<i64> = values.iter().map(|&value| value as i64).collect();
                let x = Tensor::from_data(TensorData::new(values, [n, width]), (device, DType::I64));
                given.tokens.push((x, sample.clone()));
            }
            samples.push(sample);
        }
        self.program.check(&samples).map_err(|error| error.to_string())?;
        let network = self.program.init(&device.clone().autodiff(), DType::F64);
        let (shape, y) = self.numbers("y");
        let (n, width) = (shape[0], shape[1..].iter().product::<usize>());
        let y = Tensor::<2>::from_data(TensorData::new(y, [n, width]), at);
        let outputs = Map::new(|network: &Exported, given: Given| forward(network, &given)).batch_statistics(by_batch);
        let out = outputs.linearize(&network, &given).map_err(|error| error.to_string())?.output();
        let loss = Map::new(move |network: &Exported, (given, y): (Given, Tensor<2>)| {
            let n = given.samples() as f64;
            (forward(network, &given) - y).powi_scalar(2).sum() * (0.5 / n)
        })
        .batch_statistics(by_batch);
        let point = loss.linearize(&network, &(given, y)).map_err(|error| error.to_string())?;
        let one = point.output().ones_like();
        let v = self.vector(&network, 'v');
        let v = Tensor::<1>::from_data(TensorData::new(v.clone(), [v.len()]), at);
        let [gradient, product] = [point.pull(one.clone()), point.bend(one, v)];
        let values = |tensor: Tensor<1>| -> Vec<f64> { tensor.into_data().iter().collect() };
        Ok([
            apart(&out.into_data().iter().collect::<Vec<f64>>(), &self.numbers("out").1),
            apart(&values(gradient), &self.vector(&network, 'g')),
            apart(&values(product), &self.vector(&network, 'h')),
        ])
    }
}

/// The largest difference, relative to the largest number.
fn apart(ours: &[f64], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let largest = theirs.iter().fold(f64::MIN_POSITIVE, |largest, value| largest.max(value.abs()));
    let mut far = 0.0f64;
    for (a, b) in ours.iter().zip(theirs) {
        far = if (a - b).is_nan() { f64::INFINITY } else { far.max((a - b).abs()) };
    }
    far / largest
}

fn archives(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).expect("the folder is there").map(|file| file.expect("it is a file").path());
    let mut archives: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "pt2")).collect();
    archives.sort();
    archives
}

#[test]
fn networks_are_those_of_pytorch() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/archives");
    let others = std::env::var_os("LOSSCAPE_ARCHIVES").map(PathBuf::from);
    let mut failures = Vec::new();
    for path in [Some(own), others].iter().flatten().flat_map(|folder| archives(folder)) {
        let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
        let found = Case::read(&path).and_then(|case| {
            let parameters = case.program.parameters();
            Ok((parameters, case.differences(name.ends_with("training"), &Device::flex())?))
        });
        match found {
            Ok((count, differences)) => {
                let [out, gradient, product] = differences.map(|far| format!("{far:.0e}"));
                println!("| {name} | {count} | {out} | {gradient} | {product} |");
                let orders = if name.ends_with("first-order") { 2 } else { 3 };
                if differences[..orders].iter().any(|far| *far > 1e-12) {
                    failures.push(name);
                }
            }
            Err(error) => {
                println!("| {name} | {error} |");
                failures.push(name);
            }
        }
    }
    assert!(failures.is_empty(), "{failures:?}");
}
