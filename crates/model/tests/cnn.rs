//! Convolutional networks: their formula, sizes, initial weights, and what does not fit.

use burn::tensor::{DType, Device};
use losscape_model::cnn::{Head, Pooling};
use losscape_model::{Activation, CnnConfig, ConvolutionConfig, ModelConfig, ModelError, Network, Norm, Sample};
use losscape_tangent::parameters::{count, ravel};

use crate::common::{images, numbers, shapes};

fn config() -> CnnConfig {
    CnnConfig {
        hidden: vec![7],
        norm: Norm::Group { groups: 2 },
        ..CnnConfig::new([
            ConvolutionConfig::new(4).with_pool(2),
            ConvolutionConfig { stride: 2, ..ConvolutionConfig::new(6) },
        ])
    }
}

#[test]
fn a_forward_is_its_formula() {
    let (device, image) = (Device::flex(), [3, 8, 6]);
    for (pooling, head) in [(Pooling::Average, Head::Flatten), (Pooling::Max, Head::Average)] {
        let config = CnnConfig { pooling, head, activation: Activation::Softplus, ..config() };
        let network = config.init(image, 5, 0, &device, DType::F64).expect("it fits");
        let x = images([2, 3, 8, 6]);
        let found = numbers(network.forward(x.clone()));
        let mut expected = Vec::new();
        for sample in numbers(x).chunks(3 * 8 * 6) {
            let (mut h, mut shape) = (sample.to_vec(), image);
            for (block, layer) in network.blocks.iter().zip(&config.layers) {
                let (w, out) = (numbers(block.convolution.weight.val()), layer.channels);
                let size = shape.map(|size| (size - 1) / layer.stride + 1);
                let [channels, height, width] = shape;
                let mut y = vec![0.0; out * size[1] * size[2]];
                for (at, y) in y.iter_mut().enumerate() {
                    let (o, row, column) = (at / (size[1] * size[2]), at / size[2] % size[1], at % size[2]);
                    for (c, i, j) in (0..channels * 9).map(|k| (k / 9, k / 3 % 3, k % 3)) {
                        let (r, s) =
                            ((row * layer.stride + i).wrapping_sub(1), (column * layer.stride + j).wrapping_sub(1));
                        if r < height && s < width {
                            *y += w[(o * channels + c) * 9 + i * 3 + j] * h[(c * height + r) * width + s];
                        }
                    }
                }
                // Both groups of channels, of the one sample.
                let group = y.len() / 2;
                for part in y.chunks_mut(group) {
                    let mean = part.iter().sum::<f64>() / group as f64;
                    let variance = part.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / group as f64;
                    part.iter_mut().for_each(|y| *y = ((*y - mean) / (variance + 1e-5).sqrt()).exp().ln_1p());
                }
                let (rows, columns) = (size[1] / layer.pool, size[2] / layer.pool);
                h = (0..out * rows * columns)
                    .map(|at| {
                        let (o, row, column) = (at / (rows * columns), at / columns % rows, at % columns);
                        let window = (0..layer.pool * layer.pool).map(|k| {
                            let (i, j) = (k / layer.pool, k % layer.pool);
                            y[(o * size[1] + row * layer.pool + i) * size[2] + column * layer.pool + j]
                        });
                        match pooling {
                            Pooling::Average => window.sum::<f64>() / (layer.pool * layer.pool) as f64,
                            Pooling::Max => window.fold(f64::MIN, f64::max),
                        }
                    })
                    .collect();
                shape = [out, rows, columns];
            }
            if head == Head::Average {
                let pixels = shape[1] * shape[2];
                h = h.chunks(pixels).map(|channel| channel.iter().sum::<f64>() / pixels as f64).collect();
            }
            for (at, layer) in network.layers.iter().enumerate() {
                let w = numbers(layer.weight.val());
                h = w.chunks(h.len()).map(|row| row.iter().zip(&h).map(|(w, x)| w * x).sum()).collect();
                if at == 0 {
                    h.iter_mut().for_each(|h: &mut f64| *h = h.exp().ln_1p());
                }
            }
            expected.extend(h);
        }
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-12 * expected.abs().max(1.0), "{found} against {expected}");
        }
        assert_eq!(found.len(), expected.len());
    }
}

#[test]
fn sizes_are_those_of_what_is_built() {
    let sample = Sample::Image { channels: 3, height: 8, width: 6 };
    for config in [config(), CnnConfig { bias: false, norm: Norm::None, head: Head::Average, ..config() }] {
        let config = ModelConfig::from(config);
        let size = config.size(&sample, 5).expect("it fits");
        let network = config.init(&sample, 5, 0, &Device::flex(), DType::F32).expect("it fits");
        assert_eq!(size.parameters, count(&network));
        assert_eq!(config.pytorch_names().len(), shapes(&network).len(), "a name for each parameter");
    }
}

/// The names in the `Sequential` of the module's documentation: Conv2d, GroupNorm, Tanh, AvgPool2d, Conv2d, GroupNorm,
/// Tanh, Flatten, Linear, Tanh, Linear.
#[test]
fn names_are_those_of_a_sequential() {
    let of = |config: CnnConfig| {
        let layers: Vec<String> = ModelConfig::from(config)
            .pytorch_names()
            .iter()
            .filter_map(|name| Some(name.strip_suffix(".weight")?.to_owned()))
            .collect();
        layers.join(" ")
    };
    assert_eq!(of(config()), "0 1 4 5 8 10");
    assert_eq!(of(CnnConfig { norm: Norm::None, head: Head::Average, ..config() }), "0 3 7 9");
}

#[test]
fn initial_weights_have_the_variance_they_should() {
    let config = CnnConfig::new([ConvolutionConfig::new(64)]).with_activation(Activation::Relu);
    let of = |seed| config.init([32, 8, 8], 10, seed, &Device::flex(), DType::F64).expect("it fits");
    let w = numbers(of(0).blocks[0].convolution.weight.val());
    let variance = w.iter().map(|w| w * w).sum::<f64>() / w.len() as f64;
    // 18,432 normal draws: the estimate has a relative standard error of √(2/n) = 1 %.
    assert!((variance * 32.0 * 9.0 / 2.0 - 1.0).abs() < 0.04, "{variance}");
    let bits = |seed| numbers(ravel(&of(seed)).expect("it has parameters"));
    assert_eq!(bits(1), bits(1));
    assert_ne!(bits(1), bits(2));
}

#[test]
fn what_does_not_fit_is_said() {
    let one = |layer: ConvolutionConfig| CnnConfig::new([layer]);
    let layer = ConvolutionConfig::new(4);
    let cases = [
        (
            one(ConvolutionConfig { kernel: 11, padding: Some(0), ..layer }),
            "convolution 1: its kernel of 11 is larger than",
        ),
        (one(layer.with_pool(3)), "convolution 1: pooling by 3 would leave pixels out: its output has 8"),
        (one(ConvolutionConfig { channels: 0, ..layer }), "channels = 0"),
        (one(ConvolutionConfig { kernel: 0, ..layer }), "kernel = 0"),
        (one(ConvolutionConfig { stride: 0, ..layer }), "stride = 0"),
        (one(ConvolutionConfig { pool: 0, ..layer }), "pool = 0"),
        (one(ConvolutionConfig { padding: Some(3), ..layer }), "would see zeros alone"),
        (one(ConvolutionConfig { channels: usize::MAX, ..layer }), "at most 1073741824 are possible"),
        (
            one(ConvolutionConfig { kernel: usize::MAX, padding: Some(usize::MAX / 2), ..layer }),
            "at most 1073741824 are possible",
        ),
        (CnnConfig { norm: Norm::Group { groups: 3 }, ..one(layer) }, "its 4 channels do not fall into 3 equal groups"),
        (CnnConfig { norm: Norm::Group { groups: 0 }, ..one(layer) }, "into 0 equal groups"),
        (
            CnnConfig {
                norm: Norm::Group { groups: 4 },
                ..one(ConvolutionConfig { kernel: 8, padding: Some(0), ..layer })
            },
            "its groups of 1 numbers are too few",
        ),
        (CnnConfig { hidden: vec![3, 0], ..one(layer) }, "hidden layer 2 has width 0"),
    ];
    let sample = Sample::Image { channels: 3, height: 8, width: 8 };
    for (config, words) in cases {
        let error = ModelConfig::from(config.clone()).size(&sample, 10).expect_err(words).to_string();
        assert!(error.contains(words), "{error}, not {words}");
        assert!(config.init([3, 8, 8], 10, 0, &Device::flex(), DType::F32).is_err());
    }
    assert!(one(layer).init([0, 8, 8], 10, 0, &Device::flex(), DType::F32).is_err(), "no channels");
    let config = ModelConfig::from(one(layer));
    for (sample, words) in [
        (Sample::from(192), "takes images, and the samples are rows of 192 numbers"),
        (Sample::Numbers(vec![8, 8, 3]), "arrays of 8×8×3 numbers; of an NPZ archive, channels ="),
        (Sample::Tokens { length: 8, vocabulary: 9 }, "sequences of 8 tokens out of 9"),
        (Sample::gray(0, 8), "width 0"),
    ] {
        let error = config.size(&sample, 10).expect_err(words);
        assert!(error.to_string().contains(words), "{error}, not {words}");
    }
    let error =
        ModelConfig::from(losscape_model::MlpConfig::new([4])).size(&Sample::Tokens { length: 8, vocabulary: 9 }, 2);
    assert!(matches!(error, Err(ModelError::Samples { takes: "numbers", .. })));
}
