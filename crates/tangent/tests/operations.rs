//! Every operation of the registry, on both devices: derivatives against central differences and Burn's autodiff.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::module::{Module, Param};
use burn::nn;
use burn::tensor::activation as act;
use burn::tensor::module as layer;
use burn::tensor::ops::{
    AttentionModuleOptions, AvgPoolOptions, ConvOptions, ConvTransposeOptions, DeformConvOptions, GridSampleOptions,
    GridSamplePaddingMode, InterpolateMode, InterpolateOptions, MaxPoolOptions, PadMode, UnfoldOptions,
};
use burn::tensor::{Bool, DType, Device, IndexingUpdateOp, Int, Tensor, TensorData};
use losscape_tangent::{Map, TangentError, operations, refusals};

use crate::common::{Bounds, Errors, ROUNDING, check_against, devices, difference, numbers, tensor, vector};

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
    value: Vec<(f64, &'static str)>,
    backward: Vec<(f64, &'static str)>,
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
    /// some in f32 whatever the element type is: the logistic function and deformable convolutions on ndarray, the hard
    /// logistic function under autodiff.
    fn off(mut self, bound: f64, device: &'static str) -> Self {
        self.value.push((bound, device));
        self.backward_off(bound, device)
    }

    /// Burn's own derivative is: of a division by a number 1/c is rounded to f32 in the backward pass, a deformable
    /// convolution is in f32 there, and on ndarray the slope of GELU is that of the tanh approximation.
    fn backward_off(mut self, bound: f64, device: &'static str) -> Self {
        self.backward.push((bound, device));
        self
    }

    /// Burn's own autodiff has no derivative of it there, or a wrong one: on ndarray it mixes groups of offsets.
    fn no_backward(self, device: &'static str) -> Self {
        self.backward_off(f64::INFINITY, device)
    }

    fn bounds(&self, device: &str) -> Bounds {
        let here = |known: &[(f64, &str)]| {
            known.iter().filter(|(_, here)| device.contains(here)).fold(ROUNDING, |bound, (other, _)| bound.max(*other))
        };
        Bounds { value: here(&self.value), burn: here(&self.backward) }
    }
}

fn case(name: &'static str, forward: fn(Tensor<3>) -> Tensor<1>) -> Case {
    Case { name, forward, value: Vec::new(), backward: Vec::new() }
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
        case("remainders", |w| {
            let (a, b) = halves(w.clone() * w.clone());
            let whole = (a.clone() * 3.0 - 1.4).remainder(b.clone() * 0.7 + 0.1) * b;
            let scaled = (w.clone() * 3.0 - 1.0).remainder_scalar(0.37) * w;
            Tensor::cat(vec![flat(whole), flat(scaled), flat((a - 0.6).remainder_scalar(-0.23))], 0)
        }),
        case("exp_log", |w| flat(w.clone().exp() + w.clone().log() + w.clone().log1p() * w.clone().exp())),
        case("sqrt_recip", |w| flat(w.clone().sqrt() + w.clone().recip())),
        case("erf", |w| flat((w.clone() - 0.4).erf())),
        case("circular", |w| flat(w.clone().sin() + w.clone().cos() * w.clone() + w.clone().tan())),
        case("hyperbolic", |w| flat(w.clone().sinh() + w.clone().cosh() * w.clone() + w.clone().tanh())),
        case("inverse_circular", |w| {
            flat((w.clone() - 0.4).asin() + (w.clone() - 0.5).acos() * w.clone() + w.clone().atan())
        }),
        case("angles", |w| {
            let y = w.clone() - 0.55;
            let x = (w.clone() * w.clone() - 0.3).flip([0, 1, 2]);
            flat(y.clone().atan2(x.clone()) * w.clone() + x.atan2(w) + y.clone().atan2(y + 0.1))
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
        case("running_products", |w| flat((w.clone() * w.clone()).cumprod(1) + (w * 2.0).cumprod(2))),
        case("running_products_with_zeros", |w| {
            let keep = Tensor::<3>::from_data([[[1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0], [1.0; 4]]], &w.device());
            flat((w * keep.cast(DType::F64).expand([2, 3, 4])).cumprod(2))
        }),
        case("running_extrema", |w| {
            let bent = (w.clone() - 0.5) * (w.clone() - 0.5);
            flat(bent.clone().cummax(2) * w.clone() + bent.cummin(1) * w)
        }),
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
        case("select_replace", |w| {
            let i = ints::<1>(&w, [2, 0]);
            let v = w.clone().exp().slice([0..2, 0..2, 0..4]);
            flat((w.clone() * w).select_assign(1, i, v, IndexingUpdateOp::Assign))
        }),
        case("scatter_replace", |w| {
            let i = ints::<3>(&w, [[[0, 1, 3], [3, 1, 2], [0, 2, 1]], [[0, 1, 2], [1, 2, 3], [3, 0, 1]]]);
            let v = w.clone().exp().slice([0..2, 0..3, 0..3]);
            flat((w.clone() * w).scatter(2, i, v, IndexingUpdateOp::Assign))
        }),
        case("gather_parts", |w| {
            let square = w.clone() * w.clone();
            let rows: Tensor<2> = square.clone().gather_nd(ints::<2>(&w, [[0, 2], [1, 0], [0, 2]]));
            let blocks: Tensor<4> = square.clone().gather_nd(ints::<3>(&w, [[[1], [0], [1]]]));
            let single: Tensor<1> = square.gather_nd(ints::<2>(&w, [[0, 2, 3], [1, 0, 0]]));
            Tensor::cat(vec![flat(rows), flat(blocks), single], 0)
        }),
        case("scatter_parts", |w| {
            let i = ints::<2>(&w, [[0, 2], [1, 0], [0, 2]]);
            let v: Tensor<2> = w.clone().exp().slice([0..1, 0..3, 0..4]).reshape([3, 4]);
            flat((w.clone() * w).scatter_nd(i, v, IndexingUpdateOp::Add))
        }),
        case("scatter_parts_replace", |w| {
            let i = ints::<2>(&w, [[0, 2], [1, 0]]);
            let v: Tensor<2> = w.clone().exp().slice([0..1, 0..2, 0..4]).reshape([2, 4]);
            flat((w.clone() * w).scatter_nd(i, v, IndexingUpdateOp::Assign))
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
        case("quantifiers", |w| {
            let large = w.clone().greater_elem(0.5);
            let mask = large.clone().any_dim(2).bool_and(large.clone().all_dim(1).bool_not().any_dim(2));
            let whole = large.clone().any().bool_xor(large.clone().all()).reshape([1, 1, 1]);
            let floats = w.clone().round().any_dim(1).bool_or(w.clone().round().all_dim(1));
            let counts = w.clone().round().int();
            let integers = counts.clone().any().bool_and(counts.all().bool_not()).reshape([1, 1, 1]);
            let odd = (w.clone() / 0.0).is_inf().bool_and((w.clone() * f64::NAN).is_nan()).equal_elem(true);
            let odd = odd.bool_and(large.clone().not_equal_elem(false).bool_or(large.equal_elem(false)));
            let mask = mask.expand([2, 3, 4]).bool_or(floats.expand([2, 3, 4]).bool_and(odd));
            let whole = whole.bool_or(integers).expand([2, 3, 4]);
            flat((w.clone() * w.clone()).mask_fill(mask, 0.3) + (w.clone() * w.clone()).mask_where(whole, w.exp()))
        }),
        case("cross", |w| flat((w.clone() * w.clone()).cross(w.clone().exp().flip([2]), 1) * w)),
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
        case("arithmetic_of_integers", |w| {
            // Nothing is known when this is recorded: the integers depend on the parameter.
            let i = (w.clone() * 7.0 - 3.5).int();
            let j = w.clone().argsort(2);
            let sum = i.clone().sum_dim(1) + i.clone().prod_dim(0) - i.clone().mean_dim(2) + i.clone().cumsum(1);
            let more = i.clone().sum() + i.clone().mean() + i.clone().abs().clamp(1, 2).prod();
            let powers =
                i.clone().powi(j.clone()) + i.clone().powi_scalar(3) - i.clone().neg().abs() * i.clone().sign();
            let bounded = i.clone().clamp(-2, 1) + i.clone().clamp_min(-1) + i.clone().clamp_max(2);
            let running = i.clone().clamp(-1, 2).cumprod(2) + i.clone().cummax(1) - i.clone().cummin(2);
            let product = i.clone().matmul(j.clone().swap_dims(1, 2)).matmul(j);
            let all = sum + more.reshape([1, 1, 1]) + powers + bounded + running + product;
            flat(w.clone() * w * all.float().cast(DType::F64) * 0.01)
        }),
        case("order_of_integers", |w| {
            let i = (w.clone() * 40.0).int().cast(DType::I64).mul_scalar(5).remainder_scalar(17) - 6;
            let (large, at_large) = i.clone().max_dim_with_indices(2);
            let (small, at_small) = i.clone().min_dim_with_indices(1);
            let (top, at_top) = i.clone().topk_with_indices(2, 2);
            let (sorted, from) = i.clone().sort_with_indices(2);
            let extremes = i.clone().max() + i.clone().min() + i.clone().max_abs();
            let along = i.clone().max_dim(1) + i.clone().min_dim(1) + i.clone().max_abs_dim(1);
            let whole = large + small + sorted + i.clone().sort(1) + along + extremes.reshape([1, 1, 1]);
            let picked = i.clone().topk(2, 2) + top;
            let at = at_top + i.clone().argtopk(2, 2);
            let places = i.clone().argsort(1) + i.clone().argmax(1) + i.clone().argmin(1) + from + at_large + at_small;
            let padded = i.pad((1, 0, 0, 0), 3).slice([0..2, 0..3, 0..4]);
            let factor = (whole + places + padded).float().cast(DType::F64);
            let other = (picked + at).float().cast(DType::F64).repeat_dim(2, 2);
            flat(w.clone() * w * (factor + other) * 0.01)
        }),
        case("bits", |w| {
            let i = (w.clone() * 60.0).int();
            let j = (w.clone() * 3.0).int();
            let two =
                i.clone().bitwise_and(j.clone()) + i.clone().bitwise_or(j.clone()) - i.clone().bitwise_xor(j.clone());
            let one =
                i.clone().bitwise_and_scalar(12) + i.clone().bitwise_or_scalar(3) - i.clone().bitwise_xor_scalar(5);
            let shifted = i.clone().bitwise_left_shift(j.clone()) + i.clone().bitwise_right_shift(j)
                - i.clone().bitwise_left_shift_scalar(1)
                + i.clone().bitwise_right_shift_scalar(2);
            let all = two + one + shifted + i.bitwise_not();
            flat(w.clone() * w * all.float().cast(DType::F64) * 0.01)
        }),
        case("updates_of_integers", |w| {
            let i = (w.clone() * 40.0).int();
            let at: Tensor<1, Int> = w.clone().narrow(0, 0, 1).narrow(1, 0, 1).reshape([4]).argsort(0).narrow(0, 0, 2);
            let values = i.clone().narrow(2, 0, 2) + 1;
            let selected = i.clone().select_assign(2, at.clone(), values, IndexingUpdateOp::Add);
            let row: Tensor<2, Int> = i.clone().narrow(0, 0, 1).narrow(1, 0, 2).reshape([2, 4]);
            let parts = i.scatter_nd(ints::<2>(&w, [[1, 2], [0, 0]]), row, IndexingUpdateOp::Max);
            let small = w.clone().lower_elem(0.4);
            let masks = small.clone().select_assign(2, at, small.narrow(2, 0, 2), IndexingUpdateOp::Add);
            let factor = (selected + parts).float().cast(DType::F64);
            flat((w.clone() * w * factor * 0.01).mask_fill(masks, 0.2))
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
        case("conv3d", |w| {
            let x: Tensor<5> = (w.clone() * w.clone()).reshape([1, 2, 3, 2, 2]);
            let k: Tensor<5> = constant(&w, 4, [3, 2, 2, 2, 1]) * w.clone().mean().reshape([1, 1, 1, 1, 1]);
            let b = part(&w, 0, 3);
            flat(layer::conv3d(x, k, Some(b), ConvOptions::new([2, 1, 1], [1, 0, 1], [1, 1, 2], 1)))
        }),
        case("conv3d_by_weight", |w| {
            let x: Tensor<5> = constant(&w, 4, [2, 4, 4, 3, 3]);
            let k: Tensor<5> = (w.clone() * w).reshape([2, 2, 3, 2, 1]);
            flat(layer::conv3d(x, k, None, ConvOptions::new([1, 2, 1], [0, 1, 0], [1, 2, 1], 2)))
        }),
        case("conv_transpose3d", |w| {
            let x: Tensor<5> = (w.clone() * w.clone()).reshape([1, 2, 3, 2, 2]);
            let k: Tensor<5> = (w.clone() * w.clone()).reshape([2, 3, 2, 2, 1]);
            let b = part(&w, 0, 3);
            let options = ConvTransposeOptions::new([2, 1, 1], [1, 0, 0], [1, 0, 0], [1, 1, 2], 1);
            flat(layer::conv_transpose3d(x, k, Some(b), options))
        }),
        case("conv_transpose3d_groups", |w| {
            let x: Tensor<5> = (w.clone() * w.clone()).reshape([1, 2, 3, 2, 2]);
            let k: Tensor<5> = (w.clone() * w).reshape([2, 2, 3, 1, 2]);
            let options = ConvTransposeOptions::new([1, 2, 1], [0, 0, 1], [0, 1, 0], [2, 1, 1], 2);
            flat(layer::conv_transpose3d(x, k, None, options))
        }),
        case("deform_conv2d", |w| {
            let offset = (w.clone() * w.clone()).reshape([1, 4, 2, 3]).repeat_dim(1, 2) * 3.0 - 1.3;
            let k = (w.clone() * w.clone()).reshape([3, 2, 2, 2]);
            let mask = w.clone().reshape([1, 4, 2, 3]);
            let b = part(&w, 0, 3);
            let options = DeformConvOptions::new([1, 1], [0, 0], [1, 1], 1, 1);
            flat(layer::deform_conv2d(image(w), offset, k, Some(mask), Some(b), options))
        })
        .off(1e-6, "ndarray")
        .backward_off(1e-6, ""),
        case("deform_conv2d_groups", |w| {
            let x: Tensor<4> = constant(&w, 4, [2, 2, 4, 3]) * w.clone().mean().reshape([1, 1, 1, 1]);
            let offset = w.clone().reshape([1, 2, 3, 4]).repeat_dim(0, 2).repeat_dim(1, 8).narrow(3, 0, 3) * 2.0 - 0.9;
            let k = (w.clone() * w).reshape([4, 1, 2, 3]).narrow(3, 0, 2);
            let options = DeformConvOptions::new([2, 1], [1, 1], [1, 2], 2, 2);
            flat(layer::deform_conv2d(x, offset.narrow(2, 0, 3), k, None, None, options))
        })
        .off(1e-6, "ndarray")
        .backward_off(1e-6, "")
        .no_backward("ndarray"),
        case("windows_of_a_plane", |w| {
            let plain = layer::unfold4d(image(w.clone()), [2, 2], UnfoldOptions::new([1, 2], [0, 0], [1, 1]));
            let padded = layer::unfold4d(image(w), [2, 2], UnfoldOptions::new([2, 1], [1, 0], [1, 3]));
            Tensor::cat(vec![flat(plain), flat(padded)], 0)
        }),
        case("plane_of_windows", |w| {
            let x = (w.clone() * w).reshape([1, 4, 6]);
            flat(layer::fold4d(x, [3, 4], [2, 2], UnfoldOptions::new([1, 1], [0, 0], [1, 1])))
        }),
        case("interpolate_nearest", |w| flat(interpolated(&w, &InterpolateMode::Nearest))),
        case("interpolate_bilinear", |w| flat(interpolated(&w, &InterpolateMode::Bilinear))).no_backward("ndarray"),
        case("interpolate_bicubic", |w| flat(interpolated(&w, &InterpolateMode::Bicubic))).no_backward("ndarray"),
        case("interpolate_lanczos", |w| flat(interpolated(&w, &InterpolateMode::Lanczos3))).no_backward(""),
        case("grid_sample", |w| flat(sampled(&w, &InterpolateMode::Bilinear))),
        case("avg_pool1d", |w| flat(layer::avg_pool1d(w.clone() * w, average([2], [1], [1], true)))),
        case("avg_pool2d", |w| flat(layer::avg_pool2d(image(w), average([2, 2], [1, 2], [0, 1], false)))),
        case("adaptive_avg_pool1d", |w| flat(layer::adaptive_avg_pool1d(w.clone() * w, 3))),
        case("adaptive_avg_pool2d", |w| flat(layer::adaptive_avg_pool2d(image(w), [2, 3]))),
        case("adaptive_avg_pool3d", |w| {
            let x: Tensor<5> = (w.clone() * w).reshape([1, 2, 3, 2, 2]);
            Tensor::cat(
                vec![
                    flat(layer::adaptive_avg_pool3d(x.clone(), [2, 1, 2])),
                    flat(layer::adaptive_avg_pool3d(x, [3, 3, 1])),
                ],
                0,
            )
        }),
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

/// An image made larger and smaller, with aligned corners and without.
fn interpolated(w: &Tensor<3>, mode: &InterpolateMode) -> Tensor<1> {
    let sizes = [([5, 3], true), ([2, 7], false), ([1, 9], true), ([8, 4], false)];
    let parts = sizes.map(|(size, align_corners)| {
        let options = InterpolateOptions::new(mode.clone()).with_output_size(size).with_align_corners(align_corners);
        flat(layer::interpolate(image(w.clone()), options))
    });
    Tensor::cat(parts.to_vec(), 0)
}

/// An image at points inside and outside, with all that can be beyond its edge.
fn sampled(w: &Tensor<3>, mode: &InterpolateMode) -> Tensor<1> {
    use GridSamplePaddingMode::{Border, Reflection, Zeros};
    let grid = (w.clone() * w.clone()).reshape([1, 3, 4, 2]) * 5.1 - 2.2;
    let edges =
        [(Zeros, true), (Zeros, false), (Border, true), (Border, false), (Reflection, true), (Reflection, false)];
    let parts = edges.map(|(edge, align_corners)| {
        let options = GridSampleOptions::new(mode.clone()).with_padding_mode(edge).with_align_corners(align_corners);
        flat(image(w.clone()).grid_sample_2d(grid.clone(), options))
    });
    Tensor::cat(parts.to_vec(), 0)
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
            let Case { name, forward, .. } = &case;
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

/// A form of an operation that has no entry is refused with the reason that the table gives.
#[test]
fn refusals_are_those_of_the_table() {
    type Forward = fn(Tensor<3>) -> Tensor<1>;
    let cases: [(&str, Forward); 6] = [
        ("BaseFloat.SelectAssign (Mul, Min, Max)", |w| {
            let first = w.clone().narrow(0, 0, 1);
            flat(w.clone().select_assign(0, ints(&w, [1]), first, IndexingUpdateOp::Mul))
        }),
        ("BaseFloat.Scatter (Mul, Min, Max)", |w| {
            let order = w.clone().argsort(2);
            flat(w.clone().scatter(2, order, w.exp(), IndexingUpdateOp::Max))
        }),
        ("BaseFloat.ScatterNd (Mul, Min, Max)", |w| {
            let row: Tensor<2> = w.clone().narrow(0, 0, 1).narrow(1, 0, 1).reshape([1, 4]);
            flat(w.clone().scatter_nd(ints::<2>(&w, [[1, 2]]), row, IndexingUpdateOp::Min))
        }),
        ("Float.GridSample2d (NearestExact, Bicubic, Lanczos3)", |w| sampled(&w, &InterpolateMode::Bicubic)),
        ("Module.Interpolate (NearestExact)", |w| interpolated(&w, &InterpolateMode::NearestExact)),
        ("Module.ConvTranspose3d (output padding from the stride on)", |w| {
            let (x, k): (Tensor<5>, Tensor<5>) = (w.clone().reshape([1, 2, 3, 2, 2]), w.reshape([2, 1, 3, 2, 2]));
            let options = ConvTransposeOptions::new([1; 3], [0; 3], [1, 0, 0], [1; 3], 1);
            flat(layer::conv_transpose3d(x, k, None, options))
        }),
    ];
    for (name, forward) in cases {
        let refusal = refusals().find(|refusal| refusal.name == name).expect("it is in the table");
        let found = Map::new(|cell: &Cell, ()| forward(cell.w.val())).program(&cell(&Device::flex(), 1), &()).err();
        let Some(TangentError::Unsupported { reason, .. }) = found else { panic!("{name}: {found:?}") };
        assert_eq!(reason, refusal.reason, "{name}");
    }
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

/// Burn's autodiff cannot run it at all; its value is that of flex, and pixels are picked.
#[test]
fn the_nearest_pixels_at_a_grid() {
    let device = Device::flex();
    let cell = cell(&device, 1);
    let forward = |cell: &Cell, ()| sampled(&cell.w.val(), &InterpolateMode::Nearest);
    let at = Map::new(forward).linearize(&cell, &()).expect("it has derivatives");
    assert!(difference(&numbers(at.output()), &numbers(forward(&cell, ()))) < ROUNDING);
    let v = vector(&numbers(tensor::<1>(2, [24], -1.0, 1.0, &device)), &device);
    let moved = |step: f64| {
        let w = cell.w.val() + v.clone().reshape([2, 3, 4]) * step;
        numbers(forward(&Cell { w: Param::from_tensor(w) }, ()))
    };
    let central: Vec<f64> = moved(1e-5).iter().zip(moved(-1e-5)).map(|(a, b)| (a - b) / 2e-5).collect();
    let off = difference(&numbers(at.push(v)), &central);
    assert!(off < 1e-6, "push is off by {off:e}");
}

/// Where 1/b is rounded, a · 1/b may fall short of the whole number that a/b is: 49 · (1/49) < 1.
#[test]
fn whole_quotients_leave_no_remainder() {
    let device = Device::flex();
    let w = Tensor::<1, Int>::arange(26..50, &device).reshape([2, 3, 4]).float().cast(DType::F64);
    let cell = Cell { w: Param::from_tensor(w) };
    let map = Map::new(|cell: &Cell, ()| flat(cell.w.val().remainder(cell.w.val()) + cell.w.val().remainder_scalar(1)));
    let at = map.linearize(&cell, &()).expect("it has derivatives");
    assert_eq!(numbers(at.output()), [0.0; 24]);
    // Of a − b and of x.
    assert_eq!(numbers(at.pull(vector(&[1.0; 24], &device))), [1.0; 24]);
}

/// The angle has no derivative at the origin, and gets none.
#[test]
fn an_angle_at_the_origin() {
    let device = Device::flex();
    let cell = Cell { w: Param::from_tensor(Tensor::zeros([2, 3, 4], (&device, DType::F64))) };
    let map = Map::new(|cell: &Cell, ()| flat(cell.w.val().atan2(cell.w.val() * 2.0)));
    let (at, one) = (map.linearize(&cell, &()).expect("it has derivatives"), vector(&[1.0; 24], &device));
    let found = [at.output(), at.push(one.clone()), at.pull(one.clone()), at.bend(one.clone(), one)].map(numbers);
    assert_eq!(found, [const { [0.0; 24] }; 4]);
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
