//! The random streams of measures: a number each, so that what is measured together is drawn independently and what is
//! measured again is drawn again. The compiler refuses two of one number; a number that is given stays.

/// What draws in a measurement.
#[derive(Debug, Clone, Copy)]
pub enum Draw {
    /// The spectrum of the Hessian.
    Hessian = 1,
    /// The spectrum of the Gauss-Newton matrix.
    GaussNewton = 2,
    /// The spectrum of the residual part.
    Residual = 3,
    /// The spectrum of the empirical Fisher matrix.
    Fisher = 4,
    /// The sharpest directions.
    Sharpest = 5,
    /// The measures of sharpness.
    Sharpness = 6,
    /// The largest eigenvalue of the tangent kernel.
    Kernel = 7,
    /// The preconditioned sharpness.
    Preconditioned = 8,
    /// Directions along which the basin's width is measured.
    Basin = 9,
    /// Directions of slices.
    Slices = 10,
    /// The Hessian's diagonal.
    Diagonal = 11,
    /// The covariance of the samples' gradients.
    Noise = 12,
    /// The batches of the batch sharpness.
    Batch = 13,
    /// The blocks of the layers: this number and those behind it.
    Blocks = 100,
}

/// What draws along training, at each look anew.
#[derive(Debug, Clone, Copy)]
pub enum TrackedDraw {
    /// The sharpness.
    Sharpness = 0,
    /// The Hessian's trace.
    Trace = 1,
    /// The covariance of the samples' gradients.
    Noise = 2,
    /// The batches of the batch sharpness.
    Batch = 3,
}
