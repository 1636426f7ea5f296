//! Arrays without a rank in their type: the only file that calls Burn's primitives.
//!
//! A program's values have ranks known at run time, and a block of directions adds one more axis in front. Burn's
//! `Tensor<D>` fixes the rank at compile time; underneath it are operations that do not, and that pick the device at
//! run time. This is a thin coat over them; on the memory of the CPU it takes our own kernels where they are faster.

use burn::tensor::{Bool, DType, Int, Tensor, TensorData};
use burn_backend::ops::{ActivationOps, BoolTensorOps, ConvOptions, FloatTensorOps, IntTensorOps, ModuleOps};
use burn_backend::tensor::IndexingUpdateOp;
use burn_backend::{
    BoolDType, FloatDType, IntDType, Scalar, Shape, Slice, TensorMetadata, get_or_init_device_settings,
};
use burn_dispatch::{Dispatch, DispatchDevice};

mod lane;
mod on_host;
mod storage;
mod window;

pub use on_host::Arithmetic;
pub use storage::Array;
pub use window::Window;

/// Runs the expression of the element type at hand.
macro_rules! by_kind {
    ($array:expr, $float:expr, $int:expr, $bool:expr) => {
        match $array.dtype() {
            dtype if dtype.is_float() => Array($float),
            dtype if dtype.is_bool() => Array($bool),
            _ => Array($int),
        }
    };
}

/// Functions of one array.
macro_rules! unary {
    ($($name:ident => $primitive:ident),+ $(,)?) => {
        $(pub fn $name(self) -> Self { Self(Dispatch::$primitive(self.0)) })+
    };
}

/// Comparisons of floats or integers, with an array or a number.
macro_rules! comparisons {
    ($($name:ident => $float:ident $int:ident, $elem:ident => $float_elem:ident $int_elem:ident);+ $(;)?) => {
        $(
            pub fn $name(self, other: Self, dtype: BoolDType) -> Self {
                if self.dtype().is_float() {
                    Self(Dispatch::$float(self.0, other.0, dtype))
                } else {
                    Self(Dispatch::$int(self.0, other.0, dtype))
                }
            }
            pub fn $elem(self, number: Scalar, dtype: BoolDType) -> Self {
                if self.dtype().is_float() {
                    Self(Dispatch::$float_elem(self.0, number, dtype))
                } else {
                    Self(Dispatch::$int_elem(self.0, number, dtype))
                }
            }
        )+
    };
}

/// Arithmetic of two integer arrays, or of one and a number.
macro_rules! integer_arithmetic {
    ($($name:ident => $primitive:ident, $scalar_name:ident => $scalar:ident);+ $(;)?) => {
        $(
            pub fn $name(self, other: Self) -> Self { Self(Dispatch::$primitive(self.0, other.0)) }
            pub fn $scalar_name(self, number: Scalar) -> Self { Self(Dispatch::$scalar(self.0, number)) }
        )+
    };
}

/// Functions of an integer array along an axis.
macro_rules! along {
    ($($name:ident => $primitive:ident),+ $(,)?) => {
        $(pub fn $name(self, axis: usize) -> Self { Self(Dispatch::$primitive(self.0, axis)) })+
    };
}

impl Array {
    pub fn from_float<const D: usize>(tensor: Tensor<D>) -> Self {
        Self(tensor.inner().into_dispatch())
    }

    pub fn from_int<const D: usize>(tensor: Tensor<D, Int>) -> Self {
        Self(tensor.inner().into_dispatch())
    }

    pub fn from_bool<const D: usize>(tensor: Tensor<D, Bool>) -> Self {
        Self(tensor.inner().into_dispatch())
    }

    /// The float tensor of rank `D`, which must be the array's.
    pub fn into_float<const D: usize>(self) -> Tensor<D> {
        Tensor::from_dispatch(self.0)
    }

    /// The data on a device, of their own type; booleans as the device stores them.
    pub fn from_data(data: TensorData, device: &DispatchDevice) -> Self {
        match data.dtype() {
            dtype if dtype.is_float() => Self(Dispatch::float_from_data(data, device)),
            dtype if dtype.is_bool() => {
                let dtype = get_or_init_device_settings::<Dispatch>(device).bool_dtype;
                Self(Dispatch::bool_from_data(data.convert_dtype(dtype.into()), device))
            }
            _ => Self(Dispatch::int_from_data(data, device)),
        }
    }

    /// A float array of one value, which takes no memory of its size.
    pub fn full(value: f64, shape: &[usize], like: &Self) -> Self {
        Self::full_on(value, shape, &like.device(), like.dtype())
    }

    pub fn full_on(value: f64, shape: &[usize], device: &DispatchDevice, dtype: DType) -> Self {
        let ones = vec![1; shape.len()];
        let dtype = FloatDType::from(dtype);
        Self(Dispatch::float_full(Shape::from(ones), Scalar::Float(value), device, dtype)).expand(shape)
    }

    /// Float zeros in memory of their own, to write into.
    pub fn zeros(shape: &[usize], like: &Self) -> Self {
        let dtype = FloatDType::from(like.dtype());
        Self(Dispatch::float_zeros(Shape::from(shape.to_vec()), &like.device(), dtype))
    }

    /// An integer array of one value.
    pub fn full_int(value: i64, shape: &[usize], device: &DispatchDevice, dtype: DType) -> Self {
        Self(Dispatch::int_full(Shape::from(shape.to_vec()), Scalar::Int(value), device, IntDType::from(dtype)))
    }

    /// A boolean array of one value.
    pub fn full_bool(value: bool, shape: &[usize], device: &DispatchDevice, dtype: DType) -> Self {
        let shape = Shape::from(shape.to_vec());
        let dtype = BoolDType::from(dtype);
        Self(if value { Dispatch::bool_ones(shape, device, dtype) } else { Dispatch::bool_zeros(shape, device, dtype) })
    }

    pub fn shape(&self) -> Vec<usize> {
        self.0.shape().to_vec()
    }

    /// The elements of a float array, row by row.
    pub fn numbers(&self) -> Vec<f64> {
        let length = self.shape().iter().product();
        let flat: Tensor<1> = self.clone().cast(DType::F64).reshape(&[length]).into_float();
        let Ok(numbers) = flat.into_data().try_to_vec() else { unreachable!("the elements were made f64") };
        numbers
    }

    pub fn dtype(&self) -> DType {
        self.0.dtype()
    }

    pub fn device(&self) -> DispatchDevice {
        self.0.device()
    }

    // Shapes, for every element type.

    pub fn reshape(self, shape: &[usize]) -> Self {
        if self.shape() == shape {
            return self;
        }
        let shape = Shape::from(shape.to_vec());
        by_kind!(
            self,
            Dispatch::float_reshape(self.0, shape),
            Dispatch::int_reshape(self.0, shape),
            Dispatch::bool_reshape(self.0, shape)
        )
    }

    pub fn permute(self, axes: &[usize]) -> Self {
        by_kind!(
            self,
            Dispatch::float_permute(self.0, axes),
            Dispatch::int_permute(self.0, axes),
            Dispatch::bool_permute(self.0, axes)
        )
    }

    pub fn expand(self, shape: &[usize]) -> Self {
        if self.shape() == shape {
            return self;
        }
        let shape = Shape::from(shape.to_vec());
        by_kind!(
            self,
            Dispatch::float_expand(self.0, shape),
            Dispatch::int_expand(self.0, shape),
            Dispatch::bool_expand(self.0, shape)
        )
    }

    pub fn slice(self, ranges: &[Slice]) -> Self {
        by_kind!(
            self,
            Dispatch::float_slice(self.0, ranges),
            Dispatch::int_slice(self.0, ranges),
            Dispatch::bool_slice(self.0, ranges)
        )
    }

    /// The entries `start..end` of the first axis.
    pub fn rows(self, start: usize, end: usize) -> Self {
        if start == 0 && self.shape()[0] == end {
            return self;
        }
        self.slice(&[Slice::new(start as isize, Some(end as isize), 1)])
    }

    pub fn slice_assign(self, ranges: &[Slice], value: Self) -> Self {
        by_kind!(
            self,
            Dispatch::float_slice_assign(self.0, ranges, value.0),
            Dispatch::int_slice_assign(self.0, ranges, value.0),
            Dispatch::bool_slice_assign(self.0, ranges, value.0)
        )
    }

    pub fn flip(self, axes: &[usize]) -> Self {
        by_kind!(
            self,
            Dispatch::float_flip(self.0, axes),
            Dispatch::int_flip(self.0, axes),
            Dispatch::bool_flip(self.0, axes)
        )
    }

    pub fn cat(arrays: Vec<Self>, axis: usize) -> Self {
        let Some(first) = arrays.first() else { unreachable!("a concatenation has operands") };
        if arrays.len() == 1 {
            return first.clone();
        }
        let dtype = first.dtype();
        let arrays = arrays.into_iter().map(|array| array.0).collect();
        Self(if dtype.is_float() {
            Dispatch::float_cat(arrays, axis)
        } else if dtype.is_bool() {
            Dispatch::bool_cat(arrays, axis)
        } else {
            Dispatch::int_cat(arrays, axis)
        })
    }

    pub fn select(self, axis: usize, indices: Self) -> Self {
        by_kind!(
            self,
            Dispatch::float_select(self.0, axis, indices.0),
            Dispatch::int_select(self.0, axis, indices.0),
            Dispatch::bool_select(self.0, axis, indices.0)
        )
    }

    pub fn gather(self, axis: usize, indices: Self) -> Self {
        by_kind!(
            self,
            Dispatch::float_gather(axis, self.0, indices.0),
            Dispatch::int_gather(axis, self.0, indices.0),
            Dispatch::bool_gather(axis, self.0, indices.0)
        )
    }

    /// `self` where the mask is false, `value` where it is true.
    pub fn mask_where(self, mask: Self, value: Self) -> Self {
        by_kind!(
            self,
            Dispatch::float_mask_where(self.0, mask.0, value.0),
            Dispatch::int_mask_where(self.0, mask.0, value.0),
            Dispatch::bool_mask_where(self.0, mask.0, value.0)
        )
    }

    // Floats.

    unary! {
        neg => float_neg, exp => float_exp, ln => float_log, ln_1p => float_log1p, sqrt => float_sqrt,
        recip => float_recip,
        abs => float_abs, sign => float_sign, erf => float_erf, tanh => float_tanh, sin => float_sin, cos => float_cos,
        tan => float_tan, sinh => float_sinh, cosh => float_cosh, asin => float_asin, acos => float_acos,
        atan => float_atan,
        asinh => float_asinh, acosh => float_acosh, atanh => float_atanh, round => float_round, floor => float_floor,
        ceil => float_ceil, trunc => float_trunc, relu => relu,
    }

    pub fn add(self, other: Self) -> Self {
        self.combined_on_host(other, Arithmetic::Add).unwrap_or_else(|(a, b)| Self(Dispatch::float_add(a.0, b.0)))
    }

    pub fn sub(self, other: Self) -> Self {
        self.combined_on_host(other, Arithmetic::Subtract).unwrap_or_else(|(a, b)| Self(Dispatch::float_sub(a.0, b.0)))
    }

    pub fn mul(self, other: Self) -> Self {
        self.combined_on_host(other, Arithmetic::Multiply).unwrap_or_else(|(a, b)| Self(Dispatch::float_mul(a.0, b.0)))
    }

    pub fn shift(self, by: f64) -> Self {
        Self(Dispatch::float_add_scalar(self.0, Scalar::Float(by)))
    }

    pub fn scale(self, by: f64) -> Self {
        Self(Dispatch::float_mul_scalar(self.0, Scalar::Float(by)))
    }

    /// The rest of a division, of the sign of the divisor.
    pub fn remainder(self, divisor: Self) -> Self {
        Self(Dispatch::float_remainder(self.0, divisor.0))
    }

    pub fn remainder_scalar(self, divisor: Scalar) -> Self {
        Self(Dispatch::float_remainder_scalar(self.0, divisor))
    }

    /// The angle of the point (x, self).
    pub fn atan2(self, x: Self) -> Self {
        Self(Dispatch::float_atan2(self.0, x.0))
    }

    pub fn powf(self, exponent: f64) -> Self {
        Self(Dispatch::float_powf_scalar(self.0, Scalar::Float(exponent)))
    }

    pub fn powi(self, exponent: i64) -> Self {
        Self(Dispatch::float_powi_scalar(self.0, Scalar::Int(exponent)))
    }

    pub fn clamp(self, low: f64, high: f64) -> Self {
        Self(Dispatch::float_clamp(self.0, Scalar::Float(low), Scalar::Float(high)))
    }

    pub fn matmul(self, other: Self) -> Self {
        self.matmul_onto(other, None)
    }

    /// The product, added to `onto` in its memory if nobody else reads that.
    pub fn matmul_onto(self, other: Self, onto: Option<Self>) -> Self {
        let product = match self.product_on_host(&other, onto) {
            Ok(product) => return product,
            Err(onto) => (Self(Dispatch::float_matmul(self.0, other.0)), onto),
        };
        match product {
            (product, Some(onto)) => onto.add(product),
            (product, None) => product,
        }
    }

    /// `self ∘ factor + a ∘ b`, of one shape.
    pub fn times_plus(self, factor: &Self, a: &Self, b: &Self) -> Self {
        self.times_plus_on_host(factor, a, b)
            .unwrap_or_else(|this| this.mul(factor.clone()).add(a.clone().mul(b.clone())))
    }

    /// The last two axes exchanged.
    pub fn transpose(self) -> Self {
        let rank = self.shape().len();
        Self(Dispatch::float_swap_dims(self.0, rank - 2, rank - 1))
    }

    /// Sums over the axes, which stay with length one.
    pub fn sum(self, axes: &[usize]) -> Self {
        axes.iter().fold(self, |array, &axis| Self(Dispatch::float_sum_dim(array.0, axis)))
    }

    pub fn cumsum(self, axis: usize) -> Self {
        Self(Dispatch::float_cumsum(self.0, axis))
    }

    /// `self` with `values` added at the rows `indices` of an axis.
    pub fn select_add(self, axis: usize, indices: Self, values: Self) -> Self {
        Self(Dispatch::float_select_assign(self.0, axis, indices.0, values.0, IndexingUpdateOp::Add))
    }

    /// `self` with `values` added where `gather` with the same indices would read.
    pub fn scatter_add(self, axis: usize, indices: Self, values: Self) -> Self {
        Self(Dispatch::float_scatter(axis, self.0, indices.0, values.0, IndexingUpdateOp::Add))
    }

    pub fn cast(self, dtype: DType) -> Self {
        if self.dtype() == dtype {
            return self;
        }
        by_kind!(
            self,
            Dispatch::float_cast(self.0, FloatDType::from(dtype)),
            Dispatch::int_cast(self.0, IntDType::from(dtype)),
            self.0
        )
    }

    /// As floats of this type, whatever numbers they are.
    pub fn into_float_of(self, dtype: DType) -> Self {
        if self.dtype().is_float() { self.cast(dtype) } else { self.int_into_float(dtype) }
    }

    /// The convolution with a weight, added to `onto` in its memory if nobody else reads that.
    pub fn convolve_onto(&self, weight: &Self, options: &ConvOptions<2>, onto: Option<Self>) -> Self {
        let in_place = |onto: &mut Self| self.convolved_onto_host(weight, options, onto);
        added(onto, in_place, || match self.convolved_on_host(weight, options) {
            Some(result) => result,
            None => Self(Dispatch::conv2d(self.0.clone(), weight.0.clone(), None, options.clone())),
        })
    }

    /// The adjoint of a convolution in its input, `[n, channels, height, width]`, added to `onto`.
    pub fn convolve_input_adjoint_onto(
        input: &[usize],
        weight: &Self,
        output: &Self,
        options: &ConvOptions<2>,
        onto: Option<Self>,
    ) -> Self {
        let in_place = |onto: &mut Self| Self::input_adjoint_onto_host(weight, output, options, onto);
        added(onto, in_place, || match Self::input_adjoint_on_host(input, weight, output, options) {
            Some(result) => result,
            None => {
                let (input, weight, output) = (Self::full(0.0, input, output), weight.clone(), output.clone());
                Self(Dispatch::conv2d_x_backward(input.0, weight.0, output.0, options.clone()))
            }
        })
    }

    /// The adjoint of a convolution in its weight, of this shape, added to `onto`.
    pub fn convolve_weight_adjoint_onto(
        input: &Self,
        weight: &[usize],
        output: &Self,
        options: &ConvOptions<2>,
        onto: Option<Self>,
    ) -> Self {
        let in_place = |onto: &mut Self| Self::weight_adjoint_onto_host(input, output, options, onto);
        added(onto, in_place, || match Self::weight_adjoint_on_host(input, weight, output, options) {
            Some(result) => result,
            None => {
                let (input, weight, output) = (input.clone(), Self::full(0.0, weight, output), output.clone());
                Self(Dispatch::conv2d_weight_backward(input.0, weight.0, output.0, options.clone()))
            }
        })
    }

    pub fn average_pool(self, window: Window) -> Self {
        if let Some(result) = self.pooled_on_host(window) {
            return result;
        }
        let Window { kernel, stride, padding, count_include_pad, ceil_mode } = window;
        Self(Dispatch::avg_pool2d(self.0, kernel, stride, padding, count_include_pad, ceil_mode))
    }

    /// The adjoint of `average_pool` of an array of the shape `input`.
    pub fn average_pool_adjoint(input: &[usize], output: Self, window: Window) -> Self {
        if let Some(result) = Self::pool_adjoint_on_host(input, &output, window) {
            return result;
        }
        let input = Self::full(0.0, input, &output);
        let Window { kernel, stride, padding, count_include_pad, ceil_mode } = window;
        Self(Dispatch::avg_pool2d_backward(input.0, output.0, kernel, stride, padding, count_include_pad, ceil_mode))
    }

    pub fn adaptive_average_pool(self, size: [usize; 2]) -> Self {
        Self(Dispatch::adaptive_avg_pool2d(self.0, size))
    }

    /// The adjoint of `adaptive_average_pool`; of `input` only the shape is read.
    pub fn adaptive_average_pool_adjoint(input: Self, output: Self) -> Self {
        Self(Dispatch::adaptive_avg_pool2d_backward(input.0, output.0))
    }

    // Values without derivatives: indices and masks.

    comparisons! {
        equal => float_equal int_equal, equal_elem => float_equal_elem int_equal_elem;
        not_equal => float_not_equal int_not_equal, not_equal_elem => float_not_equal_elem int_not_equal_elem;
        greater => float_greater int_greater, greater_elem => float_greater_elem int_greater_elem;
        greater_equal => float_greater_equal int_greater_equal,
        greater_equal_elem => float_greater_equal_elem int_greater_equal_elem;
        lower => float_lower int_lower, lower_elem => float_lower_elem int_lower_elem;
        lower_equal => float_lower_equal int_lower_equal,
        lower_equal_elem => float_lower_equal_elem int_lower_equal_elem;
    }

    integer_arithmetic! {
        int_add => int_add, int_add_scalar => int_add_scalar;
        int_sub => int_sub, int_sub_scalar => int_sub_scalar;
        int_mul => int_mul, int_mul_scalar => int_mul_scalar;
        int_div => int_div, int_div_scalar => int_div_scalar;
        int_remainder => int_remainder, int_remainder_scalar => int_remainder_scalar;
        int_power => int_powi, int_power_scalar => int_powi_scalar;
        bits_and => bitwise_and, bits_and_scalar => bitwise_and_scalar;
        bits_or => bitwise_or, bits_or_scalar => bitwise_or_scalar;
        bits_xor => bitwise_xor, bits_xor_scalar => bitwise_xor_scalar;
        bits_left => bitwise_left_shift, bits_left_scalar => bitwise_left_shift_scalar;
        bits_right => bitwise_right_shift, bits_right_scalar => bitwise_right_shift_scalar;
    }

    unary! {
        int_neg => int_neg, int_abs => int_abs, int_sign => int_sign, bits_not => bitwise_not,
    }

    along! {
        int_sum => int_sum_dim, int_prod => int_prod_dim, int_mean => int_mean_dim, int_cumsum => int_cumsum,
        int_cumprod => int_cumprod,
    }

    pub fn int_clamp(self, low: Scalar, high: Scalar) -> Self {
        Self(Dispatch::int_clamp(self.0, low, high))
    }

    pub fn int_clamp_min(self, low: Scalar) -> Self {
        Self(Dispatch::int_clamp_min(self.0, low))
    }

    pub fn int_clamp_max(self, high: Scalar) -> Self {
        Self(Dispatch::int_clamp_max(self.0, high))
    }

    pub fn int_matmul(self, other: Self) -> Self {
        Self(Dispatch::int_matmul(self.0, other.0))
    }

    /// The integers 0, 1, … along an axis of the shape.
    pub fn int_positions(axis: usize, shape: &[usize], device: &DispatchDevice, dtype: DType) -> Self {
        let mut thin = vec![1; shape.len()];
        thin[axis] = shape[axis];
        Self(Dispatch::int_arange(0..shape[axis] as i64, device, IntDType::from(dtype))).reshape(&thin).expand(shape)
    }

    /// An integer or boolean array with values written or added where `gather` with the same indices would read; of
    /// booleans the sum is "or".
    pub fn discrete_scatter(self, axis: usize, indices: Self, values: Self, update: IndexingUpdateOp) -> Self {
        if self.dtype().is_bool() {
            return Self(Dispatch::bool_scatter_or(axis, self.0, indices.0, values.0));
        }
        Self(Dispatch::int_scatter(axis, self.0, indices.0, values.0, update))
    }

    /// Whether any element along an axis is true, or not zero.
    pub fn any(self, axis: usize, dtype: BoolDType) -> Self {
        by_kind!(
            self,
            Dispatch::float_any_dim(self.0, axis, dtype),
            Dispatch::int_any_dim(self.0, axis, dtype),
            Dispatch::bool_any_dim(self.0, axis)
        )
    }

    /// Whether all elements along an axis are true, or not zero.
    pub fn all(self, axis: usize, dtype: BoolDType) -> Self {
        by_kind!(
            self,
            Dispatch::float_all_dim(self.0, axis, dtype),
            Dispatch::int_all_dim(self.0, axis, dtype),
            Dispatch::bool_all_dim(self.0, axis)
        )
    }

    pub fn not(self) -> Self {
        Self(Dispatch::bool_not(self.0))
    }

    pub fn and(self, other: Self) -> Self {
        Self(Dispatch::bool_and(self.0, other.0))
    }

    pub fn or(self, other: Self) -> Self {
        Self(Dispatch::bool_or(self.0, other.0))
    }

    pub fn xor(self, other: Self) -> Self {
        Self(Dispatch::bool_xor(self.0, other.0))
    }

    /// The largest elements along an axis, which stays with length one; not below the lowest finite number, so that a
    /// row of −∞ (all of it masked) is shifted by a finite number and does not become NaN.
    pub fn max_along(self, axis: usize) -> Self {
        let lowest = FloatDType::from(self.dtype()).finfo().min;
        Self(Dispatch::float_max_dim(self.0, axis)).clamp(lowest, f64::INFINITY)
    }

    pub fn argmax(self, axis: usize, dtype: DType) -> Self {
        if self.dtype().is_float() {
            return Self(Dispatch::float_argmax(self.0, axis, IntDType::from(dtype)));
        }
        Self(Dispatch::int_argmax(self.0, axis)).cast(dtype)
    }

    pub fn argmin(self, axis: usize, dtype: DType) -> Self {
        if self.dtype().is_float() {
            return Self(Dispatch::float_argmin(self.0, axis, IntDType::from(dtype)));
        }
        Self(Dispatch::int_argmin(self.0, axis)).cast(dtype)
    }

    pub fn argsort(self, axis: usize, descending: bool, dtype: DType) -> Self {
        if self.dtype().is_float() {
            return Self(Dispatch::float_argsort(self.0, axis, descending, IntDType::from(dtype)));
        }
        Self(Dispatch::int_argsort(self.0, axis, descending)).cast(dtype)
    }

    /// Where the largest (or smallest) of the elements so far along an axis is, the last where several are.
    pub fn running_position(self, axis: usize, largest: bool, dtype: DType) -> Self {
        let (device, shape) = (self.device(), self.shape());
        let reached = match (self.dtype().is_float(), largest) {
            (true, true) => Dispatch::float_cummax(self.0.clone(), axis),
            (true, false) => Dispatch::float_cummin(self.0.clone(), axis),
            (false, true) => Dispatch::int_cummax(self.0.clone(), axis),
            (false, false) => Dispatch::int_cummin(self.0.clone(), axis),
        };
        let reaches = self.equal(Self(reached), get_or_init_device_settings::<Dispatch>(&device).bool_dtype);
        let positions = Self::int_positions(axis, &shape, &device, dtype).int_mul(reaches.bool_into_int(dtype));
        Self(Dispatch::int_cummax(positions.0, axis))
    }

    /// Positions of the maxima of a max-pooling, in the flattened `[height · width]` of each channel.
    pub fn max_pool_indices(
        self,
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
        dilation: [usize; 2],
        ceil_mode: bool,
        dtype: DType,
    ) -> Self {
        Self(
            Dispatch::max_pool2d_with_indices(
                self.0,
                kernel,
                stride,
                padding,
                dilation,
                ceil_mode,
                IntDType::from(dtype),
            )
            .indices,
        )
    }

    pub fn int_into_float(self, dtype: DType) -> Self {
        Self(Dispatch::int_into_float(self.0, FloatDType::from(dtype)))
    }

    pub fn float_into_int(self, dtype: DType) -> Self {
        Self(Dispatch::float_into_int(self.0, IntDType::from(dtype)))
    }

    pub fn bool_into_float(self, dtype: DType) -> Self {
        Self(Dispatch::bool_into_float(self.0, FloatDType::from(dtype)))
    }

    pub fn bool_into_int(self, dtype: DType) -> Self {
        Self(Dispatch::bool_into_int(self.0, IntDType::from(dtype)))
    }
}

/// What is made, added to `onto`: in its memory, where that can be done.
fn added(onto: Option<Array>, in_place: impl FnOnce(&mut Array) -> Option<()>, made: impl FnOnce() -> Array) -> Array {
    let Some(mut onto) = onto else { return made() };
    match in_place(&mut onto) {
        Some(()) => onto,
        None => onto.add(made()),
    }
}
