//! A network on its data at a moment of training, for measures that are made along it.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use burn::tensor::Tensor;
use losscape_analysis::batch_sharpness::batch_sharpness;
use losscape_analysis::covariance::GradientCovariance;
use losscape_analysis::critical::{Critical, critical, directional};
use losscape_analysis::fisher::EmpiricalFisher;
use losscape_analysis::gauss_newton::GaussNewton;
use losscape_analysis::hessian::Hessian;
use losscape_analysis::ntk::{KernelSpectrum, change};
use losscape_analysis::residual::Residual;
use losscape_analysis::{AnalysisError, Mode, Objective, Point};
use losscape_krylov::Estimate;
use losscape_model::random::{Purpose, stream};
use losscape_model::{Loss, Network};
use losscape_optim::OptimizerConfig;
use rand::rngs::ChaCha12Rng;

use super::draw::TrackedDraw;

/// A point, whatever network it is of; see [`Point`].
pub trait AnyPoint {
    /// `L(w)`.
    fn loss(&self) -> f64;
    /// `‖∇L(w)‖`.
    fn gradient_norm(&self) -> f64;
    /// `∇L(w)`.
    fn gradient(&self) -> &Tensor<1>;
    /// The Hessian.
    fn hessian(&self) -> Hessian<'_>;
    /// The Gauss-Newton matrix.
    fn gauss_newton(&self) -> GaussNewton<'_>;
    /// The residual part of the Hessian.
    fn residual(&self) -> Residual<'_>;
    /// The empirical Fisher matrix.
    ///
    /// # Errors
    ///
    /// In batch mode, where samples see each other.
    fn fisher(&self) -> Result<EmpiricalFisher<'_>, AnalysisError>;
    /// The covariance of the samples' gradients.
    ///
    /// # Errors
    ///
    /// As [`fisher`](Self::fisher).
    fn covariance(&self) -> Result<GradientCovariance<'_>, AnalysisError>;
    /// The critical rate along −`direction`; see [`critical`](losscape_analysis::critical).
    ///
    /// # Errors
    ///
    /// When the direction has not P entries.
    fn critical(&self, direction: &Tensor<1>, near: f64) -> Result<Option<Critical>, AnalysisError>;
    /// The directional sharpness; see [`critical`](losscape_analysis::critical).
    fn directional(&self, direction: &Tensor<1>) -> Option<f64>;
    /// The batch sharpness; see [`batch_sharpness`].
    ///
    /// # Errors
    ///
    /// When samples see each other in evaluation mode.
    fn batch_sharpness(
        &self,
        size: usize,
        batches: usize,
        random: &mut ChaCha12Rng,
    ) -> Result<Option<Estimate>, AnalysisError>;
    /// What batch norm goes by.
    fn mode(&self) -> Mode;
}

impl<N: Network> AnyPoint for Point<'_, N> {
    fn loss(&self) -> f64 {
        self.loss()
    }

    fn gradient_norm(&self) -> f64 {
        self.gradient_norm()
    }

    fn gradient(&self) -> &Tensor<1> {
        self.gradient()
    }

    fn hessian(&self) -> Hessian<'_> {
        self.hessian()
    }

    fn gauss_newton(&self) -> GaussNewton<'_> {
        self.gauss_newton()
    }

    fn residual(&self) -> Residual<'_> {
        self.residual()
    }

    fn fisher(&self) -> Result<EmpiricalFisher<'_>, AnalysisError> {
        self.fisher()
    }

    fn covariance(&self) -> Result<GradientCovariance<'_>, AnalysisError> {
        self.covariance()
    }

    fn critical(&self, direction: &Tensor<1>, near: f64) -> Result<Option<Critical>, AnalysisError> {
        critical(self, direction, near)
    }

    fn directional(&self, direction: &Tensor<1>) -> Option<f64> {
        directional(self, direction)
    }

    fn batch_sharpness(
        &self,
        size: usize,
        batches: usize,
        random: &mut ChaCha12Rng,
    ) -> Result<Option<Estimate>, AnalysisError> {
        batch_sharpness(self, size, batches, random)
    }

    fn mode(&self) -> Mode {
        self.objective().mode()
    }
}

/// An objective, whatever network it is of; see [`Objective`].
pub trait AnyObjective {
    /// The loss.
    fn loss(&self) -> Loss;
    /// `L(w)` and `∇L(w)`.
    ///
    /// # Errors
    ///
    /// When `w` has not P entries.
    fn gradient(&self, w: &Tensor<1>) -> Result<(f64, Tensor<1>), AnalysisError>;
    /// The tangent kernel at `w`.
    ///
    /// # Errors
    ///
    /// When `w` has not P entries.
    fn kernel(&self, w: &Tensor<1>) -> Result<Tensor<2>, AnalysisError>;
    /// The spectrum of a kernel of these samples.
    ///
    /// # Errors
    ///
    /// When an entry of the kernel is not finite.
    fn spectrum(&self, kernel: Tensor<2>) -> Result<KernelSpectrum, AnalysisError>;
}

impl<N: Network> AnyObjective for Objective<N> {
    fn loss(&self) -> Loss {
        self.loss()
    }

    fn gradient(&self, w: &Tensor<1>) -> Result<(f64, Tensor<1>), AnalysisError> {
        self.gradient(w)
    }

    fn kernel(&self, w: &Tensor<1>) -> Result<Tensor<2>, AnalysisError> {
        self.kernel(w)
    }

    fn spectrum(&self, kernel: Tensor<2>) -> Result<KernelSpectrum, AnalysisError> {
        KernelSpectrum::of(kernel, self.targets())
    }
}

/// A moment of training, for measures.
pub struct Along<'a> {
    /// The loss over all training samples, at the parameters.
    pub point: &'a dyn AnyPoint,
    /// The loss over the samples that kernels are taken of.
    pub part: &'a dyn AnyObjective,
    /// The parameters `[P]`, in the type measured in.
    pub w: &'a Tensor<1>,
    /// The method that trains, which says what its edge is.
    pub optimizer: &'a OptimizerConfig,
    /// Learning rate of the last step, if there was one.
    pub rate: Option<f64>,
    /// Optimizer steps done.
    pub step: usize,
    /// Samples of a batch.
    pub batch_size: usize,
    /// The largest eigenvalues that are looked for.
    pub top: usize,
    /// The parameters `[P]` before training.
    pub initial: &'a Tensor<1>,
    /// Those before the last steps, the oldest first: as many as [`Tracking::before`](super::Tracking::before) says,
    /// where they are known.
    pub before: &'a [Tensor<1>],
    /// The diagonal of the method's preconditioner `[P]`, if it has one.
    pub preconditioner: &'a dyn Fn() -> Option<Tensor<1>>,
    pub(crate) measures: &'a [&'static str],
    pub(crate) seed: u64,
    pub(crate) memory: &'a mut BTreeMap<&'static str, Tensor<2>>,
    pub(crate) kernel: OnceCell<(KernelSpectrum, Option<f64>)>,
    /// The tangent kernel before training, where it is that of the same function.
    pub(crate) initial_kernel: Option<&'a Tensor<2>>,
    pub(crate) found: BTreeMap<String, f64>,
}

impl Along<'_> {
    /// Gives a quantity; nothing where there is none, or it is not finite.
    pub fn put(&mut self, name: &str, value: Option<f64>) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            self.found.insert(name.to_owned(), value);
        }
    }

    /// Random numbers of a quantity at this step.
    #[must_use]
    pub fn random(&self, draw: TrackedDraw) -> ChaCha12Rng {
        stream(self.seed, Purpose::Probes, ((draw as u64) << 48) | self.step as u64)
    }

    /// Whether the measure of this name is made along training, too.
    #[must_use]
    pub fn tracks(&self, name: &str) -> bool {
        self.measures.contains(&name)
    }

    /// The spectrum of the tangent kernel of [`part`](Self::part), decomposed once, and its change `‖K − K₀‖_F/‖K₀‖_F`
    /// since initialization.
    ///
    /// # Errors
    ///
    /// When an entry of it is not finite.
    pub fn kernel(&self) -> Result<&(KernelSpectrum, Option<f64>), AnalysisError> {
        if let Some(known) = self.kernel.get() {
            return Ok(known);
        }
        let kernel = self.part.kernel(self.w)?;
        let moved = self.initial_kernel.map(|initial| change(&kernel, initial));
        let found = (self.part.spectrum(kernel)?, moved);
        Ok(self.kernel.get_or_init(|| found))
    }

    /// Vectors that were kept under this name at the measurement before. A checkpoint forgets them.
    #[must_use]
    pub fn kept(&self, name: &str) -> Option<Tensor<2>> {
        self.memory.get(name).cloned()
    }

    /// Keeps vectors for the next measurement.
    pub fn keep(&mut self, name: &'static str, vectors: Tensor<2>) {
        self.memory.insert(name, vectors);
    }
}

impl std::fmt::Debug for Along<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { step, rate, found, .. } = self;
        f.debug_struct("Along").field("step", step).field("rate", rate).field("found", found).finish_non_exhaustive()
    }
}
