//! The problems that claims are measured on: small, in f64, with known answers where there are any.

use burn::tensor::{DType, Device, Tensor};
use losscape_analysis::{AnalysisError, Objective};
use losscape_krylov::{ConjugateGradient, Eigensolver, Shifted, Space, SymmetricMatrix, SymmetricOperator, dense};
use losscape_model::data::digits::Digits;
use losscape_model::data::generate::{LeastSquares, TeacherStudent};
use losscape_model::data::{DataConfig, Dataset};
use losscape_model::random::{Purpose, stream};
use losscape_model::{
    FromDataset, LinearModel, LinearModelConfig, Loss, LossKind, Mlp, MlpConfig, Model, ModelConfig, Network,
    Parameterization, Reduction,
};
use losscape_optim::OptimizerConfig;
use losscape_optim::gradient_descent::GradientDescentConfig;
use rand::RngExt;
use rand::rngs::ChaCha12Rng;

use super::Workbench;
use super::networks::Architecture;
use losscape_lab::LabError;

/// How a network starts.
pub fn start(config: &MlpConfig) -> String {
    let activation = format!("{:?}", config.activation).to_lowercase();
    let gain = config.activation.variance_gain();
    let weights = match config.parameterization {
        Parameterization::Standard => format!("standard parameterization, initial weights N(0, {gain}/fan-in)"),
        Parameterization::Ntk => format!("NTK parameterization, initial weights N(0, {gain}) times 1/√fan-in"),
        Parameterization::MeanField => {
            format!("mean-field parameterization, initial weights N(0, {gain}) times 1/√fan-in, at last 1/fan-in")
        }
    };
    let last = if gain == 1.0 { "" } else { " (1 in place of it in the last layer)" };
    let biases = if config.bias { "biases start at 0" } else { "no biases" };
    format!("{activation} network, {weights}{last}, {biases}, of widths")
}

/// The settings of a network.
fn described(config: &ModelConfig) -> String {
    serde_json::to_string(config).unwrap_or_else(|error| error.to_string()).replace('"', "")
}

/// How digits are prepared.
pub const DIGITS: &str = "digits 8×8, a fifth split off for testing by the seed, pixels less one mean over one \
                          deviation of the training part, labels one-hot";

/// Entries of a tensor.
pub fn numbers<const D: usize>(tensor: &Tensor<D>) -> Vec<f64> {
    tensor.clone().into_data().iter::<f64>().collect()
}

/// `⟨v, w⟩`.
pub fn inner(v: &Tensor<1>, w: &Tensor<1>) -> f64 {
    (v.clone() * w.clone()).sum().into_scalar()
}

/// `‖v‖`.
pub fn norm(v: &Tensor<1>) -> f64 {
    inner(v, v).sqrt()
}

/// Draws of a claim: the index, below 900, tells the uses within one claim apart. Claims may have the same ones.
pub fn draws(seed: u64, index: u64) -> ChaCha12Rng {
    stream(seed, Purpose::Probes, index)
}

/// `count` numbers from `low` to `high` in equal ratios.
pub fn geometric(low: f64, high: f64, count: usize) -> Vec<f64> {
    let ratio = (high / low).powf(1.0 / (count.max(2) - 1) as f64);
    (0..count).map(|at| low * ratio.powf(at as f64)).collect()
}

/// The slope of a line through points on logarithmic axes, by least squares.
pub fn log_slope(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let n = logs.len() as f64;
    let (x, y) = (logs.iter().map(|p| p.0).sum::<f64>() / n, logs.iter().map(|p| p.1).sum::<f64>() / n);
    logs.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>() / logs.iter().map(|p| (p.0 - x).powi(2)).sum::<f64>()
}

/// λ_max of an operator, to a residual of 1e-6.
pub fn largest(operator: &impl SymmetricOperator, seed: u64) -> Result<f64, LabError> {
    let solver = Eigensolver { max_products: 1000, ..Eigensolver::top(1) }.with_tolerance(1e-6);
    let found = solver.solve(operator, None, &mut draws(seed, 901)).map_err(AnalysisError::from)?;
    Ok(found.top[0].value)
}

/// Every eigenvalue of a small operator, ascending.
pub fn spectrum(operator: &impl SymmetricOperator) -> Result<Vec<f64>, LabError> {
    Ok(dense::eigenvalues(dense::materialize(operator)).map_err(AnalysisError::from)?)
}

/// Levenberg's damped Gauss-Newton steps until the loss is below `target` or so many are done: the parameters and the
/// loss reached.
///
/// The step solves `(G + λI) δ = g`; λ falls by ten after a step that lowers the loss, and rises by ten until one does.
/// Where twenty steps lower it by less than a tenth, no solution is near.
pub fn solve<N>(
    objective: &Objective<N>,
    start: Tensor<1>,
    target: f64,
    steps: usize,
) -> Result<(Tensor<1>, f64), LabError>
where
    N: Network<Input = Tensor<2>>,
{
    let solver = ConjugateGradient { tolerance: 1e-10, max_products: 2000 };
    let (mut w, mut damping) = (start, 1e-2);
    let mut losses = Vec::new();
    for step in 0..steps {
        let point = objective.at(&w)?;
        losses.push(point.loss());
        if point.loss() < target || step >= 20 && point.loss() > 0.9 * losses[step - 20] {
            break;
        }
        let mut better = None;
        while better.is_none() && damping < 1e8 {
            let operator = Shifted { operator: point.gauss_newton(), shift: damping };
            let step = solver.solve(&operator, point.gradient()).map_err(AnalysisError::from)?.x;
            let next = w.clone() - step;
            let lower = objective.value(&next)? < point.loss();
            damping = if lower { (damping / 10.0).max(1e-14) } else { 10.0 * damping };
            better = lower.then_some(next);
        }
        match better {
            Some(next) => w = next,
            None => break,
        }
    }
    let loss = objective.value(&w)?;
    Ok((w, loss))
}

/// Gradient descent at a rate.
pub fn gradient_descent(rate: f64) -> OptimizerConfig {
    OptimizerConfig::new(GradientDescentConfig {}, rate)
}

impl Workbench {
    /// Vectors of f64.
    fn space(&self, dim: usize) -> Space {
        Space { dim, device: self.device.clone(), dtype: DType::F64 }
    }

    /// A vector.
    pub(super) fn vector(&self, values: &[f64]) -> Tensor<1> {
        self.space(values.len()).vector(values.to_vec())
    }

    /// A vector of standard normal entries.
    pub(super) fn normal(&self, dim: usize, random: &mut ChaCha12Rng) -> Tensor<1> {
        self.space(dim).normal(random)
    }

    /// Notes a function without data or networks.
    pub(super) fn formula(&self, what: &str) {
        self.note(format!("{what}; no data, f64"), []);
    }

    /// An MLP in f64.
    pub(super) fn network(
        &self,
        config: &MlpConfig,
        inputs: usize,
        outputs: usize,
        seed: u64,
    ) -> Result<Mlp, LabError> {
        self.note(start(config), config.widths(inputs, outputs)?);
        Ok(config.init(inputs, outputs, seed, &self.device, DType::F64)?)
    }

    /// `½ Σ λ_i w_i²` and its gradient.
    pub(super) fn bowl(
        &self,
        eigenvalues: &[f64],
    ) -> impl Fn(&Tensor<1>) -> Result<(f64, Tensor<1>), LabError> + use<> {
        self.note("quadratic ½ Σ λ_i w_i², no data, f64, of dimension", [eigenvalues.len()]);
        let eigenvalues = self.vector(eigenvalues);
        move |w| {
            let gradient = w.clone() * eigenvalues.clone();
            Ok((0.5 * inner(w, &gradient), gradient))
        }
    }

    /// The Huber function, `½x²` up to `|x| = slope` and a line beyond, and its gradient: smooth with constant one.
    pub(super) fn huber(&self, slope: f64) -> impl Fn(&Tensor<1>) -> Result<(f64, Tensor<1>), LabError> + use<> {
        self.formula("Huber function ½x², beyond |x| = δ a line of slope δ");
        move |w| {
            let x = w.clone().into_scalar::<f64>();
            let value = if x.abs() <= slope { 0.5 * x * x } else { slope * x.abs() - 0.5 * slope * slope };
            Ok((value, w.clone().clamp(-slope, slope)))
        }
    }

    /// `½x²` up to `|x| = slope`; from there on the derivative goes down to half of the slope and up to it again on
    /// every length of one slope. Smooth with constant one, and slow for gradient descent with
    /// steps of one.
    pub(super) fn sawtooth(&self, slope: f64) -> impl Fn(&Tensor<1>) -> Result<(f64, Tensor<1>), LabError> + use<> {
        self.formula("½x², beyond |x| = δ a slope between ½δ and δ, of period δ");
        move |w| {
            let x = w.clone().into_scalar::<f64>();
            let (teeth, into) = (((x.abs() - slope) / slope).floor(), (x.abs() - slope).rem_euclid(slope));
            let near = into.min(slope - into);
            let rise = slope * near - 0.5 * near * near;
            let rise = if into > near { 0.75 * slope * slope - rise } else { rise };
            let (value, derivative) = if x.abs() <= slope {
                (0.5 * x * x, x.abs())
            } else {
                (0.5 * slope * slope + 0.75 * slope * slope * teeth + rise, slope - near)
            };
            Ok((value, w.clone().sign() * derivative))
        }
    }

    /// `½‖Φw − y‖²` with the eigenvalues of `ΦᵀΦ` prescribed, and the parameters that made y.
    pub(super) fn least_squares(
        &self,
        eigenvalues: &[f64],
        [samples, inputs]: [usize; 2],
        noise: f64,
        seed: u64,
    ) -> Result<(Objective<LinearModel>, Dataset, Tensor<1>), LabError> {
        let made = "least squares: Φ = U diag(√λ) Vᵀ with the eigenvalues of ΦᵀΦ prescribed, U and V random";
        let noisy = format!("y = Φw* + {noise} N(0, 1), w* ~ N(0, 1)");
        let size = [samples, inputs, eigenvalues.len()];
        self.note(format!("{made}, {noisy}; inputs as drawn, no split, of samples, inputs and rank"), size);
        let problem = LeastSquares { samples, inputs, eigenvalues: eigenvalues.to_vec(), noise }.generate(seed)?;
        let network = LinearModelConfig::default().init(inputs, 1, 0, &self.device, DType::F64)?;
        let objective = self.on(network, &problem.data, Loss::squared_error().with_reduction(Reduction::Sum))?;
        Ok((objective, problem.data, self.vector(&problem.solution)))
    }

    /// A network's loss on data, in f64.
    pub(super) fn on<N>(&self, network: N, data: &Dataset, loss: Loss) -> Result<Objective<N>, LabError>
    where
        N: Network<Input: FromDataset>,
    {
        let kind = match loss.kind {
            LossKind::SquaredError => "squared error ½‖F − y‖²".to_owned(),
            LossKind::CrossEntropy => "cross-entropy".to_owned(),
            other => format!("{other:?}"),
        };
        let over = match loss.reduction {
            Reduction::Mean => "mean over samples",
            Reduction::Sum => "sum over samples",
        };
        self.note(format!("loss: {kind}, {over}, in f64"), []);
        Ok(Objective::on(network, data, loss)?)
    }

    /// Data of a random teacher with one output.
    pub(super) fn teacher(&self, [samples, inputs]: [usize; 2], noise: f64, seed: u64) -> Result<Dataset, LabError> {
        let made = "teacher: y = a·tanh(Wx/√d)/√32, entries of x, W and a ~ N(0, 1), inputs as drawn, no split";
        self.note(format!("{made}, noise {noise} N(0, 1), of size"), [samples, inputs]);
        Ok(TeacherStudent { samples, inputs, outputs: 1, teacher_width: 32, noise }.generate(seed)?)
    }

    /// A tanh network in NTK parameterization on data of a random teacher, squared error, mean over samples.
    pub(super) fn student(&self, hidden: &[usize], samples: usize, seed: u64) -> Result<Objective<Mlp>, LabError> {
        let data = self.teacher([samples, 4], 0.0, seed)?;
        let config = MlpConfig::new(hidden).with_parameterization(Parameterization::Ntk);
        self.on(self.network(&config, 4, 1, seed)?, &data, Loss::squared_error())
    }

    /// The first of the training part of the digits, with this share of labels random.
    pub(super) fn first_digits(&self, samples: usize, random_labels: f64, seed: u64) -> Result<Dataset, LabError> {
        let percent = 100.0 * random_labels;
        self.note(
            format!("{DIGITS}; {percent} % of labels random; the first of the training part, samples"),
            [samples],
        );
        let source = DataConfig::new(Digits {});
        let data = DataConfig { random_labels, seed, ..source }.load()?.train;
        Ok(data.select(&(0..samples.min(data.len())).collect::<Vec<_>>()))
    }

    /// An MLP on the first digits, with this share of labels random; squared error on one-hot labels, mean over
    /// samples.
    pub(super) fn digits(
        &self,
        config: &MlpConfig,
        samples: usize,
        random_labels: f64,
        seed: u64,
    ) -> Result<Objective<Mlp>, LabError> {
        let data = self.first_digits(samples, random_labels, seed)?;
        let network = self.network(config, data.inputs.columns, data.target().columns(), seed)?;
        self.on(network, &data, Loss::squared_error())
    }

    /// A network on the first digits, with this share of labels random; squared error on one-hot labels, mean over
    /// samples.
    pub(super) fn on_digits(
        &self,
        network: &Architecture,
        samples: usize,
        random_labels: f64,
        seed: u64,
    ) -> Result<Objective<Model>, LabError> {
        let data = self.first_digits(samples, random_labels, seed)?;
        let network = self.initial(network, &data, seed, &self.device, DType::F64)?;
        self.on(network, &data, Loss::squared_error())
    }

    /// A network for such data, as it starts.
    pub(super) fn initial(
        &self,
        network: &Architecture,
        data: &Dataset,
        seed: u64,
        device: &Device,
        dtype: DType,
    ) -> Result<Model, LabError> {
        let outputs = data.target().columns();
        match &network.config {
            ModelConfig::Mlp(config) => self.note(start(config), config.widths(data.inputs.columns, outputs)?),
            other => self.note(format!("network {}, as its own documentation says", described(other)), []),
        }
        Ok(network.config.init(&data.sample, outputs, seed, device, dtype)?)
    }

    /// Draws samples with a tenth of the labels flipped, and finds the minimum of logistic regression by Newton's
    /// method.
    pub(super) fn logistic(&self, samples: usize, inputs: usize, seed: u64) -> Result<Logistic, LabError> {
        let made =
            "logistic regression without intercept: x ~ N(0, I) as drawn, a tenth of the labels flipped, no split";
        self.note(format!("{made}, mean over samples, f64, of size"), [samples, inputs]);
        let mut random = draws(seed, 900);
        let (truth, x) = (self.normal(inputs, &mut random), self.normal(samples * inputs, &mut random));
        let x: Tensor<2> = x.reshape([samples, inputs]);
        let side = x.clone().matmul(truth.unsqueeze_dim::<2>(1)).sign();
        let flips: Vec<f64> = (0..samples).map(|_| if random.random::<f64>() < 0.1 { -1.0 } else { 1.0 }).collect();
        let margins = x * side * self.vector(&flips).unsqueeze_dim::<2>(1);
        let gram = margins.clone().transpose().matmul(margins.clone());
        let largest = dense::eigenvalues(gram).map_err(AnalysisError::from)?;
        let smoothness = largest.last().copied().unwrap_or(0.0) / (4.0 * samples as f64);
        let zero = self.vector(&vec![0.0; inputs]);
        let mut logistic = Logistic { margins, smoothness, solution: zero, minimum: 0.0 };
        for _ in 0..30 {
            let w = logistic.solution.clone();
            let (_, gradient) = logistic.value(&w);
            let solver = ConjugateGradient { tolerance: 1e-14, ..ConjugateGradient::default() };
            let step = solver.solve(&SymmetricMatrix(logistic.hessian(&w)), &gradient).map_err(AnalysisError::from)?;
            logistic.solution = w - step.x;
        }
        logistic.minimum = logistic.value(&logistic.solution).0;
        Ok(logistic)
    }
}

/// Logistic regression without intercept: `mean log(1 + e^{−y x·w})` with labels ±1 that no plane separates, value and
/// gradient; its smoothness `λ_max(XᵀX)/(4n)`; and its minimum.
pub struct Logistic {
    /// Rows `y_i x_i`, `[n, d]`.
    margins: Tensor<2>,
    /// `λ_max(XᵀX)/(4n)`.
    pub smoothness: f64,
    /// The minimizer.
    pub solution: Tensor<1>,
    /// The smallest value.
    pub minimum: f64,
}

impl Logistic {
    /// Value and gradient.
    pub fn value(&self, w: &Tensor<1>) -> (f64, Tensor<1>) {
        let n = self.margins.dims()[0] as f64;
        let margin: Tensor<1> = self.margins.clone().matmul(w.clone().unsqueeze_dim::<2>(1)).squeeze_dim(1);
        let share = burn::tensor::activation::sigmoid(margin.clone().neg());
        let value = margin.neg().exp().log1p().sum().into_scalar::<f64>() / n;
        let gradient = share.unsqueeze_dim::<2>(0).matmul(self.margins.clone()).squeeze_dim::<1>(0) * (-1.0 / n);
        (value, gradient)
    }

    pub fn hessian(&self, w: &Tensor<1>) -> Tensor<2> {
        let n = self.margins.dims()[0] as f64;
        let margin = self.margins.clone().matmul(w.clone().unsqueeze_dim::<2>(1));
        let share = burn::tensor::activation::sigmoid(margin);
        let weight = share.clone() * (share.neg() + 1.0);
        self.margins.clone().transpose().matmul(self.margins.clone() * weight) / n
    }
}
