//! Elementwise functions with their derivatives, in one pass over memory.

use rayon::prelude::*;

use super::{Real, Repeated, TASK, divides, update, vectorized};
use crate::operation::{Elementwise, Order, Step};

/// Elements worked on at a time: all registers of a composite function stay in the nearest cache.
const LANES: usize = 128;

/// Where a function's value and derivatives at every element go; derivatives that are not wanted are empty.
pub struct Jets<'a, T> {
    pub value: &'a mut [T],
    pub slope: &'a mut [T],
    pub curvature: &'a mut [T],
}

impl<'a, T> Jets<'a, T> {
    fn order(&self) -> Order {
        match (self.slope.is_empty(), self.curvature.is_empty()) {
            (true, _) => Order::Value,
            (false, true) => Order::First,
            (false, false) => Order::Second,
        }
    }

    fn split_at(self, at: usize) -> (Self, Self) {
        let (value, value_rest) = self.value.split_at_mut(at);
        let (slope, slope_rest) = self.slope.split_at_mut(at.min(self.slope.len()));
        let (curvature, curvature_rest) = self.curvature.split_at_mut(at.min(self.curvature.len()));
        (Self { value, slope, curvature }, Self { value: value_rest, slope: slope_rest, curvature: curvature_rest })
    }

    fn parts(self, length: usize) -> Vec<Self> {
        let mut parts = Vec::with_capacity(self.value.len().div_ceil(length));
        let mut rest = self;
        while rest.value.len() > length {
            let (part, others) = rest.split_at(length);
            parts.push(part);
            rest = others;
        }
        parts.push(rest);
        parts
    }
}

/// Where a function is evaluated.
#[derive(Clone, Copy)]
pub struct Argument<'a, T> {
    /// What it is evaluated at; without it, what stands where the value goes.
    pub x: Option<&'a [T]>,
    /// Added to it first: the bias of a layer.
    pub shift: Option<Repeated<'a, T>>,
}

/// The function and its derivatives at every element.
pub fn jets<T: Real>(function: &Elementwise, at: Argument<T>, out: Jets<T>) {
    if divides(out.value.len(), 16) {
        out.parts(TASK).into_par_iter().enumerate().for_each(|(part, out)| in_cache(function, at, part * TASK, out));
    } else {
        in_cache(function, at, 0, out);
    }
}

fn in_cache<T: Real>(function: &Elementwise, at: Argument<T>, start: usize, out: Jets<T>) {
    let single = [Step::Apply(function.clone(), 0)];
    let steps = match function {
        Elementwise::Composite(steps) => steps.as_slice(),
        _ => &single,
    };
    match out.order() {
        Order::Value => vectorized(
            #[inline(always)]
            || run::<T, 0>(steps, at, start, out),
        ),
        Order::First => vectorized(
            #[inline(always)]
            || run::<T, 1>(steps, at, start, out),
        ),
        Order::Second => vectorized(
            #[inline(always)]
            || run::<T, 2>(steps, at, start, out),
        ),
    }
}

/// Value, f′ and f″ of [`LANES`] elements.
#[derive(Clone, Copy)]
struct Register<T> {
    value: [T; LANES],
    slope: [T; LANES],
    curvature: [T; LANES],
}

#[inline(always)]
fn run<T: Real, const ORDER: u8>(steps: &[Step], at: Argument<T>, mut start: usize, mut out: Jets<T>) {
    let empty = Register { value: [T::ZERO; LANES], slope: [T::ZERO; LANES], curvature: [T::ZERO; LANES] };
    // One function needs no memory of its own but two registers.
    let (mut few, mut many) = ([empty; 2], Vec::new());
    let registers = if steps.len() == 1 {
        &mut few[..]
    } else {
        many.resize(steps.len() + 1, empty);
        &mut many
    };
    registers[0].slope = [T::ONE; LANES];
    while !out.value.is_empty() {
        let length = LANES.min(out.value.len());
        let (part, rest) = out.split_at(length);
        let x = at.x.map_or(&*part.value, |x| &x[start..start + length]);
        registers[0].value[..length].copy_from_slice(x);
        if let Some(shift) = at.shift {
            shift.combine(&mut registers[0].value[..length], start, |x, b| x + b);
        }
        for (at, step) in steps.iter().enumerate() {
            let (known, rest) = registers.split_at_mut(at + 1);
            let y = &mut rest[0];
            match step {
                Step::Apply(function, a) => apply::<T, ORDER>(function, &known[*a], y),
                Step::Add(a, b) => sum::<T, ORDER>(&known[*a], &known[*b], T::ONE, y),
                Step::Subtract(a, b) => sum::<T, ORDER>(&known[*a], &known[*b], -T::ONE, y),
                Step::Multiply(a, b) => product::<T, ORDER>(&known[*a], &known[*b], y),
            }
        }
        let result = &registers[steps.len()];
        part.value.copy_from_slice(&result.value[..length]);
        part.slope.copy_from_slice(&result.slope[..part.slope.len()]);
        part.curvature.copy_from_slice(&result.curvature[..part.curvature.len()]);
        (out, start) = (rest, start + length);
    }
}

/// Whether f′ is a simple function of the value: it need not be kept then.
pub fn has_slope_of_value(function: &Elementwise) -> bool {
    matches!(function, Elementwise::Exp | Elementwise::Tanh | Elementwise::Sigmoid | Elementwise::Relu)
}

/// `out_i = out_i f′(x_i)`, or `c_i f′(x_i)` if cotangents c are given, for a function whose slope follows from its
/// value `y = f(x)`.
pub fn times_slope<T: Real>(function: &Elementwise, out: &mut [T], cotangents: Option<&[T]>, y: &[T]) {
    let y = Repeated { elements: y, stretch: 1 };
    match function {
        Elementwise::Exp => update(out, cotangents, y, |c, y| c * y),
        Elementwise::Tanh => update(out, cotangents, y, |c, y| c * (T::ONE - y * y)),
        Elementwise::Sigmoid => update(out, cotangents, y, |c, y| c * (y * (T::ONE - y))),
        Elementwise::Relu => update(out, cotangents, y, |c, y| if y > T::ZERO { c } else { c * T::ZERO }),
        _ => unreachable!("the slope of {function} does not follow from its value"),
    }
}

/// `f(g)` with the chain rule `(f∘g)′ = f′ g′`, `(f∘g)″ = f″ g′² + f′ g″`; `f` gives value, f′ and f″.
#[inline(always)]
fn chain<T: Real, const ORDER: u8>(x: &Register<T>, y: &mut Register<T>, f: impl Fn(T) -> [T; 3]) {
    for lane in 0..LANES {
        let [value, slope, curvature] = f(x.value[lane]);
        let inner = x.slope[lane];
        y.value[lane] = value;
        if ORDER >= 1 {
            y.slope[lane] = slope * inner;
        }
        if ORDER >= 2 {
            y.curvature[lane] = curvature * (inner * inner) + slope * x.curvature[lane];
        }
    }
}

#[inline(always)]
fn sum<T: Real, const ORDER: u8>(a: &Register<T>, b: &Register<T>, sign: T, y: &mut Register<T>) {
    for lane in 0..LANES {
        y.value[lane] = a.value[lane] + sign * b.value[lane];
        if ORDER >= 1 {
            y.slope[lane] = a.slope[lane] + sign * b.slope[lane];
        }
        if ORDER >= 2 {
            y.curvature[lane] = a.curvature[lane] + sign * b.curvature[lane];
        }
    }
}

/// `(a b)″ = a″ b + 2 a′ b′ + a b″`.
#[inline(always)]
fn product<T: Real, const ORDER: u8>(a: &Register<T>, b: &Register<T>, y: &mut Register<T>) {
    let two = T::of(2.0);
    for lane in 0..LANES {
        y.value[lane] = a.value[lane] * b.value[lane];
        if ORDER >= 1 {
            y.slope[lane] = a.slope[lane] * b.value[lane] + a.value[lane] * b.slope[lane];
        }
        if ORDER >= 2 {
            let outer = a.curvature[lane] * b.value[lane] + a.value[lane] * b.curvature[lane];
            y.curvature[lane] = outer + two * (a.slope[lane] * b.slope[lane]);
        }
    }
}

#[inline(always)]
fn apply<T: Real, const ORDER: u8>(function: &Elementwise, x: &Register<T>, y: &mut Register<T>) {
    let (zero, one, two) = (T::ZERO, T::ONE, T::of(2.0));
    match function {
        Elementwise::Shift(c) => {
            let c = T::of(*c);
            chain::<T, ORDER>(x, y, |x| [x + c, one, zero]);
        }
        Elementwise::Scale(c) => {
            let c = T::of(*c);
            chain::<T, ORDER>(x, y, |x| [c * x, c, zero]);
        }
        Elementwise::Powi(2) => chain::<T, ORDER>(x, y, |x| [x * x, two * x, two]),
        Elementwise::Exp => chain::<T, ORDER>(x, y, |x| {
            let y = x.exp();
            [y, y, y]
        }),
        Elementwise::Recip => chain::<T, ORDER>(x, y, |x| {
            let y = one / x;
            [y, -(y * y), two * y * y * y]
        }),
        Elementwise::Tanh => chain::<T, ORDER>(x, y, |x| {
            let y = x.tanh();
            let slope = one - y * y;
            [y, slope, -(two * y * slope)]
        }),
        Elementwise::Sigmoid => chain::<T, ORDER>(x, y, |x| {
            let y = x.sigmoid();
            let slope = y * (one - y);
            [y, slope, slope * (one - two * y)]
        }),
        Elementwise::Relu => chain::<T, ORDER>(x, y, |x| {
            // NaN stays what it is.
            let slope = if x > zero { one } else { zero };
            [if x < zero { zero } else { x }, slope, zero]
        }),
        _ => {
            let f = one_by_one::<T>(function);
            chain::<T, ORDER>(x, y, &*f);
        }
    }
}

/// Value, f′ and f″ of the functions that are not worth vectors, or have none.
#[inline(never)]
fn one_by_one<T: Real>(function: &Elementwise) -> Box<dyn Fn(T) -> [T; 3]> {
    let of = T::of;
    let (zero, one, two, half) = (T::ZERO, T::ONE, of(2.0), of(0.5));
    let constant = move |y: T| [y, zero, zero];
    match *function {
        Elementwise::Abs => Box::new(move |x| [x.abs(), sign(x), zero]),
        Elementwise::Sqrt => Box::new(move |x| {
            let y = x.sqrt();
            let slope = half / y;
            [y, slope, -(two * slope * slope * slope)]
        }),
        Elementwise::Ln => Box::new(move |x| {
            let slope = one / x;
            [x.ln(), slope, -(slope * slope)]
        }),
        Elementwise::Ln1p => Box::new(move |x| {
            let slope = one / (one + x);
            [x.ln_1p(), slope, -(slope * slope)]
        }),
        Elementwise::Powi(n) => {
            let degree = n as f64;
            // A factor of zero makes zero of any power, infinite or not.
            let monomial = move |factor: f64, x: T, exponent: i64| match exponent {
                _ if factor == 0.0 => zero,
                0 => of(factor),
                _ => of(factor) * x.powi(exponent),
            };
            Box::new(move |x| [x.powi(n), monomial(degree, x, n - 1), monomial(degree * (degree - 1.0), x, n - 2)])
        }
        Elementwise::Powf(p) => {
            Box::new(move |x| [x.powf(of(p)), of(p) * x.powf(of(p - 1.0)), of(p * (p - 1.0)) * x.powf(of(p - 2.0))])
        }
        Elementwise::Clamp(low, high) => {
            let (low, high) = (of(low), of(high));
            Box::new(move |x| {
                let y = if x < low {
                    low
                } else if x > high {
                    high
                } else {
                    x
                };
                [y, if y == x { one } else { zero }, zero]
            })
        }
        Elementwise::Erf => Box::new(move |x| {
            let slope = of(std::f64::consts::FRAC_2_SQRT_PI) * (-(x * x)).exp();
            [x.erf(), slope, -(two * x * slope)]
        }),
        Elementwise::Gelu => Box::new(move |x| {
            let distribution = half * ((of(std::f64::consts::FRAC_1_SQRT_2) * x).erf() + one);
            let density = of((2.0 * std::f64::consts::PI).sqrt().recip()) * (-(half * x * x)).exp();
            [x * distribution, distribution + x * density, density * (two - x * x)]
        }),
        Elementwise::LogSigmoid => Box::new(move |x| {
            let low = if x < zero { x } else { zero };
            let slope = (-x).sigmoid();
            [low - (-x.abs()).exp().ln_1p(), slope, slope * (slope - one)]
        }),
        Elementwise::LeakyRelu(c) => {
            let c = of(c);
            Box::new(move |x| if x < zero { [c * x, c, zero] } else { [x, one, zero] })
        }
        Elementwise::Sin => Box::new(|x| [x.sin(), x.cos(), -x.sin()]),
        Elementwise::Cos => Box::new(|x| [x.cos(), -x.sin(), -x.cos()]),
        Elementwise::Tan => Box::new(move |x| {
            let y = x.tan();
            let slope = one + y * y;
            [y, slope, two * y * slope]
        }),
        Elementwise::Sinh => Box::new(|x| [x.sinh(), x.cosh(), x.sinh()]),
        Elementwise::Cosh => Box::new(|x| [x.cosh(), x.sinh(), x.cosh()]),
        Elementwise::Asin => Box::new(move |x| {
            let slope = one / (one - x * x).sqrt();
            [x.asin(), slope, x * slope * slope * slope]
        }),
        Elementwise::Acos => Box::new(move |x| {
            let slope = -(one / (one - x * x).sqrt());
            [x.acos(), slope, x * slope * slope * slope]
        }),
        Elementwise::Atan => Box::new(move |x| {
            let slope = one / (one + x * x);
            [x.atan(), slope, -(two * x * slope * slope)]
        }),
        Elementwise::Asinh => Box::new(move |x| {
            let slope = one / (one + x * x).sqrt();
            [x.asinh(), slope, -(x * slope * slope * slope)]
        }),
        Elementwise::Acosh => Box::new(move |x| {
            let slope = one / (x * x - one).sqrt();
            [x.acosh(), slope, -(x * slope * slope * slope)]
        }),
        Elementwise::Atanh => Box::new(move |x| {
            let slope = one / (one - x * x);
            [x.atanh(), slope, two * x * slope * slope]
        }),
        Elementwise::Sign => Box::new(move |x| constant(sign(x))),
        Elementwise::Round => Box::new(move |x| constant(x.round())),
        Elementwise::Floor => Box::new(move |x| constant(x.floor())),
        Elementwise::Ceil => Box::new(move |x| constant(x.ceil())),
        Elementwise::Trunc => Box::new(move |x| constant(x.trunc())),
        _ => unreachable!("{function} is vectorized, or a composite of others"),
    }
}

/// The sign, and 0 at 0; NaN stays what it is.
fn sign<T: Real>(x: T) -> T {
    if x > T::ZERO {
        T::ONE
    } else if x < T::ZERO {
        -T::ONE
    } else {
        x * T::ZERO
    }
}
