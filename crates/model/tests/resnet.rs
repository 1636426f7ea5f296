//! Residual networks: their formula, sizes, names, initial weights, and what does not fit.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use losscape_model::norm::Normalization;
use losscape_model::{Activation, ModelConfig, Network, Norm, ResNet, ResNetConfig, Sample};
use losscape_tangent::parameters::count;

use crate::common::{images, numbers, shapes};

const IMAGE: Sample = Sample::Image { channels: 3, height: 6, width: 5 };

/// The network with other weights than those it starts from, which without a norm leave branches at zero.
fn moved(network: ResNet) -> ResNet {
    struct Move;
    impl ModuleMapper for Move {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let shape = param.dims();
            let values: Vec<f64> =
                (0..shape.iter().product()).map(|k: usize| ((k * k + 5) as f64 * 0.9).cos()).collect();
            let size = (values.len() as f64 / shape[0] as f64).sqrt();
            param.map(|own| {
                own * 0.1 + Tensor::from_data(TensorData::new(values, shape), (&Device::flex(), DType::F64)) / size
            })
        }
    }
    network.map(&mut Move)
}

/// Channels of one image: numbers, and their height and width.
type Image = (Vec<Vec<f64>>, [usize; 2]);

/// A convolution that reaches `kernel / 2` pixels beyond the image, summed term by term.
fn convolve(x: &Image, w: &[f64], b: Option<&[f64]>, kernel: usize, stride: usize) -> Image {
    let ([height, width], reach) = (x.1, kernel / 2);
    let size = x.1.map(|size| (size - 1) / stride + 1);
    let terms = x.0.len() * kernel * kernel;
    let channel = |(at, w): (usize, &[f64])| {
        let pixel = |place: usize| {
            let (row, column) = (place / size[1] * stride, place % size[1] * stride);
            let term = |k: usize| {
                let (c, i, j) = (k / (kernel * kernel), k / kernel % kernel, k % kernel);
                let (r, s) = ((row + i).wrapping_sub(reach), (column + j).wrapping_sub(reach));
                if r < height && s < width { w[k] * x.0[c][r * width + s] } else { 0.0 }
            };
            (0..terms).map(term).sum::<f64>() + b.map_or(0.0, |b| b[at])
        };
        (0..size[0] * size[1]).map(pixel).collect()
    };
    (w.chunks(terms).enumerate().map(channel).collect(), size)
}

/// Normalized over the two halves of its channels.
fn in_halves(x: &mut Image, scale: &[f64], shift: &[f64]) {
    let half = x.0.len() / 2;
    for (part, channels) in x.0.chunks_mut(half).enumerate() {
        let all: Vec<f64> = channels.iter().flatten().copied().collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let variance = all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / all.len() as f64;
        for (at, channel) in channels.iter_mut().enumerate() {
            let at = part * half + at;
            channel.iter_mut().for_each(|x| *x = (*x - mean) / (variance + 1e-5).sqrt() * scale[at] + shift[at]);
        }
    }
}

fn added(mut a: Image, b: &Image) -> Image {
    a.0.iter_mut().flatten().zip(b.0.iter().flatten()).for_each(|(a, b)| *a += b);
    a
}

fn tanh(mut x: Image) -> Image {
    x.0.iter_mut().flatten().for_each(|x| *x = x.tanh());
    x
}

#[test]
fn a_forward_is_its_formula() {
    for norm in [Norm::None, Norm::Group { groups: 2 }] {
        let config = ResNetConfig::new(8, 2).with_activation(Activation::Tanh).with_norm(norm);
        let network = moved(config.init([3, 6, 5], 4, 0, &Device::flex(), DType::F64).expect("it fits"));
        let x = images([1, 3, 6, 5]);
        let found = numbers(network.forward(x.clone()));
        let layer = |convolution: &burn::nn::conv::Conv2d, norm: &Option<Normalization>, x: &Image| {
            let bias = convolution.bias.as_ref().map(|bias| numbers(bias.val()));
            let kernel = convolution.weight.dims()[3];
            let mut y = convolve(x, &numbers(convolution.weight.val()), bias.as_deref(), kernel, convolution.stride[0]);
            if let Some(Normalization::Group(norm)) = norm {
                let vector = |of: &Option<Param<Tensor<1>>>| numbers(of.as_ref().expect("it is affine").val());
                in_halves(&mut y, &vector(&norm.gamma), &vector(&norm.beta));
            }
            y
        };
        let image = (numbers(x).chunks(30).map(<[f64]>::to_vec).collect(), [6, 5]);
        let mut h = tanh(layer(&network.stem, &network.norm, &image));
        for block in &network.blocks {
            let inner = tanh(layer(&block.first, &block.first_norm, &h));
            let branch = layer(&block.second, &block.second_norm, &inner);
            let around =
                block.shortcut.as_ref().map_or_else(|| h.clone(), |shortcut| layer(shortcut, &block.shortcut_norm, &h));
            h = tanh(added(branch, &around));
        }
        assert_eq!((h.0.len(), h.1), (8, [2, 2]), "three stages, of which two halve the image");
        let means: Vec<f64> = h.0.iter().map(|channel| channel.iter().sum::<f64>() / channel.len() as f64).collect();
        let (v, c) = (numbers(network.output.weight.val()), network.output.bias.as_ref().map(|c| numbers(c.val())));
        for ((found, row), c) in found.iter().zip(v.chunks(8)).zip(c.expect("it has a bias")) {
            let expected = row.iter().zip(&means).map(|(v, h)| v * h).sum::<f64>() + c;
            assert!((found - expected).abs() < 1e-12, "{norm:?}: {found} against {expected}");
        }
    }
}

#[test]
fn sizes_and_names_are_those_of_what_is_built() {
    for (depth, parameters) in [(20, 275_000), (32, 469_000), (18, 11_000_000)] {
        let config = ResNetConfig::new(depth, if depth == 18 { 64 } else { 16 }).with_norm(Norm::Group { groups: 2 });
        let config = ModelConfig::from(config);
        let size = config.size(&Sample::Image { channels: 3, height: 32, width: 32 }, 10).expect("it fits");
        // As the paper's table 6 and torchvision count, to a few percent.
        assert!((size.parameters as f64 / f64::from(parameters) - 1.0).abs() < 0.03, "depth {depth}: {size:?}");
    }
    for norm in [Norm::None, Norm::Group { groups: 2 }] {
        let config = ModelConfig::from(ResNetConfig::new(8, 2).with_norm(norm));
        let network = config.init(&IMAGE, 4, 0, &Device::flex(), DType::F32).expect("it fits");
        assert_eq!(config.size(&IMAGE, 4).expect("it fits").parameters, count(&network));
        let names = config.pytorch_names();
        assert_eq!(names.len(), shapes(&network).len());
        for (name, shape) in names.iter().zip(shapes(&network)) {
            let rank = if name.ends_with(".bias") || name.contains("bn") || name.ends_with("downsample.1.weight") {
                1
            } else if name.starts_with("fc") {
                2
            } else {
                4
            };
            assert_eq!(shape.len(), rank, "{name}");
        }
        assert!(names.contains(&"layer2.0.downsample.0.weight".to_owned()), "{names:?}");
        assert_eq!(names.contains(&"bn1.weight".to_owned()), norm != Norm::None);
    }
}

/// Fixup: at the start every block is `σ(h)`, and the outputs are zero.
#[test]
fn without_a_norm_a_network_starts_at_its_shortcuts() {
    let of = |depth| {
        let config = ResNetConfig::new(depth, 4).with_activation(Activation::Identity);
        config.init([3, 6, 5], 4, 7, &Device::flex(), DType::F64).expect("it fits")
    };
    let network = of(14);
    let x = images([2, 3, 6, 5]);
    assert!(numbers(network.forward(x)).iter().all(|output| *output == 0.0));
    let variance = |network: &ResNet| {
        let w = numbers(network.blocks[1].first.weight.val());
        w.iter().map(|w| w * w).sum::<f64>() / w.len() as f64
    };
    // fan_in 36, six blocks: 1,296 draws give the variance to 4 %.
    let w: f64 = variance(&network) * 36.0 * 6.0;
    assert!((w - 1.0).abs() < 0.4, "{w}");
    assert!(numbers(network.blocks[1].second.weight.val()).iter().all(|w| *w == 0.0));
}

#[test]
fn what_does_not_fit_is_said() {
    let cases = [
        (ResNetConfig::new(19, 16), "depth = 19 is not possible: 18, or 6n + 2"),
        (ResNetConfig::new(2, 16), "depth = 2 is not possible"),
        (ResNetConfig::new(usize::MAX, 16), "is not possible"),
        (ResNetConfig::new(20, 0), "the first stage has width 0"),
        (ResNetConfig::new(20, usize::MAX / 2), "at most 1073741824 are possible"),
        (ResNetConfig::new(20, 6).with_norm(Norm::Group { groups: 4 }), "stage 1: its 6 channels do not fall into 4"),
    ];
    for (config, words) in cases {
        let error = ModelConfig::from(config).size(&IMAGE, 10).expect_err(words).to_string();
        assert!(error.contains(words), "{error}, not {words}");
    }
    assert!(ResNetConfig::default().init([3, 0, 8], 10, 0, &Device::flex(), DType::F32).is_err(), "no pixels");
    let error = ModelConfig::from(ResNetConfig::default()).size(&Sample::from(64), 10).expect_err("no images");
    assert!(error.to_string().contains("takes images"), "{error}");
}
