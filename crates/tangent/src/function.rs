//! Functions of one variable: f, f′ and f″ of each, written once.
//!
//! The table is generic over what is calculated with ([`Lane`]): a number in a loop over the memory of the CPU, or a
//! whole array on any device. A function that is not in it does not exist.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, PI};
use std::fmt;

/// A number, or an array of them: what functions are calculated with.
pub trait Lane: Clone {
    /// A number in the place of every element.
    fn like(&self, number: f64) -> Self;
    fn shift(&self, by: f64) -> Self;
    fn scale(&self, by: f64) -> Self;
    fn plus(&self, other: &Self) -> Self;
    fn minus(&self, other: &Self) -> Self;
    fn times(&self, other: &Self) -> Self;
    fn neg(&self) -> Self;
    fn recip(&self) -> Self;
    fn square(&self) -> Self {
        self.times(self)
    }
    /// The sign, and 0 at 0; NaN stays what it is.
    fn sign(&self) -> Self;
    /// `yes` where it is below 0, else `no`.
    fn where_negative(&self, yes: f64, no: f64) -> Self;
    /// 1 where both are equal, else 0.
    fn equals(&self, other: &Self) -> Self;
    fn clamp(&self, low: f64, high: f64) -> Self;
    fn abs(&self) -> Self;
    fn relu(&self) -> Self;
    fn sqrt(&self) -> Self;
    fn exp(&self) -> Self;
    fn ln(&self) -> Self;
    fn ln_1p(&self) -> Self;
    fn powi(&self, exponent: i64) -> Self;
    fn powf(&self, exponent: f64) -> Self;
    fn erf(&self) -> Self;
    fn sigmoid(&self) -> Self;
    fn sin(&self) -> Self;
    fn cos(&self) -> Self;
    fn tan(&self) -> Self;
    fn sinh(&self) -> Self;
    fn cosh(&self) -> Self;
    fn tanh(&self) -> Self;
    fn asin(&self) -> Self;
    fn acos(&self) -> Self;
    fn atan(&self) -> Self;
    fn asinh(&self) -> Self;
    fn acosh(&self) -> Self;
    fn atanh(&self) -> Self;
    fn round(&self) -> Self;
    fn floor(&self) -> Self;
    fn ceil(&self) -> Self;
    fn trunc(&self) -> Self;
}

/// A function with its derivatives.
pub trait Function: Copy + 'static {
    /// `y = f(x)`.
    fn value<L: Lane>(&self, x: &L) -> L;

    /// `f′(x)`, where y = f(x).
    fn slope<L: Lane>(&self, x: &L, y: &L) -> L;

    /// f, and with `ORDER` 1 f′, with 2 f″ at x.
    fn jet<L: Lane, const ORDER: u8>(&self, x: &L) -> (L, Option<L>, Option<L>);
}

/// What is done with a function, once it is known which.
pub trait Visitor {
    type Output;

    fn function(self, function: impl Function) -> Self::Output;

    fn composite(self, steps: &[Step]) -> Self::Output;
}

/// The table. A row is a name, f as an expression in x, f′ in x and y = f(x), f″ in x, y and s = f′(x); what several of
/// them need stands in front.
macro_rules! functions {
    (
        ($x:ident, $y:ident, $s:ident)
        $(
            $(#[$doc:meta])*
            $name:ident $(($($parameter:ident: $type:ty),+))? $(with $shared:ident = $of:expr)? =>
            $value:expr; $slope:expr; $curvature:expr;
        )+
    ) => {
        /// A function of one variable, applied to every element.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Elementwise {
            $($(#[$doc])* $name $(($($type),+))?,)+
            /// A straight-line program of the functions above, sums and products in one variable, which is register 0.
            Composite(Vec<Step>),
        }

        impl Elementwise {
            /// Hands the function over as what it is.
            pub fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
                match self {
                    $(Self::$name $(($($parameter),+))? => visitor.function($name $(($(*$parameter),+))?),)+
                    Self::Composite(steps) => visitor.composite(steps),
                }
            }
        }

        $(
            $(#[$doc])*
            #[derive(Clone, Copy)]
            pub struct $name $(($(pub $type),+))?;

            impl Function for $name {
                #[inline(always)]
                fn value<L: Lane>(&self, $x: &L) -> L {
                    let Self $(($($parameter),+))? = *self;
                    $(let $shared = $of;)?
                    $value
                }

                #[inline(always)]
                #[allow(unused_variables, reason = "not every slope needs all of them")]
                fn slope<L: Lane>(&self, $x: &L, $y: &L) -> L {
                    let Self $(($($parameter),+))? = *self;
                    $(let $shared = $of;)?
                    $slope
                }

                #[inline(always)]
                #[allow(unused_variables, reason = "not every derivative needs all of them")]
                fn jet<L: Lane, const ORDER: u8>(&self, $x: &L) -> (L, Option<L>, Option<L>) {
                    let Self $(($($parameter),+))? = *self;
                    $(let $shared = $of;)?
                    let $y = &$value;
                    if ORDER == 0 {
                        return ($y.clone(), None, None);
                    }
                    let $s = &$slope;
                    let curvature = (ORDER == 2).then(|| $curvature);
                    ($y.clone(), Some($s.clone()), curvature)
                }
            }
        )+
    };
}

functions! {
    (x, y, s)
    /// `x + c`.
    Shift(c: f64) => x.shift(c); x.like(1.0); x.like(0.0);
    /// `c x`.
    Scale(c: f64) => x.scale(c); x.like(c); x.like(0.0);
    /// `|x|`, with slope 0 at 0.
    Abs => x.abs(); x.sign(); x.like(0.0);
    /// `1/x`.
    Recip => x.recip(); y.square().neg(); y.times(s).scale(-2.0);
    /// `√x`.
    Sqrt => x.sqrt(); y.recip().scale(0.5); s.square().times(s).scale(-2.0);
    /// `eˣ`.
    Exp => x.exp(); y.clone(); y.clone();
    /// `ln x`.
    Ln => x.ln(); x.recip(); s.square().neg();
    /// `ln(1 + x)`.
    Ln1p => x.ln_1p(); x.shift(1.0).recip(); s.square().neg();
    /// `xⁿ`, exact also where x is zero.
    Powi(n: i64) => power(x, n); monomial(x, n as f64, n - 1); monomial(x, n as f64 * (n as f64 - 1.0), n - 2);
    /// `xᵖ` for `x > 0`.
    Powf(p: f64) => x.powf(p); x.powf(p - 1.0).scale(p); x.powf(p - 2.0).scale(p * (p - 1.0));
    /// `min(max(x, low), high)`, with slope 1 at the bounds.
    Clamp(low: f64, high: f64) => x.clamp(low, high); x.equals(y); x.like(0.0);
    /// The error function.
    Erf => x.erf(); x.square().neg().exp().scale(FRAC_2_SQRT_PI); x.times(s).scale(-2.0);
    /// `sin x`.
    Sin => x.sin(); x.cos(); y.neg();
    /// `cos x`.
    Cos => x.cos(); x.sin().neg(); y.neg();
    /// `tan x`.
    Tan => x.tan(); y.square().shift(1.0); y.times(s).scale(2.0);
    /// `sinh x`.
    Sinh => x.sinh(); x.cosh(); y.clone();
    /// `cosh x`.
    Cosh => x.cosh(); x.sinh(); y.clone();
    /// `tanh x`.
    Tanh => x.tanh(); y.square().neg().shift(1.0); y.times(s).scale(-2.0);
    /// `arcsin x`.
    Asin => x.asin(); x.square().neg().shift(1.0).sqrt().recip(); x.times(s).times(s).times(s);
    /// `arccos x`.
    Acos => x.acos(); x.square().neg().shift(1.0).sqrt().recip().neg(); x.times(s).times(s).times(s);
    /// `arctan x`.
    Atan => x.atan(); x.square().shift(1.0).recip(); x.times(s).times(s).scale(-2.0);
    /// `arsinh x`.
    Asinh => x.asinh(); x.square().shift(1.0).sqrt().recip(); x.times(s).times(s).times(s).neg();
    /// `arcosh x`.
    Acosh => x.acosh(); x.square().shift(-1.0).sqrt().recip(); x.times(s).times(s).times(s).neg();
    /// `artanh x`.
    Atanh => x.atanh(); x.square().neg().shift(1.0).recip(); x.times(s).times(s).scale(2.0);
    /// `max(x, 0)`, with slope 0 at 0.
    Relu => x.relu(); x.neg().where_negative(1.0, 0.0); x.like(0.0);
    /// `x` where `x ≥ 0`, else `c x`.
    LeakyRelu(c: f64) => x.times(&x.where_negative(c, 1.0)); x.where_negative(c, 1.0); x.like(0.0);
    /// `x Φ(x)`, Φ the normal distribution function.
    Gelu with phi = normal_distribution(x) =>
        x.times(&phi); phi.plus(&x.times(&normal_density(x))); normal_density(x).times(&x.square().neg().shift(2.0));
    /// `1/(1 + e⁻ˣ)`.
    Sigmoid => x.sigmoid(); y.times(&y.neg().shift(1.0)); y.scale(-2.0).shift(1.0).times(s);
    /// `−ln(1 + e⁻ˣ)`.
    LogSigmoid =>
        x.neg().relu().neg().minus(&x.abs().neg().exp().ln_1p()); x.neg().sigmoid(); s.times(&s.shift(-1.0));
    /// `sign x`: slope 0 everywhere.
    Sign => x.sign(); x.like(0.0); x.like(0.0);
    /// Nearest integer: slope 0 everywhere.
    Round => x.round(); x.like(0.0); x.like(0.0);
    /// Largest integer below: slope 0 everywhere.
    Floor => x.floor(); x.like(0.0); x.like(0.0);
    /// Smallest integer above: slope 0 everywhere.
    Ceil => x.ceil(); x.like(0.0); x.like(0.0);
    /// Integer part: slope 0 everywhere.
    Trunc => x.trunc(); x.like(0.0); x.like(0.0);
}

/// `xⁿ`.
#[inline(always)]
fn power<L: Lane>(x: &L, n: i64) -> L {
    match n {
        0 => x.like(1.0),
        1 => x.clone(),
        2 => x.square(),
        _ => x.powi(n),
    }
}

/// `c xⁿ`; a factor of zero makes zero of any power, infinite or not.
#[inline(always)]
fn monomial<L: Lane>(x: &L, factor: f64, n: i64) -> L {
    match n {
        _ if factor == 0.0 => x.like(0.0),
        0 => x.like(factor),
        _ => power(x, n).scale(factor),
    }
}

/// Φ.
fn normal_distribution<L: Lane>(x: &L) -> L {
    x.scale(FRAC_1_SQRT_2).erf().shift(1.0).scale(0.5)
}

/// Φ′.
fn normal_density<L: Lane>(x: &L) -> L {
    x.square().scale(-0.5).exp().scale((2.0 * PI).sqrt().recip())
}

/// One step of a composite function; it writes the next register.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A function of a register.
    Apply(Elementwise, usize),
    /// The sum of two registers.
    Add(usize, usize),
    /// The difference of two registers.
    Subtract(usize, usize),
    /// The product of two registers.
    Multiply(usize, usize),
}

/// How many derivatives are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// The value alone.
    Value,
    /// The value and f′: what `push` and `pull` need.
    First,
    /// The value, f′ and f″: what `bend` needs too.
    Second,
}

impl Elementwise {
    /// Whether the slope is one number, which takes no memory.
    pub fn is_linear(&self) -> bool {
        match self {
            Self::Shift(_) | Self::Scale(_) | Self::Powi(1) => true,
            Self::Sign | Self::Round | Self::Floor | Self::Ceil | Self::Trunc => true,
            Self::Composite(steps) => steps.iter().all(|step| match step {
                Step::Apply(function, _) => function.is_linear(),
                Step::Add(..) | Step::Subtract(..) => true,
                Step::Multiply(..) => false,
            }),
            _ => false,
        }
    }

    /// f′, where it is one number.
    pub fn constant_slope(&self) -> Option<f64> {
        match self {
            Self::Shift(_) | Self::Powi(1) => Some(1.0),
            Self::Scale(factor) => Some(*factor),
            Self::Sign | Self::Round | Self::Floor | Self::Ceil | Self::Trunc => Some(0.0),
            _ => None,
        }
    }

    /// Whether f″ is zero everywhere.
    pub fn is_piecewise_linear(&self) -> bool {
        match self {
            Self::Relu | Self::LeakyRelu(_) | Self::Abs | Self::Clamp(..) => true,
            Self::Composite(steps) => steps.iter().all(|step| match step {
                Step::Apply(function, _) => function.is_piecewise_linear(),
                Step::Add(..) | Step::Subtract(..) => true,
                Step::Multiply(..) => false,
            }),
            _ => self.is_linear(),
        }
    }

    /// Whether f′ is a simple function of the value: it need not be kept then.
    pub fn has_slope_of_value(&self) -> bool {
        matches!(self, Self::Exp | Self::Tanh | Self::Sigmoid | Self::Relu)
    }
}

impl Step {
    pub fn reads(&self, register: usize) -> bool {
        match self {
            Self::Apply(_, x) => *x == register,
            Self::Add(a, b) | Self::Subtract(a, b) | Self::Multiply(a, b) => *a == register || *b == register,
        }
    }
}

impl fmt::Display for Elementwise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shift(c) => write!(f, "shift[{c}]"),
            Self::Scale(c) => write!(f, "scale[{c}]"),
            Self::Powi(n) => write!(f, "power[{n}]"),
            Self::Powf(p) => write!(f, "power[{p}]"),
            Self::Clamp(low, high) => write!(f, "clamp[{low}, {high}]"),
            Self::LeakyRelu(c) => write!(f, "leaky_relu[{c}]"),
            Self::Composite(steps) => {
                write!(f, "composite[")?;
                for (register, step) in steps.iter().enumerate() {
                    let separator = if register == 0 { "" } else { "; " };
                    match step {
                        Step::Apply(function, a) => write!(f, "{separator}{function} {a}")?,
                        Step::Add(a, b) => write!(f, "{separator}{a} + {b}")?,
                        Step::Subtract(a, b) => write!(f, "{separator}{a} - {b}")?,
                        Step::Multiply(a, b) => write!(f, "{separator}{a} * {b}")?,
                    }
                }
                write!(f, "]")
            }
            Self::Ln1p => write!(f, "ln_1p"),
            Self::LogSigmoid => write!(f, "log_sigmoid"),
            simple => write!(f, "{}", format!("{simple:?}").to_lowercase()),
        }
    }
}
