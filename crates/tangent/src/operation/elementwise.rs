//! Elementwise functions: `y_i = f(x_i)`, given by `f`, `f′` and `f″`.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, PI};
use std::fmt;

use crate::array::Array;

/// A function of one variable, applied to every element.
#[derive(Clone, Debug, PartialEq)]
pub enum Elementwise {
    /// `x + c`.
    Shift(f64),
    /// `c x`.
    Scale(f64),
    /// `|x|`, with slope 0 at 0.
    Abs,
    /// `1/x`.
    Recip,
    /// `√x`.
    Sqrt,
    /// `eˣ`.
    Exp,
    /// `ln x`.
    Ln,
    /// `ln(1 + x)`.
    Ln1p,
    /// `xⁿ`.
    Powi(i64),
    /// `xᵖ` for `x > 0`.
    Powf(f64),
    /// `min(max(x, low), high)`, with slope 1 at the bounds.
    Clamp(f64, f64),
    /// The error function.
    Erf,
    /// `sin x`.
    Sin,
    /// `cos x`.
    Cos,
    /// `tan x`.
    Tan,
    /// `sinh x`.
    Sinh,
    /// `cosh x`.
    Cosh,
    /// `tanh x`.
    Tanh,
    /// `arcsin x`.
    Asin,
    /// `arccos x`.
    Acos,
    /// `arctan x`.
    Atan,
    /// `arsinh x`.
    Asinh,
    /// `arcosh x`.
    Acosh,
    /// `artanh x`.
    Atanh,
    /// `max(x, 0)`, with slope 0 at 0.
    Relu,
    /// `x` where `x ≥ 0`, else `c x`.
    LeakyRelu(f64),
    /// `x Φ(x)`, Φ the normal distribution function.
    Gelu,
    /// `1/(1 + e⁻ˣ)`.
    Sigmoid,
    /// `−ln(1 + e⁻ˣ)`.
    LogSigmoid,
    /// `sign x`: slope 0 everywhere.
    Sign,
    /// Nearest integer: slope 0 everywhere.
    Round,
    /// Largest integer below: slope 0 everywhere.
    Floor,
    /// Smallest integer above: slope 0 everywhere.
    Ceil,
    /// Integer part: slope 0 everywhere.
    Trunc,
    /// A straight-line program of the functions above, sums and products in one variable, which is register 0.
    Composite(Vec<Step>),
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

/// An array of factors, or one factor for all elements: linear functions take no memory.
#[derive(Clone, Debug)]
pub enum Coefficient {
    /// The same for every element.
    Number(f64),
    /// One for each element.
    Array(Array),
}

/// A function's value and derivatives at every element. Derivatives beyond the order asked for are zero.
pub struct Jet {
    pub value: Array,
    pub slope: Coefficient,
    pub curvature: Coefficient,
}

impl Coefficient {
    pub const ZERO: Self = Self::Number(0.0);

    pub fn is_zero(&self) -> bool {
        matches!(self, Self::Number(number) if *number == 0.0)
    }

    pub fn multiply(self, other: Self) -> Self {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => Self::Number(a * b),
            (Self::Number(a), Self::Array(b)) | (Self::Array(b), Self::Number(a)) => Self::Array(b).scaled(a),
            (Self::Array(a), Self::Array(b)) => Self::Array(a.mul(b)),
        }
    }

    pub fn add(self, other: Self) -> Self {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => Self::Number(a + b),
            (Self::Number(a), Self::Array(b)) | (Self::Array(b), Self::Number(a)) if a == 0.0 => Self::Array(b),
            (Self::Number(a), Self::Array(b)) | (Self::Array(b), Self::Number(a)) => Self::Array(b.shift(a)),
            (Self::Array(a), Self::Array(b)) => Self::Array(a.add(b)),
        }
    }

    pub fn scaled(self, by: f64) -> Self {
        match self {
            Self::Number(number) => Self::Number(number * by),
            Self::Array(_) if by == 0.0 => Self::ZERO,
            Self::Array(array) if by == 1.0 => Self::Array(array),
            Self::Array(array) => Self::Array(array.scale(by)),
        }
    }
}

impl Elementwise {
    /// Value and derivatives at `x`.
    pub fn jet(&self, x: Array, order: Order) -> Jet {
        use Coefficient::Number;
        if !self.is_linear()
            && let Some(jet) = x.jet_on_host(self, order)
        {
            return jet;
        }
        match self {
            Self::Shift(c) => Jet { value: x.shift(*c), slope: Number(1.0), curvature: Coefficient::ZERO },
            Self::Scale(c) => Jet { value: x.scale(*c), slope: Number(*c), curvature: Coefficient::ZERO },
            Self::Sign => constant(x.sign()),
            Self::Round => constant(x.round()),
            Self::Floor => constant(x.floor()),
            Self::Ceil => constant(x.ceil()),
            Self::Trunc => constant(x.trunc()),
            Self::Powi(n) => power(&x, *n, order),
            Self::Composite(steps) => composite(steps, x, order),
            Self::Relu => piecewise(x.clone().relu(), order, || x.sign().relu()),
            Self::LeakyRelu(c) => {
                let value = x.clone().relu().sub(x.clone().neg().relu().scale(*c));
                piecewise(value, order, || x.sign().neg().relu().scale(c - 1.0).shift(1.0))
            }
            Self::Abs => piecewise(x.clone().abs(), order, || x.sign()),
            Self::Clamp(low, high) => {
                let value = x.clone().clamp(*low, *high);
                piecewise(value.clone(), order, || x.sub(value).sign().abs().neg().shift(1.0))
            }
            _ => self.smooth(x, order),
        }
    }

    /// Whether the slope is one number, which takes no memory.
    fn is_linear(&self) -> bool {
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

    /// The functions with derivatives of all orders.
    fn smooth(&self, x: Array, order: Order) -> Jet {
        let square = |a: &Array| a.clone().square();
        let cube = |a: &Array| a.clone().square().mul(a.clone());
        let (at, at_too) = (x.clone(), x.clone());
        match self {
            Self::Recip => smooth(x.recip(), order, |y| square(y).neg(), |y, s| y.clone().mul(s.clone()).scale(-2.0)),
            Self::Sqrt => smooth(x.sqrt(), order, |y| y.clone().recip().scale(0.5), |_, s| cube(s).scale(-2.0)),
            Self::Exp => smooth(x.exp(), order, Array::clone, |y, _| y.clone()),
            Self::Ln => smooth(x.ln(), order, |_| at.recip(), |_, s| square(s).neg()),
            Self::Ln1p => smooth(x.ln_1p(), order, |_| at.shift(1.0).recip(), |_, s| square(s).neg()),
            Self::Powf(p) => smooth(
                x.powf(*p),
                order,
                |_| at.powf(p - 1.0).scale(*p),
                |_, _| at_too.powf(p - 2.0).scale(p * (p - 1.0)),
            ),
            Self::Erf => smooth(
                x.erf(),
                order,
                |_| at.square().neg().exp().scale(FRAC_2_SQRT_PI),
                |_, s| at_too.mul(s.clone()).scale(-2.0),
            ),
            Self::Sin => smooth(x.sin(), order, |_| at.cos(), |y, _| y.clone().neg()),
            Self::Cos => smooth(x.cos(), order, |_| at.sin().neg(), |y, _| y.clone().neg()),
            Self::Tan => smooth(x.tan(), order, |y| square(y).shift(1.0), |y, s| y.clone().mul(s.clone()).scale(2.0)),
            Self::Sinh => smooth(x.sinh(), order, |_| at.cosh(), |y, _| y.clone()),
            Self::Cosh => smooth(x.cosh(), order, |_| at.sinh(), |y, _| y.clone()),
            Self::Tanh => {
                smooth(x.tanh(), order, |y| square(y).neg().shift(1.0), |y, s| y.clone().mul(s.clone()).scale(-2.0))
            }
            Self::Asin => {
                smooth(x.asin(), order, |_| at.square().neg().shift(1.0).sqrt().recip(), |_, s| at_too.mul(cube(s)))
            }
            Self::Acos => smooth(
                x.acos(),
                order,
                |_| at.square().neg().shift(1.0).sqrt().recip().neg(),
                |_, s| at_too.mul(cube(s)),
            ),
            Self::Atan => {
                smooth(x.atan(), order, |_| at.square().shift(1.0).recip(), |_, s| at_too.mul(square(s)).scale(-2.0))
            }
            Self::Asinh => {
                smooth(x.asinh(), order, |_| at.square().shift(1.0).sqrt().recip(), |_, s| at_too.mul(cube(s)).neg())
            }
            Self::Acosh => {
                smooth(x.acosh(), order, |_| at.square().shift(-1.0).sqrt().recip(), |_, s| at_too.mul(cube(s)).neg())
            }
            Self::Atanh => smooth(
                x.atanh(),
                order,
                |_| at.square().neg().shift(1.0).recip(),
                |_, s| at_too.mul(square(s)).scale(2.0),
            ),
            Self::Gelu => {
                let distribution = x.clone().scale(FRAC_1_SQRT_2).erf().shift(1.0).scale(0.5);
                let density = |x: Array| x.square().scale(-0.5).exp().scale((2.0 * PI).sqrt().recip());
                smooth(
                    x.mul(distribution.clone()),
                    order,
                    |_| distribution.add(density(at.clone()).mul(at)),
                    |_, _| density(at_too.clone()).mul(at_too.square().neg().shift(2.0)),
                )
            }
            Self::Sigmoid => smooth(
                sigmoid(x),
                order,
                |y| y.clone().mul(y.clone().neg().shift(1.0)),
                |y, s| y.clone().scale(-2.0).shift(1.0).mul(s.clone()),
            ),
            Self::LogSigmoid => {
                let tail = x.clone().abs().neg().exp().ln_1p();
                smooth(
                    x.neg().relu().neg().sub(tail),
                    order,
                    |_| sigmoid(at.neg()),
                    |_, s| s.clone().mul(s.clone().shift(-1.0)),
                )
            }
            _ => unreachable!("the other functions are handled by their caller"),
        }
    }
}

/// `1/(1 + e⁻ˣ)`, written out because Burn's own calculates in f32 on ndarray.
fn sigmoid(x: Array) -> Array {
    x.neg().exp().shift(1.0).recip()
}

/// A jet from the rules for f′ (given y) and f″ (given y and f′).
fn smooth(
    value: Array,
    order: Order,
    slope: impl FnOnce(&Array) -> Array,
    curvature: impl FnOnce(&Array, &Array) -> Array,
) -> Jet {
    if order == Order::Value {
        return constant(value);
    }
    let slope = slope(&value);
    let curvature = match order {
        Order::Second => Coefficient::Array(curvature(&value, &slope)),
        _ => Coefficient::ZERO,
    };
    Jet { value, slope: Coefficient::Array(slope), curvature }
}

/// A jet with zero second derivative.
fn piecewise(value: Array, order: Order, slope: impl FnOnce() -> Array) -> Jet {
    let slope = if order == Order::Value { Coefficient::ZERO } else { Coefficient::Array(slope()) };
    Jet { value, slope, curvature: Coefficient::ZERO }
}

fn constant(value: Array) -> Jet {
    Jet { value, slope: Coefficient::ZERO, curvature: Coefficient::ZERO }
}

/// `xⁿ`, exact also where x is zero.
fn power(x: &Array, n: i64, order: Order) -> Jet {
    let monomial = |factor: f64, exponent: i64| match exponent {
        _ if factor == 0.0 => Coefficient::ZERO,
        0 => Coefficient::Number(factor),
        1 => Coefficient::Array(x.clone()).scaled(factor),
        2 => Coefficient::Array(x.clone().square()).scaled(factor),
        _ => Coefficient::Array(x.clone().powi(exponent)).scaled(factor),
    };
    let degree = n as f64;
    let slope = if order >= Order::First { monomial(degree, n - 1) } else { Coefficient::ZERO };
    let curvature = if order == Order::Second { monomial(degree * (degree - 1.0), n - 2) } else { Coefficient::ZERO };
    let value = match n {
        1 => x.clone(),
        2 => x.clone().square(),
        _ => x.clone().powi(n),
    };
    Jet { value, slope, curvature }
}

/// Second-order jets through a straight-line program: the chain rule `(f∘g)′ = f′ g′`, `(f∘g)″ = f″ g′² + f′ g″`, and
/// the rules for sums and products.
fn composite(steps: &[Step], x: Array, order: Order) -> Jet {
    let slope = if order == Order::Value { 0.0 } else { 1.0 };
    let variable = Jet { value: x, slope: Coefficient::Number(slope), curvature: Coefficient::ZERO };
    let mut registers = vec![Some(variable)];
    for (at, step) in steps.iter().enumerate() {
        let jet = {
            let register = |index: usize| {
                let Some(jet) = &registers[index] else { unreachable!("a register is kept until its last use") };
                jet
            };
            match step {
                Step::Apply(function, x) => chained(function, register(*x), order),
                Step::Add(a, b) => sum(register(*a), register(*b), 1.0),
                Step::Subtract(a, b) => sum(register(*a), register(*b), -1.0),
                Step::Multiply(a, b) => product(register(*a), register(*b), order),
            }
        };
        registers.push(Some(jet));
        for (index, register) in registers.iter_mut().enumerate().take(at + 1) {
            if steps[at + 1..].iter().all(|later| !later.reads(index)) {
                *register = None;
            }
        }
    }
    let Some(last) = registers.pop().flatten() else { unreachable!("the last register is the result") };
    last
}

/// `f(g)`.
fn chained(function: &Elementwise, inner: &Jet, order: Order) -> Jet {
    let outer = function.jet(inner.value.clone(), order);
    let curvature = match order {
        Order::Second => {
            let squared = inner.slope.clone().multiply(inner.slope.clone());
            outer.curvature.multiply(squared).add(outer.slope.clone().multiply(inner.curvature.clone()))
        }
        _ => Coefficient::ZERO,
    };
    Jet { value: outer.value, slope: outer.slope.multiply(inner.slope.clone()), curvature }
}

/// `a + sign b`.
fn sum(a: &Jet, b: &Jet, sign: f64) -> Jet {
    let (left, right) = (a.value.clone(), b.value.clone());
    Jet {
        value: if sign > 0.0 { left.add(right) } else { left.sub(right) },
        slope: a.slope.clone().add(b.slope.clone().scaled(sign)),
        curvature: a.curvature.clone().add(b.curvature.clone().scaled(sign)),
    }
}

/// `a b`, with `(a b)″ = a″ b + 2 a′ b′ + a b″`.
fn product(a: &Jet, b: &Jet, order: Order) -> Jet {
    let (left, right) = (Coefficient::Array(a.value.clone()), Coefficient::Array(b.value.clone()));
    let curvature = match order {
        Order::Second => {
            let cross = a.slope.clone().multiply(b.slope.clone()).scaled(2.0);
            let outer = a.curvature.clone().multiply(right.clone()).add(left.clone().multiply(b.curvature.clone()));
            outer.add(cross)
        }
        _ => Coefficient::ZERO,
    };
    Jet {
        value: a.value.clone().mul(b.value.clone()),
        slope: a.slope.clone().multiply(right).add(left.multiply(b.slope.clone())),
        curvature,
    }
}

impl Step {
    fn reads(&self, register: usize) -> bool {
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
