//! Augmentation: images moved and mirrored at random, each step anew (He et al. 2016, §4.2; Krizhevsky et al. 2012,
//! §4.1).

use burn::tensor::{Bool, DType, Int, Tensor, TensorData};
use losscape_tangent::{Inputs, TensorMapper};
use rand::RngExt;
use rand::rngs::ChaCha12Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is done to every image of a batch; draws are of the caller's generator, in the order of the images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Augment {
    /// The image is moved by at most so many rows and columns, each way equally likely; zeros come in at the border.
    /// Default: 0.
    #[serde(default)]
    pub crop: usize,
    /// Half of the images are mirrored, left and right. Default: false.
    #[serde(default)]
    pub flip: bool,
}

impl Augment {
    /// Inputs like these, with every image `[n, channels, height, width]` changed; other inputs stay as they are.
    #[must_use]
    pub fn apply<I: Inputs>(self, inputs: I, random: &mut ChaCha12Rng) -> I {
        inputs.map(&mut Changed { augment: self, random })
    }

    /// Whether there are images among the inputs.
    #[must_use]
    pub fn applies<I: Inputs>(inputs: &I) -> bool {
        let mut images = Images(false);
        let _ = inputs.clone().map(&mut images);
        images.0
    }

    /// Whether images of these sizes can be moved so far.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn check(self, [_, height, width]: [usize; 3]) -> Result<(), String> {
        if self.crop >= height.min(width) {
            let crop = self.crop;
            return Err(format!(
                "crop = {crop} is not possible: images of {height}×{width} pixels would leave the frame"
            ));
        }
        Ok(())
    }
}

/// Whether there is a float tensor of four axes.
struct Images(bool);

impl TensorMapper for Images {
    fn float<const D: usize>(&mut self, x: Tensor<D>) -> Tensor<D> {
        self.0 |= D == 4;
        x
    }

    fn int<const D: usize>(&mut self, x: Tensor<D, Int>) -> Tensor<D, Int> {
        x
    }

    fn bool<const D: usize>(&mut self, x: Tensor<D, Bool>) -> Tensor<D, Bool> {
        x
    }
}

struct Changed<'a> {
    augment: Augment,
    random: &'a mut ChaCha12Rng,
}

impl TensorMapper for Changed<'_> {
    fn float<const D: usize>(&mut self, x: Tensor<D>) -> Tensor<D> {
        let dims: [usize; D] = x.dims();
        let &[samples, channels, height, width] = dims.as_slice() else { return x };
        let Augment { crop, flip } = self.augment;
        let (device, dtype) = (x.device(), x.dtype());
        let mut moves = (0..samples).map(|_| {
            let by = [0, 1].map(|_| self.random.random_range(0..=2 * crop));
            (by, flip && self.random.random::<bool>())
        });
        let data = x.into_data();
        let geometry = [channels, height, width];
        let data = match dtype {
            DType::F64 => {
                TensorData::new(changed(&data.iter::<f64>().collect::<Vec<_>>(), geometry, crop, &mut moves), dims)
            }
            _ => TensorData::new(changed(&data.iter::<f32>().collect::<Vec<_>>(), geometry, crop, &mut moves), dims),
        };
        Tensor::from_data(data, (&device, dtype))
    }

    fn int<const D: usize>(&mut self, x: Tensor<D, Int>) -> Tensor<D, Int> {
        x
    }

    fn bool<const D: usize>(&mut self, x: Tensor<D, Bool>) -> Tensor<D, Bool> {
        x
    }
}

/// Images with every pixel taken from where it moves from.
fn changed<T: Copy + Default>(
    images: &[T],
    [channels, height, width]: [usize; 3],
    crop: usize,
    moves: &mut dyn Iterator<Item = ([usize; 2], bool)>,
) -> Vec<T> {
    let mut out = Vec::with_capacity(images.len());
    for (image, ([down, right], mirrored)) in images.chunks_exact(channels * height * width).zip(moves) {
        for plane in image.chunks_exact(height * width) {
            for row in 0..height {
                for column in 0..width {
                    let column = if mirrored { width - 1 - column } else { column };
                    let (from_row, from_column) =
                        ((row + down).wrapping_sub(crop), (column + right).wrapping_sub(crop));
                    let inside = from_row < height && from_column < width;
                    out.push(if inside { plane[from_row * width + from_column] } else { T::default() });
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::changed;

    #[test]
    fn images_are_moved_and_mirrored() {
        let image = [1, 2, 3, 4, 5, 6];
        let moved = |by, mirrored| changed(&image, [1, 2, 3], 1, &mut [(by, mirrored)].into_iter());
        assert_eq!(moved([1, 1], false), image, "crop − crop is no move");
        assert_eq!(moved([1, 1], true), [3, 2, 1, 6, 5, 4]);
        assert_eq!(moved([0, 1], false), [0, 0, 0, 1, 2, 3], "down by a row");
        assert_eq!(moved([2, 0], false), [0, 4, 5, 0, 0, 0], "up, and to the right by a column");
        assert_eq!(moved([1, 2], true), [0, 3, 2, 0, 6, 5], "moved to the left, then mirrored");
    }
}
