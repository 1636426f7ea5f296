//! Bilinear operations, written as trilinear forms.
//!
//! `y = B(a, b)` is linear in each of two operands. With a third array c of the shape of y it is the number `T(a, b, c)
//! = ⟨B(a, b), c⟩`, linear in all three. Leaving one argument open gives an array: the *face* of the open argument. The
//! face of c is the map, the faces of a and b are its two adjoints, so the rules for push, pull and bend need no more
//! than the three faces.
//!
//! A transposed convolution is the form of the convolution with two arguments exchanged.

use std::fmt;

use burn_backend::ops::ConvOptions;

use super::shapes::Shapes;
use crate::array::Array;
use crate::value::{Value, prefixed, runtime_shape, width};

/// An operation linear in each of its two operands.
#[derive(Clone, Debug)]
pub enum Bilinear {
    /// The product of elements, `T = Σ a_i b_i c_i`; operands and result have one shape.
    Multiply,
    /// `[m, k] × [k, n]`, or stacks of them `[s, m, k] × [s, k, n]`: `T = Σ a_ij b_jk c_ik`.
    Matmul,
    /// Two-dimensional convolution of `[n, channels, height, width]` with `[out, channels/groups, height, width]`.
    Convolution(ConvOptions<2>),
    /// The adjoint of a convolution in its input, an operation on its own: the operands are the *output* and the weight
    /// of the convolution, the result is its input.
    TransposedConvolution(ConvOptions<2>),
}

/// Which argument of the trilinear form is left open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// The first operand: the adjoint in it, from (b, c).
    First,
    /// The second operand: the adjoint in it, from (a, c).
    Second,
    /// The result: the map, from (a, b).
    Output,
}

impl Bilinear {
    /// The face of `open`, from the other two arguments in the order a, b, c.
    pub fn contract(&self, open: Face, left: &Value, right: &Value, shapes: &Shapes) -> Value {
        self.contract_onto(None, open, left, right, shapes)
    }

    /// As [`contract`](Self::contract), added to another value.
    pub fn contract_onto(
        &self,
        onto: Option<Value>,
        open: Face,
        left: &Value,
        right: &Value,
        shapes: &Shapes,
    ) -> Value {
        match self {
            Self::Multiply => added(onto, left.clone().zip(right.clone(), Array::mul)),
            Self::Matmul => {
                let (left, right) = (left.clone(), right.clone());
                match open {
                    Face::Output => matmul(onto, left, right, [false, false]),
                    Face::First => matmul(onto, right, left, [false, true]),
                    Face::Second => matmul(onto, left, right, [true, false]),
                }
            }
            Self::Convolution(options) => {
                let form = Convolution { options, input: shapes.operands[0], weight: shapes.operands[1] };
                match open {
                    Face::Output => form.output(onto, left, right),
                    Face::First => form.input(onto, left, right),
                    Face::Second => form.weight(onto, left, right),
                }
            }
            Self::TransposedConvolution(options) => {
                let form = Convolution { options, input: shapes.output, weight: shapes.operands[1] };
                match open {
                    Face::Output => form.input(onto, right, left),
                    Face::First => form.output(onto, right, left),
                    Face::Second => form.weight(onto, right, left),
                }
            }
        }
    }
}

fn added(onto: Option<Value>, part: Value) -> Value {
    match onto {
        Some(onto) => onto.add(part),
        None => part,
    }
}

/// `op(a) op(b)` with op the transposition where asked for, added to `onto`. A block is folded into the rows of one
/// product where that is possible without moving data; otherwise it is a stack of products.
fn matmul(onto: Option<Value>, a: Value, b: Value, transposed: [bool; 2]) -> Value {
    let stacked = a.shape().len() == 3;
    let open = |value: Value, transposed: bool| value.map(|array| if transposed { array.transpose() } else { array });
    if !stacked && a.block && !b.block && !transposed[0] {
        let (width, rows) = (a.array.shape()[0], a.array.shape()[1]);
        let b = open(b, transposed[1]).array;
        let columns = b.shape()[1];
        let (onto, rest) = match onto {
            Some(onto) if onto.block => (Some(onto.folded()), None),
            onto => (None, onto),
        };
        return added(rest, Value::block(a.folded().matmul_onto(b, onto).reshape(&[width, rows, columns])));
    }
    if !stacked && !a.block && b.block && !transposed[1] && b.shape()[1] == 1 {
        // A block of columns: `A [b₁ … b_k]` as `[b₁ … b_k]ᵀ Aᵀ`, whose rows lie in memory as the block does.
        let (width, inner) = (b.array.shape()[0], b.array.shape()[1]);
        let rows = b.array.reshape(&[width, inner]);
        let product = rows.matmul(if transposed[0] { a.array } else { a.array.transpose() });
        let outer = product.shape()[1];
        return added(onto, Value::block(product.reshape(&[width, outer, 1])));
    }
    let (a, b) = (open(a, transposed[0]), open(b, transposed[1]));
    match onto {
        Some(onto) if !onto.block && !a.block && !b.block => Value::one(a.array.matmul_onto(b.array, Some(onto.array))),
        onto => added(onto, a.zip(b, Array::matmul)),
    }
}

/// The trilinear form of a convolution, by its input and weight shapes.
struct Convolution<'a> {
    options: &'a ConvOptions<2>,
    input: &'a [usize],
    weight: &'a [usize],
}

impl Convolution<'_> {
    fn output(&self, onto: Option<Value>, input: &Value, weight: &Value) -> Value {
        samples_folded(onto, input, weight, |onto, input, weight| input.convolve_onto(weight, self.options, onto))
    }

    fn input(&self, onto: Option<Value>, weight: &Value, output: &Value) -> Value {
        samples_folded(onto, output, weight, |onto, output, weight| {
            let mut shape = self.input.to_vec();
            shape[0] = output.shape()[0];
            Array::convolve_input_adjoint_onto(&shape, weight, output, self.options, onto)
        })
    }

    fn weight(&self, onto: Option<Value>, input: &Value, output: &Value) -> Value {
        one_by_one(onto, input, output, |onto, input, output| {
            Array::convolve_weight_adjoint_onto(input, self.weight, output, self.options, onto)
        })
    }
}

/// `f(onto, data, weight)`: a block of data under one weight counts as more samples; a block of weights is taken one by
/// one.
fn samples_folded(
    onto: Option<Value>,
    data: &Value,
    weight: &Value,
    f: impl Fn(Option<Array>, &Array, &Array) -> Array,
) -> Value {
    match (data.width(), weight.block) {
        (Some(width), false) => {
            let (onto, rest) = match onto {
                Some(onto) if onto.block => (Some(onto.folded()), None),
                onto => (None, onto),
            };
            let result = f(onto, &data.clone().folded(), &weight.array);
            let mut shape = result.shape();
            shape[0] /= width;
            added(rest, Value::block(result.reshape(&prefixed(width, &shape))))
        }
        _ => one_by_one(onto, data, weight, f),
    }
}

/// `f(onto, a, b)` of every entry of a block.
fn one_by_one(onto: Option<Value>, a: &Value, b: &Value, f: impl Fn(Option<Array>, &Array, &Array) -> Array) -> Value {
    let Some(width) = width([a, b]) else {
        return match onto {
            Some(onto) if onto.block => onto.add(Value::one(f(None, &a.array, &b.array))),
            onto => Value::one(f(onto.map(|onto| onto.array), &a.array, &b.array)),
        };
    };
    let entry = |value: &Value, index: usize| {
        if !value.block {
            return value.array.clone();
        }
        value.array.clone().rows(index, index + 1).reshape(&value.shape())
    };
    let results = (0..width)
        .map(|index| {
            let result = f(None, &entry(a, index), &entry(b, index));
            let shape = runtime_shape(Some(1), &result.shape());
            result.reshape(&shape)
        })
        .collect();
    added(onto, Value::block(Array::cat(results, 0)))
}

impl fmt::Display for Bilinear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = |options: &ConvOptions<2>| {
            let ConvOptions { stride, padding, dilation, groups } = options;
            format!("stride {stride:?}, padding {padding:?}, dilation {dilation:?}, groups {groups}")
        };
        match self {
            Self::Multiply => write!(f, "multiply"),
            Self::Matmul => write!(f, "matmul"),
            Self::Convolution(o) => write!(f, "convolution[{}]", options(o)),
            Self::TransposedConvolution(o) => write!(f, "transposed_convolution[{}]", options(o)),
        }
    }
}
