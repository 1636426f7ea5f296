//! Every module of burn-nn, by its input and its parameters: gradient against Burn's, Hessian product against central
//! differences. What cannot be recorded is named with the reason.

#![allow(clippy::redundant_closure_for_method_calls, reason = "a table whose rows read alike")]

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;

use burn::module::{Module, Param};
use burn::nn::activation::{self as act, ActivationConfig};
use burn::nn::attention::{CrossAttentionConfig, MhaInput, MultiHeadAttentionConfig, generate_autoregressive_mask};
use burn::nn::conv::{
    Conv1dConfig, Conv2dConfig, Conv3dConfig, ConvTranspose1dConfig, ConvTranspose2dConfig, ConvTranspose3dConfig,
    DeformConv2dConfig,
};
use burn::nn::interpolate::{Interpolate1dConfig, Interpolate2dConfig, InterpolateMode};
use burn::nn::loss::{self, Reduction};
use burn::nn::norm::NormalizationConfig;
use burn::nn::pool::{
    AdaptiveAvgPool1dConfig, AdaptiveAvgPool2dConfig, AdaptiveAvgPool3dConfig, AvgPool1dConfig, AvgPool2dConfig,
    MaxPool1dConfig, MaxPool2dConfig,
};
use burn::nn::transformer::{
    PositionWiseFeedForwardConfig, TransformerDecoderConfig, TransformerDecoderInput, TransformerEncoderConfig,
    TransformerEncoderInput, TransformerEncoderLayer,
};
use burn::nn::{self, BatchNorm, Initializer};
use burn::tensor::module as layer;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use losscape_tangent::{Map, TangentError};

use crate::common::{Bounds, Errors, ROUNDING, check_against, difference, drawn, in_f64, numbers, tensor};

type Check = Box<dyn Fn(&Device, Bounds) -> Errors>;

/// A module and a forward of it.
struct Row {
    name: &'static str,
    check: Check,
    bounds: Bounds,
}

impl Row {
    /// Burn's own derivative is off: it rounds the reciprocal of a divisor to f32 in the backward pass.
    fn burn_off(self, bound: f64) -> Self {
        Self { bounds: Bounds { burn: bound, ..self.bounds }, ..self }
    }

    /// Burn's value and its derivative are: it calculates in f32 whatever the type is.
    fn off(self, bound: f64) -> Self {
        Self { bounds: Bounds { value: bound, burn: bound }, ..self }
    }
}

/// An input, and the module that takes it.
type With<M, const D: usize> = (Param<Tensor<D>>, M);

fn row<M: Module, const D: usize, const E: usize>(
    name: &'static str,
    shape: [usize; D],
    module: impl Fn(&Device) -> M + 'static,
    forward: impl Fn(&M, Tensor<D>) -> Tensor<E> + Copy + 'static,
) -> Row {
    let check = move |device: &Device, bounds: Bounds| {
        let x = Param::from_tensor(tensor(7, shape, -0.9, 0.9, device));
        let with = (x, in_f64(module(device), 5));
        check_against(&with, &(), |(x, module): &With<M, D>, ()| forward(module, x.val()), 3, bounds)
    };
    Row { name, check: Box::new(check), bounds: Bounds { value: ROUNDING, burn: ROUNDING } }
}

/// A module that makes tensors of the default type in its forward, so that Burn runs it in f32 alone. Here it is
/// calculated in f64, and Burn's is near.
fn single<M: Module + 'static, const D: usize, const E: usize>(
    name: &'static str,
    shape: [usize; D],
    module: impl Fn(&Device) -> M + 'static,
    forward: impl Fn(&M, Tensor<D>) -> Tensor<E> + Copy + 'static,
) -> Row {
    let check = move |device: &Device, bounds: Bounds| {
        let x = Param::from_tensor(tensor(7, shape, -0.9, 0.9, device).cast(DType::F32));
        let with = (x, drawn(module(device), 5, DType::F32));
        check_against(&with, &(), |(x, module): &With<M, D>, ()| forward(module, x.val()), 3, bounds)
    };
    Row { name, check: Box::new(check), bounds: Bounds { value: 1e-5, burn: 1e-5 } }
}

/// A module without parameters.
fn plain<M: Module + 'static, const D: usize, const E: usize>(
    name: &'static str,
    shape: [usize; D],
    module: M,
    forward: impl Fn(&M, Tensor<D>) -> Tensor<E> + Copy + 'static,
) -> Row {
    row(name, shape, move |_| module.clone(), forward)
}

/// Something that is no module, as the losses are: `f` of `[3, 4]`.
fn function<const E: usize>(name: &'static str, f: fn(Tensor<2>) -> Tensor<E>) -> Row {
    row(name, [3, 4], |_| nn::Identity::new(), move |_, x| f(x))
}

fn ints<const D: usize, const E: usize>(x: &Tensor<E>, data: impl Into<TensorData>) -> Tensor<D, Int> {
    Tensor::from_data(data, &x.device())
}

/// Fixed numbers beside an input of the same shape.
fn beside<const D: usize>(x: &Tensor<D>, low: f64, high: f64) -> Tensor<D> {
    tensor(11, x.dims(), low, high, &x.device())
}

const NORMAL: Initializer = Initializer::Normal { mean: 0.0, std: 1.0 };

fn linear() -> Vec<Row> {
    vec![
        row("Linear", [2, 3, 4], |d| nn::LinearConfig::new(4, 5).init(d), |m, x| m.forward(x)),
        row(
            "Embedding",
            [2],
            |d| nn::EmbeddingConfig::new(5, 3).init(d),
            |m, x| m.forward(ints(&x, [[0, 4], [1, 1]])) * x.reshape([2, 1, 1]),
        ),
        plain("Identity", [2, 3], nn::Identity::new(), |m, x| m.forward(x)),
        row("Conv1d", [2, 2, 6], |d| Conv1dConfig::new(2, 3, 3).with_stride(2).init(d), |m, x| m.forward(x)),
        row("Conv2d", [2, 2, 5, 4], |d| Conv2dConfig::new([2, 4], [3, 2]).with_groups(2).init(d), |m, x| m.forward(x)),
        row(
            "Conv3d",
            [2, 2, 4, 3, 4],
            |d| {
                let padding = nn::PaddingConfig3d::Explicit(1, 0, 1);
                Conv3dConfig::new([2, 4], [3, 2, 2]).with_stride([2, 1, 1]).with_padding(padding).init(d)
            },
            |m, x| m.forward(x),
        ),
        row(
            "ConvTranspose1d",
            [2, 2, 4],
            |d| ConvTranspose1dConfig::new([2, 3], 3).with_stride(2).with_padding_out(1).init(d),
            |m, x| m.forward(x),
        ),
        row(
            "ConvTranspose2d",
            [2, 2, 3, 4],
            |d| ConvTranspose2dConfig::new([2, 4], [2, 3]).with_padding([0, 1]).with_groups(2).init(d),
            |m, x| m.forward(x),
        ),
        row(
            "ConvTranspose3d",
            [2, 2, 3, 2, 3],
            |d| ConvTranspose3dConfig::new([2, 3], [3, 2, 2]).with_stride([2, 1, 2]).with_padding([1, 0, 0]).init(d),
            |m, x| m.forward(x),
        ),
        row(
            "DeformConv2d",
            [1, 2, 4, 5],
            |d| DeformConv2dConfig::new([2, 3], [2, 2]).init(d),
            |m, x| {
                let offset = x.clone().slice([0..1, 0..2, 0..3, 0..4]).repeat_dim(1, 4) * 1.7;
                let mask = x.clone().slice([0..1, 0..2, 0..3, 0..4]).repeat_dim(1, 2).exp();
                m.forward(x, offset, Some(mask))
            },
        )
        .burn_off(1e-6),
    ]
}

/// Of windows and pixels.
fn spatial() -> Vec<Row> {
    vec![
        plain("Unfold4d", [1, 2, 4, 5], nn::Unfold4dConfig::new([2, 3]).with_padding([1, 0]).init(), |m, x| {
            m.forward(x)
        }),
        plain("Fold4d", [1, 8, 6], nn::Fold4dConfig::new([3, 4], [2, 2]).init(), |m, x| m.forward(x)),
        plain("PixelShuffle", [1, 8, 2, 3], nn::PixelShuffleConfig::new(2).init(), |m, x| m.forward(x)),
        plain("PixelUnshuffle", [1, 2, 4, 6], nn::PixelUnshuffleConfig::new(2).init(), |m, x| m.forward(x)),
        plain(
            "Interpolate1d",
            [1, 2, 5],
            Interpolate1dConfig::new().with_output_size(Some(8)).with_mode(InterpolateMode::Linear).init(),
            |m, x| m.forward(x),
        ),
        plain(
            "Interpolate2d",
            [1, 2, 3, 4],
            Interpolate2dConfig::new().with_output_size(Some([5, 3])).with_mode(InterpolateMode::Cubic).init(),
            |m, x| m.forward(x),
        ),
        plain("AvgPool1d", [1, 2, 6], AvgPool1dConfig::new(2).with_stride(1).init(), |m, x| m.forward(x)),
        plain("AvgPool2d", [1, 2, 4, 5], AvgPool2dConfig::new([2, 3]).with_strides([1, 2]).init(), |m, x| m.forward(x)),
        plain("AdaptiveAvgPool1d", [1, 2, 5], AdaptiveAvgPool1dConfig::new(3).init(), |m, x| m.forward(x)),
        plain("AdaptiveAvgPool2d", [1, 2, 4, 5], AdaptiveAvgPool2dConfig::new([3, 2]).init(), |m, x| m.forward(x)),
        plain("AdaptiveAvgPool3d", [1, 2, 4, 5, 3], AdaptiveAvgPool3dConfig::new([3, 2, 2]).init(), |m, x| {
            m.forward(x)
        }),
        plain("MaxPool1d", [1, 2, 6], MaxPool1dConfig::new(2).with_stride(1).init(), |m, x| m.forward(x)),
        plain("MaxPool2d", [1, 2, 4, 5], MaxPool2dConfig::new([2, 3]).with_strides([1, 2]).init(), |m, x| m.forward(x)),
    ]
}

fn norms() -> Vec<Row> {
    vec![
        // In inference, also where Burn would be training it.
        row(
            "BatchNorm",
            [2, 3, 4],
            |d| nn::BatchNormConfig::new(3).init(d),
            |m: &BatchNorm, x| {
                let BatchNorm { gamma, beta, running_mean, running_var, epsilon, .. } = m;
                layer::batch_norm(x, gamma.val(), beta.val(), running_mean.value(), running_var.value(), *epsilon)
            },
        ),
        row("GroupNorm", [2, 4, 3], |d| nn::GroupNormConfig::new(2, 4).init(d), |m, x| m.forward(x)),
        row("InstanceNorm", [2, 3, 4], |d| nn::InstanceNormConfig::new(3).init(d), |m, x| m.forward(x)),
        row("LayerNorm", [2, 3, 4], |d| nn::LayerNormConfig::new(4).init(d), |m, x| m.forward(x)),
        single("RmsNorm", [2, 3, 4], |d| nn::RmsNormConfig::new(4).init(d), |m, x| m.forward(x)),
        plain("LocalResponseNorm", [2, 5, 3], nn::LocalResponseNormConfig::new(3).init(), |m, x| m.forward(x))
            .burn_off(1e-6),
        row(
            "Normalization",
            [2, 3, 4],
            |d| NormalizationConfig::Layer(nn::LayerNormConfig::new(4)).init(d),
            |m, x| m.forward(x),
        ),
        // What is drawn in training is nothing here: see `training_draws_nothing`.
        plain("Dropout", [2, 3], nn::DropoutConfig::new(0.0).init(), |m, x| m.forward(x)),
        plain("GaussianNoise", [2, 3], nn::GaussianNoiseConfig::new(0.0).init(), |m, x| m.forward(x)),
    ]
}

fn sequences() -> Vec<Row> {
    let bilinear = |x: &Tensor<3>| x.clone().flip([1]) * 1.3;
    vec![
        single("Rnn", [2, 3, 2], |d| nn::RnnConfig::new(2, 3, true).init(d), |m, x| m.forward(x, None).0),
        single("BiRnn", [2, 3, 2], |d| nn::BiRnnConfig::new(2, 2, true).init(d), |m, x| m.forward(x, None).0),
        single("Gru", [2, 3, 2], |d| nn::GruConfig::new(2, 3, true).init(d), |m, x| m.forward(x, None)),
        single("BiGru", [2, 3, 2], |d| nn::BiGruConfig::new(2, 2, true).init(d), |m, x| m.forward(x, None).0),
        single("Lstm", [2, 3, 2], |d| nn::LstmConfig::new(2, 3, true).init(d), |m, x| m.forward(x, None).0),
        single("BiLstm", [2, 3, 2], |d| nn::BiLstmConfig::new(2, 2, true).init(d), |m, x| m.forward(x, None).0),
        row(
            "GateController",
            [2, 3],
            |d| nn::GateController::new(3, 4, true, NORMAL, d),
            |m, x| m.gate_product(x.clone(), beside(&x, -1.0, 1.0).repeat_dim(1, 2).narrow(1, 0, 4)),
        ),
        row(
            "MultiHeadAttention",
            [2, 3, 4],
            |d| MultiHeadAttentionConfig::new(4, 2).with_dropout(0.0).init(d),
            move |m, x| {
                let mask = generate_autoregressive_mask(2, 3, &x.device());
                m.forward(MhaInput::new(x.clone(), bilinear(&x), x.exp()).mask_attn(mask)).context
            },
        )
        .burn_off(1e-6),
        row(
            "CrossAttention",
            [2, 3, 4],
            |d| CrossAttentionConfig::new(4, 4, 2, 1, 3).with_dropout(0.0).init(d),
            move |m, x| m.forward(x.clone(), bilinear(&x), None),
        )
        .burn_off(1e-6),
        row(
            "PositionWiseFeedForward",
            [2, 3, 4],
            |d| PositionWiseFeedForwardConfig::new(4, 6).with_dropout(0.0).init(d),
            |m, x| m.forward(x),
        ),
        row(
            "TransformerEncoder",
            [2, 3, 4],
            |d| TransformerEncoderConfig::new(4, 6, 2, 2).with_dropout(0.0).init(d),
            |m, x| m.forward(TransformerEncoderInput::new(x)),
        )
        .burn_off(1e-6),
        row(
            "TransformerEncoderLayer",
            [2, 3, 4],
            |d| TransformerEncoderLayer::new(&TransformerEncoderConfig::new(4, 6, 2, 1).with_dropout(0.0), d),
            |m, x| m.forward(x, None, None),
        )
        .burn_off(1e-6),
        row(
            "TransformerDecoder",
            [2, 3, 4],
            |d| TransformerDecoderConfig::new(4, 6, 2, 1).with_dropout(0.0).with_norm_first(true).init(d),
            move |m, x| m.forward(TransformerDecoderInput::new(x.clone(), bilinear(&x))),
        )
        .burn_off(1e-6),
        single(
            "PositionalEncoding",
            [2, 3, 4],
            |d| nn::PositionalEncodingConfig::new(4).with_max_sequence_size(5).init(d),
            |m, x| m.forward(x.tanh()),
        ),
        single(
            "RotaryEncoding",
            [2, 3, 4],
            |d| nn::RotaryEncodingConfig::new(5, 4).init(d),
            |m, x| m.forward(x.tanh()),
        ),
    ]
}

fn activations() -> Vec<Row> {
    let of = [2, 6];
    vec![
        row("Activation", of, |d| ActivationConfig::Tanh.init(d), |m, x| m.forward(x)),
        plain("Celu", of, act::CeluConfig::new().init(), |m, x| m.forward(x)),
        plain("Elu", of, act::EluConfig::new().init(), |m, x| m.forward(x)),
        plain("GLU", of, act::GLU::new(1), |m, x| m.forward(x)),
        plain("Gelu", of, act::Gelu::new(), |m, x| m.forward(x)),
        plain("HardShrink", of, act::HardShrinkConfig::new().init(), |m, x| m.forward(x)),
        plain("HardSigmoid", of, act::HardSigmoidConfig::new().init(), |m, x| m.forward(x * 4.0)).off(1e-6),
        plain("HardSwish", of, act::HardSwish::new(), |m, x| m.forward(x * 5.0)).off(1e-6),
        plain("Hardtanh", of, act::HardtanhConfig::new().init(), |m, x| m.forward(x * 2.0)),
        plain("LeakyRelu", of, act::LeakyReluConfig::new().init(), |m, x| m.forward(x)),
        plain("LogSigmoid", of, act::LogSigmoid::new(), |m, x| m.forward(x)),
        plain("Mish", of, act::Mish::new(), |m, x| m.forward(x)),
        row("PRelu", of, |d| act::PReluConfig::new().init(d), |m, x| m.forward(x)),
        plain("Relu", of, act::Relu::new(), |m, x| m.forward(x)),
        plain("Relu6", of, act::Relu6::new(), |m, x| m.forward(x * 8.0)),
        plain("Selu", of, act::Selu::new(), |m, x| m.forward(x)),
        plain("Shrink", of, act::ShrinkConfig::new().init(), |m, x| m.forward(x)),
        plain("SiLU", of, act::SiLU::new(), |m, x| m.forward(x)),
        plain("Sigmoid", of, act::Sigmoid::new(), |m, x| m.forward(x)),
        plain("SoftShrink", of, act::SoftShrinkConfig::new().init(), |m, x| m.forward(x)),
        plain("Softplus", of, act::SoftplusConfig::new().init(), |m, x| m.forward(x)),
        plain("Softsign", of, act::Softsign::new(), |m, x| m.forward(x)),
        row("SwiGlu", of, |d| act::SwiGluConfig::new(6, 3).init(d), |m, x| m.forward(x)),
        plain("Tanh", of, act::Tanh::new(), |m, x| m.forward(x)),
        plain("Tanhshrink", of, act::Tanhshrink::new(), |m, x| m.forward(x)),
        plain("Threshold", of, act::ThresholdConfig::new(0.1, -0.3).init(), |m, x| m.forward(x)),
        plain("ThresholdedRelu", of, act::ThresholdedReluConfig::new().init(), |m, x| m.forward(x * 3.0)),
    ]
}

fn losses() -> Vec<Row> {
    vec![
        single(
            "BinaryCrossEntropyLoss",
            [3, 4],
            |_| nn::Identity::new(),
            |_, x| {
                let targets = ints(&x, [[0, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1]]);
                loss::BinaryCrossEntropyLossConfig::new().with_logits(true).init(&x.device()).forward(x, targets)
            },
        ),
        row(
            "CTCLoss",
            [3, 2, 4],
            |_| nn::Identity::new(),
            |_, x| {
                let [targets, lengths, targeted] = [[1, 2], [3, 2], [1, 1]].map(|data| ints::<1, 3>(&x, data));
                let scores = burn::tensor::activation::log_softmax(x, 2);
                loss::CTCLossConfig::new().init().forward(scores, targets.reshape([2, 1]), lengths, targeted)
            },
        ),
        single(
            "RNNTLoss",
            [2, 3, 2, 4],
            |_| nn::Identity::new(),
            |_, x| {
                let [targets, lengths, targeted] = [[1, 2], [3, 2], [1, 1]].map(|data| ints::<1, 4>(&x, data));
                loss::RNNTLossConfig::new().init().forward(x, targets.reshape([2, 1]), lengths, targeted)
            },
        ),
        function("CosineEmbeddingLoss", |x| {
            let target = ints(&x, [1, -1, 1]);
            loss::CosineEmbeddingLossConfig::new().init().forward(x.clone(), beside(&x, -1.0, 1.0), target)
        })
        .burn_off(1e-6),
        function("CosineSimilarity", |x| {
            nn::CosineSimilarityConfig::new().init().forward(x.clone(), beside(&x, -1.0, 1.0))
        }),
        function("CrossEntropyLoss", |x| {
            let targets = ints(&x, [0, 3, 1]);
            loss::CrossEntropyLossConfig::new().init(&x.device()).forward(x, targets)
        }),
        function("GaussianNLLLoss", |x| {
            let (target, variance) = (beside(&x, -1.0, 1.0), x.clone() * x.clone() + 0.2);
            loss::GaussianNLLLossConfig::new().init().forward(x, target, variance, Reduction::Mean)
        })
        .burn_off(1e-6),
        function("HingeEmbeddingLoss", |x| {
            let target = beside(&x, -1.0, 1.0).sign();
            loss::HingeEmbeddingLossConfig::new().init().forward(x, target, Reduction::Mean)
        }),
        function("HuberLoss", |x| {
            let target = beside(&x, -1.0, 1.0);
            loss::HuberLossConfig::new(0.5).init().forward(x, target, Reduction::Mean)
        }),
        function("KLDivLoss", |x| {
            let target = beside(&x, 0.1, 1.0);
            loss::KLDivLossConfig::new().init().forward(x, target, Reduction::Mean)
        }),
        function("LpLoss", |x| {
            let target = beside(&x, -1.0, 1.0);
            loss::LpLossConfig::new(3.0).init().forward(x, target, Reduction::Mean)
        }),
        function("MarginRankingLoss", |x| {
            let (second, target) = (beside(&x, -1.0, 1.0), beside(&x, -1.0, 0.7).sign());
            loss::MarginRankingLossConfig::new().init().forward(x.clone() * x, second, target, Reduction::Mean)
        }),
        function("MseLoss", |x| loss::MseLoss::new().forward(x.clone(), beside(&x, -1.0, 1.0), Reduction::Mean)),
        function("MultiMarginLoss", |x| {
            let target = ints(&x, [0, 3, 1]);
            loss::MultiMarginLossConfig::new().with_p(2).init().forward(x, target, Reduction::Mean)
        })
        .burn_off(1e-6),
        function("PairwiseDistance", |x| {
            nn::PairwiseDistanceConfig::new().init().forward(x.clone(), beside(&x, -1.0, 1.0))
        }),
        function("SmoothL1Loss", |x| {
            let target = beside(&x, -1.0, 1.0);
            loss::SmoothL1LossConfig::new().with_beta(0.5).init().forward_with_reduction(x, target, Reduction::Mean)
        })
        .burn_off(1e-6),
        function("SoftMarginLoss", |x| {
            let target = beside(&x, -1.0, 1.0).sign();
            loss::SoftMarginLoss::new().forward(x, target, Reduction::Mean)
        }),
        function("TripletMarginLoss", |x| {
            let (near, far) = (beside(&x, -1.0, 1.0), x.clone().flip([0]).exp());
            loss::TripletMarginLossConfig::new().init().forward(x, near, far, Reduction::Mean)
        }),
    ]
}

type Forward = fn(Tensor<2>) -> Tensor<1>;

/// Modules that cannot be recorded, with the reason: their forward reads values to check them. The CTC loss does in
/// debug builds.
fn refused() -> Vec<(&'static str, Forward)> {
    vec![("PoissonNllLoss", |x| {
        let target = beside(&x, 0.0, 2.0);
        loss::PoissonNllLossConfig::new().init().forward(x, target, Reduction::Mean)
    })]
}

fn rows() -> impl Iterator<Item = Row> {
    [linear(), spatial(), norms(), sequences(), activations(), losses()].into_iter().flatten()
}

#[test]
fn every_module_has_its_derivatives() {
    let device = Device::flex().autodiff();
    let (mut worst, mut failed, mut count) = (Errors::default(), Vec::new(), 0);
    for Row { name, check, bounds } in rows() {
        let checked = catch_unwind(AssertUnwindSafe(|| {
            let errors = check(&device, bounds);
            errors.assert_small(name);
            errors
        }));
        match checked {
            Ok(errors) => worst.worst(&errors),
            Err(_) => failed.push(name),
        }
        count += 1;
    }
    println!("{count} modules: {worst:?}");
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn what_cannot_be_recorded_says_why() {
    let device = Device::flex();
    for (name, forward) in refused() {
        let x = Param::from_tensor(tensor(7, [3, 4], -0.9, 0.9, &device));
        let found = Map::new(|x: &Param<Tensor<2>>, ()| forward(x.val())).linearize(&x, &());
        match found {
            Err(error @ TangentError::Forward { .. }) => {
                assert!(error.to_string().contains("may not read values"), "{name}: {error}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// What a module does in training by chance, it does not do when it is measured.
#[test]
fn training_draws_nothing() {
    let device = Device::flex().autodiff();
    let x = tensor::<2>(7, [2, 6], -0.9, 0.9, &device);
    let value = |f: &dyn Fn(Tensor<2>) -> Tensor<2>| {
        let x = Param::from_tensor(x.clone());
        let at = Map::new(|x: &Param<Tensor<2>>, ()| f(x.val())).linearize(&x, &()).expect("it has derivatives");
        numbers(at.output())
    };
    let (dropout, noise) = (nn::DropoutConfig::new(0.5).init(), nn::GaussianNoiseConfig::new(0.5).init());
    assert_eq!(value(&|x| dropout.forward(x)), numbers(x.clone()));
    assert_eq!(value(&|x| noise.forward(x)), numbers(x.clone()));
    let (random, middle) =
        (act::RReluConfig::new().init(), act::LeakyReluConfig::new().with_negative_slope(11.0 / 48.0));
    let middle = middle.init();
    assert!(difference(&value(&|x| random.forward(x)), &numbers(middle.forward(x))) < ROUNDING);
}

/// Names of the public types of burn-nn that are modules or have a forward, read in its sources.
fn names() -> BTreeSet<String> {
    let said = |program: &str, arguments: &[&str]| {
        Command::new(program).args(arguments).output().expect("tests are run by cargo").stdout
    };
    let rustc = String::from_utf8(said("rustc", &["-vV"])).expect("rustc says where it runs");
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc says where it runs");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let listed = ["metadata", "--format-version=1", "--offline", "--locked", "--filter-platform", host];
    let listed = said("cargo", &[&listed[..], &["--manifest-path", manifest]].concat());
    let listed: serde_json::Value = serde_json::from_slice(&listed).expect("cargo writes JSON");
    let packages = listed["packages"].as_array().expect("there are packages");
    let manifest =
        packages.iter().find(|package| package["name"] == "burn-nn").map(|package| &package["manifest_path"]);
    let manifest = manifest.and_then(|path| path.as_str()).expect("burn-nn is a dependency");
    let mut files = Vec::new();
    walk(&Path::new(manifest).with_file_name("src"), &mut files);
    let mut names = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(file).expect("it was listed");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let (mut derives, mut of) = (false, None);
        for line in code.lines() {
            let word = |after: &str| {
                let rest = line.strip_prefix(after)?;
                Some(rest.split(|c: char| !c.is_alphanumeric()).next()?.to_owned())
            };
            derives |= line.starts_with("#[derive(Module,");
            if let Some(name) = word("pub struct ").or_else(|| word("pub enum ")) {
                if std::mem::take(&mut derives) {
                    names.insert(name);
                }
            } else if line.starts_with("impl") {
                of = word("impl ").filter(|name| code.contains(&format!("\npub struct {name} ")));
            } else if line.starts_with("    pub fn forward(") || line.starts_with("    pub fn forward<") {
                names.extend(of.clone());
            }
        }
    }
    names
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("it is a folder") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            walk(&path, files);
        } else {
            files.push(path);
        }
    }
}

#[test]
fn every_module_has_a_row() {
    // The one is a leaky ReLU, as a test above says; the result of the other is private to burn-nn, whose decoder is
    // made of it.
    let elsewhere = ["RRelu", "TransformerDecoderLayer"].into_iter();
    let rows: BTreeSet<String> = rows()
        .map(|row| row.name)
        .chain(refused().into_iter().map(|(name, _)| name))
        .chain(elsewhere)
        .map(str::to_owned)
        .collect();
    let names = names();
    let (missing, unknown) = (names.difference(&rows), rows.difference(&names));
    let (missing, unknown): (Vec<_>, Vec<_>) = (missing.collect(), unknown.collect());
    assert!(missing.is_empty() && unknown.is_empty(), "no row for {missing:?}; no module is {unknown:?}");
    println!("{} modules", names.len());
}
