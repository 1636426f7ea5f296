//! Elementwise functions with their derivatives, in one pass over memory.

use rayon::prelude::*;

use super::{Real, TASK, divides, vectorized};
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

/// The function and its derivatives at every element of `x`.
pub fn jets<T: Real>(function: &Elementwise, x: &[T], out: Jets<T>) {
    if x.is_empty() {
        return;
    }
    if divides(x.len(), 16) {
        let parts = out.parts(TASK);
        x.par_chunks(TASK).zip(parts).for_each(|(x, out)| in_cache(function, x, out));
    } else {
        in_cache(function, x, out);
    }
}

fn in_cache<T: Real>(function: &Elementwise, x: &[T], out: Jets<T>) {
    let single = [Step::Apply(function.clone(), 0)];
    let steps = match function {
        Elementwise::Composite(steps) => steps.as_slice(),
        _ => &single,
    };
    match out.order() {
        Order::Second => vectorized(
            #[inline(always)]
            || run::<T, true>(steps, x, out),
        ),
        _ => vectorized(
            #[inline(always)]
            || run::<T, false>(steps, x, out),
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
fn run<T: Real, const SECOND: bool>(steps: &[Step], x: &[T], mut out: Jets<T>) {
    let empty = Register { value: [T::ZERO; LANES], slope: [T::ZERO; LANES], curvature: [T::ZERO; LANES] };
    let mut registers = vec![empty; steps.len() + 1];
    registers[0].slope = [T::ONE; LANES];
    for x in x.chunks(LANES) {
        registers[0].value[..x.len()].copy_from_slice(x);
        for (at, step) in steps.iter().enumerate() {
            let (known, rest) = registers.split_at_mut(at + 1);
            let y = &mut rest[0];
            match step {
                Step::Apply(function, a) => apply::<T, SECOND>(function, &known[*a], y),
                Step::Add(a, b) => sum::<T, SECOND>(&known[*a], &known[*b], T::ONE, y),
                Step::Subtract(a, b) => sum::<T, SECOND>(&known[*a], &known[*b], -T::ONE, y),
                Step::Multiply(a, b) => product::<T, SECOND>(&known[*a], &known[*b], y),
            }
        }
        let result = &registers[steps.len()];
        let (part, rest) = out.split_at(x.len());
        part.value.copy_from_slice(&result.value[..x.len()]);
        part.slope.copy_from_slice(&result.slope[..part.slope.len()]);
        part.curvature.copy_from_slice(&result.curvature[..part.curvature.len()]);
        out = rest;
    }
}

/// `f(g)` with the chain rule `(f∘g)′ = f′ g′`, `(f∘g)″ = f″ g′² + f′ g″`; `f` gives value, f′ and f″.
#[inline(always)]
fn chain<T: Real, const SECOND: bool>(x: &Register<T>, y: &mut Register<T>, f: impl Fn(T) -> [T; 3]) {
    for lane in 0..LANES {
        let [value, slope, curvature] = f(x.value[lane]);
        let inner = x.slope[lane];
        y.value[lane] = value;
        y.slope[lane] = slope * inner;
        if SECOND {
            y.curvature[lane] = curvature * (inner * inner) + slope * x.curvature[lane];
        }
    }
}

#[inline(always)]
fn sum<T: Real, const SECOND: bool>(a: &Register<T>, b: &Register<T>, sign: T, y: &mut Register<T>) {
    for lane in 0..LANES {
        y.value[lane] = a.value[lane] + sign * b.value[lane];
        y.slope[lane] = a.slope[lane] + sign * b.slope[lane];
        if SECOND {
            y.curvature[lane] = a.curvature[lane] + sign * b.curvature[lane];
        }
    }
}

/// `(a b)″ = a″ b + 2 a′ b′ + a b″`.
#[inline(always)]
fn product<T: Real, const SECOND: bool>(a: &Register<T>, b: &Register<T>, y: &mut Register<T>) {
    let two = T::of(2.0);
    for lane in 0..LANES {
        y.value[lane] = a.value[lane] * b.value[lane];
        y.slope[lane] = a.slope[lane] * b.value[lane] + a.value[lane] * b.slope[lane];
        if SECOND {
            let outer = a.curvature[lane] * b.value[lane] + a.value[lane] * b.curvature[lane];
            y.curvature[lane] = outer + two * (a.slope[lane] * b.slope[lane]);
        }
    }
}

#[inline(always)]
fn apply<T: Real, const SECOND: bool>(function: &Elementwise, x: &Register<T>, y: &mut Register<T>) {
    let (zero, one, two) = (T::ZERO, T::ONE, T::of(2.0));
    match function {
        Elementwise::Shift(c) => {
            let c = T::of(*c);
            chain::<T, SECOND>(x, y, |x| [x + c, one, zero]);
        }
        Elementwise::Scale(c) => {
            let c = T::of(*c);
            chain::<T, SECOND>(x, y, |x| [c * x, c, zero]);
        }
        Elementwise::Powi(2) => chain::<T, SECOND>(x, y, |x| [x * x, two * x, two]),
        Elementwise::Exp => chain::<T, SECOND>(x, y, |x| {
            let y = x.exp();
            [y, y, y]
        }),
        Elementwise::Recip => chain::<T, SECOND>(x, y, |x| {
            let y = one / x;
            [y, -(y * y), two * y * y * y]
        }),
        Elementwise::Tanh => chain::<T, SECOND>(x, y, |x| {
            let y = x.tanh();
            let slope = one - y * y;
            [y, slope, -(two * y * slope)]
        }),
        Elementwise::Sigmoid => chain::<T, SECOND>(x, y, |x| {
            let y = x.sigmoid();
            let slope = y * (one - y);
            [y, slope, slope * (one - two * y)]
        }),
        Elementwise::Relu => chain::<T, SECOND>(x, y, |x| {
            // NaN stays what it is.
            let slope = if x > zero { one } else { zero };
            [if x < zero { zero } else { x }, slope, zero]
        }),
        _ => {
            let f = one_by_one::<T>(function);
            chain::<T, SECOND>(x, y, &*f);
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
