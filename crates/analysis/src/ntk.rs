//! The neural tangent kernel `K_c = c J Jᵀ` (Jacot, Gabriel & Hongler 2018) and its spectrum.
//!
//! Its nonzero eigenvalues are those of `c JᵀJ`, which for squared error is the Gauss-Newton matrix. λ_min says how
//! well conditioned the outputs are as functions of the parameters; it is small by nature, and a matrix calculated with
//! rounding ϵ has no eigenvalues below `floor = size · ϵ · λ_max` (the rule of LAPACK and NumPy for ranks): a λ_min
//! below it is noise, and is not called positive.

use burn::tensor::Tensor;
use losscape_krylov::{KrylovError, Space, SymmetricOperator, dense};
use losscape_tangent::Linearized;
use serde::{Deserialize, Serialize};

use crate::error::AnalysisError;

/// `K_c = c J Jᵀ` without being written down: products `c J Jᵀ u` on `R^{nC}`.
#[derive(Debug)]
pub struct TangentKernel<'a> {
    pub(crate) at: &'a Linearized,
    pub(crate) scale: f64,
    pub(crate) space: Space,
}

impl SymmetricOperator for TangentKernel<'_> {
    fn space(&self) -> Space {
        self.space.clone()
    }

    fn apply(&self, u: Tensor<1>) -> Tensor<1> {
        self.at.push(self.at.pull(u)) * self.scale
    }

    fn apply_block(&self, u: Tensor<2>) -> Tensor<2> {
        self.at.push(self.at.pull(u)) * self.scale
    }
}

/// What the kernel's spectrum says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KernelSpectrum {
    /// Its dimension nC: samples times outputs.
    pub size: usize,
    /// λ_min as calculated; noise when it is below the floor.
    pub min: f64,
    /// λ_max, in the scale of `K_c`: that of the loss.
    pub max: f64,
    /// Number of eigenvalues above the floor.
    pub rank: usize,
    /// `λ_max / λ_min`, when the rank is full.
    pub condition: Option<f64>,
    /// Below this an eigenvalue is rounding: `size · ϵ · λ_max`.
    pub floor: f64,
    /// The trace `Σ λ`, which is `c ‖J‖_F²`.
    pub trace: f64,
    /// Kernel-target alignment `yᵀKy / (‖K‖_F ‖y‖²)` (Cristianini et al. 2001), targets flattened by rows; absent for
    /// targets of zero.
    pub alignment: Option<f64>,
    /// All nC eigenvalues, ascending; those below the floor are noise.
    pub eigenvalues: Vec<f64>,
}

/// Bytes needed at the peak of forming a kernel of this size with numbers of so many bytes and of finding its spectrum
/// in f64; with `change`, of comparing it with another one, too.
#[must_use]
pub fn memory(size: usize, bytes: usize, change: bool) -> usize {
    let entries = size.saturating_mul(size);
    // Forming it takes two and a half times the result; decomposing it, the matrix and two copies in f64.
    let spectrum = (entries.saturating_mul(bytes) / 2).saturating_mul(5).max(entries.saturating_mul(bytes + 16));
    // Two kernels, the difference and its square; or the first while the second is formed.
    let both = entries.saturating_mul(4 * bytes);
    if change { spectrum.max(both) } else { spectrum }
}

impl KernelSpectrum {
    /// The spectrum of a dense kernel `[nC, nC]`, with the targets `[n, C]`.
    ///
    /// # Errors
    ///
    /// When an entry is not finite, or the kernel has another size than the targets.
    pub fn of(kernel: Tensor<2>, targets: &Tensor<2>) -> Result<Self, AnalysisError> {
        let (dims, of) = (kernel.dims(), targets.dims());
        let size = dims[0];
        if dims != [of[0] * of[1]; 2] {
            return Err(AnalysisError::Kernel { kernel: dims, targets: of });
        }
        let epsilon = losscape_krylov::SymmetricMatrix(kernel.clone()).space().epsilon();
        let y: Tensor<2> = targets.clone().cast(kernel.dtype()).reshape([1, -1]);
        let squared: f64 = y.clone().square().sum().into_scalar();
        let along: f64 = (y.clone().matmul(kernel.clone()) * y).sum().into_scalar();
        let eigenvalues = dense::eigenvalues(kernel)?;
        let (Some(&min), Some(&max)) = (eigenvalues.first(), eigenvalues.last()) else {
            return Err(KrylovError::TooMany { asked: 1, dim: size }.into());
        };
        let floor = size as f64 * epsilon * max;
        let norm = eigenvalues.iter().map(|value| value * value).sum::<f64>().sqrt();
        Ok(Self {
            size,
            min,
            max,
            rank: eigenvalues.iter().filter(|&&value| value > floor).count(),
            condition: (min > floor).then(|| max / min),
            floor,
            trace: eigenvalues.iter().sum(),
            alignment: (squared > 0.0 && norm > 0.0).then(|| along / (norm * squared)),
            eigenvalues,
        })
    }

    /// λ_min, or zero when it is below the floor.
    #[must_use]
    pub fn trusted_min(&self) -> f64 {
        if self.min > self.floor { self.min } else { 0.0 }
    }
}

/// `‖K − K₀‖_F / ‖K₀‖_F`: how far the kernel moved since initialization.
#[must_use]
pub fn change(kernel: &Tensor<2>, initial: &Tensor<2>) -> f64 {
    let norm = |matrix: Tensor<2>| matrix.square().sum_dim(1).sum().into_scalar::<f64>().sqrt();
    norm(kernel.clone() - initial.clone()) / norm(initial.clone())
}
