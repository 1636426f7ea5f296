//! How numbers in memory are read as an array.

/// The entry `[i, j, …]` lies at `start + i s₀ + j s₁ + …`, with a stride of zero where an axis is repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    pub start: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

impl Layout {
    /// Row after row, without gaps.
    pub fn dense(start: usize, shape: &[usize]) -> Self {
        let mut strides = vec![1; shape.len()];
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = strides[axis] * shape[axis];
        }
        Self { start, shape: shape.to_vec(), strides }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the entries lie row after row without gaps.
    pub fn is_dense(&self) -> bool {
        let dense = Self::dense(self.start, &self.shape).strides;
        (0..self.shape.len()).all(|axis| self.shape[axis] == 1 || self.strides[axis] == dense[axis])
    }

    /// The axes in another order.
    pub fn permuted(&self, axes: &[usize]) -> Self {
        let pick = |from: &[usize]| axes.iter().map(|&axis| from[axis]).collect();
        Self { start: self.start, shape: pick(&self.shape), strides: pick(&self.strides) }
    }

    /// Axes of length one repeated.
    pub fn expanded(&self, shape: &[usize]) -> Self {
        let axes = self.strides.iter().zip(self.shape.iter().zip(shape));
        let strides = axes.map(|(&stride, (&own, &wanted))| if own == wanted { stride } else { 0 }).collect();
        Self { start: self.start, shape: shape.to_vec(), strides }
    }

    /// The part from the given entry of each axis on, of the given shape.
    pub fn part(&self, from: &[usize], shape: &[usize]) -> Self {
        let start = self.start + from.iter().zip(&self.strides).map(|(at, stride)| at * stride).sum::<usize>();
        Self { start, shape: shape.to_vec(), strides: self.strides.clone() }
    }

    /// One entry of the first axis, which is left out.
    pub fn one_of(&self, at: usize) -> Self {
        let (shape, strides) = (self.shape[1..].to_vec(), self.strides[1..].to_vec());
        Self { start: self.start + at * self.strides[0], shape, strides }
    }

    /// As entries of which each is taken `stretch` times, and all of them again and again until the shape is filled:
    /// their number and `stretch`; `None` if they do not lie like that.
    pub fn repeated(&self) -> Option<(usize, usize)> {
        let (mut stretch, mut length, mut around) = (1, 1, false);
        for (&size, &stride) in self.shape.iter().zip(&self.strides).rev().filter(|&(&size, _)| size != 1) {
            match stride {
                0 if length == 1 && !around => stretch *= size,
                0 => around = true,
                stride if stride == length && !around => length *= size,
                _ => return None,
            }
        }
        Some((length, stretch))
    }

    /// As a matrix whose rows (whose columns, if the flag is set) lie in memory as they are: the distance between them.
    pub fn matrix(&self) -> Option<(usize, bool)> {
        let (&[rows, columns], &[down, right]) = (self.shape.as_slice(), self.strides.as_slice()) else { return None };
        // The distance to the next one means nothing where there is one only.
        let stride = |stride: usize, length: usize, count: usize| match stride {
            _ if count <= 1 => Some(length),
            stride => (stride >= length).then_some(stride),
        };
        if right == 1 || columns == 1 {
            return stride(down, columns, rows).map(|stride| (stride, false));
        }
        if down == 1 || rows == 1 {
            return stride(right, rows, columns).map(|stride| (stride, true));
        }
        None
    }
}
