//! The units of one multilayer perceptron in the order of another's: weight matching (Ainsworth, Hayase & Srinivasa
//! 2023, Algorithm 1).
//!
//! Hidden units can change places without a change of the function. With permutations P of the hidden layers of B,
//! `Σ_l ⟨A_l, P_l B_l P_{l−1}ᵀ⟩` over the layers' weights and biases is raised one layer at a time, each by a linear
//! assignment, until none rises any more: a local maximum, which depends on the order of the layers. Signs of units,
//! which an odd activation leaves free as well, are not changed.
//!
//! Departure: it begins with each layer matched by what comes into it alone, from the input on, in place of the order
//! that units have: a network whose units were only moved is found again.

use burn::module::Param;
use burn::tensor::{Tensor, TensorData};
use losscape_model::Mlp;
use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;
use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;

/// A layer: weights `[out, in]` row by row, and biases.
struct Layer {
    weights: Vec<f64>,
    inputs: usize,
    bias: Vec<f64>,
}

impl Layer {
    fn outputs(&self) -> usize {
        self.weights.len() / self.inputs
    }

    fn row(&self, unit: usize) -> &[f64] {
        &self.weights[unit * self.inputs..(unit + 1) * self.inputs]
    }
}

fn layers(network: &Mlp) -> Vec<Layer> {
    let layer = |layer: &losscape_model::dense::Dense| {
        let weight = layer.weight.val();
        let inputs = weight.dims()[1];
        let bias = layer.bias.as_ref().map(|bias| bias.val().into_data().iter().collect());
        Layer { weights: weight.into_data().iter().collect(), inputs, bias: bias.unwrap_or_default() }
    };
    network.layers.iter().map(layer).collect()
}

/// The other network with its hidden units in the order that is nearest to that of the reference; its function stays.
/// `None` where their layers differ in size.
pub(crate) fn matched(reference: &Mlp, other: &Mlp, random: &mut ChaCha12Rng) -> Option<Mlp> {
    let (a, b) = (layers(reference), layers(other));
    let alike = |(a, b): (&Layer, &Layer)| {
        a.inputs == b.inputs && a.weights.len() == b.weights.len() && a.bias.len() == b.bias.len()
    };
    if a.len() != b.len() || !a.iter().zip(&b).all(alike) {
        return None;
    }
    // `order[l][i]` is the unit of B that stands at place i of the outputs of layer l.
    let mut order: Vec<Vec<usize>> = b.iter().map(|layer| (0..layer.outputs()).collect()).collect();
    let mut hidden: Vec<usize> = (0..b.len() - 1).collect();
    for &at in &hidden {
        order[at] = assignment(&similarities(&a, &b, &order, at, false), a[at].outputs());
    }
    loop {
        hidden.shuffle(random);
        let mut changed = false;
        for &at in &hidden {
            let (all, units) = (similarities(&a, &b, &order, at, true), a[at].outputs());
            let found = assignment(&all, units);
            let value = |order: &[usize]| -> f64 { order.iter().enumerate().map(|(p, &u)| all[p * units + u]).sum() };
            // Rounding must not send it in circles.
            if value(&found) > value(&order[at]) + 1e-12 * all.iter().map(|value| value.abs()).sum::<f64>() {
                order[at] = found;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    let inputs: Vec<usize> = (0..b[0].inputs).collect();
    let mut network = other.clone();
    for (at, layer) in network.layers.iter_mut().enumerate() {
        let before = if at == 0 { &inputs } else { &order[at - 1] };
        let weights: Vec<f64> = order[at]
            .iter()
            .flat_map(|&unit| before.iter().map(move |&input| (unit, input)))
            .map(|(unit, input)| b[at].row(unit)[input])
            .collect();
        layer.weight = replaced(&layer.weight, weights);
        if let Some(bias) = &layer.bias {
            layer.bias = Some(replaced(bias, order[at].iter().map(|&unit| b[at].bias[unit]).collect()));
        }
    }
    Some(network)
}

/// How alike each unit of A's hidden layer (a row) is to each of B's, with B's other layers in these orders: by what
/// comes into it and, `onward`, by what goes on from it.
fn similarities(a: &[Layer], b: &[Layer], order: &[Vec<usize>], at: usize, onward: bool) -> Vec<f64> {
    let inputs: Vec<usize> = (0..b[at].inputs).collect();
    let before = if at == 0 { &inputs } else { &order[at - 1] };
    let (next_a, next_b) = (&a[at + 1], &b[at + 1]);
    let similarity = |place: usize, unit: usize| -> f64 {
        let (own, theirs) = (a[at].row(place), b[at].row(unit));
        let came: f64 = own.iter().zip(before).map(|(weight, &input)| weight * theirs[input]).sum();
        let bias = a[at].bias.get(place).map_or(0.0, |bias| bias * b[at].bias[unit]);
        let goes = (0..next_a.outputs()).map(|to| next_a.row(to)[place] * next_b.row(order[at + 1][to])[unit]);
        came + bias + if onward { goes.sum() } else { 0.0 }
    };
    let units = a[at].outputs();
    (0..units * units).map(|entry| similarity(entry / units, entry % units)).collect()
}

/// A parameter with other values.
fn replaced<const D: usize>(param: &Param<Tensor<D>>, values: Vec<f64>) -> Param<Tensor<D>> {
    let (tensor, trained) = (param.val(), param.is_require_grad());
    let data = TensorData::new(values, tensor.shape()).convert_dtype(tensor.dtype());
    let tensor = Tensor::from_data(data, (&tensor.device(), tensor.dtype()));
    Param::initialized(param.id, tensor).set_require_grad(trained)
}

/// For each row of a square matrix the column, each once, so that the sum is the largest: of values rounded to a part
/// in 2⁴⁰ of the largest.
fn assignment(values: &[f64], size: usize) -> Vec<usize> {
    let largest = values.iter().fold(f64::MIN_POSITIVE, |largest, value| largest.max(value.abs()));
    let rounded = values.iter().map(|value| (value / largest * 2.0_f64.powi(40)).round() as i64).collect();
    let matrix = Matrix::from_vec(size, size, rounded).expect("it has as many values as places");
    kuhn_munkres(&matrix).1
}
