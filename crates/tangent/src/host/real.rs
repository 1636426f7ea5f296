//! The float types of the kernels.

use std::cell::Cell;
use std::ops::{Add, Div, Mul, Neg, Sub};
use std::thread::LocalKey;

use burn_backend::Element;

use super::space::Space;
use super::vector::Vectors;
use crate::function::Lane;

/// f32 or f64. Of their functions `exp`, `tanh`, `sigmoid` and what is simpler are free of calls and branches, so that
/// loops over them are vectorized.
///
/// `eˣ`: `x = n ln 2 + r` with `|r| ≤ ln 2 / 2`, and Taylor's polynomial of `eʳ`, whose remainder is a tenth of a
/// rounding (f32: degree 7, 5e-9; f64: degree 13, 4e-18). `2ⁿ` is put together from its exponent in two factors, so
/// that results below the normal range are right as well. `tanh x = 1 − 2/(e^{2x} + 1)`, whose error is that of one
/// rounding near 1.
pub trait Real:
    Element
    + Vectors
    + faer::traits::RealField
    + Lane
    + Copy
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    const ZERO: Self;
    const ONE: Self;
    /// The lowest finite number.
    const LOWEST: Self;

    fn of(number: f64) -> Self;

    /// Memory of this thread.
    fn space() -> &'static LocalKey<Cell<Space<Self>>>;
}

/// Runs the expression for the element type of host memory, `None` for a type without kernels.
macro_rules! by_type {
    ($dtype:expr, $type:ident => $body:expr) => {
        match $dtype {
            burn::tensor::DType::F32 => {
                type $type = f32;
                $body
            }
            burn::tensor::DType::F64 => {
                type $type = f64;
                $body
            }
            _ => None,
        }
    };
}
pub(crate) use by_type;

macro_rules! real {
    (
        $type:ident, $signed:ident, $unsigned:ident,
        magic $magic:expr, range $low:expr, $high:expr,
        ln 2 $ln2_high:expr, $ln2_low:expr, coefficients $coefficients:expr,
        erf $inner:expr, $outer:expr, one from $beyond:expr
    ) => {
        impl Real for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const LOWEST: Self = $type::MIN;

            #[inline(always)]
            fn of(number: f64) -> Self {
                number as Self
            }

            fn space() -> &'static LocalKey<Cell<Space<Self>>> {
                thread_local!(static SPACE: Cell<Space<$type>> = Cell::default());
                &SPACE
            }
        }

        impl Lane for $type {
            #[inline(always)]
            fn like(&self, number: f64) -> Self {
                number as Self
            }
            #[inline(always)]
            fn shift(&self, by: f64) -> Self {
                *self + by as Self
            }
            #[inline(always)]
            fn scale(&self, by: f64) -> Self {
                *self * by as Self
            }
            #[inline(always)]
            fn plus(&self, other: &Self) -> Self {
                *self + *other
            }
            #[inline(always)]
            fn minus(&self, other: &Self) -> Self {
                *self - *other
            }
            #[inline(always)]
            fn times(&self, other: &Self) -> Self {
                *self * *other
            }
            #[inline(always)]
            fn neg(&self) -> Self {
                -*self
            }
            #[inline(always)]
            fn recip(&self) -> Self {
                1.0 / *self
            }
            #[inline(always)]
            fn sign(&self) -> Self {
                if *self > 0.0 {
                    1.0
                } else if *self < 0.0 {
                    -1.0
                } else {
                    *self * 0.0
                }
            }
            #[inline(always)]
            fn where_negative(&self, yes: f64, no: f64) -> Self {
                if *self < 0.0 { yes as Self } else { no as Self }
            }
            #[inline(always)]
            fn equals(&self, other: &Self) -> Self {
                if *self == *other { 1.0 } else { 0.0 }
            }
            #[inline(always)]
            fn clamp(&self, low: f64, high: f64) -> Self {
                // Comparisons that let NaN through.
                let (low, high) = (low as Self, high as Self);
                if *self < low {
                    low
                } else if *self > high {
                    high
                } else {
                    *self
                }
            }
            #[inline(always)]
            fn abs(&self) -> Self {
                $type::abs(*self)
            }
            #[inline(always)]
            fn relu(&self) -> Self {
                // NaN stays what it is.
                if *self < 0.0 { 0.0 } else { *self }
            }
            #[inline(always)]
            fn sqrt(&self) -> Self {
                $type::sqrt(*self)
            }
            #[inline(always)]
            fn exp(&self) -> Self {
                const MANTISSA: u32 = $type::MANTISSA_DIGITS - 1;
                const BIAS: $signed = $type::MAX_EXP as $signed - 1;
                // Comparisons that let NaN through.
                let x = if *self > $high { $high } else { *self };
                let x = if x < $low { $low } else { x };
                // A number so large that its last digit is a one rounds what is added to it.
                let shifted = x.mul_add(std::$type::consts::LOG2_E, $magic);
                let n = shifted - $magic;
                let r = n.mul_add(-$ln2_low, n.mul_add(-$ln2_high, x));
                let mut polynomial: $type = 0.0;
                for coefficient in $coefficients {
                    polynomial = polynomial.mul_add(r, coefficient);
                }
                let n = (shifted.to_bits() as $signed).wrapping_sub(($magic as $type).to_bits() as $signed);
                let half = n >> 1;
                let power = |n: $signed| $type::from_bits((n.wrapping_add(BIAS) as $unsigned) << MANTISSA);
                polynomial * power(half) * power(n.wrapping_sub(half))
            }

            #[inline(always)]
            fn tanh(&self) -> Self {
                // e^{2x} may overflow: tanh is then 1, as it should be.
                1.0 - 2.0 / (Lane::exp(&(*self + *self)) + 1.0)
            }
            #[inline(always)]
            fn sigmoid(&self) -> Self {
                1.0 / (1.0 + Lane::exp(&-*self))
            }
            /// Without branches, so that it is taken of vectors: `x P(x²)` up to 1, `1 − e^{−x²} Q(1/(1 + x/2) − 0.45)`
            /// beyond. tests/reference/erf.py makes P and Q.
            #[inline(always)]
            fn erf(&self) -> Self {
                let polynomial = |coefficients: &[$type], x: $type| {
                    coefficients.iter().fold(0.0, |sum: $type, coefficient| sum.mul_add(x, *coefficient))
                };
                let x = self.abs();
                let near = x * polynomial(&$inner, x * x);
                // A comparison that lets NaN through.
                let far = if x > $beyond { $beyond } else { x };
                let tail = polynomial(&$outer, 1.0 / far.mul_add(0.5, 1.0) - 0.45);
                let far = 1.0 - Lane::exp(&-(far * far)) * tail;
                let y: $type = if x < 1.0 { near } else { far };
                y.copysign(*self)
            }
            fn powi(&self, exponent: i64) -> Self {
                i32::try_from(exponent)
                    .map_or_else(|_| $type::powf(*self, exponent as Self), |n| $type::powi(*self, n))
            }
            fn powf(&self, exponent: f64) -> Self {
                $type::powf(*self, exponent as Self)
            }
            fn round(&self) -> Self {
                self.round_ties_even()
            }
            real!(@plain $type ln ln_1p sin cos tan sinh cosh asin acos atan asinh acosh atanh floor ceil trunc);
        }
    };
    (@plain $type:ident $($name:ident)+) => {
        $(fn $name(&self) -> Self { $type::$name(*self) })+
    };
}

real!(
    f32, i32, u32,
    magic 12_582_912.0, range -104.0, 89.0, ln 2 0.693_359_4, -2.121_944_4e-4,
    coefficients [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0],
    erf [
        7.875_875e-5, -8.016_864_3e-4, 5.189_087_4e-3, -2.685_421_2e-2, 0.112_835_95, -0.376_126_27,
        std::f32::consts::FRAC_2_SQRT_PI,
    ],
    [
        0.120_852_43, -9.584_011e-2, -0.201_428_09, 0.113_136_56, 0.614_449_74, 0.873_028_3, 0.762_410_4, 0.215_015_14,
    ],
    one from 4.0
);
real!(
    f64, i64, u64,
    magic 6_755_399_441_055_744.0, range -746.0, 710.0, ln 2 6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10,
    coefficients [
        1.0 / 6_227_020_800.0, 1.0 / 479_001_600.0, 1.0 / 39_916_800.0, 1.0 / 3_628_800.0, 1.0 / 362_880.0,
        1.0 / 40_320.0, 1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0,
    ],
    erf [
        5.957_176_147_748_911e-11, -1.137_284_885_679_166_8e-9, 1.465_977_527_404_743_6e-8,
        -1.635_031_270_105_469_5e-7, 1.646_100_048_412_136_8e-6, -1.492_559_526_683_118_2e-5,
        1.205_533_111_164_271e-4, -8.548_326_980_833_79e-4, 5.223_977_624_818_014_5e-3,
        -2.686_617_064_507_679_3e-2, 0.112_837_916_709_548_79, -0.376_126_389_031_837_5,
        std::f64::consts::FRAC_2_SQRT_PI,
    ],
    [
        5.525_079_397_811_252e-2, -8.184_600_099_462_14e-2, 8.088_286_616_576_957e-3, 7.587_377_695_515_281e-2,
        -6.173_580_733_246_458e-2, -3.398_209_790_211_036e-2, 8.549_107_964_649_008e-2, -1.149_277_480_413_468_2e-2,
        -9.411_858_520_944_338e-2, 5.315_968_036_035_092e-2, 0.112_905_788_310_374_25, -9.646_382_049_339_788e-2,
        -0.201_204_871_019_368_7, 0.113_131_391_633_716_97, 0.614_448_146_763_496_9, 0.873_028_372_109_529_7,
        0.762_410_386_694_208_3, 0.215_015_137_249_648_1,
    ],
    one from 6.0
);

#[cfg(test)]
mod tests {
    use crate::function::Lane;

    /// Against libm's, absolutely: what is near ±1 cannot be nearer than its last digit.
    #[test]
    fn error_function() {
        let (mut worst_f32, mut worst_f64) = (0.0f64, 0.0f64);
        for step in -100_000..=100_000 {
            let x = f64::from(step) * 7e-5;
            let narrow = x as f32;
            worst_f64 = worst_f64.max((Lane::erf(&x) - libm::erf(x)).abs());
            worst_f32 = worst_f32.max((f64::from(Lane::erf(&narrow)) - libm::erf(f64::from(narrow))).abs());
        }
        assert!(
            worst_f64 < 4.0 * f64::EPSILON && worst_f32 < 2.0 * f64::from(f32::EPSILON),
            "{worst_f64:e} {worst_f32:e}"
        );
        // Near zero it is exact relatively, too.
        assert!((Lane::erf(&1e-200) / libm::erf(1e-200) - 1.0).abs() < 4.0 * f64::EPSILON);
        assert_eq!((Lane::erf(&f64::INFINITY), Lane::erf(&f32::NEG_INFINITY)), (1.0, -1.0));
        assert!(Lane::erf(&f64::NAN).is_nan() && Lane::erf(&f32::NAN).is_nan());
    }

    /// Against the standard library's, over the whole range and at its ends.
    #[test]
    fn exponential() {
        let (mut worst_f32, mut worst_f64) = (0.0f64, 0.0f64);
        for step in -100_000..100_000 {
            let x = f64::from(step) * 0.00087;
            let single = x as f32;
            let exact = f64::from(single).exp();
            worst_f32 =
                worst_f32.max((f64::from(Lane::exp(&single)) - exact).abs() / exact.max(f64::from(f32::MIN_POSITIVE)));
            let x = 8.1 * x;
            worst_f64 = worst_f64.max((Lane::exp(&x) - f64::exp(x)).abs() / f64::exp(x).max(f64::MIN_POSITIVE));
        }
        assert!(worst_f32 < 2.0 * f64::from(f32::EPSILON), "{worst_f32:e}");
        assert!(worst_f64 < 2.0 * f64::EPSILON, "{worst_f64:e}");
        for (x, exact) in [
            (0.0, 1.0),
            (f32::INFINITY, f32::INFINITY),
            (f32::NEG_INFINITY, 0.0),
            (200.0, f32::INFINITY),
            (-200.0, 0.0),
        ] {
            assert_eq!(Lane::exp(&x), exact);
            assert_eq!(Lane::exp(&(5.0 * f64::from(x))), f64::from(exact));
        }
        assert!(Lane::exp(&f32::NAN).is_nan() && Lane::exp(&f64::NAN).is_nan());
        // Below the normal range.
        assert_eq!(Lane::exp(&-740.0f64), (-740.0f64).exp());
    }
}
