//! SOAP (Vyas et al. 2025, Algorithm 3): Adam in the eigenbasis of Shampoo's preconditioner.
//!
//! A matrix G of gradients has the averages `L ← β₂ L + (1 − β₂) G Gᵀ` and `R ← β₂ R + (1 − β₂) Gᵀ G`, whose
//! eigenvectors are the columns of `Q_L` and `Q_R`. With `G′ = Q_Lᵀ G Q_R` and likewise `m′` of the average `m ← β₁ m +
//! (1 − β₁) G`,
//!
//! `v ← β₂ v + (1 − β₂) G′²`, `w ← w − ε √(1 − β₂ᵗ)/(1 − β₁ᵗ) Q_L (m′/(√v + ϵ)) Q_Rᵀ`.
//!
//! Every f steps the bases follow their averages by a step of orthogonal iteration, `Q ← QR(L Q)` (their Algorithm 4).
//! Tensors of more dimensions have an average for each of them; those of one, and dimensions longer than `largest`,
//! keep the coordinates that they have, in which SOAP is Adam.
//!
//! As in the authors' program, the first gradient makes the bases and moves nothing, columns are ordered by their
//! eigenvalues before each iteration, v with them, and the basis changes behind the step.

use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};
use losscape_krylov::dense::{eigenpairs, orthonormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{OptimError, check, check_factor, check_not_negative};
use crate::preconditioner::Reveal;
use crate::rmsprop::epsilon;
use crate::rule::{Facts, Rule, Settings};
use crate::state::{put, take};

/// Settings of SOAP.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SoapConfig {
    /// The factor β₁ of the first moment, from 0 to below 1. Default: 0.95 (Vyas et al. 2025).
    #[serde(default = "beta")]
    pub beta_1: f64,
    /// The factor β₂ of the second moment and of the averages, from 0 to below 1. Default: 0.95 (likewise).
    #[serde(default = "beta")]
    pub beta_2: f64,
    /// ϵ, not negative. Default: 1e-8 (likewise).
    #[serde(default = "epsilon")]
    pub epsilon: f64,
    /// Steps from basis to basis, at least 1. Default: 10 (likewise).
    #[serde(default = "frequency")]
    pub frequency: usize,
    /// The longest dimension that gets a basis. Default: 2048; the authors' 10,000 takes 800 MB for each dimension of
    /// that length.
    #[serde(default = "largest")]
    pub largest: usize,
}

fn beta() -> f64 {
    0.95
}

fn frequency() -> usize {
    10
}

fn largest() -> usize {
    2048
}

impl Default for SoapConfig {
    fn default() -> Self {
        Self { beta_1: beta(), beta_2: beta(), epsilon: epsilon(), frequency: frequency(), largest: largest() }
    }
}

impl Settings for SoapConfig {
    fn rule(&self, decay: Option<f64>) -> Result<Rule, OptimError> {
        check_factor("beta_1", self.beta_1)?;
        check_factor("beta_2", self.beta_2)?;
        check_not_negative("epsilon", self.epsilon)?;
        check("frequency", self.frequency as f64, self.frequency > 0, "at least 1")?;
        Ok(Rule::Module(Soap { config: *self, decay: decay.unwrap_or(0.0) }.into()))
    }

    fn facts(&self) -> Facts {
        Facts { elementwise: false, restores: true, states: 2, squares: Some(self.largest) }
    }

    fn edge(&self, _: f64, _: f64) -> Option<f64> {
        None
    }

    fn preconditioner(&self) -> Option<Reveal> {
        None
    }
}

/// The rule of the [module](self), with decoupled weight decay.
#[derive(Debug, Clone, Copy)]
struct Soap {
    config: SoapConfig,
    decay: f64,
}

/// A dimension with a basis.
#[derive(Debug, Clone)]
struct Axis {
    /// The average of `G Gᵀ`, this dimension first and all others taken together.
    average: Tensor<2>,
    /// Its eigenvectors, as columns.
    basis: Tensor<2>,
}

/// State of [`Soap`].
#[derive(Debug, Clone)]
struct SoapState<const D: usize> {
    /// Steps done, that without a move left out.
    steps: usize,
    /// The mean gradient m.
    mean: Tensor<D>,
    /// The second moment v, in the bases.
    mean_square: Tensor<D>,
    /// The dimensions; none for one without a basis.
    axes: Vec<Option<Axis>>,
}

impl<const D: usize> RecordState for SoapState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_scalar(prefix, "steps", self.steps.into());
        put(&self.mean, prefix, "mean", out);
        put(&self.mean_square, prefix, "mean_square", out);
        for (at, axis) in self.axes.iter().enumerate() {
            if let Some(axis) = axis {
                put(&axis.average, prefix, &format!("average_{at}"), out);
                put(&axis.basis, prefix, &format!("basis_{at}"), out);
            }
        }
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        let mut axis = |at: usize| {
            let average = take(prefix, &format!("average_{at}"), source, device)?;
            Some(Axis { average, basis: take(prefix, &format!("basis_{at}"), source, device)? })
        };
        Some(Self {
            axes: (0..D).map(&mut axis).collect(),
            steps: source.take_scalar(prefix, "steps")?.try_into().ok()?,
            mean: take(prefix, "mean", source, device)?,
            mean_square: take(prefix, "mean_square", source, device)?,
        })
    }
}

/// The tensor with its first dimension multiplied by a matrix, if there is one, and put last: after D of these all
/// dimensions are where they were.
fn turned<const D: usize>(tensor: Tensor<D>, matrix: Option<Tensor<2>>) -> Tensor<D> {
    let mut dims = tensor.dims();
    let rows = flat(tensor).transpose();
    let rows = match matrix {
        Some(matrix) => rows.matmul(matrix),
        None => rows,
    };
    dims.rotate_left(1);
    rows.reshape(dims)
}

/// `[first dimension, all others]`.
fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<2> {
    let first = tensor.dims()[0];
    let others = tensor.dims().iter().skip(1).product();
    tensor.reshape([first, others])
}

/// A tensor in the coordinates of the bases.
fn into_bases<const D: usize>(tensor: Tensor<D>, axes: &[Option<Axis>]) -> Tensor<D> {
    axes.iter().fold(tensor, |tensor, axis| turned(tensor, axis.as_ref().map(|axis| axis.basis.clone())))
}

/// The way back.
fn out_of_bases<const D: usize>(tensor: Tensor<D>, axes: &[Option<Axis>]) -> Tensor<D> {
    axes.iter().fold(tensor, |tensor, axis| turned(tensor, axis.as_ref().map(|axis| axis.basis.clone().transpose())))
}

/// The matrix G of each dimension, that first and all others taken together.
fn unfolded<const D: usize>(g: &Tensor<D>) -> impl Iterator<Item = Tensor<2>> {
    let turns = std::iter::successors(Some(g.clone()), |tensor| Some(turned(tensor.clone(), None)));
    turns.map(flat).take(D)
}

/// `G Gᵀ`.
fn outer(rows: Tensor<2>) -> Tensor<2> {
    rows.clone().matmul(rows.transpose())
}

impl Soap {
    /// The averages and bases that the first gradient makes. None where it is not finite.
    fn begin<const D: usize>(&self, g: &Tensor<D>) -> Option<SoapState<D>> {
        let SoapConfig { beta_2, largest, .. } = self.config;
        let axis = |rows: Tensor<2>| {
            let [dim, _] = rows.dims();
            if D == 1 || dim > largest {
                return Some(None);
            }
            let average = outer(rows).mul_scalar(1.0 - beta_2);
            let (_, vectors) = eigenpairs(average.clone()).ok()?;
            // The largest eigenvalue first; rows here, columns there.
            let rows: Vec<f64> = vectors.into_iter().rev().flatten().collect();
            let data = burn::tensor::TensorData::new(rows, [dim, dim]).convert_dtype(average.dtype());
            let basis = Tensor::<2>::from_data(data, (&average.device(), average.dtype())).transpose();
            Some(Some(Axis { average, basis }))
        };
        let axes = unfolded(g).map(axis).collect::<Option<_>>()?;
        Some(SoapState { steps: 0, mean: g.zeros_like(), mean_square: g.zeros_like(), axes })
    }

    /// The averages with another gradient in them, and in time the bases after them. A matrix that is not finite has
    /// none, and what it has been stays.
    fn follow<const D: usize>(&self, mut state: SoapState<D>, g: &Tensor<D>) -> SoapState<D> {
        let SoapConfig { beta_2, frequency, .. } = self.config;
        let due = state.steps.is_multiple_of(frequency);
        for (at, (axis, rows)) in state.axes.iter_mut().zip(unfolded(g)).enumerate() {
            let Some(axis) = axis else { continue };
            axis.average = axis.average.clone().mul_scalar(beta_2) + outer(rows).mul_scalar(1.0 - beta_2);
            if due {
                let powers = axis.average.clone().matmul(axis.basis.clone());
                let values = (axis.basis.clone() * powers.clone()).sum_dim(0).squeeze_dim::<1>(0);
                let order = values.argsort_descending(0);
                if let Ok(basis) = orthonormal(powers.select(1, order.clone())) {
                    axis.basis = basis;
                    state.mean_square = state.mean_square.select(at, order);
                }
            }
        }
        state
    }
}

impl Optimizer for Soap {
    type State<const D: usize> = SoapState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        w: Tensor<D>,
        g: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let SoapConfig { beta_1, beta_2, epsilon, .. } = self.config;
        let Some(mut state) = state else {
            return match self.begin(&g) {
                Some(state) => (w, Some(state)),
                // Where a gradient is not finite, the parameters show it.
                None => (w + g, None),
            };
        };
        state.steps += 1;
        state.mean = state.mean.mul_scalar(beta_1) + g.clone().mul_scalar(1.0 - beta_1);
        let seen = into_bases(g.clone(), &state.axes);
        state.mean_square = state.mean_square.mul_scalar(beta_2) + seen.square().mul_scalar(1.0 - beta_2);
        let root = state.mean_square.clone().sqrt().add_scalar(epsilon);
        let step = out_of_bases(into_bases(state.mean.clone(), &state.axes) / root, &state.axes);
        let [first, second] = [beta_1, beta_2].map(|beta| 1.0 - beta.powf(state.steps as f64));
        let w = w - step.mul_scalar(lr * second.sqrt() / first);
        let w = if self.decay == 0.0 { w } else { w.mul_scalar(1.0 - lr * self.decay) };
        (w, Some(self.follow(state, &g)))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        let axis = |axis: Option<Axis>| {
            let Axis { average, basis } = axis?;
            Some(Axis { average: average.to_device(device), basis: basis.to_device(device) })
        };
        SoapState {
            steps: state.steps,
            mean: state.mean.to_device(device),
            mean_square: state.mean_square.to_device(device),
            axes: state.axes.into_iter().map(axis).collect(),
        }
    }
}
