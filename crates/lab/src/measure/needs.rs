//! What has to be at hand for a measure.

/// What of the tangent kernel is to be found, the less first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KernelPart {
    /// Nothing.
    None,
    /// The largest eigenvalue, matrix-free.
    Largest,
    /// All eigenvalues.
    Whole,
}

/// What has to be at hand for a measure; the memory that a measurement takes is that of what its measures need.
#[derive(Debug, Clone, Copy)]
pub struct Needs {
    /// Products with the Hessian, and a Krylov basis of them.
    pub hessian: bool,
    /// What of the tangent kernel.
    pub kernel: KernelPart,
    /// How far the tangent kernel moved since initialization, where that is known.
    pub change: bool,
}

impl Needs {
    /// Nothing but loss and gradient.
    pub const NOTHING: Self = Self { hessian: false, kernel: KernelPart::None, change: false };
    /// Products with the Hessian.
    pub const HESSIAN: Self = Self { hessian: true, ..Self::NOTHING };

    /// What both need.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            hessian: self.hessian || other.hessian,
            kernel: self.kernel.max(other.kernel),
            change: self.change || other.change,
        }
    }
}
