//! A thousand random programs of up to thirty operations, on both devices.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, activation as act};
use losscape_tangent::Map;
use losscape_tangent::parameters::ravel;
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

use crate::common::{Errors, ROUNDING, check, devices, difference, numbers, tensor};

const PROGRAMS: u64 = 1000;
const OPERATIONS: usize = 30;

#[derive(Module, Debug)]
struct Weights {
    w: Param<Tensor<2>>,
    v: Param<Tensor<2>>,
}

/// An operation on matrices calculated before, by their numbers.
#[derive(Debug, Clone)]
enum Op {
    Function(usize, usize),
    Add(usize, usize),
    Multiply(usize, usize),
    Divide(usize, usize),
    Subtract(usize, usize),
    Matmul(usize, usize),
    Transpose(usize),
    Reshape(usize, [usize; 2]),
    Columns(usize, usize),
    Join(usize, usize),
    Sum(usize, usize),
    Mean(usize, usize),
    Softmax(usize, usize),
    LogSoftmax(usize, usize),
    Flip(usize),
    RunningSum(usize),
    Windows(usize),
}

/// Smooth and bounded on the values that occur, so that central differences are good to 1e-8.
const FUNCTIONS: &[fn(Tensor<2>) -> Tensor<2>] = &[
    |x| x.tanh(),
    |x| x.sin(),
    |x| x.cos(),
    |x| logistic(x),
    |x| (x.clone() * x + 0.5).sqrt(),
    |x| (x.clone() * x + 1.0).recip(),
    |x| (x.tanh() * 0.9).exp(),
    |x| (x.clone() * x + 1.5).log(),
    |x| x.erf(),
    |x| x.clone() * logistic(x),
    |x| x * 0.7 - 0.2,
    |x| x.tanh().powi_scalar(3),
];

/// `1/(1 + e⁻ˣ)`, written out: Burn's own calculates in f32 on ndarray.
fn logistic(x: Tensor<2>) -> Tensor<2> {
    (x.neg().exp() + 1.0).recip()
}

/// Draws a program for matrices of these shapes; sizes stay between 1 and 48.
fn draw(random: &mut ChaCha12Rng, mut shapes: Vec<[usize; 2]>) -> Vec<Op> {
    let length = random.random_range(1..=OPERATIONS);
    let mut program = Vec::new();
    while program.len() < length {
        let mut any = || random.random_range(0..shapes.len());
        let (a, b) = (any(), any());
        let ([m, n], [k, l]) = (shapes[a], shapes[b]);
        let same = (m == k || m == 1 || k == 1) && (n == l || n == 1 || l == 1);
        let wide = [m.max(k), n.max(l)];
        let axis = random.random_range(0..2);
        let reduced = if axis == 0 { [1, n] } else { [m, 1] };
        let (op, shape) = match random.random_range(0..18) {
            0..=2 => (Op::Function(random.random_range(0..FUNCTIONS.len()), a), [m, n]),
            3 if same => (Op::Add(a, b), wide),
            4 | 5 if same => (Op::Multiply(a, b), wide),
            6 if same => (Op::Divide(a, b), wide),
            7 if same => (Op::Subtract(a, b), wide),
            8 | 9 if n == k => (Op::Matmul(a, b), [m, l]),
            10 => (Op::Transpose(a), [n, m]),
            11 if n % 2 == 0 => (Op::Reshape(a, [m * 2, n / 2]), [m * 2, n / 2]),
            12 if n > 1 => (Op::Columns(a, n / 2), [m, n - n / 2]),
            13 if m == k && n + l <= 12 => (Op::Join(a, b), [m, n + l]),
            14 => (if random.random_bool(0.5) { Op::Sum(a, axis) } else { Op::Mean(a, axis) }, reduced),
            15 => (if random.random_bool(0.5) { Op::Softmax(a, axis) } else { Op::LogSoftmax(a, axis) }, [m, n]),
            16 => (if random.random_bool(0.5) { Op::Flip(a) } else { Op::RunningSum(a) }, [m, n]),
            17 if n > 2 && m * (n - 1) * 2 <= 48 => (Op::Windows(a), [m * (n - 1), 2]),
            _ => continue,
        };
        program.push(op);
        shapes.push(shape);
    }
    program
}

/// Runs a program and gives its last three results, so that little of it is dead; products are damped so that values
/// stay of the size of one.
fn run(program: &[Op], mut values: Vec<Tensor<2>>) -> Vec<Tensor<2>> {
    for op in program {
        let at = |index: usize| values[index].clone();
        let value = match *op {
            Op::Function(function, a) => FUNCTIONS[function](at(a)),
            Op::Add(a, b) => (at(a) + at(b)) * 0.6,
            Op::Multiply(a, b) => at(a).tanh() * at(b),
            Op::Divide(a, b) => at(a) / (at(b).powi_scalar(2) + 1.0),
            Op::Subtract(a, b) => (at(a) - at(b)) * 0.6,
            Op::Matmul(a, b) => {
                let inner = at(b).dims()[0] as f64;
                at(a).tanh().matmul(at(b)) * inner.sqrt().recip()
            }
            Op::Transpose(a) => at(a).transpose(),
            Op::Reshape(a, shape) => at(a).reshape(shape),
            Op::Columns(a, start) => at(a).slice(burn::tensor::s![.., start..]),
            Op::Join(a, b) => Tensor::cat(vec![at(a), at(b)], 1),
            Op::Sum(a, axis) => at(a).sum_dim(axis) * 0.3,
            Op::Mean(a, axis) => at(a).mean_dim(axis),
            Op::Softmax(a, axis) => act::softmax(at(a), axis),
            Op::LogSoftmax(a, axis) => act::log_softmax(at(a), axis) * 0.5,
            Op::Flip(a) => at(a).flip([1]),
            Op::RunningSum(a) => at(a).cumsum(0) * 0.5,
            Op::Windows(a) => {
                let windows: Tensor<3> = at(a).unfold(1, 2, 1);
                let [rows, count, _] = windows.dims();
                windows.reshape([rows * count, 2])
            }
        };
        values.push(value);
    }
    values.split_off(values.len().saturating_sub(3))
}

fn flat(value: Tensor<2>) -> Tensor<1> {
    let count = value.shape().num_elements();
    value.reshape([count])
}

/// The weights, the input and the operations of a program.
fn drawn(seed: u64, device: &Device) -> (Weights, Tensor<2>, Vec<Op>) {
    let mut random = ChaCha12Rng::seed_from_u64(seed);
    let weights = Weights {
        w: Param::from_tensor(tensor(seed, [3, 4], -1.0, 1.0, device)),
        v: Param::from_tensor(tensor(seed + 1, [4, 2], -1.0, 1.0, device)),
    };
    let x: Tensor<2> = tensor(seed + 2, [3, 4], -1.0, 1.0, device);
    (weights, x, draw(&mut random, vec![[3, 4], [4, 2], [3, 4]]))
}

#[test]
fn random_programs_have_their_derivatives() {
    for (name, device) in devices() {
        let (mut worst, mut operations) = (Errors::default(), 0);
        for seed in 0..PROGRAMS {
            let (weights, x, program) = drawn(seed, &device);
            operations += program.len();
            // The first operation reads the parameters whatever was drawn.
            let forward = |weights: &Weights, x: Tensor<2>| {
                let (w, v) = (weights.w.val(), weights.v.val());
                let mixed = w.clone().matmul(v.clone()).sum();
                let results = run(&program, vec![w, v, x]).into_iter().map(flat);
                Tensor::cat(results.chain([mixed]).collect(), 0)
            };
            let errors = check(&weights, &x, forward, seed);
            errors.assert_small(&format!("program {seed} on {name}: {program:?}"));
            worst.worst(&errors);
        }
        println!("{name}: {PROGRAMS} programs, {operations} operations: {worst:?}");
    }
}

/// The compiled gradient is that of `pull`, for every program made of what can be compiled.
#[test]
fn compiled_programs_agree() {
    let device = Device::flex().autodiff();
    let (mut compiled, mut worst) = (0, 0.0f64);
    for seed in 0..PROGRAMS {
        let (weights, x, program) = drawn(seed, &device);
        let forward = |weights: &Weights, x: Tensor<2>| {
            let (w, v) = (weights.w.val(), weights.v.val());
            let mixed = w.clone().matmul(v.clone()).sum();
            run(&program, vec![w, v, x]).into_iter().fold(mixed, |sum, value| sum + value.sum())
        };
        let map = Map::new(forward);
        let Some(mut gradient) = map.compile(&weights, &x).expect("everything has an entry") else { continue };
        compiled += 1;
        let w = ravel(&weights).expect("there are parameters");
        let at = map.linearize(&weights, &x).expect("everything has an entry");
        // Twice, since nothing may be left over from the first time.
        for _ in 0..2 {
            let (value, gradient) = gradient.gradient(&w, &x);
            let error = difference(&[value], &numbers(at.output()))
                .max(difference(&numbers(gradient), &numbers(at.pull(at.output().ones_like()))));
            assert!(error <= ROUNDING, "program {seed} is off by {error:e}: {program:?}");
            worst = worst.max(error);
        }
    }
    println!("{compiled} of {PROGRAMS} programs compiled, worst difference {worst:e}");
    assert!(compiled > PROGRAMS / 5, "only {compiled} programs can be compiled");
}
