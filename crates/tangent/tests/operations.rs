//! Every operation of the registry, on both devices: derivatives against central differences and Burn's autodiff.

mod common;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::module::{Module, Param};
use burn::nn;
use burn::tensor::activation as act;
use burn::tensor::module as layer;
use burn::tensor::ops::{
    AttentionModuleOptions, AvgPoolOptions, ConvOptions, ConvTransposeOptions, MaxPoolOptions, PadMode,
};
use burn::tensor::{Bool, DType, Device, IndexingUpdateOp, Int, Tensor, TensorData};
use losscape_tangent::{Map, operations};

use common::{Bounds, Errors, ROUNDING, check_against, devices, difference, numbers, tensor};

/// One parameter, `[2, 3, 4]`.
#[derive(Module, Debug)]
struct Cell {
    w: Param<Tensor<3>>,
}

fn cell(device: &Device, seed: u64) -> Cell {
    Cell { w: Param::from_tensor(tensor(seed, [2, 3, 4], 0.15, 0.95, device)) }
}

/// A case: a name and a forward of `w` `[2, 3, 4]`, whose entries are between 0.15 and 0.95.
struct Case {
    name: &'static str,
    forward: fn(Tensor<3>) -> Tensor<1>,
    value: Option<(f64, &'static str)>,
    backward: Option<(f64, &'static str)>,
}

fn flat<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let count = x.shape().num_elements();
    x.reshape([count])
}

fn constant<const D: usize>(x: &Tensor<3>, seed: u64, shape: [usize; D]) -> Tensor<D> {
    tensor(seed, shape, 0.2, 1.3, &x.device())
}

fn ints<const D: usize>(x: &Tensor<3>, data: impl Into<TensorData>) -> Tensor<D, Int> {
    Tensor::from_data(data, &x.device())
}

/// `[n, channels, height, width]` from the parameter, with something nonlinear before.
fn image(w: Tensor<3>) -> Tensor<4> {
    (w.clone() * w * 2.0).reshape([1, 2, 3, 4])
}

impl Case {
    /// Burn's own value and derivative are off by up to `bound` on devices whose name contains `device`. It calculates
    /// some in f32 whatever the element type is: the logistic function on ndarray, the hard logistic function under
    /// autodiff.
    fn off(self, bound: f64, device: &'static str) -> Self {
        Self { value: Some((bound, device)), ..self.backward_off(bound, device) }
    }

    /// Burn's own derivative is: of a division by a number 1/c is rounded to f32 in the backward pass, and on ndarray
    /// the slope of GELU is that of the tanh approximation.
    fn backward_off(self, bound: f64, device: &'static str) -> Self {
        Self { backward: Some((bound, device)), ..self }
    }

    fn bounds(&self, device: &str) -> Bounds {
        let here = |known: Option<(f64, &str)>| {
            known.filter(|(_, here)| device.contains(here)).map_or(ROUNDING, |(bound, _)| bound)
        };
        Bounds { value: here(self.value), burn: here(self.backward) }
    }
}

fn case(name: &'static str, forward: fn(Tensor<3>) -> Tensor<1>) -> Case {
    Case { name, forward, value: None, backward: None }
}

/// Some entries of the parameter, as a vector.
fn part(w: &Tensor<3>, start: usize, end: usize) -> Tensor<1> {
    flat(w.clone()).narrow(0, start, end - start)
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<Case> {
    vec![
        case("arithmetic", |w| {
            flat(w.clone() * w.clone() + w.clone() / (w.clone() + 0.5) - w.clone() * 3.0 - w.clone().neg() / 2.0 - 1.0)
        }),
        case("two_operands", |w| {
            let (a, b) = halves(w);
            flat(a.clone() * b.clone() - a.clone() / b.clone() + b)
        }),
        case("broadcast", |w| {
            let (a, b) = halves(w);
            flat(a.clone() * b.clone().slice([0..1, 0..1]) + b.slice([0..3, 0..1]) - a.slice([0..1, 0..4]))
        }),
        case("abs_sign", |w| flat((w.clone() - 0.5).abs() * (w.clone() - 0.5).sign() * w)),
        case("powers", |w| {
            flat(
                w.clone().powi_scalar(3)
                    + w.clone().powi_scalar(2)
                    + w.clone().powf_scalar(1.7)
                    + w.clone().powf_scalar(-2.0)
                    + w.powi_scalar(-1),
            )
        }),
        case("power_of_negative", |w| flat((w.clone() - 0.5).powi_scalar(3) + (w - 0.5).powf_scalar(2.0))),
        case("power_of_two_tensors", |w| {
            let (a, b) = halves(w);
            flat(a.powf(b))
        }),
        case("clamps", |w| {
            flat(
                (w.clone() * w.clone()).clamp(0.2, 0.6)
                    + w.clone().clamp_min(0.4) * w.clone()
                    + w.clone().clamp_max(0.5) * w,
            )
        }),
        case("exp_log", |w| flat(w.clone().exp() + w.clone().log() + w.clone().log1p() * w.clone().exp())),
        case("sqrt_recip", |w| flat(w.clone().sqrt() + w.clone().recip())),
        case("erf", |w| flat((w.clone() - 0.4).erf())),
        case("circular", |w| flat(w.clone().sin() + w.clone().cos() * w.clone() + w.clone().tan())),
        case("hyperbolic", |w| flat(w.clone().sinh() + w.clone().cosh() * w.clone() + w.clone().tanh())),
        case("inverse_circular", |w| {
            flat((w.clone() - 0.4).asin() + (w.clone() - 0.5).acos() * w.clone() + w.clone().atan())
        }),
        case("inverse_hyperbolic", |w| {
            flat((w.clone() - 0.4).asinh() + (w.clone() + 1.2).acosh() * w.clone() + (w.clone() - 0.5).atanh())
        }),
        case("steps", |w| {
            flat(
                (w.clone() * 4.0).round() * w.clone()
                    + (w.clone() * 4.0).floor() * w.clone()
                    + (w.clone() * 4.0).ceil()
                    + (w.clone() * 5.0).trunc() * w,
            )
        }),
        case("hypot", |w| {
            let (a, b) = halves(w);
            flat(a.hypot(b))
        }),
        case("sums", |w| {
            flat(
                w.clone().sum_dim(1)
                    * w.clone().sum_dims(&[0, 2])
                    * w.clone().sum().reshape([1, 1, 1])
                    * w.clone().mean_dim(2)
                    + w.mean().reshape([1, 1, 1]),
            )
        }),
        case("products", |w| flat(w.clone().prod_dim(1) * w.clone().prod().reshape([1, 1, 1]))),
        case("running_sum", |w| flat((w.clone() * w).cumsum(1))),
        case("extrema", |w| {
            flat(
                w.clone().max_dim(1) * w.clone().min_dim(1)
                    + w.clone().max().reshape([1, 1, 1]) * w.min().reshape([1, 1, 1]),
            )
        }),
        case("extrema_of_absolutes", |w| {
            flat((w.clone() - 0.5).max_abs_dim(2) * w.clone() + (w - 0.4).max_abs().reshape([1, 1, 1]))
        }),
        case("extrema_with_positions", |w| {
            let (a, i) = w.clone().max_dim_with_indices(2);
            let (b, j) = w.clone().min_dim_with_indices(2);
            flat(a * b.clone() + w.clone().gather(2, i) * b + w.gather(2, j))
        }),
        case("positions", |w| {
            let i = w.clone().argmax(1);
            let j = w.clone().argmin(1);
            flat(w.clone().gather(1, i) * w.gather(1, j))
        }),
        case("largest", |w| flat(w.clone().topk(2, 2) * 2.0)),
        case("largest_with_positions", |w| {
            let (a, i) = w.clone().topk_with_indices(2, 2);
            let j = w.clone().argtopk(2, 2);
            flat(a * w.clone().gather(2, i) + w.gather(2, j))
        }),
        case("sorted", |w| {
            let (a, i) = w.clone().sort_with_indices(1);
            flat(a * w.clone().gather(1, i) + w.clone().sort(1) * w.clone().gather(1, w.argsort_descending(1)))
        }),
        case("shapes", |w| {
            flat((w.clone() * w).swap_dims(0, 2).permute([1, 0, 2]).flip([0, 2]).reshape([4, 6]).transpose())
        }),
        case("expand_repeat", |w| {
            let a: Tensor<4> = w.clone().reshape([2, 3, 4, 1]).expand([2, 3, 4, 2]);
            flat(a.clone() * a) * flat(w.repeat_dim(1, 2))
        }),
        case("windows", |w| {
            let a: Tensor<4> = (w.clone() * w).unfold(2, 2, 1);
            flat(a)
        }),
        case("slices", |w| flat(w.clone().slice([0..2, 1..3, 0..4]) * w.clone().slice([0..2, 0..2, 0..4]))),
        case("slice_with_step", |w| flat((w.clone() * w).slice(burn::tensor::s![.., .., 0..4;2]))),
        case("slice_assign", |w| {
            let part = w.clone().slice([0..1, 0..3, 0..2]).exp();
            flat((w.clone() * w).slice_assign([1..2, 0..3, 2..4], part))
        }),
        case("select", |w| {
            let i = ints::<1>(&w, [2, 0, 2, 1]);
            flat((w.clone() * w).select(1, i))
        }),
        case("select_assign", |w| {
            let i = ints::<1>(&w, [2, 2]);
            let v = w.clone().exp().slice([0..2, 0..2, 0..4]);
            flat((w.clone() * w).select_assign(1, i, v, IndexingUpdateOp::Add))
        }),
        case("gather", |w| {
            let i = ints::<3>(&w, [[[0, 1, 1], [3, 3, 2], [0, 0, 0]], [[0, 0, 0], [1, 2, 3], [3, 0, 1]]]);
            flat((w.clone() * w).gather(2, i))
        }),
        case("scatter", |w| {
            let i = ints::<3>(&w, [[[0, 1, 1], [3, 3, 2], [0, 0, 0]], [[0, 0, 0], [1, 2, 3], [3, 0, 1]]]);
            let v = w.clone().exp().slice([0..2, 0..3, 0..3]);
            flat((w.clone() * w).scatter(2, i, v, IndexingUpdateOp::Add))
        }),
        case("masks", |w| {
            let m = w.clone().greater_elem(0.5);
            let n = w.clone().lower_equal(w.clone().flip([2]));
            flat((w.clone() * w.clone()).mask_where(m, w.clone().exp()) + (w.clone() * w).mask_fill(n, 0.3))
        }),
        case("comparisons", |w| {
            let v = w.clone().flip([1]);
            let m = w
                .clone()
                .greater(v.clone())
                .bool_or(w.clone().lower(v.clone()))
                .bool_and(w.clone().greater_equal(v.clone()).bool_not());
            let n = w
                .clone()
                .greater_equal_elem(0.3)
                .bool_xor(w.clone().lower_elem(0.4))
                .bool_or(w.clone().lower_equal_elem(0.2));
            let e = w
                .clone()
                .equal(v.clone())
                .bool_or(w.clone().not_equal(v))
                .bool_and(w.clone().not_equal_elem(0.5))
                .bool_or(w.clone().equal_elem(0.1));
            let e = e.clone().equal(n.clone()).bool_or(e.not_equal(m.clone()));
            flat((w.clone() * w.clone()).mask_fill(m, 0.1) * w.clone().exp().mask_fill(n, 2.0) + w.mask_fill(e, 0.0))
        }),
        case("join", |w| flat(Tensor::cat(vec![w.clone() * w.clone(), w.clone().slice([0..2, 0..3, 0..2]).exp()], 2))),
        case("casts", |w| flat((w.clone() * w.clone()).cast(DType::F32).cast(DType::F64) * 0.0 + w)),
        case("created", |w| {
            let o = Tensor::<3>::ones([2, 3, 4], (&w.device(), DType::F64));
            let f = Tensor::<3>::full([2, 3, 4], 0.5, (&w.device(), DType::F64));
            let z = Tensor::<3>::zeros([2, 3, 4], (&w.device(), DType::F64));
            flat(w.clone() * w * (o + f) + z)
        }),
        case("integers", |w| {
            let i = ints::<1>(&w, [0, 1, 2, 3]);
            let five = Tensor::<1, Int>::full([4], 5, &w.device());
            let j = (i.clone() * 3 + 1 - i.clone() + i.clone() * i.clone() + five.clone() / 2) % 4;
            let k = (j.clone() / (i.clone() + 1) - 0) % (five.clone() - 1);
            let m = i
                .clone()
                .greater(j.clone())
                .bool_or(i.clone().lower(j.clone()))
                .bool_and(i.clone().greater_equal(k.clone()))
                .bool_or(i.clone().lower_equal(k.clone()));
            let n = i
                .clone()
                .greater_elem(2)
                .bool_or(i.clone().lower_elem(1))
                .bool_and(i.clone().greater_equal_elem(0))
                .bool_or(i.clone().lower_equal_elem(0));
            let factor = (m.int() + n.clone().int()).float().cast(DType::F64)
                + n.float().cast(DType::F64)
                + (i.equal(j.clone())).float().cast(DType::F64);
            let by = w.clone().exp().int().float().cast(DType::F64);
            flat((w.clone() * w.clone()).select(2, j).select(2, k) * factor.reshape([1, 1, 4]) * by)
        }),
        case("pad", |w| flat((w.clone() * w).pad((1, 2, 0, 1), 0.7))),
        case("pad_reflect", |w| flat((w.clone() * w).pad((1, 2, 1, 1), PadMode::Reflect))),
        case("pad_edge", |w| flat((w.clone() * w).pad((1, 2, 2, 1), PadMode::Edge))),
        case("matmul", |w| {
            let (a, b) = halves(w);
            flat(a.clone().matmul(b.clone().transpose()).matmul(a * b))
        }),
        case("matmul_stacked", |w| flat(w.clone().matmul(w.clone().transpose()).matmul(w))),
        case("matmul_one_for_all", |w| {
            let b = w.clone().slice([0..1, 0..3, 0..4]).transpose();
            flat(w.matmul(b))
        }),
        case("matmul_all_for_one", |w| {
            let a = w.clone().slice([0..1, 0..2, 0..3]);
            flat(a.matmul(w))
        }),
        case("relu", |w| flat(act::relu(w.clone() - 0.5) * w)),
        case("leaky_relu", |w| flat(act::leaky_relu(w.clone() - 0.5, 0.1) * w)),
        case("prelu", |w| {
            let alpha = part(&w, 0, 1);
            flat(act::prelu(w - 0.5, alpha))
        }),
        case("gelu", |w| flat(act::gelu(w.clone() - 0.5))).backward_off(1e-3, "ndarray"),
        case("gelu_approximate", |w| flat(act::gelu_approximate(w - 0.5))),
        case("sigmoid", |w| flat(act::sigmoid(w - 0.5))).off(1e-6, "ndarray"),
        case("log_sigmoid", |w| flat(act::log_sigmoid((w - 0.5) * 3.0))),
        case("hard_sigmoid", |w| flat(act::hard_sigmoid(w.clone() - 0.5, 1.6, 0.5) * w)).off(1e-6, ""),
        case("hard_swish", |w| flat(act::hard_swish(w * 8.0 - 4.0))).off(1e-6, ""),
        case("silu", |w| flat(act::silu(w - 0.5))).off(1e-6, "ndarray"),
        case("mish", |w| flat(act::mish(w - 0.5))),
        case("softplus", |w| flat(act::softplus(w - 0.5, 1.5))).backward_off(1e-6, ""),
        case("softsign", |w| flat(act::softsign(w - 0.5))),
        case("elu", |w| flat(act::elu(w - 0.5, 1.3))),
        case("celu", |w| flat(act::celu(w - 0.5, 1.3))).backward_off(1e-6, ""),
        case("selu", |w| flat(act::selu(w - 0.5))),
        case("shrinks", |w| {
            flat(
                act::hard_shrink(w.clone() - 0.5, 0.1) * w.clone()
                    + act::soft_shrink(w.clone() - 0.5, 0.1) * w.clone()
                    + act::shrink(w.clone() - 0.5, 0.1, 0.2) * w,
            )
        }),
        case("thresholds", |w| {
            flat(
                act::thresholded_relu(w.clone() - 0.5, 0.1) * w.clone()
                    + act::hardtanh(w.clone() * 4.0 - 2.0, -1.0, 1.0) * w.clone()
                    + act::tanhshrink(w.clone())
                    + act::relu6(w.clone() * 9.0) * w,
            )
        }),
        case("glu", |w| flat(act::glu(w, 2))).off(1e-6, "ndarray"),
        case("softmax", |w| flat(act::softmax(w.clone() * 3.0, 1) * w)),
        case("log_softmax", |w| flat(act::log_softmax(w * 3.0, 2))),
        case("softmin", |w| flat(act::softmin(w * 3.0, 0))),
        case("quiet_softmax", |w| flat(act::quiet_softmax(w * 3.0, 2))),
        case("variance", |w| {
            flat(w.clone().var(2) + w.clone().var_bias(1).mean_dim(2).expand([2, 1, 1]).slice([0..2, 0..1, 0..1]))
        })
        .backward_off(1e-6, ""),
        case("embedding", |w| {
            let i = ints::<2>(&w, [[0, 3, 2], [5, 5, 1]]);
            flat(layer::embedding((w.clone() * w).reshape([6, 4]), i))
        }),
        case("conv1d", |w| {
            let k = constant(&w, 3, [4, 3, 2]);
            let b = part(&w, 0, 4);
            flat(layer::conv1d(
                w.clone() * w.clone(),
                k * w.mean().reshape([1, 1, 1]),
                Some(b),
                ConvOptions::new([1], [1], [1], 1),
            ))
        }),
        case("conv1d_by_weight", |w| {
            let x = constant(&w, 3, [2, 3, 7]);
            flat(layer::conv1d(x, w, None, ConvOptions::new([2], [1], [1], 1)))
        }),
        case("conv2d", |w| {
            let k = constant(&w, 4, [3, 2, 2, 2]);
            let b = part(&w, 0, 3);
            let k = k * w.clone().mean().reshape([1, 1, 1, 1]);
            flat(layer::conv2d(image(w), k, Some(b), ConvOptions::new([1, 2], [1, 0], [1, 1], 1)))
        }),
        case("conv2d_by_weight", |w| {
            let x = constant(&w, 4, [2, 2, 5, 6]);
            flat(layer::conv2d(x, image(w), None, ConvOptions::new([1, 1], [0, 1], [2, 1], 1)))
        }),
        case("conv2d_groups", |w| {
            let k = (w.clone() * w.clone()).reshape([4, 1, 3, 2]);
            flat(layer::conv2d(image(w), k, None, ConvOptions::new([1, 1], [1, 1], [1, 1], 2)))
        }),
        case("conv_transpose1d", |w| {
            let k = (w.clone() * w.clone()).reshape([3, 2, 4]);
            flat(layer::conv_transpose1d(w, k, None, ConvTransposeOptions::new([2], [1], [1], [1], 1)))
        }),
        case("conv_transpose2d", |w| {
            let k = (w.clone() * w.clone()).reshape([2, 3, 2, 2]);
            let b = part(&w, 0, 3);
            flat(layer::conv_transpose2d(
                image(w),
                k,
                Some(b),
                ConvTransposeOptions::new([2, 1], [0, 1], [1, 0], [1, 1], 1),
            ))
        }),
        case("conv_transpose2d_groups", |w| {
            let k = (w.clone() * w.clone()).reshape([2, 3, 2, 2]);
            flat(layer::conv_transpose2d(
                image(w),
                k,
                None,
                ConvTransposeOptions::new([1, 1], [0, 0], [0, 0], [1, 1], 2),
            ))
        }),
        case("avg_pool1d", |w| flat(layer::avg_pool1d(w.clone() * w, average([2], [1], [1], true)))),
        case("avg_pool2d", |w| flat(layer::avg_pool2d(image(w), average([2, 2], [1, 2], [0, 1], false)))),
        case("adaptive_avg_pool1d", |w| flat(layer::adaptive_avg_pool1d(w.clone() * w, 3))),
        case("adaptive_avg_pool2d", |w| flat(layer::adaptive_avg_pool2d(image(w), [2, 3]))),
        case("max_pool1d", |w| flat(layer::max_pool1d(w.clone() * w, largest([2], [1], [0])))),
        case("max_pool1d_with_positions", |w| {
            let (y, i) = layer::max_pool1d_with_indices(w.clone() * w.clone(), largest([2], [1], [0]));
            flat(y * w.gather(2, i))
        }),
        case("max_pool2d", |w| flat(layer::max_pool2d(image(w), largest([2, 2], [1, 1], [1, 1])))),
        case("max_pool2d_with_positions", |w| {
            let (y, i) = layer::max_pool2d_with_indices(image(w.clone()), largest([2, 2], [1, 2], [0, 0]));
            flat(y) * flat(image(w).reshape([1, 2, 12]).gather(2, i.reshape([1, 2, 4])))
        }),
        case("pools_with_ceiling_and_dilation", |w| {
            let dilated = MaxPoolOptions { dilation: [2, 1], ..largest([2, 2], [1, 1], [0, 0]) };
            let rounded_up = MaxPoolOptions { ceil_mode: true, ..largest([2, 3], [2, 2], [1, 0]) };
            let average = AvgPoolOptions { ceil_mode: true, ..average([2, 3], [2, 2], [0, 0], false) };
            let x = image(w);
            let parts = [
                flat(layer::max_pool2d(x.clone(), dilated)),
                flat(layer::max_pool2d(x.clone(), rounded_up)),
                flat(layer::avg_pool2d(x, average)),
            ];
            Tensor::cat(parts.to_vec(), 0)
        }),
        case("conv2d_padded_on_one_side", |w| {
            let k = (w.clone() * w.clone()).reshape([2, 2, 2, 3]);
            let options = ConvOptions { stride: [1, 2], padding: [(0, 2), (1, 0)], dilation: [1, 1], groups: 1 };
            flat(layer::conv2d(image(w), k, None, options))
        }),
        case("slices_backward", |w| flat((w.clone() * w).slice(burn::tensor::s![.., 0..3;-2, ..;-1]))),
        case("integers_from_values", |w| {
            // Nothing is known when this is recorded: positions depend on the parameter.
            let at: Tensor<1, Int> = w.clone().argmax(2).reshape([6]);
            let other: Tensor<1, Int> = w.clone().argmin(2).reshape([6]);
            let mixed = ((at.clone() + other.clone() * 2 - 1 + at.clone() * other.clone()) / 2
                + (other.clone() - at.clone()) % 3
                + (at.clone() + 3) / (other.clone() + 1)
                + at.clone() % (other.clone() + 1)
                + 7)
                % 4;
            let same = at
                .clone()
                .equal(other.clone())
                .bool_or(mixed.clone().greater(at.clone()))
                .bool_xor(mixed.clone().equal_elem(2));
            let counts = Tensor::<1, Int>::zeros([4], &w.device()).scatter(
                0,
                mixed.clone(),
                at.ones_like(),
                IndexingUpdateOp::Add,
            );
            let picked = (w.clone() * w.clone()).select(2, mixed.clone());
            let added = (w.clone() * w.clone()).select_assign(2, mixed, picked.clone().exp(), IndexingUpdateOp::Add);
            let factor = same.float().cast(DType::F64).reshape([1, 1, 6]);
            Tensor::cat(
                vec![flat(picked * factor), flat(added * counts.float().cast(DType::F64).reshape([1, 1, 4]))],
                0,
            )
        }),
        case("layer_norm", |w| {
            let g = part(&w, 0, 4);
            let b = part(&w, 4, 8);
            flat(layer::layer_norm(w, g, Some(b), 1e-5))
        }),
        case("batch_norm", |w| {
            let at = |i: usize| part(&w, 3 * i, 3 * i + 3);
            let d = w.clone();
            flat(layer::batch_norm(d.clone() * d, at(0), at(1), at(2), at(3), 1e-5))
        }),
        case("attention", |w| {
            let q = w.clone().reshape([1, 2, 3, 4]);
            flat(layer::attention(
                q.clone(),
                q.clone().exp(),
                q.clone() * q,
                None,
                None,
                AttentionModuleOptions::default(),
            ))
        }),
        case("attention_masked", |w| {
            let q = w.clone().reshape([1, 2, 3, 4]);
            let mask = Tensor::<4, Bool>::from_data(
                [[
                    [[false, true, false], [false, false, false], [true, false, false]],
                    [[true, true, true], [false, false, true], [false, true, false]],
                ]],
                &w.device(),
            );
            let bias = constant(&w, 5, [1, 2, 3, 3]);
            let options = AttentionModuleOptions { scale: Some(0.7), softcap: Some(1.5), is_causal: false };
            flat(layer::attention(q.clone(), q.clone().exp(), q.clone() * q, Some(mask), Some(bias), options))
        })
        .backward_off(1e-6, ""),
        case("attention_causal", |w| {
            let q = w.clone().reshape([1, 2, 3, 4]);
            let options = AttentionModuleOptions { scale: None, softcap: None, is_causal: true };
            flat(layer::attention(q.clone(), q.clone().exp(), q.clone() * q, None, None, options))
        }),
        case("losses", |w| {
            let x = w.clone().reshape([6, 4]);
            let labels = Tensor::<1, Int>::from_data([0, 1, 2, 3, 0, 1], &w.device());
            let entropy = nn::loss::CrossEntropyLossConfig::new().init(&w.device()).forward(x.clone(), labels);
            let square = nn::loss::MseLoss::new().forward(x.clone(), x.clone().exp(), nn::loss::Reduction::Mean);
            let huber =
                nn::loss::HuberLossConfig::new(0.5).init().forward(x.clone(), x.exp() - 0.7, nn::loss::Reduction::Sum);
            entropy + square * huber
        }),
    ]
}

fn average<const N: usize>(
    kernel: [usize; N],
    stride: [usize; N],
    padding: [usize; N],
    count: bool,
) -> AvgPoolOptions<N> {
    let padding = padding.map(|margin| (margin, margin));
    AvgPoolOptions { kernel_size: kernel, stride, padding, count_include_pad: count, ceil_mode: false }
}

fn largest<const N: usize>(kernel: [usize; N], stride: [usize; N], padding: [usize; N]) -> MaxPoolOptions<N> {
    let padding = padding.map(|margin| (margin, margin));
    MaxPoolOptions { kernel_size: kernel, stride, padding, dilation: [1; N], ceil_mode: false }
}

/// Two matrices `[3, 4]`.
fn halves(w: Tensor<3>) -> (Tensor<2>, Tensor<2>) {
    (w.clone().slice([0..1, 0..3, 0..4]).reshape([3, 4]), w.slice([1..2, 0..3, 0..4]).reshape([3, 4]))
}

#[test]
fn every_operation_has_its_derivatives() {
    let mut failed = Vec::new();
    for (device_name, device) in devices() {
        let mut worst = Errors::default();
        for (seed, case) in cases().into_iter().enumerate() {
            let Case { name, forward, .. } = case;
            let cell = cell(&device, 100 + seed as u64);
            let checked = catch_unwind(AssertUnwindSafe(|| {
                let bounds = case.bounds(device_name);
                let errors = check_against(&cell, &(), |cell: &Cell, ()| forward(cell.w.val()), seed as u64, bounds);
                errors.assert_small(name);
                errors
            }));
            match checked {
                Ok(errors) => worst.worst(&errors),
                Err(_) => failed.push(format!("{name} on {device_name}")),
            }
        }
        println!("{device_name}: {worst:?}");
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn every_entry_of_the_registry_is_tested() {
    let device = Device::flex();
    let mut seen = BTreeSet::new();
    for Case { forward, .. } in cases() {
        let map = Map::new(|cell: &Cell, ()| forward(cell.w.val()));
        if let Ok(program) = map.program(&cell(&device, 1), &()) {
            seen.extend(program.operations());
        }
    }
    let missing: Vec<_> = operations().map(|entry| entry.name).filter(|name| !seen.contains(name)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

/// The kernel runs all samples along a block axis through the program of one: every operation must carry it.
#[test]
fn every_operation_takes_a_block_of_samples() {
    let mut failed = Vec::new();
    for (device_name, device) in devices() {
        for (seed, Case { name, forward, .. }) in cases().into_iter().enumerate() {
            let cell = cell(&device, 300 + seed as u64);
            let x = tensor(seed as u64, [3, 2, 3, 4], 0.98, 1.02, &device);
            // A forward for one sample at a time: the kernel asks for no more.
            let map = Map::new(|cell: &Cell, x: Tensor<4>| {
                let output = forward(cell.w.val() * x.reshape([2, 3, 4]));
                let count = output.dims()[0];
                output.reshape([1, count])
            });
            let checked = catch_unwind(AssertUnwindSafe(|| {
                let rows = (0..3).map(|sample| {
                    let at = map.linearize(&cell, &x.clone().narrow(0, sample, 1)).expect("it is tested above");
                    at.jacobian()
                });
                let jacobian = Tensor::cat(rows.collect(), 0);
                let dense = numbers(jacobian.clone().matmul(jacobian.transpose()));
                let kernel = numbers(map.kernel(&cell, &x).expect("it is tested above"));
                let off = difference(&kernel, &dense);
                assert!(off < ROUNDING, "{name}: the kernel is off by {off:e}");
            }));
            if checked.is_err() {
                failed.push(format!("{name} on {device_name}"));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Burn broadcasts the tensor by the mask too; its own autodiff then gives wrong numbers, and its ndarray panics. Here
/// it is the same as with the tensor expanded before.
#[test]
fn a_mask_wider_than_the_tensor() {
    let device = Device::flex();
    let cell = cell(&device, 1);
    let forward = |wide: bool| {
        Map::new(move |cell: &Cell, ()| {
            let w = cell.w.val();
            let row = w.clone().narrow(0, 0, 1).exp();
            let row = if wide { row.expand([2, 3, 4]) } else { row };
            let mask = w.clone().greater_elem(0.5);
            flat(row.clone().mask_fill(mask.clone(), 0.3) * w.clone() + row.mask_where(mask, w))
        })
    };
    let [found, expected] = [false, true].map(|wide| {
        let at = forward(wide).linearize(&cell, &()).expect("it has derivatives");
        numbers(at.jacobian())
    });
    assert!(difference(&found, &expected) < ROUNDING);
}

/// Far out every saturating function is flat or a line, and has the limit's derivatives: no overflow on the way there
/// leaves a NaN.
#[test]
fn saturated_functions_have_the_derivatives_of_their_limits() {
    type Function = fn(Tensor<3>) -> Tensor<3>;
    let logistic: Function = |x| (x.neg().exp() + 1.0).recip();
    // Limits of the slope far left and far right.
    let functions: [(&str, Function, [f64; 2]); 9] = [
        ("tanh", |x| x.tanh(), [0.0, 0.0]),
        ("1 − 2/(e²ˣ + 1)", |x| ((x * 2.0).exp() + 1.0).recip() * -2.0 + 1.0, [0.0, 0.0]),
        ("1/(1 + e⁻ˣ)", logistic, [0.0, 0.0]),
        ("x/(1 + e⁻ˣ)", |x| x.clone() * (x.neg().exp() + 1.0).recip(), [0.0, 1.0]),
        ("sigmoid", |x| act::sigmoid(x), [0.0, 0.0]),
        ("log_sigmoid", |x| act::log_sigmoid(x), [1.0, 0.0]),
        ("softplus", |x| act::softplus(x, 1.0), [0.0, 1.0]),
        ("silu", |x| act::silu(x), [0.0, 1.0]),
        ("gelu", |x| act::gelu(x), [0.0, 1.0]),
    ];
    let device = Device::flex();
    for dtype in [DType::F32, DType::F64] {
        for (name, function, limits) in functions {
            for (side, limit) in [-1000.0, 1000.0].into_iter().zip(limits) {
                let w = Tensor::<3>::full([2, 3, 4], side, (&device, dtype));
                let cell = Cell { w: Param::from_tensor(w) };
                let map = Map::new(move |cell: &Cell, (): ()| flat(function(cell.w.val())));
                let at = map.linearize(&cell, &()).expect("it can be recorded");
                let one = Tensor::<1>::ones([24], (&device, dtype));
                let (pushed, pulled) = (numbers(at.push(one.clone())), numbers(at.pull(one.clone())));
                let bent = numbers(at.bend(one.clone(), one));
                assert_eq!((pushed, pulled, bent), (vec![limit; 24], vec![limit; 24], vec![0.0; 24]), "{name}({side})");
            }
        }
    }
}
