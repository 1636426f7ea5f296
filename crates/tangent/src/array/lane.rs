//! An array in the place of a number: every function of [`Lane`] is an operation of Burn's.

use burn_backend::{Scalar, get_or_init_device_settings};
use burn_dispatch::Dispatch;

use super::storage::Array;
use crate::function::Lane;

macro_rules! unary {
    ($($name:ident)+) => {
        $(fn $name(&self) -> Self { self.clone().$name() })+
    };
}

impl Lane for Array {
    fn like(&self, number: f64) -> Self {
        Self::full(number, &self.shape(), self)
    }

    fn shift(&self, by: f64) -> Self {
        self.clone().shift(by)
    }

    fn scale(&self, by: f64) -> Self {
        self.clone().scale(by)
    }

    fn plus(&self, other: &Self) -> Self {
        self.clone().add(other.clone())
    }

    fn minus(&self, other: &Self) -> Self {
        self.clone().sub(other.clone())
    }

    fn times(&self, other: &Self) -> Self {
        self.clone().mul(other.clone())
    }

    fn where_negative(&self, yes: f64, no: f64) -> Self {
        let dtype = get_or_init_device_settings::<Dispatch>(&self.device()).bool_dtype;
        let mask = self.clone().lower_elem(Scalar::Float(0.0), dtype);
        self.like(no).mask_where(mask, self.like(yes))
    }

    fn equals(&self, other: &Self) -> Self {
        let dtype = get_or_init_device_settings::<Dispatch>(&self.device()).bool_dtype;
        self.like(0.0).mask_where(self.clone().equal(other.clone(), dtype), self.like(1.0))
    }

    fn clamp(&self, low: f64, high: f64) -> Self {
        self.clone().clamp(low, high)
    }

    fn powi(&self, exponent: i64) -> Self {
        self.clone().powi(exponent)
    }

    fn powf(&self, exponent: f64) -> Self {
        self.clone().powf(exponent)
    }

    /// Written out because Burn's own calculates in f32 on ndarray.
    fn sigmoid(&self) -> Self {
        self.clone().neg().exp().shift(1.0).recip()
    }

    unary!(abs sqrt exp ln ln_1p erf sin cos tan sinh cosh tanh asin acos atan asinh acosh atanh);
    unary!(round floor ceil trunc relu sign neg recip);
}
