//! What an average pooling takes means of.

use crate::host::Pool;

/// The two-dimensional window of an average pooling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    pub count_include_pad: bool,
    pub ceil_mode: bool,
}

impl Window {
    /// As windows on images of this size, if they do not reach beyond them.
    pub fn inside(self, [height, width]: [usize; 2]) -> Option<Pool> {
        let Self { kernel, stride, padding, ceil_mode, .. } = self;
        let size = |axis: usize, size: usize| {
            let rest = size.checked_sub(kernel[axis])?;
            (padding[axis] == 0 && !(ceil_mode && rest % stride[axis] != 0)).then_some(rest / stride[axis] + 1)
        };
        Some(Pool { input: [height, width], output: [size(0, height)?, size(1, width)?], kernel, stride })
    }
}
