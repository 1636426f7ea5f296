//! Products of matrices.

use burn_backend::ops::FloatTensorOps;
use burn_dispatch::Dispatch;

use super::elementwise::times;
use super::{Call, Operation, Results, one};
use crate::array::{Array, Problem, broadcast};

pub const OPERATIONS: &[Operation] = &[
    Operation::new("linear", &["input", "weight", "bias"], "x Wᵀ + b", |call| {
        let (x, weight) = (call.float("input")?, call.float("weight")?);
        let shape = weight.shape();
        let weight = match *shape.as_slice() {
            [_, _] => weight.swap(0, 1)?,
            // One output: a row of weights.
            [inputs] => weight.reshape(&[inputs, 1])?,
            _ => return Err(format!("weights {shape:?}")),
        };
        let product = matmul(x, weight)?;
        let product = if shape.len() == 1 { dropped(product)? } else { product };
        one(match call.optional_float("bias")? {
            Some(bias) => product.zip(bias, Dispatch::float_add)?,
            None => product,
        })
    }),
    Operation::new("matmul", &["self", "other"], "A B", |call| one(matmul(call.float("self")?, call.float("other")?)?)),
    Operation::new("mm", &["self", "mat2"], "A B", |call| one(matmul(call.float("self")?, call.float("mat2")?)?)),
    Operation::new("bmm", &["self", "mat2"], "A B of each in a stack", |call| {
        one(matmul(call.float("self")?, call.float("mat2")?)?)
    }),
    Operation::new("mv", &["self", "vec"], "A v", |call| one(matmul(call.float("self")?, call.float("vec")?)?)),
    Operation::new("dot", &["self", "tensor"], "aᵀb", |call| {
        one(matmul(call.float("self")?, call.float("tensor")?)?)
    }),
    Operation::new("outer", &["self", "vec2"], "a bᵀ", |call| {
        let (a, b) = (call.float("self")?, call.float("vec2")?);
        let (rows, columns) = (a.elements(), b.elements());
        one(a.reshape(&[rows, 1])?.zip(b.reshape(&[1, columns])?, Dispatch::float_mul)?)
    }),
    Operation::new("addmm", &["self", "mat1", "mat2", "beta", "alpha"], "β C + α A B", |call| {
        added(call, "mat1", "mat2")
    }),
    Operation::new("addmv", &["self", "mat", "vec", "beta", "alpha"], "β c + α A v", |call| {
        added(call, "mat", "vec")
    }),
    Operation::new(
        "baddbmm",
        &["self", "batch1", "batch2", "beta", "alpha"],
        "β C + α A B of each in a stack",
        |call| added(call, "batch1", "batch2"),
    ),
    Operation::new("einsum", &["equation", "tensors"], "sums of products by indices", einsum).ignoring(&["path"]),
];

fn added(call: &Call, a: &str, b: &str) -> Results {
    let product = matmul(call.float(a)?, call.float(b)?)?;
    let scaled = |x: Array, factor: f64| if factor == 1.0 { x } else { x.map(|x| times(x, factor)) };
    let product = scaled(product, call.number("alpha", 1.0)?);
    let beta = call.number("beta", 1.0)?;
    if beta == 0.0 {
        return one(product);
    }
    one(scaled(call.float("self")?, beta).zip(product, Dispatch::float_add)?)
}

/// Without the last axis, of length one.
fn dropped(x: Array) -> Result<Array, Problem> {
    let shape = x.shape();
    x.reshape(&shape[..shape.len().saturating_sub(1)])
}

/// PyTorch's product: vectors are rows or columns, stacks broadcast.
pub fn matmul(a: Array, b: Array) -> Result<Array, Problem> {
    let (left, right) = (a.shape(), b.shape());
    let wrong = || format!("{left:?} and {right:?} have no product");
    let a = match left.as_slice() {
        [] => return Err(wrong()),
        &[length] => a.reshape(&[1, length])?,
        _ => a,
    };
    let b = match right.as_slice() {
        [] => return Err(wrong()),
        &[length] => b.reshape(&[length, 1])?,
        _ => b,
    };
    let (of_a, of_b) = (a.shape(), b.shape());
    let ([stack_a @ .., rows, inner], [stack_b @ .., other, columns]) = (of_a.as_slice(), of_b.as_slice()) else {
        return Err(wrong());
    };
    if inner != other {
        return Err(wrong());
    }
    let product = if stack_b.is_empty() && !stack_a.is_empty() {
        // The rows of all matrices as those of one.
        let count = stack_a.iter().product::<usize>() * rows;
        let flat = a.reshape(&[count, *inner])?.zip_matrices(b)?;
        flat.reshape(&[stack_a, &[*rows, *columns]].concat())?
    } else {
        let stack = broadcast(stack_a, stack_b)?;
        let (to_a, to_b) =
            ([stack.as_slice(), &[*rows, *inner]].concat(), [stack.as_slice(), &[*inner, *columns]].concat());
        a.expand(&to_a)?.zip_matrices(b.expand(&to_b)?)?
    };
    let mut shape = product.shape();
    if left.len() == 1 {
        shape.remove(shape.len() - 2);
    }
    if right.len() == 1 {
        shape.pop();
    }
    product.reshape(&shape)
}

impl Array {
    /// The product of matrices of fitting shapes.
    fn zip_matrices(self, other: Self) -> Result<Self, Problem> {
        Ok(Dispatch::float_matmul(self.tensor(), other.tensor()).into())
    }
}

/// Einstein's sums of one or two tensors at a time: axes that both have and the result has not are summed over, by one
/// product of matrices.
fn einsum(call: &Call) -> Results {
    let equation: String = call.word("equation").unwrap_or("").chars().filter(|c| !c.is_whitespace()).collect();
    let wrong = || format!("the sum `{equation}` is not known here");
    let (from, to) = equation.split_once("->").ok_or_else(wrong)?;
    let terms: Vec<Vec<char>> = from.split(',').map(|term| term.chars().collect()).collect();
    let to: Vec<char> = to.chars().collect();
    let tensors = call.all("tensors")?;
    let distinct = |letters: &[char]| {
        letters.iter().enumerate().all(|(at, letter)| letter.is_ascii_alphabetic() && !letters[..at].contains(letter))
    };
    let fits = terms.iter().zip(&tensors).all(|(term, tensor)| term.len() == tensor.rank());
    if terms.len() != tensors.len() || !fits || !terms.iter().chain([&to]).all(|letters| distinct(letters)) {
        return Err(wrong());
    }
    let mut left = terms.into_iter().zip(tensors).map(|(term, tensor)| (term, tensor.float(call.dtype())));
    let (mut letters, mut found) = left.next().ok_or_else(wrong)?;
    let mut rest: Vec<(Vec<char>, Array)> = left.collect();
    while !rest.is_empty() {
        let (other, tensor) = rest.remove(0);
        let needed = |letter: &char| to.contains(letter) || rest.iter().any(|(term, _)| term.contains(letter));
        (letters, found) = contracted((letters, found), (other, tensor), needed)?;
    }
    // What is left over is summed, and the axes are put in order.
    for axis in (0..letters.len()).rev() {
        if !to.contains(&letters[axis]) {
            let mut shape = found.shape();
            shape.remove(axis);
            found = found.map(|x| Dispatch::float_sum_dim(x, axis)).reshape(&shape)?;
            letters.remove(axis);
        }
    }
    let order: Option<Vec<usize>> = to.iter().map(|to| letters.iter().position(|letter| letter == to)).collect();
    one(found.permute(&order.ok_or_else(wrong)?)?)
}

/// Two terms as one, with the letters that are `needed` later.
fn contracted(
    (a, x): (Vec<char>, Array),
    (b, y): (Vec<char>, Array),
    needed: impl Fn(&char) -> bool,
) -> Result<(Vec<char>, Array), Problem> {
    let both: Vec<char> = a.iter().copied().filter(|letter| b.contains(letter)).collect();
    let (stack, summed): (Vec<char>, Vec<char>) = both.into_iter().partition(&needed);
    let own = |letters: &[char], other: &[char]| {
        letters.iter().copied().filter(|letter| !other.contains(letter)).collect::<Vec<char>>()
    };
    let (rows, columns) = (own(&a, &b), own(&b, &a));
    let length = |letters: &[char], array: &Array, letter: char| {
        letters.iter().position(|known| *known == letter).map_or(1, |axis| array.shape()[axis])
    };
    for letter in stack.iter().chain(&summed) {
        if length(&a, &x, *letter) != length(&b, &y, *letter) {
            return Err(format!("the index {letter} has two lengths"));
        }
    }
    let sizes = |of: &[char], letters: &[char], array: &Array| {
        of.iter().map(|letter| length(letters, array, *letter)).collect::<Vec<usize>>()
    };
    let (stacked, row, column, inner) =
        (sizes(&stack, &a, &x), sizes(&rows, &a, &x), sizes(&columns, &b, &y), sizes(&summed, &a, &x));
    let arranged = |array: Array, letters: &[char], order: &[&[char]], lengths: &[usize]| {
        let axes =
            order.concat().iter().filter_map(|to| letters.iter().position(|known| known == to)).collect::<Vec<_>>();
        array.permute(&axes)?.reshape(lengths)
    };
    let count = |lengths: &[usize]| lengths.iter().product::<usize>();
    let matrices = [count(&stacked), count(&row), count(&inner)];
    let x = arranged(x, &a, &[&stack, &rows, &summed], &matrices)?;
    let y = arranged(y, &b, &[&stack, &summed, &columns], &[count(&stacked), count(&inner), count(&column)])?;
    let product = matmul(x, y)?.reshape(&[stacked, row, column].concat())?;
    Ok(([stack, rows, columns].concat(), product))
}
