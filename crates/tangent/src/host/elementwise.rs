//! Elementwise functions with their derivatives, in one pass over memory.

use std::marker::PhantomData;

use rayon::prelude::*;

use super::parallel::{TASK, divides, vectorized};
use super::real::Real;
use super::zip::{Repeated, update};
use crate::function::{self, Elementwise, Function, Order, Step, Visitor};

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
    /// What it is multiplied by first.
    pub scale: Option<Repeated<'a, T>>,
    /// Added to it then: the bias of a layer.
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
        if let Some(scale) = at.scale {
            scale.combine(&mut registers[0].value[..length], start, |x, b| x * b);
        }
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

/// `out_i = out_i f′(x_i)`, or `c_i f′(x_i)` if cotangents c are given, for a function whose slope follows from its
/// value `y = f(x)` ([`Elementwise::has_slope_of_value`]).
pub fn times_slope<T: Real>(function: &Elementwise, out: &mut [T], cotangents: Option<&[T]>, y: &[T]) {
    let y = Repeated { elements: y, stretch: 1 };
    match function {
        Elementwise::Exp => update(out, cotangents, y, |c, y| c * function::Exp.slope(&y, &y)),
        Elementwise::Tanh => update(out, cotangents, y, |c, y| c * function::Tanh.slope(&y, &y)),
        Elementwise::Sigmoid => update(out, cotangents, y, |c, y| c * function::Sigmoid.slope(&y, &y)),
        Elementwise::Relu => update(out, cotangents, y, |c, y| c * function::Relu.slope(&y, &y)),
        _ => unreachable!("the slope of {function} does not follow from its value"),
    }
}

/// `f(g)` with the chain rule `(f∘g)′ = f′ g′`, `(f∘g)″ = f″ g′² + f′ g″`; `f` gives value, f′ and f″.
#[inline(always)]
fn chain<T: Real, const ORDER: u8>(x: &Register<T>, y: &mut Register<T>, f: impl Fn(&T) -> [T; 3]) {
    for lane in 0..LANES {
        let [value, slope, curvature] = f(&x.value[lane]);
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

/// A function of all lanes: those that are free of calls in vectors, the others one by one.
#[inline(always)]
fn apply<T: Real, const ORDER: u8>(function: &Elementwise, x: &Register<T>, y: &mut Register<T>) {
    macro_rules! vector {
        ($function:expr) => {
            chain::<T, ORDER>(x, y, |x| numbers::<T, ORDER>(&$function, x))
        };
    }
    match function {
        Elementwise::Shift(c) => vector!(function::Shift(*c)),
        Elementwise::Scale(c) => vector!(function::Scale(*c)),
        Elementwise::Powi(2) => vector!(function::Powi(2)),
        Elementwise::Exp => vector!(function::Exp),
        Elementwise::Recip => vector!(function::Recip),
        Elementwise::Tanh => vector!(function::Tanh),
        Elementwise::Sigmoid => vector!(function::Sigmoid),
        Elementwise::Relu => vector!(function::Relu),
        Elementwise::Gelu => vector!(function::Gelu),
        Elementwise::Erf => vector!(function::Erf),
        _ => {
            let f = function.visit(OneByOne::<T, ORDER>(PhantomData));
            chain::<T, ORDER>(x, y, &*f);
        }
    }
}

/// Value, f′ and f″, as far as they are wanted.
#[inline(always)]
fn numbers<T: Real, const ORDER: u8>(function: &impl Function, x: &T) -> [T; 3] {
    let (value, slope, curvature) = function.jet::<T, ORDER>(x);
    [value, slope.unwrap_or(T::ZERO), curvature.unwrap_or(T::ZERO)]
}

/// The functions that are not worth vectors, or have none.
struct OneByOne<T, const ORDER: u8>(PhantomData<T>);

impl<T: Real, const ORDER: u8> Visitor for OneByOne<T, ORDER> {
    type Output = Box<dyn Fn(&T) -> [T; 3]>;

    #[inline(never)]
    fn function(self, function: impl Function) -> Self::Output {
        Box::new(move |x| numbers::<T, ORDER>(&function, x))
    }

    fn composite(self, _: &[Step]) -> Self::Output {
        unreachable!("the steps of a composite are no composites")
    }
}
