//! The loss over a data set as a function of the parameters.
//!
//! An [`Objective`] is `L(w)`, a [`Point`] on it has loss, gradient and the operators there, and a measure is a
//! function of a point. A network is measured with dropout off, and batch norm by its running statistics or by those of
//! the whole data set as one batch ([`Mode`]); it is not changed.

use std::fmt;

use burn::tensor::{DType, Int, Tensor};
use losscape_krylov::{Space, norm};
use losscape_model::data::Dataset;
use losscape_model::{FromDataset, Loss, Network, Reduction};
use losscape_tangent::parameters::{self, Segment};
use losscape_tangent::{Inputs, Linearized, Map, TangentError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::covariance::GradientCovariance;
use crate::error::AnalysisError;
use crate::fisher::EmpiricalFisher;
use crate::gauss_newton::GaussNewton;
use crate::gradient::Gradients;
use crate::hessian::Hessian;
use crate::ntk::TangentKernel;
use crate::output::OutputCurvature;
use crate::residual::Residual;

/// Samples worked on at a time: their activations stay in the cache, and there is work for every core.
const CHUNK: usize = 256;

/// What batch norm normalizes by while a network is measured. Networks without one are the same function in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The running statistics, as at inference: samples do not see each other.
    #[default]
    Evaluation,
    /// Mean and variance of all samples measured, as one batch, differentiated too: the function that full-batch
    /// training descends. Samples see each other; there are no gradients of single samples.
    Batch,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Evaluation => "evaluation: each sample on its own",
            Self::Batch => "batch: batch norm by mean and variance of the samples measured",
        })
    }
}

/// The forward of a network as a function.
type Forward<N> = fn(&N, <N as Network>::Input) -> Tensor<2>;

/// How far the outputs of samples alone are from those beside others, at inference, relative to the largest; none up to
/// rounding (√ϵ of the float type), and for a single sample. The first samples and the last one are tried; where all
/// outputs are zero, as with a last layer of zeros, near parameters.
pub fn coupling<N: Network>(network: &N, inputs: &N::Input) -> Option<f64> {
    /// Samples that are tried together.
    const TOGETHER: usize = 4;
    let samples = inputs.samples();
    if samples < 2 {
        return None;
    }
    let mut rows: Vec<usize> = (0..samples.min(TOGETHER - 1)).collect();
    if samples >= TOGETHER {
        rows.push(samples - 1);
    }
    let together = inputs.select(&rows);
    let apart_of = |network: &N| {
        let outputs = network.forward(together.clone());
        let alone = (0..rows.len()).map(|row| network.forward(together.narrow(row, 1))).collect();
        let largest: f64 = outputs.clone().abs().max().into_scalar();
        let apart: f64 = (outputs.clone() - Tensor::cat(alone, 0)).abs().max().into_scalar();
        let rounding = if outputs.dtype() == DType::F64 { f64::EPSILON } else { f32::EPSILON.into() };
        (largest, (apart > rounding.sqrt() * largest).then(|| apart / largest))
    };
    let network = network.valid();
    match apart_of(&network) {
        (0.0, _) => {
            let w = parameters::ravel(&network)?;
            let moves = Tensor::<1, Int>::arange(0..w.dims()[0] as i64, &w.device()).float().cast(w.dtype()).cos();
            apart_of(&parameters::unravel(network, &(w + moves * 0.1)).ok()?.valid()).1
        }
        (_, apart) => apart,
    }
}

/// `L(w)`: a network, a data set in fixed order, a loss.
///
/// Everything is deterministic: there are no batches. Samples are worked through in chunks and must not see each other,
/// but for batch norm in [`Mode::Batch`], where all are worked through at once.
///
/// ```
/// use burn::tensor::{DType, Device, Tensor};
/// use losscape_analysis::Objective;
/// use losscape_krylov::{Eigensolver, SymmetricOperator};
/// use losscape_model::{LinearModelConfig, Loss};
/// use rand::{SeedableRng, rngs::ChaCha12Rng};
///
/// let device = Device::flex();
/// // ½ Σ (x_i · w − y_i)² has the Hessian XᵀX = [[2, 0], [0, 8]].
/// let x = Tensor::<2>::from_data([[1.0, 0.0], [1.0, 0.0], [0.0, 2.0], [0.0, 2.0]], (&device, DType::F64));
/// let y = Tensor::<2>::from_data([[1.0], [1.0], [2.0], [2.0]], (&device, DType::F64));
/// let network = LinearModelConfig::default().init(2, 1, 0, &device, DType::F64)?;
/// let loss = Loss::squared_error().with_reduction(losscape_model::Reduction::Sum);
/// let objective = Objective::new(network, x, y, loss)?;
/// let point = objective.here()?;
/// assert_eq!(point.loss(), 5.0);
/// let top = Eigensolver::top(1).solve(&point.hessian(), None, &mut ChaCha12Rng::seed_from_u64(0))?;
/// assert!((top.top[0].value - 8.0).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Objective<N: Network> {
    network: N,
    inputs: N::Input,
    targets: Tensor<2>,
    loss: Loss,
    mode: Mode,
    second: Map<N, N::Input, Forward<N>>,
    first: Map<N, N::Input, Forward<N>>,
    /// Absent where memory is limited.
    gradients: Option<Gradients>,
    /// How far the outputs of a sample alone are from those beside others, where that is more than rounding.
    coupling: Option<f64>,
}

impl<N: Network> fmt::Debug for Objective<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims = self.targets.dims();
        let Self { loss, mode, .. } = self;
        f.debug_struct("Objective")
            .field("loss", loss)
            .field("mode", mode)
            .field("targets", &dims)
            .finish_non_exhaustive()
    }
}

impl<N: Network> Objective<N> {
    /// The loss of `network` on inputs and targets `[n, C]`, in the network's own float type.
    ///
    /// # Errors
    ///
    /// When the network cannot be differentiated, or its outputs and the targets differ in shape, float type or device.
    pub fn new(network: N, inputs: N::Input, targets: Tensor<2>, loss: Loss) -> Result<Self, AnalysisError> {
        let map = || Map::new(N::forward as Forward<N>).in_chunks(CHUNK);
        let mode = Mode::Evaluation;
        let (second, first, gradients) = (map(), map().first_order(), Some(Gradients::default()));
        let mut objective = Self { network, inputs, targets, loss, mode, second, first, gradients, coupling: None };
        let at = objective.first.linearize(&objective.network, &objective.inputs)?;
        let (shape, targets) = (at.output_shape(), objective.targets.dims());
        if shape != targets {
            return Err(AnalysisError::Shape { outputs: shape, targets });
        }
        let (outputs, targets) = (at.output(), &objective.targets);
        if outputs.dtype() != targets.dtype() {
            return Err(AnalysisError::Type { outputs: outputs.dtype(), targets: targets.dtype() });
        }
        if outputs.device() != targets.device() {
            let [outputs, targets] = [outputs.device(), targets.device()].map(|device| format!("{device:?}"));
            return Err(AnalysisError::Device { outputs, targets });
        }
        objective.coupling = coupling(&objective.network, &objective.inputs);
        Ok(objective)
    }

    /// The loss of `network` on a data set, on the device and in the float type of its parameters.
    ///
    /// # Errors
    ///
    /// When the network does not take such samples, or the loss such targets; as [`new`](Self::new).
    pub fn on(network: N, data: &Dataset, loss: Loss) -> Result<Self, AnalysisError>
    where
        N::Input: FromDataset,
    {
        let w = parameters::ravel(&network).ok_or(TangentError::NoVariables)?;
        let (device, dtype) = (w.device(), w.dtype());
        let inputs = N::Input::from_dataset(data, &device, dtype)?;
        let (loss, _) = loss.on(data.target())?;
        Self::new(network, inputs, loss.targets(data, &device, dtype), loss)
    }

    /// Whether there is one function to measure.
    fn check_coupling(&self) -> Result<(), AnalysisError> {
        match self.coupling {
            Some(apart) if self.mode == Mode::Evaluation => Err(AnalysisError::SeeEachOther { apart }),
            _ => Ok(()),
        }
    }

    /// A vector `[P]` in the float type measured in.
    ///
    /// # Errors
    ///
    /// When it has not P entries.
    pub(crate) fn vector(&self, v: &Tensor<1>) -> Result<Tensor<1>, AnalysisError> {
        let (expected, given) = (parameters::count(&self.network), v.dims()[0]);
        if expected == given {
            Ok(v.clone().cast(self.targets.dtype()))
        } else {
            Err(TangentError::ParameterCount { expected, given }.into())
        }
    }

    /// Measures in this float type, whatever the network's.
    #[must_use]
    pub fn precision(mut self, dtype: DType) -> Self {
        self.second = self.second.precision(dtype);
        self.first = self.first.precision(dtype);
        self.targets = self.targets.cast(dtype);
        self.gradients = self.gradients.map(|_| Gradients::default());
        self
    }

    /// Measures in this mode. Default: evaluation.
    #[must_use]
    pub fn in_mode(mut self, mode: Mode) -> Self {
        self.second = self.second.batch_statistics(mode == Mode::Batch);
        self.first = self.first.batch_statistics(mode == Mode::Batch);
        self.mode = mode;
        self.gradients = self.gradients.map(|_| Gradients::default());
        self
    }

    /// Works in chunks that fit into so many bytes; where the values of all samples do not, they are calculated anew
    /// for each product. In [`Mode::Batch`] there are no chunks, and what does not fit is refused.
    #[must_use]
    pub fn within(mut self, bytes: usize) -> Self {
        self.second = self.second.within(bytes);
        self.first = self.first.within(bytes);
        self.gradients = None;
        self
    }

    /// The loss over these samples alone, in the same mode and float type; what was recorded of the forward is shared.
    ///
    /// # Panics
    ///
    /// When there is no such sample.
    #[must_use]
    pub fn of_rows(&self, rows: &[usize]) -> Self {
        let (network, second, first) = (self.network.clone(), self.second.clone(), self.first.clone());
        let (inputs, targets) = (self.inputs.clone(), self.targets.clone()).select(rows);
        Self { network, inputs, targets, second, first, gradients: None, ..*self }
    }

    /// The network with the parameters that it was given.
    #[must_use]
    pub fn network(&self) -> &N {
        &self.network
    }

    /// The inputs of all n samples.
    #[must_use]
    pub fn inputs(&self) -> &N::Input {
        &self.inputs
    }

    /// Which loss, and whether it is a mean or a sum over samples.
    #[must_use]
    pub fn loss(&self) -> Loss {
        self.loss
    }

    /// What batch norm goes by.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The targets `[n, C]`, in the float type measured in; labels one-hot.
    #[must_use]
    pub fn targets(&self) -> &Tensor<2> {
        &self.targets
    }

    /// Samples n.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.targets.dims()[0]
    }

    /// Outputs C.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.targets.dims()[1]
    }

    /// The factor c in front of the sum over samples.
    #[must_use]
    pub fn scale(&self) -> f64 {
        self.loss.scale(self.samples())
    }

    /// The trainable parameters in the order of the flat vector.
    #[must_use]
    pub fn segments(&self) -> Vec<Segment> {
        parameters::segments(&self.network)
    }

    /// The network's own parameters `[P]`, in the float type measured in.
    #[must_use]
    pub fn parameters(&self) -> Tensor<1> {
        let w = parameters::ravel(&self.network).expect("a network without parameters was refused");
        w.cast(self.targets.dtype())
    }

    /// `L(w)`.
    ///
    /// # Errors
    ///
    /// When `w` has not P entries, or samples see each other in evaluation mode.
    pub fn value(&self, w: &Tensor<1>) -> Result<f64, AnalysisError> {
        self.check_coupling()?;
        Ok(self.loss_of(&self.first.linearize_at(&self.network, w, &self.inputs)?))
    }

    /// `L(w)` and `∇L(w)` `[P]`: those of a [`Point`] up to rounding. Compiled where that is possible, which takes
    /// memory for a chunk of samples from the first call on; not with a [budget](Self::within), nor in another float
    /// type than the network's.
    ///
    /// # Errors
    ///
    /// When `w` has not P entries, or samples see each other in evaluation mode.
    pub fn gradient(&self, w: &Tensor<1>) -> Result<(f64, Tensor<1>), AnalysisError> {
        self.check_coupling()?;
        let w = self.vector(w)?;
        let (data, of_batch) = ((&self.inputs, &self.targets), self.mode == Mode::Batch);
        let sum = |all: &Gradients| all.sum(&self.network, data, self.loss, CHUNK, of_batch, &w);
        if let Some((sum, gradient)) = self.gradients.as_ref().and_then(sum) {
            return Ok((sum * self.scale(), gradient * self.scale()));
        }
        let at = self.first.linearize_at(&self.network, &w, &self.inputs)?;
        let slope = self.slope(&at);
        Ok((self.loss_of(&at), at.pull(slope)))
    }

    /// The point at the network's own parameters.
    ///
    /// # Errors
    ///
    /// When loss or gradient there are not finite.
    pub fn here(&self) -> Result<Point<'_, N>, AnalysisError> {
        self.at(&self.parameters())
    }

    /// The point at the parameters `w`.
    ///
    /// # Errors
    ///
    /// When `w` has not P entries, samples see each other in evaluation mode, or loss or gradient there are not finite.
    pub fn at(&self, w: &Tensor<1>) -> Result<Point<'_, N>, AnalysisError> {
        self.check_coupling()?;
        let w = w.clone().cast(self.targets.dtype());
        let at = self.second.linearize_at(&self.network, &w, &self.inputs)?;
        let slope = self.slope(&at);
        let gradient = at.pull(slope.clone());
        let point = Point { objective: self, w, value: self.loss_of(&at), at, slope, gradient };
        for (what, value) in [("the loss", point.value), ("the gradient's norm", point.gradient_norm())] {
            if !value.is_finite() {
                return Err(AnalysisError::NotFinite { what, value });
            }
        }
        Ok(point)
    }

    /// The dense tangent kernel `K_c = c J Jᵀ` `[nC, nC]` at the parameters `w`.
    ///
    /// # Errors
    ///
    /// When `w` has not P entries, or samples see each other in evaluation mode.
    pub fn kernel(&self, w: &Tensor<1>) -> Result<Tensor<2>, AnalysisError> {
        self.check_coupling()?;
        let kernel = self.first.kernel_at(&self.network, w, &self.inputs)?;
        let scale = self.scale();
        Ok(if scale == 1.0 { kernel } else { kernel * scale })
    }

    /// Outputs `[n, C]`.
    fn rows(&self, at: &Linearized) -> Tensor<2> {
        at.output().reshape(self.targets.dims())
    }

    /// By samples first: a sum over rows is one of few numbers at a time.
    fn loss_of(&self, at: &Linearized) -> f64 {
        let sum = self.loss.with_reduction(Reduction::Sum);
        sum.value(self.rows(at), self.targets.clone()).into_scalar::<f64>() * self.scale()
    }

    /// `∂L/∂F`, `[nC]`.
    fn slope(&self, at: &Linearized) -> Tensor<1> {
        self.loss.gradient(self.rows(at), self.targets.clone()).reshape([-1])
    }
}

/// The objective at some parameters, with everything that derivatives need.
pub struct Point<'a, N: Network> {
    objective: &'a Objective<N>,
    w: Tensor<1>,
    value: f64,
    at: Linearized,
    slope: Tensor<1>,
    gradient: Tensor<1>,
}

impl<N: Network> fmt::Debug for Point<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { objective, value, .. } = self;
        f.debug_struct("Point").field("objective", objective).field("loss", value).finish_non_exhaustive()
    }
}

impl<N: Network> Point<'_, N> {
    /// The objective that the point is on.
    #[must_use]
    pub fn objective(&self) -> &Objective<N> {
        self.objective
    }

    /// The parameters `w` `[P]`.
    #[must_use]
    pub fn parameters(&self) -> &Tensor<1> {
        &self.w
    }

    /// `L(w)`.
    #[must_use]
    pub fn loss(&self) -> f64 {
        self.value
    }

    /// `g = ∇L(w)` `[P]`.
    #[must_use]
    pub fn gradient(&self) -> &Tensor<1> {
        &self.gradient
    }

    /// `‖g‖`.
    #[must_use]
    pub fn gradient_norm(&self) -> f64 {
        norm(&self.gradient)
    }

    /// Outputs `F(w)` `[n, C]`.
    #[must_use]
    pub fn outputs(&self) -> Tensor<2> {
        self.objective.rows(&self.at)
    }

    /// How many numbers a product computes ([`Linearized::entries`]).
    #[must_use]
    pub fn entries(&self) -> usize {
        self.at.entries()
    }

    /// The space of parameters, which the Hessian works on: `[P]` vectors in the type measured in.
    #[must_use]
    pub fn space(&self) -> Space {
        Space::of(&self.gradient)
    }

    /// `H = ∇²L(w)`.
    #[must_use]
    pub fn hessian(&self) -> Hessian<'_> {
        Hessian { curve: self.at.curve(self.slope.clone()), curvature: self.curvature(), space: self.space() }
    }

    /// `G = Jᵀ (∂²L/∂F²) J`.
    #[must_use]
    pub fn gauss_newton(&self) -> GaussNewton<'_> {
        GaussNewton { at: &self.at, curvature: self.curvature(), space: self.space() }
    }

    /// `R = H − G = Σ_i (∂L/∂F_i) ∇²F_i`.
    #[must_use]
    pub fn residual(&self) -> Residual<'_> {
        Residual { curve: self.at.curve(self.slope.clone()), space: self.space() }
    }

    /// `K_c = c J Jᵀ`, without writing it down.
    #[must_use]
    pub fn kernel(&self) -> TangentKernel<'_> {
        TangentKernel { at: &self.at, scale: self.objective.scale(), space: Space::of(&self.slope) }
    }

    /// The empirical Fisher matrix `c Σ_n g_n g_nᵀ` with the gradients g_n of the samples' own, unscaled losses.
    ///
    /// # Errors
    ///
    /// [`AnalysisError::Coupled`] in [`Mode::Batch`], where samples have no losses of their own.
    pub fn fisher(&self) -> Result<EmpiricalFisher<'_>, AnalysisError> {
        if self.objective.mode == Mode::Batch {
            return Err(AnalysisError::Coupled { what: "the empirical Fisher matrix" });
        }
        let slope = self.slope.clone().reshape(self.objective.targets.dims());
        Ok(EmpiricalFisher { at: &self.at, slope, scale: self.objective.scale(), space: self.space() })
    }

    /// The covariance of the gradients of the samples' own losses.
    ///
    /// # Errors
    ///
    /// As [`fisher`](Self::fisher).
    pub fn covariance(&self) -> Result<GradientCovariance<'_>, AnalysisError> {
        let weight = self.objective.scale() * self.objective.samples() as f64;
        Ok(GradientCovariance { fisher: self.fisher()?, weight, mean: self.gradient.clone() / weight })
    }

    fn curvature(&self) -> OutputCurvature {
        OutputCurvature {
            outputs: self.outputs(),
            targets: self.objective.targets.clone(),
            loss: self.objective.loss.with_reduction(Reduction::Sum),
            scale: self.objective.scale(),
        }
    }
}
