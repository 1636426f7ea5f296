//! The Rust side of `peers/compare.py`: a server that does the works of the comparison, one at a time.
//!
//! `cargo bench --bench peers -- FOLDER`, with a folder that `peers/data.py` has filled. A line on standard input is a
//! request, such as `{"case": "product/16/kept", "seconds": 1.5}`. A line on standard output is its answer:
//! `{"seconds": [...], "setup": 0.1, "result": {...}}` with the time of every call, that of setting the case up (on its
//! first use; it is kept) and numbers by which results are compared; or `{"error": "..."}`.
//!
//! Networks are tanh with two hidden layers, f32 on flex; everything runs inside the thread pool, as in the tool.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::error::Error;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use burn::tensor::{DType, Device, Tensor, TensorData};
use losscape::analysis::{Objective, Point};
use losscape::krylov::{Counted, Eigensolver, Quadrature, SymmetricOperator, trace};
use losscape::lab::config::{BatchSize, TrainingConfig};
use losscape::lab::open::{Files, Made};
use losscape::lab::{Document, Subject, Trainer};
use losscape::model::data::npz::{Channels, Npz};
use losscape::model::data::{Dataset, Prepared};
use losscape::model::random::{Purpose, stream};
use losscape::model::{FromDataset, Loss, MlpConfig, Model, ModelConfig, ModelInput, Network};
use losscape::optim::gradient_descent::GradientDescentConfig;
use losscape::optim::{OptimizerConfig, SamConfig};
use losscape::tangent::{Map, parameters};
use serde::Deserialize;
use serde_json::{Value, json};

/// The tool's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What can go wrong.
type Failure = Box<dyn Error + Send + Sync>;

/// Numbers that tell what a call found; they are calculated after the last call alone.
type Found = Box<dyn FnOnce() -> Value>;

/// A case, ready to be called with a seed.
type Work = Box<dyn FnMut(u64) -> Result<Found, Failure>>;

/// Calls of a case for so many seconds.
#[derive(Deserialize)]
struct Request {
    /// Work and way, as `peers/compare.py` names them.
    case: String,
    /// How long the measured calls go on.
    seconds: f64,
    /// Calls before them.
    #[serde(default = "two")]
    warm: usize,
    /// The fewest measured calls.
    #[serde(default = "five")]
    least: usize,
    /// Call i has the seed `1000 · seed + i`.
    #[serde(default)]
    seed: u64,
}

fn two() -> usize {
    2
}

fn five() -> usize {
    5
}

fn main() -> Result<(), Failure> {
    let Some(folder) = std::env::args().skip(1).find(|argument| !argument.starts_with("--")) else {
        // `cargo test` starts benches without arguments, to see whether they run.
        println!("name a folder that benches/peers/data.py has filled; benches/peers/compare.py does all of it");
        return Ok(());
    };
    rayon::scope(|_| serve(Path::new(&folder)))
}

/// Answers requests until there are no more.
fn serve(folder: &Path) -> Result<(), Failure> {
    let mut works = HashMap::new();
    for line in std::io::stdin().lines() {
        let answer = answer(folder, &mut works, &line?);
        println!("{}", answer.unwrap_or_else(|error| json!({ "error": error.to_string() })));
    }
    Ok(())
}

fn answer(folder: &Path, works: &mut HashMap<String, Work>, line: &str) -> Result<Value, Failure> {
    let request: Request = serde_json::from_str(line)?;
    let start = Instant::now();
    let work = match works.entry(request.case.clone()) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(new) => new.insert(set_up(folder, &request.case)?),
    };
    let setup = start.elapsed().as_secs_f64();
    let (mut seconds, mut spent) = (Vec::new(), 0.0);
    let mut found: Option<Found> = None;
    for call in 0.. {
        if seconds.len() >= request.least && spent >= request.seconds {
            break;
        }
        // What the last call found makes room first.
        drop(found.take());
        let start = Instant::now();
        found = Some(work(1000 * request.seed + call)?);
        let elapsed = start.elapsed().as_secs_f64();
        if call >= request.warm as u64 {
            seconds.push(elapsed);
            spent += elapsed;
        }
    }
    let result = found.map_or(Value::Null, |found| found());
    Ok(json!({ "seconds": seconds, "setup": setup, "peak": peak(), "result": result }))
}

/// The most memory that this process has had, in bytes, where Linux says so.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(1024 * line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?)
}

fn set_up(folder: &Path, case: &str) -> Result<Work, Failure> {
    match case.split('/').collect::<Vec<_>>()[..] {
        ["step", size, way] => step(&folder.join(format!("step-{size}")), way),
        ["study", _] => study(&folder.join("step-64-64-10-64")),
        ["gradient", problem, _] => gradient(&folder.join(problem)),
        ["product", problem, directions, way] => products(&folder.join(problem), directions.parse()?, way == "within"),
        ["eigenvalues", count, way] => eigenvalues(&folder.join("digits"), count.parse()?, way == "bound"),
        ["density", _] => density(&folder.join("digits")),
        ["trace", estimator] => traces(&folder.join("digits"), estimator.to_owned()),
        ["kernel", problem, _] => kernel(&folder.join(problem)),
        ["matmul", size, _] => matmul(size),
        _ => Err(format!("there is no case `{case}`").into()),
    }
}

/// The network that a description names.
#[derive(Deserialize)]
struct Described {
    model: ModelConfig,
}

/// A network with its data, from a folder that both sides read.
struct Problem {
    network: Model,
    data: Dataset,
    loss: Loss,
}

impl Problem {
    fn read(folder: &Path, device: &Device) -> Result<Self, Failure> {
        let file = |name: &str| folder.join(name);
        let (weights, data, model) = (file("weights.safetensors"), file("data.npz"), file("model.toml"));
        let text = std::fs::read_to_string(&model)?;
        let channels = Some(Channels::First).filter(|_| !text.contains("\"mlp\""));
        let weights = Some(weights);
        let data = Npz { path: data, channels, ..Npz::default() };
        let files = Files { weights, layout: Default::default(), data, model: Made::File(model), loss: None };
        let Subject { network, data, loss, .. } = Subject::of_files(&files, &Device::flex())?;
        let Described { model } = Document::parse("model.toml".to_owned(), &text, &[])?.read()?;
        let single = model.init(&data.sample, data.target().columns(), 0, device, DType::F32)?;
        let w = parameters::ravel(&network).ok_or("the network has no parameters")?;
        Ok(Self { network: parameters::unravel(single, &w)?, data, loss })
    }

    /// The loss as a function of the parameters.
    fn objective(self) -> Result<Objective<Model>, Failure> {
        let (x, y) = (inputs(&self.data)?, self.data.target_tensor(&Device::flex(), DType::F32));
        Ok(Objective::new(self.network, x, y, self.loss)?)
    }

    /// The network's own point, which is there to the end of the process.
    fn point(self) -> Result<&'static Point<'static, Model>, Failure> {
        let objective: &'static _ = Box::leak(Box::new(self.objective()?));
        Ok(Box::leak(Box::new(objective.here()?)))
    }

    /// Losses of ten steps on the first quarter of the data at a rate of 0.001, and how far they lead.
    fn ten_steps(&self, sam: bool) -> Result<Value, Failure> {
        let batch: Vec<usize> = (0..self.data.len() / 4).collect();
        let data = Prepared::from(self.data.select(&batch));
        let training = TrainingConfig::steps(10, BatchSize::Full);
        let optimizer = gradient_descent(1e-3, sam);
        let mut trainer = Trainer::new(self.network.clone(), &data, self.loss, &optimizer, &training, 0)?;
        let losses: Vec<f64> = (0..10).map(|_| trainer.advance().loss).collect();
        let weights = |network: &Model| parameters::ravel(network).map(host).ok_or("the network has no parameters");
        let (from, to) = (weights(&self.network)?, weights(trainer.network())?);
        let moved: Vec<f64> = to.iter().zip(from).map(|(to, from)| to - from).collect();
        Ok(json!({ "losses": losses, "norm": norm(&moved), "entries": entries(&moved) }))
    }
}

/// Gradient descent at a rate, with SAM of radius 0.05 around it.
fn gradient_descent(rate: f64, sam: bool) -> OptimizerConfig {
    let mut optimizer = OptimizerConfig::new(GradientDescentConfig {}, rate);
    optimizer.sam = sam.then(|| SamConfig::new(0.05));
    optimizer
}

/// A step of the trainer, or `two`, or one with `sam`: it draws its batch, one of four, and reads its loss.
fn step(folder: &Path, way: &str) -> Result<Work, Failure> {
    let problem = Problem::read(folder, &Device::flex().autodiff())?;
    let (sam, steps) = (way == "sam", if way == "two" { 2 } else { 1 });
    let agreement = Rc::new(if way == "two" { json!({}) } else { problem.ten_steps(sam)? });
    let batch = BatchSize::Samples(problem.data.len() / 4);
    let training = TrainingConfig { log_every: usize::MAX, ..TrainingConfig::steps(1 << 30, batch) };
    let data = Prepared::from(problem.data);
    let optimizer = gradient_descent(1e-4, sam);
    let mut trainer = Trainer::new(problem.network, &data, problem.loss, &optimizer, &training, 0)?;
    Ok(Box::new(move |_| {
        for _ in 0..steps {
            trainer.advance();
        }
        let agreement = Rc::clone(&agreement);
        Ok(Box::new(move || (*agreement).clone()))
    }))
}

/// A hundred runs from fresh weights: 200 full-batch steps at rate 0.1 on the first 64 samples, the loss after them.
fn study(folder: &Path) -> Result<Work, Failure> {
    let device = Device::flex().autodiff();
    let Problem { data, loss, .. } = Problem::read(folder, &device)?;
    let batch: Vec<usize> = (0..data.len() / 4).collect();
    let data = Prepared::from(data.select(&batch));
    let optimizer = gradient_descent(0.1, false);
    let training = TrainingConfig { log_every: usize::MAX, ..TrainingConfig::steps(200, BatchSize::Full) };
    Ok(Box::new(move |_| {
        let mut losses = Vec::new();
        for seed in 0..100 {
            let network = MlpConfig::new([64, 64]).init(64, 10, seed, &device, DType::F32)?;
            let mut trainer = Trainer::new(network, &data, loss, &optimizer, &training, seed)?;
            for _ in 0..200 {
                trainer.advance();
            }
            losses.push(trainer.evaluate().train.loss);
        }
        Ok(Box::new(move || json!({ "estimates": losses })))
    }))
}

/// Loss and gradient over all samples.
fn gradient(folder: &Path) -> Result<Work, Failure> {
    let objective = Problem::read(folder, &Device::flex())?.objective()?;
    let w = objective.parameters();
    Ok(Box::new(move |_| {
        let (loss, gradient) = objective.gradient(&w)?;
        Ok(Box::new(move || {
            let gradient = host(gradient);
            json!({ "loss": loss, "norm": norm(&gradient), "entries": entries(&gradient) })
        }))
    }))
}

/// Hessian products at a point that is kept, along one direction or a block of them; or within four gibibytes,
/// calculated anew as far as it does not fit.
fn products(folder: &Path, directions: usize, within: bool) -> Result<Work, Failure> {
    let objective = Problem::read(folder, &Device::flex())?.objective()?;
    let objective: &'static _ = Box::leak(Box::new(if within { objective.within(4 << 30) } else { objective }));
    let point: &'static Point<_> = Box::leak(Box::new(objective.here()?));
    let hessian = point.hessian();
    let v = numbers(directions, hessian.dim());
    let single: Tensor<1> = v.clone().narrow(0, 0, 1).squeeze_dim(0);
    Ok(Box::new(move |_| {
        let product =
            if directions == 1 { hessian.apply(single.clone()).unsqueeze() } else { hessian.apply_block(v.clone()) };
        Ok(vector(product))
    }))
}

/// The largest eigenvalues to residuals of a thousandth of each, with or without a bound on what is unseen.
fn eigenvalues(folder: &Path, count: usize, bound: bool) -> Result<Work, Failure> {
    let point = Problem::read(folder, &Device::flex())?.point()?;
    let hessian = point.hessian();
    // Tolerances are relative to the largest eigenvalue; the tenth is more than six tenths of it.
    let tolerance = if count == 1 { 1e-3 } else { 6e-4 };
    let mut solver = Eigensolver::top(count).with_tolerance(tolerance);
    if !bound {
        solver.probes = 0;
    }
    Ok(Box::new(move |seed| {
        let operator = Counted::new(&hessian);
        let found = solver.solve(&operator, None, &mut stream(seed, Purpose::Probes, 0))?;
        let products = operator.products();
        Ok(Box::new(move || {
            let values: Vec<f64> = found.top.iter().map(|pair| pair.value).collect();
            let residual = found.top.iter().map(|pair| pair.residual / pair.value).fold(0.0, f64::max);
            json!({ "values": values, "residual": residual, "products": products, "unseen": found.unseen.above })
        }))
    }))
}

/// The trace from 30 products; the estimates of all calls so far.
fn traces(folder: &Path, estimator: String) -> Result<Work, Failure> {
    let point = Problem::read(folder, &Device::flex())?.point()?;
    let hessian = point.hessian();
    let mut estimates = Vec::new();
    Ok(Box::new(move |seed| {
        let random = &mut stream(seed, Purpose::Probes, 0);
        let estimate = match estimator.as_str() {
            "hutchinson" => trace::hutchinson(&hessian, 30, random)?.0,
            "hutch++" => trace::hutch_plus_plus(&hessian, 30, random)?,
            _ => trace::xtrace(&hessian, 30, random)?,
        };
        estimates.push(estimate.mean);
        let (estimates, products) = (estimates.clone(), estimate.products);
        Ok(Box::new(move || json!({ "estimates": estimates, "products": products })))
    }))
}

/// The spectral density by stochastic Lanczos quadrature, one probe of 50 steps; its mass is one.
fn density(folder: &Path) -> Result<Work, Failure> {
    let point = Problem::read(folder, &Device::flex())?.point()?;
    let hessian = point.hessian();
    Ok(Box::new(move |seed| {
        let quadrature = Quadrature { probes: 1, steps: 50 };
        let density = quadrature.run(&hessian, &mut stream(seed, Purpose::Probes, 0))?;
        Ok(Box::new(move || {
            let mass: f64 = density.probes.iter().flatten().map(|node| node.weight).sum();
            json!({ "sum": mass, "products": density.products })
        }))
    }))
}

/// The tangent kernel `[nC, nC]`.
fn kernel(folder: &Path) -> Result<Work, Failure> {
    let Problem { network, data, .. } = Problem::read(folder, &Device::flex())?;
    let (x, outputs) = (inputs(&data)?, data.target().columns());
    let map = Map::new(Model::forward).first_order();
    Ok(Box::new(move |_| {
        let kernel = map.kernel(&network, &x)?;
        Ok(Box::new(move || {
            let size = kernel.dims()[0];
            let data = kernel.into_data();
            let values = data.as_slice::<f32>().expect("the kernel is in f32");
            let all = || values.iter().map(|&value| f64::from(value));
            json!({
                "trace": all().step_by(size + 1).sum::<f64>(),
                "norm": all().map(|value| value * value).sum::<f64>().sqrt(),
                "sum": all().sum::<f64>(),
                // Between the first output of the first sample and the outputs of the second.
                "entries": &values[outputs..2 * outputs],
            })
        }))
    }))
}

/// A product `[m, k] × [k, n]`.
fn matmul(size: &str) -> Result<Work, Failure> {
    let sizes = size.split('-').map(str::parse).collect::<Result<Vec<usize>, _>>()?;
    let [m, k, n] = sizes[..] else { return Err("three sizes make a product".into()) };
    let (a, b) = (numbers(m, k), numbers(k, n));
    Ok(Box::new(move |_| Ok(vector(a.clone().matmul(b.clone())))))
}

fn inputs(data: &Dataset) -> Result<ModelInput, Failure> {
    Ok(ModelInput::from_dataset(data, &Device::flex(), DType::F32)?)
}

/// Numbers between −½ and ½ without a pattern that matters here, the same as in `peers/common.py`.
fn numbers(rows: usize, columns: usize) -> Tensor<2> {
    let values: Vec<f64> = (0..rows * columns).map(|i| ((i * 7919) % 1009) as f64 / 1009.0 - 0.5).collect();
    let data = TensorData::new(values, [rows, columns]).convert_dtype(DType::F32);
    Tensor::from_data(data, &Device::flex())
}

/// Norm and some entries of a tensor, row after row.
fn vector(tensor: Tensor<2>) -> Found {
    Box::new(move || {
        let values = host(tensor.flatten(0, 1));
        json!({ "norm": norm(&values), "entries": entries(&values) })
    })
}

fn host(tensor: Tensor<1>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// 32 entries at equal distances.
fn entries(values: &[f64]) -> Vec<f64> {
    values.iter().step_by((values.len() / 32).max(1)).take(32).copied().collect()
}
