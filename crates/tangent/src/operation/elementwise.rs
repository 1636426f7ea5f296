//! Elementwise functions of arrays: `y_i = f(x_i)` with `f′(x_i)` and `f″(x_i)`.
//!
//! A chain of functions of one variable becomes one function with its own f′ and f″ ([`Elementwise::Composite`]), so
//! that one pass does what would be many.

use crate::array::Array;
use crate::function::{Elementwise, Function, Order, Step, Visitor};
use crate::host::{self, Argument, Jets, Real, by_type};

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

/// Value and derivatives of a function at `x`.
pub fn jet(function: &Elementwise, x: Array, order: Order) -> Jet {
    match function.is_linear() {
        false => on_host(function, &x, order).unwrap_or_else(|| function.visit(At { function, x, order })),
        true => function.visit(At { function, x, order }),
    }
}

/// In the memory of the CPU, where x lies there.
fn on_host(function: &Elementwise, x: &Array, order: Order) -> Option<Jet> {
    let curved = order == Order::Second && !function.is_piecewise_linear();
    by_type!(x.dtype(), T => {
        let shape = x.shape();
        let x = x.slice_on_host::<T>()?;
        let array = |wanted: bool| vec![T::ZERO; if wanted { x.len() } else { 0 }];
        let (mut value, mut slope, mut curvature) = (array(true), array(order > Order::Value), array(curved));
        let at = Argument { x: Some(x), scale: None, shift: None };
        host::jets(function, at, Jets { value: &mut value, slope: &mut slope, curvature: &mut curvature });
        let coefficient = |values: Vec<T>| {
            if values.is_empty() { Coefficient::ZERO } else { Coefficient::Array(Array::from_host(values, &shape)) }
        };
        let value = Array::from_host(value, &shape);
        Some(Jet { value, slope: coefficient(slope), curvature: coefficient(curvature) })
    })
}

/// A function of a whole array.
struct At<'a> {
    function: &'a Elementwise,
    x: Array,
    order: Order,
}

impl Visitor for At<'_> {
    type Output = Jet;

    fn function(self, f: impl Function) -> Jet {
        if let Some(slope) = self.function.constant_slope() {
            return Jet { value: f.value(&self.x), slope: Coefficient::Number(slope), curvature: Coefficient::ZERO };
        }
        let order = if self.function.is_piecewise_linear() { self.order.min(Order::First) } else { self.order };
        let (value, slope, curvature) = match order {
            Order::Value => f.jet::<Array, 0>(&self.x),
            Order::First => f.jet::<Array, 1>(&self.x),
            Order::Second => f.jet::<Array, 2>(&self.x),
        };
        let coefficient = |array: Option<Array>| array.map_or(Coefficient::ZERO, Coefficient::Array);
        Jet { value, slope: coefficient(slope), curvature: coefficient(curvature) }
    }

    fn composite(self, steps: &[Step]) -> Jet {
        composite(steps, self.x, self.order)
    }
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
    let outer = jet(function, inner.value.clone(), order);
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
