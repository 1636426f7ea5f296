//! The shapes of a convolution.

use burn_backend::ops::ConvOptions;

/// Shapes and steps of a convolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Convolution {
    pub samples: usize,
    /// `[channels, height, width]` of an image.
    pub input: [usize; 3],
    /// Of a result.
    pub output: [usize; 3],
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    /// Zeros above and to the left.
    pub before: [usize; 2],
    pub dilation: [usize; 2],
    pub groups: usize,
}

impl Convolution {
    /// The convolution of `[n, channels, height, width]` with `[out, channels/groups, kernel height, kernel width]`.
    /// `None` if the kernel is larger than the image, or channels do not fall into groups.
    pub fn new(input: &[usize], weight: &[usize], options: &ConvOptions<2>) -> Option<Self> {
        let (&[samples, channels, height, width], &[out, per_group, rows, columns]) = (input, weight) else {
            return None;
        };
        let ConvOptions { stride, padding, dilation, groups } = options.clone();
        let fits = groups > 0 && channels == per_group * groups && out % groups == 0 && !stride.contains(&0);
        if !fits {
            return None;
        }
        let size = |axis: usize, size: usize, kernel: usize| {
            let (before, behind) = padding[axis];
            let padded = (size + before + behind).checked_sub(dilation[axis] * (kernel.checked_sub(1)?) + 1)?;
            Some(padded / stride[axis] + 1)
        };
        Some(Self {
            samples,
            input: [channels, height, width],
            output: [out, size(0, height, rows)?, size(1, width, columns)?],
            kernel: [rows, columns],
            stride,
            before: [padding[0].0, padding[1].0],
            dilation,
            groups,
        })
    }

    /// `[n, out, height, width]` of the result.
    pub fn output_shape(&self) -> [usize; 4] {
        let [channels, height, width] = self.output;
        [self.samples, channels, height, width]
    }

    /// The convolution of results with the kernel turned around that gives the adjoint in the input, of stride one;
    /// `None` where zeros reach further than the kernel.
    pub fn turned(&self) -> Option<Self> {
        let before = |axis: usize| ((self.kernel[axis] - 1) * self.dilation[axis]).checked_sub(self.before[axis]);
        let behind = |axis: usize| {
            let reach = (self.kernel[axis] - 1) * self.dilation[axis];
            (self.input[axis + 1] + reach).checked_sub(self.output[axis + 1] + before(axis)?)
        };
        behind(0).and(behind(1))?;
        let before = [before(0)?, before(1)?];
        Some(Self { input: self.output, output: self.input, before, ..self.clone() })
    }

    /// Numbers of an image.
    pub fn image(&self) -> usize {
        self.input.iter().product()
    }

    /// Numbers of a result.
    pub fn result(&self) -> usize {
        self.output.iter().product()
    }

    /// Pixels of a channel of a result.
    pub fn pixels(&self) -> usize {
        self.output[1] * self.output[2]
    }

    /// Numbers of a patch in one group.
    pub fn patch(&self) -> usize {
        self.input[0] / self.groups * self.kernel[0] * self.kernel[1]
    }

    /// Channels of a result in one group.
    pub fn channels(&self) -> usize {
        self.output[0] / self.groups
    }
}
