//! Whole networks on both devices: gradient, Hessian product and kernel of one engine.

use burn::module::{Module, Param};
use burn::nn::{self, BatchNorm};
use burn::optim::GradientsParams;
use burn::tensor::activation as act;
use burn::tensor::module as layer;
use burn::tensor::{DType, Device, Int, Tensor};
use losscape_tangent::parameters::ravel_gradient;
use losscape_tangent::{Inputs, Map, linearize};

use crate::common::{Bounds, ROUNDING, check, check_against, devices, difference, gram, in_f64, numbers, rows, tensor};

/// Two hidden layers of tanh.
#[derive(Module, Debug)]
struct Mlp {
    first: nn::Linear,
    second: nn::Linear,
    last: nn::Linear,
}

impl Mlp {
    fn new(device: &Device) -> Self {
        Self {
            first: nn::LinearConfig::new(4, 6).init(device),
            second: nn::LinearConfig::new(6, 5).init(device),
            last: nn::LinearConfig::new(5, 3).init(device),
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = self.first.forward(x).tanh();
        self.last.forward(self.second.forward(x).tanh())
    }
}

/// Convolution, pooling, layer norm, GELU, a residual sum, batch norm in inference, a transposed convolution.
#[derive(Module, Debug)]
struct ConvNet {
    stem: nn::conv::Conv2d,
    pool: nn::pool::MaxPool2d,
    norm: nn::LayerNorm,
    residual: nn::conv::Conv2d,
    batch: BatchNorm,
    group: nn::GroupNorm,
    up: nn::conv::ConvTranspose2d,
    average: nn::pool::AdaptiveAvgPool2d,
    line: nn::conv::Conv1d,
    head: nn::Linear,
}

impl ConvNet {
    fn new(device: &Device) -> Self {
        let same = nn::PaddingConfig2d::Same;
        Self {
            stem: nn::conv::Conv2dConfig::new([1, 4], [3, 3]).with_padding(same.clone()).init(device),
            pool: nn::pool::MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            norm: nn::LayerNormConfig::new(3).init(device),
            residual: nn::conv::Conv2dConfig::new([4, 4], [3, 3]).with_padding(same).with_groups(2).init(device),
            batch: nn::BatchNormConfig::new(4).init(device),
            group: nn::GroupNormConfig::new(2, 4).init(device),
            up: nn::conv::ConvTranspose2dConfig::new([4, 2], [2, 2]).with_stride([2, 2]).init(device),
            average: nn::pool::AdaptiveAvgPool2dConfig::new([2, 3]).init(),
            line: nn::conv::Conv1dConfig::new(2, 3, 2).init(device),
            head: nn::LinearConfig::new(15, 2).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.pool.forward(self.stem.forward(x));
        let x = self.norm.forward(x);
        let inner = self.residual.forward(gelu(x.clone()));
        // Batch norm in inference, also where Burn would be training it.
        let BatchNorm { gamma, beta, running_mean, running_var, epsilon, .. } = &self.batch;
        let inner =
            layer::batch_norm(inner, gamma.val(), beta.val(), running_mean.value(), running_var.value(), *epsilon);
        let x = self.group.forward(x + inner);
        let x: Tensor<3> = self.average.forward(self.up.forward(x)).flatten(2, 3);
        self.head.forward(self.line.forward(x).flatten(1, 2))
    }
}

/// GELU, written out where Burn's own autodiff is used for comparison: it differentiates an approximation on ndarray.
fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let distribution = x.clone().mul_scalar(std::f64::consts::FRAC_1_SQRT_2).erf().add_scalar(1.0);
    x * distribution * 0.5
}

/// Token and position embeddings, one encoder block (attention, layer norms, feed-forward), a mean over positions,
/// log-softmax.
#[derive(Module, Debug)]
struct Transformer {
    tokens: nn::Embedding,
    positions: nn::Embedding,
    block: nn::transformer::TransformerEncoder,
    head: nn::Linear,
}

impl Transformer {
    fn new(device: &Device) -> Self {
        Self {
            tokens: nn::EmbeddingConfig::new(7, 4).init(device),
            positions: nn::EmbeddingConfig::new(3, 4).init(device),
            block: nn::transformer::TransformerEncoderConfig::new(4, 6, 2, 1).with_dropout(0.0).init(device),
            head: nn::LinearConfig::new(4, 3).init(device),
        }
    }

    fn forward(&self, tokens: Tensor<2, Int>) -> Tensor<2> {
        let [samples, length] = tokens.dims();
        let device = tokens.device();
        let positions =
            Tensor::<1, Int>::arange(0..length as i64, &device).reshape([1, length]).expand([samples, length]);
        let x = self.tokens.forward(tokens) + self.positions.forward(positions);
        let mask = nn::attention::generate_autoregressive_mask(samples, length, &device);
        let x = self.block.forward(nn::transformer::TransformerEncoderInput::new(x).mask_attn(mask));
        act::log_softmax(self.head.forward(x.mean_dim(1).flatten(1, 2)), 1)
    }
}

/// An autoencoder whose decoder is the encoder's weight transposed, with a frozen layer and a parameter that is never
/// used.
#[derive(Module, Debug)]
struct Tied {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
    frozen: nn::Linear,
    unused: Param<Tensor<1>>,
    /// A clone of `bias`: one parameter in two places.
    again: Param<Tensor<1>>,
}

impl Tied {
    fn new(device: &Device) -> Self {
        let bias = Param::from_tensor(tensor(6, [4], -0.5, 0.5, device));
        Self {
            weight: Param::from_tensor(tensor(5, [4, 3], -1.0, 1.0, device)),
            bias: bias.clone(),
            frozen: nn::LinearConfig::new(3, 3).init(device).no_grad(),
            unused: Param::from_tensor(tensor(7, [2], -1.0, 1.0, device)),
            again: bias,
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let hidden = self.frozen.forward((x + self.bias.val().unsqueeze()).matmul(self.weight.val()).tanh()).sin();
        hidden.matmul(self.weight.val().transpose()) * self.again.val().unsqueeze()
    }
}

/// All derivatives, and the kernels within and between two sets of inputs against dense ones.
fn check_network<M: Module, I: Inputs>(
    name: &str,
    model: &M,
    inputs: &I,
    others: &I,
    forward: impl Fn(&M, I) -> Tensor<2> + Copy,
    burn: f64,
) {
    let errors = check_against(model, inputs, forward, 17, Bounds { value: ROUNDING, burn });
    errors.assert_small(name);
    let map = Map::new(forward);
    let dense = |inputs: &I| rows(map.linearize(model, inputs).expect("it was linearized before").jacobian());
    let (own, other) = (dense(inputs), dense(others));
    let kernel = numbers(map.kernel(model, inputs).expect("it was linearized before"));
    let off = difference(&kernel, &gram(&own, &own));
    assert!(off < ROUNDING, "{name}: the kernel is off by {off:e}");
    let between = numbers(map.kernel_between(model, inputs, others).expect("it was linearized before"));
    let off = difference(&between, &gram(&own, &other));
    assert!(off < ROUNDING, "{name}: the kernel between two sets is off by {off:e}");
    println!("{name}: {errors:?}");
}

#[test]
fn mlp() {
    for (name, device) in devices() {
        let model = in_f64(Mlp::new(&device), 1);
        let (x, y) = (tensor(1, [5, 4], -1.0, 1.0, &device), tensor(2, [3, 4], -1.0, 1.0, &device));
        check_network(&format!("mlp on {name}"), &model, &x, &y, |model: &Mlp, x| model.forward(x), ROUNDING);
    }
}

#[test]
fn convolutional_network() {
    for (name, device) in devices() {
        let model = in_f64(ConvNet::new(&device), 2);
        let (x, y) = (tensor(1, [3, 1, 6, 6], -1.0, 1.0, &device), tensor(2, [2, 1, 6, 6], -1.0, 1.0, &device));
        check_network(&format!("conv net on {name}"), &model, &x, &y, |model: &ConvNet, x| model.forward(x), ROUNDING);
    }
}

#[test]
fn transformer_encoder() {
    for (name, device) in devices() {
        let model = in_f64(Transformer::new(&device), 3);
        let tokens = |data: [[i32; 3]; 2]| Tensor::<2, Int>::from_data(data, &device);
        let (x, y) = (tokens([[0, 6, 2], [3, 3, 1]]), tokens([[5, 4, 0], [1, 2, 6]]));
        // Attention divides by √d, whose reciprocal Burn rounds to f32 in the backward pass; GELU's slope is
        // approximate on ndarray.
        let bound = if name == "flex" { 1e-7 } else { 1e-3 };
        check_network(
            &format!("transformer on {name}"),
            &model,
            &x,
            &y,
            |model: &Transformer, x| model.forward(x),
            bound,
        );
    }
}

#[test]
fn tied_frozen_and_unused_parameters() {
    for (name, device) in devices() {
        let model = in_f64(Tied::new(&device), 4);
        let model = Tied { again: model.bias.clone(), ..model };
        let (x, y) = (tensor(1, [3, 4], -1.0, 1.0, &device), tensor(2, [2, 4], -1.0, 1.0, &device));
        check_network(&format!("tied on {name}"), &model, &x, &y, |model: &Tied, x| model.forward(x), ROUNDING);
        let map = Map::new(|model: &Tied, x: Tensor<2>| model.forward(x));
        let at = map.linearize(&model, &x).expect("it was linearized before");
        assert_eq!(
            at.variables(),
            12 + 4 + 2,
            "weight, bias (once) and the unused one; the frozen layer is not counted"
        );
        let gradient = numbers(at.pull(Tensor::<1>::ones([12], (&device.clone().inner(), DType::F64))));
        assert_eq!(gradient[16..], [0.0, 0.0], "the output does not depend on the unused parameter");
    }
}

/// Batch norm of images and of numbers between layers, one of them frozen: Burn trains on with its running statistics.
#[derive(Module, Debug)]
struct Normed {
    first: nn::conv::Conv2d,
    norm: BatchNorm,
    frozen: BatchNorm,
    last: nn::Linear,
    flat: BatchNorm,
}

impl Normed {
    fn new(device: &Device) -> Self {
        Self {
            first: nn::conv::Conv2dConfig::new([1, 3], [3, 3]).init(device),
            norm: nn::BatchNormConfig::new(3).init(device),
            frozen: nn::BatchNormConfig::new(3).init(device).freeze(),
            last: nn::LinearConfig::new(12, 2).init(device),
            flat: nn::BatchNormConfig::new(2).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.norm.forward(self.first.forward(x)).tanh();
        self.flat.forward(self.last.forward(self.frozen.forward(x).flatten(1, 3)))
    }
}

/// In training Burn normalizes by the batch; its gradient is the reference, differences of ours for the Hessian.
#[test]
fn batch_norm_by_the_statistics_of_the_batch() {
    for (name, device) in devices() {
        let model = in_f64(Normed::new(&device), 6);
        let running = |model: &Normed| numbers(model.norm.running_mean.value_sync());
        let before = running(&model);
        let (x, y) = (tensor(1, [4, 1, 4, 4], -1.0, 1.0, &device), tensor(2, [3, 1, 4, 4], -1.0, 1.0, &device));
        let forward = |model: &Normed, x: Tensor<4>| model.forward(x);
        let map = Map::new(forward).batch_statistics(true);
        let at = map.linearize(&model, &x).expect("all layers have entries");
        assert_eq!(running(&model), before, "{name}: measuring moves nothing");
        let cotangent = tensor(3, [8], -1.0, 1.0, &device.clone().inner());
        let copy = model.valid().train();
        let output = copy.forward(x.clone());
        assert!(difference(&numbers(at.output()), &numbers(output.clone())) < ROUNDING, "{name}: another function");
        let weighted = (output * Tensor::from_inner(cotangent.clone().reshape([4, 2]))).sum();
        let gradients = GradientsParams::from_grads(weighted.backward(), &copy);
        let burn = numbers(ravel_gradient(&copy, &gradients).expect("there are parameters"));
        let off = difference(&numbers(at.pull(cotangent.clone())), &burn);
        assert!(off < ROUNDING, "{name}: the gradient is off by {off:e}");
        // One row without the statistics' slopes would be off by much more.
        let w = losscape_tangent::parameters::ravel(&model).expect("there are parameters");
        let v: Tensor<1> = tensor(4, [at.variables()], -1.0, 1.0, &device.clone().inner());
        let pulled = |sign: f64| {
            let w = w.clone() + v.clone() * (sign * 1e-5);
            map.linearize_at(&model, &w, &x).expect("it was linearized before").pull(cotangent.clone())
        };
        let differences = numbers((pulled(1.0) - pulled(-1.0)) / 2e-5);
        let off = difference(&numbers(at.bend(cotangent.clone(), v.clone())), &differences);
        assert!(off < 1e-6, "{name}: the Hessian product is off by {off:e}");
        let dense = |inputs: &Tensor<4>| rows(map.linearize(&model, inputs).expect("as before").jacobian());
        let kernel = numbers(map.kernel(&model, &x).expect("it was linearized before"));
        assert!(difference(&kernel, &gram(&dense(&x), &dense(&x))) < ROUNDING, "{name}: the kernel");
        let between = numbers(map.kernel_between(&model, &x, &y).expect("it was linearized before"));
        assert!(difference(&between, &gram(&dense(&x), &dense(&y))) < ROUNDING, "{name}: the kernel between two");
        let evaluation = Map::new(forward).linearize(&model, &x).expect("it was linearized before");
        assert!(difference(&numbers(evaluation.output()), &numbers(at.output())) > 1e-2, "the modes differ");
        // One map, asked for both.
        let map = map.batch_statistics(false);
        let back = map.linearize(&model, &x).expect("it was linearized before");
        assert!(difference(&numbers(back.output()), &numbers(evaluation.output())) < ROUNDING, "a stale recording");
        // All samples at once or not at all.
        let small = Map::new(forward).batch_statistics(true).within(1000).linearize(&model, &x);
        assert!(matches!(small, Err(losscape_tangent::TangentError::Memory { .. })), "{small:?}");
    }
}

/// The Hessian product of a loss of the outputs, by the loss's own derivatives or by the forward of the whole loss.
#[test]
fn a_loss_of_the_outputs_or_in_the_forward() {
    let device = Device::flex().autodiff();
    let model = in_f64(Mlp::new(&device), 1);
    let x: Tensor<2> = tensor(1, [5, 4], -1.0, 1.0, &device);
    let y: Tensor<2> = tensor(3, [5, 3], -1.0, 1.0, &device);
    // ½ ‖F − y‖²: ∇ℓ = F − y, ∇²ℓ = 1.
    let loss = |model: &Mlp, (x, y): (Tensor<2>, Tensor<2>)| (model.forward(x) - y).powi_scalar(2).sum() * 0.5;
    check(&model, &(x.clone(), y.clone()), loss, 5).assert_small("loss");
    let whole = Map::new(loss).linearize(&model, &(x.clone(), y.clone())).expect("it was linearized before");
    let one = Tensor::<1>::ones([1], (&device.clone().inner(), DType::F64));
    let v: Tensor<2> = tensor(9, [3, whole.variables()], -1.0, 1.0, &device.clone().inner());
    let expected = numbers(whole.bend(one.clone(), v.clone()));
    for samples in [1, 2, 5] {
        let map = Map::new(|model: &Mlp, x: Tensor<2>| model.forward(x)).in_chunks(samples);
        let at = map.linearize(&model, &x).expect("every sample is on its own");
        let curve = at.curve(at.output() - y.clone().inner().reshape([15]));
        assert!(difference(&numbers(curve.product(v.clone(), |_, t| t)), &expected) < 1e-14);
        assert!(difference(&numbers(curve.gradient()), &numbers(whole.pull(one.clone()))) < 1e-14);
    }
}

/// f32, where training is done: the gradient is Burn's own to rounding.
#[test]
fn single_precision_agrees_with_burn() {
    let device = Device::flex().autodiff();
    let model = ConvNet::new(&device);
    let x: Tensor<4> = tensor::<4>(1, [3, 1, 6, 6], -1.0, 1.0, &device).cast(DType::F32);
    let at = linearize(&model, &x, |model: &ConvNet, x| model.forward(x)).expect("all layers have entries");
    let gradients = GradientsParams::from_grads(model.forward(x).sum().backward(), &model);
    let burn = numbers(ravel_gradient(&model, &gradients).expect("there are parameters"));
    let off = difference(&numbers(at.pull(Tensor::<1>::ones([6], &Device::flex()))), &burn);
    assert!(off < 1e-5, "{off:e}");
}
